//! What can happen, and what must hold.

use crate::{
    guard::Guard,
    world::{Agent, Hold, LEASE, Message, Row, Server, World, at},
};
use graphium_core::task::{MAX_LOST, TaskStatus};
use stateright::{Model, Property};
use std::collections::BTreeSet;

/// How far the search goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    /// Steps of the clock.
    pub(crate) time: u8,
    /// Claims of each run of the agent.
    pub(crate) claims: u8,
    /// Renewals of each run.
    pub(crate) renewals: u8,
    pub(crate) crashes: u8,
    pub(crate) cancels: u8,
    /// Runs of the agent.
    pub(crate) runs: u8,
    /// Retries that the task has.
    pub(crate) retries: u32,
    /// How often its agent was lost before.
    pub(crate) losses: u32,
}

impl Scope {
    /// One run of the agent, a crash of the server, somebody who cancels.
    pub(crate) const RUN: Self =
        Self { time: 3, claims: 2, renewals: 1, crashes: 1, cancels: 1, runs: 1, retries: 1, losses: 0 };
    /// One run after the other.
    pub(crate) const RUNS: Self =
        Self { time: 3, claims: 1, renewals: 0, crashes: 1, cancels: 1, runs: 2, retries: 1, losses: 0 };
    /// As many attempts as there can be: one loss more is the last.
    pub(crate) const BOUNDS: Self =
        Self { time: 4, claims: 3, renewals: 0, crashes: 0, cancels: 0, runs: 1, retries: 1, losses: MAX_LOST - 1 };

    fn attempts(&self) -> u32 {
        self.retries + MAX_LOST - self.losses
    }
}

/// The protocol, or what is left of it without a guard.
#[derive(Clone, Debug)]
pub(crate) struct Protocol {
    pub(crate) scope: Scope,
    pub(crate) without: Option<Guard>,
}

impl Protocol {
    pub(crate) fn lacks(&self, guard: Guard) -> bool {
        self.without == Some(guard)
    }
}

/// What happens next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Tick,
    Crash,
    Restart,
    Expire,
    Cancel,
    Start(usize),
    End(usize),
    Ask(usize),
    Renew(usize),
    Report(usize, bool),
    Deliver(Message),
}

pub(crate) const ONE_ACTS: &str = "whoever acts holds the present lease";
pub(crate) const LEASES_LAST: &str = "a lease lasts as long as its own holder asks";
pub(crate) const ENDS_STAY: &str = "an end is final";
pub(crate) const NEWEST_HOLDS: &str = "the newest session holds what is held";
pub(crate) const EPOCHS_DIFFER: &str = "an epoch is given to one run";
pub(crate) const WISHES_COUNT: &str = "what was asked to end is not handed out again";
pub(crate) const ATTEMPTS_END: &str = "attempts are bounded";

