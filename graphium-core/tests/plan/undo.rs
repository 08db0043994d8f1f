//! Carrying out a plan and then its undo leaves everything as it was, except for what the undo says.

use crate::planning::{some_estate, some_resources, some_stack};
use graphium_core::{
    action::Action,
    id::StackId,
    inventory::{ContainerStatus, Inventory, ObservedContainer, ObservedPort},
    plan::{
        Applied, Lasting, LastingKind, Options, Plan, PlannedTask, StackAction, Undo, UndoStep, fixtures::*, plan,
        plan_action, plan_removal,
    },
    runtime::{LiveSettings, label},
    stack::{Condition, Container, Dependency, EnvValue, EnvVar, Mount, MountKind, Stack, TextMap},
};
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeSet;

/// What counts of a container.
#[derive(Debug, PartialEq)]
struct Looks {
    labels: TextMap,
    image: String,
    ports: Vec<ObservedPort>,
    settings: Option<LiveSettings>,
    runs: bool,
}

fn looks(seen: &ObservedContainer) -> Looks {
    Looks {
        labels: seen.labels.clone(),
        image: seen.image.clone(),
        ports: seen.ports.clone(),
        settings: seen.settings,
        runs: seen.status == ContainerStatus::Running,
    }
}

/// The steps in another order that their dependencies allow.
fn shuffled(undo: &Undo, mut seed: u64) -> Vec<&UndoStep> {
    let mut left: Vec<&UndoStep> = undo.steps.iter().collect();
    let mut done = BTreeSet::new();
    let mut order = Vec::new();
    while !left.is_empty() {
        let is_ready = |step: &UndoStep| step.depends_on.iter().all(|id| done.contains(id.as_str()));
        let ready: Vec<usize> = (0..left.len()).filter(|&number| is_ready(left[number])).collect();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let step = left.remove(ready[usize::try_from(seed >> 33).unwrap() % ready.len()]);
        done.insert(step.id.as_str());
        order.push(step);
    }
    order
}

fn check_steps(undo: &Undo) -> Result<(), TestCaseError> {
    let mut seen = BTreeSet::new();
    for step in &undo.steps {
        for first in &step.depends_on {
            prop_assert!(seen.contains(first.as_str()), "{} waits for {first}, which does not come before it", step.id);
        }
        prop_assert!(seen.insert(step.id.as_str()), "{} is there twice", step.id);
    }
    Ok(())
}

