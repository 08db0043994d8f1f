//! The page of secrets: set, given another value, removed; and no value on any page.

use crate::{
    bed::{Bed, stack},
    visitor::{Visitor, between, place_of},
};
use graphium_core::{control::Role, secret::SecretText};
use reqwest::Method;
use serde_json::{Value, json};

const CANARY: &str = "canary-of-the-database & <more>";

/// A stack of one container that asks for a secret.
fn asking(name: &str, secret: &str) -> Value {
    let mut document = stack(name, "vm1");
    document["hasPart"][0]["environment"] = json!([{"name": "PASSWORD", "fromSecret": secret}]);
    document
}

/// No page that this visitor can see has the value, as it is or escaped.
async fn is_nowhere(visitor: &Visitor, more: &[&str]) {
    let pages =
        ["/web/", "/web/secrets", "/web/secrets/db/change", "/web/secrets/db/remove", "/web/events", "/web/audit"];
    for path in pages.iter().chain(more) {
        let page = visitor.get(path).await.text().await.unwrap();
        assert!(!page.contains("canary"), "{path} has the value");
    }
}

async fn kept(bed: &Bed) -> Value {
    bed.json(Method::GET, "/api/v1/secrets", None, 200).await["secrets"].clone()
}

#[tokio::test]
async fn a_secret_is_set_given_another_value_and_removed_and_no_page_has_a_value() {
    let bed = Bed::new().await;
    let _vm1 = bed.host("vm1").await;
    let operator = Visitor::with(&bed, &bed.token(Role::Operator, None).await).await;
    let admin = Visitor::with(&bed, &bed.token).await;
    assert!(operator.page("/web/secrets").await.contains("There is no secret yet"));
    assert!(between(&operator.page("/web/").await, "<nav", "</nav>").contains("/web/secrets"));

    let fields = [("name", "db"), ("value", CANARY), ("stacks", "shop, blog")];
    let before = bed.server.control().last_audit().await.unwrap();
    let answer = operator.send("/web/secrets", &fields).await;
    assert_eq!((answer.status().as_u16(), place_of(&answer).as_str()), (303, "/web/secrets?set=db"));
    let told = bed.server.control().audit(before, 10).await.unwrap();
    assert_eq!((told.len(), told[0].operation.as_str()), (1, "setSecret"));
    assert!(!serde_json::to_string(&told).unwrap().contains("canary"));
    let page = operator.page(&place_of(&answer)).await;
    assert!(between(&page, "id=\"done\"", "</p>").contains("db is set"), "{page}");
    let row = between(&page, "<tbody>", "</tbody>");
    for fact in [">db<", ">1<", ">blog, shop<", ">none<", " by "] {
        assert!(row.contains(fact), "{fact}: {row}");
    }
    assert!(
        !operator.page("/web/secrets?set=other").await.contains("id=\"done\""),
        "nothing is said of what is not there"
    );
    bed.deploy(&asking("shop", "db")).await;
    assert!(between(&operator.page("/web/secrets").await, "<tbody>", "</tbody>").contains(">shop<"));

    // Another value, with no stacks named: it stays for its stacks.
    assert_eq!(operator.send("/web/secrets", &[("name", "db"), ("value", CANARY), ("stacks", "")]).await.status(), 303);
    assert_eq!(
        (&kept(&bed).await[0]["version"], &kept(&bed).await[0]["stacks"]),
        (&json!(2), &json!(["blog", "shop"]))
    );
    // On its own page the stacks are shown, so none of them are all.
    let form = operator.page("/web/secrets/db/change").await;
    assert!(form.contains("value=\"blog, shop\"") && form.contains("Containers of shop keep"), "{form}");
    let changed = operator.send("/web/secrets/db/change", &[("value", CANARY), ("stacks", "")]).await;
    assert_eq!(changed.status(), 303);
    assert_eq!((&kept(&bed).await[0]["version"], kept(&bed).await[0].get("stacks")), (&json!(3), None));
    for visitor in [&operator, &admin] {
        is_nowhere(visitor, &["/web/secrets?set=db", "/web/stacks/shop", "/web/tasks?show=all"]).await;
    }

    let question = operator.page("/web/secrets/db/remove").await;
    assert!(question.contains("Containers of shop use it") && question.contains("name=\"force\""), "{question}");
    let used = operator.send("/web/secrets/db/remove", &[]).await;
    assert_eq!(used.status(), 409);
    assert!(used.text().await.unwrap().contains("shop"));
    assert_eq!(operator.send("/web/secrets/db/remove", &[("force", "true")]).await.status(), 303);
    assert_eq!(kept(&bed).await, json!([]));
    for path in ["/web/secrets/db/remove", "/web/secrets/db/change", "/web/secrets/db/explode"] {
        assert_eq!(operator.get(path).await.status(), 404, "{path}");
        assert_eq!(operator.send(path, &[("value", CANARY)]).await.status(), 404, "{path}");
    }
    assert_eq!(kept(&bed).await, json!([]), "what has gone does not come back by its own page");
}

