//! How containers find each other: variables of endpoints, and names of containers on other hosts.
//!
//! Every container is told of every other one that publishes a fixed port, as long as there are no
//! more than [`ALL`] of these. Beyond that a container is told only of those that it depends on,
//! or the text of a stack would grow with the square of its containers.

use super::members::Members;
use crate::{
    id::HostId,
    stack::{Container, EnvValue, EnvVar, Port, Protocol},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

/// So many containers with published ports are told to everybody.
pub(super) const ALL: usize = 64;

/// A container that publishes a fixed port, as the others are told of it.
#[derive(Debug)]
struct Service {
    member: usize,
    address: IpAddr,
    variables: [(String, String); 4],
}

/// All services of a stack.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// Sorted by their variables, so that the order of a document's containers makes no difference.
    services: Vec<Service>,
    by_member: BTreeMap<usize, usize>,
    /// Members with a fixed port on a host of unknown address.
    pub(super) unreachable: Vec<usize>,
    /// Members whose variables would have the names of another's.
    pub(super) ambiguous: Vec<usize>,
}

/// Where a member is, as far as that is known.
pub(super) type Place<'a> = Option<(&'a HostId, Option<IpAddr>)>;

impl Reach {
    pub(super) fn of(members: &Members<'_>, places: &[Place<'_>]) -> Self {
        let mut reach = Self::default();
        let mut prefixes = BTreeSet::new();
        for (member, place) in places.iter().enumerate() {
            let Some(port) = members.list[member].definition.ports.iter().find(|port| is_reachable(port)) else {
                continue;
            };
            let own = port.host_ip.filter(|address| !address.is_unspecified());
            let (Some(address), Some(number)) = (own.or(place.and_then(|(_, address)| address)), port.host_port) else {
                reach.unreachable.extend(place.map(|_| member));
                continue;
            };
            let prefix = upper_snake(&members.list[member].name);
            let variables = variables(&prefix, SocketAddr::new(address, number), port);
            if prefixes.insert(prefix) {
                reach.services.push(Service { member, address, variables });
            } else {
                reach.ambiguous.push(member);
            }
        }
        reach.services.sort_by(|a, b| a.variables[0].0.cmp(&b.variables[0].0));
        reach.by_member = reach.services.iter().enumerate().map(|(at, service)| (service.member, at)).collect();
        reach
    }

    /// How many services there are.
    pub(super) fn len(&self) -> usize {
        self.services.len()
    }

    /// Whether a member publishes a port to other hosts, be its address known or not.
    pub(super) fn knows(&self, member: usize) -> bool {
        self.by_member.contains_key(&member)
            || [&self.unreachable, &self.ambiguous].iter().any(|list| list.binary_search(&member).is_ok())
    }

    /// Whether a member may be told of others.
    pub(super) fn has_news_for(&self, member: usize) -> bool {
        self.services.iter().any(|service| service.member != member)
    }

    /// Adds to a container's definition what it is told of the others; what its document sets stays.
    pub(super) fn tell(&self, member: usize, members: &Members<'_>, places: &[Place<'_>], definition: &mut Container) {
        let said = definition.environment.len();
        let named = takes_hosts(definition);
        let here = places[member].map(|(host, _)| host);
        let mut tell = |service: &Service| {
            if service.member == member {
                return;
            }
            for (name, value) in &service.variables {
                if !definition.environment[..said].iter().any(|variable| variable.name == *name) {
                    let value = EnvValue::Literal(value.clone());
                    definition.environment.push(EnvVar { name: name.clone(), value });
                }
            }
            let name = &*members.list[service.member].name;
            let elsewhere = places[service.member].map(|(host, _)| host) != here;
            if named && elsewhere && !definition.extra_hosts.contains_key(name) {
                definition.extra_hosts.insert(name.to_owned(), service.address.to_string());
            }
        };
        if self.services.len() <= ALL {
            self.services.iter().for_each(tell);
        } else {
            let dependencies = members.graph.dependencies(member).iter();
            let depended: BTreeSet<usize> =
                dependencies.filter_map(|edge| self.by_member.get(&edge.on).copied()).collect();
            depended.into_iter().for_each(|at| tell(&self.services[at]));
        }
        // Who sets a variable makes no difference to what a container has.
        definition.environment.sort_by(|one, other| one.name.cmp(&other.name));
    }
}

/// Whether a port is fixed and open to other hosts.
fn is_reachable(port: &Port) -> bool {
    port.host_port.is_some() && !port.host_ip.is_some_and(|address| address.is_loopback())
}

/// Whether the engine takes lines for the container's `/etc/hosts`: not where it has another's network, or none.
fn takes_hosts(definition: &Container) -> bool {
    definition.network_mode.as_deref().is_none_or(|mode| mode != "none" && !mode.contains(':'))
}

fn variables(prefix: &str, at: SocketAddr, port: &Port) -> [(String, String); 4] {
    let scheme = match port.protocol {
        Protocol::Tcp if port.container_port == 443 || at.port() == 443 => "https",
        Protocol::Tcp => "http",
        other => other.as_str(),
    };
    [
        (format!("{prefix}_ENDPOINT"), at.to_string()),
        (format!("{prefix}_HOST"), at.ip().to_string()),
        (format!("{prefix}_PORT"), at.port().to_string()),
        (format!("{prefix}_URL"), format!("{scheme}://{at}")),
    ]
}

/// `api-gateway` as `API_GATEWAY`.
fn upper_snake(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_variables() {
        assert_eq!(upper_snake("api-gateway.v2"), "API_GATEWAY_V2");
    }

    #[test]
    fn an_address_of_version_six_is_bracketed_where_a_port_follows() {
        let port = Port { container_port: 443, host_port: Some(8443), protocol: Protocol::Tcp, host_ip: None };
        let told = variables("WEB", SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, 1], 8443)), &port)
            .map(|(name, value)| format!("{name}={value}"));
        let expected =
            ["WEB_ENDPOINT=[fd00::1]:8443", "WEB_HOST=fd00::1", "WEB_PORT=8443", "WEB_URL=https://[fd00::1]:8443"];
        assert_eq!(told, expected);
    }
}
