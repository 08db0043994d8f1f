//! Passwords of people: argon2id, with as much memory as OWASP's recommendation of 2024 has (19 MiB, two passes, one lane).

use crate::api::problem::Problem;
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use std::sync::LazyLock;
use tokio::sync::Semaphore;

/// The shortest and the longest that is taken, in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 10..=1024;

/// How many are worked on at a time: each takes a core for some tens of milliseconds.
static AT_WORK: Semaphore = Semaphore::const_new(2);
/// How many may wait.
const QUEUE: usize = 32;
static WAITING: Semaphore = Semaphore::const_new(QUEUE);

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

/// The hash that is kept of a password, as a PHC string.
pub(crate) async fn hash(password: String) -> Result<String, Problem> {
    refuse(&password)?;
    let hashed = work(move || hash_of(&password)).await?;
    hashed.ok_or_else(|| Problem::new(500, "internal", "the password cannot be hashed: no random numbers"))
}

/// Whether a password is the one of a hash; with no hash it is not, and that takes as long.
pub(crate) async fn is_right(password: String, hash: Option<String>) -> Result<bool, Problem> {
    // Nobody has one of that length: it is not worth the work.
    if password.len() > *LENGTHS.end() {
        return Ok(false);
    }
    work(move || {
        let kept = hash.as_deref().or(NOBODYS.as_deref()).and_then(|hash| PasswordHash::new(hash).ok());
        let fits = kept.is_some_and(|kept| Argon2::default().verify_password(password.as_bytes(), &kept).is_ok());
        fits && hash.is_some()
    })
    .await
}

fn hash_of(password: &str) -> Option<String> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).ok()?;
    Some(Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).ok()?.to_string())
}

/// Does it on a thread of its own, a few at a time; whoever comes when many wait is asked to come again.
async fn work<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let busy = || Problem::new(503, "busy", "many log in at the moment; try again in a second");
    let _place = WAITING.try_acquire().map_err(|_| busy())?;
    let _turn = AT_WORK.acquire().await.map_err(|_| busy())?;
    tokio::task::spawn_blocking(work).await.map_err(|_| Problem::new(500, "internal", "hashing failed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_password_is_right_and_no_other() {
        let kept = hash("correct horse".to_owned()).await.unwrap();
        assert!(kept.starts_with("$argon2id$") && !kept.contains("horse"), "{kept}");
        assert_ne!(kept, hash("correct horse".to_owned()).await.unwrap(), "salted");
        for (password, hash, is_it) in [
            ("correct horse", Some(kept.clone()), true),
            ("correct horsf", Some(kept.clone()), false),
            ("", Some(kept.clone()), false),
            ("nobody has this password", None, false),
            ("correct horse", Some("$argon2id$broken".to_owned()), false),
        ] {
            assert_eq!(is_right(password.to_owned(), hash).await.unwrap(), is_it, "{password}");
        }
    }

    #[test]
    fn a_password_has_a_length() {
        for wrong in ["", "123456789", &"x".repeat(1025)] {
            assert_eq!(refuse(wrong).unwrap_err().code, "password-length");
        }
        refuse("1234567890").unwrap();
    }
}
