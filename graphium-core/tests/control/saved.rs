//! Saved plans: carried out as they are, or refused with what has changed.

use crate::world::{World, container, shop, stack};
use graphium_core::{
    control::{ControlError, DeployOptions, RemoveOptions, StackStatus},
    inventory::{Host, HostStatus, Inventory},
    plan::{self, Facts, Options, SavedOptions, SavedPlan},
    stack::{Container, Stack},
    store::TaskQuery,
};
use std::time::Duration;

fn save(world: &World, stack: Stack) -> SavedPlan {
    world.run(world.control.save(stack, &DeployOptions::default())).unwrap()
}

fn apply(world: &World, saved: &SavedPlan) -> Result<graphium_core::control::Started, ControlError> {
    world.run(world.control.apply(saved.clone(), DeployOptions::default()))
}

/// Why a plan is refused; that nothing was done is seen to.
fn refused(world: &World, saved: &SavedPlan) -> Vec<String> {
    use graphium_core::store::TaskStore;
    let tasks = || world.run(world.store.tasks(&TaskQuery::default())).unwrap().items.len();
    let events = || world.run(world.store.last_event()).unwrap();
    let before = (tasks(), events());
    let error = apply(world, saved).unwrap_err();
    assert_eq!((tasks(), events()), before, "a refused plan changes nothing");
    let text = error.to_string();
    assert!(text.contains("nothing was done") && text.ends_with("plan again") && !text.contains("hunter2"), "{text}");
    let ControlError::Outdated { changes, .. } = error else { panic!("{error}") };
    changes.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_being_removed_is_not_planned_as_if_it_could_be_deployed() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    while one.work() + two.work() > 0 {}
    world.tick();
    let options = DeployOptions::default();
    assert!(world.run(world.control.preview(&shop(), &options)).unwrap().is_empty());
    world.run(world.control.remove("shop", RemoveOptions::default())).unwrap();
    let preview = world.run(world.control.preview(&shop(), &options)).unwrap_err();
    let save = world.run(world.control.save(shop(), &options)).unwrap_err();
    let deploy = world.run(world.control.deploy(shop(), options)).unwrap_err();
    for error in [preview, save, deploy] {
        assert!(matches!(error, ControlError::Conflict { code: "stack-deleting", .. }), "{error}");
    }
}

#[test]
fn a_revision_that_is_not_there_is_told_with_those_that_are() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    let told = |to| world.run(world.control.rollback("shop", to, None)).unwrap_err().to_string();
    assert_eq!(told(None), "the stack `shop` has no earlier revision to go back to");
    assert_eq!(told(Some(7)), "the stack `shop` has no revision 7; there is 1");
    for port in 100..112 {
        while one.work() + two.work() > 0 {}
        world.tick();
        let changed = stack("shop", vec![container("db", "vm1", Some(port), &[])]);
        world.run(world.control.deploy(changed, DeployOptions::default())).unwrap();
    }
    assert_eq!(told(Some(70)), "the stack `shop` has no revision 70; the latest are 4, 5, 6, 7, 8, 9, 10, 11, 12, 13");
}

#[test]
fn a_saved_plan_is_carried_out_as_it_is() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    let saved = save(&world, shop());
    assert!(world.run(world.control.stacks(None, 10)).unwrap().items.is_empty(), "saving stores nothing");
    let options = DeployOptions { by: Some("ann".into()), ..DeployOptions::default() };
    let started = world.run(world.control.apply(saved.clone(), options)).unwrap();
    assert_eq!(world.run(world.control.stack("shop")).unwrap().owner.as_deref(), Some("ann"));
    assert_eq!(started.task_count, saved.plan.tasks.len());
    assert_eq!(world.run(world.control.deployment(&started.deployment_id)).unwrap().plan_hash, saved.plan.hash);
    while one.work() + two.work() > 0 {}
    world.tick();
    assert_eq!(world.status("shop"), StackStatus::Running);
    assert_eq!(
        refused(&world, &saved),
        [
            "the stack `shop` was not there and is at revision 1 now",
            "container `shop-db` on `vm1` was not there and runs now",
            "container `shop-web` on `vm2` was not there and runs now"
        ]
    );

    let nothing = save(&world, shop());
    assert!(nothing.plan.is_empty());
    assert_eq!(apply(&world, &nothing).unwrap().task_count, 0);
}

