//! What an agent costs that has nothing to do: one connection and a claim now and then, with which what readers want comes, too.

use crate::{
    bed::{eventually, report},
    logs::within,
};
use axum::{
    Json, Router,
    extract::{Request, State},
    http::StatusCode,
    response::IntoResponse as _,
};
use futures::StreamExt as _;
use graphium_core::{
    agent::{Agent, AgentLink, AgentSettings, ClaimCall, MemoryJournal},
    control::{Role, Settings},
    id::HostId,
    inventory::{Holding, Host},
    log::LogFrame,
    store::SessionRequest,
    stream::{LogReader, Wanted},
    testing::FakeRuntime,
};
use graphium_server::{
    RunningServer, ServerOptions, StoreAccess,
    api::wire::TokenRequest,
    client::{Client, HttpLink},
    environment::TokioEnvironment,
    start,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// For so long hosts may be silent here: claims are answered after half a second.
const SILENCE: Duration = Duration::from_millis(1250);

/// A server that expects to hear of its hosts often.
struct Busy {
    server: RunningServer,
    token: String,
    _folder: tempfile::TempDir,
}

impl Busy {
    async fn new() -> Self {
        Self::with(StoreAccess::Own).await
    }

    async fn with(store_access: StoreAccess) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = ServerOptions {
            notes: None,
            store_access,
            settings: Settings { offline_after: SILENCE, tick: Duration::from_millis(200), ..Settings::default() },
            ..ServerOptions::new("127.0.0.1:0".parse().unwrap(), "memory:", folder.path())
        };
        let server = start(options).await.unwrap();
        let token = std::fs::read_to_string(server.admin_token_file()).unwrap().trim().to_owned();
        Self { server, token, _folder: folder }
    }

    /// How often an agent has called what, by the last part of its path.
    async fn answered(&self) -> BTreeMap<String, u64> {
        let request = reqwest::Client::new().get(format!("{}/metrics", self.server.url())).bearer_auth(&self.token);
        let text = request.send().await.unwrap().text().await.unwrap();
        let lines = text.lines().filter_map(|line| {
            let (labels, count) = line.strip_prefix("graphium_http_requests_total{")?.split_once("} ")?;
            let route = labels.split('"').find(|part| part.starts_with("/api/v1/agents/"))?;
            Some((route.rsplit('/').next()?.to_owned(), count.parse::<f64>().ok()? as u64))
        });
        let mut counts = BTreeMap::new();
        lines.for_each(|(route, count)| *counts.entry(route).or_default() += count);
        counts
    }

    async fn is_offline(&self) -> bool {
        self.server.control().host(&HostId::new("vm1")).await.is_ok_and(|host| host.offline_since.is_some())
    }

    /// The token of the agent of `vm1`.
    async fn agents_token(&self) -> String {
        let admin = Client::new(&self.server.url(), Some(self.token.clone())).unwrap();
        let wanted = TokenRequest { host: Some("vm1".into()), ..TokenRequest::new(Role::Agent) };
        admin.create_token(&wanted).await.unwrap().token
    }

    async fn agent(&self, address: &str) -> JoinHandle<()> {
        let agent = serve(address, Some(self.agents_token().await));
        eventually("the host", async || {
            self.server.control().host(&HostId::new("vm1")).await.ok().filter(|host| host.offline_since.is_none())
        })
        .await;
        agent
    }
}

/// An agent of `vm1`, whose engine has one container.
fn serve(address: &str, token: Option<String>) -> JoinHandle<()> {
    let link = Arc::new(HttpLink::new(Client::new(address, token).unwrap()));
    let environment = Arc::new(TokioEnvironment::new());
    let engine = FakeRuntime::with_environment(environment.clone());
    let settings = AgentSettings { address: Some([10, 0, 0, 1].into()), ..AgentSettings::new("vm1".into(), 2) };
    let agent = Agent::new(link, Arc::new(engine), environment, Box::new(MemoryJournal::default()), settings);
    tokio::spawn(async move {
        let _ended = agent.run(std::future::pending()).await;
    })
}

/// What stands between an agent and its server, and counts connections. It can fall silent as a line that is cut does.
struct Middle {
    address: String,
    open: Arc<AtomicUsize>,
    ever: Arc<AtomicUsize>,
    is_cut: tokio::sync::watch::Sender<bool>,
}

