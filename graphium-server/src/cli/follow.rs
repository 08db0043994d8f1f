//! Waits for a deployment and shows how it goes.
//!
//! The state comes from the server's status alone, so it may be asked again at any time; the stream of events only says
//! when. A server that is away for a while, or starts again, does no harm.

use super::{
    exit::{Exit, Failure},
    output::Output,
    screen::Screen,
};
use crate::render::{self, Board, Clock, State, count};
use futures::{Stream, StreamExt};
use graphium_core::{
    control::{RollbackState, StackStatus, Started, StatusView, TaskView},
    event::{Event, EventType},
    task::TaskStatus,
};
use graphium_server::client::{Client, ClientError};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use tokio::time::{MissedTickBehavior, interval, sleep_until};

/// Between two questions at most: waiting times change without an event.
const ASK_AT_LEAST: Duration = Duration::from_secs(1);
/// Between two questions at least: a burst of events is one change.
const ASK_AT_MOST: Duration = Duration::from_millis(60);
/// Between two pictures of what moves.
const FRAME: Duration = Duration::from_millis(120);
/// How long a server may be away.
const PATIENCE: Duration = Duration::from_secs(60);
/// So many of those that are waited for are named when time is up.
const AWAITED: usize = 8;

/// How long to wait, and how.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct WaitArgs {
    /// Wait until it is done, showing how it goes
    #[arg(long)]
    pub(crate) wait: bool,
    /// Wait no longer than this (90s, 5m, 1h30m); the work itself goes on
    #[arg(long, value_name = "TIME", value_parser = super::duration::parse, requires = "wait")]
    pub(crate) timeout: Option<Duration>,
}

/// Follows work that was taken on until it has ended. What failed was told when this returns an error.
pub(crate) async fn follow(
    client: &Client,
    started: &Started,
    timeout: Option<Duration>,
    output: &Output,
) -> Result<StatusView, Failure> {
    let mut screen = Screen::new(output);
    let outcome = watch(client, started, timeout, output, &mut screen).await;
    match &outcome {
        Ok(_) => screen.keep(),
        Err(failure) if failure.exit == Exit::TimedOut => screen.keep(),
        Err(_) => screen.clear(),
    }
    let status = outcome?;
    if let Some(failure) = verdict(&status) {
        for line in render::failures(&status, output.style()) {
            output.say(line);
        }
        return Err(failure);
    }
    Ok(status)
}

