//! People: the first of them, their passwords and sessions, and how agents join.

use crate::bed::Bed;
use graphium_core::{
    control::{Purpose, Role},
    id::HostId,
};
use graphium_server::{
    api::wire::{TokenRequest, UserRequest},
    client::{Client, ClientError},
};
use reqwest::Method;
use serde_json::json;

pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) fn person(user: &str, role: Role) -> UserRequest {
    UserRequest { user: user.to_owned(), role, password: Some(PASSWORD.to_owned()), stacks: Vec::new() }
}

pub(crate) fn nobody(bed: &Bed) -> Client {
    Client::new(&bed.server.url(), None).unwrap()
}

fn status(error: &ClientError) -> u16 {
    match error {
        ClientError::Denied { status, .. } => *status,
        ClientError::Problem { problem, .. } => problem.status,
        _ => 0,
    }
}

#[tokio::test]
async fn the_first_administrator_is_made_once_with_the_servers_link() {
    let bed = Bed::new().await;
    let link = bed.server.setup_link().unwrap();
    let code = link.rsplit('/').next().unwrap();
    let nobody = nobody(&bed);
    let short = nobody.set_up(code, "ann", "short").await.unwrap_err();
    assert_eq!(status(&short), 422, "{short}");
    let ann = nobody.set_up(code, "ann", PASSWORD).await.unwrap();
    assert_eq!((ann.name.as_str(), ann.role), ("ann", Role::Admin));
    for (code, user) in [(code, "bob"), ("gph_0000000000000000000000000000000000000000", "eve"), ("", "eve")] {
        assert_eq!(status(&nobody.set_up(code, user, PASSWORD).await.unwrap_err()), 401);
    }
    assert_eq!(bed.admin.users().await.unwrap().len(), 1);
    // A server that starts upon this store has nobody to wait for.
    let code = graphium_server::auth::setup_code(bed.server.control(), jiff::Timestamp::now()).await.unwrap();
    assert!(code.is_none());
}

#[tokio::test]
async fn the_servers_link_is_worth_nothing_once_somebody_may_log_in() {
    let bed = Bed::new().await;
    let link = bed.server.setup_link().unwrap();
    bed.admin.create_user(&person("ann", Role::Viewer)).await.unwrap();
    let late = nobody(&bed).set_up(link.rsplit('/').next().unwrap(), "eve", PASSWORD).await.unwrap_err();
    assert_eq!(status(&late), 401, "{late}");
}

#[tokio::test]
async fn a_session_is_worth_what_its_person_may_and_ends_with_it() {
    let bed = Bed::new().await;
    bed.admin.create_user(&person("ann", Role::Operator)).await.unwrap();
    let again = bed.admin.create_user(&person("ann", Role::Admin)).await.unwrap_err();
    assert!(matches!(&again, ClientError::Conflict { code, .. } if code == "user-exists"), "{again}");
    let nobody = nobody(&bed);
    for (user, password) in [("ann", "wrong password"), ("eve", PASSWORD)] {
        let refused = nobody.login(user, password).await.unwrap_err();
        assert!(status(&refused) == 401 && refused.to_string().contains("no user has that name"), "{refused}");
    }
    let session = nobody.login("ann", PASSWORD).await.unwrap();
    assert!(session.view.expires.is_some());
    let ann = bed.client(&session.token);
    let me = ann.whoami().await.unwrap();
    assert_eq!((me.name.as_str(), me.user.as_deref(), me.role), ("ann", Some("ann"), Role::Operator));
    assert_eq!(status(&ann.users().await.unwrap_err()), 403);
    let other = bed.client(&nobody.login("ann", PASSWORD).await.unwrap().token);
    ann.logout().await.unwrap();
    assert_eq!(status(&ann.whoami().await.unwrap_err()), 401);
    other.whoami().await.unwrap();
    // One's own password: the session that changes it stays, others end.
    let third = bed.client(&nobody.login("ann", PASSWORD).await.unwrap().token);
    let change = |before: &str| json!({"before": before, "password": "another password"});
    let session = nobody.login("ann", PASSWORD).await.unwrap().token;
    let send = async |body: serde_json::Value| {
        let request = bed.request(Method::PUT, "/api/v1/auth/password").bearer_auth(&session).json(&body);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(send(change("not this one")).await, 403);
    assert_eq!(send(change(PASSWORD)).await, 204);
    bed.client(&session).whoami().await.unwrap();
    for ended in [&other, &third] {
        assert_eq!(status(&ended.whoami().await.unwrap_err()), 401);
    }
    assert_eq!(status(&nobody.login("ann", PASSWORD).await.unwrap_err()), 401);
    bed.admin.remove_user("ann").await.unwrap();
    assert_eq!(status(&bed.client(&session).whoami().await.unwrap_err()), 401);
}

#[tokio::test]
async fn whoever_guesses_waits_and_a_token_gets_in_meanwhile() {
    let bed = Bed::new().await;
    bed.admin.create_user(&person("ann", Role::Viewer)).await.unwrap();
    let guess = async |password: &str| {
        let body = json!({"user": "ann", "password": password});
        bed.request(Method::POST, "/api/v1/auth/login").json(&body).send().await.unwrap()
    };
    for _ in 0..6 {
        assert_eq!(guess("wrong password").await.status(), 401);
    }
    let refused = guess(PASSWORD).await;
    assert_eq!(refused.status(), 429);
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=3).contains(&wait), "{wait}");
    bed.admin.whoami().await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(wait)).await;
    assert_eq!(guess(PASSWORD).await.status(), 201);
}

