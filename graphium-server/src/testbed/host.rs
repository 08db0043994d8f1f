use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use bollard::Docker;
use tokio::sync::Mutex;

use super::command::{blocking, command};
use super::engine::{Engine, EngineFiles};
use super::machine::Machine;
use super::slot::Slot;
use super::{TestbedError, TestbedOptions, cleanup, net};

const ENGINE_END: Duration = Duration::from_secs(30);

/// One Docker host of a [`Testbed`](super::Testbed): a machine of its own as far as Docker can tell, whose parts can be made to fail.
#[derive(Debug)]
pub struct TestHost {
    slot: Slot,
    index: u8,
    files: EngineFiles,
    engine_deadline: Duration,
    running: Mutex<Running>,
}

/// What runs of a host. An engine runs on a machine.
#[derive(Debug, Default)]
struct Running {
    engine: Option<Engine>,
    machine: Option<Machine>,
}

impl TestHost {
    pub(super) fn new(slot: Slot, index: u8, name: &str, options: &TestbedOptions) -> Self {
        let files = EngineFiles {
            host: name.to_owned(),
            dir: slot.dir().join(name),
            bridge: format!("172.30.{}.1/24", index + 1),
            cgroup: format!("/{}/{name}", slot.name()),
            // As a network of one address: an address alone would stand for the port of HTTP.
            plain_registries: options.plain_registry.then(|| format!("{}/32", slot.uplink())).into_iter().collect(),
        };
        Self { slot, index, files, engine_deadline: options.engine_deadline, running: Mutex::default() }
    }

    /// The name it was given, which is its hostname too.
    pub fn name(&self) -> &str {
        &self.files.host
    }

    /// Where the other hosts and the root namespace reach it, and the ports it publishes.
    pub fn address(&self) -> IpAddr {
        self.slot.address(self.index)
    }

    /// The socket of its engine, reachable from the root namespace.
    pub fn socket(&self) -> PathBuf {
        self.files.socket()
    }

    /// The log of its engine.
    pub fn log(&self) -> PathBuf {
        self.files.log()
    }

    /// The name of its network namespace, as in `ip netns`.
    pub fn netns(&self) -> String {
        self.slot.netns(self.name())
    }

    /// A client of its engine.
    pub fn docker(&self) -> Result<Docker, TestbedError> {
        let socket = self.socket();
        Docker::connect_with_unix(&socket.to_string_lossy(), 120, bollard::API_DEFAULT_VERSION)
            .map_err(|source| TestbedError::Docker { action: format!("listen at {}", socket.display()), source })
    }

    /// A command on this host's network: what it can reach, this host can reach. The process is the caller's child and keeps
    /// its process id, but it dies with the host.
    pub fn command(&self, program: &str) -> tokio::process::Command {
        let mut command = command("nsenter");
        command.args([&format!("--net=/run/netns/{}", self.netns()), "--", program]);
        command.into()
    }

    /// Kills the engine and waits for its end; `containerd` dies with it, containers go on.
    pub async fn kill_engine(&self) -> Result<(), TestbedError> {
        self.end_engine("-KILL").await
    }

    /// Ends the engine in order, and with it the containers.
    pub async fn stop_engine(&self) -> Result<(), TestbedError> {
        self.end_engine("-TERM").await
    }

    /// Starts the engine, unless it runs, and waits until it answers.
    pub async fn start_engine(&self) -> Result<(), TestbedError> {
        let mut running = self.running.lock().await;
        if running.engine.is_none() {
            let machine = running.machine.as_ref().ok_or_else(|| self.down("machine"))?;
            running.engine = Some(Engine::start(machine, &self.files, self.engine_deadline).await?);
        }
        Ok(())
    }

    /// [`stop_engine`](Self::stop_engine), if it runs, and [`start_engine`](Self::start_engine).
    pub async fn restart_engine(&self) -> Result<(), TestbedError> {
        match self.stop_engine().await {
            Ok(()) | Err(TestbedError::Down { .. }) => self.start_engine().await,
            Err(error) => Err(error),
        }
    }

    /// Freezes the engine: it accepts connections, and answers none.
    pub async fn pause_engine(&self) -> Result<(), TestbedError> {
        self.signal_engine("-STOP").await
    }

    /// Ends [`pause_engine`](Self::pause_engine).
    pub async fn resume_engine(&self) -> Result<(), TestbedError> {
        self.signal_engine("-CONT").await
    }

    /// Cuts the host off from the other hosts and from the root namespace: packets vanish in silence. Its socket stays reachable.
    pub async fn partition(&self) -> Result<(), TestbedError> {
        let (slot, index) = (self.slot, self.index);
        blocking(move || net::unplug(slot, index)).await
    }

    /// Ends [`partition`](Self::partition).
    pub async fn heal(&self) -> Result<(), TestbedError> {
        let (slot, index) = (self.slot, self.index);
        blocking(move || net::plug(slot, index)).await
    }

    /// Pulls the plug: every process of the host is gone at once, its disk stays.
    pub async fn power_off(&self) -> Result<(), TestbedError> {
        let netns = self.netns();
        let running = std::mem::take(&mut *self.running.lock().await);
        blocking(move || {
            cleanup::kill_all_in(&netns)?;
            drop(running);
            Ok(())
        })
        .await
    }

    /// Switches the host on, unless it is, and waits until its engine answers.
    pub async fn power_on(&self) -> Result<(), TestbedError> {
        let mut running = self.running.lock().await;
        if running.machine.is_none() {
            let (netns, files) = (self.netns(), self.files.clone());
            let boot = move || {
                files.write()?;
                Machine::boot(&netns, &files.host)
            };
            running.machine = Some(blocking(boot).await?);
        }
        drop(running);
        self.start_engine().await
    }

    async fn end_engine(&self, signal: &'static str) -> Result<(), TestbedError> {
        let mut running = self.running.lock().await;
        let Running { engine: Some(engine), machine: Some(machine) } = &mut *running else {
            return Err(self.down("engine"));
        };
        engine.signal(machine, signal).await?;
        engine.wait(&self.files, ENGINE_END).await?;
        running.engine = None;
        Ok(())
    }

    async fn signal_engine(&self, signal: &'static str) -> Result<(), TestbedError> {
        match &*self.running.lock().await {
            Running { engine: Some(engine), machine: Some(machine) } => engine.signal(machine, signal).await,
            _ => Err(self.down("engine")),
        }
    }

    fn down(&self, part: &'static str) -> TestbedError {
        TestbedError::Down { host: self.name().to_owned(), part }
    }
}
