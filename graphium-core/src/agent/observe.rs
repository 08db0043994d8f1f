//! Telling the control plane what runs on the host.

use super::{
    AgentSettings,
    health::HealthMonitor,
    inspected::Inspected,
    keeper::Keeper,
    link::{AgentLink, HostReport, LinkError},
    patience::within,
    settings::Notice,
};
use crate::{
    environment::Environment,
    inventory::{Holding, ObservedContainer},
    runtime::{ContainerChange, ContainerRuntime, EngineInfo, RuntimeError},
};
use event_listener::EventListener;
use futures::{
    FutureExt as _, StreamExt as _,
    future::{Either, select},
    stream::BoxStream,
};
use std::{pin::pin, sync::Arc, time::Duration};

/// How often everything is told, whether it changed or not.
const PERIOD: Duration = Duration::from_secs(30);
/// For how long one stream of changes is relied upon. A connection may be forgotten by whoever stands in between, who tells neither
/// side: then no change comes, and no end.
const LISTEN: Duration = Duration::from_secs(300);
/// A stream that is at least so old, and has not told of what a look shows, is one of these.
const SUSPECT: Duration = Duration::from_secs(20);
/// How often an engine is asked that does not say by itself when something changes.
const UNWATCHED: Duration = Duration::from_secs(5);
/// Pause after a failure, and before a second look after a change.
const AGAIN: Duration = Duration::from_secs(1);
/// Changes are gathered for so long at least, and a look costs a tenth of the time at most.
const GATHER: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
const SHARE: u32 = 10;
/// Up to here a fiftieth of the time must do: while a stack comes up the engine has better things to do, and what tasks
/// change their reports tell. Whatever else changes is still known within about a second.
const SOON: Duration = Duration::from_secs(1);
const SMALL_SHARE: u32 = 50;
/// How long the control plane may take to answer.
const ANSWER: Duration = Duration::from_secs(15);
/// How long the engine may take to say which networks and volumes it has: one plug-in that hangs keeps it from saying so.
const HOLDINGS: Duration = Duration::from_secs(5);
/// How often it is asked for them, beside a second look after containers have changed.
const RARELY: Duration = Duration::from_secs(120);

type Changes = BoxStream<'static, Result<ContainerChange, RuntimeError>>;

/// Looks at the host and tells what it sees.
#[derive(Debug)]
pub(super) struct Watchman {
    pub(super) link: Arc<dyn AgentLink>,
    pub(super) runtime: Arc<dyn ContainerRuntime>,
    pub(super) environment: Arc<dyn Environment>,
    pub(super) settings: Arc<AgentSettings>,
    pub(super) health: Arc<HealthMonitor>,
    pub(super) keeper: Arc<Keeper>,
    pub(super) epoch: u64,
}

/// What one look shows.
struct Sight {
    engine: EngineInfo,
    containers: Vec<ObservedContainer>,
    holdings: Option<Vec<Holding>>,
}

/// Why the next look is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// Everything is to be told.
    Period,
    /// Something changed.
    Change,
    /// Something changed shortly before: engines tell of an end before they show it, and tell nothing when they do.
    Again,
}

