//! [`FakeRuntime`]: a container engine in memory, for tests, simulations and a demonstration without Docker.

mod call;
mod container;
mod engine;
mod exec;
mod faults;
mod log;
mod outside;
mod peek;
mod program;
mod runtime;
#[cfg(test)]
mod tests;

pub use call::Operation;
pub use engine::{Effects, Thing};
pub use program::Program;

use crate::{environment::Environment, runtime::Adoptions};
use engine::Engine;
use faults::Faults;
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A container engine in memory.
///
/// It is a real engine but for the processes: names, labels, ports, networks, volumes and images are kept, conflicts
/// are refused, restart policies are followed. What a container *does* is its image's [`Program`]. Clones are handles
/// on one engine: an agent may die and another be started while the containers run on. What one handle has adopted another does
/// not know.
///
/// Every image can be pulled unless [`deny_image`](Self::deny_image) says otherwise; none is present at first.
///
/// Of [commands](crate::runtime::ContainerRuntime::exec) it knows `cat`, `say OUT ERR CODE`, `size`, `show FILE`, `yes` and `wait`; every container has them.
///
/// * The world outside: [`write`](Self::write), [`exit`](Self::exit), [`vanish`](Self::vanish), [`set_settings`](Self::set_settings), [`set_health`](Self::set_health),
///   [`make_foreign`](Self::make_foreign), [`run_foreign`](Self::run_foreign), [`occupy_port`](Self::occupy_port).
/// * Faults: [`disconnect`](Self::disconnect), [`go_silent`](Self::go_silent), [`hang`](Self::hang), [`fail_next`](Self::fail_next),
///   [`lose_next_answer`](Self::lose_next_answer).
/// * What was done to it: [`calls`](Self::calls), [`effects`](Self::effects).
///
/// Needs no async runtime: without an [`Environment`] no call ever waits, but for a [`hang`](Self::hang).
///
/// # Example
/// ```
/// use graphium_core::runtime::{ContainerRuntime, RuntimeError};
/// use graphium_core::testing::{FakeRuntime, Operation};
/// # futures::executor::block_on(async {
/// let engine = FakeRuntime::new();
/// engine.disconnect();
/// assert!(matches!(engine.info().await, Err(RuntimeError::Unreachable { .. })));
/// engine.reconnect();
/// assert!(engine.info().await.is_ok());
///
/// // A call takes effect, and its answer is lost: whoever asks cannot tell.
/// engine.lose_next_answer(Operation::Info);
/// assert!(engine.info().await.is_err());
/// # });
/// ```
pub struct FakeRuntime {
    shared: Arc<Shared>,
    /// Of this handle alone.
    adopted: Mutex<Adoptions>,
}

impl Clone for FakeRuntime {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), adopted: Mutex::default() }
    }
}

struct Shared {
    environment: Option<Arc<dyn Environment>>,
    engine: Mutex<Engine>,
    faults: Mutex<Faults>,
}

impl FakeRuntime {
    /// An empty engine without a clock: no call takes time, and nothing has a date.
    pub fn new() -> Self {
        Self::with(None)
    }

    /// An empty engine that takes its dates from `environment`, and lets it wait for [`set_latency`](Self::set_latency).
    pub fn with_environment(environment: Arc<dyn Environment>) -> Self {
        Self::with(Some(environment))
    }

    fn with(environment: Option<Arc<dyn Environment>>) -> Self {
        let shared = Shared { environment, engine: Mutex::default(), faults: Mutex::default() };
        Self { shared: Arc::new(shared), adopted: Mutex::default() }
    }

    /// Makes every call take so long; each of the steps of a pull counts as one.
    pub fn set_latency(&self, latency: Duration) {
        self.faults().latency = latency;
    }

    /// Makes containers take so long to end when they are stopped. As with real engines a stop goes on though its caller has gone.
    pub fn set_stopping(&self, time: Duration) {
        self.faults().stopping = time;
    }

    /// Makes an image present, whose containers behave as `program` says.
    pub fn put_image(&self, image: &str, program: Program) {
        self.set_program(image, program);
        self.engine().put_image(image, None);
    }

    /// Says what containers of an image do, without making it present.
    pub fn set_program(&self, image: &str, program: Program) {
        self.engine().programs.insert(image.to_owned(), program);
    }

    /// Gives the registry another image of that name, whose containers do this; where one is present it stays, until it is pulled
    /// anew.
    pub fn move_tag(&self, image: &str, program: Program) {
        self.engine().moved.entry(image.to_owned()).or_default().push(program);
    }

    /// Makes the registry deny an image; where it is present it stays.
    pub fn deny_image(&self, image: &str) {
        self.engine().denied.insert(image.to_owned());
    }

    /// Every call so far in order, as `create shop-web`; a question to the registry is `registry nginx:alpine`.
    pub fn calls(&self) -> Vec<String> {
        self.faults().calls.clone()
    }

    /// Forgets the calls so far.
    pub fn clear_calls(&self) {
        self.faults().calls.clear();
    }

    /// How often something really happened to a container of that name: calls that found all done do not count.
    ///
    /// The tripwire of idempotence: a deployment that was retried, resumed or doubled and yet did its work once has
    /// `created == 1` and `started == 1`.
    pub fn effects(&self, name: &str) -> Effects {
        self.engine().effects.get(name).copied().unwrap_or_default()
    }

    fn engine(&self) -> MutexGuard<'_, Engine> {
        self.shared.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn adopted(&self) -> MutexGuard<'_, Adoptions> {
        self.adopted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for FakeRuntime {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FakeRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeRuntime").finish_non_exhaustive()
    }
}
