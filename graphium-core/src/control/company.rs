//! Several servers on one store: what one hears the others know, and what one has begun another finishes.

use super::{
    Control, ControlError,
    planning::PLANNING,
    presence::{Presence, Said},
};
use crate::{
    id::HostId,
    inventory::Host,
    store::{Document, Expect, Kind, RecordQuery, Submission, TaskStoreExt, Versioned},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// After how long without a word a server's record goes.
const FORGET: SignedDuration = SignedDuration::from_hours(1);

/// What one of several servers tells the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServerRecord {
    /// Of this run of the server.
    #[serde(rename = "@id")]
    pub(super) id: String,
    /// When it wrote this.
    pub(super) at: Timestamp,
    /// Hosts that it has heard, and when.
    pub(super) heard: BTreeMap<HostId, Timestamp>,
}

impl Document for ServerRecord {
    const KIND: Kind = Kind::Server;
    fn id(&self) -> String {
        self.id.clone()
    }
}

impl Control {
    /// Tells other servers what was heard here, and learns what they have heard and begun. Where there can be none, and before
    /// a third of the time after which a host counts as offline has passed, nothing is done.
    pub(super) async fn keep_company(&self) -> Result<(), ControlError> {
        if !self.store.is_shared() {
            return Ok(());
        }
        let elapsed = self.environment.elapsed();
        let me = {
            let mut state = self.state();
            let company = &mut state.company;
            if company.last.is_some_and(|last| elapsed - last < self.settings.offline_after / 3) {
                return Ok(());
            }
            company.last = Some(elapsed);
            company.me.get_or_insert_with(|| format!("server:{}", self.environment.uuid())).clone()
        };
        let now = self.environment.now();
        let hosts = self.store.documents::<Host>(RecordQuery::of(Kind::Host)).await?;
        let servers = self.store.documents::<ServerRecord>(RecordQuery::of(Kind::Server)).await?;
        let (mine, others): (Vec<_>, Vec<_>) = servers.into_iter().partition(|server| server.value.id == me);
        self.learn_of_hosts(&hosts);
        self.learn_what_others_heard(&others, now);
        let mut submission = Submission::default();
        let gone =
            others.iter().filter(|server| server.value.id != PLANNING && now.duration_since(server.value.at) > FORGET);
        submission.records.extend(gone.map(|server| server.value.removal(Expect::Any)));
        let heard = self.heard_here(now);
        if !heard.is_empty() || mine.first().is_some_and(|server| !server.value.heard.is_empty()) {
            submission.records.push(ServerRecord { id: me, at: now, heard }.write(Expect::Any)?);
        }
        if submission != Submission::default() {
            self.store.submit(submission, now).await?;
        }
        self.correct_hosts(&hosts).await?;
        self.adopt_deployments().await
    }

    /// Takes the store's word on which hosts there are, and on which are offline. After a time without it, in which nobody
    /// could tell anything, every host gets its full time to be heard.
    fn learn_of_hosts(&self, hosts: &[Versioned<Host>]) {
        let elapsed = self.environment.elapsed();
        let mut state = self.state();
        let last = state.company.looked.replace(elapsed);
        let was_cut_off = last.is_some_and(|last| elapsed - last > self.settings.offline_after);
        let mut turned = Vec::new();
        for Versioned { value: host, .. } in hosts {
            let said = Said::of(host);
            let presence = state.presence.entry(host.id.clone()).or_insert_with(|| Presence::new(elapsed, said));
            let has_turned = presence.said != said;
            presence.said = said;
            if was_cut_off {
                presence.heard = elapsed;
            }
            if has_turned {
                turned.push(host.id.clone());
            }
        }
        state.turned.extend(turned);
    }

    /// Of hosts that are known: one that a server heard before it was removed is not there again.
    fn learn_what_others_heard(&self, others: &[Versioned<ServerRecord>], now: Timestamp) {
        let elapsed = self.environment.elapsed();
        let mut state = self.state();
        let mut told = BTreeMap::new();
        let each = others.iter().flat_map(|server| server.value.heard.iter().map(move |(host, at)| (server, host, at)));
        for (server, host, at) in each {
            // Clocks differ, and go back: what is told of a time to come is as old as we know it.
            let key = (server.value.id.clone(), host.clone());
            let known =
                state.company.told.get(&key).filter(|(said, _)| said == at).map_or(elapsed, |(_, since)| *since);
            told.insert(key, (*at, known));
            let silence = Duration::try_from(now.duration_since(*at)).unwrap_or_default();
            let silence = silence.max(elapsed.saturating_sub(known));
            if let Some(presence) = state.presence.get_mut(host) {
                presence.heard = presence.heard.max(elapsed.saturating_sub(silence));
            }
        }
        state.company.told = told;
    }

    /// Hosts that this server has heard not long ago, and when.
    fn heard_here(&self, now: Timestamp) -> BTreeMap<HostId, Timestamp> {
        let elapsed = self.environment.elapsed();
        let state = self.state();
        let heard = state.presence.iter().filter_map(|(host, presence)| {
            let silence = elapsed.saturating_sub(presence.heard_here?);
            let at = now.checked_sub(SignedDuration::try_from(silence).ok()?).ok()?;
            (silence <= self.settings.offline_after).then(|| (host.clone(), at))
        });
        heard.collect()
    }

    /// A host that is heard here is online, whatever another server has made of its silence there.
    async fn correct_hosts(&self, hosts: &[Versioned<Host>]) -> Result<(), ControlError> {
        let heard = self.heard_here(self.environment.now());
        for Versioned { value: host, .. } in hosts {
            if host.offline_since.is_some() && host.agent_version.is_some() && heard.contains_key(&host.id) {
                self.change_host(&host.id, |host| host.offline_since = None).await?;
            }
        }
        Ok(())
    }

    /// What is under way is finished, also when the server that has begun it is no more.
    async fn adopt_deployments(&self) -> Result<(), ControlError> {
        let (stacks, unread) = self.legible_heads().await?;
        let under_way =
            stacks.into_iter().filter(|stack| stack.status.is_transitional() || stack.next_repair.is_some());
        self.state().active.extend(under_way.map(|stack| stack.deployment_id));
        self.follow_deployments().await.and(unread)
    }
}

/// What is known of the company that a server keeps.
#[derive(Debug, Default)]
pub(super) struct Company {
    /// Our own name, once somebody may want to know it.
    me: Option<String>,
    /// When we last began to look.
    last: Option<Duration>,
    /// When we last saw something.
    looked: Option<Duration>,
    /// When which server heard which host, as it says, and since when we know it by that.
    told: BTreeMap<(String, HostId), (Timestamp, Duration)>,
}
