//! The log: one document per entry, each at a place of its own.

use super::{
    book::Book,
    client::{CallError, CouchClient, Found, Written},
    entry::{self, Entry, Part, Slip},
    snapshot::{self, Retention},
};
use graphium_core::store::StoreError;
use std::{
    collections::VecDeque,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

/// Entries that are asked for at once while much is missing.
const PAGE: usize = 200;

/// Bytes of text that one document takes: CouchDB's own bound is 8 MB, and quotes count twice.
const LONG: usize = 2 * 1024 * 1024;

/// How long after it was brought up to date a book may be without asking how much of the log is left.
const OLD: Duration = Duration::from_secs(60);

/// The log of a database, and the book of what it says.
pub(super) struct Log {
    pub(super) client: CouchClient,
    /// A document is kept on more than one node: nobody is sure of a place before it is confirmed.
    pub(super) is_replicated: bool,
    book: RwLock<Book>,
    /// Numbers of those who asked that the book be brought up to date.
    asked: AtomicU64,
    /// Held while the book is brought up to date.
    served: tokio::sync::Mutex<Served>,
    pub(super) retention: Retention,
}

/// How far the book was brought, and when.
#[derive(Default)]
struct Served {
    /// The last of those who asked.
    ticket: u64,
    /// By two clocks: one is set by people, the other stands still while the machine sleeps.
    at: Option<(Instant, SystemTime)>,
}

impl Served {
    /// Whether the next place may have been swept away since: then it looks as if it were free.
    fn is_old(&self) -> bool {
        self.at.is_none_or(|(at, time)| at.elapsed() > OLD || time.elapsed().is_ok_and(|elapsed| elapsed > OLD))
    }
}

/// What is at a place of the log.
pub(super) enum Place {
    Free,
    /// In force, and for good.
    Taken(Slip),
    /// Nobody knows yet whether it will be.
    Open(Box<Found>),
}

/// How reading on ended.
enum Ending {
    UpToDate,
    /// The next entry follows another than the one that was read before it.
    Other,
}

impl Log {
    pub(super) fn new(client: CouchClient, is_replicated: bool, retention: Retention) -> Self {
        Self {
            client,
            is_replicated,
            book: RwLock::default(),
            asked: AtomicU64::new(0),
            served: tokio::sync::Mutex::default(),
            retention,
        }
    }

    pub(super) fn book(&self) -> RwLockReadGuard<'_, Book> {
        // Entries are taken in whole; a poisoned lock guards a book that is sound.
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in an entry, if it is the next.
    pub(super) fn apply(&self, entry: Entry) {
        self.book.write().unwrap_or_else(PoisonError::into_inner).apply(Arc::new(entry));
    }

    /// Brings the book up to what was in force when this was called. Many who ask at a time are served by one question.
    pub(super) async fn catch_up(&self) -> Result<(), StoreError> {
        let ticket = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let mut served = self.served.lock().await;
        if served.ticket >= ticket {
            return Ok(());
        }
        // Whoever has asked by now has asked before the question below.
        let asked = self.asked.load(Ordering::Acquire);
        if served.at.is_none() {
            self.begin_anew().await?;
        } else {
            self.follow().await?;
        }
        if served.is_old() {
            // Afterwards: what is swept away is so only once a head says it.
            self.check_floor().await?;
        }
        *served = Served { ticket: asked, at: Some((Instant::now(), SystemTime::now())) };
        Ok(())
    }

    /// Begins anew where the entries that come next are gone: what is left tells nothing of them.
    pub(super) async fn check_floor(&self) -> Result<(), StoreError> {
        let next = self.book().next;
        match snapshot::head(self).await? {
            Some((head, _)) if head.floor > next => self.begin_anew().await,
            _ => Ok(()),
        }
    }

    async fn follow(&self) -> Result<(), StoreError> {
        let (next, tip) = {
            let book = self.book();
            (book.next, book.tip.clone())
        };
        match self.read_on(next, tip, &mut |entry| self.apply(entry)).await? {
            Ending::UpToDate => Ok(()),
            Ending::Other => self.begin_anew().await,
        }
    }

    /// Reads everything: for the first time, or because what was read does not hold.
    async fn begin_anew(&self) -> Result<(), StoreError> {
        loop {
            let mut book = Book::after(&self.book());
            snapshot::load(self, &mut book).await?;
            let (next, tip) = (book.next, book.tip.clone());
            if let Ending::Other = self.read_on(next, tip, &mut |entry| book.apply(Arc::new(entry))).await? {
                let reason = "it does not follow the one before it".to_owned();
                return Err(StoreError::Corrupt { kind: "log entry", id: entry::id(book.next), reason });
            }
            // What came next may have been swept away while we read.
            if snapshot::head(self).await?.is_none_or(|(head, _)| head.floor <= book.next) {
                *self.book.write().unwrap_or_else(PoisonError::into_inner) = book;
                return Ok(());
            }
        }
    }

    /// Reads the entries from a place on, each of which follows the one before it.
    async fn read_on(
        &self,
        mut next: u64,
        mut tip: String,
        take: &mut (dyn FnMut(Entry) + Send),
    ) -> Result<Ending, StoreError> {
        let mut ahead = VecDeque::new();
        loop {
            let slip = match ahead.pop_front() {
                Some(slip) => slip,
                None => match self.look(next).await? {
                    Place::Taken(slip) => {
                        ahead = self.read_ahead(next + 1).await?;
                        slip
                    }
                    Place::Free | Place::Open(_) => return Ok(Ending::UpToDate),
                },
            };
            if slip.previous != tip {
                return Ok(Ending::Other);
            }
            tip.clone_from(&slip.nonce);
            take(self.open(next, slip).await?);
            next += 1;
        }
    }

    /// Reads what is in an entry.
    pub(super) async fn open(&self, place: u64, mut slip: Slip) -> Result<Entry, StoreError> {
        for number in 0..slip.parts {
            let id = entry::part_id(place, &slip.nonce, number);
            let found = self.client.get(&id).await.map_err(unavailable)?;
            let part = found.and_then(|found| serde_json::from_value::<Part<'_>>(found.body.into()).ok());
            match part {
                Some(part) => slip.body.push_str(&part.text),
                None => return Err(entry::corrupt(place, &format!("its part `{id}` is missing"))),
            }
        }
        slip.open(place)
    }

    /// Puts the text of an entry into documents of their own, if it is too long for one. They are nobody's before the entry
    /// is there.
    pub(super) async fn put_aside(&self, place: u64, mut slip: Slip) -> Result<Slip, StoreError> {
        if slip.body.len() <= LONG {
            return Ok(slip);
        }
        let text = std::mem::take(&mut slip.body);
        for (number, piece) in entry::pieces(&text, LONG).into_iter().enumerate() {
            let part = Part { kind: "log-part".into(), text: piece.into() };
            let id = entry::part_id(place, &slip.nonce, number);
            if !is_done(self.client.put(&id, None, &part).await)? {
                return Err(StoreError::Unavailable(format!("`{id}` was not written")));
            }
            slip.parts = number + 1;
        }
        Ok(slip)
    }

    /// Entries from a place on as a list has them, which may lack what is new, and never has what is not in force.
    async fn read_ahead(&self, place: u64) -> Result<VecDeque<Slip>, StoreError> {
        let found = self.client.range(&entry::id(place), &entry::id(u64::MAX), PAGE).await.map_err(unavailable)?;
        let mut slips = VecDeque::new();
        for (place, found) in (place..).zip(found) {
            let is_in_place = found.body.get("_id").and_then(|id| id.as_str()) == Some(&entry::id(place));
            if !is_in_place || !found.conflicts.is_empty() {
                break;
            }
            let slip = Slip::read(place, found)?;
            if !slip.confirmed {
                break;
            }
            slips.push_back(slip);
        }
        Ok(slips)
    }

    /// What is at a place. Only this question decides: lists are hints.
    pub(super) async fn look(&self, place: u64) -> Result<Place, StoreError> {
        let Some(found) = self.client.get(&entry::id(place)).await.map_err(unavailable)? else {
            return Ok(Place::Free);
        };
        let slip = Slip::read(place, found.clone())?;
        Ok(if slip.confirmed { Place::Taken(slip) } else { Place::Open(Box::new(found)) })
    }

    /// Puts what is at a place in force, for the holder of the turn alone: what loses goes first, for nobody may confirm it any
    /// more, then the winner is confirmed. `false`: somebody else was at it; look again.
    pub(super) async fn decide(&self, place: u64, found: Found) -> Result<bool, StoreError> {
        let id = entry::id(place);
        for loser in &found.conflicts {
            if !is_done(self.client.delete(&id, loser).await)? {
                return Ok(false);
            }
        }
        let rev = found.rev.clone();
        let slip = Slip { confirmed: true, ..Slip::read(place, found)? };
        is_done(self.client.put(&id, Some(&rev), &slip).await)
    }
}

/// Whether a write is done and stands. 202 ends it: there is no quorum.
pub(super) fn is_done(written: Result<Written, CallError>) -> Result<bool, StoreError> {
    match written.map_err(unavailable)? {
        Written::Quorum(_) => Ok(true),
        Written::Conflict | Written::Unknown(_) => Ok(false),
        Written::Accepted(_) => Err(no_quorum()),
    }
}

pub(super) fn no_quorum() -> StoreError {
    StoreError::Unavailable("CouchDB has no quorum: only a minority of its nodes took the write".to_owned())
}

pub(super) fn unavailable(error: CallError) -> StoreError {
    StoreError::Unavailable(error.to_string())
}
