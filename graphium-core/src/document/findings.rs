//! Findings are made with places in the text; lines, columns and pointers are worked out once, at the end.

use super::{
    code::Code,
    node::{Member, Node},
};
use crate::diagnostic::{Diagnostic, Severity, clip};
use std::{borrow::Cow, ops::Range};

/// So many findings of each severity are kept; the rest is counted.
pub(super) const MAX_PER_SEVERITY: usize = 1_000;

/// What has been found so far.
#[derive(Default)]
pub(super) struct Findings {
    findings: Vec<Finding>,
    kept: [usize; 3],
    /// What is only counted, by severity.
    dropped: [usize; 3],
}

struct Finding {
    code: Code,
    /// Bytes that are marked.
    mark: Range<usize>,
    /// The value that the pointer names, by its number in the code map.
    index: usize,
    /// The byte at which something of the same kind stands before it; the message tells that place.
    first: Option<Place>,
    message: String,
    help: Option<String>,
}

/// Where a finding belongs: the bytes to mark and the value to point to.
pub(super) struct Place {
    mark: Range<usize>,
    index: usize,
}

impl From<Node<'_>> for Place {
    fn from(node: Node<'_>) -> Self {
        Self { mark: node.mark(), index: node.index() }
    }
}

impl From<&Member<'_>> for Place {
    fn from(member: &Member<'_>) -> Self {
        Self { mark: member.mark(), index: member.value.index() }
    }
}

impl Place {
    /// Points to `node`, marks `shown`: an object is better shown by its name than by its bracket.
    pub(super) fn shown_by(node: Node<'_>, shown: Option<Node<'_>>) -> Self {
        Self { mark: shown.unwrap_or(node).mark(), index: node.index() }
    }

    /// The place in another text that `to` finds for it: what is shown there, which value it is about, and what a message
    /// should add.
    #[cfg(feature = "json-ld")]
    pub(super) fn moved(self, to: impl FnOnce(Range<usize>, usize) -> (Self, Self, String)) -> Self {
        let (shown, value, _) = to(self.mark, self.index);
        Self { mark: shown.mark, index: value.index }
    }

    /// Some bytes of a document that could not be parsed.
    pub(super) fn bytes(mark: Range<usize>) -> Self {
        Self { mark, index: 0 }
    }
}

impl Findings {
    pub(super) fn add(
        &mut self,
        code: Code,
        place: impl Into<Place>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.keep(code, place.into(), None, message, help);
    }

    /// Adds what is wrong because something like it stands before it, at `first`.
    pub(super) fn add_second(
        &mut self,
        code: Code,
        place: Place,
        first: Place,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.keep(code, place, Some(first), message, help);
    }

    fn keep(
        &mut self,
        code: Code,
        Place { mark, index }: Place,
        first: Option<Place>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        if self.is_full(code.severity()) {
            self.dropped[code.severity() as usize] += 1;
            return;
        }
        self.kept[code.severity() as usize] += 1;
        self.findings.push(Finding { code, mark, index, first, message: clip(message), help: help.map(clip) });
    }

    /// Counts findings that somebody else left out.
    #[cfg(feature = "json-ld")]
    pub(super) fn leave_out(&mut self, severity: Severity, count: usize) {
        self.dropped[severity as usize] += count;
    }

    /// Whether one more of this severity would only be counted: its message need not be made.
    pub(super) fn is_full(&self, severity: Severity) -> bool {
        self.kept[severity as usize] >= MAX_PER_SEVERITY
    }

    pub(super) fn has_errors(&self) -> bool {
        self.kept[Severity::Error as usize] > 0
    }

    /// Code, first byte and value of every error.
    pub(super) fn errors(&self) -> impl Iterator<Item = (Code, usize, usize)> {
        let errors = self.findings.iter().filter(|finding| finding.code.severity() == Severity::Error);
        errors.map(|finding| (finding.code, finding.mark.start, finding.index))
    }

    /// Forgets the errors that are not wanted.
    pub(super) fn retain_errors(&mut self, wanted: impl Fn(Code, usize, usize) -> bool) {
        self.findings.retain(|finding| {
            finding.code.severity() != Severity::Error || wanted(finding.code, finding.mark.start, finding.index)
        });
        self.count();
    }

    /// Forgets warnings and notes.
    pub(super) fn only_errors(&mut self) {
        self.findings.retain(|finding| finding.code.severity() == Severity::Error);
        self.count();
    }

    fn count(&mut self) {
        self.kept = [0; 3];
        for finding in &self.findings {
            self.kept[finding.code.severity() as usize] += 1;
        }
    }

    /// Moves every finding to another text: `to` takes its mark and the number of its value, and says what is shown
    /// there, which value it is about, and what its message should add.
    #[cfg(feature = "json-ld")]
    pub(super) fn relocate(&mut self, mut to: impl FnMut(Range<usize>, usize) -> (Place, Place, String)) {
        for finding in &mut self.findings {
            let (shown, value, addition) = to(finding.mark.clone(), finding.index);
            (finding.mark, finding.index) = (shown.mark, value.index);
            finding.message.push_str(&clip(addition));
            finding.first = finding.first.take().map(|first| to(first.mark, first.index).0);
        }
    }

    /// Takes over what was found elsewhere in the same text.
    #[cfg(feature = "json-ld")]
    pub(super) fn absorb(&mut self, others: Self) {
        for (dropped, others) in self.dropped.iter_mut().zip(others.dropped) {
            *dropped += others;
        }
        for finding in others.findings {
            if self.is_full(finding.code.severity()) {
                self.dropped[finding.code.severity() as usize] += 1;
            } else {
                self.kept[finding.code.severity() as usize] += 1;
                self.findings.push(finding);
            }
        }
    }

