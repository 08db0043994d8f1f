//! The agent's mind: what came in and what time it is, to what is to be done.
//!
//! No call is made here and no clock is read. The [driver](super::Agent) performs the commands and
//! brings back what came of them.
//!
//! # Example
//! ```
//! use graphium_core::agent::{LinkError, SessionGrant, engine::*};
//! use graphium_core::store::Session;
//! use std::time::Duration;
//!
//! let now = Duration::from_secs(1000);
//! let rules = Rules { host: "vm1".into(), nonce: "nonce".to_owned(), seen_epoch: 2, concurrency: 4 };
//! let mut engine = Engine::new(rules, Vec::new());
//! let commands = engine.step(now, Input::Tick);
//! assert!(matches!(&commands[..], [Command::OpenSession(request)] if request.seen_epoch == 2));
//!
//! let session = Session { host: "vm1".into(), epoch: 3, nonce: "nonce".to_owned() };
//! let grant = SessionGrant { session, lease_seconds: 30, server_version: "1".to_owned(), contact_ms: None };
//! let commands = engine.step(now, Input::SessionOpened(grant));
//! assert!(commands.iter().any(|command| matches!(command, Command::Claim(claim) if claim.max >= 4)));
//! assert_eq!(engine.epoch(), Some(3));
//!
//! // Another agent serves the host: there is nothing to do here any more.
//! let lost = LinkError::SessionLost("session 4 is newer".to_owned());
//! let commands = engine.step(now, Input::LinkFailed(Call::Claim, lost));
//! assert!(commands.iter().any(|command| matches!(command, Command::Quit(Quit::Superseded(_)))), "{commands:?}");
//! ```

mod hands;
mod outbox;
mod pulse;
#[cfg(test)]
mod tests;
mod uplink;

use super::{
    link::{ClaimCall, Held, LinkError, RenewCall, SessionGrant},
    step::{Key, Phase, Step},
};
use crate::{
    id::{ClaimId, HostId},
    store::{Session, SessionRequest},
    task::{Lease, Outcome, Task},
};
use hands::{Hands, Parting};
use outbox::Outbox;
use pulse::Pulse;
use std::{sync::Arc, time::Duration};
use uplink::Uplink;

/// How long a claim waits for work at most. It waits for no more than half of the time for which a lease is used, for a grant counts from
/// when it was asked for; and for no longer than an agent may be silent, where claims show that it lives.
pub const CLAIM_WAIT: Duration = Duration::from_secs(30);

/// What an engine is told once.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The agent's host.
    pub host: HostId,
    /// Chosen at random for this run of the agent.
    pub nonce: String,
    /// The highest epoch of earlier runs.
    pub seen_epoch: u64,
    /// How many attempts may keep the container engine busy at once.
    pub concurrency: usize,
}

/// What can happen.
#[derive(Debug)]
pub enum Input {
    /// Time has passed.
    Tick,
    /// The control plane knows the agent.
    SessionOpened(SessionGrant),
    /// The answer to a claim.
    Granted(Vec<Task>),
    /// The answer to a renewal.
    Renewed(Vec<Held>),
    /// A report was taken, and need not be repeated.
    Acknowledged(Key),
    /// A call to the control plane failed.
    LinkFailed(Call, LinkError),
    /// An attempt does something else now.
    Stepped(Key, Step),
    /// An attempt has ended.
    Ended(Key, Box<Outcome>),
    /// The agent is to end: nothing new is begun.
    Closing,
}

/// Which call to the control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Opening the session.
    Session,
    /// Asking for work.
    Claim,
    /// Renewing leases.
    Renew,
    /// Reporting an attempt.
    Report(Key),
    /// Telling what runs on the host.
    Observe,
}

/// What is to be done. Commands are performed in order; each call is answered by an [`Input`] in the end.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Introduce the agent.
    OpenSession(SessionRequest),
    /// Ask for work.
    Claim(ClaimCall),
    /// Renew leases.
    Renew(RenewCall),
    /// Tell how an attempt ended.
    Report(Key, Arc<(Lease, Outcome)>),
    /// Begin an attempt.
    Start(Key, Arc<Task>),
    /// End an attempt at once: it has no right to go on. It will not be heard of again.
    Stop(Key),
    /// End an attempt when what it asks of the engine now is done; it will not be heard of again.
    CutOff(Key),
    /// Stop altogether. No command follows.
    Quit(Quit),
}

/// Why the agent cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quit {
    /// A newer agent serves the host.
    Superseded(String),
    /// The token does not allow it.
    Denied(String),
    /// The control plane does not understand the agent.
    Rejected(String),
}

/// The state of an agent.
#[derive(Debug)]
pub struct Engine {
    rules: Rules,
    session: Option<Opened>,
    opening: bool,
    claim: Claim,
    hands: Hands,
    outbox: Outbox,
    pulse: Pulse,
    uplink: Uplink,
    closing: bool,
    quit: Option<Quit>,
    /// When it was decided last what is to be done.
    decided: Duration,
}

