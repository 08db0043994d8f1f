//! Every route for every caller.

use crate::{
    bed::{Bed, stack},
    callers::{self, Caller, Is},
};
use graphium_core::{control::Role, store::TaskQuery};
use graphium_server::api::openapi::operations;
use reqwest::Method;
use std::{collections::BTreeSet, time::Duration};

/// Who may use a route.
#[derive(Clone, Copy, PartialEq)]
enum May {
    Anybody,
    People,
    Operator,
    Admin,
    /// The agent of vm1.
    Agent,
    /// The same, and no administrator in its place.
    AgentItself,
    AgentAndPeople,
}

/// Every route, with who may use it. `{task}` is a task of vm1.
const ROUTES: &[(&str, &str, May)] = &[
    ("GET", "/healthz", May::Anybody),
    ("GET", "/readyz", May::Anybody),
    ("GET", "/livez", May::Anybody),
    ("GET", "/api/v1/livez", May::Anybody),
    ("GET", "/api/openapi.json", May::Anybody),
    ("GET", "/api/v1/openapi.json", May::Anybody),
    ("GET", "/docs", May::Anybody),
    ("GET", "/docs/style.css", May::Anybody),
    ("GET", "/metrics", May::People),
    ("GET", "/api/v1/healthz", May::Anybody),
    ("GET", "/api/v1/readyz", May::Anybody),
    ("GET", "/api/v1/stacks", May::People),
    ("POST", "/api/v1/stacks", May::Operator),
    ("POST", "/api/v1/stacks/jsonld", May::Operator),
    ("POST", "/api/v1/stacks/plan", May::Operator),
    ("POST", "/api/v1/stacks/plan/save", May::Operator),
    ("POST", "/api/v1/stacks/plan/apply", May::Operator),
    ("POST", "/api/v1/stacks/jsonld/validate", May::Operator),
    ("GET", "/api/v1/stacks/jsonld/deployments", May::People),
    ("GET", "/api/v1/stacks/jsonld/deployments/none", May::People),
    ("GET", "/api/v1/stacks/none", May::People),
    ("DELETE", "/api/v1/stacks/none", May::Operator),
    ("GET", "/api/v1/stacks/none/status", May::People),
    ("GET", "/api/v1/stacks/none/deployment", May::People),
    ("GET", "/api/v1/stacks/none/revisions", May::People),
    ("GET", "/api/v1/stacks/none/diff", May::People),
    ("POST", "/api/v1/stacks/none/diff", May::Operator),
    ("POST", "/api/v1/stacks/none/stop", May::Operator),
    ("POST", "/api/v1/stacks/none/start", May::Operator),
    ("POST", "/api/v1/stacks/none/restart", May::Operator),
    ("POST", "/api/v1/stacks/none/rollback", May::Operator),
    ("GET", "/api/v1/tasks", May::People),
    ("POST", "/api/v1/tasks", May::Operator),
    ("GET", "/api/v1/tasks/stats", May::People),
    ("GET", "/api/v1/tasks/{task}", May::People),
    ("POST", "/api/v1/tasks/none/retry", May::Operator),
    ("POST", "/api/v1/tasks/none/cancel", May::Operator),
    ("POST", "/api/v1/tasks/{task}/renew", May::Agent),
    ("PUT", "/api/v1/tasks/{task}/status", May::Agent),
    ("POST", "/api/v1/tasks/{task}/secrets", May::Agent),
    ("POST", "/api/v1/agents/vm1/session", May::Agent),
    ("POST", "/api/v1/agents/host:vm1/session", May::Agent),
    ("POST", "/api/v1/agents/vm1/claim", May::Agent),
    ("POST", "/api/v1/agents/vm1/credential", May::AgentItself),
    ("POST", "/api/v1/agents/vm1/renew", May::Agent),
    ("PUT", "/api/v1/agents/vm1/observation", May::Agent),
    ("GET", "/api/v1/agents/vm1/tasks", May::AgentAndPeople),
    ("POST", "/api/v1/agents/vm1/streams", May::Agent),
    ("POST", "/api/v1/agents/vm1/streams/none", May::Agent),
    ("GET", "/api/v1/agents/vm1/streams/none", May::Agent),
    ("GET", "/api/v1/hosts", May::People),
    ("POST", "/api/v1/hosts", May::Admin),
    ("GET", "/api/v1/hosts/vm1", May::People),
    ("PUT", "/api/v1/hosts/vm1", May::Admin),
    ("DELETE", "/api/v1/hosts/none", May::Admin),
    ("GET", "/api/v1/hosts/vm1/drain", May::People),
    ("POST", "/api/v1/hosts/none/drain", May::Admin),
    ("POST", "/api/v1/hosts/none/activate", May::Admin),
    ("POST", "/api/v1/hosts/none/maintenance", May::Admin),
    ("POST", "/api/v1/hosts/none/rotate", May::Admin),
    ("POST", "/api/v1/adoptions", May::Operator),
    ("POST", "/api/v1/adoptions/compare", May::Operator),
    ("GET", "/api/v1/orphans", May::People),
    ("DELETE", "/api/v1/orphans/vm1/none", May::Operator),
    ("GET", "/api/v1/containers", May::People),
    ("GET", "/api/v1/containers/none", May::People),
    ("GET", "/api/v1/containers/none/logs", May::People),
    ("GET", "/api/v1/containers/none/exec", May::Operator),
    ("GET", "/api/v1/tokens", May::Admin),
    ("POST", "/api/v1/tokens", May::Admin),
    ("DELETE", "/api/v1/tokens/none", May::Admin),
    ("GET", "/api/v1/users", May::Admin),
    ("POST", "/api/v1/users", May::Admin),
    ("GET", "/api/v1/users/none", May::Admin),
    ("PATCH", "/api/v1/users/none", May::Admin),
    ("DELETE", "/api/v1/users/none", May::Admin),
    ("POST", "/api/v1/users/none/link", May::Admin),
    ("PUT", "/api/v1/users/none/password", May::Admin),
    ("GET", "/api/v1/secrets", May::People),
    ("PUT", "/api/v1/secrets/none", May::Operator),
    ("DELETE", "/api/v1/secrets/none", May::Operator),
    ("POST", "/api/v1/auth/login", May::Anybody),
    ("POST", "/api/v1/auth/setup", May::Anybody),
    ("POST", "/api/v1/auth/join", May::Anybody),
    ("POST", "/api/v1/auth/logout", May::People),
    ("POST", "/api/v1/auth/logout/others", May::People),
    ("GET", "/api/v1/auth/me", May::People),
    ("PUT", "/api/v1/auth/password", May::People),
    ("POST", "/api/v1/store", May::Admin),
    ("GET", "/api/v1/audit", May::Admin),
    ("GET", "/api/v1/events?follow=false", May::People),
    // Without an upgrade whoever is let in is told that it needs one.
    ("GET", "/api/v1/ws", May::People),
    ("GET", "/api/v1/ws/graph", May::People),
];

