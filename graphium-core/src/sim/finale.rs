//! What must come true when nothing goes wrong any more.

use super::{
    operator::{Operator, Wish},
    promise::Promise,
    stacks::{self, BROKEN},
    world::World,
};
use crate::{
    control::{ControlError, DeploymentKind, DeploymentState, StackRecord, StackStatus, fold},
    id::HostId,
    inventory::{ContainerStatus, HostStatus},
    runtime::ContainerState,
    stack::{OnFailure, Stack},
    store::{TaskQuery, TaskStoreExt},
    task::TaskStatus,
};
use futures::FutureExt as _;
use std::{sync::Arc, time::Duration};

/// The longest that what is known of a host may be old: a call that hangs, and then the period of agents.
const KNOWN: Duration = Duration::from_secs(50);

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(250);

impl World {
    /// Lets everything come to rest, then has every stack deployed, and removed.
    pub(super) async fn come_to_rest(self: &Arc<Self>, operator: &mut Operator) -> Option<()> {
        for host in operator.hosts() {
            operator.order(host, HostStatus::Active).await;
        }
        // By then no order of the storm arrives any more.
        self.sleep(KNOWN).await;
        for host in operator.hosts() {
            operator.order(host, HostStatus::Active).await;
        }
        self.rests("after the storm").await?;
        self.look_for_acknowledged();
        // By then every agent has told what runs on its host, whatever became of its last word in the storm.
        while self.state().agent_up.contains(&false) {
            self.sleep(LOOK).await;
        }
        self.sleep(KNOWN).await;
        self.rests("when all is known").await?;
        for record in self.stack_records() {
            self.look_at_fold(&record.value);
            self.look_at_drift(&record.value);
        }
        let names = operator.names().to_vec();
        for name in &names {
            self.adopts_in_calm(operator, name).await?;
            self.deploy_in_calm(operator, name).await?;
        }
        self.drains_in_calm(operator).await?;
        self.loses_in_calm(operator).await?;
        for name in &names {
            self.remove_in_calm(operator, name).await?;
        }
        self.all_read().await;
        // What somebody's hand is in the way of is told with its reason, and tried again later.
        let told: Vec<_> = self.forgotten().into_iter().filter(|one| one.error.is_some()).collect();
        for (number, host) in
            self.hosts.iter().enumerate().filter(|(_, host)| !told.iter().any(|one| one.host_id == host.id))
        {
            let adopted = self.shown(number).into_iter().filter(ContainerState::is_managed);
            let ours = host.runtime.ours().into_iter().chain(adopted.map(|state| state.observed.name));
            // Volumes hold data; those of earlier revisions stay until somebody removes them.
            let late = self.state().made_late.clone();
            let is_late = |thing: &str| {
                let name = thing.strip_prefix("container ").unwrap_or(thing);
                late.contains(&(host.id.clone(), name.to_owned()))
            };
            if let Some(left) = ours.into_iter().find(|thing| !thing.starts_with("volume") && !is_late(thing)) {
                self.judge()
                    .accuse(Promise::NothingLeft, format!("every stack is removed, and {left} is left on {}", host.id));
            }
        }
        self.look_for_acknowledged();
        Some(())
    }

    /// Waits until no task is open and no stack is on its way; nothing, when that takes too long.
    pub(super) async fn rests(self: &Arc<Self>, when: &str) -> Option<()> {
        let end = self.elapsed() + self.setup.rest;
        let mut quiet = 0;
        loop {
            self.sleep(LOOK).await;
            let is_up = self.state().server.is_some();
            let restless = self.restless();
            // Twice in a row: between two looks the monitor has turned at least once.
            quiet = if is_up && restless.is_none() { quiet + 1 } else { 0 };
            if quiet > 3 {
                return Some(());
            }
            if self.elapsed() > end {
                let what = restless.unwrap_or_else(|| "the server".to_owned());
                let detail = format!("{when}, after {:?}, there is no rest: {what}", self.setup.rest);
                self.judge().accuse(Promise::Converges, detail);
                return None;
            }
        }
    }

