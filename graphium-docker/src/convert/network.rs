//! Networks and volumes.

use super::{ours, some_map};
use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest, VolumeCreateRequest};
use graphium_core::runtime::{NetworkSpec, VolumeSpec};

/// The body that makes a network.
pub(crate) fn network(spec: &NetworkSpec) -> NetworkCreateRequest {
    let network = &spec.network;
    let addressed = network.subnet.is_some() || network.gateway.is_some() || network.ip_range.is_some();
    let pool = || IpamConfig {
        subnet: network.subnet.clone(),
        gateway: network.gateway.clone(),
        ip_range: network.ip_range.clone(),
        ..IpamConfig::default()
    };
    NetworkCreateRequest {
        name: spec.name.clone(),
        driver: Some(network.driver.clone().unwrap_or_else(|| "bridge".to_owned())),
        internal: network.internal.then_some(true),
        ipam: addressed.then(|| Ipam { config: Some(vec![pool()]), ..Ipam::default() }),
        options: some_map(&network.options),
        labels: Some(ours(&spec.labels)),
        ..NetworkCreateRequest::default()
    }
}

/// The body that makes a volume.
pub(crate) fn volume(spec: &VolumeSpec) -> VolumeCreateRequest {
    VolumeCreateRequest {
        name: Some(spec.name.clone()),
        driver: spec.volume.driver.clone(),
        driver_opts: some_map(&spec.volume.driver_opts),
        labels: Some(ours(&spec.labels)),
        ..VolumeCreateRequest::default()
    }
}
