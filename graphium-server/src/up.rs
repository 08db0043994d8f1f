//! `graphium up FILE`: server and agent in one process, on the engine of this machine.

use crate::{
    cli::{
        Document, DocumentArgs, Exit, Failure, Output, default_concurrency, default_store, follow, has_ended, host_id,
        make_folder, not_started, refusal, signals, tell_ended,
    },
    config::Config,
    engine::{self, Engine},
    local::LocalAgent,
    render,
};
use graphium_core::{
    admission::Admission,
    agent::{AgentSettings, FileJournal},
    control::StackStatus,
    id::HostId,
    inventory::HostStatus,
    plan::SealedPlan,
    runtime::ContainerRuntime,
};
use graphium_server::{
    PortChoice, RunningServer, ServerOptions, auth,
    client::{Client, DeployRequest},
    start,
};
use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

const FIRST_PORT: u16 = 8095;
const LAST_PORT: u16 = FIRST_PORT + 100;
/// How long the engine may take to say what runs on it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a stack on this machine: server, agent and plan in one go; Ctrl-C leaves the containers
#[derive(Debug, clap::Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    document: DocumentArgs,
    /// End once the stack runs, and leave it running
    #[arg(short, long, alias = "once")]
    detach: bool,
    /// Pull every image, also those that are here, and make anew what runs from another than its tag names then
    #[arg(long)]
    pull: bool,
    /// The name of this machine in the document
    #[arg(long, default_value = "localhost-docker", value_name = "NAME", value_parser = host_id)]
    host_id: HostId,
    /// The engine: unix:///PATH, tcp://HOST:PORT or ssh://[USER@]HOST [default: as docker finds it]
    #[arg(long, alias = "docker-socket", value_name = "ENDPOINT")]
    docker: Option<String>,
}

pub(crate) fn run(args: &UpArgs, config: &Config, output: &mut Output) -> Result<Exit, Failure> {
    let document = args.document.load()?;
    if let Err(diagnostics) = document.read() {
        return Err(refusal(&document, &diagnostics));
    }
    let data_dir = config.data_dir()?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| crate::cli::no_runtime(&error))?;
    runtime.block_on(async {
        if let Some(client) = running_server(data_dir).await {
            output.say(format_args!("using the server that runs already at {}", client.base_url()));
            return bring_up(&client, &document, args, output).await.map(|_| Exit::Ok);
        }
        let machine = Machine::start(args, data_dir).await?;
        output.say(format_args!(
            "graphium {} at {}, engine {} ({})",
            env!("CARGO_PKG_VERSION"),
            machine.server.url(),
            machine.engine.endpoint,
            machine.engine.found
        ));
        let mut stop = Box::pin(signals::stop_requested());
        let client = machine.client()?;
        let result = tokio::select! {
            result = bring_up(&client, &document, args, output) => result,
            () = &mut stop => Err(Failure::quiet(Exit::Interrupted)),
        };
        let result = result.map_err(|failure| match failure.exit {
            Exit::Interrupted => Failure::new(Exit::Interrupted, "interrupted; what was begun stays")
                .hint("`graphium up` goes on where it stopped"),
            _ => failure,
        });
        let stays = matches!(result, Ok(Outcome::Changed)) && !args.detach && output.is_watched();
        if stays {
            output.flush()?;
            output.say("Ctrl-C stops Graphium and leaves the containers running");
            stop.await;
        }
        machine.stop().await?;
        result.map(|_| Exit::Ok)
    })
}

/// What came of it.
enum Outcome {
    /// All was as it should be.
    UpToDate,
    /// All is now as it should be.
    Changed,
}

/// Plans, deploys, waits.
async fn bring_up(
    client: &Client,
    document: &Document,
    args: &UpArgs,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let request = DeployRequest {
        variables: document.used_variables(),
        pull_images: args.pull.then_some(true),
        ..DeployRequest::default()
    };
    let source = document.bytes().to_vec();
    let plan = client.plan(source.clone(), &request).await.map_err(|error| refused(error.into(), document, args))?;
    if !plan.is_empty() {
        document.warn(&plan.warnings, output);
        for line in render::plan(&plan, output.style()) {
            output.say(line);
        }
        output.say("");
    }
    if let Some(outcome) = up_to_date(client, &plan, output).await? {
        return Ok(outcome);
    }
    let started = client.deploy(source, &request).await.map_err(|error| refused(error.into(), document, args))?;
    let status = follow(client, &started, None, output).await?;
    tell_ended(&status, &started, output)?;
    output.flush()?;
    Ok(if started.task_count == 0 { Outcome::UpToDate } else { Outcome::Changed })
}

