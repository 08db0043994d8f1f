//! What Graphium asks of a container engine: the trait [`ContainerRuntime`].
//!
//! # Example
//! A container from its image to its end, on an engine in memory.
//! ```
//! use futures::{StreamExt as _, executor::block_on, stream};
//! use graphium_core::runtime::*;
//! use graphium_core::{inventory::ContainerStatus, secret::SecretText, stack::*, testing::{FakeRuntime, Program}};
//! use std::{sync::Arc, time::Duration};
//!
//! struct Quiet;
//!
//! impl PullObserver for Quiet {
//!     fn progress(&self, done: u64, total: u64, _message: &str) {
//!         assert!(done <= total);
//!     }
//! }
//!
//! # block_on(async {
//! let fake = FakeRuntime::new();
//! fake.put_image("nginx:alpine", Program::runs().saying(["ready"]).listening(80));
//! let engine: &dyn ContainerRuntime = &fake;
//! let info: EngineInfo = engine.info().await?;
//! assert!(info.cpus > 0.0 && info.memory > 0);
//!
//! let request = ImageRequest { image: "nginx:alpine", platform: None, policy: PullPolicy::Always };
//! let image: PresentImage = engine.pull(request, &Quiet).await?;
//! assert!(!image.id.is_empty());
//!
//! // Nothing without our label is ever touched.
//! let labels: TextMap = [(label::MANAGED.to_owned(), "true".to_owned())].into();
//! let network = NetworkSpec { name: "shop".to_owned(), network: Network::default(), labels: labels.clone() };
//! engine.create_network(&network).await?;
//! let volume = VolumeSpec { name: "shop_data".to_owned(), volume: Volume::default(), labels: labels.clone() };
//! engine.create_volume(&volume).await?;
//! let owned: Owned = engine.owned().await?;
//! assert_eq!((owned.networks[0].0.as_str(), owned.volumes[0].0.as_str()), ("shop", "shop_data"));
//!
//! let container = Container { name: "web".to_owned(), image: "nginx:alpine".to_owned(), ..Container::default() };
//! let spec = ContainerSpec { labels: Arc::new(labels), ..ContainerSpec::new("shop-web", container) }.sealed();
//! let hash: SpecHash = spec.planned_hash();
//! assert!(hash.is(&spec.all_labels()[label::HASH]));
//! engine.create(&spec).await?;
//! let file = PutFile { path: "/run/secrets/key".to_owned(), content: SecretText::new("hunter2"), mode: 0o400 };
//! engine.put_files("shop-web", &[file]).await?;
//! engine.start("shop-web").await?;
//! let state: ContainerState = engine.inspect("shop-web").await?.unwrap();
//! assert_eq!((state.status(), state.is_managed()), (ContainerStatus::Running, true));
//! let probe: Probe = engine.probe("shop-web", &HealthTest::Tcp { port: 80 }, Duration::from_secs(1)).await?;
//! assert!(probe.is_well, "{}", probe.output);
//!
//! // Its log, and a command in it.
//! let query = LogQuery { tail: Tail::Last(10), since: None, follow: false, timestamps: false };
//! let log: ContainerLog = engine.logs("shop-web", query).await?;
//! let entries: Vec<LogEntry> = log.entries.filter_map(|entry| async { entry.ok() }).collect().await;
//! assert_eq!((entries[0].source, entries[0].bytes.as_slice()), (LogSource::Stdout, &b"ready\n"[..]));
//! let command = ["show", "/run/secrets/key"].map(str::to_owned).to_vec();
//! let spec = ExecSpec {
//!     command, stdin: false, terminal: Some(TerminalSize { rows: 24, columns: 80 }), user: None, workdir: None,
//!     environment: Default::default(),
//! };
//! let feed = ExecFeed { stdin: stream::empty().boxed(), sizes: stream::pending().boxed() };
//! let execution: Execution = engine.exec("shop-web", &spec, feed).await?;
//! let events: Vec<ExecEvent> = execution.events.filter_map(|event| async { event.ok() }).collect().await;
//! assert_eq!(events, [ExecEvent::Wrote(LogSource::Stdout, b"hunter2".to_vec()), ExecEvent::Exited(0)]);
//!
//! // Done twice is done once; what is not there is no error to remove.
//! engine.remove("shop-web").await?;
//! engine.remove("shop-web").await?;
//! assert!(engine.inspect("shop-web").await?.is_none());
//! let missing = ImageRequest { image: "no-such-image", ..request };
//! fake.deny_image("no-such-image");
//! let error: RuntimeError = engine.pull(missing, &Quiet).await.unwrap_err();
//! assert!(error.to_string().starts_with("image `no-such-image` is not to be had"), "{error}");
//! # Ok::<(), RuntimeError>(())
//! # }).unwrap();
//! ```

