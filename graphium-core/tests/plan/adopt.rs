//! Taking what runs already into a stack: what is compared, what waits for that, and what is planned afterwards.

use graphium_core::{
    action::{Action, AdoptAim},
    id::HostId,
    inventory::Inventory,
    plan::{
        Adoptee, Applied, Options, Plan, PlannedTask, adoptable, fixtures::*, plan, plan_adoption, plan_comparison,
    },
    runtime::label,
    stack::{Container, Stack},
};
use std::collections::BTreeMap;

/// Two of `web` and one that has its host's network.
fn shop() -> Stack {
    let web = Container { replicas: Some(2), ..container("web") };
    let log = Container { network_mode: Some("host".to_owned()), ..container("log") };
    stack("shop", vec![web, log])
}

/// What somebody runs: the webs on two hosts, the log on the second.
fn somebodys() -> (Inventory, Vec<Adoptee>) {
    let running = [("web-1", "vm1"), ("web-2", "vm2"), ("log", "vm2")];
    let containers = running.map(|(name, host)| foreign(&format!("old-{name}"), host, None));
    let adoptees = containers.each_ref().map(|seen| Adoptee {
        container: seen.name.replace("old-", ""),
        host_id: seen.hosted_on.clone(),
        container_id: seen.id.clone(),
        container_name: seen.name.clone(),
        engine_name: shop().engine_name(&seen.name.replace("old-", "")),
        was: Some("stack:before".to_owned()),
    });
    (Inventory { containers: containers.into(), ..hosts(2) }, adoptees.into())
}

fn adoption(aim: AdoptAim) -> Plan {
    let (inventory, adoptees) = somebodys();
    plan_adoption(&shop(), None, &inventory, &adoptees, &BTreeMap::new(), aim).unwrap()
}

fn ids(tasks: &[PlannedTask]) -> Vec<&str> {
    tasks.iter().map(|task| task.id.as_str()).collect()
}

fn after<'p>(plan: &'p Plan, id: &str) -> Vec<&'p str> {
    let task =
        plan.tasks.iter().find(|task| task.id == id).unwrap_or_else(|| panic!("no {id} in {:?}", ids(&plan.tasks)));
    task.depends_on.iter().map(|first| first.as_str()).collect()
}

const COMPARED: [&str; 3] = ["compare:web-1", "compare:web-2", "compare:log"];

#[test]
fn each_replica_can_be_adopted_by_its_number() {
    let told = adoptable(&shop());
    let told: Vec<(&str, &str, usize)> =
        told.iter().map(|(name, definition, number)| (name.as_str(), definition.name.as_str(), *number)).collect();
    assert_eq!(told, [("log", "log", 1), ("web-1", "web", 1), ("web-2", "web", 2)]);
}

#[test]
fn a_comparison_asks_about_each_where_it_is_and_changes_nothing() {
    let (inventory, adoptees) = somebodys();
    let tasks = plan_comparison(&shop(), &inventory, &adoptees, &BTreeMap::new());
    assert_eq!(ids(&tasks), COMPARED);
    for (task, adoptee) in tasks.iter().zip(&adoptees) {
        let Action::Adopt { spec, container, name, was, aim, .. } = &task.action else { panic!("{task:?}") };
        assert_eq!((&task.host, *aim), (&adoptee.host_id, AdoptAim::Compare));
        assert_eq!((container, name, was), (&adoptee.container_id, &adoptee.container_name, &adoptee.was));
        assert_eq!((&spec.name, task.container.as_deref()), (&adoptee.engine_name, Some(&*adoptee.container)));
        assert!(spec.hash.is_some() && task.why.contains(&adoptee.container_name), "{task:?}");
        assert!(task.depends_on.is_empty());
    }
}

#[test]
fn all_are_compared_before_the_first_is_adopted() {
    for (aim, first) in [(AdoptAim::Equal, AdoptAim::Verify), (AdoptAim::AsItIs, AdoptAim::Compare)] {
        let plan = adoption(aim);
        let aims = |verb: &str| {
            let of_verb = plan.tasks.iter().filter(move |task| task.id.as_str().starts_with(verb));
            let aims = of_verb.map(|task| match &task.action {
                Action::Adopt { aim, .. } => *aim,
                action => panic!("{action:?}"),
            });
            aims.collect::<Vec<_>>()
        };
        assert_eq!((aims("compare"), aims("adopt")), (vec![first; 3], vec![aim; 3]));
        assert_eq!(after(&plan, "adopt:log"), COMPARED, "it has its host's network");
        for (web, network) in [("adopt:web-1", "network:vm1"), ("adopt:web-2", "network:vm2")] {
            assert_eq!(after(&plan, network), COMPARED);
            assert_eq!(after(&plan, web), [&COMPARED[..], &[network]].concat());
        }
        assert_eq!(plan.tasks.len(), 8);
    }
}

#[test]
fn what_was_adopted_plans_to_nothing() {
    let (inventory, adoptees) = somebodys();
    let plan_of_it = plan_adoption(&shop(), None, &inventory, &adoptees, &BTreeMap::new(), AdoptAim::Equal).unwrap();
    let hosts: BTreeMap<String, HostId> =
        adoptees.iter().map(|one| (one.container.clone(), one.host_id.clone())).collect();
    assert_eq!((&plan_of_it.placements, plan_of_it.unchanged.len()), (&hosts, 0));
    let there = carried_out(&plan_of_it, inventory);
    assert!(there.containers.iter().all(|seen| seen.label(label::STACK) == Some("stack:shop")), "{there:?}");
    let applied = Applied { stack: shop(), placements: hosts };
    assert!(plan(&shop(), Some(&applied), &there, &Options::default()).unwrap().is_empty());
}

#[test]
fn what_the_stack_has_already_stays_and_is_listed() {
    let (inventory, mut adoptees) = somebodys();
    let theirs = adoptees.split_off(2);
    let first = plan_adoption(&shop(), None, &inventory, &adoptees, &BTreeMap::new(), AdoptAim::Equal).unwrap();
    let there = carried_out(&first, inventory);
    let own: BTreeMap<String, HostId> = [("web-1".to_owned(), "vm1".into()), ("web-2".to_owned(), "vm2".into())].into();
    let applied = Applied { stack: shop(), placements: own.clone() };
    let rest = plan_adoption(&shop(), Some(&applied), &there, &theirs, &own, AdoptAim::Equal).unwrap();
    assert_eq!(
        (ids(&rest.tasks), rest.unchanged.as_slice()),
        (vec!["compare:log", "adopt:log"], &["web-1".to_owned(), "web-2".to_owned()][..])
    );
    assert_eq!(rest.placements.len(), 3);
}
