//! An entry of the log: what one step has changed, as it is stored.

use super::answer::Found;
use graphium_core::{
    event::Event,
    id::{ClaimId, HostId},
    store::{
        Key, Record, Session, StoreError,
        ledger::{Ledger, Work},
    },
    task::Task,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, sync::Arc};

/// The version of the form in which entries are written.
pub(super) const FORMAT: u32 = 1;

/// The id of the document that holds the entry at a place of the log. Ids sort by place.
pub(super) fn id(place: u64) -> String {
    format!("log:{place:016}")
}

/// An entry that is in force: the last one, as far as whoever names it knows. What it says is true for good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Tip {
    pub(super) place: u64,
    pub(super) nonce: String,
}

/// An entry as a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Slip {
    /// `log-entry`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) format: u32,
    /// In which turn it was made. Terms rise from turn to turn.
    pub(super) term: u64,
    /// The nonce of that turn.
    #[serde(default)]
    pub(super) turn: String,
    /// How often that turn has made an entry for this place.
    #[serde(default)]
    pub(super) attempt: u32,
    /// Chosen at random for this entry: tells it from another that was to have the same place.
    pub(super) nonce: String,
    /// The nonce of the entry before.
    pub(super) previous: String,
    /// A majority of the nodes had it before this was written.
    pub(super) confirmed: bool,
    /// The number of its first event, or of the next one after it where it has none.
    pub(super) first_event: u64,
    /// A [`Body`] as text: what is read is to the byte what was written, whatever the database makes of numbers.
    pub(super) body: String,
    /// In how many documents of their own the text lies, where it is too long for one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) parts: usize,
    /// The nonce in the ids of those documents; empty where it is this entry's own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) aside: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// The id of a document with a part of an entry's text. It sorts between the entry and the next one.
fn part_id(place: u64, nonce: &str, number: usize) -> String {
    format!("{}:{nonce}:{number:06}", id(place))
}

/// A part of an entry's text.
#[derive(Serialize, Deserialize)]
pub(super) struct Part<'a> {
    #[serde(rename = "type")]
    pub(super) kind: Cow<'a, str>,
    pub(super) text: Cow<'a, str>,
}

/// Cuts a text into pieces of at most `size` bytes, at the borders of characters.
pub(super) fn pieces(mut text: &str, size: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    while !text.is_empty() {
        let end = (0..=size.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(text.len());
        let (piece, rest) = text.split_at(if end == 0 { text.len() } else { end });
        pieces.push(piece);
        text = rest;
    }
    pieces
}

/// What an entry has changed: everything as it is afterwards.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Body {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) records: Vec<Written>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tasks: Vec<Arc<Task>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) sessions: Vec<Session>,
    /// Claims that were granted something which the tasks show no longer: what was granted was taken back in the same step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) claims: Vec<(HostId, ClaimId)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) submissions: Vec<(String, Timestamp, Vec<Key>)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) events: Vec<Event>,
    #[serde(skip_serializing_if = "Gone::is_empty")]
    pub(super) gone: Gone,
}

impl Body {
    /// Tells a ledger of what it has changed. Answers with the hosts that have something to do now.
    pub(super) fn teach(&self, ledger: &mut Ledger, now: Timestamp) -> Vec<HostId> {
        for session in &self.sessions {
            ledger.load_session(session.clone());
        }
        self.gone.works.iter().for_each(|work| ledger.forget(work));
        for (host, claim) in &self.claims {
            ledger.remember_grant(host, claim);
        }
        ledger.learn(self.tasks.iter().map(|task| Task::clone(task)).collect(), now)
    }
}

/// What was let go of, by name: so that every reader of the log lets go of the same. It goes before the rest is taken in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Gone {
    /// Finished work, with all its tasks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) works: Vec<Work>,
    /// Events up to this number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) events_to: Option<u64>,
    /// Idempotency keys of submissions from before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) keys_before: Option<Timestamp>,
}

impl Gone {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A record that was written, or is no more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Written {
    Put(Record),
    Removed(Key),
}

/// An entry as it was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) place: u64,
    pub(super) nonce: String,
    pub(super) previous: String,
    pub(super) first_event: u64,
    pub(super) body: Body,
}

impl Slip {
    /// The id of the document with a part of its text.
    pub(super) fn part_id(&self, place: u64, number: usize) -> String {
        part_id(place, if self.aside.is_empty() { &self.nonce } else { &self.aside }, number)
    }

    /// When it was made, among those of one place: the greater is the later.
    pub(super) fn ballot(&self) -> (u64, &str, u32) {
        (self.term, &self.turn, self.attempt)
    }

    pub(super) fn read(place: u64, found: Found) -> Result<Self, StoreError> {
        let slip: Self = serde_json::from_value(found.body.into()).map_err(|error| corrupt(place, &error))?;
        if slip.format > FORMAT {
            return Err(corrupt(place, &"a newer version of Graphium has written it: upgrade this server"));
        }
        Ok(slip)
    }

    /// Reads what is in it.
    pub(super) fn open(self, place: u64) -> Result<Entry, StoreError> {
        let body = serde_json::from_str(&self.body).map_err(|error| corrupt(place, &error))?;
        let Self { nonce, previous, first_event, .. } = self;
        Ok(Entry { place, nonce, previous, first_event, body })
    }
}

impl Body {
    pub(super) fn text(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(|error| StoreError::Corrupt {
            kind: "step",
            id: self.tasks.first().map_or_else(String::new, |task| task.id.to_string()),
            reason: error.to_string(),
        })
    }
}

pub(super) fn corrupt(place: u64, reason: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt { kind: "log entry", id: id(place), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_text_and_none_is_too_long() {
        for text in ["", "abc", "größer als gedacht", "ääääääää"] {
            for size in 2..9 {
                let pieces = pieces(text, size);
                assert_eq!(pieces.concat(), text);
                assert!(pieces.iter().all(|piece| piece.len() <= size && !piece.is_empty()), "{pieces:?}");
            }
        }
    }

    #[test]
    fn parts_lie_between_their_entry_and_the_next() {
        assert!(id(9) < part_id(9, "x", 0) && part_id(9, "x", 999) < id(10));
    }
}
