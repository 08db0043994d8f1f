//! Programs that stand still for a while, as a machine that swaps or is being moved lets them: nothing is lost, and nothing done twice.

use crate::estate::{Estate, HOSTS, WEB, signal};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// Longer than a host may be silent, and than a lease lasts.
const LONG: Duration = Duration::from_secs(35);
/// Shorter than either.
const SHORT: Duration = Duration::from_secs(10);

/// Two containers on each host, one after the other.
fn document() -> Value {
    let containers = HOSTS.iter().flat_map(|host| {
        let back = format!("back-{host}");
        [
            json!({"@type": "datacenter:Container", "name": back, "image": WEB, "locatedInHost": {"@id": host}}),
            json!({
                "@type": "datacenter:Container", "name": format!("front-{host}"), "image": WEB,
                "locatedInHost": {"@id": host}, "dependsOn": [back]
            }),
        ]
    });
    json!({
        "@context": "https://schema.org",
        "@graph": [{
            "@id": "stack:still", "@type": "datacenter:Stack", "name": "still", "hasPart": containers.collect::<Vec<_>>()
        }]
    })
}

async fn is_running(estate: &Estate) -> bool {
    let output = estate.graphium(&["stack", "status", "still", "-o", "json"]).await;
    let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    assert_ne!(status["overallStatus"], "error", "{status}");
    status["overallStatus"] == "running"
}

async fn is_gone(estate: &Estate) -> bool {
    let stacks = estate.json(&["stack", "list"]).await;
    crate::estate::list(&stacks, "stacks").is_empty()
}

/// Stops a program amid a deployment, and amid a removal.
async fn stands_still(estate: &Estate, name: &str, moment: Duration, time: Duration) {
    let process = estate.processes().into_iter().find(|(known, _)| known == name).unwrap().1;
    let file = estate.document("still", &document());
    let pause = async || {
        tokio::time::sleep(moment).await;
        signal("-STOP", process);
        tokio::time::sleep(time).await;
        signal("-CONT", process);
    };
    let since = Timestamp::now();
    estate.ok(&["stack", "deploy", &file]).await;
    pause().await;
    estate.until("the stack runs", async |estate| is_running(estate).await).await;
    for host in HOSTS {
        for part in ["back", "front"] {
            estate.was_made_once(host, &format!("still-{part}-{host}"), since).await;
        }
    }
    estate.ok(&["stack", "remove", "still"]).await;
    pause().await;
    estate.until("the stack is gone", async |estate| is_gone(estate).await).await;
    assert_eq!(estate.left().await, Vec::<String>::new(), "left after `{name}` stood still");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stands_still_amid_a_deployment_goes_on_with_it() {
    let estate = Estate::start().await;
    stands_still(&estate, "server", Duration::from_millis(80), SHORT).await;
    stands_still(&estate, "server", Duration::from_millis(250), LONG).await;
    estate.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_stands_still_amid_a_deployment_goes_on_with_it() {
    let estate = Estate::start().await;
    stands_still(&estate, "agent vm1", Duration::from_millis(80), SHORT).await;
    stands_still(&estate, "agent vm1", Duration::from_millis(250), LONG).await;
    estate.end().await;
}
