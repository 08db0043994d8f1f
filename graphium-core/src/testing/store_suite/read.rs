//! Lists and records.

use super::{
    fixture::{after, at, done, of, on, removal, start, write},
    trial::{Trial, Verdict, equal, hold, ids, nth},
};
use crate::{
    id::{DeploymentId, HostId, StackId, TaskId},
    store::{Expect, Key, Kind, Page, Record, RecordQuery, RecordWrite, StoreError, Submission, TaskQuery, TaskStore},
    task::{Input, Task, TaskStatus},
};
use serde_json::json;

pub(super) async fn tasks_are_filtered_and_paged(trial: Trial<'_>) -> Verdict {
    let other = Task {
        stack_id: Some(StackId::from("stack:blog")),
        deployment_id: Some(DeploymentId::from("deployment:2")),
        container_id: Some("blog".to_owned()),
        ..on("vm2", start("d"))
    };
    let single = Task { deployment_id: None, stack_id: None, ..start("e") };
    trial.submit(vec![start("c"), after(start("a"), &["c"]), start("b"), other, single]).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let held = trial.claim_up_to(1, &session, "c", 1).await?;
    trial.report(nth(&held, 0)?, done(), 2).await?;
    let all = TaskQuery::default;
    let (pending, completed) = (TaskStatus::Pending, TaskStatus::Completed);
    let questions = [
        (all(), &["a", "b", "c", "d", "e"] as &[&str]),
        (TaskQuery { statuses: vec![completed], ..all() }, &["b"]),
        (
            TaskQuery { statuses: vec![pending, completed], host: Some(HostId::from("vm1")), ..all() },
            &["a", "b", "c", "e"],
        ),
        (TaskQuery { stack: Some(StackId::from("stack:blog")), ..all() }, &["d"]),
        (TaskQuery { deployment: Some(DeploymentId::from("deployment:1")), ..all() }, &["a", "b", "c"]),
        (
            TaskQuery { deployment: Some(DeploymentId::from("deployment:1")), statuses: vec![pending], ..all() },
            &["a", "c"],
        ),
        (TaskQuery { container: Some("blog".to_owned()), ..all() }, &["d"]),
        (TaskQuery { host: Some(HostId::from("vm3")), ..all() }, &[]),
        (TaskQuery { after: Some(TaskId::from("c")), ..all() }, &["d", "e"]),
        (
            TaskQuery { after: Some(TaskId::from("a")), deployment: Some(DeploymentId::from("deployment:1")), ..all() },
            &["b", "c"],
        ),
    ];
    for (query, wanted) in questions {
        equal(&format!("{query:?}"), ids(&trial.store.tasks(&query).await?.items).as_slice(), wanted)?;
    }
    let mut query = TaskQuery { limit: 2, ..all() };
    for (wanted, next) in [(&["a", "b"] as &[&str], Some("b")), (&["c", "d"], Some("d")), (&["e"], None)] {
        let page = trial.store.tasks(&query).await?;
        equal("page", ids(&page.items).as_slice(), wanted)?;
        equal("next", &page.next.as_deref(), &next)?;
        query.after = page.next.map(TaskId::new);
    }
    Ok(())
}

