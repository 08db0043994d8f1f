//! The engine alone: inputs in, commands out.

use super::*;
use crate::{
    action::Action,
    id::TaskId,
    stack::PullPolicy,
    task::{Outcome, TaskResult, TaskStatus},
};
use jiff::Timestamp;

const EPOCH: u64 = 3;

/// An engine with an open session, and what it decided last.
struct Tried {
    engine: Engine,
    now: Duration,
    commands: Vec<Command>,
}

impl Tried {
    fn new(concurrency: usize) -> Self {
        Self::with(concurrency, None)
    }

    /// One whose control plane answers claims after so long.
    fn with(concurrency: usize, contact_ms: Option<u64>) -> Self {
        let rules = Rules { host: HostId::new("vm1"), nonce: "nonce".to_owned(), seen_epoch: 2, concurrency };
        let engine = Engine::new(rules, Vec::new());
        let mut tried = Self { engine, now: Duration::from_secs(1000), commands: Vec::new() };
        tried.take(Input::Tick);
        assert!(matches!(tried.commands[..], [Command::OpenSession(SessionRequest { seen_epoch: 2, .. })]));
        let session = Session { host: HostId::new("vm1"), epoch: EPOCH, nonce: "nonce".to_owned() };
        tried.take(Input::SessionOpened(SessionGrant {
            session,
            lease_seconds: 30,
            server_version: String::new(),
            contact_ms,
        }));
        // The session's first sign of life is answered; what is decided beside it is kept for the test to see.
        let begin = std::mem::take(&mut tried.commands);
        tried.take(Input::Renewed(Vec::new())).commands = begin;
        tried
    }

    fn take(&mut self, input: Input) -> &mut Self {
        self.commands = self.engine.step(self.now, input);
        self
    }

    fn pass(&mut self, millis: u64) -> &mut Self {
        self.now += Duration::from_millis(millis);
        self.take(Input::Tick)
    }

    fn grant<const N: usize>(&mut self, tasks: [Task; N]) -> &mut Self {
        self.take(Input::Granted(tasks.into()))
    }

    fn end(&mut self, number: u32) -> &mut Self {
        let outcome = Box::new(Outcome::Completed(TaskResult::default()));
        self.take(Input::Ended(key(number, 1), outcome))
    }

    fn enter(&mut self, number: u32, phase: Phase) -> &mut Self {
        self.take(Input::Stepped(key(number, 1), Step::plain(phase)))
    }

    /// What is renewed now, if anything is.
    fn renewed(&self) -> Option<&RenewCall> {
        self.commands.iter().find_map(|command| match command {
            Command::Renew(call) => Some(call),
            _ => None,
        })
    }

    fn started(&self) -> Vec<u32> {
        let started = |command: &Command| match command {
            Command::Start(key, _) => key.task.as_str().parse().ok(),
            _ => None,
        };
        self.commands.iter().filter_map(started).collect()
    }

    fn stopped(&self) -> Vec<Key> {
        let stopped = |command: &Command| match command {
            Command::Stop(key) | Command::CutOff(key) => Some(key.clone()),
            _ => None,
        };
        self.commands.iter().filter_map(stopped).collect()
    }

    fn reported(&self) -> Vec<Outcome> {
        let reported = |command: &Command| match command {
            Command::Report(_, report) => Some(report.1.clone()),
            _ => None,
        };
        self.commands.iter().filter_map(reported).collect()
    }

    fn claimed(&self) -> Option<&ClaimCall> {
        self.commands.iter().find_map(|command| match command {
            Command::Claim(call) => Some(call),
            _ => None,
        })
    }
}

fn held(number: u32, cancel: Option<&str>) -> Held {
    Held { task: TaskId::new(number.to_string()), attempt: 1, cancel: cancel.map(str::to_owned) }
}

fn key(number: u32, attempt: u32) -> Key {
    Key { task: TaskId::new(number.to_string()), attempt }
}

fn stop(number: u32, name: &str) -> Task {
    task(number, Action::Stop { name: name.to_owned() })
}

fn pull(number: u32) -> Task {
    task(number, Action::Pull { image: "web:1".to_owned(), platform: None, policy: PullPolicy::IfNotPresent })
}

