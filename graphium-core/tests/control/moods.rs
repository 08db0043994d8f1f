//! A store with bad moments, and callers who hang up.

use crate::world::{container, stack};
use async_trait::async_trait;
use futures::FutureExt as _;
use graphium_core::{
    agent::{AgentLink, ClaimCall, HostReport},
    control::{Control, DeployOptions, RollbackState, Settings, StackStatus},
    environment::Environment,
    event::NoSink,
    id::ClaimId,
    stack::OnFailure,
    store::{Key, Kind, MemoryStore, Record, SessionRequest, StoreError, Submission, Submitted, TaskStore},
    task::{Outcome, TaskError, TaskResult, TaskStatus},
    testing::{Decorated, ManualEnvironment, StoreDecorator},
};
use jiff::Timestamp;
use serde_json::json;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// How the store takes what it is asked to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mood {
    #[default]
    Good,
    /// Writes nothing and says so.
    Refuses,
    /// Writes and never answers.
    Silent,
    /// Writes and says that it does not know.
    Forgets,
}

#[derive(Debug, Default)]
pub(crate) struct Moody {
    inner: MemoryStore,
    mood: Mutex<Mood>,
    /// What the next read of it finds, as if all that was written since came a moment later.
    earlier: Mutex<Option<Record>>,
}

impl Moody {
    fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
}

#[async_trait]
impl StoreDecorator for Moody {
    fn inner(&self) -> &dyn TaskStore {
        &self.inner
    }
    async fn submit(&self, submission: Submission, now: Timestamp) -> Result<Submitted, StoreError> {
        let mood = *self.mood.lock().unwrap();
        if mood == Mood::Refuses {
            return Err(StoreError::Unavailable("not now".to_owned()));
        }
        let submitted = self.inner.submit(submission, now).await?;
        match mood {
            Mood::Silent => std::future::pending().await,
            Mood::Forgets => Err(StoreError::Unavailable("nobody knows".to_owned())),
            Mood::Good | Mood::Refuses => Ok(submitted),
        }
    }
    async fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        let earlier = self.earlier.lock().unwrap().take_if(|record| record.key == *key);
        if earlier.is_some() {
            return Ok(earlier);
        }
        self.inner.record(key).await
    }
}

fn start(environment: &ManualEnvironment, store: &Arc<Decorated<Moody>>) -> Arc<Control> {
    let opened = Control::open(store.clone(), Arc::new(NoSink), Arc::new(environment.clone()), Settings::default());
    environment.run(opened).unwrap()
}

struct Bed {
    environment: ManualEnvironment,
    store: Arc<Decorated<Moody>>,
    control: Arc<Control>,
    epoch: u64,
}

impl Bed {
    /// A control plane, and an agent of `vm1` that has told what its host is.
    fn new() -> Self {
        let environment = ManualEnvironment::default();
        let store = Arc::new(Decorated(Moody::default()));
        let control = start(&environment, &store);
        let request = SessionRequest { host: "vm1".into(), nonce: "one".to_owned(), seen_epoch: 0 };
        let epoch = environment.run(control.open_session(&request)).unwrap().session.epoch;
        let bed = Self { environment, store, control, epoch };
        bed.observe(&[]);
        bed
    }

    fn restart(&mut self) {
        self.control = start(&self.environment, &self.store);
    }

    /// Tells that the containers of these stacks have ended, and that there are no others.
    fn observe(&self, ended: &[&str]) {
        self.show("exited", ended);
    }

    fn show(&self, status: &str, stacks: &[&str]) {
        self.environment.run(self.control.observe(&self.report(status, stacks))).unwrap();
    }

    fn report(&self, status: &str, stacks: &[&str]) -> HostReport {
        let container = |stack: &&str| {
            json!({
                "@id": *stack, "name": format!("{stack}-web"), "status": status, "exitCode": 1, "hostedOn": "vm1",
                "labels": {"graphium.managed": "true", "graphium.stack": format!("stack:{stack}")},
            })
        };
        let containers: Vec<_> = stacks.iter().map(container).collect();
        let report = json!({
            "host": "vm1", "epoch": self.epoch, "ipAddress": "10.0.0.1", "agentVersion": "1", "containers": containers,
        });
        serde_json::from_value(report).unwrap()
    }

    fn deploy(&self, name: &str) {
        let stack = stack(name, vec![container("web", "vm1", None, &[])]);
        self.environment.run(self.control.deploy(stack, DeployOptions::default())).unwrap();
    }

    /// Does everything that the agent may do.
    fn work(&self) {
        self.end_all_with(&Outcome::Completed(TaskResult { success: true, ..TaskResult::default() }));
    }

    fn end_all_with(&self, outcome: &Outcome) {
        loop {
            let claim = ClaimId::new(format!("{:x}", self.environment.random()));
            let call =
                ClaimCall { host: "vm1".into(), epoch: self.epoch, claim, max: 10, wait: Duration::from_millis(1) };
            let tasks = self.environment.run(self.control.claim(&call)).unwrap();
            if tasks.is_empty() {
                return;
            }
            for task in tasks {
                self.environment.run(self.control.report(task.lease.as_ref().unwrap(), outcome)).unwrap();
            }
        }
    }

    fn tick(&self) -> bool {
        self.environment.run(self.control.tick()).is_ok()
    }

    fn recorded(&self, name: &str) -> StackStatus {
        self.environment.run(self.control.stack(name)).unwrap().status
    }
}

