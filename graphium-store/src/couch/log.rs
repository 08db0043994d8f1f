//! The log: one document per entry, each at a place of its own.

use super::{
    answer::{CallError, Written},
    book::Book,
    client::CouchClient,
    clock::Clock,
    dice::Dice,
    entry::{self, Entry, Part, Slip},
    place::{Leaf, Place},
    snapshot::{self, Retention},
};
use graphium_core::store::StoreError;
use std::{
    collections::VecDeque,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// Entries that are asked for at once while much is missing: at least, and at most.
const PAGE: (usize, usize) = (2, 200);

/// Bytes of their text that are asked for at once, as far as can be foretold.
const PAGE_TEXT: usize = 8 * 1024 * 1024;

/// Bytes of text that one document takes: CouchDB's own bound is 8 MB, and quotes count twice.
const LONG: usize = 2 * 1024 * 1024;

/// How long after it was brought up to date a book may be without asking how much of the log is left.
const OLD: Duration = Duration::from_secs(60);

/// The log of a database, and the book of what it says.
pub(super) struct Log {
    pub(super) client: CouchClient,
    /// A document is kept on more than one node: nobody is sure of a place before it is confirmed.
    pub(super) is_replicated: bool,
    pub(super) dice: Dice,
    pub(super) clock: Clock,
    book: RwLock<Book>,
    /// Numbers of those who asked that the book be brought up to date.
    asked: AtomicU64,
    /// Held while the book is brought up to date.
    served: tokio::sync::Mutex<Served>,
    pub(super) retention: Retention,
    /// The highest term of a turn that is known from entries.
    term: AtomicU64,
    /// How many entries are asked for at once.
    page: AtomicUsize,
}

/// How far the book was brought, and when.
#[derive(Default)]
struct Served {
    /// The last of those who asked.
    ticket: u64,
    /// What they were told. A failure is told to all who have waited for it: each of them would meet it, one after the other.
    told: Option<Result<Progress, StoreError>>,
    /// By two clocks: one is set by people, the other stands still while the machine sleeps.
    at: Option<(Instant, SystemTime)>,
}

impl Served {
    /// Whether the next place may have been swept away since: then it looks as if it were free.
    fn is_old(&self, now: SystemTime) -> bool {
        let is_long = |time: SystemTime| now.duration_since(time).is_ok_and(|elapsed| elapsed > OLD);
        self.at.is_none_or(|(at, time)| at.elapsed() > OLD || is_long(time))
    }
}

/// How far the book could be brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    UpToDate,
    /// Up to a place of which nobody can be sure before somebody writes at the next one.
    Doubtful,
}

/// How reading on ended.
enum Ending {
    At(Progress),
    /// The next entry follows another than the one that was read before it.
    Other,
}

impl Log {
    pub(super) fn new(
        client: CouchClient,
        is_replicated: bool,
        retention: Retention,
        dice: Dice,
        clock: Clock,
    ) -> Self {
        Self {
            client,
            is_replicated,
            dice,
            clock,
            book: RwLock::default(),
            asked: AtomicU64::new(0),
            served: tokio::sync::Mutex::default(),
            retention,
            term: AtomicU64::new(0),
            page: AtomicUsize::new(PAGE.0),
        }
    }

    /// The highest term that is known from entries: the next turn has a higher one.
    pub(super) fn term(&self) -> u64 {
        self.term.load(Ordering::Acquire)
    }

