//! Tokens: `gph_` and 256 random bits.

use sha2::{Digest, Sha256};
use std::fmt;

/// What every token begins with, so that a leaked one is recognised.
const PREFIX: &str = "gph_";

/// A token as its owner has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new token of random bits from the operating system.
    ///
    /// # Errors
    /// When the operating system has none to give.
    pub fn generate() -> std::io::Result<Self> {
        let mut bits = [0; 32];
        getrandom::fill(&mut bits).map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(Self(format!("{PREFIX}{}", hex(&bits))))
    }

    /// Takes a text for a token when it has the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let bits = text.strip_prefix(PREFIX)?;
        let sound =
            (32..=128).contains(&bits.len()) && bits.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        sound.then(|| Self(text.to_owned()))
    }

    /// The token itself: for its owner alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it: its SHA-256 in hexadecimal.
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.0.as_bytes()))
    }
}

/// Bytes in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).collect()
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_are_read_back() {
        let (one, other) = (Token::generate().unwrap(), Token::generate().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.reveal().len(), 4 + 64);
        assert_eq!(Token::parse(&format!("{}\n", one.reveal())), Some(one.clone()));
        assert_eq!(format!("{one:?}"), "Token(…)");
        assert_eq!(one.hash().len(), 64);
    }

    #[test]
    fn other_texts_are_no_tokens() {
        for text in ["", "gph_", "gph_short", "hello", &format!("gph_{}", "ä".repeat(32)), &"x".repeat(68)] {
            assert_eq!(Token::parse(text), None, "{text}");
        }
    }
}
