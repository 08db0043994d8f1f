//! What stands between an agent and its engine, and fails what a test has planted.

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};
use tokio::{
    net::{UnixListener, UnixStream},
    task::JoinHandle,
};

/// How long a request's body may be: that of a container with all its settings is far below.
const BODY: usize = 1024 * 1024;

/// One request that is to fail.
#[derive(Clone, Debug)]
pub struct Fault {
    pub method: Method,
    /// Its path and query contain it, with names in place of the engine's ids of containers.
    pub path: String,
}

/// Passes requests on to an engine, all but the first that was planted to fail.
pub struct Faulty {
    passage: Arc<Passage>,
    server: JoinHandle<()>,
}

struct Passage {
    engine: PathBuf,
    planted: Mutex<Option<Fault>>,
    /// Containers that were made through here: id and name.
    made: Mutex<Vec<(String, String)>>,
}

impl Faulty {
    /// Listens at `socket` for the engine at `engine`.
    pub fn start(socket: &Path, engine: PathBuf) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let passage = Arc::new(Passage { engine, planted: Mutex::default(), made: Mutex::default() });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&passage));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { passage, server }
    }

    /// The next request like this is refused, once.
    pub fn plant(&self, fault: Fault) {
        *self.passage.planted.lock().unwrap() = Some(fault);
    }

    /// Whether what was planted has been met; if it has not, it is taken away.
    pub fn was_met(&self) -> bool {
        self.passage.planted.lock().unwrap().take().is_none()
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Passage {
    /// Whether this is what was planted; then it no longer is.
    fn is_to_fail(&self, request: &Request) -> bool {
        let mut path = request.uri().path_and_query().map_or("", |path| path.as_str()).to_owned();
        for (id, name) in self.made.lock().unwrap().iter() {
            path = path.replace(id, name);
        }
        let is_it = |fault: &mut Fault| *request.method() == fault.method && path.contains(&fault.path);
        self.planted.lock().unwrap().take_if(is_it).is_some()
    }

    /// Reads what a container is called that was just made.
    async fn learn(&self, name: String, answer: Response) -> Result<Response, String> {
        let (mut parts, body) = answer.into_parts();
        let body = to_bytes(body, BODY).await.map_err(|error| error.to_string())?;
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        if let Some(id) = told["Id"].as_str() {
            self.made.lock().unwrap().push((id.to_owned(), name));
        }
        parts.headers.remove(header::TRANSFER_ENCODING);
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        Ok(Response::from_parts(parts, Body::from(body)))
    }
}

/// The name that a request gives to a container that it makes.
fn made(request: &Request) -> Option<String> {
    let query = request.uri().query().filter(|_| request.uri().path().ends_with("/containers/create"))?;
    query.split('&').find_map(|part| part.strip_prefix("name=")).map(str::to_owned)
}

async fn pass(State(passage): State<Arc<Passage>>, request: Request) -> Response {
    if passage.is_to_fail(&request) {
        // As engines do that repeat what they were given.
        let body = to_bytes(request.into_body(), BODY).await.unwrap_or_default();
        let message = format!("planted by a test: {}", String::from_utf8_lossy(&body));
        return (StatusCode::BAD_REQUEST, axum::Json(json!({"message": message}))).into_response();
    }
    let made = made(&request);
    let answer = async {
        let answer = forward(&passage.engine, request).await?;
        match made {
            Some(name) => passage.learn(name, answer).await,
            None => Ok(answer),
        }
    };
    // As an engine that is not there.
    answer.await.unwrap_or_else(|error| (StatusCode::BAD_GATEWAY, error).into_response())
}

async fn forward(engine: &Path, request: Request) -> Result<Response, String> {
    let stream = UnixStream::connect(engine).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    let (mut parts, body) = request.into_parts();
    let body = to_bytes(body, BODY).await.map_err(|error| error.to_string())?;
    parts.headers.remove(header::TRANSFER_ENCODING);
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    let asked = Request::from_parts(parts, Body::from(body));
    let answer = sender.send_request(asked).await.map_err(|error| error.to_string())?;
    Ok(answer.map(Body::new))
}
