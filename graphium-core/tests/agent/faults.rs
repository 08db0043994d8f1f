//! Engines that hang or go away, and deadlines.

use crate::bed::{Bed, deploy};
use graphium_core::{
    action::Action,
    runtime::RuntimeError,
    stack::{Condition, PullPolicy},
    task::{Task, TaskStatus},
    testing::{Operation, Program},
};
use std::time::Duration;

#[test]
fn a_hanging_container_holds_up_nothing_else() {
    let mut bed = Bed::new();
    bed.concurrency = 1;
    bed.runtime.hang(Operation::Stop);
    bed.serve(async {
        let stop = |number: usize| Action::Stop { name: format!("hung-{number}") };
        let hung = bed.submit((0..8).map(stop)).await;
        let twice =
            bed.submit([deploy("web"), Action::Check { name: "web".to_owned(), condition: Default::default() }]).await;
        for id in &twice {
            assert_eq!(bed.end_of(id).await.status, TaskStatus::Completed);
        }
        for id in &hung {
            let error = bed.end_of(id).await.error.unwrap();
            assert_eq!(error.code, "timed-out");
            assert!(error.message.contains("stopping"), "{}", error.message);
        }
    })
    .1
    .unwrap();
}

#[test]
fn an_attempt_past_its_deadline_names_what_it_was_at() {
    let bed = Bed::new();
    bed.runtime.hang(Operation::Create);
    let (task, _) = bed.serve(async {
        let ids = bed.submit_with([deploy("web")], |task| task.timeout_seconds = 20).await;
        bed.end_of(&ids[0]).await
    });
    let error = task.error.unwrap();
    assert_eq!((error.code.as_str(), error.retryable), ("timed-out", true));
    assert!(error.message.contains("20 s") && error.message.contains("creating"), "{}", error.message);
    bed.runtime.release();
    assert_eq!(bed.runtime.effects("web").created, 0, "a stopped attempt acts no more");
}

#[test]
fn a_cancelled_attempt_stops_soon() {
    let bed = Bed::new();
    bed.runtime.hang(Operation::Create);
    let (task, _) = bed.serve(async {
        let ids = bed.submit([deploy("web")]).await;
        bed.phase_of(&ids[0], "creating").await;
        bed.cancel(&ids[0]).await;
        bed.sleep(1500).await;
        bed.task_now(&ids[0]).await
    });
    assert_eq!(task.status, TaskStatus::Cancelled);
}

#[test]
fn a_registry_that_falls_silent_is_seen_to_have_sent_what_it_has_sent() {
    let bed = Bed::new();
    bed.runtime.set_latency(Duration::from_millis(20));
    let (progress, _) = bed.serve(async {
        let pull = Action::Pull { image: "big:1".to_owned(), platform: None, policy: PullPolicy::IfNotPresent };
        let ids = bed.submit([pull]).await;
        while !bed.calls().contains(&"registry big:1".to_owned()) {
            bed.sleep(1).await;
        }
        // The second of four parts is on its way; the third will not come in this test's time.
        bed.sleep(30).await;
        bed.runtime.set_latency(Duration::from_secs(3600));
        bed.sleep(3000).await;
        bed.task_now(&ids[0]).await.progress.unwrap()
    });
    let (bytes, total) = progress.bytes.zip(progress.total_bytes).unwrap_or_default();
    assert!(total > 0 && bytes == total / 2, "{progress:?}");
}

#[test]
fn an_engine_that_is_away_is_waited_for() {
    let bed = Bed::new();
    let (task, _) = bed.serve(async {
        bed.runtime.disconnect();
        let ids = bed.submit([deploy("web")]).await;
        bed.phase_of(&ids[0], "waiting").await;
        bed.sleep(30_000).await;
        bed.runtime.reconnect();
        bed.end_of(&ids[0]).await
    });
    assert_eq!(task.status, TaskStatus::Completed, "{task:?}");
    assert_eq!(task.attempt, 1);
}

#[test]
fn an_engine_that_hangs_for_longer_than_a_task_may_take_uses_up_no_retry() {
    let bed = Bed::new();
    for operation in [Operation::Info, Operation::List, Operation::Inspect, Operation::Stop, Operation::Create] {
        bed.runtime.hang(operation);
    }
    let (tasks, _) = bed.serve(async {
        let limit = |task: &mut Task| task.timeout_seconds = 60;
        let ids = bed.submit_with([Action::Stop { name: "old".to_owned() }, deploy("web")], limit).await;
        bed.sleep(200_000).await;
        let now = bed.task_now(&ids[0]).await;
        let error = now.error.as_ref().map(|error| (error.code.as_str(), error.message.as_str()));
        let words = "not done within 60 s: the engine gives no sign of life within 3 s";
        assert_eq!(error, Some(("engine-away", words)), "{now:?}");
        bed.runtime.release();
        let mut tasks = Vec::new();
        for id in &ids {
            tasks.push(bed.end_of(id).await);
        }
        tasks
    });
    for task in tasks {
        assert_eq!((task.status, task.retry_count), (TaskStatus::Completed, 0), "{task:?}");
        assert!((1..=5).contains(&task.lost_count), "{task:?}");
    }
    assert_eq!(bed.runtime.effects("web").created, 1);
}

