//! Containers and their life.

use super::{
    Thing,
    engine::{Engine, foreign, is_managed, ours},
    log::Log,
};
use crate::{
    id::HostId,
    inventory::{ContainerStatus, Health, ObservedContainer, ObservedPort},
    runtime::{
        Adoption, ContainerChange, ContainerSpec, ContainerState, Description, LiveSettings, LiveStep, Probe, PutFile,
        RuntimeError, label,
    },
    secret::SecretText,
    stack::{Container, EnvValue, HealthTest, MountKind, Port, RestartPolicy, TextMap},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::Arc,
};

/// The first port that is given where a document leaves the choice.
const FIRST_FREE_PORT: u16 = 32_768;

#[derive(Clone, Debug)]
pub(super) struct FakeContainer {
    pub(super) spec: ContainerSpec,
    pub(super) state: ContainerState,
    pub(super) log: Log,
    /// What it answers when it is asked over the network.
    pub(super) answer: Health,
    /// Networks that it has joined since it was made, with its names there.
    pub(super) joined: BTreeMap<String, Vec<String>>,
    /// Files that were put into it.
    pub(super) files: BTreeMap<String, SecretText>,
}

impl FakeContainer {
    pub(super) fn is_up(&self) -> bool {
        matches!(self.state.status(), ContainerStatus::Running | ContainerStatus::Paused | ContainerStatus::Restarting)
    }

    pub(super) fn network(&self) -> Option<&str> {
        self.spec.network.as_deref().filter(|_| self.spec.container.network_mode.is_none())
    }

    pub(super) fn is_in(&self, network: &str) -> bool {
        self.network() == Some(network) || self.joined.contains_key(network)
    }

    /// Names of the volumes that it mounts.
    pub(super) fn volumes(&self) -> impl Iterator<Item = &str> {
        self.spec.container.volume_mounts.iter().filter_map(|mount| match &mount.kind {
            MountKind::Volume { source, .. } => source.as_deref(),
            MountKind::Bind { .. } | MountKind::Secret { .. } | MountKind::Tmpfs { .. } => None,
        })
    }

    fn host_ports(&self) -> impl Iterator<Item = u16> {
        self.state.observed.ports.iter().filter(|_| self.is_up()).filter_map(|port| port.host_port)
    }

    /// Whether the engine itself makes its health check.
    pub(super) fn is_checked(&self) -> bool {
        let test = self.spec.container.health_check.as_ref().map(|check| &check.test);
        matches!(test, Some(HealthTest::Exec { .. } | HealthTest::Shell { .. }))
    }
}

impl Engine {
    pub(super) fn create(&mut self, spec: &ContainerSpec) -> Result<String, RuntimeError> {
        let name = &spec.name;
        let hash = spec.planned_hash();
        let resolved = |value: &EnvValue| matches!(value, EnvValue::Literal(_));
        if let Some(variable) = spec.container.environment.iter().find(|variable| !resolved(&variable.value)) {
            return Err(RuntimeError::Refused(format!("variable `{}` is not resolved", variable.name)));
        }
        if let Some(holder) = self.containers.get(name) {
            let holder = &self.shown(holder).observed;
            return match holder.label(label::HASH) {
                _ if !is_managed(&holder.labels) => Err(foreign(Thing::Container, name)),
                Some(held) if hash.is(held) => Ok(holder.id.clone()),
                _ => Err(RuntimeError::NameTaken { name: name.clone(), holder: "another version of it".to_owned() }),
            };
        }
        if !self.has_image(&spec.container.image, spec.container.platform.as_deref()) {
            let image = spec.container.image.clone();
            return Err(RuntimeError::ImageNotFound { reason: format!("No such image: {image}"), image });
        }
        let id = self.insert(spec.clone(), ours(spec.all_labels()));
        self.effect(name).created += 1;
        self.tell(name, "create");
        Ok(id)
    }

