//! The audit: every change leaves one entry, every refusal is counted, nothing that was sent is in it, and nobody changes it.

use crate::bed::{Bed, eventually, stack};
use graphium_core::{
    control::{AuditEntry, Purpose, Role},
    store::{Expect, Key, Kind, RecordQuery, RecordWrite, Submission, TaskStore as _, TaskStoreExt as _},
};
use graphium_server::{
    ServerOptions, StoreAccess,
    api::{openapi::operations, wire::TokenRequest},
    client::Client,
    start,
};
use graphium_store::HttpStore;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Stands in whatever may not be kept.
const CANARY: &str = "canary-7f3a";

async fn entries(bed: &Bed, after: u64) -> Vec<AuditEntry> {
    bed.server.control().audit(after, 1000).await.unwrap()
}

async fn last(bed: &Bed) -> u64 {
    bed.server.control().last_audit().await.unwrap()
}

/// What is sent for an operation: its path, its body, and with which token.
async fn case(bed: &Bed, id: &str, path: &str) -> (String, Option<Value>, Option<String>) {
    let admin = Some(bed.token.clone());
    let password = format!("{CANARY} password");
    let login = json!({"user": "ann", "password": password});
    let mut document = stack("shop", "vm1");
    document["hasPart"][0]["environment"] = json!([{"name": "SECRET", "value": CANARY}]);
    let session = async || {
        let opened = bed.json(Method::POST, "/api/v1/auth/login", Some(login.clone()), 201).await;
        Some(opened["token"].as_str().unwrap().to_owned())
    };
    let named = |name: &str| path.replace("{id}", name).replace("{host}", "vm1").replace("{container}", "none");
    match id {
        "deployStack" | "deployStackJsonld" => (path.to_owned(), Some(document), admin),
        "stopStack" | "startStack" | "restartStack" | "removeStack" | "rollbackStack" => (named("shop"), None, admin),
        "compareForAdoption" | "adopt" => (path.to_owned(), Some(document), admin),
        "createUser" => (path.to_owned(), Some(json!({"user": "bob", "role": "viewer", "password": password})), admin),
        "resetPassword" => (named("bob"), Some(json!({"password": format!("{CANARY} other")})), admin),
        "changeUser" => (named("bob"), Some(json!({"role": "operator"})), admin),
        "linkUser" => (named("bob"), Some(json!({})), admin),
        "removeUser" => (named("bob"), None, admin),
        "createToken" => (path.to_owned(), Some(json!({"role": "viewer", "name": "for the board"})), admin),
        // Somebody who takes the token itself for its id.
        "revokeToken" => (named(&bed.token), None, admin),
        "createHost" => (path.to_owned(), Some(json!({"@id": "vm7"})), admin),
        "updateHost" => (named("vm7"), Some(json!({"@id": "vm7"})), admin),
        "drainHost" | "activateHost" | "maintainHost" | "rotateCredential" => (named("vm1"), None, admin),
        "removeHost" => (named("vm7"), None, admin),
        "logIn" => (path.to_owned(), Some(login), None),
        "logOut" => (path.to_owned(), None, session().await),
        "changePassword" => {
            let body = json!({"password": format!("{CANARY} newer"), "before": "wrong before"});
            (path.to_owned(), Some(body), session().await)
        }
        "setUp" => {
            let code = bed.code(Purpose::Setup, Role::Admin).await;
            (path.to_owned(), Some(json!({"code": code, "user": "eve", "password": password})), None)
        }
        "join" => {
            let request = TokenRequest { host: Some("vm8".into()), join: true, ..TokenRequest::new(Role::Agent) };
            let code = bed.admin.create_token(&request).await.unwrap().token;
            (path.to_owned(), Some(json!({"code": code, "host": "vm8"})), None)
        }
        "replaceCredential" => (named("vm1"), None, Some(bed.token(Role::Agent, Some("vm1")).await)),
        // Of what is not there, and with what is no good: it was tried, and is told.
        _ => (named("none"), Some(json!({})), admin),
    }
}

