//! What is on the pages.

use crate::{
    bed::{Bed, eventually, stack},
    visitor::{Visitor, between, place_of},
};
use graphium_core::{
    agent::{AgentLink, ClaimCall},
    control::Settings,
    id::ClaimId,
    task::{Outcome, TaskError},
};
use graphium_server::serve::Limits;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

const PAGES: [&str; 13] = [
    "/web/",
    "/web/stacks",
    "/web/stacks/new",
    "/web/hosts",
    "/web/containers",
    "/web/tasks",
    "/web/events",
    "/web/orphans",
    "/web/tokens",
    "/web/audit",
    "/web/users",
    "/web/account",
    "/web/secrets",
];

#[tokio::test]
async fn every_page_is_there_on_an_empty_estate_and_lets_no_script_of_others_run() {
    let bed = Bed::new().await;
    let visitor = Visitor::with(&bed, &bed.token).await;
    for path in PAGES.into_iter().chain(["/web/login", "/web/nothing"]) {
        let answer = visitor.get(path).await;
        assert_eq!(answer.status(), if path == "/web/nothing" { 404 } else { 200 }, "{path}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "same-origin");
        assert_eq!(header("cache-control"), "no-store");
        let page = answer.text().await.unwrap();
        assert!(page.starts_with("<!doctype html>") && page.contains("<html lang=\"en\">"), "{path}");
        assert!(!page.contains(" style=") && !page.contains("<style") && !page.contains("onclick"), "{path}");
        assert_eq!(page.matches("<script").count(), 1, "{path}");
        assert_eq!(page.matches("<h1").count(), 1, "{path}");
        assert!(
            !page.contains("http://") && !page.contains("https://") || path == "/web/stacks/new",
            "{path} names another site"
        );
    }
    assert!(visitor.page("/web/stacks").await.contains("There is no stack yet"));
    assert!(visitor.page("/web/").await.contains("There is no host yet"));
}

#[tokio::test]
async fn a_first_visit_takes_no_more_than_sixty_kilobytes() {
    let bed = Bed::new().await;
    let _agent = bed.host("vm1").await;
    bed.deploy(&stack("shop", "vm1")).await;
    let visitor = Visitor::with(&bed, &bed.token).await;
    for path in ["/web/", "/web/stacks", "/web/stacks/shop", "/web/stacks/new", "/web/hosts"] {
        let page = visitor.page(path).await;
        let mut total = page.len();
        for asset in ["style.css", "page.js", "icon.svg"] {
            let address = format!("/web/assets/{asset}{}", between(&page, &format!("/web/assets/{asset}"), "\""));
            assert!(address.contains("?v="), "{address}");
            let answer = visitor.get(&address).await;
            assert_eq!(answer.headers()["cache-control"], "public, max-age=31536000, immutable");
            total += answer.bytes().await.unwrap().len();
        }
        assert!(total <= 60_000, "{path} takes {total} bytes");
    }
    assert_eq!(visitor.get("/web/assets/../main.rs").await.status(), 404);
}

#[tokio::test]
async fn what_documents_engines_and_containers_say_is_text_and_never_markup() {
    let bed = Bed::new().await;
    let (agent, grant) = bed.host("vm1").await;
    let hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";
    let mut document = stack("shop", "vm1");
    document["description"] = json!(hostile);
    document["hasPart"][0]["environment"] = json!([{"name": "SECRET", "value": "s3cret-value"}]);
    bed.deploy(&document).await;
    let mut report = crate::bed::report("vm1", grant.session.epoch);
    report.containers = serde_json::from_value(json!([{
        "@id": "abc", "name": hostile, "executableName": hostile, "status": "running", "hostedOn": "vm1"
    }]))
    .unwrap();
    agent.observe(&report).await.unwrap();
    let call = ClaimCall {
        host: "vm1".into(),
        epoch: grant.session.epoch,
        claim: ClaimId::new("claim-1"),
        max: 10,
        wait: Duration::ZERO,
    };
    let tasks = agent.claim(&call).await.unwrap();
    let error = TaskError {
        code: "image-not-found".to_owned(),
        message: format!("no such image {hostile}"),
        help: Some(hostile.to_owned()),
        log: vec![hostile.to_owned()],
        retryable: false,
    };
    agent.report(tasks[0].lease.as_ref().unwrap(), &Outcome::Failed(error)).await.unwrap();
    let visitor = Visitor::with(&bed, &bed.token).await;
    let task = format!("/web/tasks/{}", tasks[0].id);
    let mut told = 0;
    for path in
        PAGES.into_iter().chain(["/web/stacks/shop", "/web/stacks/shop/revisions", "/web/tasks?show=failed", &task])
    {
        let page = visitor.page(path).await;
        assert!(!page.contains("<script>alert") && !page.contains("<img src=x"), "{path}: {page}");
        assert!(!page.contains("s3cret-value"), "{path} shows the value of a variable");
        told += usize::from(page.contains("alert(2)"));
    }
    assert!(told >= 4, "it was told on {told} pages only");
    let page = visitor.page("/web/stacks/shop").await;
    assert!(page.contains("no such image") && page.contains("The last lines that it wrote"), "{page}");
    for path in [
        "/web/stacks/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/web/tasks?show=%3Cscript%3Ealert",
        "/web/%22%3E%3Cscript%3Ealert",
    ] {
        let answer = visitor.get(path).await;
        assert!(answer.status().is_client_error(), "{path}");
        assert!(!answer.text().await.unwrap().contains("<script>alert"), "{path}");
    }
}

#[tokio::test]
async fn a_document_is_checked_at_its_line_and_column_planned_and_deployed_once() {
    let bed = Bed::new().await;
    let _agent = bed.host("vm1").await;
    let visitor = Visitor::with(&bed, &bed.token).await;
    let broken = "{\n  \"@context\": \"https://graphium.io/context/v1.jsonld\",\n  \"@type\": \"datacenter:Stack\",\n  \"name\": \"shop\",\n  \"hasPart\": [{\"name\": \"web\", \"image\": \"nginx\", \"dependsOn\": [\"dbb\"]}]\n}";
    let part = visitor.send("/web/stacks/check", &[("document", broken)]).await;
    assert_eq!(part.status(), 200);
    let part = part.text().await.unwrap();
    assert!(part.contains("line 5, column") && part.contains("dbb") && !part.contains("<html"), "{part}");
    // The button without a module says the same, and keeps what was written.
    let page = visitor.send("/web/stacks/new", &[("document", broken), ("do", "check")]).await.text().await.unwrap();
    assert!(page.contains("line 5, column") && page.contains("&#34;dbb&#34;"), "{page}");
    let refused = visitor.send("/web/stacks/new", &[("document", broken), ("do", "deploy")]).await;
    assert_eq!(refused.status(), 422);
    assert!(refused.text().await.unwrap().contains("line 5, column"));
    let none = visitor.send("/web/stacks/check", &[("document", "  ")]).await.text().await.unwrap();
    assert!(none.contains("appear here"), "{none}");

    let sound = stack("shop", "vm1").to_string();
    let plan = visitor.send("/web/stacks/check", &[("document", &sound)]).await.text().await.unwrap();
    assert!(plan.contains("<svg class=\"picture\"") && plan.contains("1 new") && plan.contains("deploy:web"), "{plan}");
    let stacks = bed.json(Method::GET, "/api/v1/stacks", None, 200).await;
    assert_eq!(stacks["stacks"].as_array().unwrap().len(), 0, "looking has deployed something");

    let form = visitor.page("/web/stacks/new").await;
    let key = between(&form, "name=\"key\" value=\"", "\"").to_owned();
    let fields = [("document", sound.as_str()), ("do", "deploy"), ("key", key.as_str())];
    for _ in 0..2 {
        let answer = visitor.send("/web/stacks/new", &fields).await;
        assert_eq!((answer.status().as_u16(), place_of(&answer).as_str()), (303, "/web/stacks/shop"));
    }
    let deployments = bed.json(Method::GET, "/api/v1/stacks/jsonld/deployments", None, 200).await;
    assert_eq!(deployments["deployments"].as_array().unwrap().len(), 1, "{deployments}");
    let page = visitor.page("/web/stacks/shop").await;
    assert!(page.contains("data-seq=\"") && page.contains("deploying") && page.contains("id=\"c-web\""), "{page}");

    let variables = sound.replace("nginx:1.27", "nginx:${TAG}").replace("shop", "other");
    let missing = visitor.send("/web/stacks/check", &[("document", &variables)]).await.text().await.unwrap();
    assert!(missing.contains("TAG") && missing.contains("mistake"), "{missing}");
    let given =
        visitor.send("/web/stacks/check", &[("document", &variables), ("variables", "# one\nTAG=1.27\n")]).await;
    assert!(given.text().await.unwrap().contains("1 new"));
    let wrong = visitor
        .send("/web/stacks/check", &[("document", &sound), ("variables", "nonsense"), ("timeout", "soon")])
        .await;
    let wrong = wrong.text().await.unwrap();
    assert!(wrong.contains("line 1 does not read") && wrong.contains("whole number of minutes"), "{wrong}");
}

#[tokio::test]
async fn what_waits_for_a_silent_host_names_it_and_since_when_wherever_that_is_told() {
    let settings = Settings { offline_after: Duration::from_millis(500), ..Settings::default() };
    let bed = Bed::set("memory:", Limits::default(), settings).await;
    let _silent = bed.host("vm1").await;
    let since = eventually("the host counts as silent", async || {
        let host = bed.json(Method::GET, "/api/v1/hosts/vm1", None, 200).await;
        host["offlineSince"].as_str().map(|since| since.parse::<jiff::Timestamp>().unwrap())
    });
    let moment = format!("datetime=\"{:.0}\"", since.await);
    bed.deploy(&stack("shop", "vm1")).await;
    let tasks = bed.json(Method::GET, "/api/v1/tasks", None, 200).await;
    let ids: Vec<&str> = tasks["tasks"].as_array().unwrap().iter().map(|task| task["@id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3, "{tasks}");
    let visitor = Visitor::with(&bed, &bed.token).await;
    let told = |place: &str, words: &str, has_span: bool| {
        assert!(
            place.contains(&format!("{words}host vm1, offline since <time data-at=\"\" {moment}")),
            "{words}: {place}"
        );
        assert_eq!(place.contains(&format!("<time data-for=\"\" {moment}")), has_span, "{place}");
    };
    let stacks = visitor.page("/web/stacks").await;
    told(between(&stacks, "id=\"s-shop\"", "</li>"), "Pull nginx:1.27 waits for ", false);
    let page = visitor.page("/web/stacks/shop").await;
    told(between(&page, "id=\"progress\"", "</div>"), "Pull nginx:1.27 waits for ", false);
    told(between(&page, "id=\"c-web\"", "</tr>"), "for ", true);
    let list = visitor.page("/web/tasks").await;
    for id in ids {
        let row = format!("<tr id=\"t-{id}\"");
        told(between(&page, &row, "</tr>"), "", true);
        told(between(&list, &row, "</tr>"), "", true);
        let task = visitor.page(&format!("/web/tasks/{id}")).await;
        told(between(&task, "<dt>Waits for</dt>", "</dd>"), "", true);
    }
}

#[tokio::test]
async fn what_is_done_to_a_stack_is_asked_first_and_then_done() {
    let bed = Bed::new().await;
    let _agent = bed.host("vm1").await;
    bed.deploy(&stack("shop", "vm1")).await;
    let visitor = Visitor::with(&bed, &bed.token).await;
    for (act, words) in [
        ("stop", "can be started again"),
        ("restart", "stops and starts"),
        ("start", "starts its container"),
        ("delete", "cannot be undone"),
    ] {
        let page = visitor.page(&format!("/web/stacks/shop/{act}")).await;
        assert!(page.contains(words) && page.contains(&format!("action=\"/web/stacks/shop/{act}\"")), "{act}: {page}");
    }
    assert_eq!(visitor.get("/web/stacks/shop/explode").await.status(), 404);
    let answer = visitor.send("/web/stacks/shop/delete", &[]).await;
    assert_eq!((answer.status().as_u16(), place_of(&answer).as_str()), (303, "/web/stacks/shop"));
    let status = bed.json(Method::GET, "/api/v1/stacks/shop", None, 200).await;
    assert_eq!(status["status"], "deleting");
    let refused = visitor.send("/web/stacks/shop/stop", &[]).await;
    assert_eq!(refused.status(), 409);
    assert!(refused.text().await.unwrap().contains("That cannot be done now"));
    let gone = visitor.get("/web/stacks/nobody").await;
    assert_eq!(gone.status(), 404);
    assert!(gone.text().await.unwrap().contains("There is no such thing"));
}

#[tokio::test]
async fn a_host_is_added_by_one_command_and_told_what_to_do() {
    let bed = Bed::new().await;
    let visitor = Visitor::with(&bed, &bed.token).await;
    let refused = visitor.send("/web/hosts", &[("host", "a b; rm -rf /")]).await;
    assert_eq!(refused.status(), 422);
    let page = visitor.send("/web/hosts", &[("host", "vm7")]).await.text().await.unwrap();
    let command = between(&page, "id=\"command\">", "</pre>");
    assert!(command.starts_with("graphium agent --host-id vm7 --server http://127.0.0.1:"), "{command}");
    let advice = "Put the address at which vm7 reaches this server behind <code>--server</code>.";
    assert!(page.contains(advice), "127.0.0.1 is another machine there: {page}");
    let code = command.split_once("--join ").unwrap().1.to_owned();
    assert!(!visitor.page("/web/hosts").await.contains(&code), "it is shown once");
    let nobody = graphium_server::client::Client::new(&bed.server.url(), None).unwrap();
    let token = nobody.join(&code, &"vm7".into()).await.unwrap().token;
    let session = bed.client(&token);
    let link = graphium_server::client::HttpLink::new(session);
    let request = graphium_core::store::SessionRequest { host: "vm7".into(), nonce: "n".into(), seen_epoch: 0 };
    let grant = link.open_session(&request).await.unwrap();
    link.observe(&crate::bed::report("vm7", grant.session.epoch)).await.unwrap();
    let page = visitor.page("/web/hosts").await;
    assert!(page.contains("id=\"h-vm7\"") && page.contains("active"), "{page}");
    for (act, word) in [("maintenance", "maintenance"), ("drain", "draining"), ("activate", "active")] {
        assert!(visitor.page(&format!("/web/hosts/vm7/{act}")).await.contains("<button"));
        assert_eq!(visitor.send(&format!("/web/hosts/vm7/{act}"), &[]).await.status(), 303);
        let host = bed.json(Method::GET, "/api/v1/hosts/vm7", None, 200).await;
        assert_eq!(host["status"], word);
    }
}

#[tokio::test]
async fn lists_are_told_in_parts() {
    let bed = Bed::new().await;
    let _agent = bed.host("vm1").await;
    for number in 0..60 {
        bed.deploy(&stack(&format!("s{number:02}"), "vm1")).await;
    }
    let visitor = Visitor::with(&bed, &bed.token).await;
    let first = visitor.page("/web/stacks").await;
    assert!(first.contains(">s00<") && first.contains(">s49<") && !first.contains(">s50<"));
    let next = between(&first, "class=\"more\"><a class=\"button\" href=\"", "\"").replace("&#38;", "&");
    assert!(visitor.page(&next).await.contains(">s59<"));
    let events = visitor.page("/web/events").await;
    assert_eq!(events.matches("<tr id=\"e-").count(), 50);
    let older = between(&events, "class=\"more\"><a class=\"button\" href=\"", "\"").to_owned();
    let (newest, below) = (between(&events, "<tr id=\"e-", "\"").parse::<u64>().unwrap(), visitor.page(&older).await);
    assert_eq!(between(&below, "<tr id=\"e-", "\"").parse::<u64>().unwrap(), newest - 50);
    assert!(visitor.page("/web/tasks").await.contains("Next page"));
}

#[tokio::test]
async fn what_nobody_wants_is_listed_with_its_reason_and_removed_as_a_task() {
    let bed = Bed::new().await;
    let (agent, grant) = bed.host("vm1").await;
    let mut report = crate::bed::report("vm1", grant.session.epoch);
    report.containers = serde_json::from_value(json!([{
        "@id": "abc", "name": "gone-web", "executableName": "nginx", "status": "running", "hostedOn": "vm1",
        "labels": {"graphium.managed": "true", "graphium.stack": "stack:gone", "graphium.stack.name": "gone", "graphium.container": "web"}
    }]))
    .unwrap();
    agent.observe(&report).await.unwrap();
    let visitor = Visitor::with(&bed, &bed.token).await;
    let page = visitor.page("/web/orphans").await;
    assert!(page.contains("id=\"o-vm1/gone-web\"") && page.contains("its stack is not known here"), "{page}");
    assert!(visitor.page("/web/").await.contains("<b>1</b> orphans"));
    let question =
        visitor.page(&between(&page, "class=\"button small danger\" href=\"", "\"").replace("&#38;", "&")).await;
    assert!(
        question.contains("Remove gone-web from vm1?") && question.contains("value=\"vm1/gone-web\""),
        "{question}"
    );
    assert!(!question.contains("removeVolumes"), "{question}");
    let of_volume = visitor.page("/web/orphans/remove?id=vm1/volume:gone-data").await;
    assert!(of_volume.contains("name=\"removeVolumes\""), "{of_volume}");
    assert!(of_volume.contains("Remove volume gone-data from vm1?"), "{of_volume}");
    let tasks = bed.json(Method::GET, "/api/v1/tasks", None, 200).await;
    assert_eq!(tasks["tasks"], json!([]), "a question alone does nothing");
    let answer = visitor.send("/web/orphans/remove", &[("id", "vm1/gone-web")]).await;
    assert_eq!(answer.status(), 303);
    let task = visitor.page(&place_of(&answer)).await;
    assert!(task.contains("Delete gone-web") && task.contains("/cancel\""), "{task}");
    let question = visitor.page(&format!("{}/cancel", place_of(&answer))).await;
    assert!(question.contains("Cancel delete gone-web on vm1?") && question.contains(">Cancel it<"), "{question}");
    assert!(visitor.page(&place_of(&answer)).await.contains("/cancel\""), "a question alone does nothing");
    let nobody = visitor.send("/web/orphans/remove", &[("id", "vm1/other")]).await;
    assert_eq!(nobody.status(), 404);
    // A task that waits is cancelled, and tried again.
    let place = place_of(&answer);
    assert_eq!(visitor.send(&format!("{place}/cancel"), &[]).await.status(), 303);
    let page = visitor.page(&place).await;
    assert!(page.contains("cancelled") && page.contains("/retry\""), "{page}");
    assert_eq!(visitor.send(&format!("{place}/explode"), &[]).await.status(), 404);
    assert_eq!(visitor.get(&format!("{place}/explode")).await.status(), 404);
}

#[tokio::test]
async fn a_server_that_is_too_busy_says_on_the_page_when_to_ask_again() {
    let full = Limits { reads: 0, waiting: 0, ..Limits::default() };
    let bed = Bed::set("memory:", full, Settings::default()).await;
    let visitor = Visitor::with(&bed, &bed.token).await;
    let answer = visitor.get("/web/stacks").await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "1");
    assert!(answer.text().await.unwrap().contains("The server cannot answer at the moment"));
}
