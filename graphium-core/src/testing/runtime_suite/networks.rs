//! Cases about networks.

use super::{
    Thing, Workload,
    bench::{Bench, fails_as, ok},
};

pub(super) async fn a_network_is_made_once_and_removed_twice(bench: &Bench<'_>) {
    let spec = bench.network("a");
    let ours = async || {
        let owned = ok(bench.runtime.owned().await).networks;
        owned.into_iter().filter(|(name, _)| *name == spec.name).collect::<Vec<_>>()
    };
    let made = futures::join!(bench.runtime.create_network(&spec), bench.runtime.create_network(&spec));
    ok(made.0);
    ok(made.1);
    ok(bench.runtime.create_network(&spec).await);
    let found = ours().await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].1.get("team").map(String::as_str), Some("blue"));
    ok(bench.runtime.remove_network(&spec.name).await);
    assert!(ours().await.is_empty());
    ok(bench.runtime.remove_network(&spec.name).await);
}

pub(super) async fn a_network_in_use_stays(bench: &Bench<'_>) {
    let network = bench.network("a");
    ok(bench.runtime.create_network(&network).await);
    let mut spec = bench.spec("a", Workload::Runs);
    spec.network = Some(network.name.as_str().into());
    spec.aliases = vec!["web".to_owned()];
    let name = bench.up(&spec.sealed()).await;
    assert!(bench.shown(&name).await.observed.ip_address.is_some());
    fails_as!(bench.runtime.remove_network(&network.name).await, InUse);
    ok(bench.runtime.remove(&name).await);
    ok(bench.runtime.remove_network(&network.name).await);
}

pub(super) async fn a_foreign_network_keeps_its_name(bench: &Bench<'_>) {
    let spec = bench.network("a");
    bench.harness.make_foreign(Thing::Network, &spec.name);
    fails_as!(bench.runtime.create_network(&spec).await, NameTaken);
    fails_as!(bench.runtime.remove_network(&spec.name).await, NameTaken);
    let owned = ok(bench.runtime.owned().await).networks;
    assert!(owned.iter().all(|(name, _)| *name != spec.name));
    bench.harness.remove_foreign(Thing::Network, &spec.name);
    ok(bench.runtime.create_network(&spec).await);
}

pub(super) async fn an_external_network_must_exist(bench: &Bench<'_>) {
    let mut spec = bench.network("a");
    spec.network.external = true;
    fails_as!(bench.runtime.create_network(&spec).await, NotFound);
    bench.harness.make_foreign(Thing::Network, &spec.name);
    ok(bench.runtime.create_network(&spec).await);
    bench.harness.remove_foreign(Thing::Network, &spec.name);
}
