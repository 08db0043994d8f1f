//! Snapshots: the book as it was at a place of the log, so that nobody has to read what came before, and it can go.

use super::{
    answer::{Rev, Written},
    book::{Book, Image, Line},
    entry,
    log::{Log, is_done, no_quorum, unavailable},
};
use graphium_core::store::StoreError;
use serde::{Deserialize, Serialize};

/// The document that names the snapshot in force.
const HEAD: &str = "snapshot:head";

/// Bytes of a part.
const PART: usize = 1024 * 1024;

/// Documents that are taken away at once.
const SWEEP: usize = 100;

/// How often a range is swept: what is taken away may uncover a leaf that was in conflict with it, and a list may lag behind.
const PASSES: usize = 3;

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

/// What names a snapshot.
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
    /// The highest term of a turn that is known.
    #[serde(default)]
    term: u64,
    /// What the ids of its parts begin with.
    parts: String,
    count: usize,
}

/// The snapshot in force, with the revisions of the document. Where several servers have written one, the greatest place
/// wins: whatever it stands on is in the log.
pub(super) async fn head(log: &Log) -> Result<Option<(Head, Vec<Rev>)>, StoreError> {
    let mut heads = Vec::new();
    let mut revs = Vec::new();
    for found in log.client.leaves(HEAD).await.map_err(unavailable)? {
        revs.push(found.rev);
        heads.push(serde_json::from_value::<Head>(found.body.into()).map_err(|error| corrupt(HEAD, &error))?);
    }
    let Some(head) = heads.into_iter().max_by(|a, b| (a.place, &a.parts).cmp(&(b.place, &b.parts))) else {
        return Ok(None);
    };
    if head.format > entry::FORMAT {
        return Err(corrupt(HEAD, &"a newer version of Graphium has written it: upgrade this server"));
    }
    Ok(Some((head, revs)))
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
        log.learn_term(head.term);
        book.restore(Image { place: head.place, tip: head.tip, last_event: head.last_event, lines });
        return Ok(());
    }
    Ok(())
}

/// Writes the parts of a snapshot. They are nobody's before a head names them.
async fn draft(log: &Log, image: Image) -> Result<Head, StoreError> {
    let Image { place, tip, last_event, lines } = image;
    let parts = format!("snapshot:{place:016}:{}", log.dice.name());
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
    // The last entry stays: whoever writes the next one looks at it.
    let floor = place.saturating_sub(log.retention.keep.max(1)).max(1);
    Ok(Head { kind, format: entry::FORMAT, place, floor, tip, last_event, term: log.term(), parts, count })
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

/// Makes a snapshot, unless another server has made one, and takes away what is not needed any more. Answers with the place
/// of the newest. Nobody's turn is needed: of several heads the greatest is in force. What the image shows must be in force
/// for good: a snapshot of what goes again fits nothing that follows.
pub(super) async fn make(log: &Log, image: Image) -> Result<u64, StoreError> {
    if let Some((head, _)) = head(log).await?
        && head.place + log.retention.snapshot_every > image.place
    {
        return Ok(head.place);
    }
    let head = draft(log, image).await?;
    if publish(log, &head).await? {
        sweep(log, &head).await?;
    }
    Ok(head.place)
}

/// Puts a snapshot in force. `false`: another is newer, or nobody knows.
async fn publish(log: &Log, new: &Head) -> Result<bool, StoreError> {
    let (present, revs) = head(log).await?.map_or((None, Vec::new()), |(head, revs)| (Some(head), revs));
    if present.is_some_and(|present| present.place >= new.place) {
        return Ok(false);
    }
    let mut revs = revs.iter();
    if !is_done(log.client.put(HEAD, revs.next(), new).await)? {
        return Ok(false);
    }
    for loser in revs {
        // Its place is lower than the new one's: whether it goes changes nothing but how much is read.
        is_done(log.client.delete(HEAD, loser).await)?;
    }
    Ok(true)
}

/// Takes away what a snapshot has made superfluous: entries before its floor, and the parts of older ones.
async fn sweep(log: &Log, head: &Head) -> Result<(), StoreError> {
    for (first, end) in [
        (entry::id(0), entry::id(head.floor.saturating_sub(1))),
        ("snapshot:0".to_owned(), format!("snapshot:{:016}", head.place)),
    ] {
        for _ in 0..PASSES {
            if !sweep_range(log, &first, &end).await? {
                break;
            }
        }
    }
    Ok(())
}

/// Whether there was anything.
async fn sweep_range(log: &Log, first: &str, end: &str) -> Result<bool, StoreError> {
    let mut start = first.to_owned();
    loop {
        let documents = log.client.names(&start, end, SWEEP).await.map_err(unavailable)?;
        let Some((last, _)) = documents.last() else { return Ok(start != first) };
        // Past the last, in case the list lags behind; what it did not show is swept after the next snapshot.
        start = format!("{last}\u{0}");
        erase(log, documents).await?;
    }
}

async fn erase(log: &Log, documents: Vec<(String, Rev)>) -> Result<(), StoreError> {
    let leaves: Vec<(String, Vec<Rev>)> = documents.into_iter().map(|(id, rev)| (id, vec![rev])).collect();
    if log.client.purge(&leaves).await.map_err(unavailable)? {
        return Ok(());
    }
    // Without a purge a tombstone stays of each.
    for (id, revs) in &leaves {
        for rev in revs {
            is_done(log.client.delete(id, rev).await)?;
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
