//! The canonical text, and for each of its values and keys where it came from.

use super::super::{code::Code, guard};
use super::locate::Origin;

/// Steps at most. What is looked at and not written costs time too, for every node that links to it.
const MAX_STEPS: usize = 10 * guard::MAX_VALUES;

/// Text that grows, up to what a document may have: what is linked often would be written often.
#[derive(Default)]
pub(super) struct Output {
    text: String,
    /// Where a value or key begins, in order.
    origins: Vec<(usize, Origin)>,
    /// Values written, with those inside of what was JSON already.
    values: usize,
    steps: usize,
    /// Whether something stands before the next value of an array or object.
    filled: bool,
}

impl Output {
    /// The text and its places.
    pub(super) fn finish(self) -> (String, Vec<(usize, Origin)>) {
        (self.text, self.origins)
    }

    /// Whether no more should be written. What is written all the same is not kept.
    pub(super) fn is_full(&self) -> bool {
        self.excess().is_some()
    }

    /// What there is too much of.
    pub(super) fn excess(&self) -> Option<Code> {
        if self.text.len() > guard::MAX_BYTES {
            Some(Code::TooLarge)
        } else {
            (self.values > guard::MAX_VALUES || self.steps > MAX_STEPS).then_some(Code::TooManyNodes)
        }
    }

    /// Counts things that are looked at.
    pub(super) fn spend(&mut self, steps: usize) {
        self.steps = self.steps.saturating_add(steps);
    }

    pub(super) fn open(&mut self, bracket: char, origin: Origin) {
        if self.begin(origin) {
            self.values += 1;
            self.text.push(bracket);
            self.filled = false;
        }
    }

    pub(super) fn close(&mut self, bracket: char) {
        if !self.is_full() {
            self.text.push(bracket);
            self.filled = true;
        }
    }

    pub(super) fn key(&mut self, key: &str, origin: Origin) {
        if self.begin(origin) {
            self.text.push_str(&quoted(key));
            self.text.push(':');
            self.filled = false;
        }
    }

    /// A string.
    pub(super) fn string(&mut self, text: &str, origin: Origin) {
        if !self.is_full() {
            self.raw(&quoted(text), origin);
        }
    }

    /// Anything that is JSON already.
    pub(super) fn raw(&mut self, json: &str, origin: Origin) {
        if self.begin(origin) {
            self.values += if json.starts_with(['[', '{']) { guard::values(json) } else { 1 };
            self.text.push_str(json);
            self.filled = true;
        }
    }

    /// Whether there is room; then a key or value begins.
    fn begin(&mut self, origin: Origin) -> bool {
        if self.is_full() {
            return false;
        }
        if std::mem::take(&mut self.filled) {
            self.text.push(',');
        }
        self.origins.push((self.text.len(), origin));
        true
    }
}

/// A text as a string of JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
