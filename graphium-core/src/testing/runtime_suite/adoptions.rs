//! Cases about containers that others have made, and that become ours as they are.

use super::{
    Thing, Workload,
    bench::{Bench, fails_as, ok},
};
use crate::runtime::{Adoption, ContainerSpec, label};
use std::time::Duration;

const GRACE: Option<Duration> = Some(Duration::from_secs(2));

/// The stack's container `b` in the suite's network.
fn wanted(bench: &Bench<'_>) -> ContainerSpec {
    let spec = bench.spec("b", Workload::Runs);
    ContainerSpec { network: Some(bench.name("a").into()), ..spec }.sealed()
}

pub(super) async fn any_container_is_described_by_its_id(bench: &Bench<'_>) {
    assert_eq!(ok(bench.runtime.describe(&"0".repeat(64)).await), None);
    let spec = bench.spec("a", Workload::Runs);
    let own = ok(bench.runtime.create(&spec).await);
    let shown = ok(bench.runtime.describe(&own).await).expect("it is there");
    assert_eq!((&shown.name, &shown.container.image), (&spec.name, &spec.container.image));
    assert_eq!(shown.container.command, spec.container.command);
    assert_eq!(shown.container.labels.get("team").map(String::as_str), Some("blue"));
    ok(bench.runtime.remove(&spec.name).await);
    bench.harness.make_foreign(Thing::Container, &spec.name);
    let foreign = bench.shown(&spec.name).await.observed;
    let shown = ok(bench.runtime.describe(&foreign.id).await).expect("it is there");
    assert_eq!((shown.name, shown.container.image), (foreign.name, foreign.image));
    bench.harness.remove_foreign(Thing::Container, &spec.name);
}

pub(super) async fn an_adopted_container_is_the_same_and_one_of_ours(bench: &Bench<'_>) {
    let (runtime, a, b) = (&bench.runtime, bench.name("a"), bench.name("b"));
    ok(runtime.create_network(&bench.network("a")).await);
    bench.harness.make_foreign(Thing::Container, &a);
    let before = bench.shown(&a).await;
    let adoption = Adoption::of(&before.observed.id, &wanted(bench));
    // Twice, for an answer may be lost.
    ok(runtime.adopt(&adoption).await);
    ok(runtime.adopt(&adoption).await);
    assert_eq!(ok(runtime.inspect(&a).await), None);
    let listed = ok(runtime.list().await).into_iter().find(|one| one.observed.name == b).expect("it is listed");
    for after in [bench.shown(&b).await, listed] {
        assert_eq!(after.observed.id, before.observed.id);
        assert_eq!((after.status(), after.is_managed()), (before.status(), true));
        assert_eq!(after.observed.stack().as_ref().map(AsRef::as_ref), Some("stack:suite"));
        assert_eq!(after.observed.label(label::HASH), adoption.labels.get(label::HASH).map(String::as_str));
    }
    let after = bench.shown(&b).await;
    assert_eq!((after.started_at, after.restart_count), (before.started_at, before.restart_count));
    let shown = ok(runtime.describe(&before.observed.id).await).expect("it is there");
    let names = shown.networks.get(&a).expect("it has joined the network");
    assert!(names.contains(&"b".to_owned()), "{names:?}");

    // Who does not know of it takes it for what it was, and who is told of it for ours again.
    runtime.recall(&[]);
    assert!(!bench.shown(&b).await.is_managed());
    fails_as!(runtime.stop(&b, GRACE).await, NameTaken);
    fails_as!(runtime.remove(&b).await, NameTaken);
    fails_as!(runtime.rename(&b, &a).await, NameTaken);
    runtime.recall(std::slice::from_ref(&adoption));
    assert!(bench.shown(&b).await.is_managed());
    ok(runtime.stop(&b, GRACE).await);
    ok(runtime.remove(&b).await);
    assert_eq!(ok(runtime.inspect(&b).await), None);
}

pub(super) async fn a_container_of_another_stack_is_shown_as_that_of_its_new_one(bench: &Bench<'_>) {
    let (runtime, a) = (&bench.runtime, bench.name("a"));
    let id = ok(runtime.create(&bench.spec("a", Workload::Runs)).await);
    let mut adoption = Adoption::of(&id, &bench.spec("a", Workload::Runs));
    adoption.labels.insert(label::STACK.to_owned(), "stack:heir".to_owned());
    ok(runtime.adopt(&adoption).await);
    let shown = bench.shown(&a).await.observed;
    assert_eq!((shown.id.as_str(), shown.label(label::STACK)), (id.as_str(), Some("stack:heir")));
    assert_eq!(shown.label("team"), Some("blue"), "labels of others stay");
}

pub(super) async fn what_is_not_there_and_a_name_that_is_taken_are_not_adopted(bench: &Bench<'_>) {
    let (runtime, a, b) = (&bench.runtime, bench.name("a"), bench.name("b"));
    let spec = ContainerSpec { network: None, ..wanted(bench) };
    fails_as!(runtime.adopt(&Adoption::of("0".repeat(64), &spec)).await, NotFound);
    bench.harness.make_foreign(Thing::Container, &a);
    let foreign = bench.shown(&a).await.observed.id;
    let holder = ok(runtime.create(&bench.spec("b", Workload::Runs)).await);
    fails_as!(runtime.adopt(&Adoption::of(&foreign, &spec)).await, NameTaken);
    ok(runtime.remove(&b).await);
    fails_as!(runtime.adopt(&Adoption::of(&foreign, &wanted(bench))).await, NotFound);
    let shown = bench.shown(&a).await;
    assert_eq!((shown.observed.id, shown.observed.labels.get(label::STACK)), (foreign, None));
    assert_eq!(ok(runtime.inspect(&b).await).map(|state| state.observed.id), None, "{holder} went, and nothing came");
    fails_as!(runtime.remove(&a).await, NameTaken);
    bench.harness.remove_foreign(Thing::Container, &a);
}