impl Model for Protocol {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        let server = Server { row: Row::of(&self.fresh()), session: None };
        let first = Agent { lives: true, ..Agent::default() };
        vec![World {
            now: 0,
            disk: server.clone(),
            memory: Some(server),
            agents: [first, Agent::default()],
            network: BTreeSet::from([Message::Open { run: 0 }]),
            crashes: 0,
            cancels: 0,
            asked: 0,
            ended: None,
            wish: None,
            epochs: BTreeSet::new(),
        }]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        let scope = &self.scope;
        steps.push(Step::Tick);
        match world.memory {
            Some(_) if world.crashes < scope.crashes => steps.push(Step::Crash),
            Some(_) => {}
            None => steps.push(Step::Restart),
        }
        if world.memory.is_some() {
            steps.push(Step::Expire);
            if world.cancels < scope.cancels {
                steps.push(Step::Cancel);
            }
        }
        for (run, agent) in world.agents.iter().enumerate().take(usize::from(scope.runs)) {
            if !agent.lives {
                let is_free = self.lacks(Guard::OneAgentAtATime) || world.agents.iter().all(|other| !other.lives);
                if !agent.has_ended && is_free {
                    steps.push(Step::Start(run));
                }
                continue;
            }
            if scope.runs > 1 && run == 0 {
                steps.push(Step::End(run));
            }
            match &agent.holds {
                None if agent.epoch.is_some() && agent.claims < scope.claims => steps.push(Step::Ask(run)),
                None => {}
                Some(_) => {
                    if agent.renewals < scope.renewals {
                        steps.push(Step::Renew(run));
                    }
                    steps.extend([Step::Report(run, true), Step::Report(run, false)]);
                }
            }
        }
        steps.extend(world.network.iter().cloned().map(Step::Deliver));
    }

    fn next_state(&self, before: &World, step: Step) -> Option<World> {
        let mut world = before.clone();
        match step {
            Step::Tick if world.now == self.scope.time => return None,
            Step::Tick => self.tick(&mut world),
            Step::Crash => {
                world.crashes += 1;
                world.memory = None;
            }
            Step::Restart => {
                world.memory = Some(self.restart(&world.disk, world.now));
                world.asked = world.now;
            }
            Step::Expire => self.serve(&mut world, |server, now| self.expire(server, now))?,
            Step::Cancel => {
                world.cancels += 1;
                let done = self.serve(&mut world, |server, now| self.cancel(server, now))?;
                if done {
                    world.wish = Some(world.server().row.attempt);
                }
            }
            Step::Start(run) => {
                world.agents[run].lives = true;
                world.network.insert(Message::Open { run: number(run) });
            }
            Step::End(run) => world.agents[run] = Agent { has_ended: true, ..Agent::default() },
            Step::Ask(run) => {
                let agent = &mut world.agents[run];
                // The same claim as long as it is not answered.
                let claim = *agent.open.get_or_insert(10 * number(run) + agent.claims);
                agent.claims += 1;
                let epoch = agent.epoch?;
                world.network.insert(Message::Claim { run: number(run), epoch, claim, asked: world.now });
            }
            Step::Renew(run) => {
                let agent = &mut world.agents[run];
                agent.renewals += 1;
                let grant = agent.holds.as_ref()?.grant;
                world.network.insert(Message::Renew { run: number(run), grant, asked: world.now });
            }
            Step::Report(run, completed) => {
                // Who reports has stopped to act.
                let grant = world.agents[run].holds.take()?.grant;
                world.network.insert(Message::Report { grant, completed });
            }
            Step::Deliver(message) => self.deliver(&mut world, message)?,
        }
        let status = world.server().row.status;
        if world.ended.is_none() && status.is_terminal() {
            world.ended = Some(status);
        }
        (world != *before).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONE_ACTS, |_, world: &World| {
                let present = world.server().row.grant();
                let mut held = world.agents.iter().filter_map(|agent| agent.holds.as_ref());
                held.all(|hold| Some(hold.grant) == present)
            }),
            Property::always(LEASES_LAST, |_, world: &World| {
                world.server().row.lease.is_none_or(|(_, expires_at)| expires_at <= at(world.asked + LEASE))
            }),
            Property::always(ENDS_STAY, |_, world: &World| {
                world.ended.is_none_or(|ended| world.server().row.status == ended)
            }),
            Property::always(NEWEST_HOLDS, |_, world: &World| {
                let newest = world.server().session.map_or(0, |(epoch, _)| epoch);
                world.server().row.grant().is_none_or(|grant| grant.epoch == newest)
            }),
            Property::always(EPOCHS_DIFFER, |_, world: &World| {
                let epochs: BTreeSet<u64> = world.epochs.iter().map(|(epoch, _)| *epoch).collect();
                epochs.len() == world.epochs.len()
            }),
            Property::always(WISHES_COUNT, |_, world: &World| {
                world.wish.is_none_or(|attempt| world.server().row.attempt == attempt)
            }),
            Property::always(ATTEMPTS_END, |protocol: &Self, world: &World| {
                world.server().row.attempt <= protocol.scope.attempts()
            }),
            Property::sometimes("it is done", |_, world: &World| world.ended == Some(TaskStatus::Completed)),
            Property::sometimes("it is done at the second attempt", |_, world: &World| {
                world.ended == Some(TaskStatus::Completed) && world.server().row.attempt == 2
            }),
            Property::sometimes("it ends without success", |_, world: &World| {
                matches!(world.ended, Some(TaskStatus::Failed | TaskStatus::Cancelled))
            }),
            Property::sometimes(
                "everything that the scope allows happens on the way to its end",
                |protocol: &Self, world: &World| {
                    let scope = &protocol.scope;
                    let used = world.crashes == scope.crashes && world.cancels == scope.cancels;
                    used && world.ended.is_some() && world.agents[usize::from(scope.runs) - 1].epoch.is_some()
                },
            ),
        ]
    }
}

