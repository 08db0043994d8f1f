//! Claims: what may begin, in order, to one asker.

use super::{
    fixture::{after, at, delete, done, failed, on, start, write},
    trial::{LEASE, Trial, Verdict, equal, hold, ids, lease, lost, nth},
};
use crate::{
    id::{ClaimId, TaskId},
    store::{ClaimRequest, Expect, Key, Kind, StoreError, Submission},
    task::{Input, Lease, Task, TaskStatus},
};
use serde_json::json;

pub(super) async fn a_task_waits_until_those_before_it_are_completed(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), start("b"), after(start("c"), &["a", "b"])]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c1", 1).await?;
    equal("first", &ids(&held), &["a", "b"])?;
    trial.report(nth(&held, 0)?, done(), 2).await?;
    equal("one to go", &ids(&trial.claim(&session, "c2", 2).await?), &[] as &[&str])?;
    trial.report(nth(&held, 1)?, done(), 3).await?;
    let last = trial.claim(&session, "c3", 4).await?;
    equal("last", &ids(&last), &["c"])?;
    equal("attempt", &nth(&last, 0)?.attempt, &1)?;
    equal("assigned at", &nth(&last, 0)?.assigned_at, &Some(at(4)))
}

pub(super) async fn a_failure_cancels_what_waits_for_it_and_so_on(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), after(start("b"), &["a"]), after(start("c"), &["b"]), start("d")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim_up_to(1, &session, "c1", 1).await?;
    let acted = trial.report(nth(&held, 0)?, failed(), 2).await?;
    equal("changed", &ids(&acted.tasks), &["a", "b", "c"])?;
    let cancelled = TaskStatus::Cancelled;
    trial.stand(&[("a", TaskStatus::Failed), ("b", cancelled), ("c", cancelled), ("d", TaskStatus::Pending)]).await?;
    let error = trial.task("c").await?.error;
    equal("code", &error.map(|error| error.code), &Some("dependency-failed".to_owned()))
}

pub(super) async fn a_removal_waits_for_an_end_however_it_comes(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), after(delete("b"), &["a"]), after(delete("c"), &["b"])]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    for (id, outcome) in [("a", failed()), ("b", failed()), ("c", done())] {
        let held = trial.claim(&session, id, 1).await?;
        equal("next", &ids(&held), &[id])?;
        trial.report(nth(&held, 0)?, outcome, 2).await?;
    }
    let failed = TaskStatus::Failed;
    trial.stand(&[("a", failed), ("b", failed), ("c", TaskStatus::Completed)]).await
}

pub(super) async fn tasks_come_by_priority_then_age_then_id(trial: Trial<'_>) -> Verdict {
    let task = |id, priority, seconds| Task { priority, date_created: at(seconds), ..start(id) };
    trial.submit(vec![task("e", 1, 0), task("d", 5, 9), task("b", 5, 3), task("c", 5, 3), task("a", 7, 9)]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let mut order = Vec::new();
    for claim in ["1", "2", "3"] {
        let held = trial.claim_up_to(2, &session, claim, 10).await?;
        order.extend(held.into_iter().map(|task| task.id.as_str().to_owned()));
    }
    equal("order", &order, &["a", "b", "c", "d", "e"])
}

pub(super) async fn of_one_age_those_with_the_least_slack_come_first(trial: Trial<'_>) -> Verdict {
    let task = |id, slack, seconds| Task { slack, date_created: at(seconds), ..start(id) };
    trial.submit(vec![task("a", 20, 3), task("c", 3, 3), task("b", 3, 3), task("d", 0, 3), task("e", 30, 0)]).await?;
    equal("slack", &trial.task("a").await?.slack, &20)?;
    let session = trial.session("vm1", "n", 0).await?;
    let mut order = Vec::new();
    for claim in ["1", "2", "3", "4", "5"] {
        let held = trial.claim_up_to(1, &session, claim, 10).await?;
        order.extend(held.into_iter().map(|task| task.id.as_str().to_owned()));
    }
    equal("order", &order, &["e", "d", "b", "c", "a"])
}

pub(super) async fn the_same_claim_is_granted_the_same(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), start("b"), start("c")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let first = trial.claim_up_to(2, &session, "c1", 1).await?;
    let again = trial.claim_up_to(2, &session, "c1", 2).await?;
    equal("again", &ids(&again), &["a", "b"])?;
    equal("attempts", &again.iter().map(|task| task.attempt).collect::<Vec<_>>(), &[1, 1])?;
    trial.report(nth(&first, 0)?, done(), 3).await?;
    equal("what is left of it", &ids(&trial.claim_up_to(2, &session, "c1", 4).await?), &["b"])?;
    trial.report(nth(&first, 1)?, done(), 5).await?;
    equal("when all has ended", &ids(&trial.claim_up_to(2, &session, "c1", 6).await?), &[] as &[&str])?;
    equal("another claim", &ids(&trial.claim_up_to(2, &session, "c2", 7).await?), &["c"])
}

