//! Gives freed memory back to the operating system.
//!
//! glibc keeps what was freed for the next time, in as many places as there are threads. After a thousand agents have introduced
//! themselves that is nearly as much as all of them need from then on. So there are two places, and what is free in them is given
//! back every now and then.

use std::{env, time::Duration};
use tokio::time::{MissedTickBehavior, interval};

/// How often. With a heap of 100 MiB it takes a thread less than a tenth of a second.
const EVERY: Duration = Duration::from_secs(30);

/// Gives back what is free, again and again. Never returns.
pub(crate) async fn give_back() {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // Beside everything else: requests go on meanwhile.
        let _given = tokio::task::spawn_blocking(trim).await;
    }
}

/// Lets there be two places, unless `MALLOC_ARENA_MAX` says another number. Called before there is a second thread.
pub(crate) fn bound() {
    if env::var_os("MALLOC_ARENA_MAX").is_none() {
        share();
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn share() {
    #[expect(
        unsafe_code,
        reason = "a function of C; it takes no pointer, and there is one thread (mallopt(3)). Where it is refused all is as it was"
    )]
    // SAFETY: as the reason says.
    let _may_be_refused = unsafe { libc::mallopt(libc::M_ARENA_MAX, 2) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn share() {}

/// Whether something was given back.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn trim() -> bool {
    #[expect(
        unsafe_code,
        reason = "a function of C; it takes no pointer, and any thread may call it at any time (malloc_trim(3))"
    )]
    // SAFETY: as the reason says.
    let trimmed = unsafe { libc::malloc_trim(0) };
    trimmed == 1
}

/// Other allocators give back by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() -> bool {
    false
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
    use super::*;

    /// Resident memory in KiB.
    fn resident() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    #[test]
    fn what_lies_free_between_what_is_in_use_is_given_back() {
        const PIECES: u64 = 4_000;
        // Too small to be a mapping of its own; every hundredth stays in use, so that no end of the heap is free.
        let mut pieces: Vec<_> = (0..PIECES).map(|_| Some(vec![1_u8; 16 * 1024])).collect();
        pieces.iter_mut().enumerate().filter(|(number, _)| number % 100 != 0).for_each(|(_, piece)| *piece = None);
        let before = resident();
        assert!(trim());
        let given = before.saturating_sub(resident());
        assert!(given > PIECES * 16 / 2, "{given} KiB were given back");
        drop(pieces);
    }
}
