//! What is looked at of containers that do not run although they should.

use super::{promise::Promise, world::World};
use crate::{
    action::Action,
    control::{DeploymentKind, DeploymentState, StackRecord, StackStatus},
    event::{Event, EventType},
    id::{DeploymentId, HostId},
    inventory::ContainerStatus,
    stack::RestartPolicy,
    store::{TaskQuery, TaskStoreExt},
    task::TaskStatus,
};
use futures::FutureExt as _;

/// So often one container is brought back before its stack says that it ends again and again; twice, for a clock may jump.
const REPAIRS: usize = 2 * 5;

impl World {
    /// Whether a deployment brings back what did not run.
    pub(super) fn is_repair(&self, id: &DeploymentId) -> bool {
        self.state_of(id).is_some_and(|state| state.kind == DeploymentKind::Repair)
    }

    pub(super) fn state_of(&self, id: &DeploymentId) -> Option<DeploymentState> {
        let state = self.store.document::<DeploymentState>(id.as_str());
        state.now_or_never().and_then(Result::ok).flatten().map(|state| state.value)
    }

    /// Counts how often each container is brought back, from the last time on that somebody asked something of its stack.
    pub(super) fn look_at_repairs(&self, event: &Event) {
        let text = |name: &str| event.data.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        let (stack, deployment) = (text("@id"), DeploymentId::new(text("deploymentId")));
        if event.kind != EventType::StackDrifted {
            return self.judge().repairs.retain(|(of, ..), _| *of != stack);
        }
        let query = TaskQuery { deployment: Some(deployment), ..TaskQuery::default() };
        let tasks = self.store.all_tasks(query).now_or_never().and_then(Result::ok).unwrap_or_default();
        let made = tasks.iter().filter(|task| matches!(*task.payload, Action::Deploy { .. } | Action::Update { .. }));
        let made: Vec<(String, HostId, String)> =
            made.map(|task| (stack.clone(), task.host_id.clone(), task.payload.subject().to_owned())).collect();
        let mut judge = self.judge();
        if made.is_empty() {
            judge.accuse(Promise::DriftMended, format!("a repair of {stack} repairs nothing"));
        }
        for container in made {
            let times = judge.repairs.entry(container.clone()).or_default();
            *times += 1;
            if *times > REPAIRS {
                let detail = format!("{} on {} is brought back for the {times}th time", container.2, container.1);
                judge.accuse(Promise::RepairsBounded, detail);
            }
        }
    }

    /// Everybody is at rest, and every host is heard: of a stack that came to life all runs that should, or it says what was
    /// given up.
    pub(super) fn look_at_drift(&self, record: &StackRecord) {
        let Some(state) = self.state_of(&record.deployment_id) else { return };
        let query = TaskQuery { deployment: Some(record.deployment_id.clone()), ..TaskQuery::default() };
        let tasks = self.store.all_tasks(query).now_or_never().and_then(Result::ok).unwrap_or_default();
        let came_to_life = match state.kind {
            DeploymentKind::Deploy
            | DeploymentKind::Rollback
            | DeploymentKind::Move
            | DeploymentKind::Start
            | DeploymentKind::Restart => tasks.iter().all(|task| task.status == TaskStatus::Completed),
            DeploymentKind::Repair => true,
            DeploymentKind::Stop | DeploymentKind::Remove | DeploymentKind::Withdraw => false,
        };
        if !came_to_life {
            return;
        }
        let words = record.error_message.as_deref().unwrap_or_default();
        for (container, place) in &record.applied.placements {
            let Some(definition) = record.applied.stack.container(container) else { continue };
            let name = record.applied.stack.engine_name(container);
            let host = self.hosts.iter().find(|host| host.id == *place);
            let status = host.and_then(|host| host.runtime.container(&name)).map(|state| state.status());
            let had_ended = || {
                let last = state.placements.get(container).and_then(|placement| placement.status);
                last == Some(ContainerStatus::Exited)
            };
            let is_stopped_late = self.state().stopped_late.contains(&(place.clone(), name.clone()));
            let is_well = match (status, definition.restart_policy) {
                // A start that overtakes an update finds it running.
                (Some(ContainerStatus::Exited), RestartPolicy::No) if is_stopped_late => true,
                (Some(ContainerStatus::Running | ContainerStatus::Restarting), _) => true,
                // It is told with its exit code, and left.
                (Some(ContainerStatus::Exited), RestartPolicy::No) => words.contains(&name),
                (None, RestartPolicy::No) if had_ended() => true,
                _ => words.contains(&name) && words.contains("is not started again until"),
            };
            if !is_well || (record.status == StackStatus::Running) != words.is_empty() {
                let detail = format!(
                    "{name} on {place} is {status:?}, and {} is {}: {words}",
                    record.id,
                    record.status.as_str()
                );
                self.judge().accuse(Promise::DriftMended, detail);
            }
        }
    }
}
