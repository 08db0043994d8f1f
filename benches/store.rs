//! Submit → claim → report, in cycles a second: the SQLite store against bare SQLite.
//!
//! Both sides have one writer thread that shares each wait for the disk among all who ask meanwhile, in WAL mode with
//! `synchronous=FULL`. The bare side does the least that could be called the same: a row per task, an update per step, a row
//! per event; it decides nothing. Sides take turns in one run; the figures are medians.
//!
//! Then what one change waits for, one at a time, against the least that a disk can be asked: a page written and synced.
//!
//! With `--couchdb couchdb://USER:PASSWORD@HOST:5984` the store is a CouchDB; with several, and commas in between, each has a server
//! of its own, and they share the work.
//!
//! `cargo bench --bench store [-- SECONDS ROUNDS SUBMITTERS … [--beside PROGRAM]]`; the program is a job queue. It is called with
//! a database's path, submitters and seconds, and prints jobs a second (`benches/apalis` is one). Beside it the store is used as a
//! queue is: nobody waits for a task of its own.

#![expect(clippy::print_stdout, reason = "a table is what it is for")]

#[path = "store/bare.rs"]
mod bare;
#[path = "store/queue.rs"]
mod queue;
#[path = "store/single.rs"]
mod single;

use bare::Bare;
use graphium_core::{
    action::Action,
    id::{DeploymentId, HostId, StackId, TaskId},
    store::{ClaimRequest, SessionRequest, Submission, TaskStore},
    task::{self, Input, Outcome, Task, TaskResult},
};
use graphium_store::{Options, SqliteStore, open};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::{
    env,
    error::Error,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

type Done = Result<(), Box<dyn Error + Send + Sync>>;

const SUBMITTERS: [usize; 3] = [1, 8, 100];

fn main() -> Done {
    let mut figures = env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let time = Duration::from_secs(figures.next().unwrap_or(2));
    let rounds = figures.next().unwrap_or(5);
    let mut numbers: Vec<usize> = figures.filter_map(|number| number.try_into().ok()).collect();
    if numbers.is_empty() {
        numbers.extend(SUBMITTERS);
    }
    let peer = env::args().skip_while(|argument| argument != "--beside").nth(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(urls) = env::args().skip_while(|argument| argument != "--couchdb").nth(1) {
        println!("submitters    cycles a second");
        for submitters in numbers {
            println!("{submitters:>10}  {:>17.1}", runtime.block_on(measure_couch(&urls, submitters, time))?);
        }
        return Ok(());
    }
    println!(
        "cycles a second, medians of {rounds} rounds of {} s; graphium against each of the others",
        time.as_secs()
    );
    let peers = peer.as_ref().map_or("", |_| "    as a queue        peer  ratio");
    println!("submitters    graphium        bare  ratio{peers}");
    for submitters in numbers {
        let (mut ours, mut bare) = (Vec::new(), Beside::default());
        let (mut queues, mut theirs) = (Vec::new(), Beside::default());
        for _ in 0..rounds {
            let directory = tempfile::tempdir()?;
            let other = runtime.block_on(measure_bare(&directory.path().join("bare.db"), submitters, time))?;
            let our = runtime.block_on(measure_store(&directory.path().join("graphium.db"), submitters, time))?;
            ours.push(our);
            bare.push(other, our);
            if let Some(program) = &peer {
                let their = measure_program(program, &directory.path().join("peer.db"), submitters, time)?;
                let path = directory.path().join("queue.db");
                let queue = runtime.block_on(measure_queue(&path, submitters, time))?;
                queues.push(queue);
                theirs.push(their, queue);
            }
        }
        let theirs = peer.as_ref().map(|_| format!("    {:>10.0}{theirs}", median(&mut queues))).unwrap_or_default();
        println!("{submitters:>10}  {:>10.0}{bare}{theirs}", median(&mut ours));
    }
    println!("\n{}", runtime.block_on(single::measure())?);
    Ok(())
}

/// One with whom the store is compared.
#[derive(Default)]
struct Beside {
    figures: Vec<f64>,
    ratios: Vec<f64>,
}

impl Beside {
    fn push(&mut self, figure: f64, ours: f64) {
        self.figures.push(figure);
        self.ratios.push(ours / figure);
    }
}

impl std::fmt::Display for Beside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (mut figures, mut ratios) = (self.figures.clone(), self.ratios.clone());
        write!(f, "  {:>10.0}  {:>5.2}", median(&mut figures), median(&mut ratios))
    }
}

