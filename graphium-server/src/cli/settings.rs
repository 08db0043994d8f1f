//! `graphium config show`: every setting and where it came from.

use super::{
    exit::{Exit, Failure},
    output::Output,
};
use crate::{
    config::{Config, Format},
    render::Table,
};
use graphium_server::auth;
use serde_json::json;

/// Shows the settings
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ConfigCommand {
    /// Shows every setting, and where it came from
    Show {
        /// How the result is written
        #[arg(short, long, value_enum)]
        output: Option<Format>,
    },
}

pub(crate) fn run(args: &ConfigArgs, config: &Config, output: &mut Output) -> Result<Exit, Failure> {
    let ConfigCommand::Show { output: format } = &args.command;
    let rows = rows(config);
    if format.unwrap_or(config.output.value) == Format::Json {
        let settings = rows.iter().map(|(name, value, origin)| json!({"name": name, "value": value, "from": origin}));
        output.json(&json!({"settings": settings.collect::<Vec<_>>()}))?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["SETTING", "VALUE", "FROM"]);
    for (name, value, origin) in &rows {
        table.row([*name, value, origin]);
    }
    table.lines(output.data_style()).iter().try_for_each(|line| output.line(line))?;
    Ok(Exit::Ok)
}

/// Name, value, origin. The token itself is never shown.
fn rows(config: &Config) -> Vec<(&'static str, String, String)> {
    let format = match config.output.value {
        Format::Table => "table",
        Format::Json => "json",
        Format::Wide => "wide",
    };
    let data_dir = config.data_dir.as_ref();
    let token = match &config.token {
        Some(token) => ("set".to_owned(), token.origin.to_string()),
        None if config.server.value.urls().any(|url| auth::local::find(url).is_some()) => {
            ("set".to_owned(), "the server on this machine".to_owned())
        }
        None => ("none".to_owned(), "default".to_owned()),
    };
    let file = config.file.as_ref().map_or_else(|| "none".to_owned(), |path| path.display().to_string());
    vec![
        ("server", config.server.value.to_string(), config.server.origin.to_string()),
        ("token", token.0, token.1),
        (
            "data_dir",
            data_dir.map_or_else(|| "none".to_owned(), |setting| setting.value.display().to_string()),
            data_dir.map_or_else(|| "default".to_owned(), |setting| setting.origin.to_string()),
        ),
        ("output", format.to_owned(), config.output.origin.to_string()),
        ("file", file, if config.file.is_some() { "found" } else { "default" }.to_owned()),
    ]
}
