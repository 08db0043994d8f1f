//! Making, starting, stopping and removing containers.

use super::{CHANGE, DockerRuntime, LOOK, ownership::Proof, taken};
use crate::{connection::Call, convert, error::Fault, name::checked, settings};
use bollard::{
    models::{ContainerCreateBody, ContainerInspectResponse, ContainerStateStatusEnum as Status},
    query_parameters::{
        CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder,
        StopContainerOptionsBuilder,
    },
};
use graphium_core::runtime::{ContainerSpec, LiveSettings, LiveStep, RuntimeError};
use std::time::Duration;

/// What the engine gets beyond the grace period to end a container.
const STOP_MARGIN: Duration = Duration::from_secs(30);

/// How often, and how far apart, a name is looked at that is reserved for a container nobody can see yet.
const LOOKS: usize = 100;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

impl DockerRuntime {
    pub(super) async fn create_container(&self, spec: &ContainerSpec) -> Result<String, RuntimeError> {
        let name = checked(&spec.name)?;
        let body = Box::new(convert::container(spec, self.connection.client().await?.api)?);
        for _ in 0..LOOKS {
            match self.try_create(spec, body.clone()).await {
                Err(fault) if fault.is(409) => {}
                outcome => return outcome.map_err(|fault| fault.about_image(&spec.container.image)),
            }
            if let Some(holder) = self.look(name).await? {
                return self.take(spec, holder);
            }
            // Its holder went in between, or an earlier call is still at making it: the engine reserves a name
            // before it shows the container.
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Err(RuntimeError::InUse(format!("the name `{name}` is held by a container that is still being made")))
    }

    async fn try_create(&self, spec: &ContainerSpec, body: Box<ContainerCreateBody>) -> Result<String, Fault> {
        let mut options = CreateContainerOptionsBuilder::new().name(&spec.name);
        if let Some(platform) = &spec.container.platform {
            options = options.platform(platform);
        }
        let options = options.build();
        let call = Call::new("creating container", &spec.name, CHANGE);
        // The body is large; the futures around it need not be.
        let ask =
            |docker: bollard::Docker| Box::pin(async move { docker.create_container(Some(options), *body).await });
        let made = self.connection.call(call, ask);
        let id = made.await?.id;
        self.ownership.remember(&spec.name, Proof::new(id.clone(), spec.container.stop_grace_period));
        Ok(id)
    }

    /// Takes what holds the name for the one that was asked for, if it is that.
    fn take(&self, spec: &ContainerSpec, holder: ContainerInspectResponse) -> Result<String, RuntimeError> {
        let name = &spec.name;
        let Some(hash) = self.ours(&holder) else { return Err(taken(name, "a container that is not Graphium's")) };
        if !hash.is_some_and(|hash| spec.planned_hash().is(&hash)) {
            return Err(taken(name, "another version of it"));
        }
        if matches!(holder.state.and_then(|state| state.status), Some(Status::REMOVING | Status::DEAD)) {
            return Err(RuntimeError::InUse(format!("container `{name}` is still being removed")));
        }
        let id = holder.id.unwrap_or_default();
        self.ownership.remember(name, Proof::new(id.clone(), spec.container.stop_grace_period));
        Ok(id)
    }

    pub(super) async fn rename_container(&self, name: &str, to: &str) -> Result<(), RuntimeError> {
        let (name, to) = (checked(name)?, checked(to)?);
        let Some(proof) = self.prove(name).await? else {
            return self.prove(to).await?.map(|_| ()).ok_or_else(|| absent(name));
        };
        if name == to {
            return Ok(());
        }
        // Until the engine has answered nobody knows which of the two it is called.
        self.ownership.forget_name(name);
        self.ownership.forget_name(to);
        let call = Call::new("renaming container", name, CHANGE);
        let (id, options) = (proof.id.clone(), RenameContainerOptionsBuilder::new().name(to).build());
        match self.connection.call(call, |docker| async move { docker.rename_container(&id, options).await }).await {
            Ok(()) => {}
            Err(fault @ Fault::Status { .. }) => match self.look(to).await? {
                // An earlier call, given up on its way, has done it meanwhile.
                Some(holder) if holder.id.as_deref() == Some(&proof.id) => {}
                Some(_) => return Err(taken(to, "another container")),
                None => return Err(fault.into()),
            },
            Err(fault) => return Err(fault.into()),
        }
        self.ownership.remember(to, proof);
        Ok(())
    }

    pub(super) async fn start_container(&self, name: &str) -> Result<(), RuntimeError> {
        let started = self.on_own(name, |proof| {
            let call = Call::new("starting container", name, CHANGE);
            self.connection.call(call, |docker| async move { docker.start_container(&proof.id, None).await })
        });
        started.await?.ok_or_else(|| absent(name))
    }

    pub(super) async fn adjust_container(&self, name: &str, wanted: &LiveSettings) -> Result<(), RuntimeError> {
        self.on_own(name, |proof| self.adjust_proven(name, proof, wanted)).await?.ok_or_else(|| absent(name))
    }

    /// Looks first: what the engine cannot set it leaves alone, and says nothing.
    async fn adjust_proven(&self, name: &str, proof: Proof, wanted: &LiveSettings) -> Result<(), Fault> {
        let enforced = self.enforced().await?;
        let (look, id) = (Call::new("inspecting container", name, LOOK), proof.id.clone());
        let shown =
            self.connection.call(look, |docker| async move { docker.inspect_container(&id, None).await }).await?;
        let present = settings::shown(&shown.host_config.unwrap_or_default(), enforced);
        match present.step_to(wanted) {
            LiveStep::None => Ok(()),
            LiveStep::Anew(limits) => Err(RuntimeError::not_in_place(name, &limits).into()),
            LiveStep::InPlace(step) => {
                let call = Call::new("adjusting container", name, CHANGE);
                let body = Box::new(settings::body(&step));
                let ask =
                    |docker: bollard::Docker| Box::pin(async move { docker.update_container(&proof.id, *body).await });
                self.connection.call(call, ask).await
            }
        }
    }

    pub(super) async fn stop_container(&self, name: &str, grace: Option<Duration>) -> Result<(), RuntimeError> {
        let stopped = self.on_own(name, |proof| {
            let call = Call::new("stopping container", name, grace.unwrap_or(proof.grace).saturating_add(STOP_MARGIN));
            let options = grace.map(|grace| {
                let seconds = i32::try_from(convert::whole_seconds(grace)).unwrap_or(i32::MAX);
                StopContainerOptionsBuilder::new().t(seconds).build()
            });
            self.connection.call(call, |docker| async move { docker.stop_container(&proof.id, options).await })
        });
        stopped.await.map(|_| ())
    }

    pub(super) async fn remove_container(&self, name: &str) -> Result<(), RuntimeError> {
        self.on_own(name, |proof| self.remove_proven(name, proof)).await.map(|_| ())
    }

    async fn remove_proven(&self, name: &str, proof: Proof) -> Result<(), Fault> {
        let call = Call::new("removing container", name, CHANGE);
        let options = RemoveContainerOptionsBuilder::new().v(true).force(true).build();
        let id = proof.id.clone();
        match self
            .connection
            .call(call, |docker| async move { docker.remove_container(&id, Some(options)).await })
            .await
        {
            // An earlier call, given up on its way, is still at it.
            Err(Fault::Status { code: 409, message }) if message.contains("already in progress") => {
                self.gone(name, &proof.id).await?;
            }
            outcome => outcome?,
        }
        self.ownership.forget(name, &proof.id);
        Ok(())
    }
}

fn absent(name: &str) -> RuntimeError {
    RuntimeError::NotFound(format!("there is no container `{name}`"))
}
