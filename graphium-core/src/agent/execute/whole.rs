//! Engine calls that go on although nobody waits for them any more.
//!
//! An engine that was asked for something does it, also when whoever asked has hung up. Were an attempt cut off amid such a call, the
//! next one would find a container that runs, take it for what is wanted, and lose it a moment later; or remove all there is, and
//! something would be made after it.

use futures::future::{AbortHandle, pending};
use std::sync::{Arc, Mutex, PoisonError};

/// Lets an attempt be cut off, but not amid a call that the engine finishes anyway.
#[derive(Clone, Debug, Default)]
pub struct Hold(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Such calls under way.
    calls: usize,
    /// Whether the attempt is to end.
    is_cut: bool,
    end: Option<AbortHandle>,
}

impl Hold {
    /// That of an attempt which this ends.
    pub(in crate::agent) fn of(end: AbortHandle) -> Self {
        Self(Arc::new(Mutex::new(State { end: Some(end), ..State::default() })))
    }

    /// Ends the attempt: at once, or when the call that is under way has ended. How long that takes at most is the runtime's to say.
    pub(in crate::agent) fn cut(&self) {
        let mut state = self.state();
        state.is_cut = true;
        state.end_if_idle();
    }

    /// Ends the attempt at once.
    pub(in crate::agent) fn end(&self) {
        if let Some(end) = &self.state().end {
            end.abort();
        }
    }

    /// Makes such a call. Nothing is begun after it if the attempt was to end meanwhile.
    pub(super) async fn whole<T>(&self, call: impl Future<Output = T>) -> T {
        self.state().calls += 1;
        let answer = call.await;
        let is_cut = {
            let mut state = self.state();
            state.calls -= 1;
            state.end_if_idle();
            state.is_cut
        };
        if is_cut { pending().await } else { answer }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end_if_idle(&self) {
        if self.is_cut
            && self.calls == 0
            && let Some(end) = &self.end
        {
            end.abort();
        }
    }
}
