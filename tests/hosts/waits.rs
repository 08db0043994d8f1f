use crate::estate::{Estate, get};
use serde_json::Value;

const NGINX_MULTIHOST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/stacks/nginx-multihost-stack.json");

fn waiting_for_vm2(status: &Value) -> bool {
    let tasks = status["tasks"].as_array().unwrap();
    let waits = |task: &&Value| task["waiting"]["reason"] == "host" && task["hostId"] == "vm2";
    tasks.iter().find(waits).is_some_and(|task| {
        let on = task["waiting"]["on"].as_str().unwrap();
        on.contains("vm2") && on.contains("offline since") && task["waiting"]["since"].is_string()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_absent_host_is_to_do_waits_for_it_and_says_so() {
    let mut estate = Estate::start().await;
    estate.kill_agent("vm2").await;
    estate
        .until("vm2 is offline", async |estate| estate.json(&["host", "list"]).await.to_string().contains("offline"))
        .await;

    // Deploying: the others go on.
    estate.ok(&["stack", "deploy", NGINX_MULTIHOST]).await;
    estate.until("the others run", async |estate| others_answer(estate).await).await;
    let status = estate.json(&["stack", "status", "nginx-multihost"]).await;
    assert_eq!(status["overallStatus"], "deploying", "{status}");
    assert!(waiting_for_vm2(&status), "{status}");
    let told = estate.ok(&["stack", "status", "nginx-multihost"]).await;
    assert!(told.contains("vm2") && told.contains("offline since"), "{told}");

    estate.start_agent("vm2").await;
    estate.until("all run", async |estate| overall(estate).await == "running").await;
    let (status, _) = get(&format!("http://{}:8083/", estate.host("vm2").address())).await.unwrap();
    assert_eq!(status, 200);

    // Removing: the same.
    estate.kill_agent("vm2").await;
    estate.ok(&["stack", "remove", "nginx-multihost"]).await;
    estate
        .until("it waits for vm2", async |estate| {
            waiting_for_vm2(&estate.json(&["stack", "status", "nginx-multihost"]).await)
        })
        .await;
    assert_eq!(overall(&estate).await, "deleting");
    estate.until("the others are gone", async |estate| !others_answer(estate).await).await;
    estate.start_agent("vm2").await;
    estate
        .until("the stack is gone", async |estate| {
            estate.graphium(&["stack", "status", "nginx-multihost"]).await.status.code() == Some(1)
        })
        .await;
    estate.end().await;
}

async fn overall(estate: &Estate) -> String {
    estate.json(&["stack", "status", "nginx-multihost"]).await["overallStatus"].as_str().unwrap().to_owned()
}

async fn others_answer(estate: &Estate) -> bool {
    let mut answers = true;
    for (host, port) in [("localhost-docker", 8081), ("vm1", 8082)] {
        answers &= get(&format!("http://{}:{port}/", estate.host(host).address())).await.is_some();
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_agents_for_one_host_one_works_and_the_other_is_told_and_stops() {
    let mut estate = Estate::start().await;
    let second = estate.spawn_agent("vm1", "vm1-second").await;
    let mut first = estate.take_agent("vm1");
    let ended = tokio::time::timeout(std::time::Duration::from_secs(30), first.wait()).await;
    assert!(!ended.expect("one of the two stops").unwrap().success());
    let words = estate.log("agent-vm1.log");
    assert!(words.contains("another agent") && words.contains("vm1"), "{words}");
    estate.ok(&["stack", "deploy", NGINX_MULTIHOST, "--wait"]).await;
    estate.ok(&["stack", "remove", "nginx-multihost", "--wait"]).await;
    drop(second);
    estate.end().await;
}
