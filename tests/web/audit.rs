//! What is done on the page is in the audit, with the person and the address.

use crate::{
    bed::{Bed, stack},
    visitor::{Visitor, cookie_of},
};
use graphium_core::control::{AuditEntry, Purpose, Role};
use serde_json::json;

const PASSWORD: &str = "canary correct horse";

async fn since(bed: &Bed, after: u64) -> Vec<AuditEntry> {
    bed.server.control().audit(after, 1000).await.unwrap()
}

fn told(entries: &[AuditEntry]) -> Vec<(&str, &str, u16)> {
    entries.iter().map(|entry| (entry.operation.as_str(), entry.who.name.as_str(), entry.status)).collect()
}

#[tokio::test]
async fn what_is_done_on_the_page_is_told_of_the_person_and_from_the_browsers_address() {
    let bed = Bed::new().await;
    let _vm1 = bed.host("vm1").await;
    bed.deploy(&stack("shop", "vm1")).await;
    let user = json!({"user": "ann", "role": "admin", "password": PASSWORD});
    bed.json(reqwest::Method::POST, "/api/v1/users", Some(user), 201).await;
    let before = bed.server.control().last_audit().await.unwrap();
    let mut ann = Visitor::of(&bed);
    let wrong = ann.post("/web/login", &[("user", "ann"), ("password", "canary wrong")]).await;
    assert_eq!(wrong.status(), 401);
    let answer = ann.post("/web/login", &[("user", "ann"), ("password", PASSWORD)]).await;
    assert_eq!(answer.status(), 303);
    ann.cookie = Some(cookie_of(&answer));
    assert_eq!(ann.send("/web/stacks/shop/stop", &[]).await.status(), 303);
    assert_eq!(ann.send("/web/tokens", &[("role", "viewer"), ("name", "board")]).await.status(), 200);
    assert_eq!(ann.send("/web/logout", &[]).await.status(), 303);
    let entries = since(&bed, before).await;
    let wanted = [
        ("logIn", "anonymous", 401),
        ("logIn", "ann", 200),
        ("stopStack", "ann", 202),
        ("createToken", "ann", 201),
        ("logOut", "ann", 200),
    ];
    assert_eq!(told(&entries), wanted);
    assert!(entries.iter().all(|entry| entry.from == Some("127.0.0.1".parse().unwrap())), "{entries:?}");
    assert!(entries[1..].iter().all(|entry| entry.who.user.as_deref() == Some("ann")), "{entries:?}");
    assert_eq!(entries[0].on.as_ref().map(|on| on.id.as_str()), Some("ann"));

    let viewer = Visitor::with(&bed, &bed.token(Role::Viewer, None).await).await;
    let before = bed.server.control().last_audit().await.unwrap();
    assert_eq!(viewer.send("/web/stacks/shop/delete", &[]).await.status(), 403);
    let refused = since(&bed, before).await;
    assert_eq!((refused.len(), refused[0].operation.as_str(), refused[0].status), (1, "removeStack", 403));
    let all = serde_json::to_string(&since(&bed, 0).await).unwrap();
    assert!(!all.contains("canary"), "{all}");
}

#[tokio::test]
async fn the_link_of_the_first_login_is_told_and_its_code_is_not() {
    let bed = Bed::new().await;
    let code = bed.code(Purpose::Setup, Role::Admin).await;
    let before = bed.server.control().last_audit().await.unwrap();
    let visitor = Visitor::of(&bed);
    let path = format!("/web/setup/{code}");
    let fields = [("user", "eve"), ("password", PASSWORD), ("again", PASSWORD)];
    assert_eq!(visitor.post(&path, &fields).await.status(), 303);
    assert_eq!(visitor.post(&path, &fields).await.status(), 401);
    let entries = since(&bed, before).await;
    assert_eq!(told(&entries), [("setUp", "anonymous", 200), ("logIn", "eve", 200), ("setUp", "anonymous", 401)]);
    assert_eq!(entries[0].on.as_ref().map(|on| on.id.as_str()), Some("eve"));
    let text = serde_json::to_string(&entries).unwrap();
    assert!(!text.contains(&code[4..]) && !text.contains("canary"), "{text}");
}

#[tokio::test]
async fn administrators_read_it_the_newest_first_and_by_person() {
    let bed = Bed::new().await;
    let visitor = Visitor::with(&bed, &bed.token).await;
    let empty = visitor.page("/web/audit?user=nobody").await;
    assert!(empty.contains("Nothing is known of nobody"), "{empty}");
    for number in 0..60 {
        let body = json!({"role": "viewer", "name": format!("<b>t{number}</b>")});
        bed.json(reqwest::Method::POST, "/api/v1/tokens", Some(body), 201).await;
    }
    let page = visitor.page("/web/audit").await;
    assert_eq!(page.matches("createToken").count(), 50, "{page}");
    let next = crate::visitor::between(&page, "href=\"/web/audit?cursor=", "\"").to_owned();
    let older = visitor.page(&format!("/web/audit?cursor={next}")).await;
    assert!(older.matches("createToken").count() == 10 && older.contains("logIn"), "{older}");
    assert!(visitor.page("/web/audit?user=admin").await.contains("createToken"));
    assert!(visitor.page("/web/").await.contains("href=\"/web/audit\""));
}
