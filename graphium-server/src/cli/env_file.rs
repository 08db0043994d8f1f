//! Files of variables, as Compose's `--env-file` reads them in all that does not depend on other variables.
//!
//! ```text
//! # a comment
//! export TAG=1.27            # so is this
//! GREETING="two\nlines, \"quoted\", \$5"
//! PATTERN='as it is: ${TAG} # no comment'
//! ```

use std::collections::BTreeMap;

/// Names that are longer are not shown where they are no names.
const LONGEST_TOLD: usize = 40;

/// A line that cannot be read, without its value: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// From 1.
    pub(super) line: usize,
    pub(super) what: String,
    pub(super) help: &'static str,
}

impl Mistake {
    fn new(line: usize, what: impl Into<String>, help: &'static str) -> Self {
        Self { line, what: what.into(), help }
    }
}

/// The variables of a file, the last of each name, or every mistake in it.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, String>, Vec<Mistake>> {
    let mut scanner = Scanner { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
    let (mut variables, mut mistakes) = (BTreeMap::new(), Vec::new());
    while !scanner.rest.is_empty() {
        match scanner.entry() {
            Ok(Some((name, value))) => drop(variables.insert(name, value)),
            Ok(None) => {}
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if mistakes.is_empty() { Ok(variables) } else { Err(mistakes) }
}

struct Scanner<'t> {
    rest: &'t str,
    line: usize,
}

impl<'t> Scanner<'t> {
    /// The next line, or more of them where a quoted value goes on.
    fn entry(&mut self) -> Result<Option<(String, String)>, Mistake> {
        let line = self.rest.split('\n').next().unwrap_or_default();
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') {
            self.skip_line();
            return Ok(None);
        }
        let Some((before, _)) = line.split_once('=') else {
            self.skip_line();
            return Err(Mistake::new(self.line - 1, "expected NAME=VALUE", "comments begin with `#`"));
        };
        let name = before.trim().trim_start_matches("export ").trim();
        let sound = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
        if !sound {
            self.skip_line();
            let what = match may_be_told(name) {
                true => format!("`{name}` cannot be the name of a variable"),
                false => "what is before the `=` cannot be the name of a variable".to_owned(),
            };
            return Err(Mistake::new(self.line - 1, what, "use letters, digits and `_`"));
        }
        self.rest = self.rest.get(before.len() + 1..).unwrap_or_default().trim_start_matches([' ', '\t']);
        let value = match self.rest.chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(name, quote)?,
            _ => self.plain(name)?,
        };
        Ok(Some((name.to_owned(), value)))
    }

    fn skip_line(&mut self) -> &'t str {
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        self.line += 1;
        line
    }

    /// Up to the end of the line or a comment, which white space precedes.
    fn plain(&mut self, name: &str) -> Result<String, Mistake> {
        let line = self.skip_line();
        let is_comment = |(at, _): &(usize, &str)| *at == 0 || line[..*at].ends_with([' ', '\t']);
        let end = line.match_indices('#').find(is_comment).map_or(line.len(), |(at, _)| at);
        let value = line.get(..end).unwrap_or_default().trim();
        if refers(value) {
            return Err(refers_to_another(self.line - 1, name));
        }
        Ok(value.to_owned())
    }

    fn quoted(&mut self, name: &str, quote: char) -> Result<String, Mistake> {
        let first = self.line;
        let mut value = String::new();
        let mut refers_to = false;
        let mut characters = self.rest.char_indices().skip(1).peekable();
        while let Some((at, character)) = characters.next() {
            match character {
                c if c == quote => {
                    self.line += self.rest.get(..at).unwrap_or_default().matches('\n').count();
                    self.rest = self.rest.get(at + 1..).unwrap_or_default();
                    let tail = self.skip_line().trim_start();
                    if !tail.trim().is_empty() && !tail.starts_with('#') {
                        let what = format!("there is more after the value of `{name}`");
                        return Err(Mistake::new(self.line - 1, what, "escape quotes within the value with `\\`"));
                    }
                    return if refers_to { Err(refers_to_another(first, name)) } else { Ok(value) };
                }
                '\\' if quote == '"' => match characters.next().map(|(_, escaped)| escaped) {
                    Some('n') => value.push('\n'),
                    Some('r') => value.push('\r'),
                    Some('t') => value.push('\t'),
                    Some(escaped @ ('"' | '\\' | '$')) => value.push(escaped),
                    Some(other) => value.extend(['\\', other]),
                    None => {}
                },
                '\\' if characters.next_if(|(_, next)| *next == '\'').is_some() => value.push('\''),
                '$' if quote == '"' => {
                    refers_to |= characters.peek().is_some_and(|(_, next)| begins_name(*next));
                    value.push('$');
                }
                other => value.push(other),
            }
        }
        // What follows the open quote was swallowed by it: nothing more can be said about this file.
        self.rest = "";
        let what = format!("the value of `{name}` has no closing `{quote}`");
        Err(Mistake::new(first, what, "close it, or put the whole value into the other quotes"))
    }
}

