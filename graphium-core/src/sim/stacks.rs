//! Stacks made of a seed.

use super::{dice::Dice, world::World};
use crate::{
    id::HostId,
    plan::fixtures,
    stack::{
        Condition, Container, Dependency, Deployment, HealthCheck, HealthTest, Mount, MountKind, OnFailure, Port,
        Protocol, RestartPolicy, Stack, Strategy, TextMap, Update, UpdateOrder, Volume,
    },
    testing::Program,
};
use std::{sync::Arc, time::Duration};

const NAMES: [&str; 3] = ["shop", "blog", "mail"];
const CONTAINERS: [&str; 3] = ["db", "api", "web"];
const IMAGES: [&str; 3] = ["one:1", "two:1", "three:1"];
const PORTS: [u16; 3] = [8080, 8081, 8082];
/// An image whose containers end at once.
pub(super) const BROKEN: &str = "broken:1";

/// The names of the stacks that a seed works with.
pub(super) fn names(dice: &mut Dice) -> Vec<&'static str> {
    NAMES[..1 + dice.below(NAMES.len())].to_vec()
}

/// The name of some stack.
pub(super) fn name(dice: &mut Dice) -> &'static str {
    NAMES[dice.below(NAMES.len())]
}

/// A name on an engine that a container of some stack may want.
pub(super) fn engine_name(dice: &mut Dice) -> String {
    format!("{}-{}", NAMES[dice.below(NAMES.len())], CONTAINERS[dice.below(CONTAINERS.len())])
}

/// A stack of that name, as somebody might want it today.
pub(super) fn revision(dice: &mut Dice, name: &str, hosts: &[HostId], most_broken: u16) -> Stack {
    let count = 1 + dice.below(CONTAINERS.len());
    let mut containers: Vec<Container> = Vec::new();
    for container in &CONTAINERS[..count] {
        let made = container_of(dice, container, hosts, most_broken);
        containers.push(made);
    }
    for number in 1..containers.len() {
        if dice.chance(600) {
            let condition = if dice.chance(400) { Condition::Healthy } else { Condition::Started };
            if condition == Condition::Healthy {
                containers[number - 1].health_check = Some(check(number));
            }
            let first = containers[number - 1].name.clone();
            containers[number].depends_on.push(Dependency { container: first, condition });
        }
    }
    let has_data = containers.iter().any(|container| !container.volume_mounts.is_empty());
    let data = Volume { name: "data".to_owned(), ..Volume::default() };
    let on_failure = dice.chance(500).then_some(OnFailure::Rollback);
    // Two of one container cannot have one port.
    let has_ports = containers.iter().any(|container| !container.ports.is_empty());
    let order = if !has_ports && dice.chance(700) { UpdateOrder::StartFirst } else { UpdateOrder::StopFirst };
    let update = Update { on_failure, order, ..Update::default() };
    Stack {
        deployment: Deployment { placement_strategy: Some(Strategy::Spread), update, ..Deployment::default() },
        volumes: if has_data { vec![data] } else { Vec::new() },
        ..fixtures::stack(name, containers)
    }
}

/// What a stack of that name would be that somebody has started by hand; its data is nobody's but theirs.
pub(super) fn project(dice: &mut Dice, name: &str, hosts: &[HostId]) -> Stack {
    let mut stack = revision(dice, name, hosts, 0);
    let has_ports = dice.chance(250);
    stack.volumes.clear();
    for container in &mut stack.containers {
        let container = Arc::make_mut(container);
        container.volume_mounts.clear();
        container.ports.retain(|_| has_ports);
    }
    stack
}

/// The same stack with a container whose process ends at once, which is to go back when that shows.
pub(super) fn broken(dice: &mut Dice, stack: &Stack) -> Stack {
    let mut stack = stack.clone();
    let which = dice.below(stack.containers.len());
    if let Some(container) = stack.containers.get_mut(which) {
        Arc::make_mut(container).image = BROKEN.to_owned();
    }
    stack.deployment.update.on_failure = Some(OnFailure::Rollback);
    stack
}

fn container_of(dice: &mut Dice, name: &str, hosts: &[HostId], most_broken: u16) -> Container {
    let image = if dice.chance(most_broken) { BROKEN } else { IMAGES[dice.below(IMAGES.len())] };
    let mut container = Container {
        id: format!("container:{name}"),
        name: name.to_owned(),
        image: image.to_owned(),
        ..Container::default()
    };
    if dice.chance(400) {
        let host_port = Some(PORTS[dice.below(PORTS.len())]);
        container.ports.push(Port { container_port: 80, host_port, protocol: Protocol::Tcp, host_ip: None });
    }
    if dice.chance(300) {
        container.host = dice.pick(hosts).cloned();
    }
    if dice.chance(300) {
        container.restart_policy = RestartPolicy::Always;
    }
    if dice.chance(200) {
        container.resources.limits.memory = Some((1 + dice.next() % 3) << 28);
    }
    if dice.chance(200) {
        let source = Some("data".to_owned());
        let kind = MountKind::Volume { source, no_copy: false, subpath: None };
        container.volume_mounts.push(Mount { kind, target: "/data".to_owned(), read_only: false });
    }
    container
}

/// Every other is one that the agent makes.
fn check(number: usize) -> HealthCheck {
    let test = match number % 2 {
        0 => HealthTest::Exec { command: vec!["true".to_owned()] },
        _ => HealthTest::Http { path: "/".to_owned(), port: 80, headers: TextMap::new() },
    };
    HealthCheck { test, interval: Some(Duration::from_secs(2)), timeout: None, retries: None, start_period: None }
}

impl World {
    /// Somebody pushes another image under every name.
    pub(super) fn move_tags(&self) {
        self.tell("registry", || "has other images under all names".to_owned());
        for (host, image) in self.hosts.iter().flat_map(|host| IMAGES.map(|image| (host, image))) {
            host.runtime.move_tag(image, Program::default());
        }
    }

    /// Puts on the hosts what is there before anybody deploys: images, and things of others.
    pub(super) fn furnish(&self) {
        for (number, host) in self.hosts.iter().enumerate() {
            host.runtime.set_program(BROKEN, Program::exits(1).saying(["no configuration"]));
            let (has_own, takes_name, occupies) =
                self.throw(|dice| (dice.chance(300), dice.chance(60), dice.chance(60)));
            let (takes_name, occupies) = (takes_name && !self.is_unobstructed, occupies && !self.is_unobstructed);
            let mut names = Vec::new();
            names.extend(has_own.then(|| "registry".to_owned()));
            names.extend(takes_name.then(|| "shop-web".to_owned()));
            for name in &names {
                host.runtime.make_foreign(crate::testing::Thing::Container, name);
            }
            if occupies {
                host.runtime.occupy_port(PORTS[0]);
            }
            names.iter().for_each(|name| self.is_foreign(number, name));
            self.state().has_excuse |= takes_name || occupies;
        }
        if self.setup.stacks.is_empty() {
            for name in NAMES {
                if self.chance(250) {
                    self.start_project(name, 150);
                }
            }
        }
    }
}