mod adoption;
pub mod beside;
mod digest;
mod error;
mod exec;
pub mod label;
mod live;
mod log;
mod spec;

pub use adoption::{Adoption, Adoptions, Description};
pub(crate) use digest::push_count;
pub use error::RuntimeError;
pub use exec::{ExecEvent, ExecFeed, ExecSpec, Execution, TerminalSize};
pub(crate) use live::{LIMITS, NANO, SHARES_PER_CPU};
pub use live::{LiveSettings, LiveStep};
pub use log::{ContainerLog, LogEntry, LogQuery, LogSource, Tail};
pub use spec::{ContainerSpec, NetworkSpec, SpecHash, VolumeSpec};
pub(crate) use spec::{SpecHasher, hex};

use crate::inventory::{Capabilities, ContainerStatus, Health, ObservedContainer};
use crate::secret::SecretText;
use crate::stack::{HealthTest, PullPolicy};
use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// A container engine on one host.
///
/// Every call is idempotent by name and labels: an implementation looks before it creates, or lets an engine whose
/// names are unique refuse the second of a name and looks then. What is already as asked is a success. "The engine did not answer"
/// ([`RuntimeError::Unreachable`]) is never "the container is not there" (`Ok(None)`).
///
/// * **Ordering**: calls for one name are made one after another by the agent; calls for
///   different names may run at the same time.
/// * **Cancellation**: a dropped future may have taken effect; the next call finds out.
/// * **Deadlines**: every call ends in bounded time, with [`RuntimeError::TimedOut`] if need be;
///   only [`pull`](Self::pull), and the streams of [`watch`](Self::watch), [`logs`](Self::logs) and [`exec`](Self::exec), may be long.
/// * **Ownership**: nothing without the label [`label::MANAGED`] is ever changed or removed, but for containers that were
///   [adopted](Self::adopt), each by the engine's own id of it; a name that is taken by something else is
///   [`RuntimeError::NameTaken`].
///
/// # Example
/// Whoever uses an engine takes it by the trait. A call that got no answer says so, and may be made again.
/// ```
/// use graphium_core::runtime::{ContainerRuntime, RuntimeError};
/// use graphium_core::testing::FakeRuntime;
///
/// async fn is_there(engine: &dyn ContainerRuntime, name: &str) -> Result<bool, RuntimeError> {
///     Ok(engine.inspect(name).await?.is_some())
/// }
///
/// # futures::executor::block_on(async {
/// let engine = FakeRuntime::new();
/// assert_eq!(is_there(&engine, "shop-web").await, Ok(false));
/// engine.disconnect();
/// let error = is_there(&engine, "shop-web").await.unwrap_err();
/// assert!(error.is_retryable(), "nobody knows: {error}");
/// # });
/// ```
#[async_trait]
pub trait ContainerRuntime: Send + Sync + fmt::Debug {
    /// Facts about the engine and its machine.
    async fn info(&self) -> Result<EngineInfo, RuntimeError>;

