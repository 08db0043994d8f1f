//! The page of somebody who is granted some stacks: nothing of others, also not in what renews it.

use crate::{
    bed::{Bed, stack},
    visitor::Visitor,
};
use graphium_core::control::Role;
use graphium_server::api::wire::TokenRequest;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn pages_and_their_stream_have_what_was_granted_alone() {
    let bed = Bed::new().await;
    let _vm1 = bed.host("vm1").await;
    let mut changed = stack("mine", "vm1");
    changed["hasPart"][0]["image"] = json!("nginx:1.28");
    for document in [stack("mine", "vm1"), stack("theirs", "vm1"), changed] {
        bed.deploy(&document).await;
    }
    let list = bed.json(Method::GET, "/api/v1/events?follow=false&limit=1000", None, 200).await;
    let last_of = |name: &str| {
        let events = list["events"].as_array().unwrap().iter().filter(|event| event.to_string().contains(name));
        events.map(|event| event["seq"].as_u64().unwrap()).max().unwrap()
    };
    let last = last_of("mine");
    assert!(last_of("theirs") < last, "{list}");

    let request = TokenRequest { stacks: vec!["mine".to_owned()], ..TokenRequest::new(Role::Viewer) };
    let visitor = Visitor::with(&bed, &bed.admin.create_token(&request).await.unwrap().token).await;
    let mut answer = visitor.request(Method::GET, "/web/stream?after=0").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut text = String::new();
    while !text.contains(&format!("id: {last}\n")) {
        let chunk = tokio::time::timeout(Duration::from_secs(10), answer.chunk()).await.expect("an event");
        text += std::str::from_utf8(&chunk.unwrap().unwrap()).unwrap();
    }
    assert!(text.contains("stack:mine") && !text.contains("theirs"), "{text}");
    for path in ["/web/", "/web/stacks", "/web/tasks", "/web/events"] {
        let page = visitor.page(path).await;
        assert!(page.contains("mine") && !page.contains("theirs"), "{path}: {page}");
    }
    assert_eq!(visitor.get("/web/stacks/theirs").await.status(), 403);
}
