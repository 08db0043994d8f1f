//! What bears our labels and nobody wants: listed with its reason, removed, or adopted after its server has lost all it knew.

use crate::estate::{Estate, HOSTS, WEB, list, run_of};
use serde_json::{Value, json};

/// What is listed: where, and why.
async fn orphans(estate: &Estate) -> Vec<(String, String)> {
    let listed = estate.json(&["orphans"]).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list(&listed, "orphans").iter().map(|one| (text(&one["@id"]), text(&one["reason"]["code"]))).collect()
}

fn shop() -> Value {
    let container = |name: &str, host: &str| {
        json!({
            "@type": "datacenter:Container", "name": name, "image": WEB, "locatedInHost": {"@id": host},
            "volumeMounts": [{"type": "volume", "source": "data", "target": "/data"}]
        })
    };
    json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@id": "stack:shop", "@type": "datacenter:Stack", "name": "shop",
        "hasPart": [container("db", "vm1"), container("web", "vm2")]
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_knows_of_is_listed_and_removed_or_adopted_without_a_restart() {
    let mut estate = Estate::start().await;
    estate.put_bystanders().await;
    let labels = ["graphium.managed=true", "graphium.stack=stack:nowhere", "graphium.container=stray"];
    let labels: Vec<&str> = labels.iter().flat_map(|label| ["--label", *label]).collect();
    for name in ["stray", "other"] {
        estate.docker("vm2", &[&["run", "--detach", "--name", name], &labels[..], &[WEB, "sleep"]].concat()).await;
    }
    let told = |name: &str| (format!("vm2/{name}"), "no-stack".to_owned());
    estate.until("both are listed", async |estate| orphans(estate).await == [told("other"), told("stray")]).await;
    estate.ok(&["orphans", "remove", "vm2/stray"]).await;
    estate.until("it is removed", async |estate| estate.seen("vm2", "stray").await.is_none()).await;
    estate.until("the other is listed", async |estate| orphans(estate).await == [told("other")]).await;

    let document = estate.document("shop", &shop());
    estate.ok(&["stack", "deploy", &document, "--wait", "--timeout", "2m"]).await;
    let places = [("vm1", "shop-db"), ("vm2", "shop-web")];
    let mut before = Vec::new();
    for (host, name) in places {
        before.push(run_of(&estate.inspect(host, name).await));
    }
    // All that the server knew is lost, who may ask it included.
    estate.stop_programs().await;
    std::fs::remove_dir_all(estate.path("data")).unwrap();
    estate.start_server().await;
    for host in HOSTS {
        std::fs::remove_file(estate.path(&format!("{host}.token"))).unwrap();
    }
    estate.start_agents().await;
    estate
        .until("what it has lost is listed", async |estate| {
            let listed = orphans(estate).await;
            places.iter().all(|(host, name)| listed.contains(&(format!("{host}/{name}"), "no-stack".to_owned())))
        })
        .await;
    estate.ok(&["adopt", &document, "--wait"]).await;
    for ((host, name), run) in places.into_iter().zip(before) {
        assert_eq!(run_of(&estate.inspect(host, name).await), run, "{name} was not touched");
    }
    assert_eq!(list(&estate.json(&["plan", &document]).await, "tasks").len(), 0, "nothing is left to be done");
    assert_eq!(estate.json(&["stack", "status", "shop"]).await["overallStatus"], "running");
    estate.until("the stack's own are listed no more", async |estate| orphans(estate).await == [told("other")]).await;
    estate.ok(&["orphans", "remove", "--all"]).await;
    estate.ok(&["stack", "remove", "shop", "--volumes", "--yes", "--wait"]).await;
    estate.until("nothing is left", async |estate| estate.left().await.is_empty()).await;
    estate.end().await;
}
