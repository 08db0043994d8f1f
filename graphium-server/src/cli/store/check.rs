//! `graphium store check`.

use super::{Database, contents, unusable};
use crate::{
    cli::{
        exit::{Exit, Failure},
        output::Output,
    },
    config::Format,
};
use graphium_store::SqliteStore;
use std::path::Path;

/// Looks whether everything in the store fits together; a server may be using it
#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub(super) database: Database,
}

pub(super) fn run(database: &Path, format: Format, output: &mut Output) -> Result<Exit, Failure> {
    let verdict = SqliteStore::check(database)
        .map_err(|error| unusable(format!("`{}` cannot be checked", database.display()), &error))?;
    let exit = if verdict.findings.is_empty() { Exit::Ok } else { Exit::Failed };
    if format == Format::Json {
        output.json(&verdict)?;
        return Ok(exit);
    }
    if exit == Exit::Ok {
        output.line(format_args!("`{}` is sound: {}", database.display(), contents(&verdict)))?;
        return Ok(exit);
    }
    output.line(format_args!("`{}` is damaged: {}", database.display(), contents(&verdict)))?;
    for finding in &verdict.findings {
        output.line(format_args!("  {finding}"))?;
    }
    output.say("hint: stop the server, keep a copy of the file, and restore a backup: `graphium store restore FILE`");
    Ok(exit)
}
