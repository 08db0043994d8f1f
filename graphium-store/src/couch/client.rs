//! A thin client of CouchDB, whose answers say how far a write has come.
//!
//! Its every call has a deadline, every answer a bound. It repeats no write: whoever asks knows what a repetition means.

use super::{
    address::CouchAddress,
    answer::{CallError, Created, DatabaseInfo, Found, Rev, Written},
    pulse::{Asked, Pulse},
};
use jiff::Timestamp;
use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{fmt, future::poll_fn, pin::Pin, sync::Arc, task::Poll, time::Duration};
use tokio::time::timeout;

/// How long a call may take, its answer included.
const DEADLINE: Duration = Duration::from_secs(5);

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(2);

/// When a question for a document is asked again beside those that have no answer yet. Where the nodes do not agree CouchDB waits
/// for all of them, also for one that hangs; a moment later two of them may agree.
const AGAIN: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_millis(1_000),
    Duration::from_millis(1_000),
    Duration::from_millis(1_000),
];

/// Bytes of an answer.
const ANSWER: usize = 64 * 1024 * 1024;

/// A database of a CouchDB, as a client sees it. Cheap to clone.
#[derive(Clone)]
pub struct CouchClient {
    http: reqwest::Client,
    address: CouchAddress,
    pulse: Arc<Pulse>,
    /// Takes the place of the network.
    #[cfg(feature = "testing")]
    direct: Option<Arc<dyn super::direct::Direct>>,
}

impl fmt::Debug for CouchClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CouchClient").field("address", &self.address).finish_non_exhaustive()
    }
}

impl CouchClient {
    /// A client of a database.
    ///
    /// # Errors
    /// [`CallError::Unreachable`] when no HTTP client can be made.
    pub fn new(address: CouchAddress) -> Result<Self, CallError> {
        crate::tls::ready();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(DEADLINE)
            // A redirect would carry the password to wherever it points, a proxy would see it.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("graphium/", env!("CARGO_PKG_VERSION")))
            .build();
        let http =
            http.map_err(|error| CallError::Unreachable { place: address.to_string(), reason: error.to_string() })?;
        Ok(Self {
            http,
            address,
            pulse: Arc::default(),
            #[cfg(feature = "testing")]
            direct: None,
        })
    }

    /// The same, without a network.
    #[cfg(feature = "testing")]
    pub(crate) fn on(self, direct: Arc<dyn super::direct::Direct>) -> Self {
        Self { direct: Some(direct), ..self }
    }

    /// Where the database is, without credentials.
    pub fn address(&self) -> &CouchAddress {
        &self.address
    }

