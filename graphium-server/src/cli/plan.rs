//! `graphium plan FILE`: what a deployment would do, without doing it.

use super::{
    connect,
    exit::{Exit, Failure},
    inventory,
    output::Output,
    plan_output::{PlanFormat, PlanOutput, PlanOutputParser},
    source::{Document, DocumentArgs},
    validate::{self, Verdict},
};
use crate::{
    config::{Config, Format},
    render,
};
use graphium_core::{
    diagnostic::Diagnostic,
    id::HostId,
    inventory::Host,
    plan::{self, Facts, Options, Plan, SavedOptions, SavedPlan, SealedPlan, Undo},
};
use graphium_server::{auth, client::DeployRequest};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Shows what a deployment would do; with an inventory offline, otherwise by asking the server
#[derive(Debug, clap::Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    document: DocumentArgs,
    /// Hosts and containers: {"hosts":[{"@id":…}],"containers":[…]}, as `host list -o json` writes them; `-` reads stdin
    #[arg(long, value_name = "HOSTS.json")]
    inventory: Option<PathBuf>,
    /// Plan to pull every image also where the host has it, and to make anew what runs from another than its tag names then
    #[arg(long)]
    pull: bool,
    /// Show what changes property by property; values of variables stay hidden
    #[arg(long)]
    diff: bool,
    /// Say why each container is where it is, how every host stood, and how long each task can wait
    #[arg(long)]
    explain: bool,
    /// Plan for this host alone; refused where a task there waits for one elsewhere; may be repeated
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Show what takes the plan back, step by step, what cannot be taken back and why, and what the end is
    #[arg(long)]
    undo: bool,
    /// Exit with 7 where there is something to do, and with 0 where there is nothing
    #[arg(long)]
    detailed_exitcode: bool,
    /// How the plan is written; or a file (its name has a `.` or a `/`) to save it in for `graphium apply`
    ///
    /// The file is for your eyes alone: values of variables are in it.
    #[arg(short, long, value_name = "FORMAT|FILE", value_parser = PlanOutputParser)]
    output: Option<PlanOutput>,
}

/// A plan and what takes it back.
#[derive(serde::Serialize)]
struct WithUndo<'a> {
    #[serde(flatten)]
    plan: &'a SealedPlan,
    undo: Undo,
}

pub(crate) fn run(args: &PlanArgs, config: &Config, output: &mut Output) -> Result<Exit, Failure> {
    if args.file().is_some() && !args.hosts.is_empty() {
        return Err(Failure::new(Exit::Usage, "a part of a plan cannot be saved: applying carries out the whole")
            .hint("leave out `--host`, or write the part as `-o json`"));
    }
    args.file().map_or(Ok(()), refuse_to_overwrite)?;
    let format = match (&args.output, config.output.value) {
        (Some(PlanOutput::Format(format)), _) => *format,
        (Some(PlanOutput::File(_)), _) | (None, Format::Table | Format::Wide) => PlanFormat::Table,
        (None, Format::Json) => PlanFormat::Json,
    };
    if let Some(inventory) = &args.inventory {
        args.document.refuse_to_share_stdin(inventory, "--inventory")?;
    }
    let document = args.document.load()?;
    let mut view = View { args, format, document: &document, output };
    let Some(inventory) = &args.inventory else {
        return ask_server(&mut view, config);
    };
    let inventory = inventory::load(inventory)?;
    let planned = document.read().and_then(|reading| {
        let pull_images = args.pull || reading.options.pull_images.unwrap_or_default();
        let options = Options { pull_images, explain: args.explain, ..Options::default() };
        Ok((plan::plan(&reading.stack, None, &inventory, &options)?, reading, options))
    });
    match planned {
        Ok((plan, reading, options)) => {
            args.refuse_unknown(&plan, &inventory.hosts)?;
            let plan = match args.limited(plan) {
                Ok(plan) => plan,
                Err(diagnostics) => return view.refuse(diagnostics),
            };
            document.warn(&reading.notes, view.output);
            let saved = args.file().map(|path| {
                let facts = Facts::of(&plan, &reading.stack, &inventory, None);
                let options = SavedOptions::new(&options, reading.options.timeout);
                (path, SavedPlan::new(reading.stack, options, plan.clone().sealed(), facts).with_notes(reading.notes))
            });
            view.conclude(plan.sealed(), saved)
        }
        Err(diagnostics) => view.refuse(diagnostics),
    }
}

/// A plan is saved where nothing is, or where an earlier one is.
fn refuse_to_overwrite(path: &Path) -> Result<(), Failure> {
    match std::fs::read(path) {
        Ok(text) if !SavedPlan::is_one(&text) => {
            Err(Failure::usage(format!("`{}` is there and is no saved plan", path.display()))
                .hint("save the plan under another name, or remove the file first"))
        }
        _ => Ok(()),
    }
}

