//! Snapshots: the book as it was at a place of the log, so that nobody has to read what came before, and it can go.

use super::{
    book::{Book, Line},
    client::{Found, Rev, Written},
    entry,
    log::{Log, no_quorum, unavailable},
    nonce,
};
use graphium_core::store::StoreError;
use serde::{Deserialize, Serialize};

/// The document that names the snapshot in force.
const HEAD: &str = "snapshot:head";

/// Bytes of a part.
const PART: usize = 1024 * 1024;

/// Documents that are taken away at once.
const SWEEP: usize = 100;

/// When a snapshot is made, and what of the log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Entries from one snapshot to the next.
    pub snapshot_every: u64,
    /// Entries that are kept before a snapshot, for those who resume the events. Not fewer than are written in ten minutes:
    /// a server that was away for longer reads everything anew.
    pub keep: u64,
}

impl Default for Retention {
    /// A snapshot every 5,000 entries; the newest 50,000 are kept.
    fn default() -> Self {
        Self { snapshot_every: 5_000, keep: 50_000 }
    }
}

/// The snapshot in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Head {
    #[serde(rename = "type")]
    kind: String,
    format: u32,
    /// The place of the first entry that is not in it.
    pub(super) place: u64,
    /// Entries before this place are gone.
    pub(super) floor: u64,
    /// The nonce of the last entry that is in it.
    tip: String,
    last_event: u64,
    /// What the ids of its parts begin with.
    parts: String,
    count: usize,
}

/// The snapshot in force, with the document's revision.
pub(super) async fn head(log: &Log) -> Result<Option<(Head, Found)>, StoreError> {
    let Some(found) = log.client.get(HEAD).await.map_err(unavailable)? else { return Ok(None) };
    let head: Head = serde_json::from_value(found.body.clone().into()).map_err(|error| corrupt(HEAD, &error))?;
    if head.format > entry::FORMAT {
        return Err(corrupt(HEAD, &"a newer version of Graphium has written it: upgrade this server"));
    }
    Ok(Some((head, found)))
}

/// Puts the newest snapshot, if there is one, into an empty book.
pub(super) async fn load(log: &Log, book: &mut Book) -> Result<(), StoreError> {
    'newest: while let Some((head, _)) = head(log).await? {
        let mut lines = Vec::new();
        for number in 0..head.count {
            let id = part(&head.parts, number);
            let Some(found) = log.client.get(&id).await.map_err(unavailable)? else {
                // A newer one has taken its place meanwhile.
                if self::head(log).await?.is_some_and(|(newer, _)| newer != head) {
                    continue 'newest;
                }
                return Err(corrupt(&id, &"it is missing"));
            };
            let text = found.body.get("lines").and_then(|lines| lines.as_str()).unwrap_or_default();
            for line in text.lines() {
                lines.push(serde_json::from_str::<Line>(line).map_err(|error| corrupt(&id, &error))?);
            }
        }
        book.restore(head.place, head.tip, head.last_event, lines);
        return Ok(());
    }
    Ok(())
}

/// Writes the parts of a snapshot of the book. They are nobody's before a head names them.
pub(super) async fn draft(log: &Log) -> Result<Head, StoreError> {
    let (place, tip, last_event, lines) = log.book().image();
    let parts = format!("snapshot:{place:016}:{}", nonce::text());
    let mut count = 0;
    let mut text = String::new();
    for line in lines {
        text.push_str(&serde_json::to_string(&line).map_err(|error| corrupt(&parts, &error))?);
        text.push('\n');
        if text.len() >= PART {
            write(log, &part(&parts, count), &mut text).await?;
            count += 1;
        }
    }
    if !text.is_empty() {
        write(log, &part(&parts, count), &mut text).await?;
        count += 1;
    }
    let kind = "snapshot".to_owned();
    let floor = place.saturating_sub(log.retention.keep).max(1);
    Ok(Head { kind, format: entry::FORMAT, place, floor, tip, last_event, parts, count })
}

async fn write(log: &Log, id: &str, text: &mut String) -> Result<(), StoreError> {
    #[derive(Serialize)]
    struct Part<'a> {
        r#type: &'a str,
        lines: &'a str,
    }
    let part = Part { r#type: "snapshot-part", lines: text };
    match log.client.put(id, None, &part).await.map_err(unavailable)? {
        Written::Quorum(_) => text.clear(),
        Written::Accepted(_) => return Err(no_quorum()),
        Written::Conflict | Written::Unknown(_) => {
            return Err(StoreError::Unavailable(format!("`{id}` was not written")));
        }
    }
    Ok(())
}

/// Puts a snapshot in force, in our own turn. `false`: another is newer, or nobody knows.
pub(super) async fn publish(log: &Log, new: &Head) -> Result<bool, StoreError> {
    let present = head(log).await?;
    if let Some((present, found)) = &present {
        for loser in &found.conflicts {
            if !super::log::is_done(log.client.delete(HEAD, loser).await)? {
                return Ok(false);
            }
        }
        if present.place >= new.place {
            return Ok(false);
        }
    }
    let rev = present.map(|(_, found)| found.rev);
    super::log::is_done(log.client.put(HEAD, rev.as_ref(), new).await)
}

/// Takes away what a snapshot has made superfluous: entries before its floor, and the parts of older ones.
pub(super) async fn sweep(log: &Log, head: &Head) -> Result<(), StoreError> {
    for (mut start, end) in [
        (entry::id(0), entry::id(head.floor.saturating_sub(1))),
        ("snapshot:0".to_owned(), format!("snapshot:{:016}", head.place)),
    ] {
        loop {
            let found = log.client.range(&start, &end, SWEEP).await.map_err(unavailable)?;
            let documents: Vec<(String, Vec<Rev>)> = found.into_iter().filter_map(leaves).collect();
            let Some((last, _)) = documents.last() else { break };
            // Past the last, in case the list lags behind; what it did not show is swept after the next snapshot.
            start = format!("{last}\u{0}");
            erase(log, &documents).await?;
        }
    }
    Ok(())
}

fn leaves(found: Found) -> Option<(String, Vec<Rev>)> {
    let id = found.body.get("_id")?.as_str()?.to_owned();
    Some((id, std::iter::once(found.rev).chain(found.conflicts).collect()))
}

async fn erase(log: &Log, documents: &[(String, Vec<Rev>)]) -> Result<(), StoreError> {
    if log.client.purge(documents).await.map_err(unavailable)? {
        return Ok(());
    }
    // Without a purge a tombstone stays of each.
    for (id, revs) in documents {
        for rev in revs {
            super::log::is_done(log.client.delete(id, rev).await)?;
        }
    }
    Ok(())
}

fn part(parts: &str, number: usize) -> String {
    format!("{parts}:{number:06}")
}

fn corrupt(id: &str, reason: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt { kind: "snapshot", id: id.to_owned(), reason: reason.to_string() }
}
