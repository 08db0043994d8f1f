//! [`DockerRuntime`]: the trait's calls, one file per kind of object.

mod adopt;
mod arrival;
mod container;
mod events;
mod exec;
mod files;
mod logs;
mod network;
mod ownership;
mod probe;
mod pull;
mod volume;

use crate::{
    DockerConfig, Endpoint,
    capability::{self, Machine},
    connection::{Call, Connection},
    name::checked,
    observe,
    settings::Enforced,
};
use arrival::Arrivals;
use async_trait::async_trait;
use bollard::{models::SystemInfo, query_parameters::ListContainersOptionsBuilder};
use futures::stream::BoxStream;
use graphium_core::{
    runtime::{
        Adoption, Adoptions, ContainerChange, ContainerLog, ContainerRuntime, ContainerSpec, ContainerState,
        Description, EngineInfo, ExecFeed, ExecSpec, Execution, ImageRequest, LiveSettings, LogQuery, NetworkSpec,
        Owned, PresentImage, Probe, PullObserver, PutFile, RuntimeError, VolumeSpec, label,
    },
    stack::HealthTest,
};
use ownership::Ownership;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Deadline of a question.
const LOOK: Duration = Duration::from_secs(30);
/// Deadline of a change.
const CHANGE: Duration = Duration::from_secs(60);

/// A Docker engine.
///
/// # Few calls
/// On the way where all goes well a container costs two requests, create and start, and two more, stop and remove.
/// "Look before create" is left to the engine, whose names are unique: it refuses the second of a name with 409, and
/// only then is looked what holds it. That a container is ours is proven once, by making or by inspecting it,
/// and remembered by its id, which no other container will ever have.
///
/// # Deadlines
/// 30 s for a question, 60 s for a change, the grace period and 30 s for a stop. A pull may last as
/// long as bytes arrive, and ends 60 s after the last one; the streams of changes, logs and commands end with their reader.
///
/// Needs a tokio runtime with its time and I/O drivers.
#[derive(Debug)]
pub struct DockerRuntime {
    connection: Arc<Connection>,
    ownership: Ownership,
    /// Containers that are ours though their labels do not say so.
    adoptions: Mutex<Adoptions>,
    /// What the engine has said last of the limits that it holds containers to.
    enforced: Mutex<Option<Enforced>>,
    /// Held while a network is made: an engine before API 1.44 would make two of one name.
    networks: tokio::sync::Mutex<()>,
    arrivals: Arrivals,
    /// Where logins to registries are kept; absent: they are asked as nobody.
    config: Option<DockerConfig>,
}

impl DockerRuntime {
    /// A runtime on the engine at `endpoint`.
    ///
    /// Nothing is sent yet: an engine that is away is [`RuntimeError::Unreachable`] from the first call, and found
    /// again by a later one.
    pub fn connect(endpoint: Endpoint) -> Self {
        Self {
            connection: Arc::new(Connection::new(endpoint)),
            ownership: Ownership::default(),
            adoptions: Mutex::default(),
            enforced: Mutex::default(),
            networks: tokio::sync::Mutex::new(()),
            arrivals: Arrivals::default(),
            config: None,
        }
    }

    /// The same, with the logins to registries that this configuration has.
    #[must_use]
    pub fn with_config(self, config: Option<DockerConfig>) -> Self {
        Self { config, ..self }
    }

    /// Where the engine is looked for.
    pub fn endpoint(&self) -> &Endpoint {
        self.connection.endpoint()
    }

    async fn system_info(&self) -> Result<SystemInfo, RuntimeError> {
        let call = Call::new("asking for the engine's facts", "", LOOK);
        let info = self.connection.call(call, |docker| async move { docker.info().await }).await?;
        *self.enforced.lock().unwrap_or_else(PoisonError::into_inner) = Some(Enforced::of(&info));
        Ok(info)
    }

    /// The limits that the engine holds containers to; it is asked where it has not said yet.
    async fn enforced(&self) -> Result<Enforced, RuntimeError> {
        let said = *self.enforced.lock().unwrap_or_else(PoisonError::into_inner);
        match said {
            Some(enforced) => Ok(enforced),
            None => Ok(Enforced::of(&self.system_info().await?)),
        }
    }
}

#[async_trait]
impl ContainerRuntime for DockerRuntime {
    async fn info(&self) -> Result<EngineInfo, RuntimeError> {
        let info = self.system_info().await?;
        let client = self.connection.client().await?;
        let machine = Machine::of(self.endpoint(), &info);
        let api = client.api.to_string();
        Ok(EngineInfo {
            capabilities: capability::of(&info, &client.platform, &api, machine.as_ref()),
            endpoint: self.endpoint().to_string(),
            version: info.server_version.unwrap_or(client.engine),
            api_version: api,
            engine_id: info.id.unwrap_or_default(),
            cpus: info.ncpu.and_then(|count| u32::try_from(count).ok()).map_or(0.0, f64::from),
            memory: info.mem_total.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
            platform: client.platform,
            boot_id: machine.and_then(|machine| machine.boot_id),
            live_restore: info.live_restore_enabled.unwrap_or(false),
        })
    }