#[test]
fn a_call_without_an_answer_is_made_again_by_the_same_attempt_when_it_is_the_engine_that_does_not_answer() {
    let bed = Bed::new();
    bed.runtime.lose_next_answer(Operation::Create);
    let (task, _) = bed.serve(async {
        let ids = bed.submit([deploy("web")]).await;
        bed.runtime.hang(Operation::Info);
        bed.phase_of(&ids[0], "waiting").await;
        bed.sleep(20_000).await;
        bed.runtime.release();
        bed.end_of(&ids[0]).await
    });
    assert_eq!((task.status, task.attempt), (TaskStatus::Completed, 1), "{task:?}");
    let effects = bed.runtime.effects("web");
    assert_eq!((effects.created, effects.started), (1, 1));
}

/// What an attempt has started may have ended by the time its engine answers again: that is the attempt's end, and no reason for
/// another start.
#[test]
fn an_attempt_starts_a_container_once_however_often_its_engine_goes_away() {
    let kinds: [(Vec<Action>, u32); 3] = [
        (vec![deploy("web")], 1),
        (vec![deploy("web"), Action::Stop { name: "web".to_owned() }, Action::Start { name: "web".to_owned() }], 2),
        (vec![deploy("web"), Action::Restart { name: "web".to_owned() }], 2),
    ];
    for (actions, starts) in kinds {
        let bed = Bed::new();
        let (task, _) = bed.serve(async {
            let (last, before) = actions.split_last().unwrap();
            for action in before {
                let ids = bed.submit([action.clone()]).await;
                assert_eq!(bed.end_of(&ids[0]).await.status, TaskStatus::Completed);
            }
            bed.runtime.lose_next_answer(Operation::Start);
            let ids = bed.submit_with([last.clone()], |task| task.max_retries = 0).await;
            bed.runtime.hang(Operation::Info);
            bed.phase_of(&ids[0], "waiting").await;
            bed.runtime.exit("web", 3);
            bed.runtime.release();
            bed.end_of(&ids[0]).await
        });
        let error = task.error.as_ref().unwrap();
        assert_eq!((error.code.as_str(), task.attempt), ("exited", 1), "{task:?}");
        assert!(error.message.contains("exited with code 3"), "{}", error.message);
        assert_eq!(bed.runtime.effects("web").started, starts, "{task:?}");
    }
}

#[test]
fn what_has_ended_with_its_engine_is_started_by_the_next_attempt() {
    let bed = Bed::new();
    bed.runtime.lose_next_answer(Operation::Start);
    let (task, _) = bed.serve(async {
        let ids = bed.submit_with([deploy("web")], |task| task.max_retries = 1).await;
        bed.runtime.hang(Operation::Info);
        bed.phase_of(&ids[0], "waiting").await;
        bed.runtime.exit("web", 137);
        bed.runtime.release();
        bed.end_of(&ids[0]).await
    });
    assert_eq!((task.status, task.attempt), (TaskStatus::Completed, 2), "{task:?}");
    assert_eq!(bed.runtime.effects("web").started, 2);
}

#[test]
fn what_is_killed_from_outside_right_after_its_start_is_started_by_the_next_attempt() {
    for (code, attempt) in [(137, 2), (143, 2), (1, 1)] {
        let bed = Bed::new();
        let (task, _) = bed.serve(async {
            let ids = bed.submit_with([deploy("web")], |task| task.max_retries = 1).await;
            bed.phase_of(&ids[0], "settling").await;
            bed.runtime.end("web", code, None);
            bed.end_of(&ids[0]).await
        });
        let completed = task.status == TaskStatus::Completed;
        assert_eq!((completed, task.attempt), (attempt == 2, attempt), "{code}: {task:?}");
        assert_eq!(bed.runtime.effects("web").started, attempt);
    }
}

