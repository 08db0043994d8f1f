//! Passwords of people: argon2id, with as much memory as OWASP's recommendation of 2024 has (19 MiB, two passes, one lane).

use crate::api::problem::Problem;
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use std::sync::{Arc, LazyLock};
use tokio::sync::Semaphore;

/// The shortest and the longest that is taken, in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 10..=1024;

/// How many are worked on at a time: each takes a core for some tens of milliseconds.
const AT_A_TIME: usize = 2;
/// How many there may be, those that are worked on among them.
const QUEUE: usize = 32;
/// When to come again, in seconds.
const AGAIN: u64 = 1;

/// What a name that nobody has is compared with, so that it takes as long as one that somebody has.
static NOBODYS: LazyLock<Option<String>> = LazyLock::new(|| hash_of("nobody has this password"));

/// Refuses passwords that are too short to be any good, or too long to be one.
pub(crate) fn refuse(password: &str) -> Result<(), Problem> {
    if LENGTHS.contains(&password.len()) {
        return Ok(());
    }
    let (least, most) = (LENGTHS.start(), LENGTHS.end());
    Err(Problem::new(
        422,
        "password-length",
        format!("a password has at least {least} characters, and at most {most} bytes"),
    ))
}

/// Works on the passwords of a server, a few at a time.
#[derive(Debug)]
pub(crate) struct Passwords {
    at_work: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { at_work: Arc::new(Semaphore::new(AT_A_TIME)), queue: Arc::new(Semaphore::new(QUEUE)) }
    }
}

impl Passwords {
    /// The hash that is kept of a password, as a PHC string.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Problem> {
        refuse(&password)?;
        let hashed = self.work(move || hash_of(&password)).await?;
        hashed.ok_or_else(|| Problem::new(500, "internal", "the password cannot be hashed: no random numbers"))
    }

    /// Whether a password is the one of a hash; with no hash it is not, and that takes as long.
    pub(crate) async fn is_right(&self, password: String, hash: Option<String>) -> Result<bool, Problem> {
        // Nobody has one of that length: it is not worth the work.
        if password.len() > *LENGTHS.end() {
            return Ok(false);
        }
        self.work(move || {
            let kept = hash.as_deref().or(NOBODYS.as_deref()).and_then(|hash| PasswordHash::new(hash).ok());
            let fits = kept.is_some_and(|kept| Argon2::default().verify_password(password.as_bytes(), &kept).is_ok());
            fits && hash.is_some()
        })
        .await
    }

    /// Does it on a thread of its own, a few at a time; whoever comes when many wait is asked to come again.
    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let busy = || {
            let detail = format!("many log in at the moment; try again in {AGAIN} s");
            Problem::new(503, "busy", detail).retry_after(AGAIN)
        };
        let Ok(place) = Arc::clone(&self.queue).try_acquire_owned() else { return Err(busy()) };
        let Ok(turn) = Arc::clone(&self.at_work).acquire_owned().await else { return Err(busy()) };
        // It goes on when whoever asked has gone, and keeps its turn until it has ended.
        let done = tokio::task::spawn_blocking(move || {
            let _held = (place, turn);
            work()
        });
        done.await.map_err(|_| Problem::new(500, "internal", "hashing failed"))
    }
}

fn hash_of(password: &str) -> Option<String> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).ok()?;
    Some(Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).ok()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    #[tokio::test]
    async fn the_right_password_is_right_and_no_other() {
        let passwords = Passwords::default();
        let kept = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(kept.starts_with("$argon2id$") && !kept.contains("horse"), "{kept}");
        assert_ne!(kept, passwords.hash("correct horse".to_owned()).await.unwrap(), "salted");
        for (password, hash, is_it) in [
            ("correct horse", Some(kept.clone()), true),
            ("correct horsf", Some(kept.clone()), false),
            ("", Some(kept.clone()), false),
            ("nobody has this password", None, false),
            ("correct horse", Some("$argon2id$broken".to_owned()), false),
        ] {
            assert_eq!(passwords.is_right(password.to_owned(), hash).await.unwrap(), is_it, "{password}");
        }
    }

    #[tokio::test]
    async fn two_are_worked_on_at_a_time_also_when_whoever_asked_has_gone() {
        let passwords = Passwords::default();
        let (at_work, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let one = || {
            let (at_work, most) = (Arc::clone(&at_work), Arc::clone(&most));
            move || {
                most.fetch_max(at_work.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(200));
                at_work.fetch_sub(1, Ordering::SeqCst);
            }
        };
        for _ in 0..8 {
            let gone = tokio::time::timeout(Duration::from_millis(10), passwords.work(one())).await;
            assert!(gone.is_err(), "nobody went away");
        }
        passwords.work(one()).await.unwrap();
        assert_eq!(most.load(Ordering::SeqCst), AT_A_TIME);
    }

    #[tokio::test]
    async fn whoever_comes_when_many_wait_is_told_when_to_come_again() {
        let passwords = Passwords::default();
        let brief = || std::thread::sleep(Duration::from_millis(50));
        let asked = futures::future::join_all((0..QUEUE + 3).map(|_| passwords.work(brief))).await;
        let refused: Vec<_> = asked.into_iter().filter_map(Result::err).collect();
        let told = |problem: &Problem| (problem.status, problem.code.to_string(), problem.retry_after);
        assert_eq!(refused.iter().map(told).collect::<Vec<_>>(), vec![(503, "busy".to_owned(), Some(AGAIN)); 3]);
        passwords.work(brief).await.unwrap();
    }

    #[test]
    fn a_password_has_a_length() {
        for wrong in ["", "123456789", &"x".repeat(1025)] {
            assert_eq!(refuse(wrong).unwrap_err().code, "password-length");
        }
        refuse("1234567890").unwrap();
    }
}
