//! `graphium store …`: the database itself, with or without a server.

mod transfer;
mod upgrade;

use super::{
    exit::{Exit, Failure},
    output::Output,
};
use crate::config::{Config, Format};

/// Moves what the server keeps to another store, and takes over what the older system has left
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
    Copy(transfer::CopyArgs),
    Upgrade(upgrade::UpgradeArgs),
}

pub(crate) fn run(args: &StoreArgs, config: &Config, output: &mut Output) -> Result<Exit, Failure> {
    let format = args.output.unwrap_or(config.output.value);
    match &args.command {
        StoreCommand::Copy(args) => transfer::copy(args, format, output),
        StoreCommand::Upgrade(args) => upgrade::upgrade(args, format, output),
    }
}
