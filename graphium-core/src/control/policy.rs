//! What is done about a stack by itself, without anybody asking.

use super::{Control, ControlError, StackRecord, deploy::stack_event};
use crate::{
    diagnostic::{Diagnostic, Subject},
    event::{EventType, NewEvent},
    stack::{OnDrift, Stack},
    store::{Document, Expect, Submission, Versioned},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The longest time after which containers may be placed elsewhere.
pub const MAX_RESCHEDULE_AFTER: Duration = Duration::from_secs(30 * 86_400);

/// What an operator wants to be done about a stack without being asked. It belongs to the stack and not to its document: a
/// deployment that says nothing of it leaves it as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StackPolicy {
    /// What follows when a container does not run that should.
    pub on_drift: OnDrift,
    /// So many seconds after a host has gone offline what ran there is placed elsewhere; absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reschedule_after: Option<u64>,
}

/// What a request says of a [`StackPolicy`]; of what it does not say, the stack keeps what it has.
///
/// # Example
/// ```
/// use graphium_core::{control::{PolicyChange, StackPolicy}, stack::OnDrift};
/// use std::time::Duration;
///
/// let change = PolicyChange { on_drift: Some(OnDrift::Report), reschedule_after: Some(Duration::from_secs(600)) };
/// assert_ne!(change, PolicyChange::default(), "which changes nothing");
/// let policy: StackPolicy = serde_json::from_str(r#"{"onDrift": "report", "rescheduleAfter": 600}"#)?;
/// assert_eq!((policy.on_drift, policy.reschedule_after), (OnDrift::Report, Some(600)));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolicyChange {
    /// What is to follow when a container does not run that should.
    pub on_drift: Option<OnDrift>,
    /// How long after a host has gone offline what ran there is to be placed elsewhere, in whole seconds; zero: never.
    pub reschedule_after: Option<Duration>,
}

impl PolicyChange {
    /// The policy of a stack that had this one.
    pub(super) fn of(self, before: StackPolicy) -> StackPolicy {
        let reschedule_after = match self.reschedule_after {
            Some(after) => (!after.is_zero()).then(|| after.as_secs().max(1)),
            None => before.reschedule_after,
        };
        StackPolicy { on_drift: self.on_drift.unwrap_or(before.on_drift), reschedule_after }
    }
}

impl Control {
    /// Refuses a policy that would place containers elsewhere before anybody knows that their host is away.
    pub(super) fn refuse_policy(&self, change: PolicyChange) -> Result<(), ControlError> {
        let Some(after) = change.reschedule_after.filter(|after| !after.is_zero()) else { return Ok(()) };
        let offline = self.settings.offline_after;
        if after > offline && after <= MAX_RESCHEDULE_AFTER {
            return Ok(());
        }
        let message = format!(
            "what runs on a host that is away cannot be placed elsewhere after {} s: that has to be more than {} s, after \
             which a host counts as offline, and {} s at most",
            after.as_secs_f64(),
            offline.as_secs_f64(),
            MAX_RESCHEDULE_AFTER.as_secs(),
        );
        let found = Diagnostic::error("reschedule-after-range", "", message).about(Subject::stack());
        Err(ControlError::Invalid(vec![found.with_help("give a time between the two, or 0 for never")]))
    }

    /// Refuses a stack that asks more of its hosts than is allowed.
    pub(super) fn admit(&self, stack: &Stack) -> Result<(), ControlError> {
        let denied = self.settings.admission.stack(stack);
        if denied.is_empty() { Ok(()) } else { Err(ControlError::Invalid(denied)) }
    }

    /// Changes the policy of a stack of which nothing else is to be changed.
    pub(super) async fn set_policy(
        &self,
        stack: &Versioned<StackRecord>,
        change: PolicyChange,
    ) -> Result<(), ControlError> {
        let policy = change.of(stack.value.policy);
        if policy == stack.value.policy {
            return Ok(());
        }
        let now = self.environment.now();
        let record = StackRecord { policy, date_modified: now, ..stack.value.clone() };
        let submission = Submission {
            records: vec![record.write(Expect::Version(stack.version))?],
            events: vec![NewEvent { kind: EventType::StackUpdated, data: stack_event(&record) }],
            ..Submission::default()
        };
        self.store.submit(submission, now).await?;
        // What was left alone may now have to be looked at.
        self.touch(Some(&record.deployment_id));
        Ok(())
    }
}
