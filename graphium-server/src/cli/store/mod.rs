//! `graphium store …`: the database itself, with or without a server.

mod check;
mod copy;
mod transfer;
mod upgrade;

use super::{
    exit::{Exit, Failure},
    output::Output,
    server::default_store,
};
use crate::config::{Config, Format};
use graphium_store::{OpenError, Verdict, sqlite_path, without_password};
use std::path::PathBuf;

/// Backs up, restores and checks what the server keeps, moves it to another store, takes over what the older system has left
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct StoreArgs {
    #[command(subcommand)]
    command: StoreCommand,
    /// How the result is written
    #[arg(short, long, value_enum, global = true)]
    output: Option<Format>,
}

#[derive(Debug, clap::Subcommand)]
enum StoreCommand {
    Backup(copy::BackupArgs),
    Restore(copy::RestoreArgs),
    Check(check::CheckArgs),
    Copy(transfer::CopyArgs),
    Upgrade(upgrade::UpgradeArgs),
}

/// A store in a file.
#[derive(Debug, clap::Args)]
struct Database {
    /// Which store [default: sqlite:<data-dir>/graphium.db]
    #[arg(long, env = "GRAPHIUM_STORE", value_name = "URL", hide_env_values = true)]
    store: Option<String>,
}

pub(crate) fn run(args: &StoreArgs, config: &Config, output: &mut Output) -> Result<Exit, Failure> {
    let format = args.output.unwrap_or(config.output.value);
    match &args.command {
        StoreCommand::Backup(args) => copy::backup(args, &args.database.path(config)?, format, output),
        StoreCommand::Restore(args) => copy::restore(args, &args.database.path(config)?, format, output),
        StoreCommand::Check(args) => check::run(&args.database.path(config)?, format, output),
        StoreCommand::Copy(args) => transfer::copy(args, format, output),
        StoreCommand::Upgrade(args) => upgrade::upgrade(args, format, output),
    }
}

impl Database {
    fn path(&self, config: &Config) -> Result<PathBuf, Failure> {
        let store = match &self.store {
            Some(store) => store.clone(),
            None => default_store(config.data_dir()?),
        };
        sqlite_path(&store).map(PathBuf::from).ok_or_else(|| {
            let name = without_password(&store);
            let failure = Failure::usage(format!(
                "only a store in a file can be backed up, restored and checked, and `{name}` names none"
            ));
            match store.contains(':') {
                false => failure.hint(format!("did you mean `--store sqlite:{name}`?")),
                true => failure.hint("name it with `--store sqlite:PATH` or GRAPHIUM_STORE"),
            }
        })
    }
}

/// What is in a database, in one line.
fn contents(verdict: &Verdict) -> String {
    if verdict.is_of_file_alone() {
        let older = format!("schema {}, which is older than this version's", verdict.schema);
        return format!("{older}; what is in it can be looked at once a server has opened it");
    }
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
            failure.hint("is it the right file? a store in a file is named as `sqlite:PATH`")
        }
        _ => failure,
    }
}
