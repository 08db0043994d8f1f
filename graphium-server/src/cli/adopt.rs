//! `graphium adopt FILE`: containers that run already become a stack's, as they are.

use super::{
    connect,
    exit::{Exit, Failure},
    follow::WaitArgs,
    output::Output,
    source::{Document, DocumentArgs},
    stack::Call,
    validate::{self, Verdict},
};
use crate::{
    config::{Config, Format},
    render,
};
use graphium_core::{
    control::{Comparison, TaskView},
    plan::{Adoptee, LiveDifference, LiveDifferenceKind},
    task::{TaskError, TaskStatus},
};
use graphium_server::client::{AdoptRequest, Client, DeployRequest};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How long the hosts may take to compare: their agents are heard, and a comparison is a few questions.
const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks at the tasks.
const LOOK: Duration = Duration::from_millis(150);

/// Takes containers that run already into a stack, without a restart: those of others (Compose's too), and orphans
///
/// A container is known by its name on the engine (`STACK-NAME`), by our labels, by the project and service of Compose, or
/// because `--container` names it. Each is compared with the document first; nothing is changed unless all of them can be taken.
#[derive(Debug, clap::Args)]
pub(crate) struct AdoptArgs {
    #[command(flatten)]
    document: DocumentArgs,
    /// Only containers of this host
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// The Compose project whose containers they are [default: the one called as the stack]
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Which container becomes NAME: `[HOST/]NAME`, or its id or the beginning of that; may be repeated
    #[arg(long = "container", value_name = "NAME=CONTAINER", value_parser = choice)]
    containers: Vec<(String, String)>,
    /// Adopt also what is not as the document says; the next deployment sets it right, if need be by a new container
    #[arg(long)]
    accept_differences: bool,
    /// Say what would be adopted and what differs, and change nothing
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
    #[command(flatten)]
    wait: WaitArgs,
    /// How the result is written
    #[arg(short, long, value_enum)]
    output: Option<Format>,
}

fn choice(text: &str) -> Result<(String, String), String> {
    let fine = |(name, which): &(&str, &str)| !name.is_empty() && !which.is_empty() && !text.contains(',');
    let (name, which) = text.split_once('=').filter(fine).ok_or("write it NAME=CONTAINER, as `web=vm1/shop-web-1`")?;
    Ok((name.to_owned(), which.to_owned()))
}

/// One container that would be adopted, and how it differs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Compared {
    #[serde(flatten)]
    adoptee: Adoptee,
    /// What differs: `old` as the document has it, `new` as it is.
    differences: Vec<graphium_core::plan::PropertyChange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<TaskError>,
}

pub(crate) fn run(args: &AdoptArgs, config: &Config, output: &mut Output) -> Result<Exit, Failure> {
    let document = args.document.load()?;
    let format = args.output.unwrap_or(config.output.value);
    // What is wrong is found here already, and no server has to be there for it.
    if let Err(diagnostics) = document.read() {
        if format == Format::Json {
            output.json(&Verdict::of(&diagnostics))?;
            return Ok(Exit::Invalid);
        }
        return Err(validate::refusal(&document, &diagnostics));
    }
    let mut which = AdoptRequest {
        host: args.host.clone(),
        project: args.project.clone(),
        containers: BTreeMap::new(),
        accept_differences: args.accept_differences,
    };
    for (name, container) in &args.containers {
        if which.containers.insert(name.clone(), container.clone()).is_some() {
            return Err(Failure::usage(format!("`--container` says twice what becomes `{name}`")));
        }
    }
    let request = DeployRequest { variables: document.used_variables(), ..DeployRequest::default() };
    let client = connect::client(config)?;
    connect::run(async {
        let mut call = Call { client, config, output };
        let asked = call.client.compare_for_adoption(document.bytes().to_vec(), &request, &which).await;
        let comparison = match asked {
            Ok(comparison) => comparison,
            Err(error) => return refused(error.into(), &document, format, call.output),
        };
        let compared = compared(&comparison, &call.client).await?;
        let refusal = refusal(&compared, args.accept_differences);
        if format == Format::Json {
            // One result: that of the adoption, where there is one.
            if args.dry_run || refusal.is_some() {
                call.output.json(&serde_json::json!({
                    "adoptable": refusal.is_none(), "containers": compared, "own": comparison.own
                }))?;
                return Ok(if refusal.is_none() { Exit::Ok } else { Exit::Failed });
            }
        } else {
            show(&comparison, &compared, call.output)?;
        }
        if let Some(failure) = refusal {
            return Err(failure);
        }
        if args.dry_run {
            call.output.say("nothing was changed; without `--dry-run` they are adopted");
            return Ok(Exit::Ok);
        }
        // Those that were compared, and no others.
        let chosen = compared.iter().map(|one| {
            let Adoptee { container, host_id, container_id, .. } = &one.adoptee;
            (container.clone(), format!("{host_id}/{container_id}"))
        });
        which.containers = chosen.collect();
        match call.client.adopt(document.bytes().to_vec(), &request, &which).await {
            Ok(started) => {
                document.warn(&started.warnings, call.output);
                call.go_on(&started, args.wait, format).await
            }
            Err(error) => refused(error.into(), &document, format, call.output),
        }
    })
}

