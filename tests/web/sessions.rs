//! Sessions lie in the store: they outlive a server, any server knows them, and they end everywhere at once.

use crate::{
    bed::{Bed, eventually},
    visitor::{Visitor, cookie_of},
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use graphium_core::{
    control::{Purpose, Role, TokenRecord},
    store::{Key, Kind, RecordQuery, TaskStoreExt as _},
};
use graphium_server::{
    RunningServer, ServerOptions, StoreAccess,
    api::wire::{TokenRequest, UserRequest},
    auth::Token,
    client::Client,
    start,
};
use graphium_store::testing::FakeCouch;
use reqwest::Method;
use serde_json::json;

const PASSWORD: &str = "correct horse battery";

struct Server {
    running: RunningServer,
    admin: Client,
    token: String,
}

/// One over a store, with a folder of its own.
async fn server(store: &str, folder: &std::path::Path) -> Server {
    let options = ServerOptions {
        notes: None,
        store_access: StoreAccess::Shared,
        ..ServerOptions::new("127.0.0.1:0".parse().unwrap(), store, folder)
    };
    // The one before has just ended: its store may be in use for a moment.
    let running = eventually("a server", async || start(options.clone()).await.ok()).await;
    let token = std::fs::read_to_string(running.admin_token_file()).unwrap().trim().to_owned();
    let admin = Client::new(&running.url(), Some(token.clone())).unwrap();
    Server { running, admin, token }
}

impl Server {
    async fn enter(&self, fields: &[(&str, &str)]) -> Visitor {
        let mut visitor = Visitor::at(&self.running.url());
        let answer = visitor.post("/web/login", fields).await;
        assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap());
        visitor.cookie = Some(cookie_of(&answer));
        visitor
    }

    /// Somebody with a cookie that another server has set.
    fn comes(&self, from: &Visitor) -> Visitor {
        let mut visitor = Visitor::at(&self.running.url());
        visitor.cookie.clone_from(&from.cookie);
        visitor
    }

    async fn takes_on(&self, user: &str, role: Role) {
        let request =
            UserRequest { user: user.to_owned(), role, password: Some(PASSWORD.to_owned()), stacks: Vec::new() };
        self.admin.create_user(&request).await.unwrap();
    }
}

fn ann() -> [(&'static str, &'static str); 2] {
    [("user", "ann"), ("password", PASSWORD)]
}

async fn is_in(visitor: &Visitor) -> bool {
    let status = visitor.get("/web/").await.status().as_u16();
    assert!(matches!(status, 200 | 303), "{status}");
    status == 200
}

#[tokio::test]
async fn a_session_outlives_the_server_that_opened_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("graphium.db").display());
    let first = server(&store, folder.path()).await;
    first.takes_on("ann", Role::Operator).await;
    let (by_password, by_token) = (first.enter(&ann()).await, first.enter(&[("token", &first.token)]).await);
    let word = by_password.csrf().await;
    first.running.shutdown().await;

    let second = server(&store, folder.path()).await;
    let (by_password, by_token) = (second.comes(&by_password), second.comes(&by_token));
    assert!(by_password.page("/web/").await.contains("<b>ann</b> <span>operator</span>"));
    assert_eq!(by_password.csrf().await, word, "forms that are open go on");
    assert!(by_token.page("/web/tokens").await.contains("yours"));
    assert_eq!(by_password.send("/web/logout", &[]).await.status(), 303);
    assert!(!is_in(&by_password).await && is_in(&by_token).await);
    second.running.shutdown().await;
    let third = server(&store, folder.path()).await;
    assert!(!is_in(&third.comes(&by_password)).await, "what has ended does not come back");
    third.running.shutdown().await;
}

