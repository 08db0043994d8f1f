//! Stacks: removing, stopping, starting, going back, looking.

use super::{
    Control, ControlError, DeployOptions, DeploymentKind, DeploymentState, RemoveOptions, Revision, RevisionOutcome,
    StackHead, StackRecord, StackStatus, StackView, Started,
    deploy::{refuse_while_deleting, started},
    draft::{Aim, Draft},
    fold::under_way,
    forget::{self, Forgotten},
};
use crate::{
    event::EventType,
    id::{DeploymentId, StackId},
    plan::{self, SealedPlan, StackAction},
    store::{Document, Expect, Key, Kind, Page, Record, RecordQuery, RecordWrite, TaskQuery, TaskStoreExt, Versioned},
};
use futures::FutureExt;
use std::collections::BTreeMap;

impl Control {
    /// Takes the removal of a stack on. Its record goes when every host has confirmed.
    ///
    /// Asked again while it is under way, the answer names the same deployment; after a failure it is tried anew. Asked to forget,
    /// it waits for no host that is away: what may be left there is [told](Self::forgotten), and removed when the host is back.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn remove(&self, stack: &str, options: RemoveOptions) -> Result<Started, ControlError> {
        self.alone(|| self.remove_alone(stack, options.clone()).boxed()).await
    }

    async fn remove_alone(&self, stack: &str, options: RemoveOptions) -> Result<Started, ControlError> {
        let mut existing = self.find_stack(stack).await?;
        let begun = self.environment.elapsed();
        let inventory = self.inventory().await?;
        // What was to be fenced is the removal's from now on, which waits for it or forgets it as all else.
        let fences = self.moved_from(&existing.value.id).await?;
        existing.value.traces.extend(fences.iter().flat_map(Forgotten::traces));
        let record = &existing.value;
        if record.status == StackStatus::Deleting {
            let query = TaskQuery { deployment: Some(record.deployment_id.clone()), ..TaskQuery::default() };
            let tasks = self.store.all_tasks(query).await?;
            let mut open = tasks.iter().filter(|task| !task.status.is_terminal()).peekable();
            let is_under_way = open.peek().is_some();
            let waits_for_nothing = open.all(|task| forget::is_there(&task.host_id, &inventory));
            if is_under_way && (!options.forget || waits_for_nothing) {
                return Ok(started(record, tasks.len()));
            }
        }
        let plan_options = plan::Options {
            remove_volumes: options.remove_volumes,
            traces: record.traces.clone(),
            ..plan::Options::default()
        };
        let mut plan = plan::plan_removal(&record.id, &record.name, Some(&record.applied), &inventory, &plan_options);
        self.tell_planned(begun, &record.id, plan.tasks.len());
        let forgotten = if options.forget {
            let away = forget::away(&plan, &inventory);
            forget::set_aside(&mut plan, &away, &inventory, options.by.as_ref(), self.environment.now())
        } else {
            Vec::new()
        };
        let mut records = fences.iter().map(|fence| fence.removal(Expect::Any)).collect::<Vec<_>>();
        let deployment = DeploymentId::new(format!("deployment:{}", self.environment.uuid()));
        records.extend(forget::records(forgotten, &deployment)?);
        self.take_on(&existing, DeploymentKind::Remove, (&deployment, &plan.sealed()), options.by, records).await
    }

    /// Takes on to stop, start or restart every container of a stack.
    ///
    /// # Errors
    /// [`ControlError::NotFound`]; [`ControlError::Conflict`] while the stack is being removed, or for another kind.
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
    /// control.deploy(stack("shop", vec![container("web")]), DeployOptions::default()).await?;
    /// settled(StackStatus::Running).await?;
    /// control.act_on_stack("shop", DeploymentKind::Stop, None).await?;
    /// settled(StackStatus::Stopped).await?;
    /// assert_eq!(engine.container("shop-web").unwrap().status().as_str(), "exited");
    /// # Ok::<(), ControlError>(())
    /// # };
    /// # let others = join(agent.run(pending()), control.clone().run());
    /// # match world.run(select(pin!(script), pin!(others))) {
    /// #     Either::Left((outcome, _)) => outcome,
    /// #     Either::Right(_) => unreachable!("agents and monitors go on"),
    /// # }?;
    /// # Ok::<(), ControlError>(())
    /// ```
    pub async fn act_on_stack(
        &self,
        stack: &str,
        kind: DeploymentKind,
        by: Option<String>,
    ) -> Result<Started, ControlError> {
        let action = match kind {
            DeploymentKind::Stop => StackAction::Stop,
            DeploymentKind::Start => StackAction::Start,
            DeploymentKind::Restart => StackAction::Restart,
            DeploymentKind::Deploy
            | DeploymentKind::Remove
            | DeploymentKind::Rollback
            | DeploymentKind::Withdraw
            | DeploymentKind::Move
            | DeploymentKind::Repair => {
                return Err(ControlError::Conflict {
                    code: "wrong-action",
                    message: "a stack is stopped, started or restarted this way".to_owned(),
                });
            }
        };
        self.alone(|| self.act_alone(stack, kind, action, by.clone()).boxed()).await
    }

    async fn act_alone(
        &self,
        stack: &str,
        kind: DeploymentKind,
        action: StackAction,
        by: Option<String>,
    ) -> Result<Started, ControlError> {
        let existing = self.find_stack(stack).await?;
        refuse_while_deleting(&existing.value)?;
        let begun = self.environment.elapsed();
        let mut inventory = self.inventory().await?;
        let record = &existing.value;
        forget::hide(&mut inventory, &self.moved_from(&record.id).await?, record);
        if action == StackAction::Start {
            self.show_as_stopped(record, &mut inventory).await?;
        }
        if record.applied.placements.is_empty() {
            return Err(ControlError::Conflict {
                code: "nothing-deployed",
                message: format!("nothing of the stack `{}` is there any more; deploy it", record.name),
            });
        }
        let options = plan::Options { traces: record.traces.clone(), ..plan::Options::default() };
        let plan =
            plan::plan_action(action, &record.id, &record.name, Some(&record.applied), &inventory, &options).sealed();
        self.tell_planned(begun, &record.id, plan.tasks.len());
        let deployment = DeploymentId::new(format!("deployment:{}", self.environment.uuid()));
        self.take_on(&existing, kind, (&deployment, &plan), by, Vec::new()).await
    }

    /// Deploys an earlier document of a stack again: the given revision, or the latest before the present that has not failed
    /// and says something else.
    ///
    /// # Errors
    /// [`ControlError::NoRevision`] when there is none; those of [`deploy`](Self::deploy).
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
    /// # let shop = |image: &str| stack("shop", vec![Container { image: image.to_owned(), ..container("web") }]);
    /// for image in ["nginx:1.26", "nginx:1.27"] {
    ///     control.deploy(shop(image), DeployOptions::default()).await?;
    ///     settled(StackStatus::Running).await?;
    /// }
    /// assert_eq!(engine.container("shop-web").unwrap().observed.image, "nginx:1.27");
    ///
    /// control.rollback("shop", None, Some("alice".to_owned())).await?;
    /// settled(StackStatus::Running).await?;
    /// assert_eq!(engine.container("shop-web").unwrap().observed.image, "nginx:1.26");
    /// let newest = control.history("shop", None, 1).await?.remove(0);
    /// assert_eq!((newest.revision, newest.restores), (3, Some(1)));
    /// # Ok::<(), ControlError>(())
    /// # };
    /// # let others = join(agent.run(pending()), control.clone().run());
    /// # match world.run(select(pin!(script), pin!(others))) {
    /// #     Either::Left((outcome, _)) => outcome,
    /// #     Either::Right(_) => unreachable!("agents and monitors go on"),
    /// # }?;
    /// # Ok::<(), ControlError>(())
    /// ```
    pub async fn rollback(&self, stack: &str, to: Option<u64>, by: Option<String>) -> Result<Started, ControlError> {
        let record = self.find_stack(stack).await?.value;
        let mut revisions = self.revisions_of(&record.id).await?;
        let known = revisions.iter().map(|revision| revision.revision).collect();
        let is_wanted = |revision: &Revision| match to {
            Some(number) => revision.revision == number,
            None => {
                let has_failed = revision.outcome.is_some_and(|outcome| outcome != RevisionOutcome::Ran);
                revision.revision < record.revision && !has_failed && revision.definition != record.definition
            }
        };
        let Some(place) = revisions.iter().rposition(is_wanted) else {
            return Err(ControlError::NoRevision { stack: record.name, asked: to, known });
        };
        let Revision { definition, revision, .. } = revisions.swap_remove(place);
        let options = DeployOptions { by, ..DeployOptions::default() };
        self.deploy_for(definition, options, Aim::Rollback(revision)).await
    }

    /// The revisions of a stack, by their numbers.
    pub(super) async fn revisions_of(&self, stack: &StackId) -> Result<Vec<Revision>, ControlError> {
        let query = RecordQuery { stack: Some(stack.clone()), ..RecordQuery::of(Kind::Revision) };
        let mut revisions = self.store.documents::<Revision>(query).await?;
        revisions.sort_by_key(|revision| revision.value.revision);
        Ok(revisions.into_iter().map(|revision| revision.value).collect())
    }

    async fn take_on(
        &self,
        existing: &Versioned<StackRecord>,
        kind: DeploymentKind,
        (deployment, plan): (&DeploymentId, &SealedPlan),
        by: Option<String>,
        records: Vec<RecordWrite>,
    ) -> Result<Started, ControlError> {
        let now = self.environment.now();
        let draft = Draft { kind, deployment, plan, by: by.as_ref() };
        let mut submission = draft.submission(draft.state(now))?;
        submission.records.extend(records);
        let record = StackRecord {
            status: under_way(kind),
            deployment_id: deployment.clone(),
            date_modified: now,
            error_message: None,
            repairs: BTreeMap::new(),
            next_repair: None,
            ..existing.value.clone()
        };
        let event = match kind {
            DeploymentKind::Remove => EventType::StackDeleting,
            _ => EventType::StackDeploying,
        };
        self.commit(submission, Some(existing), &record, event).await?;
        Ok(started(&record, plan.tasks.len()))
    }

    /// The stack of that name or id.
    pub(super) async fn find_stack(&self, stack: &str) -> Result<Versioned<StackRecord>, ControlError> {
        Ok(Versioned::read(&self.stack_record(stack).await?)?)
    }

    /// The record of the stack of that name or id, unread.
    pub(super) async fn stack_record(&self, stack: &str) -> Result<Record, ControlError> {
        if let Some(record) = self.store.record(&Key::new(Kind::Stack, stack)).await? {
            return Ok(record);
        }
        let stacks = self.store.all_records(RecordQuery::of(Kind::Stack)).await?;
        let named = stacks.into_iter().find(|record| record.body["name"] == stack);
        named.ok_or_else(|| ControlError::NotFound { kind: "stack", id: stack.to_owned() })
    }

    /// One stack by its id, without its documents.
    pub(super) async fn stack_head(&self, id: &StackId) -> Result<Option<StackHead>, ControlError> {
        let record = self.store.record(&Key::new(Kind::Stack, id.as_str())).await?;
        Ok(record.as_ref().map(Record::read).transpose()?)
    }

    /// Every stack, without its documents.
    pub(super) async fn stack_heads(&self) -> Result<Vec<StackHead>, ControlError> {
        let records = self.store.all_records(RecordQuery::of(Kind::Stack)).await?;
        Ok(records.iter().map(Record::read).collect::<Result<_, _>>()?)
    }

    /// Every stack that can be read, and the first that cannot.
    pub(super) async fn legible_heads(&self) -> Result<(Vec<StackHead>, Result<(), ControlError>), ControlError> {
        let (mut heads, mut unread) = (Vec::new(), Ok(()));
        for record in self.store.all_records(RecordQuery::of(Kind::Stack)).await? {
            match record.read() {
                Ok(head) => heads.push(head),
                Err(error) => unread = unread.and(Err(error.into())),
            }
        }
        Ok((heads, unread))
    }

    /// Where each stack stands, in no order: for counting.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn stack_statuses(&self) -> Result<Vec<StackStatus>, ControlError> {
        Ok(self.stack_heads().await?.into_iter().map(|head| head.status).collect())
    }

    /// One stack, by name or id.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn stack(&self, stack: &str) -> Result<StackView, ControlError> {
        let record = self.find_stack(stack).await?.value;
        let state = self.deployment(&record.deployment_id).await?;
        Ok(StackView { endpoints: state.endpoints, ..record.view() })
    }

    /// Stacks, by id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn stacks(&self, after: Option<String>, limit: usize) -> Result<Page<StackView>, ControlError> {
        let page = self.store.records(&RecordQuery { after, limit, ..RecordQuery::of(Kind::Stack) }).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for record in &page.items {
            items.push(Versioned::<StackRecord>::read(record)?.value.view());
        }
        Ok(Page { items, next: page.next })
    }

    /// One deployment.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn deployment(&self, id: &DeploymentId) -> Result<DeploymentState, ControlError> {
        let found = self.store.document::<DeploymentState>(id.as_str()).await?;
        let found = found.ok_or_else(|| ControlError::NotFound { kind: "deployment", id: id.to_string() })?;
        Ok(found.value)
    }

    /// Deployments of one stack or of all, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn deployments(&self, stack: Option<StackId>) -> Result<Vec<DeploymentState>, ControlError> {
        let query = RecordQuery { stack, ..RecordQuery::of(Kind::Deployment) };
        let mut all = self.store.documents::<DeploymentState>(query).await?;
        all.sort_by_key(|state| std::cmp::Reverse(state.value.started_at));
        Ok(all.into_iter().map(|state| state.value).collect())
    }
}
