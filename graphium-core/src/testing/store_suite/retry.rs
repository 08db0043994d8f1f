//! Retries: later, bounded, or by hand.

use super::{
    fixture::{after, at, delete, done, failed, failed_for_now, start, write},
    trial::{Trial, Verdict, equal, hold, ids, nth, refused},
};
use crate::{
    id::{HostId, TaskId},
    store::{Expect, Key, Kind, StoreError, Submission},
    task::{Input, Refusal, Task, TaskStatus},
};
use jiff::SignedDuration;
use serde_json::json;

pub(super) async fn a_retryable_failure_waits_its_time(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c1", 1).await?;
    trial.report(nth(&held, 0)?, failed_for_now(), 2).await?;
    let task = trial.task("a").await?;
    equal("status, retries", &(task.status, task.retry_count), &(TaskStatus::Pending, 1))?;
    let Some(due) = task.not_before else { return hold(false, || "it does not wait".to_owned()) };
    hold(due > at(2), || format!("it waits until {due}"))?;
    equal("too early", &ids(&trial.claim(&session, "c2", 2).await?), &[] as &[&str])?;
    let early = trial.store.expire(due - SignedDuration::from_nanos(1)).await?;
    equal("hosts too early", &early.ready, &[] as &[HostId])?;
    equal("hosts at its time", &trial.store.expire(due).await?.ready, &[HostId::from("vm1")])?;
    let again = trial.claim(&session, "c2", 62).await?;
    equal("attempt", &again.first().map(|task| task.attempt), &Some(2))
}

pub(super) async fn no_retry_waits_for_a_clock_that_went_back(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c1", 7200).await?;
    trial.report(nth(&held, 0)?, failed_for_now(), 7200).await?;
    let Some(due) = trial.task("a").await?.not_before else { return hold(false, || "it does not wait".to_owned()) };
    // Set back a little it waits a little longer, and set back by hours it does not wait for hours.
    // Asked by a claim: among the ready hosts a store that others work on names those to which they have brought work.
    equal("half a minute back", &ids(&trial.claim(&session, "early", 7170).await?), &[] as &[&str])?;
    let back = due - SignedDuration::from_secs(76);
    equal("hosts", &trial.store.expire(back).await?.ready, &[HostId::from("vm1")])?;
    let again = trial.claim(&session, "c2", 30).await?;
    equal("attempt, two hours back", &again.first().map(|task| task.attempt), &Some(2))
}

pub(super) async fn retries_are_bounded(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![Task { max_retries: 2, ..start("a") }]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    for attempt in 1..=3 {
        let now = attempt * 1000;
        let held = trial.claim(&session, &format!("c{attempt}"), now).await?;
        hold(held.len() == 1, || format!("attempt {attempt} is not granted"))?;
        trial.report(nth(&held, 0)?, failed_for_now(), now + 1).await?;
    }
    let task = trial.task("a").await?;
    equal("status, attempts", &(task.status, task.attempt), &(TaskStatus::Failed, 3))
}

pub(super) async fn an_operator_tries_again_what_failed(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), start("b")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c1", 1).await?;
    trial.report(nth(&held, 0)?, failed(), 2).await?;
    trial.report(nth(&held, 1)?, done(), 2).await?;
    let acted = trial.act("a", Input::Retry, 3).await?;
    equal("ready hosts", &acted.ready, &[HostId::from("vm1")])?;
    let again = trial.claim(&session, "c2", 4).await?;
    equal("granted", &ids(&again), &["a"])?;
    equal("attempt, retries", &(nth(&again, 0)?.attempt, nth(&again, 0)?.retry_count), &(2, 0))?;
    let refusal = refused(trial.act("b", Input::Retry, 5).await)?;
    equal("a success", &refusal, &Refusal::NotRetryable(TaskStatus::Completed))
}

pub(super) async fn a_submission_tries_again_or_is_refused_whole(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), after(start("b"), &["a"]), start("c")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    for task in trial.claim(&session, "c1", 1).await? {
        trial.report(&task, if task.id.as_str() == "a" { failed() } else { done() }, 2).await?;
    }
    let again = |task: &str, expect| Submission {
        records: vec![write(Kind::Server, "planning", expect, json!({}))],
        retry: Some(TaskId::from(task)),
        ..Submission::default()
    };
    let before = trial.store.last_event().await?;
    let refusal = refused(trial.store.submit(again("c", Expect::Absent), at(3)).await)?;
    equal("a success", &refusal, &Refusal::NotRetryable(TaskStatus::Completed))?;
    let absent = trial.store.submit(again("d", Expect::Absent), at(3)).await;
    hold(matches!(absent, Err(StoreError::NotFound { .. })), || format!("`d` is there: {absent:?}"))?;
    let conflict = trial.store.submit(again("a", Expect::Version(1)), at(3)).await;
    hold(matches!(conflict, Err(StoreError::Conflict { .. })), || format!("another version: {conflict:?}"))?;
    equal("the record", &trial.store.record(&Key::new(Kind::Server, "planning")).await?, &None)?;
    equal("told", &trial.store.last_event().await?, &before)?;
    let submitted = trial.store.submit(again("a", Expect::Absent), at(4)).await?;
    equal("ready hosts", &submitted.ready, &[HostId::from("vm1")])?;
    trial.stand(&[("a", TaskStatus::Pending), ("b", TaskStatus::Pending)]).await?;
    equal("told", &trial.store.events(before, 10).await?.len(), &2)?;
    equal("granted", &ids(&trial.claim(&session, "c2", 5).await?), &["a"])
}

pub(super) async fn what_was_dragged_along_is_revived_and_no_sooner(trial: Trial<'_>) -> Verdict {
    let tasks = vec![start("a"), after(start("b"), &["a"]), after(start("c"), &["b"]), after(delete("d"), &["a"])];
    trial.submit(tasks).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c1", 1).await?;
    trial.report(nth(&held, 0)?, failed(), 2).await?;
    let refusal = refused(trial.act("c", Input::Retry, 3).await)?;
    let blocked = Refusal::Blocked { task: "plan:b".to_owned(), status: TaskStatus::Cancelled };
    equal("what waits for a failure", &refusal, &blocked)?;
    trial.act("a", Input::Retry, 4).await?;
    let pending = TaskStatus::Pending;
    trial.stand(&[("a", pending), ("b", pending), ("c", pending), ("d", pending)]).await?;
    equal("granted", &ids(&trial.claim(&session, "c2", 5).await?), &["a"])
}

pub(super) async fn the_wait_before_a_retry_doubles_and_varies(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![Task { max_retries: 8, ..start("a") }, Task { max_retries: 8, ..start("b") }]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    for (attempt, base) in (1..).zip([1, 2, 4, 8, 16, 32, 60, 60]) {
        let now = attempt * 1000;
        let held = trial.claim(&session, &format!("c{attempt}"), now).await?;
        equal("granted", &ids(&held), &["a", "b"])?;
        let mut waits = Vec::new();
        for task in &held {
            trial.report(task, failed_for_now(), now).await?;
            let due = trial.task(task.id.as_str()).await?.not_before;
            let wait = due.map(|due| due.duration_since(at(now)).as_millis()).unwrap_or_default();
            let (least, most) = (base * 750, base * 1250);
            hold(least <= wait && wait <= most, || format!("attempt {attempt} is followed by {wait} ms"))?;
            waits.push(wait);
        }
        hold(waits[0] != waits[1], || format!("two that failed together wait for {waits:?}"))?;
    }
    Ok(())
}
