//! A child that does what a store answers for and tells its parent of every answer, and what the parent looks for afterwards.

use futures::executor::block_on;
use graphium_core::{
    action::Action,
    event::{EventType, NewEvent},
    id::{ClaimId, HostId, TaskId},
    store::{
        ClaimRequest, Expect, Key, Kind, RecordQuery, RecordWrite, SessionRequest, StoreError, Submission, TaskQuery,
        TaskStore, TaskStoreExt,
    },
    task::{Input, Lease, Outcome, Task, TaskResult, TaskStatus},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    error::Error,
    fmt,
    io::Write,
    str::FromStr,
    sync::Arc,
    thread,
};

pub(crate) type Checked<T = ()> = Result<T, Box<dyn Error>>;

pub(crate) const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// What a store has answered.
#[derive(Clone, Debug)]
pub(crate) enum Acknowledged {
    Submitted(TaskId),
    Epoch(HostId, u64),
    Granted(Lease),
    Reported(TaskId),
    /// Of what waited: it has ended with that.
    Cancelled(TaskId),
    /// The cancellation of what was held: its holder hears of it.
    Asked(TaskId),
}

impl fmt::Display for Acknowledged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Submitted(task) => write!(f, "submitted {task}"),
            Self::Epoch(host, epoch) => write!(f, "epoch {host} {epoch}"),
            Self::Granted(Lease { task, attempt, epoch, claim, .. }) => {
                write!(f, "granted {task} {attempt} {epoch} {claim}")
            }
            Self::Reported(task) => write!(f, "reported {task}"),
            Self::Cancelled(task) => write!(f, "cancelled {task}"),
            Self::Asked(task) => write!(f, "asked {task}"),
        }
    }
}

impl FromStr for Acknowledged {
    type Err = Box<dyn Error>;

    fn from_str(line: &str) -> Checked<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        Ok(match words[..] {
            ["submitted", task] => Self::Submitted(task.into()),
            ["epoch", host, epoch] => Self::Epoch(host.into(), epoch.parse()?),
            ["granted", task, attempt, epoch, claim] => Self::Granted(Lease {
                task: task.into(),
                attempt: attempt.parse()?,
                epoch: epoch.parse()?,
                claim: claim.into(),
                expires_at: NOW,
            }),
            ["reported", task] => Self::Reported(task.into()),
            ["cancelled", task] => Self::Cancelled(task.into()),
            ["asked", task] => Self::Asked(task.into()),
            _ => return Err(format!("`{line}` acknowledges nothing").into()),
        })
    }
}

/// Tells the parent, in one write: a line that is cut off was not acknowledged.
pub(crate) fn tell(what: impl fmt::Display) {
    let _ = std::io::stdout().write_all(format!("acknowledged {what}\n").as_bytes());
}

/// Rounds of a session.
const ROUNDS: usize = 10;

/// Is the agents of so many hosts, through so many sessions each.
pub(crate) fn work(store: &Arc<dyn TaskStore>, hosts: usize, sessions: usize) -> Checked {
    let workers: Vec<_> = (0..hosts)
        .map(|host| {
            let (store, host) = (Arc::clone(store), HostId::new(format!("vm{host}")));
            thread::spawn(move || {
                (0..sessions).try_for_each(|number| block_on(serve(&*store, &host, number))).map_err(|e| e.to_string())
            })
        })
        .collect();
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked")??;
    }
    Ok(())
}

