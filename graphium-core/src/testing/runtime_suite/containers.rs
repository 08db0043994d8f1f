//! Cases about containers.

use super::{
    Thing, Workload,
    bench::{Bench, fails_as, ok},
};
use crate::{
    inventory::ContainerStatus,
    runtime::label,
    stack::{EnvValue, EnvVar, Port, Protocol},
};
use std::{net::TcpListener, sync::Arc, time::Duration};

const GRACE: Option<Duration> = Some(Duration::from_secs(2));

pub(super) async fn an_absent_container_is_none_and_no_error(bench: &Bench<'_>) {
    assert_eq!(ok(bench.runtime.inspect(&bench.name("a")).await), None);
}

pub(super) async fn creating_twice_creates_once(bench: &Bench<'_>) {
    let spec = bench.spec("a", Workload::Runs);
    let first = ok(bench.runtime.create(&spec).await);
    assert_eq!(bench.shown(&spec.name).await.status(), ContainerStatus::Created);
    assert_eq!(ok(bench.runtime.create(&spec).await), first);
    ok(bench.runtime.start(&spec.name).await);
    assert_eq!(ok(bench.runtime.create(&spec).await), first, "one that runs is as good");
    assert_eq!(ok(bench.harness.runtime().create(&spec).await), first, "another handle finds it");
}

pub(super) async fn creating_at_the_same_time_creates_once(bench: &Bench<'_>) {
    let spec = bench.spec("a", Workload::Runs);
    let ids = futures::join!(bench.runtime.create(&spec), bench.runtime.create(&spec), bench.runtime.create(&spec));
    let id = ok(ids.0);
    assert_eq!((ok(ids.1), ok(ids.2)), (id.clone(), id));
}

pub(super) async fn another_version_has_the_name(bench: &Bench<'_>) {
    let spec = bench.spec("a", Workload::Runs);
    let id = ok(bench.runtime.create(&spec).await);
    let mut other = spec.clone();
    Arc::make_mut(&mut other.container).hostname = Some("other".to_owned());
    fails_as!(bench.runtime.create(&other.clone().sealed()).await, NameTaken);
    assert_eq!(bench.shown(&spec.name).await.observed.id, id, "the first one stays");
    ok(bench.runtime.remove(&spec.name).await);
    ok(bench.runtime.create(&other.sealed()).await);
}

pub(super) async fn a_container_made_anew_is_the_one_that_is_meant(bench: &Bench<'_>) {
    let spec = bench.spec("a", Workload::Runs);
    let first = ok(bench.runtime.create(&spec).await);
    // Somebody else replaces it; what is remembered of the first must not stand in the way.
    let other = bench.harness.runtime();
    ok(other.remove(&spec.name).await);
    let second = ok(other.create(&spec).await);
    assert_ne!(first, second);
    ok(bench.runtime.start(&spec.name).await);
    assert_eq!(bench.shown(&spec.name).await.status(), ContainerStatus::Running);
    ok(bench.runtime.stop(&spec.name, GRACE).await);
    ok(bench.runtime.remove(&spec.name).await);
    assert_eq!(ok(bench.runtime.inspect(&spec.name).await), None);
}

pub(super) async fn a_foreign_container_is_shown_and_never_touched(bench: &Bench<'_>) {
    let (runtime, name) = (&bench.runtime, bench.name("a"));
    bench.harness.make_foreign(Thing::Container, &name);
    let before = bench.shown(&name).await;
    assert!(!before.is_managed());
    fails_as!(runtime.create(&bench.spec("a", Workload::Runs)).await, NameTaken);
    fails_as!(runtime.start(&name).await, NameTaken);
    fails_as!(runtime.stop(&name, GRACE).await, NameTaken);
    fails_as!(runtime.remove(&name).await, NameTaken);
    assert_eq!(bench.shown(&name).await.status(), before.status());
    let listed = ok(runtime.list().await);
    assert!(listed.iter().any(|container| container.observed.id == before.observed.id));
    bench.harness.remove_foreign(Thing::Container, &name);
}

pub(super) async fn an_absent_image_is_image_not_found(bench: &Bench<'_>) {
    let mut spec = bench.spec("a", Workload::Runs);
    Arc::make_mut(&mut spec.container).image = bench.harness.absent_image();
    fails_as!(bench.runtime.create(&spec.sealed()).await, ImageNotFound);
    assert_eq!(ok(bench.runtime.inspect(&bench.name("a")).await), None);
}

