//! Containers that somebody kills or removes by hand, and one that ends by itself again and again.

use crate::estate::{Estate, WEB, list};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long what was killed by hand may be away.
const BACK: Duration = Duration::from_secs(5);

fn document(name: &str, containers: Value) -> Value {
    json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "@id": format!("stack:{name}"),
        "name": name, "hasPart": containers
    })
}

fn container(name: &str, policy: &str, command: &Value) -> Value {
    json!({
        "@type": "datacenter:Container", "@id": format!("container:{name}"), "name": name, "image": WEB,
        "locatedInHost": "vm1", "restartPolicy": policy, "command": command
    })
}

/// Waits until a container runs, and says how long that took.
async fn is_back(estate: &Estate, container: &str) -> Duration {
    let began = Instant::now();
    let filter = format!("name=^{container}$");
    loop {
        let running = estate.docker("vm1", &["ps", "--quiet", "--filter", &filter, "--filter", "status=running"]).await;
        if !running.trim().is_empty() {
            return began.elapsed();
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{container} is not back\n{}", estate.logs());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Kills a process among those of a host's engine, which have numbers of their own.
async fn kill_process(estate: &Estate, pid: &str) {
    // The image has no such program: that of the machine, with what it needs.
    let folders = ["/usr", "/lib", "/lib64"].map(|folder| format!("--volume={folder}:{folder}:ro"));
    let [usr, lib, lib64] = folders.each_ref().map(String::as_str);
    let run = ["run", "--rm", "--pid=host", usr, lib, lib64, "--entrypoint=/usr/bin/busybox", WEB, "kill", "-9", pid];
    estate.docker("vm1", &run).await;
}

async fn status(estate: &Estate, stack: &str) -> (String, String) {
    let view = estate.json(&["stack", "status", stack]).await;
    let text = |key: &str| view[key].as_str().unwrap_or_default().to_owned();
    (text("overallStatus"), text("errorMessage"))
}

async fn runs_again(estate: &Estate, stack: &str) {
    estate
        .until("the stack runs again", async |estate| status(estate, stack).await == ("running".into(), String::new()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_killed_or_removed_by_hand_is_back_and_what_ends_again_and_again_is_not_fed() {
    let estate = Estate::start().await;
    let serve = json!(["serve"]);
    let shop = [container("web", "unless-stopped", &serve), container("db", "always", &serve)];
    let shop = estate.document("shop", &document("shop", json!(shop)));
    estate.ok(&["stack", "deploy", &shop, "--wait"]).await;
    estate.docker("vm1", &["run", "--detach", "--name", "shop-other", WEB, "sleep"]).await;
    let foreign = estate.inspect("vm1", "shop-other").await;
    let db = estate.inspect("vm1", "shop-db").await;

    // By hand: the engine does not start it again, whatever its policy.
    let before = estate.inspect("vm1", "shop-web").await["Id"].clone();
    estate.docker("vm1", &["kill", "shop-web"]).await;
    let killed = is_back(&estate, "shop-web").await;
    assert_eq!(estate.inspect("vm1", "shop-web").await["Id"], before, "it is the same container");
    runs_again(&estate, "shop").await;

    // Another one than that, which had its turn just now.
    estate.docker("vm1", &["rm", "--force", "shop-db"]).await;
    let removed = is_back(&estate, "shop-db").await;
    assert_ne!(estate.inspect("vm1", "shop-db").await["Id"], db["Id"], "it is made again");
    runs_again(&estate, "shop").await;

    // Its process: that is for the engine to follow, and nobody else does.
    let pid = estate.inspect("vm1", "shop-db").await["State"]["Pid"].to_string();
    let since = Timestamp::now();
    kill_process(&estate, &pid).await;
    let starts = async || estate.happened("vm1", "shop-db", "start", since).await;
    estate.until("the engine has started it", async |_| starts().await > 0).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    runs_again(&estate, "shop").await;
    assert_eq!(starts().await, 1);
    println!("back after {killed:?} (killed), {removed:?} (removed)");
    assert!(killed < BACK && removed < BACK, "{killed:?} {removed:?}\n{}", estate.logs());

    let history = estate.json(&["stack", "history", "shop"]).await;
    assert_eq!(list(&history, "revisions").len(), 1, "a repair is no revision");
    assert_eq!(estate.json(&["plan", &shop]).await["tasks"], json!([]), "all is as it should be");

    // One that is left alone, and what the difference tells of it.
    let left = estate.document("left", &document("left", json!([container("web", "always", &serve)])));
    estate.ok(&["stack", "deploy", &left, "--wait", "--on-drift", "report"]).await;
    estate.docker("vm1", &["kill", "left-web"]).await;
    estate.until("the end is told", async |estate| status(estate, "left").await.0 == "error").await;
    let words = "container `left-web` on host `vm1` ended with exit code 137";
    assert_eq!(status(&estate, "left").await.1, words);
    let difference = estate.ok(&["stack", "diff", "left", "--live"]).await;
    assert!(difference.contains("~ status: running → exited with code 137"), "{difference}");
    estate.docker("vm1", &["rm", "left-web"]).await;
    estate
        .until("it is told as missing", async |estate| {
            estate.ok(&["stack", "diff", "left", "--live"]).await.contains("- web is missing on vm1")
        })
        .await;
    estate.docker("vm1", &["update", "--restart", "no", "shop-web"]).await;
    estate
        .until("the policy is told", async |estate| {
            let difference = estate.ok(&["stack", "diff", "shop", "--live"]).await;
            difference.contains("~ restartPolicy: unless-stopped → no")
        })
        .await;

    // It ends with a failure every three seconds, and the engine starts it again once each time.
    let since = Timestamp::now();
    let command = json!(["exit", "3", "3000"]);
    let loops = estate.document("loops", &document("loops", json!([container("web", "on-failure:1", &command)])));
    estate.ok(&["stack", "deploy", &loops, "--wait"]).await;
    estate
        .until("it waits", async |estate| {
            status(estate, "loops").await.1.contains("ended with exit code 3 once more; it is started again at")
        })
        .await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let starts = estate.happened("vm1", "loops-web", "start", since).await;
    // Two by the deployment, two by the repair at once, two by the one 10 s after that; the next is 30 s after that.
    assert!((3..=6).contains(&starts), "{starts}");

    let after = estate.inspect("vm1", "shop-other").await;
    assert_eq!((&after["Id"], &after["State"]["StartedAt"]), (&foreign["Id"], &foreign["State"]["StartedAt"]));
    estate.docker("vm1", &["rm", "--force", "shop-other"]).await;
    for stack in ["shop", "left", "loops"] {
        estate.ok(&["stack", "remove", stack, "--wait"]).await;
    }
    estate.end().await;
}

/// An engine that is restarted, as by an update of the machine: nginx calls its end a success, and its policy is that nobody
/// starts it again.
#[tokio::test(flavor = "multi_thread")]
async fn what_ended_with_its_engine_is_back_with_it_and_meanwhile_its_stack_says_what_is_missing() {
    let estate = Estate::start().await;
    let mut web = container("web", "no", &Value::Null);
    web["image"] = "nginx:alpine".into();
    web["command"] = json!(["nginx", "-g", "daemon off;"]);
    web["dependsOn"] = json!([{"@id": "container:job", "condition": "completed"}]);
    let job = container("job", "no", &json!(["exit", "0", "500"]));
    let shop = estate.document("shop", &document("shop", json!([job, web])));
    estate.ok(&["stack", "deploy", &shop, "--wait"]).await;
    let started = async || {
        let [web, job] = ["shop-web", "shop-job"].map(|name| estate.inspect("vm1", name));
        let (web, job) = (web.await, job.await);
        (web["State"].clone(), job["State"]["StartedAt"].clone())
    };
    let before = started().await;

    estate.host("vm1").stop_engine().await.unwrap();
    estate
        .until("the stack tells of the engine", async |estate| {
            let (status, reason) = status(estate, "shop").await;
            status == "degraded" && reason.starts_with("the engine of host `vm1` does not answer since ")
        })
        .await;
    let hosts = estate.ok(&["host", "list"]).await;
    assert!(
        hosts.lines().any(|line| line.starts_with("vm1") && line.contains("active, engine away since ")),
        "{hosts}"
    );
    let stacks = estate.ok(&["stack", "list"]).await;
    assert!(stacks.lines().any(|line| line.starts_with("shop") && line.contains("degraded")), "{stacks}");

    estate.host("vm1").start_engine().await.unwrap();
    let back = is_back(&estate, "shop-web").await;
    runs_again(&estate, "shop").await;
    let after = started().await;
    println!("back after {back:?}");
    assert_ne!(after.0["StartedAt"], before.0["StartedAt"]);
    assert_eq!(after.1, before.1, "what had done its work does it no second time");
    estate.ok(&["stack", "remove", "shop", "--wait"]).await;
    estate.end().await;
}
