//! What is under way, and why it waits.

use super::{
    Control, ControlError, DeploymentState, RollbackState, StackHead, StackRecord, StackStatus, Standing, StatusView,
    TaskView, Waiting, rollback::is_due, shown::progress_line,
};
use crate::{
    id::{DeploymentId, HostId, StackId, TaskId},
    inventory::{Host, HostStatus},
    store::{Kind, RecordQuery, TaskQuery, TaskStoreExt, Versioned},
    task::{Task, TaskStatus},
};
use std::collections::{BTreeMap, BTreeSet};

impl Control {
    /// A stack's work at a glance, by name or id of the stack, or by id of the deployment (which stays when the stack is gone).
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn status(&self, stack_or_deployment: &str) -> Result<StatusView, ControlError> {
        let id = DeploymentId::new(stack_or_deployment);
        let (state, status, error, policy) = match self.deployment_with_head(&id).await? {
            Some((state, head)) => {
                let (status, error) = (state.status, state.error_message.clone());
                (state, status, error, head.map(|head| head.policy))
            }
            None => {
                let head: StackHead = self.stack_record(stack_or_deployment).await?.read()?;
                (self.deployment(&head.deployment_id).await?, head.status, head.error_message, Some(head.policy))
            }
        };
        let query = TaskQuery { deployment: Some(state.id.clone()), ..TaskQuery::default() };
        let tasks = self.store.all_tasks(query).await?;
        let mut fold = super::fold(state.kind, &tasks);
        let mut rollback_state = state.rollback_state;
        if policy.is_some() && is_due(&state, &fold) {
            rollback_state = Some(RollbackState::Due);
            fold.status = StackStatus::RollingBack;
            fold.ended = false;
        }
        let away = if policy.is_some() { self.away(&state.stack_id).await? } else { Vec::new() };
        // Once the tasks have ended the record has the last word: it also knows what was seen of the containers.
        let tasks_by_status = counts(&tasks);
        let shows_containers = policy.is_some() && fold.ended;
        let containers = if shows_containers { self.standings(&state.stack_id).await? } else { Vec::new() };
        Ok(StatusView {
            stack_id: state.stack_id,
            stack_name: state.stack_name,
            deployment_id: state.id,
            total_tasks: tasks.len(),
            overall_status: if fold.ended { status } else { fold.status },
            progress: fold.progress,
            tasks_by_status,
            error_message: if fold.ended { error } else { fold.error },
            rollback_state,
            rollback_id: state.rollback_id,
            rollback_message: state.rollback_message,
            reason: state.reason,
            takes_back: state.takes_back,
            policy,
            away,
            endpoints: state.endpoints,
            containers,
            tasks: self.views(tasks).await?,
        })
    }

    /// A deployment, and its stack as long as that is at it.
    ///
    /// What follows a deployment is written in one step with what becomes of it, and may be so between two reads: where the
    /// stack is at something else, the deployment is read after that is known.
    async fn deployment_with_head(
        &self,
        id: &DeploymentId,
    ) -> Result<Option<(DeploymentState, Option<StackHead>)>, ControlError> {
        let Some(Versioned { value: state, .. }) = self.store.document::<DeploymentState>(id.as_str()).await? else {
            return Ok(None);
        };
        let head = self.stack_head(&state.stack_id).await?.filter(|head| head.deployment_id == *id);
        if head.is_some() {
            return Ok(Some((state, head)));
        }
        let since = self.store.document::<DeploymentState>(id.as_str()).await?;
        Ok(Some((since.map_or(state, |since| since.value), None)))
    }

    /// How the containers stand that a stack has.
    async fn standings(&self, stack: &StackId) -> Result<Vec<Standing>, ControlError> {
        let Some(record) = self.store.document::<StackRecord>(stack.as_str()).await? else { return Ok(Vec::new()) };
        let (applied, hosts, seen) =
            (&record.value.applied, self.hosts_by_id().await?, self.seen(&record.value.id).await?);
        let each = applied.placements.iter().map(|(name, host)| {
            let there = seen.get(&format!("{host}/{}", applied.stack.engine_name(name)));
            Standing {
                name: name.clone(),
                host_id: host.clone(),
                status: there.map(|seen| seen.status),
                health: there.and_then(|seen| seen.health),
                exit_code: there.and_then(|seen| seen.exit_code),
                unsure: hosts.get(host).and_then(unsure),
            }
        });
        Ok(each.collect())
    }

