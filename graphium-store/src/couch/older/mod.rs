//! Documents of the older system, as records of this one. Pure: nothing is read or written here.

mod places;
mod remains;
mod sort;
mod stack;

use super::answer::Found;
use graphium_core::{
    inventory::{Host, ObservedContainer, ObservedPort},
    runtime::label,
    store::{Document, Expect, RecordWrite, StoreError},
};
use jiff::Timestamp;
use remains::{Fields, not_taken_over};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sort::{Sorted, sort};
use stack::Converted;

/// What documents of the older system come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversion {
    /// Stacks with their first revision, deployments, hosts and containers, as they are written.
    pub records: Vec<RecordWrite>,
    /// What has no place here, or could not be understood; a sentence each.
    pub left: Vec<String>,
}

/// Converts what was found in a database.
pub(super) fn convert(documents: Vec<Found>, now: Timestamp) -> Result<Conversion, StoreError> {
    let mut conversion = Conversion::default();
    let Sorted { hosts, containers, stacks, mut deployments, ended, open } = sort(documents, &mut conversion.left);
    for body in hosts {
        if let Some(host) = parsed::<Host>("host", &body, &mut conversion.left) {
            conversion.left.extend(lost("host", &body, &host));
            conversion.records.push(host.write(Expect::Any)?);
        }
    }
    let mut containers: Vec<ObservedContainer> =
        containers.iter().filter_map(|body| observed(body, &mut conversion.left)).collect();
    let mut converted = Vec::new();
    for body in stacks {
        converted.extend(stack::convert(body, &mut deployments, &containers, now, &mut conversion.left));
    }
    for container in &mut containers {
        mark(container, &converted);
        conversion.records.push(container.write(Expect::Any)?);
    }
    for Converted { revision, record, state } in &converted {
        conversion.records.push(revision.write(Expect::Any)?);
        conversion.records.push(record.write(Expect::Any)?);
        conversion.records.push(state.write(Expect::Any)?);
    }
    for (stack, several) in deployments {
        let all: Vec<String> = several.iter().map(|body| format!("`{}`", remains::id(body))).collect();
        conversion.left.push(format!("the deployment of `{stack}` ({}): there is no such stack", all.join(", ")));
    }
    if ended > 0 {
        conversion.left.push(format!("tasks that had ended: {ended}; they stay in the database"));
    }
    if open > 0 {
        let what = "they are not carried out; deploy, stop or remove their stacks again";
        conversion.left.push(format!("tasks that had not ended: {open}; {what}"));
    }
    Ok(conversion)
}

/// A container as the older system has seen it last. Its agent tells of it anew once it is there.
fn observed(body: &Fields, left: &mut Vec<String>) -> Option<ObservedContainer> {
    let mut known = body.clone();
    // Texts, say.
    if known.get("ports").is_some_and(|ports| serde_json::from_value::<Vec<ObservedPort>>(ports.clone()).is_err()) {
        known.remove("ports");
    }
    parsed("container", &known, left).inspect(|container| left.extend(lost("container", body, container)))
}

/// Only what the older system has deployed has a stack.
fn mark(container: &mut ObservedContainer, stacks: &[Converted]) {
    let is_its = |stack: &&Converted| {
        stack.state.placements.values().any(|place| {
            place.container_id.as_ref() == Some(&container.id)
                || place.host_id == container.hosted_on && place.container_name == container.name
        })
    };
    if let Some(Converted { record, .. }) = stacks.iter().find(is_its) {
        let labels = [(label::MANAGED, "true"), (label::STACK, record.id.as_str())];
        container.labels.extend(labels.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
}

fn parsed<T: DeserializeOwned + Serialize>(what: &str, body: &Fields, left: &mut Vec<String>) -> Option<T> {
    let id = remains::id(body);
    match serde_json::from_value(Value::Object(body.clone())) {
        Ok(record) => Some(record),
        Err(error) => {
            left.push(format!("the {what} `{id}`: {error}"));
            None
        }
    }
}

/// The fields of a document that its record does not have.
fn lost(what: &str, body: &Fields, record: &impl Serialize) -> Option<String> {
    let taken = serde_json::to_value(record).unwrap_or_default();
    let rest: Fields = body.iter().filter(|(name, _)| taken.get(name.as_str()).is_none()).map(cloned).collect();
    not_taken_over(&format!("the {what} `{}`", remains::id(body)), &rest, &[])
}

fn cloned((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}
