//! Graphium's [`ContainerRuntime`](graphium_core::runtime::ContainerRuntime) over the Docker Engine API.
//!
//! ```no_run
//! use graphium_core::runtime::ContainerRuntime as _;
//! use graphium_docker::{DockerConfig, DockerRuntime, Endpoint};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let env = |name: &str| std::env::var(name).ok();
//! let found = Endpoint::discover(None, &env)?;
//! let docker = DockerRuntime::connect(found.endpoint).with_config(DockerConfig::find(&env));
//! for container in docker.list().await? {
//!     assert!(!container.observed.id.is_empty());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Inside, one direction: `runtime` asks, `convert` (pure) writes what is asked, `connection` carries it under the
//! negotiated version and a deadline, `error` maps what went wrong, `observe` (pure) reads what came back. No type of
//! bollard's is part of the public API.

#![forbid(unsafe_code)]

mod capability;
mod config;
mod connection;
mod convert;
mod describe;
mod dial;
mod endpoint;
mod error;
mod name;
mod observe;
mod probe;
mod raw;
mod runtime;
mod settings;

pub use config::DockerConfig;
pub use endpoint::{Discovered, Endpoint, EndpointError, Origin, SshTarget, TlsTarget};
pub use runtime::DockerRuntime;