    /// Puts a container there, made and not started, and makes the volumes that nobody made.
    pub(super) fn insert(&mut self, spec: ContainerSpec, labels: TextMap) -> String {
        self.made += 1;
        let id = format!("{:064x}", self.made);
        let observed = ObservedContainer {
            id: id.clone(),
            name: spec.name.clone(),
            image: spec.container.image.clone(),
            status: ContainerStatus::Created,
            hosted_on: HostId::new(""),
            ports: Vec::new(),
            labels,
            health: None,
            exit_code: None,
            ended_with_engine: false,
            ended_by_task: false,
            ip_address: None,
            date_created: self.now,
            settings: Some(LiveSettings::of(&spec.container)),
        };
        let image_id = self.image_id(&spec.container.image);
        let state =
            ContainerState { observed, image_id, started_at: None, restart_count: 0, error: None, health_output: None };
        let container = FakeContainer {
            spec,
            state,
            log: Log::default(),
            answer: Health::Starting,
            joined: BTreeMap::new(),
            files: BTreeMap::new(),
        };
        for volume in container.volumes() {
            let labels = || container.spec.labels_of_volume(volume).unwrap_or_default();
            self.volumes.entry(volume.to_owned()).or_insert_with(labels);
        }
        self.containers.insert(container.spec.name.clone(), container);
        id
    }

    pub(super) fn put_files(&mut self, name: &str, files: &[PutFile]) -> Result<(), RuntimeError> {
        self.own(name)?;
        let absent = || RuntimeError::NotFound(format!("there is no container `{name}`"));
        let container = self.containers.get_mut(name).ok_or_else(absent)?;
        if container.spec.container.read_only_rootfs {
            return Err(RuntimeError::Refused("container rootfs is marked read-only".to_owned()));
        }
        container.files.extend(files.iter().map(|file| (file.path.clone(), file.content.clone())));
        Ok(())
    }

    pub(super) fn rename(&mut self, name: &str, to: &str) -> Result<(), RuntimeError> {
        let is_there = self.own(name)?.is_some();
        match self.own(to)? {
            Some(_) if !is_there || name == to => return Ok(()),
            Some(_) => {
                return Err(RuntimeError::NameTaken { name: to.to_owned(), holder: "another container".to_owned() });
            }
            None => {}
        }
        let Some(mut container) = self.containers.remove(name) else {
            return Err(RuntimeError::NotFound(format!("there is no container `{name}`")));
        };
        to.clone_into(&mut container.spec.name);
        to.clone_into(&mut container.state.observed.name);
        self.containers.insert(to.to_owned(), container);
        self.effect(name).renamed += 1;
        self.tell(to, "rename");
        Ok(())
    }

    /// A container as the handle that asks sees it.
    pub(super) fn shown(&self, container: &FakeContainer) -> ContainerState {
        let mut state = container.state.clone();
        self.adopted.show(&mut state.observed);
        state
    }

    fn of_id(&self, id: &str) -> Option<&FakeContainer> {
        self.containers.values().find(|container| container.state.observed.id == id)
    }

    pub(super) fn describe(&self, id: &str) -> Option<Description> {
        let container = self.of_id(id)?;
        let mut networks = container.joined.clone();
        if let Some(network) = container.network() {
            let names = container.spec.names().into_iter().map(str::to_owned).collect();
            networks.insert(network.to_owned(), names);
        }
        let mut definition = Container::clone(&container.spec.container);
        definition.labels.clone_from(&container.state.observed.labels);
        definition.name.clear();
        Some(Description {
            name: container.spec.name.clone(),
            container: definition,
            settings: container.state.observed.settings.unwrap_or_default(),
            networks,
            ..Description::default()
        })
    }

    pub(super) fn adopt(&mut self, adoption: &Adoption) -> Result<(), RuntimeError> {
        let Adoption { id, name: to, network, aliases, .. } = adoption;
        let absent = || RuntimeError::NotFound(format!("there is no container of the id `{id}`"));
        let name = self.of_id(id).map(|container| container.spec.name.clone()).ok_or_else(absent)?;
        if name != *to && self.containers.contains_key(to) {
            return Err(RuntimeError::NameTaken { name: to.clone(), holder: "another container".to_owned() });
        }
        if let Some(network) = network.as_ref().filter(|network| !self.networks.contains_key(*network)) {
            return Err(RuntimeError::NotFound(format!("network {network} not found")));
        }
        let Some(mut container) = self.containers.remove(&name) else { return Err(absent()) };
        if let Some(network) = network.as_ref().filter(|network| !container.is_in(network)) {
            container.joined.insert(network.clone(), aliases.clone());
        }
        to.clone_into(&mut container.spec.name);
        to.clone_into(&mut container.state.observed.name);
        self.containers.insert(to.clone(), container);
        if name != *to {
            self.effect(&name).renamed += 1;
            self.tell(to, "rename");
        }
        Ok(())
    }