    /// Tasks as people see them, with what each waits for.
    pub(super) async fn views(&self, tasks: Vec<Task>) -> Result<Vec<TaskView>, ControlError> {
        let waits = tasks.iter().any(|task| !task.status.is_terminal());
        let hosts = if waits { self.hosts_by_id().await? } else { BTreeMap::new() };
        let shown: BTreeSet<&TaskId> = tasks.iter().map(|task| &task.id).collect();
        let mut first: BTreeMap<TaskId, Task> = BTreeMap::new();
        for id in tasks.iter().filter(|task| !task.status.is_terminal()).flat_map(|task| &task.depends_on) {
            if !shown.contains(id)
                && !first.contains_key(id)
                && let Some(task) = self.store.task(id).await?
            {
                first.insert(id.clone(), task);
            }
        }
        let others: BTreeMap<&TaskId, &Task> =
            tasks.iter().chain(first.values()).map(|task| (&task.id, task)).collect();
        let waits: Vec<Option<Waiting>> = tasks.iter().map(|task| self.waiting(task, &others, &hosts)).collect();
        let views = tasks.into_iter().zip(waits).map(|(task, waiting)| TaskView {
            task: super::view::without_values(task),
            kind: "AgentTask".to_owned(),
            waiting,
        });
        Ok(views.collect())
    }

    async fn hosts_by_id(&self) -> Result<BTreeMap<HostId, Host>, ControlError> {
        let hosts = self.store.documents::<Host>(RecordQuery::of(Kind::Host)).await?;
        Ok(hosts.into_iter().map(|host| (host.value.id.clone(), host.value)).collect())
    }

    fn waiting(
        &self,
        task: &Task,
        others: &BTreeMap<&TaskId, &Task>,
        hosts: &BTreeMap<HostId, Host>,
    ) -> Option<Waiting> {
        let host = hosts.get(&task.host_id);
        let offline = host.and_then(|host| host.offline_since.map(|since| (since, host.last_seen)));
        let absent = offline.map(|(since, seen)| match seen {
            Some(_) => (format!("host {}, offline since {since}", task.host_id), since),
            None => (format!("host {}, whose agent has never connected", task.host_id), since),
        });
        let engine = host.and_then(|host| {
            let on = format!("host {}, whose engine does not answer: {}", task.host_id, host.engine_error.as_ref()?);
            Some((on, host.engine_away_since.unwrap_or(task.date_created)))
        });
        let wait =
            |reason: &str, on: String, since, until| Some(Waiting { reason: reason.to_owned(), on, since, until });
        match task.status {
            TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Cancelled => None,
            TaskStatus::Assigned | TaskStatus::Running => {
                let lease = task.lease.as_ref().map(|lease| lease.expires_at);
                let since = task.started_at.or(task.assigned_at).unwrap_or(task.date_created);
                match (absent, engine) {
                    (Some((on, since)), _) => wait("host", on, since, lease),
                    (None, Some((on, since))) => wait("engine", on, since, lease),
                    (None, None) => wait(
                        "agent",
                        format!("host {}: {}", task.host_id, progress_line(task.progress.as_ref())),
                        since,
                        lease,
                    ),
                }
            }
            TaskStatus::Pending => {
                // A host that is away is the first thing to know, whatever else is to come before.
                if let Some((on, since)) = absent {
                    return wait("host", on, since, None);
                }
                if host.is_some_and(|host| host.status == HostStatus::Maintenance) {
                    let on = format!("host {}, which is in maintenance", task.host_id);
                    return wait("host", on, task.date_created, None);
                }
                if let Some((on, since)) = engine {
                    return wait("engine", on, since, None);
                }
                let open = |id: &&TaskId| others.get(id).is_some_and(|other| !other.status.is_terminal());
                if let Some(first) = task.depends_on.iter().find(open) {
                    let other = others.get(first);
                    let name = other.map_or(first.as_str(), |other| other.plan_id.as_str());
                    let place = other.map_or_else(String::new, |other| format!(" on host {}", other.host_id));
                    return wait("task", format!("{name}{place}"), task.date_created, None);
                }
                let since = task.assigned_at.unwrap_or(task.date_created);
                match task.not_before.filter(|moment| *moment > self.environment.now()) {
                    Some(moment) => {
                        wait("retry", format!("attempt {} at {moment}", task.attempt + 1), since, Some(moment))
                    }
                    None => wait("slot", format!("a free slot of the agent on host {}", task.host_id), since, None),
                }
            }
        }
    }
}

/// Why nobody knows what runs on a host.
fn unsure(host: &Host) -> Option<String> {
    let away = host.offline_since.map(|since| format!("host {} is offline since {since}", host.id));
    away.or_else(|| Some(format!("the engine of host {} does not answer: {}", host.id, host.engine_error.as_ref()?)))
}

/// Tasks by status, each of the six.
pub(super) fn counts(tasks: &[Task]) -> BTreeMap<TaskStatus, usize> {
    let mut counts: BTreeMap<TaskStatus, usize> = TaskStatus::ALL.into_iter().map(|status| (status, 0)).collect();
    for task in tasks {
        *counts.entry(task.status).or_default() += 1;
    }
    counts
}
