//! `graphium host …`.

use super::{
    agent::host_id,
    connect,
    exit::{Exit, Failure},
    follow::WaitArgs,
    output::Output,
};
use crate::{
    config::{Config, Format},
    render::{Clock, Table},
};
use graphium_core::{
    control::{Drain, Role},
    inventory::{Host, HostStatus},
};
use graphium_server::{
    api::wire::{HostList, TokenRequest},
    client::Client,
};
use serde_json::json;

mod drain;

/// What a table of hosts tells.
const HEADINGS: [&str; 10] =
    ["NAME", "STATUS", "ADDRESS", "CPUS", "MEMORY", "LAST SEEN", "LOCATION", "DOCKER", "AGENT", "LABELS"];

/// Shows hosts and says whether they take work
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct HostArgs {
    #[command(subcommand)]
    command: HostCommand,
    /// How the result is written
    #[arg(short, long, value_enum, global = true)]
    output: Option<Format>,
}

#[derive(Debug, clap::Subcommand)]
enum HostCommand {
    /// Makes a host known, and prints the one command that starts its agent there; it is good once, for 15 minutes
    Add(Named),
    /// Lists the hosts
    List,
    /// Tells of one host, and of what is left there if it drains
    Status(Named),
    /// Places nothing new on a host, and moves away what runs there; what is tied to it stays, and says why
    Drain(DrainArgs),
    /// Places work on a host again; what has moved away stays where it is
    Activate(Named),
    /// Places nothing new on a host; what runs there stays
    Maintenance(Named),
    /// Has the agent of a host replace the token that it keeps, when it calls next
    Rotate(Named),
    /// Forgets a host; refused while containers of ours are there
    Remove(Named),
}

#[derive(Debug, clap::Args)]
struct Named {
    /// The host's name
    host: String,
}

#[derive(Debug, clap::Args)]
struct DrainArgs {
    /// The host's name
    host: String,
    #[command(flatten)]
    wait: WaitArgs,
}

pub(crate) fn run(args: &HostArgs, config: &Config, output: &mut Output) -> Result<Exit, Failure> {
    let client = connect::client(config)?;
    let format = args.output.unwrap_or(config.output.value);
    connect::run(async {
        let (host, status) = match &args.command {
            HostCommand::Add(named) => return add(&client, &named.host, format, output).await,
            HostCommand::List => return list(&client, format, output).await,
            HostCommand::Status(named) => return status(&client.remaining(&named.host).await?, format, output),
            HostCommand::Drain(args) => return drain::run(&client, &args.host, args.wait, format, output).await,
            HostCommand::Activate(named) => (&named.host, HostStatus::Active),
            HostCommand::Maintenance(named) => (&named.host, HostStatus::Maintenance),
            HostCommand::Rotate(named) => {
                client.rotate_credential(&named.host).await?;
                match format {
                    Format::Json => output.json(&json!({"@id": named.host, "rotates": true}))?,
                    Format::Table | Format::Wide => {
                        output.line(format_args!(
                            "the agent of host `{}` replaces its token when it calls next",
                            named.host
                        ))?;
                    }
                }
                return Ok(Exit::Ok);
            }
            HostCommand::Remove(named) => {
                client.remove_host(&named.host).await?;
                match format {
                    Format::Json => output.json(&json!({"@id": named.host, "removed": true}))?,
                    Format::Table | Format::Wide => output.line(format_args!("host `{}` is forgotten", named.host))?,
                }
                return Ok(Exit::Ok);
            }
        };
        let host = client.set_host_status(host, status).await?;
        match format {
            Format::Json => output.json(&host)?,
            Format::Table | Format::Wide => output.line(format_args!("host `{}`: {}", host.id, word(host.status)))?,
        }
        Ok(Exit::Ok)
    })
}

