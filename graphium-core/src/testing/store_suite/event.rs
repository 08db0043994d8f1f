//! Events: one for every change, in order, without a gap and without a secret.

use super::{
    fixture::{after, at, done, failed, failed_for_now, of, removal, start, task, write},
    trial::{Stop, Trial, Verdict, equal, hold, ids, lease, nth, refused},
};
use crate::{
    action::Action,
    event::{EventType, NewEvent},
    id::TaskId,
    store::{Expect, Kind, Submission},
    task::{Input, Task},
};
use serde_json::json;
use std::sync::Arc;

pub(super) async fn every_change_is_an_event_and_none_is_left_out(trial: Trial<'_>) -> Verdict {
    let submission = Submission {
        records: vec![
            write(Kind::Stack, "stack:shop", Expect::Absent, json!({"name": "shop"})),
            write(Kind::Deployment, "deployment:1", Expect::Absent, json!({})),
        ],
        tasks: vec![start("a"), after(start("b"), &["a"])],
        events: vec![NewEvent { kind: EventType::StackDeploying, data: json!({"@id": "stack:shop"}) }],
        ..Submission::default()
    };
    trial.store.submit(submission, at(1)).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c", 2).await?;
    trial.report(nth(&held, 0)?, done(), 3).await?;
    trial.cancel("b", 4).await?;
    let records = vec![
        write(Kind::Stack, "stack:shop", Expect::Any, json!({"name": "shop"})),
        removal(Kind::Host, "unknown", Expect::Any),
    ];
    trial.store.submit(Submission { records, ..Submission::default() }, at(5)).await?;
    let records = vec![removal(Kind::Stack, "stack:shop", Expect::Any)];
    trial.store.submit(Submission { records, ..Submission::default() }, at(6)).await?;
    let events = trial.events().await?;
    let is: Vec<_> = events
        .iter()
        .map(|event| {
            (event.seq, event.kind, event.timestamp, event.data["@id"].as_str(), event.data["status"].as_str())
        })
        .collect();
    let (a, b, shop) = (Some("a"), Some("b"), Some("stack:shop"));
    let wanted = [
        (1, EventType::StackAdded, at(1), shop, None),
        (2, EventType::StackDeploying, at(1), shop, None),
        (3, EventType::TaskCreated, at(1), a, Some("pending")),
        (4, EventType::TaskCreated, at(1), b, Some("pending")),
        (5, EventType::TaskUpdated, at(2), a, Some("assigned")),
        (6, EventType::TaskUpdated, at(3), a, Some("completed")),
        (7, EventType::TaskUpdated, at(4), b, Some("cancelled")),
        (8, EventType::StackUpdated, at(5), shop, None),
        (9, EventType::StackRemoved, at(6), shop, None),
    ];
    equal("events", is.as_slice(), wanted.as_slice())?;
    equal("last", &trial.store.last_event().await?, &9)
}

pub(super) async fn events_are_resumed_after_any_number(trial: Trial<'_>) -> Verdict {
    trial.submit((0..10).map(|number| start(&format!("t{number}"))).collect()).await?;
    let numbers = |after, limit| {
        let store = &trial.store;
        async move {
            store.events(after, limit).await.map(|events| events.iter().map(|event| event.seq).collect::<Vec<_>>())
        }
    };
    equal("from the start", &numbers(0, 3).await?, &[1, 2, 3])?;
    equal("from the middle", &numbers(3, 4).await?, &[4, 5, 6, 7])?;
    equal("at the end", &numbers(8, 100).await?, &[9, 10])?;
    equal("after the end", &numbers(10, 100).await?, &[] as &[u64])
}