impl Protocol {
    fn tick(&self, world: &mut World) {
        world.now += 1;
        if self.lacks(Guard::AnAgentStopsWhenItsTimeIsUp) {
            return;
        }
        for agent in &mut world.agents {
            agent.holds.take_if(|hold| hold.until <= world.now);
        }
    }

    /// Lets the server do something that is on its disk before anybody hears of it; `None` while it is down.
    fn serve<T>(&self, world: &mut World, act: impl FnOnce(&mut Server, u8) -> T) -> Option<T> {
        let server = world.memory.as_mut()?;
        let answer = act(server, world.now);
        world.disk = server.clone();
        Some(answer)
    }

    /// As [`serve`](Self::serve), with nothing on the disk.
    fn serve_from_memory<T>(&self, world: &mut World, act: impl FnOnce(&mut Server, u8) -> T) -> Option<T> {
        Some(act(world.memory.as_mut()?, world.now))
    }

    fn deliver(&self, world: &mut World, message: Message) -> Option<()> {
        match message {
            Message::Open { run } => {
                let may_be_late = self.lacks(Guard::AnOpeningDiesWithItsProcess);
                if world.agents[usize::from(run)].has_ended && !may_be_late {
                    return None;
                }
                let open = |server: &mut Server, now| self.open(server, run, now);
                let epoch = if self.lacks(Guard::EpochsAreStoredFirst) {
                    self.serve_from_memory(world, open)?
                } else {
                    self.serve(world, open)?
                };
                world.epochs.insert((epoch, run));
                world.network.insert(Message::Opened { run, epoch });
            }
            Message::Opened { run, epoch } => {
                let agent = &mut world.agents[usize::from(run)];
                if agent.lives {
                    agent.epoch.get_or_insert(epoch);
                }
            }
            Message::Claim { run, epoch, claim, asked } => {
                let ask = |server: &mut Server, now| self.claim(server, epoch, claim, now);
                let granted = if self.lacks(Guard::GrantsAreStoredFirst) {
                    self.serve_from_memory(world, ask)?
                } else {
                    self.serve(world, ask)?
                };
                if let Some(Some(grant)) = granted {
                    world.asked = world.now;
                    world.network.insert(Message::Granted { run, claim, asked, grant });
                }
            }
            Message::Granted { run, claim, asked, grant } => {
                let is_open = world.agents[usize::from(run)].open == Some(claim);
                let until = self.until(asked, world.now);
                let agent = &mut world.agents[usize::from(run)];
                if agent.lives && agent.holds.is_none() && (is_open || self.lacks(Guard::AnAnswerIsTakenOnce)) {
                    agent.open = None;
                    agent.holds = Some(Hold { grant, until }).filter(|hold| hold.until > world.now);
                }
            }
            Message::Renew { run, grant, asked } => {
                if world.memory.as_ref()?.row.grant() == Some(grant) {
                    world.asked = world.now;
                }
                // Not on the disk: after a restart every lease gets its time anew.
                let held = self.serve_from_memory(world, |server, now| self.renew(server, grant, now))?;
                if held {
                    world.network.insert(Message::Renewed { run, grant, asked });
                }
            }
            Message::Renewed { run, grant, asked } => {
                let until = self.until(asked, world.now);
                let agent = &mut world.agents[usize::from(run)];
                if let Some(hold) = agent.holds.as_mut().filter(|hold| hold.grant == grant) {
                    hold.until = hold.until.max(until);
                }
            }
            Message::Report { grant, completed } => {
                self.serve(world, |server, now| self.report(server, grant, completed, now))?;
            }
        }
        Some(())
    }

    /// Until when an agent acts that has asked then and is answered now.
    fn until(&self, asked: u8, now: u8) -> u8 {
        LEASE + if self.lacks(Guard::AnAgentCountsFromWhenItAsked) { now } else { asked }
    }
}

fn number(run: usize) -> u8 {
    u8::try_from(run).unwrap_or(u8::MAX)
}
