use crate::estate::{Estate, WEB, list};
use serde_json::{Value, json};

/// A server that is checked as said, and a client that waits until it is well.
fn stack(estate: &Estate, name: &str, check: Value) -> String {
    let container = |name: &str, more: Value| {
        let mut container = json!({
            "@type": "datacenter:Container", "name": name, "image": WEB, "locatedInHost": "vm1",
        });
        container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        container
    };
    let document = json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack",
        "@id": format!("stack:{name}"), "name": name,
        "hasPart": [
            container("server", json!({"healthCheck": check})),
            container("client", json!({"dependsOn": [{"@id": "server", "condition": "healthy"}]})),
        ],
    });
    estate.document(name, &document)
}

/// What the server tells of every container.
pub async fn containers(estate: &Estate) -> Value {
    let token = estate.ok(&["token", "create", "--role", "viewer"]).await;
    graphium_server::tls::ready();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/api/v1/containers?limit=100", estate.url_of(0));
    client.get(url).bearer_auth(token.trim()).send().await.unwrap().json().await.unwrap()
}

async fn health_of(estate: &Estate, container: &str) -> Value {
    let all = containers(estate).await;
    let seen = list(&all, "containers").iter().find(|seen| seen["name"] == container);
    seen.map(|seen| seen["health"].clone()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_over_the_network_open_gates_and_close_them_with_what_they_saw() {
    let mut estate = Estate::start().await;
    let asking = |members: Value| {
        let mut check = json!({"port": 80, "interval": 1, "timeout": 2, "retries": 2});
        check.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        check
    };
    for (name, check) in [
        ("http", json!({"type": "http", "path": "/health", "headers": {"X-Token": "hidden-word"}})),
        ("tcp", json!({"type": "tcp"})),
    ] {
        estate.ok(&["stack", "deploy", &stack(&estate, name, asking(check)), "--wait"]).await;
        estate
            .until("its health is seen", async |estate| health_of(estate, &format!("{name}-server")).await == "healthy")
            .await;
    }
    // The next agent finds the check on the container.
    estate.kill_agent("vm1").await;
    estate.start_agent("vm1").await;
    estate.docker("vm1", &["pause", "http-server"]).await;
    estate.docker("vm1", &["unpause", "http-server"]).await;
    estate.until("it is well again", async |estate| health_of(estate, "http-server").await == "healthy").await;
    let told = estate.ok(&["events", "-o", "json"]).await + &containers(&estate).await.to_string();
    assert!(!told.contains("hidden-word"), "headers are nobody else's to read");
    for name in ["http", "tcp"] {
        estate.ok(&["stack", "remove", name, "--wait"]).await;
    }

    for (name, check, words) in [
        ("absent", json!({"type": "http", "path": "/absent"}), "HTTP 404"),
        ("closed", json!({"type": "tcp", "port": 81}), "connection refused"),
        ("grpc", json!({"type": "grpc"}), "does not speak gRPC"),
    ] {
        let begun = std::time::Instant::now();
        let output = estate.graphium(&["stack", "deploy", &stack(&estate, name, asking(check)), "--wait"]).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(words), "{words} in {said}");
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "as soon as it cannot pass any more");
        let status = estate.json(&["stack", "status", name]).await;
        let gate = list(&status, "tasks").iter().find(|task| task["taskType"] == "check").unwrap();
        assert_eq!(gate["error"]["code"], "unhealthy", "{gate}");
        estate.ok(&["stack", "remove", name, "--wait"]).await;
    }
    estate.end().await;
}
