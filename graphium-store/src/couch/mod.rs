//! A store on CouchDB, which several servers share.
//!
//! All that the store decides lies in one **log**: an entry per step, a document per entry, at a place of its own. Who makes
//! the document of the next place has decided what happens next, for everybody. `docs/couchdb.md` says why it is so, and what
//! of CouchDB it relies on.

mod address;
mod answer;
mod book;
mod client;
mod clock;
mod dice;
#[cfg(feature = "testing")]
mod direct;
mod entry;
mod job;
mod journal;
mod lease;
mod log;
mod marks;
mod older;
mod place;
mod prune;
mod pulse;
mod snapshot;
mod standing;
mod step;
mod turn;
mod writer;

#[cfg(feature = "testing")]
pub(crate) use address::decoded;
pub use address::{AddressError, CouchAddress};
pub use answer::{CallError, Cluster, Created, DatabaseInfo, Found, Rev, Written};
pub use client::CouchClient;
#[cfg(feature = "testing")]
pub(crate) use clock::Clock;
#[cfg(not(feature = "testing"))]
use clock::Clock;
#[cfg(not(feature = "testing"))]
use dice::Dice;
#[cfg(feature = "testing")]
pub(crate) use dice::Dice;
#[cfg(feature = "testing")]
pub(crate) use direct::Direct;
pub use older::Conversion;
pub use snapshot::Retention;

use crate::open::{OpenError, Options};
use async_trait::async_trait;
use graphium_core::{
    event::Event,
    id::TaskId,
    store::{
        Acted, ClaimRequest, Cut, Key, Page, Pruned, Record, RecordQuery, Session, SessionRequest, StoreError,
        Submission, Submitted, TaskQuery, TaskStore,
    },
    task::{Input, Lease, Task},
};
use jiff::Timestamp;
use job::Job;
use log::{Log, Progress};
use std::{fmt, future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};
use tokio::{
    sync::mpsc,
    task::AbortHandle,
    time::{sleep, timeout},
};
use writer::Writer;

/// Commands that wait before those who bring more have to wait.
const QUEUE: usize = 1024;

/// How long a command may take, its waiting for others included. Longer than a turn of a server that has died.
const COMMAND: Duration = Duration::from_secs(20);

/// How long it may take to bring the book up to date.
const QUESTION: Duration = Duration::from_secs(10);

/// Between two questions to a database that says nothing.
const PROBE: Duration = Duration::from_millis(250);

/// How often a database that was made is looked for, and how long to wait in between.
const ATTEMPTS: usize = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// What the ids of our own documents begin with, and those of CouchDB's.
const OURS: [&str; 4] = ["log:", "lease:", "snapshot:", "_design/"];

/// Documents of the older system that are read at once.
const OLDER: usize = 200;

/// A [`TaskStore`] on a CouchDB or its cluster. Any number of them may be open on one database, on as many machines.
///
/// It needs Tokio: a task of its own writes, another looks whether a database that says nothing answers again; both end when
/// the store is dropped.
pub struct CouchStore {
    log: Arc<Log>,
    jobs: mpsc::Sender<Box<dyn Job>>,
    prober: AbortHandle,
}

impl CouchStore {
    /// Opens a database, and makes it where there is none.
    ///
    /// # Errors
    /// [`OpenError::Couch`]: it cannot be reached or read.
    pub async fn open(address: CouchAddress, options: Options) -> Result<Self, OpenError> {
        Self::open_with(address, options, Retention::default()).await
    }

