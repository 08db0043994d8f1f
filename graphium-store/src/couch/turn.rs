//! Whose turn it is to write: one server at a time, by a document with a term, a nonce and an end.
//!
//! The turn keeps servers out of each other's way. That two of them never write one place of the log does not rest on it
//! alone: a place is a document, and of two who make one document at most one gets a 201. That what an earlier turn has sent
//! may arrive late is what terms are for.

use super::{
    answer::{CallError, Rev, Written},
    client::CouchClient,
    clock::Clock,
    dice::Dice,
    entry::Tip,
    lease::{CONFIRM, ID, Lease, leaves, leaves_and_tombstones, put_soon},
    log::{Log, no_quorum},
};
use graphium_core::store::StoreError;
use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};
use tokio::time::{Instant, sleep, timeout};

/// How long a turn lasts from the beginning of the write that took or renewed it.
const TERM: Duration = Duration::from_secs(5);

/// How much earlier its holder stops, and how much later others take it: clocks run at different speeds.
const MARGIN: Duration = Duration::from_secs(1);

/// Between two looks at a turn that is another's.
const LOOK: Duration = Duration::from_millis(12);

/// How often it is tried to give a turn back.
const ATTEMPTS: usize = 3;

/// How long it may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long others are let first after a turn while there are others.
const COURTESY: Duration = Duration::from_millis(25);

/// For how long another server counts as there since its last turn.
const COMPANY: Duration = Duration::from_secs(30);

/// How long a turn is kept without being used while nobody else is there.
const IDLE: Duration = Duration::from_millis(300);

/// The longest turn while there are others.
const LONGEST: Duration = Duration::from_millis(200);

/// Tombstones of the document that are taken away together: as many as are left at least, and at most at once. Whoever looks reads
/// them all.
const TOMBSTONES: (usize, usize) = (16, 100);

/// Between two times that they are.
const SWEEP: Duration = Duration::from_secs(5);

/// A turn, among all turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ballot {
    pub(super) term: u64,
    /// Tells it from another one that has, for a moment, the same term.
    pub(super) nonce: String,
}

#[derive(Debug)]
struct Held {
    rev: Rev,
    ballot: Ballot,
    since: Instant,
    until: Instant,
    /// The same end by the time of day: the other clock may stand still while the machine sleeps.
    until_time: SystemTime,
}

impl Held {
    fn is_valid(&self, time: SystemTime) -> bool {
        Instant::now() < self.until && time < self.until_time
    }
}

/// The turn, as one server sees it.
#[derive(Debug)]
pub(super) struct Turn {
    me: String,
    dice: Dice,
    clock: Clock,
    held: Option<Held>,
    /// Leaves of the document, and since when each has been there without changing.
    seen: HashMap<Rev, Instant>,
    company: Option<Instant>,
    given_back: Option<Instant>,
    /// Of our own last turn.
    last_term: u64,
    swept: Option<Instant>,
    tip: Option<Tip>,
    /// Nobody else may have stored anything behind that.
    is_tip_last: bool,
}

impl Turn {
    pub(super) fn new(me: String, dice: Dice, clock: Clock) -> Self {
        let seen = HashMap::new();
        Self {
            me,
            dice,
            clock,
            held: None,
            seen,
            company: None,
            given_back: None,
            last_term: 0,
            swept: None,
            tip: None,
            is_tip_last: false,
        }
    }

    /// The last entry that is known to be in force.
    pub(super) fn tip(&self) -> Option<&Tip> {
        self.tip.as_ref()
    }

    /// Whether nothing else was stored behind it: whoever had the turn before has given it back, and has named it then.
    pub(super) fn is_tip_last(&self) -> bool {
        self.is_tip_last
    }

    /// An entry of ours is in force, which was made in this turn next to what was taken for the last.
    pub(super) fn learn_last(&mut self, tip: Tip) {
        self.learn_tip(tip);
        self.is_tip_last = true;
    }

    /// An entry is in force.
    pub(super) fn learn_tip(&mut self, tip: Tip) {
        if self.tip.as_ref().is_none_or(|known| known.place < tip.place) {
            self.tip = Some(tip);
        }
    }

    /// Which it is, while it is ours for certain.
    pub(super) fn held(&self) -> Option<&Ballot> {
        self.held.as_ref().filter(|held| held.is_valid(self.clock.now())).map(|held| &held.ballot)
    }

    /// Somebody else wrote: whatever we thought, it is not ours.
    pub(super) fn is_lost(&mut self) {
        self.held = None;
    }

