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
    browser.judge("login", "Log in").await;
    browser.click("summary").await;
    browser.write("#token", "gph_wrong").await;
    browser.click("form button.primary").await;
    browser.until_there("#refused").await;
    browser.judge_on("login-refused", "Log in", &[PHONE]).await;
    browser.enter(&url, &bed.token).await;
    for (name, heading, path) in [
        ("empty-dashboard", "Overview", ""),
        ("empty-stacks", "Stacks", "stacks"),
        ("empty-hosts", "Hosts", "hosts"),
        ("empty-containers", "Containers", "containers"),
        ("empty-tasks", "Tasks", "tasks"),
        ("empty-orphans", "Orphans", "orphans"),
    ] {
        browser.open(&format!("{url}/web/{path}")).await;
        browser.judge_on(name, heading, &[DESK]).await;
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
    let failed = bed.json(reqwest::Method::GET, "/api/v1/tasks?status=failed", None, 200).await["tasks"][0].take();
    let task = failed["@id"].as_str().unwrap();
    let cancel = format!("Cancel pull nginx:1.27 on {}?", failed["hostId"].as_str().unwrap());
    bed.token(Role::Viewer, None).await;
    for (user, role, stacks) in
        [("ada", "admin", vec![]), ("bob", "operator", vec!["shop", "blog"]), ("eve", "viewer", vec![])]
    {
        let body = json!({"user": user, "role": role, "stacks": stacks, "password": (user == "ada").then_some("correct horse battery")});
        bed.json(reqwest::Method::POST, "/api/v1/users", Some(body), 201).await;
    }
    for (name, heading, path) in [
        ("dashboard", "Overview", "".to_owned()),
        ("stacks", "Stacks", "stacks".to_owned()),
        ("stack-fleet", "fleet", "stacks/fleet".to_owned()),
        ("stack-failed", "blog", "stacks/blog".to_owned()),
        ("stack-waits", "far", "stacks/far".to_owned()),
        ("revisions", "Revisions of shop", "stacks/shop/revisions".to_owned()),
        ("delete", "Delete shop?", "stacks/shop/delete".to_owned()),
        ("hosts", "Hosts", "hosts".to_owned()),
        ("containers", "Containers", "containers".to_owned()),
        ("tasks", "Tasks", "tasks".to_owned()),
        ("tasks-failed", "Tasks", "tasks?show=failed".to_owned()),
        ("task", "Pull nginx:1.27", format!("tasks/{task}")),
        ("task-cancel", &cancel, format!("tasks/{task}/cancel")),
        ("events", "Events", "events".to_owned()),
        ("orphans", "Orphans", "orphans".to_owned()),
        ("orphan-remove", "Remove volume gone-data from vm1?", "orphans/remove?id=vm1/volume:gone-data".to_owned()),
        ("tokens", "Tokens", "tokens".to_owned()),
        ("token-revoke", "Revoke 0123456789ab?", "tokens/0123456789ab/revoke".to_owned()),
        ("users", "Users", "users".to_owned()),
        ("user-change", "Change bob", "users/bob/change".to_owned()),
        ("user-remove", "Remove bob?", "users/bob/remove".to_owned()),
        ("setup-spent", "This link is not good any more", "setup/gph_0".to_owned()),
        ("audit", "Audit", "audit".to_owned()),
        ("audit-nobody", "Audit", "audit?user=nobody".to_owned()),
        ("nothing", "There is no such thing", "nothing".to_owned()),
        ("deploy", "Deploy a stack", "stacks/new".to_owned()),
    ] {
        browser.open(&format!("{url}/web/{path}")).await;
        browser.judge(name, heading).await;
    }
    browser.open(&format!("{url}/web/users")).await;
    browser.write("#name", "ida").await;
    browser.click("#add button").await;
    browser.until_there("#made").await;
    browser.judge("user-link", "Users").await;
    let link = browser.text("#made").await;
    browser.open(&link).await;
    browser.judge("setup-own", "Your password, ida").await;
    browser.open(&format!("{url}/web/secrets")).await;
    browser.judge("empty-secrets", "Secrets").await;
    let secret = json!({"value": "a secret", "stacks": ["shop"]});
    bed.json(reqwest::Method::PUT, "/api/v1/secrets/registry-token", Some(secret), 200).await;
    browser.write("#name", "db-password").await;
    browser.write("#value", "correct horse").await;
    browser.click("#add button").await;
    browser.until_there("#done").await;
    browser.judge("secrets", "Secrets").await;
    browser.write("#name", "db password").await;
    browser.write("#value", "correct horse").await;
    browser.click("#add button").await;
    browser.until_there("#refused").await;
    browser.judge("secrets-refused", "Secrets").await;
    for (act, heading) in [("change", "Another value for registry-token"), ("remove", "Remove registry-token?")] {
        browser.open(&format!("{url}/web/secrets/registry-token/{act}")).await;
        browser.judge(&format!("secret-{act}"), heading).await;
    }
    browser.open(&format!("{url}/web/account")).await;
    browser.judge("account-token", "Your account").await;
    browser.click("form.me button").await;
    browser.until_there("#user").await;
    browser.write("#user", "ada").await;
    browser.write("#password", "correct horse battery").await;
    browser.click("form button.primary").await;
    browser.until_there("#live").await;
    browser.click("form.me a").await;
    browser.until_there("#before").await;
    browser.judge("account", "Your account").await;
    browser.write("#before", "not the one of now").await;
    browser.write("#password", "another horse").await;
    browser.write("#again", "another horse").await;
    browser.click("form button.primary").await;
    browser.until_there("#refused").await;
    browser.judge("account-refused", "Your account").await;
    browser.open(&format!("{url}/web/stacks/new")).await;
    let mut document = fleet();
    document["name"] = json!("armada");
    document["hasPart"].as_array_mut().unwrap().truncate(20);
    document["hasPart"][12]["dependsOn"] = json!(["store-1", "stor-2"]);
    document["hasPart"][3]["imag"] = json!("x");
    let text = serde_json::to_string_pretty(&document).unwrap();
    browser.paste("#document", &text).await;
    browser.until_there("#check .findings").await;
    browser.judge("deploy-mistakes", "Deploy a stack").await;
    browser.click("#check .findings a").await;
    let chosen = browser
        .run("const d = document.getElementById('document'); return d.value.slice(d.selectionStart, d.selectionEnd)")
        .await;
    assert!(chosen.as_str().unwrap().contains("stor-2") || chosen.as_str().unwrap().contains("imag"), "{chosen}");
    let text =
        text.replace("stor-2", "store-2").replace("\"imag\": \"x\",", "").replace(",\n      \"imag\": \"x\"", "");
    browser.paste("#document", &text).await;
    browser.until_there("#check .picture").await;
    browser.judge("deploy-plan", "Deploy a stack").await;
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_can_what_is_shown_once_compared_or_refused() {
    let bed = Bed::new().await;
    let url = bed.server.url();
    let vm1 = Played::new("vm1", bed.host("vm1").await);
    let mut document = stack("shop", "vm1");
    bed.deploy(&document).await;
    vm1.work().await;
    document["description"] = json!("A shop");
    document["hasPart"][0]["image"] = json!("nginx:1.28");
    document["hasPart"][0]["environment"] = json!([{"name": "MODE", "value": "fast"}]);
    bed.deploy(&document).await;
    vm1.sees("gone", &["gone-web".to_owned()]).await;

    let browser = Browser::start().await;
    browser.enter(&url, &bed.token).await;
    browser.open(&format!("{url}/web/stacks/shop/revisions?from=1")).await;
    browser.until_there("#h-diff").await;
    browser.judge("revisions-compared", "Revisions of shop").await;
    browser.open(&format!("{url}/web/orphans")).await;
    browser.until_there("tr[id='o-vm1/gone-web']").await;
    browser.judge("orphans-some", "Orphans").await;
    browser.open(&format!("{url}/web/hosts")).await;
    browser.write("#host", "vm7").await;
    browser.click("#add button").await;
    browser.until_there("#command").await;
    browser.judge("hosts-command", "Hosts").await;
    browser.open(&format!("{url}/web/tokens")).await;
    browser.write("#name", "Ada").await;
    browser.click("form[action='/web/tokens'] button").await;
    browser.until_there("#made").await;
    browser.judge("tokens-made", "Tokens").await;

    browser.click("form.me button").await;
    browser.until_there("#user").await;
    browser.enter(&url, &bed.token(Role::Viewer, None).await).await;
    browser.open(&format!("{url}/web/tokens")).await;
    browser.judge("refused", "You may not do that").await;
    browser.open(&format!("{url}/web/stacks/nobody")).await;
    browser.judge("no-such-stack", "There is no such thing").await;
    browser.end().await;
}
