//! What has come for a command and is not used yet, and how far ahead of its reader the command is.

use crate::{
    environment::Environment,
    exec::{LARGEST, WINDOW},
    runtime::TerminalSize,
};
use futures::stream::{self, BoxStream, StreamExt as _};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Shared by those who put in and those who take out. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Inbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    environment: Arc<dyn Environment>,
    state: Mutex<State>,
    /// Something is different.
    changed: event_listener::Event,
}

#[derive(Debug, Default)]
struct State {
    stdin: VecDeque<u8>,
    is_closed: bool,
    size: Option<TerminalSize>,
    /// Bytes of its standard input that the command has taken and nobody was told of.
    taken: usize,
    /// Bytes that it wrote and its reader has not used.
    unused: usize,
    /// When something came or went last.
    last_used: Duration,
}

/// More has come than there is room for.
#[derive(Debug)]
pub(super) struct Overflow;

impl Inbox {
    pub(super) fn new(environment: Arc<dyn Environment>) -> Self {
        let state = State { last_used: environment.elapsed(), ..State::default() };
        let inner = Inner { environment, state: Mutex::new(state), changed: event_listener::Event::new() };
        Self { inner: Arc::new(inner) }
    }

    /// Takes in what is for its standard input; what comes after the end of that is nobody's.
    pub(super) fn put(&self, bytes: &[u8]) -> Result<(), Overflow> {
        self.change(|state| {
            if state.stdin.len() + state.taken + bytes.len() > WINDOW {
                return Err(Overflow);
            }
            if !state.is_closed {
                state.stdin.extend(bytes);
            }
            Ok(())
        })
    }

    /// Its standard input ends.
    pub(super) fn close(&self) {
        self.change(|state| state.is_closed = true);
    }

    /// The last that is typed, in the place of what was not taken yet.
    pub(super) fn hang_up(&self, last: &[u8]) {
        self.change(|state| {
            state.stdin = last.iter().copied().collect();
            state.is_closed = true;
        });
    }

    pub(super) fn resize(&self, size: TerminalSize) {
        self.change(|state| state.size = Some(size));
    }

    /// The command wrote so much.
    pub(super) fn sent(&self, count: usize) {
        self.change(|state| state.unused = state.unused.saturating_add(count));
    }

    /// Its reader has used so much.
    pub(super) fn used(&self, count: usize) {
        self.change(|state| state.unused = state.unused.saturating_sub(count));
    }

    pub(super) fn last_used(&self) -> Duration {
        self.state().last_used
    }

    /// Returns when its reader has room.
    pub(super) async fn room(&self) {
        self.until(|state| (state.unused < WINDOW).then_some(())).await;
    }

    /// How much of its standard input it has taken since the last time.
    pub(super) async fn taken(&self) -> usize {
        self.until(|state| (state.taken > 0).then(|| std::mem::take(&mut state.taken))).await
    }

    /// Its standard input. A piece counts as taken when the next is asked for.
    pub(super) fn stdin(&self) -> BoxStream<'static, Vec<u8>> {
        stream::unfold((self.clone(), 0), |(inbox, before)| async move {
            if before > 0 {
                inbox.change(|state| state.taken += before);
            }
            let piece = inbox.until(|state| {
                let count = state.stdin.len().min(LARGEST);
                let piece: Vec<u8> = state.stdin.drain(..count).collect();
                (!piece.is_empty() || state.is_closed).then_some(piece)
            });
            let piece = piece.await;
            let count = piece.len();
            (count > 0).then_some((piece, (inbox, count)))
        })
        .boxed()
    }

    /// Other sizes of its terminal, each but the latest may be left out.
    pub(super) fn sizes(&self) -> BoxStream<'static, TerminalSize> {
        stream::unfold(self.clone(), |inbox| async move {
            let size = inbox.until(|state| state.size.take()).await;
            Some((size, inbox))
        })
        .boxed()
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let now = self.inner.environment.elapsed();
        let mut state = self.state();
        let changed = change(&mut state);
        state.last_used = now;
        drop(state);
        self.inner.changed.notify(usize::MAX);
        changed
    }

    /// Waits until there is something of that.
    async fn until<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let listener = self.inner.changed.listen();
            let found = look(&mut self.state());
            match found {
                Some(found) => return found,
                None => listener.await,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
