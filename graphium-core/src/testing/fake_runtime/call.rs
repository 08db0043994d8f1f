//! The kinds of calls, as faults name them and the call log writes them.

use std::fmt;

/// A call of [`ContainerRuntime`](crate::runtime::ContainerRuntime).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the method of the same name")]
pub enum Operation {
    Info,
    Pull,
    CreateNetwork,
    RemoveNetwork,
    CreateVolume,
    RemoveVolume,
    Create,
    PutFiles,
    Rename,
    Adjust,
    Start,
    Stop,
    Remove,
    Inspect,
    Describe,
    Adopt,
    Probe,
    List,
    Owned,
    LastLines,
    Logs,
    Exec,
    Watch,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Pull => "pull",
            Self::CreateNetwork => "create-network",
            Self::RemoveNetwork => "remove-network",
            Self::CreateVolume => "create-volume",
            Self::RemoveVolume => "remove-volume",
            Self::Create => "create",
            Self::PutFiles => "put-files",
            Self::Rename => "rename",
            Self::Adjust => "adjust",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Remove => "remove",
            Self::Inspect => "inspect",
            Self::Describe => "describe",
            Self::Adopt => "adopt",
            Self::Probe => "probe",
            Self::List => "list",
            Self::Owned => "owned",
            Self::LastLines => "last-lines",
            Self::Logs => "logs",
            Self::Exec => "exec",
            Self::Watch => "watch",
        })
    }
}
