//! What is not the contract's: who may, what is too large, what goes wrong on the way, and who is woken.

use crate::shared::Shared;
use graphium_core::{
    action::Action,
    agent::{AgentLink, ClaimCall},
    control::Settings,
    id::{ClaimId, TaskId},
    store::{Expect, Key, Kind, MemoryStore, RecordWrite, SessionRequest, StoreError, Submission, TaskStore},
    task::Task,
};
use graphium_server::{PortChoice, ServerOptions, StoreAccess, start};
use graphium_store::{HttpStore, OpenError, Options, open};
use jiff::Timestamp;
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{io::AsyncReadExt, net::TcpListener};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

async fn server(access: StoreAccess, folder: &std::path::Path) -> (graphium_server::RunningServer, String) {
    let options = ServerOptions {
        store_access: access,
        port: PortChoice::Exact,
        notes: None,
        settings: Settings::default(),
        ..ServerOptions::new("127.0.0.1:0".parse().unwrap(), "memory:", folder)
    };
    let server = start(options).await.unwrap();
    let token = std::fs::read_to_string(server.admin_token_file()).unwrap().trim().to_owned();
    let url = server.url().replace("http://", &format!("http://{token}@"));
    (server, url)
}

fn unavailable<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result {
        Err(StoreError::Unavailable(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_shares_its_store_only_where_it_was_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, url) = server(StoreAccess::Own, folder.path()).await;
    let store = open(&url, Options::at(NOW)).await.unwrap();
    let why = unavailable(store.last_event().await);
    assert!(why.contains("403") && why.contains("--share-store"), "{why}");
    assert!(!why.contains("gph_"), "the token is in a message: {why}");
}

#[tokio::test]
async fn who_has_no_token_of_an_administrator_is_refused() {
    let server = Shared::new(Arc::new(MemoryStore::new())).await;
    let (_, host) = server.url().rsplit_once('@').map(|(token, host)| (token.to_owned(), host.to_owned())).unwrap();
    for url in [format!("http://{host}"), format!("http://gph_{}@{host}", "0".repeat(64))] {
        let why = unavailable(HttpStore::open(&url).unwrap().last_event().await);
        assert!(why.contains("401"), "{why}");
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_without_its_token() {
    for url in ["http://", "https://secret@host:1", "http://secret@:1"] {
        let Err(OpenError::Address { url, .. }) = open(url, Options::at(NOW)).await else { panic!("{url} was opened") };
        assert!(!url.contains("secret"), "{url}");
    }
}

#[tokio::test]
async fn what_is_too_large_is_said_to_be() {
    let server = Shared::new(Arc::new(MemoryStore::new())).await;
    let write = |size: usize| RecordWrite {
        key: Key::new(Kind::Stack, "s"),
        expect: Expect::Any,
        stack: None,
        host: None,
        body: Some(Arc::new(json!("x".repeat(size)))),
    };
    let submit = |size| {
        let records = vec![write(size)];
        let store = server.client();
        async move { store.submit(Submission { records, ..Submission::default() }, NOW).await }
    };
    submit(20 << 20).await.unwrap();
    let stored = server.client().record(&Key::new(Kind::Stack, "s")).await.unwrap();
    assert_eq!(stored.unwrap().body.as_str().map(str::len), Some(20 << 20));
    assert!(matches!(submit(65 << 20).await, Err(StoreError::Invalid { .. })));
}

#[tokio::test]
async fn a_server_that_is_not_there_or_is_none_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let store = HttpStore::open(&format!("http://{address}")).unwrap();
    // One that takes the call and hangs up.
    let hang_up = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _some = stream.read(&mut [0; 1024]).await;
    };
    let (answer, ()) = tokio::join!(store.last_event(), hang_up);
    unavailable(answer);
    drop(listener);
    let why = unavailable(store.last_event().await);
    assert!(why.contains(&address.to_string()), "{why}");
}

#[tokio::test]
async fn an_agent_of_the_server_is_woken_by_what_comes_from_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let (server, url) = server(StoreAccess::Shared, folder.path()).await;
    let store = open(&url, Options::at(NOW)).await.unwrap();
    let request = SessionRequest { host: "vm1".into(), nonce: "n".into(), seen_epoch: 0 };
    let epoch = server.control().open_session(&request).await.unwrap().session.epoch;
    let (claim, wait) = (ClaimId::new("c"), Duration::from_secs(20));
    let call = ClaimCall { host: "vm1".into(), epoch, claim, max: 1, wait };
    let begun = Instant::now();
    let submit = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let payload = Action::Start { name: "web".into() };
        let tasks = vec![Task::new(TaskId::new("task:1"), "vm1".into(), payload, NOW)];
        store.submit(Submission { tasks, ..Submission::default() }, NOW).await.unwrap();
    };
    let (granted, ()) = tokio::join!(server.control().claim(&call), submit);
    assert_eq!(granted.unwrap().len(), 1);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_server_may_keep_its_data_in_the_store_of_another() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, url) = server(StoreAccess::Shared, first.path()).await;
    let options =
        ServerOptions { notes: None, ..ServerOptions::new("127.0.0.1:0".parse().unwrap(), url, second.path()) };
    let two = start(options).await.unwrap();
    let request = SessionRequest { host: "vm1".into(), nonce: "n".into(), seen_epoch: 0 };
    two.control().open_session(&request).await.unwrap();
    assert!(one.control().host(&"vm1".into()).await.is_ok(), "what one knows the other knows");
    two.shutdown().await;
}
