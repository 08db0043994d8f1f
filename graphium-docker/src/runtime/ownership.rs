//! Which containers are proven to be ours.

use super::{CHANGE, DockerRuntime, LOOK, taken};
use crate::{connection::Call, error::Fault, name::checked, observe};
use bollard::models::ContainerInspectResponse;
use graphium_core::runtime::RuntimeError;
use std::{
    collections::HashMap,
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What the engine grants a container that says nothing of its own.
const USUAL_GRACE: Duration = Duration::from_secs(10);

/// Proofs by name. A name may pass to a foreign container at any time; an id never does, so a
/// change is always asked for by the id of the proof. Before a container gets another name both are forgotten.
#[derive(Debug, Default)]
pub(super) struct Ownership(Mutex<HashMap<String, Proof>>);

/// A container that bears our label.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    /// The engine's id.
    pub(super) id: String,
    /// How long it may take to stop where nothing else is said.
    pub(super) grace: Duration,
}

impl Proof {
    /// A proof for a container with a grace period of its own, or the usual one.
    pub(super) fn new(id: String, grace: Option<Duration>) -> Self {
        Self { id, grace: grace.unwrap_or(USUAL_GRACE) }
    }
}

impl Ownership {
    pub(super) fn remember(&self, name: &str, proof: Proof) {
        self.lock().insert(name.to_owned(), proof);
    }

    /// Drops the proof for this id; a newer one for the same name stays.
    pub(super) fn forget(&self, name: &str, id: &str) {
        let mut proofs = self.lock();
        if proofs.get(name).is_some_and(|proof| proof.id == id) {
            proofs.remove(name);
        }
    }

    /// Drops whatever is known of a name.
    pub(super) fn forget_name(&self, name: &str) {
        self.lock().remove(name);
    }

    /// Drops everything.
    pub(super) fn forget_all(&self) {
        self.lock().clear();
    }

    fn of(&self, name: &str) -> Option<Proof> {
        self.lock().get(name).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Proof>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DockerRuntime {
    /// Inspects the container of exactly this name.
    pub(super) async fn look(&self, name: &str) -> Result<Option<ContainerInspectResponse>, RuntimeError> {
        // The engine also takes ids and the beginnings of ids for names.
        let is_it = |shown: &ContainerInspectResponse| shown.name.as_deref().map(observe::bare) == Some(name);
        Ok(self.look_at(name).await?.filter(is_it))
    }

    /// Inspects what the engine knows by this word: a name, or an id that it has told itself.
    pub(super) async fn look_at(&self, word: &str) -> Result<Option<ContainerInspectResponse>, RuntimeError> {
        let call = Call::new("inspecting container", word, LOOK);
        let wanted = checked(word)?.to_owned();
        match self.connection.call(call, |docker| async move { docker.inspect_container(&wanted, None).await }).await {
            Ok(shown) => Ok(Some(shown)),
            Err(fault) if fault.is(404) => Ok(None),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Proves that the container of this name is ours; `None` when there is none.
    pub(super) async fn prove(&self, name: &str) -> Result<Option<Proof>, RuntimeError> {
        let Some(shown) = self.look(name).await? else { return Ok(None) };
        if self.ours(&shown).is_none() {
            return Err(taken(name, "a container that is not Graphium's"));
        }
        let config = shown.config.unwrap_or_default();
        let grace = config.stop_timeout.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
        let proof = Proof::new(shown.id.unwrap_or_default(), grace);
        self.ownership.remember(name, proof.clone());
        Ok(Some(proof))
    }

    /// Does something to our container of this name; `None` when there is none.
    ///
    /// A remembered proof may be of a container that is gone: then it is looked once more by name.
    pub(super) async fn on_own<T, F>(
        &self,
        name: &str,
        act: impl Fn(Proof) -> F + Send,
    ) -> Result<Option<T>, RuntimeError>
    where
        F: Future<Output = Result<T, Fault>> + Send,
    {
        let name = checked(name)?;
        if let Some(proof) = self.ownership.of(name) {
            let id = proof.id.clone();
            match act(proof).await {
                Err(Fault::Status { code: 404, message }) if message.contains("No such container") => {
                    self.ownership.forget(name, &id);
                }
                outcome => return Ok(Some(outcome?)),
            }
        }
        let Some(proof) = self.prove(name).await? else { return Ok(None) };
        match act(proof).await {
            Err(Fault::Status { code: 404, message }) if message.contains("No such container") => Ok(None),
            outcome => Ok(Some(outcome?)),
        }
    }

    /// Waits until the container of this id is gone.
    pub(super) async fn gone(&self, name: &str, id: &str) -> Result<(), Fault> {
        const PAUSE: Duration = Duration::from_millis(100);
        let call = Call::new("removing container", name, CHANGE);
        let waiting = async {
            loop {
                let id = id.to_owned();
                match self
                    .connection
                    .call(call, |docker| async move { docker.inspect_container(&id, None).await })
                    .await
                {
                    Ok(_) => tokio::time::sleep(PAUSE).await,
                    Err(fault) if fault.is(404) => return Ok(()),
                    Err(fault) => return Err(fault),
                }
            }
        };
        tokio::time::timeout(CHANGE, waiting).await.unwrap_or_else(|_| Err(call.timed_out().into()))
    }
}
