//! Those who read logs and have commands run, and what must be true of what they get.
//!
//! The part of a server that is outside of the core, which holds a reader's connection, is played here: it waits for the agent for
//! as long as the reader wants, and ends with the server.

use super::{
    dice::Dice,
    executor::Process,
    foreign::Place,
    promise::Promise,
    reading::{Hearing, Reading},
    world::World,
};
use crate::{
    exec::{ExecFrame, ExecInput, LARGEST, WINDOW},
    id::HostId,
    inventory::ContainerStatus,
    log::{EndReason, LogFrame, Since},
    runtime::{ExecSpec, LogSource, Tail},
    stream::{ExecWanted, Wanted},
};
use futures::{
    SinkExt as _, StreamExt as _,
    channel::mpsc,
    future::{Either, select},
};
use std::{collections::BTreeMap, pin::pin, sync::Arc, time::Duration};

/// How long anybody may be left without a word after what they wait for has gone: a cut, and the pauses of those who notice.
pub(super) const BOUND: Duration = Duration::from_secs(120);
/// The longest that an agent does not ask what is wanted when nothing goes wrong any more: a question that was lost, and a pause.
const ASKED: Duration = Duration::from_secs(60);
/// How much is under way to a reader.
const UNDER_WAY: usize = 4;

/// Who reads, what was written, and what runs.
#[derive(Debug, Default)]
pub(super) struct Desk {
    asked: u64,
    /// How many lines were written into each container.
    written: BTreeMap<Place, u64>,
    /// Readers, by number: the host, and which life of its agent serves them once one does.
    open: BTreeMap<u64, (usize, Option<u64>)>,
    /// When each reader of a command has gone.
    gone: BTreeMap<u64, Duration>,
    /// Commands that run on an engine, by the number of who has asked; and since when.
    commands: BTreeMap<u64, Duration>,
    /// How often the agent of each host was started, and when it was last.
    lives: BTreeMap<usize, (u64, Duration)>,
    /// When something last went wrong between each host and the server.
    cut: BTreeMap<usize, Duration>,
}

/// A command that runs, until it is dropped.
pub(super) struct Running {
    world: Arc<World>,
    number: u64,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.world.readers().commands.remove(&self.number);
    }
}

/// A container that somebody has looked up.
struct Found {
    host: usize,
    on: HostId,
    name: String,
    id: String,
}

impl World {
    /// Has logs read and commands run, until all is over; and lets containers write.
    pub(super) async fn have_read(self: Arc<Self>) {
        loop {
            let most = if self.state().is_calm { 30_000 } else { 6_000 };
            let pause = self.throw(|dice| dice.millis(200, most));
            self.sleep(pause).await;
            if self.state().is_over {
                return;
            }
            self.look_at_readers();
            let Some(found) = self.found() else { continue };
            self.write(&found);
            let number = {
                let mut desk = self.readers();
                desk.asked += 1;
                let number = desk.asked;
                desk.open.insert(number, (found.host, None));
                number
            };
            let world = Arc::clone(&self);
            if self.chance(600) {
                self.spawn(Process::World, async move { world.read_a_log(number, found).await });
            } else {
                self.spawn(Process::World, async move { world.run_a_command(number, found).await });
            }
        }
    }

    /// The agent of a host starts.
    pub(super) fn another_life(&self, host: usize) {
        let now = self.elapsed();
        let mut desk = self.readers();
        let life = desk.lives.entry(host).or_default();
        *life = (life.0 + 1, now);
    }

    /// A message between a host and the server does not arrive.
    pub(super) fn is_not_heard(&self, host: usize) {
        let now = self.elapsed();
        self.readers().cut.insert(host, now);
    }

    /// A reader was told that the agent did not come for it: then it is away, or was until lately.
    fn was_kept_waiting(&self, number: u64, found: &Found) {
        let now = self.elapsed();
        let last = {
            let desk = self.readers();
            let life = desk.lives.get(&found.host).map_or(now, |(_, since)| *since);
            desk.cut.get(&found.host).map_or(life, |cut| life.max(*cut))
        };
        let is_well = {
            let state = self.state();
            state.is_calm && state.agent_up[found.host] && state.works_since.is_some_and(|since| now > since + ASKED)
        };
        if is_well && now > last + ASKED {
            let detail = format!("the agent of {} is there, and does not come for reader {number}", found.on);
            self.judge().accuse(Promise::StreamsEnd, detail);
        }
    }

