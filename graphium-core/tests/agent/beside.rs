//! A container that gives way to one that runs beside it first.

use crate::bed::{Bed, deploy, spec, spec_of};
use graphium_core::{
    action::{Action, Refresh},
    environment::Environment,
    inventory::{ContainerStatus, Health},
    runtime::{ContainerSpec, label},
    stack::{Container, HealthCheck, HealthTest, UpdateOrder},
    task::{Task, TaskStatus},
    testing::{Operation, Program, Thing},
};
use std::time::Duration;

/// Another revision of `web`, of this image.
fn newer(image: &str) -> ContainerSpec {
    spec_of("web", Container { image: image.to_owned(), ..Container::default() })
}

/// One with a health check that the engine makes.
fn checked(image: &str) -> ContainerSpec {
    let test = HealthTest::Shell { command: "true".to_owned() };
    let check = HealthCheck { test, interval: None, timeout: None, retries: None, start_period: None };
    spec_of("web", Container { image: image.to_owned(), health_check: Some(check), ..Container::default() })
}

fn start_first(spec: ContainerSpec) -> Action {
    Action::Update { spec: Box::new(spec), order: UpdateOrder::StartFirst, refresh: Refresh::Never }
}

fn bed() -> Bed {
    let bed = Bed::new();
    bed.runtime.put_image("web:2", Program::runs());
    bed.runtime.put_image("bad:1", Program::exits(3).saying(["cannot read /etc/shop.conf"]));
    bed
}

/// Deploys `web`, and forgets what that took.
async fn deployed(bed: &Bed) {
    let [first] = bed.submit([deploy("web")]).await.try_into().unwrap();
    assert_eq!(bed.end_of(&first).await.status, TaskStatus::Completed);
    bed.runtime.clear_calls();
}

/// Has an agent work meanwhile.
fn serve<T>(bed: &Bed, script: impl Future<Output = T>) -> T {
    let (output, ended) = bed.serve(script);
    ended.unwrap();
    output
}

async fn done(bed: &Bed, action: Action) -> Task {
    let [id] = bed.submit_with([action], |task| task.max_retries = 3).await.try_into().unwrap();
    bed.end_of(&id).await
}

/// What there is of `web`: names, images, and whether each runs.
fn there(bed: &Bed) -> Vec<(String, String, bool)> {
    let seen = bed.runtime.containers().into_iter().map(|state| {
        let is_up = state.status() == ContainerStatus::Running;
        (state.observed.name, state.observed.image, is_up)
    });
    seen.collect()
}

fn only(image: &str, is_up: bool) -> Vec<(String, String, bool)> {
    vec![("web".to_owned(), image.to_owned(), is_up)]
}

#[test]
fn the_new_one_runs_before_the_old_one_goes() {
    let bed = bed();
    let task = serve(&bed, async {
        deployed(&bed).await;
        done(&bed, start_first(newer("web:2"))).await
    });
    assert_eq!(task.status, TaskStatus::Completed, "{task:?}");
    let calls = bed.calls();
    let changes: Vec<&str> = calls.iter().map(String::as_str).filter(|call| !call.starts_with("inspect")).collect();
    let expected = [
        "create web.NEXT",
        "start web.NEXT",
        "rename web web.OLD",
        "rename web.NEXT web",
        "stop web.OLD",
        "remove web.OLD",
    ];
    assert_eq!(changes, expected);
    assert_eq!(there(&bed), only("web:2", true));
    let told = task.result.unwrap().data.unwrap();
    assert_eq!((told.name.as_str(), told.image.as_str()), ("web", "web:2"));
    assert_eq!(told.labels[label::TASK], task.id.to_string());
}

#[test]
fn one_that_fails_is_taken_away_and_the_old_one_never_stops() {
    let bed = bed();
    let task = serve(&bed, async {
        deployed(&bed).await;
        done(&bed, start_first(newer("bad:1"))).await
    });
    let error = task.error.unwrap();
    assert_eq!((error.code.as_str(), error.retryable), ("exited", false));
    assert!(error.message.starts_with("container `web` exited with code 3"), "{}", error.message);
    assert!(error.message.ends_with("; the one before it is as it was"), "{}", error.message);
    assert_eq!(error.log, ["cannot read /etc/shop.conf"]);
    assert_eq!(error.help.as_deref(), Some("its last lines say more; it was taken away again"));
    assert_eq!(there(&bed), only("web:1", true));
    assert_eq!((bed.runtime.effects("web").stopped, bed.runtime.effects("web").renamed), (0, 0));
}

