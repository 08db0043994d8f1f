//! `${NAME}`, `${NAME:-default}`, `${NAME:?message}`, and `$$` for a plain `$`.

/// Why a text cannot be filled in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    /// The variable is not set; the message is the document's own, if it gives one.
    Unset { name: String, message: Option<String> },
    /// The variable is set to nothing where something is asked for.
    Empty { name: String, message: Option<String> },
    /// A `${` that is none of the three forms.
    Malformed(String),
}

/// Whether there is anything to fill in.
pub(super) fn occurs_in(text: &str) -> bool {
    text.contains('$')
}

/// Whether there is a variable to fill in; `$$` is none.
pub(super) fn is_used_in(text: &str) -> bool {
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        let after = &rest[dollar + 1..];
        if after.starts_with('{') {
            return true;
        }
        rest = after.strip_prefix('$').unwrap_or(after);
    }
    false
}

/// The text that filling in turns into `literal`, whatever the variables are.
pub(super) fn escape(literal: &str) -> String {
    let mut escaped = String::with_capacity(literal.len());
    let mut characters = literal.chars().peekable();
    while let Some(character) = characters.next() {
        escaped.push(character);
        if character == '$' && matches!(characters.peek(), Some('$' | '{')) {
            escaped.push('$');
        }
    }
    escaped
}

/// Defaults may hold variables themselves, so deep and no deeper.
const MAX_DEPTH: usize = 8;

/// The text with its variables filled in, or every mistake in it.
pub(super) fn fill(text: &str, resolve: &dyn Fn(&str) -> Option<String>) -> Result<String, Vec<Mistake>> {
    let mut filler = Filler { resolve, mistakes: Vec::new() };
    let filled = filler.fill(text, 0);
    if filler.mistakes.is_empty() { Ok(filled) } else { Err(filler.mistakes) }
}

/// The text as it is where no variable is set that has a default; others are a digit, which fits most places.
pub(super) fn by_default(text: &str) -> Option<String> {
    let unset = match fill(text, &|_| None) {
        Ok(filled) => return Some(filled),
        Err(mistakes) => mistakes,
    };
    let is_needed =
        |name: &str| unset.iter().any(|mistake| matches!(mistake, Mistake::Unset { name: of, .. } if of == name));
    fill(text, &|name| is_needed(name).then(|| "1".to_owned())).ok()
}

struct Filler<'r> {
    resolve: &'r dyn Fn(&str) -> Option<String>,
    mistakes: Vec<Mistake>,
}

impl Filler<'_> {
    fn fill(&mut self, text: &str, depth: usize) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            let (before, after) = rest.split_at(dollar);
            filled.push_str(before);
            let after = &after[1..];
            if let Some(tail) = after.strip_prefix('$') {
                filled.push('$');
                rest = tail;
            } else if let Some(tail) = after.strip_prefix('{') {
                let Some((inside, tail)) = split_at_brace(tail) else {
                    self.mistakes.push(Mistake::Malformed(format!("${{{tail}")));
                    return filled;
                };
                filled.push_str(&self.value(inside, depth));
                rest = tail;
            } else {
                // `$NAME` without braces stays: shells inside containers have use for it.
                filled.push('$');
                rest = after;
            }
        }
        filled.push_str(rest);
        filled
    }

    fn value(&mut self, inside: &str, depth: usize) -> String {
        let end = inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inside.len());
        let (name, modifier) = inside.split_at(end);
        let named = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let set = |filler: &Self| (filler.resolve)(name);
        if named && modifier.is_empty() {
            if let Some(value) = set(self) {
                return value;
            }
            self.mistakes.push(Mistake::Unset { name: name.to_owned(), message: None });
        } else if let (true, Some(default)) = (named && depth < MAX_DEPTH, modifier.strip_prefix(":-")) {
            return match set(self).filter(|value| !value.is_empty()) {
                Some(value) => value,
                None => self.fill(default, depth + 1),
            };
        } else if let (true, Some(message)) = (named, modifier.strip_prefix(":?")) {
            let (name, message) = (name.to_owned(), (!message.is_empty()).then(|| message.to_owned()));
            match set(self) {
                Some(value) if !value.is_empty() => return value,
                Some(_) => self.mistakes.push(Mistake::Empty { name, message }),
                None => self.mistakes.push(Mistake::Unset { name, message }),
            }
        } else {
            self.mistakes.push(Mistake::Malformed(format!("${{{inside}}}")));
        }
        String::new()
    }
}

/// What is before the brace that closes, and what is after it; braces of variables within are skipped.
pub(super) fn split_at_brace(text: &str) -> Option<(&str, &str)> {
    let mut open = 0usize;
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' if at > 0 && bytes[at - 1] == b'$' => open += 1,
            b'}' if open == 0 => return Some((&text[..at], &text[at + 1..])),
            b'}' => open -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, Vec<Mistake>> {
        fill(text, &|name| match name {
            "USER" => Some("ada".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        })
    }

    #[test]
    fn variables_are_filled_in() {
        let cases = [
            ("${USER}", "ada"),
            ("a-${USER}-${USER}", "a-ada-ada"),
            ("${NONE:-x}", "x"),
            ("${EMPTY:-x}", "x"),
            ("${NONE:-}", ""),
            ("${EMPTY}", ""),
            ("${NONE:-${USER}}!", "ada!"),
            ("${NONE:-a}b}", "ab}"),
            ("${USER:?needed}", "ada"),
            ("$$ $HOME $${USER} 5$", "$ $HOME ${USER} 5$"),
        ];
        for (text, expected) in cases {
            assert_eq!(filled(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn defaults_hold_where_there_are_any() {
        let cases = [
            ("a ${A:-x y} $$", Some("a x y $")),
            ("${A:-b}${C}", Some("b1")),
            ("${C:?why}-${A:-${C}}", Some("1-1")),
            ("${", None),
        ];
        for (text, expected) in cases {
            assert_eq!(by_default(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn every_unset_variable_is_named() {
        let unset = |name: &str, message: Option<&str>| Mistake::Unset {
            name: name.to_owned(),
            message: message.map(str::to_owned),
        };
        assert_eq!(filled("${A} ${B:?give B}"), Err(vec![unset("A", None), unset("B", Some("give B"))]));
        let empty = Mistake::Empty { name: "EMPTY".to_owned(), message: Some("why".to_owned()) };
        assert_eq!(filled("${EMPTY:?why}"), Err(vec![empty]));
        assert_eq!(filled("${NONE:-${ALSO}}"), Err(vec![unset("ALSO", None)]));
    }

    #[test]
    fn other_forms_are_refused() {
        for text in ["${", "${}", "${A", "${A+x}", "${A:x}", "${1A}", "${a b}"] {
            let mistakes = filled(text).err().unwrap_or_default();
            assert!(matches!(mistakes.as_slice(), [Mistake::Malformed(_)]), "{text}: {mistakes:?}");
        }
    }
}
