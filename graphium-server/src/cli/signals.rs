//! Being asked to end: once gently, twice at once.

use super::exit::Exit;
use std::future::Future;

/// Resolves when the process is asked to end, by Ctrl-C or SIGTERM. Asked again, it ends at once.
///
/// Needs a tokio runtime, and listens from this call on.
pub(crate) fn stop_requested() -> impl Future<Output = ()> + Send {
    let (asked, first) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        any().await;
        // Who waited may have ended by himself.
        let _ = asked.send(());
        any().await;
        std::process::exit(Exit::Interrupted.number().into());
    });
    async {
        let _ = first.await;
    }
}

#[cfg(unix)]
async fn any() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return interrupt().await };
    tokio::select! {
        () = interrupt() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn any() {
    interrupt().await;
}

async fn interrupt() {
    // Where Ctrl-C cannot be heard, the operating system's own way of ending stays.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