    pub(super) fn learn_term(&self, term: u64) {
        self.term.fetch_max(term, Ordering::AcqRel);
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
    pub(super) async fn catch_up(&self) -> Result<Progress, StoreError> {
        let ticket = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let mut served = self.served.lock().await;
        if served.ticket >= ticket
            && let Some(told) = &served.told
        {
            return told.clone();
        }
        // Whoever has asked by now has asked before the question below.
        served.ticket = self.asked.load(Ordering::Acquire);
        // Should whoever asks be given up meanwhile, nobody was told anything.
        served.told = None;
        let told = self.bring_up(&served).await;
        if told.is_ok() {
            served.at = Some((Instant::now(), self.clock.now()));
        }
        served.told = Some(told.clone());
        told
    }

    async fn bring_up(&self, served: &Served) -> Result<Progress, StoreError> {
        let progress = if served.at.is_none() { self.begin_anew().await? } else { self.follow().await? };
        // Afterwards: what is swept away is so only once a head says it.
        if served.is_old(self.clock.now()) { Ok(self.check_floor().await?.unwrap_or(progress)) } else { Ok(progress) }
    }

    /// Begins anew where the entries that come next are gone: what is left tells nothing of them.
    pub(super) async fn check_floor(&self) -> Result<Option<Progress>, StoreError> {
        let next = self.book().next;
        match snapshot::head(self).await? {
            Some((head, _)) if head.floor > next => self.begin_anew().await.map(Some),
            _ => Ok(None),
        }
    }

    async fn follow(&self) -> Result<Progress, StoreError> {
        let (next, tip) = {
            let book = self.book();
            (book.next, book.tip.clone())
        };
        match self.read_on(next, tip, &mut |entry| self.apply(entry)).await? {
            Ending::At(progress) => Ok(progress),
            Ending::Other => self.begin_anew().await,
        }
    }

    /// Reads everything: for the first time, or because what was read does not hold.
    pub(super) async fn begin_anew(&self) -> Result<Progress, StoreError> {
        loop {
            let mut book = Book::after(&self.book());
            snapshot::load(self, &mut book).await?;
            let (next, tip) = (book.next, book.tip.clone());
            let ending = self.read_on(next, tip, &mut |entry| book.apply(Arc::new(entry))).await?;
            let Ending::At(progress) = ending else {
                let reason = "it does not follow the one before it".to_owned();
                return Err(StoreError::Corrupt { kind: "log entry", id: entry::id(book.next), reason });
            };
            // What came next may have been swept away while we read.
            if snapshot::head(self).await?.is_none_or(|(head, _)| head.floor <= book.next) {
                *self.book.write().unwrap_or_else(PoisonError::into_inner) = book;
                return Ok(progress);
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
                    Place::Taken(leaf) => {
                        ahead = self.read_ahead(next + 1, &leaf.slip.nonce).await;
                        leaf.slip
                    }
                    Place::Free | Place::Open(_) => return Ok(Ending::At(Progress::UpToDate)),
                    Place::Doubtful(_) => return Ok(Ending::At(Progress::Doubtful)),
                },
            };
            if slip.previous != tip {
                return Ok(Ending::Other);
            }
            tip.clone_from(&slip.nonce);
            self.learn_term(slip.term);
            take(self.open(next, slip).await?);
            next += 1;
        }
    }