    pub(super) fn start(&mut self, name: &str) -> Result<(), RuntimeError> {
        let container =
            self.own(name)?.ok_or_else(|| RuntimeError::NotFound(format!("there is no container `{name}`")))?;
        if container.is_up() {
            return Ok(());
        }
        if let Some(network) = container.network().filter(|network| !self.networks.contains_key(*network)) {
            return Err(RuntimeError::NotFound(format!("network {network} not found")));
        }
        let ports = match container.spec.container.network_mode {
            Some(_) => Vec::new(),
            None => self.bind(&container.spec.container.ports)?,
        };
        self.effect(name).started += 1;
        self.run(name, ports);
        Ok(())
    }

    /// Gives every published port a port of the host, or none at all.
    fn bind(&self, ports: &[Port]) -> Result<Vec<ObservedPort>, RuntimeError> {
        let mut taken: BTreeSet<u16> = self.containers.values().flat_map(FakeContainer::host_ports).collect();
        taken.extend(&self.occupied);
        let mut bound = Vec::new();
        for port in ports {
            let free = || (FIRST_FREE_PORT..=u16::MAX).find(|number| !taken.contains(number));
            let number = port.host_port.or_else(free).filter(|number| !taken.contains(number));
            let Some(number) = number else {
                let wanted = port.host_port.unwrap_or(0);
                let reason = format!("Bind for 0.0.0.0:{wanted} failed: port is already allocated");
                return Err(RuntimeError::PortTaken { reason });
            };
            taken.insert(number);
            bound.push(ObservedPort {
                container_port: port.container_port,
                host_port: Some(number),
                protocol: port.protocol,
                host_ip: port.host_ip,
            });
        }
        Ok(bound)
    }

    /// Runs a container that somebody else starts.
    pub(super) fn begin(&mut self, name: &str) {
        let ports = self.containers.get(name).map(|container| container.spec.container.ports.clone());
        let ports = self.bind(&ports.unwrap_or_default()).unwrap_or_default();
        self.run(name, ports);
    }

    fn run(&mut self, name: &str, ports: Vec<ObservedPort>) {
        let (now, made) = (self.now, self.made);
        let program = self.program_of(name).cloned().unwrap_or_default();
        let Some(container) = self.containers.get_mut(name) else { return };
        let health = Some(program.health).filter(|_| container.is_checked());
        container.answer = program.health;
        let observed = &mut container.state.observed;
        observed.status = ContainerStatus::Running;
        observed.ports = ports;
        observed.health = health;
        observed.exit_code = None;
        observed.ip_address = Some(Ipv4Addr::from(0xAC12_0000 | (made & 0xFFFF)).into());
        container.state.started_at = now;
        container.state.error = None;
        for (source, line) in program.lines {
            container.write(source, now, format!("{line}\n").as_bytes());
        }
        self.tell(name, "start");
        if let Some(health) = health.filter(|health| *health != Health::Starting) {
            self.tell(name, &format!("health_status: {}", word(health)));
        }
        if let Some(code) = program.exit {
            self.end(name, code);
        }
    }

    /// Ends a container's process; its restart policy decides what follows.
    pub(super) fn end(&mut self, name: &str, code: i64) {
        let Some(container) = self.containers.get(name) else { return };
        let again = match container.spec.container.restart_policy {
            RestartPolicy::No => false,
            RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
            RestartPolicy::OnFailure(None) => code != 0,
            RestartPolicy::OnFailure(Some(times)) => code != 0 && container.state.restart_count < u64::from(times),
        };
        self.ended(name, code, again);
    }

    /// Ends the process of a container that runs, and nothing follows.
    pub(super) fn end_for_good(&mut self, name: &str, code: i64) {
        let runs = |status| matches!(status, ContainerStatus::Running | ContainerStatus::Restarting);
        if self.containers.get(name).is_some_and(|container| runs(container.state.observed.status)) {
            self.ended(name, code, false);
        }
    }

    fn ended(&mut self, name: &str, code: i64, again: bool) {
        let Some(container) = self.containers.get_mut(name) else { return };
        container.log.end_following();
        let observed = &mut container.state.observed;
        observed.exit_code = Some(code);
        observed.health = None;
        observed.status = if again { ContainerStatus::Restarting } else { ContainerStatus::Exited };
        container.state.restart_count += u64::from(again);
        let ports = std::mem::take(&mut observed.ports);
        let ends_again = self.program_of(name).is_some_and(|program| program.exit.is_some());
        self.tell(name, "die");
        // One that would end at once again stays in the engine's back-off.
        if again && !ends_again {
            self.run(name, ports);
        }
    }

