//! The control plane: deploys, removes, watches, finishes what is in flight.

mod error;
mod model;

pub use error::ControlError;
pub use model::{
    DeployOptions, DeploymentEvent, DeploymentKind, DeploymentState, Placement, RemoveOptions, Revision, Role,
    StackRecord, StackStatus, StackView, Started, StatusView, TaskRequest, TaskStats, TaskView, TokenRecord, Waiting,
};