/// What of it is for those who are granted some stacks, too, as their role allows: lists that have theirs alone, documents, and what
/// is their own. All else of the table is of other stacks, or of none.
const FOR_SOME_STACKS: &[(&str, &str)] = &[
    ("GET", "/api/v1/stacks"),
    ("POST", "/api/v1/stacks"),
    ("POST", "/api/v1/stacks/jsonld"),
    ("POST", "/api/v1/stacks/plan"),
    ("POST", "/api/v1/stacks/plan/save"),
    ("POST", "/api/v1/stacks/plan/apply"),
    ("POST", "/api/v1/stacks/jsonld/validate"),
    ("GET", "/api/v1/stacks/jsonld/deployments"),
    ("GET", "/api/v1/tasks"),
    ("GET", "/api/v1/hosts"),
    ("GET", "/api/v1/hosts/vm1"),
    ("GET", "/api/v1/containers"),
    ("GET", "/api/v1/events?follow=false"),
    ("GET", "/api/v1/ws"),
    ("GET", "/api/v1/ws/graph"),
    ("GET", "/api/v1/auth/me"),
    ("PUT", "/api/v1/auth/password"),
    ("POST", "/api/v1/auth/logout/others"),
    ("POST", "/api/v1/auth/logout"),
];

/// What a caller is refused with, if at all.
fn refusal(is: Is, may: May, is_for_some_stacks: bool) -> Option<u16> {
    let may_as = |role| match role {
        Role::Admin => may != May::AgentItself,
        Role::Operator => matches!(may, May::People | May::Operator | May::AgentAndPeople),
        Role::Viewer => matches!(may, May::People | May::AgentAndPeople),
        Role::Agent => matches!(may, May::Agent | May::AgentItself | May::AgentAndPeople),
    };
    let is_admitted = match is {
        _ if may == May::Anybody => true,
        Is::Unknown => return Some(401),
        Is::Person(role) => may_as(role),
        Is::Granted(role) => may_as(role) && is_for_some_stacks,
        Is::Agent => may_as(Role::Agent),
        Is::AnotherAgent => false,
    };
    (!is_admitted).then_some(403)
}

