//! Cases about images and the engine itself.

use super::{
    Workload,
    bench::{Bench, fails_as, ok},
};
use crate::{
    runtime::{ContainerRuntime, ImageRequest, LiveSettings, LogQuery, PullObserver},
    stack::{HealthTest, PullPolicy},
};
use futures::StreamExt as _;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Counts what it is told.
#[derive(Default)]
struct Told(AtomicUsize);

impl PullObserver for Told {
    fn progress(&self, done: u64, total: u64, _message: &str) {
        assert!(done <= total);
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// An image of the engine's own platform.
fn asked(image: &str, policy: PullPolicy) -> ImageRequest<'_> {
    ImageRequest { image, platform: None, policy }
}

pub(super) async fn a_present_image_asks_no_registry(bench: &Bench<'_>) {
    let (image, _) = bench.harness.workload(Workload::Runs);
    let told = Told::default();
    let first = ok(bench.runtime.pull(asked(&image, PullPolicy::IfNotPresent), &told).await);
    let second = ok(bench.runtime.pull(asked(&image, PullPolicy::Never), &told).await);
    assert!(!first.id.is_empty() && first == second, "{first:?} and {second:?}");
    assert_eq!(told.0.into_inner(), 0, "nothing has arrived");
}

pub(super) async fn a_container_tells_which_image_it_was_made_from(bench: &Bench<'_>) {
    // Both may be commands of one image.
    for (which, workload) in [("a", Workload::Runs), ("b", Workload::Speaks)] {
        let (image, _) = bench.harness.workload(workload);
        let present = ok(bench.runtime.pull(asked(&image, PullPolicy::Never), &Told::default()).await);
        let spec = bench.spec(which, workload);
        ok(bench.runtime.create(&spec).await);
        assert_eq!(bench.shown(&spec.name).await.image_id, Some(present.id), "{image}");
    }
}

pub(super) async fn an_absent_image_is_not_pulled_by_never(bench: &Bench<'_>) {
    let image = bench.harness.absent_image();
    fails_as!(bench.runtime.pull(asked(&image, PullPolicy::Never), &Told::default()).await, ImageNotFound);
}

pub(super) async fn a_present_image_of_another_platform_is_absent(bench: &Bench<'_>) {
    let (image, _) = bench.harness.workload(Workload::Runs);
    let own = ok(bench.runtime.info().await).platform;
    let never = |platform| ImageRequest { platform: Some(platform), ..asked(&image, PullPolicy::Never) };
    ok(bench.runtime.pull(never(&own), &Told::default()).await);
    let other = if own.contains("s390x") { "linux/ppc64le" } else { "linux/s390x" };
    fails_as!(bench.runtime.pull(never(other), &Told::default()).await, ImageNotFound);
    let mut spec = bench.spec("p", Workload::Runs);
    Arc::make_mut(&mut spec.container).platform = Some(other.to_owned());
    fails_as!(bench.runtime.create(&spec.sealed()).await, ImageNotFound);
}

pub(super) async fn an_engine_says_what_it_is_and_what_it_can_do(bench: &Bench<'_>) {
    let info = ok(bench.runtime.info().await);
    assert!(!info.endpoint.is_empty() && !info.version.is_empty() && !info.api_version.is_empty());
    assert!(info.cpus > 0.0 && info.memory > 0);
    assert!(info.platform.contains('/'), "{}", info.platform);
    // What it does not know it leaves out; what it says must be so.
    let can = &info.capabilities;
    assert!(can.platforms.is_empty() || can.platforms.contains(&info.platform), "{can:?}");
    assert!(can.api_version.is_none_or(|version| version.to_string() == info.api_version), "{can:?}");
    for runtime in can.runtimes.iter().filter(|name| *name == "runc") {
        let mut spec = bench.spec("b", Workload::Runs);
        Arc::make_mut(&mut spec.container).runtime = Some(runtime.clone());
        ok(bench.runtime.create(&spec.sealed()).await);
    }
    assert_eq!(ok(bench.runtime.info().await).engine_id, info.engine_id);
}

pub(super) async fn changes_since_the_watch_are_told(bench: &Bench<'_>) {
    let spec = bench.spec("a", Workload::Speaks);
    let mut changes = ok(bench.runtime.watch().await);
    // What happens between the call and the first look at the stream counts too.
    bench.up(&spec).await;
    for action in ["create", "start", "die"] {
        loop {
            let change = ok(changes.next().await.expect("the stream goes on"));
            if change.name == spec.name && change.action == action {
                break;
            }
        }
    }
}

/// Every call says so; none takes silence for absence.
pub(super) async fn an_engine_that_does_not_answer_is_unreachable(away: &dyn ContainerRuntime) {
    let name = "graphium-suite-away";
    fails_as!(away.info().await, Unreachable);
    fails_as!(away.inspect(name).await, Unreachable);
    fails_as!(away.list().await, Unreachable);
    fails_as!(away.probe(name, &HealthTest::Tcp { port: 80 }, Duration::from_secs(1)).await, Unreachable);
    fails_as!(away.owned().await, Unreachable);
    fails_as!(away.start(name).await, Unreachable);
    fails_as!(away.adjust(name, &LiveSettings::default()).await, Unreachable);
    fails_as!(away.stop(name, None).await, Unreachable);
    fails_as!(away.remove(name).await, Unreachable);
    fails_as!(away.remove_network(name).await, Unreachable);
    fails_as!(away.remove_volume(name).await, Unreachable);
    fails_as!(away.last_lines(name, 1).await, Unreachable);
    fails_as!(away.logs(name, LogQuery::default()).await, Unreachable);
    fails_as!(away.pull(asked("graphium-suite", PullPolicy::IfNotPresent), &Told::default()).await, Unreachable);
    assert!(away.watch().await.is_err());
}
