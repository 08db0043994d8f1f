//! What was told of a host, and whether the server still has it: then it is not told again.
//!
//! A server says after a report that it is in force, and with each answer to a claim which one is. So an agent that is told of the same
//! one need not say the same, and no connection is opened for it beside that of the claim. An older server says nothing of it and is told
//! everything each time.
//!
//! Reports and claims share a connection where neither is in a hurry: after its session an agent tells of its host first and claims
//! then, and what is told for the sake of completeness is told between two claims. So a server has a thousand connections of a thousand
//! agents, and not two thousand, also when they all come at once.

use crate::protocol;
use graphium_core::{agent::HostReport, inventory::Holding};
use reqwest::header::HeaderMap;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Mutex as Line, OwnedMutexGuard},
    time::timeout,
};

/// For how long a claim waits for a report: a host that is slow to be looked at gets its work all the same.
const FIRST: Duration = Duration::from_secs(1);

/// For how long a report that is in no hurry waits for the end of a claim: longer than most of them take that bring nothing.
const LATER: Duration = Duration::from_secs(7);

/// The last report, and the one in force.
#[derive(Debug, Default)]
pub(super) struct Reports {
    state: Mutex<State>,
    /// Whose turn it is on the connection: whoever waits gets it in the order in which they came.
    line: Arc<Line<()>>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<(Content, String)>,
    /// By the last answer to a claim.
    in_force: Option<String>,
    /// The turn of the first report of a session.
    first: Option<Turn>,
}

/// A turn on the connection, until it is dropped.
pub(super) type Turn = OwnedMutexGuard<()>;

/// What a report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Content {
    /// But for what the next report of the same says otherwise.
    state: Digest,
    /// What the host holds beside containers, where the report says so: it does rarely.
    holdings: Option<Digest>,
}

type Digest = [u8; 32];

/// What is to be done about a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// The server has it.
    Not,
    /// The server has it, but everything is told now and then.
    Later(Content),
    /// It is news.
    Now(Content),
}

impl Content {
    fn of(report: &HostReport) -> Self {
        let holdings = report.holdings.as_deref().map(digest::<[Holding]>);
        let state = digest(&HostReport { taken_ago_ms: 0, holdings: None, ..report.clone() });
        Self { state, holdings }
    }

    /// Whether the other says all of this.
    fn is_said_by(&self, other: &Self) -> bool {
        self.state == other.state && self.holdings.is_none_or(|holdings| other.holdings == Some(holdings))
    }
}

fn digest<T: Serialize + ?Sized>(told: &T) -> Digest {
    // What does not serialise is not sent either.
    Sha256::digest(serde_json::to_vec(told).unwrap_or_default()).into()
}

impl Reports {
    /// What is to be done about a report. What the host holds beside containers is told rarely, and each time, and so is all else with
    /// it.
    pub(super) fn look(&self, report: &HostReport) -> Telling {
        let content = Content::of(report);
        let is_usual = report.containers.is_some() && report.holdings.is_none();
        let state = self.state();
        let is_in_force =
            |(last, number): &(Content, String)| content.is_said_by(last) && state.in_force.as_ref() == Some(number);
        match (state.last.as_ref().is_some_and(is_in_force), is_usual) {
            (true, true) => Telling::Not,
            (true, false) => Telling::Later(content),
            (false, _) => Telling::Now(content),
        }
    }

    /// A report was taken.
    pub(super) fn taken(&self, content: Content, answer: &HeaderMap) {
        let mut state = self.state();
        let holdings = content.holdings.or(state.last.as_ref().and_then(|(last, _)| last.holdings));
        state.last = number(answer).map(|number| (Content { holdings, ..content }, number));
    }

    /// A claim was answered, or failed.
    pub(super) fn claimed(&self, answer: Option<&HeaderMap>) {
        self.state().in_force = answer.and_then(number);
    }

    /// The turn of a claim: after the report that waits for its own, unless that takes long.
    pub(super) async fn turn_of_claim(&self) -> Option<Turn> {
        let turn = timeout(FIRST, Arc::clone(&self.line).lock_owned()).await.ok();
        if turn.is_none() {
            // The next one is not kept waiting for the same.
            self.state().first = None;
        }
        turn
    }

    /// The turn of a report that is in no hurry, between two claims.
    pub(super) async fn turn_of_report(&self) -> Option<Turn> {
        timeout(LATER, Arc::clone(&self.line).lock_owned()).await.ok()
    }

    /// A report was tried, and has an answer or none.
    pub(super) fn tried(&self) {
        self.state().first = None;
    }

