//! The trait's calls.

use super::{
    FakeRuntime, Operation,
    container::FakeContainer,
    engine::{Engine, is_managed},
    faults::{ENDPOINT, PLATFORM},
};
use crate::{
    inventory::Capabilities,
    runtime::{
        Adoption, Adoptions, ContainerChange, ContainerLog, ContainerRuntime, ContainerSpec, ContainerState,
        Description, EngineInfo, ExecFeed, ExecSpec, Execution, ImageRequest, LiveSettings, LogQuery, NetworkSpec,
        Owned, PresentImage, Probe, PullObserver, PutFile, RuntimeError, VolumeSpec,
    },
    stack::{HealthTest, PullPolicy, TextMap},
};
use async_trait::async_trait;
use futures::{StreamExt as _, stream::BoxStream};
use std::{collections::BTreeMap, time::Duration};

/// Bytes of every image.
const IMAGE_SIZE: u64 = 8 * 1024 * 1024;
/// Steps in which they arrive.
const PULL_STEPS: u64 = 4;

#[async_trait]
impl ContainerRuntime for FakeRuntime {
    async fn info(&self) -> Result<EngineInfo, RuntimeError> {
        self.call(Operation::Info, "", |_| {
            Ok(EngineInfo {
                endpoint: ENDPOINT.to_owned(),
                version: "fake".to_owned(),
                api_version: "1.41".to_owned(),
                engine_id: "fake".to_owned(),
                cpus: 4.0,
                memory: 8 << 30,
                platform: PLATFORM.to_owned(),
                boot_id: None,
                live_restore: false,
                capabilities: Capabilities::default(),
            })
        })
        .await
    }

