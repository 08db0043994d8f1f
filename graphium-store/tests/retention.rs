//! Pruning a large store: bounded at each call, and nothing is lost that was not to go.

use futures::{executor::block_on, future::join_all};
use graphium_core::{
    action::Action,
    id::{ClaimId, DeploymentId},
    store::{ClaimRequest, Cut, Pruned, SessionRequest, Submission, TaskQuery, TaskStore, TaskStoreExt},
    task::{Input, Outcome, Task, TaskResult, TaskStatus},
};
use graphium_store::{Options, SqliteStore};
use jiff::{SignedDuration, Timestamp};
use std::error::Error;

type Checked = Result<(), Box<dyn Error>>;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn at(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

/// Deployments of `size` tasks, each of which ended at the second of its number.
async fn fill(store: &SqliteStore, deployments: i64, size: usize) -> Checked {
    let request = SessionRequest { host: "vm1".into(), nonce: "n".to_owned(), seen_epoch: 0 };
    let epoch = store.open_session(request, NOW).await?.epoch;
    for number in 0..deployments {
        let id = format!("deployment:{number:06}");
        let task = |part: usize| Task {
            deployment_id: Some(DeploymentId::new(id.clone())),
            ..Task::new(
                format!("task:{number:06}.{part:04}").into(),
                "vm1".into(),
                Action::Start { name: "x".to_owned() },
                NOW,
            )
        };
        store.submit(Submission { tasks: (0..size).map(task).collect(), ..Submission::default() }, at(number)).await?;
        let (claim, expires_at) = (ClaimId::new(id), at(number + 60));
        let request = ClaimRequest { host: "vm1".into(), epoch, claim, max: size, expires_at, expect: None };
        let held = store.claim(request, at(number)).await?;
        assert_eq!(held.len(), size);
        let reports = held.into_iter().map(async |task| {
            let outcome = Outcome::Completed(TaskResult { success: true, ..TaskResult::default() });
            let report = task.lease.map(|lease| Input::Report { lease, outcome }).ok_or("no lease")?;
            store.act(&task.id, report, at(number)).await.map_err(Box::<dyn Error>::from)
        });
        for reported in join_all(reports).await {
            reported?;
        }
    }
    Ok(())
}

#[test]
fn each_call_does_a_bounded_part_until_nothing_is_left_to_do() -> Checked {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("graphium.db");
    let store = block_on(SqliteStore::open(&path, Options::at(NOW)))?;
    block_on(fill(&store, 8, 450))?;
    let cut = Cut {
        ended_before: at(7),
        events_before: at(7),
        live: [DeploymentId::from("deployment:000002")].into(),
        ..Cut::nothing()
    };
    let mut calls = Vec::new();
    loop {
        let pruned = block_on(store.prune(&cut))?.ok_or("it prunes nothing")?;
        calls.push(pruned);
        if !pruned.more {
            break;
        }
    }
    assert_eq!(calls.iter().map(|pruned| pruned.tasks).sum::<u64>(), 6 * 450);
    assert!(calls.iter().all(|pruned| pruned.tasks <= 1350), "three deployments are more than a thousand: {calls:?}");
    assert!(calls.len() > 2, "{calls:?}");
    let left = block_on(store.all_tasks(TaskQuery::default()))?;
    assert!(left.iter().all(|task| ["task:000002", "task:000007"].contains(&&task.id.as_str()[..11])));
    assert_eq!(left.len(), 900);
    let verdict = SqliteStore::check(&path)?;
    assert_eq!((verdict.tasks, verdict.findings), (900, Vec::new()));
    // A row of events may hold some that are younger.
    let events = calls.iter().map(|pruned| pruned.events).sum::<u64>();
    assert_eq!(verdict.first_event, events + 1);
    assert!((7 * 3 * 450 - 500..=7 * 3 * 450).contains(&(events as usize)), "{events}");
    assert_eq!(block_on(store.prune(&cut))?, Some(Pruned::default()));
    Ok(())
}

#[test]
fn much_that_stays_does_not_hide_what_comes_after_it() -> Checked {
    let directory = tempfile::tempdir()?;
    let store = block_on(SqliteStore::open(directory.path().join("graphium.db"), Options::at(NOW)))?;
    let waiting = (0..7_000).map(|number| {
        Task::new(format!("task:a{number:06}").into(), "vm2".into(), Action::Start { name: "x".to_owned() }, NOW)
    });
    block_on(store.submit(Submission { tasks: waiting.collect(), ..Submission::default() }, NOW))?;
    let last = Task::new("task:z".into(), "vm2".into(), Action::Start { name: "x".to_owned() }, NOW);
    block_on(store.submit(Submission { tasks: vec![last], ..Submission::default() }, NOW))?;
    block_on(store.act(&"task:z".into(), Input::Cancel { reason: "enough".to_owned() }, NOW))?;
    let cut = Cut { ended_before: at(1), ..Cut::nothing() };
    let first = block_on(store.prune(&cut))?.ok_or("it prunes nothing")?;
    assert_eq!((first.tasks, first.more), (0, true), "it has not come so far");
    let second = block_on(store.prune(&cut))?.ok_or("it prunes nothing")?;
    assert_eq!((second.tasks, second.more), (1, false));
    Ok(())
}

#[test]
fn a_smaller_number_counts_at_once_and_not_when_the_walk_begins_anew() -> Checked {
    let directory = tempfile::tempdir()?;
    let store = block_on(SqliteStore::open(directory.path().join("graphium.db"), Options::at(NOW)))?;
    let ended = |number: usize| Task {
        status: TaskStatus::Cancelled,
        completed_at: Some(NOW),
        ..Task::new(format!("task:{number:06}").into(), "vm1".into(), Action::Start { name: "x".to_owned() }, NOW)
    };
    block_on(store.submit(Submission { tasks: (0..6_000).map(ended).collect(), ..Submission::default() }, NOW))?;
    let first = block_on(store.prune(&Cut::nothing()))?.ok_or("it prunes nothing")?;
    assert!(first.more, "the walk stands in the middle");
    let pruned = block_on(store.prune(&Cut { max_tasks: 5_500, ..Cut::nothing() }))?.ok_or("it prunes nothing")?;
    assert_eq!(pruned.tasks, 500);
    assert_eq!(block_on(store.task(&"task:000000".into()))?, None, "the oldest go first");
    Ok(())
}
