//! Which tasks a plan has around its containers: networks, checks, and what takes them back.

use graphium_core::{
    action::Action,
    inventory::{ContainerStatus, Health, Inventory},
    plan::{Applied, Options, Plan, StackAction, fixtures::*, plan, plan_action},
    stack::{Condition, Container, Dependency, Stack},
};

fn ids(plan: &Plan) -> Vec<&str> {
    plan.tasks.iter().map(|task| task.id.as_str()).collect()
}

fn pinned(name: &str, host: &str) -> Container {
    Container { host: Some(host.into()), ..container(name) }
}

fn waiting(name: &str, on: &str, condition: Condition) -> Container {
    let dependency = Dependency { container: on.to_owned(), condition };
    Container { depends_on: vec![dependency], ..pinned(name, "vm1") }
}

/// A stack's revision as it was applied, and what is seen then.
fn deployed(stack: &Stack, inventory: Inventory) -> (Applied, Inventory) {
    let first = plan(stack, None, &inventory, &Options::default()).unwrap();
    let seen = carried_out(&first, inventory);
    (Applied { stack: stack.clone(), placements: first.placements }, seen)
}

#[test]
fn a_network_is_taken_back_only_from_hosts_where_nothing_of_the_stack_was() {
    let before = stack("s", vec![pinned("a", "vm1")]);
    let (applied, seen) = deployed(&before, hosts(2));
    let after = stack("s", vec![pinned("a", "vm1"), pinned("b", "vm1"), pinned("c", "vm2")]);
    for (applied, seen) in [(Some(&applied), &seen), (None, &seen), (Some(&applied), &hosts(2))] {
        let plan = plan(&after, applied, seen, &Options::default()).unwrap();
        let undo = |id: &str| plan.tasks.iter().find(|task| task.id == id).unwrap().undo.clone();
        assert_eq!(undo("network:vm1"), None, "applied {}, seen {}", applied.is_some(), seen.containers.len());
        assert_eq!(undo("network:vm2"), Some(Action::RemoveNetwork { name: "s".to_owned() }));
    }
}

#[test]
fn each_condition_is_checked_once_and_says_who_waits_for_it_and_until_when() {
    let job = waiting("report", "job", Condition::Completed);
    let containers = vec![
        checked(pinned("db", "vm1")),
        pinned("job", "vm1"),
        waiting("web", "db", Condition::Healthy),
        waiting("api", "db", Condition::Healthy),
        job,
        waiting("cache", "job", Condition::Started),
    ];
    let plan = plan(&stack("s", containers), None, &hosts(1), &Options::default()).unwrap();
    let checks = plan.tasks.iter().filter(|task| matches!(task.action, Action::Check { .. }));
    let told: Vec<(&str, &str, &str)> =
        checks.map(|task| (task.id.as_str(), task.depends_on[0].as_str(), &*task.why)).collect();
    assert_eq!(
        told,
        [
            ("check:db:healthy", "deploy:db", "`api` waits until it is healthy"),
            ("check:job:completed", "deploy:job", "`report` waits until it has completed"),
        ]
    );
}

#[test]
fn what_runs_is_checked_before_what_waits_for_it_is_started() {
    let stack = stack("s", vec![checked(pinned("db", "vm1")), waiting("web", "db", Condition::Healthy)]);
    let (applied, mut seen) = deployed(&stack, hosts(1));
    let web = seen.containers.iter_mut().find(|container| container.name == "s-web").unwrap();
    web.status = ContainerStatus::Stopped;
    let start = plan_action(StackAction::Start, &stack.id, "s", Some(&applied), &seen, &Options::default());
    assert_eq!(ids(&start), ["check:db:healthy@vm1", "start:web@vm1"]);
    assert_eq!(start.tasks[1].depends_on, ["check:db:healthy@vm1"]);
}

#[test]
fn a_condition_that_holds_already_is_not_checked_and_one_that_does_not_is() {
    let of = |image: &str| {
        let web = Container { image: image.to_owned(), ..waiting("web", "db", Condition::Healthy) };
        stack("s", vec![checked(pinned("db", "vm1")), web])
    };
    let (applied, mut seen) = deployed(&of("nginx:1"), hosts(1));
    let again = |seen: &Inventory| plan(&of("nginx:2"), Some(&applied), seen, &Options::default()).unwrap();
    assert_eq!(ids(&again(&seen)), ["pull:vm1:nginx:2", "network:vm1", "update:web"]);
    for health in [None, Some(Health::Starting), Some(Health::Unhealthy)] {
        seen.containers.iter_mut().for_each(|container| container.health = health);
        let plan = again(&seen);
        assert_eq!(ids(&plan), ["pull:vm1:nginx:2", "network:vm1", "check:db:healthy", "update:web"], "{health:?}");
        assert!(plan.tasks[2].depends_on.is_empty());
    }
}
