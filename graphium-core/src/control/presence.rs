//! Who was heard when, and who waits for work.

use super::{Control, ControlError, StackHead};
use crate::{
    id::{HostId, StackId},
    inventory::{Host, HostStatus},
    store::{Document, Expect, Kind, RecordQuery, StoreError, Submission, TaskStoreExt, Versioned},
};
use std::{sync::Arc, time::Duration};

/// What is known of an agent's whereabouts.
#[derive(Debug)]
pub(super) struct Presence {
    /// When it was last heard, by the monotonic clock; by other servers on the same store, too.
    pub(super) heard: Duration,
    /// When it was last heard by this server.
    pub(super) heard_here: Option<Duration>,
    /// What the store says of it.
    pub(super) said: Said,
    /// Wakes its parked claims.
    signal: Arc<event_listener::Event>,
    told: Told,
}

/// What is kept of a host, against what its agent has told.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// Another one with each report, and whenever something else than a report has changed what is kept.
    number: u64,
    /// The report of that number was taken in whole.
    is_all: bool,
}

/// What the store says of a host, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Online,
    Offline,
    /// A change of it is on its way, or nobody knows what became of one: whoever needs to know writes it.
    Unsure,
}

impl Said {
    pub(super) fn of(host: &Host) -> Self {
        if host.offline_since.is_some() { Self::Offline } else { Self::Online }
    }
}

impl Presence {
    pub(super) fn new(heard: Duration, said: Said) -> Self {
        Self { heard, heard_here: None, said, signal: Arc::default(), told: Told::default() }
    }
}

/// A host that goes away or comes back, or its engine does, until that is written.
struct Turning<'a> {
    control: &'a Control,
    host: HostId,
}

/// Who changes a host's record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Report,
    Other,
}

impl Drop for Turning<'_> {
    fn drop(&mut self) {
        self.control.has_turned(&self.host);
    }
}

impl Control {
    /// After a start every host gets its full time to be heard.
    pub(super) async fn recall_hosts(&self) -> Result<(), ControlError> {
        let hosts = self.store.documents::<Host>(RecordQuery::of(Kind::Host)).await?;
        let heard = self.environment.elapsed();
        let mut state = self.state();
        for Versioned { value: host, .. } in hosts {
            let said = Said::of(&host);
            state.presence.insert(host.id, Presence::new(heard, said));
        }
        Ok(())
    }

    pub(super) fn signal(&self, host: &HostId) -> Arc<event_listener::Event> {
        self.with_presence(host, |presence| Arc::clone(&presence.signal))
    }

    fn with_presence<T>(&self, host: &HostId, look: impl FnOnce(&mut Presence) -> T) -> T {
        let heard = self.environment.elapsed();
        look(self.state().presence.entry(host.clone()).or_insert_with(|| Presence::new(heard, Said::Offline)))
    }

    /// The number of an agent's last report, while all that it told is kept as it was told: it need not tell it again. Another server on the
    /// same store may change it without a word, so none is given then.
    pub fn report_in_force(&self, host: &HostId) -> Option<u64> {
        if self.store.is_shared() {
            return None;
        }
        let state = self.state();
        let told = state.presence.get(host)?.told;
        told.is_all.then_some(told.number)
    }

    /// What is kept of a host is about to change, by a report of the returned number or by something else.
    pub(super) fn is_other_than_told(&self, host: &HostId) -> u64 {
        let mut state = self.state();
        state.reports += 1;
        let number = state.reports;
        if let Some(presence) = state.presence.get_mut(host) {
            presence.told = Told { number, is_all: false };
        }
        number
    }

    /// The report of that number was taken in whole; if something has changed since, it does not count.
    pub(super) fn is_as_told(&self, host: &HostId, number: u64) {
        if let Some(presence) = self.state().presence.get_mut(host) {
            presence.told.is_all |= presence.told.number == number;
        }
    }

