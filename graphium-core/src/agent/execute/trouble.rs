//! What went wrong, on its way to a person.

use crate::{runtime::RuntimeError, task::TaskError};

/// Why an action did not come to its end.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The engine said so.
    Engine(RuntimeError),
    /// It is known what it means for the task.
    Task(TaskError),
}

impl Trouble {
    /// A failure that another attempt cannot mend.
    pub(super) fn hopeless(code: &str, message: String, help: &str) -> Self {
        Self::Task(TaskError {
            code: code.to_owned(),
            message,
            help: Some(help.to_owned()),
            log: Vec::new(),
            retryable: false,
        })
    }

    pub(super) fn into_error(self) -> TaskError {
        match self {
            Self::Task(error) => error,
            Self::Engine(error) => TaskError {
                code: code(&error).to_owned(),
                message: error.to_string(),
                help: error.advice().map(str::to_owned),
                log: Vec::new(),
                retryable: error.is_retryable(),
            },
        }
    }
}

impl From<RuntimeError> for Trouble {
    fn from(error: RuntimeError) -> Self {
        Self::Engine(error)
    }
}

fn code(error: &RuntimeError) -> &'static str {
    match error {
        RuntimeError::Unreachable { .. } => "engine-unreachable",
        RuntimeError::TimedOut { .. } => "engine-timed-out",
        RuntimeError::ImageNotFound { .. } => "image-not-found",
        RuntimeError::NameTaken { .. } => "name-taken",
        RuntimeError::PortTaken { .. } => "port-taken",
        RuntimeError::NotFound(_) => "not-found",
        RuntimeError::InUse(_) => "in-use",
        RuntimeError::Refused(_) => "engine-refused",
        RuntimeError::Failed(_) => "engine-failed",
    }
}
