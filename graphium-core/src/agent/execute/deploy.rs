//! Making a container exist and run.

use super::{Arrival, Job, Trouble, adjust::step, beside::There, settle::vanished};
use crate::{
    action::Refresh,
    agent::step::Phase,
    inventory::ContainerStatus,
    runtime::{ContainerSpec, ContainerState, ImageRequest, LiveSettings, LiveStep, RuntimeError, label},
    stack::{Container, PullPolicy, UpdateOrder},
    task::TaskResult,
};

impl Job<'_> {
    /// Makes a container where there should be none: it looks only where the engine objects.
    pub(super) async fn deploy(&self, spec: &ContainerSpec) -> Result<TaskResult, Trouble> {
        let spec = self.prepare(spec).await?;
        self.enter(Phase::Creating);
        match self.create(&spec).await {
            Err(Trouble::Engine(RuntimeError::NameTaken { .. })) => {
                self.make_way(Wanted::of(&spec)).await?;
                self.enter(Phase::Creating);
                self.create(&spec).await?;
            }
            outcome => outcome?,
        }
        let result = self.launch(&spec).await?;
        // One of an earlier time may have been found, of the same definition but for its settings.
        let settings = result.data.as_ref().and_then(|shown| shown.settings).unwrap_or_default();
        match settings.step_to(&LiveSettings::of(&spec.container)) {
            LiveStep::None => Ok(result),
            LiveStep::InPlace(_) | LiveStep::Anew(_) => self.replace(Wanted::of(&spec)).await,
        }
    }

    /// Puts a container in the place of the one that is expected there.
    pub(super) async fn update(
        &self,
        spec: &ContainerSpec,
        order: UpdateOrder,
        refresh: Refresh,
    ) -> Result<TaskResult, Trouble> {
        let spec = self.prepare(spec).await?;
        if refresh == Refresh::Never && order == UpdateOrder::StopFirst {
            self.tidy(&spec.name).await?;
            return self.replace(Wanted::of(&spec)).await;
        }
        let image = match refresh {
            Refresh::Never => None,
            Refresh::IfMoved | Refresh::OnlyIfMoved => Some(self.image_of(&spec).await?),
        };
        let wanted = Wanted { spec: &spec, image: image.as_deref() };
        let there = self.there(&spec.name).await?;
        if refresh == Refresh::OnlyIfMoved
            && let There { present: Some(present), successor: None, former: None } = &there
            && stranger(&spec, present).is_none()
            && wanted.is(present)
        {
            return self.keep(&spec, present).await;
        }
        if order == UpdateOrder::StopFirst && !there.is_for_swap(wanted) {
            self.tidy(&spec.name).await?;
            return self.replace(wanted).await;
        }
        self.replace_beside(wanted, order, there).await
    }

    /// The id of the image that a specification's reference names here now.
    async fn image_of(&self, spec: &ContainerSpec) -> Result<String, Trouble> {
        self.enter(Phase::Pulling);
        let Container { image, platform, pull_policy, .. } = &*spec.container;
        let policy = if *pull_policy == PullPolicy::Never { PullPolicy::Never } else { PullPolicy::IfNotPresent };
        let request = ImageRequest { image, platform: platform.as_deref(), policy };
        Ok(self.runtime().pull(request, &Arrival(self.tell)).await?.id)
    }

    /// Leaves a container as it is, but for settings that its engine can change.
    async fn keep(&self, spec: &ContainerSpec, present: &ContainerState) -> Result<TaskResult, Trouble> {
        if let LiveStep::InPlace(settings) = step(present, &spec.container) {
            self.set(&spec.name, &settings).await?;
        }
        match self.runtime().inspect(&spec.name).await? {
            Some(state) => Ok(self.done_with(state, "its image is the newest")),
            None => Err(vanished(&spec.name)),
        }
    }

    pub(super) async fn replace(&self, wanted: Wanted<'_>) -> Result<TaskResult, Trouble> {
        let spec = wanted.spec;
        self.make_way(wanted).await?;
        self.enter(Phase::Creating);
        self.create(spec).await?;
        self.launch(spec).await
    }

    /// Creates it, with its files; an image that has gone since it was pulled is pulled again.
    pub(super) async fn create(&self, spec: &ContainerSpec) -> Result<(), Trouble> {
        match self.whole(self.runtime().create(spec)).await {
            Err(RuntimeError::ImageNotFound { .. }) if spec.container.pull_policy != PullPolicy::Never => {
                let (image, platform) = (&spec.container.image, spec.container.platform.as_deref());
                self.pull(ImageRequest { image, platform, policy: PullPolicy::IfNotPresent }).await?;
                self.enter(Phase::Creating);
                self.whole(self.runtime().create(spec)).await?;
            }
            outcome => {
                outcome?;
            }
        }
        self.put_secrets(spec).await
    }

    /// Takes away what holds the name, if it is an older one of the same stack; one that differs in its settings alone
    /// gets these, where an engine can.
    async fn make_way(&self, wanted: Wanted<'_>) -> Result<(), Trouble> {
        let spec = wanted.spec;
        let Some(present) = self.runtime().inspect(&spec.name).await? else { return Ok(()) };
        if let Some(holder) = stranger(spec, &present) {
            return Err(RuntimeError::NameTaken { name: spec.name.clone(), holder }.into());
        }
        let is_wanted =
            wanted.is(&present) && !matches!(present.status(), ContainerStatus::Dead | ContainerStatus::Removing);
        match step(&present, &spec.container) {
            LiveStep::None if is_wanted => Ok(()),
            LiveStep::InPlace(settings) if is_wanted => self.set(&spec.name, &settings).await,
            _ => self.delete(&spec.name).await,
        }
    }

    /// Starts what was found or created; a container that cannot be started is not left behind.
    pub(super) async fn launch(&self, spec: &ContainerSpec) -> Result<TaskResult, Trouble> {
        self.enter(Phase::Starting);
        let mut started = self.start_made(&spec.name).await;
        // Engines tie a container to its network by that one's id: one from before does not start any more where the network was
        // removed and made again. Its successor does.
        let is_from_before = |found: &ContainerState| found.observed.has_ended() && !self.is_made_here(found);
        if matches!(started, Err(RuntimeError::NotFound(_))) && self.clear_away(&spec.name, is_from_before).await {
            self.enter(Phase::Creating);
            self.create(spec).await?;
            self.enter(Phase::Starting);
            started = self.start_made(&spec.name).await;
        }
        match started {
            Ok(()) => self.settle(&spec.name).await,
            // Nothing is known of it: the next attempt will see.
            Err(error @ (RuntimeError::Unreachable { .. } | RuntimeError::TimedOut { .. })) => Err(error.into()),
            Err(error) => {
                // What the engine itself cannot start is made anew by the next attempt: after `kill -9` containerd may hold on to
                // a run that the engine knows nothing of, and refuse every other of that container.
                let is_stuck = matches!(error, RuntimeError::Failed(_));
                let is_unused = |found: &ContainerState| found.status() == ContainerStatus::Created;
                self.clear_away(&spec.name, |found| is_unused(found) || is_stuck && found.observed.has_ended()).await;
                Err(error.into())
            }
        }
    }

    /// Removes our container if it is such a one; whether it did. The failure that led here is the one to be told, so its own does not
    /// count.
    async fn clear_away(&self, name: &str, is_to_go: impl Fn(&ContainerState) -> bool) -> bool {
        let Ok(Some(present)) = self.runtime().inspect(name).await else { return false };
        if !present.is_managed() || !is_to_go(&present) {
            return false;
        }
        self.enter(Phase::Removing);
        self.whole(self.runtime().remove(name)).await.is_ok()
    }
}