fn task(number: u32, action: Action) -> Task {
    let id = TaskId::new(number.to_string());
    let lease = Lease {
        task: id.clone(),
        attempt: 1,
        epoch: EPOCH,
        claim: ClaimId::new("nonce.0"),
        expires_at: Timestamp::UNIX_EPOCH,
    };
    Task {
        id,
        task_type: action.task_type(),
        status: TaskStatus::Assigned,
        host_id: HostId::new("vm1"),
        agent_id: None,
        stack_id: None,
        deployment_id: None,
        plan_id: String::new(),
        container_id: None,
        priority: 5,
        slack: 0,
        payload: Arc::new(action),
        undo: None,
        why: String::new(),
        depends_on: Vec::new(),
        gate: crate::task::Gate::default(),
        date_created: Timestamp::UNIX_EPOCH,
        created_by: None,
        scheduled_by: String::new(),
        assigned_at: None,
        started_at: None,
        completed_at: None,
        error: None,
        result: None,
        retry_count: 0,
        max_retries: 0,
        lost_count: 0,
        timeout_seconds: 20,
        attempt: 1,
        lease: Some(lease),
        not_before: None,
        cancel_requested: None,
        progress: None,
    }
}

#[test]
fn no_more_run_at_once_than_there_are_slots() {
    let mut tried = Tried::new(2);
    assert_eq!(tried.claimed().map(|call| call.max), Some(4));
    tried.grant([stop(1, "a"), stop(2, "b"), stop(3, "c"), stop(4, "d")]);
    assert_eq!(tried.started(), [1, 2]);
    assert!(tried.claimed().is_none());
    assert_eq!(tried.end(1).started(), [3]);
    assert_eq!(tried.claimed().map(|call| call.max), Some(1));
}

#[test]
fn the_more_urgent_begins_first() {
    let mut tried = Tried::new(1);
    let urgent = Task { priority: 9, ..stop(3, "c") };
    tried.grant([stop(1, "a"), stop(2, "b"), urgent]);
    assert_eq!(tried.started(), [3]);
    assert_eq!(tried.end(3).started(), [1]);
}

#[test]
fn one_container_is_acted_on_by_one_attempt_at_a_time_in_order() {
    let mut tried = Tried::new(4);
    let urgent = Task { priority: 9, ..stop(2, "web") };
    tried.grant([stop(1, "web"), urgent, stop(3, "db")]);
    assert_eq!(tried.started(), [1, 3]);
    assert_eq!(tried.enter(1, Phase::Settling).started(), [0; 0]);
    assert_eq!(tried.end(1).started(), [2]);
}

#[test]
fn those_who_wait_behind_a_busy_container_keep_nobody_from_asking_for_more() {
    let mut tried = Tried::new(1);
    tried.grant([stop(1, "web"), stop(2, "web"), stop(3, "web")]);
    assert_eq!(tried.claimed().map(|call| call.max), Some(1));
    assert_eq!(tried.enter(1, Phase::Settling).grant([]).claimed().map(|call| call.max), Some(2));
}

#[test]
fn who_merely_waits_gives_its_slot_back() {
    let mut tried = Tried::new(1);
    tried.grant([stop(1, "a"), stop(2, "b"), stop(3, "c")]);
    assert_eq!(tried.enter(1, Phase::Settling).started(), [2]);
    assert_eq!(tried.pass(1900).started(), [0; 0]);
    assert_eq!(tried.pass(200).started(), [3], "the second was given two seconds to work");
}

#[test]
fn two_pulls_of_one_image_are_one() {
    let mut tried = Tried::new(4);
    tried.grant([pull(1), pull(2), pull(3)]);
    assert_eq!(tried.started(), [1]);
    assert_eq!(tried.end(1).reported().len(), 3);
}

#[test]
fn a_shared_pull_goes_on_when_its_first_asker_is_cancelled() {
    let mut tried = Tried::new(4);
    tried.grant([pull(1), pull(2)]);
    assert_eq!(tried.pass(1000).renewed().map(|call| call.leases.len()), Some(2));
    tried.take(Input::Renewed(vec![held(1, Some("no longer wanted")), held(2, None)]));
    assert_eq!((tried.stopped(), tried.started()), (vec![key(1, 1)], vec![2]));
    assert_eq!(tried.reported(), [Outcome::Cancelled]);
}

#[test]
fn a_lease_that_is_not_renewed_in_time_ends_its_attempt_before_it_runs_out() {
    let mut tried = Tried::new(4);
    tried.grant([Task { timeout_seconds: 300, ..stop(1, "a") }]);
    assert!(tried.engine.wake_at().is_some_and(|moment| moment > tried.now));
    assert!(tried.pass(23_000).stopped().is_empty());
    tried.pass(1000);
    assert_eq!((tried.stopped(), tried.reported()), (vec![key(1, 1)], vec![]));
}

