//! From a plan to work: deployments are made here.

use super::{
    Control, ControlError, DeployOptions, Revision, StackRecord, StackStatus, Started,
    draft::{Aim, Draft},
    fold::under_way,
    overtaken::overtaken,
    reserve::definition,
};
use crate::{
    action::Action,
    diagnostic::{Diagnostic, Property, Subject},
    event::{EventType, NewEvent},
    id::{DeploymentId, HostId},
    plan::{self, Applied, Plan, SealedPlan, Trace},
    stack::Stack,
    store::{Document, Expect, Kind, RecordQuery, Submission, Submitted, TaskQuery, TaskStoreExt, Versioned},
    task::Task,
};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

impl Control {
    /// What a deployment would do. Changes nothing.
    ///
    /// # Errors
    /// Those of [`deploy`](Self::deploy): what could not be deployed now is not shown as if it could.
    pub async fn preview(&self, stack: &Stack, options: &DeployOptions) -> Result<Plan, ControlError> {
        let existing = self.existing(stack).await?;
        if let Some(record) = &existing {
            refuse_while_deleting(&record.value)?;
        }
        self.plan_for(stack, existing.as_ref(), options).await
    }

    /// Takes a stack on: plans it, stores plan and tasks in one step, and returns.
    ///
    /// What is deployed already, or on its way, is not begun again: the answer names the deployment that did, or does it.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] with every reason why it cannot be; [`ControlError::Conflict`] while the stack is being removed.
    ///
    /// # Example
    /// ```
    /// # use futures::future::{Either, join, pending, select};
    /// # use graphium_core::agent::{Agent, AgentSettings, MemoryJournal};
    /// # use graphium_core::control::*;
    /// # use graphium_core::testing::{FakeRuntime, ManualEnvironment, Program};
    /// # use graphium_core::{environment::Environment, event::NoSink, stack::Container, store::MemoryStore};
    /// # use graphium_core::plan::fixtures::{container, stack};
    /// # use std::{pin::pin, sync::Arc, time::Duration};
    /// # let world = Arc::new(ManualEnvironment::default());
    /// # let engine = FakeRuntime::with_environment(world.clone());
    /// # ["nginx:alpine", "nginx:1.26", "nginx:1.27"].iter().for_each(|image| engine.put_image(image, Program::runs()));
    /// # let opened = Control::open(Arc::new(MemoryStore::new()), Arc::new(NoSink), world.clone(), Settings::default());
    /// # let control = world.run(opened)?;
    /// # let settings = AgentSettings::new("vm1".into(), 4);
    /// # let journal = Box::new(MemoryJournal::default());
    /// # let agent = Agent::new(control.clone(), Arc::new(engine.clone()), world.clone(), journal, settings);
    /// # let settled = async |status| {
    /// #     while control.status("shop").await?.overall_status != status {
    /// #         world.sleep(Duration::from_secs(1)).await;
    /// #     }
    /// #     Ok::<(), ControlError>(())
    /// # };
    /// # let script = async {
    /// # while control.hosts().await?.is_empty() {
    /// #     world.sleep(Duration::from_secs(1)).await;
    /// # }
    /// let started = control.deploy(stack("shop", vec![container("web")]), DeployOptions::default()).await?;
    /// // It is taken on, not done: what becomes of it is asked for.
    /// assert_eq!(started.status, StackStatus::Deploying);
    /// settled(StackStatus::Running).await?;
    /// assert!(control.status("shop").await?.tasks.iter().all(|task| task.task.status.is_terminal()));
    ///
    /// // The same once more is nothing to do; what is wrong is refused whole.
    /// let again = control.deploy(stack("shop", vec![container("web")]), DeployOptions::default()).await?;
    /// assert_eq!(again.task_count, 0);
    /// let twice = stack("shop", vec![container("web"), container("web")]);
    /// let refused = control.deploy(twice, DeployOptions::default()).await.unwrap_err();
    /// assert!(matches!(refused, ControlError::Invalid(_)), "{refused}");
    /// # Ok::<(), ControlError>(())
    /// # };
    /// # let others = join(agent.run(pending()), control.clone().run());
    /// # match world.run(select(pin!(script), pin!(others))) {
    /// #     Either::Left((outcome, _)) => outcome,
    /// #     Either::Right(_) => unreachable!("agents and monitors go on"),
    /// # }?;
    /// # Ok::<(), ControlError>(())
    /// ```
    pub async fn deploy(&self, stack: Stack, options: DeployOptions) -> Result<Started, ControlError> {
        self.deploy_for(stack, options, Aim::Deploy).await
    }

