//! The labels by which Graphium knows its own.

/// `true` on everything that is ours.
pub const MANAGED: &str = "graphium.managed";
/// The stack's id.
pub const STACK: &str = "graphium.stack";
/// The stack's name.
pub const STACK_NAME: &str = "graphium.stack.name";
/// The container's name within its stack.
pub const CONTAINER: &str = "graphium.container";
/// The deployment that made it.
pub const DEPLOYMENT: &str = "graphium.deployment";
/// The task that made it.
pub const TASK: &str = "graphium.task";
/// The attempt of that task.
pub const ATTEMPT: &str = "graphium.attempt";
/// The hash of the specification that it was made from.
pub const HASH: &str = "graphium.spec-hash";
/// The health check that the agent makes, as JSON: an engine makes none over the network. Empty where there is none, so
/// that no image can set it.
///
/// It is written here so that whoever serves the host next knows it. Agents tell nobody of it: it may have headers that
/// are nobody else's to read.
pub const HEALTH_CHECK: &str = "graphium.health-check";

/// What all of ours begin with: documents that have such a label are refused.
pub const PREFIX: &str = "graphium.";

/// Whether a label is one of ours: stored stacks cannot set it either.
///
/// # Example
/// ```
/// use graphium_core::runtime::label;
///
/// assert!(label::is_ours(label::STACK));
/// assert!(!label::is_ours("com.example.team"));
/// ```
pub fn is_ours(key: &str) -> bool {
    [MANAGED, STACK, STACK_NAME, CONTAINER, DEPLOYMENT, TASK, ATTEMPT, HASH, HEALTH_CHECK].contains(&key)
}
