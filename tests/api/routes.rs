//! Every route as it is meant to be used, and what it says when it is not.

use crate::bed::{Bed, stack};
use graphium_core::{
    control::{Role, StackStatus},
    diagnostic::Diagnostic,
    inventory::HostStatus,
    stack::OnDrift,
};
use graphium_server::client::{ClientError, DeployRequest, TaskFilter};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn health_needs_no_token() {
    let bed = Bed::new().await;
    for path in ["/healthz", "/livez", "/readyz", "/api/v1/healthz", "/api/v1/livez", "/api/v1/readyz"] {
        let response = bed.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert!(response.headers().contains_key("x-request-id"));
    }
    assert_eq!(bed.admin.readyz().await.unwrap().status, "ok");
}

#[tokio::test]
async fn a_deployment_is_taken_on_and_can_be_followed() {
    let bed = Bed::new().await;
    let _host = bed.host("vm1").await;
    let response = bed.send(Method::POST, "/api/v1/stacks", Some(stack("shop", "vm1"))).await;
    assert_eq!(response.status(), 202);
    let place = response.headers()["location"].to_str().unwrap().to_owned();
    let started: Value = response.json().await.unwrap();
    let state = bed.json(Method::GET, &place, None, 200).await;
    assert_eq!(state["@id"], started["deploymentId"]);

    assert_eq!(bed.admin.stacks().await.unwrap().len(), 1);
    for named in ["shop", "stack:shop"] {
        assert_eq!(bed.admin.stack(named).await.unwrap().status, StackStatus::Deploying);
        let status = bed.admin.status(named).await.unwrap();
        assert_eq!(status.tasks_by_status.len(), 6);
        assert_eq!(status.total_tasks, status.tasks.len());
        assert_eq!(bed.admin.stack_deployment(named).await.unwrap().id.as_str(), started["deploymentId"]);
        assert_eq!(bed.admin.deployments(Some(named)).await.unwrap().len(), 1);
    }
    let tasks = bed.admin.tasks(&TaskFilter { stack: Some("shop".into()), ..TaskFilter::default() }).await.unwrap();
    assert!(!tasks.is_empty());
    let elsewhere = TaskFilter { host: Some("vm9".into()), ..TaskFilter::default() };
    assert!(bed.admin.tasks(&elsewhere).await.unwrap().is_empty());
    let stats = bed.admin.task_stats().await.unwrap();
    assert_eq!((stats.total, stats.by_status.len()), (tasks.len(), 6));
    let read_only = bed.json(Method::GET, "/api/v1/agents/vm1/tasks?status=pending&limit=1", None, 200).await;
    assert_eq!(read_only["tasks"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_policy_is_said_in_any_form_of_a_request() {
    let bed = Bed::new().await;
    let _host = bed.host("vm1").await;
    let policy = async |name: &str| {
        let path = format!("/api/v1/stacks/{name}");
        let shown = bed.json(Method::GET, &path, None, 200).await["policy"]["onDrift"].clone();
        let status = bed.json(Method::GET, &format!("{path}/status"), None, 200).await["policy"]["onDrift"].clone();
        assert_eq!(shown, status);
        shown
    };
    let (text, on_drift) = (stack("text", "vm1").to_string(), "report");
    for (name, query, body) in [
        ("bare", "?onDrift=report", stack("bare", "vm1")),
        ("json", "", json!({"stackDefinition": stack("json", "vm1"), "onDrift": on_drift})),
        ("text", "", json!({"stackDefinition": text, "onDrift": on_drift})),
    ] {
        bed.json(Method::POST, &format!("/api/v1/stacks{query}"), Some(body), 202).await;
        assert_eq!(policy(name).await, "report", "{name}");
    }
    let request = DeployRequest { on_drift: Some(OnDrift::Accept), ..DeployRequest::default() };
    bed.admin.deploy(stack("bare", "vm1").to_string(), &request).await.unwrap();
    assert_eq!(policy("bare").await, "accept");
    bed.admin.deploy(stack("new", "vm1").to_string(), &DeployRequest::default()).await.unwrap();
    assert_eq!(policy("new").await, "repair");
    bed.json(Method::POST, "/api/v1/stacks?onDrift=ignore", Some(stack("bad", "vm1")), 400).await;
}

#[tokio::test]
async fn when_what_runs_on_a_lost_host_goes_elsewhere_is_said_in_any_form_of_a_request() {
    let bed = Bed::new().await;
    let _host = bed.host("vm1").await;
    let policy = async |name: &str| {
        let shown = bed.json(Method::GET, &format!("/api/v1/stacks/{name}"), None, 200).await;
        shown["policy"]["rescheduleAfter"].clone()
    };
    let text = stack("text", "vm1").to_string();
    for (name, query, body) in [
        ("bare", "?rescheduleAfter=60", stack("bare", "vm1")),
        ("json", "", json!({"stackDefinition": stack("json", "vm1"), "rescheduleAfter": "1m"})),
        ("text", "", json!({"stackDefinition": text, "rescheduleAfter": 60})),
    ] {
        bed.json(Method::POST, &format!("/api/v1/stacks{query}"), Some(body), 202).await;
        assert_eq!(policy(name).await, 60, "{name}");
    }
    let request = DeployRequest { reschedule_after: Some(Duration::ZERO), ..DeployRequest::default() };
    bed.admin.deploy(stack("bare", "vm1").to_string(), &request).await.unwrap();
    assert!(policy("bare").await.is_null(), "zero is never");
    bed.json(Method::POST, "/api/v1/stacks?rescheduleAfter=15", Some(stack("soon", "vm1")), 422).await;
}

#[tokio::test]
async fn what_is_there_is_compared_with_what_is_wanted() {
    let bed = Bed::new().await;
    let _host = bed.host("vm1").await;
    bed.admin.deploy(stack("shop", "vm1").to_string(), &DeployRequest::default()).await.unwrap();
    let path = "/api/v1/stacks/shop/diff?live=true";
    let told = bed.json(Method::GET, path, None, 200).await;
    assert_eq!((&told["stackName"], &told["revision"]), (&json!("shop"), &json!(1)));
    assert_eq!(told["hosts"][0]["hostId"], "vm1");
    assert!(told["hosts"][0]["lastSeen"].is_string(), "{told}");
    let kinds: Vec<&Value> =
        told["differences"].as_array().unwrap().iter().map(|difference| &difference["kind"]).collect();
    assert!(!kinds.is_empty() && kinds.iter().all(|kind| **kind == "missing"), "{told}");
    assert_eq!(bed.admin.live_difference("shop").await.unwrap().differences.len(), kinds.len());
    let refused = bed.json(Method::GET, &format!("{path}&from=1"), None, 400).await;
    assert_eq!(refused["code"], "bad-query");
    bed.json(Method::GET, "/api/v1/stacks/none/diff?live=true", None, 404).await;
}

#[tokio::test]
async fn every_form_of_a_document_is_taken() {
    let bed = Bed::new().await;
    let _host = bed.host("vm1").await;
    let bare = stack("a", "vm1");
    let envelope = json!({"stackDefinition": stack("b", "vm1"), "timeout": 300, "pullImages": true});
    let text = json!({"stackDefinition": stack("c", "vm1").to_string(), "timeout": 300});
    for body in [bare, envelope, text] {
        bed.json(Method::POST, "/api/v1/stacks/jsonld", Some(body), 202).await;
    }
    assert_eq!(bed.admin.stacks().await.unwrap().len(), 3);
}

#[tokio::test]
async fn plan_and_validate_store_nothing() {
    let bed = Bed::new().await;
    let _host = bed.host("vm1").await;
    let document = stack("shop", "vm1").to_string();
    let plan = bed.admin.plan(document.clone(), &DeployRequest::default()).await.unwrap();
    assert!(!plan.tasks.is_empty());
    let found = bed.admin.validate(document, &DeployRequest::default()).await.unwrap();
    assert!(found.valid, "{found:?}");
    assert_eq!((found.stack_name.as_deref(), found.container_count, found.wave_count), (Some("shop"), 1, 1));
    assert!(bed.admin.stacks().await.unwrap().is_empty());

    let unknown_host = stack("shop", "vm9").to_string();
    let found = bed.admin.validate(unknown_host.clone(), &DeployRequest::default()).await.unwrap();
    assert!(!found.valid, "what cannot be deployed is not valid");
    let refused = bed.admin.deploy(unknown_host, &DeployRequest::default()).await.unwrap_err();
    let ClientError::Invalid { diagnostics, .. } = refused else { panic!("{refused}") };
    assert_eq!(diagnostics, found.errors, "validate says what deploy would");
}

#[tokio::test]
async fn what_cannot_be_planned_is_refused_with_its_place_in_what_was_sent() {
    let bed = Bed::new().await;
    let _host = bed.host("vm1").await;
    let document = stack("shop", "${HOST}").to_string().replace("\"locatedInHost\"", "\n\"locatedInHost\"");
    let line = document.lines().position(|line| line.contains("${HOST}")).unwrap() + 1;
    let request =
        DeployRequest { variables: [("HOST".to_owned(), "vm9".to_owned())].into(), ..DeployRequest::default() };
    let found = bed.admin.validate(document.clone(), &request).await.unwrap();
    let place = |found: &[Diagnostic]| (found[0].line as usize, found[0].pointer.clone());
    assert_eq!(place(&found.errors), (line, "/locatedInHost".to_owned()), "{found:?}");
    let refusals = [
        bed.admin.deploy(document.clone(), &request).await.map(drop),
        bed.admin.plan(document.clone(), &request).await.map(drop),
        bed.admin.save_plan(document, &request).await.map(drop),
    ];
    for refused in refusals {
        let Err(ClientError::Invalid { diagnostics, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(diagnostics, found.errors);
    }
    // In an envelope of JSON, and in a body that is the document, it is the place in the body.
    let document = stack("shop", "vm9");
    for (body, pointer) in
        [(document.clone(), "/locatedInHost"), (json!({"stackDefinition": document}), "/stackDefinition/locatedInHost")]
    {
        let problem = bed.json(Method::POST, "/api/v1/stacks", Some(body), 422).await;
        assert_eq!(
            (&problem["diagnostics"][0]["pointer"], &problem["diagnostics"][0]["line"]),
            (&json!(pointer), &json!(1))
        );
    }
}

#[tokio::test]
async fn warnings_of_what_is_deployed_have_their_places_too() {
    let bed = Bed::new().await;
    let _hosts = (bed.host("vm1").await, bed.host("vm2").await);
    let mut document = stack("shop", "vm1");
    let mut other = document["hasPart"][0].clone();
    other["name"] = json!("db");
    other["@id"] = json!("container:db");
    other["locatedInHost"] = json!("vm2");
    document["hasPart"][0]["dependsOn"] = json!(["db"]);
    document["hasPart"].as_array_mut().unwrap().push(other);
    let text = document.to_string();
    let place = |found: &[Diagnostic]| found.iter().map(|found| found.pointer.clone()).collect::<Vec<_>>();
    let plan = bed.admin.plan(text.clone(), &DeployRequest::default()).await.unwrap();
    assert_eq!(place(&plan.warnings), ["/hasPart/0/dependsOn/0"], "{:?}", plan.warnings);
    let started = bed.admin.deploy(text, &DeployRequest::default()).await.unwrap();
    assert_eq!(started.warnings, plan.warnings);

    document["@id"] = json!("stack:other");
    let refused = bed.admin.deploy(document.to_string(), &DeployRequest::default()).await.unwrap_err();
    let ClientError::Invalid { diagnostics, .. } = refused else { panic!("{refused}") };
    assert_eq!((&*diagnostics[0].code, place(&diagnostics)), ("stack-name-taken", vec!["/name".to_owned()]));
}

#[tokio::test]
async fn a_broken_document_is_refused_with_the_places_of_its_own_text() {
    let bed = Bed::new().await;
    let document = stack("shop", "vm1").to_string().replace("{", "{\n").replace("\"image\"", "\"imgae\"");
    for body in [document.clone(), json!({"stackDefinition": document}).to_string()] {
        let request = bed.request(Method::POST, "/api/v1/stacks").bearer_auth(&bed.token).body(body);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 422);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["code"], "invalid-document");
        let findings = problem["diagnostics"].as_array().unwrap();
        assert!(findings.iter().any(|finding| finding["line"].as_u64().unwrap() > 1), "{problem:#}");
    }
    assert!(bed.admin.stacks().await.unwrap().is_empty());
}

#[tokio::test]
async fn variables_are_the_callers_and_never_the_servers() {
    let bed = Bed::new().await;
    let _host = bed.host("vm1").await;
    let document = stack("shop", "vm1").to_string().replace("nginx:1.27", "nginx:${PATH}");
    let refused = bed.admin.plan(document.clone(), &DeployRequest::default()).await.unwrap_err();
    assert!(matches!(refused, ClientError::Invalid { .. }), "{refused}");
    let variables = [("PATH".to_owned(), "1.28".to_owned()), ("OTHER".to_owned(), "x".to_owned())].into();
    let request = DeployRequest { variables, ..DeployRequest::default() };
    let plan = bed.admin.plan(document, &request).await.unwrap();
    assert!(serde_json::to_string(&plan).unwrap().contains("nginx:1.28"));
}

#[tokio::test]
async fn a_repeated_key_is_one_deployment() {
    let bed = Bed::new().await;
    let _host = bed.host("vm1").await;
    let request = DeployRequest { idempotency_key: Some("once".into()), ..DeployRequest::default() };
    let document = stack("shop", "vm1").to_string();
    let (one, other) = tokio::join!(bed.admin.deploy(document.clone(), &request), bed.admin.deploy(document, &request));
    assert_eq!(one.unwrap(), other.unwrap());
    assert_eq!(bed.admin.deployments(None).await.unwrap().len(), 1);

    let ask = async || {
        let request = bed.request(Method::POST, "/api/v1/tokens").bearer_auth(&bed.token);
        let request = request.header("idempotency-key", "token").json(&json!({"role": "viewer"}));
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    assert_eq!(ask().await, ask().await);
    let viewers = bed.admin.tokens().await.unwrap().into_iter().filter(|token| token.role == Role::Viewer).count();
    assert_eq!(viewers, 1);
}

#[tokio::test]
async fn a_key_is_of_one_request() {
    let bed = Bed::new().await;
    let ask = async |body: Value| {
        let request = bed.request(Method::POST, "/api/v1/tokens").bearer_auth(&bed.token);
        let answer = request.header("idempotency-key", "one").json(&body).send().await.unwrap();
        let replayed = answer.headers().contains_key("idempotency-replayed");
        (answer.status().as_u16(), replayed, answer.json::<Value>().await.unwrap())
    };
    let (status, replayed, first) = ask(json!({"role": "viewer"})).await;
    assert_eq!((status, replayed), (201, false));
    assert_eq!(ask(json!({"role": "viewer"})).await, (201, true, first.clone()));
    // Nobody gets the token of another request, and nobody takes that for an answer to this one.
    let (status, _, refused) = ask(json!({"role": "admin"})).await;
    assert_eq!((status, &refused["code"]), (422, &json!("idempotency-key-reused")));
    assert_eq!(
        bed.admin.tokens().await.unwrap().len(),
        3,
        "the administrator's, the code of the first login and the one"
    );
    // What reads no body has none to compare.
    let _host = bed.host("vm1").await;
    for _ in 0..2 {
        let request = bed.request(Method::POST, "/api/v1/hosts/vm1/maintenance").bearer_auth(&bed.token);
        assert_eq!(request.header("idempotency-key", "two").send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn stacks_stop_start_restart_and_go_back() {
    let bed = Bed::new().await;
    let _host = bed.host("vm1").await;
    bed.deploy(&stack("shop", "vm1")).await;
    // Not one of them waits for a container.
    for answer in [bed.admin.stop("shop").await, bed.admin.start("shop").await, bed.admin.restart("shop").await] {
        assert_eq!(answer.unwrap().stack_name, "shop");
    }
    let error = bed.admin.rollback("shop", None).await.unwrap_err();
    assert!(matches!(error, ClientError::NotFound { .. } | ClientError::Conflict { .. }), "{error}");
}

#[tokio::test]
async fn an_operators_own_task() {
    let bed = Bed::new().await;
    let _host = bed.host("vm1").await;
    let body = json!({"hostId": "vm1", "payload": {"action": "stop", "name": "old"}, "priority": 9});
    let task = bed.json(Method::POST, "/api/v1/tasks", Some(body), 202).await;
    let id = task["@id"].as_str().unwrap();
    assert_eq!(
        (&task["@type"], &task["priority"], &task["status"]),
        (&json!("AgentTask"), &json!(9), &json!("pending"))
    );
    let refused = bed.admin.retry(id).await.unwrap_err();
    assert!(matches!(refused, ClientError::Conflict { .. }), "{refused}");
    let cancelled = bed.admin.cancel(id).await.unwrap();
    assert_eq!(cancelled.task.status.as_str(), "cancelled");
    assert_eq!(bed.admin.retry(id).await.unwrap().task.status.as_str(), "pending");
    assert_eq!(bed.admin.task(id).await.unwrap().task.id.as_str(), id);
}

#[tokio::test]
async fn hosts_are_listed_ordered_about_and_forgotten() {
    let bed = Bed::new().await;
    for host in ["vm1", "vm2", "vm3"] {
        let body = json!({"@id": format!("host:{host}"), "location": "dc1", "labels": {"disk": "ssd"}});
        let made = bed.json(Method::POST, "/api/v1/hosts", Some(body), 201).await;
        assert_eq!(made["@id"], host);
    }
    let part = bed.json(Method::GET, "/api/v1/hosts?limit=2", None, 200).await;
    assert_eq!((part["hosts"].as_array().unwrap().len(), &part["next"]), (2, &json!("vm2")));
    let rest = bed.json(Method::GET, "/api/v1/hosts?limit=2&cursor=vm2", None, 200).await;
    assert_eq!((&rest["hosts"][0]["@id"], rest.get("next")), (&json!("vm3"), None));
    assert_eq!(bed.admin.hosts().await.unwrap().len(), 3);

    for status in [HostStatus::Draining, HostStatus::Maintenance, HostStatus::Active] {
        bed.admin.set_host_status("vm1", status).await.unwrap();
    }
    let drained = bed.admin.drain("vm1").await.unwrap();
    assert_eq!((drained.host.draining_since.is_some(), drained.remaining.len()), (true, 0));
    let told = bed.json(Method::GET, "/api/v1/hosts/vm1/drain", None, 200).await;
    assert_eq!((&told["@id"], &told["remaining"]), (&json!("vm1"), &json!([])));
    let mut host = bed.admin.host("vm1").await.unwrap();
    host.location = Some("dc2".into());
    assert_eq!(bed.admin.register_host(&host).await.unwrap().location.as_deref(), Some("dc2"));
    bed.admin.remove_host("vm1").await.unwrap();
    assert!(matches!(bed.admin.host("vm1").await.unwrap_err(), ClientError::NotFound { .. }));
}

#[tokio::test]
async fn what_is_wrong_is_a_problem_with_a_code_and_a_request_id() {
    let bed = Bed::new().await;
    let json_body = |text: &str| Some(serde_json::from_str::<Value>(text).unwrap());
    for (method, path, body, status, code) in [
        (Method::GET, "/nothing", None, 404, "no-such-route"),
        (Method::GET, "/api/v1/nothing", None, 404, "no-such-route"),
        (Method::PATCH, "/api/v1/stacks", None, 405, "method-not-allowed"),
        (Method::GET, "/api/v1/stacks/none", None, 404, "not-found"),
        (Method::GET, "/api/v1/stacks/none/status", None, 404, "not-found"),
        (Method::GET, "/api/v1/stacks/jsonld/deployments/none", None, 404, "not-found"),
        (Method::DELETE, "/api/v1/stacks/none", None, 404, "not-found"),
        (Method::GET, "/api/v1/tasks/none", None, 404, "not-found"),
        (Method::GET, "/api/v1/tasks?status=odd", None, 400, "bad-query"),
        (Method::GET, "/api/v1/tasks?limit=x", None, 400, "bad-query"),
        (Method::GET, "/api/v1/stacks?limit=0", None, 400, "bad-query"),
        (Method::POST, "/api/v1/tasks", None, 400, "not-json"),
        (Method::POST, "/api/v1/tasks", json_body("{}"), 422, "wrong-shape"),
        (Method::POST, "/api/v1/tokens", json_body(r#"{"role": "agent"}"#), 422, "host-missing"),
        (Method::POST, "/api/v1/hosts/none/drain", None, 404, "not-found"),
        (Method::GET, "/api/v1/hosts/none/drain", None, 404, "not-found"),
        (Method::PUT, "/api/v1/hosts/vm1", json_body(r#"{"@id": "vm2"}"#), 422, "ids-differ"),
        (Method::GET, "/api/v1/containers/none", None, 404, "not-found"),
        (Method::GET, "/api/v1/ws", None, 400, "bad-request"),
        (Method::POST, "/api/v1/agents/vm1/claim", json_body(r#"{"epoch": 7, "claim": "c"}"#), 409, "session-lost"),
    ] {
        let response = bed.send(method.clone(), path, body).await;
        assert_eq!(response.status().as_u16(), status, "{method} {path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{method} {path}");
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["code"], code, "{method} {path}: {problem}");
        assert_eq!(problem["requestId"], id, "{method} {path}");
        assert_eq!(problem["status"], status, "{method} {path}");
        for member in ["type", "title", "detail"] {
            assert!(!problem[member].as_str().unwrap().is_empty(), "{method} {path}: {member}");
        }
    }
    let given = bed.request(Method::GET, "/healthz").header("x-request-id", "mine-1").send().await.unwrap();
    assert_eq!(given.headers()["x-request-id"], "mine-1");
    let allowed = bed.send(Method::PATCH, "/api/v1/stacks", None).await;
    assert!(allowed.headers()["allow"].to_str().unwrap().contains("POST"));
}

#[tokio::test]
async fn a_client_says_what_was_asked_and_what_to_do() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let client = graphium_server::client::Client::new(&url, None).unwrap();
    let begun = std::time::Instant::now();
    let error = client.stacks().await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(6));
    let text = error.to_string();
    assert!(text.contains(&url) && text.contains("graphium server"), "{text}");
    for url in ["localhost:8095", "ftp://x", "wss://example.org", ""] {
        assert!(graphium_server::client::Client::new(url, None).is_err(), "{url}");
    }
}

#[tokio::test]
async fn what_is_made_is_told_where_it_is_whatever_it_is_called() {
    let bed = Bed::new().await;
    for (id, place) in [("vm-1", "/api/v1/hosts/vm-1"), ("wörk 1/a", "/api/v1/hosts/w%C3%B6rk%201%2Fa")] {
        let made = bed.send(Method::POST, "/api/v1/hosts", Some(json!({"@id": id}))).await;
        assert_eq!((made.status().as_u16(), made.headers()["location"].to_str().unwrap()), (201, place));
        assert_eq!(bed.json(Method::GET, place, None, 200).await["@id"], id);
    }
    for id in ["", "a\u{0}", "a\nb", &"x".repeat(254)] {
        assert_eq!(bed.json(Method::POST, "/api/v1/hosts", Some(json!({"@id": id})), 422).await["code"], "wrong-shape");
    }
    let ann = json!({"user": "änn", "role": "viewer", "password": "long enough"});
    let made = bed.send(Method::POST, "/api/v1/users", Some(ann)).await;
    assert_eq!(
        (made.status().as_u16(), &made.headers()["location"]),
        (201, &"/api/v1/users/%C3%A4nn".parse().unwrap())
    );
}
