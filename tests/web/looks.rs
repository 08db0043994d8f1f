//! Every page in Chromium, on hosts that tests play: what it looks like, whether everybody can use it, and how it heals.

use crate::{
    bed::{Bed, report, stack},
    browser::{Browser, DESK, PHONE},
};
use graphium_core::{
    agent::{AgentLink, ClaimCall, SessionGrant},
    control::Role,
    id::ClaimId,
    task::{Outcome, Task, TaskError, TaskResult},
};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch};

/// An agent that a test plays.
struct Played<L> {
    host: &'static str,
    link: L,
    grant: SessionGrant,
    calls: AtomicUsize,
}

impl<L: AgentLink> Played<L> {
    fn new(host: &'static str, (link, grant): (L, SessionGrant)) -> Self {
        Self { host, link, grant, calls: AtomicUsize::new(0) }
    }

    /// Takes what is ready.
    async fn take(&self, max: usize) -> Vec<Task> {
        let claim = format!("{}-{}", self.host, self.calls.fetch_add(1, Ordering::Relaxed));
        let call = ClaimCall {
            host: self.host.into(),
            epoch: self.grant.session.epoch,
            claim: ClaimId::new(claim),
            max,
            wait: Duration::ZERO,
        };
        self.link.claim(&call).await.unwrap()
    }

    async fn done(&self, task: &Task) {
        let result = TaskResult { success: true, ..TaskResult::default() };
        self.link.report(task.lease.as_ref().unwrap(), &Outcome::Completed(result)).await.unwrap();
    }

    /// Says that these run, by the names that their engine has for them.
    async fn sees(&self, stack: &str, names: &[String]) {
        let mut told = report(self.host, self.grant.session.epoch);
        let one = |name: &String| {
            json!({"@id": format!("id-{name}"), "name": name, "executableName": "nginx:1.27", "status": "running",
                   "hostedOn": self.host, "ports": [{"containerPort": 80, "hostPort": 8080}],
                   "labels": {"graphium.managed": "true", "graphium.stack": format!("stack:{stack}"), "graphium.stack.name": stack}})
        };
        let mut all: Vec<Value> = names.iter().map(one).collect();
        all.push(json!({"@id": "other", "name": "somebody-elses", "executableName": "redis:7", "status": "exited", "exitCode": 137, "hostedOn": self.host}));
        told.containers = serde_json::from_value(json!(all)).unwrap();
        self.link.observe(&told).await.unwrap();
    }
}

/// A hundred containers in three tiers over three hosts.
fn fleet() -> Value {
    let hosts = ["vm1", "vm2", "vm3"];
    let one = |number: usize| {
        let (tier, needs) = match number {
            0..10 => ("store", vec![]),
            10..50 => ("api", vec![format!("store-{}", number % 10), format!("store-{}", (number + 3) % 10)]),
            _ => ("front", vec![format!("api-{}", 10 + number % 40)]),
        };
        json!({"@type": "datacenter:Container", "name": format!("{tier}-{number}"), "image": format!("registry.example/{tier}:1.{number}"),
               "locatedInHost": {"@id": hosts[number % 3]}, "dependsOn": needs})
    };
    json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "name": "fleet",
        "description": "A hundred containers in three tiers", "hasPart": (0..100).map(one).collect::<Vec<_>>()
    })
}