async fn watch(
    client: &Client,
    started: &Started,
    timeout: Option<Duration>,
    output: &Output,
    screen: &mut Screen<'_>,
) -> Result<StatusView, Failure> {
    let mut events = Some(client.events_to_come());
    let mut frames = interval(FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    let mut status: Option<StatusView> = None;
    let mut asked = Instant::now();
    let mut due = asked;
    let mut away: Option<Instant> = None;
    let mut goes_back = false;
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    loop {
        tokio::select! {
            biased;
            _ = &mut interrupted => return Err(left(started, screen)),
            () = sleep_until(due.into()) => {
                match client.status(started.deployment_id.as_str()).await {
                    Ok(fresh) => {
                        if away.take().is_some() {
                            screen.say("the server answers again");
                        }
                        // What is shown from here on is no longer what was asked for.
                        if fresh.rollback_id.is_some() && !std::mem::replace(&mut goes_back, true) {
                            screen.say(&format!("stack `{}` failed, and goes back to what it was before", fresh.stack_name));
                        }
                        let at_once = status.is_none() && has_ended(&fresh);
                        // Where nothing had to be done there is nothing to be seen.
                        if !(at_once && started.task_count == 0) {
                            // Of one that goes back its way back is to be seen; without an answer, at the next question.
                            match way_back(client, &fresh).await {
                                Some(way) => screen.show(&way),
                                None => screen.show(&fresh),
                            }
                        }
                        if has_ended(&fresh) {
                            return Ok(fresh);
                        }
                        status = Some(fresh);
                    }
                    Err(error) => bear(error, &mut away, screen)?,
                }
                asked = Instant::now();
                due = asked + ASK_AT_LEAST;
            }
            () = until(deadline) => return Err(timed_out(started, status.as_ref(), screen)),
            event = next(&mut events) => match event {
                Some(Ok(event)) => {
                    let soon = if tells_an_end(&event, started) { asked } else { asked + ASK_AT_MOST };
                    due = due.min(soon.max(Instant::now()));
                }
                // Asking every second shows the same, only later.
                Some(Err(_)) | None => events = None,
            },
            _ = frames.tick(), if output.is_watched() => if let Some(status) = &status {
                screen.show(status);
            },
        }
    }
}

async fn next<S: Stream<Item = Result<Event, ClientError>> + Unpin>(
    events: &mut Option<S>,
) -> Option<Result<Event, ClientError>> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

/// Whether an event may be the last one of what is waited for: then nobody should wait any longer.
fn tells_an_end(event: &Event, started: &Started) -> bool {
    let is_end = matches!(
        event.kind,
        EventType::StackDeployed | EventType::StackDeleted | EventType::StackError | EventType::StackRolledBack
    );
    is_end && event.data["@id"] == started.stack_id.as_str()
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// A server that is away may come back: the deployment is its, not ours.
fn bear(error: ClientError, away: &mut Option<Instant>, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let first = away.is_none();
    let since = *away.get_or_insert_with(Instant::now);
    if !error.may_pass() || since.elapsed() > PATIENCE {
        return Err(error.into());
    }
    if first {
        screen.say("the server does not answer; trying again");
    }
    Ok(())
}

/// How the way back of a deployment is that goes back now.
async fn way_back(client: &Client, status: &StatusView) -> Option<StatusView> {
    let id = status.rollback_id.as_ref().filter(|_| status.rollback_state == Some(RollbackState::RollingBack))?;
    client.status(id.as_str()).await.ok()
}

/// Whether nothing is left to be done. The stack's record may lag behind its last task for a moment.
pub(crate) fn has_ended(status: &StatusView) -> bool {
    let all = status.tasks.iter().all(|view| view.task.status.is_terminal());
    let failed = status.tasks.iter().any(|view| view.task.status == TaskStatus::Failed);
    let goes_back = status.rollback_state.is_some_and(RollbackState::is_open);
    all && !goes_back && (failed || !status.overall_status.is_transitional())
}

/// What is wrong at the end, in one line; nothing where all is as it should be.
pub(crate) fn verdict(status: &StatusView) -> Option<Failure> {
    let name = &status.stack_name;
    let number = |wanted| status.tasks.iter().filter(|view| view.task.status == wanted).count();
    let (failed, cancelled) = (number(TaskStatus::Failed), number(TaskStatus::Cancelled));
    let bad =
        failed > 0 || cancelled > 0 || matches!(status.overall_status, StackStatus::Error | StackStatus::Degraded);
    if !bad {
        return None;
    }
    if failed == 0
        && let Some(by) = status.tasks.iter().find_map(overtaken_by)
    {
        let words = format!("what was asked of stack `{name}` was overtaken by `{by}`, which was asked for meanwhile");
        let hint = format!(
            "`graphium stack status {name}` shows what becomes of that, `graphium stack history {name}` who asked"
        );
        return Some(Failure::new(Exit::Failed, words).hint(hint));
    }
    let hosts: BTreeSet<&str> = status
        .tasks
        .iter()
        .filter(|view| view.task.status == TaskStatus::Failed)
        .map(|view| view.task.host_id.as_str())
        .collect();
    let what = match (failed, cancelled) {
        (0, 0) => status.error_message.clone().unwrap_or_else(|| "it does not run".to_owned()),
        (0, _) => format!("{} cancelled", count(cancelled, "task")),
        _ => {
            let hosts: Vec<&str> = hosts.into_iter().take(5).collect();
            format!("{} of {} failed, on {}", failed, count(status.total_tasks, "task"), hosts.join(", "))
        }
    };
    let verb = match status.overall_status {
        StackStatus::Deleting => "is not removed",
        StackStatus::Degraded => "is degraded",
        _ => "failed",
    };
    let message = status.rollback_message.as_deref().unwrap_or_default();
    let end = match status.rollback_state {
        None if status.overall_status == StackStatus::Error && status.takes_back.is_none() => {
            "; what is there stays as it is".to_owned()
        }
        None => String::new(),
        Some(RollbackState::RolledBack) => "; it is as it was before".to_owned(),
        Some(RollbackState::Overtaken) => "; something else was asked of it before it was back".to_owned(),
        Some(RollbackState::Impossible) => format!("; everything is left as it is: {message}"),
        Some(RollbackState::Failed | RollbackState::Due | RollbackState::RollingBack) => {
            format!("; the way back failed: {message}")
        }
    };
    Some(Failure::new(Exit::Failed, format!("stack `{name}` {verb}: {what}{end}")))
}

/// The deployment for which a task was given up.
fn overtaken_by(view: &TaskView) -> Option<&str> {
    let error = view.task.error.as_ref().filter(|_| view.task.status == TaskStatus::Cancelled)?;
    error.message.strip_prefix("superseded by `")?.strip_suffix('`')
}

fn left(started: &Started, screen: &mut Screen<'_>) -> Failure {
    screen.keep();
    Failure::new(Exit::Interrupted, "interrupted; the server goes on with it")
        .hint(format!("see how it goes: graphium stack status {}", started.stack_name))
}

fn timed_out(started: &Started, status: Option<&StatusView>, screen: &mut Screen<'_>) -> Failure {
    screen.keep();
    let name = &started.stack_name;
    let mut failure =
        Failure::new(Exit::TimedOut, format!("stack `{name}` is not done in time; the server goes on with it"));
    let Some(status) = status else { return failure.because("the server has not answered") };
    let board = Board::of(status, &Clock::system());
    let rows = board.hosts.iter().flat_map(|(host, rows)| rows.iter().map(move |row| (host, row)));
    let open: Vec<_> = rows.filter(|(_, row)| matches!(row.state, State::Active | State::Waiting)).collect();
    for (host, row) in open.iter().take(AWAITED) {
        failure = failure.because(format!("{host}  {}  {} {}", row.name, row.what, row.detail).trim_end());
    }
    if open.len() > AWAITED {
        failure = failure.because(format!("and {} more", open.len() - AWAITED));
    }
    failure.hint(format!("see how it goes: graphium stack status {name}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
    use super::*;
    use serde_json::json;

    /// The verdict on a deployment whose tasks were given up for these reasons.
    fn verdict_on(reasons: &[&str], failed: bool) -> String {
        let task = |(number, reason): (usize, &&str)| {
            let status = if failed && number == 0 { "failed" } else { "cancelled" };
            json!({
                "@id": format!("task:{number}"), "@type": "AgentTask", "taskType": "start", "status": status, "hostId": "vm1",
                "planId": format!("start:{number}"), "payload": {"action": "start", "name": "shop-web"}, "priority": 5,
                "attempt": 1, "dateCreated": "2026-11-20T12:00:00Z", "retryCount": 0, "maxRetries": 3,
                "timeoutSeconds": 300, "error": {"code": status, "message": reason},
            })
        };
        let tasks: Vec<_> = reasons.iter().enumerate().map(task).collect();
        let status = json!({
            "stackId": "stack:shop", "stackName": "shop", "deploymentId": "deployment:1", "totalTasks": tasks.len(),
            "overallStatus": "error", "progress": 100, "tasksByStatus": {}, "endpoints": [], "tasks": tasks,
        });
        verdict(&serde_json::from_value(status).unwrap()).unwrap().what
    }

    #[test]
    fn a_deployment_that_another_has_overtaken_has_not_failed() {
        let overtaken = verdict_on(&["superseded by `deployment:2`", "superseded by `deployment:2`"], false);
        let words = "what was asked of stack `shop` was overtaken by `deployment:2`, which was asked for meanwhile";
        assert_eq!(overtaken, words);
        assert!(verdict_on(&["cancelled by ann"], false).contains("failed: 1 task cancelled"));
        assert!(verdict_on(&["no", "superseded by `deployment:2`"], true).contains("1 of 2 tasks failed, on vm1"));
    }
}
