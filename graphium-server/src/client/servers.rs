//! The servers that a client talks to: to any of them, and to another after one has ended.

use super::{ClientError, call::reason};
use crate::tls::{self, Pin, pinned};
use reqwest::Url;
use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a connection that nobody uses is kept: less than a server keeps it, and for nobody who asks rarely.
const UNUSED: Duration = Duration::from_secs(5);

/// How long what was sent may stay unheard: then nobody is there any more.
const UNHEARD: Duration = Duration::from_secs(90);

/// What a client shows a server, and how it knows it.
#[derive(Clone, Default)]
pub struct Access {
    /// The token that it is shown.
    pub token: Option<String>,
    /// The fingerprint of its certificate; absent: whoever the machine trusts has signed it. Without TLS it is not asked for.
    pub pin: Option<Pin>,
}

impl From<Option<String>> for Access {
    fn from(token: Option<String>) -> Self {
        Self { token, pin: None }
    }
}

impl fmt::Debug for Access {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("pin", &self.pin).finish_non_exhaustive()
    }
}

/// Servers on one store. The same is asked until it does not answer.
pub(super) struct Servers {
    first: Server,
    others: Vec<Server>,
    /// How often one was left for the next: says which is asked.
    left: AtomicUsize,
}

/// A server, and what it is shown.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) http: reqwest::Client,
    pub(super) base: Url,
    token: Arc<RwLock<Option<String>>>,
    /// Woken when a server says that the token is to be replaced.
    pub(super) due: Arc<Notify>,
}

impl Server {
    fn new(base_url: &str, access: Access, due: Arc<Notify>) -> Result<Self, ClientError> {
        let Access { token, pin } = access;
        let address = |reason: String| ClientError::Address { url: base_url.to_owned(), reason };
        let base = Url::parse(base_url.trim_end_matches('/')).map_err(|error| address(error.to_string()))?;
        if !["http", "https"].contains(&base.scheme()) {
            return Err(address("it does not begin with http:// or https://".into()));
        }
        tls::ready();
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .tcp_user_timeout(UNHEARD)
            .pool_idle_timeout(UNUSED)
            // A redirect would carry the token to wherever it points.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("graphium/", env!("CARGO_PKG_VERSION")));
        if base.scheme() == "https"
            && let Some(pin) = pin
        {
            http = http.tls_backend_preconfigured(pinned(pin).map_err(|error| address(error.to_string()))?);
        }
        if super::is_loopback(&base) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| address(reason(&error)))?;
        Ok(Self { http, base, token: Arc::new(RwLock::new(token)), due })
    }

    /// What it is shown.
    pub(super) fn token(&self) -> Option<String> {
        self.token.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it is shown from now on.
    pub(super) fn show(&self, token: &str) {
        *self.token.write().unwrap_or_else(PoisonError::into_inner) = Some(token.to_owned());
    }

    /// Its address, without a slash at its end.
    pub(super) fn base_url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }
}

impl Servers {
    pub(super) fn new<'a>(servers: impl IntoIterator<Item = (&'a str, Access)>) -> Result<Self, ClientError> {
        let mut servers = servers.into_iter();
        let none = || ClientError::Address { url: String::new(), reason: "none was named".to_owned() };
        let (url, token) = servers.next().ok_or_else(none)?;
        let due = Arc::new(Notify::new());
        let first = Server::new(url, token, Arc::clone(&due))?;
        let others = servers.map(|(url, token)| Server::new(url, token, Arc::clone(&due))).collect::<Result<_, _>>()?;
        Ok(Self { first, others, left: AtomicUsize::new(0) })
    }

    /// Each of them alone, in their order.
    pub(super) fn apart(&self) -> impl Iterator<Item = Self> {
        self.all().map(|server| Self { first: server.clone(), others: Vec::new(), left: AtomicUsize::new(0) })
    }

    /// Each of them, in their order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Server> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The one that is asked.
    pub(super) fn present(&self) -> &Server {
        self.after(self.left.load(Ordering::Relaxed))
    }

    /// The one that is asked, and after it every other once.
    pub(super) fn attempts(&self) -> impl Iterator<Item = Attempt<'_>> {
        let left = self.left.load(Ordering::Relaxed);
        (0..=self.others.len()).map(move |turn| Attempt {
            servers: self,
            left: left.wrapping_add(turn),
            is_over: false,
        })
    }

    /// The one that is asked after so many were left.
    fn after(&self, left: usize) -> &Server {
        match left % (self.others.len() + 1) {
            0 => &self.first,
            place => self.others.get(place - 1).unwrap_or(&self.first),
        }
    }
}

/// One server is asked. Unless it has answered for itself, another is asked next time: also when nobody waited for its answer
/// any longer.
pub(super) struct Attempt<'a> {
    servers: &'a Servers,
    /// How often a server was left before.
    left: usize,
    is_over: bool,
}

impl Attempt<'_> {
    pub(super) fn server(&self) -> &Server {
        self.servers.after(self.left)
    }

    /// It has answered, whatever it says: it is asked again.
    pub(super) fn answered(mut self) {
        self.is_over = true;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            // Whoever comes late finds that another has left it already.
            let next = self.left.wrapping_add(1);
            let _ = self.servers.left.compare_exchange(self.left, next, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}
