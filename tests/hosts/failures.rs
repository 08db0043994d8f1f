use crate::estate::{Estate, WEB, list};
use serde_json::{Value, json};

fn one(name: &str, container: Value) -> Value {
    let mut container = container;
    container["@type"] = json!("datacenter:Container");
    container["name"] = json!("web");
    container["locatedInHost"] = json!({"@id": "vm1"});
    json!({
        "@context": "https://schema.org",
        "@graph": [{"@id": format!("stack:{name}"), "@type": "datacenter:Stack", "name": name, "hasPart": [container]}]
    })
}

/// Deploys what cannot work; the words of the command line and the stack's own message.
async fn fails(estate: &Estate, name: &str, container: Value) -> (String, String) {
    let file = estate.document(name, &one(name, container));
    let output = estate.graphium(&["stack", "deploy", &file, "--wait", "--timeout", "1m"]).await;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    let status = estate.json(&["stack", "status", name]).await;
    assert_eq!(status["overallStatus"], "error", "{status}");
    (words, status["errorMessage"].as_str().unwrap_or_default().to_owned())
}

/// Deploys what an engine cannot do, as its agent has told.
async fn is_refused(estate: &Estate, container: Value, words: &str) {
    let file = estate.document("beyond", &one("beyond", container));
    let output = estate.graphium(&["stack", "deploy", &file, "--wait", "--timeout", "1m"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(3) && said.contains(words) && said.contains("`vm1`"), "{said}");
    assert_eq!(list(&estate.json(&["stack", "list"]).await, "stacks"), [Value::Null; 0], "nothing was stored");
    assert_eq!(estate.left().await, [""; 0], "nor begun");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_fails_at_once_with_its_cause() {
    let estate = Estate::start().await;
    is_refused(&estate, json!({"image": WEB, "gpus": -1}), "gives containers no GPUs").await;
    is_refused(&estate, json!({"image": WEB, "platform": "linux/s390x"}), "not `linux/s390x`").await;
    is_refused(&estate, json!({"image": WEB, "runtime": "nvidia"}), "no runtime `nvidia`").await;

    let (words, message) =
        fails(&estate, "absent", json!({"image": "graphium/absent:none", "pullPolicy": "never"})).await;
    assert!(message.contains("graphium/absent:none") && message.contains("vm1"), "{message}");
    assert!(words.contains("graphium/absent:none") && words.contains("vm1"), "{words}");

    let (words, message) = fails(
        &estate,
        "ends",
        json!({"image": WEB, "command": ["exit", "7", "0", "the disk is on fire"], "restartPolicy": "unless-stopped"}),
    )
    .await;
    assert!(message.contains("exit code 7") || message.contains("exited with code 7"), "{message}");
    assert!(words.contains("the disk is on fire"), "the last log lines are shown: {words}");

    // A port that something else on the host holds, which no engine knows of.
    let holder =
        estate.host("vm1").command("busybox").args(["nc", "-l", "-p", "9999"]).kill_on_drop(true).spawn().unwrap();
    estate.until("the port is held", async |estate| port_is_held(estate).await).await;
    let (words, message) =
        fails(&estate, "taken", json!({"image": WEB, "ports": [{"containerPort": 80, "hostPort": 9999}]})).await;
    assert!(message.contains("9999"), "{message}");
    assert!(words.contains("hostPort") || words.contains("hint"), "what to do next is said: {words}");
    drop(holder);

    for name in ["absent", "ends", "taken"] {
        estate.ok(&["stack", "remove", name, "--wait"]).await;
    }
    estate.end().await;
}

async fn port_is_held(estate: &Estate) -> bool {
    let output = estate.host("vm1").command("busybox").args(["netstat", "-ltn"]).output().await.unwrap();
    String::from_utf8_lossy(&output.stdout).contains(":9999 ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_document_is_refused_whole() {
    let estate = Estate::start().await;
    let mut document = one("broken", json!({"image": WEB, "dependsOn": ["dbb"], "restartPolicy": "sometimes"}));
    document["@graph"][0]["hasPart"][0]["ports"] = json!([{"containerPort": 99999}]);
    let file = estate.document("broken", &document);
    let output = estate.graphium(&["stack", "deploy", &file, "--wait"]).await;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{words}");
    for mistake in ["dbb", "sometimes", "99999"] {
        assert!(words.contains(mistake), "no word of {mistake}: {words}");
    }
    let unknown = estate.document("unknown", &one("unknown", json!({"image": WEB, "locatedInHost": {"@id": "vm1"}})));
    let text = std::fs::read_to_string(&unknown).unwrap().replace("\"vm1\"", "\"vm9\"");
    std::fs::write(&unknown, text).unwrap();
    let output = estate.graphium(&["stack", "deploy", &unknown, "--wait"]).await;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{words}");
    assert!(words.contains("vm9") && words.contains("vm1"), "the known hosts are named: {words}");
    assert!(list(&estate.json(&["stack", "list"]).await, "stacks").is_empty());
    estate.end().await;
}
