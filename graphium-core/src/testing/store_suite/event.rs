//! Events: one for every change, in order, without a gap and without a secret.

use super::{
    fixture::{after, at, done, removal, start, task, write},
    trial::{Trial, Verdict, equal, hold, lease, refused},
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
    trial.report(&held[0], done(), 3).await?;
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
    let lease = lease(&held[0])?;
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
    let pull = Action::Pull { image: format!("registry/{secret}"), policy: crate::stack::PullPolicy::default() };
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
