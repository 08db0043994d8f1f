//! What is refused before anything parses the document: size, depth, number of values.
//!
//! One pass over the bytes. It knows strings from structure and nothing else of JSON, so that whatever
//! comes after it works on input that is bounded.

use super::code::Code;

/// Bytes at most.
pub(super) const MAX_BYTES: usize = 8 * 1024 * 1024;
/// Levels of nesting at most.
pub(super) const MAX_DEPTH: usize = 32;
/// Values (objects, arrays, strings, numbers, words) at most.
pub(super) const MAX_VALUES: usize = 100_000;

/// Why a document is refused, and the byte at which that was clear.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: Code,
    pub(super) at: usize,
    pub(super) message: String,
}

/// The document as text, if it is bounded and UTF-8.
pub(super) fn admit(bytes: &[u8]) -> Result<&str, Refusal> {
    if bytes.len() > MAX_BYTES {
        let message = format!("the document has {} bytes, and {MAX_BYTES} is the limit", bytes.len());
        return Err(Refusal { code: Code::TooLarge, at: 0, message });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| Refusal {
        code: Code::InvalidUtf8,
        at: error.valid_up_to(),
        message: format!("byte {} does not belong to UTF-8 text", error.valid_up_to()),
    })?;
    // A byte order mark is no part of the text; editors write it unasked.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    bound(text, MAX_DEPTH)?;
    Ok(text)
}

/// Whether a text that was made of a document is bounded too. It may be nested more deeply than a document: what was
/// written in one level can take several when it is written out.
#[cfg(feature = "json-ld")]
pub(super) fn admit_derived(text: &str) -> Result<(), Refusal> {
    const DEEPER: usize = 8;
    if text.len() > MAX_BYTES {
        let message = format!("the text has {} bytes, and {MAX_BYTES} is the limit", text.len());
        return Err(Refusal { code: Code::TooLarge, at: 0, message });
    }
    bound(text, DEEPER * MAX_DEPTH).map(drop)
}

/// The number of values in a text, or one more than there may be.
#[cfg(feature = "json-ld")]
pub(super) fn values(text: &str) -> usize {
    bound(text, usize::MAX).unwrap_or(MAX_VALUES + 1)
}

/// Counts the values, as long as there are not too many and they are not nested too deeply.
fn bound(text: &str, max_depth: usize) -> Result<usize, Refusal> {
    let (mut depth, mut values) = (0usize, 1usize);
    let (mut in_string, mut escaped, mut just_opened) = (false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        if byte.is_ascii_whitespace() {
            continue;
        }
        let first_in_parent = std::mem::take(&mut just_opened) && !matches!(byte, b'}' | b']');
        values += usize::from(first_in_parent) + usize::from(byte == b',');
        if values > MAX_VALUES {
            let message = format!("the document has more than {MAX_VALUES} values");
            return Err(Refusal { code: Code::TooManyNodes, at, message });
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                just_opened = true;
                if depth > max_depth {
                    let message = format!("values are nested more than {max_depth} levels deep here");
                    return Err(Refusal { code: Code::TooDeep, at, message });
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            0 => {
                return Err(Refusal { code: Code::NulCharacter, at, message: "a NUL byte is no part of JSON".into() });
            }
            _ => {}
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_strings_do_not_nest() {
        let text = format!("[\"{}\\\"{}\"]", "[".repeat(100), "{".repeat(100));
        assert_eq!(admit(text.as_bytes()), Ok(text.as_str()));
    }

    #[test]
    fn the_limits_are_inclusive() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(admit(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(admit(nested(MAX_DEPTH + 1).as_bytes()).map_err(|r| r.code), Err(Code::TooDeep));
        let wide = |values: usize| format!("[{}]", vec!["0"; values - 1].join(","));
        assert!(admit(wide(MAX_VALUES).as_bytes()).is_ok());
        assert_eq!(admit(wide(MAX_VALUES + 1).as_bytes()).map_err(|r| r.code), Err(Code::TooManyNodes));
        assert!(admit(&vec![b' '; MAX_BYTES]).is_ok());
        assert_eq!(admit(&vec![b' '; MAX_BYTES + 1]).map_err(|r| r.code), Err(Code::TooLarge));
    }
}
