//! Work for several servers on one database, and what they were heard to promise.

use graphium_core::{
    action::Action,
    id::{HostId, TaskId},
    store::{
        ClaimRequest, Expect, Key, Kind, RecordQuery, RecordWrite, SessionRequest, StoreError, Submission, TaskQuery,
        TaskStore, TaskStoreExt,
    },
    task::{Input, Lease, Outcome, Refusal, Task, TaskResult, TaskStatus},
};
use graphium_store::CouchStore;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::sleep};

/// Hosts, each of which has several that claim for it.
const HOSTS: usize = 4;
const CLAIMERS: usize = 3;

/// How long a grant lasts.
const LEASE: SignedDuration = SignedDuration::from_secs(20);

/// Tasks that may wait, as far as is known.
const BACKLOG: usize = 60;

/// How long what was submitted may take to end once nothing goes wrong any more.
const DRAIN: Duration = Duration::from_secs(120);

/// What was promised.
#[derive(Debug, Default)]
struct Promises {
    submitted: BTreeSet<String>,
    grants: BTreeMap<(TaskId, u32), String>,
    reports: BTreeMap<TaskId, u32>,
}

impl Promises {
    /// Much was submitted that is not done.
    fn is_behind(&self) -> bool {
        self.submitted.len() > self.reports.len() + BACKLOG
    }
}

pub(crate) struct Load {
    pub(crate) servers: Vec<Arc<CouchStore>>,
    patience: Duration,
    epochs: Vec<AtomicU64>,
    promises: Mutex<Promises>,
    /// Nothing more is to be submitted.
    is_over: AtomicBool,
    /// Who submits: what one has begun it still ends.
    submitters: AtomicUsize,
}

fn host(number: usize) -> HostId {
    HostId::new(format!("vm{number}"))
}

fn counter() -> Key {
    Key::new(Kind::Stack, "count")
}

/// A task, a record, and one that everybody counts up: `seen` is the version that it had before.
fn command(name: &str, host: HostId, seen: Option<u64>) -> Submission {
    let write = |key: Key, expect| RecordWrite {
        key,
        expect,
        stack: None,
        host: None,
        body: Some(Arc::new(json!({"name": name}))),
    };
    let own = write(Key::new(Kind::Stack, name), Expect::Absent);
    let counted = write(counter(), seen.map_or(Expect::Absent, Expect::Version));
    let id = TaskId::new(format!("task:{name}"));
    let action = Action::Start { name: name.to_owned() };
    let task = Task { max_retries: 1_000, ..Task::new(id, host, action, Timestamp::now()) };
    let idempotency_key = Some(format!("key of {name}"));
    Submission { records: vec![own, counted], tasks: vec![task], idempotency_key, ..Submission::default() }
}

