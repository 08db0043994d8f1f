//! Whose turn it is to write: one server at a time, by a document with a term, a nonce and an end.
//!
//! The turn keeps servers out of each other's way. That two of them never write one place of the log does not rest on it
//! alone: a place is a document, and of two who make one document at most one gets a 201.

use super::{
    client::{CallError, CouchClient, Found, Rev, Written},
    log::{no_quorum, unavailable},
};
use graphium_core::store::StoreError;
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep, timeout};

/// The document.
pub(super) const ID: &str = "lease:writer";

/// How long a turn lasts from the beginning of the write that took or renewed it.
const TERM: Duration = Duration::from_secs(5);

/// How soon after it was written a turn must be confirmed; others take it when it was not within twice that.
const CONFIRM: Duration = Duration::from_secs(1);

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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Lease {
    #[serde(rename = "type")]
    kind: String,
    /// Rises with every turn.
    term: u64,
    /// The server that has it; empty: nobody.
    holder: String,
    /// Chosen at random for each write.
    nonce: String,
    /// A majority had it before this was written.
    confirmed: bool,
}

#[derive(Debug)]
struct Held {
    rev: Rev,
    term: u64,
    since: Instant,
    until: Instant,
    /// The same end by the time of day: the other clock may stand still while the machine sleeps.
    until_time: SystemTime,
}

impl Held {
    fn is_valid(&self) -> bool {
        Instant::now() < self.until && SystemTime::now() < self.until_time
    }
}

/// The turn, as one server sees it.
#[derive(Debug)]
pub(super) struct Turn {
    me: String,
    held: Option<Held>,
    /// Another's turn, and since when it has not changed.
    seen: Option<(Rev, Instant)>,
    company: Option<Instant>,
    given_back: Option<Instant>,
    /// Of our own last turn.
    last_term: u64,
}

impl Turn {
    pub(super) fn new(me: String) -> Self {
        Self { me, held: None, seen: None, company: None, given_back: None, last_term: 0 }
    }

