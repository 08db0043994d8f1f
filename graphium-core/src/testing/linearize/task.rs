//! The specification of one task: what each answer means for it.

use super::Model;
use crate::{
    id::ClaimId,
    task::{Input, Lease, Refusal, Task, TaskStatus, transition},
};
use jiff::Timestamp;

/// What was asked of one task, and what was answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Asked {
    /// A claim, by a session.
    Claim { epoch: u64, input: Input, now: Timestamp, answer: Claimed },
    /// A claim that was granted something before.
    ClaimAgain { claim: ClaimId, expires_at: Timestamp, held: Answer<Option<Box<Task>>> },
    /// An input.
    Act { input: Box<Input>, now: Timestamp, answer: Answer<Result<Box<Task>, Refusal>> },
    /// A lease to be renewed among others.
    Renew { lease: Lease, expires_at: Timestamp, held: Answer<Option<Box<Task>>> },
    /// Time passes.
    Expire { now: Timestamp, changed: Answer<Option<Box<Task>>> },
    /// A new session, which is asked for until there is an answer.
    Session { epoch: u64, now: Timestamp },
    /// A look at where it stands.
    Read { status: TaskStatus, attempt: u32, claim: Option<ClaimId> },
}

/// `None`: it never came. What was asked for may have been done, at any time since, or not at all.
pub(super) type Answer<T> = Option<T>;

/// What a claim meant for the task.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Claimed {
    Granted(Box<Task>),
    NotGranted,
    SessionLost,
    /// The answer never came.
    Unknown,
}

/// A task and the newest session of its host.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stands {
    pub(super) task: Task,
    pub(super) epoch: u64,
}

/// The task as it was submitted, before anybody acts on it.
pub(super) struct OneTask(pub(super) Stands);

impl Model for OneTask {
    type State = Stands;
    type Operation = Asked;

    fn initial(&self) -> Stands {
        self.0.clone()
    }

    fn step(&self, state: &Stands, operation: &Asked) -> Option<Stands> {
        let moved = |task: Task| Some(Stands { task, epoch: state.epoch });
        let unmoved = |holds: bool| holds.then(|| state.clone());
        match operation {
            Asked::Claim { epoch, input, now, answer } => {
                let is_newest = *epoch == state.epoch;
                match (answer, transition(&state.task, input, *now)) {
                    (Claimed::SessionLost, _) => unmoved(!is_newest),
                    (Claimed::Granted(task), Ok(next)) if is_newest && next == **task => moved(next),
                    (Claimed::NotGranted, Err(_)) if is_newest => unmoved(true),
                    (Claimed::Unknown, Ok(next)) if is_newest => moved(next),
                    (Claimed::Unknown, _) => unmoved(true),
                    _ => None,
                }
            }
            Asked::ClaimAgain { claim, expires_at, held } => {
                let lease = state.task.lease.clone().filter(|lease| lease.claim == *claim);
                extended(state, lease, *expires_at, held)
            }
            Asked::Renew { lease, expires_at, held } => extended(state, Some(lease.clone()), *expires_at, held),
            Asked::Act { input, now, answer } => match (answer, transition(&state.task, input, *now)) {
                (Some(Ok(task)), Ok(next)) if next == **task => moved(next),
                (Some(Err(refusal)), Err(wanted)) => unmoved(*refusal == wanted),
                (None, Ok(next)) => moved(next),
                (None, Err(_)) => unmoved(true),
                _ => None,
            },
            Asked::Expire { now, changed } => match (changed, transition(&state.task, &Input::Expire, *now)) {
                (Some(Some(task)), Ok(next)) if next == **task => moved(next),
                (None, Ok(next)) => moved(next),
                (Some(None) | None, Err(_)) => unmoved(true),
                _ => None,
            },
            Asked::Session { epoch, now } => {
                let input = Input::Supersede { epoch: *epoch };
                let task = transition(&state.task, &input, *now).unwrap_or_else(|_| state.task.clone());
                (*epoch > state.epoch).then_some(Stands { task, epoch: *epoch })
            }
            Asked::Read { status, attempt, claim } => {
                let held = state.task.lease.as_ref().map(|lease| &lease.claim);
                unmoved(state.task.status == *status && state.task.attempt == *attempt && held == claim.as_ref())
            }
        }
    }
}

/// The state after leases were renewed: those that are held last longer, and are in the answer.
fn extended(
    state: &Stands,
    lease: Option<Lease>,
    expires_at: Timestamp,
    held: &Answer<Option<Box<Task>>>,
) -> Option<Stands> {
    let input = lease.map(|lease| Input::Extend { lease, expires_at });
    // Extending asks no clock.
    let next = input.and_then(|input| transition(&state.task, &input, expires_at).ok());
    match (next, held) {
        (Some(next), Some(Some(task))) if next == **task => Some(Stands { task: next, epoch: state.epoch }),
        (Some(next), None) => Some(Stands { task: next, epoch: state.epoch }),
        (None, Some(None) | None) => Some(state.clone()),
        _ => None,
    }
}