#[test]
fn the_old_one_stays_until_the_new_one_is_healthy() {
    let bed = bed();
    bed.runtime.put_image("slow:1", Program::runs().found(Health::Starting));
    serve(&bed, async {
        deployed(&bed).await;
        let [id] = bed.submit([start_first(checked("slow:1"))]).await.try_into().unwrap();
        bed.phase_of(&id, "checking").await;
        bed.sleep(20_000).await;
        assert_eq!(bed.task_now(&id).await.status, TaskStatus::Running);
        assert_eq!(there(&bed).len(), 2);
        assert_eq!(bed.runtime.effects("web").renamed, 0);
        bed.runtime.set_health("web.NEXT", Health::Healthy);
        assert_eq!(bed.end_of(&id).await.status, TaskStatus::Completed);
        assert_eq!(there(&bed), only("slow:1", true));

        bed.runtime.put_image("ill:1", Program::runs().found(Health::Unhealthy));
        let error = done(&bed, start_first(checked("ill:1"))).await.error.unwrap();
        assert_eq!(error.code, "unhealthy", "{error:?}");
        assert!(error.message.contains("`web` runs, and its health check says"), "{}", error.message);
    });
    assert_eq!(there(&bed), only("slow:1", true));
}

#[test]
fn one_that_never_becomes_healthy_is_taken_away_within_its_time() {
    let bed = bed();
    bed.runtime.put_image("slow:1", Program::runs().found(Health::Starting));
    serve(&bed, async {
        deployed(&bed).await;
        let begin = bed.environment.elapsed();
        let change = |task: &mut Task| (task.timeout_seconds, task.max_retries) = (60, 3);
        let [id] = bed.submit_with([start_first(checked("slow:1"))], change).await.try_into().unwrap();
        let error = bed.end_of(&id).await.error.unwrap();
        assert_eq!((error.code.as_str(), error.retryable), ("timed-out", false), "{error:?}");
        assert!(bed.environment.elapsed() - begin < Duration::from_secs(60));
    });
    assert_eq!(there(&bed), only("web:1", true));
}

#[test]
fn what_is_there_already_or_does_not_run_is_replaced_as_always() {
    let bed = bed();
    serve(&bed, async {
        deployed(&bed).await;
        assert_eq!(done(&bed, start_first(spec("web"))).await.result.unwrap().message, "already running");
        bed.runtime.exit("web", 0);
        assert_eq!(done(&bed, start_first(newer("web:2"))).await.status, TaskStatus::Completed);
        bed.runtime.vanish("web");
        assert_eq!(done(&bed, start_first(newer("web:1"))).await.status, TaskStatus::Completed);
    });
    assert_eq!(there(&bed), only("web:1", true));
    assert_eq!(bed.runtime.effects("web.NEXT").created, 0);
}

#[test]
fn a_name_beside_that_somebody_else_has_is_left_to_them() {
    let bed = bed();
    bed.runtime.make_foreign(Thing::Container, "web.NEXT");
    serve(&bed, async {
        deployed(&bed).await;
        let error = done(&bed, start_first(newer("web:2"))).await.error.unwrap();
        assert_eq!(error.code, "name-taken");
        assert_eq!(done(&bed, Action::Delete { name: "web".to_owned() }).await.status, TaskStatus::Completed);
    });
    assert_eq!(there(&bed), [("web.NEXT".to_owned(), "foreign".to_owned(), true)]);
}

const ALONE: &[&str] = &["web"];
const TWO: &[&str] = &["web", "web.NEXT"];
const NAMELESS: &[&str] = &["web.NEXT", "web.OLD"];
const AFTER: &[&str] = &["web", "web.OLD"];

/// Each call of a replacement that changes something, as the agent is killed at it: its kind, how many of it came before, and
/// who is there before its effect and after it.
const STEPS: [(Operation, usize, [&[&str]; 2]); 6] = [
    (Operation::Create, 0, [ALONE, TWO]),
    (Operation::Start, 0, [TWO, TWO]),
    (Operation::Rename, 0, [TWO, NAMELESS]),
    (Operation::Rename, 1, [NAMELESS, AFTER]),
    (Operation::Stop, 0, [AFTER, AFTER]),
    (Operation::Remove, 0, [AFTER, ALONE]),
];

