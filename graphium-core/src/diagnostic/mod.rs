//! What is wrong with a document or cannot be planned, told all at once.
//!
//! # Example
//! ```
//! use graphium_core::diagnostic::{Diagnostic, Explanation, Property, Severity, Subject};
//! use graphium_core::{plan, stack::Protocol};
//!
//! let taken = Property::Port { number: 8080, protocol: Protocol::Tcp };
//! let found = Diagnostic::error("host-port-clash", "/hasPart/0", "the port 8080/tcp of `vm1` is taken")
//!     .about(Subject::container("web").property(taken))
//!     .with_help("did you mean `8081`? that one is free");
//! assert!(found.is_error());
//! assert_eq!(found.suggestion(), Some("did you mean `8081`?"));
//! assert_eq!(found.hint(), Some("that one is free"));
//! assert_eq!(found.subject.as_ref().unwrap().to_string(), "port 8080/tcp of the container `web`");
//! // Where a place in a text is known, it is told first.
//! let placed = Diagnostic { line: 3, column: 9, help: None, ..found };
//! assert_eq!(placed.to_string(), "3:9: the port 8080/tcp of `vm1` is taken [host-port-clash]");
//!
//! // What a code means is data, too.
//! let explained: &Explanation = plan::CODES.iter().find(|known| known.code == "host-port-clash").unwrap();
//! assert_eq!(explained.severity, Severity::Error);
//! assert!(!explained.meaning.is_empty() && !explained.fix.is_empty());
//! ```

mod subject;

pub use subject::{Property, Subject};

use crate::plan::Fix;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt};

/// How bad a [`Diagnostic`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Accepted; shows the canonical way to say the same.
    Note,
    /// Accepted, and probably not what was meant.
    Warning,
    /// Refused.
    Error,
}

/// One finding, with a stable code and, where it belongs to a place of a document, that place.
///
/// The reader knows the place. The planner has never seen a document: it names the [`Subject`], and
/// [`document::locate`](crate::document::locate) finds the place of that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Stable, kebab-case: `unknown-key`, `unresolved-reference` …
    pub code: Cow<'static, str>,
    /// Whether it refuses the document.
    pub severity: Severity,
    /// JSON pointer (RFC 6901) to the value; empty for the whole document.
    pub pointer: String,
    /// Line in the source, from 1; 0 where there is no source text.
    pub line: u32,
    /// Column in the source, in characters, from 1; 0 where there is no source text.
    pub column: u32,
    /// Length in characters of the text that is marked; 0 where there is no source text.
    #[serde(default)]
    pub length: u32,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub help: Option<String>,
    /// What of the stack it is about, where the planner found it and the stack says it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<Box<Subject>>,
    /// The smallest change that would help, where the planner knows it; the help tells the same in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fix: Option<Box<Fix>>,
}

/// A text of a diagnostic without the most of what it repeats of a document: a value may be megabytes long.
///
/// What stands between two backticks, or beside them, is cut where it is long; so the words around it stay.
pub(crate) fn clip(text: impl Into<String>) -> String {
    /// Characters of one piece that are kept.
    const KEPT: usize = 500;
    /// Pieces that are kept: a value may have as many backticks as it likes.
    const PIECES: usize = 200;
    let text: String = text.into();
    if text.len() <= KEPT {
        return text;
    }
    let mut clipped = String::new();
    for (number, piece) in text.split('`').enumerate() {
        if number == PIECES {
            return clipped + "…";
        }
        if number > 0 {
            clipped.push('`');
        }
        match piece.char_indices().nth(KEPT) {
            Some((end, _)) => clipped.extend([piece.get(..end).unwrap_or_default(), "…"]),
            None => clipped.push_str(piece),
        }
    }
    clipped
}

/// What a code means, for documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Stable, kebab-case.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it means, in a sentence.
    pub meaning: &'static str,
    /// What to do about it, in a sentence.
    pub fix: &'static str,
}

impl Diagnostic {
    /// An error that has no place in a source text, or not yet (the planner's).
    pub fn error(code: &'static str, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: Cow::Borrowed(code),
            severity: Severity::Error,
            pointer: pointer.into(),
            line: 0,
            column: 0,
            length: 0,
            message: clip(message),
            help: None,
            subject: None,
            fix: None,
        }
    }

    /// The same about a part of the stack.
    #[must_use]
    pub fn about(mut self, subject: Subject) -> Self {
        self.subject = Some(Box::new(subject));
        self
    }

    /// The same with advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(clip(help));
        self
    }

    /// The part of the help that belongs beside the marked text: "did you mean `db`?".
    pub fn suggestion(&self) -> Option<&str> {
        let help = self.help.as_deref().filter(|help| help.starts_with("did you mean "))?;
        help.split_inclusive('?').next()
    }

    /// The rest of the help: a hint below the text.
    pub fn hint(&self) -> Option<&str> {
        let help = self.help.as_deref()?;
        let rest = help.get(self.suggestion().map_or(0, str::len)..)?.trim();
        (!rest.is_empty()).then_some(rest)
    }

    /// Whether it refuses the document.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        write!(f, "{} [{}]", self.message, self.code)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_and_the_words_around_them_stay() {
        let value = "é".repeat(1_000_000);
        let kept = "é".repeat(500);
        let diagnostic =
            Diagnostic::error("x", "", format!("`{value}` is no port")).with_help(format!("write {value}"));
        assert_eq!(diagnostic.message, format!("`{kept}…` is no port"));
        assert_eq!(diagnostic.help.unwrap(), format!("write {}…", "é".repeat(494)));
        assert_eq!(clip(format!("`{kept}` is one of `a`")), format!("`{kept}` is one of `a`"));
        assert!(clip("`".repeat(1_000_000)).len() < 1_000);
    }

    #[test]
    fn help_is_a_suggestion_a_hint_or_both() {
        let parts = |help: &str| {
            let diagnostic = Diagnostic::error("x", "", "").with_help(help);
            (diagnostic.suggestion().map(str::to_owned), diagnostic.hint().map(str::to_owned))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            parts("did you mean `db`? one of `db`, `web`"),
            (some("did you mean `db`?"), some("one of `db`, `web`"))
        );
        assert_eq!(parts("did you mean `db`?"), (some("did you mean `db`?"), None));
        assert_eq!(parts("add a name"), (None, some("add a name")));
    }
}
