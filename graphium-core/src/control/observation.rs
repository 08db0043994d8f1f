//! What agents say of their hosts, turned into records.

use super::{Control, ControlError, agents::located};
use crate::{
    agent::HostReport,
    id::StackId,
    inventory::{ContainerStatus, Holding, Holdings, Host, ObservedContainer},
    store::{Document, Expect, Kind, RecordQuery, RecordWrite, Submission, TaskStoreExt, Versioned},
};
use jiff::SignedDuration;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How long a report may have been on its way: less than agents gather changes before they look.
const ON_THE_WAY: Duration = Duration::from_millis(100);
/// How long it matters that a result was newer: no look takes longer to arrive.
const NOTED_FOR: Duration = Duration::from_secs(60);
/// How long what a host holds stands as it was seen first, though it was seen again since.
const HELD: SignedDuration = SignedDuration::from_mins(10);

/// Stacks of which something is seen anew: whatever becomes of the record, or of whoever waits for it, they are looked at.
pub(super) struct Seeing<'a> {
    pub(super) control: &'a Control,
    pub(super) stacks: BTreeSet<StackId>,
}

impl Drop for Seeing<'_> {
    fn drop(&mut self) {
        self.control.state().seen.append(&mut self.stacks);
        self.control.wake.notify(usize::MAX);
    }
}

impl Control {
    /// Takes in what a host is and what runs there; writes only what changed.
    pub(super) async fn take_in(&self, report: &HostReport) -> Result<(), ControlError> {
        let now = self.environment.now();
        let number = self.is_other_than_told(&report.host);
        // First, for what nobody has seen on a host that is there is taken for gone.
        let is_all = match &report.containers {
            Some(containers) => self.take_in_containers(report, containers).await?,
            None => false,
        };
        if let Some(holdings) = &report.holdings {
            self.take_in_holdings(report, holdings).await?;
        }
        self.update_host_as_told(&report.host, |host| {
            host.ip_address = report.ip_address.or(host.ip_address);
            host.offline_since = None;
            host.agent_version = Some(report.agent_version.clone());
            host.engine_error.clone_from(&report.engine_error);
            host.engine_away_since = report.engine_error.as_ref().map(|_| host.engine_away_since.unwrap_or(now));
            if let Some(engine) = &report.engine {
                host.cpu = engine.cpus;
                host.memory = engine.memory;
                host.docker_version = Some(engine.version.clone());
                host.boot_id = engine.boot_id.clone().or(host.boot_id.take());
                host.engine.clone_from(&engine.capabilities);
            }
            if report.location.is_some() {
                host.location.clone_from(&report.location);
            }
            for (name, value) in &report.labels {
                host.labels.insert(name.clone(), value.clone());
            }
            if let Some(usage) = report.usage {
                host.cpu_usage = Some(usage.cpu);
                host.memory_usage = Some(usage.memory);
                #[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
                let percent = usage.memory as f64 * 100.0 / host.memory.max(1) as f64;
                host.memory_usage_percent = Some(percent);
                host.last_metrics_update = Some(now);
            }
        })
        .await?;
        if is_all {
            self.is_as_told(&report.host, number);
        }
        Ok(())
    }

    /// Containers of which a task's result has told since the look was taken: what it saw of them is outdated.
    fn noted_since(&self, report: &HostReport) -> BTreeSet<String> {
        let elapsed = self.environment.elapsed();
        let taken = elapsed.saturating_sub(Duration::from_millis(report.taken_ago_ms));
        let mut state = self.state();
        state.noted.retain(|_, noted| elapsed.saturating_sub(*noted) < NOTED_FOR);
        let newer =
            state.noted.iter().filter(|((host, _), noted)| *host == report.host && **noted + ON_THE_WAY > taken);
        newer.map(|((_, name), _)| name.clone()).collect()
    }

