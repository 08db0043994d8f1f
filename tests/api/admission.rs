//! What stacks may ask of their hosts, over the API.

use super::bed::Bed;
use graphium_server::serve::Limits;
use reqwest::{Method, StatusCode};

const GREEDY: &str = r#"{
  "@context": "https://graphium.io/context/v1.jsonld",
  "@id": "stack:greedy", "@type": "datacenter:Stack", "name": "greedy",
  "hasPart": [
    {"@type": "datacenter:Container", "@id": "container:web", "name": "web", "image": "nginx:alpine",
     "privileged": true,
     "volumeMounts": [{"type": "bind", "source": "/", "target": "/host"}]}
  ]
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
        assert_eq!(told, [("not-allowed", 6), ("not-allowed", 7)], "{path}: {problem}");
        let help = found[1]["help"].as_str().unwrap();
        assert!(help.contains("mount a volume, or have it allowed") && help.contains("--allow bind=/"), "{help}");
    }
}

#[tokio::test]
async fn what_is_allowed_is_taken() {
    let allowed = ["privileged", "bind=/"].map(|text| text.parse().unwrap());
    let bed = Bed::allowing("memory:", Limits::default(), allowed.into_iter().collect()).await;
    bed.host("vm1").await;
    let (status, answer) = posted(&bed, "/api/v1/stacks").await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
}
