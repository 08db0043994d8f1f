//! Containers of the older system: their labels tell whose they are, and not what they are called in their stack.

use graphium_core::{
    inventory::{ContainerStatus, Inventory},
    plan::{Applied, Options, Plan, StackAction, fixtures::*, plan, plan_action, plan_removal},
    runtime::label,
    stack::Container,
};

/// A stack of the older system that runs.
fn running() -> (Applied, Inventory) {
    let web = Container { depends_on: vec![on("db")], ..container("web") };
    let shop = stack("shop", vec![container("db"), web]);
    let first = plan(&shop, None, &hosts(1), &Options::default()).unwrap();
    let mut there = carried_out(&first, hosts(1));
    for seen in &mut there.containers {
        seen.labels.retain(|key, _| [label::MANAGED, label::STACK].contains(&key.as_str()));
    }
    (Applied { stack: shop, placements: first.placements }, there)
}

fn tasks(plan: &Plan) -> Vec<&str> {
    plan.tasks.iter().map(|task| task.id.as_str()).collect()
}

#[test]
fn they_stop_start_and_go_in_the_order_of_their_stack() {
    let (applied, mut there) = running();
    let (id, options) = (applied.stack.id.clone(), Options::default());
    let act = |action, there: &Inventory| plan_action(action, &id, "shop", Some(&applied), there, &options);
    assert_eq!(tasks(&act(StackAction::Stop, &there)), ["stop:web@vm1", "stop:db@vm1"]);
    let restart = act(StackAction::Restart, &there);
    assert!(tasks(&restart).iter().all(|task| !task.starts_with("delete")), "{restart:#?}");
    let removal = plan_removal(&id, "shop", Some(&applied), &there, &options);
    assert_eq!(tasks(&removal)[..2], ["delete:web@vm1", "delete:db@vm1"]);
    there.containers.iter_mut().for_each(|seen| seen.status = ContainerStatus::Exited);
    assert_eq!(tasks(&act(StackAction::Start, &there)), ["start:db@vm1", "start:web@vm1"]);
}

#[test]
fn a_deployment_puts_others_in_their_places_and_takes_no_new_one_away() {
    let (applied, there) = running();
    let plan = plan(&applied.stack, Some(&applied), &there, &Options::default()).unwrap();
    let all = tasks(&plan);
    assert!(all.contains(&"update:db") && all.contains(&"update:web"), "{all:?}");
    assert!(!all.iter().any(|task| task.starts_with("delete")), "{all:?}");
    assert_eq!(carried_out(&plan, there).containers.len(), 2);
}