impl Middle {
    async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (open, ever) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (is_cut, cut) = tokio::sync::watch::channel(false);
        let (counted, all) = (Arc::clone(&open), Arc::clone(&ever));
        tokio::spawn(async move {
            while let Ok((mut agent, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                all.fetch_add(1, Ordering::Relaxed);
                let (counted, mut cut, server) = (Arc::clone(&counted), cut.clone(), server.clone());
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(server).await.unwrap();
                    let is_cut = async move {
                        let _cut = cut.wait_for(|cut| *cut).await.is_ok();
                    };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut agent, &mut server) => {}
                        () = is_cut => std::future::pending().await,
                    }
                    counted.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Self { address, open, ever, is_cut }
    }
}

#[tokio::test]
async fn an_agent_that_waits_has_one_connection_and_calls_for_work_alone() {
    let busy = Busy::new().await;
    let middle = Middle::before(busy.server.addr().to_string()).await;
    let _agent = busy.agent(&middle.address).await;
    // Connections on which it has introduced itself, and told what runs, are closed when nobody has used them for a while.
    let one = async {
        while middle.open.load(Ordering::Relaxed) != 1 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), one).await.expect("one connection is left within 20 s");
    let (before, connections) = (busy.answered().await, middle.ever.load(Ordering::Relaxed));
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(middle.open.load(Ordering::Relaxed), 1);
        assert!(!busy.is_offline().await);
    }
    assert_eq!(middle.ever.load(Ordering::Relaxed), connections, "the same all the time");
    let after = busy.answered().await;
    let since = |call: &str| after.get(call).copied().unwrap_or(0) - before.get(call).copied().unwrap_or(0);
    assert!((6..=11).contains(&since("claim")), "{after:?}");
    assert_eq!((after.get("renew"), after.get("streams"), since("observation")), (None, None, 0), "{after:?}");
}

#[tokio::test]
async fn what_the_server_has_is_not_told_again() {
    for (store_access, is_own) in [(StoreAccess::Own, true), (StoreAccess::Shared, false)] {
        let busy = Busy::with(store_access).await;
        let link = HttpLink::new(Client::new(&busy.server.url(), Some(busy.agents_token().await)).unwrap());
        let hello = SessionRequest { host: "vm1".into(), nonce: "n".to_owned(), seen_epoch: 0 };
        let epoch = link.open_session(&hello).await.unwrap().session.epoch;
        let mut report = report("vm1", epoch);
        let call = ClaimCall { host: "vm1".into(), epoch, claim: "one".into(), max: 1, wait: Duration::ZERO };
        let tell = async |report: &_| {
            link.observe(report).await.unwrap();
            link.claim(&call).await.unwrap();
            busy.answered().await["observation"]
        };
        let mut told = Vec::new();
        for _ in 0..5 {
            told.push(tell(&report).await);
        }
        if !is_own {
            assert_eq!(told, [1, 2, 3, 4, 5], "others may change the store without a word");
            continue;
        }
        assert_eq!(told, [1; 5], "what the first has changed is as it was told");
        report.holdings = Some(Vec::<Holding>::new());
        assert_eq!([tell(&report).await, tell(&report).await], [2, 3], "everything is told with what the host holds");
        report.holdings = None;
        assert_eq!(tell(&report).await, 3);
        // Somebody else changes what is kept of the host: with the next answer to a claim the agent knows.
        let named = Host { name: "the first".to_owned(), ..Host::named("vm1".into()) };
        busy.server.control().register_host(named).await.unwrap();
        assert_eq!([tell(&report).await, tell(&report).await, tell(&report).await], [3, 4, 4]);
        // So it is of one that was removed, and comes back as soon as it is told of again.
        busy.server.control().remove_host(&"vm1".into()).await.unwrap();
        link.claim(&call).await.unwrap();
        assert_eq!(tell(&report).await, 5);
        assert!(!busy.is_offline().await);
    }
}

async fn begun(reader: &mut LogReader) -> bool {
    // The engine has no such container: that is an end, and the agent's own word.
    matches!(within("the agent", reader.next()).await, Some(LogFrame::Begin(_) | LogFrame::End(_)))
}

#[tokio::test]
async fn what_readers_want_comes_with_the_claim() {
    let busy = Busy::new().await;
    let _agent = busy.agent(&busy.server.url()).await;
    eventually("a claim", async || busy.answered().await.get("claim").copied()).await;
    for number in 0..5 {
        let wanted = Wanted { container: format!("web-{number}"), ..Wanted::default() };
        let asked = std::time::Instant::now();
        let mut reader = busy.server.control().streams().read(&"vm1".into(), wanted).unwrap();
        assert!(begun(&mut reader).await);
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    }
    let answered = busy.answered().await;
    assert_eq!(answered.get("streams"), None, "{answered:?}");
    assert!(answered.get("{stream}").is_some_and(|count| *count >= 5), "{answered:?}");
}

#[tokio::test]
async fn a_host_that_is_cut_off_is_offline_in_time_though_its_claim_lies_at_the_server() {
    let busy = Busy::new().await;
    let middle = Middle::before(busy.server.addr().to_string()).await;
    let agent = busy.agent(&middle.address).await;
    tokio::time::sleep(SILENCE * 2).await;
    assert!(!busy.is_offline().await);
    middle.is_cut.send_replace(true);
    // Nobody hears that the agent ends, either.
    agent.abort();
    let cut = std::time::Instant::now();
    eventually("the host is offline", async || busy.is_offline().await.then_some(())).await;
    assert!(cut.elapsed() > SILENCE / 3 && cut.elapsed() < SILENCE * 3, "{:?}", cut.elapsed());
}

