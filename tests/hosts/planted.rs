//! A failure at every single step of an update, on real engines: each time all is as it was before.

use crate::{
    estate::{Estate, HOSTS, WEB, list},
    faulty::{Fault, Faulty},
};
use axum::http::Method;
use graphium_server::testbed::images;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The image of the second revision.
const NEXT: &str = "graphium/web:next";
const STACK: &str = "shop";

/// Four containers on three hosts; in the second revision each has another image, one moves and one gets a volume.
fn shop(revision: u32, ill: Option<&str>) -> Value {
    let second = revision == 2;
    let container = |name: &str, host: &str| {
        let port = if ill == Some(name) { "81" } else { "80" };
        json!({
            "@type": "datacenter:Container", "@id": format!("container:{name}"), "name": name,
            "image": if second { NEXT } else { WEB }, "locatedInHost": {"@id": host},
            "environment": [{"name": "VERSION", "value": revision.to_string()}, {"name": "PORT", "value": port}],
            "healthCheck": {"type": "exec", "command": ["/web", "check", "80"], "interval": "1s", "timeout": "2s", "retries": 2}
        })
    };
    let mut front = container("front", "vm1");
    front["dependsOn"] = json!(["store"]);
    let mut keeper = container("keeper", "localhost-docker");
    if second {
        keeper["volumeMounts"] = json!([{"type": "volume", "source": "cache", "target": "/cache"}]);
    }
    let mover = container("mover", if second { "vm1" } else { "vm2" });
    json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@id": "stack:shop", "@type": "datacenter:Stack", "name": STACK,
        "deployment": {"update": {"onFailure": "rollback"}},
        "hasPart": [container("store", "vm1"), front, mover, keeper]
    })
}

/// What one task asks an engine for, each of which can fail.
fn steps(task: &Value) -> Vec<Fault> {
    let fault = |method: Method, path: String| Fault { method, path };
    let name = |at: &str| task.pointer(at).and_then(Value::as_str).unwrap().to_owned();
    let make = |name: &str| {
        vec![
            fault(Method::POST, format!("/containers/create?name={name}")),
            fault(Method::POST, format!("/containers/{name}/start")),
        ]
    };
    match task["action"].as_str().unwrap() {
        "pull" => vec![fault(Method::GET, "/images/".to_owned())],
        // It is there already, which the engine is asked for.
        "network" => vec![fault(Method::GET, "/networks?".to_owned())],
        "volume" => vec![fault(Method::POST, "/volumes/create".to_owned())],
        "deploy" => make(&name("/spec/name")),
        "update" => {
            let name = name("/spec/name");
            let mut all = vec![fault(Method::DELETE, format!("/containers/{name}"))];
            all.extend(make(&name));
            all
        }
        "stop" => vec![fault(Method::POST, format!("/containers/{}/stop", name("/name")))],
        "delete" => vec![fault(Method::DELETE, format!("/containers/{}", name("/name")))],
        "remove-network" => vec![fault(Method::DELETE, "/networks/".to_owned())],
        // It asks for nothing: it is the container that fails it.
        "check" => Vec::new(),
        other => panic!("nobody knows how `{other}` fails"),
    }
}

/// What there is of ours on each host, but for volumes, which stay with their data: containers with image and state, networks.
async fn present(estate: &Estate) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for host in HOSTS {
        for list in [
            &["ps", "--all", "--format", "{{.Names}} {{.Image}} {{.State}}"][..],
            &["network", "ls", "--format", "network {{.Name}}"],
        ] {
            let listed = estate.docker(host, &[list, &["--filter", "label=graphium.managed=true"]].concat()).await;
            all.extend(listed.lines().map(|line| (host.to_owned(), line.to_owned())));
        }
    }
    all.sort();
    all
}

async fn fails_and_goes_back(estate: &Estate, document: &str, step: &str) {
    let output = estate.graphium(&["stack", "deploy", document, "--wait", "--timeout", "2m"]).await;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{step}: {words}");
    assert!(words.trim_end().ends_with("; it is as it was before"), "{step}: {words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_step_of_an_update_fails_all_is_as_it_was() {
    let mut estate = Estate::without_agents().await;
    estate.testbed.load(&images::web(NEXT).unwrap()).await.unwrap();
    let mut faulty = BTreeMap::new();
    for host in HOSTS {
        let socket = estate.path(&format!("{host}.sock"));
        faulty.insert(host, Faulty::start(&socket, estate.host(host).socket()));
        estate.sockets.insert(host.to_owned(), socket);
        estate.docker(host, &["run", "--detach", "--name", "foreign", WEB, "sleep"]).await;
    }
    estate.start_agents().await;
    estate.ok(&["stack", "deploy", &estate.document("first", &shop(1, None)), "--wait", "--timeout", "2m"]).await;
    let before = present(&estate).await;
    assert_eq!(before.len(), 7, "four containers, and a network on each host: {before:?}");
    let mut foreign = Vec::new();
    for host in HOSTS {
        foreign.push(estate.inspect(host, "foreign").await["State"]["StartedAt"].clone());
    }

    let second = estate.document("second", &shop(2, None));
    let plan = estate.json(&["plan", &second]).await;
    let mut tried = 0;
    for task in list(&plan, "tasks") {
        let host = task["host"].as_str().unwrap();
        for fault in steps(task) {
            let step = format!("{} on {host}: {fault:?}", task["id"]);
            faulty[host].plant(fault);
            fails_and_goes_back(&estate, &second, &step).await;
            assert!(faulty[host].was_met(), "{step} was never asked for");
            assert_eq!(present(&estate).await, before, "{step}");
            tried += 1;
        }
        if task["action"] == "check" {
            let container = task["container"].as_str().unwrap();
            let ill = estate.document("ill", &shop(2, Some(container)));
            fails_and_goes_back(&estate, &ill, &format!("`{container}` is not well")).await;
            assert_eq!(present(&estate).await, before, "`{container}` is not well");
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried} steps of {plan}");
    println!("{tried} steps of {} tasks have failed in turn", list(&plan, "tasks").len());

    // And when none fails it comes to its end.
    estate.ok(&["stack", "deploy", &second, "--wait", "--timeout", "2m"]).await;
    let after = present(&estate).await;
    let containers: Vec<&String> =
        after.iter().map(|(_, line)| line).filter(|line| !line.starts_with("network ")).collect();
    assert!(containers.len() == 4 && containers.iter().all(|line| line.contains(NEXT)), "{after:?}");
    estate.ok(&["stack", "remove", STACK, "--volumes", "--yes", "--wait"]).await;
    for (host, started) in HOSTS.into_iter().zip(foreign) {
        let seen = estate.inspect(host, "foreign").await;
        assert_eq!((&seen["State"]["StartedAt"], &seen["State"]["Running"]), (&started, &json!(true)), "{host}");
        estate.docker(host, &["rm", "--force", "foreign"]).await;
    }
    estate.end().await;
}