pub(super) async fn what_changes_nothing_tells_nothing(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c", 1).await?;
    let lease = lease(nth(&held, 0)?)?;
    let renewal = || Input::Renew { lease: lease.clone(), expires_at: at(60), progress: None };
    trial.act("a", renewal(), 2).await?;
    let before = trial.store.last_event().await?;
    trial.act("a", renewal(), 3).await?;
    trial.claim(&session, "c", 3).await?;
    trial.claim(&session, "d", 3).await?;
    trial.store.renew(std::slice::from_ref(&lease), at(60)).await?;
    trial.store.expire(at(4)).await?;
    trial.session("vm1", "n", 0).await?;
    refused(trial.act("a", Input::Retry, 4).await)?;
    equal("last event", &trial.store.last_event().await?, &before)
}

pub(super) async fn no_event_holds_a_secret(trial: Trial<'_>) -> Verdict {
    let secret = "hunter2";
    let pull = Action::Pull {
        image: format!("registry/{secret}"),
        platform: None,
        policy: crate::stack::PullPolicy::default(),
    };
    let task = Task { container_id: None, undo: Some(Arc::new(pull.clone())), ..task("a", pull) };
    let environment = json!({"@id": "s", "name": "shop", "environment": {"PASSWORD": secret}, "containers": [secret]});
    let submission = Submission {
        records: vec![
            write(Kind::Stack, "s", Expect::Absent, environment.clone()),
            write(Kind::Container, "c", Expect::Absent, json!({"@id": "c", "environment": {"PASSWORD": secret}})),
            write(Kind::Revision, "r", Expect::Absent, environment),
            write(Kind::Token, "t", Expect::Absent, json!({"hash": secret})),
        ],
        tasks: vec![task],
        ..Submission::default()
    };
    trial.store.submit(submission, at(0)).await?;
    let session = trial.session("vm1", "n", 0).await?;
    trial.claim(&session, "claim-of-vm1", 1).await?;
    let events = trial.events().await?;
    equal("number of events", &events.len(), &4)?;
    for event in &events {
        let text = event.data.to_string();
        hold(!text.contains(secret) && !text.contains("claim-of-vm1"), || {
            format!("{:?} holds a secret: {text}", event.kind)
        })?;
    }
    let task = trial.store.task(&TaskId::from("a")).await?;
    hold(task.is_some_and(|task| task.undo.is_some()), || "the task has lost its undo".to_owned())
}

pub(super) async fn records_tell_of_their_coming_their_change_and_their_end(trial: Trial<'_>) -> Verdict {
    for kind in Kind::ALL {
        let writes = [
            write(kind, "r", Expect::Absent, json!({"name": "one"})),
            write(kind, "r", Expect::Any, json!({"name": "two"})),
            removal(kind, "r", Expect::Any),
            removal(kind, "r", Expect::Any),
        ];
        // The audit is only added to; a store that is shared takes nothing else.
        let count = if kind == Kind::Audit { 1 } else { writes.len() };
        for write in writes.into_iter().take(count) {
            trial.store.submit(Submission { records: vec![write], ..Submission::default() }, at(1)).await?;
        }
    }
    let told: Vec<_> = trial.events().await?.into_iter().map(|event| event.kind).collect();
    let [stack, host, container] = [
        [EventType::StackAdded, EventType::StackUpdated, EventType::StackRemoved],
        [EventType::HostAdded, EventType::HostUpdated, EventType::HostRemoved],
        [EventType::ContainerAdded, EventType::ContainerUpdated, EventType::ContainerRemoved],
    ];
    equal("events", &told, &[stack, host, container].concat())
}

