use crate::estate::{Estate, WEB, list};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

const HOSTS: [&str; 3] = ["localhost-docker", "vm1", "vm2"];

/// `web` may run anywhere and has a health check, `db` is bound to vm1.
fn stack(estate: &Estate, name: &str) -> String {
    let document = json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack",
        "@id": format!("stack:{name}"), "name": name, "deployment": {"placementStrategy": "spread"},
        "hasPart": [
            {"@type": "datacenter:Container", "name": "web", "image": WEB,
             "healthCheck": {"type": "http", "path": "/health", "port": 80, "interval": 1, "timeout": 2, "retries": 5}},
            {"@type": "datacenter:Container", "name": "db", "image": WEB, "locatedInHost": "vm1"},
        ],
    });
    estate.document(name, &document)
}

/// On which hosts a container runs.
async fn running(estate: &Estate, name: &str) -> Vec<&'static str> {
    let mut hosts = Vec::new();
    for host in HOSTS {
        let names = estate.docker(host, &["ps", "--format", "{{.Names}}"]).await;
        hosts.extend(names.lines().any(|line| line == name).then_some(host));
    }
    hosts
}

/// A stack all of which runs on vm1, beside a container that is nobody's of ours; its id.
async fn on_vm1(estate: &Estate, name: &str) -> String {
    for other in ["localhost-docker", "vm2"] {
        estate.ok(&["host", "maintenance", other]).await;
    }
    let document = stack(estate, name);
    estate.ok(&["stack", "deploy", &document, "--wait"]).await;
    for other in ["localhost-docker", "vm2"] {
        estate.ok(&["host", "activate", other]).await;
    }
    assert_eq!(running(estate, &format!("{name}-web")).await, ["vm1"]);
    estate.docker("vm1", &["run", "-d", "--name", "foreign", WEB]).await.trim().to_owned()
}

async fn state(estate: &Estate, name: &str) -> (String, Value) {
    let status = estate.json(&["stack", "status", name]).await;
    (status["overallStatus"].as_str().unwrap().to_owned(), status["errorMessage"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_drains_is_left_without_a_gap_and_says_what_stays() {
    let estate = Estate::start().await;
    let foreign = on_vm1(&estate, "moves").await;
    let is_over = AtomicBool::new(false);
    let watch = async {
        let (mut looks, mut both) = (0, false);
        while !is_over.load(Ordering::Relaxed) {
            let hosts = running(&estate, "moves-web").await;
            // Looked at one after the other: what goes may be gone at the first, and not yet seen at the last.
            let hosts = if hosts.is_empty() { running(&estate, "moves-web").await } else { hosts };
            assert!(!hosts.is_empty(), "it runs nowhere");
            both |= hosts.len() == 2;
            looks += 1;
        }
        (looks, both)
    };
    let drain = async {
        let output = estate.graphium(&["host", "drain", "vm1", "--wait", "--timeout", "90s"]).await;
        is_over.store(true, Ordering::Relaxed);
        output
    };
    let ((looks, both), output) = tokio::join!(watch, drain);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(looks > 3 && both, "{looks} looks, both at once: {both}: {said}");
    // What is bound stays, and that is a failure to who wanted the host empty.
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("moves/db: its document names the host `vm1` for it"), "{said}");
    assert!(!said.contains("moves/web"), "{said}");
    let now = running(&estate, "moves-web").await;
    assert!(now.len() == 1 && now[0] != "vm1", "{now:?}");
    assert_eq!(running(&estate, "moves-db").await, ["vm1"]);
    assert_eq!(state(&estate, "moves").await.0, "running");
    let told = estate.json(&["host", "status", "vm1"]).await;
    assert_eq!(list(&told, "remaining").len(), 1, "{told}");

    // What has moved stays, and what is nobody's of ours was not touched.
    estate.ok(&["host", "activate", "vm1"]).await;
    assert_eq!(running(&estate, "moves-web").await, now);
    let id = estate.docker("vm1", &["inspect", "--format", "{{.Id}} {{.State.Running}}", "foreign"]).await;
    assert_eq!(id.trim(), format!("{foreign} true"));
    estate.ok(&["stack", "remove", "moves", "--wait"]).await;
    estate.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_away_makes_its_stack_degraded_and_is_tidied_up_after_when_it_was_forgotten() {
    let mut estate = Estate::start().await;
    let foreign = on_vm1(&estate, "away").await;
    estate.kill_agent("vm1").await;
    let killed = std::time::Instant::now();
    estate.until("it is degraded", async |estate| state(estate, "away").await.0 == "degraded").await;
    assert!(killed.elapsed() < std::time::Duration::from_secs(30), "{:?}", killed.elapsed());
    let (_, reason) = state(&estate, "away").await;
    let reason = reason.as_str().unwrap().to_owned();
    assert!(reason.starts_with("host `vm1` is offline since ") && reason.ends_with("`db`, `web`"), "{reason}");
    estate.start_agent("vm1").await;
    estate.until("it runs again", async |estate| state(estate, "away").await.0 == "running").await;

    estate.kill_agent("vm1").await;
    estate.until("it is degraded again", async |estate| state(estate, "away").await.0 == "degraded").await;
    let output = estate.graphium(&["stack", "remove", "away"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("it waits for host vm1, offline since "), "{said}");
    let output = estate.graphium(&["stack", "remove", "away", "--forget", "--wait", "--timeout", "60s"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("`away-web` may be left on host `vm1`"), "{said}");
    assert_eq!(estate.graphium(&["stack", "status", "away"]).await.status.code(), Some(1), "it is gone");
    let orphans = estate.json(&["orphans"]).await;
    let reasons: Vec<&Value> = list(&orphans, "orphans").iter().map(|orphan| &orphan["reason"]["code"]).collect();
    assert_eq!(reasons, ["forgotten"; 3], "two containers and a network: {orphans}");
    assert_eq!(running(&estate, "away-web").await, ["vm1"], "nobody is there to remove it");

    estate.start_agent("vm1").await;
    estate
        .until("nothing is left", async |estate| {
            let containers = estate.docker("vm1", &["ps", "-a", "--format", "{{.Names}}"]).await;
            let networks = estate.docker("vm1", &["network", "ls", "--format", "{{.Name}}"]).await;
            containers.trim() == "foreign" && !networks.lines().any(|name| name == "away")
        })
        .await;
    estate
        .until("nothing is told to be left", async |estate| {
            list(&estate.json(&["orphans"]).await, "orphans").is_empty()
        })
        .await;
    let id = estate.docker("vm1", &["inspect", "--format", "{{.Id}} {{.State.Running}}", "foreign"]).await;
    assert_eq!(id.trim(), format!("{foreign} true"));
    estate.end().await;
}