#[tokio::test]
async fn every_operation_that_changes_something_leaves_one_entry_that_says_who_and_how_it_went() {
    let bed = Bed::new().await;
    let _vm1 = bed.host("vm1").await;
    let ann = json!({"user": "ann", "role": "admin", "password": format!("{CANARY} password")});
    bed.json(Method::POST, "/api/v1/users", Some(ann), 201).await;
    let begun = entries(&bed, 0).await;
    let mut done: BTreeMap<&str, AuditEntry> = BTreeMap::new();
    let mut tokens = vec![bed.token.clone()];
    // What ends things comes after what begins them.
    let mut all: Vec<_> = operations().filter(|operation| operation.is_change()).collect();
    all.sort_by_key(|operation| operation.method == "DELETE");
    for operation in all {
        let id = operation.id;
        let (path, body, token) = case(&bed, id, operation.path).await;
        let before = last(&bed).await;
        let method = Method::from_bytes(operation.method.as_bytes()).unwrap();
        let mut request = bed.request(method, &format!("{path}?note={CANARY}"));
        if let Some(token) = &token {
            tokens.push(token.clone());
            request = request.bearer_auth(token);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let place = answer.headers().get("location").map(|place| place.to_str().unwrap().to_owned());
        let told: Value = answer.json().await.unwrap_or_default();
        let new = entries(&bed, before).await;
        assert_eq!(new.len(), 1, "{id}: {new:?}");
        let entry = new[0].clone();
        assert_eq!((entry.operation.as_str(), entry.status, entry.times), (id, status, 1), "{entry:?}");
        assert_eq!(entry.method, operation.method);
        let code = told["code"].as_str();
        // The code of a problem, or one that is good once.
        let (problem, secret) = if status < 400 { (None, code) } else { (code, None) };
        tokens.extend(secret.map(str::to_owned));
        assert_eq!(entry.code.as_deref(), problem, "{id}: {told}");
        assert_eq!(entry.from, Some("127.0.0.1".parse().unwrap()), "{id}");
        let deployment = place.as_deref().and_then(|place| place.strip_prefix("/api/v1/stacks/jsonld/deployments/"));
        assert_eq!(entry.deployment.as_ref().map(|id| id.as_str()), deployment, "{id}");
        let (name, role) = match id {
            "logIn" | "logOut" | "changePassword" => ("ann", Some(Role::Admin)),
            "join" => ("agent of vm8", Some(Role::Agent)),
            "setUp" => ("anonymous", None),
            "replaceCredential" => (entry.who.token.as_deref().unwrap(), Some(Role::Agent)),
            _ => ("admin", Some(Role::Admin)),
        };
        assert_eq!((entry.who.name.as_str(), entry.who.role), (name, role), "{id}: {entry:?}");
        done.insert(id, entry);
    }
    for (id, status) in [
        ("deployStack", 202),
        ("logIn", 201),
        ("createUser", 201),
        ("changeUser", 200),
        ("linkUser", 201),
        ("removeUser", 204),
        ("join", 201),
    ] {
        assert_eq!(done[id].status, status, "{:?}", done[id]);
    }
    let on = |id: &str| done[id].on.as_ref().map(|on| (on.kind.as_str(), on.id.as_str()));
    for (id, kind, name) in [
        ("deployStack", "stack", "stack:shop"),
        ("stopStack", "stack", "stack:shop"),
        ("createUser", "user", "bob"),
        ("resetPassword", "user", "bob"),
        ("changeUser", "user", "bob"),
        ("linkUser", "user", "bob"),
        ("createHost", "host", "vm7"),
        ("drainHost", "host", "vm1"),
        ("join", "host", "vm8"),
        ("revokeToken", "token", "gph_…"),
        ("removeOrphan", "orphan", "vm1/none"),
        ("retryTask", "task", "none"),
    ] {
        assert_eq!(on(id), Some((kind, name)), "{id}");
    }
    assert!(on("createToken").is_some_and(|(kind, id)| kind == "token" && id.starts_with("token-")));
    assert_eq!(done["changePassword"].code.as_deref(), Some("wrong-password"));

    // What was there is there as it was, whatever was asked for.
    let kept = entries(&bed, 0).await;
    assert_eq!(kept[..begun.len()], begun[..]);
    assert_eq!(kept.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (1..=kept.len() as u64).collect::<Vec<_>>());
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        for path in ["/api/v1/audit", "/api/v1/audit/1"] {
            let status = bed.send(method.clone(), path, Some(json!({}))).await.status().as_u16();
            assert!(matches!(status, 404 | 405), "{method} {path}: {status}");
        }
    }
    assert_eq!(entries(&bed, 0).await[..kept.len()], kept[..]);

    // Nothing that was sent is in it.
    let records = bed.server.control().store().all_records(RecordQuery::of(Kind::Audit)).await.unwrap();
    let text = serde_json::to_string(&records).unwrap();
    assert!(text.contains("deployStack") && !text.contains(CANARY) && !text.contains("note"), "{text}");
    for token in tokens {
        assert!(!text.contains(&token[4..]), "a token is in the audit");
    }
}

