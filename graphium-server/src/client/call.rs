//! One call: its address, its deadline, and what its answer means.

use super::{
    ClientError,
    servers::{Access, Server, Servers},
};
use crate::{
    api::{problem::Problem, wire::Listing},
    protocol, traces,
};
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode, Url};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt, sync::Arc, time::Duration};

/// How long a call may take that waits for nothing.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// How many seconds after a server had too much to do it is asked again, time for time.
const BUSY: [u64; 5] = [1, 1, 2, 3, 5];

/// How many items a part of a list has.
const PAGE: usize = 500;

/// The API of a server, or of several on one store, as a client sees it. Cheap to clone.
///
/// Of several it asks the same until that one does not answer, then the next. What cannot have been heard is asked again at once,
/// and so is what may be asked twice (a question, a removal, a document with an idempotency key) where a server says that its store
/// is away: another may have another way to it. Of any other failure the caller learns, and whoever asks again asks the next server.
#[derive(Clone)]
pub struct Client {
    servers: Arc<Servers>,
}

impl fmt::Debug for Client {
    /// Without the tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<&str> = self.servers.all().map(Server::base_url).collect();
        f.debug_struct("Client").field("servers", &servers).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the server at `base_url` (`http://localhost:8095`; a path before `/api/v1` is kept).
    ///
    /// # Errors
    /// [`ClientError::Address`].
    pub fn new(base_url: &str, access: impl Into<Access>) -> Result<Self, ClientError> {
        Self::of_several([(base_url, access)])
    }

    /// A client of several servers on one store: each with its address and the token that it is shown.
    ///
    /// # Errors
    /// [`ClientError::Address`], also where there is none.
    pub fn of_several<'a, A: Into<Access>>(
        servers: impl IntoIterator<Item = (&'a str, A)>,
    ) -> Result<Self, ClientError> {
        let servers = servers.into_iter().map(|(url, access)| (url, access.into()));
        Ok(Self { servers: Arc::new(Servers::new(servers)?) })
    }

    /// The address of the server that is asked at present, without a slash at its end.
    pub fn base_url(&self) -> &str {
        self.servers.present().base_url()
    }

    /// What every server is shown from now on.
    pub fn show(&self, token: &str) {
        self.servers.all().for_each(|server| server.show(token));
    }

    pub(super) fn due(&self) -> &tokio::sync::Notify {
        &self.servers.present().due
    }

    pub(super) fn has_several(&self) -> bool {
        self.servers.all().nth(1).is_some()
    }

    /// A client of each server alone, in their order.
    pub(super) fn apart(&self) -> impl Iterator<Item = Self> {
        self.servers.apart().map(|servers| Self { servers: Arc::new(servers) })
    }

    /// A call of `/api/v1/<path…>`; each part of the path is encoded.
    pub(super) fn call(&self, method: Method, path: &[&str]) -> Call {
        let Server { http, base, .. } = self.servers.present();
        Call {
            may_repeat: matches!(method, Method::GET | Method::DELETE),
            request: http.request(method, base.clone()).timeout(DEADLINE),
            servers: Arc::clone(&self.servers),
            path: path.iter().map(|part| (*part).to_owned()).collect(),
            query: Vec::new(),
        }
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, ClientError> {
        self.call(Method::GET, path).json().await
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, ClientError> {
        self.call(Method::POST, path).json().await
    }

    /// Every item of a list, part by part.
    pub(super) async fn list<L: Listing>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Vec<L::Item>, ClientError> {
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut call = self.call(Method::GET, path).query("limit", &PAGE.to_string());
            for (name, value) in query {
                call = call.query(name, value);
            }
            if let Some(cursor) = &cursor {
                call = call.query("cursor", cursor);
            }
            let (items, next) = call.json::<L>().await?.into_parts();
            all.extend(items);
            // A cursor that does not move would have us ask for ever.
            if next.is_none() || next == cursor {
                return Ok(all);
            }
            cursor = next;
        }
    }
}

/// A call that is being put together.
pub(super) struct Call {
    /// All of it but for what each server has of its own: the address and the token.
    request: RequestBuilder,
    servers: Arc<Servers>,
    path: Vec<String>,
    query: Vec<(String, String)>,
    /// Asked twice it does no more than once.
    may_repeat: bool,
}

/// Why there is no good answer.
enum Failed {
    /// Nobody can have heard the call.
    Unheard {
        url: String,
        reason: String,
    },
    Answered(ClientError),
}

impl Call {
    #[must_use]
    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// Asked twice with the same key it is done once.
    #[must_use]
    pub(super) fn key(mut self, key: &str) -> Self {
        self.may_repeat = true;
        self.header("idempotency-key", key)
    }

    #[must_use]
    pub(super) fn deadline(mut self, deadline: Duration) -> Self {
        self.request = self.request.timeout(deadline);
        self
    }