pub(super) async fn records_are_filtered_and_paged(trial: Trial<'_>) -> Verdict {
    let container = |id: &str, host: &str, stack: Option<&str>| RecordWrite {
        host: Some(HostId::from(host)),
        stack: stack.map(StackId::from),
        ..write(Kind::Container, id, Expect::Absent, json!({"name": id}))
    };
    let records = vec![
        container("c", "vm1", Some("stack:shop")),
        container("a", "vm1", None),
        container("b", "vm2", Some("stack:shop")),
        write(Kind::Host, "vm1", Expect::Absent, json!({})),
    ];
    trial.store.submit(Submission { records, ..Submission::default() }, at(0)).await?;
    let all = || RecordQuery::of(Kind::Container);
    let questions = [
        (all(), &["a", "b", "c"] as &[&str]),
        (RecordQuery { host: Some(HostId::from("vm1")), ..all() }, &["a", "c"]),
        (RecordQuery { stack: Some(StackId::from("stack:shop")), ..all() }, &["b", "c"]),
        (RecordQuery { after: Some("a".to_owned()), ..all() }, &["b", "c"]),
        (RecordQuery::of(Kind::Host), &["vm1"]),
        (RecordQuery::of(Kind::Token), &[]),
    ];
    for (query, wanted) in questions {
        equal(&format!("{query:?}"), names(&trial.store.records(&query).await?).as_slice(), wanted)?;
    }
    let first = trial.store.records(&RecordQuery { limit: 2, ..all() }).await?;
    equal("first page", &names(&first), &["a", "b"])?;
    let rest = trial.store.records(&RecordQuery { limit: 2, after: first.next, ..all() }).await?;
    equal("last page", &(names(&rest), &rest.next), &(vec!["c"], &None))
}

fn names(page: &Page<Record>) -> Vec<&str> {
    page.items.iter().map(|record| record.key.id.as_str()).collect()
}

pub(super) async fn a_record_changes_only_from_the_version_that_was_expected(trial: Trial<'_>) -> Verdict {
    let key = Key::new(Kind::Stack, "s");
    let body = |text: &str| json!({"name": text, "memory": 0.1, "größe": "ü\u{0}"});
    let steps = [
        (write(Kind::Stack, "s", Expect::Version(1), body("no")), None),
        (write(Kind::Stack, "s", Expect::Absent, body("one")), Some("one")),
        (write(Kind::Stack, "s", Expect::Absent, body("no")), None),
        (write(Kind::Stack, "s", Expect::Version(1), body("two")), Some("two")),
        (write(Kind::Stack, "s", Expect::Version(1), body("no")), None),
        (write(Kind::Stack, "s", Expect::Any, body("three")), Some("three")),
        (removal(Kind::Stack, "s", Expect::Version(1)), None),
    ];
    let mut version = 0;
    for (number, (write, wanted)) in steps.into_iter().enumerate() {
        let is = write_one(&*trial.store, write).await?;
        equal(&format!("step {number} holds"), &is, &wanted.is_some())?;
        let Some(wanted) = wanted else { continue };
        let record = trial.store.record(&key).await?;
        hold(record.as_ref().is_some_and(|record| record.version > version), || format!("{record:?} after {version}"))?;
        equal("body", &record.as_ref().map(|record| &*record.body), &Some(&body(wanted)))?;
        version = record.map_or(0, |record| record.version);
    }
    hold(write_one(&*trial.store, removal(Kind::Stack, "s", Expect::Version(version))).await?, || "stays".to_owned())?;
    equal("record", &trial.store.record(&key).await?, &None)?;
    // One that is made anew begins with version 1 again, and is another each time, for whoever asks for it or for all.
    for text in ["four", "five"] {
        let is_new = write_one(&*trial.store, write(Kind::Stack, "s", Expect::Absent, body(text))).await?;
        hold(is_new, || format!("`{text}` is not taken"))?;
        let record = trial.store.record(&key).await?;
        equal("body", &record.as_ref().map(|record| (record.version, &*record.body)), &Some((1, &body(text))))?;
        let listed = trial.store.records(&RecordQuery::of(Kind::Stack)).await?.items;
        equal("listed", &listed, &Vec::from_iter(record))?;
        write_one(&*trial.store, removal(Kind::Stack, "s", Expect::Any)).await?;
    }
    Ok(())
}