pub(super) async fn a_claim_takes_what_is_of_its_host_and_no_more_than_it_asks(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), on("vm2", start("b")), start("c"), start("d")]).await?;
    let one = trial.session("vm1", "n", 0).await?;
    let two = trial.session("vm2", "n", 0).await?;
    equal("none", &ids(&trial.claim_up_to(0, &one, "c0", 1).await?), &[] as &[&str])?;
    equal("two of three", &ids(&trial.claim_up_to(2, &one, "c1", 1).await?), &["a", "c"])?;
    equal("the other host's", &ids(&trial.claim(&two, "c2", 1).await?), &["b"])
}

pub(super) async fn a_claim_whose_expectation_fails_is_granted_nothing(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), start("b")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let key = Key::new(Kind::Host, "vm1");
    let claim = |claim: &str, expect| ClaimRequest {
        host: session.host.clone(),
        epoch: session.epoch,
        claim: claim.into(),
        max: 1,
        expires_at: at(30),
        expect: Some((key.clone(), expect)),
    };
    let refused = Err(StoreError::Conflict { kind: "host", id: "vm1".to_owned() });
    equal("before it is there", &trial.store.claim(claim("c1", Expect::Version(1)), at(1)).await, &refused)?;
    let granted = trial.store.claim(claim("c1", Expect::Absent), at(1)).await?;
    equal("where it is not there", &ids(&granted), &["a"])?;
    let records = vec![write(Kind::Host, "vm1", Expect::Absent, json!({}))];
    trial.store.submit(Submission { records, ..Submission::default() }, at(2)).await?;
    let version = trial.store.record(&key).await?.map_or(0, |record| record.version);
    equal("no longer", &trial.store.claim(claim("c2", Expect::Absent), at(3)).await, &refused)?;
    equal("another", &trial.store.claim(claim("c2", Expect::Version(version + 1)), at(3)).await, &refused)?;
    trial.stand(&[("b", TaskStatus::Pending)]).await?;
    let granted = trial.store.claim(claim("c2", Expect::Version(version)), at(3)).await?;
    equal("as it is", &ids(&granted), &["b"])
}

pub(super) async fn nothing_is_granted_twice(trial: Trial<'_>) -> Verdict {
    trial.submit((0..20).map(|number| start(&format!("t{number:02}"))).collect()).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let claims = (0..10).map(|number| format!("c{number}")).collect::<Vec<_>>();
    let asked = claims.iter().map(|claim| trial.claim_up_to(3, &session, claim, 1));
    let mut granted = Vec::new();
    for held in futures::future::join_all(asked).await {
        granted.extend(held?.into_iter().map(|task| task.id));
    }
    hold(granted.len() == 20, || format!("granted {} times", granted.len()))?;
    granted.sort();
    granted.dedup();
    equal("tasks", &granted.len(), &20)
}

pub(super) async fn a_grant_belongs_to_the_claim_that_asked(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), start("b")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let first = trial.claim_up_to(1, &session, "c1", 1).await?;
    let second = trial.claim_up_to(1, &session, "c2", 2).await?;
    for (held, id, claim, now) in [(&first, "a", "c1", 1), (&second, "b", "c2", 2)] {
        equal("granted", &ids(held), &[id])?;
        let (task, claim, epoch) = (TaskId::from(id), ClaimId::from(claim), session.epoch);
        let wanted = Lease { task, attempt: 1, epoch, claim, expires_at: at(now + LEASE) };
        equal("lease", &lease(nth(held, 0)?)?, &wanted)?;
        equal("as it is stored when it is granted", &trial.task(id).await?, nth(held, 0)?)?;
    }
    // In the name of the other's claim nothing is to be had.
    let crossed = Lease { claim: ClaimId::from("c2"), ..lease(nth(&first, 0)?)? };
    equal("renewed", &ids(&trial.store.renew(std::slice::from_ref(&crossed), at(99)).await?), &[] as &[&str])?;
    lost(trial.act("a", Input::Report { lease: crossed, outcome: done() }, 3).await)
}

pub(super) async fn a_claim_that_got_nothing_may_get_something_later(trial: Trial<'_>) -> Verdict {
    let session = trial.session("vm1", "n", 0).await?;
    equal("nothing is there", &ids(&trial.claim(&session, "c1", 1).await?), &[] as &[&str])?;
    trial.submit(vec![start("a")]).await?;
    equal("something is", &ids(&trial.claim(&session, "c1", 2).await?), &["a"])
}

pub(super) async fn a_claim_that_is_repeated_is_held_for_longer(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    trial.claim(&session, "c1", 1).await?;
    let again = trial.claim(&session, "c1", 21).await?;
    equal("held until", &lease(nth(&again, 0)?)?.expires_at, &at(21 + LEASE))?;
    equal("when its first time is up", &ids(&trial.store.expire(at(1 + LEASE)).await?.tasks), &[] as &[&str])?;
    equal("when its second is", &ids(&trial.store.expire(at(21 + LEASE)).await?.tasks), &["a"])?;
    equal("what is lost is not granted again", &ids(&trial.claim(&session, "c1", 60).await?), &[] as &[&str])
}

pub(super) async fn a_claim_is_no_act(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let input = Input::Claim { epoch: session.epoch, claim: ClaimId::from("c1"), expires_at: at(30) };
    let result = trial.act("a", input, 1).await;
    hold(matches!(result, Err(StoreError::Invalid { .. })), || format!("should be invalid, and is {result:?}"))?;
    trial.stand(&[("a", TaskStatus::Pending)]).await
}
