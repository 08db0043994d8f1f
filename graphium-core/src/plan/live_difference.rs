//! What a revision wants compared with what was seen, property by property.

use super::{
    Applied, PropertyChange,
    before::BeforeMembers,
    hosts::{Hosts, Seen},
    live,
    verdict::{has_done_its_work, has_ended_well},
};
use crate::{
    id::HostId,
    inventory::{ContainerStatus, Health, Inventory, ObservedContainer},
    runtime::{ContainerSpec, LiveSettings, SpecHasher, label},
    stack::{Port, RestartPolicy},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is not as a stack wants it, of one container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveDifference {
    /// The container, by its name within the stack as far as that is known.
    pub container: String,
    /// Its name on the engine.
    pub container_name: String,
    /// The host that it is on, or should be on.
    pub host_id: HostId,
    /// Whether it is missing, one too many, or another.
    pub kind: LiveDifferenceKind,
    /// What differs of one that is there: `old` as it is wanted, `new` as it was seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<PropertyChange>,
}

/// How a container differs from what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LiveDifferenceKind {
    /// It is not where it should be.
    Missing,
    /// It bears the stack's label, and the stack has no such container.
    NotWanted,
    /// It bears the stack's label, and the stack has it on another host, or under another name there.
    Elsewhere,
    /// It is there, and not as it should be.
    Differs,
}

/// Compares the revision that was applied last with what was seen of it, by the names of containers.
///
/// # Example
/// ```
/// use graphium_core::plan::{self, Applied, LiveDifference, LiveDifferenceKind, Options};
/// use graphium_core::plan::fixtures::{Estate, container, hosts, stack};
/// use graphium_core::{action::Action, inventory::Inventory};
///
/// let shop = stack("shop", vec![container("web")]);
/// let plan = plan::plan(&shop, None, &hosts(1), &Options::default()).unwrap();
/// let applied = Applied { stack: shop, placements: plan.placements.clone() };
/// let mut estate = Estate::default();
/// plan.tasks.iter().for_each(|task| estate.carry_out(&task.host, &task.action));
/// let seen = |estate: &Estate| Inventory { containers: estate.containers.values().cloned().collect(), ..hosts(1) };
/// assert_eq!(plan::live_differences(&applied, &seen(&estate)), []);
///
/// estate.carry_out(&"vm1".into(), &Action::Delete { name: "shop-web".to_owned() });
/// let differences: Vec<LiveDifference> = plan::live_differences(&applied, &seen(&estate));
/// assert_eq!((differences[0].container_name.as_str(), differences[0].kind), ("shop-web", LiveDifferenceKind::Missing));
/// ```
pub fn live_differences(applied: &Applied, observed: &Inventory) -> Vec<LiveDifference> {
    let hosts = Hosts::known(observed);
    let seen = Seen::of(observed, &applied.stack.id, &applied.stack.name);
    let members = BeforeMembers::of(applied);
    let before = members.laid_out(&hosts);
    let mut hasher = SpecHasher::default();
    let mut differences = Vec::new();
    for (number, member) in before.layout.members.list.iter().enumerate() {
        let Some(host) = before.layout.host(number) else { continue };
        let mut spec = before.layout.container(number);
        spec.hash = Some(hasher.hash(&spec));
        let difference = |kind, properties| LiveDifference {
            container: member.name.to_string(),
            container_name: spec.name.clone(),
            host_id: host.clone(),
            kind,
            properties,
        };
        match seen.at(&member.name, host, &spec.name) {
            None => differences.push(difference(LiveDifferenceKind::Missing, Vec::new())),
            Some(there) => {
                let properties = properties(&spec, there, before.is_awaited(&member.name));
                if !properties.is_empty() {
                    differences.push(difference(LiveDifferenceKind::Differs, properties));
                }
            }
        }
    }
    for own in seen.own() {
        let number = before.number(own.name);
        let wanted = number.and_then(|number| before.layout.host(number));
        let engine_name = applied.stack.engine_name(own.name);
        let (host_id, container_name) = (own.container.hosted_on.clone(), own.container.name.clone());
        let kind = match wanted {
            Some(host) if *host == host_id && engine_name == container_name => continue,
            Some(_) => LiveDifferenceKind::Elsewhere,
            None => LiveDifferenceKind::NotWanted,
        };
        let container = own.name.to_owned();
        differences.push(LiveDifference { container, container_name, host_id, kind, properties: Vec::new() });
    }
    differences.sort_by(|one, other| {
        (&one.container, &one.host_id, &one.container_name).cmp(&(
            &other.container,
            &other.host_id,
            &other.container_name,
        ))
    });
    differences
}

fn properties(spec: &ContainerSpec, seen: &ObservedContainer, is_awaited: bool) -> Vec<PropertyChange> {
    let definition = &*spec.container;
    let mut changes = Vec::new();
    let mut differs = |path: &str, old: Option<Value>, new: Option<Value>| {
        changes.push(PropertyChange { path: path.to_owned(), old, new });
    };
    let is_over = has_done_its_work(definition, seen, is_awaited)
        || definition.restart_policy == RestartPolicy::No && has_ended_well(seen);
    let runs = seen.status == ContainerStatus::Running;
    if !runs && !is_over {
        differs("status", Some("running".into()), Some(status(seen).into()));
    }
    // An engine that has another image of that name by now shows the digest.
    if seen.image != definition.image && !seen.image.starts_with("sha256:") {
        differs("image", Some(definition.image.clone().into()), Some(seen.image.clone().into()));
    }
    match seen.label(label::HASH) {
        Some(hash) if spec.planned_hash().is(hash) => {}
        Some(_) => differs("definition", None, Some("another one".into())),
        None => differs("definition", None, Some("nobody knows".into())),
    }
    if runs && definition.health_check.is_some() && seen.health.is_some_and(|health| health != Health::Healthy) {
        differs("health", Some("healthy".into()), serde_json::to_value(seen.health).ok());
    }
    for port in definition.ports.iter().filter(|port| runs && !is_published(port, seen)) {
        let path = format!("ports.{}/{}.hostPort", port.container_port, port.protocol.as_str());
        let shown = seen.ports.iter().find(|shown| is_of(port, shown));
        let wanted = port.host_port.map_or_else(|| "any".into(), Value::from);
        differs(&path, Some(wanted), shown.and_then(|shown| shown.host_port).map(Value::from));
    }
    let settings = seen.settings.unwrap_or_default();
    changes.extend(live::differences(&LiveSettings::of(definition), &settings));
    changes
}

fn is_of(port: &Port, shown: &crate::inventory::ObservedPort) -> bool {
    shown.container_port == port.container_port && shown.protocol == port.protocol
}

fn is_published(port: &Port, seen: &ObservedContainer) -> bool {
    let mut shown = seen.ports.iter().filter(|shown| is_of(port, shown));
    shown.any(|shown| shown.host_port.is_some() && (port.host_port.is_none() || shown.host_port == port.host_port))
}

fn status(seen: &ObservedContainer) -> String {
    match (seen.status, seen.exit_code) {
        (ContainerStatus::Exited, Some(code)) => format!("exited with code {code}"),
        (status, _) => status.as_str().to_owned(),
    }
}
