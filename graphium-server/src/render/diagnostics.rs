//! Diagnostics with the place in the document that they are about.

use super::{Style, printable, width};
use graphium_core::diagnostic::{Diagnostic, Severity};
use std::fmt::Write as _;

/// A document as it was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// As the user called it.
    pub(crate) name: &'a str,
    /// Its text; empty where there is none to show.
    pub(crate) text: &'a str,
}

/// Columns between the left edge and a mark, in a line that is too long to be shown whole.
const BEFORE_MARK: usize = 30;
/// Columns that are shown behind it at least.
const AFTER_MARK: usize = 10;

/// Notes in a line each; then what is worse, with its place, no line wider than `columns` where that can be.
pub(crate) fn diagnostics(list: &[Diagnostic], source: Source<'_>, columns: usize, style: Style) -> String {
    let lines: Vec<&str> = source.text.split('\n').map(|line| line.trim_end_matches('\r')).collect();
    let mut text = String::new();
    for note in list.iter().filter(|found| found.severity == Severity::Note) {
        let help = note.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        let at = format!("{}:{}:{}:", source.name, note.line, note.column);
        put(&mut text, format_args!("{} {}", style.cyan("note:"), printable(&format!("{at} {}{help}", note.message))));
    }
    for diagnostic in list.iter().filter(|found| found.severity > Severity::Note) {
        head(&mut text, diagnostic, style);
        let (label, hint) = split_help(diagnostic.help.as_deref().unwrap_or_default());
        let line = (diagnostic.line as usize).checked_sub(1).and_then(|index| lines.get(index)).copied();
        match line {
            Some(line) => place(&mut text, diagnostic, line, label, source.name, columns, style),
            None => {
                // Without a document there is still what of the stack it is about.
                let subject = diagnostic.subject.as_ref().map(ToString::to_string);
                let at = Some(&diagnostic.pointer).filter(|pointer| !pointer.is_empty()).or(subject.as_ref());
                at.into_iter().for_each(|at| put(&mut text, format_args!("  {} {}", style.dim("at"), printable(at))));
            }
        }
        let hint =
            if line.is_none() && !label.is_empty() { diagnostic.help.as_deref().unwrap_or_default() } else { hint };
        if !hint.is_empty() {
            put(&mut text, format_args!("{} {}", style.cyan("hint:"), printable(hint)));
        }
    }
    text
}

fn head(text: &mut String, diagnostic: &Diagnostic, style: Style) {
    let severity = match diagnostic.severity {
        Severity::Error => style.red("error:"),
        Severity::Warning | Severity::Note => style.yellow("warning:"),
    };
    put(text, format_args!("{severity} {}", style.bold(&printable(&diagnostic.message))));
}

/// "did you mean" stands at the mark, the rest of the help below.
fn split_help(help: &str) -> (&str, &str) {
    if !help.starts_with("did you mean") {
        return ("", help);
    }
    match help.find("? ") {
        Some(end) => (&help[..=end], help[end + 1..].trim_start()),
        None => (help, ""),
    }
}

fn place(
    text: &mut String,
    diagnostic: &Diagnostic,
    line: &str,
    label: &str,
    name: &str,
    columns: usize,
    style: Style,
) {
    let number = diagnostic.line.to_string();
    let gutter = " ".repeat(number.len());
    let excerpt = Excerpt::of(line, diagnostic, columns.saturating_sub(number.len() + 2));
    let at = format!("{}:{}:{}", printable(name), diagnostic.line, diagnostic.column);
    put(text, format_args!("{gutter}{} {at}", style.dim("╭─")));
    put(text, format_args!("{}{}", style.dim(&format!("{number}│")), excerpt.shown.trim_end()));
    let before = " ".repeat(excerpt.before);
    let mark = mark(excerpt.marked, !label.is_empty());
    let marked = format!("{mark} {}", printable(label));
    let marked = match diagnostic.severity {
        Severity::Error => style.red(marked.trim_end()),
        Severity::Warning | Severity::Note => style.yellow(marked.trim_end()),
    };
    put(text, format_args!("{gutter}{}{before}{marked}", style.dim("·")));
}

/// The part of a line that is shown, and where the mark goes.
struct Excerpt {
    shown: String,
    /// Columns before the mark.
    before: usize,
    /// Columns under the mark.
    marked: usize,
}