    pub(super) fn adjust(&mut self, name: &str, settings: &LiveSettings) -> Result<(), RuntimeError> {
        let container =
            self.own(name)?.ok_or_else(|| RuntimeError::NotFound(format!("there is no container `{name}`")))?;
        match container.state.observed.settings.unwrap_or_default().step_to(settings) {
            LiveStep::None => {}
            LiveStep::InPlace(step) => {
                self.effect(name).adjusted += 1;
                self.set(name, step);
            }
            LiveStep::Anew(limits) => return Err(RuntimeError::not_in_place(name, &limits)),
        }
        Ok(())
    }

    /// Gives a container settings, whosever it is.
    pub(super) fn set(&mut self, name: &str, settings: LiveSettings) {
        let Some(container) = self.containers.get_mut(name) else { return };
        let observed = &mut container.state.observed;
        observed.settings = Some(settings.or(observed.settings.unwrap_or_default()));
        if let Some(policy) = settings.restart_policy {
            Arc::make_mut(&mut container.spec.container).restart_policy = policy;
        }
        self.tell(name, ContainerChange::UPDATE);
    }

    pub(super) fn stop(&mut self, name: &str) -> Result<(), RuntimeError> {
        if !self.own(name)?.is_some_and(FakeContainer::is_up) {
            return Ok(());
        }
        if let Some(container) = self.containers.get_mut(name) {
            container.log.end_following();
            let observed = &mut container.state.observed;
            observed.status = ContainerStatus::Exited;
            observed.exit_code = Some(0);
            observed.health = None;
            observed.ports.clear();
        }
        self.effect(name).stopped += 1;
        self.tell(name, "die");
        self.tell(name, "stop");
        Ok(())
    }

    /// Whether one that runs was told to end, which takes it some time.
    pub(super) fn begin_to_stop(&mut self, name: &str, time: std::time::Duration) -> Result<bool, RuntimeError> {
        let Some(container) = self.own(name)?.filter(|container| container.is_up()) else { return Ok(false) };
        let id = container.state.observed.id.clone();
        let end = self.now.and_then(|now| now.checked_add(time).ok()).unwrap_or_default();
        self.stopping.entry(id).or_insert(end);
        Ok(true)
    }

    /// Ends what was told to, and has had the time that it takes.
    pub(super) fn end_what_is_stopping(&mut self) {
        let Some(now) = self.now else { return };
        let over: Vec<String> = self.stopping.extract_if(.., |_, end| *end <= now).map(|(id, _)| id).collect();
        for id in over {
            let found = self.containers.iter().find(|(_, container)| container.state.observed.id == id);
            if let Some(name) = found.map(|(name, _)| name.clone()) {
                // What is stopped is ours: it was looked at when it was told to end.
                let _ = self.stop(&name);
            }
        }
    }

    pub(super) fn remove(&mut self, name: &str) -> Result<(), RuntimeError> {
        if self.own(name)?.is_some() {
            self.containers.remove(name);
            self.effect(name).removed += 1;
            self.tell(name, "destroy");
        }
        Ok(())
    }

    pub(super) fn probe(&self, name: &str, test: &HealthTest) -> Result<Probe, RuntimeError> {
        let container = self.containers.get(name);
        let container = container.ok_or_else(|| RuntimeError::NotFound(format!("there is no container `{name}`")))?;
        let (HealthTest::Http { port, .. } | HealthTest::Tcp { port } | HealthTest::Grpc { port }) = test else {
            return Err(RuntimeError::Refused("the engine makes this check itself".to_owned()));
        };
        let own = self.program_of(name).and_then(|program| program.port);
        Ok(match (container.state.status(), container.answer) {
            (ContainerStatus::Running, _) if own.is_some_and(|own| own != *port) => {
                Probe::failed(format!("nobody listens at port {port}"))
            }
            (ContainerStatus::Running, Health::Healthy) => Probe::passed("it is well"),
            (ContainerStatus::Running, other) => Probe::failed(format!("it says that it is {}", word(other))),
            _ => Probe::failed("it does not run"),
        })
    }

    /// Our container of that name; an error where it is somebody else's.
    pub(super) fn own(&self, name: &str) -> Result<Option<&FakeContainer>, RuntimeError> {
        match self.containers.get(name) {
            Some(container) if !self.shown(container).is_managed() => Err(foreign(Thing::Container, name)),
            found => Ok(found),
        }
    }
}

/// A health as the engine's events write it.
pub(super) fn word(health: Health) -> &'static str {
    match health {
        Health::Starting => "starting",
        Health::Healthy => "healthy",
        Health::Unhealthy => "unhealthy",
    }
}