    /// Notes that an agent was heard; one that was offline is online again.
    pub(super) async fn hear(&self, host: &HostId) -> Result<(), ControlError> {
        let heard = self.environment.elapsed();
        let mut is_new_here = false;
        let is_known = self.with_presence(host, |presence| {
            let patience = self.settings.offline_after;
            is_new_here = presence.heard_here.is_none_or(|before| heard.saturating_sub(before) > patience);
            presence.heard = heard;
            presence.heard_here = Some(heard);
            let is_known = presence.said == Said::Online;
            if !is_known {
                presence.said = Said::Unsure;
            }
            is_known
        });
        if is_new_here && self.store.is_shared() {
            // Another server may have taken in what it told last, and not have come to look at it.
            self.state().turned.insert(host.clone());
        }
        if !is_known {
            // One that has never told what it is (its address above all) is not to be planned with yet.
            let now = self.environment.now();
            self.update_host(host, |host| match host.agent_version {
                Some(_) => host.offline_since = None,
                None => host.offline_since = host.offline_since.or(Some(now)),
            })
            .await?;
            self.with_presence(host, |presence| presence.said = Said::Online);
            self.has_turned(host);
            // Another server may have taken in what it told last, and looked at nothing any more.
            self.state().is_to_sweep |= self.store.is_shared();
        }
        Ok(())
    }

    /// Marks hosts that were not heard for too long.
    pub(super) async fn mark_absent(&self) -> Result<(), ControlError> {
        let elapsed = self.environment.elapsed();
        let absent: Vec<(HostId, Duration)> = {
            let mut state = self.state();
            let late = state.presence.iter_mut().filter(|(_, presence)| {
                presence.said != Said::Offline && elapsed - presence.heard > self.patience_with(presence)
            });
            late.map(|(host, presence)| {
                presence.said = Said::Unsure;
                (host.clone(), presence.heard)
            })
            .collect()
        };
        let now = self.environment.now();
        for (host, heard) in absent {
            // Another server on the same store may have been faster, or has removed it.
            let there = self.change_host(&host, |host| host.offline_since = host.offline_since.or(Some(now))).await?;
            self.has_turned(&host);
            let mut state = self.state();
            if there.is_none() {
                state.presence.remove(&host);
            } else if let Some(presence) = state.presence.get_mut(&host) {
                // Of one that was heard meanwhile nobody knows whose word came last.
                presence.said = if presence.heard == heard { Said::Offline } else { Said::Unsure };
            }
        }
        Ok(())
    }

    /// A host or its engine went away or came back: stacks of which something runs there are to say so.
    pub(super) fn has_turned(&self, host: &HostId) {
        let mut state = self.state();
        state.turned.insert(host.clone());
        state.moves.look_soon();
        state.lost.look_soon();
        state.forgotten_due = Duration::ZERO;
        drop(state);
        self.wake.notify(usize::MAX);
    }

    /// Has the stacks settled of which something was seen anew.
    pub(super) async fn touch_stacks_that_were_seen(&self) -> Result<(), ControlError> {
        let mut seen = std::mem::take(&mut self.state().seen);
        while let Some(stack) = seen.first() {
            match self.stack_head(stack).await {
                Ok(head) => self.state().dirty.extend(head.map(|head| head.deployment_id)),
                Err(error) => {
                    self.state().seen.append(&mut seen);
                    return Err(error);
                }
            }
            seen.pop_first();
        }
        Ok(())
    }

    /// Has the stacks settled of which something is on hosts that went offline, came back or take work again.
    pub(super) async fn touch_stacks_of_turned(&self) -> Result<(), ControlError> {
        let turned = std::mem::take(&mut self.state().turned);
        if turned.is_empty() {
            return Ok(());
        }
        let stacks = match self.stack_heads().await {
            Ok(stacks) => stacks,
            Err(error) => {
                self.state().turned.extend(turned);
                return Err(error);
            }
        };
        let is_there = |head: &StackHead| {
            let traces = head.traces.iter().map(|trace| &trace.host);
            head.applied.placements.values().chain(traces).any(|host| turned.contains(host))
        };
        let concerned: Vec<StackHead> = stacks.into_iter().filter(is_there).collect();
        {
            let mut state = self.state();
            let is_back = |host| state.presence.get(host).is_none_or(|presence| presence.said != Said::Offline);
            if turned.iter().any(is_back) {
                // There may be more room now.
                state.moves.hurry();
                state.lost.hurry();
            } else {
                let is_concerned = |id: &StackId| concerned.iter().any(|head| head.id == *id);
                state.moves.hurry_for(is_concerned);
                state.lost.hurry_for(is_concerned);
            }
        }
        self.look_at(concerned.into_iter());
        Ok(())
    }

