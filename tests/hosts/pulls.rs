use crate::{
    estate::{Estate, WEB, get, list},
    registry::{Flow, Offer, Registry, UNSPOKEN},
};
use graphium_server::testbed::images;
use jiff::Timestamp;
use serde_json::{Value, json};

/// How large the image is, beside its program.
const BALLAST: usize = 8 << 20;
/// Where a registry falls silent: amid the ballast, past all that is smaller.
const AMID: usize = 3 << 20;

/// Three hosts, and a registry with an image that none of them has.
async fn start() -> (Estate, Registry, Offer) {
    let estate = Estate::start().await;
    let registry = Registry::start(estate.testbed.uplink()).await;
    let offer = registry.offer(&images::web("graphium/bulky:1").unwrap().with_ballast(BALLAST));
    (estate, registry, offer)
}

/// A stack of one container; the path of its document.
fn stack(estate: &Estate, name: &str, host: &str, image: &str) -> String {
    let document = json!({
        "@context": "https://schema.org",
        "@graph": [{
            "@id": format!("stack:{name}"), "@type": "datacenter:Stack", "name": name,
            "hasPart": [
                {"@type": "datacenter:Container", "name": "web", "image": image, "locatedInHost": {"@id": host}}
            ]
        }]
    });
    estate.document(name, &document)
}

/// How many bytes a pull has brought, of how many, as far as a task or an event tells.
fn arrived(task: &Value) -> Option<(u64, u64)> {
    let progress = &task["progress"];
    assert!(progress.is_null() || progress["phase"] == "pulling" || task["taskType"] != "pull", "{task}");
    Some((progress["bytes"].as_u64()?, progress["totalBytes"].as_u64()?))
}

/// Waits until some of a stack's image has come; what `stack status` says then to people.
async fn is_amid(estate: &Estate, name: &str) -> String {
    let has_some = async |estate: &Estate| {
        let status = estate.json(&["stack", "status", name]).await;
        assert_eq!(status["overallStatus"], "deploying", "{status}");
        list(&status, "tasks").iter().filter_map(arrived).any(|(bytes, total)| 0 < bytes && bytes < total)
    };
    estate.until("a part of the image has come", has_some).await;
    estate.ok(&["stack", "status", name]).await
}

