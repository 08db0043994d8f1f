//! Clients of several servers.

use crate::bed::Bed;
use graphium_core::{agent::AgentLink, control::Role, store::SessionRequest};
use graphium_server::client::{Client, DeployRequest, HttpLink};
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// An address at which nobody is.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn what_one_server_did_not_hear_another_is_asked() {
    let bed = Bed::new().await;
    let (away, url) = (nobody(), bed.server.url());
    let client = Client::of_several([(away.as_str(), None), (url.as_str(), Some(bed.token.clone()))]).unwrap();
    assert_eq!(client.base_url(), away);
    client.stacks().await.unwrap();
    assert_eq!(client.base_url(), url, "the one that answers is asked from now on");
    client.stacks().await.unwrap();
}

#[tokio::test]
async fn each_server_is_shown_its_own_token() {
    let bed = Bed::new().await;
    let (away, url) = (nobody(), bed.server.url());
    let client = Client::of_several([(away.as_str(), Some(bed.token.clone())), (url.as_str(), None)]).unwrap();
    let error = client.stacks().await.unwrap_err();
    assert!(error.to_string().contains("refuses"), "{error}");
}

#[tokio::test]
async fn where_nobody_answers_everybody_is_named() {
    let (one, other) = (nobody(), nobody());
    let client = Client::of_several([(one.as_str(), None), (other.as_str(), None)]).unwrap();
    let text = client.stacks().await.unwrap_err().to_string();
    assert!(text.contains(&one) && text.contains(&other), "{text}");
    assert!(Client::of_several(Vec::<(&str, Option<String>)>::new()).is_err());
}

#[tokio::test]
async fn an_agent_whose_call_took_too_long_asks_another_server() {
    // It takes the connection, and never answers: as one does that was stopped.
    let hung = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hung = (format!("http://{}", hung.local_addr().unwrap()), hung);
    let bed = Bed::new().await;
    let (url, token) = (bed.server.url(), bed.token(Role::Agent, Some("vm1")).await);
    let link = HttpLink::new(
        Client::of_several([(hung.0.as_str(), Some(token.clone())), (url.as_str(), Some(token))]).unwrap(),
    );
    let request = SessionRequest { host: "vm1".into(), nonce: "n".to_owned(), seen_epoch: 0 };
    // Whoever asks does not wait for ever.
    let first = tokio::time::timeout(std::time::Duration::from_millis(300), link.open_session(&request)).await;
    assert!(first.is_err(), "{first:?}");
    assert_eq!(link.open_session(&request).await.unwrap().session.epoch, 1);
}

/// A server that does not reach its store, and the heads of the requests that it has had.
async fn storeless() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 64 * 1024];
            let length = stream.read(&mut request).await.unwrap();
            hears.lock().unwrap().push(String::from_utf8_lossy(&request[..length]).to_lowercase());
            let problem =
                r#"{"type":"about:blank","title":"","status":503,"code":"store-unavailable","detail":"it is away"}"#;
            let head = format!(
                "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                problem.len()
            );
            stream.write_all(format!("{head}{problem}").as_bytes()).await.unwrap();
            let _ = stream.shutdown().await;
        }
    });
    (url, heard)
}

#[tokio::test]
async fn where_the_store_of_one_server_is_away_another_is_asked() {
    let bed = Bed::new().await;
    let (url, token) = (bed.server.url(), bed.token.clone());
    let several =
        |away: &str| Client::of_several([(away, Some(token.clone())), (url.as_str(), Some(token.clone()))]).unwrap();

    let (away, heard) = storeless().await;
    let client = several(&away);
    client.stacks().await.unwrap();
    assert_eq!(client.base_url(), url, "the one whose store is there is asked from now on");
    assert_eq!(heard.lock().unwrap().len(), 1);

    // A document has a key, so that it is deployed once whoever has taken it.
    let (away, heard) = storeless().await;
    let document = r#"{"@context": "https://schema.org", "@graph": []}"#;
    let error = several(&away).deploy(document, &DeployRequest::default()).await.unwrap_err().to_string();
    assert!(!error.contains("it is away"), "only the other has read it: {error}");
    let heads = heard.lock().unwrap().clone();
    assert!(heads.len() == 1 && heads[0].contains("idempotency-key: "), "{heads:?}");
}

#[tokio::test]
async fn what_might_be_done_twice_is_asked_of_another_server_by_who_asks_again_alone() {
    let bed = Bed::new().await;
    let (url, token) = (bed.server.url(), bed.token(Role::Agent, Some("vm1")).await);
    let (away, _) = storeless().await;
    let client = Client::of_several([(away.as_str(), Some(token.clone())), (url.as_str(), Some(token))]).unwrap();
    let link = HttpLink::new(client);
    let request = SessionRequest { host: "vm1".into(), nonce: "n".to_owned(), seen_epoch: 0 };
    let error = link.open_session(&request).await.unwrap_err().to_string();
    assert!(error.contains("it is away"), "{error}");
    assert_eq!(link.open_session(&request).await.unwrap().session.epoch, 1);
}

#[tokio::test]
async fn where_every_store_is_away_that_is_said() {
    let ((one, _), (other, _)) = (storeless().await, storeless().await);
    let client = Client::of_several([(one.as_str(), None), (other.as_str(), None)]).unwrap();
    let text = client.stacks().await.unwrap_err().to_string();
    assert!(text.contains(&one) && text.contains("it is away"), "{text}");
}
