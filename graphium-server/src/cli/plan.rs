//! `graphium plan FILE`: what a deployment would do, without doing it.

use super::{
    connect,
    exit::{Exit, Failure},
    inventory,
    output::Output,
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
    plan::{self, Options, Plan, Undo},
};
use graphium_server::client::DeployRequest;
use std::path::PathBuf;

/// Shows what a deployment would do; with an inventory offline, otherwise by asking the server
#[derive(Debug, clap::Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    document: DocumentArgs,
    /// Hosts and containers: {"hosts":[{"@id":…}],"containers":[…]}, or the answer of GET /api/v1/hosts
    #[arg(long, value_name = "HOSTS.json")]
    inventory: Option<PathBuf>,
    /// Plan to pull every image, also those that a host has
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
    /// How the plan is written
    #[arg(short, long, value_enum)]
    output: Option<PlanFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum PlanFormat {
    /// For people
    #[value(alias = "text")]
    Table,
    /// For programs
    Json,
    /// For Graphviz
    Dot,
}

/// A plan and what takes it back.
#[derive(serde::Serialize)]
struct WithUndo<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    undo: Undo,
}

pub(crate) fn run(args: &PlanArgs, config: &Config, output: &mut Output) -> Result<Exit, Failure> {
    let format = args.output.unwrap_or(match config.output.value {
        Format::Json => PlanFormat::Json,
        Format::Table | Format::Wide => PlanFormat::Table,
    });
    let document = args.document.load()?;
    let Some(inventory) = &args.inventory else {
        return ask_server(args, format, &document, config, output);
    };
    let inventory = inventory::load(inventory)?;
    let planned = document.read().and_then(|reading| {
        let pull_images = args.pull || reading.options.pull_images.unwrap_or_default();
        let options = Options { pull_images, explain: args.explain, ..Options::default() };
        let plan = plan::plan(&reading.stack, None, &inventory, &options)?;
        Ok((limited(args, plan)?, reading.notes))
    });
    match planned {
        Ok((plan, notes)) => {
            document.warn(&notes, output);
            show(args, &plan, format, &document, output)
        }
        Err(diagnostics) => refuse(&diagnostics, format, &document, output),
    }
}

/// Plans against what the server knows of its hosts and their containers.
fn ask_server(
    args: &PlanArgs,
    format: PlanFormat,
    document: &Document,
    config: &Config,
    output: &mut Output,
) -> Result<Exit, Failure> {
    if let Err(diagnostics) = document.read() {
        return refuse(&diagnostics, format, document, output);
    }
    let request = DeployRequest {
        variables: document.used_variables(),
        pull_images: args.pull.then_some(true),
        explain: args.explain.then_some(true),
        ..DeployRequest::default()
    };
    let client = connect::client(config)?;
    let answer = connect::run(async { Ok(client.plan(document.bytes().to_vec(), &request).await?) });
    match answer {
        Ok(plan) => match limited(args, plan) {
            Ok(plan) => show(args, &plan, format, document, output),
            Err(diagnostics) => refuse(&diagnostics, format, document, output),
        },
        Err(failure) if !failure.diagnostics.is_empty() => refuse(&failure.diagnostics, format, document, output),
        Err(failure) if failure.exit == Exit::Unreachable => {
            Err(failure.hint("plan offline: `--inventory HOSTS.json`"))
        }
        Err(failure) => Err(failure),
    }
}

/// The part of the plan that was asked for.
fn limited(args: &PlanArgs, plan: Plan) -> Result<Plan, Vec<Diagnostic>> {
    if args.hosts.is_empty() {
        return Ok(plan);
    }
    plan.limited_to(&args.hosts.iter().map(|name| HostId::new(name.as_str())).collect())
}

fn show(
    args: &PlanArgs,
    plan: &Plan,
    format: PlanFormat,
    document: &Document,
    output: &mut Output,
) -> Result<Exit, Failure> {
    match format {
        PlanFormat::Json if args.undo => output.json(&WithUndo { plan, undo: plan.undo() })?,
        PlanFormat::Json => output.json(plan)?,
        PlanFormat::Dot => output.line(plan::dot(plan).trim_end())?,
        PlanFormat::Table => {
            document.warn(&plan.warnings, output);
            let style = output.data_style();
            let differences = if args.diff { render::differences(plan, style) } else { Vec::new() };
            let choices = render::choices(plan, style);
            let slack = if args.explain { render::slack(plan, style) } else { Vec::new() };
            let undo = if args.undo { render::undo(&plan.undo(), style) } else { Vec::new() };
            let lines =
                render::plan(plan, style).into_iter().chain(differences).chain(choices).chain(slack).chain(undo);
            lines.into_iter().try_for_each(|line| output.line(&line))?;
        }
    }
    Ok(if args.detailed_exitcode && !plan.is_empty() { Exit::Changes } else { Exit::Ok })
}

fn refuse(found: &[Diagnostic], format: PlanFormat, document: &Document, output: &mut Output) -> Result<Exit, Failure> {
    if format == PlanFormat::Json {
        output.json(&Verdict::of(found))?;
        return Ok(Exit::Invalid);
    }
    document.warn(found, output);
    Err(validate::refusal(document, found))
}