/// A bed whose agent was killed amid a replacement: before a call had its effect, or after it.
fn killed_at(operation: Operation, before: usize, has_effect: bool) -> Bed {
    let bed = bed();
    serve(&bed, async { deployed(&bed).await });
    bed.crash(async {
        let word = operation.to_string();
        let count = |bed: &Bed| bed.calls().iter().filter(|call| call.starts_with(&word)).count();
        bed.submit_with([start_first(newer("web:2"))], |task| task.max_retries = 3).await;
        bed.runtime.set_latency(Duration::from_millis(20));
        // The call is under way for as long as the latency is; then it has its effect at once.
        while count(&bed) <= before {
            bed.sleep(1).await;
        }
        bed.sleep(if has_effect { 21 } else { 5 }).await;
    });
    bed.runtime.set_latency(Duration::ZERO);
    bed
}

#[test]
fn a_replacement_that_was_broken_off_goes_on_whatever_it_was_at() {
    for (operation, before, names) in STEPS {
        for has_effect in [false, true] {
            let bed = killed_at(operation, before, has_effect);
            let at = format!("{operation} {before} {has_effect}: {:?}", there(&bed));
            let left: Vec<String> = there(&bed).into_iter().map(|(name, ..)| name).collect();
            assert_eq!(left, names[usize::from(has_effect)], "{at}");
            assert!(there(&bed).iter().any(|(.., is_up)| *is_up), "{at}");
            serve(&bed, async { bed.end_of(&"task:0001".into()).await });
            assert_eq!(there(&bed), only("web:2", true), "{at}");
            assert!(bed.runtime.effects("web.NEXT").created == 1, "made once: {at}");
        }
    }
}

#[test]
fn what_stands_beside_a_name_that_somebody_else_has_by_now_goes_with_its_removal() {
    let bed = killed_at(Operation::Start, 0, true);
    bed.runtime.vanish("web");
    bed.runtime.make_foreign(Thing::Container, "web");
    serve(&bed, async {
        bed.cancel(&"task:0001".into()).await;
        let error = done(&bed, Action::Delete { name: "web".to_owned() }).await.error.unwrap();
        assert_eq!(error.code, "name-taken");
    });
    assert_eq!(there(&bed), [("web".to_owned(), "foreign".to_owned(), true)]);
}

#[test]
fn whatever_overtakes_a_replacement_leaves_nothing_beside() {
    let name = || "web".to_owned();
    for (operation, before, _) in STEPS {
        for has_effect in [false, true] {
            let overtaking: [(Action, Option<bool>); 6] = [
                (Action::Delete { name: name() }, None),
                (Action::Stop { name: name() }, Some(false)),
                (Action::Restart { name: name() }, Some(true)),
                (start_first(spec("web")), Some(true)),
                (start_first(newer("web:3")), Some(true)),
                (
                    Action::Update {
                        spec: Box::new(spec("web")),
                        order: UpdateOrder::StopFirst,
                        refresh: Refresh::Never,
                    },
                    Some(true),
                ),
            ];
            for (action, is_up) in overtaking {
                let bed = killed_at(operation, before, has_effect);
                bed.runtime.put_image("web:3", Program::runs());
                let at = format!("{action:?} after {operation} {before} {has_effect}: {:?}", there(&bed));
                serve(&bed, async {
                    bed.cancel(&"task:0001".into()).await;
                    let wanted = match &action {
                        Action::Update { spec, .. } => Some(spec.container.image.clone()),
                        _ => None,
                    };
                    assert_eq!(done(&bed, action).await.status, TaskStatus::Completed, "{at}");
                    let left = there(&bed);
                    match is_up {
                        None => assert_eq!(left, [], "{at}"),
                        Some(is_up) => {
                            assert_eq!(
                                (left.len(), left[0].0.as_str(), left[0].2),
                                (1, "web", is_up),
                                "{at}: {left:?}"
                            );
                            assert!(wanted.is_none_or(|image| left[0].1 == image), "{at}: {left:?}");
                        }
                    }
                });
            }
        }
    }
}
