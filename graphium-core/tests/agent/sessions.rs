//! Leases, sessions, reports, and the ends of agents.

use crate::bed::{Bed, HOST, deploy, spec};
use graphium_core::{
    action::Action,
    agent::{AgentError, Journal as _, Memory, Notice},
    environment::Environment,
    id::HostId,
    runtime::ContainerSpec,
    store::{SessionRequest, TaskStore},
    task::{Outcome, TaskStatus},
    testing::Operation,
};
use std::time::Duration;

#[test]
fn an_attempt_ends_with_its_lease() {
    let bed = Bed::new();
    bed.runtime.hang(Operation::Create);
    bed.serve(async {
        let ids = bed.submit([deploy("web")]).await;
        bed.phase_of(&ids[0], "creating").await;
        bed.link.cut();
        bed.sleep(29_000).await;
        // The store has not given it away yet, and the agent has let go of it.
        bed.runtime.release();
        bed.sleep(500).await;
        assert_eq!(bed.runtime.effects("web").created, 0);
        assert!(bed.link.reports().is_empty());
        bed.link.mend();
        let task = bed.end_of(&ids[0]).await;
        assert_eq!((task.status, task.attempt), (TaskStatus::Completed, 2));
    })
    .1
    .unwrap();
}

#[test]
fn an_attempt_that_the_control_plane_no_longer_knows_stops_and_says_nothing() {
    let bed = Bed::new();
    bed.runtime.hang(Operation::Create);
    bed.serve(async {
        let ids = bed.submit([deploy("web")]).await;
        bed.phase_of(&ids[0], "creating").await;
        bed.link.deny_leases();
        bed.sleep(2000).await;
        bed.runtime.release();
        bed.sleep(2000).await;
    })
    .1
    .unwrap();
    assert_eq!(bed.runtime.effects("web").created, 0);
    assert!(bed.link.reports().is_empty());
}

#[test]
fn a_report_is_repeated_until_it_is_acknowledged() {
    let bed = Bed::new();
    bed.link.lose_answers(3);
    bed.serve(async {
        let ids = bed.submit([deploy("web")]).await;
        bed.end_of(&ids[0]).await;
        bed.sleep(10_000).await;
    })
    .1
    .unwrap();
    let reports = bed.link.reports();
    assert_eq!(reports.len(), 4);
    assert!(reports.iter().all(|report| report == &reports[0]));
    assert!(bed.journal.memory().reports.is_empty());
}

#[test]
fn a_report_survives_its_agent_and_goes_first() {
    let bed = Bed::new();
    bed.crash(async {
        let ids = bed.submit([deploy("web")]).await;
        bed.phase_of(&ids[0], "settling").await;
        bed.link.cut();
        bed.sleep(2000).await;
    });
    assert_eq!(bed.journal.memory().reports.len(), 1);
    bed.link.mend();
    let before = bed.link.calls().len();
    bed.serve(bed.sleep(1000)).1.unwrap();
    assert_eq!(bed.link.calls()[before..before + 2], ["report", "session"]);
    assert!(matches!(bed.link.reports().last(), Some((_, Outcome::Completed(_)))));
    assert!(bed.journal.memory().reports.is_empty());
}

#[test]
fn a_session_that_is_not_above_what_the_agent_has_seen_is_not_used() {
    let mut bed = Bed::new();
    bed.journal.save(&Memory { epoch: 7, ..Memory::default() }).unwrap();
    bed.link.grant_old_sessions(2);
    bed.serve(async {
        let ids = bed.submit([deploy("web")]).await;
        bed.end_of(&ids[0]).await;
    })
    .1
    .unwrap();
    // Nothing is asked for under it, and nothing told.
    assert_eq!(bed.link.calls()[..4], ["session", "session", "session", "observe"]);
    assert_eq!(bed.journal.memory().epoch, 8);
    let notices = bed.notices.lock().unwrap();
    let told = notices.iter().filter_map(|notice| match notice {
        Notice::LinkLost(error) => Some(error.to_string()),
        _ => None,
    });
    let told: Vec<String> = told.collect();
    assert!(told.len() == 1 && told[0].contains("opens session 7 for `vm1`, whose agent has seen 7"), "{told:?}");
}