#[tokio::test]
async fn a_repeated_login_is_answered_to_nobody_else() {
    let bed = Bed::new().await;
    bed.admin.create_user(&person("ann", Role::Admin)).await.unwrap();
    let login = async |password: &str| {
        let body = json!({"user": "ann", "password": password});
        let request = bed.request(Method::POST, "/api/v1/auth/login").header("idempotency-key", "k").json(&body);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(login(PASSWORD).await, 201);
    assert_eq!(login("whatever it was").await, 401);
}

#[tokio::test]
async fn nothing_tells_a_password_or_its_hash() {
    let bed = Bed::new().await;
    let made = bed.json(
        Method::POST,
        "/api/v1/users",
        Some(json!({"user": "ann", "role": "viewer", "password": PASSWORD})),
        201,
    );
    let made = made.await.to_string();
    let listed = bed.json(Method::GET, "/api/v1/users", None, 200).await.to_string();
    let session = nobody(&bed).login("ann", PASSWORD).await.unwrap();
    let events = bed.json(Method::GET, "/api/v1/events?follow=false", None, 200).await.to_string();
    let kept = format!("{:?}", bed.server.control().users().await.unwrap());
    for text in [made, listed, events, kept, format!("{session:?}")] {
        assert!(!text.contains(PASSWORD) && !text.contains("argon2"), "{text}");
    }
    for (body, code) in [
        (json!({"user": "a b", "role": "viewer", "password": PASSWORD}), "bad-name"),
        (json!({"user": "bob", "role": "viewer", "password": "short"}), "password-length"),
        (json!({"user": "bob", "role": "agent", "password": PASSWORD}), "wrong-shape"),
        (json!({"user": "bob", "role": "admin", "password": PASSWORD, "stacks": ["s"]}), "stacks-not-meant"),
    ] {
        let problem = bed.json(Method::POST, "/api/v1/users", Some(body), 422).await;
        assert_eq!(problem["code"], code, "{problem}");
    }
}

#[tokio::test]
async fn an_agent_joins_once_and_for_its_own_host() {
    let bed = Bed::new().await;
    let request = TokenRequest { host: Some("vm1".into()), join: true, ..TokenRequest::new(Role::Agent) };
    let code = bed.admin.create_token(&request).await.unwrap();
    let lasts = code.view.expires.unwrap().duration_since(code.view.date_created);
    assert_eq!((lasts.as_mins(), code.view.purpose), (15, Purpose::Join));
    let nobody = nobody(&bed);
    assert_eq!(status(&nobody.join(&code.token, &"vm2".into()).await.unwrap_err()), 403);
    let vm1 = HostId::new("vm1");
    let (one, other) = tokio::join!(nobody.join(&code.token, &vm1), nobody.join(&code.token, &vm1));
    let issued: Vec<_> = [one, other].into_iter().flatten().collect();
    assert_eq!(issued.len(), 1, "a code is good once");
    assert_eq!((issued[0].view.role, issued[0].view.host.clone()), (Role::Agent, Some("vm1".into())));
    assert_eq!(status(&nobody.join(&code.token, &"vm1".into()).await.unwrap_err()), 401);
    bed.client(&issued[0].token).tasks(&Default::default()).await.unwrap_err();
    assert_eq!(status(&bed.client(&code.token).whoami().await.unwrap_err()), 401, "a code opens nothing else");
}

#[tokio::test]
async fn a_token_is_worth_nothing_after_its_time_and_tells_when_it_was_used() {
    let bed = Bed::new().await;
    let request = TokenRequest { expires_in: Some(1), ..TokenRequest::new(Role::Viewer) };
    let short = bed.admin.create_token(&request).await.unwrap();
    let client = bed.client(&short.token);
    client.whoami().await.unwrap();
    let used =
        async || bed.admin.tokens().await.unwrap().into_iter().find(|token| token.id == short.view.id)?.last_used;
    crate::bed::eventually("its use is noted", used).await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(status(&client.whoami().await.unwrap_err()), 401);
    assert!(bed.admin.tokens().await.unwrap().iter().all(|token| token.id != short.view.id));
    let forever = TokenRequest { expires_in: Some(u64::MAX), ..TokenRequest::new(Role::Viewer) };
    assert_eq!(status(&bed.admin.create_token(&forever).await.unwrap_err()), 422);
}