/// Plans against what the server knows of its hosts and their containers.
fn ask_server(view: &mut View<'_>, config: &Config) -> Result<Exit, Failure> {
    let (args, document) = (view.args, view.document);
    if let Err(diagnostics) = document.read() {
        return view.refuse(diagnostics);
    }
    let request = DeployRequest {
        variables: document.used_variables(),
        pull_images: args.pull.then_some(true),
        explain: args.explain.then_some(true),
        ..DeployRequest::default()
    };
    let client = connect::client(config)?;
    let answer = connect::run(async {
        let text = document.bytes().to_vec();
        let Some(path) = args.file() else {
            let plan = client.plan(text, &request).await?;
            if !args.hosts.is_empty() {
                args.refuse_unknown(&plan, &client.hosts().await?)?;
            }
            return Ok((plan, None));
        };
        let saved = client.save_plan(text, &request).await?;
        Ok((saved.plan.clone(), Some((path, saved))))
    });
    match answer {
        Ok((plan, saved)) => {
            if let Some((_, saved)) = &saved {
                document.warn(&saved.notes, view.output);
            }
            let plan = if args.hosts.is_empty() { Ok(plan) } else { args.limited(plan.plan).map(Plan::sealed) };
            match plan {
                Ok(plan) => view.conclude(plan, saved),
                Err(diagnostics) => view.refuse(diagnostics),
            }
        }
        Err(failure) if !failure.diagnostics.is_empty() => view.refuse(failure.diagnostics.into_vec()),
        Err(failure) if failure.exit == Exit::Unreachable => {
            Err(failure.hint("plan offline: `--inventory HOSTS.json`"))
        }
        Err(failure) => Err(failure),
    }
}

impl PlanArgs {
    /// The file to save the plan in.
    fn file(&self) -> Option<&Path> {
        match &self.output {
            Some(PlanOutput::File(path)) => Some(path),
            _ => None,
        }
    }

    fn asked_hosts(&self) -> BTreeSet<HostId> {
        self.hosts.iter().map(|name| HostId::new(name.as_str())).collect()
    }

    /// A plan for a host that nobody knows would be empty, and look as if all were well.
    fn refuse_unknown(&self, plan: &Plan, known: &[Host]) -> Result<(), Failure> {
        let unknown = plan.unknown(&self.asked_hosts(), known.iter().map(|host| &host.id));
        match unknown.is_empty() {
            true => Ok(()),
            false => Err(Failure { diagnostics: unknown.into(), ..Failure::quiet(Exit::Usage) }.coded("unknown-host")),
        }
    }

    /// The part of the plan that was asked for.
    fn limited(&self, plan: Plan) -> Result<Plan, Vec<Diagnostic>> {
        if self.hosts.is_empty() { Ok(plan) } else { plan.limited_to(&self.asked_hosts()) }
    }
}

/// What a plan is shown with.
struct View<'a> {
    args: &'a PlanArgs,
    format: PlanFormat,
    document: &'a Document,
    output: &'a mut Output,
}

impl View<'_> {
    /// Shows a plan, and saves it where that was asked for.
    fn conclude(&mut self, mut plan: SealedPlan, saved: Option<(&Path, SavedPlan)>) -> Result<Exit, Failure> {
        self.document.locate(&mut plan.plan.warnings);
        self.show(&plan)?;
        if let Some((path, saved)) = saved {
            let name = path.display();
            auth::write_private(path, &saved.to_text()).map_err(|error| {
                Failure::new(Exit::Failed, format!("the plan cannot be saved at `{name}`: {error}"))
                    .hint("name a file in a folder that is there and may be written to")
            })?;
            self.output.flush()?;
            self.output.say(format_args!("the plan is saved; carry it out: graphium apply {name}"));
        }
        Ok(if self.args.detailed_exitcode && !plan.is_empty() { Exit::Changes } else { Exit::Ok })
    }

    fn show(&mut self, plan: &SealedPlan) -> Result<(), Failure> {
        let args = self.args;
        match self.format {
            PlanFormat::Json if args.undo => {
                self.output.json(&WithUndo { plan: &plan.without_values(), undo: plan.undo() })
            }
            PlanFormat::Json => self.output.json(&plan.without_values()),
            PlanFormat::Dot => self.output.line(plan::dot(plan).trim_end()),
            PlanFormat::Table => {
                self.document.warn(&plan.warnings, self.output);
                let style = self.output.data_style();
                let differences = if args.diff { render::differences(plan, style) } else { Vec::new() };
                let choices = render::choices(plan, style);
                let slack = if args.explain { render::slack(plan, style) } else { Vec::new() };
                let undo = if args.undo { render::undo(&plan.undo(), style) } else { Vec::new() };
                let lines =
                    render::plan(plan, style).into_iter().chain(differences).chain(choices).chain(slack).chain(undo);
                lines.into_iter().try_for_each(|line| self.output.line(&line))
            }
        }
    }

    fn refuse(&mut self, mut found: Vec<Diagnostic>) -> Result<Exit, Failure> {
        self.document.locate(&mut found);
        if self.format == PlanFormat::Json {
            self.output.json(&Verdict::of(&found))?;
            return Ok(Exit::Invalid);
        }
        Err(validate::refusal(self.document, &found))
    }
}
