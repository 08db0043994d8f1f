//! Whatever is asked of the API, it answers, and the fault is never its own.
//!
//! The input is the number of an operation, who asks, and three texts with a zero between them: what stands for the parameters of the
//! path, the query, and the body.
#![no_main]

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
};
use graphium_core::{
    agent::AgentLink,
    control::{Control, Settings},
    environment::Environment,
    id::HostId,
    store::{MemoryStore, SessionRequest},
};
use graphium_server::{AppState, auth, environment::TokioEnvironment, events::Broadcast, router, stop::Stopper};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::{cell::RefCell, sync::Arc, time::Duration};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

/// So many requests one server gets: what they leave behind would fill the memory.
const REQUESTS: u32 = 2000;
/// What takes longer waits for something, as claims and streams do.
const PATIENCE: Duration = Duration::from_millis(200);

struct Server {
    runtime: Runtime,
    router: Router,
    operations: Vec<(String, String)>,
    token: String,
    left: u32,
    _stopper: Stopper,
    _folder: tempfile::TempDir,
}

impl Server {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let stopper = Stopper::default();
        let (router, token) = runtime.block_on(async {
            let environment: Arc<dyn Environment> = Arc::new(TokioEnvironment::new());
            let broadcast = Arc::new(Broadcast::default());
            let store = Arc::new(MemoryStore::new());
            let control = Control::open(store, broadcast.clone(), Arc::clone(&environment), Settings::default());
            let control = control.await.expect("a control plane");
            let session = SessionRequest { host: HostId::new("vm1"), nonce: "n".to_owned(), seen_epoch: 0 };
            control.open_session(&session).await.expect("a session");
            let file = auth::admin_token(&control, folder.path(), environment.now()).await.expect("a token");
            let token = std::fs::read_to_string(file).expect("the token").trim().to_owned();
            (router(AppState::new(control, broadcast, environment, stopper.hear())), token)
        });
        let answer = runtime.block_on(
            router.clone().oneshot(
                Request::get("/api/v1/openapi.json")
                    .header(header::AUTHORIZATION, format!("Bearer {token}"))
                    .body(Body::empty())
                    .expect("a request"),
            ),
        );
        let body = answer.expect("an answer").into_body();
        let bytes = runtime.block_on(axum::body::to_bytes(body, usize::MAX)).expect("its description");
        let description: Value = serde_json::from_slice(&bytes).expect("a description");
        let base = description["servers"][0]["url"].as_str().unwrap_or_default().trim_end_matches('/').to_owned();
        let mut operations = Vec::new();
        for (path, methods) in description["paths"].as_object().expect("paths") {
            for method in methods.as_object().expect("methods").keys().filter(|key| *key != "parameters") {
                operations.push((method.to_uppercase(), format!("{base}{path}")));
            }
        }
        assert!(operations.len() > 50, "{operations:?}");
        Self { runtime, router, operations, token, left: REQUESTS, _stopper: stopper, _folder: folder }
    }

    fn ask(&mut self, number: u8, asker: u8, texts: [&[u8]; 3]) {
        let (method, path) = &self.operations[usize::from(number) % self.operations.len()];
        let [name, query, body] = texts;
        let uri = uri(path, name, query);
        let mut request =
            Request::builder().method(method.as_str()).uri(&uri).header(header::CONTENT_TYPE, "application/json");
        if asker % 8 != 0 {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        }
        let Ok(request) = request.body(Body::from(body.to_vec())) else { return };
        let asked = self.router.clone().oneshot(request);
        let answered = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, asked).await });
        let Ok(Ok(response)) = answered else { return };
        let status = response.status();
        // What is not there can be said: a store that nobody shares, an agent that is away.
        let is_fault = status.is_server_error()
            && ![StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT].contains(&status);
        assert!(!is_fault, "{method} {uri}: {status}");
        if status.is_client_error() {
            let bytes = self.runtime.block_on(axum::body::to_bytes(response.into_body(), 1 << 24)).expect("a body");
            let problem: Value = serde_json::from_slice(&bytes).expect("a problem");
            for word in ["code", "detail"] {
                assert!(problem[word].as_str().is_some_and(|text| !text.is_empty()), "{method} {uri}: {problem}");
            }
        }
    }
}

/// The path with the text in place of its parameters, and the query, each byte that has no place there escaped.
fn uri(path: &str, name: &[u8], query: &[u8]) -> String {
    let escape = |bytes: &[u8], plain: &[u8]| {
        bytes.iter().fold(String::new(), |text, byte| match byte {
            byte if byte.is_ascii_alphanumeric() || plain.contains(byte) => format!("{text}{}", char::from(*byte)),
            byte => format!("{text}%{byte:02X}"),
        })
    };
    let name = if name.is_empty() { "x".to_owned() } else { escape(name, b"-_.:@") };
    let mut uri = String::new();
    for part in path.split('/').skip(1) {
        uri.push('/');
        uri.push_str(if part.starts_with('{') { &name } else { part });
    }
    if !query.is_empty() {
        uri.push('?');
        uri.push_str(&escape(query, b"-_.:@=&,+"));
    }
    uri
}

thread_local! {
    static SERVER: RefCell<Option<Server>> = const { RefCell::new(None) };
}

fuzz_target!(|bytes: &[u8]| {
    let [number, asker, rest @ ..] = bytes else { return };
    let mut texts = rest.splitn(3, |byte| *byte == 0);
    let mut text = || texts.next().unwrap_or_default();
    let texts = [text(), text(), text()];
    SERVER.with_borrow_mut(|server| {
        let ours = server.get_or_insert_with(Server::new);
        ours.ask(*number, *asker, texts);
        ours.left -= 1;
        if ours.left == 0 {
            *server = None;
        }
    });
});
