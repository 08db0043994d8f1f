//! How a stack is placed and updated.

use super::super::{code::Code, node::Node, object::Object, reader::Reader, schema};
use crate::stack::{Deployment, HostConstraint, StackNetworkMode, Update};

impl Reader<'_> {
    pub(super) fn deployment(&mut self, node: Node<'_>) -> Deployment {
        let Some(object) = self.object(node, &schema::DEPLOYMENT) else { return Deployment::default() };
        if let (Some("overlay"), Some(at)) = (self.word_of(&object, "networkMode"), object.get("networkMode")) {
            let help = "use \"networkMode\": \"host-port\": containers reach each other through published ports";
            self.error(Code::OverlayUnsupported, at, "overlay networks do not exist yet", help);
        }
        let constraints: Vec<Node<'_>> =
            object.all("hostConstraints").flat_map(|member| member.value.items()).collect();
        Deployment {
            mode: self.choice_of(&object, "mode").unwrap_or_default(),
            placement_strategy: self.choice_of(&object, "placementStrategy"),
            target_datacenter: self.datacenter_of(&object, "targetDatacenter"),
            network_mode: StackNetworkMode::HostPort,
            max_instances_per_host: self.integer_of(&object, "maxInstancesPerHost"),
            host_constraints: constraints.into_iter().filter_map(|node| self.host_constraint(node)).collect(),
            update: object.get("update").and_then(|node| self.update(node)).unwrap_or_default(),
        }
    }

    fn host_constraint(&mut self, node: Node<'_>) -> Option<HostConstraint> {
        let object = self.object(node, &schema::HOST_CONSTRAINT)?;
        let container_name = self.text_of(&object, "containerName");
        if object.get("containerName").is_none() {
            let help = "add \"containerName\": \"…\"";
            self.error(Code::MissingKey, node, "a host constraint names its container", help);
        }
        Some(HostConstraint {
            container_name: container_name?,
            target_host: self.host_of(&object, "targetHost"),
            required_datacenter: self.datacenter_of(&object, "requiredDatacenter"),
            min_cpu: self.number_of(&object, "minCpu"),
            min_memory: self.size_of(&object, "minMemory"),
            labels: self.text_map_of(&object, "labels"),
        })
    }

    fn update(&mut self, node: Node<'_>) -> Option<Update> {
        let object: Object<'_> = self.object(node, &schema::UPDATE)?;
        Some(Update {
            order: self.choice_of(&object, "order").unwrap_or_default(),
            max_parallel: self.integer_of(&object, "maxParallel").unwrap_or(1),
            on_failure: self.choice_of(&object, "onFailure"),
        })
    }
}
