//! What holds for every plan, whatever is wanted and whatever is there.

use crate::planning::{some_estate, some_resources, some_stack};
use graphium_core::{
    action::Action,
    id::{HostId, PlanTaskId, StackId},
    inventory::Inventory,
    plan::{Applied, Options, Plan, StackAction, fixtures::*, plan, plan_action, plan_removal},
    runtime::{LiveSettings, LiveStep, label},
    stack::Container,
};
use proptest::{collection::vec, prelude::*};
use std::collections::{BTreeMap, BTreeSet};

/// A revision that was applied, and what is there after it; or neither.
fn some_past() -> impl Strategy<Value = (Option<Applied>, Inventory)> {
    some_estate().prop_map(|(applied, inventory, _)| (applied, inventory))
}

fn check_graph(plan: &Plan) -> Result<(), TestCaseError> {
    let mut seen = BTreeSet::new();
    for task in &plan.tasks {
        for first in &task.depends_on {
            prop_assert!(seen.contains(first.as_str()), "{} waits for {first}, which does not come before it", task.id);
        }
        let mut each = task.depends_on.clone();
        each.sort();
        each.dedup();
        prop_assert_eq!(each.len(), task.depends_on.len(), "{} waits twice for one task", &task.id);
        prop_assert!(seen.insert(task.id.as_str()), "{} is there twice", task.id);
    }
    Ok(())
}

/// After all tasks, no port of a host is held twice and nothing of the stack is where the plan does not say.
fn check_outcome(plan: &Plan, outcome: &Inventory) -> Result<(), TestCaseError> {
    let mut held: BTreeMap<(&HostId, u16), &str> = BTreeMap::new();
    let ours = outcome.containers.iter().filter(|seen| seen.label(label::STACK) == Some("stack:s"));
    for seen in ours.clone() {
        let name = seen.label(label::CONTAINER).unwrap();
        prop_assert_eq!(plan.placements.get(name), Some(&seen.hosted_on), "{}", name);
        for port in seen.ports.iter().filter_map(|port| port.host_port) {
            let other = held.insert((&seen.hosted_on, port), &seen.name);
            prop_assert!(other.is_none(), "{other:?} and {} hold {port}", seen.name);
        }
    }
    prop_assert_eq!(ours.count(), plan.placements.len());
    let deployed = |host: &HostId| {
        plan.tasks.iter().any(|task| task.host == *host && matches!(task.action, Action::Deploy { .. }))
    };
    for seen in outcome.containers.iter().filter(|seen| seen.label(label::STACK).is_none() && deployed(&seen.hosted_on))
    {
        for port in seen.ports.iter().filter_map(|port| port.host_port) {
            prop_assert_eq!(held.get(&(&seen.hosted_on, port)), None, "a port of {} was taken", &seen.name);
        }
    }
    Ok(())
}

