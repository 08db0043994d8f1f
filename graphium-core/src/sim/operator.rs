//! Operators, who deploy and change their minds.

use super::{promise::Promise, stacks, world::World};
use crate::{
    control::{
        AdoptOptions, Away, ControlError, DeployOptions, DeploymentKind, DeploymentState, PolicyChange, Remaining,
        RemoveOptions, Started,
    },
    id::HostId,
    inventory::HostStatus,
    stack::Stack,
    store::{Document, Key, TaskStore},
};
use futures::{
    FutureExt as _,
    future::{Either, select},
};
use std::{collections::BTreeMap, pin::pin, sync::Arc, time::Duration};

/// How long an operator waits for an answer, and how often the same is asked again.
const PATIENCE: Duration = Duration::from_secs(15);
const TRIES: usize = 3;

/// What an operator may ask.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    Deploy(Box<Stack>),
    Remove(String),
    Act(String, DeploymentKind),
    Rollback(String),
    Adopt(Box<Stack>, Box<AdoptOptions>),
}

impl Wish {
    fn what(&self) -> &'static str {
        match self {
            Self::Deploy(_) => "deployment",
            Self::Remove(_) => "removal",
            Self::Act(..) => "action",
            Self::Rollback(_) => "rollback",
            Self::Adopt(..) => "adoption",
        }
    }
}

/// One operator and what they have in mind.
pub(super) struct Operator {
    pub(super) world: Arc<World>,
    names: Vec<String>,
    hosts: Vec<HostId>,
    /// What each stack was last wanted to be.
    pub(super) wanted: BTreeMap<String, Stack>,
    asked: usize,
}

