//! Hosts, racks and datacenters that a document describes.

use super::super::{code::Code, node::Node, object::Object, reader::Reader, schema};
use super::graph::Graph;
use crate::{id::HostId, stack::DocumentHost};

/// A rack and where it stands.
struct Rack {
    id: String,
    datacenter: Option<String>,
}

impl Reader<'_> {
    /// The hosts, each with its rack and datacenter as far as the document tells them.
    pub(super) fn topology(&mut self, graph: &Graph<'_>) -> Vec<DocumentHost> {
        for node in &graph.datacenters {
            self.rack(*node, "datacenter:");
        }
        let racks: Vec<Rack> = graph.racks.iter().filter_map(|node| self.rack(*node, "rack:")).collect();
        let mut hosts: Vec<DocumentHost> = Vec::new();
        for node in &graph.hosts {
            let Some(host) = self.host(*node, &racks) else { continue };
            if hosts.iter().any(|other| other.id == host.id) {
                let message = format!("the host `{}` is described twice", node.quote(host.id.as_str()));
                self.error(Code::DuplicateName, *node, message, "keep one of the two");
            } else {
                hosts.push(host);
            }
        }
        hosts
    }

    fn host(&mut self, node: Node<'_>, racks: &[Rack]) -> Option<DocumentHost> {
        let object = self.object(node, &schema::HOST)?;
        let id = self.topology_id(&object, "host:");
        let name = self.text_of(&object, "name");
        let rack = self.reference_of(&object, "locatedInRack").map(|rack| bare(&rack, "rack:"));
        let own = self.reference_of(&object, "locatedInDatacenter").map(|name| bare(&name, "datacenter:"));
        let Some(id) = id.or(name).filter(|id| !id.is_empty()) else {
            if object.get("@id").is_none() {
                self.error(Code::MissingKey, node, "a host needs an `@id`", "add \"@id\": \"host:…\"");
            }
            return None;
        };
        let of_rack = || racks.iter().find(|r| rack.as_ref() == Some(&r.id)).and_then(|rack| rack.datacenter.clone());
        let datacenter = own.or_else(of_rack);
        Some(DocumentHost { id: HostId::new(id), rack, datacenter })
    }

    fn rack(&mut self, node: Node<'_>, prefix: &str) -> Option<Rack> {
        let object = self.object(node, &schema::RACK)?;
        let id = self.topology_id(&object, prefix);
        let name = self.text_of(&object, "name");
        let datacenter = self.reference_of(&object, "locatedInDatacenter").map(|name| bare(&name, "datacenter:"));
        let Some(id) = id.or(name).filter(|id| !id.is_empty()) else {
            if object.get("@id").is_some() {
                return None;
            }
            self.error(Code::MissingKey, node, "this node needs an `@id`", format!("add \"@id\": \"{prefix}…\""));
            return None;
        };
        Some(Rack { id: bare(&id, prefix), datacenter })
    }

    fn topology_id(&mut self, object: &Object<'_>, prefix: &str) -> Option<String> {
        let node = object.get("@id")?;
        let id = self.text(node)?;
        self.named(node, id, &[prefix])
    }

    /// The name of a datacenter that a field refers to.
    pub(super) fn datacenter_of(&mut self, object: &Object<'_>, name: &str) -> Option<String> {
        self.reference_of(object, name).map(|name| bare(&name, "datacenter:"))
    }
}

/// A name without its prefix: `rack:r1` and `r1` are one rack, as `host:vm1` and `vm1` are one host.
fn bare(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_owned()
}
