//! What containers are told of each other, and in which way.

use graphium_core::{
    action::Action,
    inventory::Inventory,
    plan::{Options, Plan, fixtures::*, plan},
    stack::{Container, Port, Stack},
};

fn planned(stack: &Stack, inventory: &Inventory) -> Plan {
    plan(stack, None, inventory, &Options::default()).unwrap()
}

fn made<'p>(plan: &'p Plan, name: &str) -> &'p Container {
    let specs = plan.tasks.iter().filter_map(|task| match &task.action {
        Action::Deploy { spec } => Some(&*spec.container),
        _ => None,
    });
    specs.into_iter().find(|container| container.name == name).unwrap()
}

fn pinned(name: &str, host: &str) -> Container {
    Container { host: Some(host.into()), ..container(name) }
}

fn publishing(name: &str, host: &str, port: Port) -> Container {
    Container { ports: vec![port], ..pinned(name, host) }
}

#[test]
fn a_port_of_every_address_is_told_with_that_of_the_host() {
    let everywhere = Port { host_ip: Some([0, 0, 0, 0].into()), ..published(80, 8080) };
    let second = Port { host_ip: Some([192, 0, 2, 7].into()), ..published(80, 8081) };
    let stack =
        stack("s", vec![publishing("a", "vm1", everywhere), publishing("b", "vm1", second), pinned("c", "vm2")]);
    let plan = planned(&stack, &hosts(2));
    let hosts = &made(&plan, "c").extra_hosts;
    assert_eq!((hosts["a"].as_str(), hosts["b"].as_str()), ("10.0.0.1", "192.0.2.7"));
}

#[test]
fn names_of_others_are_given_to_those_alone_that_have_a_network_of_their_own() {
    let user = |mode: Option<&str>| {
        let user = Container { network_mode: mode.map(str::to_owned), ..pinned("user", "vm2") };
        let plan = planned(&stack("s", vec![publishing("web", "vm1", published(80, 8080)), user]), &hosts(2));
        let user = made(&plan, "user");
        (user.environment.len(), user.extra_hosts.len())
    };
    assert_eq!(user(None), (4, 1));
    assert_eq!(user(Some("host")), (4, 1));
    // An engine refuses lines for `/etc/hosts` with these.
    assert_eq!(user(Some("none")), (4, 0));
    assert_eq!(user(Some("container:proxy")), (4, 0));
}

#[test]
fn no_network_is_made_where_no_container_is_on_it() {
    let alone = Container { network_mode: Some("host".to_owned()), ..pinned("a", "vm1") };
    let plan = planned(&stack("s", vec![alone, pinned("b", "vm2")]), &hosts(2));
    let networks: Vec<_> = plan
        .tasks
        .iter()
        .filter(|task| matches!(task.action, Action::Network { .. }))
        .map(|task| task.id.as_str())
        .collect();
    assert_eq!(networks, ["network:vm2"]);
}

#[test]
fn an_address_that_is_not_known_matters_to_others_alone() {
    let mut inventory = hosts(1);
    inventory.hosts[0].ip_address = None;
    let web = |number: u16| publishing(&format!("w{number}"), "vm1", published(80, 8080 + number));
    assert!(planned(&stack("s", vec![web(0)]), &inventory).warnings.is_empty());
    let warned = |count: u16| {
        let plan = planned(&stack("s", (0..count).map(web).collect()), &inventory);
        plan.warnings.iter().map(|warning| warning.message.clone()).collect::<Vec<_>>().join(" | ")
    };
    let start = "the address of `vm1` is not known: the others get no endpoint variables for ";
    assert_eq!(warned(2), format!("{start}`w0`, `w1`"));
    assert_eq!(warned(7), format!("{start}`w0`, `w1`, `w2`, `w3`, `w4` and 2 more"));
}
