//! Health checks that no engine makes: over the network, by the agent.
//!
//! `Record` counts, and knows neither time nor network; [`HealthMonitor`] has the records of a host's containers, and
//! asks the runtime when a check is due. What is to be checked is told by a label of the container, so whoever serves the
//! host next goes on with it.

mod monitor;
mod record;

pub use monitor::HealthMonitor;
pub(super) use monitor::Standing;
use record::Record;

use crate::{
    runtime::label,
    stack::{HealthCheck, TextMap},
};

/// The check that the agent has to make of a container with these labels.
fn check_in(labels: &TextMap) -> Option<HealthCheck> {
    let check: HealthCheck = serde_json::from_str(labels.get(label::HEALTH_CHECK)?).ok()?;
    check.test.is_networked().then_some(check)
}
