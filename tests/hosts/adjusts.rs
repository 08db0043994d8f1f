//! Restart policy and resources, changed while a container runs.

use crate::estate::{Estate, WEB};
use serde_json::{Value, json};

const MIB: i64 = 1 << 20;

fn document(policy: &str, limits: &Value) -> Value {
    json!({
        "@context": "https://graphium.io/context/v1.jsonld",
        "@graph": [{
            "@id": "stack:live", "@type": "datacenter:Stack", "name": "live",
            "hasPart": [{
                "@type": "datacenter:Container", "name": "web", "image": WEB, "locatedInHost": "vm1",
                "restartPolicy": policy, "resources": {"limits": limits}
            }]
        }]
    })
}

/// What says that it is the same run of the same container.
fn run_of(seen: &Value) -> (Value, Value) {
    (seen["Id"].clone(), seen["State"]["StartedAt"].clone())
}

/// Memory, swap, processors, processes and restart policy.
fn settings_of(seen: &Value) -> Value {
    let config = &seen["HostConfig"];
    // An engine may show what was never set as nothing.
    let policy = config["RestartPolicy"]["Name"].as_str().filter(|name| !name.is_empty()).unwrap_or("no");
    json!([config["Memory"], config["MemorySwap"], config["NanoCpus"], config["PidsLimit"], policy])
}

async fn kinds(estate: &Estate, document: &str) -> Vec<(String, String)> {
    let plan = estate.json(&["plan", document]).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    plan["tasks"].as_array().unwrap().iter().map(|task| (text(&task["action"]), text(&task["why"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_change_while_a_container_runs_and_go_back_and_drift_is_set_right() {
    let estate = Estate::start().await;
    let small = json!({"memory": "256M", "pids": 100});
    let first = estate.document("first", &document("no", &small));
    let second = estate.document("second", &document("always", &json!({"memory": "512M", "pids": 200, "cpus": 0.5})));
    estate.ok(&["stack", "deploy", &first, "--wait"]).await;
    let seen = estate.inspect("vm1", "live-web").await;
    let run = run_of(&seen);
    assert_eq!(settings_of(&seen), json!([256 * MIB, 512 * MIB, 0, 100, "no"]));
    assert_eq!(kinds(&estate, &first).await, []);

    // Another document: one task, and the container runs on.
    let difference = estate.ok(&["plan", &second, "--diff"]).await;
    assert!(difference.contains("memory 256 MiB → 512 MiB"), "{difference}");
    assert!(difference.contains("~ resources.limits.memory: 256 MiB → 512 MiB"), "{difference}");
    estate.ok(&["stack", "deploy", &second, "--wait"]).await;
    let seen = estate.inspect("vm1", "live-web").await;
    assert_eq!(run_of(&seen), run, "it is the same run of the same container");
    assert_eq!(settings_of(&seen), json!([512 * MIB, 1024 * MIB, 500_000_000, 200, "always"]));
    assert_eq!(kinds(&estate, &second).await, []);

    // What somebody changes by hand is seen, and set right.
    estate.docker("vm1", &["update", "--memory", "384m", "--memory-swap", "768m", "live-web"]).await;
    estate.until("the change is seen", async |estate| !kinds(estate, &second).await.is_empty()).await;
    let adjust = ("adjust".to_owned(), "live update: memory 384 MiB → 512 MiB".to_owned());
    assert_eq!(kinds(&estate, &second).await, [adjust]);
    estate.ok(&["stack", "deploy", &second, "--wait"]).await;
    let seen = estate.inspect("vm1", "live-web").await;
    assert_eq!((run_of(&seen), &settings_of(&seen)[0]), (run.clone(), &json!(512 * MIB)));

    // Back, as far as an engine can: fewer processes, less memory, no restarts.
    let back = estate.document("back", &document("no", &json!({"memory": "256M", "pids": 100, "cpus": 0.5})));
    estate.ok(&["stack", "deploy", &back, "--wait"]).await;
    let seen = estate.inspect("vm1", "live-web").await;
    assert_eq!(run_of(&seen), run);
    assert_eq!(settings_of(&seen), json!([256 * MIB, 512 * MIB, 500_000_000, 100, "no"]));

    // No engine takes a limit of processors away in place: the container is made anew.
    let [update] = <[_; 1]>::try_from(changes(&kinds(&estate, &first).await)).unwrap();
    assert_eq!(update.1, "no engine takes `resources.limits.cpus` away in place");
    estate.ok(&["stack", "deploy", &first, "--wait"]).await;
    let seen = estate.inspect("vm1", "live-web").await;
    assert_ne!(run_of(&seen).0, run.0);
    assert_eq!(settings_of(&seen), json!([256 * MIB, 512 * MIB, 0, 100, "no"]));
    assert_eq!(kinds(&estate, &first).await, []);

    estate.ok(&["stack", "remove", "live", "--wait"]).await;
    estate.end().await;
}

/// The tasks that change a container.
fn changes(tasks: &[(String, String)]) -> Vec<(String, String)> {
    tasks.iter().filter(|(action, _)| ["update", "adjust", "deploy"].contains(&action.as_str())).cloned().collect()
}
