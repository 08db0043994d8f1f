//! Several real Docker hosts on one Linux machine, for tests and for the demo.
//!
//! A [`Testbed`] gives each host network, process, mount and hostname namespaces and an engine of its own, and joins them
//! by a bridge; the root namespace, in which a control plane runs, is on the same network at [`Testbed::uplink`]. Every part can be
//! made to fail: engine, machine and cable. Several testbeds run side by side, each in its own `10.99.x.0/24`.
//!
//! Whatever happens, it goes away: [`Testbed::stop`] and `Drop` remove everything; when the owner is killed, the hosts die with it, and
//! the next testbed (or [`Testbed::sweep`]) removes the rest.
//!
//! ```no_run
//! # async fn example() -> Result<(), graphium_server::testbed::TestbedError> {
//! use graphium_server::testbed::{Testbed, TestbedOptions, images};
//!
//! let testbed = Testbed::start(TestbedOptions::default()).await?;
//! testbed.load(&images::web("web:1")?).await?;
//! let first = &testbed.hosts()[0];
//! first.docker()?.ping().await.ok();
//! first.partition().await?;
//! testbed.stop().await?;
//! # Ok(())
//! # }
//! ```

mod bed;
mod cleanup;
mod command;
mod engine;
mod error;
mod host;
mod machine;
mod net;
mod requirements;
mod slot;

pub mod images;

pub use bed::{Testbed, TestbedOptions};
pub use error::TestbedError;
pub use host::TestHost;
pub use requirements::{install, requirements};
