//! An agent that has nothing to do is heard by its claims, and by nothing else.

use async_trait::async_trait;
use futures::future::{Either, select};
use graphium_core::{
    action::Action,
    agent::{
        Agent, AgentLink, AgentSettings, ClaimCall, Held, HostReport, LinkError, MemoryJournal, Notice, RenewCall,
        SessionGrant,
    },
    control::{Control, Settings},
    environment::Environment,
    event::NoSink,
    store::{MemoryStore, SessionRequest, Submission, TaskStore},
    task::{Lease, Outcome, Task},
    testing::{FakeRuntime, ManualEnvironment, Operation},
};
use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

/// A control plane at the other end of a wire that can be lost without a word.
#[derive(Debug)]
struct Wire {
    control: Arc<Control>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    counts: BTreeMap<&'static str, usize>,
    /// So many calls are never answered.
    swallows: usize,
    /// The control plane says nothing of claims that count.
    is_old: bool,
}

impl Wire {
    /// Notes a call; one that is swallowed ends when the caller loses patience.
    async fn send(&self, call: &'static str) {
        let is_swallowed = {
            let mut state = self.state.lock().unwrap();
            *state.counts.entry(call).or_default() += 1;
            let left = state.swallows.checked_sub(1);
            state.swallows = left.unwrap_or(0);
            left.is_some()
        };
        if is_swallowed {
            std::future::pending::<()>().await;
        }
    }

    fn swallow(&self, calls: usize) {
        self.state.lock().unwrap().swallows = calls;
    }

    /// How often was called what since it was asked last.
    fn counts(&self) -> BTreeMap<&'static str, usize> {
        std::mem::take(&mut self.state.lock().unwrap().counts)
    }
}

#[async_trait]
impl AgentLink for Wire {
    async fn open_session(&self, request: &SessionRequest) -> Result<SessionGrant, LinkError> {
        self.send("session").await;
        let grant = self.control.open_session(request).await?;
        let is_old = self.state.lock().unwrap().is_old;
        Ok(if is_old { SessionGrant { contact_ms: None, ..grant } } else { grant })
    }
    async fn claim(&self, call: &ClaimCall) -> Result<Vec<Task>, LinkError> {
        self.send("claim").await;
        self.control.claim(call).await
    }
    async fn renew(&self, call: &RenewCall) -> Result<Vec<Held>, LinkError> {
        self.send("renew").await;
        self.control.renew(call).await
    }
    async fn report(&self, lease: &Lease, outcome: &Outcome) -> Result<(), LinkError> {
        self.send("report").await;
        self.control.report(lease, outcome).await
    }
    async fn observe(&self, report: &HostReport) -> Result<(), LinkError> {
        self.send("observe").await;
        self.control.observe(report).await
    }
}

/// An agent of `vm1`, its control plane, and the wire between them.
struct Contact {
    environment: ManualEnvironment,
    store: Arc<MemoryStore>,
    wire: Arc<Wire>,
    engine: FakeRuntime,
    /// How long the program needs to say that the control plane is lost.
    slowness: Duration,
}

impl Contact {
    fn new() -> Self {
        let (environment, store) = (ManualEnvironment::default(), Arc::new(MemoryStore::new()));
        let shared = Arc::new(environment.clone());
        let opened = Control::open(Arc::clone(&store) as _, Arc::new(NoSink), shared.clone(), Settings::default());
        let control = environment.run(opened).unwrap();
        let wire = Arc::new(Wire { control, state: Mutex::default() });
        let engine = FakeRuntime::with_environment(shared);
        Self { environment, store, wire, engine, slowness: Duration::ZERO }
    }

    /// Lets the agent serve while the script goes on.
    fn run<T>(&self, script: impl Future<Output = T>) -> T {
        let (environment, slowness) = (self.environment.clone(), self.slowness);
        let notify = Arc::new(move |notice: &Notice| {
            if matches!(notice, Notice::LinkLost(_)) {
                environment.advance(slowness);
            }
        });
        let agent = Agent::new(
            Arc::clone(&self.wire) as _,
            Arc::new(self.engine.clone()),
            Arc::new(self.environment.clone()),
            Box::new(MemoryJournal::default()),
            AgentSettings { address: Some([10, 0, 0, 1].into()), notify, ..AgentSettings::new("vm1".into(), 2) },
        );
        let control = Arc::clone(&self.wire.control).run();
        let house = async { futures::join!(agent.run(std::future::pending()), control) };
        match self.environment.run(select(pin!(script), pin!(house))) {
            Either::Left((output, _)) => output,
            Either::Right(_) => panic!("the agent has ended"),
        }
    }