/// Carries out the plan and then its undo, and compares.
pub(crate) fn check_round(plan: &Plan, before: &Estate, seed: u64) -> Result<(), TestCaseError> {
    use LastingKind::{Data, Definition, Drifted, Image, Network, State, Unseen, Volume};
    let undo = plan.undo();
    check_steps(&undo)?;
    let mut before = before.clone();
    // Another's container under a name of ours: no engine lets it be replaced, so there is nothing to be compared.
    before.containers.retain(|_, seen| seen.label(label::STACK).is_some() || seen.name.starts_with("foreign"));
    let mut after = before.clone();
    plan.tasks.iter().for_each(|task| after.carry_out(&task.host, &task.action));
    let is_known = undo.lasting.iter().all(|lasting| lasting.kind.is_harmless() || lasting.kind == Data);
    for step in shuffled(&undo, seed) {
        after.carry_out(&step.host, &step.action);
        if let (true, Action::Deploy { spec } | Action::Update { spec, .. }) = (is_known, &step.action) {
            let others = after.containers.values().filter(|seen| {
                seen.hosted_on == step.host
                    && seen.name != spec.name
                    && seen.status == ContainerStatus::Running
                    && seen.label(label::STACK).is_some()
            });
            let held: Vec<u16> = others.flat_map(|seen| seen.ports.iter().filter_map(|port| port.host_port)).collect();
            for port in spec.container.ports.iter().filter_map(|port| port.host_port) {
                prop_assert!(!held.contains(&port), "{} starts while another has its port {port}", step.id);
            }
        }
    }
    // What only was waited for has come to its end by itself.
    for task in &plan.tasks {
        let key = (task.host.clone(), task.action.subject().to_owned());
        let is_alone = |other: &&PlannedTask| {
            (&other.host, other.action.subject()) == (&key.0, &key.1)
                && match other.action {
                    Action::Check { .. } => false,
                    // What cannot be taken back in place makes it anew, and it runs.
                    Action::Adjust { .. } => matches!(other.undo, Some(Action::Update { .. })),
                    _ => true,
                }
        };
        if matches!(task.action, Action::Check { condition: Condition::Completed, .. })
            && plan.tasks.iter().find(is_alone).is_none()
        {
            before.carry_out(&task.host, &task.action);
        }
    }
    let named = |kinds: &[LastingKind]| -> BTreeSet<Key> {
        let named = undo.lasting.iter().filter(|lasting| kinds.contains(&lasting.kind));
        named.map(|lasting| (lasting.host.clone(), lasting.subject.clone())).collect()
    };
    let keys: BTreeSet<&Key> = before.containers.keys().chain(after.containers.keys()).collect();
    let differs = |key: &Key| before.containers.get(key).map(looks) != after.containers.get(key).map(looks);
    let changed: BTreeSet<Key> = keys.into_iter().filter(|key| differs(key)).cloned().collect();
    let told = named(&[Definition, Drifted, Unseen, State]);
    prop_assert!(changed.is_subset(&told), "{changed:?} differ, {told:?} are named");
    let networks: BTreeSet<Key> = before.networks.symmetric_difference(&after.networks).cloned().collect();
    prop_assert!(networks.is_subset(&named(&[Network, Definition])), "{networks:?}");
    let images: BTreeSet<Key> = before.images.symmetric_difference(&after.images).cloned().collect();
    prop_assert!(images.is_subset(&named(&[Image])), "{images:?}");
    let keys: BTreeSet<&Key> = before.volumes.keys().chain(after.volumes.keys()).collect();
    let is_other = |key: &&Key| before.volumes.get(*key) != after.volumes.get(*key);
    let volumes: BTreeSet<Key> = keys.into_iter().filter(is_other).cloned().collect();
    prop_assert!(volumes.is_subset(&named(&[Volume, Data])), "{volumes:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn a_deployment_and_its_undo_leave_what_was_there(
        desired in some_stack(false), (applied, inventory, before) in some_estate(), seed in any::<u64>(),
    ) {
        if let Ok(plan) = plan(&desired, applied.as_ref(), &inventory, &Options::default()) {
            check_round(&plan, &before, seed)?;
        }
    }

    #[test]
    fn a_change_of_what_runs_as_it_was_applied_is_undone_to_the_last_container(
        (first, second) in (some_stack(false), some_stack(false)), seed in any::<u64>(),
    ) {
        let Ok(old) = plan(&first, None, &hosts(3), &Options::default()) else { return Ok(()) };
        let mut before = Estate::default();
        old.tasks.iter().filter(|task| !matches!(task.action, Action::Check { .. }))
            .for_each(|task| before.carry_out(&task.host, &task.action));
        let applied = Applied { stack: first, placements: old.placements };
        let mut inventory = hosts(3);
        inventory.containers = before.containers.values().cloned().collect();
        if let Ok(plan) = plan(&second, Some(&applied), &inventory, &Options::default()) {
            check_round(&plan, &before, seed)?;
            let stays = |lasting: &&Lasting| {
                !lasting.kind.is_harmless() && lasting.kind != LastingKind::Data
            };
            let undo = plan.undo();
            let found = undo.lasting.iter().find(stays);
            prop_assert!(found.is_none(), "{found:?}");
        }
    }

    #[test]
    fn settings_that_another_changed_come_back(
        desired in some_stack(false), drifts in vec(some_resources(), 6), seed in any::<u64>(),
    ) {
        let Ok(first) = plan(&desired, None, &hosts(4), &Options::default()) else { return Ok(()) };
        let mut there = carried_out(&first, hosts(4));
        for (seen, resources) in there.containers.iter_mut().zip(drifts) {
            seen.settings = Some(LiveSettings::of(&Container { resources, ..Container::default() }));
        }
        let applied = Applied { stack: desired.clone(), placements: first.placements };
        let plan = plan(&desired, Some(&applied), &there, &Options::default()).unwrap();
        check_round(&plan, &Estate::of(there.containers), seed)?;
    }

    #[test]
    fn a_removal_and_its_undo_leave_what_was_there(
        (applied, inventory, before) in some_estate(), remove_volumes in any::<bool>(), seed in any::<u64>(),
    ) {
        let options = Options { remove_volumes, ..Options::default() };
        let plan = plan_removal(&StackId::new("stack:s"), "s", applied.as_ref(), &inventory, &options);
        check_round(&plan, &before, seed)?;
    }

    #[test]
    fn stops_and_starts_are_taken_back((applied, inventory, before) in some_estate(), seed in any::<u64>()) {
        for action in [StackAction::Stop, StackAction::Start, StackAction::Restart] {
            let plan = plan_action(action, &StackId::new("stack:s"), "s", applied.as_ref(), &inventory, &Options::default());
            check_round(&plan, &before, seed)?;
        }
    }
}

