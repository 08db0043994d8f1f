//! How a page in Chromium renews itself: when it does, how it heals, and that it stays quick.

use crate::{
    bed::{Bed, stack},
    browser::{Browser, DESK, PHONE},
    played::Played,
};
use graphium_core::control::{Role, Settings};
use graphium_server::serve::Limits;
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, sync::watch};

/// A door before the server that can be shut.
async fn door(server: SocketAddr) -> (SocketAddr, Arc<watch::Sender<bool>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let open = Arc::new(watch::Sender::new(true));
    let hears = open.subscribe();
    tokio::spawn(async move {
        while let Ok((mut inside, _)) = listener.accept().await {
            let mut hears = hears.clone();
            tokio::spawn(async move {
                if !*hears.borrow() {
                    return;
                }
                let mut outside = tokio::net::TcpStream::connect(server).await.unwrap();
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut inside, &mut outside) => {}
                    _ = hears.wait_for(|open| !open) => {}
                }
            });
        }
    });
    (address, open)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_renews_itself_and_a_connection_that_breaks_is_shown_and_heals() {
    let bed = Bed::new().await;
    let _agent = bed.host("vm1").await;
    let (address, open) = door(bed.server.addr()).await;
    let url = format!("http://{address}");
    let browser = Browser::start().await;
    browser.enter(&url, &bed.token).await;
    browser.open(&format!("{url}/web/stacks")).await;
    browser.run("window.mark = 1; return 1").await;
    browser.until("it is live", "return document.getElementById('live').textContent === 'Live'").await;
    bed.deploy(&stack("first", "vm1")).await;
    browser.until_there("#s-first").await;

    open.send_replace(false);
    browser
        .until("it says that it is cut off", "return document.getElementById('live').textContent.includes('lost')")
        .await;
    browser.judge_on("cut-off", "Stacks", &[DESK, PHONE]).await;
    bed.deploy(&stack("second", "vm1")).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!browser.has("#s-second").await, "the door is not shut");
    open.send_replace(true);
    browser.until_there("#s-second").await;
    browser.until("it is live again", "return document.getElementById('live').textContent === 'Live'").await;
    assert_eq!(browser.run("return window.mark").await, 1, "it was loaded anew");

    // Whoever is thrown out is where one logs in, without doing anything.
    let id =
        graphium_core::control::TokenRecord::id_of(&graphium_server::auth::Token::parse(&bed.token).unwrap().hash());
    let other = bed.client(&bed.token(Role::Admin, None).await);
    other.revoke_token(&id).await.unwrap();
    browser.until_there("#token").await;
    browser.end().await;
}

/// A bed in which no host falls silent and no lease ends meanwhile: what renews a page is what the test does.
async fn calm() -> Bed {
    let hour = Duration::from_secs(3600);
    let settings = Settings { offline_after: hour, lease: hour, ..Settings::default() };
    Bed::set("memory:", Limits::default(), settings).await
}

/// Counts what changes on the page, apart from moments that go by.
const WATCH: &str = "window.changes = 0; \
    new MutationObserver((all) => { window.changes += all.filter((one) => !one.target.closest?.('time')).length; }) \
        .observe(document.getElementById('main'), {subtree: true, childList: true, attributes: true, characterData: true}); \
    return 1";

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_stack_is_renewed_by_events_that_know_its_id_alone_and_keeps_the_focus() {
    let bed = calm().await;
    let vm1 = Played::new("vm1", bed.host("vm1").await);
    let document = json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "@id": "urn:x:7", "name": "shop",
        "hasPart": [{"@type": "datacenter:Container", "@id": "urn:x:7:1", "name": "web", "image": "nginx:1.27",
                     "locatedInHost": {"@id": "vm1"}}]
    });
    bed.deploy(&document).await;
    let tasks = vm1.take(1).await;
    let url = bed.server.url();
    let browser = Browser::start().await;
    browser.enter(&url, &bed.token).await;
    browser.open(&format!("{url}/web/stacks/shop")).await;
    browser.until("it is live", "return document.getElementById('live').textContent === 'Live'").await;
    browser.run("document.querySelector(\"a[href$='/restart']\").focus(); window.mark = 1; return 1").await;
    for millions in [40, 60] {
        vm1.pulls(&tasks, millions).await;
        let shown = format!("return document.querySelector('#c-web progress')?.value === {millions}");
        browser.until("the page shows how far the image is", &shown).await;
    }
    let focused = browser.run("return document.activeElement.getAttribute('href')").await;
    assert_eq!(focused, "/web/stacks/shop/restart", "the focus has moved");
    vm1.fails(&tasks[0], "no such image").await;
    browser.until_there(".card.bad .error").await;
    assert_eq!(browser.run("return window.mark").await, 1, "it was loaded anew");
    // What is another's is no reason to ask for the page again.
    let asked = "return performance.getEntriesByType('resource').filter((one) => one.initiatorType === 'fetch').length";
    let mut before = Value::Null;
    for _ in 0..10 {
        let now = browser.run(asked).await;
        if now == before {
            break;
        }
        before = now;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    bed.deploy(&stack("blog", "vm1")).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(browser.run(asked).await, before, "another's event renews it");
    browser.end().await;
}