    async fn sleep(&self, seconds: u64) {
        self.environment.sleep(Duration::from_secs(seconds)).await;
    }

    async fn is_offline(&self) -> bool {
        self.wire.control.host(&"vm1".into()).await.unwrap().offline_since.is_some()
    }

    /// Lets so many seconds pass; the first in which the host is offline.
    async fn offline_within(&self, seconds: u64) -> Option<u64> {
        for second in 1..=seconds {
            self.sleep(1).await;
            if self.is_offline().await {
                return Some(second);
            }
        }
        None
    }
}

#[test]
fn an_agent_without_work_asks_for_some_and_calls_for_nothing_else() {
    let contact = Contact::new();
    contact.run(async {
        contact.sleep(5).await;
        contact.wire.counts();
        assert_eq!(contact.offline_within(60).await, None);
        let counts = contact.wire.counts();
        // Three eighths of the 15 s for which a host may be silent, and everything is told every 30 s.
        assert!((9..=11).contains(&counts["claim"]), "{counts:?}");
        assert!(counts["observe"] <= 3 && counts.len() == 2, "{counts:?}");
    });
}

#[test]
fn an_agent_that_holds_a_lease_renews_it_every_second() {
    let contact = Contact::new();
    contact.run(async {
        contact.sleep(5).await;
        contact.engine.hang(Operation::Stop);
        contact.engine.hang(Operation::Inspect);
        let (environment, action) = (&contact.environment, Action::Stop { name: "web".to_owned() });
        let task = Task::new("task:1".into(), "vm1".into(), action, environment.now());
        let tasks = Submission { tasks: vec![task], ..Submission::default() };
        contact.store.submit(tasks, environment.now()).await.unwrap();
        contact.sleep(10).await;
        contact.wire.counts();
        contact.sleep(20).await;
        let counts = contact.wire.counts();
        assert!(counts["renew"] >= 15, "{counts:?}");
        contact.engine.release();
        contact.sleep(10).await;
        contact.wire.counts();
        contact.sleep(20).await;
        assert_eq!(contact.wire.counts().get("renew"), None, "it holds nothing any more");
    });
}

#[test]
fn to_a_control_plane_of_before_an_agent_shows_that_it_lives_as_ever() {
    let contact = Contact::new();
    contact.wire.state.lock().unwrap().is_old = true;
    contact.run(async {
        contact.sleep(5).await;
        contact.wire.counts();
        contact.sleep(60).await;
        let counts = contact.wire.counts();
        assert!((11..=13).contains(&counts["renew"]), "{counts:?}");
    });
}

#[test]
fn a_claim_that_is_lost_without_a_word_makes_no_host_offline() {
    let contact = Contact::new();
    contact.run(async {
        for _ in 0..20 {
            contact.sleep(9).await;
            contact.wire.swallow(1);
            assert_eq!(contact.offline_within(30).await, None);
            assert_eq!(contact.wire.state.lock().unwrap().swallows, 0);
        }
    });
}

#[test]
fn a_host_that_is_cut_off_is_offline_in_time_though_its_claim_is_parked_and_back_when_it_is_heard() {
    let contact = Contact::new();
    contact.run(async {
        contact.sleep(20).await;
        contact.wire.swallow(usize::MAX);
        // What was parked then is all that the control plane has.
        let offline = contact.offline_within(30).await;
        assert!(offline.is_some_and(|second| (8..=21).contains(&second)), "{offline:?}");
        contact.wire.swallow(0);
        contact.sleep(20).await;
        assert!(!contact.is_offline().await);
    });
}

#[test]
fn an_agent_whose_machine_is_slower_than_its_pauses_goes_on_all_the_same() {
    // From when a call has failed until the agent looks at the clock again.
    for slowness in [0, 100, 200, 300, 1_000, 60_000].map(Duration::from_millis) {
        let contact = Contact { slowness, ..Contact::new() };
        contact.run(async {
            contact.sleep(20).await;
            contact.wire.swallow(1);
            contact.sleep(30).await;
            contact.wire.counts();
            contact.sleep(60).await;
            let counts = contact.wire.counts();
            assert!(counts.get("claim").is_some_and(|claims| *claims >= 9), "{slowness:?}: {counts:?}");
        });
    }
}
