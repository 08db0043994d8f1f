//! Histories: clients at work on a store, and the verdict on each task.

use super::{
    Timed, Verdict, check,
    client::{Client, until_answered},
    task::{Asked, OneTask, Stands},
};
use crate::{
    action::Action,
    id::{HostId, TaskId},
    store::{SessionRequest, Submission, TaskStore},
    task::{Lease, Task},
    testing::{ManualEnvironment, store_suite},
};
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use std::{
    ops::AddAssign,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    thread,
};
use store_suite::Stop;

/// How large a history is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Clients, each a thread.
    pub clients: usize,
    /// Calls of a client.
    pub calls: usize,
    /// Tasks that they contend for.
    pub tasks: usize,
    /// Steps after which the checker gives up on a task, which counts as a failure.
    pub budget: usize,
}

impl Default for Settings {
    /// Eight clients, 200 calls in all, on three tasks of one host.
    fn default() -> Self {
        Self { clients: 8, calls: 25, tasks: 3, budget: 1_000_000 }
    }
}

/// How much was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls, each counted for every task that it tells something of.
    pub calls: usize,
    /// Those of them that were under way at the same time as another: the rest could be told from their order alone.
    pub contended: usize,
    /// Those of them that were not answered.
    pub unanswered: usize,
}

impl Tally {
    /// Whether it tells anything.
    ///
    /// # Errors
    /// [`Stop::Broken`]: the clients hardly met.
    pub fn verdict(self) -> store_suite::Verdict {
        if self.contended * 4 > self.calls {
            Ok(())
        } else {
            Err(Stop::Broken(format!("the clients hardly meet: {self:?}")))
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.calls += more.calls;
        self.contended += more.contended;
        self.unanswered += more.unanswered;
    }
}

/// Runs a future to its end on the present thread.
type BlockOn<'a> = &'a (dyn Fn(BoxFuture<'_, ()>) + Sync);

/// Makes one history for each seed, on hosts and tasks of its own, and checks each task of it. `block_on` runs a future to its
/// end on the thread that calls it. A new store for every few seeds makes it quicker: what earlier histories have left is never
/// looked at again.
///
/// A call that ends with [`Unavailable`](crate::store::StoreError::Unavailable) may have been carried out, at any time since it was
/// made, or not at all; what a history cannot do without is asked for again.
///
/// # Errors
/// [`Stop::Broken`] with the seed and the part of the history that fits no order.
pub fn check_histories(
    store: &dyn TaskStore,
    settings: Settings,
    seeds: std::ops::Range<u64>,
    block_on: &(dyn Fn(BoxFuture<'_, ()>) + Sync),
) -> Result<Tally, Stop> {
    let mut tally = Tally::default();
    for seed in seeds {
        history(store, settings, seed, block_on, &mut tally).map_err(|stop| match stop {
            Stop::Broken(why) => Stop::Broken(format!("seed {seed}: {why}")),
            lacking @ Stop::Lacking(_) => lacking,
        })?;
    }
    Ok(tally)
}

fn history(
    store: &dyn TaskStore,
    settings: Settings,
    seed: u64,
    block_on: BlockOn<'_>,
    tally: &mut Tally,
) -> store_suite::Verdict {
    let mut prepared = Err(Stop::Broken("the executor has not run the future".to_owned()));
    block_on(Box::pin(async { prepared = Stage::prepare(store, settings, seed).await }));
    let (stage, tasks) = prepared?;
    let clients: Vec<Client<'_>> = (0..settings.clients)
        .map(|number| Client {
            stage: &stage,
            store,
            number,
            dice: ManualEnvironment::seeded(seed.wrapping_mul(1009).wrapping_add(number as u64)),
            granted: Vec::new(),
            log: Vec::new(),
        })
        .collect();
    let work = |mut client: Client<'_>| {
        let mut verdict = Err(Stop::Broken("the executor has not run the future".to_owned()));
        block_on(Box::pin(async { verdict = client.run(settings.calls).await }));
        verdict.map(|()| client.log)
    };
    let logs = thread::scope(|scope| {
        let threads: Vec<_> = clients.into_iter().map(|client| scope.spawn(|| work(client))).collect();
        let ended = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(Stop::Broken("a client panicked".to_owned()))));
        ended.collect::<Result<Vec<_>, _>>()
    })?;
    let mut log: Vec<(TaskId, Timed<Asked>)> = logs.into_iter().flatten().collect();
    log.sort_by_key(|(_, timed)| timed.begin);
    for task in tasks {
        let history: Vec<_> = log.iter().filter(|(id, _)| *id == task.id).map(|(_, timed)| timed.clone()).collect();
        tally.calls += history.len();
        tally.contended += contended(&history);
        tally.unanswered += history.iter().filter(|timed| timed.end == u64::MAX).count();
        let model = OneTask(Stands { task, epoch: stage.first_epoch });
        match check(&model, &history, settings.budget) {
            Verdict::Linearizable => {}
            Verdict::Unknown => return Err(Stop::Broken(format!("undecided after {} steps", settings.budget))),
            Verdict::NotLinearizable(order) => return Err(Stop::Broken(explain(&model.0.task.id, &history, &order))),
        }
    }
    Ok(())
}

/// How many calls, which are in the order of their begins, were under way while another was.
fn contended(history: &[Timed<Asked>]) -> usize {
    let mut count = 0;
    let mut last_end = None;
    for (place, timed) in history.iter().enumerate() {
        let before = last_end.is_some_and(|end| end > timed.begin);
        let after = history.get(place + 1).is_some_and(|next| next.begin < timed.end);
        count += usize::from(before || after);
        last_end = last_end.max(Some(timed.end));
    }
    count
}

/// What a history's clients share.
pub(super) struct Stage {
    pub(super) host: HostId,
    pub(super) tasks: Vec<TaskId>,
    first_epoch: u64,
    /// Counts begins and ends of calls: real time.
    moments: AtomicU64,
    /// Seconds of the stores' time: each call brings its own.
    clock: AtomicI64,
    newest: AtomicU64,
    leases: Mutex<Vec<Lease>>,
}

impl Stage {
    async fn prepare(store: &dyn TaskStore, settings: Settings, seed: u64) -> Result<(Self, Vec<Task>), Stop> {
        let host = HostId::new(format!("host-{seed}"));
        let task = |number| {
            let id = TaskId::new(format!("task:{seed:08}.{number}"));
            let payload = Action::Start { name: format!("shop-{number}") };
            Task { max_retries: 1000, ..Task::new(id, host.clone(), payload, start()) }
        };
        let tasks: Vec<Task> = (0..settings.tasks).map(task).collect();
        let submission = Submission { tasks: tasks.clone(), ..Submission::default() };
        until_answered(|| store.submit(submission.clone(), start())).await?;
        let request = SessionRequest { host: host.clone(), nonce: "first".to_owned(), seen_epoch: 0 };
        let session = until_answered(|| store.open_session(request.clone(), start())).await?;
        let stage = Self {
            host,
            tasks: tasks.iter().map(|task| task.id.clone()).collect(),
            first_epoch: session.epoch,
            moments: AtomicU64::new(0),
            clock: AtomicI64::new(0),
            newest: AtomicU64::new(session.epoch),
            leases: Mutex::default(),
        };
        Ok((stage, tasks))
    }

    /// The begin of a call. Others may have their turn before it is made: what one thread does at a stretch meets nobody.
    pub(super) fn begin(&self) -> u64 {
        let moment = self.moment();
        thread::yield_now();
        moment
    }

    /// The present moment, or the end of a call.
    pub(super) fn moment(&self) -> u64 {
        self.moments.fetch_add(1, Ordering::SeqCst)
    }

    /// A time that no other call brings.
    pub(super) fn now(&self) -> Timestamp {
        start() + SignedDuration::from_secs(self.clock.fetch_add(1, Ordering::SeqCst))
    }

    /// The newest epoch, as far as is known, or an older one.
    pub(super) fn epoch(&self, older: bool) -> u64 {
        self.newest.load(Ordering::SeqCst) - u64::from(older && self.first_epoch > 0)
    }

    pub(super) fn open(&self, epoch: u64) {
        self.newest.fetch_max(epoch, Ordering::SeqCst);
    }

    pub(super) fn grant(&self, leases: impl Iterator<Item = Lease>) {
        self.leases().extend(leases);
    }

    pub(super) fn leases(&self) -> MutexGuard<'_, Vec<Lease>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start() -> Timestamp {
    // 2026-01-01T00:00:00Z: any fixed moment will do.
    Timestamp::from_second(1_767_225_600).unwrap_or_default()
}

/// How many operations of each kind a failure shows.
const SHOWN: usize = 8;

/// The end of what fits, and what comes next and does not.
fn explain(task: &TaskId, history: &[Timed<Asked>], order: &[usize]) -> String {
    let line = |place: &usize| history.get(*place).map(|timed| format!("\n  {timed:?}")).unwrap_or_default();
    let fits: String = order.iter().skip(order.len().saturating_sub(SHOWN)).map(line).collect();
    let rest: String =
        (0..history.len()).filter(|place| !order.contains(place)).take(SHOWN).map(|place| line(&place)).collect();
    format!(
        "`{task}`: {} of {} calls fit an order, the last of them{fits}\nand none of these can be next:{rest}",
        order.len(),
        history.len()
    )
}