    async fn pull(&self, image: ImageRequest<'_>, progress: &dyn PullObserver) -> Result<PresentImage, RuntimeError> {
        pull::pull(&self.connection, self.config.as_ref(), &self.arrivals, image, progress).await
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<(), RuntimeError> {
        let _one_at_a_time = self.networks.lock().await;
        network::create(&self.connection, spec).await
    }

    async fn remove_network(&self, name: &str) -> Result<(), RuntimeError> {
        network::remove(&self.connection, name).await
    }

    async fn create_volume(&self, spec: &VolumeSpec) -> Result<(), RuntimeError> {
        volume::create(&self.connection, spec).await
    }

    async fn remove_volume(&self, name: &str) -> Result<(), RuntimeError> {
        volume::remove(&self.connection, name).await
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<String, RuntimeError> {
        self.create_container(spec).await
    }

    async fn put_files(&self, name: &str, files: &[PutFile]) -> Result<(), RuntimeError> {
        self.put_into_container(name, files).await
    }

    async fn rename(&self, name: &str, to: &str) -> Result<(), RuntimeError> {
        self.rename_container(name, to).await
    }

    async fn start(&self, name: &str) -> Result<(), RuntimeError> {
        self.start_container(name).await
    }

    async fn adjust(&self, name: &str, settings: &LiveSettings) -> Result<(), RuntimeError> {
        self.adjust_container(name, settings).await
    }

    async fn stop(&self, name: &str, grace: Option<Duration>) -> Result<(), RuntimeError> {
        self.stop_container(name, grace).await
    }

    async fn remove(&self, name: &str) -> Result<(), RuntimeError> {
        self.remove_container(name).await
    }

    async fn inspect(&self, name: &str) -> Result<Option<ContainerState>, RuntimeError> {
        match self.look(checked(name)?).await? {
            Some(shown) => {
                let mut state = observe::inspection(shown, self.enforced().await?);
                self.mark(&mut state.observed);
                Ok(Some(state))
            }
            None => Ok(None),
        }
    }

    async fn describe(&self, id: &str) -> Result<Option<Description>, RuntimeError> {
        self.describe_container(id).await
    }

    async fn adopt(&self, adoption: &Adoption) -> Result<(), RuntimeError> {
        self.adopt_container(adoption).await
    }

    fn recall(&self, adoptions: &[Adoption]) {
        self.recall_adoptions(adoptions);
    }

    async fn probe(&self, name: &str, test: &HealthTest, timeout: Duration) -> Result<Probe, RuntimeError> {
        self.probe_container(name, test, timeout).await
    }

    async fn list(&self) -> Result<Vec<ContainerState>, RuntimeError> {
        let call = Call::new("listing containers", "", LOOK);
        let options = ListContainersOptionsBuilder::new().all(true).build();
        let ask = |docker: bollard::Docker| async move { docker.list_containers(Some(options)).await };
        let mut all: Vec<_> = self.connection.call(call, ask).await?.into_iter().map(observe::summary).collect();
        all.iter_mut().for_each(|state| self.mark(&mut state.observed));
        Ok(all)
    }

    async fn owned(&self) -> Result<Owned, RuntimeError> {
        let (networks, volumes) =
            futures::try_join!(network::owned(&self.connection), volume::owned(&self.connection))?;
        Ok(Owned { networks, volumes })
    }

    async fn last_lines(&self, name: &str, lines: usize) -> Result<Vec<String>, RuntimeError> {
        logs::last_lines(&self.connection, name, lines).await
    }

    async fn logs(&self, name: &str, query: LogQuery) -> Result<ContainerLog, RuntimeError> {
        self.read_log(name, query).await
    }

    async fn exec(&self, name: &str, spec: &ExecSpec, feed: ExecFeed) -> Result<Execution, RuntimeError> {
        self.run_command(name, spec, feed).await
    }

    async fn watch(&self) -> Result<BoxStream<'static, Result<ContainerChange, RuntimeError>>, RuntimeError> {
        events::watch(&self.connection).await
    }
}

/// The engine's filter for what is ours.
fn managed() -> HashMap<&'static str, Vec<String>> {
    HashMap::from([("label", vec![format!("{}=true", label::MANAGED)])])
}

/// The value of [`label::MANAGED`] by which something is known as ours.
fn is_managed(labels: Option<&HashMap<String, String>>) -> bool {
    labels.and_then(|labels| labels.get(label::MANAGED)).is_some_and(|value| value == "true")
}

/// The error of a name that something else has.
fn taken(name: &str, holder: &str) -> RuntimeError {
    RuntimeError::NameTaken { name: name.to_owned(), holder: holder.to_owned() }
}
