//! Cuts a peer that does not take what it is sent, and keeps its place among the connections.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::OwnedSemaphorePermit,
    time::{Sleep, sleep},
};

/// A stream whose writes fail once none has made progress for a while. It has its place until it is gone, whoever has it then: one that
/// has become a WebSocket is not served as a connection any more, and is one.
#[derive(Debug)]
pub(super) struct Stall<S> {
    stream: S,
    patience: Duration,
    /// Runs while a write waits; a stream that flows has none.
    waiting: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
}

impl<S> Stall<S> {
    pub(super) fn new(stream: S, patience: Duration, place: OwnedSemaphorePermit) -> Self {
        Self { stream, patience, waiting: None, _place: place }
    }

    /// A write's outcome, or the end of patience with it.
    fn watch<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stall<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stall<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(cx, closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::{io::AsyncWriteExt, sync::Semaphore};

    #[tokio::test]
    async fn a_peer_that_does_not_read_is_cut_and_one_that_does_is_not() {
        let (ours, theirs) = tokio::io::duplex(16);
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let mut stream = Stall::new(ours, Duration::from_millis(50), place);
        stream.write_all(&[0; 16]).await.unwrap();
        assert_eq!(stream.write_all(&[0; 1]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);

        let (mut ours, mut sink) = (stream, tokio::io::sink());
        ours.waiting = None;
        let mut theirs = theirs;
        let reader = tokio::spawn(async move { tokio::io::copy(&mut theirs, &mut sink).await });
        ours.write_all(&[0; 1000]).await.unwrap();
        drop(ours);
        assert_eq!(reader.await.unwrap().unwrap(), 1016);
    }
}
