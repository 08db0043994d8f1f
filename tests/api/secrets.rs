//! Secrets: who may keep them, what is shown of them, and who is given their values.

use crate::bed::{Bed, eventually, report, stack};
use graphium_core::{
    agent::{AgentLink, ClaimCall, LinkError},
    control::{RemovalOfSecret, Role, SecretRecord},
    id::ClaimId,
    secret::SecretText,
    store::{Document, Expect, SessionRequest, Submission, TaskStoreExt},
    task::{Lease, Outcome, Task, TaskResult},
};
use graphium_server::{
    api::wire::TokenRequest,
    client::{ClientError, DeployRequest, HttpLink},
    serve::Limits,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

const VALUE: &str = "hunter2-of-the-database";

/// A stack of one container that asks for a secret as a variable, and for one as a file.
fn asking(name: &str, host: &str, variable: &str, file: &str) -> Value {
    let mut document = stack(name, host);
    document["hasPart"][0]["environment"] = json!([{"name": "PASSWORD", "fromSecret": variable}]);
    document["hasPart"][0]["volumeMounts"] =
        json!([{"type": "secret", "source": file, "target": format!("/run/secrets/{file}")}]);
    document
}

fn code(error: &ClientError) -> String {
    match error {
        ClientError::Conflict { code, .. } => code.clone(),
        ClientError::Problem { problem, .. } => problem.code.to_string(),
        other => format!("{other:?}"),
    }
}

/// Claims what there is for a host until there is the task that makes a container.
async fn claimed(link: &impl AgentLink, host: &str, epoch: u64) -> Task {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    for _ in 0..20 {
        let claim = ClaimId::new(format!("claim-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let call = ClaimCall { host: host.into(), epoch, claim, max: 8, wait: Duration::from_millis(500) };
        for task in link.claim(&call).await.unwrap() {
            if task.task_type == graphium_core::action::TaskType::Deploy {
                return task;
            }
            let done = Outcome::Completed(TaskResult { success: true, ..TaskResult::default() });
            link.report(task.lease.as_ref().unwrap(), &done).await.unwrap();
        }
    }
    panic!("there is nothing to deploy");
}

fn revealed(answer: &std::collections::BTreeMap<String, Option<SecretText>>) -> Vec<(&str, Option<&str>)> {
    answer.iter().map(|(name, value)| (name.as_str(), value.as_ref().map(SecretText::reveal))).collect()
}

#[tokio::test]
async fn a_secret_is_kept_listed_given_another_value_and_forgotten_without_its_value_in_any_answer() {
    let bed = Bed::new().await;
    let _vm1 = bed.host("vm1").await;
    let mut answers = String::new();
    let body = json!({"value": VALUE});
    for version in 1..=2 {
        let kept = bed.json(Method::PUT, "/api/v1/secrets/db", Some(body.clone()), 200).await;
        assert_eq!(
            (&kept["@id"], &kept["version"], &kept["modifiedBy"]),
            (&json!("db"), &json!(version), &json!("admin"))
        );
        answers += &kept.to_string();
    }
    bed.deploy(&asking("shop", "vm1", "db", "other")).await;
    let listed = bed.json(Method::GET, "/api/v1/secrets", None, 200).await;
    assert_eq!((listed["secrets"].as_array().unwrap().len(), &listed["secrets"][0]["usedBy"]), (1, &json!(["shop"])));
    answers += &listed.to_string();
    let used = bed.admin.remove_secret("db", RemovalOfSecret::IfUnused).await.unwrap_err();
    assert_eq!(code(&used), "secret-in-use");
    assert!(used.to_string().contains("`shop`") && used.to_string().contains("--force"), "{used}");
    bed.admin.remove_secret("db", RemovalOfSecret::Anyway).await.unwrap();
    assert!(bed.admin.secrets().await.unwrap().is_empty());
    assert!(matches!(
        bed.admin.remove_secret("db", RemovalOfSecret::Anyway).await.unwrap_err(),
        ClientError::NotFound { .. }
    ));
    for path in ["/api/v1/events?follow=false", "/api/v1/stacks", "/api/v1/tasks", "/api/v1/stacks/shop"] {
        answers += &bed.json(Method::GET, path, None, 200).await.to_string();
    }
    assert!(!answers.contains("hunter2"), "{answers}");
}

#[tokio::test]
async fn what_cannot_be_a_secret_is_refused_and_nothing_of_it_repeated() {
    let bed = Bed::new().await;
    let long = "x".repeat(64 * 1024 + 1);
    let cases = [
        ("db", json!({"value": ""}), "bad-secret", "at least one byte"),
        ("db", json!({"value": "hunter2\u{0}"}), "bad-secret", "NUL"),
        ("db", json!({"value": long}), "bad-secret", "64 KiB"),
        ("-db", json!({"value": "hunter2"}), "bad-name", "128"),
        ("d b", json!({"value": "hunter2"}), "bad-name", "128"),
        ("db", json!("hunter2"), "wrong-shape", "value"),
        ("db", json!({"value": {"hunter2": 1}}), "wrong-shape", "value"),
        ("db", json!({"value": "a", "hunter2": 1}), "wrong-shape", "value"),
        ("db", json!({"value": ["hunter2"]}), "wrong-shape", "value"),
    ];
    for (name, body, expected, word) in cases {
        let path = format!("/api/v1/secrets/{}", name.replace(' ', "%20"));
        let problem = bed.json(Method::PUT, &path, Some(body), 422).await;
        assert_eq!(problem["code"], expected, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(word), "{problem}");
        assert!(!problem.to_string().contains("hunter2"), "{problem}");
    }
    let request = bed.request(Method::PUT, "/api/v1/secrets/db").bearer_auth(&bed.token).body("{hunter2");
    let response = request.header("content-type", "application/json").send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert!(!response.text().await.unwrap().contains("hunter2"));
    assert!(bed.admin.secrets().await.unwrap().is_empty());
    let largest = SecretText::new("x".repeat(64 * 1024));
    bed.admin.set_secret("largest", &largest, None).await.unwrap();
}

#[tokio::test]
async fn a_value_goes_to_the_agent_that_holds_the_task_for_as_long_as_it_does() {
    let bed = Bed::new().await;
    let (vm1, grant) = bed.host("vm1").await;
    let (vm2, _) = bed.host("vm2").await;
    bed.admin.set_secret("db", &SecretText::new(VALUE), None).await.unwrap();
    bed.admin.set_secret("unasked", &SecretText::new("nobody asks for it"), None).await.unwrap();
    bed.deploy(&asking("shop", "vm1", "db", "absent")).await;
    let task = claimed(&vm1, "vm1", grant.session.epoch).await;
    assert!(!serde_json::to_string(&task).unwrap().contains("hunter2"), "tasks have names only");
    let lease = task.lease.clone().unwrap();

    let answer = vm1.secrets(&lease).await.unwrap();
    assert_eq!(revealed(&answer), [("absent", None), ("db", Some(VALUE))], "what it asks for and nothing else");

    // Nobody caches it.
    let path = format!("/api/v1/tasks/{}/secrets", task.id);
    let own = bed.token(Role::Agent, Some("vm1")).await;
    let request = bed.request(Method::POST, &path).bearer_auth(&own).json(&json!({"lease": lease}));
    let response = request.send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["cache-control"]), (200, &"no-store".parse().unwrap()));

    // Another agent, people, another claim, another attempt.
    let denied = vm2.secrets(&lease).await.unwrap_err();
    assert!(matches!(denied, LinkError::Denied(_)), "{denied}");
    for role in [Role::Operator, Role::Viewer] {
        let token = bed.token(role, None).await;
        let denied = HttpLink::new(bed.client(&token)).secrets(&lease).await.unwrap_err();
        assert!(matches!(denied, LinkError::Denied(_)), "{denied}");
    }
    for wrong in [
        Lease { claim: ClaimId::new("another"), ..lease.clone() },
        Lease { attempt: lease.attempt + 1, ..lease.clone() },
        Lease { epoch: lease.epoch + 1, ..lease.clone() },
    ] {
        let lost = vm1.secrets(&wrong).await.unwrap_err();
        assert!(matches!(lost, LinkError::LeaseLost(_) | LinkError::SessionLost(_)), "{wrong:?}: {lost}");
    }

    // With its end it is over.
    let failed = graphium_core::task::TaskError {
        code: "exited".to_owned(),
        message: "it ended".to_owned(),
        help: None,
        log: Vec::new(),
        retryable: false,
    };
    vm1.report(&lease, &Outcome::Failed(failed)).await.unwrap();
    let lost = vm1.secrets(&lease).await.unwrap_err();
    assert!(matches!(lost, LinkError::LeaseLost(_)), "{lost}");
}

#[tokio::test]
async fn a_newer_session_takes_the_secrets_with_it() {
    let bed = Bed::new().await;
    let (vm1, grant) = bed.host("vm1").await;
    bed.admin.set_secret("db", &SecretText::new(VALUE), None).await.unwrap();
    bed.deploy(&asking("shop", "vm1", "db", "db")).await;
    let task = claimed(&vm1, "vm1", grant.session.epoch).await;
    let request = SessionRequest { host: "vm1".into(), nonce: "a newer agent".to_owned(), seen_epoch: 0 };
    let newer = vm1.open_session(&request).await.unwrap();
    let lost = vm1.secrets(task.lease.as_ref().unwrap()).await.unwrap_err();
    assert!(matches!(lost, LinkError::LeaseLost(_) | LinkError::SessionLost(_)), "{lost}");
    vm1.observe(&report("vm1", newer.session.epoch)).await.unwrap();
    let again = claimed(&vm1, "vm1", newer.session.epoch).await;
    assert_eq!(revealed(&vm1.secrets(again.lease.as_ref().unwrap()).await.unwrap()), [("db", Some(VALUE))]);
}

#[tokio::test]
async fn a_plan_warns_of_secrets_that_are_not_there() {
    let bed = Bed::new().await;
    let _vm1 = bed.host("vm1").await;
    bed.admin.set_secret("db", &SecretText::new(VALUE), None).await.unwrap();
    let document = asking("shop", "vm1", "db", "absent").to_string();
    let plan = bed.admin.plan(document.clone(), &DeployRequest::default()).await.unwrap();
    let warnings: Vec<_> = plan.warnings.iter().filter(|warning| warning.code == "secret-missing").collect();
    assert!(
        matches!(&warnings[..], [warning] if warning.message.contains("`absent`") && warning.pointer.contains("volumeMounts")),
        "{warnings:?}"
    );
    assert!(warnings[0].help.as_ref().unwrap().contains("graphium secret set absent"));
    let started = bed.admin.deploy(document, &DeployRequest::default()).await.unwrap();
    assert!(started.warnings.iter().any(|warning| warning.code == "secret-missing"), "{started:?}");
}

#[tokio::test]
async fn whoever_is_granted_some_stacks_reaches_the_secrets_that_were_set_for_these() {
    let bed = Bed::new().await;
    let (vm1, grant) = bed.host("vm1").await;
    bed.admin.set_secret("everybodys", &SecretText::new(VALUE), None).await.unwrap();
    bed.admin.set_secret("blogs", &SecretText::new(VALUE), Some(vec!["blog".to_owned()])).await.unwrap();
    let request = TokenRequest { stacks: vec!["shop".to_owned()], ..TokenRequest::new(Role::Operator) };
    let operator = bed.client(&bed.admin.create_token(&request).await.unwrap().token);

    assert!(matches!(operator.secrets().await.unwrap_err(), ClientError::Denied { status: 403, .. }));
    let denied = operator.set_secret("everybodys", &SecretText::new("mine"), None).await.unwrap_err();
    assert!(matches!(denied, ClientError::Denied { status: 403, .. }), "{denied}");
    for secret in ["everybodys", "blogs", "absent"] {
        let document = asking("shop", "vm1", secret, secret).to_string();
        for refused in [
            operator.deploy(document.clone(), &DeployRequest::default()).await.map(drop).unwrap_err(),
            operator.plan(document.clone(), &DeployRequest::default()).await.map(drop).unwrap_err(),
        ] {
            assert!(matches!(&refused, ClientError::Denied { status: 403, .. }), "{secret}: {refused}");
            assert!(refused.to_string().contains(&format!("`{secret}`")), "{refused}");
        }
    }
    bed.admin.set_secret("shops", &SecretText::new("of the shop"), Some(vec!["shop".to_owned()])).await.unwrap();
    // Another value changes nothing of whom it is for.
    bed.admin.set_secret("shops", &SecretText::new(VALUE), None).await.unwrap();
    operator.deploy(asking("shop", "vm1", "shops", "shops").to_string(), &DeployRequest::default()).await.unwrap();
    let task = claimed(&vm1, "vm1", grant.session.epoch).await;
    assert_eq!(revealed(&vm1.secrets(task.lease.as_ref().unwrap()).await.unwrap()), [("shops", Some(VALUE))]);

    // What is for another stack is given to no other, whoever deploys it.
    bed.deploy(&asking("news", "vm1", "shops", "everybodys")).await;
    let task = claimed(&vm1, "vm1", grant.session.epoch).await;
    let answer = vm1.secrets(task.lease.as_ref().unwrap()).await.unwrap();
    assert_eq!(revealed(&answer), [("everybodys", Some(VALUE)), ("shops", None)]);
}

#[tokio::test]
async fn the_store_has_nothing_that_opens_without_the_key_and_another_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("graphium.db").display());
    let bed = Bed::over(&store, Limits::default()).await;
    let (vm1, grant) = bed.host("vm1").await;
    let key = bed.folder().join("data").join("secrets.key");
    assert!(!key.exists(), "no secret, no key");
    bed.admin.set_secret("db", &SecretText::new(VALUE), None).await.unwrap();
    let before = std::fs::read_to_string(&key).unwrap();
    bed.deploy(&asking("shop", "vm1", "db", "db")).await;
    let task = claimed(&vm1, "vm1", grant.session.epoch).await;

    // Somebody who writes to the database puts a record in another's place.
    let control = bed.server.control();
    let record = control.store().document::<SecretRecord>("db").await.unwrap().unwrap().value;
    assert!(!record.sealed.contains("hunter2") && !format!("{record:?}").contains(&record.sealed));
    let write = async |record: &SecretRecord| {
        let records = vec![record.write(Expect::Any).unwrap()];
        control.store().submit(Submission { records, ..Submission::default() }, jiff::Timestamp::now()).await.unwrap();
    };
    write(&SecretRecord { version: 9, ..record.clone() }).await;
    let broken = vm1.secrets(task.lease.as_ref().unwrap()).await.unwrap_err();
    assert!(broken.to_string().contains("`db`") && broken.to_string().contains("changed"), "{broken}");
    write(&SecretRecord { key: "0123456789abcdef".to_owned(), ..record.clone() }).await;
    let broken = vm1.secrets(task.lease.as_ref().unwrap()).await.unwrap_err();
    assert!(broken.to_string().contains("--secrets-key"), "{broken}");
    for name in ["db", "another"] {
        let refused = bed.admin.set_secret(name, &SecretText::new(VALUE), None).await.unwrap_err();
        assert_eq!(code(&refused), "secrets-key");
        for word in ["0123456789abcdef", "--secrets-key", "secrets.key", "graphium secret rm"] {
            assert!(refused.to_string().contains(word), "{word}: {refused}");
        }
    }
    write(&record).await;
    bed.server.shutdown().await;

    // Another server on the same store, whose key is not there: nothing is made and nothing given.
    let mut options =
        graphium_server::ServerOptions::new("127.0.0.1:0".parse().unwrap(), &store, folder.path().join("data"));
    options.notes = None;
    let other = eventually("the store is free", async || graphium_server::start(options.clone()).await.ok()).await;
    let token = std::fs::read_to_string(other.admin_token_file()).unwrap();
    let admin = graphium_server::client::Client::new(&other.url(), Some(token.trim().to_owned())).unwrap();
    let refused = admin.set_secret("db", &SecretText::new(VALUE), None).await.unwrap_err();
    assert_eq!(code(&refused), "secrets-key");
    assert!(!folder.path().join("data").join("secrets.key").exists(), "a new key would open nothing");
    other.shutdown().await;
    options.secrets_key = Some(key.clone());
    let third = eventually("the store is free", async || graphium_server::start(options.clone()).await.ok()).await;
    let admin = graphium_server::client::Client::new(&third.url(), Some(token.trim().to_owned())).unwrap();
    assert_eq!(admin.set_secret("db", &SecretText::new(VALUE), None).await.unwrap().version, 2);
    assert_eq!(std::fs::read_to_string(&key).unwrap(), before);
    third.shutdown().await;
}
