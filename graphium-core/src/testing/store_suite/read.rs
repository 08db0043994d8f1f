//! Lists and records.

use super::{
    fixture::{after, at, done, on, removal, start, write},
    trial::{Trial, Verdict, equal, hold, ids},
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
    trial.report(&held[0], done(), 2).await?;
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
    equal("record", &trial.store.record(&key).await?, &None)
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
