//! The one of a server that writes: takes commands in batches, decides, and puts what was decided into the log.

use super::{
    client::{Rev, Written},
    entry::{self, Body, Entry, FORMAT, Slip},
    job::Job,
    log::{Log, Place, no_quorum, unavailable},
    nonce, snapshot,
    step::Step,
    turn::Turn,
};
use graphium_core::{
    id::HostId,
    store::{
        StoreError,
        ledger::{Ledger, Work},
    },
    task::Task,
};
use jiff::Timestamp;
use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

/// Commands that become one entry.
const BATCH: usize = 64;

/// How long a command may wait for its entry: longer than a turn of a server that has died.
const PATIENCE: Duration = Duration::from_secs(15);

/// Between two looks at a place while the database does not answer.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Writer {
    log: Arc<Log>,
    turn: Turn,
    /// Unfinished work; absent while it does not agree with the book.
    ledger: Option<Ledger>,
    /// The place of the next entry that the ledger does not know.
    known: u64,
    /// That of the book of which the ledger was made.
    generation: u64,
    /// Hosts that have something to do by what others have stored.
    ready: BTreeSet<HostId>,
    now: Timestamp,
    grace: Timestamp,
    /// The place at which a snapshot is due.
    next_snapshot: u64,
}

/// What became of an entry.
enum Fate {
    Stored,
    /// Its place is another's: what was decided does not hold.
    Overtaken,
}

impl Writer {
    pub(super) fn new(log: Arc<Log>, me: String, now: Timestamp, grace: Timestamp) -> Self {
        let next_snapshot = log.retention.snapshot_every;
        Self {
            next_snapshot,
            log,
            turn: Turn::new(me),
            ledger: None,
            known: 0,
            generation: 0,
            ready: BTreeSet::new(),
            now,
            grace,
        }
    }

