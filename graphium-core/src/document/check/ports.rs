//! Two containers that publish the same port where they are known to share a host.

use super::{Code, ContainerDraft, Node, Reader, Stack};
use crate::stack::{Mode, Port, Protocol, UpdateOrder};
use std::{collections::HashMap, net::IpAddr};

/// Where a container will run, as far as the document decides it.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Host<'s> {
    /// This one.
    Named(&'s str),
    /// The one host of the whole stack, whichever it is.
    Only,
    /// Not known before placement: it can clash with nothing but itself.
    Unknown(usize),
}

type Published<'s, 'd> = HashMap<(Host<'s>, u16, Protocol), Vec<(Option<IpAddr>, usize, Node<'d>)>>;

pub(super) fn refuse_clashes(reader: &mut Reader<'_>, stack: &Stack, drafts: &[ContainerDraft<'_>]) {
    let targets: HashMap<&str, &str> = stack
        .deployment
        .host_constraints
        .iter()
        .filter_map(|constraint| Some((constraint.container_name.as_str(), constraint.target_host.as_ref()?.as_str())))
        .collect();
    let mut published: Published<'_, '_> = HashMap::new();
    for (number, draft) in drafts.iter().enumerate() {
        let container = &draft.container;
        let named = container.host.as_ref().map(AsRef::as_ref);
        let named = named.or_else(|| targets.get(container.name.as_str()).copied());
        let host = match named.or(stack.host.as_ref().map(AsRef::as_ref)) {
            Some(name) => Host::Named(name),
            None if stack.deployment.mode == Mode::SingleHost => Host::Only,
            None => Host::Unknown(number),
        };
        for (port, node) in container.ports.iter().zip(&draft.port_nodes) {
            let Some(host_port) = port.host_port else { continue };
            let taken = published.entry((host.clone(), host_port, port.protocol)).or_default();
            let address = port.host_ip.filter(|address| !address.is_unspecified());
            let other = taken.iter().find(|(other, ..)| other.is_none() || address.is_none() || *other == address);
            if let Some((_, other, _)) = other {
                clash(reader, drafts, (*other, number), port, *node);
            } else if container.is_replicated() && !matches!(host, Host::Unknown(_)) {
                let message =
                    format!("the replicas of `{}` would all publish port {host_port} on one host", container.name);
                reader.error(
                    Code::HostPortClash,
                    *node,
                    message,
                    "leave `hostPort` out, or spread the replicas over hosts",
                );
            }
            if stack.deployment.update.order == UpdateOrder::StartFirst && !matches!(host, Host::Unknown(_)) {
                let message = format!(
                    "container `{}` cannot be updated `start-first`: old and new would both publish port {host_port} on \
                     one host",
                    container.name
                );
                let help = "use the update order `stop-first`, or leave `hostPort` out";
                reader.error(Code::StartFirstPort, node.get("hostPort").unwrap_or(*node), message, help);
            }
            taken.push((address, number, *node));
        }
    }
}

fn clash(
    reader: &mut Reader<'_>,
    drafts: &[ContainerDraft<'_>],
    (one, two): (usize, usize),
    port: &Port,
    node: Node<'_>,
) {
    let name = |number: usize| drafts.get(number).map(|draft| draft.container.name.as_str()).unwrap_or_default();
    let number = port.host_port.unwrap_or_default();
    let at = node.get("hostPort").unwrap_or(node);
    let (message, help) = match one == two {
        true => (format!("container `{}` publishes port {number} twice", name(one)), "remove one of the two"),
        false => (
            format!("containers `{}` and `{}` both publish port {number} on one host", name(one), name(two)),
            "change one `hostPort`, or place them on different hosts",
        ),
    };
    reader.error(Code::HostPortClash, at, message, help);
}
