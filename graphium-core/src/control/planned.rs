//! Tells the program around it of plans: how long they take.

use super::Control;
use crate::id::StackId;
use std::{fmt, sync::OnceLock, time::Duration};

/// A plan that was made, be it to be carried out or to be looked at.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Planned<'a> {
    /// The stack.
    pub stack: &'a StackId,
    /// How many tasks the plan has.
    pub tasks: usize,
    /// The time from reading what there is until the plan was made. That others were planning before is not in it.
    pub took: Duration,
}

type Hears = Box<dyn Fn(&Planned<'_>) + Send + Sync>;

/// Who hears of plans.
#[derive(Default)]
pub(super) struct Listener(OnceLock<Hears>);

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.get().is_some() { "Listener" } else { "nobody" })
    }
}

impl Control {
    /// Has every plan that somebody asks for told from now on, by whoever made it and before it is stored. A second listener is not taken.
    ///
    /// It must not block: a request waits meanwhile, and with it all who want to plan.
    ///
    /// # Example
    /// ```
    /// # use graphium_core::control::{Control, ControlError, DeployOptions, Planned, Settings};
    /// # use graphium_core::{event::NoSink, inventory::Host, plan::fixtures::{container, stack}, stack::Stack};
    /// # use graphium_core::{store::MemoryStore, testing::ManualEnvironment};
    /// # use std::sync::{Arc, Mutex};
    /// # let world = Arc::new(ManualEnvironment::default());
    /// # world.run(async {
    /// # let store = Arc::new(MemoryStore::new());
    /// # let control = Control::open(store, Arc::new(NoSink), world.clone(), Settings::default()).await?;
    /// # control.register_host(Host::named("vm1".into())).await?;
    /// # let shop = Stack { host: Some("vm1".into()), ..stack("shop", vec![container("web")]) };
    /// let heard: Arc<Mutex<Vec<usize>>> = Arc::default();
    /// let hears = heard.clone();
    /// control.tell_plans_to(move |plan: &Planned<'_>| {
    ///     assert_eq!(plan.stack.as_str(), "stack:shop");
    ///     hears.lock().unwrap().push(plan.tasks);
    /// });
    /// let preview = control.preview(&shop, &DeployOptions::default()).await?;
    /// assert_eq!(*heard.lock().unwrap(), [preview.tasks.len()]);
    /// # Ok::<(), ControlError>(())
    /// # })?;
    /// # Ok::<(), ControlError>(())
    /// ```
    pub fn tell_plans_to(&self, hears: impl Fn(&Planned<'_>) + Send + Sync + 'static) {
        let _ = self.hears_plans.0.set(Box::new(hears));
    }

    /// Tells of a plan that was begun at that time of the [environment](crate::environment::Environment::elapsed).
    pub(super) fn tell_planned(&self, begun: Duration, stack: &StackId, tasks: usize) {
        if let Some(hears) = self.hears_plans.0.get() {
            hears(&Planned { stack, tasks, took: self.environment.elapsed().saturating_sub(begun) });
        }
    }
}
