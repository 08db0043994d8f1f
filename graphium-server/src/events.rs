//! Events to many readers: each follows the log by number, at its own pace.
//!
//! Nothing is queued for a reader. The last events lie ready, encoded once; who is further behind reads from the store.
//! So a slow reader costs nothing and loses nothing, and a number that was seen is all that it takes to resume.

use axum::extract::ws::Utf8Bytes;
use bytes::Bytes;
use graphium_core::{
    event::{Event, EventSink, EventType},
    runtime::label,
    store::{StoreError, TaskStore},
    task::TaskStatus,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::ConstGauge},
    registry::Registry,
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{runtime::Handle, sync::watch};
use tokio_tungstenite::tungstenite::protocol::frame::{
    Frame as WireFrame,
    coding::{Data, OpCode},
};

/// How many events lie ready.
const READY: usize = 512;

/// How many events a reader takes at a time: what very many readers hold at once is to be little.
const BATCH: usize = 32;

/// How long readers are left alone after they were woken, at least and at most: what comes meanwhile they get at once, in one write.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));

/// What waking one of them costs, about: for very many it pays to gather longer.
const WAKING: Duration = Duration::from_micros(50);

/// One event as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its number.
    pub seq: u64,
    /// `{seq, type, timestamp, data}`.
    pub json: Utf8Bytes,
    /// The same as one frame of a WebSocket. What a server sends is not masked, so it is the same for all.
    pub wire: Bytes,
    /// The stack that it is about, by its id.
    pub stack: Option<Arc<str>>,
}

impl Frame {
    fn new(event: &Event) -> Self {
        // An event is a number, two words and JSON: it always serialises.
        let json: Utf8Bytes = serde_json::to_string(event).unwrap_or_default().into();
        Self { seq: event.seq, wire: wire(&json), json, stack: stack_of(event).map(Arc::from) }
    }
}

/// A text as one frame of a WebSocket.
fn wire(text: &Utf8Bytes) -> Bytes {
    let mut wire = Vec::with_capacity(text.len() + 10);
    // Memory takes everything.
    let _written = WireFrame::message(text.clone(), OpCode::Data(Data::Text), true).format(&mut wire);
    wire.into()
}

/// The stack that an event is about, by its id.
pub(crate) fn stack_of(event: &Event) -> Option<&str> {
    let data = &event.data;
    let of = match event.kind {
        EventType::ContainerAdded | EventType::ContainerUpdated | EventType::ContainerRemoved => {
            data.get("labels").and_then(|labels| labels.get(label::STACK))
        }
        EventType::HostAdded | EventType::HostUpdated | EventType::HostRemoved | EventType::HostFenced => None,
        EventType::TaskCreated | EventType::TaskUpdated => data.get("stackId"),
        _ => data.get("@id"),
    };
    of.and_then(serde_json::Value::as_str)
}

/// The [`EventSink`] that wakes readers.
#[derive(Debug)]
pub struct Broadcast {
    recent: Mutex<VecDeque<Frame>>,
    bell: Arc<Bell>,
    /// Tasks that have ended since the server began.
    ended: Family<Ended, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    status: &'static str,
}

impl Default for Broadcast {
    fn default() -> Self {
        let ended = Family::default();
        for status in TaskStatus::ALL.into_iter().filter(|status| status.is_terminal()) {
            ended.get_or_create_owned(&Ended { status: status.as_str() });
        }
        Self { recent: Mutex::default(), bell: Arc::default(), ended }
    }
}

impl Broadcast {
    /// A reader that has seen everything up to the number `after`.
    pub fn follow(self: &Arc<Self>, store: Arc<dyn TaskStore>, after: u64) -> Follower {
        Follower { latest: self.bell.rung.subscribe(), broadcast: Arc::clone(self), store, after }
    }

