//! Hosts, containers, tokens, health.

use super::{Client, ClientError};
use crate::api::wire::{ContainerList, Health, HostList, IssuedToken, OrphanList, TokenList, TokenRequest, TokenView};
use graphium_core::{
    control::{Drain, Orphan, TaskView},
    inventory::{Host, HostStatus, ObservedContainer},
};
use reqwest::Method;

impl Client {
    /// Every host.
    ///
    /// # Errors
    /// What any call can fail with.
    pub async fn hosts(&self) -> Result<Vec<Host>, ClientError> {
        self.list::<HostList>(&["hosts"], &[]).await
    }

    /// One host.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], and what any call can fail with.
    pub async fn host(&self, id: &str) -> Result<Host, ClientError> {
        self.get(&["hosts", id]).await
    }

    /// Registers a host, or changes what an operator says of it.
    ///
    /// # Errors
    /// What any call can fail with.
    pub async fn register_host(&self, host: &Host) -> Result<Host, ClientError> {
        self.call(Method::PUT, &["hosts", host.id.as_str()]).body(host).json().await
    }

    /// Says whether a host takes work.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], [`ClientError::Conflict`] for `offline`, which nobody can order, and what any call can fail with.
    pub async fn set_host_status(&self, id: &str, status: HostStatus) -> Result<Host, ClientError> {
        let verb = match status {
            HostStatus::Active => "activate",
            HostStatus::Maintenance => "maintenance",
            HostStatus::Draining => "drain",
            HostStatus::Offline => {
                return Err(ClientError::Conflict {
                    code: "not-an-order".into(),
                    detail: "a host is offline when its agent is not heard; ask for maintenance or drain".into(),
                });
            }
        };
        self.post(&["hosts", id, verb]).await
    }

    /// Has a host drained, and tells what is to leave it. The host's containers move; nobody waits for that.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], and what any call can fail with.
    pub async fn drain(&self, id: &str) -> Result<Drain, ClientError> {
        self.post(&["hosts", id, "drain"]).await
    }

    /// What is still to leave a host that drains, and why it is still there.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], and what any call can fail with.
    pub async fn remaining(&self, id: &str) -> Result<Drain, ClientError> {
        self.get(&["hosts", id, "drain"]).await
    }

    /// Forgets a host.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] while containers of ours are there, and what any call can fail with.
    pub async fn remove_host(&self, id: &str) -> Result<(), ClientError> {
        self.call(Method::DELETE, &["hosts", id]).done().await
    }

    /// Containers that were seen, of one host or stack when given.
    ///
    /// # Errors
    /// What any call can fail with.
    pub async fn containers(
        &self,
        host: Option<&str>,
        stack: Option<&str>,
    ) -> Result<Vec<ObservedContainer>, ClientError> {
        let query: Vec<_> = [("hostId", host), ("stackId", stack)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        self.list::<ContainerList>(&["containers"], &query).await
    }

    /// One container, by the engine's id, or by name as `<host>/<name>`.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], and what any call can fail with.
    pub async fn container(&self, id: &str) -> Result<ObservedContainer, ClientError> {
        self.get(&["containers", id]).await
    }

    /// Containers of ours that nothing which lives accounts for.
    ///
    /// # Errors
    /// What any call can fail with.
    pub async fn orphans(&self) -> Result<Vec<Orphan>, ClientError> {
        self.list::<OrphanList>(&["orphans"], &[]).await
    }

    /// Has an orphan removed by its host's agent; the answer is the task that does. A volume goes only where `volumes` says so.
    /// `name` is what follows the host in its id.
    ///
    /// # Errors
    /// [`ClientError::NotFound`] where it is none, and what any call can fail with.
    pub async fn remove_orphan(&self, host: &str, name: &str, volumes: bool) -> Result<TaskView, ClientError> {
        let call = self.call(Method::DELETE, &["orphans", host, name]);
        let call = if volumes { call.query("removeVolumes", "true") } else { call };
        call.json().await
    }

    /// Makes a token. The answer alone holds it.
    ///
    /// # Errors
    /// What any call can fail with.
    pub async fn create_token(&self, request: &TokenRequest) -> Result<IssuedToken, ClientError> {
        self.call(Method::POST, &["tokens"]).body(request).json().await
    }

    /// Every token, without what is secret of it.
    ///
    /// # Errors
    /// What any call can fail with.
    pub async fn tokens(&self) -> Result<Vec<TokenView>, ClientError> {
        self.list::<TokenList>(&["tokens"], &[]).await
    }

    /// Ends a token, by its public id.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], and what any call can fail with.
    pub async fn revoke_token(&self, id: &str) -> Result<(), ClientError> {
        self.call(Method::DELETE, &["tokens", id]).done().await
    }

    /// Whether the server lives.
    ///
    /// # Errors
    /// What any call can fail with.
    pub async fn healthz(&self) -> Result<Health, ClientError> {
        self.get(&["healthz"]).await
    }

    /// Whether the server can work: its store answers.
    ///
    /// # Errors
    /// What any call can fail with.
    pub async fn readyz(&self) -> Result<Health, ClientError> {
        self.get(&["readyz"]).await
    }
}