impl Watchman {
    /// Watches until the control plane no longer wants to hear of it from this session.
    pub(super) async fn watch(self) -> LinkError {
        let mut changes: Option<Changes> = None;
        let mut listening_since = Duration::ZERO;
        let mut engine: Option<EngineInfo> = None;
        let mut told: Option<Vec<ObservedContainer>> = None;
        let mut held: Option<Vec<Holding>> = None;
        let mut held_at: Option<Duration> = None;
        let mut inspected = Inspected::default();
        let mut is_lost = false;
        let mut was_away = false;
        let mut rejected: Option<LinkError> = None;
        let mut reason = Reason::Period;
        loop {
            // Watching begins before looking, so that nothing falls in between.
            let is_old = self.environment.elapsed() - listening_since >= LISTEN;
            if changes.is_none() || is_old && reason == Reason::Period {
                inspected.clear();
                changes = self.runtime.watch().await.ok();
                listening_since = self.environment.elapsed();
            }
            // So is that of the health of containers.
            let health = self.health.change();
            let begin = self.environment.elapsed();
            let known = engine.take().filter(|_| reason != Reason::Period);
            // While much changes the engine has better things to do.
            let is_due = match reason {
                Reason::Period => held_at.is_none_or(|moment| begin - moment >= RARELY),
                Reason::Change => false,
                Reason::Again => true,
            };
            let sight = self.look(known, is_due, &mut inspected).await;
            let age = self.environment.elapsed() - begin;
            let gather = (age * SMALL_SHARE).min(SOON).max(age * SHARE).clamp(GATHER.0, GATHER.1);
            let (mut pause, mut next) = match (&changes, reason) {
                (None, _) => (UNWATCHED, Reason::Period),
                (Some(_), Reason::Change) => (AGAIN.max(age * SHARE).min(GATHER.1), Reason::Again),
                (Some(_), Reason::Period | Reason::Again) => (PERIOD, Reason::Period),
            };
            let report = match sight {
                Ok(sight) => {
                    if std::mem::replace(&mut is_lost, false) || reason == Reason::Period && told.is_none() {
                        let Sight { engine, .. } = &sight;
                        self.notify(&Notice::EngineBack {
                            version: engine.version.clone(),
                            endpoint: engine.endpoint.clone(),
                        });
                    }
                    // Nobody has told of that: the next look listens anew.
                    let is_suspect = reason == Reason::Period && begin - listening_since >= SUSPECT;
                    if is_suspect && told.as_ref().is_some_and(|told| *told != sight.containers) {
                        changes = None;
                        (pause, next) = (AGAIN, Reason::Period);
                    }
                    engine = Some(sight.engine.clone());
                    let is_other = sight.holdings.is_some() && sight.holdings != held;
                    let is_news = reason == Reason::Period || told.as_ref() != Some(&sight.containers) || is_other;
                    is_news.then(|| HostReport { engine_was_away: was_away, ..self.report(Some(sight), age, None) })
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_lost, true) {
                        self.notify(&Notice::EngineLost(error.to_string()));
                    }
                    changes = None;
                    was_away = true;
                    (pause, next) = (AGAIN, Reason::Period);
                    Some(self.report(None, age, Some(error.to_string())))
                }
            };
            if let Some(report) = report {
                match within(&*self.environment, ANSWER, self.link.observe(&report)).await {
                    Ok(()) => {
                        rejected = None;
                        was_away &= report.containers.is_none();
                        held_at = report.holdings.is_some().then_some(begin).or(held_at);
                        (told, held) = (report.containers.or(told), report.holdings.or(held));
                    }
                    Err(end @ (LinkError::SessionLost(_) | LinkError::SessionUnknown(_) | LinkError::Denied(_))) => {
                        return end;
                    }
                    Err(error) => {
                        told = None;
                        pause = AGAIN;
                        // Silence the other calls tell of; that it is not understood only this one.
                        if matches!(error, LinkError::Rejected(_)) && rejected.as_ref() != Some(&error) {
                            self.notify(&Notice::LinkLost(error.clone()));
                            rejected = Some(error);
                        }
                    }
                }
            }
            let waited = self.wait(&mut changes, &mut inspected, health, pause, gather).await;
            reason = waited.unwrap_or(next);
            if told.is_none() {
                reason = Reason::Period;
            }
        }
    }

    async fn look(
        &self,
        known: Option<EngineInfo>,
        with_holdings: bool,
        inspected: &mut Inspected,
    ) -> Result<Sight, RuntimeError> {
        let engine = match known {
            Some(engine) => engine,
            None => self.runtime.info().await?,
        };
        let stopped = self.keeper.stopped();
        let mut seen = self.runtime.list().await?;
        inspected.complete(&*self.runtime, &mut seen).await?;
        self.health.show(&*self.environment, &mut seen);
        let mut containers: Vec<_> = seen.into_iter().map(|state| state.observed).collect();
        for container in &mut containers {
            container.hosted_on = self.settings.host.clone();
        }
        self.keeper.show(&stopped, &mut containers);
        containers.sort_by(|one, other| one.name.cmp(&other.name));
        let holdings = if with_holdings { self.holdings().await } else { None };
        Ok(Sight { engine, containers, holdings })
    }

    /// What is ours beside containers, unless the engine does not say so in time: the rest can be told without.
    async fn holdings(&self) -> Option<Vec<Holding>> {
        match select(self.runtime.owned(), self.environment.sleep(HOLDINGS)).await {
            Either::Left((owned, _)) => owned.ok().map(Holding::all),
            Either::Right(_) => None,
        }
    }

    /// An engine that does not answer is told as that: nothing is said of its containers.
    fn report(&self, sight: Option<Sight>, age: Duration, engine_error: Option<String>) -> HostReport {
        let (mut engine, mut containers, mut holdings) = (None, None, None);
        if let Some(sight) = sight {
            (engine, containers, holdings) = (Some(sight.engine), Some(sight.containers), sight.holdings);
        }
        HostReport {
            host: self.settings.host.clone(),
            epoch: self.epoch,
            ip_address: self.settings.address,
            agent_version: self.settings.version.clone(),
            engine,
            engine_error,
            engine_was_away: false,
            containers,
            holdings,
            taken_ago_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            labels: self.settings.labels.clone(),
            location: self.settings.location.clone(),
            usage: None,
        }
    }

    /// Waits for a change, or until the pause is over: then nothing. Changes that follow at once belong to the same look.
    async fn wait(
        &self,
        changes: &mut Option<Changes>,
        inspected: &mut Inspected,
        health: EventListener,
        pause: Duration,
        gather: Duration,
    ) -> Option<Reason> {
        let sleep = pin!(self.environment.sleep(pause));
        let Some(stream) = changes else {
            return match select(health, sleep).await {
                Either::Left(_) => Some(Reason::Change),
                Either::Right(_) => None,
            };
        };
        let mut next = match select(select(stream.next(), health), sleep).await {
            Either::Left((Either::Left((first, _)), _)) => Some(first),
            Either::Left((Either::Right(_), _)) => None,
            Either::Right(_) => return None,
        };
        self.environment.sleep(gather).await;
        next = next.or_else(|| stream.next().now_or_never());
        while let Some(told) = next {
            match told {
                Some(Ok(change)) => inspected.take_in(&change),
                _ => {
                    *changes = None;
                    break;
                }
            }
            next = stream.next().now_or_never();
        }
        Some(Reason::Change)
    }

    fn notify(&self, notice: &Notice) {
        (self.settings.notify)(notice);
    }
}
