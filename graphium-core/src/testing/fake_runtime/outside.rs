//! What others do to the engine.

use super::{FakeRuntime, Thing, container::word};
use crate::{
    inventory::{ContainerStatus, Health},
    runtime::{ContainerSpec, LiveSettings, LogSource},
    stack::{Container, TextMap},
};

impl FakeRuntime {
    /// Lets a container that runs write something.
    pub fn write(&self, name: &str, source: LogSource, bytes: &[u8]) {
        let now = self.shared.environment.as_ref().map(|environment| environment.now());
        if let Some(container) = self.engine().containers.get_mut(name) {
            container.write(source, now, bytes);
        }
    }

    /// Ends a container's process with this code, as a crash or `kill` would; its restart policy is followed.
    pub fn exit(&self, name: &str, code: i64) {
        self.engine().end(name, code);
    }

    /// Ends a container's process with code 137, as `docker kill` would: its restart policy is not followed.
    pub fn kill(&self, name: &str) {
        self.end(name, 137, None);
    }

    /// Ends a container's process with this code, for what the engine says of it; its restart policy is not followed.
    pub fn end(&self, name: &str, code: i64, error: Option<&str>) {
        let mut engine = self.engine();
        if let Some(container) = engine.containers.get_mut(name) {
            container.state.error = error.map(str::to_owned);
        }
        engine.end_for_good(name, code);
    }

    /// Takes a container away without asking, as `docker rm -f` would.
    pub fn vanish(&self, name: &str) {
        let mut engine = self.engine();
        if engine.containers.remove(name).is_some() {
            engine.tell(name, "destroy");
        }
    }

    /// Gives a container other settings, as `docker update` would; those that are absent stay.
    pub fn set_settings(&self, name: &str, settings: LiveSettings) {
        self.engine().set(name, settings);
    }

    /// Makes a container's health check say something else from now on: the engine's own at once, one over the network
    /// when it is asked next.
    pub fn set_health(&self, name: &str, health: Health) {
        let mut engine = self.engine();
        if let Some(container) = engine.containers.get_mut(name) {
            container.answer = health;
            if !container.is_checked() {
                return;
            }
            container.state.observed.health = Some(health);
            engine.tell(name, &format!("health_status: {}", word(health)));
        }
    }

    /// Makes something that is not ours; a container of it runs.
    pub fn make_foreign(&self, thing: Thing, name: &str) {
        let mut engine = self.engine();
        match thing {
            Thing::Network => drop(engine.networks.insert(name.to_owned(), TextMap::new())),
            Thing::Volume => drop(engine.volumes.insert(name.to_owned(), TextMap::new())),
            Thing::Container => {
                let container = Container { image: "foreign".to_owned(), ..Container::default() };
                engine.insert(ContainerSpec::new(name, container), TextMap::new());
                if let Some(container) = engine.containers.get_mut(name) {
                    container.state.observed.status = ContainerStatus::Running;
                }
            }
        }
    }

    /// Runs a container that is not ours, of this definition and in that network, with these labels.
    pub fn run_foreign(&self, spec: ContainerSpec, labels: TextMap) {
        let mut engine = self.engine();
        let name = spec.name.clone();
        engine.networks.extend(spec.network.as_deref().map(|network| (network.to_owned(), TextMap::new())));
        engine.insert(spec, labels);
        engine.begin(&name);
    }

    /// Takes something away, whosever it is.
    pub fn remove_foreign(&self, thing: Thing, name: &str) {
        match thing {
            Thing::Container => self.vanish(name),
            Thing::Network => drop(self.engine().networks.remove(name)),
            Thing::Volume => drop(self.engine().volumes.remove(name)),
        }
    }

    /// Lets something that is no container hold a port of the host.
    pub fn occupy_port(&self, port: u16) {
        self.engine().occupied.insert(port);
    }

    /// Gives such a port back.
    pub fn free_port(&self, port: u16) {
        self.engine().occupied.remove(&port);
    }
}
