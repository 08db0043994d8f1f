//! Where the containers of a stack are.

use super::remains::{Fields, not_taken_over, take, take_time};
use graphium_core::{
    control::Placement,
    id::HostId,
    inventory::ObservedContainer,
    plan::{Trace, adoptable},
    stack::Stack,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of the places of a stack.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) placements: BTreeMap<String, Placement>,
    /// Those that are there under other names than they would get here.
    pub(super) traces: BTreeSet<Trace>,
    /// Why nobody may act on them as they are.
    pub(super) obstacle: Option<String>,
}

/// The places that a deployment tells of; of what it does not, those of containers that bear their names.
pub(super) fn places(
    told: Option<Fields>,
    stack: &Stack,
    containers: &[ObservedContainer],
    left: &mut Vec<String>,
) -> Places {
    let is_told = told.is_some();
    let mut places = Places::default();
    for (key, place) in told.unwrap_or_default() {
        let name = name_of(&key, stack);
        let Value::Object(mut place) = place else {
            left.push(format!("the place of `{key}` of `{}`: it is no object", stack.id));
            continue;
        };
        match placement(&name, &mut place, stack) {
            Some(placement) => {
                left.extend(not_taken_over(&format!("the place of `{key}` of `{}`", stack.id), &place, &[]));
                places.placements.insert(name, placement);
            }
            None => left.push(format!("the place of `{key}` of `{}`: it names no host", stack.id)),
        }
    }
    let mut missing = Vec::new();
    for (name, ..) in adoptable(stack) {
        if places.placements.contains_key(&name) {
            continue;
        }
        match by_name(&stack.engine_name(&name), containers) {
            Some(placement) => drop(places.placements.insert(name, placement)),
            None => missing.push(format!("`{name}`")),
        }
    }
    if !missing.is_empty() {
        let why = if is_told { "its deployment does not tell of them" } else { "no deployment of it was found" };
        left.push(format!("the places of {} of `{}`: {why}", missing.join(", "), stack.id));
    }
    places.judge(stack, left);
    places
}

impl Places {
    fn judge(&mut self, stack: &Stack, left: &mut Vec<String>) {
        if self.placements.is_empty() {
            let what = "the older system does not tell where its containers are";
            self.obstacle = Some(format!(
                "{what}: a removal finds those alone that bear its label; those that run are taken in by `graphium adopt`"
            ));
        }
        for (name, Placement { host_id, container_name, .. }) in &self.placements {
            let wanted = stack.engine_name(name);
            if *container_name == wanted {
                continue;
            }
            let words = format!(
                "`{name}` is called `{container_name}` on host `{host_id}`, not `{wanted}`: \
                 take it in with `graphium adopt --container {name}={host_id}/{container_name}`, or remove the stack"
            );
            left.push(format!("the name of a container of `{}`: {words}", stack.id));
            self.obstacle.get_or_insert(words);
            let (host, name, engine_name) = (host_id.clone(), name.clone(), container_name.clone());
            self.traces.insert(Trace { host, name, engine_name });
        }
    }
}

/// The older system names a container by its id or its name.
fn name_of(key: &str, stack: &Stack) -> String {
    let known = stack.containers.iter().find(|container| container.name == key || container.id == key);
    match known {
        Some(container) => container.name.clone(),
        None => key.strip_prefix("container:").unwrap_or(key).to_owned(),
    }
}

fn placement(name: &str, place: &mut Fields, stack: &Stack) -> Option<Placement> {
    let host = take::<String>(place, "hostId").filter(|host| !host.is_empty())?;
    let mut ports = take::<Map<String, Value>>(place, "ports").unwrap_or_default();
    let mut known = indexmap::IndexMap::new();
    ports.retain(|inside, outside| {
        let outside = outside.as_u64().or_else(|| outside.as_str()?.parse().ok());
        let Some(outside) = outside.and_then(|outside| u16::try_from(outside).ok()) else { return true };
        known.insert(if inside.contains('/') { inside.clone() } else { format!("{inside}/tcp") }, outside);
        false
    });
    if !ports.is_empty() {
        place.insert("ports".to_owned(), ports.into());
    }
    Some(Placement {
        container_id: take::<String>(place, "containerId").filter(|id| !id.is_empty()),
        container_name: take::<String>(place, "containerName")
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| stack.engine_name(name)),
        host_id: HostId::new(host),
        ip_address: take(place, "ipAddress"),
        ports: known,
        status: take(place, "status"),
        started_at: take_time(place, "startedAt"),
    })
}

/// The place of the one container of a name that was seen.
fn by_name(engine_name: &str, containers: &[ObservedContainer]) -> Option<Placement> {
    let mut found = containers.iter().filter(|seen| seen.name == engine_name);
    let seen = found.next().filter(|_| found.next().is_none())?;
    Some(Placement {
        container_id: Some(seen.id.clone()),
        container_name: seen.name.clone(),
        host_id: seen.hosted_on.clone(),
        ip_address: seen.ip_address,
        ports: indexmap::IndexMap::new(),
        status: Some(seen.status),
        started_at: seen.date_created,
    })
}