    /// What is not at rest.
    fn restless(&self) -> Option<String> {
        if self.judge().open_tasks() > 0 {
            let task = self.judge().unfinished().into_iter().next().map(|(task, _)| task);
            return Some(task.map_or_else(String::new, |task| format!("{task} has not ended")));
        }
        if let Some(one) = self.forgotten().into_iter().find(|one| one.error.is_none()) {
            return Some(format!("{} is forgotten on {}", one.stack_id, one.host_id));
        }
        if let Some(record) = self.stack_records().iter().find(|record| record.value.next_repair.is_some()) {
            return Some(format!("{} waits for its next repair", record.value.id));
        }
        let statuses = self.stack_statuses();
        let (id, status, _) = statuses.into_iter().find(|(_, status, has_error)| {
            // A removal that failed is shown as that until somebody asks again.
            let is_stuck = *status == StackStatus::Deleting && *has_error;
            // Whoever is away comes back in the calm.
            *status == StackStatus::Degraded || status.is_transitional() && !is_stuck
        })?;
        Some(format!("{id} is {}", status.as_str()))
    }

    /// Everybody is at rest: a record says what the tasks of its deployment say.
    fn look_at_fold(&self, record: &StackRecord) {
        let query = TaskQuery { deployment: Some(record.deployment_id.clone()), ..TaskQuery::default() };
        let tasks = self.store.all_tasks(query).now_or_never().and_then(Result::ok).unwrap_or_default();
        let state = self.store.document::<DeploymentState>(record.deployment_id.as_str());
        let Some(state) = state.now_or_never().and_then(Result::ok).flatten() else {
            let detail = format!("{} names {}, which is not there", record.id, record.deployment_id);
            return self.judge().accuse(Promise::AcknowledgedSurvives, detail);
        };
        if state.value.kind == DeploymentKind::Repair {
            return;
        }
        let says = fold(state.value.kind, &tasks);
        let has_drifted = says.status == StackStatus::Running && record.status == StackStatus::Error;
        if says.status != record.status && !has_drifted {
            let detail =
                format!("{} is {}, and its tasks say {}", record.id, record.status.as_str(), says.status.as_str());
            self.judge().accuse(Promise::StatusIsFold, detail);
        }
        let is_forgotten = state.value.on_failure == Some(OnFailure::Rollback)
            && state.value.kind == DeploymentKind::Deploy
            && says.error.is_some()
            && state.value.rollback_state.is_none();
        if is_forgotten {
            let detail = format!("{} has failed and goes not back, nor says why", state.value.id);
            self.judge().accuse(Promise::RollbackArrives, detail);
        }
        let failed = tasks.iter().any(|task| matches!(task.status, TaskStatus::Failed | TaskStatus::Cancelled));
        if failed && record.error_message.is_none() {
            self.judge().accuse(Promise::StatusIsFold, format!("{} does not say what failed", record.id));
        }
    }

    /// Has a stack deployed whose images are sound, which must work; perhaps another after it, and the way back.
    async fn deploy_in_calm(self: &Arc<Self>, operator: &mut Operator, name: &str) -> Option<()> {
        if self
            .stack_records()
            .iter()
            .any(|record| record.value.name == name && record.value.status == StackStatus::Deleting)
        {
            return Some(());
        }
        let first = operator.document(name, 0);
        if self.chance(200) {
            self.fails_in_calm(operator, &first).await?;
        }
        if !self.deploys(operator, Wish::Deploy(Box::new(first.clone())), &first).await? || !self.chance(300) {
            return Some(());
        }
        if self.chance(500) {
            return self.fails_in_calm(operator, &first).await;
        }
        let second = operator.document(name, 0);
        if second == first || !self.deploys(operator, Wish::Deploy(Box::new(second.clone())), &second).await? {
            return Some(());
        }
        self.deploys(operator, Wish::Rollback(name.to_owned()), &first).await.map(drop)
    }