    /// The term, while the turn is ours for certain.
    pub(super) fn held(&self) -> Option<u64> {
        self.held.as_ref().filter(|held| held.is_valid()).map(|held| held.term)
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
    pub(super) async fn take(
        &mut self,
        client: &CouchClient,
        is_replicated: bool,
        deadline: Instant,
    ) -> Result<u64, StoreError> {
        if let Some(rest) = self.given_back.and_then(|at| COURTESY.checked_sub(at.elapsed()))
            && self.has_company()
        {
            sleep(rest).await;
        }
        // What another has written since is a conflict: our own revision is all that needs to be known.
        if let Some(held) = self.held.take()
            && let Some(term) = self.write(client, is_replicated, held.term, Some(&held.rev)).await?
        {
            return Ok(term);
        }
        loop {
            if let Some((term, rev)) = self.look(client).await?
                && let Some(term) = self.write(client, is_replicated, term + 1, rev.as_ref()).await?
            {
                return Ok(term);
            }
            if Instant::now() >= deadline {
                let reason = "another server is writing and does not give its turn back";
                return Err(StoreError::Unavailable(reason.to_owned()));
            }
            sleep(LOOK.mul_f64(0.5 + super::nonce::fraction())).await;
        }
    }

    /// Gives it back, as far as that works: if it does not, it runs out.
    pub(super) async fn give_back(&mut self, client: &CouchClient) {
        let held = self.held.take().filter(Held::is_valid);
        let rev = held.map(|held| held.rev);
        // Whatever comes of it, the turn is over.
        let _ = timeout(FAREWELL, self.clear_name(client, rev)).await;
        self.given_back = Some(Instant::now());
    }

    /// Takes our name off the turn, which has it in the given revision or in none that we know of.
    async fn clear_name(&self, client: &CouchClient, mut rev: Option<Rev>) {
        for _ in 0..ATTEMPTS {
            if rev.is_none() {
                // Lost, or only an answer was: as long as the turn has our name it is still to be given back.
                match client.get(ID).await {
                    Ok(Some(found)) if found.body.get("holder").and_then(|name| name.as_str()) == Some(&self.me) => {
                        rev = Some(found.rev);
                    }
                    Ok(_) => return,
                    Err(_) => continue,
                }
            }
            let lease = Lease { holder: String::new(), ..self.lease(self.last_term, true) };
            if let Ok(Written::Quorum(_)) = client.put(ID, rev.as_ref(), &lease).await {
                return;
            }
            rev = None;
        }
    }

    /// The last term and the revision to write upon, if the turn can be had.
    async fn look(&mut self, client: &CouchClient) -> Result<Option<(u64, Option<Rev>)>, StoreError> {
        let Some(found) = client.get(ID).await.map_err(unavailable)? else { return Ok(Some((0, None))) };
        let rev = found.rev.clone();
        if !self.clear(client, &found).await? {
            return Ok(None);
        }
        let lease = read(found)?;
        if self.last_term != 0 && lease.term > self.last_term {
            self.company = Some(Instant::now());
        }
        if lease.holder.is_empty() || lease.holder == self.me {
            return Ok(Some((lease.term, Some(rev))));
        }
        self.company = Some(Instant::now());
        match &self.seen {
            Some((seen, since)) if *seen == rev => {
                let limit = if lease.confirmed { TERM + MARGIN } else { CONFIRM * 2 };
                let has_run_out = since.elapsed() > limit;
                Ok(has_run_out.then_some((lease.term, Some(rev))))
            }
            _ => {
                self.seen = Some((rev, Instant::now()));
                Ok(None)
            }
        }
    }

    /// Takes away what has lost against the revision that was found; `false`: somebody else is at it.
    async fn clear(&self, client: &CouchClient, found: &Found) -> Result<bool, StoreError> {
        for loser in &found.conflicts {
            if !super::log::is_done(client.delete(ID, loser).await)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes, confirms, and looks whether anybody else has done the same. Nothing: it is not ours.
    async fn write(
        &mut self,
        client: &CouchClient,
        is_replicated: bool,
        term: u64,
        rev: Option<&Rev>,
    ) -> Result<Option<u64>, StoreError> {
        let (begun, begun_time) = (Instant::now(), SystemTime::now());
        self.last_term = term;
        let lease = self.lease(term, !is_replicated);
        let Some(mut rev) = quorum(client.put(ID, rev, &lease).await)? else { return Ok(None) };
        if is_replicated {
            let lease = Lease { confirmed: true, ..lease };
            if begun.elapsed() > CONFIRM {
                return Ok(None);
            }
            let Some(confirmed) = quorum(client.put(ID, Some(&rev), &lease).await)? else { return Ok(None) };
            rev = confirmed;
            let Some(found) = client.get(ID).await.map_err(unavailable)? else { return Ok(None) };
            if found.rev != rev {
                return Ok(None);
            }
            for other in &found.conflicts {
                let stray = client.get_rev(ID, other).await.map_err(unavailable)?.map(read).transpose()?;
                // One who has come as far as we have may go on: neither does.
                if stray.is_some_and(|stray| stray.confirmed && stray.term >= term) {
                    return Ok(None);
                }
            }
            if !self.clear(client, &found).await? {
                return Ok(None);
            }
        }
        let until = begun + TERM - MARGIN;
        let until_time = begun_time + TERM - MARGIN;
        self.held = Some(Held { rev, term, since: Instant::now(), until, until_time });
        self.seen = None;
        Ok(self.held())
    }

    fn lease(&self, term: u64, confirmed: bool) -> Lease {
        Lease { kind: "lease".to_owned(), term, holder: self.me.clone(), nonce: super::nonce::text(), confirmed }
    }
}

/// The revision of a write that a majority has. Nothing: not ours, or nobody knows; looking again tells.
fn quorum(written: Result<Written, CallError>) -> Result<Option<Rev>, StoreError> {
    match written.map_err(unavailable)? {
        Written::Quorum(rev) => Ok(Some(rev)),
        Written::Accepted(_) => Err(no_quorum()),
        Written::Conflict | Written::Unknown(_) => Ok(None),
    }
}

fn read(found: Found) -> Result<Lease, StoreError> {
    serde_json::from_value(found.body.into()).map_err(|error| StoreError::Corrupt {
        kind: "lease",
        id: ID.to_owned(),
        reason: error.to_string(),
    })
}
