//! Retention: what is old or too much goes, and never what is live.

use super::{
    fixture::{after, at, done, failed, start, write},
    trial::{Stop, Trial, Verdict, equal, hold, ids, nth},
};
use crate::{
    event::{Event, EventType, NewEvent},
    id::DeploymentId,
    store::{Cut, Expect, Key, Kind, Pruned, StoreError, Submission},
    task::{Input, Task},
};
use serde_json::json;

/// Lets go of everything that there is to let go of.
async fn prune(trial: &Trial<'_>, cut: &Cut) -> Result<Pruned, Stop> {
    let mut all = Pruned::default();
    // Bounded: a store that says for ever that there is more is broken.
    for _ in 0..1000 {
        let Some(pruned) = trial.store.prune(cut).await? else { return Err(Stop::Lacking("prune")) };
        all.tasks += pruned.tasks;
        all.events += pruned.events;
        if !pruned.more {
            return Ok(all);
        }
    }
    Err(Stop::Broken("there is always more to prune".to_owned()))
}

fn of(deployment: &str, task: Task) -> Task {
    Task { deployment_id: Some(DeploymentId::from(deployment)), ..task }
}

/// Submits a deployment of two tasks with its record, and lets both end, the last at `end`.
async fn deployment(trial: &Trial<'_>, id: &str, end: i64) -> Verdict {
    let [first, second] = ["1", "2"].map(|part| format!("{id}.{part}"));
    let submission = Submission {
        records: vec![write(Kind::Deployment, id, Expect::Absent, json!({}))],
        tasks: vec![of(id, start(&first)), of(id, after(start(&second), &[&first]))],
        ..Submission::default()
    };
    trial.store.submit(submission, at(0)).await?;
    let session = trial.session("vm1", "n", 0).await?;
    for time in [end - 1, end] {
        for task in trial.claim(&session, &format!("{id}.{time}"), time).await? {
            trial.report(&task, done(), time).await?;
        }
    }
    Ok(())
}

async fn is_there(trial: &Trial<'_>, id: &str) -> Result<bool, Stop> {
    Ok(trial.store.record(&Key::new(Kind::Deployment, id)).await?.is_some())
}

pub(super) async fn what_ended_long_ago_goes_and_what_is_live_stays(trial: Trial<'_>) -> Verdict {
    for (id, end) in [("a", 10), ("b", 20), ("c", 30)] {
        deployment(&trial, id, end).await?;
    }
    trial.submit(vec![Task { deployment_id: None, ..start("single") }]).await?;
    let cut = Cut { ended_before: at(25), live: [DeploymentId::from("a")].into(), ..Cut::nothing() };
    let before = trial.store.last_event().await?;
    equal("pruned", &prune(&trial, &cut).await?.tasks, &2)?;
    equal("tasks", &ids(&trial.all_tasks().await?), &["a.1", "a.2", "c.1", "c.2", "single"])?;
    for (id, stays) in [("a", true), ("b", false), ("c", true)] {
        equal(&format!("record of `{id}`"), &is_there(&trial, id).await?, &stays)?;
    }
    equal("it tells nothing", &trial.store.last_event().await?, &before)?;
    equal("again", &prune(&trial, &cut).await?.tasks, &0)?;
    trial.cancel("single", 26).await?;
    let cut = Cut { ended_before: at(27), ..Cut::nothing() };
    equal("no longer live", &prune(&trial, &cut).await?.tasks, &3)?;
    equal("left", &ids(&trial.all_tasks().await?), &["c.1", "c.2"])
}

pub(super) async fn what_has_not_ended_keeps_its_whole_deployment(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), after(start("b"), &["a"])]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c1", 1).await?;
    trial.report(nth(&held, 0)?, done(), 2).await?;
    let everything = Cut { ended_before: at(1000), max_tasks: 0, ..Cut::nothing() };
    equal("while `b` waits", &prune(&trial, &everything).await?.tasks, &0)?;
    let held = trial.claim(&session, "c2", 3).await?;
    equal("while `b` is held", &prune(&trial, &everything).await?.tasks, &0)?;
    trial.report(nth(&held, 0)?, failed(), 4).await?;
    trial.act("b", Input::Retry, 5).await?;
    equal("while `b` is tried again", &prune(&trial, &everything).await?.tasks, &0)?;
    trial.cancel("b", 6).await?;
    equal("in the end", &prune(&trial, &everything).await?.tasks, &2)?;
    equal("left", &ids(&trial.all_tasks().await?), &[] as &[&str])
}

