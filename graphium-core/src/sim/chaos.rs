//! Whoever makes things go wrong.

use super::{
    executor::Process,
    faults::Faults,
    stacks,
    world::{Wires, World},
};
use jiff::SignedDuration;
use std::{sync::Arc, time::Duration};

impl World {
    /// Makes one thing after another go wrong, until it is calm.
    pub(super) async fn make_trouble(self: Arc<Self>, pause: Duration) {
        loop {
            let pause = self.throw(|dice| dice.between(Duration::from_millis(100), pause));
            self.sleep(pause).await;
            if self.state().is_calm {
                return;
            }
            self.trouble();
        }
    }

    fn trouble(self: &Arc<Self>) {
        let (kind, host, pause) =
            self.throw(|dice| (dice.below(18), dice.below(self.hosts.len()), dice.millis(100, 20_000)));
        let agent = Process::Agent(host);
        match kind {
            0 if self.state().agent_up[host] => self.crash(agent, pause),
            1 if self.state().server.is_some() => self.crash(Process::Server, pause / 2),
            2 | 3 => self.spawner.doom(agent, self.throw(|dice| dice.below(60))),
            4 | 5 => self.spawner.doom(Process::Server, self.throw(|dice| dice.below(200))),
            6 => self.cut(host, Wires { to_server_cut: true, from_server_cut: true }, pause * 2),
            7 => {
                let to_server_cut = self.chance(500);
                self.cut(host, Wires { to_server_cut, from_server_cut: !to_server_cut }, pause * 2);
            }
            8 => {
                let by = self.let_clock_jump(Process::Server);
                self.state().clock_jumped_ahead |= by > 0;
            }
            9 => self.take_engine_away(host, pause),
            10 => self.hang_engine(host, pause * 4),
            11 => self.disturb_container(host),
            12 => self.stop_store(pause / 3),
            // Nobody is there to start it again, for a long time.
            13 if self.state().agent_up[host] => self.crash(agent, pause * 5),
            14 if !self.is_unobstructed => self.take_a_name(host),
            15 if self.setup.stacks.is_empty() => drop(self.start_project(self.throw(stacks::name), 150)),
            16 => self.disturb_foreign(),
            17 => {
                self.let_clock_jump(agent);
            }
            _ => {}
        }
    }

    /// By how many seconds.
    fn let_clock_jump(&self, whose: Process) -> i64 {
        let by = self.throw(|dice| dice.below(180)) as i64 - 90;
        self.tell(&self.name(whose), || format!("'s clock jumps by {by} s"));
        *self.state().walls.entry(whose).or_default() += SignedDuration::from_secs(by);
        by
    }

    fn cut(self: &Arc<Self>, host: usize, wires: Wires, pause: Duration) {
        self.tell("wire", || format!("between {} and the server: {wires:?} for {pause:?}", self.hosts[host].id));
        self.state().wires[host] = wires;
        self.later(pause, move |world| world.state().wires[host] = Wires::default());
    }

    fn take_engine_away(self: &Arc<Self>, host: usize, pause: Duration) {
        self.tell(&self.name(Process::Engine(host)), || format!("goes away for {pause:?}"));
        self.hosts[host].runtime.disconnect();
        if self.chance(500) {
            // It takes what it was about to do along, and what it ran.
            self.spawner.kill(Process::Engine(host));
            for state in self.shown(host).iter().filter(|state| state.is_managed()) {
                self.end_container(host, &state.observed.name);
            }
        }
        self.later(pause, move |world| world.hosts[host].runtime.reconnect());
    }

    fn hang_engine(self: &Arc<Self>, host: usize, pause: Duration) {
        self.tell(&self.name(Process::Engine(host)), || format!("hangs for {pause:?}"));
        self.state().hung[host] = true;
        self.later(pause, move |world| world.release_engine(host));
    }

    fn release_engine(&self, host: usize) {
        self.state().hung[host] = false;
        self.hosts[host].released.notify(usize::MAX);
    }

    fn end_container(&self, host: usize, name: &str) {
        self.hosts[host].runtime.exit(name, 137);
        self.has_ended(host, name);
    }

    fn has_ended(&self, host: usize, name: &str) {
        let mut judge = self.judge();
        judge.befell(&self.hosts[host].id, name);
        if let Some(state) = self.hosts[host].runtime.container(name) {
            judge.ended_by_itself(&state.observed.id);
        }
    }

    /// A container ends by itself, or somebody kills or removes it by hand.
    fn disturb_container(&self, host: usize) {
        let runtime = &self.hosts[host].runtime;
        let ours: Vec<String> =
            self.shown(host).into_iter().filter(|state| state.is_managed()).map(|state| state.observed.name).collect();
        let (name, how) = self.throw(|dice| (dice.pick(&ours).cloned(), dice.below(10)));
        let Some(name) = name else { return };
        let engine = self.name(Process::Engine(host));
        match how {
            0 if !self.is_unobstructed => {
                self.tell(&engine, || format!("somebody removes {name} by hand, and has another use for its name"));
                runtime.vanish(&name);
                self.judge().befell(&self.hosts[host].id, &name);
                self.make_foreign(host, &name);
            }
            0..3 => {
                self.tell(&engine, || format!("somebody removes {name} by hand"));
                runtime.vanish(&name);
                self.judge().befell(&self.hosts[host].id, &name);
            }
            3..6 => {
                self.tell(&engine, || format!("somebody kills {name} by hand"));
                runtime.kill(&name);
                self.has_ended(host, &name);
            }
            _ => {
                self.tell(&engine, || format!("{name} ends with code 137"));
                self.end_container(host, &name);
            }
        }
    }

    /// Somebody starts a container by hand, under a name that may be wanted.
    fn take_a_name(&self, host: usize) {
        let name = self.throw(stacks::engine_name);
        let node = &self.hosts[host];
        if node.runtime.container(&name).is_some() {
            return;
        }
        self.tell(&self.name(Process::Engine(host)), || format!("somebody starts {name} by hand"));
        self.make_foreign(host, &name);
    }

    fn stop_store(self: &Arc<Self>, pause: Duration) {
        self.tell("store", || format!("does not answer for {pause:?}"));
        {
            let mut state = self.state();
            state.store_is_down = true;
            state.works_since = None;
        }
        self.later(pause, |world| {
            world.state().store_is_down = false;
            world.works_again();
        });
    }

    fn later(self: &Arc<Self>, pause: Duration, act: impl FnOnce(&Self) + Send + 'static) {
        let world = Arc::clone(self);
        self.spawn(Process::World, async move {
            world.sleep(pause).await;
            act(&world);
        });
    }

    /// Notes that server and store work, if both do.
    pub(super) fn works_again(&self) {
        let elapsed = self.elapsed();
        let mut state = self.state();
        if state.server.is_some() && !state.store_is_down {
            state.works_since.get_or_insert(elapsed);
        }
    }

    /// From now on nothing goes wrong any more, and what has gone wrong is mended.
    pub(super) fn calm_down(&self) {
        self.tell("world", || "nothing goes wrong any more".to_owned());
        {
            let mut state = self.state();
            state.is_calm = true;
            state.faults = Faults::none();
            state.store_is_down = false;
            state.wires.fill(Wires::default());
        }
        self.works_again();
        self.spawner.spare();
        for host in 0..self.hosts.len() {
            self.hosts[host].runtime.reconnect();
            self.release_engine(host);
        }
    }
}
