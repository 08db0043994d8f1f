use crate::estate::{Estate, HOSTS, WEB};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// Six containers over three hosts, two deep, with a volume.
fn document() -> Value {
    let containers: Vec<Value> = HOSTS
        .iter()
        .flat_map(|host| {
            let back = format!("back-{host}");
            [
                json!({
                    "@type": "datacenter:Container", "name": back, "image": WEB, "locatedInHost": {"@id": host},
                    "volumeMounts": [{"type": "volume", "source": "data", "target": "/data"}]
                }),
                json!({
                    "@type": "datacenter:Container", "name": format!("front-{host}"), "image": WEB,
                    "locatedInHost": {"@id": host}, "dependsOn": [back],
                    "ports": [{"containerPort": 80, "hostPort": 8080}]
                }),
            ]
        })
        .collect();
    json!({
        "@context": "https://schema.org",
        "@graph": [{"@id": "stack:crash", "@type": "datacenter:Stack", "name": "crash", "hasPart": containers}]
    })
}

async fn runs(estate: &Estate) -> bool {
    let output = estate.graphium(&["stack", "status", "crash", "-o", "json"]).await;
    let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    assert_ne!(status["overallStatus"], "error", "{status}");
    status["overallStatus"] == "running"
}

async fn gone(estate: &Estate) -> bool {
    let stacks = estate.json(&["stack", "list"]).await;
    crate::estate::list(&stacks, "stacks").is_empty()
}

/// No container ran twice.
async fn made_once(estate: &Estate, since: Timestamp) {
    for host in HOSTS {
        for part in ["back", "front"] {
            estate.was_made_once(host, &format!("crash-{part}-{host}"), since).await;
        }
    }
}

/// Something is killed at a moment of a deployment and of a removal, and started again: all ends as if it had not been.
async fn survives(estate: &mut Estate, moment: Duration, crash: impl AsyncFn(&mut Estate)) {
    let file = estate.document("crash", &document());
    let since = Timestamp::now();
    estate.ok(&["stack", "deploy", &file]).await;
    tokio::time::sleep(moment).await;
    crash(estate).await;
    estate.until("the stack runs", async |estate| runs(estate).await).await;
    made_once(estate, since).await;
    estate.ok(&["stack", "remove", "crash", "--volumes", "--yes"]).await;
    tokio::time::sleep(moment).await;
    crash(estate).await;
    estate.until("the stack is gone", async |estate| gone(estate).await).await;
    assert_eq!(estate.left().await, Vec::<String>::new(), "left after a crash at {moment:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agent_goes_on_where_it_was() {
    let mut estate = Estate::start().await;
    estate.put_bystanders().await;
    for millis in [0, 60, 150, 250, 400, 600] {
        survives(&mut estate, Duration::from_millis(millis), async |estate| {
            estate.kill_agent("vm1").await;
            estate.start_agent("vm1").await;
        })
        .await;
    }
    estate.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_goes_on_where_it_was() {
    let mut estate = Estate::start().await;
    estate.put_bystanders().await;
    for millis in [0, 60, 150, 300, 500] {
        survives(&mut estate, Duration::from_millis(millis), async |estate| {
            estate.kill_server().await;
            estate.start_server().await;
        })
        .await;
    }
    estate.end().await;
}
