//! A whole server in one call: store, control plane, router, monitor.

use crate::{
    api::{AppState, crowd::Crowd, router},
    auth::{self, AdminTokenError, Token, local},
    environment::TokioEnvironment,
    events::Broadcast,
    secrets::{self, FileSealer},
    serve::{Limits, ServerHandle, serve},
    stop::Stopper,
    tls::{self, Certificate},
    traces,
};
use axum::Router;
use graphium_core::{
    control::{Control, ControlError, Settings},
    environment::Environment,
    event::EventSink,
};
use std::{
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinHandle};

/// How many ports after the wanted one are tried.
const PORTS: u16 = 100;

/// What a server is started with.
#[derive(Clone)]
pub struct ServerOptions {
    /// Where it listens; port 0 takes any.
    pub listen: SocketAddr,
    /// What to do when the port is taken.
    pub port: PortChoice,
    /// Where it keeps its data: `sqlite:PATH`, `couchdb://USER:PASSWORD@HOST:5984/DATABASE`, `memory:`, or the store of
    /// another server.
    pub store_url: String,
    /// Where its administrator's token lies.
    pub data_dir: PathBuf,
    /// The times of the control plane.
    pub settings: Settings,
    /// Where it leaves a note for the command line of the same user; none: it leaves none.
    pub notes: Option<PathBuf>,
    /// What peers may take.
    pub limits: Limits,
    /// Whether other programs may use its store through it.
    pub store_access: StoreAccess,
    /// With what connections are encrypted; absent: they are not.
    pub certificate: Option<Certificate>,
    /// The file with the key of the secrets; absent: `secrets.key` in the data directory.
    pub secrets_key: Option<PathBuf>,
}

impl fmt::Debug for ServerOptions {
    /// Without the store's password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("listen", &self.listen)
            .field("port", &self.port)
            .field("store_url", &graphium_store::without_password(&self.store_url))
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

impl ServerOptions {
    /// The usual server: exactly that address, the default times, a note for the command line.
    pub fn new(listen: SocketAddr, store_url: impl Into<String>, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            listen,
            port: PortChoice::Exact,
            store_url: store_url.into(),
            data_dir: data_dir.into(),
            settings: Settings::default(),
            notes: local::folder(),
            limits: Limits::default(),
            store_access: StoreAccess::default(),
            certificate: None,
            secrets_key: None,
        }
    }
}

/// Who may use a server's store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreAccess {
    /// The server alone.
    #[default]
    Own,
    /// Whoever has an administrator's token, too, with all that is in it: values of variables and hashes of tokens.
    Shared,
}