    /// Makes an image present as the policy says, telling `progress` what arrives, and says which it is.
    ///
    /// Callers that ask for one image at the same time share what arrives, and each is told of it.
    /// With [`PullPolicy::IfNotPresent`] an image that is present asks no registry; one of another platform is not present.
    async fn pull(&self, image: ImageRequest<'_>, progress: &dyn PullObserver) -> Result<PresentImage, RuntimeError>;

    /// Makes a network exist. One of the same name and our labels is a success, and any of that name where the
    /// specification calls it external; an external one that is absent is [`RuntimeError::NotFound`].
    async fn create_network(&self, spec: &NetworkSpec) -> Result<(), RuntimeError>;

    /// Makes one of our networks not exist. One that is absent is a success; one that containers are joined to is
    /// [`RuntimeError::InUse`].
    async fn remove_network(&self, name: &str) -> Result<(), RuntimeError>;

    /// Makes a volume exist. One of the same name is a success, whoever made it: data is used where it is, and only what
    /// is ours is ever removed. An external one that is absent is [`RuntimeError::NotFound`].
    async fn create_volume(&self, spec: &VolumeSpec) -> Result<(), RuntimeError>;

    /// Makes one of our volumes not exist, with its data. One that is absent is a success; one that a container mounts is
    /// [`RuntimeError::InUse`].
    async fn remove_volume(&self, name: &str) -> Result<(), RuntimeError>;

    /// Makes a container exist, not started, and returns the engine's id.
    ///
    /// One of the same name, our labels and the same [`label::HASH`] is a success, whatever its [`LiveSettings`]; one of
    /// ours with another hash is [`RuntimeError::NameTaken`]: the caller removes it first.
    async fn create(&self, spec: &ContainerSpec) -> Result<String, RuntimeError>;

    /// Puts files into one of our containers, in the place of those that are there, before it is started: they stay for as long
    /// as the container does, whatever is started and stopped.
    ///
    /// Folders on the way are made where they are missing. A container that is absent is [`RuntimeError::NotFound`]; one whose
    /// root file system is read-only is [`RuntimeError::Refused`], as is every file by default.
    async fn put_files(&self, name: &str, files: &[PutFile]) -> Result<(), RuntimeError> {
        let _ = files;
        Err(RuntimeError::Refused(format!("this runtime puts no files into containers, and `{name}` asks for some")))
    }

    /// Gives one of our containers another name, whether it runs or not; it stays the same container.
    ///
    /// Where none has the name and one of ours has the other, that was done before: a success. Where there is neither it is
    /// [`RuntimeError::NotFound`], and [`RuntimeError::NameTaken`] where something else has the other name, be it ours.
    async fn rename(&self, name: &str, to: &str) -> Result<(), RuntimeError>;

    /// Starts a container. One that runs is a success.
    async fn start(&self, name: &str) -> Result<(), RuntimeError>;

    /// Stops a container, killing it after `grace` (absent: the container's own). One that does not run, or is absent, is a success.
    async fn stop(&self, name: &str, grace: Option<Duration>) -> Result<(), RuntimeError>;

    /// Gives a container these settings in place; those that are absent stay as they are. Whether it runs or not, it is
    /// neither stopped nor started, and stays the same container.
    ///
    /// What has them already is a success without a call that changes anything. What no engine does in place
    /// ([`LiveStep::Anew`]), or what this one will not do now (less memory than is in use), is [`RuntimeError::Refused`]
    /// and changes nothing; a container that is absent is [`RuntimeError::NotFound`].
    async fn adjust(&self, name: &str, settings: &LiveSettings) -> Result<(), RuntimeError>;

    /// Removes one of our containers with its anonymous volumes, killing it if it runs. One that is absent is a success.
    async fn remove(&self, name: &str) -> Result<(), RuntimeError>;

    /// One container by name, ours or not; `None` when there is none.
    async fn inspect(&self, name: &str) -> Result<Option<ContainerState>, RuntimeError>;

    /// Asks a container over the network as its health check says, and says what it answered, within `timeout`.
    ///
    /// That time is the container's: what the engine takes to say where to ask comes on top, and its silence is an error.
    /// Nobody who listens, silence, and a container that does not run are answers too: not well. [`RuntimeError::NotFound`]
    /// where there is no such container; [`RuntimeError::Refused`] for a test that engines make themselves, and where
    /// containers of this engine cannot be reached from here. Redirections
    /// are answers and are not followed, and no more than a few KiB of an answer are read.
    async fn probe(&self, name: &str, test: &HealthTest, timeout: Duration) -> Result<Probe, RuntimeError>;

    /// One container by the engine's id, ours or not, in the terms of a definition; `None` when there is none.
    async fn describe(&self, id: &str) -> Result<Option<Description>, RuntimeError>;

    /// Makes one of ours of a container that is not, or is another stack's, without stopping, restarting or making it anew: it
    /// gets the name, joins the network beside those that it is in, and counts as bearing the labels from then on, for this
    /// handle. Done twice it is a success.
    ///
    /// One that is absent, or whose network is, is [`RuntimeError::NotFound`]; a name that another has is
    /// [`RuntimeError::NameTaken`]. After an error it is not ours, unless it was before.
    async fn adopt(&self, adoption: &Adoption) -> Result<(), RuntimeError>;

    /// Counts these as adopted, and no others: what an earlier handle has adopted a new one does not know. Asks the engine nothing.
    fn recall(&self, adoptions: &[Adoption]);

    /// Every container of the engine, ours and others, without one question each: [`ContainerState::started_at`],
    /// [`ContainerState::restart_count`], [`ContainerState::error`], [`ContainerState::health_output`] and [`ObservedContainer::settings`] may be missing
    /// here, and are known by [`inspect`](Self::inspect).
    async fn list(&self) -> Result<Vec<ContainerState>, RuntimeError>;

    /// Names of our networks and volumes (by [`label::MANAGED`]) with their labels.
    async fn owned(&self) -> Result<Owned, RuntimeError>;

    /// The last `lines` lines that a container wrote, oldest first.
    async fn last_lines(&self, name: &str, lines: usize) -> Result<Vec<String>, RuntimeError>;

    /// The log of one of our containers, whether it runs or not.
    ///
    /// What is followed ends with the container's run: after its last words, when it exits, is stopped or removed. Nothing is
    /// read ahead of whoever polls, but for a buffer of some kilobytes; dropping the stream ends the reading. Each source
    /// is in its order; between standard output and standard error no engine knows more than the times.
    ///
    /// A container that is absent is [`RuntimeError::NotFound`], one that is not ours [`RuntimeError::NameTaken`].
    async fn logs(&self, name: &str, query: LogQuery) -> Result<ContainerLog, RuntimeError>;

    /// Runs a command in one of our containers that runs, as it stands: no shell reads it.
    ///
    /// What it writes comes as fast as it is polled for, each source in its order, and nothing is read ahead but for a buffer of
    /// some kilobytes; the feed is read while the events are polled. The last event is its end. With the container's run it ends,
    /// with the code that the engine gives it then.
    /// Dropping the events ends its standard input; whether the command itself ends with that is its own affair.
    ///
    /// A container that is absent is [`RuntimeError::NotFound`], one that is not ours [`RuntimeError::NameTaken`], and one
    /// that does not run [`RuntimeError::Refused`]. A program that is not there may be that, too, or an end with the
    /// code 127 after words about it.
    async fn exec(&self, name: &str, spec: &ExecSpec, feed: ExecFeed) -> Result<Execution, RuntimeError>;

    /// Says when something changed about a container, until the engine ends the stream.
    ///
    /// Everything since the call is told, also what happens before the stream is first polled: watch, then list, and
    /// nothing is missed. A change of [`LiveSettings`], whoever made it, is told as [`ContainerChange::UPDATE`].
    async fn watch(&self) -> Result<BoxStream<'static, Result<ContainerChange, RuntimeError>>, RuntimeError>;
}

/// Facts about an engine and its machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EngineInfo {
    /// Where it was found, as a person would write it.
    pub endpoint: String,
    /// Its version.
    pub version: String,
    /// The API version on the wire.
    pub api_version: String,
    /// Its identity, stable over restarts.
    pub engine_id: String,
    /// Processors.
    pub cpus: f64,
    /// Bytes of memory.
    pub memory: u64,
    /// `linux/amd64`.
    pub platform: String,
    /// Which boot of its machine this is, where the machine says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// Whether what it runs goes on while it is away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub live_restore: bool,
    /// What it can do that others cannot.
    #[serde(default, skip_serializing_if = "Capabilities::is_unknown")]
    pub capabilities: Capabilities,
}

