use super::*;
use crate::{
    action::Action,
    id::ClaimId,
    task::{Gate, Outcome, TaskError, TaskResult, TaskStatus},
};
use jiff::SignedDuration;
use std::error::Error;

type Checked = Result<(), Box<dyn Error>>;

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

fn task(name: &str, action: Action, after: &[&str]) -> Task {
    let task_type = action.task_type();
    let defaults = task_type.defaults();
    Task {
        id: TaskId::from(name),
        task_type,
        status: TaskStatus::Pending,
        host_id: HostId::from("vm1"),
        agent_id: None,
        stack_id: None,
        deployment_id: Some(DeploymentId::from("deployment:1")),
        plan_id: name.to_owned(),
        container_id: None,
        priority: defaults.priority,
        slack: 0,
        payload: Arc::new(action),
        undo: None,
        why: String::new(),
        depends_on: after.iter().map(|id| TaskId::from(*id)).collect(),
        gate: Gate::default(),
        date_created: at(0),
        created_by: None,
        scheduled_by: String::new(),
        assigned_at: None,
        started_at: None,
        completed_at: None,
        error: None,
        result: None,
        retry_count: 0,
        max_retries: defaults.max_retries,
        lost_count: 0,
        timeout_seconds: defaults.timeout_seconds,
        attempt: 0,
        lease: None,
        not_before: None,
        cancel_requested: None,
        progress: None,
    }
}

fn start(name: &str, after: &[&str]) -> Task {
    task(name, Action::Start { name: name.to_owned() }, after)
}

fn delete(name: &str, after: &[&str]) -> Task {
    Task { gate: Gate::Ended, ..task(name, Action::Delete { name: name.to_owned() }, after) }
}

/// A ledger with the given tasks and a session of `vm1`.
fn ledger(tasks: Vec<Task>) -> Result<Ledger, StoreError> {
    let mut ledger = Ledger::default();
    ledger.submit(tasks, &[], None, at(0))?;
    ledger.open_session(&SessionRequest { host: "vm1".into(), nonce: "a".to_owned(), seen_epoch: 0 }, at(0));
    Ok(ledger)
}

fn claim(ledger: &mut Ledger, claim: &str, now: i64) -> Result<Vec<Task>, StoreError> {
    let request = ClaimRequest {
        host: "vm1".into(),
        epoch: 1,
        claim: ClaimId::from(claim),
        max: 10,
        expires_at: at(now + 30),
        expect: None,
    };
    Ok(ledger.claim(&request, at(now))?.reply)
}

fn report(ledger: &mut Ledger, task: &Task, outcome: Outcome, now: i64) -> Result<Acted, Box<dyn Error>> {
    let lease = task.lease.clone().ok_or("no lease")?;
    Ok(ledger.act(&task.id, &Input::Report { lease, outcome }, at(now))?.reply)
}

fn failure() -> Outcome {
    Outcome::Failed(plain())
}

fn statuses(ledger: &Ledger) -> Vec<TaskStatus> {
    ledger.tasks(None, None).map(|task| task.status).collect()
}

#[test]
fn work_that_has_ended_is_forgotten_and_open_work_is_not() -> Checked {
    let mut ledger = ledger(vec![start("a", &[]), start("b", &["a"])])?;
    let first = claim(&mut ledger, "c1", 1)?;
    report(&mut ledger, &first[0], Outcome::Completed(TaskResult::default()), 2)?;
    ledger.forget(&Work::Deployment("deployment:1".into()));
    assert_eq!(statuses(&ledger), [TaskStatus::Completed, TaskStatus::Pending]);
    let second = claim(&mut ledger, "c2", 3)?;
    report(&mut ledger, &second[0], Outcome::Completed(TaskResult::default()), 4)?;
    ledger.forget(&Work::Deployment("deployment:1".into()));
    assert!(statuses(&ledger).is_empty());
    assert_eq!(ledger.next_wakeup(), None);
    Ok(())
}

