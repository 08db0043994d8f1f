//! What goes to a command and has not left for its agent yet.
//!
//! Whoever sends keeps to a [window](WINDOW), so nothing has to wait here: also what comes before there is an agent, in however
//! small pieces, is taken in at once, and the way that it comes on is always read.

use crate::{
    exec::{ExecInput, LARGEST, WINDOW},
    runtime::TerminalSize,
};
use futures::{
    Sink,
    stream::{self, Stream},
};
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

/// Why nothing more is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputRefused {
    /// The agent is gone.
    #[error("the agent is gone")]
    Gone,
    /// More lies here than a window.
    #[error("more was sent than the command has room for: wait until it says that it has taken it")]
    Overflow,
}

/// Where to what goes to a command is put. It never waits. Cheap to clone; the input ends with the last clone.
#[derive(Clone, Debug)]
pub struct InputSender {
    queue: Arc<Queue>,
    _end: Arc<End>,
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    /// Something is different.
    changed: event_listener::Event,
}

/// What lies ready. Of sizes the latest counts, and how much was taken adds up: so what lies here has a bound.
#[derive(Debug, Default)]
struct State {
    stdin: VecDeque<u8>,
    close: bool,
    size: Option<TerminalSize>,
    taken: usize,
    /// No more comes.
    is_over: bool,
    refused: Option<InputRefused>,
}

impl State {
    fn take_in(&mut self, input: ExecInput) -> Result<(), InputRefused> {
        if let Some(refused) = self.refused {
            return Err(refused);
        }
        match input {
            ExecInput::Stdin(bytes) if self.stdin.len() + bytes.len() > WINDOW => {
                self.refused = Some(InputRefused::Overflow);
                return Err(InputRefused::Overflow);
            }
            // What comes after its end is nobody's.
            ExecInput::Stdin(bytes) if !self.close => self.stdin.extend(bytes),
            ExecInput::Stdin(_) => {}
            ExecInput::Close {} => self.close = true,
            ExecInput::Resize(size) => self.size = Some(size),
            ExecInput::Taken(count) => self.taken = self.taken.saturating_add(count),
        }
        Ok(())
    }

    /// What leaves next, words before bytes. The end of the standard input leaves once.
    fn next(&mut self, is_closed: &mut bool) -> Option<ExecInput> {
        if self.taken > 0 {
            return Some(ExecInput::Taken(std::mem::take(&mut self.taken)));
        }
        if let Some(size) = self.size.take() {
            return Some(ExecInput::Resize(size));
        }
        if !self.stdin.is_empty() {
            let count = self.stdin.len().min(LARGEST);
            return Some(ExecInput::Stdin(self.stdin.drain(..count).collect()));
        }
        (self.close && !std::mem::replace(is_closed, true)).then_some(ExecInput::Close {})
    }
}

impl Queue {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state());
        self.changed.notify(usize::MAX);
        changed
    }

    async fn until<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let listener = self.changed.listen();
            let found = look(&mut self.state());
            match found {
                Some(found) => return found,
                None => listener.await,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of the last sender.
#[derive(Debug)]
struct End(Arc<Queue>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.change(|state| state.is_over = true);
    }
}

/// Of the agent's end.
struct Reader(Arc<Queue>);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.change(|state| {
            state.stdin = VecDeque::new();
            state.refused.get_or_insert(InputRefused::Gone);
        });
    }
}

impl InputSender {
    /// Returns when more was sent than there is room for. It keeps the input from no end.
    pub(super) fn overflow(&self) -> impl Future<Output = ()> + Send + use<> {
        let queue = Arc::clone(&self.queue);
        async move { queue.until(|state| (state.refused == Some(InputRefused::Overflow)).then_some(())).await }
    }
}

impl Sink<ExecInput> for InputSender {
    type Error = InputRefused;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), InputRefused>> {
        Poll::Ready(self.queue.state().refused.map_or(Ok(()), Err))
    }

    fn start_send(self: Pin<&mut Self>, input: ExecInput) -> Result<(), InputRefused> {
        self.queue.change(|state| state.take_in(input))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), InputRefused>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), InputRefused>> {
        Poll::Ready(Ok(()))
    }
}

/// Both ends of it.
pub(super) fn input() -> (InputSender, impl Stream<Item = ExecInput> + Send + use<>) {
    let queue = Arc::new(Queue::default());
    let sender = InputSender { queue: Arc::clone(&queue), _end: Arc::new(End(Arc::clone(&queue))) };
    let inputs = stream::unfold((Reader(queue), false), |(reader, mut is_closed)| async move {
        let next = reader.0.until(|state| match state.next(&mut is_closed) {
            None if state.is_over => Some(None),
            next => next.map(Some),
        });
        let next = next.await?;
        Some((next, (reader, is_closed)))
    });
    (sender, inputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt as _, SinkExt as _, StreamExt as _, executor::block_on};

    #[test]
    fn whatever_comes_in_however_small_pieces_leaves_whole_and_in_order() {
        let (mut sender, inputs) = input();
        let sent: Vec<u8> = (0..WINDOW).map(|number| (number % 251) as u8).collect();
        for byte in &sent {
            sender.send(ExecInput::Stdin(vec![*byte])).now_or_never().expect("it never waits").unwrap();
        }
        for rows in [1, 2] {
            let size = TerminalSize { rows, columns: 1 };
            sender.send(ExecInput::Resize(size)).now_or_never().unwrap().unwrap();
        }
        sender.send(ExecInput::Close {}).now_or_never().unwrap().unwrap();
        drop(sender);
        let all: Vec<ExecInput> = block_on(inputs.collect());
        assert_eq!(all[0], ExecInput::Resize(TerminalSize { rows: 2, columns: 1 }));
        assert_eq!(all.last(), Some(&ExecInput::Close {}));
        let pieces = all.iter().filter_map(|input| match input {
            ExecInput::Stdin(bytes) => Some(bytes),
            _ => None,
        });
        assert!(pieces.clone().all(|piece| piece.len() <= LARGEST));
        assert!(pieces.flatten().copied().eq(sent));
    }

    #[test]
    fn more_than_a_window_is_refused_for_good_and_nothing_is_left_out_in_silence() {
        let (mut sender, inputs) = input();
        let mut inputs = Box::pin(inputs);
        let overflow = sender.overflow();
        let mut send = |bytes: usize| sender.send(ExecInput::Stdin(vec![0; bytes])).now_or_never().unwrap();
        assert_eq!(send(WINDOW), Ok(()));
        assert_eq!(send(1), Err(InputRefused::Overflow));
        block_on(inputs.next());
        assert_eq!(send(1), Err(InputRefused::Overflow), "room that comes later brings back nothing");
        assert!(overflow.now_or_never().is_some());
    }

    #[test]
    fn each_end_hears_that_the_other_is_gone() {
        let (mut sender, inputs) = input();
        drop(inputs);
        assert_eq!(sender.send(ExecInput::Close {}).now_or_never(), Some(Err(InputRefused::Gone)));
        assert!(sender.overflow().now_or_never().is_none());
        let (sender, inputs) = input();
        drop((sender.clone(), sender));
        assert_eq!(block_on(inputs.collect::<Vec<_>>()), []);
    }
}
