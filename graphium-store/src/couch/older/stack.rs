//! A stack with its deployment.

use super::{
    places::{Places, places},
    remains::{self, Fields, not_taken_over, take, take_time},
    sort::{Deployments, latest, text},
};
use graphium_core::{
    control::{DeploymentKind, DeploymentState, Revision, RevisionOutcome, StackPolicy, StackRecord, StackStatus},
    diagnostic::Severity,
    document::{ReadContext, Reading, read},
    id::DeploymentId,
    inventory::ObservedContainer,
    plan::Applied,
    stack::Stack,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What there is of a stack in documents that describe one.
const DEFINITION: [&str; 10] = [
    "@id",
    "name",
    "description",
    "network",
    "deployment",
    "labels",
    "volumes",
    "dependsOn",
    "locatedInHost",
    "secrets",
];

/// Where its containers may stand.
const CONTAINERS: [&str; 3] = ["itemListElement", "containers", "hasPart"];

/// What is told anew here of a deployment that has ended, and what was looked at before.
const TOLD_ANEW: [&str; 5] = ["stackId", "stackName", "status", "phase", "progress"];

/// The codes of what a reader passes over.
const PASSED_OVER: [&str; 2] = ["ignored-key", "ignored-node"];

/// What a stack of the older system becomes.
#[derive(Debug)]
pub(super) struct Converted {
    /// What the next deployment may go back to.
    pub(super) revision: Revision,
    pub(super) record: StackRecord,
    pub(super) state: DeploymentState,
}

pub(super) fn convert(
    mut body: Fields,
    deployments: &mut Deployments,
    containers: &[ObservedContainer],
    now: Timestamp,
    left: &mut Vec<String>,
) -> Option<Converted> {
    let (id, own) = (remains::id(&body), text(&body, "_id").unwrap_or_default());
    let stack = match definition(&mut body, left) {
        Ok(stack) => stack,
        Err(reason) => {
            left.push(format!("the stack `{id}`: {reason}"));
            return None;
        }
    };
    let mut several = deployments.remove(&id).unwrap_or_default();
    several.extend(deployments.remove(&own).unwrap_or_default());
    let named = take::<String>(&mut body, "deploymentId");
    let mut deployment = latest(several, named.as_deref(), left);
    let told = deployment.as_mut().and_then(|deployment| take::<Fields>(deployment, "placements"));
    let Places { placements, traces, obstacle } = places(told, &stack, containers, left);

    let deployed_at = take_time(&mut body, "deployedAt");
    let mut state = state(&stack, deployment, deployed_at.unwrap_or(now), left);
    state.placements = placements;
    let (status, why) = status_of(&mut body, &stack, obstacle, left);
    let error = take::<String>(&mut body, "errorMessage").filter(|error| !error.is_empty());
    (state.status, state.kind) = (status, kind_of(status));
    state.error_message = state.error_message.or_else(|| why.clone());

    let began = state.started_at;
    let created = take_time(&mut body, "dateCreated").unwrap_or(began);
    let owner = take::<String>(&mut body, "owner").filter(|owner| !owner.is_empty());
    let modified = take_time(&mut body, "dateModified").unwrap_or(began);
    left.extend(not_taken_over(&format!("the stack `{id}`"), &body, &[]));
    let places: BTreeMap<_, _> =
        state.placements.iter().map(|(name, place)| (name.clone(), place.host_id.clone())).collect();
    let has_run = status == StackStatus::Running;
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
        date_modified: modified,
        deployed_at,
        owner,
        error_message: why.into_iter().chain(error).next(),
        traces,
        overtaken: BTreeSet::new(),
        policy: StackPolicy::default(),
        repairs: BTreeMap::new(),
        next_repair: None,
        last_running: has_run.then_some(1),
    };
    Some(Converted { revision, record, state })
}

