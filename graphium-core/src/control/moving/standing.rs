//! Whether it is a stack's turn to move.

use super::{FIRST_PAUSE, TRIES};
use crate::{
    control::{DeploymentKind, DeploymentState, StackStatus, fold},
    task::Task,
};
use jiff::Timestamp;

/// Whether something of a stack may be moved now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::control) enum Standing {
    /// It may; so many tries have failed.
    Ready { failed: u32 },
    /// It is being moved.
    Moves,
    /// Something else is under way.
    Busy,
    /// It does not run, and shall not.
    Stopped,
    /// It is to be removed, which has failed.
    NotRemoved,
    /// Its last deployment has failed: nobody knows what of it is to run.
    Failed,
    /// A move has failed; it is tried again at that time.
    Later { at: Timestamp, failed: u32 },
    /// A move has failed so often that it is not tried again.
    GivenUp { failed: u32 },
}

/// Whether something of a stack may be moved; `asked` is when a drain was last asked for, or a host went offline: at another time
/// than the last move answers to, its failures count no more. Clocks go back, so no two times are compared for which is later.
pub(in crate::control) fn standing(
    status: StackStatus,
    last: &DeploymentState,
    tasks: &[Task],
    asked: Option<Timestamp>,
    now: Timestamp,
) -> Standing {
    let is_move = last.kind == DeploymentKind::Move;
    let is_under_way = tasks.iter().any(|task| !task.status.is_terminal());
    // A removal that failed is shown as that until somebody asks again.
    if status == StackStatus::Deleting && !is_under_way && fold(last.kind, tasks).error.is_some() {
        return Standing::NotRemoved;
    }
    if status.is_transitional() || is_under_way {
        return if is_move { Standing::Moves } else { Standing::Busy };
    }
    if !matches!(status, StackStatus::Running | StackStatus::Degraded | StackStatus::Error) {
        return Standing::Stopped;
    }
    // What ended after all was done is no failure of the deployment; how a repair has gone shows in what runs.
    if last.kind == DeploymentKind::Repair || fold(last.kind, tasks).error.is_none() {
        return Standing::Ready { failed: 0 };
    }
    let Some(leaving) = last.leaving.as_ref().filter(|_| is_move) else { return Standing::Failed };
    let failed = leaving.attempt;
    if asked.is_some() && asked != leaving.asked {
        return Standing::Ready { failed: 1 };
    }
    if failed >= TRIES {
        return Standing::GivenUp { failed };
    }
    let pause = FIRST_PAUSE * (1 << (failed.min(TRIES) - 1));
    // One that ends later than now has ended before the clock went back: nobody knows when.
    let ended = last.completed_at.filter(|ended| *ended <= now);
    match ended.and_then(|ended| ended.checked_add(pause).ok()) {
        Some(at) if at > now => Standing::Later { at, failed },
        _ => Standing::Ready { failed },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::TaskStatus;
    use jiff::SignedDuration;

    #[test]
    fn a_move_that_fails_is_tried_again_ever_later_and_then_no_more_until_the_drain_is_asked_for_again() {
        let ended = Timestamp::UNIX_EPOCH;
        let state = |attempt| -> DeploymentState {
            serde_json::from_value(serde_json::json!({
                "@id": "deployment:1", "stackId": "stack:s", "stackName": "s", "kind": "move", "status": "error",
                "phase": "failed", "progress": 100, "planHash": "", "taskCount": 1, "placements": {},
                "startedAt": ended, "completedAt": ended, "leaving": {"hosts": ["vm1"], "attempt": attempt, "asked": ended},
            }))
            .unwrap_or_else(|error| panic!("{error}"))
        };
        let task = Task {
            status: TaskStatus::Failed,
            ..Task::new("task:1".into(), "vm2".into(), crate::action::Action::Delete { name: "s-a".into() }, ended)
        };
        let stands = |attempt, asked, after| {
            let now = ended.checked_add(SignedDuration::from_secs(after)).unwrap_or(ended);
            standing(StackStatus::Error, &state(attempt), std::slice::from_ref(&task), asked, now)
        };
        for (attempt, pause) in [(1, 30), (2, 60), (3, 120), (4, 240), (5, 480)] {
            let at = ended.checked_add(SignedDuration::from_secs(pause)).unwrap_or(ended);
            assert_eq!(stands(attempt, None, pause - 1), Standing::Later { at, failed: attempt });
            assert_eq!(stands(attempt, None, pause), Standing::Ready { failed: attempt });
        }
        assert_eq!(stands(TRIES, None, 1_000_000), Standing::GivenUp { failed: TRIES });
        assert_eq!(stands(TRIES, Some(ended), 1_000_000), Standing::GivenUp { failed: TRIES });
        let later = ended.checked_add(SignedDuration::from_secs(1)).ok();
        assert_eq!(stands(TRIES, later, 2), Standing::Ready { failed: 1 });
        assert_eq!(stands(TRIES, later, -3600), Standing::Ready { failed: 1 }, "the clock has gone back since");
        assert_eq!(stands(1, Some(ended), -3600), Standing::Ready { failed: 1 }, "it is not waited for an hour");
    }
}
