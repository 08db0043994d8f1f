//! Images that are on their way: who asks for one that another already pulls waits for it, and sees what arrives.

use graphium_core::runtime::PullObserver;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::{OwnedMutexGuard, watch};

/// What has arrived, of how much, and in words.
type News = (u64, u64, String);

/// One image on its way.
#[derive(Debug)]
struct Arrival {
    /// Held by whoever pulls.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// How many pulls have brought it.
    brought: AtomicU64,
    news: watch::Sender<News>,
}

/// The images that are on their way, by reference; those that nobody asks for any more are forgotten with the next.
#[derive(Debug, Default)]
pub(super) struct Arrivals(Mutex<HashMap<String, Weak<Arrival>>>);

/// The right to pull an image, until it is dropped.
pub(super) struct Turn {
    arrival: Arc<Arrival>,
    has_waited: bool,
    /// How many pulls had brought it when the wait began.
    brought_before: u64,
    _guard: OwnedMutexGuard<()>,
}

impl Arrivals {
    /// Waits until nobody else pulls this image, telling what arrives meanwhile.
    pub(super) async fn turn(&self, image: &str, progress: &dyn PullObserver) -> Turn {
        let arrival = self.of(image);
        let brought_before = arrival.brought.load(Ordering::Acquire);
        if let Ok(guard) = Arc::clone(&arrival.turn).try_lock_owned() {
            return Turn { arrival, has_waited: false, brought_before, _guard: guard };
        }
        let mut news = arrival.news.subscribe();
        let mut locked = Box::pin(Arc::clone(&arrival.turn).lock_owned());
        let guard = loop {
            tokio::select! {
                guard = &mut locked => break guard,
                // The sender lives as long as the arrival.
                _ = news.changed() => {
                    let (done, total, message) = news.borrow_and_update().clone();
                    progress.progress(done, total, &message);
                }
            }
        };
        Turn { arrival, has_waited: true, brought_before, _guard: guard }
    }

    fn of(&self, image: &str) -> Arc<Arrival> {
        let mut all = self.lock();
        if let Some(arrival) = all.get(image).and_then(Weak::upgrade) {
            return arrival;
        }
        all.retain(|_, arrival| arrival.strong_count() > 0);
        let news = watch::Sender::new((0, 0, String::new()));
        let arrival = Arc::new(Arrival { turn: Arc::default(), brought: AtomicU64::new(0), news });
        all.insert(image.to_owned(), Arc::downgrade(&arrival));
        arrival
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Weak<Arrival>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Whether another was at it before, with whatever success.
    pub(super) fn has_waited(&self) -> bool {
        self.has_waited
    }

    /// Whether another has brought it since the wait began.
    pub(super) fn has_come(&self) -> bool {
        self.arrival.brought.load(Ordering::Acquire) != self.brought_before
    }

    /// It was brought.
    pub(super) fn bring(&self) {
        self.arrival.brought.fetch_add(1, Ordering::AcqRel);
    }

    /// Tells those who wait.
    pub(super) fn tell(&self, done: u64, total: u64, message: &str) {
        self.arrival.news.send_replace((done, total, message.to_owned()));
    }
}
