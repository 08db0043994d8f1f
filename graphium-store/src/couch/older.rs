//! Documents of the older system, as records of this one. Pure: nothing is read or written here.

use super::answer::Found;
use graphium_core::{
    control::{
        DeploymentKind, DeploymentState, Placement, Revision, RevisionOutcome, StackPolicy, StackRecord, StackStatus,
    },
    document::{ReadContext, read},
    id::{DeploymentId, HostId, StackId},
    inventory::{Host, ObservedContainer},
    plan::Applied,
    stack::Stack,
    store::{Document, Expect, RecordWrite, StoreError},
};
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What documents of the older system come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversion {
    /// Stacks with their first revision, deployments, hosts and containers, as they are written.
    pub records: Vec<RecordWrite>,
    /// What has no place here, or could not be understood; a sentence each.
    pub left: Vec<String>,
}

/// Documents by what they are.
#[derive(Default)]
struct Sorted {
    hosts: Vec<Map<String, Value>>,
    containers: Vec<Map<String, Value>>,
    stacks: Vec<Map<String, Value>>,
    /// By stack. The newer format goes before the older.
    deployments: BTreeMap<String, Map<String, Value>>,
    ended: usize,
    open: usize,
}

/// The state of a deployment in either of the older system's formats, as far as both say the same.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Deployment {
    placements: BTreeMap<String, Value>,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    error_message: Option<String>,
}

/// Converts what was found in a database.
pub(super) fn convert(documents: Vec<Found>, now: Timestamp) -> Result<Conversion, StoreError> {
    let mut conversion = Conversion::default();
    let mut sorted = sort(documents, &mut conversion.left);
    for body in std::mem::take(&mut sorted.hosts) {
        if let Some(host) = parsed::<Host>("host", body, &mut conversion.left) {
            conversion.records.push(host.write(Expect::Any)?);
        }
    }
    for mut body in std::mem::take(&mut sorted.containers) {
        // Only what the older system has deployed has a stack.
        if let Some(stack) = stack_of(&body, &sorted.deployments) {
            body.insert("labels".to_owned(), json!({"graphium.managed": "true", "graphium.stack": stack}));
        }
        body.retain(|name, _| !matches!(name.as_str(), "ports" | "environment" | "dependsOn"));
        if let Some(container) = parsed::<ObservedContainer>("container", body, &mut conversion.left) {
            conversion.records.push(container.write(Expect::Any)?);
        }
    }
    for body in std::mem::take(&mut sorted.stacks) {
        convert_stack(body, &mut sorted.deployments, now, &mut conversion)?;
    }
    for stack in sorted.deployments.keys() {
        conversion.left.push(format!("the deployment of `{stack}`: there is no such stack"));
    }
    if sorted.ended > 0 {
        conversion.left.push(format!("tasks that had ended: {}; they stay in the database", sorted.ended));
    }
    if sorted.open > 0 {
        let what = "they are not carried out; deploy, stop or remove their stacks again";
        conversion.left.push(format!("tasks that had not ended: {}; {what}", sorted.open));
    }
    Ok(conversion)
}

fn sort(documents: Vec<Found>, left: &mut Vec<String>) -> Sorted {
    let mut sorted = Sorted::default();
    for Found { mut body, .. } in documents {
        let id = text(&body, "_id").unwrap_or_default();
        if !body.contains_key("@id") {
            body.insert("@id".to_owned(), id.clone().into());
        }
        let kind = text(&body, "@type").unwrap_or_default();
        match kind.rsplit(':').next().unwrap_or_default() {
            "ComputerSystem" | "ComputerServer" | "Host" => sorted.hosts.push(body),
            "Container" => sorted.containers.push(body),
            "ItemList" | "Stack" => sorted.stacks.push(body),
            "AgentTask" => match text(&body, "status").as_deref() {
                Some("completed" | "failed" | "cancelled") => sorted.ended += 1,
                _ => sorted.open += 1,
            },
            _ if body.contains_key("placements") => {
                let stack = text(&body, "stackId");
                let stack = stack.unwrap_or_else(|| id.strip_prefix("deployment:").unwrap_or(&id).to_owned());
                let is_newer = body.contains_key("phase");
                if is_newer || !sorted.deployments.contains_key(&stack) {
                    sorted.deployments.insert(stack, body);
                }
            }
            _ => left.push(format!("`{id}`: a document of a kind that is not known (`{kind}`)")),
        }
    }
    sorted
}

