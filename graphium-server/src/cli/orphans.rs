//! `graphium orphans …`.

use super::{
    connect,
    exit::{Exit, Failure},
    output::Output,
};
use crate::{
    config::{Config, Format},
    render::{self, Table},
};
use graphium_core::control::{Orphan, OrphanKind, TaskView};
use graphium_server::{
    api::wire::OrphanList,
    client::{Client, ClientError},
};
use serde_json::json;

/// Lists containers, networks and volumes that bear our labels and that no stack wants where they are
#[derive(Debug, clap::Args)]
pub(crate) struct OrphansArgs {
    #[command(subcommand)]
    command: Option<OrphansCommand>,
    /// How the result is written
    #[arg(short, long, value_enum, global = true)]
    output: Option<Format>,
}

#[derive(Debug, clap::Subcommand)]
enum OrphansCommand {
    Remove(RemoveArgs),
}

/// Has orphans removed, each by the agent of its host
#[derive(Debug, clap::Args)]
struct RemoveArgs {
    /// Which ones, as `HOST/NAME`
    #[arg(required_unless_present = "all", value_parser = place)]
    orphans: Vec<Place>,
    /// Every one that there is now; volumes only with `--volumes`
    #[arg(long, conflicts_with = "orphans")]
    all: bool,
    /// Remove volumes and the data in them, too
    #[arg(long)]
    volumes: bool,
    /// With `--volumes`: do not ask before their data is destroyed; nothing else asks
    #[arg(short, long)]
    yes: bool,
}

/// Where an orphan is, and what follows the host in its name.
#[derive(Clone, Debug)]
struct Place {
    host: String,
    name: String,
}

impl Place {
    fn is_volume(&self) -> bool {
        self.name.starts_with("volume:")
    }
}

pub(crate) fn run(args: &OrphansArgs, config: &Config, output: &mut Output) -> Result<Exit, Failure> {
    let client = connect::client(config)?;
    let format = args.output.unwrap_or(config.output.value);
    connect::run(async {
        match &args.command {
            None => list(client.orphans().await?, format, output),
            Some(OrphansCommand::Remove(args)) => remove(args, &client, format, output).await,
        }
    })
}

fn place(text: &str) -> Result<Place, String> {
    let (host, name) = text
        .split_once('/')
        .filter(|(host, name)| !host.is_empty() && !name.is_empty())
        .ok_or("an orphan is named by its host and its name there, as `vm1/shop-web`; `graphium orphans` lists them")?;
    Ok(Place { host: host.to_owned(), name: name.to_owned() })
}

fn list(orphans: Vec<Orphan>, format: Format, output: &mut Output) -> Result<Exit, Failure> {
    if format == Format::Json {
        output.json(&OrphanList { orphans, next: None })?;
        return Ok(Exit::Ok);
    }
    if orphans.is_empty() {
        output.say("there are none");
        return Ok(Exit::Ok);
    }
    let headings = ["ORPHAN", "STATUS", "STACK", "WHY", "IMAGE", "ID"];
    let shown = if format == Format::Wide { headings.len() } else { 4 };
    // A pipe takes lines of any length.
    let most = if format == Format::Table && output.is_watched() { 80 } else { usize::MAX };
    let mut table = Table::new(&headings[..shown]);
    for orphan in &orphans {
        let (status, image, id) = match &orphan.what {
            OrphanKind::Container { status, image, container_id, .. } => (status.as_str(), &**image, &**container_id),
            OrphanKind::Network { .. } | OrphanKind::Volume { .. } => ("-", "-", "-"),
        };
        let mut cells = vec![
            orphan.id.clone(),
            status.to_owned(),
            orphan.stack_id.to_string(),
            render::clip(&orphan.reason.to_string(), most).into_owned(),
            image.to_owned(),
            id.chars().take(12).collect(),
        ];
        cells.truncate(shown);
        table.row(cells);
    }
    table.lines(output.data_style()).iter().try_for_each(|line| output.line(line))?;
    output.say("remove them: graphium orphans remove HOST/NAME …, or --all");
    if orphans.iter().any(|orphan| matches!(orphan.what, OrphanKind::Volume { .. })) {
        output.say("volumes go with their data, and only with --volumes; a stack of the same name finds its own again");
    }
    output.say(
        "keep what runs: graphium adopt FILE takes it into a stack as it is (--container NAME=HOST/NAME names one)",
    );
    Ok(Exit::Ok)
}

/// What destroys data asks, or wants to be told.
fn confirm(volumes: &[String], output: &Output) -> Result<(), Failure> {
    let what = format!("removing {} destroys the data", volumes.join(", "));
    if !output.can_ask() {
        return Err(Failure::usage(what).hint("add `--yes` if that is meant, or leave `--volumes` out to keep them"));
    }
    match output.ask(&format!("{what}. Type `yes` to go on: ")) {
        answer if answer == "yes" => Ok(()),
        _ => Err(Failure::new(Exit::Failed, "nothing was removed")),
    }
}

async fn remove(args: &RemoveArgs, client: &Client, format: Format, output: &mut Output) -> Result<Exit, Failure> {
    let mut places = if args.all {
        let orphans = client.orphans().await?;
        orphans.iter().filter_map(|orphan| place(&orphan.id).ok()).collect()
    } else {
        args.orphans.clone()
    };
    let volumes: Vec<String> =
        places.iter().filter(|place| place.is_volume()).map(|place| format!("{}/{}", place.host, place.name)).collect();
    if args.volumes && !volumes.is_empty() && !args.yes {
        confirm(&volumes, output)?;
    }
    if args.all && !args.volumes {
        places.retain(|place| !place.is_volume());
        if !volumes.is_empty() {
            output.say(format_args!("left with their data: {}; --volumes removes them, too", volumes.join(", ")));
        }
    }
    let mut tasks: Vec<TaskView> = Vec::new();
    for Place { host, name } in &places {
        let view = match client.remove_orphan(host, name, args.volumes).await {
            // It went away by itself meanwhile.
            Err(ClientError::NotFound { .. }) if args.all => continue,
            other => other?,
        };
        if format != Format::Json {
            let waits = view.waiting.as_ref().map(|waiting| format!(", which waits for {}", waiting.on));
            output.line(format_args!("{host}/{name}: {}{}", view.task.id, waits.unwrap_or_default()))?;
        }
        tasks.push(view);
    }
    match format {
        Format::Json => output.json(&json!({ "tasks": tasks }))?,
        Format::Table | Format::Wide if tasks.is_empty() => output.say("there are none"),
        Format::Table | Format::Wide => output.say("follow them: graphium task list"),
    }
    Ok(Exit::Ok)
}