pub(super) async fn an_unresolved_variable_is_refused(bench: &Bench<'_>) {
    let mut spec = bench.spec("a", Workload::Runs);
    Arc::make_mut(&mut spec.container).environment =
        vec![EnvVar { name: "PASSWORD".to_owned(), value: EnvValue::FromSecret("db".to_owned()) }];
    let outcome = bench.runtime.create(&spec.sealed()).await;
    assert!(outcome.as_ref().is_err_and(|error| error.to_string().contains("PASSWORD")), "the variable is named");
    fails_as!(outcome, Refused);
}

pub(super) async fn a_container_goes_on_under_another_name(bench: &Bench<'_>) {
    let (runtime, a, b) = (&bench.runtime, bench.name("a"), bench.name("b"));
    let spec = bench.spec("a", Workload::Runs);
    ok(runtime.create(&spec).await);
    ok(runtime.rename(&a, &b).await);
    // There and back, before its start and while it runs, and each once more.
    ok(runtime.rename(&a, &b).await);
    ok(runtime.start(&b).await);
    let before = bench.shown(&b).await;
    ok(runtime.rename(&b, &a).await);
    ok(bench.harness.runtime().rename(&b, &a).await);
    assert_eq!(ok(runtime.inspect(&b).await), None);
    let after = bench.shown(&a).await;
    assert_eq!((&after.observed.id, &after.observed.name), (&before.observed.id, &a));
    assert_eq!(
        (after.status(), after.started_at, &after.observed.labels),
        (ContainerStatus::Running, before.started_at, &before.observed.labels),
        "it runs on"
    );
    // Whoever takes the old name is another.
    let second = bench.up(&bench.spec("b", Workload::Runs)).await;
    ok(runtime.stop(&second, GRACE).await);
    assert_eq!(bench.shown(&a).await.status(), ContainerStatus::Running);
    ok(runtime.rename(&a, &a).await);
    ok(runtime.remove(&a).await);
    assert_eq!(ok(runtime.inspect(&a).await), None);
    assert_eq!(bench.shown(&b).await.status(), ContainerStatus::Exited);
}

pub(super) async fn a_name_that_is_taken_is_given_to_no_other(bench: &Bench<'_>) {
    let (runtime, a, b) = (&bench.runtime, bench.name("a"), bench.name("b"));
    let first = ok(runtime.create(&bench.spec("a", Workload::Runs)).await);
    let second = ok(runtime.create(&bench.spec("b", Workload::Runs)).await);
    fails_as!(runtime.rename(&a, &b).await, NameTaken);
    ok(runtime.remove(&b).await);
    bench.harness.make_foreign(Thing::Container, &b);
    fails_as!(runtime.rename(&a, &b).await, NameTaken);
    assert_ne!(bench.shown(&b).await.observed.id, second);
    assert_eq!(bench.shown(&a).await.observed.id, first);
    bench.harness.remove_foreign(Thing::Container, &b);
}

pub(super) async fn only_what_is_there_and_ours_is_renamed(bench: &Bench<'_>) {
    let (runtime, a, b) = (&bench.runtime, bench.name("a"), bench.name("b"));
    fails_as!(runtime.rename(&a, &b).await, NotFound);
    bench.harness.make_foreign(Thing::Container, &a);
    fails_as!(runtime.rename(&a, &b).await, NameTaken);
    fails_as!(runtime.rename(&b, &a).await, NameTaken);
    assert!(!bench.shown(&a).await.is_managed());
    bench.harness.remove_foreign(Thing::Container, &a);
}

pub(super) async fn starting_twice_starts_once(bench: &Bench<'_>) {
    let name = bench.up(&bench.spec("a", Workload::Runs)).await;
    let first = bench.shown(&name).await;
    assert_eq!(first.status(), ContainerStatus::Running);
    assert_eq!(first.observed.exit_code, None);
    ok(bench.runtime.start(&name).await);
    assert_eq!(bench.shown(&name).await.started_at, first.started_at);
}

pub(super) async fn starting_what_is_absent_is_not_found(bench: &Bench<'_>) {
    fails_as!(bench.runtime.start(&bench.name("a")).await, NotFound);
}

