//! The life of a stack in a browser, on real hosts: deployed by pasting, watched, broken, read, rolled back, deleted.

use crate::{
    browser::Browser,
    estate::{Estate, get, list},
};
use serde_json::Value;

const NGINX_MULTIHOST: &str = include_str!("../../examples/stacks/nginx-multihost-stack.json");
const RUNNING: &str = "return document.querySelector('h1 .badge')?.innerText === 'running'";

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_lives_in_a_browser_from_its_document_to_its_end() {
    let estate = Estate::start().await;
    let url = estate.url_of(0);
    let token = std::fs::read_to_string(estate.path("data").join("admin-token")).unwrap();
    let browser = Browser::start().await;
    browser.open(&url).await;
    browser.click("summary").await;
    browser.write("#token", token.trim()).await;
    browser.click("form button.primary").await;
    browser.until_there("#live").await;
    browser.open(&format!("{url}/web/hosts")).await;
    browser.until("three hosts are active", "return document.querySelectorAll('.host .badge.ok').length === 3").await;
    browser.judge("life-hosts", "Hosts").await;

    // What is pasted is read while it is written: first with a mistake, then without.
    browser.open(&format!("{url}/web/stacks/new")).await;
    browser.paste("#document", &NGINX_MULTIHOST.replacen("\"hostPort\": 8082", "\"hostPort\": \"many\"", 1)).await;
    browser.until_there("#check .findings a[data-line]").await;
    let line = 1 + NGINX_MULTIHOST[..NGINX_MULTIHOST.find("\"hostPort\": 8082").unwrap()].matches('\n').count();
    assert!(
        browser.text("#check .findings").await.contains(&format!("line {line}, column")),
        "{}",
        browser.text("#check").await
    );
    browser.paste("#document", NGINX_MULTIHOST).await;
    browser.until_there("#check .picture").await;
    assert_eq!(browser.run("return document.querySelectorAll('#check .node').length").await, 3);
    browser.judge("life-deploy", "Deploy a stack").await;

    browser.click("button[value=deploy]").await;
    browser.until("the stack's page is there", "return location.pathname === '/web/stacks/nginx-multihost'").await;
    browser.run("window.mark = 1; return 1").await;
    browser.judge("life-deploying", "nginx-multihost").await;
    browser.until("it runs", RUNNING).await;
    browser.until("all are green", "return document.querySelectorAll('.picture .node.ok').length === 3").await;
    assert_eq!(browser.run("return window.mark").await, 1, "it was loaded anew");
    browser.judge("life-running", "nginx-multihost").await;

    let links = browser.run("return [...document.querySelectorAll('.chips a')].map((link) => link.href)").await;
    let links: Vec<&str> = links.as_array().unwrap().iter().map(|link| link.as_str().unwrap()).collect();
    assert_eq!(links.len(), 3, "{links:?}");
    for link in &links {
        let (status, body) = get(link).await.unwrap();
        assert!(status == 200 && body.contains("nginx"), "{link}: {status} {body}");
    }
    browser.click(".chips a").await;
    browser.until("the endpoint answers in the browser", "return document.body.innerText.includes('nginx')").await;

    // A log appears as it is written.
    browser.open(&format!("{url}/web/containers/vm1%2Fnginx-multihost-nginx-2")).await;
    browser
        .until("the log is followed", "return document.getElementById('log-state').innerText.startsWith('Live')")
        .await;
    let address = estate.host("vm1").address();
    let _answer = get(&format!("http://{address}:8082/seen-in-the-log")).await;
    browser
        .until(
            "the request is in the log",
            "return document.getElementById('log').innerText.includes('seen-in-the-log')",
        )
        .await;
    browser.judge("life-log", "nginx-multihost-nginx-2").await;

    // Broken: an image that nobody has.
    let broken = NGINX_MULTIHOST.replacen(
        "\"image\": \"nginx:alpine\"",
        "\"image\": \"graphium/absent:none\", \"pullPolicy\": \"never\"",
        1,
    );
    browser.open(&format!("{url}/web/stacks/new")).await;
    browser.paste("#document", &broken).await;
    browser.until_there("#check .change").await;
    assert!(browser.text("#check").await.contains("graphium/absent:none"));
    browser.click("input[name=rollback]").await;
    browser.judge("life-change", "Deploy a stack").await;
    browser.click("button[value=deploy]").await;
    browser.until("it has failed", "return document.querySelector('h1 .badge.bad') !== null && document.querySelector('.card.bad .error') !== null").await;
    let words = browser.text(".card.bad .error").await;
    assert!(words.contains("graphium/absent:none"), "{words}");
    browser.judge("life-broken", "nginx-multihost").await;

    browser.click("a[href$='/rollback']").await;
    browser.until_there(".confirm").await;
    let asks = browser.text(".confirm").await;
    assert!(asks.contains("graphium/absent:none") && asks.contains("nginx:alpine"), "{asks}");
    browser.judge("life-rollback", "Roll nginx-multihost back?").await;
    browser.click(".confirm button").await;
    browser.until("it runs again", RUNNING).await;
    browser.until("all are green again", "return document.querySelectorAll('.picture .node.ok').length === 3").await;
    browser.judge("life-rolled-back", "nginx-multihost").await;

    browser.click(".button.danger").await;
    browser.until_there(".confirm").await;
    browser.click(".confirm button").await;
    browser.until("it is gone", "return document.querySelector('h1')?.innerText === 'There is no such thing'").await;
    browser.open(&format!("{url}/web/stacks")).await;
    browser.until("the list is empty", "return document.body.innerText.includes('There is no stack yet')").await;
    browser.open(&format!("{url}/web/events")).await;
    browser.judge("life-events", "Events").await;
    browser.end().await;
    let stacks: Value = estate.json(&["stack", "list"]).await;
    assert!(list(&stacks, "stacks").is_empty(), "{stacks}");
    estate.end().await;
}
