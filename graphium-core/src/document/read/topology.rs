//! Hosts, racks and datacenters that a document describes.

use super::super::{code::Code, node::Node, object::Object, reader::Reader, schema};
use super::graph::Graph;
use crate::{id::HostId, stack::DocumentHost};
use std::collections::{HashMap, HashSet};

/// A rack, or a datacenter, and where it stands.
struct Rack {
    id: String,
    name: Option<String>,
    datacenter: Option<String>,
}

/// Racks by everything that they may be called: ids come before names, and a name that two have is nobody's.
struct Racks<'r>(HashMap<&'r str, Option<&'r Rack>>);

impl<'r> Racks<'r> {
    fn of(racks: &'r [Rack]) -> Self {
        let mut by_word: HashMap<&str, Option<&Rack>> = HashMap::new();
        for rack in racks {
            let name = rack.name.as_deref().filter(|name| *name != rack.id);
            name.map(|name| by_word.entry(name).and_modify(|other| *other = None).or_insert(Some(rack)));
        }
        by_word.extend(racks.iter().rev().map(|rack| (rack.id.as_str(), Some(rack))));
        Self(by_word)
    }

    fn get(&self, word: &str) -> Option<&'r Rack> {
        self.0.get(word).copied().flatten()
    }
}

impl Reader<'_> {
    /// The hosts, each with its rack and datacenter as far as the document tells them.
    pub(super) fn topology(&mut self, graph: &Graph<'_>) -> Vec<DocumentHost> {
        let centers: Vec<Rack> = graph.datacenters.iter().filter_map(|node| self.rack(*node, "datacenter:")).collect();
        let by_word = Racks::of(&centers);
        let called = |center: &Rack| {
            let name = center.name.clone()?;
            let is_it = by_word.get(&name).is_some_and(|other| std::ptr::eq(other, center)) && name != center.id;
            is_it.then(|| (name, center.id.clone()))
        };
        self.datacenters = centers.iter().filter_map(called).collect();
        let racks: Vec<Rack> = graph.racks.iter().filter_map(|node| self.rack(*node, "rack:")).collect();
        let racks = Racks::of(&racks);
        let (mut hosts, mut seen) = (Vec::new(), HashSet::new());
        for node in &graph.hosts {
            let Some(host) = self.host(*node, &racks) else { continue };
            if seen.insert(host.id.clone()) {
                hosts.push(host);
            } else {
                let message = format!("the host `{}` is described twice", node.quote(host.id.as_str()));
                self.error(Code::DuplicateName, *node, message, "keep one of the two");
            }
        }
        hosts
    }

    fn host(&mut self, node: Node<'_>, racks: &Racks<'_>) -> Option<DocumentHost> {
        let object = self.object(node, &schema::HOST)?;
        let id = self.topology_id(&object, "host:");
        let name = self.text_of(&object, "name");
        let rack = self.reference_of(&object, "locatedInRack").map(|rack| bare(&rack, "rack:"));
        let own = self.datacenter_of(&object, "locatedInDatacenter");
        let Some(id) = id.or(name).filter(|id| !id.is_empty()) else {
            if object.get("@id").is_none() {
                self.error(Code::MissingKey, node, "a host needs an `@id`", "add \"@id\": \"host:…\"");
            }
            return None;
        };
        let found = rack.as_deref().and_then(|rack| racks.get(rack));
        let datacenter = own.or_else(|| found?.datacenter.clone());
        Some(DocumentHost { id: HostId::new(id), rack: found.map(|rack| rack.id.clone()).or(rack), datacenter })
    }

    fn rack(&mut self, node: Node<'_>, prefix: &str) -> Option<Rack> {
        let object = self.object(node, &schema::RACK)?;
        let id = self.topology_id(&object, prefix);
        let name = self.text_of(&object, "name");
        let datacenter = self.datacenter_of(&object, "locatedInDatacenter");
        let Some(id) = id.or_else(|| name.clone()).filter(|id| !id.is_empty()) else {
            if object.get("@id").is_some() {
                return None;
            }
            self.error(Code::MissingKey, node, "this node needs an `@id`", format!("add \"@id\": \"{prefix}…\""));
            return None;
        };
        Some(Rack { id: bare(&id, prefix), name, datacenter })
    }

    fn topology_id(&mut self, object: &Object<'_>, prefix: &str) -> Option<String> {
        let node = object.get("@id")?;
        let id = self.text(node)?;
        self.named(node, id, &[prefix])
    }

    /// The datacenter that a field refers to, by its `@id` or by what the document calls it.
    pub(super) fn datacenter_of(&mut self, object: &Object<'_>, name: &str) -> Option<String> {
        let name = self.reference_of(object, name).map(|name| bare(&name, "datacenter:"))?;
        Some(self.datacenters.get(&name).cloned().unwrap_or(name))
    }
}

/// A name without its prefix: `rack:r1` and `r1` are one rack, as `host:vm1` and `vm1` are one host.
fn bare(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_owned()
}
