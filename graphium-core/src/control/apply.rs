//! Plans that are saved, and carried out later.

use super::{
    Control, ControlError, DeployOptions, StackRecord, Started,
    deploy::{refuse_while_deleting, traces_of},
    draft::Aim,
};
use crate::{
    plan::{self, AppliedFact, Facts, SavedOptions, SavedPlan},
    stack::Stack,
    store::Versioned,
};
use futures::FutureExt;
use std::time::Duration;

impl Control {
    /// What a deployment would do, with all that it rests on. Changes nothing.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] with every reason why it cannot be.
    pub async fn save(&self, stack: Stack, options: &DeployOptions) -> Result<SavedPlan, ControlError> {
        self.admit(&stack)?;
        // Between stack and inventory nothing is deployed.
        let _planning = self.planning.lock().await;
        let existing = self.existing(&stack).await?;
        if let Some(record) = &existing {
            refuse_while_deleting(&record.value)?;
        }
        let begun = self.environment.elapsed();
        let inventory = self.inventory_for(&stack).await?;
        let planning = plan::Options {
            pull_images: options.pull_images,
            explain: options.explain,
            on_failure: options.on_failure,
            traces: traces_of(existing.as_ref()),
            ..plan::Options::default()
        };
        let applied = existing.as_ref().map(|record| &record.value.applied);
        let plan = plan::plan(&stack, applied, &inventory, &planning).map_err(ControlError::Invalid)?.sealed();
        self.tell_planned(begun, &stack.id, plan.tasks.len());
        let facts = Facts::of(&plan, &stack, &inventory, applied_fact(existing.as_ref()));
        Ok(SavedPlan::new(stack, SavedOptions::new(&planning, options.timeout), plan, facts))
    }

    /// Carries a saved plan out: precisely that one, or nothing.
    ///
    /// It is planned anew from what is there, each container on the host that the saved plan gives it, and the hash must be
    /// the saved one's. So what is done is what was looked at, and never what a file says by itself.
    ///
    /// Of `options` counts who asks, and with which key; all else is as it was saved.
    ///
    /// # Errors
    /// [`ControlError::Outdated`] when something that it rests on has changed; those of [`deploy`](Self::deploy).
    ///
    /// # Example
    /// ```
    /// # use graphium_core::control::{Control, ControlError, DeployOptions, Settings};
    /// # use graphium_core::inventory::Host;
    /// # use graphium_core::plan::{SavedPlan, fixtures::{container, stack}};
    /// # use graphium_core::{event::NoSink, stack::Container, store::MemoryStore, testing::ManualEnvironment};
    /// # use std::sync::Arc;
    /// # let world = Arc::new(ManualEnvironment::default());
    /// # world.run(async {
    /// # let store = Arc::new(MemoryStore::new());
    /// # let control = Control::open(store, Arc::new(NoSink), world.clone(), Settings::default()).await?;
    /// # control.register_host(Host::named("vm1".into())).await?;
    /// # let shop = stack("shop", vec![Container { host: Some("vm1".into()), ..container("web") }]);
    /// let saved = control.save(shop, &DeployOptions::default()).await?;
    /// // Into a file, to be looked at, and back.
    /// let text = saved.to_text();
    /// let saved = SavedPlan::read(text.as_bytes()).unwrap();
    ///
    /// let started = control.apply(saved.clone(), DeployOptions::default()).await?;
    /// assert_eq!(started.stack_id, "stack:shop");
    ///
    /// // Where something that it rests on is not so any more, nothing is done.
    /// let outdated = control.apply(saved, DeployOptions::default()).await.unwrap_err();
    /// assert!(outdated.to_string().contains("was not there and is at revision 1 now"), "{outdated}");
    /// # Ok::<(), ControlError>(())
    /// # })?;
    /// # Ok::<(), ControlError>(())
    /// ```
    pub async fn apply(&self, saved: SavedPlan, options: DeployOptions) -> Result<Started, ControlError> {
        self.alone(|| self.apply_alone(saved.clone(), options.clone()).boxed()).await
    }

    async fn apply_alone(&self, saved: SavedPlan, options: DeployOptions) -> Result<Started, ControlError> {
        self.refuse_policy(options.policy)?;
        self.admit(&saved.stack)?;
        let existing = self.existing(&saved.stack).await?;
        if let Some(record) = &existing {
            refuse_while_deleting(&record.value)?;
        }
        let begun = self.environment.elapsed();
        let inventory = self.inventory_for(&saved.stack).await?;
        let present = Facts::of(&saved.plan, &saved.stack, &inventory, applied_fact(existing.as_ref()));
        let outdated = |changes| ControlError::Outdated { stack: saved.stack.name.clone(), changes };
        let changes = saved.facts.changes(&present, &saved.stack.name);
        if !changes.is_empty() {
            return Err(outdated(changes));
        }
        let planning = plan::Options {
            pull_images: saved.options.pull_images,
            keep: saved.plan.placements.clone(),
            on_failure: saved.options.on_failure,
            traces: traces_of(existing.as_ref()),
            ..plan::Options::default()
        };
        let applied = existing.as_ref().map(|record| &record.value.applied);
        let plan = plan::plan(&saved.stack, applied, &inventory, &planning).map_err(ControlError::Invalid)?.sealed();
        self.tell_planned(begun, &saved.stack.id, plan.tasks.len());
        if plan.hash != saved.plan.hash {
            return Err(outdated(Vec::new()));
        }
        let options = DeployOptions {
            pull_images: saved.options.pull_images,
            timeout: saved.options.timeout.map(Duration::from_secs),
            on_failure: saved.options.on_failure,
            explain: false,
            ..options
        };
        let mut started = self.carry_out(saved.stack, plan, existing.as_ref(), options, Aim::Deploy).await?;
        started.warnings.extend(saved.notes);
        Ok(started)
    }
}

fn applied_fact(existing: Option<&Versioned<StackRecord>>) -> Option<AppliedFact> {
    let record = &existing?.value;
    Some(AppliedFact { revision: record.revision, placements: record.applied.placements.clone() })
}