/// What to do when a port is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PortChoice {
    /// Fail.
    #[default]
    Exact,
    /// Take the next that is free.
    NextFree,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be had.
    #[error("cannot listen on {addr}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The store cannot be opened.
    #[error("the store cannot be opened")]
    Store(#[from] graphium_store::OpenError),
    /// What the store holds cannot be taken up.
    #[error("the control plane does not start")]
    Control(#[from] ControlError),
    /// There is no administrator's token.
    #[error(transparent)]
    AdminToken(#[from] AdminTokenError),
}

/// A server that runs.
#[derive(Debug)]
pub struct RunningServer {
    handle: ServerHandle,
    monitor: JoinHandle<()>,
    control: Arc<Control>,
    admin_token_file: PathBuf,
    setup_code: Option<Token>,
    certificate: Option<Certificate>,
    _registration: Option<local::Registration>,
}

impl RunningServer {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.handle.addr()
    }

    /// Its address for clients on this machine.
    pub fn url(&self) -> String {
        url(self.addr(), self.certificate.is_some())
    }

    /// With what its connections are encrypted.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// Its control plane, for an agent within the same program.
    pub fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Whether it goes round: connections are taken, and the monitor runs. It has so long to answer.
    ///
    /// Cancellation: dropping the future changes nothing.
    pub async fn is_alive(&self, patience: Duration) -> bool {
        !self.monitor.is_finished() && self.handle.is_accepting(patience).await
    }

    /// The file with its administrator's token.
    pub fn admin_token_file(&self) -> &Path {
        &self.admin_token_file
    }

    /// The page that makes the first administrator, where nobody may log in yet. It is good once, for an hour.
    pub fn setup_link(&self) -> Option<String> {
        self.setup_code.as_ref().map(|code| format!("{}/web/setup/{}", self.url(), code.reveal()))
    }

    /// Ends it within two seconds, also with streams open. What is under way goes on with the next start.
    pub async fn shutdown(self) {
        self.handle.shutdown().await;
        self.monitor.abort();
        let _aborted = self.monitor.await;
    }
}

/// Starts a server.
///
/// # Errors
/// [`StartError`]; nothing is left running.
pub async fn start(options: ServerOptions) -> Result<RunningServer, StartError> {
    start_with(options, |router| router).await
}

/// The same with the router as the caller wraps it: in layers of its own, or beside routes of its own.
///
/// # Errors
/// As [`start`].
pub async fn start_with(
    options: ServerOptions,
    wrap: impl FnOnce(Router) -> Router,
) -> Result<RunningServer, StartError> {
    // The program around it may make clients of its own, too.
    tls::ready();
    // The port first: when it is taken, another server is likely to have the store as well.
    let listener = listen(options.listen, options.port).await?;
    let environment: Arc<dyn Environment> = Arc::new(TokioEnvironment::new());
    let now = environment.now();
    let store = graphium_store::open(&options.store_url, graphium_store::Options::at(now)).await?;
    let broadcast = Arc::new(Broadcast::default());
    let sink: Arc<dyn EventSink> = broadcast.clone();
    let store = traces::watched(store);
    let control = Control::open(store, sink, Arc::clone(&environment), options.settings).await?;
    let key = options.secrets_key.unwrap_or_else(|| options.data_dir.join(secrets::FILE));
    traces::tell_plans(&control);
    control.seal_secrets_with(Arc::new(FileSealer::new(key)));
    let admin_token_file = auth::admin_token(&control, &options.data_dir, now).await?;
    let setup_code = auth::setup_code(&control, now).await?;

    let listen_error = |source| StartError::Listen { addr: options.listen, source };
    let addr = listener.local_addr().map_err(listen_error)?;
    // The note first: who hears that the server is ready finds its token.
    let registration = options.notes.and_then(|folder| {
        local::register(
            &folder,
            &url(addr, options.certificate.is_some()),
            options.certificate.as_ref().map(Certificate::pin),
            &options.data_dir,
        )
        .inspect_err(|error| tracing::warn!(%error, "the command line will not find this server's token by itself"))
        .ok()
    });
    let stopper = Stopper::default();
    let state = AppState::new(Arc::clone(&control), broadcast, environment, stopper.hear());
    let mut state = state.with(|parts| {
        parts.is_encrypted = options.certificate.is_some();
        parts.crowd = Arc::new(Crowd::new(&options.limits));
        // One that others have signed is known by its name.
        parts.pin = options.certificate.as_ref().filter(|certificate| certificate.is_own()).map(Certificate::pin);
    });
    if options.store_access == StoreAccess::Shared {
        state = state.sharing(Arc::clone(control.store()));
    }
    let router = wrap(router(state));
    let certificate = options.certificate.as_ref();
    let handle = serve(listener, router, stopper, options.limits, certificate).map_err(listen_error)?;
    let monitor = tokio::spawn(Arc::clone(&control).run_telling(tell_trouble()));
    if !addr.ip().is_loopback() && options.certificate.is_none() {
        tracing::warn!(%addr, "other machines reach this server, and nothing is encrypted: tokens can be read on the way; start it with `--tls`, put TLS before it, or use a private network");
    }
    Ok(RunningServer {
        handle,
        monitor,
        control,
        admin_token_file,
        setup_code,
        certificate: options.certificate,
        _registration: registration,
    })
}

/// Logs when the monitor begins to be unable to do something, or something else, and when it can do everything again.
fn tell_trouble() -> impl FnMut(Result<(), ControlError>) + Send {
    let mut before: Option<String> = None;
    move |tick| {
        let now = tick.err().map(|error| error.to_string());
        if now != before {
            match &now {
                Some(error) => {
                    tracing::warn!(%error, "the monitor cannot do all that is due; it tries again at each tick");
                }
                None => tracing::info!("the monitor does all that is due again"),
            }
            before = now;
        }
    }
}

/// Its address for clients on this machine.
fn url(addr: SocketAddr, is_encrypted: bool) -> String {
    let scheme = if is_encrypted { "https" } else { "http" };
    match (addr.ip().is_unspecified(), addr.is_ipv4()) {
        (true, true) => format!("{scheme}://127.0.0.1:{}", addr.port()),
        (true, false) => format!("{scheme}://[::1]:{}", addr.port()),
        (false, _) => format!("{scheme}://{addr}"),
    }
}

async fn listen(wanted: SocketAddr, choice: PortChoice) -> Result<TcpListener, StartError> {
    let mut addr = wanted;
    loop {
        match TcpListener::bind(addr).await {
            Ok(listener) => return Ok(listener),
            Err(error)
                if choice == PortChoice::NextFree
                    && error.kind() == io::ErrorKind::AddrInUse
                    && addr.port() - wanted.port() < PORTS
                    && addr.port() < u16::MAX =>
            {
                addr.set_port(addr.port() + 1);
            }
            Err(source) => return Err(StartError::Listen { addr, source }),
        }
    }
}
