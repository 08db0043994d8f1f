//! One run, from its seed to its verdict.

use super::{
    executor::{Executor, Halt, Process},
    operator::Operator,
    promise::{Breach, Promise},
    setup::Setup,
    trace::Trace,
    world::World,
};
use std::{error::Error, fmt, ops::AddAssign, sync::Arc, time::Duration};

/// More polls than any run needs: beyond them something turns without end.
const MOST_POLLS: u64 = 3_000_000;

/// What a run that kept every promise was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How much time passed in it.
    pub elapsed: Duration,
    /// How often something was polled.
    pub steps: u64,
    /// How many events its store has.
    pub events: u64,
    /// How many tasks were planned.
    pub tasks: usize,
    /// In how many runs something of others was in the way: there a stack may end with the reason why it is not as it should be.
    pub obstructed: usize,
    /// In how many runs the server's clock has jumped ahead: there a lease may end before its time.
    pub jumped_ahead: usize,
    /// In how many runs the store has let go of work that was over.
    pub pruned: usize,
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.elapsed += other.elapsed;
        self.steps += other.steps;
        self.events += other.events;
        self.tasks += other.tasks;
        self.obstructed += other.obstructed;
        self.jumped_ahead += other.jumped_ahead;
        self.pruned += other.pruned;
    }
}

/// A run that broke a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its seed: with the same setup it happens again.
    pub seed: u64,
    /// What was broken.
    pub breach: Breach,
    /// Everything that happened up to then.
    pub trace: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}seed {}: {}", self.trace, self.seed, self.breach)
    }
}

impl Error for Failure {}

/// A run with its trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Everything that happened, line by line: when, who, what.
    pub trace: String,
    /// How it ended.
    pub verdict: Result<Report, Breach>,
}

/// Runs one seed. Nothing is written down unless it fails; then it is run once more for its trace.
///
/// # Errors
/// The promise that was broken, with the trace.
pub fn simulate(seed: u64, setup: &Setup) -> Result<Report, Box<Failure>> {
    match run(seed, setup, Trace::default(), false) {
        Recording { verdict: Ok(report), .. } => Ok(report),
        Recording { verdict: Err(breach), .. } => {
            let Recording { trace, .. } = record(seed, setup);
            Err(Box::new(Failure { seed, breach, trace }))
        }
    }
}

/// Runs one seed and writes everything down.
///
/// # Example
/// The simulation finds what is wrong: with a bug that is put in on purpose, some seed breaks a promise.
/// ```
/// use graphium_core::sim::{Breach, Bug, Failure, Faults, Promise, Recording, Report, Setup, record, simulate};
/// use std::time::Duration;
///
/// let calm = Setup { faults: Faults::none(), storm: Duration::from_secs(10), ..Setup::default() };
/// let recording: Recording = record(1, &calm);
/// let report: Report = recording.verdict.unwrap();
/// assert!(report.tasks > 0 && recording.trace.contains("deploy"));
///
/// let broken = Setup { bug: Some(Bug::EventSkipped), ..calm };
/// let failure: Box<Failure> = (1..20).find_map(|seed| simulate(seed, &broken).err()).unwrap();
/// let breach: &Breach = &failure.breach;
/// assert_eq!(breach.promise, Promise::EventsGapless);
/// assert!(failure.to_string().contains(&failure.seed.to_string()));
/// ```
pub fn record(seed: u64, setup: &Setup) -> Recording {
    run(seed, setup, Trace::kept(), true)
}

fn run(seed: u64, setup: &Setup, trace: Trace, traced: bool) -> Recording {
    let world = Arc::new(World::new(seed, setup.clone(), trace, traced));
    let order = world.throw(|dice| dice.fork());
    let mut executor = Executor::new(world.clock.clone(), order, world.spawner.clone());
    world.furnish();
    begin(&world);
    let halt = executor.run(
        MOST_POLLS,
        || {
            world.inspect();
            world.state().is_over || world.judge().breach().is_some()
        },
        |process| {
            let pause = world.throw(|dice| dice.millis(100, 15_000));
            world.has_crashed(process, pause);
        },
    );
    match halt {
        Halt::Told => {}
        Halt::Stuck => world.judge().accuse(Promise::Converges, "nothing can go on any more".to_owned()),
        Halt::Exhausted => world.judge().accuse(Promise::Converges, "something turns without end".to_owned()),
    }
    let (breach, events, tasks, pruned) = {
        let judge = world.judge();
        (judge.breach().cloned(), judge.seen, judge.planned_tasks(), usize::from(!judge.pruned.is_empty()))
    };
    let (obstructed, jumped_ahead) = {
        let state = world.state();
        (usize::from(state.has_excuse), usize::from(state.clock_jumped_ahead))
    };
    let (elapsed, steps) = (world.elapsed(), executor.polls());
    let report = Report { elapsed, steps, events, tasks, obstructed, jumped_ahead, pruned };
    let trace = world.take_trace();
    executor.drop_all();
    // The control plane holds its store, which holds the world.
    world.state().server = None;
    Recording { trace, verdict: breach.map_or(Ok(report), Err) }
}

/// Everybody begins, and ends when all is over.
fn begin(world: &Arc<World>) {
    world.start_server();
    for host in 0..world.hosts.len() {
        world.start_agent(host);
    }
    if let Some(pause) = world.setup.faults.trouble {
        world.spawn(Process::World, Arc::clone(world).make_trouble(pause));
    }
    world.spawn(Process::World, Arc::clone(world).oversee());
    world.spawn(Process::World, Arc::clone(world).have_read());
    if world.prunes() {
        world.spawn(Process::World, Arc::clone(world).follow_events());
    }
    let story = Arc::clone(world);
    world.spawn(Process::World, async move {
        let mut operator = Operator::new(&story);
        operator.work(story.setup.storm).await;
        story.calm_down();
        story.look_at_foreign();
        story.look_at_adopted();
        story.come_to_rest(&mut operator).await;
        story.look_at_foreign();
        story.look_at_adopted();
        story.let_go().await;
        story.state().is_over = true;
    });
}