#[test]
fn renewals_count_from_when_they_left() {
    let mut tried = Tried::new(4);
    tried.grant([Task { timeout_seconds: 300, ..stop(1, "a") }]);
    assert!(tried.pass(1000).renewed().is_some());
    tried.now += Duration::from_secs(10);
    tried.take(Input::Renewed(vec![held(1, None)]));
    assert!(tried.pass(13_000).stopped().is_empty());
    assert_eq!(tried.pass(1000).stopped(), [key(1, 1)]);
}

#[test]
fn a_lease_that_is_no_longer_known_ends_its_attempt_in_silence() {
    let mut tried = Tried::new(4);
    tried.grant([stop(1, "a"), stop(2, "b")]).pass(1000);
    tried.take(Input::Renewed(vec![held(2, None)]));
    assert_eq!((tried.stopped(), tried.reported()), (vec![key(1, 1)], vec![]));
}

#[test]
fn an_attempt_past_its_deadline_is_stopped_and_reported() {
    let mut tried = Tried::new(4);
    tried.grant([stop(1, "a")]);
    tried.enter(1, Phase::Stopping);
    tried.pass(20_000);
    assert_eq!(tried.stopped(), [key(1, 1)]);
    let [Outcome::Failed(error)] = &tried.reported()[..] else { unreachable!("{:?}", tried.commands) };
    assert_eq!((error.code.as_str(), error.retryable), ("timed-out", true));
    assert!(error.message.ends_with("stopping"), "{}", error.message);
}

#[test]
fn a_newer_attempt_takes_the_place_of_an_older_one() {
    let mut tried = Tried::new(4);
    tried.grant([stop(1, "a")]);
    let mut again = stop(1, "a");
    again.attempt = 2;
    if let Some(lease) = &mut again.lease {
        lease.attempt = 2;
    }
    tried.grant([again]);
    let order: Vec<_> =
        tried.commands.iter().filter(|command| matches!(command, Command::Stop(_) | Command::Start(..))).collect();
    assert!(matches!(order[..], [Command::Stop(_), Command::Start(..)]), "{order:?}");
    assert!(tried.end(1).reported().is_empty(), "the older attempt is not heard any more");
}

#[test]
fn a_claim_keeps_its_id_until_it_is_answered() {
    let mut tried = Tried::new(4);
    let first = tried.claimed().map(|call| call.claim.clone());
    let unreachable = || LinkError::Unreachable("no route".to_owned());
    assert!(tried.take(Input::LinkFailed(Call::Claim, unreachable())).claimed().is_none());
    assert!(tried.engine.wake_at().is_some_and(|moment| moment > tried.now));
    assert_eq!(tried.pass(300).claimed().map(|call| call.claim.clone()), first);
    tried.grant([]);
    assert_ne!(tried.claimed().map(|call| call.claim.clone()), first);
}

#[test]
fn a_grant_counts_from_when_it_was_asked_for() {
    // The answer was on its way, or the agent was stopped, for so long: the store may have given the task to another.
    for (millis, started) in [(23_000, vec![1]), (24_000, vec![])] {
        let mut tried = Tried::new(4);
        assert!(tried.claimed().is_some());
        tried.now += Duration::from_millis(millis);
        assert_eq!(tried.grant([stop(1, "a")]).started(), started, "after {millis} ms");
    }
}

#[test]
fn what_is_granted_at_the_end_of_a_wait_has_time_left() {
    let mut tried = Tried::new(4);
    let wait = tried.claimed().map(|call| call.wait).unwrap_or_default();
    tried.now += wait;
    tried.grant([stop(1, "a")]);
    assert_eq!(tried.started(), [1]);
    assert!(wait >= Duration::from_secs(10), "{wait:?}");
    assert_eq!(tried.renewed().map(|call| call.leases.len()), Some(1), "and it is renewed at once");
}

#[test]
fn a_grant_that_comes_twice_is_done_once() {
    let mut tried = Tried::new(4);
    assert_eq!(tried.grant([stop(1, "a")]).started(), [1]);
    assert_eq!(tried.grant([stop(1, "a")]).started(), [0; 0]);
    tried.end(1);
    assert_eq!(tried.grant([stop(1, "a")]).started(), [0; 0], "its report is on its way");
}

