//! `graphium demo`: the whole of it in one process, and nothing left of it afterwards.

mod proof;
mod stage;

use crate::{
    cli::{Exit, Failure, Output, default_concurrency, follow, make_folder, not_started, signals},
    local::LocalAgent,
    render,
};
use graphium_core::{
    agent::{AgentSettings, FileJournal},
    control::{Started, StatusView},
    id::HostId,
};
use graphium_server::{
    PortChoice, RunningServer, ServerOptions,
    client::{Client, DeployRequest},
    start,
};
use stage::{Kind, Stage};
use std::{
    fs,
    future::Future,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

/// The document that is deployed.
const DOCUMENT: &str = include_str!("shop.jsonld");
/// Its stack.
const STACK: &str = "stack:graphium-demo";
/// The ports of its containers on their hosts.
const PORTS: [u16; 3] = [18081, 18082, 18083];
/// How long the engines may take to say what runs on them.
const PATIENCE: Duration = Duration::from_secs(30);

/// Shows what Graphium does, on hosts of its own where that is possible, and takes all of it away again
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Take it away at once, without waiting for Ctrl-C; the exit code says whether all was well
    #[arg(long)]
    once: bool,
    /// Install Docker first where it is missing (Debian, as root)
    #[arg(long)]
    install: bool,
    /// How many hosts, where they can be made
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=20))]
    hosts: u8,
}

pub(crate) fn run(args: &DemoArgs, output: &mut Output) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| crate::cli::no_runtime(&error))?;
    runtime.block_on(async {
        let mut stop: Stop = Box::pin(signals::stop_requested());
        let stage = tokio::select! {
            stage = Stage::build(args, output) => stage?,
            () = &mut stop => return Err(Failure::quiet(Exit::Interrupted)),
        };
        for (number, line) in stage.story.lines().enumerate() {
            output.say(if number == 0 { output.style().bold(line) } else { format!("  ({line})") });
        }
        let played = play(args, &stage, stop, output).await;
        let struck = stage.strike().await;
        let exit = played?;
        struck?;
        output.line("the demo is over, and nothing is left of it")?;
        Ok(exit)
    })
}

/// Resolves when the user wants to end.
type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Everything between the hosts' coming up and their going away.
async fn play(args: &DemoArgs, stage: &Stage, mut stop: Stop, output: &mut Output) -> Result<Exit, Failure> {
    let folder = Folder::make()?;
    let company = Company::gather(stage, folder.path()).await?;
    let result = act(args, stage, &company, &mut stop, output).await;
    let dismissed = company.dismiss().await;
    let exit = result?;
    dismissed.map(|()| exit)
}

async fn act(
    args: &DemoArgs,
    stage: &Stage,
    company: &Company,
    stop: &mut Stop,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let client = company.client()?;
    output.say(format_args!("server at {}, with an agent for each host in the same process\n", client.base_url()));
    let shown = tokio::select! {
        shown = show(stage, &client, output) => shown,
        () = &mut *stop => Err(Failure::quiet(Exit::Interrupted)),
    };
    // Waiting has its own word for Ctrl-C, which is of a server that goes on; this one does not.
    let shown = shown.map_err(|failure| match failure.exit {
        Exit::Interrupted => Failure::new(Exit::Interrupted, "interrupted"),
        _ => failure,
    });
    if shown.is_ok() && !args.once && output.is_watched() {
        output.say(format_args!("\nlook around: graphium stack status graphium-demo --server {}", client.base_url()));
        output.say("Ctrl-C takes it all away");
        stop.await;
        output.say("taking it away; once more Ctrl-C leaves it as it is");
    }
    let removed = take_away(stage, &client, output).await;
    shown?;
    removed.map(|()| Exit::Ok)
}

/// Deploys, and proves that it runs.
async fn show(stage: &Stage, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let document = document(stage);
    let request = DeployRequest::default();
    for line in render::plan(&client.plan(document.clone(), &request).await?, output.style()) {
        output.say(line);
    }
    output.say("");
    let began = Instant::now();
    let started = client.deploy(document, &request).await?;
    let status = follow(client, &started, None, output).await?;
    let seconds = began.elapsed().as_secs_f64();
    output.line(format_args!("three tiers run, {seconds:.1} s after they were asked for:"))?;
    let mut table = render::Table::default();
    for endpoint in &status.endpoints {
        table.row([format!("  {}", endpoint.container), render::url(endpoint), format!("on {}", endpoint.host)]);
    }
    table.lines(output.data_style()).iter().try_for_each(|line| output.line(line))?;
    let proven = check(&status, stage, output).await;
    output.flush()?;
    proven
}