/// What a deployment in either format tells beside places.
fn state(stack: &Stack, deployment: Option<Fields>, otherwise: Timestamp, left: &mut Vec<String>) -> DeploymentState {
    let mut body = deployment.unwrap_or_default();
    let id = remains::id(&body);
    let began = take_time(&mut body, "startedAt").unwrap_or(otherwise);
    let state = DeploymentState {
        id: DeploymentId::new(match id.strip_prefix("deployment:") {
            Some(_) => id.clone(),
            None => format!("deployment:{}", stack.id),
        }),
        stack_id: stack.id.clone(),
        stack_name: stack.name.clone(),
        kind: DeploymentKind::Deploy,
        status: StackStatus::Running,
        phase: "converted".to_owned(),
        progress: 100,
        plan_hash: String::new(),
        task_count: 0,
        placements: BTreeMap::new(),
        network_info: take(&mut body, "networkInfo").unwrap_or_default(),
        volume_info: take(&mut body, "volumeInfo").unwrap_or_default(),
        endpoints: Vec::new(),
        events: take(&mut body, "events").unwrap_or_default(),
        started_at: began,
        completed_at: take_time(&mut body, "completedAt").or(Some(began)),
        deadline: None,
        error_message: take::<String>(&mut body, "errorMessage").filter(|error| !error.is_empty()),
        reason: None,
        revision: Some(1),
        on_failure: None,
        rollback_state: None,
        rollback_id: None,
        rollback_message: None,
        takes_back: None,
        leaving: None,
    };
    body.retain(|name, _| !TOLD_ANEW.contains(&name.as_str()));
    let more = network(&mut body);
    left.extend(not_taken_over(&format!("the deployment `{id}`"), &body, &more));
    state
}

/// What the older format says of the network, but for what goes without saying.
fn network(body: &mut Fields) -> Vec<String> {
    let Some(config) = take::<Fields>(body, "networkConfig") else { return Vec::new() };
    let goes_without = |name: &str, value: &Value| name == "mode" && value == "host-port" || value.is_null();
    let rest = config.into_iter().filter(|(name, value)| !goes_without(name, value));
    rest.map(|(name, _)| format!("networkConfig.{name}")).collect()
}

/// The stack as the reader of documents understands it: what only the older system's bookkeeping needs stays behind.
fn definition(body: &mut Fields, left: &mut Vec<String>) -> Result<Stack, String> {
    let mut document = Fields::new();
    document.insert("@context".to_owned(), "https://schema.org".into());
    document.insert("@type".to_owned(), "ItemList".into());
    let id = remains::id(body);
    for name in DEFINITION {
        // Its id goes on saying which document it is.
        let value = if name == "@id" { body.get(name).cloned() } else { body.remove(name) };
        document.extend(value.filter(|value| !value.is_null()).map(|value| (name.to_owned(), literal(&value))));
    }
    let containers = CONTAINERS.into_iter().find_map(|name| body.remove(name).filter(|value| !value.is_null()));
    document.insert("itemListElement".to_owned(), containers.as_ref().map_or_else(|| json!([]), literal));
    let Reading { stack, notes, .. } =
        read(Value::Object(document).to_string(), &ReadContext::default()).map_err(|diagnostics| {
            let errors = diagnostics.into_iter().filter(|found| found.severity == Severity::Error);
            errors.map(|found| found.message).collect::<Vec<_>>().join("; ")
        })?;
    let ignored = notes.into_iter().filter(|note| PASSED_OVER.contains(&&*note.code));
    left.extend(ignored.map(|note| format!("the stack `{id}`, `{}`: {}", note.pointer, note.message)));
    Ok(stack)
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

/// Where a stack stands, and why it is an error if the older system did not say so itself.
///
/// What is under way is so no longer: its tasks were the older system's. Nor is anything begun of itself where it is not known
/// which containers are meant.
fn status_of(
    body: &mut Fields,
    stack: &Stack,
    obstacle: Option<String>,
    left: &mut Vec<String>,
) -> (StackStatus, Option<String>) {
    let was = body.remove("status").unwrap_or_default();
    let known = serde_json::from_value(was.clone()).ok();
    match known {
        Some(StackStatus::Error) => (StackStatus::Error, None),
        Some(status @ (StackStatus::Running | StackStatus::Stopped)) => match obstacle {
            Some(obstacle) => (StackStatus::Error, Some(obstacle)),
            None => (status, None),
        },
        _ => {
            let was = was.as_str().unwrap_or("nothing");
            left.push(format!(
                "the status of `{}`, which was {was}: it counts as an error until it is deployed",
                stack.id
            ));
            let why =
                format!("it was {was} when it was taken over from the older system: deploy it again, or remove it");
            (StackStatus::Error, Some(why))
        }
    }
}

/// What is done to a stack that stands like this.
fn kind_of(status: StackStatus) -> DeploymentKind {
    if status == StackStatus::Stopped { DeploymentKind::Stop } else { DeploymentKind::Deploy }
}