impl Load {
    /// Work for these servers, each part of which is asked for again for so long, at one server after the other.
    pub(crate) fn on(servers: Vec<Arc<CouchStore>>, patience: Duration) -> Arc<Self> {
        let epochs = (0..HOSTS).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self {
            servers,
            patience,
            epochs,
            promises: Mutex::default(),
            is_over: AtomicBool::new(false),
            submitters: AtomicUsize::new(0),
        })
    }

    fn attempts(&self) -> impl Iterator<Item = usize> + use<> {
        let (begun, patience) = (Instant::now(), self.patience);
        (0..).take_while(move |_| begun.elapsed() < patience)
    }

    fn promises(&self) -> MutexGuard<'_, Promises> {
        self.promises.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn server(&self, number: usize) -> &CouchStore {
        &self.servers[number % self.servers.len()]
    }

    /// Submits, claims, reports and looks for what has run out, until [`end`](Self::end).
    pub(crate) async fn begin(self: &Arc<Self>) -> Result<JoinSet<Result<(), String>>, String> {
        for host in 0..HOSTS {
            self.open_session(host, "first").await?;
        }
        let mut work = JoinSet::new();
        for number in 0..self.servers.len() {
            let (submits, expires) = (Arc::clone(self), Arc::clone(self));
            self.submitters.fetch_add(1, Ordering::SeqCst);
            work.spawn(async move {
                let ended = submits.submit(number).await;
                submits.submitters.fetch_sub(1, Ordering::SeqCst);
                ended
            });
            work.spawn(async move { expires.expire(number).await });
        }
        for number in 0..HOSTS * CLAIMERS {
            let load = Arc::clone(self);
            work.spawn(async move { load.claim(number % HOSTS, number).await });
        }
        Ok(work)
    }

    /// A host's agent is started anew.
    pub(crate) async fn open_session(&self, number: usize, nonce: &str) -> Result<(), String> {
        let number = number % HOSTS;
        for attempt in self.attempts() {
            let request = SessionRequest { host: host(number), nonce: nonce.to_owned(), seen_epoch: 0 };
            match self.server(number + attempt).open_session(request, Timestamp::now()).await {
                Ok(session) => {
                    self.epochs[number].fetch_max(session.epoch, Ordering::SeqCst);
                    return Ok(());
                }
                Err(StoreError::Unavailable(_)) => sleep(Duration::from_millis(200)).await,
                Err(error) => return Err(format!("a session: {error}")),
            }
        }
        Err("no answer to a session".to_owned())
    }

    async fn submit(&self, number: usize) -> Result<(), String> {
        for step in 0.. {
            if self.is_over.load(Ordering::SeqCst) {
                return Ok(());
            }
            // Those who claim keep up.
            while self.promises().is_behind() && !self.is_over.load(Ordering::SeqCst) {
                sleep(Duration::from_millis(100)).await;
            }
            let name = format!("{number}.{step:05}");
            // At times it is given up, and nobody knows.
            for attempt in 0..1 + step % 8 {
                let server = self.server(number + attempt);
                let seen = match server.record(&counter()).await {
                    Ok(record) => record.map(|record| record.version),
                    Err(StoreError::Unavailable(_)) => continue,
                    Err(error) => return Err(format!("a question: {error}")),
                };
                match server.submit(command(&name, host(step % HOSTS), seen), Timestamp::now()).await {
                    Ok(_) => {
                        self.promises().submitted.insert(name);
                        break;
                    }
                    Err(StoreError::Unavailable(_) | StoreError::Conflict { .. }) => {}
                    Err(error) => return Err(format!("a submission: {error}")),
                }
            }
            sleep(Duration::from_millis(30)).await;
        }
        Ok(())
    }

    async fn expire(&self, number: usize) -> Result<(), String> {
        loop {
            if self.is_done(None, number).await {
                return Ok(());
            }
            match self.server(number).expire(Timestamp::now()).await {
                Ok(_) | Err(StoreError::Unavailable(_)) => sleep(Duration::from_secs(1)).await,
                Err(error) => return Err(format!("what has run out: {error}")),
            }
        }
    }

    async fn claim(&self, of: usize, number: usize) -> Result<(), String> {
        for round in 0.. {
            let name = format!("c{number}.{round}");
            let granted = self.claim_once(of, number + round, &name).await?;
            for task in &granted {
                let key = (task.id.clone(), task.attempt);
                let before = self.promises().grants.insert(key, name.clone());
                if before.as_ref().is_some_and(|before| *before != name) {
                    let attempt = task.attempt;
                    return Err(format!("attempt {attempt} of `{}` was granted to {before:?} and {name}", task.id));
                }
            }
            // Now and then an agent dies.
            if round % 40 != 7 {
                for task in granted {
                    self.report(number + round, &task).await?;
                }
            }
            if self.is_done(Some(of), number + round).await {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    async fn claim_once(&self, of: usize, first: usize, name: &str) -> Result<Vec<Task>, String> {
        for attempt in self.attempts() {
            let epoch = self.epochs[of].load(Ordering::SeqCst);
            let now = Timestamp::now();
            let request = ClaimRequest {
                host: host(of),
                epoch,
                claim: name.into(),
                max: 2,
                expires_at: now + LEASE,
                expect: None,
            };
            match self.server(first + attempt).claim(request, now).await {
                Ok(granted) => return Ok(granted),
                Err(StoreError::Unavailable(_)) => sleep(Duration::from_millis(200)).await,
                Err(StoreError::SessionLost { .. }) => return Ok(Vec::new()),
                Err(error) => return Err(format!("a claim: {error}")),
            }
        }
        Err("no answer to a claim".to_owned())
    }

    async fn report(&self, first: usize, task: &Task) -> Result<(), String> {
        let lease: Lease = task.lease.clone().ok_or("granted without a lease")?;
        for attempt in self.attempts() {
            let outcome = Outcome::Completed(TaskResult { success: true, ..TaskResult::default() });
            let input = Input::Report { lease: lease.clone(), outcome };
            match self.server(first + attempt).act(&task.id, input, Timestamp::now()).await {
                Ok(_) => {}
                // It came before, and its answer was lost.
                Err(StoreError::Refused {
                    refusal: Refusal::LeaseLost { status: TaskStatus::Completed, attempt },
                    ..
                }) if attempt == lease.attempt => {}
                Err(StoreError::Refused { .. }) => return Ok(()),
                Err(StoreError::Unavailable(_)) => {
                    sleep(Duration::from_millis(200)).await;
                    continue;
                }
                Err(error) => return Err(format!("a report: {error}")),
            }
            let before = self.promises().reports.insert(task.id.clone(), lease.attempt);
            return match before {
                Some(before) if before != lease.attempt => {
                    Err(format!("`{}` was done in attempts {before} and {}", task.id, lease.attempt))
                }
                _ => Ok(()),
            };
        }
        Err("no answer to a report".to_owned())
    }

    /// Whether everything has ended, and nothing more comes.
    async fn is_done(&self, of: Option<usize>, server: usize) -> bool {
        if self.submitters.load(Ordering::SeqCst) > 0 {
            return false;
        }
        let query = TaskQuery { host: of.map(host), ..TaskQuery::default() };
        let tasks = self.server(server).all_tasks(query).await;
        tasks.is_ok_and(|tasks| tasks.iter().all(|task| task.status.is_terminal()))
    }

    /// Waits until what was submitted has ended. Nothing goes wrong any more.
    pub(crate) async fn end(&self, mut work: JoinSet<Result<(), String>>) -> Result<(), String> {
        self.is_over.store(true, Ordering::SeqCst);
        let ended = tokio::time::timeout(DRAIN, async {
            while let Some(ended) = work.join_next().await {
                ended.map_err(|error| error.to_string())??;
            }
            Ok(())
        });
        let ended = ended.await;
        ended.unwrap_or_else(|_| {
            let promises = self.promises();
            let (submitted, reported) = (promises.submitted.len(), promises.reports.len());
            Err(format!("{DRAIN:?} after the last trouble {reported} of {submitted} tasks have ended"))
        })
    }

    /// What was promised holds, and all say the same: those that were there all the time, and `fresh`.
    pub(crate) async fn check(&self, fresh: &[Arc<CouchStore>]) -> Result<String, String> {
        let failed = |error: StoreError| error.to_string();
        let one = &fresh[0];
        let tasks = one.all_tasks(TaskQuery::default()).await.map_err(failed)?;
        let records = one.all_records(RecordQuery::of(Kind::Stack)).await.map_err(failed)?;
        let events = one.events(0, usize::MAX).await.map_err(failed)?;
        for (number, server) in self.servers.iter().chain(fresh).enumerate() {
            let same = server.all_tasks(TaskQuery::default()).await.map_err(failed)? == tasks
                && server.all_records(RecordQuery::of(Kind::Stack)).await.map_err(failed)? == records
                && server.events(0, usize::MAX).await.map_err(failed)? == events;
            if !same {
                return Err(format!("server {number} tells other than one that was opened just now"));
            }
        }
        if !events.iter().zip(1..).all(|(event, number)| event.seq == number) {
            return Err("the events have a gap".to_owned());
        }
        let promises = self.promises();
        let names: BTreeSet<&str> = records.iter().map(|record| &*record.key.id).filter(|id| *id != "count").collect();
        if let Some(lost) = promises.submitted.iter().find(|name| !names.contains(&***name)) {
            return Err(format!("`{lost}` was acknowledged and is not there"));
        }
        let count = records.iter().find(|record| record.key == counter()).map_or(0, |record| record.version);
        if count != names.len() as u64 || tasks.len() != names.len() {
            return Err(format!("{} submissions, {} tasks, counted as {count}", names.len(), tasks.len()));
        }
        for task in &tasks {
            let reported = promises.reports.get(&task.id);
            if task.status != TaskStatus::Completed || reported.is_some_and(|attempt| *attempt != task.attempt) {
                let (status, attempt) = (task.status, task.attempt);
                return Err(format!("`{}` is {status:?} in attempt {attempt}, and was done in {reported:?}", task.id));
            }
        }
        let (submitted, grants, reports) = (promises.submitted.len(), promises.grants.len(), promises.reports.len());
        Ok(format!(
            "{} tasks ({submitted} acknowledged), {grants} grants, {reports} reports, {} events",
            tasks.len(),
            events.len()
        ))
    }
}