    /// Carries out commands until nobody can send any.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let next = async {
                batch.clear();
                queue.recv_many(&mut batch, BATCH).await
            };
            let received = match self.turn.patience() {
                Some(patience) => timeout(patience, next).await,
                None => Ok(next.await),
            };
            match received {
                Ok(0) => break,
                Ok(_) => self.carry_out(std::mem::take(&mut batch)).await,
                Err(_) => self.turn.give_back(&self.log.client).await,
            }
            if self.turn.is_over() {
                self.turn.give_back(&self.log.client).await;
            }
        }
        if self.turn.held().is_some() {
            self.turn.give_back(&self.log.client).await;
        }
    }

    async fn carry_out(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        let stored = self.store(&mut jobs).await;
        for job in jobs {
            job.finish(stored.as_ref().copied());
        }
        if stored.is_err() {
            self.ledger = None;
            self.turn.give_back(&self.log.client).await;
        } else if self.log.book().next >= self.next_snapshot {
            // The log holds everything all the same: the next one is made when it is due.
            if let Ok(place) = self.make_snapshot().await {
                self.next_snapshot = place + self.log.retention.snapshot_every;
            } else {
                self.next_snapshot += self.log.retention.snapshot_every;
            }
        }
    }

    /// Makes a snapshot, unless another server has made one, and takes away what is not needed any more. Answers with the
    /// place of the newest.
    async fn make_snapshot(&mut self) -> Result<u64, StoreError> {
        let next = self.log.book().next;
        if let Some((head, _)) = snapshot::head(&self.log).await?
            && head.place + self.log.retention.snapshot_every > next
        {
            return Ok(head.place);
        }
        let head = snapshot::draft(&self.log).await?;
        let deadline = Instant::now() + PATIENCE;
        self.turn.take(&self.log.client, self.log.is_replicated, deadline).await?;
        if snapshot::publish(&self.log, &head).await? {
            snapshot::sweep(&self.log, &head).await?;
        }
        Ok(head.place)
    }

    /// Decides, and stores what was decided, as often as others are faster.
    async fn store(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if self.turn.held().is_none() {
                self.log.catch_up().await?;
            }
            let (body, ended) = self.decide(jobs);
            if body != Body::default() {
                if self.turn.held().is_none() {
                    // What was decided may be overtaken before the turn is ours.
                    self.ledger = None;
                    self.turn.take(&self.log.client, self.log.is_replicated, deadline).await?;
                    self.catch_up_and_decide(deadline).await?;
                    continue;
                }
                if let Fate::Overtaken = self.append(body, deadline).await? {
                    self.ledger = None;
                    self.turn.is_lost();
                    continue;
                }
                self.known = self.log.book().next;
            }
            if let Some(ledger) = &mut self.ledger {
                ended.iter().for_each(|work| ledger.forget(work));
            }
            return Ok(());
        }
    }

    fn decide(&mut self, jobs: &mut [Box<dyn Job>]) -> (Body, HashSet<Work>) {
        let book = self.log.book();
        let unknown = book.since(self.known).filter(|_| book.generation == self.generation);
        self.generation = book.generation;
        let ledger = match (&mut self.ledger, unknown) {
            (Some(ledger), Some(entries)) => {
                for entry in entries {
                    for session in &entry.body.sessions {
                        ledger.load_session(session.clone());
                    }
                    let tasks = entry.body.tasks.iter().map(|task| Task::clone(task)).collect();
                    entry.body.gone.works.iter().for_each(|work| ledger.forget(work));
                    self.ready.extend(ledger.learn(tasks, self.now));
                }
                ledger
            }
            (ledger, _) => ledger.insert(book.ledger(self.now, self.grace)),
        };
        self.known = book.next;
        let mut step = Step::new(&book, ledger, &mut self.ready);
        for job in jobs {
            job.decide(&mut step);
        }
        step.finish()
    }

    /// Brings the book up to date in our own turn: a place that nobody has confirmed is decided by us.
    async fn catch_up_and_decide(&mut self, deadline: Instant) -> Result<(), StoreError> {
        // Our turn may come after a long sleep: a place that was swept away is not free.
        self.log.check_floor().await?;
        loop {
            self.log.catch_up().await?;
            let place = self.log.book().next;
            match self.log.look(place).await? {
                Place::Free => return Ok(()),
                Place::Taken(_) => {}
                Place::Open(found) => {
                    self.log.decide(place, *found).await?;
                }
            }
            if Instant::now() >= deadline {
                return Err(unsettled(place));
            }
        }
    }

    /// Puts an entry at the next place.
    async fn append(&mut self, body: Body, deadline: Instant) -> Result<Fate, StoreError> {
        let (place, previous, first_event) = {
            let book = self.log.book();
            (book.next, book.tip.clone(), book.last_event + 1)
        };
        let slip = Slip {
            kind: "log-entry".to_owned(),
            format: FORMAT,
            term: self.turn.held().unwrap_or_default(),
            nonce: nonce::text(),
            previous: previous.clone(),
            confirmed: !self.log.is_replicated,
            first_event,
            body: body.text()?,
            parts: 0,
        };
        let slip = self.log.put_aside(place, slip).await?;
        let entry = Entry { place, nonce: slip.nonce.clone(), previous, first_event, body };
        let mut is_confirmed = self.first_write(place, &slip).await?;
        loop {
            // Past the end of the turn somebody else may have decided the place: then only a look tells.
            if is_confirmed && self.turn.held().is_some() {
                self.log.apply(entry);
                return Ok(Fate::Stored);
            }
            if Instant::now() >= deadline {
                return Err(unsettled(place));
            }
            if self.turn.held().is_none() {
                self.turn.take(&self.log.client, self.log.is_replicated, deadline).await?;
                if snapshot::head(&self.log).await?.is_some_and(|(head, _)| head.floor > place) {
                    return Err(unsettled(place));
                }
            }
            is_confirmed = match self.log.look(place).await {
                Ok(Place::Taken(found)) if found.nonce == slip.nonce => true,
                Ok(Place::Taken(_)) => return Ok(Fate::Overtaken),
                Ok(Place::Open(found)) => {
                    self.log.decide(place, *found).await?;
                    false
                }
                Ok(Place::Free) => self.first_write(place, &slip).await?,
                Err(StoreError::Unavailable(_)) => {
                    sleep(PAUSE).await;
                    false
                }
                Err(error) => return Err(error),
            };
        }
    }

    /// Makes the document of a place and confirms it; whether both are certain.
    async fn first_write(&self, place: u64, slip: &Slip) -> Result<bool, StoreError> {
        match self.write(place, None, slip).await? {
            Some(_) if slip.confirmed => Ok(true),
            Some(rev) => {
                let confirmed = Slip { confirmed: true, ..slip.clone() };
                Ok(self.write(place, Some(&rev), &confirmed).await?.is_some())
            }
            None => Ok(false),
        }
    }

    async fn write(&self, place: u64, rev: Option<&Rev>, slip: &Slip) -> Result<Option<Rev>, StoreError> {
        match self.log.client.put(&entry::id(place), rev, slip).await.map_err(unavailable)? {
            Written::Quorum(rev) => Ok(Some(rev)),
            Written::Accepted(_) => Err(no_quorum()),
            Written::Conflict | Written::Unknown(_) => Ok(None),
        }
    }
}

fn unsettled(place: u64) -> StoreError {
    StoreError::Unavailable(format!("nobody knows whether entry {place} was stored: it may be in force later"))
}
