//! What stacks may ask of their hosts, over the API.

use super::bed::Bed;
use graphium_core::control::Role;
use graphium_server::serve::Limits;
use reqwest::{Method, StatusCode};
use serde_json::json;

const GREEDY: &str = r#"{
  "@context": "https://graphium.io/context/v1.jsonld",
  "@id": "stack:greedy", "@type": "datacenter:Stack", "name": "greedy",
  "hasPart": [
    {"@type": "datacenter:Container", "@id": "container:web", "name": "web", "image": "nginx:alpine",
     "privileged": true,
     "volumeMounts": [{"type": "bind", "source": "/", "target": "/host"}],
     "logging": {"driver": "syslog"}}
  ],
  "network": {"driver": "macvlan", "options": {"parent": "eth0"}},
  "volumes": [{"name": "v", "driverOpts": {"o": "bind", "device": "/etc"}}]
}"#;

async fn posted(bed: &Bed, path: &str) -> (StatusCode, serde_json::Value) {
    let request = bed.request(Method::POST, path).bearer_auth(&bed.token).header("content-type", "application/ld+json");
    let response = request.body(GREEDY).send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

#[tokio::test]
async fn what_is_not_allowed_is_refused_in_its_place_wherever_it_is_asked() {
    let bed = Bed::new().await;
    bed.host("vm1").await;
    for path in ["/api/v1/stacks", "/api/v1/stacks/plan", "/api/v1/stacks/plan/save"] {
        let (status, problem) = posted(&bed, path).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {problem}");
        let found = problem["diagnostics"].as_array().unwrap();
        let told: Vec<_> =
            found.iter().map(|one| (one["code"].as_str().unwrap(), one["line"].as_u64().unwrap())).collect();
        assert_eq!(told, [6, 7, 8, 10, 11].map(|line| ("not-allowed", line)), "{path}: {problem}");
        let help = found[1]["help"].as_str().unwrap();
        assert!(help.contains("mount a volume, or have it allowed") && help.contains("--allow bind=/"), "{help}");
    }
}

#[tokio::test]
async fn what_is_allowed_is_taken() {
    let allowed =
        ["privileged", "bind=/", "log-driver=syslog", "network-driver=macvlan"].map(|text| text.parse().unwrap());
    let bed = Bed::allowing("memory:", Limits::default(), allowed.into_iter().collect()).await;
    bed.host("vm1").await;
    let (status, answer) = posted(&bed, "/api/v1/stacks").await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
}

#[tokio::test]
async fn a_task_of_an_operators_own_is_refused_as_a_stack_would_be() {
    let bed = Bed::new().await;
    bed.host("vm1").await;
    let operator = bed.token(Role::Operator, None).await;
    let spec = json!({"name": "greedy-web", "labels": {},
        "container": {"name": "web", "image": "nginx:alpine", "privileged": true}});
    let task = json!({"hostId": "vm1", "payload": {"action": "deploy", "spec": spec}});
    let request = bed.request(Method::POST, "/api/v1/tasks").bearer_auth(operator).json(&task);
    let response = request.send().await.unwrap();
    let (status, problem) = (response.status(), response.json::<serde_json::Value>().await.unwrap());
    assert_eq!((status.as_u16(), problem["code"].as_str()), (422, Some("not-allowed")), "{problem}");
    assert_eq!(problem["detail"], "the task is refused: `privileged` is not allowed here");
    let help = problem["diagnostics"][0]["help"].as_str().unwrap();
    assert!(help.ends_with("`--allow privileged`"), "{help}");
    let tasks = bed.json(Method::GET, "/api/v1/tasks", None, 200).await;
    assert_eq!(tasks["tasks"], json!([]));
}
