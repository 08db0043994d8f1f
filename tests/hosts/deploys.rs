use crate::estate::{Estate, HOSTS, WEB, get, list};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const NGINX_MULTIHOST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/stacks/nginx-multihost-stack.json");

#[tokio::test(flavor = "multi_thread")]
async fn the_multi_host_example_runs_unchanged_answers_and_goes_without_a_trace() {
    let estate = Estate::start().await;
    estate.ok(&["stack", "deploy", NGINX_MULTIHOST, "--wait", "--timeout", "2m"]).await;
    for (host, port, instance) in [("localhost-docker", 8081, "1"), ("vm1", 8082, "2"), ("vm2", 8083, "3")] {
        let (status, body) = get(&format!("http://{}:{port}/", estate.host(host).address())).await.unwrap();
        assert!(status == 200 && body.contains("nginx"), "{host}: {status} {body}");
        let seen = estate.inspect(host, &format!("nginx-multihost-nginx-{instance}")).await;
        let variables = seen["Config"]["Env"].to_string();
        assert!(variables.contains("NGINX_PORT=80"), "{variables}");
        assert_eq!(seen["Config"]["Labels"]["graphium.managed"], "true");
        assert_eq!(seen["Config"]["Labels"]["graphium.stack"], "stack:nginx-multihost");
    }
    let other = estate.inspect("vm1", "nginx-multihost-nginx-2").await["Config"]["Env"].to_string();
    assert!(other.contains(&format!("NGINX_1_ENDPOINT={}:8081", estate.host("localhost-docker").address())), "{other}");

    let again = estate.json(&["stack", "deploy", NGINX_MULTIHOST]).await;
    assert_eq!(again["taskCount"], 0, "{again}");

    estate.ok(&["stack", "remove", "nginx-multihost", "--wait"]).await;
    let stacks = estate.json(&["stack", "list"]).await;
    assert!(list(&stacks, "stacks").is_empty(), "{stacks}");
    estate.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_tiers_start_in_order_and_reach_each_other_across_hosts() {
    let estate = Estate::start().await;
    let tier = |name: &str, host: &str, port: u16, after: &[&str]| {
        json!({
            "@type": "datacenter:Container", "@id": format!("container:{name}"), "name": name, "image": WEB,
            "locatedInHost": {"@id": host}, "ports": [{"containerPort": 80, "hostPort": port}], "dependsOn": after
        })
    };
    let document = json!({
        "@context": "https://schema.org",
        "@graph": [{
            "@id": "stack:tiers", "@type": ["datacenter:Stack"], "name": "tiers",
            "hasPart": [
                tier("front", "localhost-docker", 8080, &["api"]),
                tier("api", "vm1", 8081, &["store"]),
                tier("store", "vm2", 8082, &[])
            ]
        }]
    });
    estate.ok(&["stack", "deploy", &estate.document("tiers", &document), "--wait"]).await;
    let mut started = Vec::new();
    for (host, name) in [("vm2", "store"), ("vm1", "api"), ("localhost-docker", "front")] {
        let seen = estate.inspect(host, &format!("tiers-{name}")).await;
        started.push(seen["State"]["StartedAt"].as_str().unwrap().to_owned());
    }
    assert!(started.is_sorted(), "started out of order: {started:?}");

    // From the front's container through the endpoint that it was given, to the store on another host, by way of the api.
    let front = estate.host("localhost-docker").address();
    let (_, variables) = get(&format!("http://{front}:8080/env")).await.unwrap();
    let variables: Value = serde_json::from_str(&variables).unwrap();
    let endpoint =
        |name: &str| variables[name].as_str().unwrap_or_else(|| panic!("no {name} in {variables}")).to_owned();
    assert_eq!(endpoint("API_ENDPOINT"), format!("{}:8081", estate.host("vm1").address()));
    let store = format!("http://{}/health", endpoint("STORE_ENDPOINT"));
    let chain = format!("http://{front}:8080/fetch?url=http://{}/fetch?url={store}", endpoint("API_ENDPOINT"));
    let (status, body) = get(&chain).await.unwrap();
    assert!(status == 200 && body.contains("ok"), "{status} {body}");
    let (_, by_name) = get(&format!("http://{front}:8080/fetch?url=http://store:8082/health")).await.unwrap();
    assert!(by_name.contains("ok"), "a container on another host is reachable by its name: {by_name}");

    estate.ok(&["stack", "remove", "tiers", "--wait"]).await;
    estate.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_stacks_at_once_all_end_and_taken_ports_are_refused_by_name() {
    let estate = Estate::start().await;
    let document = |number: usize| {
        let port = 9000 + number % 25; // Two stacks want each port of each host.
        json!({
            "@context": "https://schema.org",
            "@graph": [{
                "@id": format!("stack:s{number}"), "@type": "datacenter:Stack", "name": format!("s{number}"),
                "hasPart": [{
                    "@type": "datacenter:Container", "name": "web", "image": WEB,
                    "locatedInHost": HOSTS[(number % 25) % 3],
                    "ports": [{"containerPort": 80, "hostPort": port}]
                }]
            }]
        })
    };
    let files: Vec<String> = (0..50).map(|number| estate.document(&format!("s{number}"), &document(number))).collect();
    let deploys = files.iter().map(async |file| estate.graphium(&["stack", "deploy", file, "--wait"]).await);
    let outputs = futures::future::join_all(deploys).await;
    let mut running = BTreeSet::new();
    for (number, output) in outputs.iter().enumerate() {
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => {
                assert!(running.insert(number % 25), "port {} was given twice", 9000 + number % 25);
            }
            Some(3) => {
                let port = (9000 + number % 25).to_string();
                assert!(words.contains(&port) && words.contains("web"), "{words}");
            }
            other => panic!("s{number} ended with {other:?}: {words}"),
        }
    }
    assert_eq!(running.len(), 25);
    let stacks = estate.json(&["stack", "list"]).await;
    let names: Vec<String> =
        list(&stacks, "stacks").iter().map(|stack| stack["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 25);
    let removals = names.iter().map(async |name| estate.graphium(&["stack", "remove", name, "--wait"]).await);
    for output in futures::future::join_all(removals).await {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    estate.end().await;
}
