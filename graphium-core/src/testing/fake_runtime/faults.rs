//! What can be made to go wrong with a call, and the log of calls.

use super::{FakeRuntime, Operation, engine::Engine};
use crate::runtime::RuntimeError;
use futures::channel::oneshot;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

/// What the fake says is its address.
pub(super) const ENDPOINT: &str = "fake://";

/// What it runs.
pub(super) const PLATFORM: &str = "linux/amd64";

#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) latency: Duration,
    pub(super) stopping: Duration,
    pub(super) calls: Vec<String>,
    pub(super) away: bool,
    failures: HashMap<Operation, VecDeque<RuntimeError>>,
    lost: HashMap<Operation, usize>,
    hanging: HashSet<Operation>,
    waiting: Vec<oneshot::Sender<()>>,
}

impl FakeRuntime {
    /// Takes the engine away: every call is [`RuntimeError::Unreachable`], and streams of changes and logs end. Containers run on.
    pub fn disconnect(&self) {
        self.faults().away = true;
        self.engine().end_watching(&away());
    }

    /// Brings the engine back as it was.
    pub fn reconnect(&self) {
        self.faults().away = false;
    }

    /// Whoever watches for changes by now hears of none any more, and of no end, as over a connection that somebody in between has
    /// forgotten. Calls are answered as ever, and whoever begins to watch from now on hears.
    pub fn go_silent(&self) {
        self.engine().go_silent();
    }

    /// Makes the next call of this kind fail without effect. Failures queue up.
    pub fn fail_next(&self, operation: Operation, error: RuntimeError) {
        self.faults().failures.entry(operation).or_default().push_back(error);
    }

    /// Makes the next call of this kind take effect, and its answer get lost: [`RuntimeError::TimedOut`].
    pub fn lose_next_answer(&self, operation: Operation) {
        *self.faults().lost.entry(operation).or_default() += 1;
    }

    /// Makes calls of this kind hang before they have any effect, until [`release`](Self::release).
    pub fn hang(&self, operation: Operation) {
        self.faults().hanging.insert(operation);
    }

    /// Lets every call go on that hangs, and makes none hang from now on.
    pub fn release(&self) {
        let mut faults = self.faults();
        faults.hanging.clear();
        // A caller that gave up is no longer there to be told.
        for waiting in faults.waiting.drain(..) {
            let _ = waiting.send(());
        }
    }

    /// Makes a call: the log, the faults, then `act`, in one go, and its answer if that is not lost.
    pub(super) async fn call<T>(
        &self,
        operation: Operation,
        subject: &str,
        act: impl FnOnce(&mut Engine) -> Result<T, RuntimeError> + Send,
    ) -> Result<T, RuntimeError> {
        self.log(format!("{operation} {subject}").trim_end().to_owned());
        self.wait().await;
        self.not_hanging(operation).await;
        let lost = {
            let mut faults = self.faults();
            if faults.away {
                return Err(away());
            }
            if let Some(error) = faults.failures.get_mut(&operation).and_then(VecDeque::pop_front) {
                return Err(error);
            }
            faults.lost.get_mut(&operation).is_some_and(take_one)
        };
        let outcome = {
            let mut engine = self.engine();
            engine.now = self.shared.environment.as_ref().map(|environment| environment.now());
            engine.adopted = self.adopted().clone();
            engine.end_what_is_stopping();
            act(&mut engine)
        };
        if lost {
            Err(RuntimeError::TimedOut { operation: format!("{operation} {subject}"), seconds: 60 })
        } else {
            outcome
        }
    }

    pub(super) fn log(&self, line: String) {
        self.faults().calls.push(line);
    }

    /// Waits for the latency.
    pub(super) async fn wait(&self) {
        let latency = self.faults().latency;
        if let Some(environment) = self.shared.environment.as_ref().filter(|_| !latency.is_zero()) {
            environment.sleep(latency).await;
        }
    }

    async fn not_hanging(&self, operation: Operation) {
        loop {
            let released = {
                let mut faults = self.faults();
                if !faults.hanging.contains(&operation) {
                    return;
                }
                let (sender, receiver) = oneshot::channel();
                faults.waiting.push(sender);
                receiver
            };
            // Whatever ends the wait, the question is asked again.
            let _ = released.await;
        }
    }
}

/// The error of an engine that is away.
pub(super) fn away() -> RuntimeError {
    RuntimeError::Unreachable { endpoint: ENDPOINT.to_owned(), reason: "it was taken away".to_owned() }
}

fn take_one(count: &mut usize) -> bool {
    let any = *count > 0;
    *count = count.saturating_sub(1);
    any
}
