//! The loop that serves connections, and what a peer may take of the server.
//!
//! hyper is used directly because `axum::serve` never cuts a slow peer. Here a head must arrive within ten seconds, a body within
//! the time of its route, and a peer that takes no more of an answer for half a minute is gone. Where there is no room for a
//! connection its peer hears so at once. The end is told: no connection
//! is taken any more, requests that are being done are finished, everything that waits hears [`Stop`].

mod connection;
mod descriptors;
mod farewell;
mod stall;

pub use connection::Limits;

use crate::{
    stop::{Stop, Stopper},
    tls::Certificate,
};
use axum::Router;
use farewell::Farewell;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc, oneshot},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

/// How long the end may take: then what is left is dropped.
const FAREWELL: Duration = Duration::from_millis(1500);

/// A server that runs. Dropping it stops the server without waiting for requests to finish.
#[derive(Debug)]
pub struct ServerHandle {
    addr: SocketAddr,
    stopper: Stopper,
    accepting: JoinHandle<()>,
    asked: mpsc::Sender<oneshot::Sender<()>>,
}

impl ServerHandle {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Whether the loop that takes connections goes round: it is asked, and has so long to answer. It answers also while there is
    /// no room for more connections.
    ///
    /// Cancellation: dropping the future changes nothing.
    pub async fn is_accepting(&self, patience: Duration) -> bool {
        let answered = async {
            let (answer, answered) = oneshot::channel();
            self.asked.send(answer).await.is_ok() && answered.await.is_ok()
        };
        tokio::time::timeout(patience, answered).await.unwrap_or(false)
    }

    /// Ends it within two seconds, also with streams open.
    pub async fn shutdown(mut self) {
        self.stopper.stop();
        let everything = async {
            // The loop ends with its last connection; upgraded connections end by themselves.
            let _ended = (&mut self.accepting).await;
        };
        if tokio::time::timeout(FAREWELL, everything).await.is_err() {
            self.accepting.abort();
        }
        self.stopper.all_gone(Duration::from_millis(300)).await;
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        self.stopper.stop();
        self.accepting.abort();
    }
}

/// Serves a router on a listener, with TLS where there is a certificate. The router's state hears the same stopper.
///
/// # Errors
/// When the listener does not say where it listens.
pub fn serve(
    listener: TcpListener,
    router: Router,
    stopper: Stopper,
    limits: Limits,
    certificate: Option<&Certificate>,
) -> io::Result<ServerHandle> {
    let addr = listener.local_addr()?;
    let (asked, questions) = mpsc::channel(1);
    let tls = certificate.map(Certificate::acceptor);
    let accepting = tokio::spawn(accept(listener, router, stopper.hear(), limits, tls, questions));
    Ok(ServerHandle { addr, stopper, accepting, asked })
}

async fn accept(
    listener: TcpListener,
    router: Router,
    mut stop: Stop,
    limits: Limits,
    tls: Option<TlsAcceptor>,
    mut questions: mpsc::Receiver<oneshot::Sender<()>>,
) {
    let room = Arc::new(Semaphore::new(limits.connections));
    let (mut connections, farewell) = (JoinSet::new(), Farewell::new());
    loop {
        // Taken also where there is no room: whoever waits in the kernel's queue does not know for what.
        let connection = async {
            let accepted = listener.accept().await;
            (Arc::clone(&room).try_acquire_owned(), accepted)
        };
        tokio::select! {
            () = stop.stopped() => break,
            Some(_) = connections.join_next() => {}
            // Nobody may wait for the answer any more.
            Some(question) = questions.recv() => drop(question.send(())),
            (room, accepted) = connection => match (room, accepted) {
                (Ok(room), Ok(accepted)) => {
                    connections.spawn(connection::begin(accepted, tls.clone(), router.clone(), stop.clone(), limits, room));
                }
                (Err(_), Ok((stream, _))) => farewell.say(stream, tls.is_some()),
                // Out of file handles, most likely: some will close.
                (_, Err(error)) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}