    #[must_use]
    pub(super) fn body(mut self, body: &impl Serialize) -> Self {
        self.request = self.request.json(body);
        self
    }

    #[must_use]
    pub(super) fn bytes(mut self, content_type: &'static str, body: bytes::Bytes) -> Self {
        self.request = self.request.header(reqwest::header::CONTENT_TYPE, content_type).body(body);
        self
    }

    /// Sends it; an answer that says no is an error. A server that has too much to do has begun nothing, and is asked again a few times.
    pub(super) async fn send(&self) -> Result<Response, ClientError> {
        for seconds in BUSY {
            match self.send_once().await {
                Err(error) if error.is_busy() => tokio::time::sleep(Duration::from_secs(seconds)).await,
                other => return other,
            }
        }
        self.send_once().await
    }

    async fn send_once(&self) -> Result<Response, ClientError> {
        let mut unheard = Vec::new();
        let mut away = None;
        for attempt in self.servers.attempts() {
            match self.send_to(attempt.server(), None).await {
                Ok(response) => {
                    attempt.answered();
                    return Ok(response);
                }
                Err(Failed::Unheard { url, reason }) => unheard.push((url, reason)),
                Err(Failed::Answered(error)) if self.may_repeat && error.is_store_away() => {
                    away.get_or_insert(error);
                }
                Err(Failed::Answered(error)) => {
                    if !error.may_pass() {
                        attempt.answered();
                    }
                    return Err(error);
                }
            }
        }
        if let Some(error) = away {
            return Err(error);
        }
        let mut unheard = unheard.into_iter();
        let (url, mut reason) = unheard.next().unwrap_or_default();
        for (url, other) in unheard {
            reason.push_str(&format!("; nor from {url}: {other}"));
        }
        Err(ClientError::Unreachable { url, reason })
    }

    /// Sends it with a body that comes bit by bit, which can be sent once only.
    pub(super) async fn stream(&self, body: Body) -> Result<Response, ClientError> {
        self.send_to(self.servers.present(), Some(body)).await.map_err(|failed| match failed {
            Failed::Unheard { url, reason } => ClientError::Unreachable { url, reason },
            Failed::Answered(error) => error,
        })
    }

    async fn send_to(&self, server: &Server, body: Option<Body>) -> Result<Response, Failed> {
        let target = self.url_at(server);
        let url = display(&target);
        let unreachable = |error: reqwest::Error| match (error.is_connect(), reason(&error)) {
            (true, reason) => Failed::Unheard { url: url.clone(), reason },
            (false, reason) => Failed::Answered(ClientError::Unreachable { url: url.clone(), reason }),
        };
        let unsound = || {
            Failed::Answered(ClientError::Unreachable {
                url: url.clone(),
                reason: "its body can be sent once only".to_owned(),
            })
        };
        let mut request = self.request.try_clone().ok_or_else(unsound)?;
        if let Some(token) = server.token() {
            request = request.bearer_auth(token);
        }
        let mut request = request.build().map_err(unreachable)?;
        *request.url_mut() = target;
        if body.is_some() {
            *request.body_mut() = body;
        }
        traces::hand_on(&mut request);
        let response = server.http.execute(request).await.map_err(unreachable)?;
        if response.headers().get(protocol::CREDENTIAL).is_some_and(|due| due == "due") {
            server.due.notify_one();
        }
        if response.status().is_success() || response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(unreachable)?;
        let mut problem = serde_json::from_slice::<Problem>(&body).unwrap_or_else(|_| {
            Problem::new(status, "not-graphium", "the answer is not one of a Graphium server; is the address right?")
        });
        problem.status = status;
        Err(Failed::Answered(ClientError::from_problem(url, problem)))
    }

    fn url_at(&self, server: &Server) -> Url {
        let mut url = server.base.clone();
        // Only a URL that cannot be a base has no segments, and http alone is accepted.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(&self.path);
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }

    /// Sends it and reads the answer.
    pub(super) async fn json<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        read(self.send().await?).await
    }

    /// Sends it and has no use for the answer.
    pub(super) async fn done(self) -> Result<(), ClientError> {
        self.send().await.map(drop)
    }
}

/// Reads an answer.
pub(super) async fn read<T: DeserializeOwned>(response: Response) -> Result<T, ClientError> {
    let url = display(response.url());
    let unreachable = |reason| ClientError::Unreachable { url: url.clone(), reason };
    let body = response.bytes().await.map_err(|error| unreachable(reason(&error)))?;
    serde_json::from_slice(&body).map_err(|error| unreachable(format!("its answer is not understood ({error})")))
}

/// An address for messages: without the query, which may hold what nobody needs to see.
fn display(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.into()
}

/// What went wrong below HTTP, by its deepest cause, which is the one that says something.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
