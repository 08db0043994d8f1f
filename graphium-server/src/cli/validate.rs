//! `graphium validate FILE`: what is wrong with a document, without a server.

use super::{
    exit::{Exit, Failure},
    output::Output,
    source::{Document, DocumentArgs},
};
use crate::{
    config::{Config, Format},
    render::count,
};
use graphium_core::{
    diagnostic::{Diagnostic, Severity, Subject},
    document::Code,
    plan::Fix,
};
use serde::Serialize;

/// Checks a stack's document, offline
#[derive(Debug, clap::Args)]
pub(crate) struct ValidateArgs {
    #[command(flatten)]
    document: DocumentArgs,
    /// How the result is written
    #[arg(short, long, value_enum)]
    output: Option<Format>,
}

/// The result, as programs rely upon it.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict<'a> {
    valid: bool,
    diagnostics: Vec<Finding<'a>>,
}

/// A diagnostic, as programs rely upon it.
#[derive(Debug, Serialize)]
pub(crate) struct Finding<'a> {
    code: &'a str,
    severity: Severity,
    pointer: &'a str,
    line: u32,
    column: u32,
    message: &'a str,
    help: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a Subject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'a Fix>,
}

impl<'a> Verdict<'a> {
    /// The verdict that these findings make.
    pub(crate) fn of(diagnostics: &'a [Diagnostic]) -> Self {
        Self {
            valid: !diagnostics.iter().any(Diagnostic::is_error),
            diagnostics: diagnostics.iter().map(Finding::from).collect(),
        }
    }
}

impl<'a> From<&'a Diagnostic> for Finding<'a> {
    fn from(found: &'a Diagnostic) -> Self {
        Self {
            code: &found.code,
            severity: found.severity,
            pointer: &found.pointer,
            line: found.line,
            column: found.column,
            message: &found.message,
            help: found.help.as_deref(),
            subject: found.subject.as_deref(),
            fix: found.fix.as_deref(),
        }
    }
}

pub(crate) fn run(args: &ValidateArgs, config: &Config, output: &mut Output) -> Result<Exit, Failure> {
    let document = args.document.load()?;
    let reading = document.read();
    let diagnostics = match &reading {
        Ok(reading) => &reading.notes,
        Err(diagnostics) => diagnostics,
    };
    if args.output.unwrap_or(config.output.value) == Format::Json {
        output.json(&Verdict::of(diagnostics))?;
        return Ok(if reading.is_ok() { Exit::Ok } else { Exit::Invalid });
    }
    match &reading {
        Ok(reading) => {
            document.tell(diagnostics, output);
            let containers = count(reading.stack.containers.len(), "container");
            output.line(format_args!("{} is valid: stack `{}`, {containers}", document.name(), reading.stack.name))?;
            Ok(Exit::Ok)
        }
        Err(diagnostics) => {
            let is_note = |found: &&Diagnostic| found.severity == Severity::Note;
            let notes: Vec<_> = diagnostics.iter().filter(is_note).cloned().collect();
            document.tell(&notes, output);
            Err(refusal(&document, diagnostics))
        }
    }
}

/// How many mistakes there are; of very many not all are listed.
fn mistakes(diagnostics: &[Diagnostic]) -> String {
    let is_counted = |found: &&Diagnostic| found.code == Code::MoreMistakes.as_str();
    let listed = diagnostics.iter().filter(|found| found.is_error() && !is_counted(found)).count();
    let more = if diagnostics.iter().any(|found| is_counted(&found)) { "more than " } else { "" };
    more.to_owned() + &count(listed, "mistake")
}

/// A document is refused, for these reasons.
pub(crate) fn refusal(document: &Document, diagnostics: &[Diagnostic]) -> Failure {
    let what = format!("{} is refused: {}", document.name(), mistakes(diagnostics));
    let source = Some(Box::new(document.source_text()));
    Failure { source, diagnostics: diagnostics.into(), ..Failure::new(Exit::Invalid, what) }
}
