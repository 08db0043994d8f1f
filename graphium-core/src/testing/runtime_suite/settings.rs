//! Cases about what changes in place.

use super::{
    Thing, Workload,
    bench::{Bench, fails_as, ok},
};
use crate::{
    inventory::ContainerStatus,
    runtime::{ContainerChange, ContainerSpec, ContainerState, LiveSettings, LiveStep},
    stack::{Limits, Reservations, Resources, RestartPolicy},
};
use futures::StreamExt as _;
use std::sync::Arc;

const MIB: u64 = 1 << 20;

fn with(mut spec: ContainerSpec, resources: Resources, policy: RestartPolicy) -> ContainerSpec {
    let container = Arc::make_mut(&mut spec.container);
    (container.resources, container.restart_policy) = (resources, policy);
    spec.sealed()
}

fn memory(mib: u64) -> Resources {
    Resources { limits: Limits { memory: Some(mib * MIB), ..Limits::default() }, ..Resources::default() }
}

/// Whether a container has settings, as far as its engine holds it to them.
fn has(state: &ContainerState, settings: &LiveSettings) -> bool {
    let shown = state.observed.settings.expect("an inspection shows settings");
    shown.restart_policy.is_some() && shown.step_to(settings) == LiveStep::None
}

pub(super) async fn settings_change_in_place_and_are_read_back(bench: &Bench<'_>) {
    let spec = bench.spec("a", Workload::Runs).sealed();
    let name = bench.up(&spec).await;
    let before = bench.shown(&name).await;
    assert!(has(&before, &LiveSettings::of(&spec.container)), "{before:?}");
    let limits = Limits { cpus: Some(0.5), pids: Some(50), ..memory(64).limits };
    let reservations = Reservations { cpus: Some(0.25), memory: Some(32 * MIB) };
    let more = Limits { memory: Some(128 * MIB), memory_swap: Some(-1), ..limits.clone() };
    let less = Limits { memory: Some(32 * MIB), pids: None, ..limits.clone() };
    let resources = |limits| Resources { limits, reservations: reservations.clone() };
    for (limits, policy) in
        [(limits, RestartPolicy::OnFailure(Some(3))), (more, RestartPolicy::UnlessStopped), (less, RestartPolicy::No)]
    {
        let wanted = LiveSettings::of(&with(spec.clone(), resources(limits), policy).container);
        for _ in 0..2 {
            ok(bench.runtime.adjust(&name, &wanted).await);
            let after = bench.shown(&name).await;
            assert!(has(&after, &wanted), "{after:?} should have {wanted:?}");
            assert_eq!((&after.observed.id, after.started_at), (&before.observed.id, before.started_at));
            assert_eq!(after.status(), ContainerStatus::Running);
        }
    }
    // Made with them, it shows the same.
    let other = with(bench.spec("b", Workload::Runs), resources(memory(64).limits), RestartPolicy::Always);
    ok(bench.runtime.create(&other).await);
    let made = bench.shown(&other.name).await;
    assert!(has(&made, &LiveSettings::of(&other.container)), "{made:?}");
}

pub(super) async fn settings_that_are_not_named_stay(bench: &Bench<'_>) {
    let spec = with(bench.spec("a", Workload::Runs), memory(64), RestartPolicy::OnFailure(None));
    // One that was never started can be adjusted too.
    ok(bench.runtime.create(&spec).await);
    let policy = LiveSettings { restart_policy: Some(RestartPolicy::Always), ..LiveSettings::default() };
    ok(bench.runtime.adjust(&spec.name, &policy).await);
    let wanted = policy.or(LiveSettings::of(&spec.container));
    let shown = bench.shown(&spec.name).await;
    assert!(has(&shown, &wanted), "{shown:?}");
    assert_eq!(shown.status(), ContainerStatus::Created);
}

pub(super) async fn a_limit_cannot_be_taken_away_in_place(bench: &Bench<'_>) {
    let spec = with(bench.spec("a", Workload::Runs), memory(64), RestartPolicy::No);
    let name = bench.up(&spec).await;
    let unlimited = with(spec.clone(), Resources::default(), RestartPolicy::Always);
    let outcome = bench.runtime.adjust(&name, &LiveSettings::of(&unlimited.container)).await;
    assert!(outcome.as_ref().is_err_and(|error| error.to_string().contains("resources.limits.memory")), "{outcome:?}");
    fails_as!(outcome, Refused);
    let shown = bench.shown(&name).await;
    assert!(has(&shown, &LiveSettings::of(&spec.container)), "nothing is half done: {shown:?}");
}

pub(super) async fn other_settings_are_told(bench: &Bench<'_>) {
    let spec = bench.spec("a", Workload::Runs);
    ok(bench.runtime.create(&spec).await);
    let mut changes = ok(bench.runtime.watch().await);
    let policy = LiveSettings { restart_policy: Some(RestartPolicy::Always), ..LiveSettings::default() };
    ok(bench.runtime.adjust(&spec.name, &policy).await);
    // The last thing that is told: where settings are not, the case fails and does not wait for ever.
    ok(bench.runtime.remove(&spec.name).await);
    let mut is_told = false;
    loop {
        let change = ok(changes.next().await.expect("the stream goes on"));
        is_told |= change.name == spec.name && change.action == ContainerChange::UPDATE;
        if change.name == spec.name && change.action == "destroy" {
            break;
        }
    }
    assert!(is_told, "nothing was told of other settings");
}

pub(super) async fn only_what_is_there_and_ours_is_adjusted(bench: &Bench<'_>) {
    let policy = LiveSettings { restart_policy: Some(RestartPolicy::Always), ..LiveSettings::default() };
    fails_as!(bench.runtime.adjust(&bench.name("a"), &policy).await, NotFound);
    let name = bench.name("b");
    bench.harness.make_foreign(Thing::Container, &name);
    fails_as!(bench.runtime.adjust(&name, &policy).await, NameTaken);
    assert!(!has(&bench.shown(&name).await, &policy));
    bench.harness.remove_foreign(Thing::Container, &name);
}
