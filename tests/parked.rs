//! What an agent that waits for work costs the server. Alone in its process, for its memory is measured.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::print_stdout, reason = "what was measured is told")]

use graphium_core::{agent::AgentLink, store::SessionRequest};
use graphium_server::{
    ServerOptions,
    api::wire::TokenRequest,
    client::{Client, HttpLink},
    start,
};
use std::time::Duration;
use tokio::{io::AsyncWriteExt, net::TcpStream};

const AGENTS: usize = 400;

/// The goal, in KiB. Our own end of each connection is in the figure as well.
const GOAL: f64 = 24.0;

/// Resident memory of this process in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_parked_agent_takes_at_most_24_kib() {
    let folder = tempfile::tempdir().unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let options = ServerOptions { notes: None, ..ServerOptions::new(listen, "memory:", folder.path()) };
    let server = start(options).await.unwrap();
    let token = std::fs::read_to_string(server.admin_token_file()).unwrap().trim().to_owned();
    let link = HttpLink::new(Client::new(&server.url(), Some(token.clone())).unwrap());
    let request = SessionRequest { host: "vm1".into(), nonce: "nonce".into(), seen_epoch: 0 };
    let epoch = link.open_session(&request).await.unwrap().session.epoch;
    // Who waits is an agent.
    let wanted = serde_json::json!({"role": "agent", "host": "vm1"});
    let wanted: TokenRequest = serde_json::from_value(wanted).unwrap();
    let client = Client::new(&server.url(), Some(token)).unwrap();
    let token = client.create_token(&wanted).await.unwrap().token;

    let park = async |agent: usize| {
        let body = format!(r#"{{"epoch": {epoch}, "claim": "parked-{agent}", "waitSeconds": 60}}"#);
        let length = body.len();
        let mut stream = TcpStream::connect(server.addr()).await.unwrap();
        let head = format!("POST /api/v1/agents/vm1/claim HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n");
        stream.write_all(format!("{head}content-length: {length}\r\n\r\n{body}").as_bytes()).await.unwrap();
        stream
    };
    let mut parked = Vec::new();
    // The first pay for what all share.
    for agent in 0..AGENTS / 4 {
        parked.push(park(agent).await);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = resident();
    for agent in 0..AGENTS {
        parked.push(park(AGENTS + agent).await);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    for stream in &parked {
        let answered = stream.try_read(&mut [0; 1]);
        assert!(answered.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "an agent is not parked");
    }
    let each = resident().saturating_sub(before) as f64 / AGENTS as f64;
    println!("{each:.1} KiB for each parked agent");
    assert!(each <= GOAL, "{each:.1} KiB for each parked agent");
    assert!(each > 1.0, "{each:.1} KiB is too little to be true");
}