#[tokio::test]
async fn every_route_lets_in_whom_it_should_and_nobody_else() {
    let bed = Bed::new().await;
    let _vm1 = bed.host("vm1").await;
    bed.deploy(&stack("shop", "vm1")).await;
    let tasks = bed.server.control().store().tasks(&TaskQuery::default()).await.unwrap();
    let task = tasks.items[0].id.to_string();
    let callers = callers::everybody(&bed).await;
    let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
    // Whoever logs out is nobody afterwards.
    let (last, rest): (Vec<_>, Vec<_>) = ROUTES.iter().partition(|(_, path, _)| *path == "/api/v1/auth/logout");
    let mut wrong = Vec::new();
    for (method, path, may) in rest.into_iter().chain(last) {
        let is_for_some_stacks = FOR_SOME_STACKS.contains(&(method, path));
        for Caller { name, is, token } in &callers {
            let url = format!("{}{}", bed.server.url(), path.replace("{task}", &task));
            let mut request = http.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let status = request.send().await.unwrap().status().as_u16();
            let refused = matches!(status, 401 | 403).then_some(status);
            let expected = refusal(*is, may, is_for_some_stacks);
            if refused != expected {
                wrong.push(format!("{method} {path}: {name}: {status} in the place of {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_above_has_every_operation() {
    let plain = |path: &str| {
        let path = path.split('?').next().unwrap().replace("host:vm1", "vm1");
        let part =
            |part: &str| if matches!(part, "none" | "vm1") || part.starts_with('{') { "{}" } else { part }.to_owned();
        path.split('/').map(part).collect::<Vec<_>>().join("/")
    };
    let listed: BTreeSet<_> = ROUTES.iter().map(|(method, path, _)| (*method, plain(path))).collect();
    let all: BTreeSet<_> = operations().map(|operation| (operation.method, plain(operation.path))).collect();
    assert_eq!(listed, all);
    let is_elsewhere = |known: &(&str, &str)| !ROUTES.iter().any(|(method, path, _)| (*method, *path) == *known);
    assert!(!FOR_SOME_STACKS.iter().any(is_elsewhere), "what is not in the table is looked at by nobody");
}

#[tokio::test]
async fn an_agent_cannot_reach_another_host_through_a_body() {
    let bed = Bed::new().await;
    let token = bed.token(Role::Agent, Some("vm1")).await;
    for (path, method) in [("session", Method::POST), ("renew", Method::POST), ("observation", Method::PUT)] {
        let body = serde_json::json!({
            "host": "vm2", "nonce": "n", "seenEpoch": 0, "epoch": 1, "leases": [], "agentVersion": "1"
        });
        let request = bed.request(method, &format!("/api/v1/agents/vm1/{path}")).bearer_auth(&token).json(&body);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 422, "{path}");
        let problem: serde_json::Value = response.json().await.unwrap();
        assert_eq!(problem["code"], "ids-differ", "{path}");
    }
}

#[tokio::test]
async fn a_revoked_token_is_worth_nothing() {
    let bed = Bed::new().await;
    let token = bed.token(Role::Viewer, None).await;
    let viewer = bed.client(&token);
    viewer.stacks().await.unwrap();
    let id = bed.admin.tokens().await.unwrap().into_iter().find(|token| token.role == Role::Viewer).unwrap().id;
    bed.admin.revoke_token(&id).await.unwrap();
    let refused = viewer.stacks().await.unwrap_err();
    assert!(matches!(refused, graphium_server::client::ClientError::Denied { status: 401, .. }), "{refused}");
}

#[tokio::test]
async fn tokens_are_shown_once_and_kept_as_hashes() {
    let bed = Bed::new().await;
    let token = bed.token(Role::Viewer, None).await;
    let text = bed.json(Method::GET, "/api/v1/tokens", None, 200).await.to_string();
    assert!(!text.contains(&token) && !text.contains("hash"), "{text}");
    let kept = format!("{:?}", bed.server.control().tokens().await.unwrap());
    assert!(!kept.contains(&token) && !kept.contains(&bed.token));
}

#[cfg(unix)]
#[tokio::test]
async fn the_local_command_line_finds_the_administrators_token() {
    use std::os::unix::fs::PermissionsExt;
    let bed = Bed::new().await;
    let mode = std::fs::metadata(bed.server.admin_token_file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let note = bed.folder().join("notes").join(format!("{}.json", bed.server.addr().port()));
    let note_text = std::fs::read_to_string(&note).unwrap();
    assert!(note_text.contains("admin-token") && !note_text.contains(&bed.token), "{note_text}");
    bed.server.shutdown().await;
    assert!(!note.exists(), "the note goes with the server");
}

#[tokio::test]
async fn a_token_that_the_store_does_not_know_is_not_revived() {
    let bed = Bed::new().await;
    // Another server on the same data directory, with another (empty) store.
    let other = graphium_server::start(bed.options()).await.unwrap();
    let token = std::fs::read_to_string(other.admin_token_file()).unwrap();
    assert_ne!(token.trim(), bed.token);
    other.shutdown().await;
}
