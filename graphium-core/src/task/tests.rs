use super::{
    Input, Lease, MAX_LOST, Outcome, Progress, Refusal, Task, TaskError, TaskResult, TaskStatus, advance, back_off,
};
use crate::{
    action::Action,
    id::{ClaimId, HostId, TaskId},
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::sync::Arc;

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

fn task() -> Task {
    Task::new(TaskId::from("task:1"), HostId::from("vm1"), Action::Start { name: "web".to_owned() }, at(0))
}

fn failure(retryable: bool) -> Outcome {
    let (code, message) = ("exited".to_owned(), String::new());
    Outcome::Failed(TaskError { code, message, help: None, log: Vec::new(), retryable })
}

/// What may happen to a task, with leases by how many grants ago they were given.
#[derive(Clone, Debug)]
enum Happening {
    Claim,
    Renew(usize),
    Extend(usize),
    Report(usize, Outcome),
    Plain(Input),
    Wait(i64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let reason = || "because".to_owned();
    prop_oneof![
        4 => Just(Happening::Claim),
        2 => (0..3_usize).prop_map(Happening::Renew),
        1 => (0..3_usize).prop_map(Happening::Extend),
        4 => (0..3_usize, prop_oneof![
            Just(Outcome::Completed(TaskResult::default())),
            Just(failure(true)),
            Just(failure(true)),
            Just(failure(false)),
            Just(Outcome::Cancelled),
        ]).prop_map(|(grant, outcome)| Happening::Report(grant, outcome)),
        3 => prop_oneof![
            Just(Input::Cancel { reason: reason() }),
            Just(Input::DependencyFailed { reason: reason() }),
            Just(Input::Retry),
            Just(Input::Expire),
            Just(Input::Expire),
            (0..4_u64).prop_map(|epoch| Input::Supersede { epoch }),
        ].prop_map(Happening::Plain),
        4 => (0..400_i64).prop_map(Happening::Wait),
    ]
}

/// Runs happenings and hands each step to the check: the task before, the input, what came of it, the task after.
fn live(
    happenings: Vec<Happening>,
    mut check: impl FnMut(&Task, &Input, &Result<(), Refusal>, &Task) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let (mut task, mut seconds, mut grants) = (task(), 0, Vec::<Lease>::new());
    for (number, happening) in happenings.into_iter().enumerate() {
        let granted = |ago: usize| grants.iter().rev().nth(ago).cloned();
        let input = match happening {
            Happening::Wait(time) => {
                seconds += time;
                continue;
            }
            Happening::Claim => Input::Claim {
                epoch: 1 + number as u64 / 20,
                claim: ClaimId::new(format!("claim:{number}")),
                expires_at: at(seconds + 30),
            },
            Happening::Plain(input) => input,
            Happening::Renew(ago) => match granted(ago) {
                Some(lease) => {
                    let progress = Some(Progress { phase: "starting".to_owned(), ..Progress::default() });
                    Input::Renew { lease, expires_at: at(seconds + 30), progress }
                }
                None => continue,
            },
            Happening::Extend(ago) => match granted(ago) {
                Some(lease) => Input::Extend { lease, expires_at: at(seconds + 30) },
                None => continue,
            },
            Happening::Report(ago, outcome) => match granted(ago) {
                Some(lease) => Input::Report { lease, outcome },
                None => continue,
            },
        };
        let before = task.clone();
        let result = advance(&mut task, &input, at(seconds));
        check(&before, &input, &result, &task)?;
        if let (Input::Claim { .. }, Ok(())) = (&input, &result) {
            grants.extend(task.lease.clone());
        }
    }
    Ok(())
}

fn lives() -> impl Strategy<Value = Vec<Happening>> {
    prop::collection::vec(happening(), 0..120)
}

proptest! {
    #[test]
    fn a_refusal_changes_nothing(happenings in lives()) {
        live(happenings, |before, _, result, after| {
            prop_assert!(result.is_ok() || before == after);
            Ok(())
        })?;
    }

    #[test]
    fn an_end_changes_by_a_retry_alone(happenings in lives()) {
        live(happenings, |before, input, result, _| {
            if before.status.is_terminal() {
                let may = *input == Input::Retry && before.status != TaskStatus::Completed;
                prop_assert_eq!(result.is_ok(), may);
            }
            Ok(())
        })?;
    }

    #[test]
    fn only_the_present_lease_moves_a_held_task(happenings in lives()) {
        live(happenings, |before, input, result, _| {
            if let Input::Renew { lease, .. } | Input::Extend { lease, .. } | Input::Report { lease, .. } = input {
                let holds = before.lease.as_ref().is_some_and(|present| present.is_same_grant(lease));
                prop_assert_eq!(result.is_ok(), holds);
            }
            Ok(())
        })?;
    }

    #[test]
    fn what_a_status_needs_is_there_and_nothing_else(happenings in lives()) {
        live(happenings, |_, _, _, task| {
            prop_assert_eq!(task.lease.is_some(), task.status.is_leased());
            prop_assert_eq!(task.completed_at.is_some(), task.status.is_terminal());
            prop_assert!(task.not_before.is_none() || task.status == TaskStatus::Pending);
            prop_assert!(task.cancel_requested.is_none() || task.status != TaskStatus::Pending);
            prop_assert!(task.started_at.is_some() || task.status != TaskStatus::Running);
            Ok(())
        })?;
    }

    #[test]
    fn attempts_grow_by_claims_alone_and_are_bounded(happenings in lives()) {
        let mut since_retry = 0;
        live(happenings, |before, input, result, after| {
            let claimed = matches!(input, Input::Claim { .. }) && result.is_ok();
            prop_assert_eq!(after.attempt, before.attempt + u32::from(claimed));
            since_retry = if *input == Input::Retry && result.is_ok() { 0 } else { since_retry + u32::from(claimed) };
            prop_assert!(since_retry <= after.max_retries + MAX_LOST, "{since_retry} attempts");
            prop_assert!(after.retry_count <= after.max_retries && after.lost_count <= MAX_LOST);
            Ok(())
        })?;
    }

    #[test]
    fn a_back_off_doubles_to_a_minute_and_stays_within_a_quarter(seed in "[a-z0-9:.]{0,40}", retry in 1..u32::MAX) {
        let middle = f64::from(1_u32 << (retry - 1).min(6)).min(60.0);
        let is = back_off(&seed, retry).as_secs_f64();
        prop_assert!(is >= middle * 0.75 && is <= middle * 1.25, "{is} s for {middle} s");
        prop_assert_eq!(back_off(&seed, retry), back_off(&seed, retry));
    }
}

#[test]
fn a_late_renewal_does_not_shorten_a_lease() -> Result<(), Refusal> {
    let mut task = task();
    advance(&mut task, &Input::Claim { epoch: 1, claim: "c".into(), expires_at: at(60) }, at(0))?;
    let Some(lease) = task.lease.clone() else { return Err(Refusal::NotExpired) };
    advance(&mut task, &Input::Extend { lease, expires_at: at(30) }, at(1))?;
    assert_eq!(task.lease.map(|lease| lease.expires_at), Some(at(60)));
    assert_eq!(task.status, TaskStatus::Assigned, "it has not begun");
    Ok(())
}

#[test]
fn a_summary_shows_neither_payload_nor_lease() -> Result<(), Refusal> {
    let mut task = task();
    task.undo = Some(Arc::new(Action::Delete { name: "secret".to_owned() }));
    advance(&mut task, &Input::Claim { epoch: 1, claim: "secret".into(), expires_at: at(60) }, at(0))?;
    let summary = super::summary(&task);
    assert!(!summary.to_string().contains("secret"), "{summary}");
    assert_eq!(summary["status"], "assigned");
    assert_eq!(summary["agentId"], "vm1#1");
    Ok(())
}

#[test]
fn a_task_that_was_stored_before_there_was_slack_has_none() -> Result<(), serde_json::Error> {
    let mut stored = serde_json::to_value(Task { slack: 7, ..task() })?;
    assert_eq!(serde_json::from_value::<Task>(stored.clone())?.slack, 7);
    stored.as_object_mut().map(|fields| fields.remove("slack"));
    assert_eq!(serde_json::from_value::<Task>(stored)?.slack, 0);
    Ok(())
}
