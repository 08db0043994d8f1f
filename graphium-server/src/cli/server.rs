//! `graphium server`: the control plane.

use super::{
    allow::AllowArgs,
    connect, duration,
    exit::{Exit, Failure},
    logging, memory,
    output::Output,
    signals,
};
use crate::config::Config;
use graphium_core::control::Retention;
use graphium_server::{
    RunningServer, ServerOptions, StartError, StoreAccess, notify::Manager, start, tls::Certificate, traces::Exporting,
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};
use tracing_subscriber::filter::LevelFilter;

/// How long the server may take to say that it goes round.
const ANSWER: Duration = Duration::from_secs(5);

/// Runs the server
#[derive(Debug, clap::Args)]
pub(crate) struct ServerArgs {
    /// Where it listens; other machines reach it only on an address of this machine's network
    #[arg(long, env = "GRAPHIUM_LISTEN", default_value = "127.0.0.1:8095", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Where it keeps its data: sqlite:PATH, couchdb://USER:PASSWORD@HOST:5984/DATABASE, memory:, or http://TOKEN@HOST:PORT of a server that shares its store [default: sqlite:<data-dir>/graphium.db]
    #[arg(long, env = "GRAPHIUM_STORE", value_name = "URL", hide_env_values = true)]
    store: Option<String>,
    /// Lets whoever has an administrator's token use the store from elsewhere, with everything that is in it
    #[arg(long, env = "GRAPHIUM_SHARE_STORE")]
    share_store: bool,
    /// After how long without a word from its agent a host counts as offline: 10s to 1h, the same for all servers on one store
    #[arg(long, env = "GRAPHIUM_OFFLINE_AFTER", default_value = "15s", value_name = "TIME", value_parser = offline_after)]
    offline_after: Duration,
    /// How long an agent's token is good: 1h to ten years. The agent replaces it when a third of that is left
    #[arg(long, env = "GRAPHIUM_AGENT_TOKEN_LIFETIME", default_value = "90d", value_name = "TIME", value_parser = agent_token_lifetime)]
    agent_token_lifetime: Duration,
    #[command(flatten)]
    allow: AllowArgs,
    #[command(flatten)]
    tls: TlsArgs,
    /// The file with the key that secrets are sealed with, the same for all servers on one store; it is made with the first secret [default: <data-dir>/secrets.key]
    #[arg(long, env = "GRAPHIUM_SECRETS_KEY", value_name = "FILE")]
    secrets_key: Option<PathBuf>,
    #[command(flatten)]
    retention: RetentionArgs,
}

/// How connections are encrypted.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "TLS")]
struct TlsArgs {
    /// Encrypts connections with a certificate of the server's own making, kept in its data directory; clients know it by its fingerprint
    #[arg(long, env = "GRAPHIUM_TLS", conflicts_with = "tls_cert")]
    tls: bool,
    /// A name of this server for its own certificate; may be repeated
    #[arg(long, value_name = "NAME", requires = "tls")]
    tls_name: Vec<String>,
    /// Encrypts connections with the certificate of this file (PEM, with those that sign it)
    #[arg(long, env = "GRAPHIUM_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key (PEM)
    #[arg(long, env = "GRAPHIUM_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

impl TlsArgs {
    fn certificate(&self, listen: SocketAddr, data_dir: &Path) -> Result<Option<Certificate>, Failure> {
        let made = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Certificate::of_files(certificate, key),
            _ if self.tls => {
                let mut names = vec!["localhost".to_owned()];
                names.extend(self.tls_name.iter().cloned());
                Certificate::own(data_dir, &names, &[listen.ip(), IpAddr::V4(Ipv4Addr::LOCALHOST)])
            }
            _ => return Ok(None),
        };
        made.map(Some).map_err(|error| {
            Failure::new(Exit::Failed, "connections cannot be encrypted")
                .because(&error)
                .hint("`--tls-cert` and `--tls-key` take PEM files; `--tls` makes a certificate of its own")
        })
    }
}

/// An agent is heard by the answer to its claims, which comes after three eighths of that, and may need as long and two seconds more to see that
/// one was lost.
const OFFLINE_AFTER: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(3600);

