//! Taking containers that run into a stack as they are: ours that nobody wants, and those of others.
//!
//! Which container is which is decided from what agents have seen; how each is made only its engine knows, so the comparison
//! is a task of its host. It can be had alone, before anything is stored; an adoption makes it once more, of all before the first.

use super::{
    Control, ControlError, DeployOptions, OrphanReason, PolicyChange, StackRecord, StackStatus, Started, TaskView,
    deploy::{is_on_its_way, started},
    draft::Aim,
    matching::{self, Chosen, Found},
};
use crate::{
    action::{Action, AdoptAim, TaskType},
    diagnostic::Diagnostic,
    id::{HostId, StackId, TaskId},
    inventory::Inventory,
    plan::{self, Adoptee},
    stack::{OnFailure, Stack},
    store::{Submission, TaskQuery, TaskStoreExt, Versioned},
    task::Task,
};
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// More than this many containers are not adopted at once: each is compared before the first is touched.
pub const MOST_ADOPTED: usize = 256;

/// What a caller may say about an adoption.
///
/// # Example
/// ```
/// use graphium_core::control::{AdoptOptions, Comparison, Control, ControlError, Settings};
/// use graphium_core::{event::NoSink, plan::fixtures::{container, stack}, store::MemoryStore, testing::ManualEnvironment};
/// use std::sync::Arc;
///
/// let world = Arc::new(ManualEnvironment::default());
/// world.run(async {
///     let store = Arc::new(MemoryStore::new());
///     let control = Control::open(store, Arc::new(NoSink), world.clone(), Settings::default()).await?;
///     let options = AdoptOptions { by: Some("alice".to_owned()), host: Some("vm1".into()), ..AdoptOptions::default() };
///     let shop = stack("shop", vec![container("web")]);
///     // Nothing runs that could be it, and that is said container by container.
///     let refused: Result<Comparison, _> = control.compare_for_adoption(&shop, &options).await;
///     assert!(matches!(refused, Err(ControlError::Invalid(reasons)) if reasons[0].is_error()));
///     Ok::<(), ControlError>(())
/// })?;
/// # Ok::<(), ControlError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct AdoptOptions {
    /// Who asks.
    pub by: Option<String>,
    /// Only containers of this host.
    pub host: Option<HostId>,
    /// The Compose project whose containers they are; absent: the one called as the stack.
    pub project: Option<String>,
    /// Containers (by name within the stack), each with the one that is to be it: its id on the engine, the beginning of that,
    /// or its name, with `HOST/` before it or without.
    pub containers: BTreeMap<String, String>,
    /// Adopt also what is not as the document says; the next deployment sets it right.
    pub accept_differences: bool,
    /// What is to be done about the stack from now on without anybody asking.
    pub policy: PolicyChange,
    /// The caller's key for the request.
    pub idempotency_key: Option<String>,
}

/// What would be adopted, and the tasks that compare it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// The stack's name.
    pub stack_name: String,
    /// What would be adopted; each has the task at the same place in [`tasks`](Self::tasks).
    pub containers: Vec<Adoptee>,
    /// Containers that are the stack's own already, and where.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub own: BTreeMap<String, HostId>,
    /// The tasks that compare them: what differs is in the result of each.
    pub tasks: Vec<TaskView>,
    /// What is worth knowing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Diagnostic>,
}

impl Control {
    /// Finds the containers that a stack would adopt, and has them compared with its document. No container is changed, and
    /// nothing of the stack is stored.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] with every reason why they cannot be adopted; [`ControlError::Conflict`] while something is under
    /// way on the stack.
    pub async fn compare_for_adoption(
        &self,
        stack: &Stack,
        options: &AdoptOptions,
    ) -> Result<Comparison, ControlError> {
        let Prepared { found, plan, inventory, .. } = self.prepare_adoption(stack, options).await?;
        let now = self.environment.now();
        let uuid = self.environment.uuid();
        let planned = plan::plan_comparison(stack, &inventory, &found.adoptees, &found.own);
        let tasks: Vec<Task> = planned
            .into_iter()
            .enumerate()
            .map(|(number, planned)| Task {
                plan_id: planned.id.to_string(),
                why: planned.why.to_string(),
                created_by: options.by.clone(),
                scheduled_by: "operator".to_owned(),
                ..Task::new(TaskId::new(format!("task:{uuid}.{number:06}")), planned.host, planned.action, now)
            })
            .collect();
        let ids: Vec<TaskId> = tasks.iter().map(|task| task.id.clone()).collect();
        if !tasks.is_empty() {
            let submitted = self.store.submit(Submission { tasks, ..Submission::default() }, now).await?;
            self.work_is_ready(&submitted.ready);
        }
        let mut views = Vec::with_capacity(ids.len());
        for id in &ids {
            views.push(self.task(id).await?);
        }
        Ok(Comparison {
            stack_name: stack.name.clone(),
            containers: found.adoptees,
            own: found.own,
            tasks: views,
            warnings: plan.warnings,
        })
    }

