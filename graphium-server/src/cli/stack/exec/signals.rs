//! Being asked to end by somebody else, at any time: while the command runs and when what it wrote is still to be taken by whoever reads
//! it. On a thread of its own, since every other one may wait for that.

use crate::cli::{connect, exit::Failure};

/// From here on each signal that asks a program to end ends this one at once, with the terminal as it was and the status that a shell
/// shows of it: 128 and the signal's number.
pub(super) fn heed() -> Result<(), Failure> {
    system::heed().map_err(|error| connect::no_runtime(&error))
}

#[cfg(unix)]
mod system {
    use super::super::terminal;
    use std::{io, process, sync::mpsc, task::Poll, thread};
    use tokio::{
        runtime::{self, Runtime},
        signal::unix::{Signal, SignalKind, signal},
    };

    const ASKING: [SignalKind; 4] =
        [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::quit(), SignalKind::terminate()];

    pub(super) fn heed() -> io::Result<()> {
        let (ready, is_ready) = mpsc::sync_channel(1);
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let (runtime, signals) = match listen() {
                Ok(listening) => listening,
                Err(error) => return drop(ready.send(Err(error))),
            };
            drop(ready.send(Ok(())));
            let number = runtime.block_on(any(signals));
            let _restored = terminal::restore();
            process::exit(128 + number);
        })?;
        // Nothing begins before somebody listens.
        is_ready.recv().unwrap_or_else(|gone| Err(io::Error::other(gone)))
    }

    fn listen() -> io::Result<(Runtime, Vec<(i32, Signal)>)> {
        let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
        let one = |kind: SignalKind| Ok((kind.as_raw_value(), signal(kind)?));
        let signals = runtime.block_on(async { ASKING.into_iter().map(one).collect::<io::Result<_>>() })?;
        Ok((runtime, signals))
    }

    async fn any(mut signals: Vec<(i32, Signal)>) -> i32 {
        std::future::poll_fn(|context| {
            let mut arrived = signals
                .iter_mut()
                .filter_map(|(number, signal)| signal.poll_recv(context).is_ready().then_some(*number));
            arrived.next().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

#[cfg(not(unix))]
mod system {
    /// Ctrl-C is heard elsewhere, and there is nothing else.
    pub(super) fn heed() -> std::io::Result<()> {
        Ok(())
    }
}
