//! How many requests are served at a time, and how fast one caller may change things.
//!
//! A server that begins everything at once ends nothing in time. So there are places, for what reads and for what changes; a few
//! requests wait for one, for a moment, and whoever comes then hears at once when to ask again. Agents, probes and metrics need no
//! place: whatever people do, hosts are heard. What waits for its peer (a body, the first of two equal requests) leaves its place
//! meanwhile, so that nobody holds one by being slow.

use super::problem::Problem;
use crate::{
    auth::{Needs, needs},
    serve::Limits,
};
use axum::http::{Extensions, Method};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a request waits for a place.
const PATIENCE: Duration = Duration::from_secs(1);

/// When to ask again, in seconds.
const AGAIN: u64 = 1;

/// So many callers are remembered; beyond it those go first that may go on first.
const MOST: usize = 10_000;

/// Callers without a token have a quarter of what others have.
const STRANGERS: u32 = 4;

/// What a request is to those who come beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It looks.
    Read,
    /// It changes something.
    Change,
    /// It is about what a stack is to be. Plans are made one after the other, and what waits for its turn is not to keep other
    /// changes from theirs.
    Plan,
}

impl Kind {
    /// What a route's request is; none: it needs no place.
    pub(crate) fn of(method: &Method, route: &str) -> Option<Self> {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        // A log waits for its agent, and its readers have a bound of their own; servers that share a store have agents, too.
        let own_bound = ["/metrics", "/api/v1/store", "/api/v1/containers/{id}/logs"];
        match needs(method, route) {
            Needs::Agent | Needs::AgentOfTask => None,
            _ if own_bound.contains(&route) => None,
            Needs::Nobody if reads => None,
            _ if reads => Some(Self::Read),
            _ if route.starts_with("/api/v1/stacks") || route == "/api/v1/adoptions" => Some(Self::Plan),
            _ => Some(Self::Change),
        }
    }

    /// Whether it may change something.
    pub(crate) fn may_change(self) -> bool {
        self != Self::Read
    }
}

/// Who is at the server at present.
#[derive(Debug)]
pub(crate) struct Crowd {
    reads: Arc<Room>,
    changes: Arc<Room>,
    plans: Arc<Room>,
    pace: Pace,
}

impl Crowd {
    pub(crate) fn new(limits: &Limits) -> Self {
        let room = |places, what| Arc::new(Room::new(places, limits.waiting, what));
        Self {
            reads: room(limits.reads, "requests that read"),
            changes: room(limits.changes, "requests that change something"),
            plans: room(limits.plans, "requests to plan"),
            pace: Pace { rate: limits.changes_per_second, callers: Mutex::default() },
        }
    }

    /// A place for a request of a kind.
    ///
    /// # Errors
    /// 503 `overloaded` where there is none within a moment.
    pub(crate) async fn enter(&self, kind: Kind) -> Result<Arc<Place>, Problem> {
        let room = match kind {
            Kind::Read => &self.reads,
            Kind::Change => &self.changes,
            Kind::Plan => &self.plans,
        };
        let permit = Mutex::new(Some(room.permit().await?));
        Ok(Arc::new(Place { room: Arc::clone(room), permit }))
    }

    /// Counts a change that a caller asks for.
    ///
    /// # Errors
    /// 429 `too-many-changes` for one that asks for many.
    pub(crate) fn count(&self, caller: Caller, now: Duration) -> Result<(), Problem> {
        self.pace.count(caller, now).map_err(|wait| {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            let detail = format!("this caller changes too much at a time; ask again in {seconds} s");
            Problem::new(429, "too-many-changes", detail).retry_after(seconds)
        })
    }
}

/// Places of one kind.
#[derive(Debug)]
struct Room {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    most_waiting: usize,
    what: &'static str,
}

impl Room {
    fn new(places: usize, most_waiting: usize, what: &'static str) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), waiting: AtomicUsize::new(0), most_waiting, what }
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(permit);
        }
        // Counted also where its peer goes away meanwhile.
        let queue = Waiting::begin(&self.waiting);
        if queue.before < self.most_waiting
            && let Ok(Ok(permit)) = tokio::time::timeout(PATIENCE, Arc::clone(&self.places).acquire_owned()).await
        {
            return Ok(permit);
        }
        let detail = format!("the server has more {} than it can serve; ask again in {AGAIN} s", self.what);
        Err(Problem::new(503, "overloaded", detail).retry_after(AGAIN))
    }
}