impl Excerpt {
    fn of(line: &str, diagnostic: &Diagnostic, columns: usize) -> Self {
        // Counted and skipped, never taken apart: a document may be a single line of megabytes, with a thousand mistakes.
        let length = line.chars().count();
        let start = (diagnostic.column.max(1) as usize - 1).min(length);
        let end = start.saturating_add(diagnostic.length.max(1) as usize).min(length).max(start);
        let fits = length <= columns;
        let near = fits || end + AFTER_MARK <= columns;
        let first = if near { 0 } else { start.saturating_sub(BEFORE_MARK) };
        let last = if fits { length } else { (first + columns.max(BEFORE_MARK + AFTER_MARK)).min(length) };
        let part = |range: std::ops::Range<usize>| printable(part_of(line, range)).into_owned();
        let (front, back) = (if first > 0 { "…" } else { "" }, if last < length { "…" } else { "" });
        Self {
            shown: format!("{front}{}{back}", part(first..last)),
            before: width(front) + width(&part(first..start)),
            marked: width(&part(start..end.min(last).max(start))).max(1),
        }
    }
}

/// These characters of a line.
fn part_of(line: &str, range: std::ops::Range<usize>) -> &str {
    let after = |text: &str, count: usize| text.char_indices().nth(count).map_or(text.len(), |(at, _)| at);
    let rest = &line[after(line, range.start)..];
    &rest[..after(rest, range.len())]
}

/// `───`, or `─┬─` where a label follows.
fn mark(columns: usize, labelled: bool) -> String {
    let middle = (columns - 1) / 2;
    (0..columns).map(|column| if labelled && column == middle { '┬' } else { '─' }).collect()
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing into a String does not fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use graphium_core::diagnostic::{Property, Subject};

    fn finding(line: u32, column: u32, length: u32, help: &str) -> Diagnostic {
        let message = "container `web` waits for `dbb`, which this stack does not define";
        let error = Diagnostic::error("unresolved-reference", "/hasPart/0/dependsOn/0", message).with_help(help);
        Diagnostic { line, column, length, ..error }
    }

    fn shown(text: &str, finding: Diagnostic, columns: usize) -> String {
        diagnostics(&[finding], Source { name: "shop.jsonld", text }, columns, Style::PLAIN)
    }

    #[test]
    fn the_place_is_shown_with_the_suggestion_at_the_mark() {
        let text = format!("{}  \"dependsOn\": [\"dbb\"],\n", "\n".repeat(13));
        let help = "did you mean `db`? containers in this stack: `cache`, `db`, `web`";
        assert_eq!(
            shown(&text, finding(14, 18, 3, help), 80),
            "error: container `web` waits for `dbb`, which this stack does not define
  ╭─ shop.jsonld:14:18
14│  \"dependsOn\": [\"dbb\"],
  ·                 ─┬─ did you mean `db`?
hint: containers in this stack: `cache`, `db`, `web`
"
        );
    }

    #[test]
    fn a_finding_without_a_place_names_its_pointer() {
        assert_eq!(
            shown("", finding(0, 0, 0, "did you mean `db`?"), 80),
            "error: container `web` waits for `dbb`, which this stack does not define
  at /hasPart/0/dependsOn/0
hint: did you mean `db`?
"
        );
    }

    #[test]
    fn a_finding_without_a_document_names_its_subject() {
        let subject = Subject::container("web").property(Property::Replicas);
        let found = Diagnostic::error("no-eligible-host", "", "`web` fits on no host").about(subject);
        assert_eq!(shown("", found, 80), "error: `web` fits on no host\n  at replicas of the container `web`\n");
    }

    #[test]
    fn a_long_line_is_shown_around_its_mark() {
        let text = format!("{{\"a\":\"{}\",\"b\":1,\"c\":\"{}\"}}", "x".repeat(500), "y".repeat(500));
        let shown = shown(&text, finding(1, 509, 3, ""), 60);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines.iter().skip(1).all(|line| width(line) <= 62), "{shown}");
        let column = lines[3].chars().position(|c| c == '─');
        assert_eq!(column.and_then(|column| lines[2].chars().nth(column)), Some('"'), "{shown}");
    }

    #[test]
    fn wide_and_strange_characters_keep_the_mark_in_place() {
        let text = "\t\"漢字\x1b\": 12";
        let shown = shown(text, finding(1, 9, 2, ""), 80);
        assert!(shown.contains("1│ \"漢字\u{fffd}\": 12\n ·          ──\n"), "{shown}");
    }

    #[test]
    fn a_place_beyond_the_text_does_no_harm() {
        assert!(shown("{}", finding(1, 900, 900, ""), 80).contains("1│{}"));
        assert!(shown("{}", finding(7, 1, 1, ""), 80).contains("at /hasPart"));
        assert!(shown("{}", finding(1, 1, 1, ""), 0).contains("1│{}"));
    }
}