/// Whether what stands before a `=` may be shown. A line within a value of several lines, such as a key in base64, has
/// one too, and then it is no name but a part of a secret.
fn may_be_told(name: &str) -> bool {
    name.len() <= LONGEST_TOLD
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// Compose would fill in a variable here. Taking it as text in silence would deploy something else.
fn refers_to_another(line: usize, name: &str) -> Mistake {
    let what = format!("the value of `{name}` refers to another variable, which is not filled in here");
    Mistake::new(line, what, "put it into single quotes to have it as it is")
}

fn refers(value: &str) -> bool {
    value.match_indices('$').any(|(at, _)| value[at + 1..].chars().next().is_some_and(begins_name))
}

fn begins_name(character: char) -> bool {
    character.is_ascii_alphabetic() || matches!(character, '_' | '{' | '$')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]
    use super::*;

    #[test]
    fn values_are_read_as_compose_reads_them() {
        let cases = [
            ("A=1", "1"),
            ("export A = two words ", "two words"),
            ("A=", ""),
            ("A= # all comment", ""),
            ("A=a#b # c", "a#b"),
            ("A=5$ a=b", "5$ a=b"),
            ("A=\"q\" # c", "q"),
            ("A=\"a\\n\\t\\\"\\\\ \\$B \\d # x\"", "a\n\t\"\\ $B \\d # x"),
            ("A='x=\"y\" ${B} \\n # z'", "x=\"y\" ${B} \\n # z"),
            ("A='it\\'s'", "it's"),
            ("A=\"two\nlines\"", "two\nlines"),
            ("A=1\r\n", "1"),
            ("A=1\nA=2", "2"),
            ("\u{feff}# c\n\n  A=x\n", "x"),
            ("A=don't", "don't"),
        ];
        for (text, value) in cases {
            let read = parse(text).unwrap_or_else(|mistakes| panic!("{text}: {mistakes:?}"));
            assert_eq!(read.into_iter().collect::<Vec<_>>(), [("A".to_owned(), value.to_owned())], "{text}");
        }
    }

    #[test]
    fn a_line_of_a_value_of_several_lines_is_not_told() {
        let long = format!("{}==", "9a".repeat(32));
        for line in ["MIIEvQ/BADANBg+kqhki==", "not a name=1", long.as_str()] {
            let mistakes = parse(&format!("KEY=-----BEGIN\n{line}\n")).unwrap_err();
            let told: Vec<&str> = mistakes.iter().map(|mistake| mistake.what.as_str()).collect();
            assert_eq!(told, ["what is before the `=` cannot be the name of a variable"], "{line}");
        }
    }

    #[test]
    fn every_mistake_is_named_by_its_line_and_without_the_value() {
        let text = "A=1\nB\n2C=secret\nD=\"x\ny\" secret\nE=${secret}\nF=\"$secret\"\n G = 'ok'\nA B=secret\nH=\"secret\nI=1\n";
        let mistakes = parse(text).unwrap_err();
        let told: Vec<(usize, &str)> = mistakes.iter().map(|mistake| (mistake.line, mistake.what.as_str())).collect();
        let refers =
            |name: &str| format!("the value of `{name}` refers to another variable, which is not filled in here");
        let expected = [
            (2, "expected NAME=VALUE".to_owned()),
            (3, "`2C` cannot be the name of a variable".to_owned()),
            (5, "there is more after the value of `D`".to_owned()),
            (6, refers("E")),
            (7, refers("F")),
            (9, "what is before the `=` cannot be the name of a variable".to_owned()),
            (10, "the value of `H` has no closing `\"`".to_owned()),
        ];
        assert_eq!(told, expected.iter().map(|(line, what)| (*line, what.as_str())).collect::<Vec<_>>());
    }
}
