//! `graphium agent`: does the work of one host.

mod credential;

use super::{
    allow::AllowArgs,
    connect,
    exit::{Exit, Failure},
    logging,
    output::Output,
    server::{make_folder, watched},
    signals,
};
use crate::{config::Config, engine};
use graphium_core::{
    agent::{Agent, AgentError, AgentSettings, FileJournal, JournalError, Notice},
    id::HostId,
};
use graphium_server::{
    client::{Client, HttpLink, PulseLink},
    environment::TokioEnvironment,
    notify::Manager,
    traces::{Attempts, Exporting},
};
use std::{
    net::{IpAddr, Ipv4Addr, ToSocketAddrs, UdpSocket},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tracing_subscriber::filter::LevelFilter;

/// More at a time gains nothing on most engines.
const MOST_AT_A_TIME: usize = 8;

/// An agent that has not called its server for so long is stuck: it renews its leases every few seconds, answered or not.
const STUCK: Duration = Duration::from_secs(45);

/// Does the work of one host: pulls its tasks from the server and runs them on the local Docker engine
///
/// `graphium host add NAME` prints the command that starts it. A token of TOKEN or GRAPHIUM_TOKEN goes before the one that it keeps.
#[derive(Debug, clap::Args)]
pub(crate) struct AgentArgs {
    /// The name of this host, as documents and tokens call it
    #[arg(long, env = "GRAPHIUM_HOST_ID", value_name = "NAME", value_parser = host_id)]
    host_id: HostId,
    /// The engine: unix:///PATH, tcp://HOST:PORT or ssh://[USER@]HOST [default: as docker finds it]
    #[arg(long, alias = "docker-socket", value_name = "ENDPOINT")]
    docker: Option<String>,
    /// The address at which other hosts reach this one [default: the one that leads to the server]
    #[arg(long, value_name = "IP")]
    address: Option<IpAddr>,
    /// How many tasks at a time [default: the number of processors, at most 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: Option<u16>,
    /// Where it keeps its state [default: <data-dir>/agents/<host-id>]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// A label of this host, matched by constraints; may be repeated
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    #[command(flatten)]
    allow: AllowArgs,
    /// The code that `graphium host add` has printed: with it the agent gets its token, which it keeps with its state
    #[arg(long, value_name = "CODE", env = "GRAPHIUM_JOIN", hide_env_values = true)]
    join: Option<String>,
    /// The datacenter of this host
    #[arg(long, value_name = "DATACENTER")]
    location: Option<String>,
}

/// A host's name is also a name of a directory.
pub(crate) fn host_id(text: &str) -> Result<HostId, String> {
    let id = HostId::new(text);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fine = !id.as_str().is_empty() && id.as_str().chars().all(plain) && !id.as_str().starts_with('.');
    if fine { Ok(id) } else { Err("use letters, digits, `-`, `_` and `.`".to_owned()) }
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("write it NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(crate) fn run(args: &AgentArgs, config: &Config, output: &Output) -> Result<Exit, Failure> {
    logging::begin(LevelFilter::INFO);
    let host = &args.host_id;
    let servers = &config.server.value;
    let engine = engine::find(args.docker.as_deref())?;
    let state_dir = match &args.state_dir {
        Some(dir) => dir.clone(),
        None => config.data_dir()?.join("agents").join(host.as_str()),
    };
    make_folder(&state_dir)?;
    let (access, is_kept) = credential::find(args.join.as_deref(), config, host, &state_dir)?;
    let client = Client::of_several(servers.urls().map(|url| (url, access.clone())))?;
    let journal = FileJournal::open(&state_dir).map_err(|error| journal_failed(host, &error))?;

    let concurrency = args.concurrency.map_or_else(default_concurrency, usize::from);
    let mut settings = AgentSettings::new(host.clone(), concurrency);
    settings.address = args.address.or_else(|| address_towards(client.base_url()));
    settings.labels = args.labels.iter().cloned().collect();
    settings.location.clone_from(&args.location);
    settings.admission = Arc::new(args.allow.admission());
    let name = host.to_string();
    let manager = Manager::find().map(Arc::new);
    let told = manager.clone();
    let traces = Exporting::begin("graphium-agent");
    let attempts = Arc::new(Attempts::new(host.clone()));
    let followed = Arc::clone(&attempts);
    settings.notify = Arc::new(move |notice| {
        logging::notice(&name, notice);
        followed.note(notice);
        if let (Some(manager), Notice::Connected { .. } | Notice::LinkLost(_) | Notice::LinkBack) = (&told, notice) {
            manager.status(&notice.to_string());
        }
    });

    let address = settings.address.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
    output.say(format_args!("graphium {} serves host `{host}` for {servers}", env!("CARGO_PKG_VERSION")));
    output.say(format_args!("  engine       {} ({})", engine.endpoint, engine.found));
    output.say(format_args!("  address      {address}, as other hosts reach its ports (`--address` says otherwise)"));
    output.say(format_args!("  at a time    {}", crate::render::count(concurrency, "task")));
    output.say(format_args!("  state        {}", state_dir.display()));

    // One thread suffices: an agent waits, for its server and for its engine.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| connect::no_runtime(&error))?;
    let ended = runtime.block_on(async {
        let stop = signals::stop_requested();
        let environment = Arc::new(TokioEnvironment::new());
        let link = Arc::new(PulseLink::new(attempts.link(HttpLink::new(client.clone()))));
        let calls = Arc::clone(&link);
        let agent = Agent::new(link, Arc::new(engine.runtime()), environment, Box::new(journal), settings);
        if let Some(manager) = &manager {
            manager.ready(&format!("serves host {host}"));
        }
        let told = manager.clone();
        let is_asked_to_end = async move {
            stop.await;
            if let Some(manager) = &told {
                manager.stopping();
            }
        };
        tokio::select! {
            ended_so = agent.run(is_asked_to_end) => ended_so.map(|()| Exit::Ok).map_err(|error| ended(host, error)),
            () = watched(manager.as_deref(), async || calls.silence() < STUCK) => Ok(Exit::Failed),
            never = credential::stay_fresh(&client, host, &state_dir, is_kept) => match never {},
        }
    });
    traces.end();
    ended
}

/// Why an agent ended without being asked to.
pub(crate) fn ended(host: &HostId, error: AgentError) -> Failure {
    match error {
        AgentError::Superseded { reason, .. } => {
            let reason = reason.strip_prefix("another agent serves this host: ").unwrap_or(&reason);
            Failure::new(Exit::Failed, format!("another agent serves host `{host}`: {reason}"))
                .hint("one agent per host: stop one of the two, or give this one a name of its own (`--host-id`)")
        }
        AgentError::Denied { reason, .. } => {
            Failure::new(Exit::Denied, format!("the server does not let this agent serve host `{host}`: {reason}"))
                .hint(format!("let it join anew, without the token that it keeps: graphium host add {host}"))
        }
        AgentError::Journal(error) => journal_failed(host, &error),
        other => Failure::new(Exit::Failed, other.to_string()),
    }
}

fn journal_failed(host: &HostId, error: &JournalError) -> Failure {
    match error {
        JournalError::InUse { .. } => {
            Failure::new(Exit::Failed, format!("another agent serves host `{host}` here: {error}"))
                .hint("stop it, or give this one a host and a state of its own (`--host-id`, `--state-dir`)")
        }
        _ => Failure::new(Exit::Failed, "the agent's state cannot be kept")
            .because_of(error)
            .hint("choose another place with `--state-dir DIR`"),
    }
}

/// The number of processors, at most 8.
pub(crate) fn default_concurrency() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).min(MOST_AT_A_TIME)
}

/// The address of this machine from which the server is reached; for a server on this machine 127.0.0.1.
fn address_towards(url: &str) -> Option<IpAddr> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    let authority = if authority.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok()) {
        authority.to_owned()
    } else {
        format!("{authority}:80")
    };
    let server = authority.to_socket_addrs().ok()?.next()?;
    if server.ip().is_loopback() {
        return Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    // Nothing is sent: connecting a UDP socket only asks the routing table.
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(server).ok()?;
    socket.local_addr().ok().map(|local| local.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_this_machine_is_reached_by_loopback() {
        for url in ["http://127.0.0.1:8095", "http://localhost:8095/graphium", "http://127.0.0.1"] {
            assert_eq!(address_towards(url), Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), "{url}");
        }
        assert_eq!(address_towards("http://"), None);
    }

    #[test]
    fn a_host_is_named_so_that_a_directory_can_be() {
        assert_eq!(host_id("host:vm1"), Ok(HostId::new("vm1")));
        for text in ["", "..", "a/b", "a b", "host:"] {
            assert!(host_id(text).is_err(), "{text}");
        }
    }
}
