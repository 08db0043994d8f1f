//! What a container may use, what is kept for it, what it asks of its host.

use super::super::{code::Code, node::Node, object::Object, reader::Reader, schema};
use crate::stack::{Container, Limits, Reservations};
use json_syntax::Value;

/// Engines refuse limits and reservations of memory below.
const LEAST_MEMORY: u64 = 6 << 20;

impl Reader<'_> {
    pub(super) fn resources(&mut self, object: &Object<'_>, container: &mut Container) {
        let mut part = |name, place| match object.get(name) {
            Some(node) => self.object(node, place),
            None => object.get("resourceRequirements").map(|_| Object::silent(object.node, place)),
        };
        let mut resources = part("resources", &schema::RESOURCES);
        let mut requirements = part("requirements", &schema::REQUIREMENTS);
        let older = object.get("resourceRequirements");
        if let Some(older) = older.and_then(|node| self.object(node, &schema::RESOURCE_REQUIREMENTS)) {
            for (key, (part, path)) in schema::REQUIREMENTS_TODAY {
                let part = if *part == "resources" { &mut resources } else { &mut requirements };
                let Some(part) = part else { continue };
                older.all(key).for_each(|member| self.say(part, path, member, path));
            }
        }
        if let Some(resources) = resources {
            container.resources.limits = self.limits(&resources);
            container.resources.reservations = self.reservations(&resources);
        }
        if let Some(requirements) = requirements {
            container.requirements.labels = self.text_map_of(&requirements, "labels");
            container.requirements.preferred_datacenter = self.datacenter_of(&requirements, "preferredDatacenter");
        }
        self.check_reservations(object, container);
    }

    fn limits(&mut self, resources: &Object<'_>) -> Limits {
        let Some(object) = self.below(resources, "limits") else { return Limits::default() };
        let memory = self.memory(&object);
        Limits {
            cpus: self.number_of(&object, "cpus"),
            memory,
            memory_swap: self.memory_swap(&object, memory),
            pids: self.integer_of(&object, "pids"),
        }
    }

    /// Memory; engines take no less than a few megabytes.
    fn memory(&mut self, object: &Object<'_>) -> Option<u64> {
        let node = object.get("memory")?;
        let bytes = self.size(node)?;
        if (1..LEAST_MEMORY).contains(&bytes) {
            let written = node.as_str().map_or_else(|| bytes.to_string(), |text| node.quote(text).to_owned());
            let message = format!("`{written}` is less memory than an engine takes");
            self.error(Code::BadNumber, node, message, "`6M` is the least");
        }
        Some(bytes)
    }

    /// Memory and swap together.
    fn memory_swap(&mut self, object: &Object<'_>, memory: Option<u64>) -> Option<i64> {
        let node = object.get("memorySwap")?;
        let both = self.size_or_unlimited(node)?;
        if object.get("memory").is_some() && memory.is_none() {
            // What is wrong with `memory` itself has been told.
            return Some(both);
        }
        let memory = memory.and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or(0);
        if both > 0 && memory == 0 {
            let help = "add `memory`, or leave `memorySwap` out";
            self.error(
                Code::BadNumber,
                node,
                "`memorySwap` is a limit for memory and swap together, and `memory` has none",
                help,
            );
        } else if both > 0 && both < memory {
            let help = "make it at least as much; as much leaves no swap";
            self.error(Code::BadNumber, node, "`memorySwap` counts the memory, too, and is less than `memory`", help);
        }
        Some(both)
    }

    fn reservations(&mut self, resources: &Object<'_>) -> Reservations {
        let Some(object) = self.below(resources, "reservations") else { return Reservations::default() };
        Reservations { cpus: self.number_of(&object, "cpus"), memory: self.memory(&object) }
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