/// One that waits for a place.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        Self { count, before: count.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The place of a request that is served; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    room: Arc<Room>,
    permit: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Place {
    fn keep(&self, permit: Option<OwnedSemaphorePermit>) {
        *self.permit.lock().unwrap_or_else(PoisonError::into_inner) = permit;
    }
}

/// In the extensions of a request: where its place is.
#[derive(Clone, Debug)]
pub(crate) struct Seat(Weak<Place>);

impl Seat {
    pub(crate) fn of(place: &Arc<Place>) -> Self {
        Self(Arc::downgrade(place))
    }

    /// Waits for what is not the server's work; the place of the request, where it has one, is free meanwhile.
    ///
    /// # Errors
    /// 503 `overloaded` where there is no place any more.
    pub(crate) async fn leave<T>(extensions: &Extensions, wait: impl Future<Output = T>) -> Result<T, Problem> {
        let Some(place) = extensions.get::<Self>().and_then(|seat| seat.0.upgrade()) else { return Ok(wait.await) };
        place.keep(None);
        let waited = wait.await;
        place.keep(Some(place.room.permit().await?));
        Ok(waited)
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    /// Whoever has the token of that hash.
    Token(String),
    /// Somebody at that address.
    Address(IpAddr),
}

impl Caller {
    /// Somebody without a token. Who has one address of IPv6 has 2^64.
    pub(crate) fn at(address: IpAddr) -> Self {
        Self::Address(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(address) => address.into(),
                None => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
            },
        })
    }
}

/// How fast each caller may change things: at a rate, and after a pause twice as much at once.
#[derive(Debug)]
struct Pace {
    /// Changes a second.
    rate: u32,
    /// Until when a caller has used up what it may do, in the server's own time.
    callers: Mutex<HashMap<Caller, Duration>>,
}