#[tokio::test]
async fn mistakes_are_told_at_once_and_the_value_does_not_come_back() {
    let bed = Bed::new().await;
    let admin = Visitor::with(&bed, &bed.token).await;
    bed.admin.set_secret("db", &SecretText::new("first"), None).await.unwrap();
    let long = format!("canary{}", "x".repeat(64 * 1024));
    for (name, value, words) in [
        ("", "", &["a secret&#39;s name has", "at least one byte"][..]),
        ("a b", "canary\0", &["a secret&#39;s name has", "without NUL"]),
        ("-x", &long, &["a secret&#39;s name has", "64 KiB"]),
        ("db", "", &["at least one byte"]),
    ] {
        let answer = admin.send("/web/secrets", &[("name", name), ("value", value), ("stacks", "shop")]).await;
        assert_eq!(answer.status(), 422, "{name}");
        let page = answer.text().await.unwrap();
        let told = between(&page, "id=\"refused\"", "</p>");
        for words in words {
            assert!(told.contains(words), "{words}: {told}");
        }
        assert!(
            page.contains(&format!("value=\"{name}\"")) && page.contains("value=\"shop\""),
            "what was no secret stays"
        );
        assert!(!page.contains("canary"), "{name}: the value came back");
    }
    let answer = admin.send("/web/secrets/db/change", &[("value", "canary\0"), ("stacks", "blog")]).await;
    assert_eq!(answer.status(), 422);
    let page = answer.text().await.unwrap();
    assert!(page.contains("without NUL") && page.contains("value=\"blog\"") && !page.contains("canary"), "{page}");
    assert_eq!(kept(&bed).await[0]["version"], 1, "something was done");
}

#[tokio::test]
async fn a_viewer_sees_names_alone_and_whoever_was_granted_some_stacks_nothing() {
    let bed = Bed::new().await;
    bed.admin.set_secret("db", &SecretText::new(CANARY), None).await.unwrap();
    let viewer = Visitor::with(&bed, &bed.token(Role::Viewer, None).await).await;
    let page = viewer.page("/web/secrets").await;
    assert!(page.contains(">db<") && page.matches("<form").count() == 1 && !page.contains("/remove"), "{page}");
    for path in ["/web/secrets/db/change", "/web/secrets/db/remove"] {
        assert_eq!(viewer.get(path).await.status(), 403, "{path}");
    }
    for path in ["/web/secrets", "/web/secrets/db/change", "/web/secrets/db/remove"] {
        assert_eq!(viewer.send(path, &[("name", "db"), ("value", CANARY)]).await.status(), 403, "{path}");
    }
    let request = json!({"role": "operator", "stacks": ["shop"]});
    let token = bed.json(Method::POST, "/api/v1/tokens", Some(request), 201).await["token"].clone();
    let granted = Visitor::with(&bed, token.as_str().unwrap()).await;
    assert!(!granted.page("/web/").await.contains("/web/secrets"));
    assert_eq!(granted.get("/web/secrets").await.status(), 403);
    assert_eq!(granted.send("/web/secrets", &[("name", "db"), ("value", CANARY)]).await.status(), 403);
    assert_eq!(kept(&bed).await[0]["version"], 1);
}
