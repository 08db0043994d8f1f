//! Containers that others have made, and that become ours as they are.

use super::{CHANGE, DockerRuntime, LOOK, network, taken};
use crate::{connection::Call, describe, name::checked, observe, settings::Enforced};
use bollard::{models::ContainerInspectResponse, query_parameters::RenameContainerOptionsBuilder};
use graphium_core::{
    inventory::ObservedContainer,
    runtime::{Adoption, Adoptions, Description, RuntimeError, label},
};
use std::{
    collections::HashMap,
    sync::{MutexGuard, PoisonError},
};

impl DockerRuntime {
    pub(super) async fn describe_container(&self, id: &str) -> Result<Option<Description>, RuntimeError> {
        let Some(shown) = self.of_id(id).await? else { return Ok(None) };
        let info = self.system_info().await?;
        let reference = shown.image.clone().unwrap_or_default();
        let call = Call::new("inspecting the image of container", id, LOOK);
        // By the id of the one that it was made from: its name may be that of another by now.
        let ask = |docker: bollard::Docker| async move { docker.inspect_image(&reference).await };
        let image = match self.connection.call(call, ask).await {
            Ok(image) => image.config.unwrap_or_default(),
            Err(fault) if fault.is(404) => {
                return Err(RuntimeError::Refused(format!(
                    "the image that container `{id}` was made from is gone, so nobody knows what of it is the image's"
                )));
            }
            Err(fault) => return Err(fault.into()),
        };
        Ok(Some(describe::describe(shown, image, &info, Enforced::of(&info))))
    }

    pub(super) async fn adopt_container(&self, adoption: &Adoption) -> Result<(), RuntimeError> {
        let Adoption { id, name: to, network, aliases, .. } = adoption;
        let to = checked(to)?;
        let absent = || RuntimeError::NotFound(format!("there is no container of the id `{id}`"));
        let shown = self.of_id(id).await?.ok_or_else(absent)?;
        let name = shown.name.as_deref().map(observe::bare).unwrap_or_default().to_owned();
        if name != to && self.look(to).await?.is_some() {
            return Err(taken(to, "another container"));
        }
        let networks = shown.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let joins = network.as_deref().filter(|network| !networks.contains_key(*network));
        if let Some(network) = joins {
            network::join(&self.connection, network, id, aliases).await?;
        }
        if name != to
            && let Err(error) = self.rename_by_id(id, &name, to).await
        {
            if let Some(network) = joins {
                // As it was before; the failure that led here is the one to be told.
                let _ = network::leave(&self.connection, network, id).await;
            }
            return Err(error);
        }
        self.adopted().add(adoption);
        Ok(())
    }

    async fn rename_by_id(&self, id: &str, name: &str, to: &str) -> Result<(), RuntimeError> {
        self.ownership.forget_name(name);
        self.ownership.forget_name(to);
        let call = Call::new("renaming container", name, CHANGE);
        let (container, options) = (id.to_owned(), RenameContainerOptionsBuilder::new().name(to).build());
        let renamed =
            self.connection.call(call, |docker| async move { docker.rename_container(&container, options).await });
        let Err(fault) = renamed.await else { return Ok(()) };
        match self.look(to).await? {
            // An earlier call, given up on its way, has done it meanwhile.
            Some(holder) if holder.id.as_deref() == Some(id) => Ok(()),
            Some(_) => Err(taken(to, "another container")),
            None => Err(fault.into()),
        }
    }

    pub(super) fn recall_adoptions(&self, adoptions: &[Adoption]) {
        self.ownership.forget_all();
        *self.adopted() = Adoptions::of(adoptions);
    }

    /// Inspects the container of exactly this id.
    async fn of_id(&self, id: &str) -> Result<Option<ContainerInspectResponse>, RuntimeError> {
        Ok(self.look_at(id).await?.filter(|shown| shown.id.as_deref() == Some(id)))
    }

    /// Gives what was adopted the labels that it counts as bearing.
    pub(super) fn mark(&self, observed: &mut ObservedContainer) {
        self.adopted().show(observed);
    }

    /// Whether a container is ours, and the hash of what it was made from.
    pub(super) fn ours(&self, shown: &ContainerInspectResponse) -> Option<Option<String>> {
        let id = shown.id.as_deref().unwrap_or_default();
        let name = shown.name.as_deref().map(observe::bare).unwrap_or_default();
        if let Some(adoption) = self.adopted().find(id, name) {
            return Some(adoption.labels.get(label::HASH).cloned());
        }
        let labels: Option<&HashMap<String, String>> = shown.config.as_ref()?.labels.as_ref();
        super::is_managed(labels).then(|| labels.and_then(|labels| labels.get(label::HASH)).cloned())
    }

    fn adopted(&self) -> MutexGuard<'_, Adoptions> {
        self.adoptions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