fn undo_ids(undo: &Undo) -> Vec<(&str, Vec<&str>)> {
    undo.steps.iter().map(|step| (step.id.as_str(), step.depends_on.iter().map(String::as_str).collect())).collect()
}

fn lasting(undo: &Undo) -> Vec<(&str, LastingKind)> {
    undo.lasting.iter().map(|lasting| (lasting.subject.as_str(), lasting.kind)).collect()
}

fn applied(stack: Stack, hosts: Inventory) -> (Applied, Inventory) {
    let plan = plan(&stack, None, &hosts, &Options::default()).unwrap();
    let there = carried_out(&plan, hosts);
    (Applied { stack, placements: plan.placements }, there)
}

fn on_port(name: &str, port: u16) -> Container {
    Container { ports: vec![published(80, port)], ..container(name) }
}

#[test]
fn containers_that_change_ports_are_both_stopped_before_either_comes_back() {
    let (old, there) = applied(stack("s", vec![on_port("a", 8001), on_port("b", 8002)]), hosts(1));
    let swapped = stack("s", vec![on_port("a", 8002), on_port("b", 8001)]);
    let undo = plan(&swapped, Some(&old), &there, &Options::default()).unwrap().undo();
    let both = vec!["free:update:a", "free:update:b"];
    assert_eq!(
        undo_ids(&undo),
        [
            ("free:update:a", vec![]),
            ("free:update:b", vec![]),
            ("undo:update:b", both.clone()),
            ("undo:update:a", both),
        ]
    );
    assert_eq!(undo.steps[0].action, Action::Stop { name: "s-a".to_owned() });
    let takes_back: Vec<_> = undo.steps.iter().map(|step| step.takes_back()).collect();
    assert_eq!(takes_back, [false, false, true, true]);
    assert_eq!(undo.end, "stack `s` runs again as before this plan on vm1; kept, and harmless: 1 image, 1 network");
}