#[test]
fn a_host_that_went_away_refuses_a_plan_that_uses_it_and_no_other() {
    let world = World::new();
    let (one, _two, _three) = (world.agent("vm1"), world.agent("vm2"), world.agent("vm3"));
    let saved = save(&world, shop());
    let on_the_first = save(&world, stack("first", vec![container("web", "vm1", None, &[])]));
    world.environment.advance(Duration::from_secs(60));
    one.observe(&[]);
    world.tick();
    assert_eq!(refused(&world, &saved), ["host `vm2` was active and is offline now"]);
    apply(&world, &on_the_first).unwrap();
}

#[test]
fn a_port_that_another_stack_took_refuses_a_plan_also_before_anybody_saw_it() {
    let world = World::new();
    let (_one, _two) = (world.agent("vm1"), world.agent("vm2"));
    let saved = save(&world, shop());
    let other = stack("other", vec![container("page", "vm2", Some(8080), &[])]);
    world.run(world.control.deploy(other, DeployOptions::default())).unwrap();
    let told = refused(&world, &saved);
    assert_eq!(told, ["container `other-page` on `vm2` did not hold port 8080/tcp and holds it now"]);
}

#[test]
fn another_revision_refuses_the_plan_of_the_one_before() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    while one.work() + two.work() > 0 {}
    world.tick();
    let again = |image: &str| {
        let web = Container { image: image.to_owned(), ..container("web", "vm2", Some(8080), &["db"]) };
        stack("shop", vec![container("db", "vm1", None, &[]), web])
    };
    let saved = save(&world, again("nginx:2"));
    world.run(world.control.deploy(again("nginx:3"), DeployOptions::default())).unwrap();
    assert_eq!(refused(&world, &saved), ["the stack `shop` was at revision 1 and is at revision 2 now"]);
    world.run(world.control.remove("shop", RemoveOptions::default())).unwrap();
    let error = apply(&world, &saved).unwrap_err();
    assert!(matches!(error, ControlError::Conflict { code: "stack-deleting", .. }), "{error}");
}

#[test]
fn load_elsewhere_moves_no_container_of_a_saved_plan() {
    let world = World::new();
    let (one, _two) = (world.agent("vm1"), world.agent("vm2"));
    let anywhere = stack("any", vec![Container { host: None, ..container("web", "vm1", None, &[]) }]);
    let saved = save(&world, anywhere.clone());
    assert_eq!(saved.plan.placements["web"].as_str(), "vm1");
    let busy = stack("busy", vec![container("a", "vm1", None, &[]), container("b", "vm1", None, &[])]);
    world.run(world.control.deploy(busy, DeployOptions::default())).unwrap();
    while one.work() > 0 {}
    assert_eq!(save(&world, anywhere).plan.placements["web"].as_str(), "vm2", "a new plan would go elsewhere");
    let started = apply(&world, &saved).unwrap();
    assert_eq!(world.run(world.control.deployment(&started.deployment_id)).unwrap().plan_hash, saved.plan.hash);
}

/// The plan of an inventory that the server never saw.
fn offline(address: &str) -> SavedPlan {
    let host = |name: &str| Host { ip_address: address.parse().ok(), ..Host::named(name.into()) };
    let inventory = Inventory { hosts: vec![host("vm1"), host("vm2")], containers: Vec::new() };
    let options = Options::default();
    let plan = plan::plan(&shop(), None, &inventory, &options).unwrap();
    let facts = Facts::of(&plan, &shop(), &inventory, None);
    SavedPlan::new(shop(), SavedOptions::new(&options, None), plan.sealed(), facts)
}

#[test]
fn a_plan_made_offline_is_carried_out_where_its_facts_are_those_of_the_server() {
    let world = World::new();
    let (_one, _two) = (world.agent("vm1"), world.agent("vm2"));
    let told = refused(&world, &offline("10.7.7.7"));
    assert_eq!(told[0], "host `vm1` had the address 10.7.7.7 and has the address 10.0.0.1 now");
    assert_eq!(apply(&world, &offline("10.0.0.1")).unwrap().status, StackStatus::Deploying);
}

#[test]
fn facts_that_do_not_tell_all_are_no_way_around_the_plan_s_hash() {
    let world = World::new();
    let (_one, _two) = (world.agent("vm1"), world.agent("vm2"));
    let SavedPlan { stack, options, mut plan, facts, .. } = save(&world, shop());
    plan.plan.tasks.pop();
    let forged = SavedPlan::new(stack, options, plan.plan.sealed(), facts);
    assert_eq!(SavedPlan::read(forged.to_text().as_bytes()).unwrap(), forged);
    assert!(refused(&world, &forged).is_empty());
    world.run(world.control.set_host_status(&"vm1".into(), HostStatus::Maintenance)).unwrap();
    assert_eq!(refused(&world, &forged), ["host `vm1` was active and is in maintenance now"]);
}
