//! A stack on three hosts goes back to a revision of one's choosing, stops, starts and restarts, and changes its mind.

use crate::estate::{Estate, HOSTS, WEB, list, run_of};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A database and who needs it, one that is elsewhere in every revision, and one that only the second has.
fn shop(revision: u32) -> Value {
    let container = |name: &str, host: &str| {
        json!({
            "@type": "datacenter:Container", "@id": format!("container:{name}"), "name": name, "image": WEB,
            "locatedInHost": {"@id": host}, "environment": [{"name": "VERSION", "value": revision.to_string()}]
        })
    };
    let mut front = container("front", "localhost-docker");
    front["dependsOn"] = json!(["db"]);
    let mut parts = vec![container("db", "vm1"), front, container("mover", HOSTS[revision as usize % HOSTS.len()])];
    if revision == 2 {
        parts.push(container("extra", "vm2"));
    }
    json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@id": "stack:shop", "@type": "datacenter:Stack", "name": "shop",
        "hasPart": parts
    })
}

/// The third revision with a database that never gets well.
fn ill() -> Value {
    let mut shop = shop(3);
    shop["hasPart"][0]["healthCheck"] =
        json!({"type": "exec", "command": ["/web", "check", "81"], "interval": "1s", "timeout": "2s", "retries": 100});
    shop["hasPart"][1]["dependsOn"] = json!([{"@id": "container:db", "condition": "healthy"}]);
    shop
}

/// Every container of ours, as its engine shows it, by host and name.
async fn seen(estate: &Estate) -> BTreeMap<(&'static str, String), Value> {
    let mut all = BTreeMap::new();
    for host in HOSTS {
        let list = ["ps", "--all", "--format", "{{.Names}}", "--filter", "label=graphium.managed=true"];
        for name in estate.docker(host, &list).await.lines() {
            // It may have gone, or have got another name, since it was listed.
            if let Some(seen) = estate.seen(host, name).await {
                all.insert((host, name.to_owned()), seen);
            }
        }
    }
    all
}

/// Where each container is, of which version, and whether it runs.
async fn there(estate: &Estate) -> Vec<String> {
    let version = |seen: &Value| {
        let variables = seen["Config"]["Env"].as_array().unwrap().iter();
        variables.filter_map(Value::as_str).find(|line| line.starts_with("VERSION=")).unwrap().to_owned()
    };
    let line = |((host, name), seen): (&(&str, String), &Value)| {
        format!("{host} {name} {} {}", version(seen), seen["State"]["Status"].as_str().unwrap())
    };
    seen(estate).await.iter().map(line).collect()
}