impl Operator {
    pub(super) fn new(world: &Arc<World>) -> Self {
        let names = match world.setup.stacks.as_slice() {
            [] => world.throw(stacks::names).into_iter().map(str::to_owned).collect(),
            given => given.iter().map(|stack| stack.name.clone()).collect(),
        };
        let hosts = world.hosts.iter().map(|host| host.id.clone()).collect();
        Self { world: Arc::clone(world), names, hosts, wanted: BTreeMap::new(), asked: 0 }
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// A document of the stack of that name; where the setup gives one, a variation of it.
    pub(super) fn document(&self, name: &str, most_broken: u16) -> Stack {
        let world = &self.world;
        let Some(given) = world.setup.stacks.iter().find(|stack| stack.name == name) else {
            return world.throw(|dice| stacks::revision(dice, name, &self.hosts, most_broken));
        };
        let mut stack = given.clone();
        if world.chance(500)
            && let Some(first) = stack.containers.first_mut()
        {
            Arc::make_mut(first).labels.insert("revision".to_owned(), world.throw(|dice| dice.below(4)).to_string());
        }
        stack
    }

    /// Works until `end`, whatever happens.
    pub(super) async fn work(&mut self, end: Duration) {
        loop {
            let pause = self.world.throw(|dice| dice.millis(200, 7_000));
            self.world.sleep(pause).await;
            if self.world.elapsed() >= end {
                return;
            }
            self.do_something().await;
        }
    }

    async fn do_something(&mut self) {
        let (choice, name) = self.world.throw(|dice| (dice.below(112), dice.pick(&self.names).cloned()));
        let Some(name) = name else { return };
        let wish = match choice {
            0..45 => Wish::Deploy(Box::new(self.document(&name, 60))),
            45..55 => match self.wanted.get(&name) {
                Some(stack) => Wish::Deploy(Box::new(stack.clone())),
                None => return,
            },
            55..70 => Wish::Remove(name.clone()),
            70..74 => Wish::Act(name.clone(), DeploymentKind::Stop),
            74..78 => Wish::Act(name.clone(), DeploymentKind::Start),
            78..82 => Wish::Act(name.clone(), DeploymentKind::Restart),
            82..90 => Wish::Rollback(name.clone()),
            90..93 => return self.cancel_something().await,
            93..97 => return self.order_a_host().await,
            97..100 => return self.retry_something().await,
            _ => return self.adopt_something(&name).await,
        };
        if let Wish::Deploy(stack) = &wish {
            self.wanted.insert(name, (**stack).clone());
        }
        self.ask(wish).await;
    }

    /// Asks until somebody answers, or patience ends. What is acknowledged is noted, and must be there from now on.
    pub(super) async fn ask(&mut self, wish: Wish) -> Option<Result<Started, ControlError>> {
        self.asked += 1;
        let key = format!("request-{}", self.asked);
        let what = wish.what();
        self.world.tell("operator", || match &wish {
            Wish::Deploy(stack) => format!("asks for deployment of {}", stack.name),
            Wish::Adopt(stack, options) => format!("asks for adoption into {}: {options:?}", stack.name),
            Wish::Remove(name) | Wish::Act(name, _) | Wish::Rollback(name) => format!("asks for {what} of {name}"),
        });
        let adopter = match &wish {
            Wish::Adopt(stack, _) => Some(stack.id.clone()),
            _ => None,
        };
        // Some give up what is not done in time.
        let is_calm = self.world.state().is_calm;
        let timeout = self.world.throw(|dice| (!is_calm && dice.chance(200)).then(|| dice.millis(5_000, 40_000)));
        // Longer than a host may be silent, and now and then shorter than it is away in a storm.
        let after = self.world.throw(|dice| match dice.below(4) {
            0 => None,
            1 => Some(Duration::ZERO),
            _ => Some(Duration::from_secs(dice.millis(9_000, 30_000).as_secs())),
        });
        let forget = self.world.throw(|dice| !is_calm && dice.chance(300));
        let pull_images = self.world.throw(|dice| !is_calm && dice.chance(150));
        if pull_images && self.world.chance(500) {
            self.world.move_tags();
        }
        let policy = PolicyChange { reschedule_after: after, ..PolicyChange::default() };
        for _ in 0..TRIES {
            let (wish, key) = (wish.clone(), key.clone());
            let asked = self.world.ask(None, what, move |control| {
                let (wish, key) = (wish.clone(), key.clone());
                async move {
                    match wish {
                        Wish::Deploy(stack) => {
                            let options = DeployOptions {
                                idempotency_key: Some(key),
                                timeout,
                                policy,
                                pull_images,
                                ..DeployOptions::default()
                            };
                            control.deploy(*stack, options).await
                        }
                        Wish::Remove(name) => {
                            let options = RemoveOptions { remove_volumes: true, forget, ..RemoveOptions::default() };
                            control.remove(&name, options).await
                        }
                        Wish::Act(name, kind) => control.act_on_stack(&name, kind, None).await,
                        Wish::Rollback(name) => control.rollback(&name, None, None).await,
                        Wish::Adopt(stack, options) => {
                            let options = AdoptOptions { idempotency_key: Some(key), policy, ..*options };
                            control.adopt(*stack, options).await
                        }
                    }
                }
            });
            let answer = match select(pin!(asked), pin!(self.world.sleep(self.patience()))).await {
                Either::Left((Ok(answer), _)) => answer,
                Either::Left((Err(_), _)) | Either::Right(_) => {
                    // It may have been done all the same.
                    self.world.state().adopted_last.extend(adopter.clone());
                    self.world.sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            match answer {
                Ok(started) => {
                    self.world.tell("operator", || format!("has {} acknowledged", started.deployment_id));
                    self.world.judge().acknowledged.insert(started.deployment_id.clone(), started.stack_id.clone());
                    match &adopter {
                        Some(stack) => self.world.state().adopted_last.insert(stack.clone()),
                        None => self.world.state().adopted_last.remove(&started.stack_id),
                    };
                    self.world.look_for_acknowledged();
                    return Some(Ok(started));
                }
                Err(ControlError::Store(error)) => {
                    self.world.state().adopted_last.extend(adopter.clone());
                    self.world.tell("operator", || format!("is told: {error}"));
                    self.world.sleep(Duration::from_secs(1)).await;
                }
                Err(error) => {
                    self.world.tell("operator", || format!("is told: {}", words(&error)));
                    return Some(Err(error));
                }
            }
        }
        None
    }

    /// How long to wait this time: while things go wrong, programs that ask are sometimes ended amid it.
    pub(super) fn patience(&self) -> Duration {
        let is_calm = self.world.state().is_calm;
        self.world.throw(|dice| if !is_calm && dice.chance(250) { dice.millis(0, 12) } else { PATIENCE })
    }

    async fn cancel_something(&self) {
        let unfinished = self.world.judge().unfinished();
        let Some((task, _)) = self.world.throw(|dice| dice.pick(&unfinished).cloned()) else { return };
        self.world.tell("operator", || format!("cancels {task}"));
        let asked = self.world.ask(None, "cancellation", move |control| {
            let task = task.clone();
            async move { control.cancel_task(&task, "an operator").await.is_ok() }
        });
        select(pin!(asked), pin!(self.world.sleep(PATIENCE))).await;
    }

    async fn order_a_host(&self) {
        let orders = [HostStatus::Draining, HostStatus::Draining, HostStatus::Active, HostStatus::Maintenance];
        let (host, status) = self.world.throw(|dice| (dice.pick(&self.hosts).cloned(), dice.pick(&orders).copied()));
        let Some((host, status)) = host.zip(status) else { return };
        self.order(&host, status).await;
    }

    /// Asks until it is answered, or patience ends.
    pub(super) async fn order(&self, host: &HostId, status: HostStatus) -> bool {
        self.world.tell("operator", || format!("orders {host} to be {status:?}"));
        for _ in 0..TRIES {
            let host = host.clone();
            let asked = self.world.ask(None, "order", move |control| {
                let host = host.clone();
                async move { control.set_host_status(&host, status).await.is_ok() }
            });
            if let Either::Left((Ok(true), _)) = select(pin!(asked), pin!(self.world.sleep(self.patience()))).await {
                return true;
            }
            self.world.sleep(Duration::from_secs(1)).await;
        }
        false
    }

    /// What is left on a host that drains, once somebody answers.
    pub(super) async fn remaining(&self, host: &HostId) -> Option<Vec<Remaining>> {
        for _ in 0..TRIES {
            let host = host.clone();
            let asked = self.world.ask(None, "look", move |control| {
                let host = host.clone();
                async move { control.drain(&host).await.ok() }
            });
            if let Either::Left((Ok(Some(told)), _)) = select(pin!(asked), pin!(self.world.sleep(PATIENCE))).await {
                return Some(told.remaining);
            }
        }
        None
    }

    /// What a stack has on hosts that are away, once somebody answers.
    pub(super) async fn away(&self, stack: &str) -> Option<Vec<Away>> {
        for _ in 0..TRIES {
            let stack = stack.to_owned();
            let asked = self.world.ask(None, "look", move |control| {
                let stack = stack.clone();
                async move { control.status(&stack).await.ok() }
            });
            if let Either::Left((Ok(Some(told)), _)) = select(pin!(asked), pin!(self.world.sleep(PATIENCE))).await {
                return Some(told.away);
            }
        }
        None
    }

    pub(super) fn hosts(&self) -> &[HostId] {
        &self.hosts
    }

    async fn retry_something(&self) {
        let unsuccessful = self.world.judge().unsuccessful();
        let Some((task, deployment)) = self.world.throw(|dice| dice.pick(&unsuccessful).cloned()) else { return };
        self.world.tell("operator", || format!("has {task} tried again"));
        self.world.judge().will_retry(deployment);
        let asked = self.world.ask(None, "retry", move |control| {
            let task = task.clone();
            async move { control.retry_task(&task, "an operator").await.is_ok() }
        });
        select(pin!(asked), pin!(self.world.sleep(PATIENCE))).await;
    }
}

pub(super) fn words(error: &ControlError) -> String {
    match error {
        ControlError::Invalid(reasons) => {
            reasons.iter().map(|reason| reason.message.clone()).collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    }
}

impl World {
    /// Everything that was acknowledged is in the store.
    pub(super) fn look_for_acknowledged(&self) {
        let acknowledged: Vec<_> = {
            let judge = self.judge();
            judge.acknowledged.keys().filter(|id| !judge.pruned.contains(*id)).cloned().collect()
        };
        for id in acknowledged {
            let key = Key::new(DeploymentState::KIND, id.as_str());
            let is_there = self.store.record(&key).now_or_never().and_then(Result::ok).flatten().is_some();
            if !is_there {
                self.judge().accuse(Promise::AcknowledgedSurvives, format!("{id} was acknowledged and is not there"));
            }
        }
    }
}