    /// Has a stack deployed that cannot run and is to go back then: what ran before runs again, or what was made is gone.
    async fn fails_in_calm(self: &Arc<Self>, operator: &mut Operator, sound: &Stack) -> Option<()> {
        let named = |record: &StackRecord| record.name == sound.name;
        let before = self.stack_records().into_iter().map(|record| record.value).find(named);
        // One that was started again may be half of one revision and half of another.
        let is_whole = |record: &StackRecord| {
            let deploys = |state: DeploymentState| state.kind.deploys();
            record.status == StackStatus::Running && self.present_deployment(record).is_some_and(deploys)
        };
        let before = before.filter(is_whole);
        let broken = self.throw(|dice| stacks::broken(dice, sound));
        // Without a place for it, or an answer, nothing has failed.
        let Some(Ok(started)) = operator.ask(Wish::Deploy(Box::new(broken))).await else { return Some(()) };
        self.rests(&format!("while {} goes back", sound.name)).await?;
        let query = TaskQuery { deployment: Some(started.deployment_id.clone()), ..TaskQuery::default() };
        let tasks = self.store.all_tasks(query).now_or_never().and_then(Result::ok).unwrap_or_default();
        if tasks.iter().all(|task| task.status == TaskStatus::Completed) {
            return Some(());
        }
        let Some(record) = self.stack_records().into_iter().map(|record| record.value).find(named) else {
            let detail = format!("{} was deployed and is not there", sound.name);
            self.judge().accuse(Promise::AcknowledgedSurvives, detail);
            return None;
        };
        if record.deployment_id == started.deployment_id || !self.went_back(&record) {
            // Nothing to go back to, or no place for it: then that is said.
            let is_told = record.error_message.as_ref().is_some_and(|words| words.contains("left as it is"));
            if !is_told || before.is_some() && !self.state().has_excuse {
                let words = record.error_message.unwrap_or_default();
                let detail = format!("{} has failed and does not go back: {words}", started.deployment_id);
                self.judge().accuse(Promise::RollbackArrives, detail);
            }
            return Some(());
        }
        match (record.status, record.last_running) {
            (StackStatus::Running, _) => {
                if let Some(before) = before
                    && before.definition != record.definition
                {
                    let detail = format!("{} went back to another revision than ran before", record.id);
                    self.judge().accuse(Promise::RollbackArrives, detail);
                }
                self.look_at_containers(&record, Promise::RollbackArrives);
            }
            (_, None) if record.applied.placements.is_empty() => self.look_for_remains(&record.id),
            _ => {
                let words = record.error_message.clone().unwrap_or_default();
                if !self.state().has_excuse || !words.contains("is not as before") {
                    let detail = format!("{} is {} and not back: {words}", record.id, record.status.as_str());
                    self.judge().accuse(Promise::RollbackArrives, detail);
                }
            }
        }
        Some(())
    }

    /// Whether what a stack does now takes back a deployment that has failed.
    fn went_back(&self, record: &StackRecord) -> bool {
        self.present_deployment(record).is_some_and(|state| state.takes_back.is_some())
    }

    fn present_deployment(&self, record: &StackRecord) -> Option<DeploymentState> {
        self.state_of(&record.deployment_id)
    }