    async fn pull(
        &self,
        ImageRequest { image, platform, policy }: ImageRequest<'_>,
        progress: &dyn PullObserver,
    ) -> Result<PresentImage, RuntimeError> {
        let not_found =
            |reason: &str| Err(RuntimeError::ImageNotFound { image: image.to_owned(), reason: reason.to_owned() });
        let present_as = |id: Option<String>| PresentImage { id: id.clone().unwrap_or_default(), digest: id };
        let has = |engine: &mut Engine| Ok(engine.image_id(image).filter(|_| engine.has_image(image, platform)));
        let present = self.call(Operation::Pull, image, has).await?;
        match policy {
            PullPolicy::IfNotPresent | PullPolicy::Never if present.is_some() => return Ok(present_as(present)),
            PullPolicy::Never => return not_found("this host does not have it, and its pull policy is `never`"),
            PullPolicy::IfNotPresent | PullPolicy::Always => self.log(format!("registry {image}")),
        }
        if self.engine().denied.contains(image) {
            return not_found("pull access denied");
        }
        for step in 1..=PULL_STEPS {
            self.wait().await;
            if self.faults().away {
                return Err(super::faults::away());
            }
            progress.progress(IMAGE_SIZE * step / PULL_STEPS, IMAGE_SIZE, "Downloading");
        }
        let mut engine = self.engine();
        engine.put_image(image, platform);
        Ok(present_as(engine.image_id(image)))
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<(), RuntimeError> {
        self.call(Operation::CreateNetwork, &spec.name, |engine| engine.create_network(spec)).await
    }

    async fn remove_network(&self, name: &str) -> Result<(), RuntimeError> {
        self.call(Operation::RemoveNetwork, name, |engine| engine.remove_network(name)).await
    }

    async fn create_volume(&self, spec: &VolumeSpec) -> Result<(), RuntimeError> {
        self.call(Operation::CreateVolume, &spec.name, |engine| engine.create_volume(spec)).await
    }

    async fn remove_volume(&self, name: &str) -> Result<(), RuntimeError> {
        self.call(Operation::RemoveVolume, name, |engine| engine.remove_volume(name)).await
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<String, RuntimeError> {
        self.call(Operation::Create, &spec.name, |engine| engine.create(spec)).await
    }

    async fn put_files(&self, name: &str, files: &[PutFile]) -> Result<(), RuntimeError> {
        self.call(Operation::PutFiles, name, |engine| engine.put_files(name, files)).await
    }

    async fn rename(&self, name: &str, to: &str) -> Result<(), RuntimeError> {
        self.call(Operation::Rename, &format!("{name} {to}"), |engine| engine.rename(name, to)).await
    }

    async fn start(&self, name: &str) -> Result<(), RuntimeError> {
        self.call(Operation::Start, name, |engine| engine.start(name)).await
    }

    async fn adjust(&self, name: &str, settings: &LiveSettings) -> Result<(), RuntimeError> {
        self.call(Operation::Adjust, name, |engine| engine.adjust(name, settings)).await
    }

    async fn stop(&self, name: &str, _grace: Option<Duration>) -> Result<(), RuntimeError> {
        let time = self.faults().stopping;
        let Some(environment) = self.shared.environment.as_ref().filter(|_| !time.is_zero()) else {
            return self.call(Operation::Stop, name, |engine| engine.stop(name)).await;
        };
        if self.call(Operation::Stop, name, |engine| engine.begin_to_stop(name, time)).await? {
            environment.sleep(time).await;
        }
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<(), RuntimeError> {
        self.call(Operation::Remove, name, |engine| engine.remove(name)).await
    }

    async fn inspect(&self, name: &str) -> Result<Option<ContainerState>, RuntimeError> {
        let found = |engine: &mut Engine| Ok(engine.containers.get(name).map(|container| engine.shown(container)));
        self.call(Operation::Inspect, name, found).await
    }

    async fn describe(&self, id: &str) -> Result<Option<Description>, RuntimeError> {
        self.call(Operation::Describe, id, |engine| Ok(engine.describe(id))).await
    }

    async fn adopt(&self, adoption: &Adoption) -> Result<(), RuntimeError> {
        let subject = format!("{} {}", adoption.id, adoption.name);
        // Within the call: also where its answer is lost it has taken effect.
        let adopt = |engine: &mut Engine| {
            engine.adopt(adoption)?;
            self.adopted().add(adoption);
            Ok(())
        };
        self.call(Operation::Adopt, &subject, adopt).await
    }

    fn recall(&self, adoptions: &[Adoption]) {
        *self.adopted() = Adoptions::of(adoptions);
    }

    async fn probe(&self, name: &str, test: &HealthTest, _timeout: Duration) -> Result<Probe, RuntimeError> {
        self.call(Operation::Probe, name, |engine| engine.probe(name, test)).await
    }

    async fn list(&self) -> Result<Vec<ContainerState>, RuntimeError> {
        // As with real engines, settings are shown one by one only.
        let listed = |engine: &Engine, container: &FakeContainer| {
            let mut state = engine.shown(container);
            state.observed.settings = None;
            state
        };
        let all = |engine: &mut Engine| Ok(engine.containers.values().map(|one| listed(engine, one)).collect());
        self.call(Operation::List, "", all).await
    }

    async fn owned(&self) -> Result<Owned, RuntimeError> {
        let ours = |things: &BTreeMap<String, TextMap>| {
            things
                .iter()
                .filter(|(_, labels)| is_managed(labels))
                .map(|(name, labels)| (name.clone(), labels.clone()))
                .collect()
        };
        self.call(Operation::Owned, "", |engine| {
            Ok(Owned { networks: ours(&engine.networks), volumes: ours(&engine.volumes) })
        })
        .await
    }

    async fn last_lines(&self, name: &str, lines: usize) -> Result<Vec<String>, RuntimeError> {
        self.call(Operation::LastLines, name, |engine| match engine.containers.get(name) {
            None => Err(RuntimeError::NotFound(format!("there is no container `{name}`"))),
            Some(container) => Ok(container.log.last_lines(lines)),
        })
        .await
    }

    async fn logs(&self, name: &str, query: LogQuery) -> Result<ContainerLog, RuntimeError> {
        self.call(Operation::Logs, name, |engine| engine.logs(name, query)).await
    }

    async fn exec(&self, name: &str, spec: &ExecSpec, feed: ExecFeed) -> Result<Execution, RuntimeError> {
        self.call(Operation::Exec, name, |engine| engine.exec(name, spec, feed)).await
    }

    async fn watch(&self) -> Result<BoxStream<'static, Result<ContainerChange, RuntimeError>>, RuntimeError> {
        Ok(self.call(Operation::Watch, "", |engine| Ok(engine.watch())).await?.boxed())
    }
}
