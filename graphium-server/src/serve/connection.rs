//! One connection, from its first byte to its last.

use super::stall::Stall;
use crate::{api::Peer, stop::Stop};
use axum::{Router, body::Body};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{net::SocketAddr, pin::pin, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
};
use tokio_rustls::TlsAcceptor;
use tower::Service;

/// What peers may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time, WebSockets among them.
    pub connections: usize,
    /// Time for a request's head, and for silence between two requests.
    pub head: Duration,
    /// Time for a request's body.
    pub body: Duration,
    /// Time for which a peer may take nothing of an answer.
    pub stall: Duration,
    /// Requests that read and are served at a time. Agents, probes and metrics are not counted, and streams only until they begin.
    pub reads: usize,
    /// Requests that change something and are served at a time; agents' are not counted.
    pub changes: usize,
    /// Requests to deploy, stop, roll back or plan that are served at a time: their plans are made one after the other.
    pub plans: usize,
    /// Requests of each kind that wait for a place, for a second at most; others are answered 503 at once.
    pub waiting: usize,
    /// Changes a second that one token may ask for, twice as many at once; whoever shows none has a quarter. More are answered 429.
    pub changes_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            connections: 16_384,
            head: seconds(10),
            body: seconds(60),
            stall: seconds(30),
            reads: 64,
            changes: 64,
            plans: 64,
            waiting: 64,
            changes_per_second: 200,
        }
    }
}

/// The most that is kept of a connection's bytes: a head must fit. hyper's own default is 400 KiB.
const BUFFER: usize = 16 * 1024;

/// Serves a connection, after its handshake where there is one; that has as much time as the head of a request.
pub(super) async fn begin(
    (stream, peer): (TcpStream, SocketAddr),
    tls: Option<TlsAcceptor>,
    router: Router,
    mut stop: Stop,
    limits: Limits,
    place: OwnedSemaphorePermit,
) {
    // Frames of a stream are small and should not wait for one another.
    let _best_effort = stream.set_nodelay(true);
    let Some(tls) = tls else { return serve(stream, peer, place, router, stop, limits).await };
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(limits.head, Box::pin(tls.accept(stream))) => shaken,
        () = stop.stopped() => return,
    };
    match shaken {
        // Boxed: a connection that is not encrypted should not take the room of one that is.
        Ok(Ok(stream)) => Box::pin(serve(stream, peer, place, router, stop, limits)).await,
        Ok(Err(error)) => tracing::debug!(%peer, %error, "a connection was not encrypted as it should be"),
        Err(_) => tracing::debug!(%peer, "a handshake took too long"),
    }
}

async fn serve<S>(
    stream: S,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
    router: Router,
    mut stop: Stop,
    limits: Limits,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(Stall::new(stream, limits.stall, place));
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        request.extensions_mut().insert(limits);
        router.clone().call(request)
    });
    // Pinned where it is made: what is moved takes its room twice.
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_buf_size(BUFFER)
            .serve_connection(io, service)
            .with_upgrades()
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.stopped() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection broke off");
    }
}
