//! `graphium man`: pages for `man`.

use super::{
    exit::{Exit, Failure},
    output::Output,
};
use std::path::PathBuf;

/// Writes a page for `man` for each command
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: graphium man /usr/local/share/man/man1 && man graphium-stack-deploy")]
pub(crate) struct ManArgs {
    /// Where they are written; made where it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(crate) fn run(args: &ManArgs, command: clap::Command, output: &mut Output) -> Result<Exit, Failure> {
    let folder = &args.folder;
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Failed, format!("the pages cannot be written to `{}`: {error}", folder.display()))
            .hint("choose another folder")
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(command, folder).map_err(failed)?;
    output.say(format_args!("the pages are in {}", folder.display()));
    Ok(Exit::Ok)
}
