//! What every part of the reader shares: the profile, the variables, the findings.

use super::{
    ReadContext,
    code::Code,
    findings::{Findings, Place as At},
    node::Node,
    profile::{Context, Profile},
};
use indexmap::IndexMap;

/// Reads nodes into values and keeps what it finds.
pub(super) struct Reader<'c> {
    pub(super) context: Context,
    pub(super) environment: &'c ReadContext<'c>,
    pub(super) findings: Findings,
    /// The objects where `@context` may stand.
    pub(super) tops: Vec<usize>,
    /// Bytes that variables have brought in so far.
    pub(super) filled: usize,
    /// Ports that ranges have brought in so far.
    pub(super) ranged: usize,
    /// What the document calls datacenters, each with its id, where that is another.
    pub(super) datacenters: IndexMap<String, String>,
}

impl<'c> Reader<'c> {
    /// One that has read nothing yet.
    pub(super) fn new(
        context: Context,
        environment: &'c ReadContext<'c>,
        findings: Findings,
        tops: Vec<usize>,
    ) -> Self {
        Self { context, environment, findings, tops, filled: 0, ranged: 0, datacenters: IndexMap::new() }
    }
}

impl Reader<'_> {
    /// Whether older spellings are read.
    pub(super) fn is_legacy(&self) -> bool {
        self.context.profile == Profile::Legacy
    }

    pub(super) fn error(&mut self, code: Code, at: impl Into<At>, message: impl Into<String>, help: impl Into<String>) {
        let help = help.into();
        self.findings.add(code, at, message, (!help.is_empty()).then_some(help));
    }

    /// The same of what stands for the second time, with a word on where the first is.
    pub(super) fn again(&mut self, code: Code, at: At, first: At, message: impl Into<String>, help: &str) {
        self.findings.add_second(code, at, first, message, Some(help.to_owned()));
    }

    /// `expected` with its article: `a string`.
    pub(super) fn wrong_type(&mut self, node: Node<'_>, expected: &str, help: &str) {
        let help = match (help, node.kind()) {
            ("", "null") => "leave the key out",
            (help, _) => help,
        };
        self.error(Code::WrongType, node, format!("expected {expected}, found {}", node.kind()), help);
    }

    /// An older form of a value: accepted with a note in the legacy profile, refused in the native one.
    pub(super) fn older_form(&mut self, at: Node<'_>, what: &str, canonical: impl Into<String>) -> bool {
        let legacy = self.is_legacy();
        match legacy {
            true => self.error(Code::OlderForm, at, what, canonical),
            false => self.error(Code::WrongType, at, format!("{what} is read in older documents only"), canonical),
        }
        legacy
    }
}