fn convert_stack(
    body: Map<String, Value>,
    deployments: &mut BTreeMap<String, Map<String, Value>>,
    now: Timestamp,
    conversion: &mut Conversion,
) -> Result<(), StoreError> {
    let id = text(&body, "@id").unwrap_or_default();
    let stack = match definition(&body) {
        Ok(stack) => stack,
        Err(reason) => {
            conversion.left.push(format!("the stack `{id}`: {reason}"));
            return Ok(());
        }
    };
    let own = text(&body, "_id").unwrap_or_default();
    let found = deployments.remove(&id).or_else(|| deployments.remove(&own));
    let status = status_of(&body, &stack, &mut conversion.left);
    let deployment = match found {
        Some(found) => parsed::<Deployment>("deployment of the stack", found, &mut conversion.left).unwrap_or_default(),
        None => {
            conversion.left.push(format!("the places of the containers of `{id}`: no deployment of it was found"));
            Deployment::default()
        }
    };
    let placements = placements(&deployment, &stack, &mut conversion.left);
    let began = deployment.started_at.or_else(|| time(&body, "deployedAt")).unwrap_or(now);
    let state = DeploymentState {
        id: DeploymentId::new(format!("deployment:{}", stack.id)),
        stack_id: stack.id.clone(),
        stack_name: stack.name.clone(),
        kind: DeploymentKind::Deploy,
        status,
        phase: "converted".to_owned(),
        progress: 100,
        plan_hash: String::new(),
        task_count: 0,
        placements: placements.clone(),
        network_info: BTreeMap::new(),
        volume_info: BTreeMap::new(),
        endpoints: Vec::new(),
        events: Vec::new(),
        started_at: began,
        completed_at: deployment.completed_at.or(Some(began)),
        deadline: None,
        error_message: deployment.error_message,
        reason: None,
        revision: Some(1),
        on_failure: None,
        rollback_state: None,
        rollback_id: None,
        rollback_message: None,
        takes_back: None,
        leaving: None,
    };
    let places: BTreeMap<_, _> = placements.into_iter().map(|(name, placement)| (name, placement.host_id)).collect();
    let (created, owner) = (time(&body, "dateCreated").unwrap_or(began), text(&body, "owner"));
    let has_run = status == StackStatus::Running;
    // What the next deployment may go back to.
    let revision = Revision {
        stack_id: stack.id.clone(),
        revision: 1,
        definition: stack.clone(),
        placements: places.clone(),
        date_created: created,
        created_by: owner.clone(),
        deployment_id: Some(state.id.clone()),
        restores: None,
        outcome: has_run.then_some(RevisionOutcome::Ran),
        error_message: None,
    };
    let record = StackRecord {
        id: stack.id.clone(),
        name: stack.name.clone(),
        status,
        deployment_id: state.id.clone(),
        revision: 1,
        definition: stack.clone(),
        applied: Applied { stack, placements: places },
        date_created: created,
        date_modified: time(&body, "dateModified").unwrap_or(began),
        deployed_at: time(&body, "deployedAt"),
        owner,
        error_message: text(&body, "errorMessage"),
        traces: std::collections::BTreeSet::new(),
        policy: StackPolicy::default(),
        repairs: BTreeMap::new(),
        next_repair: None,
        last_running: has_run.then_some(1),
    };
    conversion.records.push(revision.write(Expect::Any)?);
    conversion.records.push(record.write(Expect::Any)?);
    conversion.records.push(state.write(Expect::Any)?);
    Ok(())
}

/// The stack as the reader of documents understands it: what only the older system's bookkeeping needs is left out.
fn definition(body: &Map<String, Value>) -> Result<Stack, String> {
    let mut document = Map::new();
    document.insert("@context".to_owned(), "https://schema.org".into());
    document.insert("@type".to_owned(), "ItemList".into());
    for name in ["@id", "name", "description", "network", "deployment", "labels", "volumes", "dependsOn"] {
        if let Some(value) = body.get(name) {
            document.insert(name.to_owned(), literal(value));
        }
    }
    let containers = ["itemListElement", "containers", "hasPart"].into_iter().find_map(|name| body.get(name));
    document.insert("itemListElement".to_owned(), containers.map_or_else(|| json!([]), literal));
    let reading = read(Value::Object(document).to_string(), &ReadContext::default());
    reading.map(|reading| reading.stack).map_err(|diagnostics| {
        let errors =
            diagnostics.into_iter().filter(|found| found.severity == graphium_core::diagnostic::Severity::Error);
        errors.map(|found| found.message).collect::<Vec<_>>().join("; ")
    })
}