    /// For how long a host may be silent. What others have heard of it is known some seconds later, and an agent whose server
    /// has ended needs some until it is heard here: that takes no longer than it may be silent anyway.
    pub(super) fn patience_with(&self, presence: &Presence) -> Duration {
        let is_told = self.store.is_shared() && presence.heard_here != Some(presence.heard);
        if is_told { self.settings.offline_after * 2 } else { self.settings.offline_after }
    }

    /// Changes a host's record, making it where it is new. `last_seen` is now, or, where the host goes offline, when its agent
    /// was heard last.
    pub(super) async fn update_host(
        &self,
        id: &HostId,
        change: impl Fn(&mut Host) + Send + Sync,
    ) -> Result<Host, ControlError> {
        self.keep_host(id, By::Other, change).await
    }

    /// The same, for the report that is being taken in: what it changes is as it was told.
    pub(super) async fn update_host_as_told(
        &self,
        id: &HostId,
        change: impl Fn(&mut Host) + Send + Sync,
    ) -> Result<Host, ControlError> {
        self.keep_host(id, By::Report, change).await
    }

    async fn keep_host(
        &self,
        id: &HostId,
        by: By,
        change: impl Fn(&mut Host) + Send + Sync,
    ) -> Result<Host, ControlError> {
        loop {
            let changed = match self.change_known_host(id, by, &change).await? {
                Some(host) => Some(host),
                None => self.try_host(Expect::Absent, Host::named(id.clone()), by, &change).await?,
            };
            if let Some(host) = changed {
                return Ok(host);
            }
        }
    }

    /// Changes a host's record where there is one.
    pub(super) async fn change_host(
        &self,
        id: &HostId,
        change: impl Fn(&mut Host) + Send + Sync,
    ) -> Result<Option<Host>, ControlError> {
        self.change_known_host(id, By::Other, change).await
    }

    async fn change_known_host(
        &self,
        id: &HostId,
        by: By,
        change: impl Fn(&mut Host) + Send + Sync,
    ) -> Result<Option<Host>, ControlError> {
        loop {
            let found = self.store.document::<Host>(id.as_str()).await?;
            let Some(Versioned { version, value }) = found else { return Ok(None) };
            let changed = self.try_host(Expect::Version(version), value, by, &change).await?;
            if changed.is_some() {
                return Ok(changed);
            }
        }
    }

    /// Writes a changed record, unless somebody else has meanwhile.
    async fn try_host(
        &self,
        expect: Expect,
        mut host: Host,
        by: By,
        change: impl Fn(&mut Host) + Send + Sync,
    ) -> Result<Option<Host>, ControlError> {
        let before = host.clone();
        change(&mut host);
        if host == before && expect != Expect::Absent {
            return Ok(Some(host));
        }
        if host.offline_since.is_none() {
            host.last_seen = Some(self.environment.now());
        } else if before.offline_since.is_none() && expect != Expect::Absent {
            // The record's word is from its last change.
            host.last_seen = self.shown(before.clone()).last_seen;
        }
        // Whatever becomes of the answer, or of whoever waits for it.
        let has_turned = host.is_away() != before.is_away();
        let _turning = has_turned.then(|| Turning { control: self, host: host.id.clone() });
        let submission = Submission { records: vec![host.write(expect)?], ..Submission::default() };
        match self.store.submit(submission, self.environment.now()).await {
            Ok(_) => {
                if by == By::Other {
                    self.is_other_than_told(&host.id);
                }
                if !takes_work(&before) && takes_work(&host) {
                    // What could not be brought back there can be now.
                    self.state().turned.insert(host.id.clone());
                }
                if before.engine_error.is_some() && host.engine_error.is_none() {
                    // What waits for the engine is to be had again.
                    self.signal(&host.id).notify(usize::MAX);
                }
                self.wake.notify(usize::MAX);
                Ok(Some(host))
            }
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// When an agent was last heard, for people: the record's word is only as new as its last change.
    pub(super) fn shown(&self, mut host: Host) -> Host {
        let elapsed = self.environment.elapsed();
        if host.offline_since.is_some() {
            host.status = HostStatus::Offline;
        } else if let Some(presence) = self.state().presence.get(&host.id) {
            let silence = jiff::SignedDuration::try_from(elapsed.saturating_sub(presence.heard)).unwrap_or_default();
            host.last_seen = self.environment.now().checked_sub(silence).ok().or(host.last_seen);
        }
        host
    }
}

/// Whether something can be done on a host now.
fn takes_work(host: &Host) -> bool {
    host.status == HostStatus::Active && !host.is_away()
}