fn offline_after(text: &str) -> Result<Duration, String> {
    let time = duration::parse(text)?;
    if OFFLINE_AFTER.contains(&time) {
        return Ok(time);
    }
    Err(format!(
        "a host counts as offline after 10s at the soonest, for its agent is heard every few seconds, and after 1h at the latest; not after {text}"
    ))
}

/// An agent calls every few seconds, but may be away for a while.
const AGENT_TOKEN_LIFETIME: RangeInclusive<Duration> =
    Duration::from_secs(3600)..=Duration::from_secs(10 * 366 * 86_400);

fn agent_token_lifetime(text: &str) -> Result<Duration, String> {
    let time = duration::parse(text)?;
    if AGENT_TOKEN_LIFETIME.contains(&time) {
        return Ok(time);
    }
    Err(format!("an agent's token is good for 1h at least, and for ten years at most; not for {text}"))
}

/// How long what is over is kept. What a stack is or did last is kept in any case.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Retention")]
struct RetentionArgs {
    /// How long finished deployments and their tasks are kept
    #[arg(long, env = "GRAPHIUM_KEEP_TASKS", default_value = "7d", value_name = "TIME", value_parser = duration::parse)]
    keep_tasks: Duration,
    /// How many tasks are kept at most: the oldest finished ones go before their time
    #[arg(long, env = "GRAPHIUM_MAX_TASKS", default_value_t = Retention::default().max_tasks, value_name = "NUMBER")]
    max_tasks: u64,
    /// How long events are kept
    #[arg(long, env = "GRAPHIUM_KEEP_EVENTS", default_value = "7d", value_name = "TIME", value_parser = duration::parse)]
    keep_events: Duration,
    /// How many events are kept at most
    #[arg(long, env = "GRAPHIUM_MAX_EVENTS", default_value_t = Retention::default().max_events, value_name = "NUMBER")]
    max_events: u64,
    /// How long the audit is kept
    #[arg(long, env = "GRAPHIUM_KEEP_AUDIT", default_value = "400d", value_name = "TIME", value_parser = duration::parse)]
    keep_audit: Duration,
    /// How many entries of the audit are kept at most [default: 1000000, of a store that servers share 50000]
    #[arg(long, env = "GRAPHIUM_MAX_AUDIT", value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    max_audit: Option<u64>,
}

impl RetentionArgs {
    fn retention(&self) -> Retention {
        Retention {
            tasks: self.keep_tasks,
            max_tasks: self.max_tasks,
            events: self.keep_events,
            max_events: self.max_events,
            audit: self.keep_audit,
            max_audit: self.max_audit,
            ..Retention::default()
        }
    }
}

pub(crate) fn run(args: &ServerArgs, config: &Config, output: &Output) -> Result<Exit, Failure> {
    logging::begin(LevelFilter::INFO);
    let data_dir = config.data_dir()?;
    let store = args.store.clone().unwrap_or_else(|| default_store(data_dir));
    let runtime = tokio::runtime::Runtime::new().map_err(|error| connect::no_runtime(&error))?;
    let traces = Exporting::begin("graphium-server");
    let ended = runtime.block_on(async {
        let stop = signals::stop_requested();
        make_folder(data_dir)?;
        let store_access = if args.share_store { StoreAccess::Shared } else { StoreAccess::Own };
        let certificate = args.tls.certificate(args.listen, data_dir)?;
        let mut options =
            ServerOptions { store_access, certificate, ..ServerOptions::new(args.listen, store.clone(), data_dir) };
        options.secrets_key.clone_from(&args.secrets_key);
        options.limits = options.limits.within_descriptors();
        options.settings.offline_after = args.offline_after;
        options.settings.admission = args.allow.admission();
        options.settings.retention = args.retention.retention();
        options.settings.agents_credential = args.agent_token_lifetime;
        let server = start(options).await.map_err(|error| not_started(&error))?;
        greet(&server, &store, output);
        tokio::spawn(memory::give_back());
        let manager = Manager::find();
        if let Some(manager) = &manager {
            manager.ready(&format!("listens on {}", server.url()));
        }
        tokio::select! {
            () = stop => {}
            () = watched(manager.as_ref(), async || server.is_alive(ANSWER).await) => {}
        }
        if let Some(manager) = &manager {
            manager.stopping();
        }
        output.say("stopping; once more Ctrl-C ends it at once");
        server.shutdown().await;
        Ok(Exit::Ok)
    });
    traces.end();
    ended
}