    /// Reads what is in an entry.
    pub(super) async fn open(&self, place: u64, mut slip: Slip) -> Result<Entry, StoreError> {
        for number in 0..slip.parts {
            let id = slip.part_id(place, number);
            let found = self.client.get(&id).await.map_err(unavailable)?;
            let part = found.and_then(|found| serde_json::from_value::<Part<'_>>(found.body.into()).ok());
            match part {
                Some(part) => slip.body.push_str(&part.text),
                None => return Err(entry::corrupt(place, &format!("its part `{id}` is missing"))),
            }
        }
        slip.open(place)
    }

    /// Puts the text of an entry into documents of their own, if it is too long for one. They are nobody's before an entry
    /// names them, so it is nobody's turn yet.
    pub(super) async fn put_aside(&self, place: u64, mut slip: Slip) -> Result<Slip, StoreError> {
        if slip.body.len() <= LONG {
            return Ok(slip);
        }
        slip.aside = self.dice.name();
        let text = std::mem::take(&mut slip.body);
        for (number, piece) in entry::pieces(&text, LONG).into_iter().enumerate() {
            let part = Part { kind: "log-part".into(), text: piece.into() };
            let id = slip.part_id(place, number);
            if !is_done(self.client.put(&id, None, &part).await)? {
                return Err(StoreError::Unavailable(format!("`{id}` was not written")));
            }
            slip.parts = number + 1;
        }
        Ok(slip)
    }

    /// Entries from a place on, which follow the one with the given nonce, as a list has them: a node may show what is not in
    /// force, or not show what is. So each is taken only if another follows it. A list that cannot be had holds nothing up.
    async fn read_ahead(&self, place: u64, tip: &str) -> VecDeque<Slip> {
        let limit = self.page.load(Ordering::Relaxed);
        let Ok(found) = self.client.range(&entry::id(place), &entry::id(u64::MAX), limit).await else {
            // It was too much, perhaps.
            self.page.store((limit / 8).max(PAGE.0), Ordering::Relaxed);
            return VecDeque::new();
        };
        let mut slips: VecDeque<Slip> = VecDeque::new();
        let mut text = 0;
        for (place, found) in (place..).zip(found) {
            let is_in_place = found.body.get("_id").and_then(|id| id.as_str()) == Some(&entry::id(place));
            if !is_in_place || !found.conflicts.is_empty() {
                break;
            }
            let Ok(slip) = Slip::read(place, found) else { break };
            let before = slips.back().map_or(tip, |slip| &*slip.nonce);
            if !slip.confirmed || slip.previous != before {
                break;
            }
            text += slip.body.len();
            slips.push_back(slip);
        }
        if let Some(mean) = text.checked_div(slips.len()) {
            let fitting = PAGE_TEXT.checked_div(mean).unwrap_or(PAGE.1);
            self.page.store(fitting.min(limit * 4).clamp(PAGE.0, PAGE.1), Ordering::Relaxed);
        }
        slips.pop_back();
        slips
    }

    /// What is at a place. Only this question decides: lists are hints.
    pub(super) async fn look(&self, place: u64) -> Result<Place, StoreError> {
        let mut doubtful = match self.leaves(place).await? {
            Place::Doubtful(leaves) => vec![leaves],
            place => return Ok(place),
        };
        // An entry that follows tells which one is in force.
        let (mut next, mut previous) = (place, None);
        while previous.is_none() {
            next += 1;
            match self.leaves(next).await? {
                Place::Taken(leaf) => previous = Some(leaf.slip.previous),
                Place::Doubtful(leaves) => doubtful.push(leaves),
                Place::Free | Place::Open(_) => return Ok(Place::Doubtful(doubtful.swap_remove(0))),
            }
        }
        let mut taken = None;
        while let (Some(nonce), Some(leaves)) = (&previous, doubtful.pop()) {
            let leaf = leaves.into_iter().find(|leaf| leaf.slip.nonce == *nonce).ok_or_else(|| {
                let reason =
                    format!("what came before entry {next} is not shown by the node that was asked; ask again");
                StoreError::Unavailable(reason)
            })?;
            previous = Some(leaf.slip.previous.clone());
            taken = Some(leaf);
        }
        Ok(taken.map_or(Place::Free, Place::Taken))
    }

    /// The last place of those from the given one on that are doubtful, and what is to be in force there: it is so for good
    /// once something follows it. Nothing if something does.
    pub(super) async fn doubt(&self, mut place: u64) -> Result<Option<(u64, Leaf)>, StoreError> {
        let mut last = None;
        loop {
            match self.leaves(place).await? {
                Place::Doubtful(leaves) => last = leaves.into_iter().next().map(|leaf| (place, leaf)),
                Place::Taken(_) => return Ok(None),
                Place::Free | Place::Open(_) => return Ok(last),
            }
            place += 1;
        }
    }

    async fn leaves(&self, place: u64) -> Result<Place, StoreError> {
        Place::read(place, self.client.leaves(&entry::id(place)).await.map_err(unavailable)?)
    }

    /// Takes away what nobody has confirmed, for the holder of the turn alone: nobody can confirm it any more, and the place is
    /// free. `false`: somebody else was at it; look again.
    pub(super) async fn clear(&self, place: u64, leaves: &[Leaf]) -> Result<bool, StoreError> {
        for leaf in leaves {
            if !is_done(self.client.delete(&entry::id(place), &leaf.rev).await)? {
                return Ok(false);
            }
        }
        Ok(true)
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
