//! A service that is replaced while somebody asks it all the time.

use crate::estate::{Estate, WEB, list};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinHandle;

const OLD: &str = "nginx:alpine";
const NEW: &str = "graphium/nginx:next";

/// What an ordinary reverse proxy is told: to ask for the name again and again, and where one address fails to try the next.
const PROXY: &str = "\
worker_processes 1;
events {}
http {
    access_log off;
    resolver 127.0.0.11 valid=1s ipv6=off;
    server {
        listen 80;
        location / {
            set $service web;
            proxy_pass http://$service:80;
            proxy_connect_timeout 2s;
        }
    }
}
";

/// So many servers of an image, replaced one at a time in this order, behind a proxy that stays.
fn shop(estate: &Estate, image: &str, replicas: u32, order: &str) -> String {
    let proxy = estate.path("proxy.conf");
    std::fs::write(&proxy, PROXY).unwrap();
    let mut web = json!({
        "@type": "datacenter:Container", "@id": "container:web", "name": "web", "image": image, "replicas": replicas,
        "locatedInHost": "vm1",
        "healthCheck": {"type": "http", "path": "/", "port": 80, "interval": "1s", "timeout": "2s", "retries": 2}
    });
    if image == WEB {
        // It runs, and listens elsewhere.
        web["environment"] = json!([{"name": "PORT", "value": "81"}]);
    }
    let front = json!({
        "@type": "datacenter:Container", "@id": "container:front", "name": "front", "image": OLD, "locatedInHost": "vm1",
        "ports": [{"containerPort": 80}],
        "volumeMounts": [{"type": "bind", "source": proxy, "target": "/etc/nginx/nginx.conf", "readOnly": true}]
    });
    let document = json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@id": "stack:shop", "@type": "datacenter:Stack", "name": "shop",
        "deployment": {"update": {"order": order, "onFailure": "rollback"}},
        "hasPart": [web, front]
    });
    estate.document("shop", &document)
}

/// Everything is up, and there is another image beside the first.
async fn running(replicas: u32, order: &str) -> Estate {
    let mut estate = Estate::start().await;
    estate.put_bystanders().await;
    estate.docker("vm1", &["tag", OLD, NEW]).await;
    estate.ok(&["stack", "deploy", &shop(&estate, OLD, replicas, order), "--wait", "--timeout", "2m"]).await;
    estate
}

/// Those who ask without a pause, and what they got.
struct Load {
    is_over: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    failures: Arc<Mutex<Vec<String>>>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    async fn on(estate: &Estate) -> Self {
        let port = estate.docker("vm1", &["port", "shop-front", "80/tcp"]).await;
        let port = port.lines().next().and_then(|line| line.rsplit(':').next()).unwrap().trim().to_owned();
        let url = format!("http://{}:{port}/", estate.host("vm1").address());
        let load =
            Self { is_over: Arc::default(), answered: Arc::default(), failures: Arc::default(), clients: Vec::new() };
        graphium_server::tls::ready();
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        let ask = || {
            let (client, url) = (client.clone(), url.clone());
            let (is_over, answered, failures) =
                (Arc::clone(&load.is_over), Arc::clone(&load.answered), Arc::clone(&load.failures));
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    let answer = async { client.get(&url).send().await?.error_for_status()?.text().await };
                    match answer.await {
                        Ok(text) if text.contains("Welcome to nginx") => drop(answered.fetch_add(1, Ordering::Relaxed)),
                        Ok(text) => failures.lock().unwrap().push(text),
                        Err(error) => failures.lock().unwrap().push(error.to_string()),
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            })
        };
        let clients = (0..4).map(|_| ask()).collect();
        let load = Self { clients, ..load };
        while load.answered() < 50 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        load
    }

    fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// How many were answered, and what the others were told.
    async fn end(self) -> (usize, Vec<String>) {
        self.is_over.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
        let failures = std::mem::take(&mut *self.failures.lock().unwrap());
        (self.answered.load(Ordering::Relaxed), failures)
    }
}

/// Names and images of the containers of the service, and of whatever else is of its stack but the proxy.
async fn servers(estate: &Estate) -> Vec<(String, String)> {
    let list = ["ps", "--all", "--filter", "label=graphium.managed=true", "--format", "{{.Names}} {{.Image}}"];
    let text = estate.docker("vm1", &list).await;
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    let mut all: Vec<(String, String)> = pairs.map(|(name, image)| (name.to_owned(), image.to_owned())).collect();
    all.retain(|(name, _)| name != "shop-front");
    all.sort();
    all
}

