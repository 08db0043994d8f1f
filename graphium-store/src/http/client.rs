//! The client's side.

use super::{Call, LIMIT, PATH};
use crate::open::{OpenError, without_password};
use async_trait::async_trait;
use graphium_core::{
    event::Event,
    id::TaskId,
    store::{
        Acted, ClaimRequest, Cut, Key, Page, Pruned, Record, RecordQuery, Session, SessionRequest, StoreError,
        Submission, Submitted, TaskQuery, TaskStore,
    },
    task::{Input, Lease, Task},
};
use jiff::Timestamp;
use reqwest::{Response, StatusCode, Url};
use serde::{Deserialize, de::DeserializeOwned};
use std::{fmt, time::Duration};

/// How long a call may take, its answer included.
const DEADLINE: Duration = Duration::from_secs(30);

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// A [`TaskStore`] that is another server's. It needs a tokio runtime around it.
///
/// A call that takes too long, or whose connection breaks, may have taken effect: as with every store, whoever asks again does so with
/// the same idempotency key, claim id, nonce or lease.
#[derive(Clone)]
pub struct HttpStore {
    http: reqwest::Client,
    url: Url,
    token: Option<String>,
}

impl fmt::Debug for HttpStore {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpStore").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

impl HttpStore {
    /// The store of the server at `http://TOKEN@HOST:PORT`; the token is an administrator's. Nothing is asked yet.
    ///
    /// # Errors
    /// [`OpenError::Address`].
    pub fn open(url: &str) -> Result<Self, OpenError> {
        let address = |reason: String| OpenError::Address { url: without_password(url), reason };
        let mut base = Url::parse(url.trim_end_matches('/')).map_err(|error| address(error.to_string()))?;
        if base.scheme() != "http" {
            return Err(address("this program speaks no TLS; put a proxy on this machine before it".to_owned()));
        }
        let token = Some(base.username().to_owned()).filter(|token| !token.is_empty());
        // A URL with a host, which every one with `http` has, takes both.
        let cleared = base.set_username("").and_then(|()| base.set_password(None));
        cleared.map_err(|()| address("it has no host".to_owned()))?;
        base.set_path(&format!("{}{PATH}", base.path().trim_end_matches('/')));
        crate::tls::ready();
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(DEADLINE)
            // A redirect would carry the token to wherever it points.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("graphium-store/", env!("CARGO_PKG_VERSION")));
        if base.host_str().is_some_and(|host| host == "localhost" || host.starts_with("127.") || host == "[::1]") {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| address(reason(&error)))?;
        Ok(Self { http, url: base, token })
    }

    async fn ask<T: DeserializeOwned>(&self, call: Call) -> Result<T, StoreError> {
        let body = serde_json::to_vec(&call).map_err(|error| self.failed(error))?;
        if body.len() > LIMIT {
            return Err(too_large());
        }
        let mut request = self.http.post(self.url.clone()).header("content-type", "application/json").body(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.map_err(|error| self.failed(reason(&error)))?;
        let status = response.status();
        let text = self.read(response).await?;
        match status {
            StatusCode::OK => serde_json::from_slice::<Result<T, StoreError>>(&text)
                .unwrap_or_else(|error| Err(self.failed(format_args!("its answer is not understood ({error})")))),
            StatusCode::PAYLOAD_TOO_LARGE => Err(too_large()),
            _ => {
                let detail = serde_json::from_slice::<Problem>(&text).map(|problem| problem.detail);
                let detail = detail.unwrap_or_else(|_| "the answer is not one of a Graphium server".to_owned());
                Err(self.failed(format_args!("{}: {detail}", status.as_u16())))
            }
        }
    }

    /// The body of an answer, as far as it is of a sane size.
    async fn read(&self, mut response: Response) -> Result<Vec<u8>, StoreError> {
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(reason(&error)))? {
            if text.len() + chunk.len() > LIMIT {
                return Err(self.failed(format_args!("its answer is larger than {} MiB", LIMIT >> 20)));
            }
            text.extend_from_slice(&chunk);
        }
        Ok(text)
    }

    fn failed(&self, reason: impl fmt::Display) -> StoreError {
        StoreError::Unavailable(format!("no answer from {}: {reason}", self.url))
    }
}

/// Of a problem, what is for people.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

fn too_large() -> StoreError {
    let reason = format!("it is larger than {} MiB, which is what goes in one step", LIMIT >> 20);
    StoreError::Invalid { kind: "call", id: "submit".to_owned(), reason }
}

/// What went wrong below HTTP, by its deepest cause, which is the one that says something.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long, and may have been done all the same".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[async_trait]
impl TaskStore for HttpStore {
    async fn submit(&self, submission: Submission, now: Timestamp) -> Result<Submitted, StoreError> {
        self.ask(Call::Submit { submission: Box::new(submission), now }).await
    }

    async fn open_session(&self, request: SessionRequest, now: Timestamp) -> Result<Session, StoreError> {
        self.ask(Call::OpenSession { request, now }).await
    }

    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Task>, StoreError> {
        self.ask(Call::Claim { request, now }).await
    }

    async fn act(&self, task: &TaskId, input: Input, now: Timestamp) -> Result<Acted, StoreError> {
        self.ask(Call::Act { task: task.clone(), input: Box::new(input), now }).await
    }

    async fn renew(&self, leases: &[Lease], expires_at: Timestamp) -> Result<Vec<Task>, StoreError> {
        self.ask(Call::Renew { leases: leases.to_vec(), expires_at }).await
    }

    async fn expire(&self, now: Timestamp) -> Result<Acted, StoreError> {
        self.ask(Call::Expire { now }).await
    }

    async fn next_wakeup(&self) -> Result<Option<Timestamp>, StoreError> {
        self.ask(Call::NextWakeup).await
    }

    async fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.ask(Call::Record { key: key.clone() }).await
    }

    async fn records(&self, query: &RecordQuery) -> Result<Page<Record>, StoreError> {
        self.ask(Call::Records { query: query.clone() }).await
    }

    async fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        self.ask(Call::Task { id: id.clone() }).await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>, StoreError> {
        self.ask(Call::Tasks { query: query.clone() }).await
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.ask(Call::Events { after, limit }).await
    }

    /// The server that shares its store works on it, too.
    fn is_shared(&self) -> bool {
        true
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        self.ask(Call::LastEvent).await
    }

    async fn prune(&self, cut: &Cut) -> Result<Option<Pruned>, StoreError> {
        self.ask(Call::Prune { cut: Box::new(cut.clone()) }).await
    }
}
