//! A server of each test's own, and the ways to talk to it.

use crate::answers;
use graphium_core::{
    admission::Admission,
    agent::{AgentLink, HostReport, SessionGrant},
    control::{Purpose, Role, Settings, Started, TokenRecord},
    store::SessionRequest,
};
use graphium_server::{
    PortChoice, RunningServer, ServerOptions,
    api::wire::TokenRequest,
    auth::Token,
    client::{Client, DeployRequest},
    serve::Limits,
    start_with,
};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use std::time::Duration;

/// A running server; everything of it is gone with the value.
pub(crate) struct Bed {
    pub(crate) server: RunningServer,
    pub(crate) admin: Client,
    pub(crate) token: String,
    folder: tempfile::TempDir,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        Self::over("memory:", limits).await
    }

    /// One that keeps its data in the given store.
    pub(crate) async fn over(store: &str, limits: Limits) -> Self {
        Self::allowing(store, limits, Admission::default()).await
    }

    /// One that allows stacks more than others do.
    pub(crate) async fn allowing(store: &str, limits: Limits, admission: Admission) -> Self {
        Self::set(store, limits, Settings { admission, ..Settings::default() }).await
    }

    /// One that waits for hosts and leases as it is told; its monitor looks often all the same.
    pub(crate) async fn set(store: &str, limits: Limits, settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = ServerOptions {
            settings: Settings { tick: Duration::from_millis(200), ..settings },
            notes: Some(folder.path().join("notes")),
            limits,
            ..ServerOptions::new("127.0.0.1:0".parse().unwrap(), store, folder.path().join("data"))
        };
        let checked = |router: axum::Router| router.layer(axum::middleware::from_fn(answers::check));
        let server = start_with(options, checked).await.unwrap();
        let token = std::fs::read_to_string(server.admin_token_file()).unwrap().trim().to_owned();
        let admin = Client::new(&server.url(), Some(token.clone())).unwrap();
        Self { server, admin, token, folder }
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn options(&self) -> ServerOptions {
        let data = self.folder.path().join("data");
        ServerOptions {
            port: PortChoice::Exact,
            notes: None,
            ..ServerOptions::new("127.0.0.1:0".parse().unwrap(), "memory:", data)
        }
    }

    /// A token of a role.
    pub(crate) async fn token(&self, role: Role, host: Option<&str>) -> String {
        let request = TokenRequest { host: host.map(Into::into), ..TokenRequest::new(role) };
        self.admin.create_token(&request).await.unwrap().token
    }

    /// A code that is good once, put straight into the store.
    pub(crate) async fn code(&self, purpose: Purpose, role: Role) -> String {
        let code = Token::generate().unwrap();
        let record = TokenRecord { purpose, ..TokenRecord::new(code.hash(), role, jiff::Timestamp::now()) };
        self.server.control().issue_token(record).await.unwrap();
        code.reveal().to_owned()
    }

    pub(crate) fn client(&self, token: &str) -> Client {
        Client::new(&self.server.url(), Some(token.to_owned())).unwrap()
    }

    /// A bare request, as somebody's own program would send it.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        reqwest::Client::new().request(method, format!("{}{path}", self.server.url())).timeout(Duration::from_secs(20))
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        let mut request = self.request(method, path).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    /// Sends and reads JSON; the status must be as expected.
    pub(crate) async fn json(&self, method: Method, path: &str, body: Option<Value>, expected: u16) -> Value {
        let response = self.send(method.clone(), path, body).await;
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert_eq!(status, StatusCode::from_u16(expected).unwrap(), "{method} {path}: {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// The agent of a host, introduced and observed.
    pub(crate) async fn host(&self, host: &str) -> (impl AgentLink + use<>, SessionGrant) {
        let token = self.token(Role::Agent, Some(host)).await;
        let link = graphium_server::client::HttpLink::new(self.client(&token));
        let request = SessionRequest { host: host.into(), nonce: format!("nonce of {host}"), seen_epoch: 0 };
        let grant = link.open_session(&request).await.unwrap();
        link.observe(&report(host, grant.session.epoch)).await.unwrap();
        (link, grant)
    }

    pub(crate) async fn deploy(&self, document: &Value) -> Started {
        self.admin.deploy(document.to_string(), &DeployRequest::default()).await.unwrap()
    }
}

/// An agent that sees an engine with nothing on it.
pub(crate) fn report(host: &str, epoch: u64) -> HostReport {
    let report = serde_json::json!({
        "host": host, "epoch": epoch, "ipAddress": "10.1.2.3", "agentVersion": "test", "containers": []
    });
    serde_json::from_value(report).unwrap()
}

/// A stack of one container on a host.
pub(crate) fn stack(name: &str, host: &str) -> Value {
    serde_json::json!({
        "@context": "https://graphium.io/context/v1.jsonld",
        "@type": "datacenter:Stack", "@id": format!("stack:{name}"), "name": name,
        "locatedInHost": {"@id": format!("host:{host}")},
        "hasPart": [{
            "@type": "datacenter:Container", "@id": format!("container:{name}-web"), "name": "web", "image": "nginx:1.27"
        }]
    })
}

/// Waits for something to become so.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..200 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what}: not within 5 s");
}
