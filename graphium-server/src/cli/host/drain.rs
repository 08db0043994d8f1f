//! `graphium host drain`.

use super::{
    super::{
        exit::{Exit, Failure},
        follow::WaitArgs,
        output::Output,
    },
    word,
};
use crate::{
    config::Format,
    render::{self, Table},
};
use graphium_core::control::{Drain, Remaining, RemainingState};
use graphium_server::client::Client;
use std::time::{Duration, Instant};

/// Between two looks of `--wait`.
const LOOK: Duration = Duration::from_secs(1);
/// For how long a server may be away that answered before.
const PATIENCE: Duration = Duration::from_secs(60);
/// So many containers are named in a failure.
const NAMED: usize = 20;

pub(super) async fn run(
    client: &Client,
    host: &str,
    wait: WaitArgs,
    format: Format,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let mut told = client.drain(host).await?;
    let deadline = wait.timeout.map(|limit| Instant::now() + limit);
    let mut said = String::new();
    let mut heard = Instant::now();
    while wait.wait && told.remaining.iter().any(goes) {
        let summary = summary(&told.remaining);
        if summary != said {
            output.say(format_args!("host `{host}`: {summary}"));
            said = summary;
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            let message = format!("host `{host}` is not left in time; the server goes on with it");
            return Err(because(Failure::new(Exit::TimedOut, message), &told.remaining)
                .hint(format!("see how it goes: graphium host status {host}")));
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = tokio::signal::ctrl_c() => {
                return Err(Failure::new(Exit::Interrupted, "interrupted; the server goes on with it")
                    .hint(format!("see how it goes: graphium host status {host}")));
            }
        }
        match client.remaining(host).await {
            Ok(next) => (told, heard) = (next, Instant::now()),
            Err(error) if error.may_pass() && heard.elapsed() < PATIENCE => {}
            Err(error) => return Err(error.into()),
        }
        if told.host.draining_since.is_none() {
            let message = format!("host `{host}` does not drain any more: {}", word(told.host.status));
            return Err(Failure::new(Exit::Failed, message));
        }
    }
    if wait.wait && !told.remaining.is_empty() {
        if format == Format::Json {
            output.json(&told)?;
        }
        let message = format!("host `{host}` is not empty: {}", summary(&told.remaining));
        return Err(because(Failure::new(Exit::Failed, message), &told.remaining));
    }
    tell(&told, format, output)?;
    Ok(Exit::Ok)
}

fn tell(told: &Drain, format: Format, output: &mut Output) -> Result<(), Failure> {
    if format == Format::Json {
        return output.json(told);
    }
    let host = &told.host;
    output.line(format_args!("host `{}`: {}, {}", host.id, word(host.status), summary(&told.remaining)))?;
    lines(&told.remaining, output)
}

/// Container by container why it is still there.
pub(super) fn lines(remaining: &[Remaining], output: &mut Output) -> Result<(), Failure> {
    if remaining.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&["STACK", "CONTAINER", "STATE", "WHY"]);
    for line in remaining {
        let why = render::printable(&line.why).to_string();
        table.row([line.stack.clone(), line.container.clone(), line.state.as_str().to_owned(), why]);
    }
    table.lines(output.data_style()).iter().try_for_each(|line| output.line(line))
}

fn goes(line: &Remaining) -> bool {
    line.state != RemainingState::Staying
}

/// How many are left, and how many of them stay.
pub(super) fn summary(remaining: &[Remaining]) -> String {
    let stays = remaining.iter().filter(|line| !goes(line)).count();
    match (remaining.len(), stays) {
        (0, _) => "nothing is left there".to_owned(),
        (all, 0) => format!("{} to go", render::count(all, "container")),
        (1, 1) => "1 container stays there".to_owned(),
        (all, stays) if all == stays => format!("{all} containers stay there"),
        (all, stays) => format!("{} to go, and {stays} that will stay", render::count(all - stays, "container")),
    }
}

fn because(mut failure: Failure, remaining: &[Remaining]) -> Failure {
    for line in remaining.iter().take(NAMED) {
        let Remaining { stack, container, why, .. } = line;
        failure = failure.because(format!("{stack}/{container}: {}", render::printable(why)));
    }
    let more = remaining.len().saturating_sub(NAMED);
    if more > 0 { failure.because(format!("and {more} more")) } else { failure }
}
