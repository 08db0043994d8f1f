//! What a container may use, what is kept for it, what it asks of its host.

use super::super::{code::Code, node::Node, object::Object, reader::Reader, schema};
use crate::stack::{Container, Limits, Reservations};
use json_syntax::Value;

impl Reader<'_> {
    pub(super) fn resources(&mut self, object: &Object<'_>, container: &mut Container) {
        if let Some(resources) = object.get("resources").and_then(|node| self.object(node, &schema::RESOURCES)) {
            container.resources.limits = self.limits(&resources);
            container.resources.reservations = self.reservations(&resources);
        }
        if let Some(node) = object.get("requirements").and_then(|node| self.object(node, &schema::REQUIREMENTS)) {
            container.requirements.labels = self.text_map_of(&node, "labels");
            container.requirements.preferred_datacenter = self.datacenter_of(&node, "preferredDatacenter");
        }
        let older = object.get("resourceRequirements");
        if let Some(older) = older.and_then(|node| self.object(node, &schema::RESOURCE_REQUIREMENTS)) {
            self.resource_requirements(&older, container);
        }
        self.check_reservations(object, container);
    }

    fn limits(&mut self, resources: &Object<'_>) -> Limits {
        // Older documents give limits without saying so: `resources{cpu, memory}`.
        let mut limits = Limits {
            cpus: self.number_of(resources, "limits.cpus"),
            memory: self.size_of(resources, "limits.memory"),
            memory_swap: resources.get("limits.memorySwap").and_then(|node| self.size_or_unlimited(node)),
            pids: self.integer_of(resources, "limits.pids"),
        };
        let Some(object) = resources.get("limits").and_then(|node| self.object(node, &schema::LIMITS)) else {
            return limits;
        };
        limits.cpus = self.number_of(&object, "cpus").or(limits.cpus);
        limits.memory = self.size_of(&object, "memory").or(limits.memory);
        let swap = object.get("memorySwap").and_then(|node| self.size_or_unlimited(node));
        limits.memory_swap = swap.or(limits.memory_swap);
        limits.pids = self.integer_of(&object, "pids").or(limits.pids);
        limits
    }

    fn reservations(&mut self, resources: &Object<'_>) -> Reservations {
        let Some(object) = resources.get("reservations").and_then(|node| self.object(node, &schema::RESERVATIONS))
        else {
            return Reservations::default();
        };
        Reservations { cpus: self.number_of(&object, "cpus"), memory: self.size_of(&object, "memory") }
    }

    fn resource_requirements(&mut self, older: &Object<'_>, container: &mut Container) {
        let resources = &mut container.resources;
        resources.reservations.cpus = self.number_of(older, "minCPU").or(resources.reservations.cpus);
        resources.reservations.memory = self.size_of(older, "minMemory").or(resources.reservations.memory);
        resources.limits.cpus = self.number_of(older, "maxCPU").or(resources.limits.cpus);
        resources.limits.memory = self.size_of(older, "maxMemory").or(resources.limits.memory);
        container.requirements.labels.extend(self.text_map_of(older, "requiredLabels"));
        if let Some(datacenter) = self.datacenter_of(older, "preferredDatacenter") {
            container.requirements.preferred_datacenter = Some(datacenter);
        }
    }

    fn check_reservations(&mut self, object: &Object<'_>, container: &Container) {
        let Some(at) = object.get("resources").or_else(|| object.get("resourceRequirements")) else { return };
        let (limits, kept) = (&container.resources.limits, &container.resources.reservations);
        let over = |kept: Option<f64>, limit: Option<f64>| kept.zip(limit).is_some_and(|(kept, limit)| kept > limit);
        let bytes = |size: Option<u64>| size.map(|size| size as f64);
        for (what, is_over) in
            [("processors", over(kept.cpus, limits.cpus)), ("memory", over(bytes(kept.memory), bytes(limits.memory)))]
        {
            if is_over {
                let message = format!("more {what} is reserved than the limit allows");
                self.error(Code::ReservationOverLimit, at, message, "raise the limit or lower the reservation");
            }
        }
    }

    fn size_or_unlimited(&mut self, node: Node<'_>) -> Option<i64> {
        let unlimited = match node.value() {
            Value::Number(number) => number.as_str() == "-1",
            // Only a variable or an older document has it in quotes, and there is nothing else that it could mean.
            Value::String(text) => self.fill(node, text.as_str())? == "-1",
            _ => false,
        };
        if unlimited {
            return Some(-1);
        }
        self.size(node).and_then(|bytes| i64::try_from(bytes).ok())
    }
}
