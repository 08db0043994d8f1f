//! What keeps the protocol right, and what breaks without it.

use crate::model::{self, Scope};

macro_rules! guards {
    ($($(#[$doc:meta])* $name:ident: $scope:ident, $property:ident;)*) => {
        /// One thing that keeps the protocol right.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Guard {
            $($(#[$doc])* $name,)*
        }

        /// Each guard, and which property breaks without it, within which scope.
        pub(crate) const TABLE: &[(Guard, Scope, &str)] = &[$((Guard::$name, Scope::$scope, model::$property)),*];
    };
}

guards! {
    /// The state machine: what is held, or has ended, is not claimed.
    OnlyWhatWaitsIsClaimed: RUN, ONE_ACTS;
    /// The state machine: a report counts with the present lease alone.
    AStaleReportIsRefused: RUN, ONE_ACTS;
    /// The state machine: so does a renewal.
    AStaleRenewalIsRefused: RUN, LEASES_LAST;
    /// The state machine: a lease that has time left does not run out.
    NothingExpiresEarly: RUN, ONE_ACTS;
    /// The state machine: what has ended takes no orders.
    AnEndIsFinal: RUN, ENDS_STAY;
    /// The state machine: what was asked to end is not tried again.
    WhatIsToEndIsNotTriedAgain: RUN, WISHES_COUNT;
    /// The state machine: retries are counted.
    RetriesAreCounted: BOUNDS, ATTEMPTS_END;
    /// The state machine: so are agents that were lost.
    LossesAreCounted: BOUNDS, ATTEMPTS_END;
    /// The ledger: claims of an older session are refused.
    AnOlderSessionClaimsNothing: RUNS, NEWEST_HOLDS;
    /// The ledger: a newer session ends the leases of the older.
    ANewerSessionEndsOlderLeases: RUNS, NEWEST_HOLDS;
    /// The store: a grant is stored before it leaves.
    GrantsAreStoredFirst: RUN, ONE_ACTS;
    /// The store: so is an epoch.
    EpochsAreStoredFirst: RUNS, EPOCHS_DIFFER;
    /// The store: after a restart leases get their time anew, for renewals are not stored.
    LeasesGetTheirTimeAnew: RUN, ONE_ACTS;
    /// The agent: it stops by its own clock.
    AnAgentStopsWhenItsTimeIsUp: RUN, ONE_ACTS;
    /// The agent: its time begins when it asks, not when the answer arrives.
    AnAgentCountsFromWhenItAsked: RUN, ONE_ACTS;
    /// The agent: it takes an answer to the question that it has open, and once.
    AnAnswerIsTakenOnce: RUN, ONE_ACTS;
    /// The host: the next agent begins when the one before has ended (a lock on its directory).
    OneAgentAtATime: RUNS, ONE_ACTS;
    /// The world, which is assumed: what a process has asked before it ended does not arrive after its successor's question.
    AnOpeningDiesWithItsProcess: RUNS, ONE_ACTS;
}
