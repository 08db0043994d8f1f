//! Where a container is asked for its health.

use super::DockerRuntime;
use crate::{name::checked, observe, probe};
use bollard::models::ContainerInspectResponse;
use graphium_core::{
    runtime::{Probe, RuntimeError},
    stack::HealthTest,
};
use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

/// Containers may borrow the network of one that borrows it itself; no chain of people's is longer.
const LONGEST_CHAIN: usize = 4;

impl DockerRuntime {
    pub(super) async fn probe_container(
        &self,
        name: &str,
        test: &HealthTest,
        timeout: Duration,
    ) -> Result<Probe, RuntimeError> {
        let shown = self.look(checked(name)?).await?;
        let shown = shown.ok_or_else(|| RuntimeError::NotFound(format!("there is no container `{name}`")))?;
        if !test.is_networked() {
            return Err(RuntimeError::Refused(format!("the engine makes the health check of `{name}` itself")));
        }
        if !self.endpoint().is_on_this_network() {
            return Err(RuntimeError::Refused(format!(
                "`{name}` cannot be asked over the network from here: its engine is on another machine ({}); run the agent \
                 there, or check with `exec`",
                self.endpoint()
            )));
        }
        if !shown.state.as_ref().and_then(|state| state.running).unwrap_or(false) {
            return Ok(Probe::failed("it does not run"));
        }
        Ok(match self.address_of(shown).await? {
            Some(address) => probe::ask(address, test, timeout).await,
            None => Probe::failed("it has no network that it could be asked over"),
        })
    }

    /// The address at which this host reaches what a container listens at.
    async fn address_of(&self, shown: ContainerInspectResponse) -> Result<Option<IpAddr>, RuntimeError> {
        let mut shown = shown;
        for _ in 0..LONGEST_CHAIN {
            let mode = shown.host_config.and_then(|config| config.network_mode).unwrap_or_default();
            if mode == "host" {
                return Ok(Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
            }
            let Some(lender) = mode.strip_prefix("container:") else {
                let networks = shown.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
                return Ok(observe::address(&networks, Some(&mode)));
            };
            match self.look_at(lender).await? {
                Some(next) => shown = next,
                None => return Ok(None),
            }
        }
        Ok(None)
    }
}
