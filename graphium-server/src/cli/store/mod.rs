//! `graphium store …`: the database itself, with or without a server.

mod check;
mod copy;

use super::{
    exit::{Exit, Failure},
    output::Output,
    server::default_store,
};
use crate::config::{Config, Format};
use graphium_store::{OpenError, Verdict, sqlite_path};
use std::path::PathBuf;

/// Backs up, restores and checks what the server keeps
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct StoreArgs {
    #[command(subcommand)]
    command: StoreCommand,
    /// Which store [default: sqlite:<data-dir>/graphium.db]
    #[arg(long, env = "GRAPHIUM_STORE", value_name = "URL", global = true)]
    store: Option<String>,
    /// How the result is written
    #[arg(short, long, value_enum, global = true)]
    output: Option<Format>,
}

#[derive(Debug, clap::Subcommand)]
enum StoreCommand {
    Backup(copy::BackupArgs),
    Restore(copy::RestoreArgs),
    /// Looks whether everything in the store fits together; a server may be using it
    Check,
}

pub(crate) fn run(args: &StoreArgs, config: &Config, output: &mut Output) -> Result<Exit, Failure> {
    let store = match &args.store {
        Some(store) => store.clone(),
        None => default_store(config.data_dir()?),
    };
    let format = args.output.unwrap_or(config.output.value);
    match &args.command {
        StoreCommand::Backup(args) => copy::backup(args, &database(&store)?, format, output),
        StoreCommand::Restore(args) => copy::restore(args, &database(&store)?, format, output),
        StoreCommand::Check => check::run(&database(&store)?, format, output),
    }
}

/// The file of a store that is one.
fn database(store: &str) -> Result<PathBuf, Failure> {
    sqlite_path(store).map(PathBuf::from).ok_or_else(|| {
        Failure::usage("only a store in a file (`sqlite:PATH`) can be backed up, restored and checked")
            .hint("name it with `--store sqlite:PATH` or GRAPHIUM_STORE")
    })
}

/// What is in a database, in one line.
fn contents(verdict: &Verdict) -> String {
    let count = |number: u64, one: &str| format!("{number} {one}{}", if number == 1 { "" } else { "s" });
    let events = match (verdict.first_event, verdict.last_event) {
        (_, 0) => "no events".to_owned(),
        (first, last) => format!("events {first} to {last}"),
    };
    format!("{}, {}, {events}", count(verdict.tasks, "task"), count(verdict.records, "record"))
}

/// Why a database cannot be used, and what to do.
fn unusable(what: String, error: &OpenError) -> Failure {
    let failure = Failure::new(Exit::Failed, what).because_of(error);
    match error {
        OpenError::InUse { .. } => failure.hint("stop the server first"),
        OpenError::Missing { .. } | OpenError::Foreign { .. } => {
            failure.hint("is it the right file? `--store sqlite:PATH` names the store")
        }
        _ => failure,
    }
}