/// Whether the expectation held.
async fn write_one(store: &dyn TaskStore, write: RecordWrite) -> Result<bool, StoreError> {
    let submission = Submission { records: vec![write], ..Submission::default() };
    match store.submit(submission, at(0)).await {
        Ok(_) => Ok(true),
        Err(StoreError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

pub(super) async fn what_is_not_there_is_said_to_be_missing(trial: Trial<'_>) -> Verdict {
    equal("task", &trial.store.task(&TaskId::from("a")).await?, &None)?;
    equal("record", &trial.store.record(&Key::new(Kind::Stack, "s")).await?, &None)?;
    let wanted = StoreError::NotFound { kind: "task", id: "a".to_owned() };
    equal("act", &trial.act("a", Input::Expire, 1).await, &Err(wanted))?;
    equal("events", &trial.events().await?.len(), &0)
}

pub(super) async fn a_page_has_a_bound_of_its_own(trial: Trial<'_>) -> Verdict {
    let id = |number: usize| format!("t{number:04}");
    let records = (0..1001).map(|number| write(Kind::Host, &id(number), Expect::Absent, json!({}))).collect();
    let tasks = (0..1001).map(|number| start(&id(number))).collect();
    trial.store.submit(Submission { records, tasks, ..Submission::default() }, at(0)).await?;
    for (limit, size) in [(0, 1000), (1000, 1000), (1001, 1001), (5000, 1001), (usize::MAX, 1001)] {
        let next = (size == 1000).then(|| id(999));
        let tasks = trial.store.tasks(&TaskQuery { limit, ..TaskQuery::default() }).await?;
        equal("tasks", &(tasks.items.len(), &tasks.next), &(size, &next))?;
        let records = trial.store.records(&RecordQuery { limit, ..RecordQuery::of(Kind::Host) }).await?;
        equal("records", &(records.items.len(), &records.next), &(size, &next))?;
    }
    Ok(())
}

pub(super) async fn pages_leave_out_and_repeat_nothing_while_others_write(trial: Trial<'_>) -> Verdict {
    trial.submit((0..20).map(|number| start(&format!("t{number:02}"))).collect()).await?;
    let session = trial.session("vm1", "n", 0).await?;
    let mut query = TaskQuery { limit: 3, ..TaskQuery::default() };
    let mut seen = Vec::new();
    for round in 0.. {
        let page = trial.store.tasks(&query).await?;
        seen.extend(page.items.into_iter().map(|task| task.id));
        let Some(next) = page.next else { break };
        query.after = Some(TaskId::new(next));
        // Ahead of where the reader is, behind it, and the next that it will read.
        trial.submit(vec![start(&format!("a{round:02}")), start(&format!("x{round:02}"))]).await?;
        for task in trial.claim_up_to(3, &session, &format!("c{round}"), 1).await? {
            trial.report(&task, done(), 2).await?;
        }
    }
    let old: Vec<_> = seen.iter().filter(|id| id.as_str().starts_with('t')).collect();
    equal("those that were there all the time", &old.len(), &20)?;
    hold(seen.is_sorted_by(|a, b| a < b), || format!("out of order, or twice: {seen:?}"))
}

pub(super) async fn what_was_answered_is_there_to_be_read(trial: Trial<'_>) -> Verdict {
    let session = trial.session("vm1", "n", 0).await?;
    let round = async |number: usize| {
        let id = format!("t{number:02}");
        let records = vec![write(Kind::Stack, &id, Expect::Absent, json!({"name": id}))];
        let tasks = vec![of(&id, start(&id))];
        trial.store.submit(Submission { records, tasks, ..Submission::default() }, at(0)).await?;
        hold(trial.store.record(&Key::new(Kind::Stack, &id)).await?.is_some(), || format!("no record of `{id}`"))?;
        trial.stand(&[(&id, TaskStatus::Pending)]).await?;
        trial.cancel(&id, 1).await?;
        trial.stand(&[(&id, TaskStatus::Cancelled)]).await?;
        let ended = TaskQuery { statuses: vec![TaskStatus::Cancelled], ..TaskQuery::default() };
        let ended = trial.store.tasks(&ended).await?;
        hold(ended.items.iter().any(|task| task.id.as_str() == id), || format!("`{id}` is not in the list"))?;
        let told = trial.events().await?.into_iter().filter(|event| event.data["@id"] == *id).count();
        equal("events of its record, of its making and of its end", &told, &3)
    };
    for verdict in futures::future::join_all((0..10).map(round)).await {
        verdict?;
    }
    equal("granted", &ids(&trial.claim(&session, "c", 2).await?), &[] as &[&str])
}
