//! `graphium stack history|diff NAME`.

use super::Call;
use crate::{
    cli::{
        exit::{Exit, Failure},
        source::Document,
        validate,
    },
    config::Format,
    render::{self, Clock, Table},
};
use graphium_core::control::{DifferenceView, LiveDifferenceView, RevisionView};
use graphium_server::{api::wire::RevisionList, client::DeployRequest};
use std::path::Path;

/// So many revisions are shown unless more are asked for.
const SHOWN: usize = 20;

/// Shows the revisions of a stack: who deployed what when, and what became of it
#[derive(Debug, clap::Args)]
pub(super) struct HistoryArgs {
    /// The stack's name or `@id`
    name: String,
    /// At most so many, the newest first
    #[arg(long, value_name = "NUMBER", default_value_t = SHOWN)]
    limit: usize,
    /// How the result is written
    #[arg(short, long, value_enum)]
    output: Option<Format>,
}

/// Shows what differs between two revisions of a stack, a revision and a document, or what is wanted and what is there
#[derive(Debug, clap::Args)]
pub(super) struct DiffArgs {
    /// The stack's name or `@id`
    name: String,
    /// The revision that is compared; by default the present one, or the one before it where `--to` is the present one
    #[arg(long, value_name = "REVISION")]
    from: Option<u64>,
    /// What it is compared with: a revision, or a document's file; by default the present revision
    #[arg(long, value_name = "REVISION|FILE")]
    to: Option<String>,
    /// Compare what is wanted now with what the agents have seen last
    #[arg(long, conflicts_with_all = ["from", "to"])]
    live: bool,
    /// How the result is written
    #[arg(short, long, value_enum)]
    output: Option<Format>,
}

pub(super) async fn history(args: &HistoryArgs, call: &mut Call<'_>) -> Result<Exit, Failure> {
    let revisions = call.client.history(&args.name, args.limit).await?;
    let format = call.format(args.output);
    if format == Format::Json {
        call.output.json(&RevisionList { revisions, next: None })?;
        return Ok(Exit::Ok);
    }
    let headings = ["REVISION", "STATUS", "WHEN", "WHO", "CHANGES", "DEPLOYMENT"];
    let wide = format == Format::Wide;
    let count = if wide { headings.len() } else { headings.len() - 1 };
    let mut table = Table::new(&headings[..count]);
    let clock = Clock::system();
    for revision in &revisions {
        let mut cells = cells(revision, &clock);
        cells.truncate(count);
        table.row(cells);
    }
    table.lines(call.output.data_style()).iter().try_for_each(|line| call.output.line(line))?;
    if revisions.len() == args.limit && revisions.last().is_some_and(|last| last.revision > 1) {
        call.output.say(format_args!("there may be older ones: --limit {}", args.limit * 5));
    }
    Ok(Exit::Ok)
}

fn cells(revision: &RevisionView, clock: &Clock) -> Vec<String> {
    let outcome = revision.outcome.map_or("", graphium_core::control::RevisionOutcome::as_str);
    let status = match (revision.is_current, outcome) {
        (true, "") => "current".to_owned(),
        (true, outcome) => format!("current, {outcome}"),
        (false, outcome) => outcome.to_owned(),
    };
    let changes = match revision.restores {
        Some(earlier) => format!("is revision {earlier} again"),
        None => revision.changes.clone(),
    };
    vec![
        revision.revision.to_string(),
        status,
        clock.ago(revision.date_created),
        revision.created_by.clone().unwrap_or_else(|| "-".to_owned()),
        changes,
        revision.deployment_id.as_ref().map(ToString::to_string).unwrap_or_default(),
    ]
}

pub(super) async fn diff(args: &DiffArgs, call: &mut Call<'_>) -> Result<Exit, Failure> {
    if args.live {
        return live(args, call).await;
    }
    let difference = match args.to.as_deref().map(|to| (to, to.parse::<u64>())) {
        None => call.client.stack_difference(&args.name, args.from, None).await?,
        Some((_, Ok(to))) => call.client.stack_difference(&args.name, args.from, Some(to)).await?,
        Some((file, Err(_))) => {
            let document = Document::load(Path::new(file))?;
            if let Err(diagnostics) = document.read() {
                return Err(validate::refusal(&document, &diagnostics));
            }
            let request = DeployRequest { variables: document.used_variables(), ..DeployRequest::default() };
            call.client.stack_difference_to(&args.name, args.from, document.bytes().to_vec(), &request).await?
        }
    };
    if call.format(args.output) == Format::Json {
        call.output.json(&difference)?;
        return Ok(Exit::Ok);
    }
    let DifferenceView { stack_name, from, to, difference, .. } = &difference;
    let other = to.map_or_else(|| "the document".to_owned(), |to| format!("revision {to}"));
    if difference.is_empty() {
        return call
            .output
            .line(format_args!("stack `{stack_name}`: revision {from} and {other} say the same"))
            .map(|()| Exit::Ok);
    }
    call.output.line(format_args!("stack `{stack_name}`: revision {from} → {other}"))?;
    let lines = render::document_differences(difference, call.output.data_style());
    lines.iter().try_for_each(|line| call.output.line(line))?;
    Ok(Exit::Ok)
}

async fn live(args: &DiffArgs, call: &mut Call<'_>) -> Result<Exit, Failure> {
    let view = call.client.live_difference(&args.name).await?;
    if call.format(args.output) == Format::Json {
        call.output.json(&view)?;
        return Ok(Exit::Ok);
    }
    let LiveDifferenceView { stack_name, revision, hosts, differences, .. } = &view;
    if differences.is_empty() {
        call.output.line(format_args!("stack `{stack_name}`: all that was seen is as revision {revision} wants it"))?;
    } else {
        call.output.line(format_args!("stack `{stack_name}`: revision {revision} → what was seen"))?;
    }
    let lines = render::live_differences(differences, call.output.data_style());
    lines.iter().try_for_each(|line| call.output.line(line))?;
    let clock = Clock::system();
    render::sightings(hosts, &clock).iter().try_for_each(|line| call.output.line(line))?;
    Ok(Exit::Ok)
}
