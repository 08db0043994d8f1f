//! A change that is suggested changes what it names, and nothing beside it.

use graphium_core::{
    inventory::Inventory,
    plan::{Fix, FixStep, Options, fixtures::*, plan},
    stack::{Container, HostConstraint, Stack},
};

/// The one error's change, as it is told, and stack and hosts after it.
fn after(stack: &Stack, inventory: &Inventory) -> (String, Stack, Inventory) {
    let errors = plan(stack, None, inventory, &Options::default()).unwrap_err();
    let [error] = errors.as_slice() else { panic!("{errors:#?}") };
    let fix = error.fix.as_ref().unwrap_or_else(|| panic!("no change: {error}"));
    let (mut changed, mut estate) = (stack.clone(), inventory.clone());
    fix.apply(&mut changed, &mut estate);
    plan(&changed, None, &estate, &Options::default()).unwrap();
    (fix.to_string(), changed, estate)
}

#[test]
fn a_container_keeps_its_other_ports() {
    let mut web = container("web");
    web.ports = vec![published(80, 8080), published(443, 8443)];
    let mut inventory = hosts(1);
    inventory.containers.push(foreign("old", "vm1", Some(8080)));
    let (_, changed, _) = after(&stack("s", vec![web]), &inventory);
    let ports: Vec<_> = changed.containers[0].ports.iter().map(|port| port.host_port).collect();
    assert_eq!(ports, [Some(8081), Some(8443)]);
}

#[test]
fn freeing_a_name_leaves_every_other_container_where_it_is() {
    let mut inventory = hosts(2);
    inventory.containers =
        vec![foreign("s-a", "vm1", None), foreign("other", "vm1", None), foreign("s-a", "vm2", None)];
    let here = Container { host: Some("vm1".into()), ..container("a") };
    let (_, _, estate) = after(&stack("s", vec![here]), &inventory);
    let left: Vec<_> = estate.containers.iter().map(|seen| seen.id.as_str()).collect();
    assert_eq!(left, ["vm1/other", "vm2/s-a"]);
}

#[test]
fn a_constraint_of_another_container_stays_as_it_is() {
    let asking = |name: &str, cpus: f64| HostConstraint {
        container_name: name.to_owned(),
        min_cpu: Some(cpus),
        ..HostConstraint::default()
    };
    let mut stack = stack("s", vec![container("a"), container("b")]);
    let mut inventory = hosts(2);
    inventory.hosts[0].cpu = 16.0;
    inventory.hosts[1].cpu = 4.0;
    stack.deployment.host_constraints = vec![asking("a", 20.0), asking("b", 12.0)];
    let (told, changed, _) = after(&stack, &inventory);
    assert_eq!(told, "to run it on `vm1`, lower the `minCpu` of `a` from 20 to 16");
    assert_eq!(changed.deployment.host_constraints, [asking("a", 16.0), asking("b", 12.0)]);
    // A constraint may name a container by its id.
    stack.deployment.host_constraints = vec![asking("container:a", 20.0), asking("container:b", 12.0)];
    let (_, changed, _) = after(&stack, &inventory);
    assert_eq!(changed.deployment.host_constraints, [asking("container:a", 16.0), asking("container:b", 12.0)]);
}

#[test]
fn freeing_is_offered_only_where_others_hold_as_much_as_is_missing() {
    let beside = |reserved: f64, asked: f64| {
        let bound = Container { host: Some("vm1".into()), ..reserving("a", Some(reserved), None) };
        after(&stack("s", vec![bound, reserving("b", Some(asked), None)]), &hosts(1)).0
    };
    let lower = "to run it on `vm1`, lower the reservation of processors of `b` from ";
    assert_eq!(beside(4.0, 5.0), format!("{lower}5 to 4, or free 1 of its processors"));
    assert_eq!(beside(4.0, 8.0), format!("{lower}8 to 4, or free 4 of its processors"));
    assert_eq!(beside(4.0, 9.0), format!("{lower}9 to 4"));
}

#[test]
fn a_change_of_many_steps_reads_as_one_sentence() {
    let step = |port: u16| FixStep::HostPort {
        container: "web".to_owned(),
        protocol: graphium_core::stack::Protocol::Tcp,
        from: port,
        to: port + 1,
    };
    let fix = Fix { host: None, steps: [80, 90, 100].map(step).to_vec() };
    assert_eq!(
        fix.to_string(),
        "publish `web` on another host port than 80, e.g. 81, publish `web` on another host port than 90, e.g. 91 and \
         publish `web` on another host port than 100, e.g. 101"
    );
}
