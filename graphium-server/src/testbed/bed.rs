use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{join_all, try_join_all};

use super::command::blocking;
use super::images::Image;
use super::slot::{self, Claim};
use super::{TestHost, TestbedError, cleanup, net, requirements};

const MAX_HOSTS: usize = 100;

/// What a [`Testbed`] is made of.
#[derive(Debug, Clone)]
pub struct TestbedOptions {
    /// The hosts' names: letters a–z, digits and hyphens.
    pub hosts: Vec<String>,
    /// How long an engine may take to answer.
    pub engine_deadline: Duration,
    /// Whether the engines pull over plain HTTP from a registry at the [uplink](Testbed::uplink), whatever its port; else
    /// they insist on TLS, as engines do.
    pub plain_registry: bool,
}

impl Default for TestbedOptions {
    /// Three hosts: `host-1`, `host-2` and `host-3`.
    fn default() -> Self {
        Self {
            hosts: (1..=3).map(|n| format!("host-{n}")).collect(),
            engine_deadline: Duration::from_secs(60),
            plain_registry: false,
        }
    }
}

impl TestbedOptions {
    fn check(&self) -> Result<(), TestbedError> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        for (index, name) in self.hosts.iter().enumerate() {
            let well_formed = (1..=32).contains(&name.len()) && name.chars().all(allowed) && !name.starts_with('-');
            if !well_formed || self.hosts[..index].contains(name) || index >= MAX_HOSTS {
                return Err(TestbedError::HostName(name.clone()));
            }
        }
        Ok(())
    }
}

/// Docker hosts on this machine. See the [module](super).
#[derive(Debug)]
pub struct Testbed {
    hosts: Vec<TestHost>,
    /// `None` once everything is gone.
    claim: Option<Claim>,
    uplink: IpAddr,
}

impl Testbed {
    /// Starts all hosts and returns when all engines answer. Where that fails, nothing stays.
    pub async fn start(options: TestbedOptions) -> Result<Self, TestbedError> {
        requirements().map_err(TestbedError::Requirements)?;
        options.check()?;
        let names = options.hosts.clone();
        let testbed = blocking(move || {
            let claim = Claim::take()?;
            let slot = claim.slot;
            let hosts = (0..).zip(&options.hosts).map(|(index, name)| TestHost::new(slot, index, name, &options));
            // From here on `Drop` clears up.
            let testbed = Self { hosts: hosts.collect(), claim: Some(claim), uplink: slot.uplink() };
            net::build(slot, &names)?;
            Ok(testbed)
        })
        .await?;
        // All of them to the end: an error must not leave a boot half done behind our back.
        let started = join_all(testbed.hosts.iter().map(TestHost::power_on)).await;
        match started.into_iter().collect() {
            Ok(()) => Ok(testbed),
            Err(error) => {
                testbed.stop().await?;
                Err(error)
            }
        }
    }

    /// The hosts, in the order of their names in the options.
    pub fn hosts(&self) -> &[TestHost] {
        &self.hosts
    }

    /// The host of this name.
    pub fn host(&self, name: &str) -> Option<&TestHost> {
        self.hosts.iter().find(|host| host.name() == name)
    }

    /// The address at which the hosts reach the root namespace: that of a control plane started here.
    pub fn uplink(&self) -> IpAddr {
        self.uplink
    }

    /// Loads an image into every engine. It gets the same id everywhere.
    pub async fn load(&self, image: &Image) -> Result<(), TestbedError> {
        let archive = Bytes::from(image.archive());
        let load = |host: &TestHost| {
            let (docker, archive) = (host.docker(), archive.clone());
            async move { Image::load_archive(&docker?, archive).await }
        };
        try_join_all(self.hosts.iter().map(load)).await.map(drop)
    }

    /// Ends every process and removes everything.
    pub async fn stop(mut self) -> Result<(), TestbedError> {
        blocking(move || self.end()).await
    }

    /// Removes what testbeds left behind whose owners were killed. [`start`](Self::start) does so by itself.
    pub async fn sweep() -> Result<(), TestbedError> {
        blocking(slot::sweep).await
    }

    fn end(&mut self) -> Result<(), TestbedError> {
        let Some(claim) = self.claim.take() else { return Ok(()) };
        let cleared = cleanup::clear(claim.slot);
        self.hosts.clear(); // reaps our children
        cleared
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        let _ = self.end(); // a panicking test has no use for a second error; the next sweep tries again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(hosts: &[&str]) -> Option<String> {
        let hosts = hosts.iter().map(ToString::to_string).collect();
        match (TestbedOptions { hosts, ..TestbedOptions::default() }).check() {
            Err(TestbedError::HostName(name)) => Some(name),
            _ => None,
        }
    }

    #[test]
    fn hosts_have_names_that_devices_and_directories_can_bear() {
        assert_eq!(refused(&["a", "node-7"]), None);
        for name in ["", "-a", "a/b", "..", "Upper", &"x".repeat(33)] {
            assert_eq!(refused(&["a", name]).as_deref(), Some(name));
        }
        assert_eq!(refused(&["a", "b", "a"]).as_deref(), Some("a"), "a name twice");
    }
}
