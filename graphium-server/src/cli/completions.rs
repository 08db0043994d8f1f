//! `graphium completions`: for the shell.

use super::{
    exit::{Exit, Failure},
    output::Output,
};
use clap_complete::Shell;

/// Prints what a shell needs to complete commands and flags
#[derive(Debug, clap::Args)]
#[command(alias = "completion", after_help = AFTER_HELP)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

const AFTER_HELP: &str = "\
Examples:
  graphium completions bash > /etc/bash_completion.d/graphium
  graphium completions zsh > \"${fpath[1]}/_graphium\"
  graphium completions fish > ~/.config/fish/completions/graphium.fish";

pub(crate) fn run(args: &CompletionsArgs, mut command: clap::Command, output: &mut Output) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "graphium", &mut script);
    output.line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Exit::Ok)
}
