//! An environment whose clock is turned by hand, or by itself when everybody waits.

use crate::environment::Environment;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::BTreeMap,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

/// Virtual time: nothing passes while anything can go on.
///
/// Clones share one clock. The random numbers are a fixed sequence of the seed, so that a run can be repeated.
///
/// # Example
/// ```
/// use futures::{FutureExt as _, future::join};
/// use graphium_core::{environment::Environment, testing::ManualEnvironment};
/// use std::time::Duration;
///
/// let world = ManualEnvironment::default();
/// let mut sleep = world.sleep(Duration::from_secs(60));
/// assert!((&mut sleep).now_or_never().is_none());
/// world.advance(Duration::from_secs(60));
/// assert!((&mut sleep).now_or_never().is_some());
///
/// // Whoever runs something by it waits for nothing.
/// let begun = world.elapsed();
/// world.run(join(world.sleep(Duration::from_secs(3600)), world.sleep(Duration::from_secs(7200))));
/// assert_eq!(world.elapsed() - begun, Duration::from_secs(7200));
/// // The same seed gives the same numbers.
/// assert_eq!(ManualEnvironment::seeded(7).random(), ManualEnvironment::seeded(7).random());
/// ```
#[derive(Clone, Debug)]
pub struct ManualEnvironment {
    clock: Arc<Mutex<Clock>>,
}

#[derive(Debug)]
struct Clock {
    wall: Timestamp,
    elapsed: Duration,
    random: u64,
    tickets: u64,
    sleepers: BTreeMap<(Duration, u64), Waker>,
}

impl Default for ManualEnvironment {
    fn default() -> Self {
        Self::seeded(1)
    }
}

impl ManualEnvironment {
    /// A clock at its first moment, with the random numbers of a seed.
    pub fn seeded(seed: u64) -> Self {
        // 2026-01-01T00:00:00Z: any fixed moment will do.
        let wall = Timestamp::from_second(1_767_225_600).unwrap_or_default();
        let clock = Clock { wall, elapsed: Duration::ZERO, random: seed, tickets: 0, sleepers: BTreeMap::new() };
        Self { clock: Arc::new(Mutex::new(clock)) }
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        let until = self.clock().elapsed + time;
        while self.wake_next(until) {}
        let mut clock = self.clock();
        clock.pass(until);
    }

    /// Moves the wall clock alone, as an operator or NTP does.
    pub fn set_wall(&self, by: SignedDuration) {
        let mut clock = self.clock();
        clock.wall = clock.wall.saturating_add(by).unwrap_or(clock.wall);
    }

    /// Runs a future to its end; whenever it waits, the clock goes on to the next moment that somebody sleeps for.
    ///
    /// # Panics
    /// When the future waits for something that no passing of time can bring.
    #[expect(clippy::panic, reason = "a test that hangs must fail")]
    pub fn run<F: Future>(&self, future: F) -> F::Output {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&flag));
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            while flag.0.swap(false, Ordering::AcqRel) {
                if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                    return output;
                }
            }
            if !self.wake_next(Duration::MAX) {
                panic!("nothing can go on, and nobody sleeps: waiting for ever");
            }
        }
    }

    /// Wakes those who sleep for the next moment, if it is not after `until`.
    pub(crate) fn wake_next(&self, until: Duration) -> bool {
        let woken: Vec<Waker> = {
            let mut clock = self.clock();
            let Some(&(moment, _)) = clock.sleepers.keys().next().filter(|(moment, _)| *moment <= until) else {
                return false;
            };
            clock.pass(moment);
            let sleepers = &mut clock.sleepers;
            std::iter::from_fn(|| Some(sleepers.first_entry().filter(|first| first.key().0 == moment)?.remove()))
                .collect()
        };
        woken.into_iter().for_each(Waker::wake);
        true
    }

    fn clock(&self) -> MutexGuard<'_, Clock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock {
    fn pass(&mut self, until: Duration) {
        let passed = until.saturating_sub(self.elapsed);
        self.elapsed += passed;
        let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
        self.wall = self.wall.saturating_add(passed).unwrap_or(self.wall);
    }

    /// SplitMix64.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[async_trait]
impl Environment for ManualEnvironment {
    fn now(&self) -> Timestamp {
        self.clock().wall
    }

    fn elapsed(&self) -> Duration {
        self.clock().elapsed
    }

    async fn sleep(&self, time: Duration) {
        let place = {
            let mut clock = self.clock();
            clock.tickets += 1;
            (clock.elapsed.saturating_add(time), clock.tickets)
        };
        Sleep { environment: self, place }.await;
    }

    fn random(&self) -> u128 {
        let mut clock = self.clock();
        u128::from(clock.next_random()) << 64 | u128::from(clock.next_random())
    }
}

struct Sleep<'a> {
    environment: &'a ManualEnvironment,
    place: (Duration, u64),
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut clock = self.environment.clock();
        if clock.elapsed >= self.place.0 {
            return Poll::Ready(());
        }
        clock.sleepers.insert(self.place, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        self.environment.clock().sleepers.remove(&self.place);
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleepers_wake_in_order_and_no_real_time_passes() {
        let environment = ManualEnvironment::default();
        let begin = environment.now();
        let order = Mutex::new(Vec::new());
        let sleeper = |seconds: u64| {
            let (environment, order) = (&environment, &order);
            async move {
                environment.sleep(Duration::from_secs(seconds)).await;
                order.lock().unwrap_or_else(PoisonError::into_inner).push(seconds);
            }
        };
        environment.run(futures::future::join3(sleeper(7200), sleeper(1), sleeper(60)));
        assert_eq!(*order.lock().unwrap_or_else(PoisonError::into_inner), [1, 60, 7200]);
        assert_eq!(environment.elapsed(), Duration::from_secs(7200));
        assert_eq!(environment.now().duration_since(begin), SignedDuration::from_secs(7200));
    }

    #[test]
    fn the_wall_clock_may_jump_and_elapsed_time_does_not() {
        let environment = ManualEnvironment::default();
        environment.set_wall(SignedDuration::from_hours(-1));
        environment.advance(Duration::from_secs(2));
        assert_eq!(environment.elapsed(), Duration::from_secs(2));
    }

    #[test]
    fn a_seed_gives_one_sequence() {
        let (first, second) = (ManualEnvironment::seeded(7), ManualEnvironment::seeded(7));
        assert_eq!(first.random(), second.random());
        assert_ne!(first.random(), ManualEnvironment::seeded(8).random());
    }

    #[test]
    #[should_panic(expected = "waiting for ever")]
    fn a_future_that_can_never_go_on_fails_the_test() {
        ManualEnvironment::default().run(std::future::pending::<()>());
    }
}
