//! The programs of the simulation: started, crashed, started again.

use super::{
    engine::SimRuntime,
    executor::Process,
    journal::SimJournal,
    judge::SimSink,
    link::SimLink,
    store::SimStore,
    world::{AgentDesk, Grant, NodeEnvironment, World},
};
use crate::{
    agent::{Agent, AgentSettings, Notice},
    control::Control,
    runtime::beside,
};
use std::{net::IpAddr, sync::Arc, time::Duration};

/// Pause of whoever looks after the programs before one that ended by itself is started again.
const AGAIN: Duration = Duration::from_secs(2);

impl World {
    pub(super) fn start_server(self: &Arc<Self>) {
        self.tell("server", || "starts".to_owned());
        let world = Arc::clone(self);
        self.spawn(Process::Server, async move {
            let environment = Arc::new(NodeEnvironment::of(&world, Process::Server));
            let settings = world.setup.control.clone();
            let control = loop {
                let (store, sink) = (Arc::new(SimStore::new(&world)), Arc::new(SimSink::new(&world)));
                match Control::open(store, sink, Arc::clone(&environment) as _, settings.clone()).await {
                    Ok(control) => break control,
                    Err(_) => world.sleep(AGAIN).await,
                }
            };
            world.tell("server", || "is up".to_owned());
            world.state().server = Some(Arc::clone(&control));
            world.works_again();
            control.run().await;
        });
    }

    pub(super) fn start_agent(self: &Arc<Self>, host: usize) {
        let node = &self.hosts[host];
        self.tell(node.id.as_str(), || "starts".to_owned());
        self.look_at_adopted();
        self.another_life(host);
        {
            let mut state = self.state();
            state.agent_up[host] = true;
            state.desks[host] =
                AgentDesk { tails: std::mem::take(&mut state.desks[host].tails), ..AgentDesk::default() };
        }
        let concurrency = self.throw(|dice| 1 + dice.below(4));
        let mut settings = AgentSettings::new(node.id.clone(), concurrency);
        settings.address = u8::try_from(host + 1).ok().map(|last| IpAddr::from([10, 0, 0, last]));
        let world = Arc::clone(self);
        settings.notify = Arc::new(move |notice| world.noticed(host, notice));
        let agent = Agent::new(
            Arc::new(SimLink::new(self, host)),
            Arc::new(SimRuntime::new(self, host)),
            Arc::new(NodeEnvironment::of(self, Process::Agent(host))),
            Box::new(SimJournal::new(self, node.journal.clone())),
            settings,
        );
        let world = Arc::clone(self);
        self.spawn(Process::Agent(host), async move {
            let end = agent.run(std::future::pending()).await;
            world.tell(world.hosts[host].id.as_str(), || format!("ends: {end:?}"));
            world.agent_gone(host);
            world.start_later(Process::Agent(host), AGAIN);
        });
    }

    /// Starts a program in a while.
    pub(super) fn start_later(self: &Arc<Self>, process: Process, pause: Duration) {
        let world = Arc::clone(self);
        self.spawn(Process::World, async move {
            world.sleep(pause).await;
            match process {
                Process::Server => world.start_server(),
                Process::Agent(host) => world.start_agent(host),
                Process::Engine(_) | Process::Wire | Process::World => {}
            }
        });
    }

    /// Ends a program at once, and starts it again in a while.
    pub(super) fn crash(self: &Arc<Self>, process: Process, pause: Duration) {
        self.spawner.kill(process);
        self.has_crashed(process, pause);
    }

    /// A program has just ended without a word.
    pub(super) fn has_crashed(self: &Arc<Self>, process: Process, pause: Duration) {
        self.tell(&self.name(process), || format!("crashes, and comes back in {pause:?}"));
        match process {
            Process::Server => self.server_gone(),
            Process::Agent(host) => self.agent_gone(host),
            Process::Engine(_) | Process::Wire | Process::World => return,
        }
        self.start_later(process, pause);
    }

    /// With the server its store closes, if the two are one program: it is opened again from what is on its disk.
    fn server_gone(&self) {
        let control = {
            let mut state = self.state();
            state.works_since = None;
            state.server.take()
        };
        drop(control);
        if self.chance(500) {
            let now = NodeEnvironment::wall(self, Process::Server);
            let lease = jiff::SignedDuration::try_from(self.setup.control.lease).unwrap_or_default();
            self.store.reopen(now, now.saturating_add(lease).unwrap_or(now));
            self.tell("store", || "is opened anew".to_owned());
        }
    }

    fn agent_gone(&self, host: usize) {
        let running = {
            let mut state = self.state();
            state.agent_up[host] = false;
            std::mem::take(&mut state.desks[host].running)
        };
        let mut judge = self.judge();
        for grant in running {
            judge.attempt_ended(&grant);
        }
    }

    fn noticed(&self, host: usize, notice: &Notice) {
        self.tell(self.hosts[host].id.as_str(), || notice.to_string());
        match notice {
            Notice::Began { id, attempt, .. } => {
                let is_it = |grant: &&Grant| grant.task == *id && grant.attempt == *attempt;
                let grant = self.state().desks[host].grants.iter().rfind(is_it).cloned();
                self.state().desks[host].running.extend(grant.clone());
                if let Some(grant) = grant {
                    self.judge().attempt_began(&self.hosts[host].id, &grant);
                }
            }
            Notice::Ended { id, .. } => {
                let ended = {
                    let running = &mut self.state().desks[host].running;
                    let place = running.iter().position(|grant| grant.task == *id);
                    place.map(|place| running.remove(place))
                };
                if let Some(grant) = ended {
                    self.judge().attempt_ended(&grant);
                }
            }
            _ => {}
        }
    }

    /// The attempt for which the agent of a host touches the thing of that name now.
    pub(super) fn holder(&self, host: usize, name: &str) -> Option<Grant> {
        fn principal(name: &str) -> &str {
            beside::principal(name).unwrap_or(name)
        }
        let is_of = |grant: &&Grant| principal(&grant.subject) == principal(name);
        self.state().desks[host].running.iter().rfind(is_of).cloned()
    }
}