    pub(super) async fn deploy_for(
        &self,
        stack: Stack,
        options: DeployOptions,
        aim: Aim,
    ) -> Result<Started, ControlError> {
        self.alone(|| self.deploy_alone(stack.clone(), options.clone(), aim.clone()).boxed()).await
    }

    async fn deploy_alone(&self, stack: Stack, options: DeployOptions, aim: Aim) -> Result<Started, ControlError> {
        self.refuse_policy(options.policy)?;
        let existing = self.existing(&stack).await?;
        if let Some(existing) = &existing {
            let record = &existing.value;
            refuse_while_deleting(record)?;
            if record.definition == stack && is_on_its_way(record) && !options.pull_images {
                self.set_policy(existing, options.policy).await?;
                return self.repeat(record).await;
            }
        }
        let plan = self.plan_for(&stack, existing.as_ref(), &options).await?.sealed();
        self.carry_out(stack, plan, existing.as_ref(), options, aim).await
    }

    /// Stores a plan that was just made, with all that belongs to it, in one step.
    pub(super) async fn carry_out(
        &self,
        stack: Stack,
        plan: SealedPlan,
        existing: Option<&Versioned<StackRecord>>,
        options: DeployOptions,
        aim: Aim,
    ) -> Result<Started, ControlError> {
        if let Some(existing) = existing
            && let record = &existing.value
            && plan.is_empty()
            && record.definition == stack
            && record.status.is_up()
            && aim.failed().is_none()
        {
            self.set_policy(existing, options.policy).await?;
            return Ok(Started { warnings: plan.plan.warnings, ..started(record, 0) });
        }
        let now = self.environment.now();
        let deployment = DeploymentId::new(format!("deployment:{}", self.environment.uuid()));
        let record = StackRecord {
            status: under_way(aim.kind()),
            error_message: aim.reason(),
            ..deployed_record(&stack, &plan, existing, &deployment, &options, now)
        };
        let deadline = options.timeout.and_then(|limit| now.checked_add(SignedDuration::try_from(limit).ok()?).ok());
        let draft = Draft { kind: aim.kind(), deployment: &deployment, plan: &plan, by: options.by.as_ref() };
        let mut state = draft.state(now);
        state.deadline = deadline;
        state.revision = Some(record.revision);
        state.on_failure = options.on_failure.or(stack.deployment.update.on_failure);
        state.takes_back = aim.failed().cloned();
        let mut submission = draft.submission(state)?;
        submission.records.extend(aim.also(&deployment)?);
        submission.idempotency_key = options.idempotency_key;
        let revision = Revision {
            stack_id: record.id.clone(),
            revision: record.revision,
            definition: stack,
            placements: plan.placements.clone(),
            date_created: now,
            created_by: options.by,
            deployment_id: Some(deployment),
            restores: aim.restores(),
            outcome: None,
            error_message: None,
        };
        submission.records.push(revision.write(Expect::Any)?);
        let submitted = self.commit(submission, existing, &record, aim.event()).await?;
        if submitted.repeated {
            return self.first_answer(&submitted).await;
        }
        Ok(Started { task_count: plan.tasks.len(), warnings: plan.plan.warnings, ..started(&record, 0) })
    }

    async fn plan_for(
        &self,
        stack: &Stack,
        existing: Option<&Versioned<StackRecord>>,
        options: &DeployOptions,
    ) -> Result<Plan, ControlError> {
        self.admit(stack)?;
        let begun = self.environment.elapsed();
        let inventory = self.inventory_for(stack).await?;
        let options = plan::Options {
            pull_images: options.pull_images,
            explain: options.explain,
            on_failure: options.on_failure,
            traces: traces_of(existing),
            ..plan::Options::default()
        };
        let applied = existing.map(|record| &record.value.applied);
        let mut plan = plan::plan(stack, applied, &inventory, &options).map_err(ControlError::Invalid)?;
        plan.warnings.extend(self.missing_secrets(stack).await?);
        self.tell_planned(begun, &stack.id, plan.tasks.len());
        Ok(plan)
    }

