//! What events are measured against: the shortest WebSocket broadcaster that axum makes, as a process of its own.

use axum::{
    Router,
    extract::{
        Query, State,
        ws::{Message, Utf8Bytes, WebSocketUpgrade},
    },
    routing::{get, post},
};
use serde::Deserialize;
use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};
use tokio::sync::broadcast::{self, Sender, error::RecvError};

/// Makes this program the broadcaster.
pub const FLAG: &str = "--plain";

#[derive(Deserialize)]
struct Wanted {
    size: usize,
}

/// Serves, and says where, until it is killed.
pub async fn serve() {
    // Nobody falls behind so far that it misses anything.
    let (sender, _) = broadcast::channel::<Utf8Bytes>(1 << 16);
    let router = Router::new()
        .route(
            "/ws",
            get(|upgrade: WebSocketUpgrade, State(sender): State<Sender<Utf8Bytes>>| async move {
                let mut events = sender.subscribe();
                upgrade.on_upgrade(async move |mut socket| {
                    loop {
                        match events.recv().await {
                            Ok(text) => {
                                if socket.send(Message::Text(text)).await.is_err() {
                                    return;
                                }
                            }
                            Err(RecvError::Lagged(_)) => {}
                            Err(RecvError::Closed) => return,
                        }
                    }
                })
            }),
        )
        .route(
            "/publish",
            post(|Query(wanted): Query<Wanted>, State(sender): State<Sender<Utf8Bytes>>| async move {
                let _nobody_listens = sender.send("x".repeat(wanted.size).into());
            }),
        )
        .with_state(sender);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    axum::serve(listener, router).await.unwrap();
}

/// The broadcaster, running; it ends with the value.
pub struct Plain {
    child: Child,
    pub address: SocketAddr,
}

impl Plain {
    pub fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command.arg(FLAG).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().parse().unwrap() }
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ = self.child.wait();
    }
}
