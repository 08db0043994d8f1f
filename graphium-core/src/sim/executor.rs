//! One thread that polls everything, in an order that the seed decides.

use super::dice::Dice;
use crate::testing::ManualEnvironment;
use futures::future::BoxFuture;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

/// A program, or a part of the world that lives and dies as one. Its futures are dropped together when it crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Process {
    /// The control plane with all requests that it handles.
    Server,
    /// The agent of a host, by number.
    Agent(usize),
    /// The container engine of a host, by number: it goes on with what it was asked when its caller is gone.
    Engine(usize),
    /// Messages on their way.
    Wire,
    /// Operators, and whoever makes things go wrong.
    World,
}

/// Where futures are handed in and processes are ended, from inside and outside of what runs.
#[derive(Clone, Default)]
pub(super) struct Spawner(Arc<Mutex<Orders>>);

#[derive(Default)]
struct Orders {
    new: Vec<(Process, BoxFuture<'static, ()>)>,
    kill: Vec<Process>,
    doomed: BTreeMap<Process, usize>,
}

impl Spawner {
    pub(super) fn spawn(&self, process: Process, future: impl Future<Output = ()> + Send + 'static) {
        self.orders().new.push((process, Box::pin(future)));
    }

    /// Ends a process before anything else is polled.
    pub(super) fn kill(&self, process: Process) {
        let mut orders = self.orders();
        orders.doomed.remove(&process);
        orders.kill.push(process);
    }

    /// Ends a process at the await that comes after so many more polls of it.
    pub(super) fn doom(&self, process: Process, polls: usize) {
        self.orders().doomed.insert(process, polls);
    }

    /// Nobody is doomed any more.
    pub(super) fn spare(&self) {
        self.orders().doomed.clear();
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a run of the executor ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    /// Somebody said so.
    Told,
    /// Nothing can go on, and no time that passes changes that.
    Stuck,
    /// The limit of polls was reached: something turns without end.
    Exhausted,
}

struct Task {
    process: Process,
    future: BoxFuture<'static, ()>,
    flag: Arc<Flag>,
}

/// Polls ready futures one by one; when none is, the clock goes on.
pub(super) struct Executor {
    clock: ManualEnvironment,
    dice: Dice,
    spawner: Spawner,
    tasks: BTreeMap<u64, Task>,
    ready: Arc<Mutex<Vec<u64>>>,
    made: u64,
    polls: u64,
}

impl Executor {
    pub(super) fn new(clock: ManualEnvironment, dice: Dice, spawner: Spawner) -> Self {
        Self { clock, dice, spawner, tasks: BTreeMap::new(), ready: Arc::default(), made: 0, polls: 0 }
    }

    pub(super) fn polls(&self) -> u64 {
        self.polls
    }

    /// Goes on until `is_over` says so, which is asked after every step; `crashed` is told of processes that were doomed.
    pub(super) fn run(
        &mut self,
        most_polls: u64,
        mut is_over: impl FnMut() -> bool,
        mut crashed: impl FnMut(Process),
    ) -> Halt {
        loop {
            self.follow_orders();
            if is_over() {
                return Halt::Told;
            }
            if self.polls >= most_polls {
                return Halt::Exhausted;
            }
            match self.next_ready() {
                Some(id) => {
                    if let Some(process) = self.poll(id) {
                        crashed(process);
                    }
                }
                None => {
                    if !self.clock.wake_next(Duration::MAX) {
                        return Halt::Stuck;
                    }
                }
            }
        }
    }

    /// Drops everything that still runs.
    pub(super) fn drop_all(&mut self) {
        drop(std::mem::take(&mut self.tasks));
        self.follow_orders();
        drop(std::mem::take(&mut self.tasks));
    }

    fn follow_orders(&mut self) {
        loop {
            let (kill, new) = {
                let mut orders = self.spawner.orders();
                (std::mem::take(&mut orders.kill), std::mem::take(&mut orders.new))
            };
            if kill.is_empty() && new.is_empty() {
                return;
            }
            // What a process had asked for before its end dies with it; what replaces it comes with later orders.
            for process in kill {
                self.drop_process(process);
            }
            for (process, future) in new {
                self.made += 1;
                let flag =
                    Arc::new(Flag { id: self.made, queued: AtomicBool::new(false), ready: Arc::clone(&self.ready) });
                flag.queue();
                self.tasks.insert(self.made, Task { process, future, flag });
            }
        }
    }

    fn drop_process(&mut self, process: Process) {
        let ended: Vec<Task> =
            self.tasks.extract_if(.., |_, task| task.process == process).map(|(_, task)| task).collect();
        drop(ended);
    }

    fn next_ready(&mut self) -> Option<u64> {
        loop {
            let id = {
                let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
                if ready.is_empty() {
                    return None;
                }
                let place = if ready.len() == 1 { 0 } else { self.dice.below(ready.len()) };
                ready.swap_remove(place)
            };
            if self.tasks.contains_key(&id) {
                return Some(id);
            }
        }
    }

    /// Polls one; answers with its process if that ends here.
    fn poll(&mut self, id: u64) -> Option<Process> {
        let task = self.tasks.get_mut(&id)?;
        self.polls += 1;
        task.flag.queued.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&task.flag));
        let process = task.process;
        if let Poll::Ready(()) = task.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            drop(self.tasks.remove(&id));
        }
        let is_doomed = {
            let mut orders = self.spawner.orders();
            match orders.doomed.get_mut(&process) {
                Some(0) => orders.doomed.remove(&process).is_some(),
                Some(left) => {
                    *left -= 1;
                    false
                }
                None => false,
            }
        };
        if is_doomed {
            self.drop_process(process);
        }
        is_doomed.then_some(process)
    }
}

struct Flag {
    id: u64,
    queued: AtomicBool,
    ready: Arc<Mutex<Vec<u64>>>,
}

impl Flag {
    fn queue(&self) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.ready.lock().unwrap_or_else(PoisonError::into_inner).push(self.id);
        }
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.queue();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.queue();
    }
}