#[tokio::test]
async fn servers_on_one_store_know_each_others_sessions_and_their_ends() {
    let (one_folder, other_folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let one = server("memory:", one_folder.path()).await;
    let shared = one.running.url().replace("http://", &format!("http://{}@", one.token));
    let other = server(&shared, other_folder.path()).await;
    know_each_others_sessions(one, other).await;
}

#[tokio::test]
async fn so_do_servers_on_one_couchdb_and_no_secret_lies_in_it() {
    let couch = FakeCouch::start(1).await.unwrap();
    let (one_folder, other_folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let one = server(&couch.url(), one_folder.path()).await;
    let other = server(&couch.url(), other_folder.path()).await;
    let (value, url) = ("canary-4d1f-in-the-mine", format!("{}/api/v1/secrets/mine", one.running.url()));
    let put = reqwest::Client::new().put(url).bearer_auth(&one.token).json(&json!({"value": value}));
    assert_eq!(put.send().await.unwrap().status(), 200);
    one.takes_on("cat", Role::Viewer).await;
    let visitor = one.enter(&[("user", "cat"), ("password", PASSWORD)]).await;
    let cookie = visitor.cookie.clone().unwrap();
    let cookie = cookie.split_once('=').unwrap().1;
    let all: Vec<String> = couch.ids().iter().map(|id| couch.document(id).unwrap().to_string()).collect();
    for known in ["setSecret", "session of cat"] {
        assert!(all.iter().any(|text| text.contains(known)), "{known} is not there");
    }
    for private in [value, PASSWORD, cookie, &one.token, &STANDARD_NO_PAD.encode(value)] {
        assert!(!all.iter().any(|text| text.contains(private)), "{private} lies in the database");
    }
    assert_eq!(visitor.send("/web/logout", &[]).await.status(), 303);
    know_each_others_sessions(one, other).await;
}

/// What is done at one server counts at the other; both end.
async fn know_each_others_sessions(one: Server, other: Server) {
    for name in ["ann", "bob"] {
        one.takes_on(name, Role::Viewer).await;
    }

    let here = one.enter(&ann()).await;
    let there = other.comes(&here);
    assert!(is_in(&there).await);
    assert_eq!(there.send("/web/logout", &[]).await.status(), 303);
    assert!(!is_in(&here).await, "logged out at the other one");

    let issued = one.admin.create_token(&TokenRequest::new(Role::Viewer)).await.unwrap();
    let here = one.enter(&[("token", &issued.token)]).await;
    let there = other.comes(&here);
    assert!(is_in(&there).await);
    one.admin.revoke_token(&issued.view.id).await.unwrap();
    assert!(!is_in(&there).await && !is_in(&here).await, "the token was revoked");

    let here = one.enter(&[("user", "bob"), ("password", PASSWORD)]).await;
    let there = other.comes(&here);
    assert!(is_in(&there).await);
    other.admin.remove_user("bob").await.unwrap();
    assert!(!is_in(&here).await && !is_in(&there).await, "the person has gone");
    let left = one.admin.tokens().await.unwrap();
    assert!(left.iter().all(|token| token.purpose != Purpose::Page), "nothing is left of them: {left:?}");
    other.running.shutdown().await;
    one.running.shutdown().await;
}

#[tokio::test]
async fn the_cookie_is_known_by_its_hash_opens_nothing_else_and_its_use_is_noted_now_and_then() {
    let bed = Bed::new().await;
    let visitor = Visitor::with(&bed, &bed.token).await;
    let secret = visitor.cookie.as_ref().unwrap().split_once('=').unwrap().1.to_owned();
    for (method, path) in
        [(Method::GET, "/api/v1/auth/me"), (Method::GET, "/api/v1/stacks"), (Method::POST, "/api/v1/store")]
    {
        let status = bed.request(method, path).bearer_auth(&secret).send().await.unwrap().status();
        assert_eq!(status, 401, "{path}");
    }
    let by_cookie = Visitor::of(&bed).post("/web/login", &[("token", &secret)]).await;
    assert_eq!(by_cookie.status(), 401, "one session opens no other");

    let store = bed.server.control().store();
    let mut kept = String::new();
    for kind in Kind::ALL {
        kept += &serde_json::to_string(&store.all_records(RecordQuery::of(kind)).await.unwrap()).unwrap();
    }
    for secret in [&secret, &bed.token] {
        assert!(!kept.contains(&secret[4..]), "what opens something is in the store");
    }

    let key = Key::new(Kind::Token, TokenRecord::id_of(&Token::parse(&secret).unwrap().hash()));
    let version = async || store.record(&key).await.unwrap().unwrap().version;
    futures::future::join_all((0..20).map(|_| visitor.page("/web/"))).await;
    eventually("its use is noted", async || (version().await == 2).then_some(())).await;
    futures::future::join_all((0..20).map(|_| visitor.page("/web/hosts"))).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(version().await, 2, "not with each request");
}
