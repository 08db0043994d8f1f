//! What a peer hears for which there is no room.

use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
};

/// So many are told at a time; others are closed without a word.
const MOST: usize = 64;
/// How long telling one may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// So much of a request is read before its connection is closed: what lies unread would take the answer with it.
const ENOUGH: u64 = 64 * 1024;

const BODY: &str = r#"{"type":"urn:graphium:problem:overloaded","title":"Service Unavailable","status":503,"code":"overloaded","detail":"the server has as many connections as it can have; ask again in 5 s"}"#;

/// Tells peers that there is no room.
#[derive(Debug)]
pub(super) struct Farewell(Arc<Semaphore>);

impl Farewell {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }

    /// Tells one, without being asked, and closes its connection. One that speaks TLS is closed without a word.
    pub(super) fn say(&self, mut stream: TcpStream, is_encrypted: bool) {
        let Ok(place) = Arc::clone(&self.0).try_acquire_owned() else { return };
        if is_encrypted {
            return;
        }
        let answer = format!(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 5\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{BODY}",
            BODY.len()
        );
        tokio::spawn(async move {
            let said = async {
                stream.write_all(answer.as_bytes()).await?;
                stream.shutdown().await?;
                tokio::io::copy(&mut (&mut stream).take(ENOUGH), &mut tokio::io::sink()).await
            };
            let _best_effort = tokio::time::timeout(PATIENCE, said).await;
            drop(place);
        });
    }
}