#[tokio::test]
async fn what_is_only_read_or_tried_is_no_entry_and_neither_is_the_work_of_agents() {
    let bed = Bed::new().await;
    let (link, grant) = bed.host("vm1").await;
    let before = last(&bed).await;
    for path in ["stacks", "hosts", "tasks", "tokens", "users", "audit", "orphans", "events?follow=false"] {
        bed.json(Method::GET, &format!("/api/v1/{path}"), None, 200).await;
    }
    for path in ["stacks/plan", "stacks/plan/save", "stacks/jsonld/validate"] {
        bed.json(Method::POST, &format!("/api/v1/{path}"), Some(stack("shop", "vm1")), 200).await;
    }
    use graphium_core::agent::{AgentLink as _, RenewCall};
    link.observe(&crate::bed::report("vm1", grant.session.epoch)).await.unwrap();
    link.renew(&RenewCall { host: "vm1".into(), epoch: grant.session.epoch, leases: vec![] }).await.unwrap();
    assert_eq!(entries(&bed, before).await, []);
}

#[tokio::test]
async fn refusals_are_told_once_a_minute_and_counted_and_say_who_where_it_is_known() {
    let bed = Bed::new().await;
    let _vm1 = bed.host("vm1").await;
    bed.deploy(&stack("shop", "vm1")).await;
    let viewer = bed.token(Role::Viewer, None).await;
    let before = last(&bed).await;
    for _ in 0..30 {
        assert_eq!(bed.request(Method::GET, "/api/v1/stacks").send().await.unwrap().status(), 401);
        let delete = bed.request(Method::DELETE, "/api/v1/stacks/shop").bearer_auth(&viewer);
        assert_eq!(delete.send().await.unwrap().status(), 403);
        let login = json!({"user": CANARY, "password": CANARY});
        let refused = bed.request(Method::POST, "/api/v1/auth/login").json(&login).send().await.unwrap();
        assert!(matches!(refused.status().as_u16(), 401 | 429));
    }
    let told = entries(&bed, before).await;
    let kinds: Vec<_> = told.iter().map(|entry| (entry.operation.as_str(), entry.status)).collect();
    assert_eq!(kinds, [("listStacks", 401), ("removeStack", 403), ("logIn", 401), ("logIn", 429)]);
    assert_eq!((told[0].who.name.as_str(), told[0].code.as_deref()), ("anonymous", Some("token-missing")));
    assert!(told[1].who.role == Some(Role::Viewer) && told[1].who.token.is_some(), "{:?}", told[1]);
    assert_eq!(told[1].on.as_ref().map(|on| on.id.as_str()), Some("shop"));
    assert!(told.iter().all(|entry| entry.from == Some("127.0.0.1".parse().unwrap())));
    assert!(!serde_json::to_string(&told).unwrap().contains(CANARY), "a name that nobody has is not kept");

    // The number of the others is told at the latest when the server ends.
    let control = bed.server.control().clone();
    bed.server.shutdown().await;
    let counted = eventually("the number of refusals", async || {
        let counted = control.audit(before + 4, 1000).await.unwrap();
        (counted.len() == 4).then_some(counted)
    })
    .await;
    let times = |operation: &str| -> u64 {
        counted.iter().filter(|entry| entry.operation == operation).map(|entry| entry.times).sum()
    };
    assert_eq!((times("listStacks"), times("removeStack"), times("logIn")), (29, 29, 28));
}

#[tokio::test]
async fn a_wrong_password_is_told_with_the_name_that_somebody_has() {
    let bed = Bed::new().await;
    let ann = json!({"user": "ann", "role": "viewer", "password": "correct horse battery"});
    bed.json(Method::POST, "/api/v1/users", Some(ann), 201).await;
    let before = last(&bed).await;
    bed.json(Method::POST, "/api/v1/auth/login", Some(json!({"user": "ann", "password": CANARY})), 401).await;
    let told = entries(&bed, before).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].on.as_ref().map(|on| (on.kind.as_str(), on.id.as_str())), Some(("user", "ann")));
    assert!(told[0].who.is_anonymous() && told[0].code.as_deref() == Some("wrong-password"), "{told:?}");
}