/// The session, with its rules.
#[derive(Debug)]
struct Opened {
    session: Session,
    lease: Duration,
    /// How often an agent that holds no lease is to be heard, where its claims count.
    contact: Option<Duration>,
}

/// The claim that is under way. It keeps its id over errors, so that what was granted is not lost with the answer.
#[derive(Debug, Default)]
struct Claim {
    number: u64,
    /// When it left, while it is on its way.
    asked: Option<Duration>,
}

impl Engine {
    /// A new engine with the reports that an earlier run left.
    pub fn new(rules: Rules, unsent: Vec<(Lease, Outcome)>) -> Self {
        Self {
            hands: Hands::new(rules.concurrency),
            uplink: Uplink::new(&rules.nonce),
            outbox: Outbox::new(unsent),
            rules,
            session: None,
            opening: false,
            claim: Claim::default(),
            pulse: Pulse::default(),
            closing: false,
            quit: None,
            decided: Duration::ZERO,
        }
    }

    /// Takes in what happened and says what is to be done.
    pub fn step(&mut self, now: Duration, input: Input) -> Vec<Command> {
        let mut commands = Vec::new();
        self.decided = now;
        if self.quit.is_none() {
            self.take(now, input, &mut commands);
        }
        match self.quit.clone() {
            None => {
                if self.session.is_none() {
                    commands.extend(self.hands.drop_all().map(Command::Stop));
                }
                self.decide(now, &mut commands);
            }
            Some(quit) => {
                commands.extend(self.hands.drop_all().map(Command::Stop));
                commands.push(Command::Quit(quit));
            }
        }
        commands
    }

    /// When [`Input::Tick`] is due, if nothing else happens before. It may be over already: what the last [`step`](Self::step) held back
    /// waits for it however late this is asked.
    pub fn wake_at(&self) -> Option<Duration> {
        let now = self.decided;
        let mut moments = vec![self.hands.next_change(now), self.uplink.closed_until(now)];
        if self.session.is_some() && self.uplink.is_open(now) {
            moments.push(self.pulse_due());
        }
        moments.into_iter().flatten().min()
    }

    /// Whether an agent that is to end has nothing more to do or to say.
    pub fn is_finished(&self) -> bool {
        self.closing && self.hands.is_idle() && self.outbox.is_empty()
    }

    /// Reports that were not acknowledged.
    pub fn unsent(&self) -> Vec<(Lease, Outcome)> {
        self.outbox.all()
    }

    /// The session's epoch, once there is one.
    pub fn epoch(&self) -> Option<u64> {
        self.session.as_ref().map(|opened| opened.session.epoch)
    }

    fn take(&mut self, now: Duration, input: Input, commands: &mut Vec<Command>) {
        match input {
            Input::Tick => {}
            Input::Closing => {
                self.closing = true;
                self.hands.drop_waiting();
            }
            Input::SessionOpened(grant) => {
                self.uplink.answered();
                self.opening = false;
                let (lease, contact) = (Duration::from_secs(grant.lease_seconds), grant.contact());
                self.session = Some(Opened { session: grant.session, lease, contact });
            }
            Input::Granted(tasks) => {
                self.uplink.answered();
                let Some(asked) = self.claim.asked else { return };
                // The store counts from a moment between the question and the answer: of these the first alone is safe.
                let valid_until = asked + self.usable_lease();
                self.claim = Claim { number: self.claim.number + 1, asked: None };
                for task in tasks {
                    if self.is_for_us(&task) {
                        let older = self.hands.admit(task, now, valid_until);
                        commands.extend(older.map(Command::Stop));
                    }
                }
            }
            Input::Renewed(held) => {
                self.uplink.answered();
                if let Some(sent) = self.pulse.answered() {
                    let valid_until = sent.at + self.usable_lease();
                    let parted = self.hands.renewed(&sent.keys, &held, valid_until);
                    self.part(parted, commands);
                }
            }
            Input::Acknowledged(key) => {
                self.uplink.answered();
                self.outbox.forget(&key);
            }
            Input::Stepped(key, step) => self.hands.stepped(&key, &step, now),
            Input::Ended(key, outcome) => {
                for (lease, outcome) in self.hands.ended(&key, *outcome) {
                    self.outbox.add(lease, outcome);
                }
            }
            Input::LinkFailed(call, error) => self.link_failed(now, call, error),
        }
    }

    /// Whether a grant is to be taken: it is of this session, it is not done already, and the agent goes on.
    fn is_for_us(&self, task: &Task) -> bool {
        let is_new = |lease: &Lease| Some(lease.epoch) == self.epoch() && !self.outbox.holds(&Key::of(lease));
        !self.closing && task.lease.as_ref().is_some_and(is_new)
    }

