//! What is wrong in a graph, up to a number and a size: a node that is linked often has its mistakes as often.

use super::super::{code::Code, findings::MAX_PER_SEVERITY};
use super::locate::Origin;
use crate::diagnostic::Severity;
use json_syntax::Value;

/// Bytes of texts in all mistakes at most; keys can be as long as documents.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Something wrong that the canonical text could not say.
pub(super) struct Mistake {
    pub(super) code: Code,
    pub(super) origin: Origin,
    /// The value, if the mistake is not about a key.
    pub(super) value: Option<Value>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// The first mistakes, and how many there are beyond them, by severity.
#[derive(Default)]
pub(super) struct Mistakes {
    kept: Vec<Mistake>,
    by_severity: [usize; 3],
    bytes: usize,
    left_out: [usize; 3],
}

impl Mistakes {
    pub(super) fn finish(self) -> (Vec<Mistake>, [usize; 3]) {
        (self.kept, self.left_out)
    }

    /// Counts one more where there is no room for it: then its message need not be made.
    pub(super) fn leave_out(&mut self, severity: Severity) -> bool {
        // An error is always kept if it is the first: a document with one is refused.
        let some = self.by_severity[severity as usize];
        let is_full = some >= MAX_PER_SEVERITY || (some > 0 && self.bytes > MAX_BYTES);
        self.left_out[severity as usize] += usize::from(is_full);
        is_full
    }

    pub(super) fn add(&mut self, mistake: Mistake) {
        if self.leave_out(mistake.code.severity()) {
            return;
        }
        let value = mistake.value.as_ref().and_then(Value::as_str).map_or(0, str::len);
        let texts = mistake.message.len() + mistake.help.as_ref().map_or(0, String::len);
        let origin = mistake.origin.word.len() + mistake.origin.owner.len();
        self.bytes = self.bytes.saturating_add(value + texts + origin);
        self.by_severity[mistake.code.severity() as usize] += 1;
        self.kept.push(mistake);
    }
}
