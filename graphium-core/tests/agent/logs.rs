//! Logs through an agent, in virtual time: what readers get, and that the agent's work does not notice.

use crate::bed::spec;
use futures::future::{AbortHandle, Either, abortable, select};
use graphium_core::{
    agent::{Agent, AgentSettings, MemoryJournal},
    control::{Control, DeployOptions, Settings, StackStatus},
    document::{ReadContext, read},
    environment::Environment,
    event::NoSink,
    id::HostId,
    log::{End, EndReason, LogFrame},
    runtime::{ContainerRuntime, LogSource, Tail},
    store::MemoryStore,
    stream::{LogReader, Wanted},
    testing::{FakeRuntime, ManualEnvironment, Operation, Program, Thing},
};
use std::{
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

/// A control plane, an agent that can be killed, and its engine.
pub(crate) struct House {
    pub(crate) environment: ManualEnvironment,
    pub(crate) control: Arc<Control>,
    pub(crate) engine: FakeRuntime,
    agent: Mutex<Option<AbortHandle>>,
}

impl House {
    pub(crate) fn new() -> Self {
        let environment = ManualEnvironment::default();
        let opened = Control::open(
            Arc::new(MemoryStore::new()),
            Arc::new(NoSink),
            Arc::new(environment.clone()),
            Settings::default(),
        );
        let control = environment.run(opened).unwrap();
        let engine = FakeRuntime::with_environment(Arc::new(environment.clone()));
        engine.put_image("web:1", Program::runs());
        Self { environment, control, engine, agent: Mutex::default() }
    }

    /// Lets an agent serve, again and again after it is killed, while the script goes on.
    pub(crate) fn run<T>(&self, script: impl Future<Output = T>) -> T {
        let agents = async {
            loop {
                let agent = Agent::new(
                    Arc::clone(&self.control) as _,
                    Arc::new(self.engine.clone()),
                    Arc::new(self.environment.clone()),
                    Box::new(MemoryJournal::default()),
                    AgentSettings { address: Some([10, 0, 0, 1].into()), ..AgentSettings::new("vm1".into(), 2) },
                );
                let (agent, kill) = abortable(agent.run(std::future::pending()));
                *self.agent.lock().unwrap() = Some(kill);
                let _killed = agent.await;
                self.environment.sleep(Duration::from_secs(3)).await;
            }
        };
        let house = async { futures::join!(agents, Arc::clone(&self.control).run()) };
        match self.environment.run(select(pin!(script), pin!(house))) {
            Either::Left((output, _)) => output,
            Either::Right(_) => unreachable!("the house works for ever"),
        }
    }

    pub(crate) fn kill_agent(&self) {
        self.agent.lock().unwrap().take().unwrap().abort();
    }

    pub(crate) async fn container(&self, name: &str) {
        self.engine.create(&spec(name)).await.unwrap();
        self.engine.start(name).await.unwrap();
    }

    fn read(&self, wanted: Wanted) -> LogReader {
        self.control.streams().read(&"vm1".into(), wanted).unwrap()
    }

    fn write(&self, text: &str) {
        self.engine.write("web", LogSource::Stdout, text.as_bytes());
    }
}

fn web() -> Wanted {
    Wanted { container: "web".to_owned(), ..Wanted::default() }
}

fn followed() -> Wanted {
    Wanted { follow: true, ..web() }
}

async fn begun(reader: &mut LogReader) -> String {
    match reader.next().await {
        Some(LogFrame::Begin(begin)) => begin.container_id,
        other => panic!("{other:?}"),
    }
}

/// What a log says until its end, and how it ends.
async fn rest(reader: &mut LogReader) -> (String, Option<End>) {
    let mut bytes = Vec::new();
    loop {
        match reader.next().await {
            Some(LogFrame::Line(line)) => bytes.extend(line.entry.bytes),
            Some(LogFrame::End(end)) => return (String::from_utf8(bytes).unwrap(), Some(end)),
            None => return (String::from_utf8(bytes).unwrap(), None),
            other => panic!("{other:?}"),
        }
    }
}

async fn end_of(reader: &mut LogReader) -> EndReason {
    rest(reader).await.1.unwrap().reason
}

#[test]
fn a_log_comes_whole_and_in_order_and_so_does_its_tail() {
    let house = House::new();
    house.run(async {
        house.container("web").await;
        house.write("one\ntwo\nthree\n");
        let mut reader = house.read(web());
        assert_eq!(begun(&mut reader).await, house.engine.container("web").unwrap().observed.id);
        let (text, end) = rest(&mut reader).await;
        assert_eq!((text.as_str(), end.unwrap().reason), ("one\ntwo\nthree\n", EndReason::Complete));
        let mut tail = house.read(Wanted { tail: Tail::Last(1), ..web() });
        begun(&mut tail).await;
        assert_eq!(rest(&mut tail).await.0, "three\n");
        house.environment.sleep(Duration::from_secs(60)).await;
        let now = house.environment.now();
        match house.read(web()).next().await {
            Some(LogFrame::Begin(begin)) => assert_eq!(begin.time, Some(now), "by the clock of the host"),
            other => panic!("{other:?}"),
        }
        house.write("four\n");
        let mut late = house.read(Wanted { since: "10s".parse().unwrap(), ..web() });
        begun(&mut late).await;
        assert_eq!(rest(&mut late).await.0, "four\n", "by the clock of the host");
    });
}

#[test]
fn a_large_piece_travels_in_parts() {
    let house = House::new();
    house.run(async {
        house.container("web").await;
        let long = "x".repeat(LogFrame::LARGEST * 3 + 7) + "\n";
        house.write(&long);
        let mut reader = house.read(web());
        begun(&mut reader).await;
        assert_eq!(rest(&mut reader).await.0, long);
    });
}

#[test]
fn what_is_followed_says_how_its_container_ended() {
    let house = House::new();
    house.run(async {
        house.container("web").await;
        let mut reader = house.read(followed());
        begun(&mut reader).await;
        house.write("now\n");
        house.environment.sleep(Duration::from_secs(100)).await;
        house.write("then\n");
        house.engine.exit("web", 3);
        let (text, end) = rest(&mut reader).await;
        assert_eq!(text, "now\nthen\n");
        assert_eq!(end, Some(End::new(EndReason::Exited, "container `web` ended with exit code 3")));

        house.engine.start("web").await.unwrap();
        let mut reader = house.read(followed());
        begun(&mut reader).await;
        house.engine.vanish("web");
        assert_eq!(rest(&mut reader).await.1, Some(End::new(EndReason::Removed, "container `web` was removed")));
    });
}

#[test]
fn what_cannot_be_read_is_told_and_why() {
    let house = House::new();
    house.run(async {
        assert_eq!(end_of(&mut house.read(web())).await, EndReason::NotFound);
        house.engine.make_foreign(Thing::Container, "web");
        assert_eq!(end_of(&mut house.read(web())).await, EndReason::NotOurs);
        house.engine.vanish("web");
        house.container("web").await;
        let another = Wanted { id: Some("another".to_owned()), ..web() };
        assert_eq!(end_of(&mut house.read(another)).await, EndReason::NotFound);
        let mut reader = house.read(followed());
        begun(&mut reader).await;
        house.engine.disconnect();
        assert_eq!(end_of(&mut reader).await, EndReason::EngineAway);
        assert_eq!(end_of(&mut house.read(web())).await, EndReason::EngineAway);
    });
}

#[test]
fn a_reader_loses_its_agent_and_the_next_agent_serves_the_next_reader() {
    let house = House::new();
    house.run(async {
        house.container("web").await;
        let mut reader = house.read(followed());
        begun(&mut reader).await;
        house.write("one\n");
        house.environment.sleep(Duration::from_secs(1)).await;
        house.kill_agent();
        // It is asked while no agent is there.
        let mut next = house.read(followed());
        assert_eq!(rest(&mut reader).await, ("one\n".to_owned(), None));
        begun(&mut next).await;
        house.write("two\n");
        house.engine.exit("web", 0);
        assert_eq!(rest(&mut next).await.0, "one\ntwo\n");
    });
}

#[test]
fn readers_that_do_not_read_and_engines_that_hang_hold_up_no_work() {
    let house = House::new();
    let stack = read(
        r#"{"@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "@id": "stack:shop",
            "name": "shop", "locatedInHost": {"@id": "host:vm1"}, "hasPart": [{"@type": "datacenter:Container",
            "@id": "container:db", "name": "db", "image": "web:1"}]}"#,
        &ReadContext::default(),
    );
    let stack = stack.unwrap().stack;
    house.run(async {
        house.container("web").await;
        for _ in 0..2000 {
            house.write("a line that nobody reads\n");
        }
        let mut slow: Vec<_> = (0..20).map(|_| house.read(followed())).collect();
        house.environment.sleep(Duration::from_secs(2)).await;
        house.engine.hang(Operation::Logs);
        let _stuck: Vec<_> = (0..5).map(|_| house.read(web())).collect();
        while house.control.host(&HostId::new("vm1")).await.is_err() {
            house.environment.sleep(Duration::from_millis(100)).await;
        }
        let begun_at = house.environment.elapsed();
        house.control.deploy(stack, DeployOptions::default()).await.unwrap();
        while house.control.status("shop").await.unwrap().overall_status != StackStatus::Running {
            house.environment.sleep(Duration::from_millis(100)).await;
            assert!(house.environment.elapsed() - begun_at < Duration::from_secs(5), "it takes as long as ever");
        }
        house.environment.sleep(Duration::from_secs(120)).await;
        let host = house.control.host(&HostId::new("vm1")).await.unwrap();
        assert_eq!(host.offline_since, None, "it is heard all the time");
        // And the slow ones have lost nothing.
        house.engine.exit("web", 0);
        begun(&mut slow[7]).await;
        assert_eq!(rest(&mut slow[7]).await.0.lines().count(), 2000);
    });
}

#[test]
fn an_agent_reads_so_many_logs_and_says_so_to_the_next() {
    let house = House::new();
    house.run(async {
        house.container("web").await;
        let mut readers: Vec<_> = (0..32).map(|_| house.read(followed())).collect();
        for reader in &mut readers {
            begun(reader).await;
        }
        let mut next = house.read(web());
        assert_eq!(end_of(&mut next).await, EndReason::TooMany);
        readers.truncate(31);
        let mut next = house.read(web());
        begun(&mut next).await;
    });
}