/// What is the same while a container is started anew, by host and name; and what is not.
async fn runs(estate: &Estate) -> (Vec<Value>, Vec<Value>) {
    let all = seen(estate).await;
    (all.values().map(|seen| seen["Id"].clone()).collect(), all.values().map(run_of).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_goes_back_to_the_revision_before_and_to_any_that_is_kept() {
    let mut estate = Estate::start().await;
    estate.put_bystanders().await;
    let mut was = BTreeMap::new();
    for revision in 1..=4 {
        let document = estate.document(&revision.to_string(), &shop(revision));
        estate.ok(&["stack", "deploy", &document, "--wait", "--timeout", "2m"]).await;
        was.insert(revision, there(&estate).await);
    }
    let counts: Vec<usize> = was.values().map(Vec::len).collect();
    assert_eq!(counts, [3, 4, 3, 3], "{was:?}");

    estate.ok(&["stack", "rollback", "shop", "--wait", "--timeout", "2m"]).await;
    assert_eq!(there(&estate).await, was[&3], "the one before");
    for (to, revision) in [("1", 1), ("2", 2), ("4", 4)] {
        estate.ok(&["stack", "rollback", "shop", "--to", to, "--wait", "--timeout", "2m"]).await;
        assert_eq!(there(&estate).await, was[&revision], "--to {to}");
        let same = estate.document("same", &shop(revision));
        assert_eq!(list(&estate.json(&["plan", &same]).await, "tasks").len(), 0, "nothing is left to be done");
    }
    let refused = estate.graphium(&["stack", "rollback", "shop", "--to", "99", "--wait"]).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && said.contains("99"), "{said}");
    assert_eq!(there(&estate).await, was[&4]);
    let history = estate.json(&["stack", "history", "shop"]).await;
    let numbers: Vec<u64> =
        list(&history, "revisions").iter().map(|revision| revision["revision"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [8, 7, 6, 5, 4, 3, 2, 1], "each way back is a revision, too");
    estate.ok(&["stack", "remove", "shop", "--wait"]).await;
    estate.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_stops_starts_restarts_and_changes_its_mind() {
    let mut estate = Estate::start().await;
    estate.put_bystanders().await;
    let first = estate.document("first", &shop(1));
    estate.ok(&["stack", "deploy", &first, "--wait", "--timeout", "2m"]).await;
    let was = there(&estate).await;
    let (ids, before) = runs(&estate).await;
    for (action, state) in [("restart", "running"), ("stop", "exited"), ("start", "running")] {
        estate.ok(&["stack", action, "shop", "--wait", "--timeout", "2m"]).await;
        let (same, after) = runs(&estate).await;
        assert_eq!(same, ids, "{action} makes nothing anew");
        assert!(before.iter().zip(&after).all(|(before, after)| before != after), "{action}: {before:?} {after:?}");
        let expected: Vec<String> = was.iter().map(|line| line.replace("running", state)).collect();
        assert_eq!(there(&estate).await, expected, "{action}");
    }

    // While it is stopped somebody takes its networks for unused.
    estate.ok(&["stack", "stop", "shop", "--wait", "--timeout", "2m"]).await;
    for host in ["localhost-docker", "vm1"] {
        let pruned = estate.docker(host, &["network", "prune", "--force"]).await;
        assert!(pruned.contains("shop"), "{pruned}");
    }
    let started = estate.graphium(&["stack", "start", "shop", "--wait", "--timeout", "2m"]).await;
    let said = String::from_utf8_lossy(&started.stderr);
    assert_eq!(started.status.code(), Some(1), "{said}");
    assert!(said.contains("network") && said.contains("`graphium stack deploy`"), "{said}");
    estate.ok(&["stack", "deploy", &first, "--wait", "--timeout", "2m"]).await;
    assert_eq!(there(&estate).await, was);

    // Amid an update that waits for what never comes another is asked for.
    let overtaken = estate.json(&["stack", "deploy", &estate.document("ill", &ill())]).await;
    let overtaken = overtaken["deploymentId"].as_str().unwrap();
    estate
        .until("its new database runs", async |estate| {
            there(estate).await.contains(&"vm1 shop-db VERSION=3 running".to_owned())
        })
        .await;
    let second = estate.document("second", &shop(2));
    estate.ok(&["stack", "deploy", &second, "--wait", "--timeout", "2m"]).await;
    let all = there(&estate).await;
    assert!(all.len() == 4 && all.iter().all(|line| line.ends_with("VERSION=2 running")), "{all:?}");
    assert_eq!(list(&estate.json(&["plan", &second]).await, "tasks").len(), 0, "nothing is left to be done");
    let status = estate.json(&["stack", "status", overtaken]).await;
    let tasks = list(&status, "tasks");
    assert!(
        tasks.iter().all(|task| ["completed", "cancelled"].contains(&task["status"].as_str().unwrap())),
        "{status}"
    );
    let by = estate.json(&["stack", "status", "shop"]).await["deploymentId"].as_str().unwrap().to_owned();
    assert!(tasks.iter().any(|task| task["error"]["message"] == format!("superseded by `{by}`")), "{status}");
    estate.ok(&["stack", "remove", "shop", "--wait"]).await;
    estate.end().await;
}