async fn check(status: &StatusView, stage: &Stage, output: &mut Output) -> Result<(), Failure> {
    if matches!(stage.kind, Kind::Fake) {
        output.line("whether they answer is not checked: nothing really runs")?;
        return Ok(());
    }
    let style = output.data_style();
    let mut failed = 0;
    for proof in proof::prove(status, stage).await {
        match proof.failed {
            None => output.line(format_args!("{} {}", style.green("✓"), proof.what))?,
            Some(reason) => {
                failed += 1;
                output.line(format_args!("{} {}: {}", style.red("✗"), proof.what, render::printable(&reason)))?;
            }
        }
    }
    match failed {
        0 => Ok(()),
        _ => Err(Failure::new(Exit::Failed, format!("{} failed", render::count(failed, "check")))),
    }
}

/// Removes the stack and looks whether anything stayed.
async fn take_away(stage: &Stage, client: &Client, output: &mut Output) -> Result<(), Failure> {
    match client.remove(STACK, true).await {
        Ok(started) => drop(end(client, &started, output).await?),
        // It did not come so far that there was a stack.
        Err(graphium_server::client::ClientError::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let left = stage.left_behind(STACK).await?;
    if left.is_empty() {
        output.line("removed: no container, network or volume is left")?;
        return Ok(());
    }
    Err(Failure::new(Exit::Failed, format!("left behind: {}", left.join(", "))))
}

async fn end(client: &Client, started: &Started, output: &Output) -> Result<StatusView, Failure> {
    follow(client, started, Some(Duration::from_secs(120)), output).await
}

/// The document, with ports that are free where the hosts share them with others.
fn document(stage: &Stage) -> String {
    let mut text = DOCUMENT.to_owned();
    if !matches!(stage.kind, Kind::Engine(_)) {
        return text;
    }
    for port in PORTS {
        let free = |port: u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).and_then(|socket| socket.local_addr());
        if free(port).is_err()
            && let Ok(other) = free(0)
        {
            text = text.replace(&port.to_string(), &other.port().to_string());
        }
    }
    text
}

/// The server and its agents.
struct Company {
    server: RunningServer,
    agents: Vec<LocalAgent>,
}

impl Company {
    async fn gather(stage: &Stage, folder: &Path) -> Result<Self, Failure> {
        let store = crate::cli::default_store(folder);
        let mut options = ServerOptions::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 8095)), store, folder);
        options.port = PortChoice::NextFree;
        options.limits = options.limits.within_descriptors();
        let server = start(options).await.map_err(|error| not_started(&error))?;
        let at_a_time = (default_concurrency() / stage.hosts.len()).max(1);
        let mut agents = Vec::new();
        for host in &stage.hosts {
            let state_dir = folder.join("agents").join(&host.name);
            let journal = FileJournal::open(state_dir)
                .map_err(|error| Failure::new(Exit::Failed, "an agent's state cannot be kept").because_of(&error))?;
            let mut settings = AgentSettings::new(HostId::new(&host.name), at_a_time);
            settings.address = Some(host.address);
            let link = Arc::clone(server.control());
            agents.push(LocalAgent::start(link, Arc::clone(&host.runtime), Box::new(journal), settings));
        }
        for agent in &mut agents {
            agent.ready(PATIENCE).await?;
        }
        Ok(Self { server, agents })
    }

    fn client(&self) -> Result<Client, Failure> {
        let path = self.server.admin_token_file();
        let token = fs::read_to_string(path)
            .map_err(|error| Failure::new(Exit::Failed, format!("`{}` cannot be read: {error}", path.display())))?;
        Ok(Client::new(&self.server.url(), Some(token.trim().to_owned()))?)
    }

    async fn dismiss(self) -> Result<(), Failure> {
        let mut ended = Ok(());
        for agent in self.agents {
            ended = ended.and(agent.stop().await);
        }
        self.server.shutdown().await;
        ended
    }
}

/// A directory that goes away with its value.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("graphium-demo-{}", std::process::id()));
        make_folder(&path)?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays is in the directory for what may be removed at any time.
        let _ = fs::remove_dir_all(&self.0);
    }
}
