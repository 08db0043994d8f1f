//! Tasks, as operators see and move them.

use super::{Control, ControlError, DeploymentState, TaskRequest, TaskStats, TaskView};
use crate::{
    action::Action,
    diagnostic::Diagnostic,
    id::TaskId,
    runtime::label,
    store::{Page, Submission, TaskQuery, TaskStoreExt},
    task::{Input, Task, TaskStatus},
};
use futures::FutureExt;
use std::collections::BTreeSet;

impl Control {
    /// One task.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn task(&self, id: &TaskId) -> Result<TaskView, ControlError> {
        let task = self.store.task(id).await?;
        let task = task.ok_or_else(|| ControlError::NotFound { kind: "task", id: id.to_string() })?;
        self.view_of(task).await
    }

    /// Tasks by age.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tasks(&self, query: TaskQuery) -> Result<Page<TaskView>, ControlError> {
        let page = self.store.tasks(&query).await?;
        Ok(Page { items: self.views(page.items).await?, next: page.next })
    }

    /// Counts of tasks by status.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn task_stats(&self) -> Result<TaskStats, ControlError> {
        let mut stats = TaskStats::default();
        stats.by_status.extend(TaskStatus::ALL.map(|status| (status, 0)));
        let mut query = TaskQuery::default();
        loop {
            let page = self.store.tasks(&query).await?;
            for task in &page.items {
                stats.total += 1;
                *stats.by_status.entry(task.status).or_default() += 1;
            }
            match page.next {
                Some(next) => query.after = Some(TaskId::new(next)),
                None => return Ok(stats),
            }
        }
    }

    /// Takes on a task that an operator asks for.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] for a host that is not known; [`ControlError::NotAllowed`] for what no stack may ask of it.
    pub async fn create_task(&self, request: TaskRequest, by: Option<String>) -> Result<TaskView, ControlError> {
        self.host(&request.host_id).await?;
        self.admit_task(&request).await?;
        let now = self.environment.now();
        let id = TaskId::new(format!("task:{}.000000", self.environment.uuid()));
        let task = Task::new(id, request.host_id, request.payload, now);
        let task = Task {
            priority: request.priority.unwrap_or(task.priority).min(10),
            timeout_seconds: request.timeout_seconds.unwrap_or(task.timeout_seconds),
            max_retries: request.max_retries.unwrap_or(task.max_retries),
            created_by: by,
            scheduled_by: "operator".to_owned(),
            ..task
        };
        let submission = Submission { tasks: vec![task.clone()], ..Submission::default() };
        let submitted = self.store.submit(submission, now).await?;
        self.work_is_ready(&submitted.ready);
        self.view_of(task).await
    }

    /// Refuses a task that makes what a document may not ask for either.
    async fn admit_task(&self, request: &TaskRequest) -> Result<(), ControlError> {
        let spec = match &request.payload {
            Action::Deploy { spec } | Action::Update { spec, .. } | Action::Adopt { spec, .. } => Some(spec),
            _ => None,
        };
        // As its agent will: of the same stack is what is known to be, on that host.
        let mut own = BTreeSet::new();
        if let Some(stack) = spec.and_then(|spec| spec.labels.get(label::STACK)) {
            let known = self.inventory().await?.containers.into_iter();
            let known = known.filter(|it| it.hosted_on == request.host_id && it.label(label::STACK) == Some(stack));
            own.extend(known.map(|it| it.name));
        }
        let denied = self.settings.admission.action(&request.payload, &|name| own.contains(name));
        if denied.is_empty() {
            return Ok(());
        }
        let told = denied.iter().map(|it| Diagnostic::error(it.code(), "", it.to_string()).with_help(it.help()));
        Err(ControlError::NotAllowed(told.collect()))
    }

    /// Asks a task to end: at once while it waits, through its agent while it runs.
    ///
    /// # Errors
    /// [`ControlError::Store`] when it has ended already.
    pub async fn cancel_task(&self, id: &TaskId, by: &str) -> Result<TaskView, ControlError> {
        self.move_task(id, Input::Cancel { reason: format!("cancelled by {by}") }).await
    }

    /// Tries a failed or cancelled task again, and with it what was cancelled because of it.
    ///
    /// # Errors
    /// [`ControlError::Store`] when it neither failed nor was cancelled; [`ControlError::Conflict`] when a newer plan of its
    /// stack has taken the place of its own: what that one has made would be undone.
    pub async fn retry_task(&self, id: &TaskId, _by: &str) -> Result<TaskView, ControlError> {
        // As a plan is stored: another server may have replaced its own since.
        self.alone(|| self.retry_alone(id).boxed()).await?;
        self.task(id).await
    }

    async fn retry_alone(&self, id: &TaskId) -> Result<(), ControlError> {
        let task = self.store.task(id).await?;
        let task = task.ok_or_else(|| ControlError::NotFound { kind: "task", id: id.to_string() })?;
        self.refuse_superseded(&task).await?;
        let records = self.planned()?.into_iter().collect();
        let submission = Submission { records, retry: Some(id.clone()), ..Submission::default() };
        // Whatever becomes of the request: the store may have taken it without an answer.
        self.state().active.extend(task.deployment_id.clone());
        self.touch(task.deployment_id.as_ref());
        let submitted = self.store.submit(submission, self.environment.now()).await?;
        self.work_is_ready(&submitted.ready);
        Ok(())
    }

    async fn refuse_superseded(&self, task: &Task) -> Result<(), ControlError> {
        let id = &task.id;
        let (Some(stack), Some(own)) = (&task.stack_id, &task.deployment_id) else { return Ok(()) };
        let why = match self.stack_head(stack).await?.map(|head| head.deployment_id) {
            Some(present) if present == *own => return Ok(()),
            // The removal of an orphan: whether it is one still is to be seen first.
            _ if self.store.document::<DeploymentState>(own.as_str()).await?.is_none() => {
                format!(
                    "it belongs to no deployment; see `graphium orphans`, and ask for the removal of `{}/{}` again",
                    task.host_id,
                    task.payload.subject()
                )
            }
            Some(present) => {
                format!("`{present}` has taken the place of `{own}`, which it is of; deploy the stack again")
            }
            None => format!("its stack `{stack}` is gone; deploy it again"),
        };
        Err(ControlError::Conflict { code: "superseded", message: format!("task `{id}` is not tried again: {why}") })
    }

    async fn move_task(&self, id: &TaskId, input: Input) -> Result<TaskView, ControlError> {
        let acted = self.store.act(id, input, self.environment.now()).await?;
        for task in &acted.tasks {
            self.touch(task.deployment_id.as_ref());
        }
        self.work_is_ready(&acted.ready);
        let task = acted.tasks.into_iter().next();
        let task = task.ok_or_else(|| ControlError::NotFound { kind: "task", id: id.to_string() })?;
        self.view_of(task).await
    }

    async fn view_of(&self, task: Task) -> Result<TaskView, ControlError> {
        let id = task.id.clone();
        let view = self.views(vec![task]).await?.into_iter().next();
        view.ok_or_else(|| ControlError::NotFound { kind: "task", id: id.to_string() })
    }
}
