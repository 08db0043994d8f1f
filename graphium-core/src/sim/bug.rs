//! Defects that are planted to see whether the simulation finds them.

/// A defect of something around the core, as a store, an engine or an agent might have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// A late report of a task that has ended without success makes it begin anew.
    EndReopened,
    /// A report counts for whatever attempt is the present one.
    StaleReportTaken,
    /// Now and then a stack is said to run as soon as it is deployed.
    StatusAhead,
    /// The way back leads to where one is.
    RollbackAstray,
    /// The store forgets what is to follow a failure.
    PolicyForgotten,
    /// Containers that have ended are shown as if they ran.
    EndsUnseen,
    /// The store forgets how often a container was brought back.
    RepairsUncounted,
    /// The store forgets which of two goes first.
    OrderForgotten,
    /// The store forgets what is to be removed from a host that was away when that was placed elsewhere.
    FenceSkipped,
    /// An engine starts anew what is adopted.
    AdoptionRestarts,
    /// An engine takes another container for the one that is to be adopted.
    WrongOneAdopted,
    /// An agent that has something to report forgets what was adopted.
    AdoptionForgotten,
    /// A line of a log is lost on its way now and then.
    LineLost,
    /// An agent is not told that whoever had a command run is gone.
    GoneUntold,
    /// What is present is let go of with what is over.
    LivePruned,
}

impl Bug {
    /// Every one of them.
    pub const ALL: [Self; 25] = [
        Self::SubmissionForgotten,
        Self::GateOpen,
        Self::RetriesUnbounded,
        Self::EventSkipped,
        Self::OthersUnseen,
        Self::EndlessLease,
        Self::ReportDropped,
        Self::NetworkLeft,
        Self::ForeignTaken,
        Self::SilenceIsAbsence,
        Self::EndReopened,
        Self::StaleReportTaken,
        Self::StatusAhead,
        Self::RollbackAstray,
        Self::PolicyForgotten,
        Self::EndsUnseen,
        Self::RepairsUncounted,
        Self::OrderForgotten,
        Self::FenceSkipped,
        Self::AdoptionRestarts,
        Self::WrongOneAdopted,
        Self::AdoptionForgotten,
        Self::LineLost,
        Self::GoneUntold,
        Self::LivePruned,
    ];
}
