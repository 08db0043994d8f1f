//! What the fake answers.

use serde_json::{Value, json};

/// What becomes of a request.
pub(super) enum Reply {
    Json(u16, Value),
    /// The connection breaks.
    Broken,
}

impl Reply {
    pub(super) fn error(status: u16, error: &str, reason: &str) -> Self {
        Self::Json(status, json!({"error": error, "reason": reason}))
    }

    pub(super) fn missing() -> Self {
        Self::error(404, "not_found", "missing")
    }

    pub(super) fn conflict() -> Self {
        Self::error(409, "conflict", "Document update conflict.")
    }
}
