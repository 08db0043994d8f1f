//! Every page in Chromium, on hosts that tests play: what it looks like, and whether everybody can use it.

use crate::{
    bed::{Bed, stack},
    browser::{Browser, DESK, PHONE},
    played::Played,
};
use graphium_core::{
    agent::AgentLink,
    control::Role,
    task::{Outcome, TaskError},
};
use serde_json::{Value, json};

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
    browser.enter(&url, &bed.token).await;
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
