//! Host ports: who has which on which host.

use crate::stack::Protocol;
use std::{collections::BTreeMap, net::IpAddr};

/// A port of a host as it is asked for or held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HostPort {
    pub(super) number: u16,
    pub(super) protocol: Protocol,
    /// Where it is bound; absent: every address of the host.
    pub(super) address: Option<IpAddr>,
}

impl HostPort {
    pub(super) fn new(number: u16, protocol: Protocol, address: Option<IpAddr>) -> Self {
        Self { number, protocol, address: address.filter(|address| !address.is_unspecified()) }
    }

    /// Whether two cannot be bound side by side.
    pub(super) fn clashes(self, other: Self) -> bool {
        self.number == other.number
            && self.protocol == other.protocol
            && (self.address.is_none() || other.address.is_none() || self.address == other.address)
    }
}

/// One holder and the address that it holds a port on.
type Hold<H> = (Option<IpAddr>, H);

/// The ports that are held on every host, each with its holder.
#[derive(Debug)]
pub(super) struct Ports<H> {
    held: BTreeMap<(usize, u16, Protocol), Vec<Hold<H>>>,
}

impl<H: Copy + PartialEq> Ports<H> {
    pub(super) fn new() -> Self {
        Self { held: BTreeMap::new() }
    }

    pub(super) fn hold(&mut self, host: usize, port: HostPort, holder: H) {
        self.held.entry((host, port.number, port.protocol)).or_default().push((port.address, holder));
    }

    /// Gives back all that a holder has of these.
    pub(super) fn release(&mut self, host: usize, port: HostPort, holder: H) {
        if let Some(holders) = self.held.get_mut(&(host, port.number, port.protocol)) {
            holders.retain(|(_, other)| *other != holder);
        }
    }

    /// Who stands against a port, in the order in which they came.
    pub(super) fn against(&self, host: usize, port: HostPort) -> impl Iterator<Item = H> + '_ {
        let holders = self.held.get(&(host, port.number, port.protocol)).map_or(&[][..], Vec::as_slice);
        holders
            .iter()
            .filter(move |(address, _)| port.clashes(HostPort { address: *address, ..port }))
            .map(|(_, holder)| *holder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_held_per_protocol_and_address() {
        let local = Some(IpAddr::from([127, 0, 0, 1]));
        let any = Some(IpAddr::from([0, 0, 0, 0]));
        let mut ports = Ports::new();
        ports.hold(0, HostPort::new(80, Protocol::Tcp, local), 'a');
        let holders = |port| ports.against(0, port).collect::<String>();
        assert_eq!(holders(HostPort::new(80, Protocol::Tcp, any)), "a");
        assert_eq!(holders(HostPort::new(80, Protocol::Tcp, Some(IpAddr::from([10, 0, 0, 1])))), "");
        assert_eq!(holders(HostPort::new(80, Protocol::Udp, None)), "");
        assert_eq!(ports.against(1, HostPort::new(80, Protocol::Tcp, None)).count(), 0);
        ports.hold(0, HostPort::new(81, Protocol::Tcp, any), 'b');
        assert_eq!(ports.against(0, HostPort::new(81, Protocol::Tcp, local)).collect::<String>(), "b");
    }
}