pub(super) async fn stopping_twice_or_what_is_absent_succeeds(bench: &Bench<'_>) {
    ok(bench.runtime.stop(&bench.name("b"), GRACE).await);
    let name = bench.up(&bench.spec("a", Workload::Runs)).await;
    ok(bench.runtime.stop(&name, GRACE).await);
    assert_eq!(bench.shown(&name).await.status(), ContainerStatus::Exited);
    ok(bench.runtime.stop(&name, None).await);
    ok(bench.runtime.start(&name).await);
    assert_eq!(bench.shown(&name).await.status(), ContainerStatus::Running);
}

pub(super) async fn removing_twice_succeeds_and_ends_what_runs(bench: &Bench<'_>) {
    let name = bench.up(&bench.spec("a", Workload::Runs)).await;
    ok(bench.runtime.remove(&name).await);
    assert_eq!(ok(bench.runtime.inspect(&name).await), None);
    ok(bench.runtime.remove(&name).await);
}

pub(super) async fn labels_are_seen_again(bench: &Bench<'_>) {
    let spec = bench.spec("a", Workload::Runs);
    ok(bench.runtime.create(&spec).await);
    let shown = bench.shown(&spec.name).await;
    let all = ok(bench.runtime.list().await);
    let listed = all.into_iter().find(|container| container.observed.name == spec.name).expect("it is listed");
    for state in [shown, listed] {
        assert!(state.is_managed());
        assert_eq!(state.observed.label(label::HASH), Some(&*spec.planned_hash().to_string()));
        assert_eq!(state.observed.label("team"), Some("blue"));
        assert_eq!(state.observed.stack().as_ref().map(AsRef::as_ref), Some("stack:suite"));
        assert_eq!(state.observed.image, spec.container.image);
        assert_eq!(state.status(), ContainerStatus::Created);
    }
}

pub(super) async fn an_exit_code_and_the_last_lines_are_kept(bench: &Bench<'_>) {
    let name = bench.up(&bench.spec("a", Workload::Speaks)).await;
    let ended = bench.until(&name, |shown| shown.status() == ContainerStatus::Exited).await;
    assert_eq!(ended.observed.exit_code, Some(3));
    assert_eq!(ok(bench.runtime.last_lines(&name, 2).await), ["two", "three"]);
    assert_eq!(ok(bench.runtime.last_lines(&name, 20).await), ["one", "two", "three"]);
    fails_as!(bench.runtime.last_lines(&bench.name("b"), 2).await, NotFound);
    let all = ok(bench.runtime.list().await);
    let listed = all.iter().find(|container| container.observed.name == name).expect("it is listed");
    assert_eq!((listed.status(), listed.observed.exit_code), (ContainerStatus::Exited, Some(3)));
}

pub(super) async fn a_taken_port_is_port_taken(bench: &Bench<'_>) {
    let port = free_port();
    let [mut first, mut second] = ["a", "b"].map(|which| bench.spec(which, Workload::Runs));
    Arc::make_mut(&mut first.container).ports = vec![published(Some(port))];
    Arc::make_mut(&mut second.container).ports = vec![published(Some(port))];
    let holder = bench.up(&first.sealed()).await;
    let second = second.sealed();
    ok(bench.runtime.create(&second).await);
    fails_as!(bench.runtime.start(&second.name).await, PortTaken);
    ok(bench.runtime.stop(&holder, GRACE).await);
    ok(bench.runtime.start(&second.name).await);
}

pub(super) async fn a_published_port_is_seen(bench: &Bench<'_>) {
    let port = free_port();
    let mut spec = bench.spec("a", Workload::Runs);
    Arc::make_mut(&mut spec.container).ports =
        vec![published(Some(port)), Port { container_port: 81, ..published(None) }];
    let name = bench.up(&spec.sealed()).await;
    let all = ok(bench.runtime.list().await);
    let listed = all.into_iter().find(|container| container.observed.name == name).expect("it is listed");
    for state in [bench.shown(&name).await, listed] {
        let ports: Vec<_> = state.observed.ports.iter().map(|port| (port.container_port, port.host_port)).collect();
        assert_eq!(ports.len(), 2, "{ports:?}");
        assert_eq!(ports[0], (80, Some(port)));
        assert!(matches!(ports[1], (81, Some(chosen)) if chosen != port), "{ports:?}");
        assert_eq!(state.observed.ports[0].host_ip, None, "published on all addresses");
    }
}

fn published(host_port: Option<u16>) -> Port {
    Port { container_port: 80, host_port, protocol: Protocol::Tcp, host_ip: None }
}

/// A port that nothing holds at this moment.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("0.0.0.0", 0)).expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}
