//! Cases about volumes.

use super::{
    Thing, Workload,
    bench::{Bench, fails_as, ok},
};
use crate::{
    runtime::label,
    stack::{Mount, MountKind},
};
use std::sync::Arc;

pub(super) async fn a_volume_is_made_once_and_removed_twice(bench: &Bench<'_>) {
    let spec = bench.volume("a");
    ok(bench.runtime.create_volume(&spec).await);
    ok(bench.runtime.create_volume(&spec).await);
    let owned = ok(bench.runtime.owned().await).volumes;
    let found: Vec<_> = owned.iter().filter(|(name, _)| *name == spec.name).collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].1.get("team").map(String::as_str), Some("blue"));
    ok(bench.runtime.remove_volume(&spec.name).await);
    ok(bench.runtime.remove_volume(&spec.name).await);
}

pub(super) async fn a_volume_in_use_stays(bench: &Bench<'_>) {
    let volume = bench.volume("a");
    ok(bench.runtime.create_volume(&volume).await);
    let mut spec = bench.spec("a", Workload::Runs);
    let kind = MountKind::Volume { source: Some(volume.name.clone()), no_copy: false, subpath: None };
    Arc::make_mut(&mut spec.container).volume_mounts =
        vec![Mount { kind, target: "/data".to_owned(), read_only: false }];
    let spec = spec.sealed();
    ok(bench.runtime.create(&spec).await);
    fails_as!(bench.runtime.remove_volume(&volume.name).await, InUse);
    ok(bench.runtime.remove(&spec.name).await);
    let owned = ok(bench.runtime.owned().await).volumes;
    assert!(owned.iter().any(|(name, _)| *name == volume.name), "a named volume outlives its container");
    ok(bench.runtime.remove_volume(&volume.name).await);
}

/// An engine makes a volume that a container mounts and that is not there; also for an attempt that was given up, after a removal.
pub(super) async fn a_volume_that_comes_with_a_container_is_its_stacks(bench: &Bench<'_>) {
    let mut spec = bench.spec("a", Workload::Runs);
    let stack = spec.name.clone();
    Arc::make_mut(&mut spec.labels).insert(label::STACK_NAME.to_owned(), stack.clone());
    let volume = format!("{stack}_data");
    let kind = MountKind::Volume { source: Some(volume.clone()), no_copy: false, subpath: None };
    Arc::make_mut(&mut spec.container).volume_mounts =
        vec![Mount { kind, target: "/data".to_owned(), read_only: false }];
    let spec = spec.sealed();
    bench.up(&spec).await;
    ok(bench.runtime.stop(&spec.name, None).await);
    ok(bench.runtime.remove(&spec.name).await);
    let owned = ok(bench.runtime.owned().await).volumes;
    let found = owned.iter().find(|(name, _)| *name == volume).map(|(_, labels)| labels);
    assert_eq!(found.and_then(|labels| labels.get(label::STACK)).map(String::as_str), Some("stack:suite"));
    ok(bench.runtime.remove_volume(&volume).await);
    assert!(ok(bench.runtime.owned().await).volumes.iter().all(|(name, _)| *name != volume));
}

pub(super) async fn a_foreign_volume_stays(bench: &Bench<'_>) {
    let spec = bench.volume("a");
    bench.harness.make_foreign(Thing::Volume, &spec.name);
    ok(bench.runtime.create_volume(&spec).await);
    fails_as!(bench.runtime.remove_volume(&spec.name).await, NameTaken);
    let owned = ok(bench.runtime.owned().await).volumes;
    assert!(owned.iter().all(|(name, _)| *name != spec.name), "its data is somebody else's");
    bench.harness.remove_foreign(Thing::Volume, &spec.name);
}

pub(super) async fn an_external_volume_must_exist(bench: &Bench<'_>) {
    let mut spec = bench.volume("a");
    spec.volume.external = true;
    fails_as!(bench.runtime.create_volume(&spec).await, NotFound);
    bench.harness.make_foreign(Thing::Volume, &spec.name);
    ok(bench.runtime.create_volume(&spec).await);
    bench.harness.remove_foreign(Thing::Volume, &spec.name);
}