pub(super) async fn of_too_many_tasks_the_oldest_go(trial: Trial<'_>) -> Verdict {
    for (id, end) in [("a", 10), ("b", 20), ("c", 30), ("d", 40)] {
        deployment(&trial, id, end).await?;
    }
    let cut = Cut { max_tasks: 4, live: [DeploymentId::from("a")].into(), ..Cut::nothing() };
    equal("pruned", &prune(&trial, &cut).await?.tasks, &4)?;
    equal("left", &ids(&trial.all_tasks().await?), &["a.1", "a.2", "d.1", "d.2"])?;
    equal("enough", &prune(&trial, &cut).await?.tasks, &0)
}

pub(super) async fn pruned_events_are_answered_for_and_numbers_go_on(trial: Trial<'_>) -> Verdict {
    let tell = |seconds| {
        let events = vec![NewEvent { kind: EventType::HostUpdated, data: json!({"at": seconds}) }];
        trial.store.submit(Submission { events, ..Submission::default() }, at(seconds))
    };
    for seconds in 1..=20 {
        tell(seconds).await?;
    }
    equal("by age", &prune(&trial, &Cut { events_before: at(6), ..Cut::nothing() }).await?.events, &5)?;
    equal("resumed before", &trial.store.events(0, 5).await, &Err(StoreError::Pruned { up_to: 5 }))?;
    equal("resumed just before", &trial.store.events(4, 5).await, &Err(StoreError::Pruned { up_to: 5 }))?;
    equal("the first that is left", &numbers(&trial.store.events(5, 1).await?), &[6])?;
    equal("by number", &prune(&trial, &Cut { max_events: 10, ..Cut::nothing() }).await?.events, &5)?;
    equal("left", &trial.store.events(10, 100).await?.len(), &10)?;
    let everything = Cut { events_before: at(1000), max_events: 0, ..Cut::nothing() };
    prune(&trial, &everything).await?;
    equal("last", &trial.store.last_event().await?, &20)?;
    equal("at the end", &trial.store.events(20, 100).await?, &[])?;
    hold(matches!(trial.store.events(3, 100).await, Err(StoreError::Pruned { .. })), || "still there".to_owned())?;
    tell(21).await?;
    equal("the next number", &trial.store.last_event().await?, &21)?;
    equal("goes on", &numbers(&trial.store.events(20, 1).await?), &[21])
}

pub(super) async fn a_key_is_forgotten_with_its_time(trial: Trial<'_>) -> Verdict {
    let keyed = || Submission { idempotency_key: Some("key".to_owned()), ..Submission::default() };
    trial.store.submit(keyed(), at(10)).await?;
    prune(&trial, &Cut { ended_before: at(10), ..Cut::nothing() }).await?;
    equal("young", &trial.store.submit(keyed(), at(20)).await?.repeated, &true)?;
    prune(&trial, &Cut { ended_before: at(11), ..Cut::nothing() }).await?;
    equal("old", &trial.store.submit(keyed(), at(20)).await?.repeated, &false)?;
    equal("anew", &trial.store.submit(keyed(), at(21)).await?.repeated, &true)
}

pub(super) async fn what_was_pruned_stays_away(trial: Trial<'_>) -> Verdict {
    for (id, end) in [("a", 10), ("b", 20)] {
        deployment(&trial, id, end).await?;
    }
    let last = trial.store.last_event().await?;
    let cut = Cut { ended_before: at(15), events_before: at(15), ..Cut::nothing() };
    let pruned = prune(&trial, &cut).await?;
    hold(pruned.events > 0, || "no event went".to_owned())?;
    let trial = trial.reopened(100).await?;
    equal("tasks", &ids(&trial.all_tasks().await?), &["b.1", "b.2"])?;
    equal("record", &is_there(&trial, "a").await?, &false)?;
    equal("events", &trial.store.events(0, 1).await, &Err(StoreError::Pruned { up_to: pruned.events }))?;
    equal("last event", &trial.store.last_event().await?, &last)?;
    let absent = trial.act("a.1", Input::Retry, 101).await;
    hold(matches!(absent, Err(StoreError::NotFound { .. })), || format!("`a.1` is there: {absent:?}"))
}

fn numbers(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}