#[tokio::test]
async fn an_agent_of_before_gets_what_it_asks_for_and_asks_for_logs_by_itself() {
    let busy = Busy::new().await;
    let call = async |path: &str, body: Value| {
        let url = format!("{}/api/v1/agents/vm1/{path}", busy.server.url());
        let request = reqwest::Client::new().request(Method::POST, url).bearer_auth(&busy.token).json(&body);
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    let granted = call("session", json!({"host": "vm1", "nonce": "n", "seenEpoch": 0})).await;
    assert_eq!(granted["contactMs"], 468, "{granted}");
    let epoch = &granted["session"]["epoch"];
    let claim = |wait: f64| json!({"epoch": epoch, "claim": "one", "max": 1, "waitSeconds": wait});
    let streams = busy.server.control().streams();
    let reader = streams.read(&"vm1".into(), Wanted { container: "web".to_owned(), ..Wanted::default() }).unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(call("claim", claim(10.0)).await, json!({"tasks": []}), "it would not know what to do with more");
    assert!(begun.elapsed() < Duration::from_secs(5), "it is answered as often as it is to be heard");
    let told = call("streams", json!({"epoch": epoch, "waitSeconds": 5, "can": ["exec"]})).await;
    assert_eq!(told["requests"][0]["container"], "web", "{told}");
    drop(reader);
    // One that says what it can do is told with the claim, at once, and is to ask again with the same.
    let _reader = streams.read(&"vm1".into(), Wanted { container: "db".to_owned(), ..Wanted::default() }).unwrap();
    let mut knows = claim(10.0);
    knows["can"] = json!(["exec"]);
    let told = call("claim", knows.clone()).await;
    assert_eq!((&told["tasks"], &told["streams"]["requests"][0]["container"]), (&json!([]), &json!("db")), "{told}");
    knows["waitSeconds"] = json!(0);
    assert_eq!(call("claim", knows).await, json!({"tasks": [], "streams": {"requests": []}}));
}

/// A server of before, which becomes one of this version.
#[derive(Default)]
struct Replaced {
    is_new: std::sync::atomic::AtomicBool,
    calls: Mutex<BTreeMap<String, usize>>,
    served: Mutex<Vec<String>>,
}

impl Replaced {
    fn calls(&self, call: &str) -> usize {
        self.calls.lock().unwrap().get(call).copied().unwrap_or(0)
    }
}

#[tokio::test]
async fn at_a_server_of_before_an_agent_asks_separately_and_renews_until_it_is_replaced() {
    let replaced = Arc::new(Replaced::default());
    let answer = async |State(replaced): State<Arc<Replaced>>, request: Request| {
        let path: Vec<String> = request.uri().path().split('/').map(str::to_owned).collect();
        let (call, stream) = (path[5].clone(), path.get(6).cloned());
        let is_new = replaced.is_new.load(Ordering::Relaxed);
        if let Some(stream) = stream {
            replaced.served.lock().unwrap().push(stream);
            let mut body = request.into_body().into_data_stream();
            while body.next().await.is_some() {}
            return StatusCode::NO_CONTENT.into_response();
        }
        let number = {
            let mut calls = replaced.calls.lock().unwrap();
            let count = calls.entry(call.clone()).or_default();
            *count += 1;
            *count
        };
        let log = |name: &str| json!({"stream": format!("{name}-{number}"), "container": "web", "follow": false});
        tokio::time::sleep(Duration::from_millis(100)).await;
        let told = match (&*call, is_new) {
            ("session", _) => {
                json!({"session": {"host": "vm1", "epoch": 1, "nonce": "n"}, "leaseSeconds": 30, "serverVersion": "1"})
            }
            ("renew", _) => json!({"held": []}),
            ("observation", _) => return StatusCode::NO_CONTENT.into_response(),
            ("claim", false) => json!({"tasks": []}),
            ("claim", true) => json!({"tasks": [], "streams": {"requests": [log("claim")]}}),
            _ => json!({"requests": [log("asked")]}),
        };
        Json(told).into_response()
    };
    let router = Router::new().fallback(answer).with_state(Arc::clone(&replaced));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let _agent = serve(&url, None);
    let served = |name: &str| replaced.served.lock().unwrap().iter().any(|stream| stream.starts_with(name));
    eventually("a log that was asked for", async || served("asked").then_some(())).await;
    eventually("a renewal", async || (replaced.calls("renew") > 0).then_some(())).await;

    replaced.is_new.store(true, Ordering::Relaxed);
    eventually("a log that came with a claim", async || served("claim").then_some(())).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = replaced.calls("streams");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(replaced.calls("streams"), before, "it comes with the claims now");

    replaced.is_new.store(false, Ordering::Relaxed);
    eventually("a question of its own", async || (replaced.calls("streams") > before + 1).then_some(())).await;
}
