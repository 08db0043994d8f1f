//! Cancellation, and what is final.

use super::{
    fixture::{after, at, done, start},
    trial::{Trial, Verdict, equal, hold, ids, lease, refused},
};
use crate::task::{Input, Outcome, Refusal, TaskStatus};

pub(super) async fn a_pending_task_is_cancelled_at_once(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), after(start("b"), &["a"])]).await?;
    let acted = trial.cancel("a", 1).await?;
    equal("changed", &ids(&acted.tasks), &["a", "b"])?;
    let cancelled = TaskStatus::Cancelled;
    trial.stand(&[("a", cancelled), ("b", cancelled)]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    equal("granted", &ids(&trial.claim(&session, "c", 2).await?), &[] as &[&str])
}

pub(super) async fn a_running_task_is_asked_to_end(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), start("b")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c1", 1).await?;
    trial.cancel("a", 2).await?;
    trial.cancel("b", 2).await?;
    trial.stand(&[("a", TaskStatus::Assigned), ("b", TaskStatus::Assigned)]).await?;
    let lease = lease(&held[0])?;
    let acted = trial.act("a", Input::Renew { lease, expires_at: at(60), progress: None }, 3).await?;
    equal("the holder is told", &acted.tasks[0].cancel_requested, &Some("enough".to_owned()))?;
    trial.report(&held[0], Outcome::Cancelled, 4).await?;
    // Its agent is gone: nobody else is to begin what was cancelled.
    trial.session("vm1", "m", 0).await?;
    trial.stand(&[("a", TaskStatus::Cancelled), ("b", TaskStatus::Cancelled)]).await
}

pub(super) async fn an_end_is_final(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c1", 1).await?;
    trial.report(&held[0], done(), 2).await?;
    let before = trial.task("a").await?;
    let refusal = refused(trial.cancel("a", 3).await)?;
    equal("cancel", &refusal, &Refusal::Ended(TaskStatus::Completed))?;
    let lease = lease(&held[0])?;
    let inputs = [
        Input::Renew { lease: lease.clone(), expires_at: at(60), progress: None },
        Input::Report { lease, outcome: Outcome::Cancelled },
        Input::DependencyFailed { reason: "x".to_owned() },
        Input::Expire,
        Input::Supersede { epoch: 99 },
        Input::Retry,
    ];
    for input in inputs {
        refused(trial.act("a", input, 4).await)?;
    }
    trial.store.expire(at(100_000)).await?;
    trial.session("vm1", "m", 0).await?;
    hold(trial.task("a").await? == before, || "a task that has ended has changed".to_owned())
}