#[test]
fn what_runs_out_of_memory_right_after_its_start_is_not_started_again() {
    let bed = Bed::new();
    let (task, _) = bed.serve(async {
        let ids = bed.submit_with([deploy("web")], |task| task.max_retries = 1).await;
        bed.phase_of(&ids[0], "settling").await;
        bed.runtime.end("web", 137, Some("the kernel killed it: out of memory"));
        bed.end_of(&ids[0]).await
    });
    assert_eq!((task.status, task.attempt), (TaskStatus::Failed, 1), "{task:?}");
}

#[test]
fn a_gate_starts_once_what_was_killed_from_outside_and_fails_the_second_time() {
    let bed = Bed::new();
    let gate = || Action::Check { name: "web".to_owned(), condition: Condition::Started };
    let (mended, _) = bed.serve(async {
        let ids = bed.submit([deploy("web")]).await;
        bed.end_of(&ids[0]).await;
        bed.runtime.kill("web");
        let ids = bed.submit([gate()]).await;
        bed.end_of(&ids[0]).await
    });
    assert_eq!(mended.status, TaskStatus::Completed, "{mended:?}");
    assert_eq!(bed.runtime.effects("web").started, 2);
    bed.runtime.put_image("web:1", Program::exits(137));
    let (failed, _) = bed.serve(async {
        bed.runtime.kill("web");
        let ids = bed.submit([gate()]).await;
        bed.end_of(&ids[0]).await
    });
    assert_eq!(failed.status, TaskStatus::Failed, "{failed:?}");
    assert_eq!(bed.runtime.effects("web").started, 3);
}

#[test]
fn an_engine_that_does_not_answer_is_never_an_engine_without_containers() {
    let bed = Bed::new();
    bed.serve(async {
        let ids = bed.submit([deploy("web")]).await;
        bed.end_of(&ids[0]).await;
        bed.sleep(1000).await;
        bed.runtime.disconnect();
        bed.sleep(5000).await;
        bed.runtime.reconnect();
        bed.sleep(5000).await;
    })
    .1
    .unwrap();
    let sights = bed.link.sights();
    let away: Vec<_> = sights.iter().filter(|sight| sight.engine_error.is_some()).collect();
    assert!(!away.is_empty() && away.iter().all(|sight| sight.containers.is_none() && sight.engine.is_none()));
    let last = sights.last().unwrap();
    assert!(last.engine_error.is_none());
    assert_eq!(last.containers.as_ref().map(Vec::len), Some(1));
}

#[test]
fn a_change_on_the_host_is_told_soon_and_once() {
    let bed = Bed::new();
    bed.serve(async {
        let ids = bed.submit([deploy("web")]).await;
        bed.end_of(&ids[0]).await;
        bed.sleep(2000).await;
        let before = bed.link.sights().len();
        bed.runtime.exit("web", 1);
        bed.sleep(300).await;
        assert_eq!(bed.link.sights().len(), before + 1);
        bed.sleep(20_000).await;
        assert_eq!(bed.link.sights().len(), before + 1);
    })
    .1
    .unwrap();
}

#[test]
fn a_lost_answer_of_the_engine_is_a_failure_that_the_next_attempt_mends() {
    let bed = Bed::new();
    bed.runtime.lose_next_answer(Operation::Create);
    bed.runtime.fail_next(Operation::Start, RuntimeError::Failed("the engine stumbled".to_owned()));
    let (task, _) = bed.serve(async {
        let ids = bed.submit_with([deploy("web")], |task| task.max_retries = 3).await;
        bed.end_of(&ids[0]).await
    });
    assert_eq!(task.status, TaskStatus::Completed, "{task:?}");
    assert_eq!(bed.runtime.effects("web").started, 1);
}

#[test]
fn what_is_tied_to_a_network_that_is_gone_is_made_anew_once_and_what_was_just_made_is_not() {
    let gone = || RuntimeError::NotFound("network 36bd not found".to_owned());
    let bed = Bed::new();
    bed.serve(async {
        let task = bed.submit([deploy("web")]).await;
        assert_eq!(bed.end_of(&task[0]).await.status, TaskStatus::Completed);
        bed.runtime.exit("web", 137);
        let before = bed.runtime.effects("web");
        bed.runtime.fail_next(Operation::Start, gone());
        let again = bed.submit([deploy("web")]).await;
        assert_eq!(bed.end_of(&again[0]).await.status, TaskStatus::Completed);
        let after = bed.runtime.effects("web");
        assert_eq!((after.created, after.started), (before.created + 1, before.started + 1));
        // Nothing is gained by making that anew which has just been made.
        bed.runtime.fail_next(Operation::Start, gone());
        let other = bed.submit([deploy("other")]).await;
        let error = bed.end_of(&other[0]).await.error.unwrap();
        assert_eq!((error.code.as_str(), bed.runtime.effects("other").created), ("not-found", 1));
    })
    .1
    .unwrap();
}