async fn enter(browser: &Browser, url: &str, token: &str) {
    browser.open(&format!("{url}/web/login")).await;
    browser.click("summary").await;
    browser.write("#token", token).await;
    browser.click("form button.primary").await;
    browser.until_there("#live").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_can_be_used_by_everybody_in_every_light() {
    let bed = Bed::new().await;
    let url = bed.server.url();
    let browser = Browser::start().await;
    browser.open(&format!("{url}/web/")).await;
    browser.judge("login").await;
    browser.click("summary").await;
    browser.write("#token", "gph_wrong").await;
    browser.click("form button.primary").await;
    browser.until_there("#refused").await;
    browser.judge_on("login-refused", &[PHONE]).await;
    enter(&browser, &url, &bed.token).await;
    for (name, path) in [
        ("empty-dashboard", ""),
        ("empty-stacks", "stacks"),
        ("empty-hosts", "hosts"),
        ("empty-containers", "containers"),
        ("empty-tasks", "tasks"),
        ("empty-orphans", "orphans"),
    ] {
        browser.open(&format!("{url}/web/{path}")).await;
        browser.judge_on(name, &[DESK]).await;
    }

    let one = Played::new("vm1", bed.host("vm1").await);
    let two = Played::new("vm2", bed.host("vm2").await);
    let _three = Played::new("vm3", bed.host("vm3").await);
    bed.deploy(&stack("shop", "vm1")).await;
    while let [task, ..] = &one.take(1).await[..] {
        one.done(task).await;
    }
    bed.deploy(&stack("blog", "vm2")).await;
    for task in two.take(1).await {
        let error = TaskError {
            code: "image-not-found".to_owned(),
            message: "the engine says: pull access denied for registry.example/blog, repository does not exist or may require 'docker login'".to_owned(),
            help: Some("check the name of the image, or log in to its registry on the host".to_owned()),
            log: vec!["2026-11-27 starting blog 1.4".to_owned(), "cannot open /etc/blog.toml: no such file".to_owned()],
            retryable: false,
        };
        two.link.report(task.lease.as_ref().unwrap(), &Outcome::Failed(error)).await.unwrap();
    }
    bed.json(reqwest::Method::POST, "/api/v1/hosts", Some(json!({"@id": "vm9"})), 201).await;
    bed.deploy(&stack("far", "vm9")).await;
    bed.deploy(&fleet()).await;
    for _ in 0..6 {
        for task in two.take(3).await {
            two.done(&task).await;
        }
        for task in one.take(3).await {
            one.done(&task).await;
        }
    }
    let _running = (one.take(2).await, two.take(3).await);
    one.sees("fleet", &["fleet-store-0", "fleet-store-3", "fleet-store-6"].map(str::to_owned)).await;
    let task = bed.json(reqwest::Method::GET, "/api/v1/tasks?status=failed", None, 200).await["tasks"][0]["@id"]
        .as_str()
        .unwrap()
        .to_owned();
    bed.token(Role::Viewer, None).await;
    for (user, role, stacks) in
        [("ada", "admin", vec![]), ("bob", "operator", vec!["shop", "blog"]), ("eve", "viewer", vec![])]
    {
        let body = json!({"user": user, "role": role, "stacks": stacks, "password": (user == "ada").then_some("correct horse battery")});
        bed.json(reqwest::Method::POST, "/api/v1/users", Some(body), 201).await;
    }
    for (name, path) in [
        ("dashboard", "".to_owned()),
        ("stacks", "stacks".to_owned()),
        ("stack-fleet", "stacks/fleet".to_owned()),
        ("stack-failed", "stacks/blog".to_owned()),
        ("stack-waits", "stacks/far".to_owned()),
        ("revisions", "stacks/shop/revisions".to_owned()),
        ("delete", "stacks/shop/delete".to_owned()),
        ("hosts", "hosts".to_owned()),
        ("containers", "containers".to_owned()),
        ("tasks", "tasks".to_owned()),
        ("tasks-failed", "tasks?show=failed".to_owned()),
        ("task", format!("tasks/{task}")),
        ("events", "events".to_owned()),
        ("orphans", "orphans".to_owned()),
        ("tokens", "tokens".to_owned()),
        ("users", "users".to_owned()),
        ("user-change", "users/bob/change".to_owned()),
        ("user-remove", "users/bob/remove".to_owned()),
        ("setup-spent", "setup/gph_0".to_owned()),
        ("audit", "audit".to_owned()),
        ("audit-nobody", "audit?user=nobody".to_owned()),
        ("nothing", "nothing".to_owned()),
        ("deploy", "stacks/new".to_owned()),
    ] {
        browser.open(&format!("{url}/web/{path}")).await;
        browser.judge(name).await;
    }
    browser.open(&format!("{url}/web/users")).await;
    browser.write("#name", "ida").await;
    browser.click("#add button").await;
    browser.until_there("#made").await;
    browser.judge("user-link").await;
    let link = browser.text("#made").await;
    browser.open(&link).await;
    browser.judge("setup-own").await;
    browser.open(&format!("{url}/web/secrets")).await;
    browser.judge("empty-secrets").await;
    let secret = json!({"value": "a secret", "stacks": ["shop"]});
    bed.json(reqwest::Method::PUT, "/api/v1/secrets/registry-token", Some(secret), 200).await;
    browser.write("#name", "db-password").await;
    browser.write("#value", "correct horse").await;
    browser.click("#add button").await;
    browser.until_there("#done").await;
    browser.judge("secrets").await;
    browser.write("#name", "db password").await;
    browser.write("#value", "correct horse").await;
    browser.click("#add button").await;
    browser.until_there("#refused").await;
    browser.judge("secrets-refused").await;
    for act in ["change", "remove"] {
        browser.open(&format!("{url}/web/secrets/registry-token/{act}")).await;
        browser.judge(&format!("secret-{act}")).await;
    }
    browser.open(&format!("{url}/web/account")).await;
    browser.judge("account-token").await;
    browser.click("form.me button").await;
    browser.until_there("#user").await;
    browser.write("#user", "ada").await;
    browser.write("#password", "correct horse battery").await;
    browser.click("form button.primary").await;
    browser.until_there("#live").await;
    browser.click("form.me a").await;
    browser.until_there("#before").await;
    browser.judge("account").await;
    browser.write("#before", "not the one of now").await;
    browser.write("#password", "another horse").await;
    browser.write("#again", "another horse").await;
    browser.click("form button.primary").await;
    browser.until_there("#refused").await;
    browser.judge("account-refused").await;
    browser.open(&format!("{url}/web/stacks/new")).await;
    let mut document = fleet();
    document["name"] = json!("armada");
    document["hasPart"].as_array_mut().unwrap().truncate(20);
    document["hasPart"][12]["dependsOn"] = json!(["store-1", "stor-2"]);
    document["hasPart"][3]["imag"] = json!("x");
    let text = serde_json::to_string_pretty(&document).unwrap();
    browser.paste("#document", &text).await;
    browser.until_there("#check .findings").await;
    browser.judge("deploy-mistakes").await;
    browser.click("#check .findings a").await;
    let chosen = browser
        .run("const d = document.getElementById('document'); return d.value.slice(d.selectionStart, d.selectionEnd)")
        .await;
    assert!(chosen.as_str().unwrap().contains("stor-2") || chosen.as_str().unwrap().contains("imag"), "{chosen}");
    let text =
        text.replace("stor-2", "store-2").replace("\"imag\": \"x\",", "").replace(",\n      \"imag\": \"x\"", "");
    browser.paste("#document", &text).await;
    browser.until_there("#check .picture").await;
    browser.judge("deploy-plan").await;
    browser.end().await;
}

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
    enter(&browser, &url, &bed.token).await;
    browser.open(&format!("{url}/web/stacks")).await;
    browser.run("window.mark = 1; return 1").await;
    browser.until("it is live", "return document.getElementById('live').textContent === 'Live'").await;
    bed.deploy(&stack("first", "vm1")).await;
    browser.until_there("#s-first").await;

    open.send_replace(false);
    browser
        .until("it says that it is cut off", "return document.getElementById('live').textContent.includes('lost')")
        .await;
    browser.judge_on("cut-off", &[DESK, PHONE]).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_containers_do_not_slow_a_page() {
    let bed = Bed::new().await;
    let hosts: Vec<String> = (0..10).map(|number| format!("vm{number}")).collect();
    for host in &hosts {
        let _agent = bed.host(host).await;
    }
    let one = |number: usize| {
        let needs = if number < 100 { vec![] } else { vec![format!("c{}", number % 100)] };
        json!({"@type": "datacenter:Container", "name": format!("c{number}"), "image": "nginx:1.27", "locatedInHost": {"@id": hosts[number % 10]}, "dependsOn": needs})
    };
    let parts: Vec<Value> = (0..1000).map(one).collect();
    bed.deploy(&json!({"@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "name": "crowd", "hasPart": parts})).await;
    let browser = Browser::start().await;
    let url = bed.server.url();
    enter(&browser, &url, &bed.token).await;
    browser.open(&format!("{url}/web/stacks/crowd")).await;
    let took = browser.run("const [one] = performance.getEntriesByType('navigation'); return one.domComplete").await;
    println!("a page of a thousand containers: {took} ms");
    assert_eq!(browser.run("return document.querySelectorAll('.node').length").await, 1000);
    browser.picture("crowd-desk-light", DESK).await;
    // A thousand more events: the page goes on answering.
    browser.run("window.beats = 0; window.longest = 0; let last = performance.now(); setInterval(() => { const now = performance.now(); window.longest = Math.max(window.longest, now - last); last = now; window.beats++; }, 20); return 1").await;
    for number in 0..30 {
        bed.deploy(&stack(&format!("other{number}"), "vm1")).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let longest = browser.run("return window.longest").await.as_f64().unwrap();
    println!("its longest pause: {longest:.0} ms");
    assert!(longest < 5000.0, "it stood still for {longest} ms");
    browser.end().await;
}