    /// Whether the database says anything at all.
    pub(super) fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// What the database says of itself; nothing where there is none.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn info(&self) -> Result<Option<DatabaseInfo>, CallError> {
        let (status, body) = self.send(self.request(Method::GET, &[], &[])).await?;
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            status => self.read(status, &body).map(Some),
        }
    }

    /// Makes the database. One that is there is left as it is.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn create(&self) -> Result<Created, CallError> {
        let (status, body) = self.send(self.request(Method::PUT, &[], &[])).await?;
        match status {
            StatusCode::ACCEPTED => Ok(Created::Accepted),
            status if status.is_success() || status == StatusCode::PRECONDITION_FAILED => Ok(Created::Ready),
            status => Err(self.refused(status, &body)),
        }
    }

    /// Removes the database with everything in it. One that is not there is left as it is.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn remove(&self) -> Result<(), CallError> {
        let (status, body) = self.send(self.request(Method::DELETE, &[], &[])).await?;
        if status.is_success() || status == StatusCode::NOT_FOUND { Ok(()) } else { Err(self.refused(status, &body)) }
    }

    /// A document as CouchDB shows it; nothing where there is none.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn get(&self, id: &str) -> Result<Option<Found>, CallError> {
        self.found(|| self.request(Method::GET, &[id], &[])).await
    }

    /// All revisions of a document that nothing was written upon, but for tombstones: one, or several in conflict. The one
    /// that CouchDB shows comes first.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn leaves(&self, id: &str) -> Result<Vec<Found>, CallError> {
        Ok(self.leaves_and_tombstones(id).await?.0)
    }

    /// The same, and the tombstones beside them: CouchDB keeps those of branches that have lost for ever.
    pub(super) async fn leaves_and_tombstones(&self, id: &str) -> Result<(Vec<Found>, Vec<Rev>), CallError> {
        #[derive(Deserialize)]
        struct Leaf {
            /// Absent for one that is missing on the node that was asked.
            ok: Option<Found>,
        }
        let request = || {
            // Otherwise it answers in parts of MIME.
            let request = self.request(Method::GET, &[id], &[("open_revs", "all")]);
            request.header(header::ACCEPT, "application/json")
        };
        let leaves: Option<Vec<Leaf>> = self.found(request).await?;
        let leaves = leaves.unwrap_or_default().into_iter().filter_map(|leaf| leaf.ok);
        let (deleted, mut leaves): (Vec<Found>, Vec<Found>) = leaves.partition(|leaf| leaf.is_deleted);
        leaves.sort_by(|a, b| b.rev.rank(&a.rev));
        Ok((leaves, deleted.into_iter().map(|leaf| leaf.rev).collect()))
    }

    /// Writes a document: a new one, or the next revision of one.
    ///
    /// # Errors
    /// [`CallError::Refused`] where it was certainly not written.
    pub async fn put(&self, id: &str, rev: Option<&Rev>, body: &(impl Serialize + Sync)) -> Result<Written, CallError> {
        let rev = rev.map(|rev| ("rev", rev.as_str()));
        self.written(self.request(Method::PUT, &[id], rev.as_slice()).json(body)).await
    }

    /// Puts a tombstone upon a revision.
    ///
    /// # Errors
    /// [`CallError::Refused`] where it was certainly not written.
    pub async fn delete(&self, id: &str, rev: &Rev) -> Result<Written, CallError> {
        self.written(self.request(Method::DELETE, &[id], &[("rev", rev.as_str())])).await
    }

    /// Documents with ids from `start` up to `end`, in order, at most `limit`. A hint: what was just written may be missing.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn range(&self, start: &str, end: &str, limit: usize) -> Result<Vec<Found>, CallError> {
        #[derive(Deserialize)]
        struct Row {
            doc: Option<Found>,
        }
        let more = [("include_docs", "true"), ("conflicts", "true")];
        let rows: Vec<Row> = self.list(start, end, limit, &more).await?;
        Ok(rows.into_iter().filter_map(|row| row.doc).collect())
    }

    /// The ids of such documents, with the revisions that CouchDB shows.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn names(&self, start: &str, end: &str, limit: usize) -> Result<Vec<(String, Rev)>, CallError> {
        #[derive(Deserialize)]
        struct Row {
            id: String,
            value: Shown,
        }
        #[derive(Deserialize)]
        struct Shown {
            rev: Rev,
        }
        let rows: Vec<Row> = self.list(start, end, limit, &[]).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.value.rev)).collect())
    }

    async fn list<T: for<'de> Deserialize<'de>>(
        &self,
        start: &str,
        end: &str,
        limit: usize,
        more: &[(&str, &str)],
    ) -> Result<Vec<T>, CallError> {
        #[derive(Deserialize)]
        struct Rows<T> {
            rows: Vec<T>,
        }
        let quoted = |id: &str| Value::from(id).to_string();
        let (start, end, limit) = (quoted(start), quoted(end), limit.to_string());
        let query = [("startkey", &*start), ("endkey", &*end), ("limit", &*limit)];
        let query = [&query, more].concat();
        let (status, body) = self.send(self.request(Method::GET, &["_all_docs"], &query)).await?;
        let rows: Option<Rows<T>> = self.found_in(status, &body)?;
        Ok(rows.map_or_else(Vec::new, |rows| rows.rows))
    }

    /// Takes revisions away without a tombstone; `false` where this server cannot.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn purge(&self, revs: &[(String, Vec<Rev>)]) -> Result<bool, CallError> {
        let body: Map<String, Value> =
            revs.iter().map(|(id, revs)| (id.clone(), revs.iter().map(Rev::as_str).collect())).collect();
        let (status, body) = self.send(self.request(Method::POST, &["_purge"], &[]).json(&body)).await?;
        match status {
            status if status.is_success() => Ok(true),
            // Servers that speak CouchDB's language and know no purge say so in different ways.
            StatusCode::BAD_REQUEST
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::NOT_IMPLEMENTED => Ok(false),
            status => Err(self.refused(status, &body)),
        }
    }

    fn request(&self, method: Method, path: &[&str], query: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.address.base().clone();
        // Only a URL that cannot be a base has no segments, and this one is of http.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url);
        match self.address.credentials() {
            Some((user, password)) => request.basic_auth(user, password),
            None => request,
        }
    }

    async fn written(&self, request: RequestBuilder) -> Result<Written, CallError> {
        #[derive(Deserialize)]
        struct Answer {
            rev: Rev,
        }
        let (status, body) = match self.send(request).await {
            Ok(answer) => answer,
            Err(CallError::Unreachable { reason, .. } | CallError::Unreadable { reason, .. }) => {
                return Ok(Written::Unknown(reason));
            }
            Err(error) => return Err(error),
        };
        match (status, serde_json::from_slice::<Answer>(&body)) {
            (StatusCode::CREATED | StatusCode::OK, Ok(answer)) => Ok(Written::Quorum(answer.rev)),
            (StatusCode::ACCEPTED, Ok(answer)) => Ok(Written::Accepted(answer.rev)),
            (StatusCode::CONFLICT, _) => Ok(Written::Conflict),
            (status, Err(error)) if status.is_success() => Ok(Written::Unknown(error.to_string())),
            (status, _) => Err(self.refused(status, &body)),
        }
    }

    /// What is at an address, which is asked as often as no answer comes.
    async fn found<T: for<'de> Deserialize<'de>>(
        &self,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Option<T>, CallError> {
        let asked = self.pulse.asked(Timestamp::now());
        let answer = timeout(DEADLINE, self.ask(request)).await;
        let (status, body) = answer.map_err(|_| self.given_up(asked))??;
        self.found_in(status, &body)
    }

    async fn ask(&self, request: impl Fn() -> RequestBuilder) -> Result<(StatusCode, Vec<u8>), CallError> {
        let mut asked = vec![Box::pin(self.send(request()))];
        for wait in AGAIN {
            match timeout(wait, first_of(&mut asked)).await {
                Ok(answer) => return answer,
                Err(_) => asked.push(Box::pin(self.send(request()))),
            }
        }
        first_of(&mut asked).await
    }

    fn found_in<T: for<'de> Deserialize<'de>>(&self, status: StatusCode, body: &[u8]) -> Result<Option<T>, CallError> {
        match status {
            // Without its database nothing is "not there": the answer would be that everything is gone.
            StatusCode::NOT_FOUND if !is_database_missing(body) => Ok(None),
            status => self.read(status, body).map(Some),
        }
    }

    fn read<T: for<'de> Deserialize<'de>>(&self, status: StatusCode, body: &[u8]) -> Result<T, CallError> {
        if status != StatusCode::OK {
            return Err(self.refused(status, body));
        }
        serde_json::from_slice(body).map_err(|error| self.unreadable(error.to_string()))
    }

    /// An answer, if one came in time that is not the failure of a server.
    async fn send(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), CallError> {
        let asked = self.pulse.asked(Timestamp::now());
        #[cfg(feature = "testing")]
        if let Some(direct) = &self.direct {
            return self.send_on(direct.as_ref(), request, asked).await;
        }
        let broken =
            |error: reqwest::Error| if error.is_timeout() { self.given_up(asked) } else { self.broke(reason(&error)) };
        let mut response = request.send().await.map_err(broken)?;
        // The rest of an answer may be long, and fail: silent it is not.
        self.pulse.answered(Timestamp::now());
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > ANSWER {
                return Err(self.unreadable(format!("more than {ANSWER} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        self.heard(status, body)
    }

    fn heard(&self, status: StatusCode, body: Vec<u8>) -> Result<(StatusCode, Vec<u8>), CallError> {
        if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED {
            return Err(self.unreachable(format!("{}: {}", status.as_u16(), words(&body))));
        }
        Ok((status, body))
    }

    #[cfg(feature = "testing")]
    async fn send_on(
        &self,
        direct: &dyn super::direct::Direct,
        request: RequestBuilder,
        asked: Asked,
    ) -> Result<(StatusCode, Vec<u8>), CallError> {
        let request = request.build().map_err(|error| self.unreachable(reason(&error)))?;
        let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
        let url = request.url();
        let call = direct.call(request.method().as_str(), url.path(), url.query().unwrap_or_default(), body);
        let answer = timeout(DEADLINE, call).await.map_err(|_| self.given_up(asked))?;
        let (status, body) = answer.ok_or_else(|| self.broke("the connection broke".to_owned()))?;
        self.pulse.answered(Timestamp::now());
        self.heard(StatusCode::from_u16(status).map_err(|error| self.unreadable(error.to_string()))?, body)
    }

    fn given_up(&self, asked: Asked) -> CallError {
        self.pulse.given_up(asked);
        self.unreachable("nothing was heard in time".to_owned())
    }

    fn broke(&self, reason: String) -> CallError {
        self.pulse.broke();
        self.unreachable(reason)
    }

    fn unreachable(&self, reason: String) -> CallError {
        CallError::Unreachable { place: self.address.to_string(), reason }
    }

    fn unreadable(&self, reason: String) -> CallError {
        CallError::Unreadable { place: self.address.to_string(), reason }
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> CallError {
        CallError::Refused { place: self.address.to_string(), status: status.as_u16(), reason: words(body) }
    }
}

/// What the first of several that ends comes to.
async fn first_of<F: Future + Unpin>(running: &mut [F]) -> F::Output {
    poll_fn(|context| {
        let ended = running.iter_mut().find_map(|future| match Pin::new(future).poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        });
        ended.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

fn is_database_missing(body: &[u8]) -> bool {
    let words = words(body);
    words.contains("Database does not exist") || words.contains("no_db_file")
}

/// What an answer that is an error says, in CouchDB's own words as far as it has any.
fn words(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Problem {
        error: String,
        #[serde(default)]
        reason: String,
    }
    match serde_json::from_slice::<Problem>(body) {
        Ok(Problem { error, reason }) if reason.is_empty() => error,
        Ok(Problem { error, reason }) => format!("{error}: {reason}"),
        Err(_) => String::from_utf8_lossy(body).chars().take(200).collect(),
    }
}

/// The innermost cause: the others only say that something was sent.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
