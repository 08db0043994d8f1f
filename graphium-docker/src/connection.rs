//! One engine, spoken to in a version that both sides know, with a deadline on every call.

use crate::{Endpoint, dial, error::Fault};
use bollard::{API_DEFAULT_VERSION, BollardRequest, ClientVersion, Docker, errors::Error};
use graphium_core::runtime::RuntimeError;
use hyper::header::HeaderValue;
use std::{future::Future, sync::Mutex, time::Duration};

/// The header that has the login to a registry.
const LOGIN: &str = "x-registry-auth";
/// How long an engine may take to say which version it is.
const NEGOTIATION: Duration = Duration::from_secs(15);
/// Bollard's own bound on a response's head. Ours, per call, are always shorter.
const NEVER: u64 = 24 * 60 * 60;

/// What stands for an engine where another way than its name leads to it.
const ENGINE: &str = "http://engine";

/// The road to an engine.
///
/// Nothing is sent before the first call, so an engine that is down when the agent starts is an answer of that call
/// and not a failure to start. The version is negotiated then, and anew after the engine was away: it may have come back as another one.
#[derive(Debug)]
pub(crate) struct Connection {
    endpoint: Endpoint,
    client: Mutex<Option<Client>>,
}

/// A client whose version is negotiated.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Sends its requests under the negotiated version.
    pub(crate) docker: Docker,
    /// The version on the wire.
    pub(crate) api: ApiVersion,
    /// The engine's own version.
    pub(crate) engine: String,
    /// `linux/amd64`.
    pub(crate) platform: String,
}

/// A version of the Engine API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ApiVersion(pub(crate) usize, pub(crate) usize);

impl std::fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl std::str::FromStr for ApiVersion {
    type Err = RuntimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
        let (major, minor) = parts.ok_or_else(|| RuntimeError::Failed(format!("`{text}` is no API version")))?;
        Ok(Self(major, minor))
    }
}

/// What is asked, for the error that says that it took too long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    verb: &'static str,
    subject: &'a str,
    deadline: Duration,
}

impl<'a> Call<'a> {
    /// A call that must be answered in time.
    pub(crate) fn new(verb: &'static str, subject: &'a str, deadline: Duration) -> Self {
        Self { verb, subject, deadline }
    }

    /// The error of having waited for so long.
    pub(crate) fn timed_out(&self) -> RuntimeError {
        let operation = format!("{} {}", self.verb, self.subject).trim_end().to_owned();
        RuntimeError::TimedOut { operation, seconds: self.deadline.as_secs() }
    }
}

impl Connection {
    /// A road to be taken later.
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, client: Mutex::new(None) }
    }

    /// Where it leads.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Asks the engine, bounded by the call's deadline.
    pub(crate) async fn call<T, F>(&self, call: Call<'_>, ask: impl FnOnce(Docker) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let client = self.client().await?;
        match tokio::time::timeout(call.deadline, ask(client.docker)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.fault(error)),
            Err(_) => Err(Fault::Other(call.timed_out())),
        }
    }

    /// Sorts an error; one that says that the engine is away makes the next call negotiate anew.
    pub(crate) fn fault(&self, error: Error) -> Fault {
        let fault = Fault::new(error, &self.endpoint);
        if matches!(fault, Fault::Other(RuntimeError::Unreachable { .. })) {
            self.forget();
        }
        fault
    }

    /// The next call negotiates anew.
    pub(crate) fn forget(&self) {
        *self.lock() = None;
    }

    /// The client, negotiated if that is not done yet.
    ///
    /// Callers at the same moment may each negotiate; the answers are alike and the last one stays.
    pub(crate) async fn client(&self) -> Result<Client, RuntimeError> {
        if let Some(client) = &*self.lock() {
            return Ok(client.clone());
        }
        let call = Call::new("asking the engine's version", "", NEGOTIATION);
        let negotiated = tokio::time::timeout(NEGOTIATION, self.negotiate()).await.map_err(|_| call.timed_out())?;
        let client = negotiated?;
        *self.lock() = Some(client.clone());
        Ok(client)
    }

    async fn negotiate(&self) -> Result<Client, RuntimeError> {
        let docker = self.open().map_err(|error| Fault::new(error, &self.endpoint))?;
        let version = docker.version().await.map_err(|error| Fault::new(error, &self.endpoint))?;
        let newest = ApiVersion(API_DEFAULT_VERSION.major_version, API_DEFAULT_VERSION.minor_version);
        let api = version.api_version.as_deref().unwrap_or_default().parse::<ApiVersion>()?.min(newest);
        // Bollard negotiates a version and then sends its requests without one, which an engine takes as its own
        // newest: answers would be of another shape than the one agreed.
        let docker = docker.with_request_modifier(move |request| versioned(request, api));
        let (os, arch) = (version.os.unwrap_or_default(), version.arch.unwrap_or_default());
        Ok(Client { docker, api, engine: version.version.unwrap_or_default(), platform: format!("{os}/{arch}") })
    }

    fn open(&self) -> Result<Docker, Error> {
        let newest: &ClientVersion = API_DEFAULT_VERSION;
        match &self.endpoint {
            Endpoint::Unix(path) => Docker::connect_with_unix(&path.to_string_lossy(), NEVER, newest),
            Endpoint::Http(authority) => Docker::connect_with_custom_transport(
                dial::over_tcp(authority),
                Some(format!("http://{authority}")),
                NEVER,
                newest,
            ),
            // What is on the other side has no name here, and what comes out of TLS is HTTP.
            Endpoint::Ssh(target) => {
                Docker::connect_with_custom_transport(dial::over_ssh(target.clone()), Some(ENGINE), NEVER, newest)
            }
            Endpoint::Tls(target) => {
                Docker::connect_with_custom_transport(dial::over_tls(target.clone()), Some(ENGINE), NEVER, newest)
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Client>> {
        self.client.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Puts `/v1.41` before the path.
fn versioned(mut request: BollardRequest, api: ApiVersion) -> BollardRequest {
    let uri = request.uri();
    let (scheme, authority) = (uri.scheme_str().unwrap_or("http"), uri.authority().map_or("", |part| part.as_str()));
    let path = uri.path_and_query().map_or("/", |part| part.as_str());
    // Always parses: only letters, digits and dots are put between two parts that are parsed already.
    if let Ok(uri) = format!("{scheme}://{authority}/v{api}{path}").parse() {
        *request.uri_mut() = uri;
    }
    // Bollard writes a login in the alphabet of mail; an engine reads that of URLs (RFC 4648, section 5), and takes a login
    // with any of the two letters that differ for none.
    let login = request.headers().get(LOGIN).and_then(|value| value.to_str().ok());
    let login = login.map(|text| text.replace('+', "-").replace('/', "_"));
    if let Some(Ok(mut login)) = login.map(|text| HeaderValue::from_str(&text)) {
        login.set_sensitive(true);
        request.headers_mut().insert(LOGIN, login);
    }
    request
}
