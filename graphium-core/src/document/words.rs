//! A command line split into words as a shell would, without any expansion.

/// The quote that a command line leaves open.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OpenQuote(pub(super) char);

/// Splits at white space outside of quotes; `\` escapes, within double quotes only what a shell lets it escape.
pub(super) fn split(line: &str) -> Result<Vec<String>, OpenQuote> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            c if c.is_ascii_whitespace() => words.extend(word.take()),
            '\'' => quoted(&mut characters, word.get_or_insert_default())?,
            '"' => double_quoted(&mut characters, word.get_or_insert_default())?,
            '\\' => match characters.next() {
                Some('\n') => {}
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => return Err(OpenQuote('\\')),
            },
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

fn quoted(characters: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), OpenQuote> {
    for character in characters {
        match character {
            '\'' => return Ok(()),
            other => word.push(other),
        }
    }
    Err(OpenQuote('\''))
}

fn double_quoted(characters: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), OpenQuote> {
    while let Some(character) = characters.next() {
        match character {
            '"' => return Ok(()),
            '\\' => match characters.next() {
                Some('\n') => {}
                Some(escaped @ ('"' | '\\' | '$' | '`')) => word.push(escaped),
                Some(other) => word.extend(['\\', other]),
                None => break,
            },
            other => word.push(other),
        }
    }
    Err(OpenQuote('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_a_shell() {
        let cases: [(&str, &[&str]); 8] = [
            ("", &[]),
            ("  a  b\tc ", &["a", "b", "c"]),
            (r#"sh -c "echo 'hi there'""#, &["sh", "-c", "echo 'hi there'"]),
            (r"a\ b 'c\d' ''", &["a b", r"c\d", ""]),
            (r#""a\"b\n" x"y"'z'"#, &[r#"a"b\n"#, "xyz"]),
            ("$HOME *", &["$HOME", "*"]),
            ("a\\\nb", &["ab"]),
            ("é 'ü ß'", &["é", "ü ß"]),
        ];
        for (line, words) in cases {
            assert_eq!(split(line).as_deref(), Ok(words.iter().map(|w| w.to_string()).collect::<Vec<_>>().as_slice()));
        }
    }

    #[test]
    fn an_open_quote_is_named() {
        assert_eq!(split("a 'b"), Err(OpenQuote('\'')));
        assert_eq!(split("a \"b"), Err(OpenQuote('"')));
        assert_eq!(split("a \\"), Err(OpenQuote('\\')));
    }
}
