//! Operators adopt what others have started, while everything goes wrong and when nothing does any more.

use super::{
    foreign::{Project, options},
    operator::{Operator, Wish, words},
    promise::Promise,
    world::World,
};
use crate::{
    control::{AdoptOptions, Comparison, ControlError, DeployOptions, StackStatus, Started},
    id::StackId,
    runtime::{ContainerState, beside},
    stack::Stack,
    task::TaskStatus,
};
use futures::future::{Either, select};
use std::{pin::pin, sync::Arc, time::Duration};

/// How long what was started by hand may stay unknown: a call that hangs, and then the period of agents.
const KNOWN: Duration = Duration::from_secs(50);
/// How long an operator waits for an answer, and how often the same is asked again.
const PATIENCE: Duration = Duration::from_secs(15);
const TRIES: usize = 3;

impl Operator {
    /// Has containers adopted that run, whosever they are; some of it is nonsense, and is refused.
    pub(super) async fn adopt_something(&mut self, name: &str) {
        if !self.world.setup.stacks.is_empty() {
            return;
        }
        let names = self.names().to_vec();
        let there: Vec<String> = self.world.stack_statuses().into_iter().map(|(id, ..)| id).collect();
        let free: Vec<String> =
            names.iter().filter(|name| !there.contains(&format!("stack:{name}"))).cloned().collect();
        let one = self.world.throw(|dice| dice.pick(&free).filter(|_| dice.chance(800)).cloned());
        let name = one.unwrap_or_else(|| name.to_owned());
        let known = self.world.owners().project(&name).cloned();
        let (is_known, begins, pause) =
            self.world.throw(|dice| (dice.chance(500), dice.chance(850), dice.millis(200, 3_000)));
        let stack = match known.filter(|_| is_known) {
            Some(stack) => stack,
            None if begins => {
                let (stack, _) = self.world.start_project(&name, 150);
                self.world.sleep(pause).await;
                stack
            }
            None => self.document(&name, 0),
        };
        let all = self.world.everything();
        let options = self.world.throw(|dice| options(dice, &stack, &names, &all));
        if self.world.chance(300) {
            self.compare(&stack, &options).await;
        }
        if !matches!(self.adopt(stack.clone(), options.clone()).await, Some(Ok(_))) {
            return;
        }
        // Another stack wants the same.
        let other = self.world.throw(|dice| dice.pick(&free).filter(|_| dice.chance(500)).cloned());
        if let Some(other) = other.filter(|other| *other != name) {
            let options = AdoptOptions { project: options.project.or(Some(name)), ..options };
            let stack = Stack { id: StackId::new(format!("stack:{other}")), name: other, ..stack };
            self.adopt(stack, options).await;
        }
    }

    async fn adopt(&mut self, stack: Stack, options: AdoptOptions) -> Option<Result<Started, ControlError>> {
        self.wanted.insert(stack.name.clone(), stack.clone());
        self.world.owners().will_adopt(&stack, &options);
        self.ask(Wish::Adopt(Box::new(stack), Box::new(options))).await
    }

    /// Asks what would be adopted until somebody answers, or patience ends.
    async fn compare(&self, stack: &Stack, options: &AdoptOptions) -> Option<Result<Comparison, ControlError>> {
        self.world.tell("operator", || format!("asks what {} would adopt", stack.name));
        for _ in 0..TRIES {
            let (stack, options) = (stack.clone(), options.clone());
            let asked = self.world.ask(None, "comparison", move |control| {
                let (stack, options) = (stack.clone(), options.clone());
                async move { control.compare_for_adoption(&stack, &options).await }
            });
            match select(pin!(asked), pin!(self.world.sleep(self.patience()))).await {
                Either::Left((Ok(Err(ControlError::Store(_))), _)) => {}
                Either::Left((Ok(answer), _)) => return Some(answer),
                Either::Left((Err(_), _)) | Either::Right(_) => {}
            }
            self.world.sleep(Duration::from_secs(1)).await;
        }
        None
    }

