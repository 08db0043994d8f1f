//! Leases: the right to act on one attempt, until it ends.

use super::{
    fixture::{at, done, failed_for_now, start},
    trial::{LEASE, Stop, Trial, Verdict, equal, hold, ids, lease, lost, nth},
};
use crate::{
    id::HostId,
    task::{DEADLINE_MARGIN, Input, Lease, MAX_LOST, Progress, Task, TaskStatus},
};
use jiff::Timestamp;

fn renew(lease: &Lease, until: i64) -> Input {
    let progress = Some(Progress { phase: "starting".to_owned(), ..Progress::default() });
    Input::Renew { lease: lease.clone(), expires_at: at(until), progress }
}

pub(super) async fn a_stale_lease_renews_and_reports_nothing(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let first = trial.claim(&session, "c1", 1).await?;
    let stale = lease(nth(&first, 0)?)?;
    trial.store.expire(at(1 + LEASE)).await?;
    let held = trial.claim(&session, "c2", 40).await?;
    let report = |lease: &Lease| Input::Report { lease: lease.clone(), outcome: done() };
    let forged = Lease { claim: "c9".into(), ..lease(nth(&held, 0)?)? };
    for wrong in [&stale, &forged] {
        lost(trial.act("a", renew(wrong, 99), 41).await)?;
        lost(trial.act("a", report(wrong), 41).await)?;
    }
    equal("renewed", &ids(&trial.store.renew(&[stale, forged], at(99)).await?), &[] as &[&str])?;
    equal("task", &trial.task("a").await?.attempt, &2)?;
    trial.report(nth(&held, 0)?, done(), 42).await?;
    lost(trial.act("a", report(&lease(nth(&held, 0)?)?), 43).await)?;
    trial.stand(&[("a", TaskStatus::Completed)]).await
}

pub(super) async fn a_renewal_begins_the_attempt_and_tells_of_it(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c1", 1).await?;
    equal("when granted", &nth(&held, 0)?.status, &TaskStatus::Assigned)?;
    let acted = trial.act("a", renew(&lease(nth(&held, 0)?)?, 60), 2).await?;
    equal("acted on", &ids(&acted.tasks), &["a"])?;
    let task = trial.task("a").await?;
    equal("status", &task.status, &TaskStatus::Running)?;
    equal("started at", &task.started_at, &Some(at(2)))?;
    equal("phase", &task.progress.map(|progress| progress.phase), &Some("starting".to_owned()))?;
    let acted = trial.act("a", renew(&lease(nth(&held, 0)?)?, 90), 3).await?;
    equal("acted on, with nothing new", &ids(&acted.tasks), &["a"])?;
    equal("still started at", &nth(&acted.tasks, 0)?.started_at, &Some(at(2)))
}

pub(super) async fn renewing_many_returns_what_is_held_and_begins_nothing(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), start("b"), start("c")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c1", 1).await?;
    let leases = held.iter().map(lease).collect::<Result<Vec<_>, _>>()?;
    trial.report(nth(&held, 1)?, done(), 2).await?;
    trial.cancel("c", 3).await?;
    let renewed = trial.store.renew(&leases, at(60)).await?;
    equal("held", &ids(&renewed), &["a", "c"])?;
    let asked: Vec<bool> = renewed.iter().map(|task| task.cancel_requested.is_some()).collect();
    equal("asked to end", &asked, &[false, true])?;
    trial.stand(&[("a", TaskStatus::Assigned), ("c", TaskStatus::Assigned)]).await
}

pub(super) async fn a_lease_that_ran_out_gives_its_task_back(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    trial.claim(&session, "c1", 1).await?;
    equal("before its time", &ids(&trial.store.expire(at(LEASE)).await?.tasks), &[] as &[&str])?;
    let acted = trial.store.expire(at(1 + LEASE)).await?;
    equal("at its time", &ids(&acted.tasks), &["a"])?;
    equal("ready hosts", &acted.ready, &[HostId::from("vm1")])?;
    let task = trial.task("a").await?;
    equal("status, retries", &(task.status, task.retry_count), &(TaskStatus::Pending, 0))?;
    equal("again", &trial.claim(&session, "c2", 40).await?.first().map(|task| task.attempt), &Some(2))
}

pub(super) async fn a_renewed_lease_runs_out_later(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), start("b")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c1", 1).await?;
    trial.store.renew(&[lease(nth(&held, 0)?)?], at(60)).await?;
    trial.store.renew(&[lease(nth(&held, 0)?)?], at(50)).await?;
    trial.act("b", renew(&lease(nth(&held, 1)?)?, 70), 2).await?;
    equal("at 59 s", &ids(&trial.store.expire(at(59)).await?.tasks), &[] as &[&str])?;
    equal("at 60 s", &ids(&trial.store.expire(at(60)).await?.tasks), &["a"])?;
    equal("at 70 s", &ids(&trial.store.expire(at(70)).await?.tasks), &["b"])
}

