//! Connections that are encrypted.

use crate::bed::Bed;
use graphium_core::{control::Role, id::HostId};
use graphium_server::{
    ServerOptions,
    api::wire::TokenRequest,
    client::{Access, Client, ClientError},
    start,
    tls::{Certificate, Pin},
};
use std::time::Duration;

async fn encrypted(bed: &Bed) -> graphium_server::RunningServer {
    let data = bed.folder().join("encrypted");
    let certificate = Certificate::own(&data, &["localhost".to_owned()], &[]).unwrap();
    let options = ServerOptions {
        notes: None,
        certificate: Some(certificate),
        ..ServerOptions::new("127.0.0.1:0".parse().unwrap(), "memory:", &data)
    };
    start(options).await.unwrap()
}

#[tokio::test]
async fn a_server_is_known_by_its_fingerprint_and_by_nothing_else() {
    let bed = Bed::new().await;
    let server = encrypted(&bed).await;
    assert!(server.url().starts_with("https://"), "{}", server.url());
    let pin = server.certificate().unwrap().pin();
    let token = std::fs::read_to_string(server.admin_token_file()).unwrap().trim().to_owned();
    let client = |pin: Option<Pin>| Client::new(&server.url(), Access { token: Some(token.clone()), pin }).unwrap();
    client(Some(pin)).stacks().await.unwrap();
    let other: Pin = "00".repeat(32).parse().unwrap();
    for (stranger, words) in [(Some(other), "the server's certificate is another one"), (None, "")] {
        let refused = client(stranger).stacks().await.unwrap_err();
        assert!(matches!(refused, ClientError::Unreachable { .. }), "{refused}");
        assert!(refused.to_string().contains(words), "{refused}");
    }
    // Who speaks no TLS is not answered, and takes no place from others.
    let plain = reqwest::get(server.url().replace("https", "http")).await;
    assert!(plain.is_err());
    let _silent = tokio::net::TcpStream::connect(server.addr()).await.unwrap();
    client(Some(pin)).healthz().await.unwrap();
    tokio::time::timeout(Duration::from_secs(3), server.shutdown()).await.unwrap();
}

#[tokio::test]
async fn a_code_carries_the_fingerprint_and_an_agent_joins_with_it() {
    let bed = Bed::new().await;
    let server = encrypted(&bed).await;
    let pin = server.certificate().unwrap().pin();
    let token = std::fs::read_to_string(server.admin_token_file()).unwrap().trim().to_owned();
    let admin = Client::new(&server.url(), Access { token: Some(token), pin: Some(pin) }).unwrap();
    let request = TokenRequest { host: Some("vm1".into()), join: true, ..TokenRequest::new(Role::Agent) };
    let issued = admin.create_token(&request).await.unwrap();
    let (code, fingerprint) =
        issued.code().split_once('.').map(|(code, pin)| (code.to_owned(), pin.to_owned())).unwrap();
    assert_eq!(fingerprint.parse(), Ok(pin));
    let agent = Client::new(&server.url(), Access { token: None, pin: fingerprint.parse().ok() }).unwrap();
    let joined = agent.join(&code, &HostId::new("vm1")).await.unwrap();
    assert_eq!(joined.view.host, Some("vm1".into()));
}
