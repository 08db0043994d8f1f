//! Restart policies and resources, changed in place.

use crate::bed::{Bed, deploy, deploy_of, spec_of};
use graphium_core::{
    action::{Action, Refresh},
    inventory::ContainerStatus,
    runtime::{LiveSettings, RuntimeError},
    stack::{Container, RestartPolicy, UpdateOrder},
    task::{Task, TaskStatus},
    testing::{Operation, Thing},
};

fn limited(mib: u64) -> Container {
    let mut container = Container { restart_policy: RestartPolicy::Always, ..Container::default() };
    container.resources.limits.memory = Some(mib << 20);
    container
}

fn adjust(name: &str, container: &Container) -> Action {
    Action::Adjust { name: name.to_owned(), settings: Box::new(LiveSettings::of(container)) }
}

async fn done(bed: &Bed, action: Action) -> Task {
    let [id] = bed.submit([action]).await.try_into().unwrap();
    bed.end_of(&id).await
}

#[test]
fn settings_are_set_once_and_the_container_runs_on() {
    let bed = Bed::new();
    let ((first, second), _) = bed.serve(async {
        done(&bed, deploy_of("web", limited(64))).await;
        (done(&bed, adjust("web", &limited(128))).await, done(&bed, adjust("web", &limited(128))).await)
    });
    let result = first.result.unwrap();
    let seen = result.data.unwrap();
    assert_eq!((result.message.as_str(), seen.status), ("adjusted", ContainerStatus::Running));
    assert_eq!(seen.settings, Some(LiveSettings::of(&limited(128))));
    assert_eq!(second.result.unwrap().message, "already so");
    let effects = bed.runtime.effects("web");
    assert_eq!((effects.created, effects.started, effects.adjusted, effects.stopped), (1, 1, 1, 0));
}

#[test]
fn an_answer_that_was_lost_is_found_to_have_had_its_effect() {
    let bed = Bed::new();
    let (task, _) = bed.serve(async {
        done(&bed, deploy_of("web", limited(64))).await;
        bed.runtime.lose_next_answer(Operation::Adjust);
        let ids = bed.submit_with([adjust("web", &limited(128))], |task| task.max_retries = 1).await;
        bed.end_of(&ids[0]).await
    });
    assert_eq!(task.status, TaskStatus::Completed, "{task:?}");
    assert_eq!((task.attempt, task.result.unwrap().message.as_str()), (2, "already so"));
    assert_eq!(bed.runtime.effects("web").adjusted, 1);
}

#[test]
fn what_an_engine_will_not_do_fails_with_its_words_and_leaves_the_container_alone() {
    let bed = Bed::new();
    bed.runtime.make_foreign(Thing::Container, "db");
    let ((busy, unlimited, gone, foreign), _) = bed.serve(async {
        done(&bed, deploy_of("web", limited(64))).await;
        let words = "unable to set memory limit to 8388608 (current usage: 42680320)".to_owned();
        bed.runtime.fail_next(Operation::Adjust, RuntimeError::Refused(words));
        (
            done(&bed, adjust("web", &limited(8))).await.error.unwrap(),
            done(&bed, adjust("web", &Container::default())).await.error.unwrap(),
            done(&bed, adjust("gone", &limited(8))).await.error.unwrap(),
            done(&bed, adjust("db", &limited(8))).await.error.unwrap(),
        )
    });
    assert_eq!((busy.code.as_str(), busy.retryable), ("engine-refused", false));
    assert!(busy.message.contains("current usage: 42680320") && busy.help.is_some(), "{busy:?}");
    assert!(unlimited.message.contains("`resources.limits.memory`"), "{unlimited:?}");
    assert_eq!((gone.code.as_str(), foreign.code.as_str()), ("container-gone", "name-taken"));
    let effects = bed.runtime.effects("web");
    assert_eq!((effects.created, effects.adjusted, effects.removed), (1, 0, 0));
}

#[test]
fn a_container_that_its_new_limits_kill_fails_with_its_exit_code() {
    let bed = Bed::new();
    let (error, _) = bed.serve(async {
        done(&bed, deploy("web")).await;
        let [id] = bed.submit([adjust("web", &limited(8))]).await.try_into().unwrap();
        bed.phase_of(&id, "settling").await;
        bed.runtime.set_settings("web", LiveSettings::of(&Container::default()));
        bed.runtime.exit("web", 137);
        bed.end_of(&id).await.error.unwrap()
    });
    assert_eq!(error.code, "exited");
    assert!(error.message.contains("137"), "{error:?}");
}

