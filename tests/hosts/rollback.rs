use crate::estate::{Estate, HOSTS, WEB, list};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Six replicas, two of which are replaced at a time, and somebody before them.
fn shop(version: &str, port: &str) -> Value {
    let container = |name: &str, port: &str| {
        json!({
            "@type": "datacenter:Container", "@id": format!("container:{name}"), "name": name, "image": WEB,
            "environment": [{"name": "VERSION", "value": version}, {"name": "PORT", "value": port}],
            "healthCheck": {"type": "exec", "command": ["/web", "check", "80"], "interval": "1s", "timeout": "2s", "retries": 2}
        })
    };
    let mut web = container("web", port);
    web["replicas"] = json!(6);
    let mut front = container("front", "80");
    front["locatedInHost"] = json!({"@id": "host:vm2"});
    json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@id": "stack:shop", "@type": "datacenter:Stack", "name": "shop",
        "deployment": {"placementStrategy": "spread", "update": {"maxParallel": 2, "onFailure": "rollback"}},
        "hasPart": [web, front]
    })
}

/// Every container of the shop, with its host.
async fn containers(estate: &Estate) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    for host in HOSTS {
        let names =
            estate.docker(host, &["ps", "--format", "{{.Names}}", "--filter", "label=graphium.managed=true"]).await;
        all.extend(names.lines().map(|name| (host, name.to_owned())));
    }
    all.sort_by(|one, other| one.1.cmp(&other.1));
    all
}

/// Every container is healthy and of this version.
async fn all_are(estate: &Estate, version: &str) {
    let all = containers(estate).await;
    assert_eq!(all.len(), 7, "{all:?}");
    for (host, name) in all {
        let seen = estate.inspect(host, &name).await;
        assert_eq!(seen["State"]["Health"]["Status"], "healthy", "{name}: {}", seen["State"]);
        let variables = seen["Config"]["Env"].to_string();
        assert!(variables.contains(&format!("VERSION={version}")), "{name}: {variables}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_release_stops_at_its_first_wave_and_ends_all_old_and_a_good_one_goes_wave_by_wave() {
    let mut estate = Estate::start().await;
    estate.put_bystanders().await;
    estate.ok(&["stack", "deploy", &estate.document("old", &shop("1", "80")), "--wait", "--timeout", "2m"]).await;
    all_are(&estate, "1").await;
    let before = containers(&estate).await;

    // It runs, and does not answer where it is asked.
    let since = Timestamp::now();
    let bad = estate.document("bad", &shop("2", "81"));
    let output = estate.graphium(&["stack", "deploy", &bad, "--wait", "--timeout", "3m"]).await;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.trim_end().ends_with("; it is as it was before"), "{words}");
    assert!(words.contains("health"), "the cause is told: {words}");
    assert!(words.contains("web: /health did not answer"), "and what the check said last: {words}");
    all_are(&estate, "1").await;
    assert_eq!(containers(&estate).await, before, "each is where it was");
    for (host, name) in &before {
        let touched = estate.happened(host, name, "destroy", since).await;
        let is_of_a_later_wave = name.starts_with("shop-web-") && !matches!(name.as_str(), "shop-web-1" | "shop-web-2");
        assert!(!is_of_a_later_wave || touched == 0, "{name} was replaced, though the first wave had failed");
    }
    let history = estate.json(&["stack", "history", "shop"]).await;
    let told: Vec<(&Value, &Value)> =
        list(&history, "revisions").iter().map(|one| (&one["revision"], &one["outcome"])).collect();
    let (ran, back) = (&json!("ran"), &json!("rolled-back"));
    assert_eq!(told, [(&json!(3), ran), (&json!(2), back), (&json!(1), ran)]);

    estate.ok(&["stack", "deploy", &estate.document("good", &shop("3", "80")), "--wait", "--timeout", "3m"]).await;
    all_are(&estate, "3").await;
    let mut started = Vec::new();
    for (host, name) in containers(&estate).await.iter().filter(|(_, name)| name.starts_with("shop-web-")) {
        started.push(estate.inspect(host, name).await["State"]["StartedAt"].as_str().unwrap().to_owned());
    }
    for waves in started.chunks(2).collect::<Vec<_>>().windows(2) {
        assert!(waves[0].iter().max() < waves[1].iter().min(), "waves overlap: {started:?}");
    }
    estate.ok(&["stack", "remove", "shop", "--wait"]).await;
    estate.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_first_deployment_that_fails_nothing_is_left() {
    let estate = Estate::start().await;
    let bad = estate.document("bad", &shop("1", "81"));
    let output = estate.graphium(&["stack", "deploy", &bad, "--wait", "--timeout", "3m"]).await;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    let status = estate.json(&["stack", "status", "shop"]).await;
    let told = status["errorMessage"].as_str().unwrap();
    assert!(told.contains("what it made was taken away again"), "{told}");
    assert!(estate.left().await.is_empty(), "{:?}", estate.left().await);
    estate.ok(&["stack", "remove", "shop", "--wait"]).await;
    estate.end().await;
}