    /// Whether a stack was taken on and runs; what is in its way may excuse it.
    pub(super) async fn deploys(self: &Arc<Self>, operator: &mut Operator, wish: Wish, wanted: &Stack) -> Option<bool> {
        let name = &wanted.name;
        let promise = if matches!(wish, Wish::Rollback(_)) { Promise::RollbackArrives } else { Promise::Converges };
        match operator.ask(wish).await {
            Some(Ok(_)) => {}
            // There is no place for it: that depends on the others.
            Some(Err(ControlError::Invalid(_))) => return Some(false),
            Some(Err(error)) => {
                self.judge().accuse(promise, format!("{name} is refused: {error}"));
                return None;
            }
            None => {
                self.judge().accuse(promise, format!("nobody answers who asks for {name}"));
                return None;
            }
        }
        self.rests(&format!("while {name} is deployed")).await?;
        let Some(record) =
            self.stack_records().into_iter().map(|record| record.value).find(|record| record.name == *name)
        else {
            self.judge().accuse(Promise::AcknowledgedSurvives, format!("{name} was deployed and is not there"));
            return None;
        };
        let is_sound = wanted.containers.iter().all(|container| container.image != BROKEN);
        let error = record.error_message.clone().unwrap_or_default();
        if record.status != StackStatus::Running {
            let is_excused = self.state().has_excuse || !is_sound || !self.setup.stacks.is_empty();
            if !is_excused || error.is_empty() {
                self.judge().accuse(
                    promise,
                    format!("{name} is {}, and nothing is in its way: {error}", record.status.as_str()),
                );
            }
            return Some(false);
        }
        if record.definition != *wanted {
            if self.state().has_excuse && self.went_back(&record) {
                self.look_at_containers(&record, Promise::RollbackArrives);
                return Some(false);
            }
            self.judge().accuse(promise, format!("{name} runs as another revision than was asked for"));
        }
        self.look_at_containers(&record, promise);
        Some(true)
    }

    /// What a record says runs, runs, and nothing else of the stack is anywhere.
    pub(super) fn look_at_containers(&self, record: &StackRecord, promise: Promise) {
        for (number, host) in self.hosts.iter().enumerate() {
            for state in self.shown(number) {
                let observed = &state.observed;
                if observed.stack().as_ref() != Some(&record.id) {
                    continue;
                }
                let is_wanted = record.applied.placements.iter().any(|(container, place)| {
                    *place == host.id && record.applied.stack.engine_name(container) == observed.name
                });
                let is_late = self.state().made_late.contains(&(host.id.clone(), observed.name.clone()));
                let may_stay = self.state().adopted_last.contains(&record.id);
                if !is_wanted && !is_late && !may_stay {
                    let detail = format!("{} runs, and an earlier {} is left on {}", record.id, observed.name, host.id);
                    self.judge().accuse(Promise::NothingLeft, detail);
                }
            }
        }
        for (name, place) in self.absent(record) {
            self.judge().accuse(promise, format!("{} is said to run, and {name} does not on {place}", record.id));
        }
    }

    /// What of a stack does not run as it was deployed last: names on the engine, and hosts.
    pub(super) fn absent(&self, record: &StackRecord) -> Vec<(String, HostId)> {
        let applied = &record.applied;
        let is_absent = |container: &str, place: &HostId| {
            let host = self.hosts.iter().find(|host| host.id == *place);
            let state = host.and_then(|host| host.runtime.container(&applied.stack.engine_name(container)));
            let image = applied.stack.container(container).map(|container| container.image.as_str());
            !state.is_some_and(|state| {
                state.status() == ContainerStatus::Running && image == Some(state.observed.image.as_str())
            })
        };
        let absent = applied.placements.iter().filter(|(container, place)| is_absent(container, place));
        absent.map(|(container, place)| (applied.stack.engine_name(container), place.clone())).collect()
    }

    pub(super) async fn remove_in_calm(self: &Arc<Self>, operator: &mut Operator, name: &str) -> Option<()> {
        match operator.ask(Wish::Remove(name.to_owned())).await {
            Some(Ok(_) | Err(ControlError::NotFound { .. })) => {}
            Some(Err(error)) => {
                self.judge().accuse(Promise::Converges, format!("{name} cannot be removed: {error}"));
                return None;
            }
            None => {
                self.judge().accuse(Promise::Converges, format!("nobody answers who wants {name} removed"));
                return None;
            }
        }
        self.rests(&format!("while {name} is removed")).await?;
        if let Some(record) =
            self.stack_records().into_iter().map(|record| record.value).find(|record| record.name == name)
        {
            let why = record.error_message.unwrap_or_default();
            if !self.state().has_excuse {
                self.judge().accuse(
                    Promise::NothingLeft,
                    format!("{name} was removed and is {}: {why}", record.status.as_str()),
                );
            }
        }
        Some(())
    }
}
