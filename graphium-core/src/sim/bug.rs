//! Defects that are planted to see whether the simulation finds them.

/// A defect of something around the core, as a store, an engine or an agent might have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bug {
    /// Now and then the store acknowledges a plan and forgets it.
    SubmissionForgotten,
    /// The store forgets what tasks wait for.
    GateOpen,
    /// The store forgets how often a task may be tried again.
    RetriesUnbounded,
    /// Those who follow the events miss one now and then.
    EventSkipped,
    /// The planner does not see what runs on the hosts.
    OthersUnseen,
    /// An agent takes its leases for good.
    EndlessLease,
    /// Now and then an agent takes a report for delivered that never left.
    ReportDropped,
    /// Networks are said to be removed and are not.
    NetworkLeft,
    /// A container of somebody else that holds a name is taken away.
    ForeignTaken,
    /// An engine that does not answer is taken for one that has no such container.
    SilenceIsAbsence,
}
