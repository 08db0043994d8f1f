//! Cancellation, and what is final.

use super::{
    fixture::{after, at, done, failed_for_now, start},
    trial::{LEASE, Trial, Verdict, equal, hold, ids, lease, nth, refused},
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
    let lease = lease(nth(&held, 0)?)?;
    let acted = trial.act("a", Input::Renew { lease, expires_at: at(60), progress: None }, 3).await?;
    equal("the holder is told", &nth(&acted.tasks, 0)?.cancel_requested, &Some("enough".to_owned()))?;
    trial.report(nth(&held, 0)?, Outcome::Cancelled, 4).await?;
    // Its agent is gone: nobody else is to begin what was cancelled.
    trial.session("vm1", "m", 0).await?;
    trial.stand(&[("a", TaskStatus::Cancelled), ("b", TaskStatus::Cancelled)]).await
}

pub(super) async fn an_end_is_final(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c1", 1).await?;
    trial.report(nth(&held, 0)?, done(), 2).await?;
    let before = trial.task("a").await?;
    let refusal = refused(trial.cancel("a", 3).await)?;
    equal("cancel", &refusal, &Refusal::Ended(TaskStatus::Completed))?;
    let lease = lease(nth(&held, 0)?)?;
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

pub(super) async fn what_was_asked_to_end_is_not_tried_again(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), start("b")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c1", 1).await?;
    trial.cancel("a", 2).await?;
    trial.cancel("b", 2).await?;
    trial.report(nth(&held, 0)?, failed_for_now(), 3).await?;
    trial.store.expire(at(1 + LEASE)).await?;
    trial.stand(&[("a", TaskStatus::Failed), ("b", TaskStatus::Cancelled)]).await?;
    equal("granted", &ids(&trial.claim(&session, "c2", 1000).await?), &[] as &[&str])
}

pub(super) async fn what_was_done_before_it_heard_is_done(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c1", 1).await?;
    trial.cancel("a", 2).await?;
    trial.report(nth(&held, 0)?, done(), 3).await?;
    trial.stand(&[("a", TaskStatus::Completed)]).await
}

pub(super) async fn what_waits_for_its_next_attempt_is_cancelled_at_once(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), after(start("b"), &["a"])]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c1", 1).await?;
    trial.report(nth(&held, 0)?, failed_for_now(), 2).await?;
    equal("changed", &ids(&trial.cancel("a", 3).await?.tasks), &["a", "b"])?;
    let cancelled = TaskStatus::Cancelled;
    trial.stand(&[("a", cancelled), ("b", cancelled)]).await?;
    equal("granted", &ids(&trial.claim(&session, "c2", 1000).await?), &[] as &[&str])
}

pub(super) async fn a_cancellation_and_a_report_agree_on_one_end(trial: Trial<'_>) -> Verdict {
    for number in 0..20 {
        let id = format!("t{number:02}");
        trial.submit(vec![start(&id)]).await?;
        let session = trial.session("vm1", "n", 0).await?;
        let held = trial.claim(&session, &id, 1).await?;
        let (cancel, report) = (trial.cancel(&id, 2), trial.report(nth(&held, 0)?, done(), 2));
        // Whoever asks first need not be the first.
        let (cancelled, reported) = if number % 2 == 0 {
            futures::join!(cancel, report)
        } else {
            let (reported, cancelled) = futures::join!(report, cancel);
            (cancelled, reported)
        };
        reported?;
        let task = trial.task(&id).await?;
        equal("status", &task.status, &TaskStatus::Completed)?;
        match cancelled {
            Ok(_) => hold(task.cancel_requested.is_some(), || "the wish was answered and is not there".to_owned())?,
            other => equal("cancel", &refused(other)?, &Refusal::Ended(TaskStatus::Completed))?,
        }
    }
    Ok(())
}
