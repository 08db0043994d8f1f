//! `graphium host …`.

use super::{
    connect,
    exit::{Exit, Failure},
    output::Output,
};
use crate::{
    config::{Config, Format},
    render::{Clock, Table},
};
use graphium_core::inventory::{Host, HostStatus};
use graphium_server::api::wire::HostList;
use serde_json::json;

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
    /// Lists the hosts
    List,
    /// Places nothing new on a host, and moves away what runs there
    Drain(Named),
    /// Places work on a host again
    Activate(Named),
    /// Places nothing new on a host; what runs there stays
    Maintenance(Named),
    /// Forgets a host; refused while containers of ours are there
    Remove(Named),
}

#[derive(Debug, clap::Args)]
struct Named {
    /// The host's name
    host: String,
}

pub(crate) fn run(args: &HostArgs, config: &Config, output: &mut Output) -> Result<Exit, Failure> {
    let client = connect::client(config)?;
    let format = args.output.unwrap_or(config.output.value);
    connect::run(async {
        let (host, status) = match &args.command {
            HostCommand::List => return list(client.hosts().await?, format, output),
            HostCommand::Drain(named) => (&named.host, HostStatus::Draining),
            HostCommand::Activate(named) => (&named.host, HostStatus::Active),
            HostCommand::Maintenance(named) => (&named.host, HostStatus::Maintenance),
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

fn list(hosts: Vec<Host>, format: Format, output: &mut Output) -> Result<Exit, Failure> {
    if format == Format::Json {
        // `graphium plan --inventory` takes it as it is.
        output.json(&HostList { hosts, next: None })?;
        return Ok(Exit::Ok);
    }
    if hosts.is_empty() {
        output.say("no host is known; add one:");
        output.say("  graphium token create --role agent --host vm1");
        output.say("  TOKEN=… graphium agent --host-id vm1 --server URL      (on that host)");
        return Ok(Exit::Ok);
    }
    let headings =
        ["NAME", "STATUS", "ADDRESS", "CPUS", "MEMORY", "LAST SEEN", "LOCATION", "DOCKER", "AGENT", "LABELS"];
    let shown = if format == Format::Wide { headings.len() } else { 7 };
    let mut table = Table::new(&headings[..shown]);
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
    }
    Ok(Exit::Ok)
}

fn cells(host: &Host, clock: &Clock) -> Vec<String> {
    const GIBIBYTE: u64 = 1 << 30;
    let or_dash = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned());
    let status = match (host.status, host.offline_since) {
        (HostStatus::Offline, Some(since)) => format!("offline since {}", clock.at(since)),
        (status, _) => word(status).to_owned(),
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