    /// An engine has begun a command.
    pub(super) fn runs_a_command(self: &Arc<Self>, spec: &ExecSpec) -> Option<Running> {
        let number = spec.user.as_ref()?.parse().ok()?;
        let now = self.elapsed();
        self.readers().commands.insert(number, now);
        Some(Running { world: Arc::clone(self), number })
    }

    /// One of ours that runs.
    fn found(&self) -> Option<Found> {
        let host = self.throw(|dice| dice.below(self.hosts.len()));
        let mut ours = self.shown(host);
        ours.retain(|state| state.is_managed() && state.status() == ContainerStatus::Running);
        let one = self.throw(|dice| dice.pick(&ours).cloned())?.observed;
        Some(Found { host, on: self.hosts[host].id.clone(), name: one.name, id: one.id })
    }

    /// A container writes some lines, each with its number.
    fn write(&self, found: &Found) {
        let (more, place) = (self.throw(|dice| dice.below(4)), (found.host, found.id.clone()));
        for _ in 0..more {
            let number = {
                let mut desk = self.readers();
                let written = desk.written.entry(place.clone()).or_default();
                *written += 1;
                *written
            };
            let text = format!("line {number}\n");
            self.hosts[found.host].runtime.write(&found.name, LogSource::Stdout, text.as_bytes());
        }
    }

    async fn read_a_log(self: Arc<Self>, number: u64, found: Found) {
        let Some(streams) = self.state().server.as_ref().map(|control| Arc::clone(control.streams())) else {
            return self.is_done(number);
        };
        let (follow, all, named, stays, pace) = self.throw(|dice| {
            let pace = if dice.chance(200) { dice.millis(50, 3_000) } else { Duration::ZERO };
            let stays = if pace.is_zero() { stays(dice) } else { dice.millis(500, 60_000) };
            (dice.chance(700), dice.chance(700), dice.chance(500), stays, pace)
        });
        let tail = if all { Tail::All } else { Tail::Last(2) };
        let id = named.then(|| found.id.clone());
        let wanted =
            Wanted { container: found.name.clone(), id, tail, since: Since::Beginning, follow, timestamps: false };
        let there = self.readers().written.get(&(found.host, found.id.clone())).copied().unwrap_or(0);
        let mut reading = Reading::new(found.id.clone(), tail, there);
        self.tell("reader", || format!("{number} reads {} of {}, following: {follow}", found.name, found.on));
        let (sender, mut frames) = mpsc::channel(UNDER_WAY);
        let (world, on) = (Arc::clone(&self), found.on.clone());
        self.spawn(Process::Server, async move { world.hold_a_log(streams, on, wanted, sender).await });
        let end = self.elapsed() + stays;
        loop {
            let rest = end.saturating_sub(self.elapsed());
            let Either::Left((heard, _)) = select(frames.next(), pin!(self.sleep(rest))).await else { break };
            let Some(frame) = heard else { break };
            if matches!(frame, LogFrame::Begin(_)) {
                self.is_served(number);
            }
            if let Err(detail) = reading.take(&frame) {
                self.judge().accuse(Promise::LogsWhole, format!("reader {number}: {detail}"));
            }
            if let LogFrame::End(end) = &frame {
                self.tell("reader", || format!("{number} is told: {end:?}"));
                if end.reason == EndReason::HostAway {
                    self.was_kept_waiting(number, &found);
                }
            }
            self.sleep(pace).await;
        }
        self.is_done(number);
    }