    /// The record of the same id, if there is one; another stack of the same name is a mistake of the document.
    pub(super) async fn existing(&self, stack: &Stack) -> Result<Option<Versioned<StackRecord>>, ControlError> {
        let stacks = self.store.all_records(RecordQuery::of(Kind::Stack)).await?;
        let id = stack.id.as_str();
        let namesake = stacks.iter().find(|other| other.body["name"] == stack.name.as_str() && other.key.id != id);
        if let Some(other) = namesake {
            let message = format!("the name `{}` belongs to the stack `{}`", stack.name, other.key.id);
            let help = "give this stack another name, or remove the other one first";
            return Err(ControlError::Invalid(vec![
                Diagnostic::error("stack-name-taken", "", message)
                    .with_help(help)
                    .about(Subject::stack().property(Property::Name)),
            ]));
        }
        Ok(stacks.iter().find(|record| record.key.id == id).map(Versioned::read).transpose()?)
    }

    /// Stores a deployment with its stack's record, and lets the agents know.
    pub(super) async fn commit(
        &self,
        mut submission: Submission,
        existing: Option<&Versioned<StackRecord>>,
        record: &StackRecord,
        event: EventType,
    ) -> Result<Submitted, ControlError> {
        // With removals of orphans, of which some may be wanted now.
        let open = self.open_tasks(TaskQuery { stack: Some(record.id.clone()), ..TaskQuery::default() }).await?;
        let open: BTreeSet<DeploymentId> = open.into_iter().filter_map(|task| task.deployment_id).collect();
        let overtaken = overtaken(existing.map(|existing| &existing.value), &open);
        let expect = existing.map_or(Expect::Absent, |existing| Expect::Version(existing.version));
        submission.records.push(StackRecord { overtaken, ..record.clone() }.write(expect)?);
        submission.records.extend(self.planned()?);
        submission.supersedes.extend(existing.map(|existing| existing.value.deployment_id.clone()));
        submission.supersedes.extend(open);
        self.wait_for_forgotten(&mut submission, record).await?;
        give_time_to_stop(&mut submission.tasks, existing.map(|existing| &existing.value), record);
        submission.events.push(NewEvent { kind: event, data: stack_event(record) });
        let _consequences = Consequences {
            control: self,
            deployment: record.deployment_id.clone(),
            overtaken: existing.map(|existing| existing.value.deployment_id.clone()),
            hosts: submission.tasks.iter().map(|task| task.host_id.clone()).collect(),
        };
        Ok(self.store.submit(submission, self.environment.now()).await?)
    }

    /// The answer to a request whose key was seen before: what the first led to.
    async fn first_answer(&self, submitted: &Submitted) -> Result<Started, ControlError> {
        let key = submitted.keys.iter().find(|key| key.kind == Kind::Deployment);
        let id = DeploymentId::new(key.map_or("", |key| key.id.as_str()));
        let state = self.deployment(&id).await?;
        Ok(Started {
            stack_id: state.stack_id,
            stack_name: state.stack_name,
            deployment_id: state.id,
            status: state.status,
            task_count: state.task_count,
            warnings: Vec::new(),
        })
    }

    /// The answer to a request for what is under way already.
    pub(super) async fn repeat(&self, record: &StackRecord) -> Result<Started, ControlError> {
        let query = TaskQuery { deployment: Some(record.deployment_id.clone()), ..TaskQuery::default() };
        let tasks = self.store.all_tasks(query).await?;
        Ok(started(record, tasks.len()))
    }
}

/// What follows from a deployment that was handed to the store, whatever becomes of its request: the store may have taken
/// it without an answer, and the request may be dropped when its caller hangs up.
struct Consequences<'a> {
    control: &'a Control,
    deployment: DeploymentId,
    overtaken: Option<DeploymentId>,
    hosts: BTreeSet<HostId>,
}

