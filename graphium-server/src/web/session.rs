//! Who is logged in: a random id in a cookie, and here the hash of the token that was shown for it.
//!
//! Sessions lie in memory: a server that starts anew knows nobody. A token that was revoked ends its sessions, for each request
//! looks at it.

use crate::auth::Token;
use std::{
    collections::HashMap,
    fmt, io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long one lasts that is not used.
const IDLE: Duration = Duration::from_secs(12 * 3600);
/// How long one lasts at most.
pub(super) const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// How many there are at most; beyond that the one goes that was not used for longest.
const MOST: usize = 1000;
/// How many of them one token may have.
const OF_ONE: usize = 50;

/// By the hash of their ids.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Session>>);

struct Session {
    /// The hash of the token.
    token: String,
    since: Instant,
    used: Instant,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl Session {
    fn lives(&self, now: Instant) -> bool {
        now.duration_since(self.used) < IDLE && now.duration_since(self.since) < LONGEST
    }
}

impl Sessions {
    /// Begins one for whoever has shown the token of that hash; the id is for the cookie alone.
    ///
    /// # Errors
    /// When there are no random numbers.
    pub(super) fn open(&self, token: &str, now: Instant) -> io::Result<Token> {
        let id = Token::generate()?;
        let mut sessions = self.lock();
        sessions.retain(|_, session| session.lives(now));
        while sessions.values().filter(|session| session.token == token).count() >= OF_ONE {
            drop_oldest(&mut sessions, |session| session.token == token);
        }
        while sessions.len() >= MOST {
            drop_oldest(&mut sessions, |_| true);
        }
        sessions.insert(id.hash(), Session { token: token.to_owned(), since: now, used: now });
        Ok(id)
    }

    /// The hash of the token of a session that lives.
    pub(super) fn find(&self, id: &Token, now: Instant) -> Option<String> {
        let mut sessions = self.lock();
        let key = id.hash();
        let session = sessions.get_mut(&key)?;
        if !session.lives(now) {
            sessions.remove(&key);
            return None;
        }
        session.used = now;
        Some(session.token.clone())
    }

    /// Ends one.
    pub(super) fn close(&self, id: &Token) {
        self.lock().remove(&id.hash());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn drop_oldest(sessions: &mut HashMap<String, Session>, among: impl Fn(&Session) -> bool) {
    let oldest = sessions.iter().filter(|(_, session)| among(session)).min_by_key(|(_, session)| session.used);
    let oldest = oldest.map(|(key, _)| key.clone());
    oldest.and_then(|key| sessions.remove(&key));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_by_idleness_by_age_and_when_it_is_closed() {
        let (sessions, begun) = (Sessions::default(), Instant::now());
        let id = sessions.open("hash", begun).unwrap();
        assert_eq!(sessions.find(&id, begun + IDLE / 2).as_deref(), Some("hash"));
        assert_eq!(sessions.find(&id, begun + IDLE).as_deref(), Some("hash"), "it was used in between");
        assert_eq!(sessions.find(&id, begun + IDLE * 2), None, "idle for too long");

        let id = sessions.open("hash", begun).unwrap();
        let mut now = begun;
        while now < begun + LONGEST - IDLE {
            now += IDLE / 2;
            assert!(sessions.find(&id, now).is_some());
        }
        assert_eq!(sessions.find(&id, begun + LONGEST), None, "too old, however much it is used");

        let id = sessions.open("hash", begun).unwrap();
        sessions.close(&id);
        assert_eq!(sessions.find(&id, begun), None);
    }

    #[test]
    fn they_are_bounded_and_one_token_cannot_drive_out_the_others() {
        let (sessions, begun) = (Sessions::default(), Instant::now());
        let other = sessions.open("other", begun).unwrap();
        let ids: Vec<_> = (1..=OF_ONE as u64 + 3)
            .map(|second| sessions.open("greedy", begun + Duration::from_secs(second)).unwrap())
            .collect();
        let now = begun + Duration::from_secs(100);
        assert!(sessions.find(&other, now).is_some());
        assert!(sessions.find(&ids[2], now).is_none() && sessions.find(&ids[3], now).is_some());
        for number in 0..MOST * 2 {
            sessions.open(&format!("token {number}"), now).unwrap();
        }
        assert_eq!(sessions.lock().len(), MOST);
    }
}