    async fn run_a_command(self: Arc<Self>, number: u64, found: Found) {
        let Some(streams) = self.state().server.as_ref().map(|control| Arc::clone(control.streams())) else {
            return self.is_done(number);
        };
        let (which, stays, is_lazy) = self.throw(|dice| {
            // Who uses nothing of what comes holds up its end, too.
            let is_lazy = dice.chance(300);
            let stays = if is_lazy { dice.millis(500, 20_000) } else { stays(dice) };
            (dice.below(4), stays, is_lazy)
        });
        let words: &[&str] = match which {
            0 => &["say", "out", "err", "3"],
            1 => &["cat"],
            2 => &["wait"],
            _ => &["yes"],
        };
        let command = words.iter().map(|word| (*word).to_owned()).collect();
        let exec = ExecSpec { command, stdin: which == 1, user: Some(number.to_string()), ..ExecSpec::default() };
        let wanted = ExecWanted { container: found.name.clone(), id: Some(found.id.clone()), exec };
        self.tell("reader", || format!("{number} runs {words:?} in {} of {}", found.name, found.on));
        let (sender, mut frames) = mpsc::channel(UNDER_WAY);
        let (mut input, inputs) = mpsc::channel(UNDER_WAY);
        let (world, on) = (Arc::clone(&self), found.on.clone());
        let held = async move { world.hold_a_command(streams, on, wanted, sender, inputs).await };
        self.spawn(Process::Server, held);
        let mut hearing = Hearing::new(words);
        if which == 1 {
            for piece in hearing.sends(&self.throw(|dice| [dice.below(3), dice.below(LARGEST)])) {
                drop(input.send(piece).await);
            }
        }
        let end = self.elapsed() + stays;
        loop {
            let rest = end.saturating_sub(self.elapsed());
            let Either::Left((heard, _)) = select(frames.next(), pin!(self.sleep(rest))).await else { break };
            let Some(frame) = heard else { break };
            if matches!(frame, ExecFrame::Begin(_)) {
                self.is_served(number);
            }
            if let Err(detail) = hearing.take(&frame) {
                self.judge().accuse(Promise::StreamsEnd, format!("reader {number}, who runs {words:?}: {detail}"));
            }
            match &frame {
                ExecFrame::End(end) => {
                    self.tell("reader", || format!("{number} is told: {end:?}"));
                    if end.reason == EndReason::HostAway {
                        self.was_kept_waiting(number, &found);
                    }
                }
                // Some never say that they have used anything.
                ExecFrame::Output(_, bytes) if !is_lazy => {
                    hearing.uses(bytes.len());
                    drop(input.send(ExecInput::Taken(bytes.len())).await);
                }
                _ => {}
            }
            // Enough of a command that never ends.
            if hearing.heard() > 2 * WINDOW {
                break;
            }
        }
        let now = self.elapsed();
        self.readers().gone.insert(number, now);
        self.is_done(number);
    }

    /// The agent that lives now serves a reader.
    fn is_served(&self, number: u64) {
        let mut desk = self.readers();
        let Some((host, _)) = desk.open.get(&number).copied() else { return };
        let life = desk.lives.get(&host).map_or(0, |(life, _)| *life);
        desk.open.insert(number, (host, Some(life)));
    }

    fn is_done(&self, number: u64) {
        self.readers().open.remove(&number);
    }

    /// Whoever reads is told in time that what it read from is gone, and no command runs for long for nobody.
    pub(super) fn look_at_readers(&self) {
        let now = self.elapsed();
        let is_late = |since: Duration| now.saturating_sub(since) > BOUND;
        let broken = {
            let desk = self.readers();
            let reader = desk.open.iter().find(|(_, (host, life))| {
                let newest = desk.lives.get(host);
                newest.is_some_and(|(newest, since)| life.is_some_and(|life| life != *newest) && is_late(*since))
            });
            let command = desk
                .commands
                .iter()
                .find(|(number, since)| is_late(**since) && desk.gone.get(*number).is_some_and(|gone| is_late(*gone)));
            let told = |(number, _): (&u64, &(usize, Option<u64>))| {
                format!("reader {number} waits for an agent that has ended long ago")
            };
            let left = |(number, _): (&u64, &Duration)| format!("the command of reader {number} runs on for nobody");
            reader.map(told).or(command.map(left))
        };
        if let Some(detail) = broken {
            self.judge().accuse(Promise::StreamsEnd, detail);
        }
    }

    /// Nothing is left to be read: soon nobody reads any more, no command runs, and the server keeps no request.
    pub(super) async fn all_read(&self) {
        let end = self.elapsed() + BOUND;
        loop {
            self.sleep(BOUND / 24).await;
            let (readers, commands) = {
                let desk = self.readers();
                (desk.open.keys().copied().collect::<Vec<_>>(), desk.commands.keys().copied().collect::<Vec<_>>())
            };
            let kept = self.state().server.as_ref().map_or(0, |control| control.streams().count());
            if readers.is_empty() && commands.is_empty() && kept == 0 {
                return;
            }
            if self.elapsed() > end {
                let detail = format!(
                    "nothing is there to be read, and {readers:?} read, commands of {commands:?} run, {kept} requests are kept"
                );
                return self.judge().accuse(Promise::StreamsEnd, detail);
            }
        }
    }
}

/// How long a reader stays: some for longer than anything.
fn stays(dice: &mut Dice) -> Duration {
    if dice.chance(200) { BOUND * 10 } else { dice.millis(500, 60_000) }
}
