//! Looking at an engine from outside: no call is made, and none is logged.

use super::{FakeRuntime, engine::is_managed};
use crate::{runtime::ContainerState, stack::TextMap};

impl FakeRuntime {
    /// A container as it is.
    pub fn container(&self, name: &str) -> Option<ContainerState> {
        self.engine().containers.get(name).map(|container| container.state.clone())
    }

    /// A file that was put into a container.
    pub fn file(&self, name: &str, path: &str) -> Option<String> {
        self.engine().containers.get(name)?.files.get(path).map(|content| content.reveal().to_owned())
    }

    /// Every container, ours and others, by name.
    pub fn containers(&self) -> Vec<ContainerState> {
        self.engine().containers.values().map(|container| container.state.clone()).collect()
    }

    /// Every network with its labels, ours and others, by name.
    pub fn networks(&self) -> Vec<(String, TextMap)> {
        self.engine().networks.iter().map(|(name, labels)| (name.clone(), labels.clone())).collect()
    }

    /// Every volume with its labels, ours and others, by name.
    pub fn volumes(&self) -> Vec<(String, TextMap)> {
        self.engine().volumes.iter().map(|(name, labels)| (name.clone(), labels.clone())).collect()
    }

    /// Names of what is ours, each with its kind: `container shop-web`, `network shop`.
    pub fn ours(&self) -> Vec<String> {
        let engine = self.engine();
        let containers =
            engine.containers.iter().map(|(name, container)| ("container", name, &container.state.observed.labels));
        let networks = engine.networks.iter().map(|(name, labels)| ("network", name, labels));
        let volumes = engine.volumes.iter().map(|(name, labels)| ("volume", name, labels));
        let all = containers.chain(networks).chain(volumes);
        all.filter(|(_, _, labels)| is_managed(labels)).map(|(kind, name, _)| format!("{kind} {name}")).collect()
    }
}
