//! The server: the ledger, loaded with what is known, asked once, and read again.

use crate::{
    guard::Guard,
    model::Protocol,
    world::{Grant, LEASE, Row, Server, at, host, id},
};
use graphium_core::{
    action::Action,
    id::ClaimId,
    store::{ClaimRequest, Session, SessionRequest, StoreError, ledger::Ledger},
    task::{Input, Outcome, Task, TaskError, TaskResult, TaskStatus},
};

impl Protocol {
    pub(crate) fn fresh(&self) -> Task {
        let payload = Action::Start { name: "web".to_owned() };
        Task {
            max_retries: self.scope.retries,
            lost_count: self.scope.losses,
            ..Task::new(id(), host(), payload, at(0))
        }
    }

    fn ledger(&self, server: &Server, now: u8) -> Ledger {
        let mut ledger = Ledger::default();
        if let Some((epoch, run)) = server.session {
            ledger.load_session(Session { host: host(), epoch, nonce: run.to_string() });
        }
        ledger.load(vec![server.row.task(&self.fresh())], at(now));
        ledger
    }

    /// Opens a session; the answer is its epoch.
    pub(crate) fn open(&self, server: &mut Server, run: u8, now: u8) -> u64 {
        let mut ledger = self.ledger(server, now);
        let request = SessionRequest { host: host(), nonce: run.to_string(), seen_epoch: 0 };
        let session = ledger.open_session(&request, at(now)).reply;
        server.session = Some((session.epoch, run));
        if !self.lacks(Guard::ANewerSessionEndsOlderLeases) {
            self.read(&ledger, server);
        }
        session.epoch
    }

    /// Claims; the answer is what was granted, `None` where the claim is refused.
    pub(crate) fn claim(&self, server: &mut Server, epoch: u64, claim: u8, now: u8) -> Option<Option<Grant>> {
        let mut seen = server.clone();
        if self.lacks(Guard::OnlyWhatWaitsIsClaimed) {
            seen.row = Row { status: TaskStatus::Pending, lease: None, not_before: None, ..seen.row };
        }
        if self.lacks(Guard::AnOlderSessionClaimsNothing) {
            seen.session = seen.session.map(|(_, run)| (epoch, run));
        }
        let mut ledger = self.ledger(&seen, now);
        let (claim, expires_at) = (ClaimId::new(claim.to_string()), at(now + LEASE));
        let request = ClaimRequest { host: host(), epoch, claim, max: 1, expires_at, expect: None };
        match ledger.claim(&request, at(now)) {
            Ok(decision) => {
                let granted = decision.reply.first().and_then(|task| task.lease.as_ref()).map(Grant::of);
                if granted.is_some() {
                    self.read(&ledger, server);
                }
                Some(granted)
            }
            Err(StoreError::SessionLost { .. }) => None,
            Err(other) => panic!("{other}"),
        }
    }

    /// Renews; the answer is whether the lease is still held.
    pub(crate) fn renew(&self, server: &mut Server, grant: Grant, now: u8) -> bool {
        let grant = if self.lacks(Guard::AStaleRenewalIsRefused) { server.row.grant().unwrap_or(grant) } else { grant };
        let mut ledger = self.ledger(server, now);
        let held = !ledger.renew(&[grant.lease(at(now))], at(now + LEASE)).is_empty();
        self.read(&ledger, server);
        held
    }

    pub(crate) fn report(&self, server: &mut Server, grant: Grant, completed: bool, now: u8) -> bool {
        let grant = if self.lacks(Guard::AStaleReportIsRefused) { server.row.grant().unwrap_or(grant) } else { grant };
        let outcome = if completed {
            Outcome::Completed(TaskResult { success: true, ..TaskResult::default() })
        } else {
            let (code, message) = ("busy".to_owned(), String::new());
            Outcome::Failed(TaskError { code, message, help: None, log: Vec::new(), retryable: true })
        };
        self.act(server, &Input::Report { lease: grant.lease(at(now)), outcome }, now)
    }

    pub(crate) fn cancel(&self, server: &mut Server, now: u8) -> bool {
        self.act(server, &Input::Cancel { reason: "enough".to_owned() }, now)
    }

    fn act(&self, server: &mut Server, input: &Input, now: u8) -> bool {
        let mut seen = self.spoilt(server);
        if self.lacks(Guard::AnEndIsFinal) && seen.row.status.is_terminal() {
            seen.row.status = TaskStatus::Pending;
        }
        let mut ledger = self.ledger(&seen, now);
        let done = ledger.act(&id(), input, at(now)).is_ok();
        if done {
            self.read(&ledger, server);
        }
        done
    }

    pub(crate) fn expire(&self, server: &mut Server, now: u8) {
        let mut seen = self.spoilt(server);
        if self.lacks(Guard::NothingExpiresEarly) {
            seen.row.lease = seen.row.lease.map(|(grant, _)| (grant, at(now)));
        }
        let mut ledger = self.ledger(&seen, now);
        if !ledger.expire(at(now)).reply.tasks.is_empty() {
            self.read(&ledger, server);
        }
    }

    /// What a server reads from its disk when it starts.
    pub(crate) fn restart(&self, disk: &Server, now: u8) -> Server {
        let mut server = disk.clone();
        if !self.lacks(Guard::LeasesGetTheirTimeAnew) {
            let mut ledger = self.ledger(disk, now);
            ledger.grant_grace(at(now + LEASE));
            self.read(&ledger, &mut server);
        }
        server
    }

    /// What a server without some guard makes of the task before an attempt of it ends.
    fn spoilt(&self, server: &Server) -> Server {
        let mut seen = server.clone();
        seen.row.cancel &= !self.lacks(Guard::WhatIsToEndIsNotTriedAgain);
        if self.lacks(Guard::RetriesAreCounted) {
            seen.row.retries = 0;
        }
        if self.lacks(Guard::LossesAreCounted) {
            seen.row.losses = 0;
        }
        seen
    }

    fn read(&self, ledger: &Ledger, server: &mut Server) {
        server.row = Row::of(ledger.task(&id()).expect("the ledger holds the task"));
    }
}
