//! Planted defects, each of which must be found within a thousand seeds, for what it breaks.

use graphium_core::sim::{Bug, Failure, Promise, Setup, simulate};

/// As many seeds as a defect may take.
const SEEDS: u64 = 1000;

fn find(bug: Bug) -> Failure {
    let setup = Setup { bug: Some(bug), ..Setup::default() };
    let found = (1..=SEEDS).find_map(|seed| simulate(seed, &setup).err());
    *found.unwrap_or_else(|| panic!("{bug:?} was not found in {SEEDS} seeds"))
}

macro_rules! found {
    ($($name:ident: $bug:ident breaks $($promise:ident)|+;)+) => {$(
        #[test]
        fn $name() {
            let failure = find(Bug::$bug);
            println!("seed {}: {}", failure.seed, failure.breach);
            assert!(matches!(failure.breach.promise, $(Promise::$promise)|+), "seed {}: {}", failure.seed, failure.breach);
            let text = failure.to_string();
            assert!(text.ends_with(&format!("seed {}: {}", failure.seed, failure.breach)), "the seed comes last");
            assert!(failure.trace.lines().count() > 10, "{}", failure.trace);
        }
    )+

        #[test]
        fn every_planted_defect_is_looked_for() {
            let sought = [$(Bug::$bug),+];
            assert!(sought.len() >= 12);
            assert!(Bug::ALL.iter().all(|bug| sought.contains(bug)));
        }
    };
}

found! {
    a_store_that_forgets_what_it_has_acknowledged: SubmissionForgotten breaks AcknowledgedSurvives;
    a_store_that_hands_out_what_still_waits: GateOpen breaks OrderKept;
    a_store_that_lets_tasks_be_tried_for_ever: RetriesUnbounded breaks AttemptsBounded;
    a_reader_of_events_that_misses_one: EventSkipped breaks EventsGapless;
    a_planner_that_does_not_see_the_hosts: OthersUnseen breaks NothingLeft | PortsHeldOnce | Converges | RollbackArrives;
    an_agent_that_acts_when_its_lease_is_over: EndlessLease breaks OneLease | OneEffect;
    an_agent_that_does_not_report: ReportDropped breaks AcknowledgedSurvives | Converges;
    a_network_that_stays: NetworkLeft breaks NothingLeft;
    an_engine_that_takes_what_is_not_ours: ForeignTaken breaks ForeignUntouched;
    an_agent_that_takes_silence_for_absence: SilenceIsAbsence breaks NothingLeft | Converges | OneEffect;
    a_store_that_opens_what_has_ended: EndReopened breaks EndsAreFinal;
    a_store_that_takes_any_report: StaleReportTaken breaks OneEffect | OneLease | EndsAreFinal;
    a_stack_that_is_said_to_run_too_early: StatusAhead breaks StatusIsFold;
    a_way_back_that_leads_nowhere: RollbackAstray breaks RollbackArrives;
    a_failure_that_does_not_go_back: PolicyForgotten breaks RollbackArrives;
    an_end_that_nobody_sees: EndsUnseen breaks DriftMended | RollbackArrives;
    a_container_that_is_brought_back_for_ever: RepairsUncounted breaks RepairsBounded | Converges;
    an_order_that_is_forgotten: OrderForgotten breaks RunsOn;
    a_host_that_is_not_fenced: FenceSkipped breaks NothingLeft;
    an_adoption_that_starts_anew: AdoptionRestarts breaks AdoptedAsItRuns;
    an_adoption_of_another: WrongOneAdopted breaks ForeignUntouched;
    an_agent_that_forgets_what_was_adopted: AdoptionForgotten breaks AdoptedStays | NothingLeft;
    a_line_that_is_lost: LineLost breaks LogsWhole;
    a_command_that_runs_on_for_nobody: GoneUntold breaks StreamsEnd;
    a_store_that_lets_go_of_what_is_present: LivePruned breaks OnlyOverGoes;
}
