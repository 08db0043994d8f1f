//! A document with all its revisions, as CouchDB keeps them: a tree, of which a leaf wins.

use serde_json::{Map, Value, json};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

/// A revision: its depth, and a hash of what led to it.
pub(super) type Rev = (u64, String);

#[derive(Clone, Debug, PartialEq)]
struct Node {
    rev: Rev,
    parent: Option<Rev>,
    is_deleted: bool,
    body: Map<String, Value>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Document {
    /// By revision, so that two with the same ones are the same.
    nodes: BTreeMap<Rev, Node>,
}

/// A revision that was asked for.
pub(super) struct Seen<'a> {
    pub(super) rev: &'a Rev,
    pub(super) body: &'a Map<String, Value>,
}

impl Document {
    /// Writes upon a leaf, or, without one, where there is nothing or only a tombstone. `None`: a conflict.
    pub(super) fn write(&mut self, upon: Option<&Rev>, is_deleted: bool, body: Map<String, Value>) -> Option<Rev> {
        let parent = match upon {
            Some(rev) => Some(self.leaves().find(|leaf| leaf.rev == *rev)?.rev.clone()),
            None => match self.winner() {
                Some(winner) if !winner.is_deleted => return None,
                tombstone => tombstone.map(|node| node.rev.clone()),
            },
        };
        Some(self.add(parent, is_deleted, body))
    }

    /// A sibling of a revision, as another server may have written it upon the same one at another node: its fields are of
    /// the same names, and it has done nothing. It wins while the two are of one depth.
    pub(super) fn stray(&mut self, rev: &Rev, mut body: Map<String, Value>) {
        let parent = self.nodes.get(rev).and_then(|node| node.parent.clone());
        for (name, value) in [("nonce", Value::from("of another")), ("holder", "another".into()), ("body", "{}".into())]
        {
            if let Some(field) = body.get_mut(name) {
                *field = value;
            }
        }
        body.insert("confirmed".to_owned(), false.into());
        let stray = self.add(parent, false, body);
        if let Some(mut node) = self.nodes.remove(&stray) {
            node.rev.1 = format!("z{}", node.rev.1);
            self.nodes.insert(node.rev.clone(), node);
        }
    }

    /// A revision that another node has taken, whatever this one has made of the one before.
    pub(super) fn graft(&mut self, upon: Option<Rev>, is_deleted: bool, body: Map<String, Value>) -> Rev {
        let parent = upon.filter(|rev| self.nodes.contains_key(rev));
        self.add(parent, is_deleted, body)
    }

    fn add(&mut self, parent: Option<Rev>, is_deleted: bool, body: Map<String, Value>) -> Rev {
        let depth = parent.as_ref().map_or(0, |(depth, _)| *depth) + 1;
        let rev = (depth, hash(parent.as_ref(), is_deleted, &body));
        let node = || Node { rev: rev.clone(), parent, is_deleted, body };
        self.nodes.entry(rev.clone()).or_insert_with(node);
        rev
    }

    /// What a reader sees who names no revision.
    /// Revisions of which each was written upon the one before it, beside what is there.
    pub(super) fn branch(&mut self, bodies: impl IntoIterator<Item = Value>) {
        let mut upon = None;
        for body in bodies {
            if let Value::Object(body) = body {
                upon = Some(self.graft(upon, false, body));
            }
        }
    }

    pub(super) fn seen(&self) -> Option<Seen<'_>> {
        self.winner().filter(|winner| !winner.is_deleted).map(|node| Seen { rev: &node.rev, body: &node.body })
    }

    pub(super) fn seen_at(&self, rev: &Rev) -> Option<Seen<'_>> {
        self.nodes.get(rev).map(|node| Seen { rev: &node.rev, body: &node.body })
    }

    /// Leaves that have lost and are no tombstones.
    pub(super) fn conflicts(&self) -> Vec<&Rev> {
        let winner = self.winner().map(|node| &node.rev);
        self.leaves().filter(|leaf| !leaf.is_deleted && Some(&leaf.rev) != winner).map(|leaf| &leaf.rev).collect()
    }

    /// All leaves, tombstones among them, as a question for all open revisions is answered.
    pub(super) fn open_revs(&self, id: &str) -> Value {
        let leaves = self.leaves().map(|leaf| {
            let mut body = leaf.body.clone();
            body.insert("_id".to_owned(), id.into());
            body.insert("_rev".to_owned(), text(&leaf.rev).into());
            if leaf.is_deleted {
                body.insert("_deleted".to_owned(), true.into());
            }
            json!({"ok": body})
        });
        leaves.collect()
    }

    /// Whether it has all leaves of another, and as many of its own.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.nodes.keys().eq(other.nodes.keys())
            || other.leaves().all(|leaf| self.nodes.contains_key(&leaf.rev))
                && self.leaves().count() == other.leaves().count()
    }

    /// Takes in the revisions that another node has.
    pub(super) fn merge(&mut self, other: &Self) {
        for (rev, node) in &other.nodes {
            self.nodes.entry(rev.clone()).or_insert_with(|| node.clone());
        }
    }

    /// Takes leaves away, with what only they stand on.
    pub(super) fn purge(&mut self, revs: &[Rev]) {
        for rev in revs {
            let mut gone = self.leaves().find(|leaf| leaf.rev == *rev).map(|leaf| leaf.rev.clone());
            while let Some(rev) = gone {
                let parent = self.nodes.remove(&rev).and_then(|node| node.parent);
                gone = parent.filter(|parent| self.leaves().any(|leaf| leaf.rev == *parent));
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How many leaves there are, tombstones among them.
    pub(super) fn leaf_count(&self) -> usize {
        self.leaves().count()
    }

    fn leaves(&self) -> impl Iterator<Item = &Node> {
        let parents: BTreeSet<&Rev> = self.nodes.values().filter_map(|node| node.parent.as_ref()).collect();
        self.nodes.values().filter(move |node| !parents.contains(&node.rev))
    }

    /// CouchDB's own order: what lives before what is deleted, then the deepest, then the highest hash.
    fn winner(&self) -> Option<&Node> {
        let rank =
            |a: &&Node, b: &&Node| -> Ordering { b.is_deleted.cmp(&a.is_deleted).then_with(|| a.rev.cmp(&b.rev)) };
        self.leaves().max_by(rank)
    }
}

/// The same write gives the same revision, as in CouchDB.
fn hash(parent: Option<&Rev>, is_deleted: bool, body: &Map<String, Value>) -> String {
    let text = format!("{parent:?}{is_deleted}{}", Value::Object(body.clone()));
    // FNV-1a, 64 bit.
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

pub(super) fn text((depth, hash): &Rev) -> String {
    format!("{depth}-{hash}")
}

pub(super) fn parse(text: &str) -> Option<Rev> {
    let (depth, hash) = text.split_once('-')?;
    Some((depth.parse().ok()?, hash.to_owned()))
}
