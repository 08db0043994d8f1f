//! The command line: one file per command.

mod exit;
mod inventory;
mod output;
mod plan;
mod source;
mod validate;

pub(crate) use exit::{Exit, Failure};
pub(crate) use output::Output;

use crate::config::{Config, GlobalArgs};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Deploys stacks of containers over many Docker hosts
#[derive(Debug, Parser)]
#[command(name = "graphium", version, propagate_version = true, arg_required_else_help = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit codes: 0 ok, 1 failed, 2 usage, 3 invalid document, 4 not allowed, 5 unreachable, 6 wait timed out, 130 interrupted";

#[derive(Debug, Subcommand)]
enum Command {
    Validate(validate::ValidateArgs),
    Plan(plan::PlanArgs),
    /// Says which version this is
    Version,
}

/// Runs the command that the process was started with.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut output = Output::new();
    let result = run(cli, &mut output).and_then(|exit| output.flush().map(|()| exit));
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            // What was written before the failure is still the result so far.
            let _ = output.flush();
            output.fail(&failure);
            failure.exit.into()
        }
    }
}

/// Commands that need no server start no threads.
fn run(cli: Cli, output: &mut Output) -> Result<Exit, Failure> {
    let config = Config::load(&cli.global)?;
    match cli.command {
        Command::Validate(args) => validate::run(&args, &config, output),
        Command::Plan(args) => plan::run(&args, &config, output),
        Command::Version => {
            output.line(format_args!("graphium {}", env!("CARGO_PKG_VERSION")))?;
            Ok(Exit::Ok)
        }
    }
}