#[test]
fn pauses_grow_and_end_with_the_first_answer() {
    let mut tried = Tried::new(4);
    let mut pauses = Vec::new();
    for _ in 0..10 {
        tried.take(Input::LinkFailed(Call::Claim, LinkError::Unreachable(String::new())));
        let pause = tried.engine.wake_at().map_or(Duration::ZERO, |moment| moment - tried.now);
        pauses.push(pause);
        tried.now += pause;
        tried.take(Input::Tick);
    }
    assert!(pauses[0] >= Duration::from_millis(150) && pauses[0] <= Duration::from_millis(250), "{pauses:?}");
    assert!(pauses[9] >= Duration::from_millis(3750) && pauses[9] <= Duration::from_millis(6250), "{pauses:?}");
}

#[test]
fn a_superseded_agent_stops_everything_and_never_acts_again() {
    let mut tried = Tried::new(4);
    tried.grant([stop(1, "a"), stop(2, "b")]);
    tried.take(Input::LinkFailed(Call::Claim, LinkError::SessionLost("newer".to_owned())));
    let quit = Command::Quit(Quit::Superseded("newer".to_owned()));
    assert_eq!(tried.commands, [Command::Stop(key(1, 1)), Command::Stop(key(2, 1)), quit.clone()]);
    assert_eq!(tried.grant([stop(3, "c")]).commands, [quit]);
}

#[test]
fn a_control_plane_that_was_set_back_gets_a_new_session_above_the_old() {
    let mut tried = Tried::new(4);
    tried.grant([stop(1, "a")]);
    tried.take(Input::LinkFailed(Call::Claim, LinkError::SessionUnknown("started empty".to_owned())));
    assert_eq!(tried.stopped(), [key(1, 1)]);
    let opened = tried.commands.iter().find_map(|command| match command {
        Command::OpenSession(request) => Some(request.seen_epoch),
        _ => None,
    });
    assert_eq!(opened, Some(EPOCH));
    assert!(tried.grant([stop(2, "b")]).started().is_empty(), "it was granted to the session that is gone");
}

#[test]
fn news_of_many_attempts_travel_together() {
    let mut tried = Tried::new(4);
    tried.grant([stop(1, "a"), stop(2, "b")]);
    tried.now += Duration::from_millis(20);
    tried.enter(1, Phase::Stopping).enter(2, Phase::Stopping);
    assert!(tried.renewed().is_none(), "they are gathered");
    let news = |call: &RenewCall| call.leases.iter().filter(|lease| lease.progress.is_some()).count();
    assert_eq!(tried.pass(250).renewed().map(news), Some(2));
}

#[test]
fn more_bytes_of_a_pull_go_with_the_next_renewal_and_none_is_lost() {
    let arrived = |bytes| Step { phase: Phase::Pulling, message: String::new(), bytes: Some((bytes, 100)) };
    let told = |tried: &Tried| tried.renewed().and_then(|call| call.leases[0].progress.clone()?.bytes);
    let mut tried = Tried::new(4);
    tried.grant([pull(1)]).enter(1, Phase::Pulling).pass(250).take(Input::Renewed(vec![held(1, None)]));
    tried.take(Input::Stepped(key(1, 1), arrived(10)));
    assert_eq!(told(tried.pass(250)), Some(10), "the first bytes are told at once");
    tried.take(Input::Renewed(vec![held(1, None)]));
    tried.take(Input::Stepped(key(1, 1), arrived(20))).take(Input::Stepped(key(1, 1), arrived(30)));
    assert!(tried.pass(500).renewed().is_none(), "more of them are no news");
    assert_eq!(told(tried.pass(500)), Some(30));
}

#[test]
fn claims_that_count_are_renewals_enough_while_nothing_is_held() {
    let mut tried = Tried::with(2, Some(7_500));
    assert_eq!(tried.renewed(), None, "not even once");
    assert_eq!(tried.claimed().map(|call| call.wait), Some(Duration::from_millis(7_500)));
    assert_eq!(tried.pass(7_000).commands, []);
    assert_eq!(tried.engine.wake_at(), None, "there is nothing to wake up for");
    assert_eq!(tried.grant([stop(1, "a")]).renewed().map(|call| call.leases.len()), Some(1));
    tried.take(Input::Renewed(vec![held(1, None)]));
    assert!(tried.pass(1_000).renewed().is_some());
    tried.take(Input::Renewed(vec![held(1, None)])).end(1);
    tried.take(Input::Acknowledged(key(1, 1)));
    assert_eq!(tried.pass(60_000).renewed(), None);
    // Whoever asks for nothing more is not heard by that.
    let mut tried = Tried::with(2, Some(7_500));
    tried.grant([stop(1, "a")]).take(Input::Closing);
    tried.take(Input::Renewed(vec![held(1, None)]));
    assert!(tried.pass(1_000).renewed().is_some());
}