    /// Takes containers that run into a stack: all that its document has, or none. They are compared first, and none is stopped,
    /// started or made anew; afterwards the stack has its document as a revision, and its plan is empty.
    ///
    /// # Errors
    /// As [`compare_for_adoption`](Self::compare_for_adoption). That one differs from the document is a failure of the deployment.
    pub async fn adopt(&self, stack: Stack, options: AdoptOptions) -> Result<Started, ControlError> {
        self.alone(|| self.adopt_alone(stack.clone(), options.clone()).boxed()).await
    }

    async fn adopt_alone(&self, stack: Stack, options: AdoptOptions) -> Result<Started, ControlError> {
        if let Some(started) = self.adoption_under_way(&stack).await? {
            return Ok(started);
        }
        let Prepared { plan, existing, .. } = self.prepare_adoption(&stack, &options).await?;
        let options = DeployOptions {
            by: options.by,
            // What goes wrong is told: nobody's containers are taken away for it.
            on_failure: Some(OnFailure::Pause),
            policy: options.policy,
            idempotency_key: options.idempotency_key,
            ..DeployOptions::default()
        };
        self.carry_out(stack, plan.sealed(), existing.as_ref(), options, Aim::Deploy).await
    }

    /// The adoption of the same document that goes on already: whoever asks again has missed the answer.
    async fn adoption_under_way(&self, stack: &Stack) -> Result<Option<Started>, ControlError> {
        let Some(record) = self.existing(stack).await?.map(|record| record.value) else { return Ok(None) };
        if record.definition != *stack || !is_on_its_way(&record) {
            return Ok(None);
        }
        let query = TaskQuery { deployment: Some(record.deployment_id.clone()), ..TaskQuery::default() };
        let tasks = self.store.all_tasks(query).await?;
        let adopts = tasks.iter().any(|task| task.task_type == TaskType::Adopt);
        Ok(adopts.then(|| started(&record, tasks.len())))
    }

    async fn prepare_adoption(&self, stack: &Stack, options: &AdoptOptions) -> Result<Prepared, ControlError> {
        let existing = self.existing(stack).await?;
        let open = self.open_tasks(TaskQuery::default()).await?;
        if let Some(record) = existing.as_ref().filter(|record| is_at_work(&record.value, &open)) {
            let (name, status) = (&record.value.name, record.value.status.as_str());
            return Err(ControlError::Conflict {
                code: "stack-busy",
                message: format!("the stack `{name}` is {status}; adopt when that has ended"),
            });
        }
        self.admit(stack)?;
        let begun = self.environment.elapsed();
        let inventory = self.planning_inventory(&stack.id).await?;
        let chosen = Chosen {
            options,
            free: self.free(&open).await?,
            awaited: awaited(&open),
            known: existing.as_ref().map(|record| &record.value),
        };
        let found = matching::find(stack, &inventory, &chosen).map_err(ControlError::Invalid)?;
        let aim = if options.accept_differences { AdoptAim::AsItIs } else { AdoptAim::Equal };
        let applied = existing.as_ref().map(|record| &record.value.applied);
        let plan = plan::plan_adoption(stack, applied, &inventory, &found.adoptees, &found.own, aim)
            .map_err(ControlError::Invalid)?;
        self.tell_planned(begun, &stack.id, plan.tasks.len());
        let elsewhere = matching::elsewhere(&found, &plan.placements);
        if !elsewhere.is_empty() {
            return Err(ControlError::Invalid(elsewhere));
        }
        Ok(Prepared { found, plan, existing, inventory })
    }

    /// Containers that bear our labels and that anybody may have, by host and name.
    async fn free(&self, open: &[Task]) -> Result<BTreeSet<String>, ControlError> {
        let going: BTreeSet<String> =
            open.iter().map(|task| format!("{}/{}", task.host_id, task.payload.subject())).collect();
        let orphans = self.orphans().await?.into_iter();
        let free = orphans.filter(|orphan| {
            !matches!(orphan.reason, OrphanReason::Forgotten { .. } | OrphanReason::BrokenOff)
                && !going.contains(&orphan.id)
        });
        Ok(free.map(|orphan| orphan.id).collect())
    }
}

/// Whether something is under way on a stack. A removal that has failed is over: what it was not to touch may be adopted.
fn is_at_work(record: &StackRecord, open: &[Task]) -> bool {
    let has_failed = record.status == StackStatus::Deleting && record.error_message.is_some();
    let is_its = |task: &Task| task.deployment_id.as_ref() == Some(&record.deployment_id);
    record.status.is_transitional() && (!has_failed || open.iter().any(is_its))
}

/// What stacks are about to adopt, by its host and the engine's id. To compare it takes nothing from anybody.
fn awaited(open: &[Task]) -> BTreeMap<(HostId, String), StackId> {
    let adopts = open.iter().filter_map(|task| match &*task.payload {
        Action::Adopt { container, .. } => Some(((task.host_id.clone(), container.clone()), task.stack_id.clone()?)),
        _ => None,
    });
    adopts.collect()
}

struct Prepared {
    found: Found,
    plan: plan::Plan,
    existing: Option<Versioned<StackRecord>>,
    inventory: Inventory,
}
