//! What people are told of a way back.

use crate::{
    control::{TakesBack, model::failure_line},
    id::DeploymentId,
    runtime::label,
    task::{Task, TaskStatus},
};
use std::collections::BTreeMap;

/// Which containers a deployment has made from newer images, of these that ask for them: no definition brings the older back.
pub(in crate::control) fn renewed(refreshed: &[&Task], deployment: &DeploymentId) -> String {
    let is_new = |task: &&&Task| {
        let made = task.result.as_ref().and_then(|result| result.data.as_ref());
        made.is_some_and(|made| made.label(label::DEPLOYMENT) == Some(deployment.as_str()))
    };
    let names: Vec<String> =
        refreshed.iter().filter(is_new).map(|task| format!("`{}`", task.payload.subject())).collect();
    if names.is_empty() {
        String::new()
    } else {
        format!("; made from newer images, and left so: {}", names.join(", "))
    }
}

/// While what is under way is ended, and before anything is planned.
pub(in crate::control) fn due(reason: &str) -> String {
    format!("failed, and goes back: {reason}")
}

/// While the way back is under way.
pub(in crate::control) fn under_way(failed: &TakesBack) -> String {
    let TakesBack { revision, reason, .. } = failed;
    match failed.to {
        Some(to) if to == *revision => {
            format!("the deployment failed, and the stack goes back to revision {to} as it ran: {reason}")
        }
        Some(to) => format!("revision {revision} failed, and the stack goes back to revision {to}: {reason}"),
        None => format!("revision {revision} failed, and what it made is taken away again: {reason}"),
    }
}

/// When what a first deployment made is gone.
pub(in crate::control) fn withdrawn(failed: &TakesBack) -> String {
    format!("revision {} failed, and what it made was taken away again: {}", failed.revision, failed.reason)
}

/// When the way back has failed.
pub(in crate::control) fn failed(failed: &TakesBack, differs: &str) -> String {
    let TakesBack { revision, reason, .. } = failed;
    let goal = match failed.to {
        Some(to) => format!("the way back to revision {to} failed"),
        None => "taking away what was made failed".to_owned(),
    };
    format!("{goal}: {differs}; it was begun because revision {revision} failed: {reason}")
}

/// When there is no way back.
pub(in crate::control) fn impossible(reason: &str, why: &str) -> String {
    format!("{reason}; everything is left as it is: {why}")
}

/// What is not as it was before, host by host: what failed with its cause, and what was not tried because of that.
pub(in crate::control) fn differences(tasks: &[Task]) -> String {
    let mut hosts: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let unsuccessful = tasks.iter().filter(|task| matches!(task.status, TaskStatus::Failed | TaskStatus::Cancelled));
    for task in unsuccessful {
        let line = match &task.error {
            Some(error) if error.code != "dependency-failed" => failure_line(task, error),
            _ => format!("{} was not tried", task.plan_id),
        };
        hosts.entry(task.host_id.as_str()).or_default().push(line);
    }
    let lines = hosts.into_iter().map(|(host, lines)| format!("host `{host}` is not as before: {}", lines.join(", ")));
    lines.collect::<Vec<_>>().join("; ")
}
