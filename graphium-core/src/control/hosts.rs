//! Hosts and the containers on them, as operators see and change them.

use super::{Control, ControlError, Forgotten};
use crate::{
    id::{HostId, StackId},
    inventory::{Holdings, Host, HostStatus, ObservedContainer},
    store::{Document, Expect, Kind, Page, RecordQuery, Submission, TaskQuery, TaskStoreExt, Versioned},
    task::TaskStatus,
};

impl Control {
    /// Every host.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn hosts(&self) -> Result<Vec<Host>, ControlError> {
        let hosts = self.store.documents::<Host>(RecordQuery::of(Kind::Host)).await?;
        Ok(hosts.into_iter().map(|host| self.shown(host.value)).collect())
    }

    /// One host.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn host(&self, id: &HostId) -> Result<Host, ControlError> {
        let host = self.store.document::<Host>(id.as_str()).await?;
        let host = host.ok_or_else(|| ControlError::NotFound { kind: "host", id: id.to_string() })?;
        Ok(self.shown(host.value))
    }

    /// Makes a host known, or changes what an operator says of it; what its agent reports stays the agent's.
    ///
    /// # Errors
    /// When the store does not take it.
    pub async fn register_host(&self, host: Host) -> Result<Host, ControlError> {
        self.expect_host(&host.id).await?;
        let written = self
            .update_host(&host.id, |record| {
                if !host.name.is_empty() {
                    record.name.clone_from(&host.name);
                }
                record.ip_address = host.ip_address.or(record.ip_address);
                record.location = host.location.clone().or(record.location.take());
                record.rack = host.rack.clone().or(record.rack.take());
                record.labels.clone_from(&host.labels);
                if record.docker_version.is_none() {
                    record.cpu = host.cpu;
                    record.memory = host.memory;
                    record.engine.clone_from(&host.engine);
                }
            })
            .await?;
        Ok(self.shown(written))
    }

    /// Makes a host known that was not yet heard; one that is known stays as it is.
    pub(super) async fn expect_host(&self, id: &HostId) -> Result<(), ControlError> {
        if self.store.document::<Host>(id.as_str()).await?.is_some() {
            return Ok(());
        }
        let now = self.environment.now();
        self.signal(id);
        self.update_host(id, |host| {
            if host.last_seen.is_none() {
                host.offline_since = Some(now);
            }
        })
        .await?;
        Ok(())
    }

    /// Says whether a host takes work: in maintenance it begins nothing new and ends what it has; draining, it still does what
    /// was planned for it, no more is placed there, and what runs there moves away as far as it can ([`drain`](Self::drain) tells
    /// what is left). What has moved stays where it is when the host takes work again.
    ///
    /// # Errors
    /// [`ControlError::NotFound`]; [`ControlError::Conflict`] for `offline`, which is for the agent to be.
    pub async fn set_host_status(&self, id: &HostId, status: HostStatus) -> Result<Host, ControlError> {
        if status == HostStatus::Offline {
            return Err(ControlError::Conflict {
                code: "wrong-status",
                message: "a host is offline when its agent is not heard; choose active, maintenance or draining".into(),
            });
        }
        self.host(id).await?;
        let now = self.environment.now();
        let host = self
            .update_host(id, |host| {
                host.status = status;
                // Asked for again: what was given up is tried again.
                host.draining_since = (status == HostStatus::Draining).then_some(now);
            })
            .await?;
        self.state().moves.hurry();
        self.work_is_ready(std::slice::from_ref(id));
        Ok(self.shown(host))
    }

    /// Forgets a host that has nothing of ours.
    ///
    /// # Errors
    /// [`ControlError::NotFound`]; [`ControlError::Conflict`] while it has containers or tasks of ours.
    pub async fn remove_host(&self, id: &HostId) -> Result<(), ControlError> {
        let found = self.store.document::<Host>(id.as_str()).await?;
        let found = found.ok_or_else(|| ControlError::NotFound { kind: "host", id: id.to_string() })?;
        let query = RecordQuery { host: Some(id.clone()), ..RecordQuery::of(Kind::Container) };
        let containers = self.store.documents::<ObservedContainer>(query).await?;
        let ours = containers.iter().filter(|container| container.value.stack().is_some()).count();
        let statuses = vec![TaskStatus::Pending, TaskStatus::Assigned, TaskStatus::Running];
        let tasks = self.store.tasks(&TaskQuery { statuses, host: Some(id.clone()), ..TaskQuery::default() }).await?;
        if ours > 0 || !tasks.items.is_empty() {
            return Err(ControlError::Conflict {
                code: "host-in-use",
                message: format!(
                    "host `{id}` has {ours} container(s) of ours and {} task(s) to do; remove its stacks first",
                    tasks.items.len()
                ),
            });
        }
        let mut records = vec![found.value.removal(Expect::Version(found.version))];
        records.extend(containers.iter().map(|container| container.value.removal(Expect::Any)));
        // Nobody can remove there any more what may be left.
        let query = RecordQuery { host: Some(id.clone()), ..RecordQuery::of(Kind::Forgotten) };
        let forgotten = self.store.documents::<Forgotten>(query).await?;
        records.extend(forgotten.iter().map(|one| one.value.removal(Expect::Version(one.version))));
        let holdings = self.store.document::<Holdings>(id.as_str()).await?;
        records.extend(holdings.map(|held| held.value.removal(Expect::Any)));
        self.store.submit(Submission { records, ..Submission::default() }, self.environment.now()).await?;
        self.state().presence.remove(id);
        Ok(())
    }

    /// Containers that were seen, ours and others.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn containers(
        &self,
        after: Option<String>,
        limit: usize,
        host: Option<HostId>,
        stack: Option<StackId>,
    ) -> Result<Page<ObservedContainer>, ControlError> {
        let query = RecordQuery { kind: Kind::Container, stack, host, after, limit };
        let page = self.store.records(&query).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for record in &page.items {
            items.push(Versioned::<ObservedContainer>::read(record)?.value);
        }
        Ok(Page { items, next: page.next })
    }
}
