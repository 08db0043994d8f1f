//! The document that a command is about: from a file or stdin, with the variables that it asks for.

use super::{
    env_file,
    exit::{Failure, SourceText},
    output::Output,
};
use crate::render::{self, Source, Style};
use graphium_core::{
    diagnostic::{Diagnostic, Severity},
    document::{self, ReadContext, Reading},
};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    env,
    ffi::OsStr,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// More than the reader admits, so that it is the reader that refuses.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// An estate of many thousand hosts with their containers.
pub(super) const MAX_INVENTORY_BYTES: u64 = 256 * 1024 * 1024;

const STDIN: &str = "<stdin>";

/// Which document, and with which variables.
#[derive(Debug, clap::Args)]
pub(crate) struct DocumentArgs {
    /// The stack's document (JSON-LD); `-` reads it from stdin
    file: PathBuf,
    /// File of NAME=VALUE lines for the document's `${NAME}`, as Compose has it; the environment goes before it
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

/// A document in memory.
#[derive(Debug)]
pub(crate) struct Document {
    name: String,
    bytes: Vec<u8>,
    variables: BTreeMap<String, String>,
    used: RefCell<BTreeMap<String, String>>,
}

impl DocumentArgs {
    /// Refuses to read both this and another file from stdin: each would get the whole of it, or nothing.
    pub(crate) fn refuse_to_share_stdin(&self, other: &Path, flag: &str) -> Result<(), Failure> {
        match is_stdin(&self.file) && is_stdin(other) {
            true => Err(Failure::usage(format!("the document and `{flag}` cannot both come from stdin"))
                .hint("write one of them to a file")),
            false => Ok(()),
        }
    }

    /// Loads the document and the file of variables.
    pub(crate) fn load(&self) -> Result<Document, Failure> {
        let mut document = Document::load(&self.file)?;
        document.variables = match &self.env_file {
            Some(path) => read_variables(path)?,
            None => BTreeMap::new(),
        };
        Ok(document)
    }
}

impl Document {
    /// Loads a document alone: a file, or `-` for stdin.
    pub(crate) fn load(file: &Path) -> Result<Self, Failure> {
        let (name, bytes) = load(file, MAX_BYTES)?;
        Ok(Self { name, bytes, variables: BTreeMap::new(), used: RefCell::default() })
    }

    /// Whether it came from stdin.
    pub(crate) fn is_stdin(&self) -> bool {
        self.name == STDIN
    }

    /// As the user called it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The same with its text, to be shown.
    pub(crate) fn source_text(&self) -> SourceText {
        SourceText { name: self.name.clone(), text: String::from_utf8_lossy(&self.bytes).into_owned() }
    }

    /// What was read, as it is.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The stack that it describes.
    pub(crate) fn read(&self) -> Result<Reading, Vec<Diagnostic>> {
        let resolve = |name: &str| {
            let value = self.variable(name)?;
            self.used.borrow_mut().insert(name.to_owned(), value.clone());
            Some(value)
        };
        document::read(&self.bytes, &ReadContext::new(&resolve))
    }

    /// Gives what was found without the document, as by the planner, its places in it.
    pub(crate) fn locate(&self, diagnostics: &mut [Diagnostic]) {
        document::locate(&self.bytes, &ReadContext::new(&|name| self.variable(name)), diagnostics);
    }

    fn variable(&self, name: &str) -> Option<String> {
        env::var(name).ok().or_else(|| self.variables.get(name).cloned())
    }

    /// The variables that reading it has asked for, and no others.
    pub(crate) fn used_variables(&self) -> BTreeMap<String, String> {
        self.used.borrow().clone()
    }

    /// Diagnostics as people read them.
    pub(crate) fn render(&self, diagnostics: &[Diagnostic], columns: usize, style: Style) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        render::diagnostics(diagnostics, Source { name: &self.name, text: &text }, columns, style)
    }

    /// Says on stderr what is wrong with it or probably not meant; notes on spelling are for `graphium validate`.
    pub(crate) fn warn(&self, diagnostics: &[Diagnostic], output: &Output) {
        let worse: Vec<Diagnostic> =
            diagnostics.iter().filter(|found| found.severity > Severity::Note).cloned().collect();
        self.tell(&worse, output);
    }

    /// Says everything that was found, on stderr.
    pub(crate) fn tell(&self, diagnostics: &[Diagnostic], output: &Output) {
        if !diagnostics.is_empty() {
            output.say(self.render(diagnostics, output.size().width, output.style()).trim_end());
        }
    }
}

/// What lies in a file, or comes from stdin where the path is `-`, and what that is called.
pub(super) fn load(path: &Path, most: u64) -> Result<(String, Vec<u8>), Failure> {
    if is_stdin(path) {
        return Ok((STDIN.to_owned(), read_bounded(io::stdin().lock(), "stdin", most)?));
    }
    Ok((path.display().to_string(), read_file(path, most)?))
}

/// Whether a path stands for stdin.
fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == OsStr::new("-")
}

fn read_file(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let name = path.display().to_string();
    File::open(path).map_err(|error| unreadable(&name, &error)).and_then(|file| read_bounded(file, &name, most))
}

fn read_bounded(reader: impl Read, name: &str, most: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    reader.take(most).read_to_end(&mut bytes).map_err(|error| unreadable(name, &error))?;
    Ok(bytes)
}

fn unreadable(name: &str, error: &io::Error) -> Failure {
    let failure = Failure::usage(format!("`{name}` cannot be read: {error}"));
    match error.kind() {
        io::ErrorKind::NotFound => failure.hint("name an existing file, or `-` to read stdin"),
        _ => failure,
    }
}

/// What a file of variables says; its mistakes all at once, each with its line.
fn read_variables(path: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let name = path.display().to_string();
    let text = String::from_utf8(read_file(path, MAX_BYTES)?)
        .map_err(|_| Failure::usage(format!("`{name}` is not UTF-8")).hint("save it as UTF-8"))?;
    env_file::parse(&text).map_err(|mistakes| {
        let told = |mistake: &env_file::Mistake| format!("{name}:{}: {}", mistake.line, mistake.what);
        match mistakes.as_slice() {
            [one] => Failure::usage(told(one)).hint(one.help),
            several => several
                .iter()
                .fold(Failure::usage(format!("`{name}` has {} mistakes", several.len())), |failure, mistake| {
                    failure.because(format!("{}; {}", told(mistake), mistake.help))
                }),
        }
    })
}