/// A file for a container.
#[derive(Clone, Debug)]
pub struct PutFile {
    /// Where, an absolute path inside.
    pub path: String,
    /// What is in it.
    pub content: SecretText,
    /// Its mode bits; it belongs to the user 0 and the group 0 of the container.
    pub mode: u32,
}

/// An image that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageRequest<'a> {
    /// Its reference.
    pub image: &'a str,
    /// Of which platform, as `os/architecture[/variant]`; absent: the engine's own.
    pub platform: Option<&'a str>,
    /// When a registry is asked.
    pub policy: PullPolicy,
}

/// An image that an engine has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresentImage {
    /// The engine's id of it.
    pub id: String,
    /// What its registry calls these very bytes, `sha256:…`; absent where it came from none.
    pub digest: Option<String>,
}

/// What a container answered to a question about its health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Whether it is well.
    pub is_well: bool,
    /// What it said, or what was wrong, for people.
    pub output: String,
}

impl Probe {
    /// It is well.
    pub fn passed(output: impl Into<String>) -> Self {
        Self { is_well: true, output: output.into() }
    }

    /// It is not.
    pub fn failed(output: impl Into<String>) -> Self {
        Self { is_well: false, output: output.into() }
    }
}

/// Told of a pull's progress.
pub trait PullObserver: Send + Sync {
    /// So many bytes of so many have arrived over all layers that are known yet.
    fn progress(&self, done: u64, total: u64, message: &str);
}

