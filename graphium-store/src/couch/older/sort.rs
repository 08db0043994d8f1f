//! Which document is what.

use super::{
    Found,
    remains::{self, Fields},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Documents by what they are.
#[derive(Default)]
pub(super) struct Sorted {
    pub(super) hosts: Vec<Fields>,
    pub(super) containers: Vec<Fields>,
    pub(super) stacks: Vec<Fields>,
    /// By stack.
    pub(super) deployments: Deployments,
    /// Tasks that had ended, and those that had not.
    pub(super) ended: usize,
    pub(super) open: usize,
}

/// Deployments by the stack that they name, in either format.
pub(super) type Deployments = BTreeMap<String, Vec<Fields>>;

pub(super) fn sort(documents: Vec<Found>, left: &mut Vec<String>) -> Sorted {
    let mut sorted = Sorted::default();
    for Found { mut body, conflicts, .. } in documents {
        let id = text(&body, "_id").unwrap_or_default();
        if !body.contains_key("@id") {
            body.insert("@id".to_owned(), id.clone().into());
        }
        if !conflicts.is_empty() {
            left.push(format!("`{id}`: {} revision(s) in conflict with the one that CouchDB shows", conflicts.len()));
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
            kind if matches!(kind, "StackDeployment" | "DeploymentState") || body.contains_key("placements") => {
                let stack = text(&body, "stackId");
                let stack = stack.unwrap_or_else(|| id.strip_prefix("deployment:").unwrap_or(&id).to_owned());
                sorted.deployments.entry(stack).or_default().push(body);
            }
            _ => left.push(format!("`{id}`: a document of a kind that is not known (`{kind}`)")),
        }
    }
    sorted
}

/// The deployment that tells where a stack is: one in the newer format before one in the older, then the one that the stack
/// names, then the latest. The others are told of.
pub(super) fn latest(mut several: Vec<Fields>, named: Option<&str>, left: &mut Vec<String>) -> Option<Fields> {
    several.sort_by_key(|body| {
        let is_newer =
            body.contains_key("phase") || text(body, "@type").is_some_and(|kind| kind.ends_with("DeploymentState"));
        let id = remains::id(body);
        let began = text(body, "startedAt").and_then(|time| time.parse::<jiff::Timestamp>().ok());
        (is_newer, Some(id.as_str()) == named, began)
    });
    let latest = several.pop()?;
    for other in several {
        let (other, stack, id) = (remains::id(&other), text(&latest, "stackId"), remains::id(&latest));
        let of = stack.map(|stack| format!(" of `{stack}`")).unwrap_or_default();
        left.push(format!("the deployment `{other}`{of}: `{id}` tells of it instead"));
    }
    Some(latest)
}

pub(super) fn text(body: &Fields, name: &str) -> Option<String> {
    body.get(name).and_then(Value::as_str).map(str::to_owned)
}