#[test]
fn a_retry_revives_what_was_dragged_along() -> Checked {
    let mut ledger = ledger(vec![start("a", &[]), start("b", &["a"]), start("c", &["b"]), delete("d", &["a"])])?;
    let first = claim(&mut ledger, "c1", 1)?;
    let acted = report(&mut ledger, &first[0], failure(), 2)?;
    assert_eq!(acted.tasks.iter().map(|task| task.id.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(acted.ready, [HostId::from("vm1")], "the removal may begin");
    let blocked = ledger.act(&"b".into(), &Input::Retry, at(3));
    assert!(matches!(blocked, Err(StoreError::Refused { .. })), "{blocked:?}");
    ledger.act(&"a".into(), &Input::Retry, at(3))?;
    assert_eq!(statuses(&ledger), [TaskStatus::Pending; 4]);
    let next = claim(&mut ledger, "c2", 4)?;
    assert_eq!(next.len(), 1, "the removal waits again: {next:?}");
    Ok(())
}

#[test]
fn the_next_wake_up_is_the_first_of_all_that_can_run_out() -> Checked {
    let mut ledger = ledger(vec![start("a", &[]), start("b", &[])])?;
    assert_eq!(ledger.next_wakeup(), None);
    let held = claim(&mut ledger, "c1", 1)?;
    assert_eq!(ledger.next_wakeup(), Some(at(31)));
    let error = TaskError { retryable: true, ..plain() };
    report(&mut ledger, &held[0], Outcome::Failed(error), 2)?;
    let due = ledger.task(&"a".into()).and_then(|task| task.not_before).ok_or("no back-off")?;
    assert_eq!(ledger.next_wakeup(), Some(due));
    assert!(ledger.expire(due - SignedDuration::from_millis(1)).reply.ready.is_empty());
    assert_eq!(ledger.expire(due).reply.ready, [HostId::from("vm1")]);
    Ok(())
}

fn plain() -> TaskError {
    TaskError { code: "busy".to_owned(), message: String::new(), help: None, log: Vec::new(), retryable: false }
}

#[test]
fn tasks_that_wait_for_each_other_are_refused_whole() {
    let mut ledger = Ledger::default();
    let refused = ledger.submit(vec![start("x", &[]), start("a", &["b"]), start("b", &["a"])], &[], None, at(0));
    assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    let refused = ledger.submit(vec![start("x", &["nowhere"])], &[], None, at(0));
    assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    assert!(statuses(&ledger).is_empty());
}

#[test]
fn a_ledger_that_was_loaded_goes_on_where_it_was() -> Checked {
    let mut before = ledger(vec![start("a", &[]), start("b", &["a"])])?;
    let held = claim(&mut before, "c1", 1)?;
    let mut after = Ledger::default();
    after.load(before.tasks(None, None).cloned().collect(), at(100));
    after.load_session(Session { host: "vm1".into(), epoch: 1, nonce: "a".to_owned() });
    after.grant_grace(at(160));
    assert!(after.expire(at(159)).reply.tasks.is_empty());
    assert_eq!(claim(&mut after, "c1", 159)?, [after.task(&"a".into()).cloned().ok_or("lost")?]);
    report(&mut after, &held[0], Outcome::Completed(TaskResult::default()), 159)?;
    assert_eq!(claim(&mut after, "c2", 159)?[0].id.as_str(), "b");
    Ok(())
}

/// What one ledger has decided, another learns; then both would decide the same.
#[test]
fn a_ledger_that_learns_stands_where_the_other_does() -> Checked {
    let (mut one, mut other) = (Ledger::default(), Ledger::default());
    let learn = |other: &mut Ledger, changes: Changes| {
        if let Some(session) = changes.session.clone() {
            other.load_session(session);
        }
        other.learn(changes.moved(), at(1))
    };
    let tasks = vec![start("a", &[]), start("b", &["a"]), start("c", &["b"]), delete("d", &["a"])];
    let submitted = one.submit(tasks, &[], None, at(0))?;
    assert_eq!(learn(&mut other, submitted.changes), submitted.reply);
    let request = SessionRequest { host: "vm1".into(), nonce: "n".to_owned(), seen_epoch: 0 };
    let opened = one.open_session(&request, at(0));
    learn(&mut other, opened.changes);
    let claim = |name: &str| ClaimRequest {
        host: "vm1".into(),
        epoch: opened.reply.epoch,
        claim: name.into(),
        max: 9,
        expires_at: at(30),
        expect: None,
    };
    let held = one.claim(&claim("c1"), at(1))?;
    learn(&mut other, held.changes);
    assert_eq!(other.claim(&claim("c1"), at(1))?.reply, held.reply, "the same claim");
    let lease = held.reply[0].lease.clone().ok_or("no lease")?;
    let report = Input::Report { lease, outcome: Outcome::Completed(TaskResult::default()) };
    let ended = one.act(&held.reply[0].id, &report, at(2))?;
    assert_eq!(learn(&mut other, ended.changes), ended.reply.ready);
    assert!(other.claim(&claim("c1"), at(2))?.reply.is_empty(), "all that it was granted has ended");
    let next = one.claim(&claim("c2"), at(2))?.reply;
    assert_eq!(next.iter().map(|task| task.id.as_str()).collect::<Vec<_>>(), ["d", "b"]);
    assert_eq!(other.claim(&claim("c2"), at(2))?.reply, next);
    Ok(())
}
