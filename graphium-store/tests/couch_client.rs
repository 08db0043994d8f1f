//! The client of CouchDB: every answer is told apart from the others.

#![cfg(feature = "couchdb")]

use graphium_store::{
    couch::{CallError, CouchAddress, CouchClient, Written},
    testing::{FakeCouch, Fault, Faults},
};
use serde_json::json;
use std::{
    error::Error,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

type Checked = Result<(), Box<dyn Error>>;

async fn opened(fake: &FakeCouch) -> Result<CouchClient, Box<dyn Error>> {
    let client = CouchClient::new(CouchAddress::parse(&fake.url())?)?;
    client.create().await?;
    Ok(client)
}

#[tokio::test]
async fn a_write_says_how_far_it_has_come() -> Checked {
    let fake = FakeCouch::start(3).await?;
    let client = opened(&fake).await?;
    let body = json!({"a": 1});
    let first = client.put("x", None, &body).await?;
    let Written::Quorum(rev) = first else { return Err(format!("{first:?}").into()) };
    assert_eq!(client.put("x", None, &body).await?, Written::Conflict);
    fake.set_faults(Faults::none().then([Fault::Accepted]));
    let second = client.put("x", Some(&rev), &json!({"a": 2})).await?;
    assert!(matches!(second, Written::Accepted(_)), "{second:?}");
    assert_eq!(client.put("x", Some(&rev), &json!({"a": 3})).await?, Written::Conflict, "an older revision");
    let faults = [Fault::BrokenAfterCommit, Fault::BrokenBefore, Fault::ServerError];
    for (number, fault) in faults.into_iter().enumerate() {
        fake.set_faults(Faults::none().then([fault]));
        let id = format!("y{number}");
        let written = client.put(&id, None, &body).await?;
        assert!(matches!(written, Written::Unknown(_)), "{fault:?}: {written:?}");
        assert_eq!(client.get(&id).await?.is_some(), fault == Fault::BrokenAfterCommit, "{fault:?}");
    }
    Ok(())
}

#[tokio::test]
async fn leaves_in_conflict_are_named_and_can_be_taken_away() -> Checked {
    let fake = FakeCouch::start(3).await?;
    let client = opened(&fake).await?;
    fake.set_faults(Faults::none().then([Fault::StrayLeaf]));
    let written = client.put("x", None, &json!({"nonce": "mine"})).await?;
    let Written::Quorum(rev) = written else { return Err(format!("{written:?}").into()) };
    let leaves = client.leaves("x").await?;
    let nonces: Vec<_> = leaves.iter().map(|leaf| &leaf.body["nonce"]).collect();
    assert_eq!(nonces, ["of another", "mine"], "the one that is shown comes first");
    assert_eq!(leaves[1].rev, rev);
    assert!(matches!(client.delete("x", &leaves[0].rev).await?, Written::Quorum(_)));
    let leaves = client.leaves("x").await?;
    assert_eq!((leaves.len(), &leaves[0].rev), (1, &rev));
    assert_eq!(client.get("x").await?.ok_or("missing")?.body["nonce"], "mine");
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_gone_is_no_empty_one() -> Checked {
    let fake = FakeCouch::start(1).await?;
    let client = CouchClient::new(CouchAddress::parse(&fake.url())?)?;
    assert_eq!(client.info().await?, None);
    let refused = client.get("x").await;
    assert!(matches!(&refused, Err(CallError::Refused { status: 404, .. })), "{refused:?}");
    client.create().await?;
    client.create().await?;
    assert_eq!(client.get("x").await?, None);
    Ok(())
}

#[tokio::test]
async fn what_is_purged_leaves_nothing_behind() -> Checked {
    let fake = FakeCouch::start(1).await?;
    let client = opened(&fake).await?;
    let Written::Quorum(rev) = client.put("x", None, &json!({})).await? else { return Err("not written".into()) };
    assert!(client.purge(&[("x".to_owned(), vec![rev])]).await?);
    assert_eq!(client.get("x").await?, None);
    assert!(matches!(client.put("x", None, &json!({})).await?, Written::Quorum(rev) if rev.as_str().starts_with("1-")));
    Ok(())
}

#[tokio::test]
async fn lists_are_ranges_in_order() -> Checked {
    let fake = FakeCouch::start(1).await?;
    let client = opened(&fake).await?;
    for id in ["b", "a:2", "a:1", "a:3"] {
        client.put(id, None, &json!({"id": id})).await?;
    }
    let ids = |found: Vec<graphium_store::couch::Found>| -> Vec<String> {
        found.iter().filter_map(|found| Some(found.body["id"].as_str()?.to_owned())).collect()
    };
    assert_eq!(ids(client.range("a:", "a:9", 10).await?), ["a:1", "a:2", "a:3"]);
    assert_eq!(ids(client.range("a:2", "z", 2).await?), ["a:2", "a:3"]);
    Ok(())
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() -> Checked {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("couchdb://me:secret@{}/graphium", listener.local_addr()?);
    let silent = tokio::spawn(async move {
        let mut streams = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            streams.push(stream);
        }
    });
    let client = CouchClient::new(CouchAddress::parse(&url)?)?;
    let begun = Instant::now();
    let written = client.put("x", None, &json!({})).await?;
    assert!(matches!(&written, Written::Unknown(reason) if reason == "nothing was heard in time"), "{written:?}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    silent.abort();
    Ok(())
}

#[tokio::test]
async fn who_we_are_is_told_in_a_header_and_never_in_the_address() -> Checked {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("couchdb://me:p%40ss@{}/graphium", listener.local_addr()?);
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await?;
        stream.write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\n{}").await?;
        std::io::Result::Ok(String::from_utf8_lossy(&request[..length]).into_owned())
    });
    let refused = CouchClient::new(CouchAddress::parse(&url)?)?.get("log:1").await;
    assert!(matches!(&refused, Err(CallError::Refused { status: 401, .. })), "{refused:?}");
    let request = heard.await??;
    assert!(request.starts_with("GET /graphium/log:1 HTTP/1.1\r\n"), "{request}");
    // `me:p@ss`
    assert!(request.to_lowercase().contains("authorization: basic bwu6cebzcw=="), "{request}");
    Ok(())
}
