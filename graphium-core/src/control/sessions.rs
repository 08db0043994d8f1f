//! Sessions of people: of programs for some hours, and of the page, as records like other credentials.
//!
//! A session of the page is of the purpose [`Purpose::Page`] and opens nothing else. It is a person's, or was opened with a token and
//! ends with that. Any server on the store knows it.

use super::{Control, ControlError, Purpose, TokenRecord, UserRecord, crossed::uncrossed};
use crate::store::{Document, Expect, Kind, RecordQuery, RecordWrite, TaskStoreExt};

/// How many sessions of the page there are at most; beyond that the one goes that was not used for longest.
const MOST: usize = 1000;
/// How many of them are of one person, or were opened with one token.
const OF_ONE: usize = 50;
/// How many credentials that are over are removed at a time.
const AT_ONCE: usize = 100;

impl Control {
    /// Keeps the session of a person who was let in, and notes when that was, in one step. Nobody is let in who has gone meanwhile, or
    /// has another password by now.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] in that case.
    pub async fn log_in(&self, user: &UserRecord, session: &TokenRecord) -> Result<(), ControlError> {
        uncrossed(|| self.try_log_in(user, session)).await
    }

    async fn try_log_in(&self, user: &UserRecord, session: &TokenRecord) -> Result<(), ControlError> {
        let found = self.store.document::<UserRecord>(&user.name).await?;
        let found = found.filter(|found| found.value.password == user.password);
        let mut found = found.ok_or_else(|| ControlError::NotFound { kind: "user", id: user.name.clone() })?;
        found.value.last_login = Some(self.environment.now());
        let mut records = self.with_place_for(session).await?;
        records.push(found.write()?);
        self.write_all(records).await
    }

    /// The write of a new credential, and the removals of those that are over or give way to it, some at a time.
    pub(super) async fn with_place_for(&self, new: &TokenRecord) -> Result<Vec<RecordWrite>, ControlError> {
        let now = self.environment.now();
        let tokens = self.store.documents::<TokenRecord>(RecordQuery::of(Kind::Token)).await?;
        let (over, good): (Vec<_>, Vec<_>) =
            tokens.into_iter().map(|token| token.value).partition(|token| token.has_expired(now));
        let mut gone: Vec<TokenRecord> = over.into_iter().take(AT_ONCE).collect();
        if new.purpose == Purpose::Page {
            gone.extend(surplus(new, good));
        }
        let mut records = vec![new.write(Expect::Absent)?];
        // Another server may do the same: that one is gone already is as good.
        records.extend(gone.iter().map(|token| token.removal(Expect::Any)));
        Ok(records)
    }
}

/// Whose a session is: a token's, or a person's.
fn owner(session: &TokenRecord) -> Option<&str> {
    session.opened_by.as_deref().or(session.user.as_deref())
}

/// The sessions of the page that give way to a new one: those that were not used for longest, of its owner or of all.
fn surplus(new: &TokenRecord, tokens: Vec<TokenRecord>) -> Vec<TokenRecord> {
    let mut pages: Vec<_> = tokens.into_iter().filter(|token| token.purpose == Purpose::Page).collect();
    pages.sort_by_key(TokenRecord::used_or_made);
    let own = pages.iter().filter(|page| owner(page) == owner(new)).count();
    let mut too_many_own = (own + 1).saturating_sub(OF_ONE);
    let mut too_many = (pages.len() + 1).saturating_sub(MOST);
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    for page in pages {
        if too_many_own > 0 && owner(&page) == owner(new) {
            too_many_own -= 1;
            gone.push(page);
        } else {
            kept.push(page);
        }
    }
    too_many = too_many.saturating_sub(gone.len());
    gone.extend(kept.into_iter().take(too_many));
    gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Role;
    use jiff::{SignedDuration, Timestamp};

    fn page(number: usize, owner: &str, made: i64) -> TokenRecord {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(made);
        TokenRecord {
            purpose: Purpose::Page,
            opened_by: Some(owner.to_owned()),
            ..TokenRecord::new(format!("{number:064}"), Role::Viewer, now)
        }
    }

    #[test]
    fn a_session_of_the_page_ends_by_idleness_and_by_age_and_no_other_credential_is_idle() {
        let (made, idle) = (Timestamp::UNIX_EPOCH, TokenRecord::PAGE_IDLE);
        let session = TokenRecord { expires: Some(made + TokenRecord::PAGE_LONGEST), ..page(1, "t", 0) };
        assert!(!session.has_expired(made + idle - SignedDuration::from_secs(1)));
        assert!(session.has_expired(made + idle));
        let used = TokenRecord { last_used: Some(made + idle / 2), ..session.clone() };
        assert!(!used.has_expired(made + idle) && used.has_expired(made + idle / 2 + idle));
        let end = made + TokenRecord::PAGE_LONGEST;
        let busy = TokenRecord { last_used: Some(end), ..session };
        assert!(busy.has_expired(end), "however much it is used");
        assert!(!TokenRecord::new("0", Role::Viewer, made).has_expired(end));
    }

    #[test]
    fn sessions_are_bounded_and_one_owner_cannot_drive_out_the_others() {
        let others: Vec<_> = (0..20).map(|number| page(number, "other", 0)).collect();
        let greedy: Vec<_> = (100..100 + OF_ONE).map(|number| page(number, "greedy", number as i64)).collect();
        let gone = surplus(&page(1, "greedy", 1000), [others.clone(), greedy[1..].to_vec()].concat());
        assert_eq!(gone, [], "there is one place left");
        let gone = surplus(&page(1, "greedy", 1000), [others, greedy.clone()].concat());
        assert_eq!(gone, greedy[..1], "its own that was not used for longest");

        let all: Vec<_> = (0..MOST + 3).map(|number| page(number, &format!("t{number}"), number as i64)).collect();
        assert_eq!(surplus(&page(1, "new", 9999), all.clone()), all[..4]);
    }
}
