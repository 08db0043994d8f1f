//! One call: its address, its deadline, and what its answer means.

use super::ClientError;
use crate::api::{problem::Problem, wire::Listing};
use reqwest::{Method, RequestBuilder, Response, Url};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt, time::Duration};

/// How long a call may take that waits for nothing.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// How many items a part of a list has.
const PAGE: usize = 500;

/// A server's API, as a client sees it. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<String>,
}

impl fmt::Debug for Client {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the server at `base_url` (`http://localhost:8095`; a path before `/api/v1` is kept).
    ///
    /// # Errors
    /// [`ClientError::Address`].
    pub fn new(base_url: &str, token: Option<String>) -> Result<Self, ClientError> {
        let address = |reason: String| ClientError::Address { url: base_url.to_owned(), reason };
        let base = Url::parse(base_url.trim_end_matches('/')).map_err(|error| address(error.to_string()))?;
        match base.scheme() {
            "http" => {}
            "https" => return Err(address("this program speaks no TLS; put a proxy on this machine before it".into())),
            _ => return Err(address("it does not begin with http://".into())),
        }
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            // A redirect would carry the token to wherever it points.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("graphium/", env!("CARGO_PKG_VERSION")));
        if super::is_loopback(&base) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| address(reason(&error)))?;
        Ok(Self { http, base, token })
    }

    /// The server's address, without a slash at its end.
    pub fn base_url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// A call of `/api/v1/<path…>`; each part of the path is encoded.
    pub(super) fn call(&self, method: Method, path: &[&str]) -> Call {
        let mut url = self.base.clone();
        // Only a URL that cannot be a base has no segments, and `new` accepts http alone.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        let mut request = self.http.request(method, url.clone()).timeout(DEADLINE);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        Call { request, url }
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
    request: RequestBuilder,
    url: Url,
}

impl Call {
    #[must_use]
    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }

    #[must_use]
    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
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

    /// Sends it; an answer that says no is an error.
    pub(super) async fn send(self) -> Result<Response, ClientError> {
        let url = display(&self.url);
        let unreachable = |error: reqwest::Error| ClientError::Unreachable { url: url.clone(), reason: reason(&error) };
        let (http, request) = self.request.build_split();
        let mut request = request.map_err(unreachable)?;
        *request.url_mut() = self.url.clone();
        let response = http.execute(request).await.map_err(unreachable)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(unreachable)?;
        let mut problem = serde_json::from_slice::<Problem>(&body).unwrap_or_else(|_| {
            Problem::new(status, "not-graphium", "the answer is not one of a Graphium server; is the address right?")
        });
        problem.status = status;
        Err(ClientError::from_problem(url, problem))
    }

    /// Sends it and reads the answer.
    pub(super) async fn json<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        let url = display(&self.url);
        let response = self.send().await?;
        let unreachable = |reason| ClientError::Unreachable { url: url.clone(), reason };
        let body = response.bytes().await.map_err(|error| unreachable(reason(&error)))?;
        serde_json::from_slice(&body).map_err(|error| unreachable(format!("its answer is not understood ({error})")))
    }

    /// Sends it and has no use for the answer.
    pub(super) async fn done(self) -> Result<(), ClientError> {
        self.send().await.map(drop)
    }
}

/// An address for messages: without the query, which may hold what nobody needs to see.
fn display(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.into()
}

/// What went wrong below HTTP, by its deepest cause, which is the one that says something.
pub(super) fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