impl Drop for Consequences<'_> {
    fn drop(&mut self) {
        let asked = self.control.environment.elapsed();
        {
            let mut state = self.control.state();
            state.dirty.extend(self.overtaken.take());
            state.dirty.insert(self.deployment.clone());
            state.active.insert(self.deployment.clone());
            state.expected.insert(self.deployment.clone(), asked);
        }
        let hosts: Vec<HostId> = std::mem::take(&mut self.hosts).into_iter().collect();
        self.control.work_is_ready(&hosts);
    }
}

pub(super) fn started(record: &StackRecord, task_count: usize) -> Started {
    Started {
        stack_id: record.id.clone(),
        stack_name: record.name.clone(),
        deployment_id: record.deployment_id.clone(),
        status: record.status,
        task_count,
        warnings: Vec::new(),
    }
}

pub(super) fn stack_event(record: &StackRecord) -> serde_json::Value {
    json!({
        "@id": record.id,
        "name": record.name,
        "status": record.status,
        "deploymentId": record.deployment_id,
        "errorMessage": record.error_message,
    })
}

/// Whether the document that a stack is wanted to have is being deployed, and not being taken back.
pub(super) fn is_on_its_way(record: &StackRecord) -> bool {
    match record.status {
        StackStatus::Deploying => true,
        StackStatus::RollingBack => record.error_message.is_none(),
        _ => false,
    }
}

pub(super) fn refuse_while_deleting(record: &StackRecord) -> Result<(), ControlError> {
    if record.status == StackStatus::Deleting {
        return Err(ControlError::Conflict {
            code: "stack-deleting",
            message: format!("the stack `{}` is being removed; wait until it is gone", record.name),
        });
    }
    Ok(())
}

pub(super) fn deployed_record(
    stack: &Stack,
    plan: &Plan,
    existing: Option<&Versioned<StackRecord>>,
    deployment: &DeploymentId,
    options: &DeployOptions,
    now: Timestamp,
) -> StackRecord {
    let before = existing.map(|record| &record.value);
    let changed = before.is_none_or(|record| record.definition != *stack);
    // Until this deployment has come to its end, what those before it have made may be where they made it.
    let traces = before.into_iter().flat_map(|record| record.traces.iter().cloned().chain(record.applied.traces()));
    StackRecord {
        id: stack.id.clone(),
        name: stack.name.clone(),
        status: StackStatus::Deploying,
        deployment_id: deployment.clone(),
        revision: before.map_or(0, |record| record.revision) + u64::from(changed),
        definition: stack.clone(),
        traces: traces.collect(),
        overtaken: BTreeSet::new(),
        applied: Applied { stack: stack.clone(), placements: plan.placements.clone() },
        repairs: BTreeMap::new(),
        next_repair: None,
        policy: options.policy.of(before.map(|record| record.policy).unwrap_or_default()),
        date_created: before.map_or(now, |record| record.date_created),
        date_modified: now,
        deployed_at: before.and_then(|record| record.deployed_at),
        owner: before.and_then(|record| record.owner.clone()).or_else(|| options.by.clone()),
        error_message: None,
        last_running: before.and_then(|record| record.last_running),
    }
}

/// What earlier deployments may have left somewhere.
pub(super) fn traces_of(existing: Option<&Versioned<StackRecord>>) -> BTreeSet<Trace> {
    existing.map(|record| record.value.traces.clone()).unwrap_or_default()
}

/// Gives tasks that stop a container the time that it may take to stop, beside their own.
fn give_time_to_stop(tasks: &mut [Task], before: Option<&StackRecord>, after: &StackRecord) {
    let revisions = before.into_iter().chain([after]).map(|record| &record.applied);
    let mut graces: BTreeMap<String, u64> = BTreeMap::new();
    for applied in revisions {
        for name in applied.placements.keys() {
            if let Some(grace) = definition(&applied.stack, name).and_then(|found| found.stop_grace_period) {
                let longest = graces.entry(applied.stack.engine_name(name)).or_default();
                *longest = grace.as_secs().max(*longest);
            }
        }
    }
    if graces.is_empty() {
        return;
    }
    for task in tasks {
        let stops = matches!(
            &*task.payload,
            Action::Stop { .. } | Action::Restart { .. } | Action::Delete { .. } | Action::Update { .. }
        );
        if let Some(grace) = graces.get(task.payload.subject()).filter(|_| stops) {
            task.timeout_seconds = task.timeout_seconds.saturating_add(*grace);
        }
    }
}
