//! A large estate in the SQLite store: 100,000 tasks, 1,000,000 events. How long each question takes, and how long a start
//! after `kill -9`.
//!
//! `cargo bench -p graphium-store --bench estate [-- TASKS EVENTS]`

#![expect(clippy::print_stdout, reason = "a table is what it is for")]

use futures::executor::block_on;
use graphium_core::{
    action::Action,
    event::{EventType, NewEvent},
    id::{ClaimId, DeploymentId, HostId, StackId, TaskId},
    store::{
        ClaimRequest, Cut, Expect, Key, Kind, RecordQuery, RecordWrite, SessionRequest, Submission, TaskQuery,
        TaskStore,
    },
    task::{Input, Outcome, Task, TaskResult, TaskStatus},
};
use graphium_store::{Options, SqliteStore};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::{
    env,
    error::Error,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

type Done = Result<(), Box<dyn Error>>;

/// Tasks of a deployment, and events of a submission.
const DEPLOYMENT: usize = 100;
const EVENTS: usize = 1000;

const HOSTS: usize = 100;
const STACKS: usize = 200;
const CONTAINERS: usize = 10_000;

/// Of so many deployments one has not ended.
const OPEN: usize = 50;

/// How often each question is asked.
const TIMES: usize = 500;

fn main() -> Done {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [mode, path, tasks, events] = arguments.as_slice()
        && mode == "--fill"
    {
        return fill(Path::new(path), tasks.parse()?, events.parse()?);
    }
    let number = |place: usize, usual| arguments.get(place).and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (tasks, events): (usize, usize) = (number(0, 100_000), number(1, 1_000_000));
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("graphium.db");
    let began = Instant::now();
    fill_and_kill(&path, tasks, events)?;
    let log = fs::metadata(path.with_extension("db-wal")).map_or(0, |log| log.len());
    println!(
        "{tasks} tasks, {events} events: {} MB, and {} MB of log, in {:.0} s",
        fs::metadata(&path)?.len() / 1_000_000,
        log / 1_000_000,
        began.elapsed().as_secs_f64()
    );
    let began = Instant::now();
    let store = block_on(SqliteStore::open(&path, Options::at(now())))?;
    println!("start after kill -9: {:.2} s (goal: at most 2 s)", began.elapsed().as_secs_f64());
    println!("\n{:<44} {:>9} {:>9} {:>9}   goal: p99 at most 10 ms", "question", "p50 ms", "p99 ms", "max ms");
    read(&store, tasks, events)?;
    write(&store, tasks)
}

/// Asks something many times and prints how long it took.
fn measure<T, E: Error + 'static>(name: &str, mut ask: impl FnMut(usize) -> Result<T, E>) -> Done {
    let mut times = Vec::with_capacity(TIMES);
    for round in 0..TIMES {
        // Spread over everything there is, and the same in every run.
        let place = round.wrapping_mul(7919);
        let began = Instant::now();
        ask(place)?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    let (half, most, max) = (times[TIMES / 2], times[TIMES * 99 / 100], times[TIMES - 1]);
    let verdict = if millis(most) <= 10.0 { "met" } else { "MISSED" };
    println!("{name:<44} {:>9.3} {:>9.3} {:>9.3}   {verdict}", millis(half), millis(most), millis(max));
    Ok(())
}

fn read(store: &SqliteStore, tasks: usize, events: usize) -> Done {
    let hundred = || TaskQuery { limit: 100, ..TaskQuery::default() };
    let open = vec![TaskStatus::Pending, TaskStatus::Assigned, TaskStatus::Running];
    let page = |query: TaskQuery| block_on(store.tasks(&query));
    measure("a task", |place| block_on(store.task(&task_id(place % tasks))))?;
    measure("the first 100 tasks", |_| page(hundred()))?;
    measure("100 tasks after any", |place| page(TaskQuery { after: Some(task_id(place % tasks)), ..hundred() }))?;
    measure("the tasks of a deployment", |place| {
        page(TaskQuery { deployment: Some(deployment_id(place * 13 % (tasks / DEPLOYMENT))), ..TaskQuery::default() })
    })?;
    measure("100 tasks of a stack", |place| page(TaskQuery { stack: Some(stack_id(place)), ..hundred() }))?;
    measure("100 tasks of a host", |place| page(TaskQuery { host: Some(host(place)), ..hundred() }))?;
    measure("100 open tasks", |_| page(TaskQuery { statuses: open.clone(), ..hundred() }))?;
    measure("100 open tasks of a host", |place| {
        page(TaskQuery { statuses: open.clone(), host: Some(host(place)), ..hundred() })
    })?;
    measure("100 failed tasks", |_| page(TaskQuery { statuses: vec![TaskStatus::Failed], ..hundred() }))?;
    measure("100 completed tasks of a host", |place| {
        page(TaskQuery { statuses: vec![TaskStatus::Completed], host: Some(host(place)), ..hundred() })
    })?;
    measure("the tasks of a container", |place| {
        page(TaskQuery { container: Some(format!("container-{}", place % CONTAINERS)), ..hundred() })
    })?;
    measure("500 events after any", |place| block_on(store.events((place * 31 % events) as u64, 500)))?;
    measure("the last event's number", |_| block_on(store.last_event()))?;
    measure("a record", |place| block_on(store.record(&Key::new(Kind::Container, container(place % CONTAINERS)))))?;
    let records = |query: RecordQuery| block_on(store.records(&RecordQuery { limit: 100, ..query }));
    measure("100 records of a kind", |place| {
        records(RecordQuery { after: Some(container(place % CONTAINERS)), ..RecordQuery::of(Kind::Container) })
    })?;
    measure("the records of a stack", |place| {
        records(RecordQuery { stack: Some(stack_id(place)), ..RecordQuery::of(Kind::Container) })
    })?;
    measure("the records of a host", |place| {
        records(RecordQuery { host: Some(host(place)), ..RecordQuery::of(Kind::Container) })
    })?;
    measure("when to wake up", |_| block_on(store.next_wakeup()))
}

fn write(store: &SqliteStore, tasks: usize) -> Done {
    let session = |host: HostId| {
        block_on(store.open_session(SessionRequest { host, nonce: "n".to_owned(), seen_epoch: 0 }, now()))
    };
    let epochs =
        (0..HOSTS).map(|number| Ok(session(host(number))?.epoch)).collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    let mut held = Vec::new();
    measure("claim of a task", |place| {
        let request = ClaimRequest {
            host: host(place),
            epoch: epochs[place % HOSTS],
            claim: ClaimId::new(format!("claim-{place}")),
            max: 1,
            expires_at: now() + SignedDuration::from_secs(60),
            expect: None,
        };
        block_on(store.claim(request, now())).map(|mut granted| held.append(&mut granted))
    })?;
    println!("  ({} were granted)", held.len());
    let mut held = held.into_iter();
    measure("report of a task", |_| {
        let Some((id, lease)) = held.next().and_then(|task| Some((task.id, task.lease?))) else { return Ok(None) };
        let outcome = Outcome::Completed(TaskResult { success: true, ..TaskResult::default() });
        block_on(store.act(&id, Input::Report { lease, outcome }, now())).map(Some)
    })?;
    measure("submission of a deployment of ten", |place| {
        let number = tasks + place * DEPLOYMENT;
        let tasks = (number..number + 10).map(|number| Task { depends_on: Vec::new(), ..task(number) }).collect();
        block_on(store.submit(Submission { tasks, ..Submission::default() }, now()))
    })?;
    measure("nothing to prune", |_| block_on(store.prune(&Cut::nothing())))?;
    let half = Cut { max_tasks: (tasks / 2) as u64, ..Cut::nothing() };
    let began = Instant::now();
    let (mut calls, mut pruned, mut longest) = (0, 0, Duration::ZERO);
    loop {
        let call = Instant::now();
        let part = block_on(store.prune(&half))?.ok_or("it prunes nothing")?;
        longest = longest.max(call.elapsed());
        (calls, pruned) = (calls + 1, pruned + part.tasks);
        if !part.more {
            break;
        }
    }
    let (took, longest) = (began.elapsed().as_secs_f64(), longest.as_secs_f64() * 1000.0);
    println!("pruning {pruned} tasks: {took:.1} s in {calls} calls, the longest {longest:.0} ms");
    Ok(())
}

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 50)
}

