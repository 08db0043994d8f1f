//! An engine that hangs holds up nobody else.

use crate::estate::{Estate, HOSTS, WEB};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn on(name: &str, hosts: &[&str]) -> Value {
    let containers = hosts.iter().map(|host| {
        json!({
            "@type": "datacenter:Container", "name": format!("web-{host}"), "image": WEB, "locatedInHost": {"@id": host}
        })
    });
    json!({
        "@context": "https://schema.org",
        "@graph": [{
            "@id": format!("stack:{name}"), "@type": "datacenter:Stack", "name": name, "hasPart": containers.collect::<Vec<_>>()
        }]
    })
}

async fn runs(estate: &Estate, host: &str, container: &str) -> bool {
    let name = format!("name=^{container}$");
    !estate.docker(host, &["ps", "--quiet", "--filter", &name]).await.trim().is_empty()
}

/// How long a stack on these hosts takes that is deployed, stopped, started, restarted and removed.
async fn life(estate: &Estate, hosts: &[&str]) -> Duration {
    let begun = Instant::now();
    let document = estate.document("beside", &on("beside", hosts));
    estate.ok(&["stack", "deploy", &document, "--wait", "--timeout", "50s"]).await;
    for action in ["stop", "start", "restart", "remove"] {
        estate.ok(&["stack", action, "beside", "--wait", "--timeout", "50s"]).await;
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_hangs_delays_no_other_host() {
    let mut estate = Estate::start().await;
    estate.put_bystanders().await;
    estate.ok(&["stack", "deploy", &estate.document("old", &on("old", &HOSTS)), "--wait"]).await;
    let others = ["localhost-docker", "vm2"];
    let before = life(&estate, &others).await;
    estate.host("vm1").pause_engine().await.unwrap();

    // Beside it, all goes as ever; what waited for it once would take an attempt's time longer.
    let beside = life(&estate, &others).await;
    assert!(beside < before * 3 + Duration::from_secs(5), "{beside:?} beside an engine that hangs, {before:?} without");

    // Of what it has a part in, the others do theirs.
    estate.ok(&["stack", "deploy", &estate.document("across", &on("across", &HOSTS))]).await;
    estate.ok(&["stack", "remove", "old"]).await;
    for host in others {
        estate
            .until("the others have done their part", async |estate| {
                runs(estate, host, &format!("across-web-{host}")).await
                    && !runs(estate, host, &format!("old-web-{host}")).await
            })
            .await;
    }
    let status = estate.json(&["stack", "status", "across"]).await;
    assert_eq!(status["overallStatus"], "deploying", "{status}");

    estate.host("vm1").resume_engine().await.unwrap();
    estate
        .until("it has caught up", async |estate| {
            let status = estate.json(&["stack", "status", "across"]).await;
            let gone = estate.graphium(&["stack", "status", "old"]).await.status.code() == Some(1);
            status["overallStatus"] == "running" && gone
        })
        .await;
    estate.ok(&["stack", "remove", "across", "--wait"]).await;
    estate.end().await;
}