/// A session of an agent, and of those who give it work: some is done, some cancelled, some still held at the end.
async fn serve(store: &dyn TaskStore, host: &HostId, number: usize) -> Result<(), StoreError> {
    let epoch = open_session(store, host, format!("{}.{number}", std::process::id())).await?;
    tell(Acknowledged::Epoch(host.clone(), epoch));
    for round in 0..ROUNDS {
        let name = format!("{host}.{epoch}.{round}");
        let id = TaskId::new(format!("task:{name}"));
        let cancel = Input::Cancel { reason: "not needed".to_owned() };
        store.submit(submission(&id, host), NOW).await?;
        tell(Acknowledged::Submitted(id.clone()));
        if round % 5 == 4 {
            store.act(&id, cancel.clone(), NOW).await?;
            tell(Acknowledged::Cancelled(id));
        }
        for lease in claim(store, host, epoch, &name).await? {
            let task = lease.task.clone();
            tell(Acknowledged::Granted(lease.clone()));
            match round % 4 {
                0 | 1 => {
                    let outcome = Outcome::Completed(TaskResult { success: true, ..TaskResult::default() });
                    store.act(&task, Input::Report { lease, outcome }, NOW).await?;
                    tell(Acknowledged::Reported(task));
                }
                2 => {
                    store.act(&task, cancel.clone(), NOW).await?;
                    tell(Acknowledged::Asked(task));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

async fn open_session(store: &dyn TaskStore, host: &HostId, nonce: String) -> Result<u64, StoreError> {
    // Nothing was seen: the store alone knows what it has given.
    Ok(store.open_session(SessionRequest { host: host.clone(), nonce, seen_epoch: 0 }, NOW).await?.epoch)
}

async fn claim(store: &dyn TaskStore, host: &HostId, epoch: u64, claim: &str) -> Result<Vec<Lease>, StoreError> {
    let (host, claim) = (host.clone(), ClaimId::new(format!("claim:{claim}")));
    let request = ClaimRequest { host, epoch, claim, max: 2, expires_at: later(), expect: None };
    Ok(store.claim(request, NOW).await?.into_iter().filter_map(|task| task.lease).collect())
}

fn later() -> Timestamp {
    NOW + SignedDuration::from_mins(1)
}

/// A task with its record and an event, some of them large.
pub(crate) fn submission(id: &TaskId, host: &HostId) -> Submission {
    let size = if id.as_str().ends_with('7') { 20_000 } else { 200 };
    let write = RecordWrite {
        key: Key::new(Kind::Deployment, id.as_str()),
        expect: Expect::Absent,
        stack: None,
        host: None,
        body: Some(Arc::new(json!({"text": "x".repeat(size)}))),
    };
    let task = Task {
        deployment_id: Some(id.as_str().into()),
        ..Task::new(id.clone(), host.clone(), Action::Start { name: "web".to_owned() }, NOW)
    };
    let event = NewEvent { kind: EventType::StackDeploying, data: json!({}) };
    Submission { records: vec![write], tasks: vec![task], events: vec![event], ..Submission::default() }
}

/// What a store has lost of what was acknowledged.
///
/// # Errors
/// When what it has does not fit together.
pub(crate) async fn lost(store: &dyn TaskStore, acknowledged: &[Acknowledged]) -> Checked<Vec<String>> {
    let tasks = store.all_tasks(TaskQuery::default()).await?;
    let told = told(store, &tasks).await?;
    let tasks: HashMap<&TaskId, &Task> = tasks.iter().map(|task| (&task.id, task)).collect();
    let newest = newest(store, acknowledged).await?;
    let leases: Vec<Lease> = acknowledged.iter().filter_map(granted).cloned().collect();
    let renewed = store.renew(&leases, later()).await?;
    let is_held =
        |lease: &Lease| renewed.iter().filter_map(|task| task.lease.as_ref()).any(|held| held.is_same_grant(lease));
    let has = |what: &Acknowledged| match what {
        Acknowledged::Submitted(id) => tasks.contains_key(id),
        Acknowledged::Epoch(host, epoch) => newest[host] >= *epoch,
        Acknowledged::Granted(lease) => tasks.get(&lease.task).is_some_and(|task| {
            let assigned = (task.id.as_str().to_owned(), json!(TaskStatus::Assigned), json!(lease.attempt));
            let is_over = task.status.is_terminal() || newest[&task.host_id] > lease.epoch;
            told.contains(&assigned)
                && (task.attempt > lease.attempt || task.attempt == lease.attempt && (is_over || is_held(lease)))
        }),
        Acknowledged::Reported(id) => tasks.get(id).is_some_and(|task| task.status == TaskStatus::Completed),
        Acknowledged::Cancelled(id) => tasks.get(id).is_some_and(|task| task.status.is_terminal()),
        Acknowledged::Asked(id) => {
            tasks.get(id).is_some_and(|task| task.status.is_terminal() || task.cancel_requested.is_some())
        }
    };
    Ok(acknowledged.iter().filter(|what| !has(what)).map(ToString::to_string).collect())
}

fn granted(what: &Acknowledged) -> Option<&Lease> {
    if let Acknowledged::Granted(lease) = what { Some(lease) } else { None }
}

/// The newest session of each host that has one.
async fn newest(store: &dyn TaskStore, acknowledged: &[Acknowledged]) -> Checked<HashMap<HostId, u64>> {
    let mut sessions = HashMap::new();
    for what in acknowledged {
        if let Acknowledged::Epoch(host, _) = what {
            // No session has this number, and the refusal tells which is the newest.
            match claim(store, host, 0, "none").await {
                Err(StoreError::SessionLost { newest, .. }) => sessions.insert(host.clone(), newest),
                other => return Err(format!("a claim of no session: {other:?}").into()),
            };
        }
    }
    Ok(sessions)
}

/// Where the events say that tasks stood: id, status and attempt. Of every submission there is all or nothing, and the
/// events have no gap and end where the tasks stand.
async fn told(store: &dyn TaskStore, tasks: &[Task]) -> Checked<HashSet<(String, Value, Value)>> {
    let records = store.all_records(RecordQuery::of(Kind::Deployment)).await?;
    let records: HashSet<&str> = records.iter().map(|record| record.key.id.as_str()).collect();
    let (mut all, mut last, mut deploying) = (HashSet::new(), HashMap::new(), 0);
    for (event, number) in store.events(0, usize::MAX).await?.into_iter().zip(1..) {
        if event.seq != number {
            return Err(format!("event {} is in the place of {number}", event.seq).into());
        }
        deploying += usize::from(event.kind == EventType::StackDeploying);
        if let Some(id) = event.data["@id"].as_str() {
            let stands = (event.data["status"].clone(), event.data["attempt"].clone());
            all.insert((id.to_owned(), stands.0.clone(), stands.1.clone()));
            last.insert(id.to_owned(), stands);
        }
    }
    for task in tasks {
        if !records.contains(task.id.as_str()) {
            return Err(format!("the record of `{}` is missing", task.id).into());
        }
        let stands = (json!(task.status), json!(task.attempt));
        if last.get(task.id.as_str()) != Some(&stands) {
            return Err(format!("`{}` is {stands:?}, told was {:?}", task.id, last.get(task.id.as_str())).into());
        }
    }
    if [records.len(), last.len(), deploying] != [tasks.len(); 3] {
        return Err(format!("{} tasks, {} records, {deploying} deployments", tasks.len(), records.len()).into());
    }
    Ok(all)
}

/// Goes on with a session of each host: above all that were acknowledged, and what was held before is given to it.
pub(crate) async fn take_over(store: &dyn TaskStore, acknowledged: &[Acknowledged]) -> Checked<Vec<Acknowledged>> {
    let mut above: HashMap<&HostId, u64> = HashMap::new();
    for what in acknowledged {
        if let Acknowledged::Epoch(host, epoch) = what {
            let highest = above.entry(host).or_default();
            *highest = (*highest).max(*epoch);
        }
    }
    let mut answers = Vec::new();
    for (host, highest) in above {
        let epoch = open_session(store, host, format!("after {highest}")).await?;
        if epoch <= highest {
            return Err(format!("`{host}` is given session {epoch} after {highest}").into());
        }
        answers.push(Acknowledged::Epoch(host.clone(), epoch));
        answers.extend(
            claim(store, host, epoch, &format!("{host}.{epoch}")).await?.into_iter().map(Acknowledged::Granted),
        );
    }
    Ok(answers)
}
