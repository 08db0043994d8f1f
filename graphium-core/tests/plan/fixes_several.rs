//! Of several that fit nowhere each cause is told once, and all changes together are enough.

use graphium_core::{
    diagnostic::Diagnostic,
    id::HostId,
    inventory::{HostStatus, Inventory},
    plan::{FixStep, Options, fixtures::*, plan},
    stack::{Container, Mode, Stack, Strategy},
};

const GIB: u64 = 1 << 30;

fn refused(stack: &Stack, inventory: &Inventory) -> Vec<Diagnostic> {
    plan(stack, None, inventory, &Options::default()).unwrap_err()
}

/// The errors; all their changes together are seen to help.
fn helped(stack: &Stack, inventory: &Inventory) -> Vec<Diagnostic> {
    let errors = refused(stack, inventory);
    let (mut changed, mut estate) = (stack.clone(), inventory.clone());
    for error in &errors {
        error.fix.as_ref().unwrap_or_else(|| panic!("no change: {error}")).apply(&mut changed, &mut estate);
    }
    plan(&changed, None, &estate, &Options::default()).unwrap_or_else(|left| panic!("{errors:#?} leave {left:#?}"));
    errors
}

fn told(errors: &[Diagnostic]) -> Vec<(&str, &str)> {
    errors.iter().map(|error| (&*error.message, error.help.as_deref().unwrap_or_default())).collect()
}

fn replicated(container: Container, replicas: u32) -> Container {
    Container { replicas: Some(replicas), ..container }
}

fn publishing(name: &str, port: u16) -> Container {
    Container { ports: vec![published(80, port)], ..container(name) }
}

fn on(host: &str, container: Container) -> Container {
    Container { host: Some(HostId::new(host)), ..container }
}

#[test]
fn too_many_replicas_are_one_mistake_and_as_many_as_fit_are_named() {
    let mut inventory = hosts(2);
    inventory.hosts[0].memory = 4 * GIB;
    inventory.hosts[1].memory = 3 * GIB;
    let stack = stack("s", vec![replicated(reserving("web", None, Some(GIB)), 50)]);
    let errors = helped(&stack, &inventory);
    assert_eq!(
        told(&errors),
        [(
            "43 of the 50 replicas of `web` fit on no host: `vm1` has 4 GiB of 4 GiB of memory reserved, 1 GiB more are \
             needed; `vm2` has 3 GiB of 3 GiB of memory reserved, 1 GiB more are needed",
            "lower the replicas of `web` from 50 to 7"
        )]
    );
}

#[test]
fn where_no_replica_fits_a_host_is_asked_for_that_takes_them_all() {
    let stack = stack("s", vec![replicated(reserving("web", None, Some(20 * GIB)), 3)]);
    let errors = helped(&stack, &hosts(1));
    let told = told(&errors);
    assert!(told[0].0.starts_with("the 3 replicas of `web` fit on no host: `vm1` has "), "{told:?}");
    assert_eq!((told.len(), told[0].1), (1, "add a host with 60 GiB of memory"));
}

#[test]
fn replicas_are_told_to_share_a_host_unless_that_leaves_them_less_than_half() {
    let help = |wanted: f64, replicas| {
        let stack = stack("s", vec![replicated(reserving("web", Some(wanted), None), replicas)]);
        helped(&stack, &hosts(1))[0].help.clone().unwrap()
    };
    let lowered = |from: u32, to: u32| {
        format!("to run it on `vm1`, lower the reservation of processors of `web` from {from} to {to}")
    };
    assert_eq!([help(3.0, 4), help(4.0, 4)], [lowered(3, 2), lowered(4, 2)]);
    assert_eq!(help(4.0, 5), "lower the replicas of `web` from 5 to 2");
}

#[test]
fn each_that_wants_a_port_that_is_taken_gets_one_of_its_own() {
    let errors = helped(&stack("s", ["a", "b", "c"].map(|name| publishing(name, 80)).to_vec()), &hosts(1));
    let steps: Vec<&FixStep> = errors.iter().flat_map(|error| &error.fix.as_ref().unwrap().steps).collect();
    let ports = steps.iter().map(|step| match step {
        FixStep::HostPort { container, from: 80, to, .. } => (container.as_str(), *to),
        other => panic!("{other}"),
    });
    assert_eq!(ports.collect::<Vec<_>>(), [("b", 81), ("c", 82)]);
}