/// A container as the agent needs to know it.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerState {
    /// What everybody may see; `hosted_on` is empty until the agent fills it in.
    pub observed: ObservedContainer,
    /// The id of the image that it was made from, as [`PresentImage::id`] says it; absent: unknown.
    pub image_id: Option<String>,
    /// When it last started.
    pub started_at: Option<Timestamp>,
    /// How often the engine has started it again.
    pub restart_count: u64,
    /// The engine's own word on why it does not run.
    pub error: Option<String>,
    /// What the last of the health checks that the engine makes has shown.
    pub health_output: Option<String>,
}

impl ContainerState {
    /// What it does.
    pub fn status(&self) -> ContainerStatus {
        self.observed.status
    }

    /// What its health check says.
    pub fn health(&self) -> Option<Health> {
        self.observed.health
    }

    /// Whether it carries our label.
    pub fn is_managed(&self) -> bool {
        self.observed.label(label::MANAGED) == Some("true")
    }
}

/// Our networks and volumes on one engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owned {
    /// Networks: name and labels.
    pub networks: Vec<(String, crate::stack::TextMap)>,
    /// Volumes: name and labels.
    pub volumes: Vec<(String, crate::stack::TextMap)>,
}

/// Something changed about a container.
///
/// # Example
/// ```
/// use futures::{StreamExt as _, executor::block_on};
/// use graphium_core::runtime::{ContainerChange, ContainerRuntime, ContainerSpec, RuntimeError};
/// use graphium_core::testing::{FakeRuntime, Program};
/// # use graphium_core::{runtime::label, stack::Container};
/// # block_on(async {
/// let engine = FakeRuntime::new();
/// engine.put_image("nginx:alpine", Program::runs());
/// let mut changes = engine.watch().await?;
/// # let container = Container { name: "web".to_owned(), image: "nginx:alpine".to_owned(), ..Container::default() };
/// # let labels = [(label::MANAGED.to_owned(), "true".to_owned())].into();
/// # let spec = ContainerSpec { labels: std::sync::Arc::new(labels), ..ContainerSpec::new("shop-web", container) };
/// engine.create(&spec).await?;
/// let change: ContainerChange = changes.next().await.unwrap()?;
/// assert_eq!(change.name, "shop-web");
/// # Ok::<(), RuntimeError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerChange {
    /// Its name.
    pub name: String,
    /// The engine's word for it: `start`, `die`, `destroy`, `health_status: healthy` …
    pub action: String,
}

impl ContainerChange {
    /// The word for other [settings](LiveSettings).
    pub const UPDATE: &str = "update";
}
