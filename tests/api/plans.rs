//! Plans that are saved and applied over the API.

use crate::bed::{Bed, stack};
use graphium_core::{inventory::HostStatus, plan::SavedPlan, stack::OnFailure};
use graphium_server::client::{ClientError, DeployRequest};
use reqwest::Method;
use serde_json::{Value, json};

async fn save(bed: &Bed) -> SavedPlan {
    let document = stack("shop", "vm1").to_string().replace("nginx:1.27", "nginx:${TAG}");
    let variables = [("TAG".to_owned(), "hunter2".to_owned())].into();
    let request = DeployRequest { variables, pull_images: Some(true), ..DeployRequest::default() };
    bed.admin.save_plan(document, &request).await.unwrap()
}

#[tokio::test]
async fn a_saved_plan_is_taken_on_as_a_deployment_is() {
    let bed = Bed::new().await;
    let _host = bed.host("vm1").await;
    let saved = save(&bed).await;
    assert!(bed.admin.stacks().await.unwrap().is_empty(), "saving stores nothing");
    assert!(saved.options.pull_images);

    let body: Value = serde_json::from_str(&saved.to_text()).unwrap();
    let apply = async || {
        let request = bed.request(Method::POST, "/api/v1/stacks/plan/apply").bearer_auth(&bed.token);
        request.header("idempotency-key", "once").json(&body).send().await.unwrap()
    };
    let response = apply().await;
    assert_eq!(response.status(), 202);
    let place = response.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(bed.json(Method::GET, &place, None, 200).await["planHash"], saved.plan.hash);
    assert_eq!(apply().await.status(), 202, "the same key has the same answer");
    assert_eq!(bed.admin.deployments(None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_found_in_the_document_is_told_to_whoever_applies_its_plan() {
    let bed = Bed::new().await;
    let _host = bed.host("vm1").await;
    let request = DeployRequest { rollback_on_error: Some(true), ..DeployRequest::default() };
    let mut document = stack("shop", "vm1");
    document.as_object_mut().unwrap().remove("@context");
    let saved = bed.admin.save_plan(document.to_string(), &request).await.unwrap();
    assert!(!saved.notes.is_empty());
    assert_eq!(saved.options.on_failure, Some(OnFailure::Rollback));
    let started = bed.admin.apply(saved.to_text()).await.unwrap();
    assert!(started.warnings.ends_with(&saved.notes), "{:?}", started.warnings);
}

#[tokio::test]
async fn a_plan_that_does_not_fit_any_more_is_refused_by_what_has_changed() {
    let bed = Bed::new().await;
    let _host = bed.host("vm1").await;
    let saved = save(&bed).await;
    bed.admin.set_host_status("vm1", HostStatus::Draining).await.unwrap();
    let told = "host `vm1` was active and is draining now";
    let problem =
        bed.json(Method::POST, "/api/v1/stacks/plan/apply", serde_json::from_str(&saved.to_text()).ok(), 409).await;
    assert_eq!((&problem["code"], &problem["diagnostics"][0]["message"]), (&json!("plan-outdated"), &json!(told)));
    assert!(problem["detail"].as_str().unwrap().contains(told) && !problem.to_string().contains("hunter2"));
    let error = bed.admin.apply(saved.to_text()).await.unwrap_err();
    assert!(matches!(&error, ClientError::Outdated { changes, .. } if changes == &[told]), "{error}");
    assert!(bed.admin.stacks().await.unwrap().is_empty(), "nothing was done");

    bed.admin.set_host_status("vm1", HostStatus::Active).await.unwrap();
    assert_eq!(bed.admin.apply(saved.to_text()).await.unwrap().stack_name, "shop");
}

#[tokio::test]
async fn what_is_no_saved_plan_is_a_problem_with_a_code() {
    let bed = Bed::new().await;
    let _host = bed.host("vm1").await;
    let text = save(&bed).await.to_text();
    for (body, code) in [
        (text.replace("hunter2", "hunter3"), "plan-changed"),
        (text[..text.len() / 2].to_owned(), "plan-cut-off"),
        (text.replacen("\"format\": 1", "\"format\": 9", 1), "plan-too-new"),
        (stack("shop", "vm1").to_string(), "not-a-plan"),
    ] {
        let request = bed.request(Method::POST, "/api/v1/stacks/plan/apply").bearer_auth(&bed.token).body(body);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 422, "{code}");
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["code"], code);
        assert!(!problem.to_string().contains("hunter"), "{problem}");
    }
    assert!(bed.admin.stacks().await.unwrap().is_empty());
}