#[tokio::test]
async fn it_is_read_by_parts_by_time_and_person_and_as_lines() {
    let bed = Bed::new().await;
    let request = TokenRequest { name: Some("ci".into()), ..TokenRequest::new(Role::Operator) };
    let operator = bed.admin.create_token(&request).await.unwrap().token;
    for number in 0..12 {
        let token = if number % 3 == 0 { &operator } else { &bed.token };
        let cancel = bed.request(Method::POST, &format!("/api/v1/tasks/none-{number}/cancel")).bearer_auth(token);
        assert_eq!(cancel.send().await.unwrap().status(), 404);
    }
    let whole = bed.admin.audit(None, None, 1000).await.unwrap();
    assert_eq!(whole.len(), 13);
    assert!(whole.windows(2).all(|pair| pair[0].seq == pair[1].seq + 1), "the newest first");
    let (mut parts, mut path) = (Vec::new(), "/api/v1/audit?limit=5".to_owned());
    loop {
        let part = bed.json(Method::GET, &path, None, 200).await;
        let entries: Vec<AuditEntry> = serde_json::from_value(part["entries"].clone()).unwrap();
        assert!(entries.len() <= 5);
        parts.extend(entries);
        let Some(next) = part["next"].as_str() else { break };
        path = format!("/api/v1/audit?limit=5&cursor={next}");
    }
    assert_eq!(parts, whole);
    assert_eq!(bed.admin.audit(None, Some("ci"), 1000).await.unwrap().len(), 4);
    assert_eq!(bed.admin.audit(None, Some("nobody"), 1000).await.unwrap(), []);
    assert_eq!(bed.admin.audit(Some(whole[3].timestamp), None, 1000).await.unwrap().len(), 4);
    for wrong in ["format=xml", "cursor=x", "since=yesterday", "limit=0"] {
        let problem = bed.json(Method::GET, &format!("/api/v1/audit?{wrong}"), None, 400).await;
        assert_eq!(problem["code"], "bad-query", "{wrong}");
    }

    let answer = bed.request(Method::GET, "/api/v1/audit").bearer_auth(&bed.token);
    let answer = answer.header("accept", "application/x-ndjson").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let text = answer.text().await.unwrap();
    let lines: Vec<AuditEntry> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().eq(whole.iter().rev()), "all of it, the oldest first");
    let some = bed.request(Method::GET, "/api/v1/audit?format=ndjson&user=ci").bearer_auth(&bed.token);
    assert_eq!(some.send().await.unwrap().text().await.unwrap().lines().count(), 4);
}

#[tokio::test]
async fn a_change_goes_into_the_audit_also_when_whoever_asked_has_gone() {
    let bed = Bed::new().await;
    let before = last(&bed).await;
    let head = format!(
        "POST /api/v1/users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n",
        bed.token
    );
    let body = json!({"user": "bob", "role": "viewer", "password": "correct horse battery"}).to_string();
    let mut stream = tokio::net::TcpStream::connect(bed.server.addr()).await.unwrap();
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
    // The password's hash takes its time: nobody waits for it.
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    drop(stream);
    let told = eventually("an entry", async || {
        let told = entries(&bed, before).await;
        (!told.is_empty()).then_some(told)
    })
    .await;
    assert_eq!((told[0].operation.as_str(), told[0].status), ("createUser", 201));
}

#[tokio::test]
async fn a_store_that_is_shared_takes_entries_and_gives_none_away() {
    let folder = tempfile::tempdir().unwrap();
    let options = ServerOptions {
        notes: None,
        store_access: StoreAccess::Shared,
        ..ServerOptions::new("127.0.0.1:0".parse().unwrap(), "memory:", folder.path())
    };
    let server = start(options).await.unwrap();
    let token = std::fs::read_to_string(server.admin_token_file()).unwrap().trim().to_owned();
    let admin = Client::new(&server.url(), Some(token.clone())).unwrap();
    admin.create_token(&TokenRequest::new(Role::Viewer)).await.unwrap();
    let address = server.url().replace("http://", &format!("http://{token}@"));
    let store = HttpStore::open(&address).unwrap();
    let kept = store.all_records(RecordQuery::of(Kind::Audit)).await.unwrap();
    assert!(!kept.is_empty());
    let write = |id: &str, expect, body| RecordWrite {
        key: Key::new(Kind::Audit, id),
        expect,
        stack: None,
        host: None,
        body: Option::map(body, |text: &str| std::sync::Arc::new(json!(text))),
    };
    let first = kept[0].key.id.as_str();
    let now = jiff::Timestamp::now();
    for write in [
        write(first, Expect::Any, None),
        write(first, Expect::Version(1), None),
        write(first, Expect::Any, Some("{}")),
        write(first, Expect::Version(1), Some("{}")),
        write(first, Expect::Absent, Some("{}")),
    ] {
        let submission = Submission { records: vec![write.clone()], ..Submission::default() };
        assert!(store.submit(submission, now).await.is_err(), "{write:?}");
    }
    let after = store.all_records(RecordQuery::of(Kind::Audit)).await.unwrap();
    assert_eq!(after[..kept.len()], kept[..]);
    let calls = server.control().audit(0, 1000).await.unwrap();
    let calls: Vec<_> = calls.iter().filter(|entry| entry.operation == "callStore").collect();
    assert!(calls.len() == 1 && calls[0].who.name == "admin", "{calls:?}");
}