/// Tells the service manager, where there is one, that the program lives. Never returns.
pub(crate) async fn watched(manager: Option<&Manager>, is_alive: impl AsyncFnMut() -> bool) {
    match manager {
        Some(manager) => manager.feed(is_alive).await,
        None => std::future::pending().await,
    }
}

/// The store of a data directory.
pub(crate) fn default_store(data_dir: &Path) -> String {
    format!("sqlite:{}", data_dir.join("graphium.db").display())
}

/// Makes the data directory, for its owner alone.
pub(crate) fn make_folder(path: &Path) -> Result<(), Failure> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| {
        Failure::new(Exit::Failed, format!("the data directory `{}` cannot be made: {error}", path.display()))
            .hint("choose another with `--data-dir DIR`")
    })
}

fn greet(server: &RunningServer, store: &str, output: &Output) {
    let style = output.style();
    let url = server.url();
    let token: PathBuf = server.admin_token_file().to_owned();
    output.say(format_args!("graphium {} listens on {}", env!("CARGO_PKG_VERSION"), style.bold(&url)));
    output.say(format_args!("  store        {}", graphium_store::without_password(store)));
    output.say(format_args!("  admin token  {} (commands on this machine find it by themselves)", token.display()));
    output.say("  add a host   graphium host add vm1      (prints the command to run there)");
    if let Some(certificate) = server.certificate().filter(|certificate| certificate.is_own()) {
        output.say(format_args!(
            "  certificate  sha256:{}      (its own: GRAPHIUM_SERVER_PIN elsewhere)",
            certificate.pin()
        ));
    }
    if let Some(link) = server.setup_link() {
        output.say(format_args!("  first login  {link}      (makes the first administrator; good once, for an hour)"));
    }
    if server.addr().ip().is_loopback() {
        output.say("  only this machine reaches it; `--listen ADDRESS:8095` lets other hosts in");
    }
}

/// Why a server does not start, and what to do.
pub(crate) fn not_started(error: &StartError) -> Failure {
    match error {
        StartError::Listen { addr, source } if source.kind() == io::ErrorKind::AddrInUse => {
            Failure::new(Exit::Failed, format!("{addr} is taken by another program"))
                .hint("is a server running already? `graphium doctor` says so")
                .hint(format!("or choose another port: --listen {}:{}", addr.ip(), addr.port().saturating_add(1)))
        }
        StartError::Listen { .. } => Failure::new(Exit::Failed, "the server does not start")
            .because_of(error)
            .hint("`--listen` takes an address of this machine"),
        _ => Failure::new(Exit::Failed, "the server does not start").because_of(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
    use super::*;
    use clap::Parser;
    use graphium_core::control::Settings;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: RetentionArgs,
    }

    #[test]
    fn a_host_is_offline_when_its_agent_cannot_just_be_late() {
        assert_eq!(offline_after("15s"), Ok(Settings::default().offline_after));
        assert_eq!(offline_after("1h"), Ok(Duration::from_secs(3600)));
        for (text, told) in
            [("9999ms", "every few seconds"), ("3601s", "1h at the latest"), ("soon", "no span of time")]
        {
            let error = offline_after(text).unwrap_err();
            assert!(error.contains(told) && error.contains(text), "{error}");
        }
    }

    #[test]
    fn without_a_flag_the_library_decides_what_is_kept() {
        assert_eq!(Line::try_parse_from(["server"]).unwrap().args.retention(), Retention::default());
        let flags = ["server", "--keep-tasks", "1h", "--max-tasks", "2", "--keep-events", "3s", "--max-events", "4"];
        let flags = flags.into_iter().chain(["--keep-audit", "2d", "--max-audit", "5"]);
        let kept = Line::try_parse_from(flags).unwrap().args.retention();
        let (hour, seconds) = (Duration::from_secs(3600), Duration::from_secs(3));
        let audit = Duration::from_secs(2 * 86_400);
        let wanted = Retention {
            tasks: hour,
            max_tasks: 2,
            events: seconds,
            max_events: 4,
            audit,
            max_audit: Some(5),
            ..Retention::default()
        };
        assert_eq!(kept, wanted);
    }
}
