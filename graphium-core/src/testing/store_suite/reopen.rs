//! What outlives the store.

use super::{
    fixture::{after, at, done, failed, failed_for_now, start, write},
    trial::{LEASE, Trial, Verdict, equal, hold, ids, lease, nth},
};
use crate::{
    store::{Expect, Key, Kind, StoreError, Submission},
    task::{Input, Outcome, Progress, Task, TaskStatus},
};
use serde_json::json;

pub(super) async fn what_was_acknowledged_outlives_the_store(trial: Trial<'_>) -> Verdict {
    let submission = Submission {
        records: vec![write(Kind::Stack, "s", Expect::Absent, json!({"name": "shop", "cpus": 0.1}))],
        tasks: vec![start("a"), start("b"), after(start("c"), &["a", "b"]), after(start("d"), &["b"])],
        idempotency_key: Some("key".to_owned()),
        ..Submission::default()
    };
    trial.store.submit(submission.clone(), at(0)).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c1", 1).await?;
    let progress = Some(Progress { phase: "pulling".to_owned(), bytes: Some(9), ..Progress::default() });
    trial.act("a", Input::Renew { lease: lease(nth(&held, 0)?)?, expires_at: at(31), progress }, 2).await?;
    trial.report(nth(&held, 1)?, failed(), 3).await?;
    let before = (trial.all_tasks().await?, trial.events().await?);
    let trial = trial.reopened(10).await?;
    equal("tasks", &trial.all_tasks().await?, &before.0)?;
    equal("events", &trial.events().await?, &before.1)?;
    let record = trial.store.record(&Key::new(Kind::Stack, "s")).await?;
    equal("record", &record.map(|record| record.version), &Some(1))?;
    equal("repeated", &trial.store.submit(submission, at(11)).await?.repeated, &true)?;
    equal("session", &trial.session("vm1", "n", 0).await?, &session)?;
    equal("the same claim", &ids(&trial.claim(&session, "c1", 12).await?), &["a"])?;
    trial.report(nth(&held, 0)?, done(), 13).await?;
    trial.act("b", Input::Retry, 14).await?;
    equal("goes on", &ids(&trial.claim(&session, "c2", 15).await?), &["b"])?;
    equal("next event", &trial.store.last_event().await?, &(before.1.len() as u64 + 5))
}

pub(super) async fn leases_get_their_time_anew(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), start("b")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c1", 1).await?;
    let trial = trial.reopened(1000).await?;
    equal("at once", &ids(&trial.store.expire(at(1000 + LEASE)).await?.tasks), &[] as &[&str])?;
    trial.report(nth(&held, 0)?, done(), 1031).await?;
    equal("after the grace", &ids(&trial.store.expire(at(1060)).await?.tasks), &["b"])
}

pub(super) async fn finished_work_can_be_tried_again(trial: Trial<'_>) -> Verdict {
    let single = Task { deployment_id: None, ..start("s") };
    trial.submit(vec![start("a"), after(start("b"), &["a"]), single]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    for task in trial.claim(&session, "c1", 1).await? {
        trial.report(&task, failed(), 2).await?;
    }
    let trial = trial.reopened(10).await?;
    trial.act("s", Input::Retry, 11).await?;
    trial.act("a", Input::Retry, 11).await?;
    trial.stand(&[("a", TaskStatus::Pending), ("b", TaskStatus::Pending)]).await?;
    equal("granted", &ids(&trial.claim(&session, "c2", 12).await?), &["a", "s"])
}

pub(super) async fn epochs_outlive_the_store(trial: Trial<'_>) -> Verdict {
    let first = trial.session("vm1", "a", 0).await?;
    let last = trial.session("vm1", "b", 40).await?;
    let trial = trial.reopened(10).await?;
    let result = trial.claim(&first, "c0", 11).await;
    hold(matches!(result, Err(StoreError::SessionLost { .. })), || format!("an older session: {result:?}"))?;
    equal("the newest session's claim", &ids(&trial.claim(&last, "c1", 11).await?), &[] as &[&str])?;
    let next = trial.session("vm1", "c", 0).await?;
    hold(next.epoch > last.epoch, || format!("{next:?} after {last:?}"))
}

pub(super) async fn waits_and_wishes_outlive_the_store(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), start("b"), after(start("c"), &["b"])]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c1", 1).await?;
    trial.report(nth(&held, 0)?, failed_for_now(), 2).await?;
    trial.cancel("b", 2).await?;
    let before = trial.all_tasks().await?;
    let trial = trial.reopened(2).await?;
    equal("tasks", &trial.all_tasks().await?, &before)?;
    equal("before its time", &ids(&trial.claim(&session, "c2", 2).await?), &[] as &[&str])?;
    let renewed = trial.store.renew(&[lease(nth(&held, 1)?)?], at(60)).await?;
    equal(
        "the holder is told",
        &renewed.first().and_then(|task| task.cancel_requested.clone()),
        &Some("enough".to_owned()),
    )?;
    trial.report(nth(&held, 1)?, Outcome::Cancelled, 3).await?;
    let cancelled = TaskStatus::Cancelled;
    trial.stand(&[("a", TaskStatus::Pending), ("b", cancelled), ("c", cancelled)]).await?;
    equal("at its time", &ids(&trial.claim(&session, "c3", 60).await?), &["a"])
}

pub(super) async fn the_order_of_claims_outlives_the_store(trial: Trial<'_>) -> Verdict {
    let task = |id, priority, seconds, slack| Task { priority, date_created: at(seconds), slack, ..start(id) };
    trial.submit(vec![task("d", 5, 3, 9), task("c", 5, 3, 0), task("b", 5, 1, 9), task("a", 7, 9, 9)]).await?;
    let trial = trial.reopened(10).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let mut order = Vec::new();
    for claim in ["1", "2", "3", "4"] {
        let held = trial.claim_up_to(1, &session, claim, 10).await?;
        order.extend(held.into_iter().map(|task| task.id.as_str().to_owned()));
    }
    equal("order", &order, &["a", "b", "c", "d"])
}
