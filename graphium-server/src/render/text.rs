//! Text in columns.

use std::borrow::Cow;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The text without characters that a terminal would obey: documents, engines and logs are not to be trusted.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_command) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| if is_command(c) { shown(c) } else { c }).collect())
}

fn is_command(c: char) -> bool {
    // Control characters, and those that turn the direction of writing around.
    c.is_control() && c != '\n'
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn shown(c: char) -> char {
    if c == '\t' { ' ' } else { '\u{fffd}' }
}

/// Columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text, cut to so many columns; a cut shows as `…`.
pub(crate) fn clip(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let mut left = columns.saturating_sub(1);
    let mut cut: String = text
        .chars()
        .take_while(|c| {
            let wide = c.width().unwrap_or(0);
            let fits = wide <= left;
            left = left.saturating_sub(wide);
            fits
        })
        .collect();
    if columns > 0 {
        cut.push('…');
    }
    Cow::Owned(cut)
}

/// The text, filled with spaces up to so many columns.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// `1 task`, `2 tasks`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_document_reaches_the_terminal_as_a_command() {
        assert_eq!(printable("a\x1b[2Jb\tc\u{202e}"), "a\u{fffd}[2Jb c\u{fffd}");
        assert!(matches!(printable("two\nlines"), Cow::Borrowed(_)));
    }

    #[test]
    fn text_is_cut_and_filled_by_columns() {
        assert_eq!(clip("abcdef", 4), "abc…");
        assert_eq!(clip("漢字漢字", 5), "漢字…");
        assert_eq!(clip("abc", 3), "abc");
        assert_eq!(pad("漢", 4), "漢  ");
    }
}
