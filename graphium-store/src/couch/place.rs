//! What is at a place of the log, by all leaves of its document.
//!
//! An entry is confirmed by the one who has made it alone, and only after a majority took it where nothing was alive. So of the
//! entries of one place that are confirmed, at most one was ever acknowledged, and it is the one of the latest turn: what is
//! made later is made upon a majority that has it. `docs/couchdb.md` has the argument.

use super::{
    answer::{Found, Rev},
    entry::Slip,
};
use graphium_core::store::StoreError;

/// A revision of a place's document that nothing was written upon.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Leaf {
    pub(super) rev: Rev,
    pub(super) slip: Slip,
}

/// What is at a place.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    Free,
    /// In force, and for good.
    Taken(Leaf),
    /// Nothing is in force. What lies there may be in force later if nobody takes it away.
    Open(Vec<Leaf>),
    /// One of these is in force, or will be; the first if nothing that follows says otherwise.
    Doubtful(Vec<Leaf>),
}

impl Place {
    pub(super) fn read(place: u64, found: Vec<Found>) -> Result<Self, StoreError> {
        let leaves = found.into_iter().map(|found| {
            let rev = found.rev.clone();
            Ok(Leaf { rev, slip: Slip::read(place, found)? })
        });
        Ok(Self::judge(leaves.collect::<Result<_, StoreError>>()?))
    }

    /// The same leaves give the same answer, in whatever order they come.
    fn judge(mut leaves: Vec<Leaf>) -> Self {
        if leaves.is_empty() {
            return Self::Free;
        }
        leaves.sort_by(|a, b| b.slip.ballot().cmp(&a.slip.ballot()).then_with(|| b.rev.rank(&a.rev)));
        let latest = leaves.iter().find(|leaf| leaf.slip.confirmed).cloned();
        let Some(latest) = latest else { return Self::Open(leaves) };
        let is_rival = |leaf: &Leaf| {
            // One that is later may be confirmed yet, and so may have been read by somebody another that is.
            leaf.slip.nonce != latest.slip.nonce && (leaf.slip.confirmed || leaf.slip.ballot() > latest.slip.ballot())
        };
        if !leaves.iter().any(is_rival) {
            return Self::Taken(latest);
        }
        leaves.retain(|leaf| leaf.slip.confirmed);
        Self::Doubtful(leaves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn leaf(depth: u64, term: u64, nonce: &str, confirmed: bool) -> Leaf {
        let slip = json!({
            "type": "log-entry", "format": 1, "term": term, "turn": "t", "nonce": nonce, "previous": "p",
            "confirmed": confirmed, "first_event": 1, "body": "{}",
        });
        let found = json!({"_rev": format!("{depth}-{nonce}")});
        let found: Found = serde_json::from_value(found).expect("a revision");
        Leaf { rev: found.rev, slip: serde_json::from_value(slip).expect("a slip") }
    }

    fn nonces(leaves: &[Leaf]) -> Vec<&str> {
        leaves.iter().map(|leaf| &*leaf.slip.nonce).collect()
    }

    /// Whatever the order in which the leaves come.
    fn judged(leaves: &[Leaf]) -> Place {
        let place = Place::judge(leaves.to_vec());
        let turned = Place::judge(leaves.iter().rev().cloned().collect());
        assert_eq!(place, turned);
        place
    }

    #[test]
    fn a_place_without_a_leaf_is_free() {
        assert_eq!(judged(&[]), Place::Free);
    }

    #[test]
    fn what_nobody_has_confirmed_is_not_in_force() {
        let Place::Open(leaves) = judged(&[leaf(1, 1, "a", false), leaf(1, 2, "b", false)]) else { panic!("not open") };
        assert_eq!(nonces(&leaves), ["b", "a"]);
    }

    #[test]
    fn what_is_confirmed_is_in_force_beside_what_an_earlier_turn_has_left() {
        for depth in 1..4 {
            let Place::Taken(taken) = judged(&[leaf(2, 5, "a", true), leaf(depth, 4, "b", false)]) else {
                panic!("not taken")
            };
            assert_eq!(taken.slip.nonce, "a");
        }
    }

    #[test]
    fn beside_what_a_later_turn_has_left_nobody_is_sure() {
        let Place::Doubtful(leaves) = judged(&[leaf(2, 5, "a", true), leaf(1, 6, "b", false)]) else {
            panic!("not doubtful")
        };
        assert_eq!(nonces(&leaves), ["a"]);
    }

    #[test]
    fn of_two_that_are_confirmed_the_later_goes_first_however_deep_the_other_is() {
        let Place::Doubtful(leaves) = judged(&[leaf(9, 5, "a", true), leaf(2, 6, "b", true)]) else {
            panic!("not doubtful")
        };
        assert_eq!(nonces(&leaves), ["b", "a"]);
    }

    #[test]
    fn two_leaves_of_one_entry_are_one() {
        let Place::Taken(taken) = judged(&[leaf(3, 5, "a", true), leaf(2, 5, "a", true)]) else { panic!("not taken") };
        assert_eq!(taken.rev.as_str(), "3-a");
    }
}
