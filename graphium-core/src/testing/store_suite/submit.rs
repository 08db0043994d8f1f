//! Submissions: all of it or nothing, and once.

use super::{
    fixture::{after, at, done, on, start, write},
    trial::{Trial, Verdict, equal, hold, ids},
};
use crate::{
    event::{EventType, NewEvent},
    id::{DeploymentId, HostId},
    store::{Expect, Key, Kind, StoreError, Submission},
    task::{Task, TaskStatus},
};
use serde_json::json;

pub(super) async fn a_submission_whose_expectation_fails_changes_nothing(trial: Trial<'_>) -> Verdict {
    let submission = Submission {
        records: vec![
            write(Kind::Stack, "stack:shop", Expect::Absent, json!({"name": "shop"})),
            write(Kind::Host, "vm1", Expect::Version(7), json!({})),
        ],
        tasks: vec![start("a")],
        events: vec![NewEvent { kind: EventType::StackDeploying, data: json!({}) }],
        idempotency_key: Some("key".to_owned()),
        ..Submission::default()
    };
    let result = trial.store.submit(submission.clone(), at(0)).await;
    let wanted = StoreError::Conflict { kind: "host", id: "vm1".to_owned() };
    equal("submission", &result, &Err(wanted))?;
    equal("record", &trial.store.record(&Key::new(Kind::Stack, "stack:shop")).await?, &None)?;
    equal("tasks", &trial.all_tasks().await?, &[] as &[Task])?;
    equal("last event", &trial.store.last_event().await?, &0)?;
    let records = vec![write(Kind::Host, "vm1", Expect::Absent, json!({}))];
    let again = trial.store.submit(Submission { records, ..submission }, at(1)).await?;
    hold(!again.repeated, || "the key of a refused submission is taken".to_owned())
}

pub(super) async fn a_repeated_key_changes_nothing_and_answers_as_before(trial: Trial<'_>) -> Verdict {
    let submission = |id: &str, tasks| Submission {
        records: vec![write(Kind::Deployment, id, Expect::Absent, json!({}))],
        tasks,
        idempotency_key: Some("key".to_owned()),
        ..Submission::default()
    };
    let first = trial.store.submit(submission("deployment:1", vec![start("a")]), at(0)).await?;
    let events = trial.store.last_event().await?;
    let second = trial.store.submit(submission("deployment:2", vec![start("b")]), at(1)).await?;
    equal("repeated", &[first.repeated, second.repeated], &[false, true])?;
    equal("keys of the second", &second.keys, &first.keys)?;
    equal("tasks", &ids(&trial.all_tasks().await?), &["a"])?;
    equal("last event", &trial.store.last_event().await?, &events)
}

pub(super) async fn a_task_that_exists_is_left_as_it_is(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c", 1).await?;
    trial.report(&held[0], done(), 2).await?;
    let before = trial.task("a").await?;
    trial.submit(vec![Task { priority: 9, ..start("a") }, after(start("b"), &["a"])]).await?;
    equal("task", &trial.task("a").await?, &before)?;
    equal("what waits for it", &ids(&trial.claim(&session, "d", 3).await?), &["b"])
}

pub(super) async fn tasks_that_could_never_begin_are_refused(trial: Trial<'_>) -> Verdict {
    let elsewhere = Task { deployment_id: Some(DeploymentId::from("deployment:2")), ..start("z") };
    let wrong = [
        vec![start("x"), after(start("a"), &["nowhere"])],
        vec![start("x"), after(start("a"), &["b"]), after(start("b"), &["a"])],
        vec![start("x"), after(start("a"), &["a"])],
        vec![start("x"), elsewhere, after(start("a"), &["z"])],
    ];
    for tasks in wrong {
        let result = trial.submit(tasks).await;
        hold(matches!(result, Err(StoreError::Invalid { .. })), || format!("should be invalid, and is {result:?}"))?;
    }
    equal("tasks", &trial.all_tasks().await?, &[] as &[Task])
}

pub(super) async fn a_record_is_written_once_in_a_step(trial: Trial<'_>) -> Verdict {
    let records = vec![
        write(Kind::Stack, "s", Expect::Any, json!({"name": "1"})),
        write(Kind::Stack, "s", Expect::Any, json!({"name": "2"})),
    ];
    let result = trial.store.submit(Submission { records, ..Submission::default() }, at(0)).await;
    hold(matches!(result, Err(StoreError::Invalid { .. })), || format!("should be invalid, and is {result:?}"))?;
    equal("last event", &trial.store.last_event().await?, &0)
}

pub(super) async fn what_is_superseded_is_asked_to_end(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), start("b"), after(start("c"), &["a"])]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    trial.claim_up_to(1, &session, "c1", 1).await?;
    let submission = Submission {
        tasks: vec![Task { deployment_id: Some(DeploymentId::from("deployment:2")), ..start("d") }],
        supersedes: vec![DeploymentId::from("deployment:1"), DeploymentId::from("deployment:unknown")],
        ..Submission::default()
    };
    trial.store.submit(submission, at(2)).await?;
    let (cancelled, pending) = (TaskStatus::Cancelled, TaskStatus::Pending);
    trial.stand(&[("a", TaskStatus::Assigned), ("b", cancelled), ("c", cancelled), ("d", pending)]).await?;
    hold(trial.task("a").await?.cancel_requested.is_some(), || "the holder is not asked".to_owned())
}

pub(super) async fn hosts_with_something_to_do_are_named(trial: Trial<'_>) -> Verdict {
    let tasks = vec![on("vm2", start("a")), on("vm1", after(start("b"), &["a"])), on("vm3", start("c"))];
    let submitted = trial.submit(tasks).await?;
    equal("ready hosts", &submitted.ready, &[HostId::from("vm2"), HostId::from("vm3")])?;
    let session = trial.session("vm2", "n", 0).await?;
    let held = trial.claim(&session, "c", 1).await?;
    let acted = trial.report(&held[0], done(), 2).await?;
    equal("ready hosts", &acted.ready, &[HostId::from("vm1")])
}
