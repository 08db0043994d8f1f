//! What was told of a host, and whether the server still has it: then it is not told again.
//!
//! A server says after a report that it is in force, and with each answer to a claim which one is. So an agent that is told of the same
//! one need not say the same, and no connection is opened for it beside that of the claim. An older server says nothing of it and is told
//! everything each time.

use crate::protocol;
use graphium_core::agent::HostReport;
use reqwest::header::HeaderMap;
use sha2::{Digest as _, Sha256};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The last report, and the one in force.
#[derive(Debug, Default)]
pub(super) struct Reports(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<(Content, String)>,
    /// By the last answer to a claim.
    in_force: Option<String>,
}

/// What a report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Content([u8; 32]);

impl Content {
    /// But for what the next report of the same says otherwise.
    fn of(report: &HostReport) -> Self {
        let report = HostReport { taken_ago_ms: 0, holdings: None, ..report.clone() };
        // What does not serialise is not sent either.
        Self(Sha256::digest(serde_json::to_vec(&report).unwrap_or_default()).into())
    }
}

impl Reports {
    /// What a report says; `None`: it need not be sent. What the host holds beside containers is told rarely, and each time, and so is
    /// all else with it.
    pub(super) fn look(&self, report: &HostReport) -> Option<Content> {
        let content = Content::of(report);
        let is_usual = report.containers.is_some() && report.holdings.is_none();
        let state = self.state();
        let is_in_force =
            |(last, number): &(Content, String)| *last == content && state.in_force.as_ref() == Some(number);
        (!is_usual || !state.last.as_ref().is_some_and(is_in_force)).then_some(content)
    }

    /// A report was taken.
    pub(super) fn taken(&self, content: Content, answer: &HeaderMap) {
        self.state().last = number(answer).map(|number| (content, number));
    }

    /// A claim was answered, or failed.
    pub(super) fn claimed(&self, answer: Option<&HeaderMap>) {
        self.state().in_force = answer.and_then(number);
    }

    /// Another session begins.
    pub(super) fn forget(&self) {
        *self.state() = State::default();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number(answer: &HeaderMap) -> Option<String> {
    answer.get(protocol::REPORT)?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
        let content = reports.look(report).expect("it is not told");
        reports.taken(content, &answer(number));
    }

    #[test]
    fn the_same_is_told_again_only_where_the_server_has_it_no_longer() {
        let (reports, same) = (Reports::default(), report(None));
        tell(&reports, &same, "a-1");
        assert!(reports.look(&same).is_some(), "no claim has said that it is in force");
        reports.claimed(Some(&answer("a-1")));
        assert_eq!(reports.look(&same), None);
        assert_eq!(reports.look(&HostReport { taken_ago_ms: 70, ..same.clone() }), None, "a look took longer");
        assert!(reports.look(&report(Some("it hangs"))).is_some(), "it is another one");
        reports.claimed(Some(&answer("a-2")));
        assert!(reports.look(&same).is_some(), "another report is in force");
        reports.claimed(Some(&answer("a-1")));
        assert_eq!(reports.look(&same), None);
        reports.claimed(None);
        assert!(reports.look(&same).is_some(), "nobody knows what is in force");
    }

    #[test]
    fn everything_is_told_with_what_a_host_holds_and_in_another_session() {
        let (reports, same) = (Reports::default(), report(None));
        tell(&reports, &same, "a-1");
        reports.claimed(Some(&answer("a-1")));
        let held = HostReport { holdings: Some(Vec::new()), ..same.clone() };
        tell(&reports, &held, "a-2");
        reports.claimed(Some(&answer("a-2")));
        assert_eq!(reports.look(&same), None);
        assert!(reports.look(&HostReport { containers: None, ..same.clone() }).is_some());
        reports.forget();
        assert!(reports.look(&same).is_some());
    }

    #[test]
    fn a_server_that_says_nothing_is_told_each_time() {
        let (reports, same) = (Reports::default(), report(None));
        for _ in 0..3 {
            let content = reports.look(&same).unwrap();
            reports.taken(content, &HeaderMap::new());
            reports.claimed(Some(&HeaderMap::new()));
        }
    }
}