pub(super) async fn an_attempt_past_its_deadline_ends(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![Task { timeout_seconds: 60, max_retries: 0, ..start("a") }]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c1", 1).await?;
    trial.act("a", renew(&lease(nth(&held, 0)?)?, 1000), 5).await?;
    let last = 5 + 60 + DEADLINE_MARGIN.as_secs();
    equal("in time", &ids(&trial.store.expire(at(last - 1)).await?.tasks), &[] as &[&str])?;
    trial.store.expire(at(last)).await?;
    let task = trial.task("a").await?;
    equal("status", &task.status, &TaskStatus::Failed)?;
    equal("code", &task.error.map(|error| error.code), &Some("timed-out".to_owned()))
}

pub(super) async fn a_task_that_loses_every_agent_ends_at_last(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a")]).await?;
    for number in 1..=MAX_LOST {
        trial.stand(&[("a", TaskStatus::Pending)]).await?;
        let session = trial.session("vm1", &format!("n{number}"), 0).await?;
        let held = trial.claim(&session, &format!("c{number}"), 1).await?;
        hold(held.len() == 1, || format!("not granted after {number} losses"))?;
        trial.store.expire(at(1 + LEASE)).await?;
    }
    trial.stand(&[("a", TaskStatus::Failed)]).await
}

pub(super) async fn a_deadline_and_a_report_have_one_outcome(trial: Trial<'_>) -> Verdict {
    let last = 5 + 60 + DEADLINE_MARGIN.as_secs();
    for number in 0..30 {
        let id = format!("t{number:02}");
        trial.submit(vec![Task { timeout_seconds: 60, max_retries: 0, ..start(&id) }]).await?;
        let session = trial.session("vm1", "n", 0).await?;
        let held = trial.claim(&session, &id, 1).await?;
        trial.act(&id, renew(&lease(nth(&held, 0)?)?, 1000), 5).await?;
        let report = Input::Report { lease: lease(nth(&held, 0)?)?, outcome: done() };
        let (report, expire) = (trial.act(&id, report, last), trial.store.expire(at(last)));
        let (reported, expired) = match number % 3 {
            0 => (report.await, expire.await?),
            1 => {
                let expired = expire.await?;
                (report.await, expired)
            }
            // Whoever asks first need not be the first.
            _ => {
                let (expired, reported) = futures::join!(expire, report);
                (reported, expired?)
            }
        };
        let (in_time, status) = (reported.is_ok(), trial.task(&id).await?.status);
        hold(number % 3 == 2 || in_time == (number % 3 == 0), || format!("the report is {reported:?}"))?;
        if in_time {
            equal("reported in time", &(status, expired.tasks.len()), &(TaskStatus::Completed, 0))?;
        } else {
            lost(reported)?;
            equal("reported too late", &(status, expired.tasks.len()), &(TaskStatus::Failed, 1))?;
        }
    }
    Ok(())
}

pub(super) async fn an_attempt_past_its_deadline_is_tried_again_while_retries_are_left(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![Task { timeout_seconds: 60, max_retries: 1, ..start("a") }]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    for (attempt, begin) in [(1, 0), (2, 1000)] {
        let held = trial.claim(&session, &format!("c{attempt}"), begin).await?;
        equal("attempt", &held.iter().map(|task| task.attempt).collect::<Vec<_>>(), &[attempt])?;
        // It never begins, and its agent goes on renewing: the time counts from when it was handed out.
        trial.store.renew(&[lease(nth(&held, 0)?)?], at(begin + 500)).await?;
        let end = begin + 60 + DEADLINE_MARGIN.as_secs();
        equal("in time", &ids(&trial.store.expire(at(end - 1)).await?.tasks), &[] as &[&str])?;
        equal("too late", &ids(&trial.store.expire(at(end)).await?.tasks), &["a"])?;
        equal("again", &ids(&trial.store.expire(at(end)).await?.tasks), &[] as &[&str])?;
        lost(trial.act("a", renew(&lease(nth(&held, 0)?)?, begin + 600), end + 1).await)?;
    }
    trial.stand(&[("a", TaskStatus::Failed)]).await
}

pub(super) async fn a_wakeup_that_is_named_is_when_something_runs_out(trial: Trial<'_>) -> Verdict {
    // `None` is always allowed, for it is a hint; that of a store that names none at all is said.
    let is = async |wanted: Option<Timestamp>| match trial.store.next_wakeup().await? {
        None if wanted.is_some() => Err(Stop::Lacking("next_wakeup")),
        named => equal("next wake-up", &named, &wanted),
    };
    is(None).await?;
    trial.submit(vec![start("a"), start("b")]).await?;
    is(None).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim_up_to(1, &session, "c1", 1).await?;
    is(Some(at(1 + LEASE))).await?;
    trial.store.renew(&[lease(nth(&held, 0)?)?], at(90)).await?;
    is(Some(at(90))).await?;
    trial.claim_up_to(1, &session, "c2", 2).await?;
    is(Some(at(2 + LEASE))).await?;
    trial.store.expire(at(2 + LEASE)).await?;
    trial.report(nth(&held, 0)?, failed_for_now(), 40).await?;
    is(trial.task("a").await?.not_before).await
}
