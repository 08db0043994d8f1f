use crate::{
    estate::{Estate, list},
    registry::Registry,
};
use graphium_server::testbed::images;
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt as _};

/// `shop:opensesame` in base 64.
const LOGIN: &str = "c2hvcDpvcGVuc2VzYW1l";
const PASSWORD: &str = "opensesame";

fn stack(estate: &Estate, name: &str, host: &str, image: &str) -> String {
    let document = json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack",
        "@id": format!("stack:{name}"), "name": name,
        "hasPart": [{"@type": "datacenter:Container", "name": "web", "image": image, "locatedInHost": host}],
    });
    estate.document(name, &document)
}

/// What agents find as Docker's configuration from now on.
fn configure(estate: &Estate, config: &Value) {
    fs::create_dir_all(estate.path("docker-config")).unwrap();
    fs::write(estate.path("docker-config").join("config.json"), config.to_string()).unwrap();
}

/// A credential helper of that name.
fn helper(estate: &Estate, name: &str, script: &str) {
    fs::create_dir_all(estate.path("bin")).unwrap();
    let path = estate.path("bin").join(format!("docker-credential-{name}"));
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

async fn pull_task(estate: &Estate, stack: &str) -> Value {
    let status = estate.json(&["stack", "status", stack]).await;
    list(&status, "tasks").iter().find(|task| task["taskType"] == "pull").unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn images_of_a_registry_with_logins_are_pulled_as_docker_would() {
    let estate = Estate::start().await;
    let registry = Registry::with_login(estate.testbed.uplink(), LOGIN).await;
    let offer = registry.offer(&images::web("graphium/private:1").unwrap());

    // Nobody is let in, and the reason why nobody asked as somebody is told without a word of the helper's.
    helper(&estate, "broken", &format!("echo {PASSWORD}; echo {PASSWORD} >&2; exit 3"));
    for (config, words) in [
        (json!({}), "registry login"),
        (json!({"credHelpers": {registry.name(): "broken"}}), "`docker-credential-broken` failed (exit status: 3)"),
    ] {
        configure(&estate, &config);
        let output =
            estate.graphium(&["stack", "deploy", &stack(&estate, "denied", "vm1", &offer.reference), "--wait"]).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(words), "{words} in {said}");
        assert_eq!(pull_task(&estate, "denied").await["error"]["code"], "image-not-found");
        estate.ok(&["stack", "remove", "denied", "--wait"]).await;
    }

    // A login in the file, and one that a helper keeps; what was pulled is recorded.
    helper(
        &estate,
        "good",
        &format!(r#"[ "$(cat)" = "{}" ] && echo '{{"Username":"shop","Secret":"{PASSWORD}"}}'"#, registry.name()),
    );
    for (host, config) in [
        ("vm1", json!({"auths": {registry.name(): {"auth": LOGIN}}})),
        ("vm2", json!({"credHelpers": {registry.name(): "good"}})),
        ("localhost-docker", json!({"credsStore": "good"})),
    ] {
        configure(&estate, &config);
        estate.ok(&["stack", "deploy", &stack(&estate, "private", host, &offer.reference), "--wait"]).await;
        assert_eq!(pull_task(&estate, "private").await["result"]["digest"], offer.digest.as_str(), "{host}");
        estate.ok(&["stack", "remove", "private", "--wait"]).await;
    }
    let told =
        estate.ok(&["events", "-o", "json"]).await + &estate.ok(&["task", "list", "-o", "json"]).await + &estate.logs();
    assert!(!told.contains(PASSWORD) && !told.contains(LOGIN), "a secret shows nowhere");
    estate.end().await;
}
