//! The terminal here: its size, and passing on every key as it is.

use graphium_core::runtime::TerminalSize;
use std::io;

/// A terminal of which nothing is known is as large as this.
const USUAL: TerminalSize = TerminalSize { rows: 24, columns: 80 };

/// The size of the terminal here.
pub(super) fn size() -> TerminalSize {
    let found = terminal_size::terminal_size_of(io::stdout()).or_else(|| terminal_size::terminal_size_of(io::stdin()));
    found.map_or(USUAL, |(width, height)| TerminalSize { rows: height.0, columns: width.0 })
}

#[cfg(unix)]
pub(super) use system::restore;
pub(super) use system::{RawMode, Sizes};

/// The sizes that it gets from now on.
pub(super) fn sizes() -> Sizes {
    Sizes::new()
}

#[cfg(unix)]
mod system {
    use super::{TerminalSize, size};
    use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
    use std::{
        io,
        sync::{Mutex, MutexGuard, PoisonError},
    };
    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// How the terminal was before every key went to the command.
    static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

    /// As long as this is there, keys are for the command. Dropping it, also by a panic, sets the terminal back.
    pub(in super::super) struct RawMode;

    impl RawMode {
        pub(in super::super) fn enter() -> io::Result<Self> {
            let before = tcgetattr(io::stdin())?;
            let mut raw = before.clone();
            raw.make_raw();
            // Held until it is done, so that whoever sets it back does so after this.
            let mut kept = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
            tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
            *kept = Some(before);
            Ok(Self)
        }
    }

    impl Drop for RawMode {
        fn drop(&mut self) {
            drop(restore());
        }
    }

    /// The terminal as it was. While this is there, nobody else sets it.
    pub(in super::super) struct Restored(#[expect(dead_code, reason = "held")] MutexGuard<'static, Option<Termios>>);

    /// Sets the terminal back.
    pub(in super::super) fn restore() -> Restored {
        let mut kept = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = kept.take() {
            // A terminal that is gone needs nothing.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
        }
        Restored(kept)
    }

    pub(in super::super) struct Sizes(Option<Signal>);

    impl Sizes {
        pub(in super::super) fn new() -> Self {
            Self(signal(SignalKind::window_change()).ok())
        }

        pub(in super::super) async fn next(&mut self) -> TerminalSize {
            if let Some(signal) = &mut self.0
                && signal.recv().await.is_some()
            {
                return size();
            }
            std::future::pending().await
        }
    }
}

#[cfg(not(unix))]
mod system {
    use super::TerminalSize;
    use std::io;

    pub(in super::super) struct RawMode;

    impl RawMode {
        pub(in super::super) fn enter() -> io::Result<Self> {
            Err(io::Error::new(io::ErrorKind::Unsupported, "not on this system; `-T` does without a terminal"))
        }
    }

    pub(in super::super) struct Sizes;

    impl Sizes {
        pub(in super::super) fn new() -> Self {
            Self
        }

        pub(in super::super) async fn next(&mut self) -> TerminalSize {
            std::future::pending().await
        }
    }
}