    /// The tasks that the next deployment of a document would have, once somebody answers.
    async fn plan(&self, stack: &Stack) -> Option<Result<Vec<String>, ControlError>> {
        for _ in 0..TRIES {
            let stack = stack.clone();
            let asked = self.world.ask(None, "plan", move |control| {
                let stack = stack.clone();
                async move { control.preview(&stack, &DeployOptions::default()).await }
            });
            if let Either::Left((Ok(plan), _)) = select(pin!(asked), pin!(self.world.sleep(PATIENCE))).await {
                return Some(plan.map(|plan| plan.tasks.iter().map(|task| task.id.to_string()).collect()));
            }
        }
        None
    }
}

impl World {
    /// Somebody's project becomes a stack while nothing goes wrong: it runs on, nothing is left to do, and a change makes anew what
    /// has changed and nothing else.
    pub(super) async fn adopts_in_calm(self: &Arc<Self>, operator: &mut Operator, name: &str) -> Option<()> {
        if !self.setup.stacks.is_empty() || !self.chance(200) {
            return Some(());
        }
        self.remove_in_calm(operator, name).await?;
        if self.stack_records().iter().any(|record| record.value.name == name) {
            return Some(());
        }
        let (mut stack, mut before) = self.start_project(name, 0);
        if before.len() != stack.containers.len() {
            // Something of an earlier one is in the way.
            return Some(());
        }
        self.sleep(KNOWN).await;
        // There may be others that could be meant: these are.
        let chosen = |(name, (host, state)): (&String, &(usize, ContainerState))| {
            (name.clone(), format!("{}/{}", self.hosts[*host].id, state.observed.id))
        };
        let mut options = AdoptOptions { containers: before.iter().map(chosen).collect(), ..AdoptOptions::default() };
        if self.chance(500) {
            self.compares_in_calm(operator, &stack, &options).await?;
        }
        let other = self.throw(|dice| dice.chance(300).then_some(dice.below(stack.containers.len())));
        let changed = |stack: &mut Stack| {
            let container = other.and_then(|which| stack.containers.get_mut(which));
            container.map(|container| {
                let container = Arc::make_mut(container);
                container.image = "new:1".to_owned();
                container.name.clone()
            })
        };
        if other.is_some() {
            // Not as the document says: then none is adopted.
            let mut wanted = stack.clone();
            changed(&mut wanted);
            if self.adopts_so(operator, &wanted, &options, StackStatus::Error).await? {
                self.look_for_same(&before, None, Promise::AdoptedAsItRuns);
            }
            options.accept_differences = self.chance(500);
        }
        if !self.adopts_so(operator, &stack, &options, StackStatus::Running).await? {
            return Some(());
        }
        self.look_for_same(&before, Some(&stack), Promise::AdoptedAsItRuns);
        self.plans_nothing(operator, &stack).await?;
        self.sleep(KNOWN).await;
        self.plans_nothing(operator, &stack).await?;
        if let Some(changed) = changed(&mut stack)
            && self.deploys(operator, Wish::Deploy(Box::new(stack.clone())), &stack).await?
        {
            before.remove(&changed);
            self.look_for_same(&before, Some(&stack), Promise::AdoptedAsItRuns);
        }
        Some(())
    }

    /// Has containers compared, which are as the document says, and which nobody touches for it.
    async fn compares_in_calm(
        self: &Arc<Self>,
        operator: &Operator,
        stack: &Stack,
        options: &AdoptOptions,
    ) -> Option<()> {
        let comparison = match operator.compare(stack, options).await {
            Some(Ok(comparison)) => comparison,
            _ if self.state().has_excuse => return Some(()),
            answer => {
                let detail = format!("nobody compares {}: {:?}", stack.name, answer.map(|answer| answer.err()));
                self.judge().accuse(Promise::Converges, detail);
                return None;
            }
        };
        self.rests(&format!("while {} is compared", stack.name)).await?;
        for view in &comparison.tasks {
            let task = self.store.look_at_task(&view.task.id, Clone::clone);
            let is_equal = task.as_ref().is_some_and(|task| {
                let differences = task.result.as_ref().map(|result| result.differences.len());
                task.status == TaskStatus::Completed && differences == Some(0)
            });
            // What it said may have been let go of already, where that takes a second.
            let is_gone = task.is_none() && self.prunes();
            if !is_equal && !is_gone {
                let detail = format!("{} is as its document says, and comparing it says {task:?}", stack.name);
                self.judge().accuse(Promise::Converges, detail);
            }
        }
        self.look_at_foreign();
        Some(())
    }