async fn runs(estate: &Estate, name: &str) -> bool {
    let status = estate.json(&["stack", "status", name]).await;
    assert_ne!(status["overallStatus"], "error", "{status}");
    status["overallStatus"] == "running"
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_killed_amid_a_pull_pulls_again_and_makes_its_container_once() {
    let (mut estate, registry, offer) = start().await;
    let ballast = offer.layers.last().unwrap();
    // A registry that has fallen silent, and one that sends on while nobody listens.
    for (round, host, flow) in [(1, "vm1", Flow::Held(AMID)), (2, "vm2", Flow::Slow(256 << 10))] {
        registry.flow(flow);
        let since = Timestamp::now();
        estate.ok(&["stack", "deploy", &stack(&estate, "bulky", host, &offer.reference)]).await;
        estate.until("it is pulled", async |_| registry.times_asked(ballast) == 2 * round - 1).await;
        is_amid(&estate, "bulky").await;
        estate.kill_agent(host).await;
        estate.start_agent(host).await;
        estate.until("it is pulled again", async |_| registry.times_asked(ballast) == 2 * round).await;
        is_amid(&estate, "bulky").await;
        registry.flow(Flow::Free);
        estate.until("the stack runs", async |estate| runs(estate, "bulky").await).await;
        estate.was_made_once(host, "bulky-web", since).await;
        estate.ok(&["stack", "remove", "bulky", "--wait"]).await;
    }
    estate.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_shows_what_has_come_and_ends_with_its_stack() {
    let (estate, registry, offer) = start().await;
    let pulling = format!("pulling {}", offer.reference);

    // A slow registry: bytes are told while one waits, and in events.
    registry.flow(Flow::Slow(1 << 20));
    let file = stack(&estate, "slow", "vm1", &offer.reference);
    let output = estate.graphium(&["stack", "deploy", &file, "--wait"]).await;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words}");
    let is_told = |line: &str| line.contains(&pulling) && line.ends_with("MB");
    assert!(words.lines().any(is_told), "bytes are told: {words}");
    let events = estate.ok(&["events", "-o", "json"]).await;
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let amounts: Vec<(u64, u64)> = events.filter_map(|event| arrived(&event["data"])).collect();
    assert!(amounts.len() > 1 && amounts.is_sorted(), "bytes of a pull only grow: {amounts:?}");
    estate.ok(&["stack", "remove", "slow", "--wait"]).await;

    // One that falls silent: what has come stays in sight, and the stack can be taken back there and then.
    registry.flow(Flow::Held(AMID));
    estate.ok(&["stack", "deploy", &stack(&estate, "silent", "vm2", &offer.reference)]).await;
    let words = is_amid(&estate, "silent").await;
    assert!(words.lines().any(is_told), "{words}");
    let tasks = estate.ok(&["task", "list"]).await;
    assert!(tasks.contains("waits for host vm2: pulling, "), "{tasks}");
    // Long before the agent would give the registry up.
    estate.ok(&["stack", "remove", "silent", "--wait", "--timeout", "45s"]).await;

    // The engine has let go of it too: it asks for the same blob again.
    let ballast = offer.layers.last().unwrap();
    let asked = registry.times_asked(ballast);
    registry.flow(Flow::Free);
    estate.ok(&["stack", "deploy", &stack(&estate, "again", "vm2", &offer.reference), "--wait"]).await;
    assert_eq!(registry.times_asked(ballast), asked + 1);
    estate.ok(&["stack", "remove", "again", "--wait"]).await;
    estate.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_its_registry_does_not_have_fails_at_once_by_its_name() {
    let (estate, registry, _) = start().await;
    for absent in ["graphium/bulky:2", "graphium/unheard-of:1", UNSPOKEN] {
        let image = registry.reference(absent);
        let file = stack(&estate, "absent", "vm1", &image);
        let output = estate.graphium(&["stack", "deploy", &file, "--wait"]).await;
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(words.contains(&image) && words.contains("vm1") && words.contains("hint:"), "{words}");
        let status = estate.json(&["stack", "status", "absent"]).await;
        let pull = list(&status, "tasks").iter().find(|task| task["taskType"] == "pull").unwrap();
        assert_eq!((&pull["error"]["code"], &pull["attempt"]), (&json!("image-not-found"), &json!(1)), "{pull}");
        estate.ok(&["stack", "remove", "absent", "--wait"]).await;
    }
    estate.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_has_moved_is_deployed_when_it_is_pulled_and_nothing_else_is_touched() {
    let estate = Estate::start().await;
    let registry = Registry::start(estate.testbed.uplink()).await;
    let offer = registry.offer(&images::web("graphium/moving:1").unwrap());
    let containers = json!([
        {"@type": "datacenter:Container", "name": "web", "image": offer.reference, "replicas": 2},
        {"@type": "datacenter:Container", "name": "own", "image": WEB, "pullPolicy": "never"},
    ]);
    let document = json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "@id": "stack:shop",
        "name": "shop", "locatedInHost": "vm1", "hasPart": containers,
        "deployment": {"update": {"order": "start-first"}},
    });
    let file = estate.document("shop", &document);
    let deploy =
        async |options: &[&str]| estate.ok(&[&["stack", "deploy", &file, "--wait"][..], options].concat()).await;
    let there = async || {
        let mut there = Vec::new();
        for name in ["shop-web-1", "shop-web-2", "shop-own"] {
            let seen = estate.inspect("vm1", name).await;
            there.push([&seen["Id"], &seen["Image"], &seen["State"]["StartedAt"]].map(Value::to_string));
        }
        there
    };
    deploy(&[]).await;
    let before = there().await;
    deploy(&["--pull"]).await;
    assert_eq!(there().await, before, "every image is the newest already");

    registry.offer(&images::web("graphium/moving:1").unwrap().with_ballast(1 << 16));
    deploy(&[]).await;
    assert_eq!(there().await, before, "nobody has asked for what is new");
    let plan = estate.ok(&["plan", &file, "--pull"]).await;
    assert!(plan.contains("made anew if its image is another by now"), "{plan}");
    deploy(&["--pull"]).await;
    let after = there().await;
    for replica in 0..2 {
        assert!(after[replica][0] != before[replica][0] && after[replica][1] != before[replica][1], "{after:?}");
    }
    assert_eq!(after[0][1], after[1][1]);
    assert_eq!(after[2], before[2]);
    assert_eq!(estate.json(&["plan", &file]).await["tasks"], json!([]), "all is as it should be");
    estate.ok(&["stack", "remove", "shop", "--wait"]).await;
    estate.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_has_moved_to_what_does_not_run_leaves_the_old_one_serving() {
    let estate = Estate::start().await;
    let registry = Registry::start(estate.testbed.uplink()).await;
    let offer = registry.offer(&images::web("graphium/fragile:1").unwrap());
    // It has its port alone, so it stops first.
    let web = json!({
        "@type": "datacenter:Container", "name": "web", "image": offer.reference, "command": ["serve"],
        "ports": [{"containerPort": 80, "hostPort": 8099}],
    });
    let document = json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "@id": "stack:shop",
        "name": "shop", "locatedInHost": "vm1", "hasPart": [web],
    });
    let file = estate.document("shop", &document);
    estate.ok(&["stack", "deploy", &file, "--wait"]).await;
    let before = estate.inspect("vm1", "shop-web").await;

    registry.offer(&images::shell("graphium/fragile:1").unwrap());
    let deploy = ["stack", "deploy", &file, "--pull", "--wait", "--rollback-on-error"];
    let output = estate.graphium(&deploy).await;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && words.contains("serve"), "{words}");
    let after = estate.inspect("vm1", "shop-web").await;
    assert_eq!((&after["Id"], &after["State"]["Running"]), (&before["Id"], &json!(true)), "{words}");
    let address = estate.host("vm1").address();
    assert!(get(&format!("http://{address}:8099/")).await.is_some(), "{words}");
    estate.until("the stack runs", async |estate| runs_at_last(estate, "shop").await).await;
    let names = estate.docker("vm1", &["ps", "--all", "--format", "{{.Names}}"]).await;
    assert_eq!(names.trim(), "shop-web", "nothing stands beside it");

    registry.offer(&images::web("graphium/fragile:1").unwrap().with_ballast(1 << 16));
    estate.ok(&["stack", "deploy", &file, "--pull", "--wait"]).await;
    let mended = estate.inspect("vm1", "shop-web").await;
    assert!(mended["Id"] != before["Id"] && mended["Image"] != before["Image"], "{mended}");
    estate.ok(&["stack", "remove", "shop", "--wait"]).await;
    estate.end().await;
}

async fn runs_at_last(estate: &Estate, name: &str) -> bool {
    estate.json(&["stack", "status", name]).await["overallStatus"] == "running"
}