    /// Says how much was only counted, mistakes apart from the rest.
    fn tell_dropped(&mut self, end: usize) {
        let mistakes = std::mem::take(&mut self.dropped[Severity::Error as usize]);
        let rest: usize = self.dropped.iter().sum();
        for (count, code, what) in [(mistakes, Code::MoreMistakes, "mistake"), (rest, Code::MoreFindings, "finding")] {
            let message = match count {
                0 => continue,
                1 => format!("1 more {what} is not shown"),
                _ => format!("{count} more {} are not shown", what.to_owned() + "s"),
            };
            let help = Some("fix the first ones".to_owned());
            self.findings.push(Finding { code, mark: end..end, index: 0, first: None, message, help });
        }
    }

    /// Adds to messages where the first of two stands.
    fn tell_firsts(&mut self, source: &str) {
        let mut firsts: Vec<(usize, &mut String)> = Vec::new();
        for Finding { first, message, .. } in &mut self.findings {
            firsts.extend(first.as_ref().map(|first| (first.mark.start, message)));
        }
        firsts.sort_by_key(|(at, _)| *at);
        let mut cursor = Cursor::new(source);
        for (at, message) in firsts {
            cursor.advance_to(at);
            message.push_str(&format!(", the first at {}:{}", cursor.line, cursor.column));
        }
    }

    /// The findings as diagnostics, in the order of the text.
    pub(super) fn into_diagnostics(mut self, source: &str, root: Option<Node<'_>>) -> Vec<Diagnostic> {
        self.tell_dropped(source.trim_end().len());
        let wanted = self.findings.iter().map(|finding| finding.index);
        let pointers = root.map(|root| Pointers::of(root, wanted)).unwrap_or_default();
        self.tell_firsts(source);
        self.findings.sort_by(|a, b| a.mark.start.cmp(&b.mark.start).then(b.code.severity().cmp(&a.code.severity())));
        let mut cursor = Cursor::new(source);
        self.findings
            .into_iter()
            .map(|finding| {
                cursor.advance_to(finding.mark.start);
                Diagnostic {
                    code: Cow::Borrowed(finding.code.as_str()),
                    severity: finding.code.severity(),
                    pointer: pointers.get(finding.index),
                    line: cursor.line,
                    column: cursor.column,
                    length: length(source, finding.mark),
                    message: finding.message,
                    help: finding.help,
                    subject: None,
                    fix: None,
                }
            })
            .collect()
    }
}

/// Gives diagnostics that were made without the text the places that were found for them.
pub(super) fn settle(source: &str, root: Node<'_>, mut placed: Vec<(&mut Diagnostic, Place)>) {
    let pointers = Pointers::of(root, placed.iter().map(|(_, place)| place.index));
    placed.sort_by_key(|(_, place)| place.mark.start);
    let mut cursor = Cursor::new(source);
    for (diagnostic, place) in placed {
        cursor.advance_to(place.mark.start);
        (diagnostic.line, diagnostic.column) = (cursor.line, cursor.column);
        diagnostic.pointer = pointers.get(place.index);
        diagnostic.length = length(source, place.mark);
    }
}

fn length(source: &str, mark: Range<usize>) -> u32 {
    source.get(mark).map_or(1, |text| text.chars().count().max(1) as u32)
}

/// Walks over the source once, however many findings there are and however long its lines.
struct Cursor<'s> {
    source: &'s str,
    at: usize,
    line: u32,
    column: u32,
}

impl<'s> Cursor<'s> {
    fn new(source: &'s str) -> Self {
        Self { source, at: 0, line: 1, column: 1 }
    }

    fn advance_to(&mut self, target: usize) {
        for character in self.source.get(self.at..target).unwrap_or_default().chars() {
            if character == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.at = self.at.max(target);
    }
}

/// The JSON pointers of the values that are asked for, by number.
#[derive(Default)]
struct Pointers(Vec<(usize, String)>);

impl Pointers {
    /// One walk for all of them.
    fn of(root: Node<'_>, wanted: impl Iterator<Item = usize>) -> Self {
        let mut wanted: Vec<usize> = wanted.collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut found = Vec::with_capacity(wanted.len());
        visit(root, &mut String::new(), &mut wanted.into_iter().peekable(), &mut found);
        Self(found)
    }

    fn get(&self, index: usize) -> String {
        let at = self.0.binary_search_by_key(&index, |(index, _)| *index);
        at.ok().and_then(|at| self.0.get(at)).map(|(_, pointer)| pointer.clone()).unwrap_or_default()
    }
}

fn visit(
    node: Node<'_>,
    path: &mut String,
    wanted: &mut std::iter::Peekable<std::vec::IntoIter<usize>>,
    found: &mut Vec<(usize, String)>,
) {
    if wanted.next_if_eq(&node.index()).is_some() {
        found.push((node.index(), path.clone()));
    }
    let length = path.len();
    for (number, element) in node.elements().enumerate() {
        if wanted.peek().is_none_or(|next| *next >= node.end_index()) {
            break;
        }
        if contains(element, wanted.peek()) {
            path.push('/');
            path.push_str(&number.to_string());
            visit(element, path, wanted, found);
            path.truncate(length);
        }
    }
    for member in node.members() {
        if wanted.peek().is_none_or(|next| *next >= node.end_index()) {
            break;
        }
        if contains(member.value, wanted.peek()) {
            path.push('/');
            path.push_str(&member.key.replace('~', "~0").replace('/', "~1"));
            visit(member.value, path, wanted, found);
            path.truncate(length);
        }
    }
}

fn contains(node: Node<'_>, wanted: Option<&usize>) -> bool {
    wanted.is_some_and(|wanted| (node.index()..node.end_index()).contains(wanted))
}