/// How long a page of a thousand containers may take to load and may stand still, on two processors that much else keeps busy; and
/// how much time of a processor it may take for being renewed once, which is the same whatever else there is to do.
const LOADS: Duration = Duration::from_secs(40);
const STANDS: Duration = Duration::from_secs(20);
const TAKES: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_containers_do_not_slow_a_page() {
    let bed = calm().await;
    let mut agents = Vec::new();
    for number in 0..10 {
        let host = format!("vm{number}");
        let agent = bed.host(&host).await;
        agents.push(Played::new(host, agent));
    }
    let one = |number: usize| {
        let needs = if number < 100 { vec![] } else { vec![format!("c{}", number % 100)] };
        json!({"@type": "datacenter:Container", "name": format!("c{number}"), "image": "nginx:1.27", "locatedInHost": {"@id": format!("vm{}", number % 10)}, "dependsOn": needs})
    };
    let parts: Vec<Value> = (0..1000).map(one).collect();
    bed.deploy(&json!({"@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "name": "crowd", "hasPart": parts})).await;
    let mut held = Vec::new();
    for agent in &agents {
        held.push(agent.take(1).await);
    }
    assert!(held.iter().all(|tasks| tasks.len() == 1), "there is nothing to report of");
    let browser = Browser::start().await;
    let url = bed.server.url();
    browser.enter(&url, &bed.token).await;
    browser.open(&format!("{url}/web/stacks/crowd")).await;
    let took = browser.run("const [one] = performance.getEntriesByType('navigation'); return one.domComplete").await;
    println!("a page of a thousand containers: {took} ms");
    assert!(Duration::from_secs_f64(took.as_f64().unwrap() / 1000.0) < LOADS, "it took {took} ms");
    assert_eq!(browser.run("return document.querySelectorAll('.node').length").await, 1000);
    browser.picture("crowd-desk-light", DESK).await;
    browser.until("it is live", "return document.getElementById('live').textContent === 'Live'").await;

    // Its own work goes on, and what is shown of it with that: the page goes on answering.
    browser.run("window.longest = 0; window.renewals = 0; document.addEventListener('renewed', () => { window.renewals++; }); let last = performance.now(); setInterval(() => { const now = performance.now(); window.longest = Math.max(window.longest, now - last); last = now; }, 20); return 1").await;
    browser.run(WATCH).await;
    let before = browser.processor_time().await;
    let begun = Instant::now();
    let mut shown = 0;
    for millions in 1..=99 {
        for (agent, tasks) in agents.iter().zip(&held) {
            agent.pulls(tasks, millions).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = browser.run("return document.querySelector('#c-c0 progress')?.value ?? 0").await.as_u64().unwrap();
        shown += usize::from(now > 0);
        if shown > 20 && begun.elapsed() > Duration::from_secs(10) {
            break;
        }
    }
    for (agent, tasks) in agents.iter().zip(&held) {
        agent.pulls(tasks, 100).await;
    }
    let at_last =
        "return ['c0', 'c1', 'c999'].every((name) => document.querySelector(`#c-${name} progress`)?.value === 100)";
    browser.until("it shows what was told last", at_last).await;
    let spent = browser.processor_time().await.saturating_sub(before);
    let [changes, renewals] = ["changes", "renewals"].map(|name| format!("return window.{name}"));
    let changes = browser.run(&changes).await.as_u64().unwrap();
    let renewals = u32::try_from(browser.run(&renewals).await.as_u64().unwrap()).unwrap();
    let longest = browser.run("return window.longest").await.as_f64().unwrap() / 1000.0;
    println!(
        "{changes} changes, {renewals} times anew in {:?}; {spent:?} of a processor; its longest pause: {longest} s",
        begun.elapsed()
    );
    assert!(changes > 500 && renewals > 2, "only {changes} changes, {renewals} times anew: it was idle");
    assert!(spent / renewals < TAKES, "it took {spent:?} of a processor to be renewed {renewals} times");
    assert!(Duration::from_secs_f64(longest) < STANDS, "it stood still for {longest} s");
    browser.end().await;
}