    /// As [`open`](Self::open), where it is said how much of the log is kept.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with(address: CouchAddress, options: Options, retention: Retention) -> Result<Self, OpenError> {
        let place = address.to_string();
        let failed = |source: StoreError| OpenError::Couch { place: place.clone(), source };
        let client = CouchClient::new(address).map_err(log::unavailable).map_err(failed)?;
        Self::open_on(client, options, retention, Dice::system(), Clock::system()).await.map_err(failed)
    }

    pub(crate) async fn open_on(
        client: CouchClient,
        options: Options,
        retention: Retention,
        dice: Dice,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        let info = found_or_made(&client).await?;
        let log = Arc::new(Log::new(client, info.cluster.n > 1, retention, dice.clone(), clock));
        log.catch_up().await?;
        let grace = options.now.saturating_add(options.grace).unwrap_or(Timestamp::MAX);
        let writer = Writer::new(Arc::clone(&log), dice.name(), options.now, grace);
        let (jobs, queue) = mpsc::channel(QUEUE);
        tokio::spawn(writer.run(queue));
        let prober = tokio::spawn(probe(Arc::clone(&log))).abort_handle();
        let store = Self { log, jobs, prober };
        if store.log.book().next == 1 {
            store.upgrade(options.now).await?;
        }
        Ok(store)
    }

    /// What the documents that the older system has left in a database come to. Changes nothing.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn older(client: &CouchClient, now: Timestamp) -> Result<Conversion, StoreError> {
        let mut documents = Vec::new();
        let mut start = String::new();
        loop {
            let found = client.range(&start, "\u{fff0}", OLDER).await.map_err(log::unavailable)?;
            let is_last = found.len() < OLDER;
            for found in found {
                let id = found.body.get("_id").and_then(|id| id.as_str()).unwrap_or_default();
                start = format!("{id}\u{0}");
                if !OURS.iter().any(|ours| id.starts_with(ours)) {
                    documents.push(found);
                }
            }
            if is_last {
                return older::convert(documents, now);
            }
        }
    }

    /// Takes over, once, what the older system has left in this database, and answers with what it came to. Its documents
    /// stay as they are. A database that is empty but for them is upgraded when it is opened.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn upgrade(&self, now: Timestamp) -> Result<Conversion, StoreError> {
        let conversion = Self::older(&self.log.client, now).await?;
        if !conversion.records.is_empty() {
            let key = Some("upgrade of the older system's documents".to_owned());
            let records = conversion.records.clone();
            self.submit(Submission { records, idempotency_key: key, ..Submission::default() }, now).await?;
        }
        Ok(conversion)
    }

    /// Hands a command to the writer and waits for its answer.
    async fn ask<T: Send + 'static>(
        &self,
        decide: impl Fn(&mut step::Step<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = || StoreError::Unavailable("its writer has ended".to_owned());
        let (job, answer) = job::job(decide);
        let answered = async {
            self.jobs.send(job).await.map_err(|_| gone())?;
            answer.await.map_err(|_| gone())?
        };
        let answered = async {
            timeout(COMMAND, answered).await.unwrap_or_else(|_| {
                let reason = format!("CouchDB did not take it within {COMMAND:?}: it may be in force later");
                Err(StoreError::Unavailable(reason))
            })
        };
        self.unless_silent(answered).await
    }

    /// What comes of something that the database is needed for. While it says nothing, that is said at once: to who asks, and to
    /// who waits.
    async fn unless_silent<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let client = &self.log.client;
        let refusal = || {
            let silence = client.pulse().silence()?;
            let place = client.address();
            let next = "It is asked until it answers: look after that node, or ask another server";
            Some(StoreError::Unavailable(format!("`{place}` {silence}. {next}")))
        };
        if let Some(refusal) = refusal() {
            return Err(refusal);
        }
        let mut work = pin!(work);
        loop {
            let mut falls_silent = pin!(client.pulse().falls_silent());
            let first = poll_fn(|context| match work.as_mut().poll(context) {
                Poll::Ready(answer) => Poll::Ready(Some(answer)),
                Poll::Pending => falls_silent.as_mut().poll(context).map(|()| None),
            });
            if let Some(answer) = first.await {
                return answer;
            }
            // It may have answered in this moment: then there is nothing to refuse.
            if let Some(refusal) = refusal() {
                return Err(refusal);
            }
        }
    }

    /// Brings the book up to what was in force when this was called.
    async fn catch_up(&self) -> Result<(), StoreError> {
        let read = async {
            timeout(QUESTION, self.log.catch_up())
                .await
                .unwrap_or_else(|_| Err(StoreError::Unavailable(format!("CouchDB did not answer within {QUESTION:?}"))))
        };
        match self.unless_silent(read).await? {
            Progress::UpToDate => Ok(()),
            // Whatever the writer is asked, it makes sure of what came before.
            Progress::Doubtful => self.ask(|_| Ok(())).await,
        }
    }
}