/// How many of the service have run at a time since a moment, at least and at most, as their engine tells. So many did then.
async fn at_a_time(estate: &Estate, replicas: i64, since: Timestamp) -> (i64, i64) {
    let (since, until) = (since.to_string(), Timestamp::now().to_string());
    let kinds = ["--filter", "event=start", "--filter", "event=die", "--filter", "label=graphium.managed=true"];
    let range = ["events", "--since", &since, "--until", &until, "--format", "{{.Action}} {{.Actor.Attributes.name}}"];
    let events = estate.docker("vm1", &[&range[..], &kinds].concat()).await;
    let steps = events.lines().filter(|line| line.contains("shop-web"));
    let mut count = replicas;
    let counts: Vec<i64> = steps
        .map(|line| {
            count += if line.starts_with("start ") { 1 } else { -1 };
            count
        })
        .collect();
    (counts.iter().copied().min().unwrap(), counts.iter().copied().max().unwrap())
}

fn all_of(image: &str, replicas: u32) -> Vec<(String, String)> {
    (1..=replicas).map(|number| (format!("shop-web-{number}"), image.to_owned())).collect()
}

async fn over(estate: Estate) {
    estate.ok(&["stack", "remove", "shop", "--wait"]).await;
    estate.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn six_replicas_give_way_under_load_without_one_failed_request_and_a_bad_image_changes_nothing() {
    let estate = running(6, "start-first").await;
    let load = Load::on(&estate).await;
    let (before, since) = (load.answered(), Timestamp::now());
    let next = shop(&estate, NEW, 6, "start-first");
    let plan = estate.json(&["plan", &next]).await;
    assert!(!plan.to_string().contains("stops-first"), "nothing stands against it: {plan}");
    estate.ok(&["stack", "deploy", &next, "--wait", "--timeout", "4m"]).await;
    let during = load.answered() - before;
    assert_eq!(servers(&estate).await, all_of(NEW, 6));
    assert!(during > 500, "only {during} requests were answered meanwhile");
    assert_eq!(at_a_time(&estate, 6, since).await, (6, 7), "one goes when another has come");

    let bad = shop(&estate, WEB, 6, "start-first");
    let output = estate.graphium(&["stack", "deploy", &bad, "--wait", "--timeout", "3m"]).await;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.trim_end().ends_with("; it is as it was before"), "{words}");
    assert!(words.contains("health") && words.contains("the one before it is as it was"), "{words}");
    assert_eq!(servers(&estate).await, all_of(NEW, 6));
    assert_eq!(at_a_time(&estate, 6, since).await, (6, 7), "the bad one was beside, and nobody went for it");
    let (answered, failures) = load.end().await;
    assert_eq!(failures, [""; 0], "beside {answered} that were answered");
    over(estate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_stops_first_is_missed() {
    let estate = running(1, "stop-first").await;
    let load = Load::on(&estate).await;
    let since = Timestamp::now();
    estate.ok(&["stack", "deploy", &shop(&estate, NEW, 1, "stop-first"), "--wait", "--timeout", "2m"]).await;
    let (_, failures) = load.end().await;
    assert_eq!(at_a_time(&estate, 1, since).await, (0, 1));
    assert!(!failures.is_empty(), "nobody has noticed: this load shows nothing");
    over(estate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agent_goes_on_with_a_replacement_and_leaves_nothing_beside() {
    let mut estate = running(2, "start-first").await;
    let load = Load::on(&estate).await;
    let is_beside =
        async |estate: &Estate, suffix: &str| servers(estate).await.iter().any(|(name, _)| name.ends_with(suffix));
    for (image, moment) in [(NEW, 0), (OLD, 400), (NEW, 1200)] {
        estate.ok(&["stack", "deploy", &shop(&estate, image, 2, "start-first")]).await;
        estate.until("a successor is there", async |estate| is_beside(estate, ".NEXT").await).await;
        tokio::time::sleep(Duration::from_millis(moment)).await;
        estate.kill_agent("vm1").await;
        estate.start_agent("vm1").await;
        estate
            .until("the stack runs", async |estate| {
                let status: Value = estate.json(&["stack", "status", "shop"]).await;
                assert_ne!(status["overallStatus"], "error", "{status}");
                status["overallStatus"] == "running"
            })
            .await;
        assert_eq!(servers(&estate).await, all_of(image, 2), "{moment} ms after it was there");
    }
    // A removal that overtakes a replacement takes along whatever stands beside.
    estate.ok(&["stack", "deploy", &shop(&estate, OLD, 2, "start-first")]).await;
    estate.until("a successor is there", async |estate| is_beside(estate, ".NEXT").await).await;
    let (answered, failures) = load.end().await;
    assert_eq!(failures, [""; 0], "beside {answered} that were answered");
    estate.ok(&["stack", "remove", "shop", "--wait"]).await;
    let stacks = estate.json(&["stack", "list"]).await;
    assert!(list(&stacks, "stacks").is_empty(), "{stacks}");
    estate.end().await;
}
