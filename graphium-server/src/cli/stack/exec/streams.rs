//! This program's own streams, each on a thread of its own: a terminal that is not read from, or a pipe that is not read, holds up
//! nothing else, and no end of the program waits for them.

use graphium_core::runtime::LogSource;
use std::{
    io::{self, Read as _},
    thread,
};
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, UnboundedSender, channel, unbounded_channel};

/// How much is read at a time.
pub(super) const PIECE: usize = 16 * 1024;
/// How many pieces lie ready.
const AHEAD: usize = 2;

/// Standard input, to its end.
pub(super) fn read() -> Receiver<Vec<u8>> {
    let (pieces, receiver) = channel(AHEAD);
    thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        let mut buffer = vec![0; PIECE];
        loop {
            match stdin.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) if pieces.blocking_send(buffer[..count].to_vec()).is_err() => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What cannot be read any more has ended.
                Err(_) => return,
            }
        }
    });
    receiver
}

/// What became of pieces.
#[derive(Debug)]
pub(super) enum Written {
    /// So many bytes are written.
    Bytes(usize),
    /// They cannot be.
    Failed(io::Error),
}

/// Standard output and standard error: what is to be written, and what is. No more waits here than the window that the other side
/// keeps to.
pub(super) fn write() -> (UnboundedSender<(LogSource, Vec<u8>)>, UnboundedReceiver<Written>) {
    let (pieces, mut receiver) = unbounded_channel::<(LogSource, Vec<u8>)>();
    let (told, written) = unbounded_channel();
    thread::spawn(move || {
        while let Some((source, bytes)) = receiver.blocking_recv() {
            let outcome = match source {
                LogSource::Stderr => whole(&mut io::stderr().lock(), &bytes),
                LogSource::Stdout | LogSource::Console => whole(&mut io::stdout().lock(), &bytes),
            };
            let is_over = outcome.is_err();
            let outcome = outcome.map_or_else(Written::Failed, |()| Written::Bytes(bytes.len()));
            if told.send(outcome).is_err() || is_over {
                return;
            }
        }
    });
    (pieces, written)
}

fn whole(stream: &mut impl io::Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}