fn refused(failure: Failure, document: &Document, format: Format, output: &mut Output) -> Result<Exit, Failure> {
    if failure.diagnostics.is_empty() {
        return Err(failure);
    }
    if format == Format::Json {
        output.json(&Verdict::of(&failure.diagnostics))?;
        return Ok(Exit::Invalid);
    }
    Err(validate::refusal(document, &failure.diagnostics))
}

/// Waits until all are compared.
async fn compared(comparison: &Comparison, client: &Client) -> Result<Vec<Compared>, Failure> {
    let begun = Instant::now();
    let mut all = Vec::with_capacity(comparison.tasks.len());
    for (adoptee, task) in comparison.containers.iter().zip(&comparison.tasks) {
        let mut view: TaskView = task.clone();
        while !view.task.status.is_terminal() {
            if begun.elapsed() > PATIENCE {
                let waits = view.waiting.as_ref().map(|waiting| format!(": it waits for {}", waiting.on));
                return Err(Failure::new(
                    Exit::TimedOut,
                    format!(
                        "host `{}` has not compared `{}` within {} s{}",
                        adoptee.host_id,
                        adoptee.container_name,
                        PATIENCE.as_secs(),
                        waits.unwrap_or_default()
                    ),
                )
                .hint("nothing was changed; see whether the agent of that host runs (`graphium host list`)"));
            }
            tokio::time::sleep(LOOK).await;
            view = client.task(view.task.id.as_str()).await?;
        }
        let task = view.task;
        let failed = task.status != TaskStatus::Completed;
        let unknown = || TaskError {
            code: "not-compared".to_owned(),
            message: format!("the comparison was {}", task.status.as_str()),
            help: None,
            log: Vec::new(),
            retryable: false,
        };
        all.push(Compared {
            adoptee: adoptee.clone(),
            differences: task.result.map(|result| result.differences).unwrap_or_default(),
            error: failed.then(|| task.error.clone().unwrap_or_else(unknown)),
        });
    }
    Ok(all)
}

fn show(comparison: &Comparison, compared: &[Compared], output: &mut Output) -> Result<(), Failure> {
    for (name, host) in &comparison.own {
        output.line(format_args!("  {} on {host} is the stack's own already", render::printable(name)))?;
    }
    for one in compared {
        let Adoptee { container, host_id, container_name, container_id, engine_name, .. } = &one.adoptee;
        let id: String = container_id.chars().take(12).collect();
        let name = match container_name == engine_name {
            true => String::new(),
            false => format!(", which will be called {engine_name}"),
        };
        let verdict = match (&one.error, one.differences.as_slice()) {
            (Some(error), _) => format!("cannot be adopted: {}", render::printable(&error.message)),
            (None, []) => "is as the document says".to_owned(),
            (None, _) => "differs".to_owned(),
        };
        output.line(format_args!(
            "  {} ← {host_id}/{} ({id}){name}: {verdict}",
            render::printable(container),
            render::printable(container_name)
        ))?;
    }
    let differing: Vec<LiveDifference> = compared
        .iter()
        .filter(|one| !one.differences.is_empty())
        .map(|one| LiveDifference {
            container: one.adoptee.container.clone(),
            container_name: one.adoptee.container_name.clone(),
            host_id: one.adoptee.host_id.clone(),
            kind: LiveDifferenceKind::Differs,
            properties: one.differences.clone(),
        })
        .collect();
    if !differing.is_empty() {
        output.line("the document → what runs")?;
        let lines = render::live_differences(&differing, output.data_style());
        lines.iter().try_for_each(|line| output.line(line))?;
    }
    Ok(())
}

/// Why nothing is adopted.
fn refusal(compared: &[Compared], accepts: bool) -> Option<Failure> {
    let failed: Vec<&Compared> = compared.iter().filter(|one| one.error.is_some()).collect();
    if !failed.is_empty() {
        let what = format!("{} cannot be adopted, so none is", render::count(failed.len(), "container"));
        let mut failure = Failure::new(Exit::Failed, what);
        for one in &failed {
            if let Some(error) = &one.error {
                failure = failure.because(format!("{}: {}", one.adoptee.container, error.message));
            }
        }
        let help = failed.iter().find_map(|one| one.error.as_ref()?.help.clone());
        return Some(match help {
            Some(help) => failure.hint(help),
            None => failure,
        });
    }
    let differing = compared.iter().filter(|one| !one.differences.is_empty()).count();
    (differing > 0 && !accepts).then(|| {
        let what = format!("{} not as the document says, so none is adopted", are(differing));
        Failure::new(Exit::Failed, what)
            .hint("change the document to what runs: then the plan after the adoption is empty")
            .hint("or adopt as it is with `--accept-differences`: the next deployment makes what differs anew")
    })
}

fn are(count: usize) -> String {
    if count == 1 { "1 container is".to_owned() } else { format!("{count} containers are") }
}
