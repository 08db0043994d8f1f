//! What there is, as far as the store tells within a moment.

use crate::api::AppState;
use graphium_core::{
    control::{ControlError, StackStatus},
    inventory::{Host, HostStatus},
    store::{TaskQuery, TaskStoreExt},
    task::TaskStatus,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::ConstCounter, family::Family, gauge::ConstGauge, gauge::Gauge},
    registry::{Registry, Unit},
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// A store that takes longer is told as one that does not answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What there is.
#[derive(Debug)]
pub(super) struct Estate {
    /// How long the store took to say the number of its last event, and that; none: it did not answer.
    store: Option<(Duration, u64)>,
    counts: Option<Counts>,
}

#[derive(Debug)]
struct Counts {
    tasks: BTreeMap<&'static str, usize>,
    hosts: BTreeMap<&'static str, usize>,
    stacks: BTreeMap<&'static str, usize>,
    agents: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Status {
    status: &'static str,
}

impl Estate {
    pub(super) async fn read(state: &AppState) -> Self {
        let asked = Instant::now();
        let last = tokio::time::timeout(PATIENCE, state.control.store().last_event()).await;
        let store = last.ok().and_then(Result::ok).map(|last| (asked.elapsed(), last));
        let counts = match store {
            Some(_) => tokio::time::timeout(PATIENCE, Counts::read(state)).await.ok().and_then(Result::ok),
            None => None,
        };
        Self { store, counts }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let up = i64::from(self.store.is_some() && self.counts.is_some());
        registry.register("graphium_store_up", "Whether the store answered: 1, or 0", ConstGauge::new(up));
        if let Some((took, last)) = self.store {
            registry.register_with_unit(
                "graphium_store_read_duration",
                "How long the store took to answer the smallest question",
                Unit::Seconds,
                ConstGauge::new(took.as_secs_f64()),
            );
            registry.register("graphium_events", "Events since the store was made", ConstCounter::new(last));
        }
        let Some(counts) = &self.counts else { return };
        let mut by_status = |name: &str, help: &str, counts: &BTreeMap<&'static str, usize>| {
            let family = Family::<Status, Gauge>::default();
            for (status, count) in counts {
                family.get_or_create(&Status { status }).set(i64::try_from(*count).unwrap_or(i64::MAX));
            }
            registry.register(name, help, family);
        };
        by_status("graphium_tasks", "Tasks that have not ended, by status", &counts.tasks);
        by_status("graphium_hosts", "Hosts by status; one whose agent is not heard is offline", &counts.hosts);
        by_status("graphium_stacks", "Stacks by status", &counts.stacks);
        let agents = ConstGauge::new(i64::try_from(counts.agents).unwrap_or(i64::MAX));
        registry.register("graphium_agents_connected", "Agents that are heard", agents);
    }
}

impl Counts {
    async fn read(state: &AppState) -> Result<Self, ControlError> {
        // Of those that have ended there may be a hundred thousand: they are counted as they end.
        let live = [TaskStatus::Pending, TaskStatus::Assigned, TaskStatus::Running];
        let mut tasks: BTreeMap<_, _> = live.iter().map(|status| (status.as_str(), 0)).collect();
        let query = TaskQuery { statuses: live.to_vec(), ..TaskQuery::default() };
        for task in state.control.store().all_tasks(query).await? {
            *tasks.entry(task.status.as_str()).or_default() += 1;
        }
        let statuses = [HostStatus::Active, HostStatus::Maintenance, HostStatus::Draining, HostStatus::Offline];
        let mut hosts: BTreeMap<_, _> = statuses.iter().map(|status| (word(*status), 0)).collect();
        let all = state.control.hosts().await?;
        for host in &all {
            *hosts.entry(word(host.status)).or_default() += 1;
        }
        let is_heard = |host: &&Host| host.last_seen.is_some() && host.offline_since.is_none();
        let mut stacks: BTreeMap<_, _> = StackStatus::ALL.iter().map(|status| (status.as_str(), 0)).collect();
        for status in state.control.stack_statuses().await? {
            *stacks.entry(status.as_str()).or_default() += 1;
        }
        Ok(Self { tasks, hosts, stacks, agents: all.iter().filter(is_heard).count() })
    }
}

fn word(status: HostStatus) -> &'static str {
    match status {
        HostStatus::Active => "active",
        HostStatus::Maintenance => "maintenance",
        HostStatus::Draining => "draining",
        HostStatus::Offline => "offline",
    }
}
