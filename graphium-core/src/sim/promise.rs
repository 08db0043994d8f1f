//! What must be true at any moment, and what must come true in the end.

use std::fmt;

/// A promise of the whole system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Promise {
    /// An attempt changes a thing once, and none changes anything after its successor has.
    OneEffect,
    /// No two attempts at one task are under way.
    OneLease,
    /// A task that has ended stays as it ended, unless an operator has it tried again.
    EndsAreFinal,
    /// A task begins when those that it waits for have ended as they should.
    OrderKept,
    /// No task is tried more often than it may be.
    AttemptsBounded,
    /// What is under way has a time at which it ends, and what waits says for what.
    NothingWaitsForEver,
    /// A stack's status is what its tasks say.
    StatusIsFold,
    /// Of a stack that is removed nothing is left.
    NothingLeft,
    /// What is not ours is not touched, but for what an adoption names.
    ForeignUntouched,
    /// An adoption starts, stops and makes nothing: a container becomes ours as it runs.
    AdoptedAsItRuns,
    /// What was adopted stays adopted: its host's agent remembers, and the plan of its stack is empty.
    AdoptedStays,
    /// No container is that of two stacks.
    OneOwner,
    /// No port of a host is given away twice.
    PortsHeldOnce,
    /// With the order start-first the old one runs until its successor does.
    RunsOn,
    /// A way back ends in the revision before, or says what it could not do.
    RollbackArrives,
    /// What moves away from a host runs there until it runs elsewhere.
    ServesMeanwhile,
    /// What should run and does not is brought back, or its stack says that it was given up.
    DriftMended,
    /// What ends again and again is not brought back for ever.
    RepairsBounded,
    /// A log that is read without a break has every line, once, in order.
    LogsWhole,
    /// Whoever reads a log or has a command run is told its end, and nothing goes on for those who have gone.
    StreamsEnd,
    /// Events have numbers without a gap.
    EventsGapless,
    /// What was acknowledged is there.
    AcknowledgedSurvives,
    /// What is over goes when its time has come, and nothing else does.
    OnlyOverGoes,
    /// When nothing goes wrong any more, everything comes to rest in time.
    Converges,
}

impl Promise {
    /// Every promise.
    pub const ALL: [Self; 24] = [
        Self::OneEffect,
        Self::OneLease,
        Self::EndsAreFinal,
        Self::OrderKept,
        Self::AttemptsBounded,
        Self::NothingWaitsForEver,
        Self::StatusIsFold,
        Self::NothingLeft,
        Self::ForeignUntouched,
        Self::AdoptedAsItRuns,
        Self::AdoptedStays,
        Self::OneOwner,
        Self::PortsHeldOnce,
        Self::RunsOn,
        Self::RollbackArrives,
        Self::ServesMeanwhile,
        Self::DriftMended,
        Self::RepairsBounded,
        Self::LogsWhole,
        Self::StreamsEnd,
        Self::EventsGapless,
        Self::AcknowledgedSurvives,
        Self::OnlyOverGoes,
        Self::Converges,
    ];
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneEffect => "an attempt takes effect once",
            Self::OneLease => "one attempt at a task at a time",
            Self::EndsAreFinal => "what has ended stays as it ended",
            Self::OrderKept => "a task begins after those it waits for",
            Self::AttemptsBounded => "attempts are bounded",
            Self::NothingWaitsForEver => "nothing waits for ever or without a reason",
            Self::StatusIsFold => "a stack's status is what its tasks say",
            Self::NothingLeft => "of a removed stack nothing is left",
            Self::ForeignUntouched => "what is not ours is not touched",
            Self::AdoptedAsItRuns => "what is adopted runs on as it is",
            Self::AdoptedStays => "what was adopted stays adopted",
            Self::OneOwner => "a container is of one stack",
            Self::PortsHeldOnce => "a port is held once",
            Self::RunsOn => "what is to start first runs before the old one ends",
            Self::RollbackArrives => "a rollback ends in the previous revision or says why not",
            Self::ServesMeanwhile => "what moves runs there until it runs elsewhere",
            Self::DriftMended => "what should run is brought back, or given up in words",
            Self::RepairsBounded => "repairs are bounded",
            Self::LogsWhole => "a log has every line once",
            Self::StreamsEnd => "what is read or run ends for both sides",
            Self::EventsGapless => "events are gapless",
            Self::AcknowledgedSurvives => "what was acknowledged survives",
            Self::OnlyOverGoes => "what is over goes in time, and nothing else",
            Self::Converges => "everything comes to rest in time",
        })
    }
}

/// A promise that was broken, and how it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which.
    pub promise: Promise,
    /// How it shows.
    pub detail: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken promise: {}: {}", self.promise, self.detail)
    }
}