pub(super) async fn the_events_tell_where_every_task_stands(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), after(start("b"), &["a"]), start("c"), start("d"), start("e")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim_up_to(3, &session, "c1", 1).await?;
    equal("granted", &ids(&held), &["a", "c", "d"])?;
    trial.act("a", Input::Renew { lease: lease(nth(&held, 0)?)?, expires_at: at(90), progress: None }, 2).await?;
    trial.report(nth(&held, 0)?, failed(), 3).await?;
    trial.report(nth(&held, 1)?, failed_for_now(), 4).await?;
    trial.store.expire(at(1 + 30)).await?;
    trial.act("a", Input::Retry, 40).await?;
    let again = trial.claim_up_to(1, &session, "c2", 41).await?;
    trial.cancel(nth(&again, 0)?.id.as_str(), 42).await?;
    trial.session("vm1", "m", 0).await?;
    trial.cancel("e", 43).await?;
    let mut told = std::collections::BTreeMap::new();
    for (event, number) in trial.events().await?.into_iter().zip(1..) {
        equal("number", &event.seq, &number)?;
        let id = event.data["@id"].as_str().unwrap_or_default().to_owned();
        let first = told.insert(id, (event.data["status"].clone(), event.data["attempt"].clone())).is_none();
        let wanted = if first { EventType::TaskCreated } else { EventType::TaskUpdated };
        equal("kind", &event.kind, &wanted)?;
    }
    let tasks = trial.all_tasks().await?;
    equal("tasks told of", &told.len(), &tasks.len())?;
    for task in tasks {
        let last = told.get(task.id.as_str());
        let wanted = (json!(task.status), json!(task.attempt));
        hold(last == Some(&wanted), || format!("`{}` is {wanted:?}, and what was told last is {last:?}", task.id))?;
    }
    Ok(())
}

pub(super) async fn events_have_no_gap_also_when_many_write_at_once(trial: Trial<'_>) -> Verdict {
    let session = trial.session("vm1", "n", 0).await?;
    let id = |writer: usize, number: usize| format!("t{writer}.{number}");
    let write = async |writer: usize| {
        for number in 0..5 {
            let id = id(writer, number);
            trial.submit(vec![of(&id, start(&id)), of(&id, start(&format!("{id}+")))]).await?;
            let held = trial.claim_up_to(2, &session, &id, 1).await?;
            for task in &held {
                trial.report(task, done(), 2).await?;
            }
            read_so_far(&trial).await?;
        }
        Ok::<_, Stop>(())
    };
    for verdict in futures::future::join_all((0..8).map(write)).await {
        verdict?;
    }
    let events = read_so_far(&trial).await?;
    equal("last", &trial.store.last_event().await?, &(events as u64))?;
    // Each task is made, and some were handed out and ended: nothing is told twice.
    let ended = trial.all_tasks().await?.iter().filter(|task| task.status.is_terminal()).count();
    equal("events", &events, &(80 + 2 * ended))
}

/// Reads all events, which must have no gap; what they tell of must be there.
async fn read_so_far(trial: &Trial<'_>) -> Result<usize, Stop> {
    let events = trial.events().await?;
    let numbers = events.iter().map(|event| event.seq).eq(1..=events.len() as u64);
    hold(numbers, || format!("not without a gap: {:?}", events.iter().map(|event| event.seq).collect::<Vec<_>>()))?;
    if let Some(last) = events.last() {
        let task = trial.task(last.data["@id"].as_str().unwrap_or_default()).await?;
        let attempt = last.data["attempt"].as_u64().unwrap_or_default();
        hold(u64::from(task.attempt) >= attempt, || format!("`{}` is behind its own event", task.id))?;
    }
    Ok(events.len())
}

pub(super) async fn any_number_and_any_limit_may_be_asked_for(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), start("b")]).await?;
    for (after, limit, wanted) in [
        (0, 0, 0),
        (0, usize::MAX, 2),
        (1, usize::MAX, 1),
        (2, usize::MAX, 0),
        (3, 5, 0),
        (u64::from(u32::MAX), 5, 0),
        (u64::MAX / 2, 5, 0),
        (u64::MAX - 1, 5, 0),
        (u64::MAX, 5, 0),
    ] {
        let events = trial.store.events(after, limit).await?;
        equal(&format!("{limit} above {after}"), &events.len(), &wanted)?;
    }
    Ok(())
}
