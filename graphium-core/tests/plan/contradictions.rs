//! What no hosts can help is known without any, and a document that says it is no valid one.

use crate::planning::some_stack;
use graphium_core::{
    diagnostic::Diagnostic,
    document::{ReadContext, read},
    id::HostId,
    inventory::{Host, Inventory},
    plan::{Options, contradictions, fixtures::*, plan},
    stack::{Container, HostConstraint, Mode, Stack, Strategy as Placement, TextMap},
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use std::{collections::BTreeSet, sync::Arc};

fn stack_of(more: &str, containers: &str) -> String {
    crate::places::document(more, containers)
}

fn told(found: &[Diagnostic]) -> Vec<String> {
    found.iter().filter(|found| found.is_error()).map(ToString::to_string).collect()
}

/// What validating says of a document that can never be deployed.
fn refused(document: &str) -> Vec<String> {
    told(&read(document, &ReadContext::default()).unwrap_err())
}

#[test]
fn a_replica_cannot_have_the_name_of_another_container() {
    let document = stack_of("", "{'name': 'x', 'image': 'i', 'replicas': 2},\n{'name': 'x-2', 'image': 'i'}");
    assert_eq!(
        refused(&document),
        ["5:43: two containers of the stack are named `x-2` [duplicate-name]; rename one of them"]
    );
}

#[test]
fn a_stack_cannot_wait_for_itself() {
    for (word, column) in [("s", 75), ("stack:s", 75)] {
        let document = stack_of(&format!(r#" "dependsOn": ["{word}"],"#), "{'name': 'a', 'image': 'i'}");
        let expected =
            format!("2:{column}: the stack `s` depends on itself [dependency-cycle]; take this dependency away");
        assert_eq!(refused(&document), [expected]);
    }
}

#[test]
fn more_containers_than_a_plan_may_have_are_no_stack() {
    let document =
        stack_of("", "{'name': 'a', 'image': 'i', 'replicas': 60000},\n{'name': 'b', 'image': 'i', 'replicas': 60000}");
    let expected = "5:74: with `b` the stack would have more than 100000 containers [too-many-containers]; ask for fewer \
                    replicas, or split the stack";
    assert_eq!(refused(&document), [expected]);
}

#[test]
fn a_strategy_that_leaves_nobody_to_place_a_container_is_refused() {
    let manual =
        stack_of(r#" "deployment": {"placementStrategy": "manual"},"#, "{'name': 'a', 'image': 'i', 'replicas': 2}");
    let expected = |name: &str| {
        format!(
            "4:43: `{name}` names no host, and the placement strategy is `manual` [no-host]; add `locatedInHost`, or use \
             another `placementStrategy`"
        )
    };
    assert_eq!(refused(&manual), [expected("a")]);
    let center = stack_of(r#" "deployment": {"placementStrategy": "datacenter"},"#, "{'name': 'a', 'image': 'i'}");
    assert!(refused(&center)[0].contains("[missing-datacenter]"), "{:?}", refused(&center));
}

#[test]
fn hosts_that_would_have_to_be_two_things_at_once_are_not_looked_for() {
    let on = |host: &str, label: &str| {
        format!("'image': 'i', 'locatedInHost': '{host}', 'requirements': {{'labels': {{'disk': '{label}'}}}}")
    };
    let labels =
        stack_of("", &format!("{{'name': 'a', {}}},\n{{'name': 'b', {}}}", on("vm1", "hdd"), on("vm1", "ssd")));
    let expected = "5:122: the host `vm1` cannot suit `b`: its label `disk` would have to be `hdd` and `ssd` \
                    [host-unsuitable]; ask for one of the two";
    assert_eq!(refused(&labels), [expected]);
    let elsewhere =
        stack_of("", &format!("{{'name': 'a', {}}},\n{{'name': 'b', {}}}", on("vm1", "hdd"), on("vm2", "ssd")));
    assert!(read(elsewhere, &ReadContext::default()).is_ok());
    let center = stack_of(
        r#" "deployment": {"placementStrategy": "datacenter", "targetDatacenter": "here",
 "hostConstraints": [{"containerName": "a", "requiredDatacenter": "there"}]},"#,
        "{'name': 'a', 'image': 'i', 'replicas': 3}",
    );
    let expected = "3:67: no host can suit `a-1`: it would have to be in the datacenters `here` and `there` \
                    [no-eligible-host]; ask for one of the two";
    assert_eq!(refused(&center), [expected]);
}

#[test]
fn more_containers_than_a_host_may_have_cannot_be_bound_to_it() {
    let two = "{'name': 'a', 'image': 'i'},\n{'name': 'b', 'image': 'i', 'replicas': 4}";
    let bound = stack_of(r#" "locatedInHost": "vm1", "deployment": {"maxInstancesPerHost": 2},"#, two);
    let expected = "2:123: the host `vm1` cannot suit `b-2`: more than 2 of this stack would be on it \
                    (`maxInstancesPerHost`) [host-unsuitable]; raise `maxInstancesPerHost`, or bind fewer containers to it";
    assert_eq!(refused(&bound), [expected]);
    let together = stack_of(r#" "deployment": {"mode": "single-host", "maxInstancesPerHost": 4},"#, two);
    let expected = "2:122: no host can take all containers of the stack: more than 4 of this stack would be on it \
                    (`maxInstancesPerHost`) [no-eligible-host]; raise `maxInstancesPerHost`, or use the mode `multi-host`";
    assert_eq!(refused(&together), [expected]);
    let apart = stack_of(r#" "deployment": {"maxInstancesPerHost": 2},"#, two);
    assert!(read(apart, &ReadContext::default()).is_ok());
}

#[test]
fn what_shares_the_only_host_shares_its_ports() {
    let port = "'ports': [{'containerPort': 1, 'hostPort': 80}]";
    let containers = format!(
        "{{'name': 'a', 'image': 'i', 'locatedInHost': 'vm1', {port}}},\n{{'name': 'b', 'image': 'i', {port}}}"
    );
    let document = stack_of(r#" "deployment": {"mode": "single-host"},"#, &containers);
    assert!(refused(&document)[0].contains("both publish port 80"), "{:?}", refused(&document));
    assert!(read(stack_of("", &containers), &ReadContext::default()).is_ok());
}

#[test]
fn containers_on_hosts_of_their_own_may_ask_for_what_others_do_not() {
    let asks = |name: &str, label: &str| {
        format!("{{'name': '{name}', 'image': 'i', 'requirements': {{'labels': {{'disk': '{label}'}}}}}}")
    };
    let document = stack_of("", &format!("{},\n{}", asks("a", "hdd"), asks("b", "ssd")));
    assert!(read(document, &ReadContext::default()).is_ok());
}

#[test]
fn those_bound_apart_cannot_be_together_with_or_without_hosts() {
    let bound = |last: &str| {
        let names = [("a", "vm1"), ("b", "vm1"), ("c", last)];
        let bound = names.map(|(name, host)| Container { host: Some(host.into()), ..container(name) });
        let mut stack = stack("s", bound.to_vec());
        stack.deployment.mode = Mode::SingleHost;
        let planned = plan(&stack, None, &hosts(2), &Options::default());
        (told(&contradictions(&stack)), told(&planned.err().unwrap_or_default()))
    };
    let conflict = "`a` is bound to `vm1` and `c` to `vm2`, but the mode is `single-host` [host-conflict]; name one host, \
                    or use the mode `multi-host`";
    assert_eq!(bound("vm2"), (vec![conflict.to_owned()], vec![conflict.to_owned()]));
    assert_eq!(bound("vm1"), (vec![], vec![]));
}

#[test]
fn a_strategy_asks_nothing_of_containers_that_are_bound() {
    let mut stack = stack("s", vec![Container { host: Some("vm1".into()), ..container("a") }]);
    stack.deployment.placement_strategy = Some(Placement::Datacenter);
    for center in [None, Some("nowhere".to_owned())] {
        stack.deployment.target_datacenter = center;
        assert_eq!(told(&contradictions(&stack)), [""; 0]);
        plan(&stack, None, &hosts(1), &Options::default()).unwrap();
    }
}

#[test]
fn everything_that_a_host_would_have_to_be_twice_is_told() {
    let on_vm1 = |name: &str, labels: [&str; 2]| {
        let [disk, zone] = labels;
        format!(
            "{{'name': '{name}', 'image': 'i', 'locatedInHost': 'vm1', 'requirements': {{'labels': {{'disk': '{disk}', \
             'zone': '{zone}'}}}}}}"
        )
    };
    let document = stack_of("", &format!("{},\n{}", on_vm1("a", ["hdd", "x"]), on_vm1("b", ["ssd", "y"])));
    let told = refused(&document);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].contains("its label `disk` would have to be") && told[1].contains("its label `zone` would have to be")
    );
}

#[test]
fn too_many_on_a_host_are_one_mistake_whoever_they_are() {
    let containers = ["a", "b", "c", "d"].map(|name| format!("{{'name': '{name}', 'image': 'i'}}")).join(",\n");
    let document = stack_of(r#" "locatedInHost": "vm1", "deployment": {"maxInstancesPerHost": 2},"#, &containers);
    let told = refused(&document);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("cannot suit `c`: more than 2 of this stack would be on it"), "{told:?}");
}

#[test]
fn a_bound_that_leaves_no_container_anywhere_is_one_mistake() {
    let mut stack = stack("s", ["a", "b"].map(container).to_vec());
    stack.deployment.max_instances_per_host = Some(0);
    let expected = "no host can suit `a`: more than 0 of this stack would be on it (`maxInstancesPerHost`) \
                    [no-eligible-host]; raise `maxInstancesPerHost`, or bind fewer containers to it";
    assert_eq!(told(&contradictions(&stack)), [expected]);
}

#[test]
fn of_very_many_contradictions_a_hundred_are_told_and_the_others_counted() {
    let unbound = |count: usize| {
        let mut stack = stack("s", (0..count).map(|number| container(&format!("c{number}"))).collect());
        stack.deployment.placement_strategy = Some(Placement::Manual);
        stack
    };
    // The first of them has what it asks for.
    let unlike = |count: usize| {
        let asking = |number: usize| {
            let mut asking = Container { host: Some("vm1".into()), ..container(&format!("c{number}")) };
            asking.requirements.labels.insert("number".to_owned(), number.to_string());
            asking
        };
        stack("s", (0..=count).map(asking).collect())
    };
    for (count, more) in [(100, None), (101, Some("1 more is not listed")), (103, Some("3 more are not listed"))] {
        for stack in [unbound(count), unlike(count)] {
            let found = contradictions(&stack);
            assert_eq!(found.get(100).map(|last| last.message.as_str()), more);
            assert_eq!(found.len(), count.min(101));
            assert!(found[..100].iter().all(|one| one.subject.as_ref().is_some_and(|about| about.container.is_some())));
        }
    }
}

fn some_labels() -> impl Strategy<Value = TextMap> {
    let pair = (select(vec!["disk", "zone"]), select(vec!["a", "b"]));
    vec(pair, 0..2).prop_map(|pairs| pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}

fn some_constraint() -> impl Strategy<Value = HostConstraint> {
    let center = option::weighted(0.3, select(vec!["here", "there"]));
    (0..6_usize, option::weighted(0.3, 1..4_u32), center, some_labels(), option::weighted(0.2, Just(1_u64 << 50)))
        .prop_map(|(container, host, center, labels, min_memory)| HostConstraint {
            container_name: format!("c{container}"),
            target_host: host.map(|host| HostId::new(format!("vm{host}"))),
            required_datacenter: center.map(str::to_owned),
            min_cpu: None,
            min_memory,
            labels,
        })
}

/// A stack that asks much of its hosts.
fn some_demanding_stack() -> impl Strategy<Value = Stack> {
    let strategy =
        option::of(select(vec![Placement::Manual, Placement::Datacenter, Placement::Auto, Placement::Spread]));
    let parts = (
        some_stack(true),
        vec(some_constraint(), 0..4),
        vec(some_labels(), 6),
        strategy,
        option::weighted(0.7, select(vec!["here", "there"])),
        any::<bool>(),
        select(vec!["c0", "c1", "c1-1", "c2"]),
    );
    parts.prop_map(|(mut stack, constraints, labels, strategy, center, together, name)| {
        let deployment = &mut stack.deployment;
        deployment.host_constraints = constraints;
        deployment.placement_strategy = strategy;
        deployment.target_datacenter = center.map(str::to_owned);
        deployment.mode = if together { Mode::SingleHost } else { Mode::MultiHost };
        for (container, labels) in stack.containers.iter_mut().zip(labels) {
            let container = Arc::make_mut(container);
            container.requirements.labels = labels;
            let mut waits = BTreeSet::new();
            container.depends_on.retain(|wait| waits.insert(wait.container.clone()));
        }
        if let Some(last) = stack.containers.last_mut().filter(|last| last.name == "c5") {
            let last: &mut Container = Arc::make_mut(last);
            name.clone_into(&mut last.name);
        }
        stack
    })
}

/// A datacenter and labels, one of eight combinations.
fn kind(at: usize) -> (&'static str, TextMap) {
    let value = |bit: usize| ["a", "b"][at >> bit & 1].to_owned();
    (["here", "there"][at >> 2 & 1], [("disk".to_owned(), value(0)), ("zone".to_owned(), value(1))].into())
}

/// Hosts with as much of everything as anybody may ask for, several of each kind, and `vm0` to `vm3` of these kinds.
fn generous(named: [usize; 4]) -> Inventory {
    let host = |name: String, at: usize| {
        let (center, labels) = kind(at);
        let host = Host::named(HostId::new(name));
        Host { location: Some(center.to_owned()), labels, cpu: 1e9, memory: u64::MAX, ..host }
    };
    let mut hosts: Vec<Host> = (0..4).map(|number| host(format!("vm{number}"), named[number])).collect();
    for at in 0..8 {
        hosts.extend((0..16).map(|number| host(format!("z{at}-{number}"), at)));
    }
    Inventory { hosts, containers: Vec::new() }
}

/// How much stands against a stack on hosts of these kinds.
fn against(stack: &Stack, named: [usize; 4]) -> usize {
    plan(stack, None, &generous(named), &Options::default()).map_or_else(|errors| errors.len(), |_| 0)
}

/// The kinds of the named hosts that least stands against: what is bound to one does not care for the others.
fn best_kinds(stack: &Stack) -> [usize; 4] {
    let mut kinds = [0; 4];
    let bound = |number: usize| {
        let is_it = |host: &Option<HostId>| host.as_ref().is_some_and(|host| host.as_str() == format!("vm{number}"));
        is_it(&stack.host)
            || stack.containers.iter().any(|container| is_it(&container.host))
            || stack.deployment.host_constraints.iter().any(|constraint| is_it(&constraint.target_host))
    };
    for number in (0..4).filter(|&number| bound(number)) {
        let tried = |at: usize| std::array::from_fn(|other| if other == number { at } else { kinds[other] });
        kinds[number] = (0..8).min_by_key(|&at| against(stack, tried(at))).unwrap();
    }
    kinds
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    /// The one promise: what is contradictory is refused everywhere, and all else can be planned somewhere. A rule of the
    /// planner that needs no inventory and is not told here is found by the second half.
    #[test]
    fn what_has_no_contradiction_can_be_planned_on_some_hosts_and_what_has_one_on_none(
        desired in some_demanding_stack(),
        any in [0..8_usize, 0..8, 0..8, 0..8],
    ) {
        let found = told(&contradictions(&desired));
        if found.is_empty() {
            let best = generous(best_kinds(&desired));
            let refused = plan(&desired, None, &best, &Options::default()).err().unwrap_or_default();
            prop_assert!(refused.is_empty(), "{:?}", told(&refused));
        } else {
            prop_assert!(against(&desired, any) > 0 && against(&desired, best_kinds(&desired)) > 0, "{:?}", found);
        }
    }

    #[test]
    fn each_contradiction_is_told_once_and_names_what_it_is_about(desired in some_demanding_stack()) {
        let found = contradictions(&desired);
        let lines: BTreeSet<_> = told(&found).into_iter().collect();
        // What has a name twice is told by that name twice.
        prop_assume!(found.iter().all(|one| one.code != "duplicate-name"));
        prop_assert_eq!(lines.len(), found.len(), "{:?}", told(&found));
        for one in &found {
            let Some(subject) = &one.subject else { return Err(TestCaseError::fail(one.to_string())) };
            let name = subject.container.as_deref();
            prop_assert!(name.is_none_or(|name| desired.container(name).is_some()), "{} is about {}", one, subject);
        }
    }
}

#[test]
fn a_fixed_port_that_old_and_new_would_both_have_is_refused_wherever_it_is() {
    let document = stack_of(
        r#" "deployment": {"update": {"order": "start-first"}},"#,
        "{'name': 'a', 'image': 'i', 'ports': [{'containerPort': 80, 'hostPort': 8080}]}",
    );
    assert!(refused(&document)[0].contains("[start-first-port]"), "{:?}", refused(&document));
}
