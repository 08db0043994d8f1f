//! Going on behind a syntax error: the text as it would be without it, so that the next one is found too.
//!
//! Only slips that have one likely meaning are mended, and only so that the grammar goes on: what a mended text says is of
//! interest to nobody. Where it is not clear what was meant, reading ends, for what follows would be guesses.

use super::syntax::Expected;
use json_syntax::parse::Error;
use std::ops::Range;

/// A text whose first mistakes are mended.
pub(super) struct Draft {
    pub(super) text: String,
    /// Where characters were put in, in the order of the text.
    inserted: Vec<usize>,
}

/// One change of a text.
enum Edit {
    /// Other characters, of the same number of bytes.
    Overwrite(Range<usize>, u8),
    Insert(usize, char),
}

impl Draft {
    pub(super) fn of(source: &str) -> Self {
        Self { text: source.to_owned(), inserted: Vec::new() }
    }

    /// The place in the text that was given.
    pub(super) fn original(&self, range: Range<usize>) -> Range<usize> {
        let before = |at: usize| at - self.inserted.iter().filter(|&&inserted| inserted < at).count();
        before(range.start)..before(range.end)
    }

    /// Mends what is wrong at a place; `false` where it is not clear how.
    pub(super) fn mend(&mut self, error: &Error, expected: Expected, at: usize, missing_comma: Option<usize>) -> bool {
        let edits = match error {
            Error::Unexpected(_, Some(found)) => self.edits(*found, expected, at, missing_comma),
            // The escape with its backslash.
            Error::InvalidUnicodeCodePoint(..) | Error::MissingLowSurrogate(..) | Error::InvalidLowSurrogate(..) => {
                Some(vec![Edit::Overwrite(at..at + 6, b'x')])
            }
            _ => None,
        };
        edits.is_some_and(|edits| edits.into_iter().all(|edit| self.apply(edit)))
    }

    fn edits(&self, found: char, expected: Expected, at: usize, missing_comma: Option<usize>) -> Option<Vec<Edit>> {
        let before = self.text.get(..at)?;
        // Outside of everything anything may be meant, and another language be written.
        if expected == Expected::End || before.trim().is_empty() {
            return None;
        }
        if let Some(behind) = missing_comma {
            return Some(vec![Edit::Insert(behind, ',')]);
        }
        let rest = self.text.get(at..)?;
        let one = |range: Range<usize>, with: u8| Some(vec![Edit::Overwrite(range, with)]);
        match found {
            // Of an escape that there is not the backslash is taken away; other characters have to be escaped.
            _ if expected == Expected::InString && before.ends_with('\\') => one(at - 1..at, b'x'),
            _ if expected == Expected::InString => {
                (found.is_control() && found != '\n' && found != '\r').then_some(())?;
                one(at..at + found.len_utf8(), b' ')
            }
            ',' if expected == Expected::Value => Some(vec![Edit::Insert(at, '0')]),
            ',' if expected.opens() => one(at..at + 1, b' '),
            '}' | ']' if expected.follows_comma() => {
                let comma = before.trim_end().strip_suffix(',')?.len();
                one(comma..comma + 1, b' ')
            }
            '/' if rest.starts_with("/*") => one(at..at + 4 + rest.get(2..)?.find("*/")?, b' '),
            '/' if rest.starts_with("//") => one(at..at + line(rest), b' '),
            '#' => one(at..at + line(rest), b' '),
            '\'' => {
                let inside = rest.get(1..)?.split_once('\'')?.0;
                (!inside.contains(['"', '\\', '\n'])).then_some(())?;
                let end = at + 1 + inside.len();
                Some(vec![Edit::Overwrite(at..at + 1, b'"'), Edit::Overwrite(end..end + 1, b'"')])
            }
            _ if is_of_word(found) => {
                let begins = before.trim_end_matches(is_of_word).len();
                let word = begins..at + rest.len() - rest.trim_start_matches(is_of_word).len();
                // What follows a string at once is a quote too many.
                (!self.text.get(..begins)?.ends_with('"')).then_some(())?;
                if expected.is_key() {
                    let last = word.end;
                    return Some(match word.len() {
                        1 => vec![Edit::Overwrite(word, b'"'), Edit::Insert(last, '"')],
                        _ => vec![
                            Edit::Overwrite(word.start..word.start + 1, b'"'),
                            Edit::Overwrite(last - 1..last, b'"'),
                        ],
                    });
                }
                one(word, b'1')
            }
            _ => None,
        }
    }

    fn apply(&mut self, edit: Edit) -> bool {
        match edit {
            Edit::Overwrite(range, with) => {
                // Lines stay where they are.
                let with = |old: char| {
                    if old == '\n' { "\n".to_owned() } else { char::from(with).to_string().repeat(old.len_utf8()) }
                };
                let Some(new) = self.text.get(range.clone()).map(|old| old.chars().map(with).collect::<String>())
                else {
                    return false;
                };
                self.text.replace_range(range, &new);
            }
            Edit::Insert(at, character) => {
                if !self.text.is_char_boundary(at) {
                    return false;
                }
                self.text.insert(at, character);
                self.inserted.push(at);
            }
        }
        true
    }
}

/// How long the first line is.
fn line(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

/// Whether a word without quotes goes on with a character.
fn is_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '+' | '-' | '$')
}
