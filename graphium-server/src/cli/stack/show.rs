//! `graphium stack list|status`.

use super::Call;
use crate::{
    cli::{
        exit::{Exit, Failure},
        screen::still,
    },
    config::Format,
    render::{self, Clock, Table},
};
use graphium_core::{
    control::{Away, StackStatus, StackView},
    stack::OnDrift,
};
use graphium_server::api::wire::StackList;

/// Lists the stacks
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// How the result is written
    #[arg(short, long, value_enum)]
    output: Option<Format>,
}

/// Shows how a stack is, what each waiting task waits for, and what failed
#[derive(Debug, clap::Args)]
pub(super) struct StatusArgs {
    /// The stack's name or `@id`, or a deployment's id
    name: String,
    /// How the result is written
    #[arg(short, long, value_enum)]
    output: Option<Format>,
}

pub(super) async fn list(args: &ListArgs, call: &mut Call<'_>) -> Result<Exit, Failure> {
    let stacks = call.client.stacks().await?;
    let format = call.format(args.output);
    if format == Format::Json {
        call.output.json(&StackList { stacks, next: None })?;
        return Ok(Exit::Ok);
    }
    if stacks.is_empty() {
        call.output.say("no stack is deployed; begin with `graphium stack deploy FILE`");
        return Ok(Exit::Ok);
    }
    let wide = format == Format::Wide;
    let headings = ["NAME", "STATUS", "CONTAINERS", "HOSTS", "REVISION", "CHANGED", "ID", "DEPLOYMENT"];
    let mut table = Table::new(if wide { &headings } else { &headings[..6] });
    let clock = Clock::system();
    for stack in &stacks {
        let mut cells = cells(stack, &clock);
        cells.truncate(if wide { 8 } else { 6 });
        table.row(cells);
    }
    table.lines(call.output.data_style()).iter().try_for_each(|line| call.output.line(line))?;
    Ok(Exit::Ok)
}

fn cells(stack: &StackView, clock: &Clock) -> Vec<String> {
    let mut hosts: Vec<&str> = stack.placements.values().map(graphium_core::id::HostId::as_str).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let hosts = if hosts.len() > 3 { render::count(hosts.len(), "host") } else { hosts.join(",") };
    vec![
        stack.name.clone(),
        stack.status.as_str().to_owned(),
        stack.placements.len().max(stack.containers.len()).to_string(),
        hosts,
        stack.revision.to_string(),
        clock.ago(stack.date_modified),
        stack.id.to_string(),
        stack.deployment_id.to_string(),
    ]
}

pub(super) async fn status(args: &StatusArgs, call: &mut Call<'_>) -> Result<Exit, Failure> {
    let status = call.client.status(&args.name).await?;
    let format = call.format(args.output);
    if format == Format::Json {
        call.output.json(&status)?;
        return Ok(Exit::Ok);
    }
    // A pipe takes lines of any length; a terminal would break them.
    let width = if call.output.is_watched() { call.output.size().width } else { usize::MAX };
    let style = call.output.data_style();
    still(&status, width, style).iter().try_for_each(|line| call.output.line(line))?;
    let mut table = Table::default();
    for endpoint in &status.endpoints {
        table.row([format!("  {}", endpoint.container), render::url(endpoint)]);
    }
    table.lines(style).iter().try_for_each(|line| call.output.line(line))?;
    // What failed and is well by now, as after a repair, is history.
    let failures = match status.overall_status {
        StackStatus::Running => Vec::new(),
        _ => render::failures(&status, style),
    };
    failures.iter().try_for_each(|line| call.output.line(line))?;
    if let Some(failed) = &status.takes_back
        && status.error_message.is_none()
    {
        let to = failed.to.map_or_else(|| "nothing".to_owned(), |to| format!("revision {to}"));
        let line = format!("revision {} failed and was taken back to {to}: {}", failed.revision, failed.reason);
        call.output.line(format_args!("stack `{}`: {}", status.stack_name, render::printable(&line)))?;
    }
    if let Some(policy) = status.policy.filter(|policy| policy.on_drift != OnDrift::default()) {
        let word = policy.on_drift.as_str();
        call.output
            .line(format_args!("stack `{}`: what does not run is left alone (on drift: {word})", status.stack_name))?;
    }
    if let Some(after) = status.policy.and_then(|policy| policy.reschedule_after) {
        let line = format!(
            "what runs on a host that is away is placed elsewhere after {after} s, as far as it is tied to nothing"
        );
        call.output.line(format_args!("stack `{}`: {line}", status.stack_name))?;
    }
    for away in &status.away {
        for line in away_lines(away) {
            call.output.line(format_args!("stack `{}`: {}", status.stack_name, render::printable(&line)))?;
        }
    }
    if let Some(error) = &status.error_message {
        call.output.line(format_args!("stack `{}`: {}", status.stack_name, render::printable(error)))?;
    }
    Ok(Exit::Ok)
}

/// What becomes of what a stack has on a host that is away, or has left there.
fn away_lines(away: &Away) -> Vec<String> {
    let mut lines = Vec::new();
    let host = &away.host_id;
    if let (Some(since), Some(at)) = (away.since, away.at) {
        let count = render::count(away.remaining.len(), "container");
        lines.push(format!(
            "host `{host}` is silent since {since}; of its {count} what may go is placed elsewhere at {at}"
        ));
    }
    for one in &away.remaining {
        lines.push(format!("  `{}` on `{host}` is {}: {}", one.container, one.state.as_str(), one.why));
    }
    if !away.left.is_empty() {
        let names = away.left.join("`, `");
        let when = if away.since.is_some() { "when the host is back" } else { "now that the host is back" };
        let error = away.error.as_ref().map(|error| format!("; the last try failed: {error}")).unwrap_or_default();
        lines.push(format!("`{names}` may still be on host `{host}`, and is removed {when}{error}"));
    }
    lines
}