/// A stack that runs as the document says needs no deployment.
async fn up_to_date(client: &Client, plan: &SealedPlan, output: &mut Output) -> Result<Option<Outcome>, Failure> {
    if !plan.is_empty() {
        return Ok(None);
    }
    let Ok(status) = client.status(plan.stack.as_str()).await else { return Ok(None) };
    if status.overall_status != StackStatus::Running || !has_ended(&status) {
        return Ok(None);
    }
    let mut table = render::Table::default();
    for endpoint in &plan.endpoints {
        table.row([format!("  {}", endpoint.container), render::url(endpoint)]);
    }
    table.lines(output.data_style()).iter().try_for_each(|line| output.line(line))?;
    output.line(format_args!("stack `{}` is up to date", plan.stack_name))?;
    Ok(Some(Outcome::UpToDate))
}

fn refused(failure: Failure, document: &Document, args: &UpArgs) -> Failure {
    if failure.diagnostics.is_empty() {
        return failure;
    }
    refusal(document, &failure.diagnostics)
        .hint(format!("this machine is called `{}`; `--host-id` gives it another name", args.host_id))
}

/// The server that serves this data directory already, if one does and has a host.
async fn running_server(data_dir: &Path) -> Option<Client> {
    let token = fs::read_to_string(data_dir.join("admin-token")).ok()?;
    let token = token.trim();
    for port in FIRST_PORT..=LAST_PORT {
        let url = format!("http://127.0.0.1:{port}");
        if auth::local::find(&url).as_deref() != Some(token) {
            continue;
        }
        let client = Client::new(&url, Some(token.to_owned())).ok()?;
        let hosts = client.hosts().await.ok()?;
        return hosts.iter().any(|host| host.status == HostStatus::Active).then_some(client);
    }
    None
}

/// Server and agent of this machine.
struct Machine {
    server: RunningServer,
    agent: LocalAgent,
    engine: Engine,
}

impl Machine {
    async fn start(args: &UpArgs, data_dir: &Path) -> Result<Self, Failure> {
        let engine = engine::find(args.docker.as_deref())?;
        let runtime = engine.runtime();
        // A missing engine is the most likely mistake, and told best before anything else happens.
        runtime.info().await.map_err(|error| engine::unreachable(&engine, &error))?;
        make_folder(data_dir)?;
        let state_dir = data_dir.join("agents").join(args.host_id.as_str());
        let journal = FileJournal::open(&state_dir).map_err(|error| {
            Failure::new(Exit::Failed, error.to_string()).hint("stop the other agent of this machine first")
        })?;
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut options = ServerOptions::new(SocketAddr::new(loopback, FIRST_PORT), default_store(data_dir), data_dir);
        options.port = PortChoice::NextFree;
        options.limits = options.limits.within_descriptors();
        // Whoever runs this has the engine anyway, as with `docker run`.
        options.settings.admission = Admission::of_everything();
        let server = start(options).await.map_err(|error| not_started(&error))?;
        let mut settings = AgentSettings::new(args.host_id.clone(), default_concurrency());
        settings.address = Some(loopback);
        settings.admission = Arc::new(Admission::of_everything());
        let link = Arc::clone(server.control());
        let mut agent = LocalAgent::start(link, Arc::new(runtime), Box::new(journal), settings);
        agent.ready(PATIENCE).await?;
        Ok(Self { server, agent, engine })
    }

    fn client(&self) -> Result<Client, Failure> {
        let path = self.server.admin_token_file();
        let token = fs::read_to_string(path)
            .map_err(|error| Failure::new(Exit::Failed, format!("`{}` cannot be read: {error}", path.display())))?;
        Ok(Client::new(&self.server.url(), Some(token.trim().to_owned()))?)
    }

    async fn stop(self) -> Result<(), Failure> {
        let ended = self.agent.stop().await;
        self.server.shutdown().await;
        ended
    }
}
