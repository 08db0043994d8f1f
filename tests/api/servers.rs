//! Clients of several servers.

use crate::bed::Bed;
use graphium_core::{agent::AgentLink, control::Role, store::SessionRequest};
use graphium_server::client::{Client, HttpLink};

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
    assert!(Client::of_several([]).is_err());
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
