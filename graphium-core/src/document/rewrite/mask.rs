//! Texts that are taken apart while their variables stay whole.
//!
//! Each `${…}` becomes one private character, so that the reader's own ways of splitting work on the text around it.

use super::super::variables;
use std::ops::RangeInclusive;

/// The first of the characters that stand for variables; a plane that no document has use for.
const FIRST: u32 = 0xF0000;
const PLANE: RangeInclusive<char> = '\u{F0000}'..='\u{FFFFD}';

/// A text with its variables put aside.
#[derive(Debug)]
pub(super) struct Mask {
    variables: Vec<String>,
    text: String,
}

impl Mask {
    /// `None` where the text has a `${` that is no variable, or characters that are needed to stand for one.
    pub(super) fn new(written: &str) -> Option<Self> {
        if written.contains(|c: char| PLANE.contains(&c)) {
            return None;
        }
        let mut mask = Self { variables: Vec::new(), text: String::with_capacity(written.len()) };
        let mut rest = written;
        while let Some(dollar) = rest.find('$') {
            let (before, after) = rest.split_at(dollar);
            mask.text.push_str(before);
            rest = after.get(1..)?;
            if let Some(tail) = rest.strip_prefix('$') {
                mask.text.push('$');
                rest = tail;
            } else if let Some(inside) = rest.strip_prefix('{') {
                let (name, tail) = variables::split_at_brace(inside)?;
                mask.text.push(stand_in(mask.variables.len())?);
                mask.variables.push(format!("${{{name}}}"));
                rest = tail;
            } else {
                mask.text.push('$');
            }
        }
        mask.text.push_str(rest);
        Some(mask)
    }

    /// The text, with a character in the place of each variable.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether there is any variable.
    pub(super) fn has_variables(&self) -> bool {
        !self.variables.is_empty()
    }

    /// A part of the text as a document writes it, variables back in their places.
    pub(super) fn write(&self, part: &str) -> String {
        let mut written = String::with_capacity(part.len());
        let mut literal = String::new();
        for character in part.chars() {
            let Some(variable) = self.variable(character) else {
                literal.push(character);
                continue;
            };
            self.write_literal(&mut literal, true, &mut written);
            written.push_str(variable);
        }
        self.write_literal(&mut literal, false, &mut written);
        written
    }

    fn write_literal(&self, literal: &mut String, variable_follows: bool, written: &mut String) {
        written.push_str(&variables::escape(literal));
        // A plain `$` right before a variable would make it plain, too.
        if variable_follows && literal.ends_with('$') {
            written.push('$');
        }
        literal.clear();
    }

    /// Whether a part of the text holds a variable.
    pub(super) fn is_variable(character: char) -> bool {
        PLANE.contains(&character)
    }

    fn variable(&self, character: char) -> Option<&str> {
        let number = u32::from(character).checked_sub(FIRST)?;
        self.variables.get(number as usize).map(String::as_str)
    }
}

fn stand_in(number: usize) -> Option<char> {
    let character = char::from_u32(FIRST.checked_add(u32::try_from(number).ok()?)?)?;
    PLANE.contains(&character).then_some(character)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_put_aside_comes_back() {
        for text in ["", "a", "${A}", "x${A:-${B}}y", "$$${A}", "$HOME", "$$$$", "5$", "$${A}", "a$$b${C:?d}"] {
            let mask = Mask::new(text).unwrap();
            let written = mask.write(mask.text());
            let resolve = |name: &str| Some(format!("<{name}>"));
            assert_eq!(variables::fill(&written, &resolve), variables::fill(text, &resolve), "{text} → {written}");
        }
        assert!(Mask::new("${A").is_none());
    }
}