/// Who takes a port starts after whoever had it has stopped, been removed or been replaced.
fn check_handover(plan: &Plan, inventory: &Inventory) -> Result<(), TestCaseError> {
    let mut held: BTreeMap<(HostId, u16), String> = BTreeMap::new();
    for seen in &inventory.containers {
        for port in seen.ports.iter().filter_map(|port| port.host_port) {
            held.insert((seen.hosted_on.clone(), port), seen.name.clone());
        }
    }
    for task in &plan.tasks {
        let subject = task.action.subject();
        match &task.action {
            Action::Deploy { spec } | Action::Update { spec, .. } => {
                held.retain(|(host, _), holder| *host != task.host || holder != subject);
                for port in spec.container.ports.iter().filter_map(|port| port.host_port) {
                    let other = held.insert((task.host.clone(), port), subject.to_owned());
                    prop_assert!(other.is_none(), "{other:?} still has the port {port} that {subject} takes");
                }
            }
            Action::Stop { .. } | Action::Delete { .. } => {
                held.retain(|(host, _), holder| *host != task.host || holder != subject);
            }
            _ => {}
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn every_refusal_names_what_of_the_stack_it_is_about(desired in some_stack(true), (applied, inventory) in some_past()) {
        for error in plan(&desired, applied.as_ref(), &inventory, &Options::default()).err().unwrap_or_default() {
            let Some(subject) = &error.subject else { return Err(TestCaseError::fail(error.to_string())) };
            let name = subject.container.as_deref();
            prop_assert!(name.is_none_or(|name| desired.container(name).is_some()), "{} is about {}", error, subject);
        }
    }

    #[test]
    fn dependencies_come_first_and_nothing_is_twice(desired in some_stack(false), (applied, inventory) in some_past()) {
        if let Ok(plan) = plan(&desired, applied.as_ref(), &inventory, &Options::default()) {
            check_graph(&plan)?;
            check_outcome(&plan, &carried_out(&plan, inventory.clone()))?;
            let sealed = plan.sealed();
            prop_assert_eq!(&sealed.plan.clone().sealed(), &sealed);
        }
    }

    #[test]
    fn a_plan_that_was_carried_out_leaves_nothing_to_do(desired in some_stack(false), (applied, inventory) in some_past()) {
        if let Ok(first) = plan(&desired, applied.as_ref(), &inventory, &Options::default()) {
            let after = carried_out(&first, inventory);
            let applied = Applied { stack: desired.clone(), placements: first.placements };
            let again = plan(&desired, Some(&applied), &after, &Options::default());
            let left: Vec<_> = again.unwrap().tasks.into_iter().map(|task| (task.id, task.why)).collect();
            prop_assert_eq!(left, vec![]);
        }
    }

    #[test]
    fn what_another_has_adjusted_is_set_right_without_a_stop_or_made_anew(
        desired in some_stack(false),
        drifts in vec((some_resources(), any::<bool>()), 6),
        is_known in any::<bool>(),
    ) {
        let Ok(first) = plan(&desired, None, &hosts(4), &Options::default()) else { return Ok(()) };
        let mut there = carried_out(&first, hosts(4));
        for (seen, (resources, has_drifted)) in there.containers.iter_mut().zip(drifts) {
            if has_drifted {
                seen.settings = Some(LiveSettings::of(&Container { resources, ..Container::default() }));
            }
        }
        let applied = Applied { stack: desired.clone(), placements: first.placements };
        let applied = Some(&applied).filter(|_| is_known);
        let second = plan(&desired, applied, &there, &Options::default()).unwrap();
        let after = carried_out(&second, there.clone());
        for task in &second.tasks {
            if let (Action::Adjust { name, .. }, Some(undo)) = (&task.action, &task.undo) {
                prop_assert!(task.depends_on.is_empty());
                let find = |inventory: &Inventory| {
                    inventory.containers.iter().find(|seen| seen.name == *name).and_then(|seen| seen.settings).unwrap()
                };
                match undo {
                    Action::Adjust { settings, .. } => {
                        prop_assert_eq!(**settings, find(&there));
                        prop_assert!(!matches!(find(&after).step_to(settings), LiveStep::Anew(_)));
                    }
                    other => prop_assert!(is_known && matches!(other, Action::Update { .. }), "{other:?}"),
                }
            }
        }
        prop_assert!(plan(&desired, applied, &after, &Options::default()).unwrap().is_empty());
    }

    #[test]
    fn ports_are_free_when_they_are_taken(desired in some_stack(false), (applied, inventory) in some_past()) {
        if let Ok(plan) = plan(&desired, applied.as_ref(), &inventory, &Options::default()) {
            // What another holds on a host that a bound container of ours already shares with it is not this plan's doing.
            let mut ours = inventory.clone();
            ours.containers.retain(|seen| seen.label(label::STACK) == Some("stack:s"));
            check_handover(&plan, &ours)?;
        }
    }

    #[test]
    fn the_order_of_hosts_and_of_what_is_seen_changes_no_byte(
        desired in some_stack(false),
        (applied, inventory) in some_past(),
        seed in any::<u64>(),
    ) {
        let mut shuffled = inventory.clone();
        let key = |text: &str| text.bytes().fold(seed, |key, byte| (key ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        shuffled.hosts.sort_by_key(|host| key(host.id.as_str()));
        shuffled.containers.sort_by_key(|seen| key(&format!("{}{}", seen.hosted_on, seen.name)));
        let bytes = |inventory: &Inventory| {
            serde_json::to_string(&plan(&desired, applied.as_ref(), inventory, &Options::default())).unwrap()
        };
        prop_assert_eq!(bytes(&inventory), bytes(&shuffled));
    }

    #[test]
    fn a_plan_for_some_hosts_touches_no_other_and_waits_for_no_other(
        desired in some_stack(false),
        (applied, inventory) in some_past(),
        asked in proptest::collection::btree_set(1..6_u32, 1..4),
    ) {
        let asked: BTreeSet<HostId> = asked.into_iter().map(|host| HostId::new(format!("vm{host}"))).collect();
        if let Ok(whole) = plan(&desired, applied.as_ref(), &inventory, &Options { explain: true, ..Options::default() }) {
            let crosses = whole.tasks.iter().filter(|task| asked.contains(&task.host)).any(|task| {
                let first = |id: &PlanTaskId| whole.tasks.iter().find(|task| task.id == *id).unwrap();
                task.depends_on.iter().any(|id| !asked.contains(&first(id).host))
            });
            match whole.clone().limited_to(&asked) {
                Err(errors) => prop_assert!(crosses && errors.iter().all(|error| error.code == "left-out-dependency")),
                Ok(part) => {
                    prop_assert!(!crosses);
                    check_graph(&part)?;
                    let hosts = part.tasks.iter().map(|task| &task.host).chain(part.placements.values());
                    let hosts = hosts.chain(part.endpoints.iter().map(|endpoint| &endpoint.host));
                    let mut hosts = hosts.chain(part.choices.iter().map(|choice| &choice.host));
                    prop_assert!(hosts.all(|host| asked.contains(host)));
                    let elsewhere = |inventory: &Inventory| {
                        let elsewhere = inventory.containers.iter().filter(|seen| !asked.contains(&seen.hosted_on));
                        let elsewhere = elsewhere.map(|seen| ((seen.hosted_on.clone(), seen.name.clone()), seen.clone()));
                        elsewhere.collect::<BTreeMap<_, _>>()
                    };
                    prop_assert_eq!(elsewhere(&carried_out(&part, inventory.clone())), elsewhere(&inventory));
                }
            }
            let every: BTreeSet<HostId> = (0..9).map(|host| HostId::new(format!("vm{host}"))).collect();
            let all = whole.clone().limited_to(&every).unwrap();
            prop_assert_eq!((all.tasks, all.placements, all.unchanged), (whole.tasks, whole.placements, whole.unchanged));
        }
    }

    #[test]
    fn a_removal_leaves_nothing((applied, inventory) in some_past(), remove_volumes in any::<bool>()) {
        let (id, options) = (StackId::new("stack:s"), Options { remove_volumes, ..Options::default() });
        let plan = plan_removal(&id, "s", applied.as_ref(), &inventory, &options);
        check_graph(&plan)?;
        let after = carried_out(&plan, inventory);
        prop_assert!(after.containers.iter().all(|seen| seen.label(label::STACK) != Some("stack:s")));
        prop_assert!(plan_removal(&id, "s", None, &after, &options).is_empty());
    }

    #[test]
    fn stopping_and_starting_come_to_rest((applied, inventory) in some_past()) {
        let id = StackId::new("stack:s");
        let mut inventory = inventory;
        for action in [StackAction::Stop, StackAction::Start, StackAction::Restart] {
            let plan = plan_action(action, &id, "s", applied.as_ref(), &inventory, &Options::default());
            check_graph(&plan)?;
            inventory = carried_out(&plan, inventory);
        }
    }

    #[test]
    fn no_stack_makes_the_planner_panic(desired in some_stack(true), applied in some_stack(true), (_, inventory) in some_past()) {
        let placements = applied.containers.iter().map(|container| (container.name.clone(), HostId::new("vm1"))).collect();
        let applied = Applied { stack: applied, placements };
        if let Ok(plan) = plan(&desired, Some(&applied), &inventory, &Options::default()) {
            check_graph(&plan)?;
        }
        check_graph(&plan_removal(&applied.stack.id, "s", Some(&applied), &inventory, &Options::default()))?;
        check_graph(&plan_action(StackAction::Restart, &applied.stack.id, "s", Some(&applied), &inventory, &Options::default()))?;
    }
}