    /// What it counts.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "graphium_tasks_ended",
            "Tasks that have ended since the server began, by status",
            self.ended.clone(),
        );
        let watchers = i64::try_from(self.bell.rung.receiver_count()).unwrap_or(i64::MAX);
        registry.register("graphium_event_watchers", "Streams of events that are read", ConstGauge::new(watchers));
    }

    fn count(&self, event: &Event) {
        let status = event.data.get("status").and_then(serde_json::Value::as_str);
        let ended = TaskStatus::ALL.into_iter().filter(|status| status.is_terminal());
        let ended = ended.map(TaskStatus::as_str).find(|word| Some(*word) == status);
        if let (EventType::TaskUpdated, Some(status)) = (event.kind, ended) {
            self.ended.get_or_create(&Ended { status }).inc();
        }
    }

    fn recent(&self) -> MutexGuard<'_, VecDeque<Frame>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What lies ready after a number; `None` when something between may be missing here.
    fn ready(&self, after: u64) -> Option<Vec<Frame>> {
        let recent = self.recent();
        let first = recent.front()?.seq;
        let known = usize::try_from((after + 1).checked_sub(first)?).ok()?;
        Some(recent.iter().skip(known).take(BATCH).cloned().collect())
    }
}

impl EventSink for Broadcast {
    fn publish(&self, events: &[Event]) {
        let counted = self.bell.state().newest;
        events.iter().filter(|event| event.seq > counted).for_each(|event| self.count(event));
        let mut recent = self.recent();
        for event in events {
            match recent.back().map(|last| last.seq) {
                Some(last) if event.seq <= last => continue,
                Some(last) if event.seq == last + 1 => {}
                // A hole: what comes before it is read from the store.
                _ => recent.clear(),
            }
            // Nobody reads: there is nothing to get ready.
            if self.bell.rung.receiver_count() == 0 {
                recent.clear();
                continue;
            }
            if recent.len() == READY {
                recent.pop_front();
            }
            recent.push_back(Frame::new(event));
        }
        drop(recent);
        if let Some(last) = events.last() {
            self.bell.ring(last.seq);
        }
    }
}

/// Wakes readers: at once, and for what comes soon after that together.
#[derive(Debug, Default)]
struct Bell {
    /// The number for which it was rung last.
    rung: watch::Sender<u64>,
    state: Mutex<Ringing>,
}

#[derive(Debug, Default)]
struct Ringing {
    /// The number of the newest event.
    newest: u64,
    /// Whether it is left alone for the moment.
    pauses: bool,
}

impl Bell {
    fn state(&self) -> MutexGuard<'_, Ringing> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rings for an event, now or after the pause.
    fn ring(self: &Arc<Self>, seq: u64) {
        let mut state = self.state();
        state.newest = seq.max(state.newest);
        if state.pauses || state.newest == *self.rung.borrow() {
            return;
        }
        self.rung.send_replace(state.newest);
        // Outside of a runtime nobody waits for long.
        let Ok(runtime) = Handle::try_current() else { return };
        state.pauses = true;
        runtime.spawn(Arc::clone(self).pause());
    }

    async fn pause(self: Arc<Self>) {
        loop {
            tokio::time::sleep(pause(self.rung.receiver_count())).await;
            let mut state = self.state();
            if state.newest == *self.rung.borrow() {
                state.pauses = false;
                return;
            }
            self.rung.send_replace(state.newest);
        }
    }
}

/// How long so many readers are left alone.
fn pause(readers: usize) -> Duration {
    WAKING.saturating_mul(u32::try_from(readers).unwrap_or(u32::MAX)).clamp(PAUSE.0, PAUSE.1)
}

/// A reader of the log.
#[derive(Debug)]
pub struct Follower {
    broadcast: Arc<Broadcast>,
    store: Arc<dyn TaskStore>,
    latest: watch::Receiver<u64>,
    after: u64,
}

impl Follower {
    /// The number of the last event that was read.
    pub fn after(&self) -> u64 {
        self.after
    }