    /// For how long it may be kept without being used, while it is ours: not at all where others may be waiting.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.held()?;
        Some(if self.has_company() { Duration::ZERO } else { IDLE })
    }

    /// Whether it is to be given back although there is more to do: others may be waiting.
    pub(super) fn is_over(&self) -> bool {
        self.has_company() && self.held.as_ref().is_some_and(|held| held.since.elapsed() > LONGEST)
    }

    fn has_company(&self) -> bool {
        self.company.is_some_and(|seen| seen.elapsed() < COMPANY)
    }

    /// Takes the turn, or goes on with it, until `deadline` at the latest.
    pub(super) async fn take(&mut self, log: &Log, deadline: Instant) -> Result<(), StoreError> {
        if let Some(rest) = self.given_back.and_then(|at| COURTESY.checked_sub(at.elapsed()))
            && self.has_company()
        {
            sleep(rest).await;
        }
        // What another has written since is a conflict: our own revision is all that needs to be known. One that has run out
        // is taken anew: others may have had theirs since, on another branch.
        let time = self.clock.now();
        if let Some(held) = self.held.take().filter(|held| held.is_valid(time))
            && self.write(log, held.ballot, Some(&held.rev)).await?
        {
            return Ok(());
        }
        loop {
            if let Some((last, rev)) = self.look(&log.client).await? {
                let ballot = Ballot { term: last.max(log.term()) + 1, nonce: self.dice.name() };
                if self.write(log, ballot, rev.as_ref()).await? {
                    return Ok(());
                }
            }
            if Instant::now() >= deadline {
                let reason = "another server is writing and does not give its turn back";
                return Err(StoreError::Unavailable(reason.to_owned()));
            }
            sleep(LOOK.mul_f64(0.5 + self.dice.fraction())).await;
        }
    }

    /// Gives it back, as far as that works: if it does not, it runs out.
    pub(super) async fn give_back(&mut self, client: &CouchClient) {
        let held = self.held.take();
        // Whatever comes of it, the turn is over.
        let _ = timeout(FAREWELL, self.clear_name(client, held)).await;
        self.given_back = Some(Instant::now());
    }

    /// Takes our name off the turn, which has it in the given revision or in none that we know of.
    async fn clear_name(&self, client: &CouchClient, held: Option<Held>) {
        let mut ours: Vec<(Rev, u64)> = held.into_iter().map(|held| (held.rev, held.ballot.term)).collect();
        for _ in 0..ATTEMPTS {
            if ours.is_empty() {
                // Lost, or only an answer was: as long as the turn has our name it is still to be given back.
                let Ok(leaves) = leaves(client).await else { continue };
                let leaves = leaves.into_iter().filter(|(_, lease)| lease.holder == self.me);
                ours = leaves.map(|(rev, lease)| (rev, lease.term)).collect();
                if ours.is_empty() {
                    return;
                }
            }
            let mut is_cleared = true;
            for (rev, term) in std::mem::take(&mut ours) {
                is_cleared &= matches!(self.clear_leaf(client, &rev, term).await, Ok(Written::Quorum(_)));
            }
            if is_cleared {
                return;
            }
        }
    }

    async fn clear_leaf(&self, client: &CouchClient, rev: &Rev, term: u64) -> Result<Written, CallError> {
        // One who never came to know what goes last names nothing.
        let tip = self.tip.clone().filter(|_| self.is_tip_last);
        let lease = Lease { holder: String::new(), tip, ..self.lease(term, true) };
        client.put(ID, Some(rev), &lease).await
    }

    /// The last term and the revision to write upon, if the turn can be had. It can while nobody has any of its leaves: of two
    /// that were written at two sides of a split network, the one that CouchDB shows may be the one that nobody has.
    async fn look(&mut self, client: &CouchClient) -> Result<Option<(u64, Option<Rev>)>, StoreError> {
        let leaves = leaves(client).await?;
        self.see(&leaves);
        self.is_tip_last = self.is_last_known(&leaves);
        let Some(last) = leaves.iter().map(|(_, lease)| lease.term).max() else { return Ok(Some((0, None))) };
        let has_other = leaves.iter().any(|(_, lease)| !lease.holder.is_empty() && lease.holder != self.me);
        if has_other || (self.last_term != 0 && last > self.last_term) {
            self.company = Some(Instant::now());
        }
        // One that has lost and is not confirmed is nobody's: whoever has written it will see ours.
        let is_had = |(rev, lease): &(Rev, Lease)| lease.confirmed && !self.is_free(rev, lease);
        let Some((rev, shown)) = leaves.first() else { return Ok(None) };
        let is_free = self.is_free(rev, shown) && !leaves.iter().any(is_had);
        Ok(is_free.then(|| (last, Some(rev.clone()))))
    }

    /// Whether everybody has named what goes last: others by giving their turns back, and we, should ours still be there, if we knew.
    fn is_last_known(&self, leaves: &[(Rev, Lease)]) -> bool {
        leaves.iter().all(|(_, lease)| (lease.holder == self.me && self.is_tip_last) || !lease.may_lack())
    }

    /// Remembers since when each leaf has been there, and what they name.
    fn see(&mut self, leaves: &[(Rev, Lease)]) {
        let now = Instant::now();
        let seen = leaves.iter().map(|(rev, _)| (rev.clone(), self.seen.get(rev).copied().unwrap_or(now)));
        self.seen = seen.collect();
        leaves.iter().filter_map(|(_, lease)| lease.tip.clone()).for_each(|tip| self.learn_tip(tip));
    }

    /// Whether nobody has the turn by this leaf.
    fn is_free(&self, rev: &Rev, lease: &Lease) -> bool {
        let limit = if lease.confirmed { TERM + MARGIN } else { CONFIRM * 2 };
        lease.holder.is_empty()
            || lease.holder == self.me
            || self.seen.get(rev).is_some_and(|since| since.elapsed() > limit)
    }

    /// Writes, confirms, and looks whether anybody else has done the same. `false`: it is not ours.
    async fn write(&mut self, log: &Log, ballot: Ballot, upon: Option<&Rev>) -> Result<bool, StoreError> {
        let client = &log.client;
        let (begun, begun_time) = (Instant::now(), self.clock.now());
        self.last_term = ballot.term;
        let lease = self.lease(ballot.term, !log.is_replicated);
        let mut rev = match put_soon(log, upon, &lease).await? {
            Written::Quorum(rev) => rev,
            Written::Accepted(rev) => return self.stand_back(client, &rev).await,
            Written::Conflict | Written::Unknown(_) => return Ok(false),
        };
        if log.is_replicated {
            if begun.elapsed() > CONFIRM {
                return Ok(false);
            }
            let lease = Lease { confirmed: true, ..lease };
            rev = match put_soon(log, Some(&rev), &lease).await? {
                Written::Quorum(rev) => rev,
                Written::Accepted(_) => return Err(no_quorum()),
                Written::Conflict | Written::Unknown(_) => return Ok(false),
            };
            let (leaves, tombstones) = leaves_and_tombstones(client).await?;
            self.see(&leaves);
            self.is_tip_last &= self.is_last_known(&leaves);
            let is_rival = |(other, lease): &(Rev, Lease)| {
                *other != rev && lease.confirmed && (lease.term >= ballot.term || !self.is_free(other, lease))
            };
            if leaves.iter().any(is_rival) {
                // One who has come as far as we have may go on, or may have gone on: neither does.
                let _ = self.clear_leaf(client, &rev, ballot.term).await;
                return Ok(false);
            }
            if leaves.iter().all(|(other, _)| *other != rev) {
                return Ok(false);
            }
            // Only now: somebody's leaf is left in any case, so terms never begin anew.
            for (loser, _) in leaves.iter().filter(|(other, _)| *other != rev) {
                let _ = client.delete(ID, loser).await;
            }
            self.sweep(client, tombstones);
        }
        let until = begun + TERM - MARGIN;
        let until_time = begun_time + TERM - MARGIN;
        self.held = Some(Held { rev, ballot, since: Instant::now(), until, until_time });
        Ok(self.held().is_some())
    }

    /// Lets tombstones be taken away, beside everything else. Should a node that was away bring back what lies under one, it is a leaf
    /// that has lost once more.
    fn sweep(&mut self, client: &CouchClient, mut tombstones: Vec<Rev>) {
        if tombstones.len() < TOMBSTONES.0 || self.swept.is_some_and(|swept| swept.elapsed() < SWEEP) {
            return;
        }
        self.swept = Some(Instant::now());
        tombstones.truncate(TOMBSTONES.1);
        let client = client.clone();
        // Where that fails, or a server knows no purge, they stay until the next time.
        tokio::spawn(async move { client.purge(&[(ID.to_owned(), tombstones)]).await });
    }

    /// What to do when only a minority took our write: either another's was faster, or there is no quorum.
    async fn stand_back(&self, client: &CouchClient, ours: &Rev) -> Result<bool, StoreError> {
        let leaves = leaves(client).await?;
        if leaves.iter().any(|(rev, _)| rev != ours && !self.seen.contains_key(rev)) {
            return Ok(false);
        }
        Err(no_quorum())
    }

    fn lease(&self, term: u64, confirmed: bool) -> Lease {
        let (kind, holder, nonce) = ("lease".to_owned(), self.me.clone(), self.dice.name());
        Lease { kind, term, holder, nonce, confirmed, tip: self.tip.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(holder: &str, place: Option<u64>) -> (Rev, Lease) {
        let tip = place.map(|place| Tip { place, nonce: "n".to_owned() });
        let (kind, holder, nonce) = ("lease".to_owned(), holder.to_owned(), "n".to_owned());
        let rev = serde_json::from_value("1-a".into()).unwrap();
        (rev, Lease { kind, term: 1, holder, nonce, confirmed: true, tip })
    }

    #[test]
    fn the_last_entry_is_known_where_everybody_has_named_it() {
        let mut turn = Turn::new("me".to_owned(), Dice::system(), Clock::system());
        assert!(turn.is_last_known(&[]), "nobody has written");
        assert!(turn.is_last_known(&[left("", Some(3))]));
        assert!(
            !turn.is_last_known(&[left("", Some(3)), left("other", Some(3))]),
            "who died in its turn may have stored more"
        );
        assert!(!turn.is_last_known(&[left("", None)]), "who gave its turn back without having known");
        // We took the turn of one that died in it, and never came to know either.
        assert!(!turn.is_last_known(&[left("me", Some(3))]));
        turn.learn_last(Tip { place: 4, nonce: "n".to_owned() });
        assert!(turn.is_last_known(&[left("me", Some(3))]));
    }
}