    /// Another session begins: its first turn is that of a report.
    pub(super) fn forget(&self) {
        let first = Arc::clone(&self.line).try_lock_owned().ok();
        let mut state = self.state();
        // One that was kept for an earlier session serves this one.
        let first = first.or_else(|| state.first.take());
        *state = State { first, ..State::default() };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number(answer: &HeaderMap) -> Option<String> {
    answer.get(protocol::REPORT)?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tokio::time::{Instant, sleep};

    fn report(engine_error: Option<&str>) -> HostReport {
        let mut report = json!({"host": "vm1", "epoch": 1, "agentVersion": "1", "takenAgoMs": 5, "containers": []});
        if let Some(error) = engine_error {
            report["engineError"] = error.into();
        }
        serde_json::from_value(report).unwrap()
    }

    fn answer(number: &str) -> HeaderMap {
        HeaderMap::from_iter([(protocol::REPORT.parse().unwrap(), number.parse().unwrap())])
    }

    fn tell(reports: &Reports, report: &HostReport, number: &str) {
        let (Telling::Now(content) | Telling::Later(content)) = reports.look(report) else {
            panic!("it is not told: {report:?}")
        };
        reports.taken(content, &answer(number));
    }

    fn is_news(reports: &Reports, report: &HostReport) -> bool {
        matches!(reports.look(report), Telling::Now(_))
    }

    #[test]
    fn the_same_is_told_again_only_where_the_server_has_it_no_longer() {
        let (reports, same) = (Reports::default(), report(None));
        tell(&reports, &same, "a-1");
        assert!(is_news(&reports, &same), "no claim has said that it is in force");
        reports.claimed(Some(&answer("a-1")));
        assert_eq!(reports.look(&same), Telling::Not);
        assert_eq!(reports.look(&HostReport { taken_ago_ms: 70, ..same.clone() }), Telling::Not, "a look took longer");
        assert!(is_news(&reports, &report(Some("it hangs"))), "it is another one");
        reports.claimed(Some(&answer("a-2")));
        assert!(is_news(&reports, &same), "another report is in force");
        reports.claimed(Some(&answer("a-1")));
        assert_eq!(reports.look(&same), Telling::Not);
        reports.claimed(None);
        assert!(is_news(&reports, &same), "nobody knows what is in force");
    }

    #[test]
    fn everything_is_told_with_what_a_host_holds_and_in_another_session() {
        let (reports, same) = (Reports::default(), report(None));
        tell(&reports, &same, "a-1");
        reports.claimed(Some(&answer("a-1")));
        let held = HostReport { holdings: Some(Vec::new()), ..same.clone() };
        assert!(is_news(&reports, &held), "nothing was said of that before");
        tell(&reports, &held, "a-2");
        reports.claimed(Some(&answer("a-2")));
        assert_eq!(reports.look(&same), Telling::Not);
        assert!(matches!(reports.look(&held), Telling::Later(_)), "the same is in no hurry");
        reports.claimed(None);
        tell(&reports, &same, "a-3");
        reports.claimed(Some(&answer("a-3")));
        assert!(matches!(reports.look(&held), Telling::Later(_)), "that it holds was said with an earlier one");
        let volume = json!([{"kind": "volume", "name": "shop-data"}]);
        let other = HostReport { holdings: Some(serde_json::from_value(volume).unwrap()), ..same.clone() };
        assert!(is_news(&reports, &other), "it holds something else");
        assert!(is_news(&reports, &HostReport { containers: None, ..same.clone() }));
        reports.forget();
        assert!(is_news(&reports, &same));
    }

    #[test]
    fn a_server_that_says_nothing_is_told_each_time() {
        let (reports, same) = (Reports::default(), report(None));
        for _ in 0..3 {
            let Telling::Now(content) = reports.look(&same) else { panic!("it is not told at once") };
            reports.taken(content, &HeaderMap::new());
            reports.claimed(Some(&HeaderMap::new()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_claim_follows_the_first_report_of_a_session_and_does_not_wait_long_for_it() {
        let (reports, begun) = (Reports::default(), Instant::now());
        assert!(reports.turn_of_claim().await.is_some(), "there was no session");
        assert_eq!(begun.elapsed(), Duration::ZERO);
        reports.forget();
        assert!(reports.turn_of_claim().await.is_none(), "the host is slow to be looked at");
        assert_eq!(begun.elapsed(), FIRST);
        assert!(reports.turn_of_claim().await.is_some(), "the next one does not wait for that again");
        assert_eq!(begun.elapsed(), FIRST);
        // Sessions follow each other without a report, and the turn is kept once.
        reports.forget();
        reports.forget();
        let report = async {
            sleep(FIRST / 2).await;
            reports.tried();
        };
        let (turn, ()) = tokio::join!(reports.turn_of_claim(), report);
        assert!(turn.is_some());
        assert_eq!(begun.elapsed(), FIRST + FIRST / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_report_in_no_hurry_comes_between_two_claims_or_beside_a_long_one() {
        let (reports, begun) = (Reports::default(), Instant::now());
        let claim = reports.turn_of_claim().await;
        let claims = async {
            sleep(LATER / 2).await;
            drop(claim);
            reports.turn_of_claim().await
        };
        let report = async {
            let turn = reports.turn_of_report().await;
            let waited = begun.elapsed();
            sleep(FIRST / 2).await;
            drop(turn);
            waited
        };
        let (claim, waited) = tokio::join!(claims, report);
        assert_eq!(waited, LATER / 2);
        assert!(claim.is_some());
        assert_eq!(begun.elapsed(), LATER / 2 + FIRST / 2, "the claim has followed the report");
        assert!(reports.turn_of_report().await.is_none(), "a claim that goes on and on");
        assert_eq!(begun.elapsed(), LATER / 2 + FIRST / 2 + LATER);
    }
}
