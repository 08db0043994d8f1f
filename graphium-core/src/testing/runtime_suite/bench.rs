//! What the cases share: names of their own, specifications, and a wait.

use super::{RuntimeHarness, Thing, Workload};
use crate::{
    runtime::{ContainerRuntime, ContainerSpec, ContainerState, NetworkSpec, RuntimeError, VolumeSpec, label},
    stack::{Container, Network, TextMap, Volume},
};
use std::{fmt::Debug, sync::Arc, time::Duration};

/// How often and how long it is looked until something is so: ten seconds in all.
const LOOKS: u32 = 500;
const PAUSE: Duration = Duration::from_millis(20);

/// One case's bench.
pub(super) struct Bench<'a> {
    pub(super) harness: &'a dyn RuntimeHarness,
    pub(super) runtime: Arc<dyn ContainerRuntime>,
    number: usize,
}

impl<'a> Bench<'a> {
    pub(super) fn new(harness: &'a dyn RuntimeHarness, number: usize) -> Self {
        Self { harness, runtime: harness.runtime(), number }
    }

    /// A name that no other case uses; the suite uses `a` and `b`.
    pub(super) fn name(&self, which: &str) -> String {
        format!("graphium-suite-{}-{which}", self.number)
    }

    /// Takes away whatever a case may have left, ours and foreign.
    pub(super) async fn clean(&self) {
        for which in ["a", "b"] {
            let name = self.name(which);
            if self.runtime.remove(&name).await.is_err() {
                self.harness.remove_foreign(Thing::Container, &name);
            }
        }
        for which in ["a", "b"] {
            let name = self.name(which);
            if self.runtime.remove_network(&name).await.is_err() {
                self.harness.remove_foreign(Thing::Network, &name);
            }
            if self.runtime.remove_volume(&name).await.is_err() {
                self.harness.remove_foreign(Thing::Volume, &name);
            }
        }
    }

    /// A container that does this.
    pub(super) fn spec(&self, which: &str, workload: Workload) -> ContainerSpec {
        let (image, command) = self.harness.workload(workload);
        let container = Container { name: which.to_owned(), image, command: Some(command), ..Container::default() };
        ContainerSpec { labels: Arc::new(labels()), ..ContainerSpec::new(self.name(which), container) }.sealed()
    }

    pub(super) fn network(&self, which: &str) -> NetworkSpec {
        NetworkSpec { name: self.name(which), network: Network::default(), labels: labels() }
    }

    pub(super) fn volume(&self, which: &str) -> VolumeSpec {
        VolumeSpec { name: self.name(which), volume: Volume::default(), labels: labels() }
    }

    /// Makes and starts a container, and returns its name.
    pub(super) async fn up(&self, spec: &ContainerSpec) -> String {
        ok(self.runtime.create(spec).await);
        ok(self.runtime.start(&spec.name).await);
        spec.name.clone()
    }

    /// A container that must be there.
    pub(super) async fn shown(&self, name: &str) -> ContainerState {
        ok(self.runtime.inspect(name).await).expect("the container is there")
    }

    /// Looks until a container is as it should be.
    pub(super) async fn until(&self, name: &str, so: impl Fn(&ContainerState) -> bool) -> ContainerState {
        for _ in 0..LOOKS {
            let shown = self.shown(name).await;
            if so(&shown) {
                return shown;
            }
            // The suite knows no runtime whose timer it could use; its cases have their threads to themselves.
            std::thread::sleep(PAUSE);
        }
        panic!("`{name}` did not become what it should: {:?}", self.shown(name).await)
    }
}

fn labels() -> TextMap {
    [(label::MANAGED, "true"), (label::STACK, "stack:suite"), ("team", "blue")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// The answer of a call that must succeed.
#[track_caller]
pub(super) fn ok<T>(outcome: Result<T, RuntimeError>) -> T {
    match outcome {
        Ok(answer) => answer,
        Err(error) => panic!("should have succeeded: {error}"),
    }
}

/// Checks that a call failed in this way.
#[track_caller]
pub(super) fn fails<T: Debug>(outcome: Result<T, RuntimeError>, how: impl Fn(&RuntimeError) -> bool, kind: &str) {
    match outcome {
        Err(error) if how(&error) => {}
        other => panic!("should have been {kind}: {other:?}"),
    }
}

/// Checks that a call failed with that kind of error.
macro_rules! fails_as {
    ($outcome:expr, $kind:ident) => {
        $crate::testing::runtime_suite::bench::fails(
            $outcome,
            |error| matches!(error, $crate::runtime::RuntimeError::$kind { .. }),
            stringify!($kind),
        )
    };
}
pub(super) use fails_as;