    /// The next events in order, without waiting; none: there are no more yet.
    ///
    /// # Errors
    /// [`StoreError::Pruned`] when they are gone already, and what reading the store can fail with.
    pub async fn next(&mut self) -> Result<Vec<Frame>, StoreError> {
        let frames = match self.broadcast.ready(self.after) {
            Some(frames) => frames,
            None => self.store.events(self.after, BATCH).await?.iter().map(Frame::new).collect(),
        };
        if let Some(last) = frames.last() {
            self.after = last.seq;
        }
        Ok(frames)
    }

    /// Returns when there may be more.
    ///
    /// Cancellation: dropping the future ends the wait.
    pub async fn wait(&mut self) {
        let after = self.after;
        if self.latest.wait_for(|latest| *latest > after).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64) -> Event {
        let timestamp = jiff::Timestamp::UNIX_EPOCH;
        Event { seq, kind: EventType::TaskUpdated, timestamp, data: serde_json::Value::Null }
    }

    fn seqs(frames: Option<Vec<Frame>>) -> Option<Vec<u64>> {
        frames.map(|frames| frames.iter().map(|frame| frame.seq).collect())
    }

    #[test]
    fn what_lies_ready_has_no_holes() {
        let broadcast = Broadcast::default();
        let _reader = broadcast.bell.rung.subscribe();
        broadcast.publish(&[event(4), event(5)]);
        assert_eq!(seqs(broadcast.ready(3)), Some(vec![4, 5]));
        assert_eq!(seqs(broadcast.ready(5)), Some(vec![]));
        assert_eq!(seqs(broadcast.ready(2)), None, "3 is in the store alone");
        broadcast.publish(&[event(5), event(7)]);
        assert_eq!(seqs(broadcast.ready(5)), None, "6 is in the store alone");
        assert_eq!(seqs(broadcast.ready(6)), Some(vec![7]));
    }

    #[tokio::test(start_paused = true)]
    async fn readers_are_woken_at_once_and_for_what_comes_soon_after_together() {
        let broadcast = Broadcast::default();
        let mut reader = broadcast.bell.rung.subscribe();
        broadcast.publish(&[event(1)]);
        assert_eq!((reader.has_changed().unwrap(), *reader.borrow_and_update()), (true, 1), "at once");
        for seq in 2..=9 {
            broadcast.publish(&[event(seq)]);
        }
        assert!(!reader.has_changed().unwrap());
        tokio::time::timeout(PAUSE.0 * 2, reader.changed()).await.unwrap().unwrap();
        assert_eq!(*reader.borrow_and_update(), 9);
        tokio::time::sleep(PAUSE.0 * 3).await;
        assert!(!reader.has_changed().unwrap(), "there was nothing more");
        broadcast.publish(&[event(10)]);
        assert_eq!((reader.has_changed().unwrap(), *reader.borrow_and_update()), (true, 10), "at once again");
    }

    #[tokio::test(start_paused = true)]
    async fn very_many_readers_are_woken_less_often() {
        let broadcast = Broadcast::default();
        let mut readers: Vec<_> = (0..1000).map(|_| broadcast.bell.rung.subscribe()).collect();
        broadcast.publish(&[event(1)]);
        readers[999].borrow_and_update();
        broadcast.publish(&[event(2)]);
        tokio::time::sleep(PAUSE.0 * 4).await;
        assert!(!readers[999].has_changed().unwrap());
        tokio::time::sleep(PAUSE.0 * 2).await;
        assert_eq!((readers[999].has_changed().unwrap(), *readers[999].borrow()), (true, 2));
        assert_eq!((pause(100), pause(1_000_000)), PAUSE, "and never much later");
    }

    #[test]
    fn only_the_last_events_lie_ready() {
        let broadcast = Broadcast::default();
        let _reader = broadcast.bell.rung.subscribe();
        let events: Vec<_> = (1..=600).map(event).collect();
        broadcast.publish(&events);
        assert_eq!(broadcast.recent().len(), READY);
        assert_eq!(seqs(broadcast.ready(10)), None);
        assert_eq!(seqs(broadcast.ready(597)), Some(vec![598, 599, 600]));
    }
}
