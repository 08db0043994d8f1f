//! `graphium fmt FILE`: a document in the native form.

use super::{
    exit::{Exit, Failure},
    output::Output,
    source::Document,
    validate,
};
use graphium_core::document;
use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

/// Writes a stack's document in the native form: canonical keys in their order, variables as they are
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 formatted, 1 `--check` found that it would change, 2 usage, 3 invalid document")]
pub(crate) struct FmtArgs {
    /// The stack's document, of any profile; `-` reads it from stdin
    file: PathBuf,
    /// Write nothing; fail where the document would change
    #[arg(long, conflicts_with = "write")]
    check: bool,
    /// Replace the file instead of printing the document
    #[arg(long)]
    write: bool,
}

pub(crate) fn run(args: &FmtArgs, output: &mut Output) -> Result<Exit, Failure> {
    let document = Document::load(&args.file)?;
    if args.write && document.is_stdin() {
        return Err(Failure::usage("stdin cannot be replaced").hint("leave `--write` out to print the document"));
    }
    let formatted =
        document::format(document.bytes()).map_err(|diagnostics| validate::refusal(&document, &diagnostics))?;
    if !args.check {
        document.tell(&formatted.notes, output);
    }
    let name = document.name();
    let changes = formatted.text.as_bytes() != document.bytes();
    if args.check {
        if changes {
            let failure = Failure::new(Exit::Failed, format!("{name} is not in the native form"));
            return Err(match document.is_stdin() {
                true => failure,
                false => failure.hint(format!("graphium fmt --write {name}")),
            });
        }
        output.line(format_args!("{name} is in the native form"))?;
    } else if args.write {
        if changes {
            replace(&args.file, formatted.text.as_bytes())
                .map_err(|error| Failure::new(Exit::Failed, format!("{name} cannot be replaced")).because(error))?;
        }
        output.line(format_args!("{name} is {}", if changes { "rewritten" } else { "unchanged" }))?;
    } else {
        output.line(formatted.text.trim_end())?;
    }
    Ok(Exit::Ok)
}

/// Replaces a file in one step: whoever reads it meanwhile sees the old text or the new, and a full disk loses neither.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    // What a link points to is replaced, not the link.
    let path = fs::canonicalize(path)?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    let written = write_beside(&path, &beside, text).and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

fn write_beside(path: &Path, beside: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create_new(beside)?;
    file.set_permissions(fs::metadata(path)?.permissions())?;
    file.write_all(text)?;
    file.sync_all()
}