    /// Has containers adopted, which ends in this status, or nothing may be adopted for what is in the way.
    async fn adopts_so(
        self: &Arc<Self>,
        operator: &mut Operator,
        stack: &Stack,
        options: &AdoptOptions,
        status: StackStatus,
    ) -> Option<bool> {
        self.owners().will_adopt(stack, options);
        let wish = Wish::Adopt(Box::new(stack.clone()), Box::new(options.clone()));
        let refused = match operator.ask(wish).await {
            Some(Ok(_)) => None,
            Some(Err(ControlError::Invalid(_))) if self.state().has_excuse => return Some(false),
            Some(Err(error)) => Some(words(&error)),
            None => Some("nobody answers".to_owned()),
        };
        if let Some(words) = refused {
            self.judge().accuse(Promise::Converges, format!("{} adopts nothing: {words}", stack.name));
            return None;
        }
        self.rests(&format!("while {} adopts", stack.name)).await?;
        let records = self.stack_records().into_iter().map(|record| record.value);
        let record = records.into_iter().find(|record| record.name == stack.name);
        let now = record.as_ref().map(|record| record.status);
        if now == Some(status) {
            return Some(true);
        }
        let words = record.and_then(|record| record.error_message).unwrap_or_default();
        let detail = format!("{} is {now:?} after its adoption, and not {}: {words}", stack.name, status.as_str());
        self.judge().accuse(Promise::Converges, detail);
        None
    }

    /// Every container is the one that it was, and has not been started again; with a stack, under the names that it has in that.
    fn look_for_same(&self, before: &Project, stack: Option<&Stack>, promise: Promise) {
        for (container, (host, was)) in before {
            let node = &self.hosts[*host];
            let name = stack.map_or_else(|| was.observed.name.clone(), |stack| stack.engine_name(container));
            let is = node.runtime.container(&name);
            let same = is.as_ref().is_some_and(|is| {
                is.observed.id == was.observed.id
                    && (is.started_at, is.restart_count, is.status())
                        == (was.started_at, was.restart_count, was.status())
            });
            if !same {
                let detail = format!("{name} of {} was {was:?} before it was adopted, and is {is:?}", node.id);
                self.judge().accuse(promise, detail);
            }
        }
    }

    /// Whether an engine has made something late beside a container of a stack: it is listed as broken off, and the next deployment
    /// would clear it away.
    fn is_beside_something_late(&self, stack: &Stack) -> bool {
        let names: Vec<String> = stack.containers.iter().map(|container| stack.engine_name(&container.name)).collect();
        let state = self.state();
        let mut late = state.made_late.iter().filter_map(|(_, name)| beside::principal(name));
        late.any(|principal| names.iter().any(|name| name == principal))
    }

    /// The plan of what was adopted is empty.
    async fn plans_nothing(self: &Arc<Self>, operator: &Operator, stack: &Stack) -> Option<()> {
        let detail = match operator.plan(stack).await {
            Some(Ok(tasks)) if tasks.is_empty() || self.is_beside_something_late(stack) => return Some(()),
            Some(Ok(tasks)) => format!("{} was adopted, and would be deployed by {tasks:?}", stack.name),
            Some(Err(error)) => format!("{} was adopted, and cannot be planned: {}", stack.name, words(&error)),
            None => format!("{} was adopted, and nobody plans it", stack.name),
        };
        self.judge().accuse(Promise::AdoptedStays, detail);
        None
    }
}