#[test]
fn that_an_engine_started_it_again_meanwhile_is_told() {
    let bed = Bed::new();
    let (message, _) = bed.serve(async {
        done(&bed, deploy_of("web", limited(64))).await;
        let [id] = bed.submit([adjust("web", &limited(8))]).await.try_into().unwrap();
        bed.phase_of(&id, "settling").await;
        bed.runtime.exit("web", 137);
        bed.end_of(&id).await.result.unwrap().message
    });
    assert_eq!(message, "adjusted; its process ended meanwhile, and the engine has started it again");
}

#[test]
fn a_replacement_sets_in_place_what_it_can_before_the_start_and_makes_anew_what_it_cannot() {
    let bed = Bed::new();
    let update = |container| Action::Update {
        spec: Box::new(spec_of("web", container)),
        order: UpdateOrder::StopFirst,
        refresh: Refresh::Never,
    };
    bed.serve(async {
        done(&bed, deploy_of("web", limited(64))).await;
        bed.runtime.set_settings("web", LiveSettings { restart_policy: Some(RestartPolicy::No), ..Default::default() });
        bed.runtime.exit("web", 137);
        bed.runtime.clear_calls();
        assert_eq!(done(&bed, update(limited(128))).await.status, TaskStatus::Completed);
        let calls = bed.calls();
        let place = |call: &str| calls.iter().position(|other| other == call);
        assert!(place("adjust web") < place("start web") && place("remove web").is_none(), "{calls:?}");
        assert_eq!(bed.runtime.effects("web").created, 1);
        // The same hash, and yet not the container that is wanted.
        assert_eq!(done(&bed, update(Container::default())).await.status, TaskStatus::Completed);
    })
    .1
    .unwrap();
    let effects = bed.runtime.effects("web");
    assert_eq!((effects.created, effects.removed), (2, 1));
}

#[test]
fn a_deployment_that_finds_its_container_gives_it_its_settings() {
    let bed = Bed::new();
    bed.serve(async {
        done(&bed, deploy_of("web", limited(64))).await;
        let found = done(&bed, deploy_of("web", limited(128))).await.result.unwrap();
        assert_eq!(found.data.unwrap().settings, Some(LiveSettings::of(&limited(128))));
        assert_eq!(bed.runtime.effects("web").created, 1);
        let anew = done(&bed, deploy("web")).await.result.unwrap();
        assert_eq!(anew.data.unwrap().settings, Some(LiveSettings::of(&Container::default())));
    })
    .1
    .unwrap();
    assert_eq!(bed.runtime.effects("web").created, 2);
}

#[test]
fn what_another_changes_on_the_host_is_reported_and_nothing_is_inspected_twice() {
    let bed = Bed::new();
    let told = || {
        let last = bed.link.sights().into_iter().rev().find_map(|report| report.containers).unwrap();
        last.into_iter().find(|seen| seen.name == "web").and_then(|seen| seen.settings)
    };
    bed.serve(async {
        done(&bed, deploy_of("web", limited(64))).await;
        bed.sleep(2000).await;
        assert_eq!(told(), Some(LiveSettings::of(&limited(64))));
        bed.runtime.clear_calls();
        bed.sleep(120_000).await;
        assert!(bed.counts()["list"] > 2);
        assert_eq!(bed.counts().get("inspect web"), None, "it is known");
        bed.runtime.set_settings("web", LiveSettings::of(&limited(32)));
        bed.sleep(2000).await;
        assert_eq!(told(), Some(LiveSettings::of(&limited(32))));
        assert_eq!(bed.counts()["inspect web"], 1);
        // While the engine was away it may have changed again.
        bed.runtime.disconnect();
        bed.runtime.set_settings("web", LiveSettings::of(&limited(16)));
        bed.sleep(2000).await;
        bed.runtime.reconnect();
        bed.sleep(5000).await;
        assert_eq!(told(), Some(LiveSettings::of(&limited(16))));
    })
    .1
    .unwrap();
}
