//! An agent's credential gives way to the next before it is too old.
//!
//! The one before stays good until its successor was used, however long that takes: whatever is lost on the way, and whenever either
//! side ends, the agent has one that is good.

use super::{Control, ControlError, Purpose, Role, TokenRecord, crossed::uncrossed};
use crate::{
    id::HostId,
    store::{Document, Expect, Kind, RecordQuery, RecordWrite, TaskStoreExt, Versioned},
};
use jiff::{SignedDuration, Timestamp};

/// For so long the one before is good after its successor was used: calls that bear it may be on their way.
const OVERLAP: SignedDuration = SignedDuration::from_mins(15);

impl TokenRecord {
    /// Whether it is an agent's own and is to give way to another: that was asked for, or a third of its time is left.
    pub fn is_to_be_replaced(&self, now: Timestamp) -> bool {
        let is_late = self.expires.is_some_and(|expires| {
            let (all, left) = (expires.duration_since(self.date_created), expires.duration_since(now));
            left <= all / 3
        });
        let is_agents = self.role == Role::Agent && self.purpose == Purpose::Access;
        is_agents && !self.is_replaced && (self.rotate || is_late)
    }
}

impl Control {
    /// Until when a credential is good that an agent gets now.
    pub fn agents_credential_expires(&self) -> Option<Timestamp> {
        self.environment.now().checked_add(self.settings.agents_credential).ok()
    }

    /// Whether whoever has a credential is an agent that is to ask for another now.
    pub fn is_to_be_replaced(&self, token: &TokenRecord) -> bool {
        token.is_to_be_replaced(self.environment.now())
    }

    /// Has the agent of a host replace its credential when it calls next.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] where it has none.
    pub async fn rotate_credential(&self, host: &HostId) -> Result<(), ControlError> {
        uncrossed(|| self.try_rotate(host)).await
    }

    async fn try_rotate(&self, host: &HostId) -> Result<(), ControlError> {
        let is_its = |token: &TokenRecord| token.role == Role::Agent && token.purpose == Purpose::Access;
        let found = self.live_tokens().await?.into_iter();
        let records = found
            .filter(|token| is_its(&token.value) && token.value.host.as_ref() == Some(host))
            .map(|mut token| {
                token.value.rotate = true;
                token.write()
            })
            .collect::<Result<Vec<_>, _>>()?;
        if records.is_empty() {
            return Err(ControlError::NotFound { kind: "credential of the host", id: host.to_string() });
        }
        self.write_all(records).await
    }

    /// Keeps the successor of an agent's credential. One that was made before and never used goes: its answer was lost.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] where the one to be replaced is no more.
    pub async fn replace_credential(&self, old: &TokenRecord, new: TokenRecord) -> Result<(), ControlError> {
        uncrossed(|| self.try_replace(old, &new)).await
    }

    async fn try_replace(&self, old: &TokenRecord, new: &TokenRecord) -> Result<(), ControlError> {
        let gone = || ControlError::NotFound { kind: "token", id: old.id.clone() };
        let kept = self.store.document::<TokenRecord>(&old.id).await?.ok_or_else(gone)?;
        let new = TokenRecord { replaces: Some(old.id.clone()), ..new.clone() };
        // Written as it is: were it revoked in this moment, nothing would be made.
        let mut records = vec![kept.write()?, new.write(Expect::Absent)?];
        records.extend(self.successors(&old.id).await?);
        self.write_all(records).await
    }

    /// Notes that a credential took the place of another: that is good for a little while only.
    pub(super) async fn take_over(&self, token: &TokenRecord) -> Result<(), ControlError> {
        uncrossed(|| self.try_take_over(token)).await
    }

    async fn try_take_over(&self, token: &TokenRecord) -> Result<(), ControlError> {
        let Some(mut new) = self.store.document::<TokenRecord>(&token.id).await? else { return Ok(()) };
        let Some(before) = new.value.replaces.take() else { return Ok(()) };
        let now = self.environment.now();
        new.value.last_used = Some(now);
        let mut records = vec![new.write()?];
        if let Some(mut old) = self.store.document::<TokenRecord>(&before).await? {
            let end = now.checked_add(OVERLAP).unwrap_or(now);
            old.value.expires = Some(old.value.expires.map_or(end, |expires| expires.min(end)));
            old.value.rotate = false;
            old.value.is_replaced = true;
            records.push(old.write()?);
        }
        self.write_all(records).await
    }

    /// Removals of those that were to take a credential's place and were never used, and of the sessions that it has opened.
    pub(super) async fn successors(&self, id: &str) -> Result<Vec<RecordWrite>, ControlError> {
        let all = self.live_tokens().await?.into_iter();
        let is_of_it = |of: &Option<String>| of.as_deref() == Some(id);
        let successors = all.filter(|token| is_of_it(&token.value.replaces) || is_of_it(&token.value.opened_by));
        Ok(successors.map(|token| token.value.removal(Expect::Any)).collect())
    }

    async fn live_tokens(&self) -> Result<Vec<Versioned<TokenRecord>>, ControlError> {
        let now = self.environment.now();
        let tokens = self.store.documents::<TokenRecord>(RecordQuery::of(Kind::Token)).await?;
        Ok(tokens.into_iter().filter(|token| !token.value.has_expired(now)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agents_own_credential_gives_way_when_a_third_of_its_time_is_left() {
        let made = Timestamp::UNIX_EPOCH;
        let at = |days: i64| made + SignedDuration::from_hours(24 * days);
        let of = |role| TokenRecord { expires: Some(at(90)), ..TokenRecord::new("0", role, made) };
        let agent = of(Role::Agent);
        assert!(!agent.is_to_be_replaced(at(59)) && agent.is_to_be_replaced(at(60)) && agent.is_to_be_replaced(at(89)));
        for role in [Role::Admin, Role::Operator, Role::Viewer] {
            assert!(!of(role).is_to_be_replaced(at(89)), "{role}");
        }
        assert!(!TokenRecord { purpose: Purpose::Join, ..agent.clone() }.is_to_be_replaced(at(89)));
        let lasting = TokenRecord { expires: None, ..agent };
        assert!(!lasting.is_to_be_replaced(at(10_000)));
        assert!(!TokenRecord { is_replaced: true, ..of(Role::Agent) }.is_to_be_replaced(at(89)));
        assert!(TokenRecord { rotate: true, ..lasting }.is_to_be_replaced(at(1)));
    }
}
