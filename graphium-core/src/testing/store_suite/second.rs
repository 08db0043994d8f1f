//! Two handles on one store, as two servers have them.

use super::{
    fixture::{at, done, start, write},
    trial::{Trial, Verdict, equal, hold, ids, lease, lost, nth},
};
use crate::{
    store::{Expect, Key, Kind, StoreError, Submission},
    task::{Input, TaskStatus},
};
use serde_json::json;

pub(super) async fn what_one_handle_writes_the_other_reads(trial: Trial<'_>) -> Verdict {
    let other = trial.second().await?;
    let submission = Submission {
        records: vec![write(Kind::Stack, "s", Expect::Absent, json!({"name": "shop"}))],
        tasks: vec![start("a")],
        idempotency_key: Some("key".to_owned()),
        ..Submission::default()
    };
    trial.store.submit(submission.clone(), at(0)).await?;
    hold(other.store.record(&Key::new(Kind::Stack, "s")).await?.is_some(), || "the record is not there".to_owned())?;
    other.stand(&[("a", TaskStatus::Pending)]).await?;
    equal("the same request", &other.store.submit(submission, at(1)).await?.repeated, &true)?;
    let stale = vec![write(Kind::Stack, "s", Expect::Absent, json!({}))];
    let result = other.store.submit(Submission { records: stale, ..Submission::default() }, at(2)).await;
    hold(matches!(result, Err(StoreError::Conflict { .. })), || format!("should conflict, and is {result:?}"))?;
    other.cancel("a", 3).await?;
    trial.stand(&[("a", TaskStatus::Cancelled)]).await?;
    equal("events", &trial.events().await?, &other.events().await?)
}

pub(super) async fn a_lease_of_one_handle_holds_at_the_other(trial: Trial<'_>) -> Verdict {
    let other = trial.second().await?;
    trial.submit(vec![start("a"), start("b")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    equal("the session", &other.session("vm1", "n", 0).await?, &session)?;
    let held = trial.claim_up_to(1, &session, "c1", 1).await?;
    equal("the same claim", &ids(&other.claim_up_to(1, &session, "c1", 2).await?), &["a"])?;
    equal("another", &ids(&other.claim(&session, "c2", 2).await?), &["b"])?;
    equal("renewed", &ids(&other.store.renew(&[lease(nth(&held, 0)?)?], at(90)).await?), &["a"])?;
    other.report(nth(&held, 0)?, done(), 3).await?;
    lost(trial.act("a", Input::Report { lease: lease(nth(&held, 0)?)?, outcome: done() }, 4).await)?;
    trial.stand(&[("a", TaskStatus::Completed)]).await
}

pub(super) async fn a_session_at_one_handle_ends_those_at_the_other(trial: Trial<'_>) -> Verdict {
    let other = trial.second().await?;
    trial.submit(vec![start("a")]).await?;
    let old = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&old, "c1", 1).await?;
    let new = other.session("vm1", "m", 0).await?;
    hold(new.epoch > old.epoch, || format!("{new:?} after {old:?}"))?;
    lost(trial.act("a", Input::Report { lease: lease(nth(&held, 0)?)?, outcome: done() }, 2).await)?;
    let result = trial.claim(&old, "c2", 2).await;
    hold(matches!(result, Err(StoreError::SessionLost { .. })), || format!("an older session: {result:?}"))?;
    equal("attempt", &other.claim(&new, "c3", 3).await?.first().map(|task| task.attempt), &Some(2))
}

pub(super) async fn what_two_handles_claim_at_once_is_granted_once(trial: Trial<'_>) -> Verdict {
    let other = trial.second().await?;
    trial.submit((0..20).map(|number| start(&format!("t{number:02}"))).collect()).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let claims = (0..10).map(|number| format!("c{number}")).collect::<Vec<_>>();
    let asked = claims.iter().zip([&trial, &other].into_iter().cycle());
    let asked = asked.map(|(claim, trial)| trial.claim_up_to(3, &session, claim, 1));
    let mut granted = Vec::new();
    for held in futures::future::join_all(asked).await {
        granted.extend(held?.into_iter().map(|task| task.id));
    }
    granted.sort();
    equal("grants", &granted.len(), &20)?;
    hold(granted.is_sorted_by(|a, b| a < b), || format!("granted twice: {granted:?}"))
}

pub(super) async fn what_two_may_have_is_said_to_be_shared(trial: Trial<'_>) -> Verdict {
    let other = trial.second().await?;
    hold(trial.store.is_shared() && other.store.is_shared(), || "it says that nobody else may have it".to_owned())
}