#[test]
fn a_new_agent_goes_on_where_the_old_one_died() {
    let bed = Bed::new();
    bed.runtime.hang(Operation::Start);
    bed.crash(async {
        let ids = bed.submit([deploy("web")]).await;
        bed.phase_of(&ids[0], "starting").await;
    });
    bed.runtime.release();
    let (task, ended) = bed.serve(async {
        let mut tasks = bed.store.tasks(&Default::default()).await.unwrap().items;
        bed.end_of(&tasks.remove(0).id).await
    });
    ended.unwrap();
    assert_eq!((task.status, task.attempt), (TaskStatus::Completed, 2));
    let effects = bed.runtime.effects("web");
    assert_eq!((effects.created, effects.started), (1, 1));
    assert!(bed.journal.memory().epoch >= 2);
}

#[test]
fn an_agent_that_was_superseded_stops_and_says_so() {
    let bed = Bed::new();
    bed.runtime.hang(Operation::Create);
    let (_, ended) = bed.serve(async {
        let ids = bed.submit([deploy("web")]).await;
        bed.phase_of(&ids[0], "creating").await;
        let newer = SessionRequest { host: HostId::new(HOST), nonce: "newer".to_owned(), seen_epoch: 0 };
        bed.store.open_session(newer, bed.environment.now()).await.unwrap();
        bed.sleep(6000).await;
        bed.runtime.release();
    });
    assert!(matches!(ended, Err(AgentError::Superseded { .. })), "{ended:?}");
    assert_eq!(bed.runtime.effects("web").created, 0);
}

#[test]
fn a_server_that_is_away_at_first_is_waited_for() {
    let bed = Bed::new();
    bed.link.cut();
    let (task, ended) = bed.serve(async {
        let ids = bed.submit([deploy("web")]).await;
        bed.sleep(60_000).await;
        assert!(bed.link.calls().len() < 30, "{}", bed.link.calls().len());
        bed.link.mend();
        bed.end_of(&ids[0]).await
    });
    ended.unwrap();
    assert_eq!(task.status, TaskStatus::Completed);
}

#[test]
fn an_agent_that_is_asked_to_end_finishes_what_it_began_and_begins_nothing() {
    let mut bed = Bed::new();
    bed.concurrency = 1;
    bed.runtime.set_latency(Duration::from_millis(400));
    let (ids, ended) = bed.serve(async {
        let ids = bed.submit([deploy("one"), deploy("two"), deploy("three")]).await;
        bed.phase_of(&ids[0], "creating").await;
        ids
    });
    ended.unwrap();
    let statuses = bed.environment.run(async {
        let mut statuses = Vec::new();
        for id in &ids {
            statuses.push(bed.task_now(id).await.status);
        }
        statuses
    });
    assert_eq!(statuses[0], TaskStatus::Completed);
    assert!(statuses[1..].iter().all(|status| !status.is_terminal()));
    assert_eq!(bed.runtime.effects("two").created + bed.runtime.effects("three").created, 0);
}

#[test]
fn an_agent_that_is_asked_to_end_does_not_wait_for_ever() {
    let bed = Bed::new();
    bed.runtime.hang(Operation::Stop);
    let begin = bed.environment.elapsed();
    bed.serve(async {
        let ids = bed.submit([Action::Stop { name: "hung".to_owned() }]).await;
        bed.phase_of(&ids[0], "stopping").await;
    })
    .1
    .unwrap();
    assert!(bed.environment.elapsed() - begin < Duration::from_secs(15));
}

#[test]
fn an_idle_agent_does_next_to_nothing() {
    let bed = Bed::new();
    bed.serve(bed.sleep(600_000)).1.unwrap();
    let calls = bed.link.calls();
    assert!(calls.len() < 200, "{} calls in ten minutes", calls.len());
    assert!(bed.runtime.calls().len() < 60, "{:?}", bed.counts());
}

#[test]
fn an_agent_can_be_spawned_on_any_executor() {
    fn spawned<T: Send + 'static>(_: T) {}
    spawned(Bed::new().agent().run(std::future::ready(())));
}

#[test]
fn a_container_without_a_planned_hash_is_known_again_by_the_next_attempt() {
    let bed = Bed::new();
    bed.runtime.hang(Operation::Start);
    let action = Action::Deploy { spec: Box::new(ContainerSpec { hash: None, ..spec("web") }) };
    bed.crash(async {
        let ids = bed.submit([action]).await;
        bed.phase_of(&ids[0], "starting").await;
    });
    bed.runtime.release();
    let (task, _) = bed.serve(async {
        let mut tasks = bed.store.tasks(&Default::default()).await.unwrap().items;
        bed.end_of(&tasks.remove(0).id).await
    });
    assert_eq!((task.status, task.attempt), (TaskStatus::Completed, 2));
    assert_eq!(bed.runtime.effects("web").created, 1);
}
