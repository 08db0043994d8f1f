//! Where everything stands: small, and comparable.

use graphium_core::{
    id::{ClaimId, HostId, TaskId},
    task::{Lease, Task, TaskStatus},
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// Steps of the clock for which a lease lasts.
pub(crate) const LEASE: u8 = 2;

/// The time of a step of the clock: coarser than any wait before a retry, finer than any deadline.
pub(crate) fn at(step: u8) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(10 * i64::from(step))
}

pub(crate) fn host() -> HostId {
    "vm1".into()
}

pub(crate) fn id() -> TaskId {
    "task:1".into()
}

/// Of a lease, what tells it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Grant {
    pub(crate) attempt: u32,
    pub(crate) epoch: u64,
    pub(crate) claim: u8,
}

impl Grant {
    pub(crate) fn of(lease: &Lease) -> Self {
        let claim = lease.claim.as_str().parse().expect("claims are numbers");
        Self { attempt: lease.attempt, epoch: lease.epoch, claim }
    }

    pub(crate) fn lease(self, expires_at: Timestamp) -> Lease {
        let claim = ClaimId::new(self.claim.to_string());
        Lease { task: id(), attempt: self.attempt, epoch: self.epoch, claim, expires_at }
    }
}

/// Of the task, what decides what can happen to it. Deadlines of attempts are further away than the clock goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Row {
    pub(crate) status: TaskStatus,
    pub(crate) attempt: u32,
    pub(crate) lease: Option<(Grant, Timestamp)>,
    pub(crate) cancel: bool,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) retries: u32,
    pub(crate) losses: u32,
}

impl Row {
    pub(crate) fn of(task: &Task) -> Self {
        Self {
            status: task.status,
            attempt: task.attempt,
            lease: task.lease.as_ref().map(|lease| (Grant::of(lease), lease.expires_at)),
            cancel: task.cancel_requested.is_some(),
            not_before: task.not_before,
            retries: task.retry_count,
            losses: task.lost_count,
        }
    }

    pub(crate) fn task(&self, fresh: &Task) -> Task {
        Task {
            status: self.status,
            attempt: self.attempt,
            lease: self.lease.map(|(grant, expires_at)| grant.lease(expires_at)),
            cancel_requested: self.cancel.then(|| "enough".to_owned()),
            not_before: self.not_before,
            retry_count: self.retries,
            lost_count: self.losses,
            ..fresh.clone()
        }
    }

    pub(crate) fn grant(&self) -> Option<Grant> {
        self.lease.map(|(grant, _)| grant)
    }
}

/// What a server knows, in memory or on its disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    pub(crate) row: Row,
    /// The newest session: its epoch, and the run of the agent that has it.
    pub(crate) session: Option<(u64, u8)>,
}

/// What an agent holds, as it sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Hold {
    pub(crate) grant: Grant,
    /// When it stops.
    pub(crate) until: u8,
}

/// One run of the host's agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Agent {
    pub(crate) lives: bool,
    pub(crate) has_ended: bool,
    pub(crate) epoch: Option<u64>,
    /// Claims that it has made.
    pub(crate) claims: u8,
    pub(crate) renewals: u8,
    /// The claim that is not answered yet.
    pub(crate) open: Option<u8>,
    pub(crate) holds: Option<Hold>,
}

/// On its way, for ever.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Message {
    Open { run: u8 },
    Opened { run: u8, epoch: u64 },
    Claim { run: u8, epoch: u64, claim: u8, asked: u8 },
    Granted { run: u8, claim: u8, asked: u8, grant: Grant },
    Renew { run: u8, grant: Grant, asked: u8 },
    Renewed { run: u8, grant: Grant, asked: u8 },
    Report { grant: Grant, completed: bool },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) now: u8,
    pub(crate) disk: Server,
    /// `None`: the server is down.
    pub(crate) memory: Option<Server>,
    pub(crate) agents: [Agent; 2],
    pub(crate) network: BTreeSet<Message>,
    pub(crate) crashes: u8,
    pub(crate) cancels: u8,
    /// When the holder of the present lease last asked for it, or the server gave all leases their time.
    pub(crate) asked: u8,
    /// How the task was first seen to have ended.
    pub(crate) ended: Option<TaskStatus>,
    /// The attempt in which somebody asked that it end, and was answered.
    pub(crate) wish: Option<u32>,
    /// Which run was given which epoch.
    pub(crate) epochs: BTreeSet<(u64, u8)>,
}

impl World {
    /// What the server goes by, or will when it is up again.
    pub(crate) fn server(&self) -> &Server {
        self.memory.as_ref().unwrap_or(&self.disk)
    }
}