#[test]
fn what_cannot_be_taken_back_is_named_with_its_reason() {
    let mount = |source: Option<&str>| Mount {
        kind: MountKind::Volume { source: source.map(str::to_owned), no_copy: false, subpath: None },
        target: "/data".to_owned(),
        read_only: false,
    };
    let db = Container { volume_mounts: vec![mount(Some("data"))], ..container("db") };
    let cache = Container { volume_mounts: vec![mount(None)], ..container("cache") };
    let (old, mut there) = applied(stack("s", vec![db, cache, container("web")]), hosts(1));
    there.containers.retain(|seen| seen.name != "s-web");
    let unknown = ObservedContainer {
        name: "s-older".to_owned(),
        labels: [(label::STACK, "stack:s"), (label::CONTAINER, "older")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into_iter()
            .collect(),
        ..there.containers[0].clone()
    };
    there.containers.push(unknown);
    there.containers.iter_mut().find(|seen| seen.name == "s-db").unwrap().status = ContainerStatus::Exited;
    let options = Options { remove_volumes: true, ..Options::default() };
    let plan = plan_removal(&StackId::new("stack:s"), "s", Some(&old), &there, &options);
    let undo = plan.undo();
    assert_eq!(
        lasting(&undo),
        [
            ("s-older", LastingKind::Definition),
            ("s-web", LastingKind::Unseen),
            ("s-db", LastingKind::State),
            ("s-cache", LastingKind::Data),
            ("s_data", LastingKind::Data),
        ]
    );
    assert_eq!(undo.lasting[0].reason, "what it was made from before is not known");
    assert_eq!(
        undo_ids(&undo).into_iter().map(|(id, _)| id).collect::<Vec<_>>(),
        [
            "undo:remove-volume:vm1:s_data",
            "undo:remove-network:vm1",
            "undo:delete:cache@vm1",
            "undo:delete:db@vm1",
            "undo:delete:web@vm1",
        ]
    );
    assert_eq!(
        undo.end,
        "stack `s` is put back on vm1 as far as can be; these stay changed: `s-cache` on vm1, `s-db` on vm1, \
         `s-older` on vm1, `s-web` on vm1, `s_data` on vm1"
    );
}

#[test]
fn an_undo_shows_no_value_of_a_variable() {
    let variable = |value: &str| EnvVar { name: "PASSWORD".to_owned(), value: EnvValue::Literal(value.to_owned()) };
    let web = |value| stack("s", vec![Container { environment: vec![variable(value)], ..container("web") }]);
    let (old, there) = applied(web("hunter2"), hosts(1));
    let plan = plan(&web("hunter3"), Some(&old), &there, &Options::default()).unwrap();
    assert!(matches!(plan.undo().steps[0].action, Action::Update { .. }));
    let json = serde_json::to_value(plan.undo()).unwrap();
    assert!(!json.to_string().contains("hunter"), "{json}");
    assert_eq!(
        json["steps"][0],
        serde_json::json!({
            "id": "undo:update:web", "task": "update:web", "action": "update", "subject": "s-web", "host": "vm1",
            "container": "web", "dependsOn": [],
        })
    );
}

#[test]
fn what_waits_for_a_check_is_taken_back_before_what_is_checked() {
    let mut web = container("web");
    web.depends_on = vec![Dependency { container: "db".to_owned(), condition: Condition::Healthy }];
    let undo =
        plan(&stack("s", vec![checked(container("db")), web]), None, &hosts(1), &Options::default()).unwrap().undo();
    let ids = undo_ids(&undo);
    assert_eq!(ids[..2], [("undo:deploy:web", vec![]), ("undo:deploy:db", vec!["undo:deploy:web"])]);
}

fn end(action: StackAction, old: &Applied, inventory: &Inventory) -> String {
    plan_action(action, &StackId::new("stack:s"), "s", Some(old), inventory, &Options::default()).undo().end
}

#[test]
fn the_end_says_what_is_there_in_words() {
    let (old, mut there) = applied(stack("s", vec![container("web")]), hosts(1));
    assert_eq!(end(StackAction::Stop, &old, &there), "stack `s` runs again on vm1");
    assert_eq!(end(StackAction::Start, &old, &there), "nothing is done, so there is nothing to take back");
    there.containers[0].status = ContainerStatus::Exited;
    assert_eq!(end(StackAction::Start, &old, &there), "stack `s` is stopped again on vm1");
    let unknown = plan_removal(&StackId::new("stack:s"), "s", None, &there, &Options::default());
    assert_eq!(
        unknown.undo().end,
        "nothing of this plan can be taken back; these stay changed: `s` on vm1, `s-web` on vm1"
    );
}

#[test]
fn the_end_names_five_hosts_and_counts_the_others() {
    let end = |count: u32| {
        let pinned = |number: u32| Container {
            host: Some(format!("vm{number}").as_str().into()),
            ..container(&format!("c{number}"))
        };
        let stack = stack("s", (1..=count).map(pinned).collect());
        plan(&stack, None, &hosts(count), &Options::default()).unwrap().undo().end
    };
    assert!(end(5).starts_with("stack `s` is gone again from vm1, vm2, vm3, vm4, vm5; kept"), "{}", end(5));
    assert!(end(7).starts_with("stack `s` is gone again from vm1, vm2, vm3, vm4, vm5 and 2 more; kept"), "{}", end(7));
}

#[test]
fn what_has_ended_while_others_waited_is_made_again_where_a_limit_can_only_be_taken_back_so() {
    let first = stack("s", vec![container("job")]);
    let mut job = container("job");
    job.resources.reservations.cpus = Some(0.5);
    let depends_on = vec![Dependency { container: "job".to_owned(), condition: Condition::Completed }];
    let second = stack("s", vec![job, Container { depends_on, ..container("web") }]);
    let old = plan(&first, None, &hosts(1), &Options::default()).unwrap();
    let there = carried_out(&old, hosts(1));
    let applied = Applied { stack: first, placements: old.placements };
    let plan = plan(&second, Some(&applied), &there, &Options::default()).unwrap();
    check_round(&plan, &Estate::of(there.containers), 0).unwrap();
}
