use super::{
    ENGINE_AWAY, Gate, Input, Lease, MAX_LOST, Outcome, Progress, Refusal, Task, TaskError, TaskResult, TaskStatus,
    advance, back_off,
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
fn a_renewal_grants_more_time() -> Result<(), Refusal> {
    for begins in [false, true] {
        let mut task = claimed(60)?;
        let Some(lease) = task.lease.clone() else { return Err(Refusal::NotExpired) };
        let input = match begins {
            false => Input::Extend { lease, expires_at: at(90) },
            true => Input::Renew { lease, expires_at: at(90), progress: None },
        };
        advance(&mut task, &input, at(30))?;
        assert_eq!(task.lease.map(|lease| lease.expires_at), Some(at(90)));
    }
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
    assert_eq!(serde_json::to_value(task())?.get("slack"), None);
    Ok(())
}

#[test]
fn a_gate_opens_as_it_says_and_the_usual_one_is_not_written() -> Result<(), serde_json::Error> {
    let ends = [TaskStatus::Completed, TaskStatus::Failed, TaskStatus::Cancelled];
    assert_eq!(ends.map(|end| Gate::Completed.is_opened_by(end)), [true, false, false]);
    assert_eq!(ends.map(|end| Gate::Ended.is_opened_by(end)), [true, true, true]);
    let open = [TaskStatus::Pending, TaskStatus::Assigned, TaskStatus::Running];
    assert!(open.iter().all(|status| !Gate::Completed.is_opened_by(*status) && !Gate::Ended.is_opened_by(*status)));
    let mut task = task();
    assert_eq!(serde_json::to_value(&task)?.get("gate"), None);
    task.gate = Gate::Ended;
    assert_eq!(serde_json::to_value(&task)?["gate"], "ended");
    Ok(())
}

#[test]
fn the_text_of_a_status_is_that_of_its_json() -> Result<(), serde_json::Error> {
    use TaskStatus::{Assigned, Cancelled, Completed, Failed, Pending, Running};
    for status in [Pending, Assigned, Running, Completed, Failed, Cancelled] {
        assert_eq!(serde_json::to_value(status)?, status.as_str());
    }
    Ok(())
}

#[test]
fn leases_are_of_one_grant_whenever_they_end_and_of_no_other() {
    let lease = |task: &str, attempt, epoch, claim: &str, end| Lease {
        task: task.into(),
        attempt,
        epoch,
        claim: claim.into(),
        expires_at: at(end),
    };
    let one = lease("t", 1, 1, "c", 10);
    assert!(one.is_same_grant(&lease("t", 1, 1, "c", 20)));
    let others =
        [lease("u", 1, 1, "c", 10), lease("t", 2, 1, "c", 10), lease("t", 1, 2, "c", 10), lease("t", 1, 1, "d", 10)];
    assert!(others.iter().all(|other| !one.is_same_grant(other)));
}

fn claimed(until: i64) -> Result<Task, Refusal> {
    let mut task = task();
    advance(&mut task, &Input::Claim { epoch: 3, claim: "c".into(), expires_at: at(until) }, at(0))?;
    Ok(task)
}

#[test]
fn a_task_that_is_put_off_is_given_at_its_moment_and_not_before() {
    let mut task = task();
    task.not_before = Some(at(10));
    let claim = Input::Claim { epoch: 1, claim: "c".into(), expires_at: at(60) };
    assert_eq!(advance(&mut task, &claim, at(9)), Err(Refusal::NotClaimable(TaskStatus::Pending)));
    assert_eq!(advance(&mut task, &claim, at(10)), Ok(()));
}

#[test]
fn a_lease_runs_out_at_its_end_and_not_before() -> Result<(), Refusal> {
    let mut task = claimed(60)?;
    assert_eq!(advance(&mut task, &Input::Expire, at(59)), Err(Refusal::NotExpired));
    advance(&mut task, &Input::Expire, at(60))?;
    assert_eq!((task.status, task.lost_count, task.retry_count), (TaskStatus::Pending, 1, 0));
    let told = task.error.map(|error| (error.code, error.retryable));
    assert_eq!(told, Some(("lease-expired".to_owned(), true)), "to try it again may help");
    Ok(())
}

#[test]
fn an_attempt_that_outlives_its_deadline_has_failed_and_one_within_it_has_not() -> Result<(), Refusal> {
    let mut task = claimed(100_000)?;
    let Some(deadline) = super::deadline(&task) else { return Err(Refusal::NotExpired) };
    let before = deadline.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(deadline);
    assert_eq!(advance(&mut task, &Input::Expire, before), Err(Refusal::NotExpired));
    advance(&mut task, &Input::Expire, deadline)?;
    assert_eq!((task.status, task.lost_count, task.retry_count), (TaskStatus::Pending, 0, 1));
    Ok(())
}

#[test]
fn a_newer_session_alone_ends_the_leases_of_an_older_one() -> Result<(), Refusal> {
    let mut task = claimed(60)?;
    for epoch in [2, 3] {
        assert_eq!(advance(&mut task, &Input::Supersede { epoch }, at(1)), Err(Refusal::NotExpired));
    }
    advance(&mut task, &Input::Supersede { epoch: 4 }, at(1))?;
    assert_eq!((task.status, task.lost_count), (TaskStatus::Pending, 1));
    assert_eq!(advance(&mut task, &Input::Supersede { epoch: 5 }, at(1)), Err(Refusal::NotExpired));
    Ok(())
}

#[test]
fn a_failure_is_tried_again_as_often_as_the_task_may_and_where_that_may_help() -> Result<(), Refusal> {
    let attempts = |retryable: bool, cancelled: bool| -> Result<(TaskStatus, u32), Refusal> {
        let mut task = task();
        task.max_retries = 2;
        let mut now = 0;
        while task.status == TaskStatus::Pending {
            now += 1000;
            advance(&mut task, &Input::Claim { epoch: 1, claim: "c".into(), expires_at: at(now + 60) }, at(now))?;
            if cancelled {
                advance(&mut task, &Input::Cancel { reason: "enough".to_owned() }, at(now))?;
            }
            let Some(lease) = task.lease.clone() else { return Err(Refusal::NotExpired) };
            advance(&mut task, &Input::Report { lease, outcome: failure(retryable) }, at(now))?;
        }
        Ok((task.status, task.attempt))
    };
    assert_eq!(attempts(true, false)?, (TaskStatus::Failed, 3));
    assert_eq!(attempts(false, false)?, (TaskStatus::Failed, 1));
    assert_eq!(attempts(true, true)?, (TaskStatus::Failed, 1));
    Ok(())
}

#[test]
fn an_attempt_that_the_engine_did_not_answer_is_given_back_so_often_and_uses_up_no_retry() -> Result<(), Refusal> {
    let away = || {
        let message = "it does not answer".to_owned();
        TaskError { code: ENGINE_AWAY.to_owned(), message, help: None, log: Vec::new(), retryable: true }
    };
    let report = |task: &mut Task, now: i64| -> Result<(), Refusal> {
        let Some(lease) = task.lease.clone() else { return Err(Refusal::NotExpired) };
        advance(task, &Input::Report { lease, outcome: Outcome::Failed(away()) }, at(now))
    };
    let claim = |now: i64| Input::Claim { epoch: 1, claim: "c".into(), expires_at: at(now + 60) };
    let mut task = Task { max_retries: 0, ..task() };
    for lost in 1..=MAX_LOST {
        let now = i64::from(lost) * 100;
        assert_eq!(task.status, TaskStatus::Pending);
        advance(&mut task, &claim(now), at(now))?;
        report(&mut task, now + 50)?;
        assert_eq!((task.retry_count, task.lost_count, task.error.as_ref()), (0, lost, Some(&away())));
    }
    assert_eq!(task.status, TaskStatus::Failed, "in the end it is the task that is to blame");
    let mut cancelled = self::task();
    advance(&mut cancelled, &claim(0), at(0))?;
    advance(&mut cancelled, &Input::Cancel { reason: "enough".to_owned() }, at(1))?;
    report(&mut cancelled, 2)?;
    assert_eq!(cancelled.status, TaskStatus::Cancelled);
    Ok(())
}

#[test]
fn a_deadline_counts_from_the_begin_and_is_of_attempts_alone() -> Result<(), Refusal> {
    assert_eq!(super::deadline(&task()), None);
    let mut task = claimed(60)?;
    task.timeout_seconds = 100;
    let after = |seconds: i64| Some(at(seconds + 100 + super::DEADLINE_MARGIN.as_secs()));
    assert_eq!(super::deadline(&task), after(0));
    let Some(lease) = task.lease.clone() else { return Err(Refusal::NotExpired) };
    advance(&mut task, &Input::Renew { lease, expires_at: at(90), progress: None }, at(7))?;
    assert_eq!(super::deadline(&task), after(7));
    Ok(())
}

#[test]
fn a_task_that_may_take_longer_than_time_itself_has_no_deadline_that_comes() -> Result<(), Refusal> {
    let mut task = claimed(60)?;
    task.timeout_seconds = u64::MAX;
    assert_eq!(super::deadline(&task), Some(Timestamp::MAX));
    Ok(())
}

#[test]
fn tasks_that_fail_together_do_not_come_back_together() {
    let mut tenths = [0_u32; 10];
    for number in 0..1000 {
        let wait = back_off(&format!("task:{number}"), 1).as_millis();
        tenths[usize::try_from((wait - 750) / 50).unwrap_or(9).min(9)] += 1;
    }
    assert!(tenths.iter().all(|&count| (60..=140).contains(&count)), "{tenths:?}");
}