    /// Writes what a host holds beside containers when it is other than it was, or has not been written for long.
    async fn take_in_holdings(&self, report: &HostReport, holdings: &[Holding]) -> Result<(), ControlError> {
        let now = self.environment.now();
        let age = SignedDuration::try_from(Duration::from_millis(report.taken_ago_ms)).unwrap_or(SignedDuration::MAX);
        let taken_at = now.checked_sub(age).unwrap_or(now);
        let known = self.store.document::<Holdings>(report.host.as_str()).await?;
        let is_known = known.is_some_and(|Versioned { value: known, .. }| {
            known.taken_at > taken_at || known.holdings == holdings && taken_at.duration_since(known.taken_at) < HELD
        });
        if is_known {
            return Ok(());
        }
        let seen = Holdings { host_id: report.host.clone(), holdings: holdings.to_vec(), taken_at };
        let submission = Submission { records: vec![seen.write(Expect::Any)?], ..Submission::default() };
        self.store.submit(submission, now).await?;
        Ok(())
    }

    /// Whether the engine went away, with all that it ran, between the report before this one and this one.
    async fn engine_went(&self, report: &HostReport) -> Result<bool, ControlError> {
        let Some(host) = self.store.document::<Host>(report.host.as_str()).await? else { return Ok(false) };
        let engine = report.engine.as_ref();
        let boot = engine.and_then(|engine| engine.boot_id.as_ref());
        let is_another_boot = boot.is_some() && host.value.boot_id.is_some() && boot != host.value.boot_id.as_ref();
        let was_away = report.engine_was_away || host.value.engine_error.is_some();
        Ok(is_another_boot || was_away && !engine.is_some_and(|engine| engine.live_restore))
    }

    /// Whether all was taken in: what is outdated was not.
    async fn take_in_containers(
        &self,
        report: &HostReport,
        containers: &[ObservedContainer],
    ) -> Result<bool, ControlError> {
        let _observing = self.observing.lock().await;
        let outdated = self.noted_since(report);
        let query = RecordQuery { host: Some(report.host.clone()), ..RecordQuery::of(Kind::Container) };
        let known = self.store.documents::<ObservedContainer>(query).await?;
        let mut known: BTreeMap<String, ObservedContainer> =
            known.into_iter().map(|record| (record.value.name.clone(), record.value)).collect();
        let mut records: Vec<RecordWrite> = Vec::new();
        let mut stacks = BTreeSet::new();
        let ends = |seen: &ObservedContainer| known.get(&seen.name).is_some_and(|before| ran_until(before, seen));
        let engine_went = containers.iter().any(ends) && self.engine_went(report).await?;
        for container in containers {
            let mut container = located(container, &report.host);
            let before = known.remove(&container.name);
            if outdated.contains(&container.name) {
                continue;
            }
            container.ended_with_engine = before.as_ref().is_some_and(|before| {
                ran_until(before, &container) && engine_went
                    || has_ended_as(before, &container) && before.ended_with_engine
            });
            // Its agent knows, as far as it has kept its state; what a task told before stands.
            container.ended_by_task |=
                before.as_ref().is_some_and(|before| has_ended_as(before, &container) && before.ended_by_task);
            if before.as_ref() != Some(&container) {
                // One that was adopted may be nobody's again.
                stacks.extend(before.as_ref().and_then(ObservedContainer::stack));
                stacks.extend(container.stack());
                records.push(container.write(Expect::Any)?);
            }
        }
        for missing in known.values().filter(|missing| !outdated.contains(&missing.name)) {
            stacks.extend(missing.stack());
            records.push(missing.removal(Expect::Any));
        }
        if records.is_empty() {
            return Ok(outdated.is_empty());
        }
        let _seeing = Seeing { control: self, stacks };
        let submission = Submission { records, ..Submission::default() };
        self.store.submit(submission, self.environment.now()).await?;
        Ok(outdated.is_empty())
    }
}

/// Whether a container of a stack ran when it was seen before, and has ended since.
fn ran_until(before: &ObservedContainer, seen: &ObservedContainer) -> bool {
    before.status == ContainerStatus::Running && seen.id == before.id && seen.has_ended() && seen.stack().is_some()
}

/// Whether it is the end that was seen before.
fn has_ended_as(before: &ObservedContainer, seen: &ObservedContainer) -> bool {
    before.has_ended() && seen.has_ended() && seen.id == before.id && seen.exit_code == before.exit_code
}