#[test]
fn those_bound_beside_another_share_what_it_leaves() {
    let containers = [10, 8, 8].into_iter().zip(["a", "b", "c"]);
    let containers = containers.map(|(memory, name)| on("vm1", reserving(name, None, Some(memory * GIB))));
    let errors = helped(&stack("s", containers.collect()), &hosts(1));
    let asked = |error: &Diagnostic| match error.fix.as_ref().unwrap().steps[..] {
        [FixStep::Memory { to, .. }] => to / GIB,
        ref other => panic!("{other:?}"),
    };
    assert_eq!(errors.iter().map(asked).collect::<Vec<_>>(), [6, 0]);
}

#[test]
fn a_datacenter_that_no_host_is_in_is_one_mistake_whatever_the_number_of_containers() {
    let mut stack = stack("s", vec![replicated(container("web"), 1000), container("db")]);
    stack.deployment.placement_strategy = Some(Strategy::Datacenter);
    stack.deployment.target_datacenter = Some("eu-wst".to_owned());
    let mut inventory = hosts(2);
    inventory.hosts[0].location = Some("us-east".to_owned());
    inventory.hosts[1].location = Some("eu-west".to_owned());
    let errors = helped(&stack, &inventory);
    let message = "no known host is in the datacenter `eu-wst`";
    assert_eq!(told(&errors), [(message, "change `targetDatacenter` from `eu-wst` to `eu-west`")]);
}

#[test]
fn replicas_of_one_container_share_one_mistake_of_their_document() {
    let mut stack = stack("s", vec![on("vm9", replicated(container("a"), 1000)), on("vm9", container("b"))]);
    let errors = refused(&stack, &hosts(1));
    let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    let first = "the 1000 replicas of `a` are to run on the host `vm9`, which is not known";
    assert_eq!(messages, [first, "`b` is to run on the host `vm9`, which is not known"]);
    stack.containers.truncate(1);
    std::sync::Arc::make_mut(&mut stack.containers[0]).host = None;
    stack.deployment.placement_strategy = Some(Strategy::Manual);
    let errors = refused(&stack, &hosts(1));
    let message = "`a` names no host, and the placement strategy is `manual`";
    assert_eq!(errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>(), [message]);
}

#[test]
fn containers_of_one_reason_and_one_remedy_are_told_of_together() {
    let mut inventory = hosts(1);
    inventory.hosts[0].status = HostStatus::Offline;
    let names = ["a", "b", "c", "d", "e"];
    let errors = helped(&stack("s", names.map(container).to_vec()), &inventory);
    let message = "`a`, `b`, `c`, `d`, `e` fit on no host: `vm1` is offline";
    assert_eq!(told(&errors), [(message, "to run it on `vm1`, start the agent on `vm1`")]);
    let errors = helped(&stack("s", names[..3].iter().copied().map(container).collect()), &hosts(0));
    assert_eq!(told(&errors), [("`a`, `b`, `c` fit on no host: no host is known", "add a host")]);
}

#[test]
fn whoever_fits_once_another_is_helped_is_told_so() {
    let mut inventory = hosts(1);
    inventory.hosts[0].status = HostStatus::Draining;
    let mut stack = stack("s", vec![on("vm1", container("a")), container("b")]);
    let errors = helped(&stack, &inventory);
    assert_eq!(
        errors[0].help.as_deref(),
        Some("to run it on `vm1`, let it take work again: `graphium host activate vm1`")
    );
    assert_eq!(errors[1].message, "`b` fits on no host: `vm1` is draining");
    assert_eq!(errors[1].help.as_deref(), Some("it fits once what is told before it is changed"));
    stack.deployment.mode = Mode::SingleHost;
    let errors = helped(&stack, &inventory);
    assert_eq!(errors.last().unwrap().help.as_deref(), Some("it fits once what is told before it is changed"));
}

#[test]
fn a_hundred_of_many_mistakes_are_told_and_advised_on() {
    let stack = stack("s", (0..300).map(|number| publishing(&format!("c{number:03}"), 80)).collect());
    let errors = refused(&stack, &hosts(1));
    assert_eq!(errors.len(), 101);
    assert!(errors[..100].iter().all(|error| error.fix.is_some()), "{:?}", told(&errors));
    assert_eq!(errors[100].message, "199 more containers cannot be placed");
}

#[test]
fn whoever_comes_after_one_that_nothing_helps_gets_a_change_of_its_own() {
    let wanting = ["b", "c", "d"].map(|name| publishing(name, 80));
    let containers = [on("vm9", container("a"))].into_iter().chain(wanting).collect();
    let errors = refused(&stack("s", containers), &hosts(1));
    let helps: Vec<_> = errors.iter().map(|error| error.fix.is_some()).collect();
    assert_eq!(helps, [false, true, true], "{:?}", told(&errors));
}