fn task_id(number: usize) -> TaskId {
    TaskId::new(format!("task:{number:09}"))
}

fn deployment_id(number: usize) -> DeploymentId {
    DeploymentId::new(format!("deployment:{number:06}"))
}

fn stack_id(number: usize) -> StackId {
    StackId::new(format!("stack:{}", number % STACKS))
}

fn host(number: usize) -> HostId {
    HostId::new(format!("vm{}", number % HOSTS))
}

fn container(number: usize) -> String {
    format!("container:{number:06}")
}

fn task(number: usize) -> Task {
    let deployment = number / DEPLOYMENT;
    let ended = !deployment.is_multiple_of(OPEN);
    let status = match number % 50 {
        _ if !ended => TaskStatus::Pending,
        0 => TaskStatus::Failed,
        _ => TaskStatus::Completed,
    };
    let name = format!("container-{}", number % CONTAINERS);
    Task {
        status,
        stack_id: Some(stack_id(deployment)),
        deployment_id: Some(deployment_id(deployment)),
        container_id: Some(name.clone()),
        // As much text as the task of a container has with its specification.
        why: "because it is not there yet, ".repeat(30),
        completed_at: ended.then(now),
        ..Task::new(task_id(number), host(number), Action::Start { name }, now())
    }
}

/// Has a process fill a store, and kills it while it writes.
fn fill_and_kill(path: &Path, tasks: usize, events: usize) -> Done {
    let mut child = Command::new(env::current_exe()?)
        .arg("--fill")
        .arg(path)
        .args([tasks.to_string(), events.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or("no output")?;
    let filled = BufReader::new(output).lines().next().transpose()?;
    thread::sleep(Duration::from_millis(500));
    child.kill()?;
    child.wait()?;
    if filled.as_deref() == Some("filled") { Ok(()) } else { Err("it was not filled".into()) }
}

fn fill(path: &Path, tasks: usize, events: usize) -> Done {
    let store = block_on(SqliteStore::open(path, Options::at(now())))?;
    let submit = |submission| block_on(store.submit(submission, now()));
    for start in (0..tasks).step_by(DEPLOYMENT) {
        submit(Submission { tasks: (start..start + DEPLOYMENT).map(task).collect(), ..Submission::default() })?;
    }
    for start in (0..CONTAINERS).step_by(EVENTS) {
        let write = |number: usize| RecordWrite {
            key: Key::new(Kind::Container, container(number)),
            expect: Expect::Any,
            stack: Some(stack_id(number)),
            host: Some(host(number)),
            body: Some(Arc::new(json!({"@id": container(number), "environment": "x".repeat(700)}))),
        };
        submit(Submission { records: (start..start + EVENTS).map(write).collect(), ..Submission::default() })?;
    }
    let tell = |count: usize| {
        let event = |number: usize| NewEvent {
            kind: EventType::TaskUpdated,
            data: json!({"@id": task_id(number), "status": "running", "hostId": host(number), "planId": "deploy:web",
                         "stackId": stack_id(number), "progress": {"phase": "pulling", "bytes": number}}),
        };
        submit(Submission { events: (0..count).map(event).collect(), ..Submission::default() })
    };
    while (block_on(store.last_event())? as usize) < events {
        tell(EVENTS)?;
    }
    println!("filled");
    loop {
        tell(10)?;
    }
}