/// Has a code made with which the agent of a host gets its credential.
async fn add(client: &Client, host: &str, format: Format, output: &mut Output) -> Result<Exit, Failure> {
    let id = host_id(host).map_err(|reason| Failure::usage(format!("`{host}` is no name of a host: {reason}")))?;
    let request = TokenRequest {
        host: Some(id.clone()),
        name: Some(format!("for the agent of {id} to join")),
        join: true,
        ..TokenRequest::new(Role::Agent)
    };
    let code = client.create_token(&request).await?;
    let server = client.base_url();
    let command = format!("graphium agent --host-id {id} --server {server} --join {}", code.code());
    if format == Format::Json {
        output.json(&json!({"@id": id, "command": command, "expires": code.view.expires}))?;
        return Ok(Exit::Ok);
    }
    output.say(format_args!("on `{id}`, within 15 minutes (it is good once):"));
    output.line(command)?;
    if is_of_this_machine(server) {
        output.say("other machines do not reach that address: `--server` names one that they do");
    }
    Ok(Exit::Ok)
}

/// Whether other machines cannot reach an address.
fn is_of_this_machine(url: &str) -> bool {
    ["://localhost", "://127.", "://[::1]"].iter().any(|part| url.contains(part))
}

async fn list(client: &Client, format: Format, output: &mut Output) -> Result<Exit, Failure> {
    let hosts = client.hosts().await?;
    if format == Format::Json {
        // `graphium plan --inventory` takes it as it is.
        output.json(&HostList { hosts, next: None })?;
        return Ok(Exit::Ok);
    }
    if hosts.is_empty() {
        output.say("no host is known; add one:");
        output.say("  graphium host add vm1");
        return Ok(Exit::Ok);
    }
    let shown = if format == Format::Wide { HEADINGS.len() } else { 7 };
    let mut table = Table::new(&HEADINGS[..shown]);
    let clock = Clock::system();
    for host in &hosts {
        let mut cells = cells(host, &clock);
        cells.truncate(shown);
        table.row(cells);
    }
    table.lines(output.data_style()).iter().try_for_each(|line| output.line(line))?;
    for host in &hosts {
        if let Some(error) = &host.engine_error {
            output.say(format_args!("{}: {}", host.id, crate::render::printable(error)));
        }
        if host.draining_since.is_some() {
            let left = client.remaining(host.id.as_str()).await?.remaining;
            output.say(format_args!("{}: {}", host.id, drain::summary(&left)));
        }
    }
    Ok(Exit::Ok)
}

/// One host, and what is left there if it drains.
fn status(told: &Drain, format: Format, output: &mut Output) -> Result<Exit, Failure> {
    if format == Format::Json {
        output.json(told)?;
        return Ok(Exit::Ok);
    }
    let clock = Clock::system();
    let mut table = Table::default();
    for (heading, cell) in HEADINGS.iter().zip(cells(&told.host, &clock)) {
        table.row([heading.to_lowercase(), cell]);
    }
    table.lines(output.data_style()).iter().try_for_each(|line| output.line(line))?;
    if let Some(since) = told.host.draining_since {
        output.say(format_args!("draining since {}: {}", clock.at(since), drain::summary(&told.remaining)));
        drain::lines(&told.remaining, output)?;
    }
    Ok(Exit::Ok)
}

fn cells(host: &Host, clock: &Clock) -> Vec<String> {
    const GIBIBYTE: u64 = 1 << 30;
    let or_dash = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned());
    let status = match (host.status, host.offline_since) {
        (HostStatus::Offline, Some(since)) => format!("offline since {}", clock.at(since)),
        (status, _) => match host.engine_away_since {
            Some(since) => format!("{}, engine away since {}", word(status), clock.at(since)),
            None => word(status).to_owned(),
        },
    };
    let memory =
        (host.memory > 0).then(|| format!("{}.{} GiB", host.memory / GIBIBYTE, host.memory % GIBIBYTE * 10 / GIBIBYTE));
    let labels: Vec<String> = host.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    vec![
        host.id.to_string(),
        status,
        or_dash(host.ip_address.map(|address| address.to_string())),
        or_dash((host.cpu > 0.0).then(|| host.cpu.to_string())),
        or_dash(memory),
        or_dash(host.last_seen.map(|seen| clock.ago(seen))),
        or_dash(host.location.clone()),
        or_dash(host.docker_version.clone()),
        or_dash(host.agent_version.clone()),
        or_dash(Some(labels.join(","))),
    ]
}

fn word(status: HostStatus) -> &'static str {
    match status {
        HostStatus::Active => "active",
        HostStatus::Maintenance => "maintenance",
        HostStatus::Draining => "draining",
        HostStatus::Offline => "offline",
    }
}