impl Drop for CouchStore {
    fn drop(&mut self) {
        self.prober.abort();
    }
}

/// Asks a database that says nothing, one question at a time, until it answers: the first answer ends the silence.
async fn probe(log: Arc<Log>) {
    loop {
        log.client.pulse().falls_silent().await;
        sleep(PROBE).await;
        // What it comes to is seen by all who ask then.
        let _ = timeout(QUESTION, log.catch_up()).await;
    }
}

/// What a database says of itself; it is made where there is none.
async fn found_or_made(client: &CouchClient) -> Result<DatabaseInfo, StoreError> {
    for _ in 0..ATTEMPTS {
        if let Some(info) = client.info().await.map_err(log::unavailable)? {
            return Ok(info);
        }
        if client.create().await.map_err(log::unavailable)? == Created::Accepted {
            return Err(log::no_quorum());
        }
        // The node that is asked next may not know of it yet. Without an answer nobody knows how many copies there are.
        sleep(PAUSE).await;
    }
    Err(StoreError::Unavailable("the database was made, and is not shown yet; try again".to_owned()))
}

#[async_trait]
impl TaskStore for CouchStore {
    async fn submit(&self, submission: Submission, now: Timestamp) -> Result<Submitted, StoreError> {
        self.ask(move |step| step.submit(&submission, now)).await
    }

    async fn open_session(&self, request: SessionRequest, now: Timestamp) -> Result<Session, StoreError> {
        self.ask(move |step| Ok(step.open_session(&request, now))).await
    }

    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Task>, StoreError> {
        self.ask(move |step| step.claim(&request, now)).await
    }

    async fn act(&self, task: &TaskId, input: Input, now: Timestamp) -> Result<Acted, StoreError> {
        let task = task.clone();
        self.ask(move |step| step.act(&task, &input, now)).await
    }

    async fn renew(&self, leases: &[Lease], expires_at: Timestamp) -> Result<Vec<Task>, StoreError> {
        let leases = leases.to_vec();
        self.ask(move |step| Ok(step.renew(&leases, expires_at))).await
    }

    async fn expire(&self, now: Timestamp) -> Result<Acted, StoreError> {
        self.ask(move |step| Ok(step.expire(now))).await
    }

    async fn prune(&self, cut: &Cut) -> Result<Option<Pruned>, StoreError> {
        let cut = cut.clone();
        self.ask(move |step| Ok(Some(step.prune(&cut)))).await
    }

    async fn next_wakeup(&self) -> Result<Option<Timestamp>, StoreError> {
        self.ask(|step| Ok(step.ledger.next_wakeup())).await
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.catch_up().await?;
        Ok(self.log.book().record(key).cloned())
    }

    async fn records(&self, query: &RecordQuery) -> Result<Page<Record>, StoreError> {
        self.catch_up().await?;
        Ok(self.log.book().records(query))
    }

    async fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        self.catch_up().await?;
        Ok(self.log.book().task(id).map(|task| Task::clone(task)))
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>, StoreError> {
        self.catch_up().await?;
        Ok(self.log.book().tasks(query))
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.catch_up().await?;
        self.unless_silent(journal::events(&self.log, after, limit)).await
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        self.catch_up().await?;
        Ok(self.log.book().last_event)
    }

    /// On a cluster with a turn of its own, which only a majority gives; on one node whoever answers can write.
    async fn ready(&self) -> Result<(), StoreError> {
        self.ask(|step| {
            step.refuses = true;
            Ok(())
        })
        .await
    }
}

impl fmt::Debug for CouchStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CouchStore").field("address", self.log.client.address()).finish_non_exhaustive()
    }
}