/// Variables were resolved when it was stored: what looks like one is text.
fn literal(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('$', "$$")),
        Value::Array(items) => items.iter().map(literal).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), literal(value))).collect(),
        other => other.clone(),
    }
}

/// What is under way is so no longer: its tasks were the older system's.
fn status_of(body: &Map<String, Value>, stack: &Stack, left: &mut Vec<String>) -> StackStatus {
    let status = body.get("status").and_then(|status| StackStatus::deserialize(status).ok());
    match status {
        Some(status @ (StackStatus::Running | StackStatus::Stopped | StackStatus::Error)) => status,
        _ => {
            let was = text(body, "status").unwrap_or_else(|| "nothing".to_owned());
            left.push(format!(
                "the status of `{}`, which was {was}: it counts as an error until it is deployed",
                stack.id
            ));
            StackStatus::Error
        }
    }
}

fn placements(deployment: &Deployment, stack: &Stack, left: &mut Vec<String>) -> BTreeMap<String, Placement> {
    let mut placements = BTreeMap::new();
    for (name, place) in &deployment.placements {
        let Some(host) = place.get("hostId").and_then(Value::as_str) else {
            left.push(format!("the place of `{name}` of `{}`: it names no host", stack.id));
            continue;
        };
        let text = |field: &str| place.get(field).and_then(Value::as_str).map(str::to_owned);
        let ports =
            place.get("ports").and_then(Value::as_object).into_iter().flatten().filter_map(|(inside, outside)| {
                let inside = if inside.contains('/') { inside.clone() } else { format!("{inside}/tcp") };
                let outside = outside.as_u64().or_else(|| outside.as_str()?.parse().ok())?;
                Some((inside, u16::try_from(outside).ok()?))
            });
        let placement = Placement {
            container_id: text("containerId"),
            container_name: text("containerName").unwrap_or_else(|| format!("{}-{name}", stack.name)),
            host_id: HostId::new(host),
            ip_address: text("ipAddress").and_then(|address| address.parse().ok()),
            ports: ports.collect(),
            status: place.get("status").and_then(|status| Deserialize::deserialize(status).ok()),
            started_at: text("startedAt").and_then(|time| time.parse().ok()),
        };
        // The older system names a container by its id or its name.
        let name = name.strip_prefix("container:").unwrap_or(name);
        placements.insert(name.to_owned(), placement);
    }
    placements
}

/// The stack that has placed a container.
fn stack_of(container: &Map<String, Value>, deployments: &BTreeMap<String, Map<String, Value>>) -> Option<StackId> {
    let (id, name) = (text(container, "@id")?, text(container, "name"));
    let is_it = |place: &Value| {
        let is =
            |field: &str, wanted: Option<&str>| wanted.is_some() && place.get(field).and_then(Value::as_str) == wanted;
        is("containerId", Some(&id)) || is("containerName", name.as_deref())
    };
    let mut found = deployments.iter().filter(|(_, deployment)| {
        deployment.get("placements").and_then(Value::as_object).is_some_and(|places| places.values().any(is_it))
    });
    found.next().map(|(stack, _)| StackId::new(stack.as_str()))
}

fn parsed<T: DeserializeOwned>(what: &str, body: Map<String, Value>, left: &mut Vec<String>) -> Option<T> {
    let id = text(&body, "@id").unwrap_or_default();
    serde_json::from_value(Value::Object(body)).map_err(|error| left.push(format!("the {what} `{id}`: {error}"))).ok()
}

fn text(body: &Map<String, Value>, name: &str) -> Option<String> {
    body.get(name)?.as_str().map(str::to_owned)
}

fn time(body: &Map<String, Value>, name: &str) -> Option<Timestamp> {
    text(body, name)?.parse().ok()
}
