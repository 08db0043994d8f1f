//! A host that is away for long: what ran there runs elsewhere, and is gone from there when it is back.

use crate::estate::{Estate, WEB, list};
use serde_json::{Value, json};

const HOSTS: [&str; 3] = ["localhost-docker", "vm1", "vm2"];

/// `web` may run anywhere, `db` is bound to vm1.
fn stack(estate: &Estate, name: &str) -> String {
    let document = json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack",
        "@id": format!("stack:{name}"), "name": name, "deployment": {"placementStrategy": "spread"},
        "hasPart": [
            {"@type": "datacenter:Container", "name": "web", "image": WEB, "restartPolicy": "always"},
            {"@type": "datacenter:Container", "name": "db", "image": WEB, "locatedInHost": "vm1"},
        ],
    });
    estate.document(name, &document)
}

/// On which hosts a container is.
async fn there(estate: &Estate, name: &str, hosts: &[&'static str]) -> Vec<&'static str> {
    let mut found = Vec::new();
    for host in hosts {
        let names = estate.docker(host, &["ps", "-a", "--format", "{{.Names}}"]).await;
        found.extend(names.lines().any(|line| line == name).then_some(*host));
    }
    found
}

async fn id(estate: &Estate, host: &str, name: &str) -> String {
    let format = "{{.Id}} {{.State.Running}} {{.RestartCount}} {{.State.StartedAt}}";
    estate.docker(host, &["inspect", "--format", format, name]).await.trim().to_owned()
}

async fn status(estate: &Estate, name: &str) -> Value {
    estate.json(&["stack", "status", name]).await
}

/// A stack on vm1, beside another of ours there that may not be moved and a container of nobody's.
async fn on_vm1(estate: &Estate, name: &str, after: &str) {
    for other in ["localhost-docker", "vm2"] {
        estate.ok(&["host", "maintenance", other]).await;
    }
    estate.ok(&["stack", "deploy", &stack(estate, name), "--reschedule-after", after, "--wait"]).await;
    estate.ok(&["stack", "deploy", &stack(estate, "stays"), "--wait"]).await;
    for other in ["localhost-docker", "vm2"] {
        estate.ok(&["host", "activate", other]).await;
    }
    estate.docker("vm1", &["run", "-d", "--name", "foreign", WEB]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ran_on_a_host_that_is_cut_off_runs_elsewhere_and_is_removed_when_it_returns() {
    let mut estate = Estate::start().await;
    let too_soon = estate.graphium(&["stack", "deploy", &stack(&estate, "shop"), "--reschedule-after", "14s"]).await;
    assert!(String::from_utf8_lossy(&too_soon.stderr).contains("more than 15 s"), "{too_soon:?}");
    estate.offline_after = "12s";
    estate.kill_server().await;
    estate.start_server().await;
    let refused = estate.graphium(&["stack", "deploy", &stack(&estate, "shop"), "--reschedule-after", "10s"]).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(3) && said.contains("after which a host counts as offline"), "{said}");
    on_vm1(&estate, "shop", "14s").await;
    let names = ["shop-db", "stays-web", "stays-db", "foreign"];
    let mut before = Vec::new();
    for name in names {
        before.push(id(&estate, "vm1", name).await);
    }
    // Its agent goes on, and reaches nobody.
    estate.host("vm1").partition().await.unwrap();
    estate
        .until("it says when what goes where", async |estate| {
            let status = status(estate, "shop").await;
            status["away"][0]["at"].is_string() && status["overallStatus"] == "degraded"
        })
        .await;
    let output = estate.graphium(&["stack", "status", "shop"]).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("host `vm1` is silent since ") && said.contains("what may go is placed elsewhere at "),
        "{said}"
    );
    assert!(said.contains("`db` on `vm1` is staying: its document names the host `vm1` for it"), "{said}");
    let others = ["localhost-docker", "vm2"];
    estate.until("it runs elsewhere", async |estate| !there(estate, "shop-web", &others).await.is_empty()).await;
    estate
        .until("what stays is not known", async |estate| {
            let status = status(estate, "shop").await;
            let error = status["errorMessage"].as_str().unwrap_or_default();
            status["overallStatus"] == "degraded" && error.contains("is not known: `db`")
        })
        .await;
    // Two run meanwhile, as nobody reaches the host.
    assert_eq!(there(&estate, "shop-web", &HOSTS).await.len(), 2);
    let orphans = estate.json(&["orphans"]).await;
    let told: Vec<(&Value, &Value)> =
        list(&orphans, "orphans").iter().map(|one| (&one["@id"], &one["reason"]["code"])).collect();
    assert_eq!(told, [(&json!("vm1/shop-web"), &json!("rescheduled"))], "{orphans}");
    let successor = there(&estate, "shop-web", &others).await[0];
    let running = id(&estate, successor, "shop-web").await;

    estate.host("vm1").heal().await.unwrap();
    estate.until("it is fenced", async |estate| there(estate, "shop-web", &HOSTS).await == [successor]).await;
    estate
        .until("all of it runs and nothing is left to do", async |estate| {
            let status = status(estate, "shop").await;
            status["overallStatus"] == "running"
                && status["away"].is_null()
                && list(&estate.json(&["orphans"]).await, "orphans").is_empty()
        })
        .await;
    assert_eq!(id(&estate, successor, "shop-web").await, running, "its successor goes on");
    for (name, before) in names.iter().zip(before) {
        assert_eq!(id(&estate, "vm1", name).await, before, "{name} was not touched");
    }
    let placements = estate.json(&["stack", "status", "stays"]).await;
    assert_eq!(placements["overallStatus"], "running", "{placements}");
    estate.ok(&["stack", "remove", "shop", "--wait", "--timeout", "60s"]).await;
    estate.ok(&["stack", "remove", "stays", "--wait", "--timeout", "60s"]).await;
    estate.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_was_placed_elsewhere_is_removed_only_when_its_old_host_has_confirmed() {
    let mut estate = Estate::start().await;
    on_vm1(&estate, "gone", "20s").await;
    // Agent and engine are both away, as with a host that has crashed.
    estate.kill_agent("vm1").await;
    estate.host("vm1").pause_engine().await.unwrap();
    let others = ["localhost-docker", "vm2"];
    estate.until("it runs elsewhere", async |estate| !there(estate, "gone-web", &others).await.is_empty()).await;
    estate.until("it has moved", async |estate| status(estate, "gone").await["overallStatus"] == "degraded").await;
    let output = estate.graphium(&["stack", "remove", "gone"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("it waits for host vm1, offline since "), "{said}");
    estate.until("it is gone there", async |estate| there(estate, "gone-web", &others).await.is_empty()).await;
    assert_eq!(status(&estate, "gone").await["overallStatus"], "deleting");
    estate.host("vm1").resume_engine().await.unwrap();
    estate.start_agent("vm1").await;
    estate
        .until("it is removed", async |estate| {
            estate.graphium(&["stack", "status", "gone"]).await.status.code() == Some(1)
        })
        .await;
    assert_eq!(there(&estate, "gone-web", &HOSTS).await, Vec::<&str>::new(), "removed means that nothing is left");
    assert_eq!(there(&estate, "gone-db", &HOSTS).await, Vec::<&str>::new());
    assert_eq!(there(&estate, "foreign", &HOSTS).await, ["vm1"]);
    estate.ok(&["stack", "remove", "stays", "--wait", "--timeout", "60s"]).await;
    estate.end().await;
}