/// What a container is to be made from.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) spec: &'a ContainerSpec,
    /// The id of its image, where that counts.
    pub(super) image: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    /// Any image of that name will do.
    pub(super) fn of(spec: &'a ContainerSpec) -> Self {
        Self { spec, image: None }
    }

    /// Whether a container was made from it, settings that its engine can change aside.
    pub(super) fn is(&self, found: &ContainerState) -> bool {
        found.observed.label(label::HASH).is_some_and(|hash| self.spec.planned_hash().is(hash))
            && self.image.is_none_or(|id| found.image_id.as_deref() == Some(id))
            && !matches!(step(found, &self.spec.container), LiveStep::Anew(_))
    }

    /// Whether a container is of the same definition, and was made from another image.
    pub(super) fn has_moved_since(&self, found: &ContainerState) -> bool {
        Wanted::of(self.spec).is(found) && !self.is(found)
    }
}

/// Says who holds the name if it is not the stack of the specification.
pub(super) fn stranger(spec: &ContainerSpec, present: &ContainerState) -> Option<String> {
    if !present.is_managed() {
        return Some("a container that is not Graphium's".to_owned());
    }
    let owner = present.observed.label(label::STACK);
    let is_own = owner == spec.labels.get(label::STACK).map(String::as_str);
    (!is_own).then(|| format!("a container of the stack `{}`", owner.unwrap_or("?")))
}
