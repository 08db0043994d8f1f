//! A store that does not answer, or takes nothing: the server says that it cannot work, and that it lives.

use crate::bed::Bed;
use graphium_server::serve::Limits;
use graphium_store::testing::FakeCouch;
use reqwest::Method;
use serde_json::Value;
use std::time::{Duration, Instant};

/// For how long a store says nothing: nobody waits for its end.
const HANGS: Duration = Duration::from_secs(6);

/// Status and code of an answer, and how long it took.
async fn asked(bed: &Bed, path: &str) -> (u16, Value, Duration) {
    let begun = Instant::now();
    let response = bed.request(Method::GET, path).bearer_auth(&bed.token).send().await.unwrap();
    let (status, body) = (response.status().as_u16(), response.json::<Value>().await.unwrap());
    (status, body["code"].clone(), begun.elapsed())
}

async fn is_unready_and_lives(bed: &Bed, why: &str) {
    // What the store said last may be half a second old.
    tokio::time::sleep(Duration::from_millis(600)).await;
    let (status, code, took) = asked(bed, "/readyz").await;
    assert_eq!((status, &code), (503, &"store-unavailable".into()), "{why}");
    assert!(took < HANGS, "{why}: {took:?}");
    for path in ["/livez", "/healthz"] {
        let (status, code, took) = asked(bed, path).await;
        assert_eq!((status, &code), (200, &Value::Null), "{why}: {path}");
        assert!(took < Duration::from_secs(1), "{why}: {path} took {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_store_hangs_or_is_gone_is_not_ready_at_once_and_lives() {
    let couch = FakeCouch::start(1).await.unwrap();
    let bed = Bed::over(&couch.url(), Limits::default()).await;
    assert_eq!(asked(&bed, "/readyz").await.0, 200);
    couch.hang(HANGS);
    is_unready_and_lives(&bed, "it hangs").await;
    crate::bed::eventually("it is ready again", async || (asked(&bed, "/readyz").await.0 == 200).then_some(())).await;
    drop(couch);
    is_unready_and_lives(&bed, "it is gone").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_cluster_has_no_majority_is_not_ready_and_goes_on_showing_what_there_is() {
    let couch = FakeCouch::start(3).await.unwrap();
    let bed = Bed::over(&couch.url(), Limits::default()).await;
    assert_eq!(asked(&bed, "/readyz").await.0, 200);
    couch.lose_quorum();
    // A turn that it has lasts four seconds.
    let begun = Instant::now();
    while asked(&bed, "/readyz").await.0 == 200 {
        assert!(begun.elapsed() < Duration::from_secs(20), "its last turn is not over");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    is_unready_and_lives(&bed, "it has no majority").await;
    assert_eq!(asked(&bed, "/api/v1/hosts").await.0, 200, "it is shown");
    couch.heal();
    crate::bed::eventually("it is ready again", async || (asked(&bed, "/readyz").await.0 == 200).then_some(())).await;
}
