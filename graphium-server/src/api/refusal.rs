//! What the core's errors are on the wire.

use super::problem::Problem;
use graphium_core::{
    agent::LinkError, control::ControlError, diagnostic::Diagnostic, plan::SavedPlanError, store::StoreError,
    task::Refusal,
};

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        let text = error.to_string();
        match error {
            ControlError::Invalid(diagnostics) => {
                Self::new(422, "invalid-document", text).with_diagnostics(diagnostics)
            }
            ControlError::NotAllowed(denied) => Self::new(422, "not-allowed", text).with_diagnostics(denied),
            ControlError::NotFound { .. } => Self::new(404, "not-found", text),
            ControlError::NoRevision { .. } => Self::new(404, "no-such-revision", text),
            ControlError::Conflict { code, .. } => Self::new(409, code, text),
            ControlError::Outdated { changes, .. } => {
                let told = changes.iter().map(|change| Diagnostic::error("fact-changed", "", change.to_string()));
                Self::new(409, "plan-outdated", text).with_diagnostics(told.collect())
            }
            ControlError::Store(error) => error.into(),
            _ => Self::new(500, "internal", text),
        }
    }
}

impl From<SavedPlanError> for Problem {
    fn from(error: SavedPlanError) -> Self {
        let code = match error {
            SavedPlanError::CutOff { .. } => "plan-cut-off",
            SavedPlanError::Newer { .. } => "plan-too-new",
            SavedPlanError::Changed => "plan-changed",
            _ => "not-a-plan",
        };
        Self::new(422, code, error.to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::NotFound { .. } => Self::new(404, "not-found", text),
            StoreError::Conflict { .. } => Self::new(409, "changed-meanwhile", text),
            StoreError::Refused { refusal, .. } => Self::new(409, code(&refusal), text),
            StoreError::SessionLost { .. } => Self::new(409, "session-lost", text),
            StoreError::Pruned { up_to } => {
                Self::new(410, "events-pruned", format!("{text}; ask with `after={up_to}` for those that are left"))
            }
            StoreError::Full(_) => Self::new(507, "store-full", text),
            StoreError::Unavailable(_) => Self::new(503, "store-unavailable", text),
            StoreError::Corrupt { .. } => Self::new(500, "store-corrupt", text),
            _ => Self::new(500, "internal", text),
        }
    }
}

/// Of the state machine's refusals only a lost lease means that somebody else has the attempt.
fn code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::LeaseLost { .. } => "lease-lost",
        Refusal::Ended(_) => "task-ended",
        Refusal::NotRetryable(_) => "not-retryable",
        Refusal::Blocked { .. } => "blocked",
        Refusal::NotClaimable(_) | Refusal::NotExpired => "not-now",
    }
}

impl From<LinkError> for Problem {
    fn from(error: LinkError) -> Self {
        let text = error.to_string();
        match error {
            LinkError::Unreachable(_) => Self::new(503, "store-unavailable", text),
            LinkError::SessionLost(_) => Self::new(409, "session-lost", text),
            LinkError::LeaseLost(_) => Self::new(409, "lease-lost", text),
            LinkError::Denied(_) => Self::new(403, "not-allowed", text),
            _ => Self::new(422, "rejected", text),
        }
    }
}
