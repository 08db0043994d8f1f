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

pub(super) use system::{RawMode, Sizes, end_asked};

/// The sizes that it gets from now on.
pub(super) fn sizes() -> Sizes {
    Sizes::new()
}

#[cfg(unix)]
mod system {
    use super::{TerminalSize, size};
    use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
    use std::io;
    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// As long as this is there, keys are for the command. Dropping it, also by a panic, sets the terminal back.
    pub(in super::super) struct RawMode {
        before: Termios,
    }

    impl RawMode {
        pub(in super::super) fn enter() -> io::Result<Self> {
            let before = tcgetattr(io::stdin())?;
            let mut raw = before.clone();
            raw.make_raw();
            tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
            Ok(Self { before })
        }
    }

    impl Drop for RawMode {
        fn drop(&mut self) {
            // A terminal that is gone needs nothing.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
        }
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

    /// Returns when somebody else asks this program to end.
    pub(in super::super) async fn end_asked() {
        let (Ok(mut terminate), Ok(mut hang_up)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
        else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
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

    pub(in super::super) async fn end_asked() {
        std::future::pending().await
    }
}
