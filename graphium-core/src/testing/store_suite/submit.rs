//! Submissions: all of it or nothing, and once.

use super::{
    fixture::{after, at, delete, done, failed, of, on, start, write},
    trial::{Trial, Verdict, equal, hold, ids, nth},
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
    let same = trial.store.submit(submission("deployment:1", vec![start("a")]), at(2)).await?;
    equal("the same, though its record is there by now", &same.repeated, &true)?;
    equal("keys of the second", &second.keys, &first.keys)?;
    equal("tasks", &ids(&trial.all_tasks().await?), &["a"])?;
    equal("last event", &trial.store.last_event().await?, &events)
}

pub(super) async fn a_task_that_exists_is_left_as_it_is(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c", 1).await?;
    trial.report(nth(&held, 0)?, done(), 2).await?;
    let before = trial.task("a").await?;
    trial.submit(vec![Task { priority: 9, ..start("a") }, after(start("b"), &["a"])]).await?;
    equal("task", &trial.task("a").await?, &before)?;
    equal("what waits for it", &ids(&trial.claim(&session, "d", 3).await?), &["b"])
}

pub(super) async fn tasks_that_could_never_begin_are_refused(trial: Trial<'_>) -> Verdict {
    let alone = |id| Task { deployment_id: None, ..start(id) };
    let wrong = [
        vec![start("x"), after(start("a"), &["nowhere"])],
        vec![start("x"), after(start("a"), &["b"]), after(start("b"), &["a"])],
        vec![start("x"), after(start("a"), &["a"])],
        vec![start("x"), of("deployment:2", start("z")), after(start("a"), &["z"])],
        vec![start("x"), alone("z"), after(alone("a"), &["z"])],
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
        tasks: vec![of("deployment:2", start("d"))],
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
    let acted = trial.report(nth(&held, 0)?, done(), 2).await?;
    equal("ready hosts", &acted.ready, &[HostId::from("vm1")])
}

pub(super) async fn a_submission_that_is_refused_leaves_nothing_behind(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("old")]).await?;
    let before = (trial.all_tasks().await?, trial.events().await?);
    let submission = Submission {
        records: vec![write(Kind::Stack, "stack:shop", Expect::Absent, json!({"name": "shop"}))],
        tasks: vec![of("deployment:2", start("x")), of("deployment:2", after(start("y"), &["y"]))],
        supersedes: vec![DeploymentId::from("deployment:1")],
        events: vec![NewEvent { kind: EventType::StackDeploying, data: json!({}) }],
        retry: None,
        idempotency_key: Some("key".to_owned()),
    };
    let result = trial.store.submit(submission.clone(), at(1)).await;
    hold(matches!(result, Err(StoreError::Invalid { .. })), || format!("should be invalid, and is {result:?}"))?;
    equal("tasks", &trial.all_tasks().await?, &before.0)?;
    equal("events", &trial.events().await?, &before.1)?;
    equal("record", &trial.store.record(&Key::new(Kind::Stack, "stack:shop")).await?, &None)?;
    let tasks = vec![of("deployment:2", start("x"))];
    let again = trial.store.submit(Submission { tasks, ..submission }, at(2)).await?;
    hold(!again.repeated, || "the key of a refused submission is taken".to_owned())?;
    trial.stand(&[("old", TaskStatus::Cancelled), ("x", TaskStatus::Pending)]).await
}

pub(super) async fn what_waits_for_a_failure_is_cancelled_when_it_comes(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a")]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c1", 1).await?;
    trial.report(nth(&held, 0)?, failed(), 2).await?;
    trial.submit(vec![after(start("b"), &["a"]), after(start("c"), &["b"]), after(delete("d"), &["a"])]).await?;
    let cancelled = TaskStatus::Cancelled;
    trial.stand(&[("b", cancelled), ("c", cancelled), ("d", TaskStatus::Pending)]).await?;
    equal("granted", &ids(&trial.claim(&session, "c2", 3).await?), &["d"])
}

pub(super) async fn a_task_counts_once_in_a_submission(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), Task { priority: 9, ..start("a") }]).await?;
    equal("tasks", &ids(&trial.all_tasks().await?), &["a"])?;
    equal("priority", &trial.task("a").await?.priority, &start("a").priority)?;
    equal("events", &trial.events().await?.len(), &1)
}

pub(super) async fn a_key_counts_once_however_many_bring_it(trial: Trial<'_>) -> Verdict {
    let submission = Submission {
        records: vec![write(Kind::Deployment, "deployment:1", Expect::Absent, json!({}))],
        tasks: vec![start("a")],
        events: vec![NewEvent { kind: EventType::StackDeploying, data: json!({}) }],
        idempotency_key: Some("key".to_owned()),
        ..Submission::default()
    };
    let asked = (0..8).map(|second| trial.store.submit(submission.clone(), at(second)));
    let answers = futures::future::join_all(asked).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let first = answers.iter().filter(|answer| !answer.repeated).count();
    equal("carried out", &first, &1)?;
    for answer in &answers {
        equal("keys", &answer.keys, &[Key::new(Kind::Deployment, "deployment:1")])?;
    }
    equal("events", &trial.events().await?.len(), &2)
}

pub(super) async fn a_call_that_was_dropped_has_happened_whole_or_not_at_all(trial: Trial<'_>) -> Verdict {
    for number in 0..20 {
        let (id, key) = (format!("t{number:02}"), format!("key {number}"));
        let submission = Submission {
            records: vec![write(Kind::Stack, &id, Expect::Any, json!({"name": id}))],
            tasks: vec![start(&id)],
            idempotency_key: Some(key),
            ..Submission::default()
        };
        {
            let call = std::pin::pin!(trial.store.submit(submission.clone(), at(1)));
            // Polled once and let go of, wherever it then is.
            let _ = futures::future::select(call, std::future::ready(())).await;
        }
        trial.store.submit(submission, at(2)).await?;
        let record = trial.store.record(&Key::new(Kind::Stack, &id)).await?;
        equal("version", &record.map(|record| record.version), &Some(1))?;
        equal("events", &trial.store.last_event().await?, &(2 * (number + 1)))?;
    }
    equal("tasks", &trial.all_tasks().await?.len(), &20)
}

pub(super) async fn what_has_ended_is_superseded_by_nothing(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), start("b"), after(start("c"), &["b"])]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim(&session, "c1", 1).await?;
    trial.report(nth(&held, 0)?, done(), 2).await?;
    trial.report(nth(&held, 1)?, failed(), 2).await?;
    let before = (trial.all_tasks().await?, trial.events().await?);
    let supersedes = vec![DeploymentId::from("deployment:1")];
    trial.store.submit(Submission { supersedes, ..Submission::default() }, at(3)).await?;
    equal("tasks", &trial.all_tasks().await?, &before.0)?;
    equal("events", &trial.events().await?, &before.1)
}