#[test]
fn what_cannot_be_settled_keeps_nothing_else_from_being_settled_later() {
    let mut bed = Bed::new();
    bed.deploy("blog");
    bed.deploy("shop");
    bed.work();
    bed.show("running", &["blog", "shop"]);
    assert!(bed.tick());
    assert_eq!((bed.recorded("blog"), bed.recorded("shop")), (StackStatus::Running, StackStatus::Running));
    bed.observe(&["blog", "shop"]);
    // The program ends before it has looked at what became of the two, and starts while nothing can be written.
    bed.restart();
    bed.store.0.be(Mood::Refuses);
    assert!(!bed.tick() && !bed.tick());
    bed.store.0.be(Mood::Good);
    assert!(bed.tick());
    assert_eq!((bed.recorded("blog"), bed.recorded("shop")), (StackStatus::Error, StackStatus::Error));
}

#[test]
fn a_host_that_falls_silent_while_nothing_can_be_written_is_offline_when_it_can() {
    let bed = Bed::new();
    bed.environment.advance(Duration::from_secs(60));
    bed.store.0.be(Mood::Refuses);
    assert!(!bed.tick());
    bed.store.0.be(Mood::Good);
    assert!(bed.tick());
    let host = bed.environment.run(bed.control.host(&"vm1".into())).unwrap();
    assert!(host.offline_since.is_some());
    // And the same way back.
    bed.store.0.be(Mood::Refuses);
    let renewal = graphium_core::agent::RenewCall { host: "vm1".into(), epoch: bed.epoch, leases: Vec::new() };
    assert!(bed.environment.run(bed.control.renew(&renewal)).is_err());
    bed.store.0.be(Mood::Good);
    bed.environment.run(bed.control.renew(&renewal)).unwrap();
    let host = bed.environment.run(bed.control.host(&"vm1".into())).unwrap();
    assert_eq!(host.offline_since, None);
}

#[test]
fn a_host_whose_return_was_written_by_a_write_that_failed_is_offline_when_it_falls_silent_again() {
    for mood in [Mood::Forgets, Mood::Silent] {
        let bed = Bed::new();
        bed.environment.advance(Duration::from_secs(60));
        assert!(bed.tick());
        bed.store.0.be(mood);
        let renewal = graphium_core::agent::RenewCall { host: "vm1".into(), epoch: bed.epoch, leases: Vec::new() };
        // Whoever waits too long for the silent one hangs up.
        assert!(!matches!(bed.control.renew(&renewal).now_or_never(), Some(Ok(_))));
        bed.store.0.be(Mood::Good);
        let since = || bed.environment.run(bed.control.host(&"vm1".into())).unwrap().offline_since;
        assert_eq!(since(), None, "it was written");
        bed.environment.advance(Duration::from_secs(60));
        assert!(bed.tick());
        assert!(since().is_some(), "{mood:?}");
    }
}

#[test]
fn what_was_seen_in_a_write_without_an_answer_is_looked_at_although_it_is_no_news_any_more() {
    for mood in [Mood::Forgets, Mood::Silent] {
        let bed = Bed::new();
        bed.deploy("shop");
        bed.work();
        bed.show("running", &["shop"]);
        assert!(bed.tick());
        assert_eq!(bed.recorded("shop"), StackStatus::Running);
        bed.store.0.be(mood);
        let report = bed.report("exited", &["shop"]);
        // Whoever waits too long for the silent one hangs up.
        assert!(!matches!(bed.control.observe(&report).now_or_never(), Some(Ok(()))));
        bed.store.0.be(Mood::Good);
        bed.observe(&["shop"]);
        assert!(bed.tick());
        assert_eq!(bed.recorded("shop"), StackStatus::Error, "{mood:?}");
    }
}

#[test]
fn a_deployment_whose_caller_hung_up_before_the_answer_is_watched_like_any_other() {
    let bed = Bed::new();
    bed.store.0.be(Mood::Silent);
    let stack = stack("shop", vec![container("web", "vm1", None, &[])]);
    let options = DeployOptions { timeout: Some(Duration::from_secs(30)), ..DeployOptions::default() };
    assert!(bed.control.deploy(stack, options).now_or_never().is_none(), "the store answers nobody");
    bed.store.0.be(Mood::Good);
    assert!(bed.tick());
    assert_eq!(bed.recorded("shop"), StackStatus::Deploying);
    bed.environment.advance(Duration::from_secs(31));
    assert!(bed.tick());
    let status = bed.environment.run(bed.control.status("shop")).unwrap();
    let cancelled = status.tasks_by_status[&TaskStatus::Cancelled];
    assert_eq!((cancelled, status.overall_status), (status.total_tasks, StackStatus::Error));
}

#[test]
fn a_deployment_that_is_asked_for_while_its_way_back_begins_is_never_shown_as_ended() {
    let bed = Bed::new();
    let stack = stack("shop", vec![container("web", "vm1", None, &[])]);
    let options = DeployOptions { on_failure: Some(OnFailure::Rollback), ..DeployOptions::default() };
    let id = bed.environment.run(bed.control.deploy(stack, options)).unwrap().deployment_id;
    let status = || bed.environment.run(bed.control.status(id.as_str())).unwrap().rollback_state;
    let error = TaskError {
        code: "exited".into(),
        message: "container ended with exit code 1".to_owned(),
        help: None,
        log: Vec::new(),
        retryable: false,
    };
    bed.end_all_with(&Outcome::Failed(error));
    assert_eq!(status(), Some(RollbackState::Due));
    let key = Key::new(Kind::Deployment, id.as_str());
    let before = bed.environment.run(bed.store.record(&key)).unwrap();
    assert!(bed.tick() && bed.tick());
    assert!(status().is_some_and(|state| state != RollbackState::Due), "it has begun");
    // The same question, asked a moment before: its first answer is from then.
    *bed.store.0.earlier.lock().unwrap() = before;
    assert!(status().is_some());
    assert_eq!(*bed.store.0.earlier.lock().unwrap(), None, "it was read");
}