fn measure_program(
    program: &str,
    path: &std::path::Path,
    submitters: usize,
    time: Duration,
) -> Result<f64, Box<dyn Error + Send + Sync>> {
    let mut command = Command::new(program);
    command.arg(path).arg(submitters.to_string()).arg(time.as_secs().to_string());
    let said = command.stderr(Stdio::inherit()).output()?;
    Ok(String::from_utf8(said.stdout)?.trim().parse()?)
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

async fn measure_bare(
    path: &std::path::Path,
    submitters: usize,
    time: Duration,
) -> Result<f64, Box<dyn Error + Send + Sync>> {
    let bare = Arc::new(Bare::open(path)?);
    run(submitters, time, |submitter, until| {
        let bare = Arc::clone(&bare);
        async move {
            let tasks = Tasks::of(submitter)?;
            // As much text as the store writes, but made beforehand.
            let task = tasks.next();
            let (body, event) = (serde_json::to_string(&task)?, task::summary(&task).to_string());
            let mut cycles = 0;
            while Instant::now() < until {
                let id = Arc::<str>::from(tasks.next().id.as_str());
                bare.submit(Arc::clone(&id), body.clone(), event.clone()).await?;
                bare.update(Arc::clone(&id), "assigned", event.clone()).await?;
                bare.update(id, "completed", event.clone()).await?;
                cycles += 1;
            }
            Ok(cycles)
        }
    })
    .await
}

async fn measure_store(
    path: &std::path::Path,
    submitters: usize,
    time: Duration,
) -> Result<f64, Box<dyn Error + Send + Sync>> {
    let store = Arc::new(SqliteStore::open(path, Options::at(Timestamp::now())).await?);
    measure_cycles(&[store], submitters, time).await
}

async fn measure_queue(
    path: &std::path::Path,
    submitters: usize,
    time: Duration,
) -> Result<f64, Box<dyn Error + Send + Sync>> {
    let store = Arc::new(SqliteStore::open(path, Options::at(Timestamp::now())).await?);
    queue::measure(store, submitters, time).await
}

/// Each submitter has one of the stores.
async fn measure_cycles(
    stores: &[Arc<dyn TaskStore>],
    submitters: usize,
    time: Duration,
) -> Result<f64, Box<dyn Error + Send + Sync>> {
    run(submitters, time, |submitter, until| {
        let store = Arc::clone(&stores[submitter % stores.len()]);
        async move {
            let tasks = Tasks::of(submitter)?;
            let request = SessionRequest { host: tasks.host.clone(), nonce: "bench".to_owned(), seen_epoch: 0 };
            let epoch = store.open_session(request, Timestamp::now()).await?.epoch;
            let mut cycles = 0;
            while Instant::now() < until {
                let tasks_of_one = vec![tasks.next()];
                store.submit(Submission { tasks: tasks_of_one, ..Submission::default() }, Timestamp::now()).await?;
                let claim = format!("claim-{submitter}-{cycles}").as_str().into();
                let expires_at = Timestamp::now() + SignedDuration::from_secs(60);
                let request = ClaimRequest { host: tasks.host.clone(), epoch, claim, max: 1, expires_at, expect: None };
                for task in store.claim(request, Timestamp::now()).await? {
                    let lease = task.lease.clone().ok_or("no lease")?;
                    let result = TaskResult { success: true, ..TaskResult::default() };
                    let outcome = Outcome::Completed(result);
                    store.act(&task.id, Input::Report { lease, outcome }, Timestamp::now()).await?;
                    cycles += 1;
                }
            }
            Ok(cycles)
        }
    })
    .await
}

/// A server at each of the nodes of a CouchDB, on a database of its own, which it leaves.
async fn measure_couch(urls: &str, submitters: usize, time: Duration) -> Result<f64, Box<dyn Error + Send + Sync>> {
    let name = format!("graphium-bench-{}-{submitters}", Timestamp::now().as_millisecond());
    let mut stores = Vec::new();
    for url in urls.split(',') {
        stores.push(open(&format!("{}/{name}", url.trim_end_matches('/')), Options::at(Timestamp::now())).await?);
    }
    measure_cycles(&stores, submitters, time).await
}

/// Cycles a second of so many submitters together.
async fn run<F>(
    submitters: usize,
    time: Duration,
    cycle: impl Fn(usize, Instant) -> F,
) -> Result<f64, Box<dyn Error + Send + Sync>>
where
    F: Future<Output = Result<u64, Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let start = Instant::now();
    let running: Vec<_> = (0..submitters).map(|submitter| tokio::spawn(cycle(submitter, start + time))).collect();
    let mut cycles = 0;
    for submitter in running {
        cycles += submitter.await??;
    }
    Ok(cycles as f64 / start.elapsed().as_secs_f64())
}

/// Tasks as the planner makes them for a container of an ordinary stack; ids grow with time, as those of deployments do.
#[derive(Clone)]
struct Tasks {
    pattern: Task,
    host: HostId,
}

impl Tasks {
    fn of(submitter: usize) -> Result<Self, serde_json::Error> {
        let action = serde_json::from_value(json!({
            "action": "deploy",
            "spec": {
                "name": "shop-web",
                "container": {
                    "@id": "web",
                    "name": "web",
                    "image": "nginx:1.27-alpine",
                    "environment": [
                        {"name": "DB_ENDPOINT", "value": "10.0.0.2:5432"},
                        {"name": "DB_HOST", "value": "10.0.0.2"},
                        {"name": "DB_PORT", "value": "5432"},
                    ],
                },
                "network": "shop",
                "aliases": ["web"],
                "labels": {"graphium.managed": "true", "graphium.stack": "stack:shop", "graphium.container": "web"},
            },
        }))?;
        let host = HostId::new(format!("vm{submitter}"));
        let mut pattern = Task::new(TaskId::new(""), host.clone(), action, Timestamp::now());
        pattern.stack_id = Some(StackId::from("stack:shop"));
        pattern.undo = Some(Arc::new(Action::Delete { name: "shop-web".to_owned() }));
        pattern.why = "it is not there".to_owned();
        Ok(Self { pattern, host })
    }

    fn next(&self) -> Task {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let uuid = format!("0190f5fe-7c00-7a00-8000-{:012x}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut task = self.pattern.clone();
        task.id = TaskId::new(format!("task:{uuid}.1"));
        task.deployment_id = Some(DeploymentId::new(format!("deployment:{uuid}")));
        task
    }
}
