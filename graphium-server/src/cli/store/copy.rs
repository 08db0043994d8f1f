//! `graphium store backup` and `restore`.

use super::{Database, contents, unusable};
use crate::{
    cli::{
        exit::{Exit, Failure},
        output::Output,
    },
    config::Format,
};
use graphium_store::{CopyError, Existing, OpenError, SqliteStore};
use jiff::Timestamp;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Copies the store as it is at this moment to one file, while a server goes on using it
#[derive(Debug, clap::Args)]
pub(super) struct BackupArgs {
    /// Where the copy goes
    file: PathBuf,
    /// Replace what lies there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    pub(super) database: Database,
}

/// Puts a backup in the place of the store, which is kept beside it; no server may be using it
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    pub(super) database: Database,
}

pub(super) fn backup(args: &BackupArgs, database: &Path, format: Format, output: &mut Output) -> Result<Exit, Failure> {
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    let verdict = SqliteStore::backup(database, &args.file, existing)
        .map_err(|error| failed(format!("`{}` is not backed up", database.display()), &error))?;
    match format {
        Format::Json => output.json(&json!({"file": args.file, "contents": verdict}))?,
        Format::Table | Format::Wide => {
            output.line(format_args!("`{}` holds {}", args.file.display(), contents(&verdict)))?;
        }
    }
    Ok(Exit::Ok)
}

pub(super) fn restore(
    args: &RestoreArgs,
    database: &Path,
    format: Format,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let restored = SqliteStore::restore(database, &args.file, Timestamp::now())
        .map_err(|error| not_restored(format!("`{}` is not restored", database.display()), &args.file, &error))?;
    match format {
        Format::Json => output.json(&json!({"kept": restored.kept, "contents": restored.verdict}))?,
        Format::Table | Format::Wide => {
            output.line(format_args!("`{}` holds {}", database.display(), contents(&restored.verdict)))?;
            if let Some(kept) = &restored.kept {
                output.line(format_args!("what was there before is `{}`", kept.display()))?;
            }
        }
    }
    Ok(Exit::Ok)
}

fn not_restored(what: String, from: &Path, error: &CopyError) -> Failure {
    match error {
        CopyError::Open(error @ (OpenError::Missing { path } | OpenError::Foreign { path })) if path == from => {
            Failure::new(Exit::Failed, what)
                .because_of(error)
                .hint("name a file that `graphium store backup` has written")
        }
        _ => failed(what, error),
    }
}

fn failed(what: String, error: &CopyError) -> Failure {
    let failure = Failure::new(Exit::Failed, what.clone());
    match error {
        CopyError::Open(error) => unusable(what, error),
        CopyError::Exists { .. } => failure.because_of(error).hint("choose another name, or replace it with `--force`"),
        CopyError::Occupied { .. } => failure.because_of(error).hint("choose another name"),
        CopyError::Damaged { path, findings } => {
            let failure = failure.because(format_args!("the copy of `{}` is damaged:", path.display()));
            let failure =
                findings.iter().fold(failure, |failure, finding| failure.because(format_args!("  {finding}")));
            failure.hint("take an older backup; `graphium store check` says what else is wrong")
        }
        _ => failure.because_of(error),
    }
}
