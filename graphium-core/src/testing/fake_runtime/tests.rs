#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use super::*;
use crate::{
    inventory::ContainerStatus,
    runtime::{ContainerRuntime, ContainerSpec, RuntimeError},
    stack::{Container, RestartPolicy},
    testing::runtime_suite::{Chore, FILE, LISTENS_AT, RuntimeHarness, Workload},
};
use futures::{FutureExt as _, executor::block_on, future::LocalBoxFuture};

struct Harness(FakeRuntime);

fn harness() -> Harness {
    let fake = FakeRuntime::new();
    fake.put_image("runs", Program::runs());
    fake.put_image("listens", Program::runs().listening(LISTENS_AT));
    fake.put_image("speaks", Program::exits(3).saying(["one", "two", "three"]));
    fake.put_image("murmurs", Program::runs().saying(["out"]).complaining(["err"]));
    Harness(fake)
}

impl RuntimeHarness for Harness {
    fn runtime(&self) -> Arc<dyn ContainerRuntime> {
        Arc::new(self.0.clone())
    }

    fn unreachable(&self) -> Option<Arc<dyn ContainerRuntime>> {
        let fake = FakeRuntime::new();
        fake.disconnect();
        Some(Arc::new(fake))
    }

    fn workload(&self, workload: Workload) -> (String, Vec<String>) {
        let image = match workload {
            Workload::Runs => "runs",
            Workload::Speaks => "speaks",
            Workload::Murmurs => "murmurs",
            Workload::Listens => "listens",
        };
        (image.to_owned(), Vec::new())
    }

    fn command(&self, chore: Chore) -> Vec<String> {
        let words: &[&str] = match chore {
            Chore::Echoes => &["cat"],
            Chore::Speaks => &["say", "out", "err", "3"],
            Chore::Measures => &["size"],
            Chore::Waits => &["wait"],
            Chore::Shows => &["show", FILE],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn absent_image(&self) -> String {
        "absent".to_owned()
    }

    fn make_foreign(&self, thing: Thing, name: &str) {
        self.0.make_foreign(thing, name);
    }

    fn remove_foreign(&self, thing: Thing, name: &str) {
        self.0.remove_foreign(thing, name);
    }

    fn block_on(&self, case: LocalBoxFuture<'_, ()>) {
        block_on(case);
    }
}

mod conformance {
    use super::harness;
    crate::runtime_conformance!(harness());
}

fn spec(restart_policy: RestartPolicy) -> ContainerSpec {
    let container = Container { image: "runs".to_owned(), restart_policy, ..Container::default() };
    ContainerSpec::new("c", container)
}

fn up(fake: &FakeRuntime, policy: RestartPolicy) {
    block_on(fake.create(&spec(policy))).unwrap();
    block_on(fake.start("c")).unwrap();
}

fn state(fake: &FakeRuntime) -> crate::runtime::ContainerState {
    block_on(fake.inspect("c")).unwrap().unwrap()
}

#[test]
fn a_lost_answer_has_had_its_effect_and_a_failure_has_not() {
    let fake = harness().0;
    fake.lose_next_answer(Operation::Create);
    let asked = spec(RestartPolicy::No);
    assert!(matches!(block_on(fake.create(&asked)), Err(RuntimeError::TimedOut { .. })));
    assert_eq!(fake.effects("c").created, 1);
    fake.fail_next(Operation::Start, RuntimeError::Failed("no".to_owned()));
    assert!(block_on(fake.start("c")).is_err());
    assert_eq!(fake.effects("c").started, 0);
    block_on(fake.create(&asked)).unwrap();
    block_on(fake.start("c")).unwrap();
    block_on(fake.start("c")).unwrap();
    assert_eq!(fake.effects("c"), Effects { created: 1, started: 1, ..Effects::default() });
    assert_eq!(fake.calls(), ["create c", "start c", "create c", "start c", "start c"]);
}

#[test]
fn a_hung_call_goes_on_when_it_is_released() {
    let fake = harness().0;
    fake.hang(Operation::List);
    let mut list = fake.list();
    assert!((&mut list).now_or_never().is_none());
    assert!(block_on(fake.inspect("c")).is_ok(), "others are not held up");
    fake.release();
    assert!(block_on(list).unwrap().is_empty());
}

#[test]
fn restart_policies_are_followed() {
    let fake = harness().0;
    up(&fake, RestartPolicy::OnFailure(Some(1)));
    fake.exit("c", 1);
    assert_eq!((state(&fake).status(), state(&fake).restart_count), (ContainerStatus::Running, 1));
    fake.exit("c", 1);
    assert_eq!((state(&fake).status(), state(&fake).observed.exit_code), (ContainerStatus::Exited, Some(1)));

    let fake = harness().0;
    fake.set_program("runs", Program::exits(1));
    up(&fake, RestartPolicy::Always);
    assert_eq!(state(&fake).status(), ContainerStatus::Restarting);
    assert_eq!(fake.effects("c").started, 1, "the engine's own restarts are nobody's effect");
}

#[test]
fn an_engine_that_comes_back_has_kept_its_containers() {
    let fake = harness().0;
    up(&fake, RestartPolicy::No);
    fake.disconnect();
    assert!(matches!(block_on(fake.inspect("c")), Err(RuntimeError::Unreachable { .. })));
    fake.reconnect();
    assert_eq!(state(&fake).status(), ContainerStatus::Running);
}