impl Pace {
    fn count(&self, caller: Caller, now: Duration) -> Result<(), Duration> {
        const BURST: Duration = Duration::from_secs(2);
        let rate = match caller {
            Caller::Token(_) => self.rate,
            Caller::Address(_) => self.rate / STRANGERS,
        };
        let step = Duration::from_secs(1) / rate.max(1);
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let used = callers.get(&caller).copied().unwrap_or_default().max(now);
        if used + step > now + BURST {
            return Err(used + step - now - BURST);
        }
        if callers.len() >= MOST && !callers.contains_key(&caller) {
            // Whoever has used up nothing is as one that never came.
            callers.retain(|_, used| *used > now);
            if callers.len() >= MOST
                && let Some(first) = callers.iter().min_by_key(|(_, used)| **used).map(|(caller, _)| caller.clone())
            {
                callers.remove(&first);
            }
        }
        callers.insert(caller, used + step);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
    use super::*;

    fn crowd(places: usize, waiting: usize) -> Crowd {
        Crowd::new(&Limits {
            reads: places,
            changes: places,
            plans: places,
            waiting,
            changes_per_second: 10,
            ..Limits::default()
        })
    }

    #[test]
    fn agents_and_probes_need_no_place_and_all_else_does() {
        for (method, route) in [
            (Method::GET, "/livez"),
            (Method::GET, "/api/v1/readyz"),
            (Method::GET, "/metrics"),
            (Method::POST, "/api/v1/agents/{id}/claim"),
            (Method::POST, "/api/v1/agents/{id}/session"),
            (Method::PUT, "/api/v1/agents/{id}/observation"),
            (Method::PUT, "/api/v1/tasks/{id}/status"),
            (Method::POST, "/api/v1/tasks/{id}/renew"),
            (Method::GET, "/api/v1/agents/{id}/streams/{stream}"),
        ] {
            assert_eq!(Kind::of(&method, route), None, "{method} {route}");
        }
        for (method, route, kind) in [
            (Method::GET, "/api/v1/stacks", Kind::Read),
            (Method::HEAD, "/api/v1/stacks", Kind::Read),
            (Method::GET, "/api/v1/agents/{id}/tasks", Kind::Read),
            (Method::GET, "/api/v1/events", Kind::Read),
            (Method::POST, "/api/v1/stacks", Kind::Plan),
            (Method::POST, "/api/v1/stacks/{id}/stop", Kind::Plan),
            (Method::DELETE, "/api/v1/stacks/{id}", Kind::Plan),
            (Method::POST, "/api/v1/adoptions", Kind::Plan),
            (Method::POST, "/api/v1/tasks", Kind::Change),
            (Method::DELETE, "/api/v1/hosts/{id}", Kind::Change),
            (Method::POST, "/api/v1/auth/login", Kind::Change),
            (Method::POST, "/api/v1/anything", Kind::Change),
        ] {
            assert_eq!(Kind::of(&method, route), Some(kind), "{method} {route}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_finds_no_place_waits_a_moment_and_whoever_finds_no_place_to_wait_does_not() {
        let crowd = Arc::new(crowd(1, 1));
        let first = crowd.enter(Kind::Read).await.unwrap();
        // The other kinds have places of their own.
        crowd.enter(Kind::Change).await.unwrap();
        crowd.enter(Kind::Plan).await.unwrap();
        let begun = tokio::time::Instant::now();
        let waits = tokio::spawn({
            let crowd = Arc::clone(&crowd);
            async move { crowd.enter(Kind::Read).await }
        });
        tokio::task::yield_now().await;
        let refused = crowd.enter(Kind::Read).await.unwrap_err();
        assert_eq!((refused.status, &*refused.code, refused.retry_after), (503, "overloaded", Some(AGAIN)));
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert_eq!(waits.await.unwrap().unwrap_err().code, "overloaded");
        assert_eq!(begun.elapsed(), PATIENCE);

        let waits = tokio::spawn({
            let crowd = Arc::clone(&crowd);
            async move { crowd.enter(Kind::Read).await }
        });
        tokio::task::yield_now().await;
        drop(first);
        let second = waits.await.unwrap().unwrap();
        assert!(crowd.enter(Kind::Read).await.is_err());
        drop(second);
        assert!(crowd.enter(Kind::Read).await.is_ok(), "a place is given back");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_goes_away_while_it_waits_leaves_room_to_wait() {
        let crowd = crowd(1, 1);
        let _first = crowd.enter(Kind::Read).await.unwrap();
        for _ in 0..3 {
            let gone = tokio::time::timeout(Duration::from_millis(1), crowd.enter(Kind::Read)).await;
            assert!(gone.is_err(), "it did not wait");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_while_its_request_waits_for_its_peer() {
        let crowd = crowd(1, 0);
        let place = crowd.enter(Kind::Change).await.unwrap();
        let mut extensions = Extensions::new();
        extensions.insert(Seat::of(&place));
        let meanwhile = Seat::leave(&extensions, async { crowd.enter(Kind::Change).await.is_ok() }).await;
        assert_eq!(meanwhile, Ok(true));
        assert!(crowd.enter(Kind::Change).await.is_err(), "it is taken again");
        let taken = Seat::leave(&extensions, crowd.enter(Kind::Change)).await;
        assert_eq!(taken.unwrap_err().code, "overloaded", "and where it cannot be, that is told");
    }

    #[test]
    fn a_caller_has_a_rate_and_no_other_pays_for_it() {
        let crowd = crowd(1, 1);
        let (ann, bob) = (Caller::Token("ann".to_owned()), Caller::Token("bob".to_owned()));
        let at = |millis| Duration::from_millis(millis);
        let may = |caller: &Caller, now| crowd.count(caller.clone(), now).is_ok();
        assert_eq!((0..30).filter(|_| may(&ann, at(0))).count(), 20, "twice as much at once");
        let refused = crowd.count(ann.clone(), at(0)).unwrap_err();
        assert_eq!((refused.status, &*refused.code, refused.retry_after), (429, "too-many-changes", Some(1)));
        assert!(may(&bob, at(0)));
        assert!(!may(&ann, at(99)) && may(&ann, at(100)) && !may(&ann, at(100)));
        assert_eq!((0..30).filter(|_| may(&ann, at(60_000))).count(), 20);
    }

    #[test]
    fn strangers_are_told_apart_by_what_they_cannot_choose() {
        let crowd = crowd(1, 1);
        let count = |address: &str| crowd.count(Caller::at(address.parse().unwrap()), Duration::ZERO).is_ok();
        assert_eq!((1..30).filter(|number| count(&format!("2001:db8::{number}"))).count(), 4);
        assert!(count("2001:db8:0:1::1"));
        assert_eq!((0..9).filter(|_| count("10.0.0.1") | count("::ffff:10.0.0.1")).count(), 2);
        assert!(count("10.0.0.2"));
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let crowd = crowd(1, 1);
        for number in 0..(MOST as u32 * 2) {
            crowd.count(Caller::at(IpAddr::V4(number.into())), Duration::ZERO).unwrap();
        }
        assert!(crowd.pace.callers.lock().unwrap().len() <= MOST);
    }
}
