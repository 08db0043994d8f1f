//! What is stopped and started again as a stack, on a real engine: programs that call a stop a success, and a job that has ended.

use crate::estate::Estate;
use graphium_server::testbed::images;
use serde_json::{Value, json};

const SHELL: &str = "graphium/shell:stops";

/// Ends with code 0 when it is told to.
const WELL_BEHAVED: &str = "trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done";

fn container(name: &str, policy: &str, script: &str, after: &[&str]) -> Value {
    let after: Vec<Value> =
        after.iter().map(|on| json!({"@id": format!("container:{on}"), "condition": "completed"})).collect();
    json!({
        "@type": "datacenter:Container", "@id": format!("container:{name}"), "name": name, "image": SHELL,
        "locatedInHost": "vm1", "restartPolicy": policy, "command": ["sh", "-c", script], "dependsOn": after
    })
}

/// What a container does on its engine, its exit code, and when it was started last.
async fn state(estate: &Estate, name: &str) -> (String, i64, String) {
    let shown = estate.inspect("vm1", &format!("shop-{name}")).await;
    let text = |key: &str| shown["State"][key].as_str().unwrap().to_owned();
    (text("Status"), shown["State"]["ExitCode"].as_i64().unwrap(), text("StartedAt"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_a_stop_well_runs_again_and_what_has_done_its_work_does_not() {
    let estate = Estate::start().await;
    estate.testbed.load(&images::shell(SHELL).unwrap()).await.unwrap();
    let shop = json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "@id": "stack:shop", "name": "shop",
        "hasPart": [
            container("job", "no", "exit 0", &[]),
            container("web", "on-failure", WELL_BEHAVED, &["job"]),
            container("tool", "no", WELL_BEHAVED, &[]),
        ]
    });
    let shop = estate.document("shop", &shop);
    estate.ok(&["stack", "deploy", &shop, "--wait"]).await;
    let job = state(&estate, "job").await;
    for again in [&["stack", "start", "shop", "--wait"][..], &["stack", "deploy", &shop, "--wait"]] {
        estate.ok(&["stack", "stop", "shop", "--wait"]).await;
        for name in ["web", "tool"] {
            let (status, code, _) = state(&estate, name).await;
            assert_eq!((status.as_str(), code), ("exited", 0), "{name}");
        }
        estate.ok(again).await;
        for name in ["web", "tool"] {
            assert_eq!(state(&estate, name).await.0, "running", "{name} after {again:?}\n{}", estate.logs());
        }
    }
    assert_eq!(state(&estate, "job").await, job, "it has done its work");
    estate.ok(&["stack", "remove", "shop", "--wait"]).await;
    estate.end().await;
}
