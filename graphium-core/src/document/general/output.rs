//! The canonical text, and for each of its values and keys where it came from.

use super::locate::Origin;

/// Values at most: what is linked often would be written often.
const MAX_VALUES: usize = super::super::guard::MAX_VALUES;

/// Text that grows.
#[derive(Default)]
pub(super) struct Output {
    text: String,
    /// Where a value or key begins, in order.
    origins: Vec<(usize, Origin)>,
    /// Whether something stands before the next value of an array or object.
    filled: bool,
}

impl Output {
    /// The text and its places.
    pub(super) fn finish(self) -> (String, Vec<(usize, Origin)>) {
        (self.text, self.origins)
    }

    /// Whether no more should be written.
    pub(super) fn is_full(&self) -> bool {
        self.origins.len() > 2 * MAX_VALUES
    }

    pub(super) fn open(&mut self, bracket: char, origin: Origin) {
        self.begin(origin);
        self.text.push(bracket);
        self.filled = false;
    }

    pub(super) fn close(&mut self, bracket: char) {
        self.text.push(bracket);
        self.filled = true;
    }

    pub(super) fn key(&mut self, key: &str, origin: Origin) {
        self.begin(origin);
        self.text.push_str(&quoted(key));
        self.text.push(':');
        self.filled = false;
    }

    /// A string.
    pub(super) fn string(&mut self, text: &str, origin: Origin) {
        self.raw(&quoted(text), origin);
    }

    /// Anything that is JSON already.
    pub(super) fn raw(&mut self, json: &str, origin: Origin) {
        self.begin(origin);
        self.text.push_str(json);
        self.filled = true;
    }

    fn begin(&mut self, origin: Origin) {
        if std::mem::take(&mut self.filled) {
            self.text.push(',');
        }
        self.origins.push((self.text.len(), origin));
    }
}

/// A text as a string of JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