    fn link_failed(&mut self, now: Duration, call: Call, error: LinkError) {
        match &call {
            Call::Session => self.opening = false,
            Call::Claim => self.claim.asked = None,
            Call::Renew => {
                self.pulse.failed();
                self.hands.tell_again();
            }
            Call::Observe => {}
            Call::Report(key) => self.outbox.failed(key),
        }
        match (call, error) {
            // Of an earlier run's session that is no news.
            (Call::Report(key), LinkError::SessionLost(_)) if self.session.is_none() => self.outbox.forget(&key),
            (_, LinkError::SessionLost(reason)) => self.quit = Some(Quit::Superseded(reason)),
            // What it held went with the session. The next one is above it, wherever the control plane now stands.
            (_, LinkError::SessionUnknown(_)) => {
                if let Some(Opened { session, .. }) = self.session.take() {
                    self.rules.seen_epoch = self.rules.seen_epoch.max(session.epoch);
                }
            }
            (_, LinkError::Denied(reason)) => self.quit = Some(Quit::Denied(reason)),
            (Call::Session, LinkError::Rejected(reason) | LinkError::LeaseLost(reason)) => {
                self.quit = Some(Quit::Rejected(reason));
            }
            // The attempt was given to another, or its report cannot be understood: repeating it changes nothing.
            (Call::Report(key), LinkError::LeaseLost(_) | LinkError::Rejected(_)) => {
                self.uplink.answered();
                self.outbox.forget(&key);
            }
            _ => self.uplink.failed(now),
        }
    }

    /// Everything that is due. The order matters: what has lost its right stops before anything else begins.
    fn decide(&mut self, now: Duration, commands: &mut Vec<Command>) {
        let parted = self.hands.overdue(now);
        self.part(parted, commands);
        commands.extend(self.hands.begin(now).map(|(key, task)| Command::Start(key, task)));
        if self.uplink.is_open(now) {
            self.call(now, commands);
        }
    }

    fn call(&mut self, now: Duration, commands: &mut Vec<Command>) {
        commands.extend(self.outbox.departing().map(|(key, report)| Command::Report(key, report)));
        let Some(Opened { session, contact, .. }) = &self.session else {
            // A new session ends the leases of the one before, so what was done under them is told first.
            if !self.opening && !self.closing && self.outbox.is_empty() {
                self.opening = true;
                commands.push(Command::OpenSession(SessionRequest {
                    host: self.rules.host.clone(),
                    nonce: self.rules.nonce.clone(),
                    seen_epoch: self.rules.seen_epoch,
                }));
            }
            return;
        };
        let (host, epoch, contact) = (&self.rules.host, session.epoch, *contact);
        self.pulse.hear(self.hands.has_news());
        if self.pulse_due().is_some_and(|moment| moment <= now) {
            let leases = self.hands.renewals();
            self.pulse.sent(now, leases.iter().map(|renewal| Key::of(&renewal.lease)).collect());
            commands.push(Command::Renew(RenewCall { host: host.clone(), epoch, leases }));
        }
        let max = self.hands.room();
        if max > 0 && self.claim.asked.is_none() && !self.closing {
            let claim = ClaimId::new(format!("{}.{}", self.rules.nonce, self.claim.number));
            // What is granted when the wait is over has time left to be begun and renewed.
            let wait = CLAIM_WAIT.min(self.usable_lease() / 2).min(contact.unwrap_or(CLAIM_WAIT));
            commands.push(Command::Claim(ClaimCall { host: host.clone(), epoch, claim, max, wait }));
            self.claim.asked = Some(now);
        }
    }

    fn part(&mut self, parted: Vec<Parting>, commands: &mut Vec<Command>) {
        for Parting { key, was_running, report } in parted {
            if was_running {
                commands.push(if report.is_some() { Command::CutOff(key) } else { Command::Stop(key) });
            }
            if let Some((lease, outcome)) = report {
                self.outbox.add(lease, outcome);
            }
        }
    }

    /// When the next renewal is due. An agent that holds nothing is heard by its claims, where these count.
    fn pulse_due(&self) -> Option<Duration> {
        let is_idle = self.hands.is_idle();
        let claims_count = self.session.as_ref().is_some_and(|opened| opened.contact.is_some()) && !self.closing;
        if is_idle && claims_count { None } else { self.pulse.due(is_idle) }
    }

    /// The part of a lease that is used: the rest is for clocks and wires.
    fn usable_lease(&self) -> Duration {
        self.session.as_ref().map_or(Duration::ZERO, |opened| opened.lease * 4 / 5)
    }
}

impl Key {
    fn of(lease: &Lease) -> Self {
        Self { task: lease.task.clone(), attempt: lease.attempt }
    }
}

impl Phase {
    /// The longest time for which an attempt keeps its slot in one phase: past it, it waits for something rather than works.
    const PATIENCE: Duration = Duration::from_secs(2);
}
