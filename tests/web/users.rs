//! The page of users: people are taken on by a link, changed, and removed, and somebody always stays in charge.

use crate::{
    bed::{Bed, stack},
    visitor::{Visitor, between, cookie_of, place_of},
};
use reqwest::Method;
use serde_json::json;

const PASSWORD: &str = "correct horse battery";

async fn takes_on(bed: &Bed, user: &str, role: &str) {
    let body = json!({"user": user, "role": role, "password": PASSWORD});
    bed.json(Method::POST, "/api/v1/users", Some(body), 201).await;
}

async fn by_name(bed: &Bed, user: &str) -> Visitor {
    let mut visitor = Visitor::of(bed);
    let answer = visitor.post("/web/login", &[("user", user), ("password", PASSWORD)]).await;
    assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap());
    visitor.cookie = Some(cookie_of(&answer));
    visitor
}

/// The path of the link that a page shows.
fn link_on(bed: &Bed, page: &str) -> String {
    let shown = between(page, "id=\"made\">", "</pre>");
    shown.strip_prefix(&bed.server.url()).unwrap_or_else(|| panic!("{shown}")).to_owned()
}

#[tokio::test]
async fn somebody_is_taken_on_by_a_link_and_chooses_the_password_alone() {
    let bed = Bed::new().await;
    let _vm1 = bed.host("vm1").await;
    for name in ["shop", "blog"] {
        bed.deploy(&stack(name, "vm1")).await;
    }
    let admin = Visitor::with(&bed, &bed.token).await;
    assert!(admin.page("/web/users").await.contains("Nobody may log in yet"));
    let fields = [("name", "bob"), ("role", "operator"), ("stacks", "shop, other")];
    let made = admin.send("/web/users", &fields).await;
    assert_eq!(made.status(), 200);
    let made = made.text().await.unwrap();
    let link = link_on(&bed, &made);
    assert!(made.contains("no password yet") && made.contains("other, shop") && made.contains(">in 2"), "{made}");
    assert!(!admin.page("/web/users").await.contains("/web/setup/"), "it is shown once");

    let mut bob = Visitor::of(&bed);
    for _ in 0..2 {
        let page = bob.page(&link).await;
        assert!(page.contains("Your password, bob") && page.contains("value=\"bob\""), "{page}");
    }
    let set = async |visitor: &Visitor, password: &str, again: &str| {
        visitor.post(&link, &[("user", "bob"), ("password", password), ("again", again)]).await
    };
    assert_eq!(set(&bob, PASSWORD, "something else").await.status(), 422);
    let short = set(&bob, "short", "short").await;
    assert_eq!(short.status(), 422);
    assert!(short.text().await.unwrap().contains("at least 10 characters"));
    let answer = set(&bob, PASSWORD, PASSWORD).await;
    assert_eq!((answer.status().as_u16(), place_of(&answer).as_str()), (303, "/web/"));
    bob.cookie = Some(cookie_of(&answer));
    let page = bob.page("/web/stacks").await;
    assert!(page.contains("<b>bob</b> <span>operator</span>") && page.contains("s-shop") && !page.contains("s-blog"));
    assert!(!page.contains("/web/users") && bob.get("/web/users").await.status() == 403);
    for answer in [set(&Visitor::of(&bed), PASSWORD, PASSWORD).await, Visitor::of(&bed).get(&link).await] {
        assert_eq!(answer.status(), 401);
        assert!(answer.text().await.unwrap().contains("This link is not good any more"));
    }
    let page = admin.page("/web/users").await;
    assert!(!page.contains("no password yet") && !page.contains(">never<"), "{page}");

    for (fields, words) in [
        ([("name", "bob"), ("role", "viewer"), ("stacks", "")], "there is a user `bob` already"),
        ([("name", "b b"), ("role", "viewer"), ("stacks", "x y")], "a user&#39;s name has"),
        ([("name", "eve"), ("role", "root"), ("stacks", "")], "is no role for people"),
    ] {
        let answer = admin.send("/web/users", &fields).await;
        assert!(matches!(answer.status().as_u16(), 409 | 422), "{words}");
        let page = answer.text().await.unwrap();
        assert!(page.contains(words) && page.contains(&format!("value=\"{}\"", fields[0].1)), "{words}: {page}");
    }
}

#[tokio::test]
async fn other_rights_and_a_new_link_count_where_somebody_is_logged_in() {
    let bed = Bed::new().await;
    let _vm1 = bed.host("vm1").await;
    bed.deploy(&stack("shop", "vm1")).await;
    takes_on(&bed, "ann", "admin").await;
    takes_on(&bed, "bob", "operator").await;
    let (ann, bob) = (by_name(&bed, "ann").await, by_name(&bed, "bob").await);
    let mut stream = bob.request(Method::GET, "/web/stream?after=0").send().await.unwrap();
    assert_eq!(stream.status(), 200);
    stream.chunk().await.unwrap().unwrap();
    let form = ann.page("/web/users/bob/change").await;
    assert!(form.contains("<option value=\"operator\" selected>") && form.contains("Change bob"), "{form}");
    let answer = ann.send("/web/users/bob/change", &[("role", "viewer"), ("stacks", "shop")]).await;
    assert_eq!((answer.status().as_u16(), place_of(&answer).as_str()), (303, "/web/users"));
    let ended = tokio::time::timeout(std::time::Duration::from_secs(5), async {
        while let Ok(Some(_)) = stream.chunk().await {}
    });
    assert!(ended.await.is_ok(), "its stream goes on with the rights of before");
    assert!(bob.page("/web/").await.contains("<b>bob</b> <span>viewer</span>"), "the session goes on");
    assert_eq!(bob.send("/web/stacks/shop/stop", &[]).await.status(), 403);

    assert!(ann.page("/web/users/bob/link").await.contains("every session ends"));
    let made = ann.send("/web/users/bob/link", &[]).await.text().await.unwrap();
    assert_eq!(bob.get("/web/").await.status(), 303, "logged out");
    assert!(Visitor::of(&bed).page(&link_on(&bed, &made)).await.contains("Your password, bob"));

    assert!(ann.page("/web/users/bob/remove").await.contains("Remove bob?"));
    assert_eq!(ann.send("/web/users/bob/remove", &[]).await.status(), 303);
    assert_eq!(Visitor::of(&bed).get(&link_on(&bed, &made)).await.status(), 401, "the link went with the person");
    for path in ["/web/users/bob/remove", "/web/users/bob/link", "/web/users/bob/change"] {
        assert_eq!(ann.get(path).await.status(), 404, "{path}");
        assert_eq!(ann.send(path, &[("role", "viewer")]).await.status(), 404, "{path}");
    }
    assert_eq!(ann.get("/web/users/ann/explode").await.status(), 404);
}

#[tokio::test]
async fn the_last_administrator_stays_and_the_page_says_why() {
    let bed = Bed::new().await;
    takes_on(&bed, "ann", "admin").await;
    let (ann, token) = (by_name(&bed, "ann").await, Visitor::with(&bed, &bed.token).await);
    let page = ann.page("/web/users").await;
    assert!(page.contains(">you<") && !page.contains("/web/users/ann/"), "nothing to click on of oneself: {page}");
    assert!(token.page("/web/users").await.contains("/web/users/ann/remove"));
    for (act, words) in
        [("remove", "last administrator"), ("link", "last administrator"), ("change", "last administrator")]
    {
        let answer = token.send(&format!("/web/users/ann/{act}"), &[("role", "viewer")]).await;
        assert_eq!(answer.status(), 409, "{act}");
        let page = answer.text().await.unwrap();
        assert!(page.contains(words), "{act}: {page}");
        let own = ann.send(&format!("/web/users/ann/{act}"), &[("role", "viewer")]).await;
        assert_eq!(own.status(), 409, "{act}");
        assert!(own.text().await.unwrap().contains("is you"), "{act}");
    }
    assert!(ann.page("/web/users").await.contains("administrator"), "ann is there as before");
}

#[tokio::test]
async fn whoever_was_granted_some_stacks_has_every_page_of_the_menu() {
    let bed = Bed::new().await;
    let _vm1 = bed.host("vm1").await;
    for name in ["shop", "blog"] {
        bed.deploy(&stack(name, "vm1")).await;
    }
    bed.json(Method::POST, "/api/v1/hosts/vm1/drain", None, 200).await;
    for role in ["viewer", "operator"] {
        takes_on(&bed, role, role).await;
        let change = json!({"stacks": ["shop"]});
        bed.json(Method::PATCH, &format!("/api/v1/users/{role}"), Some(change), 200).await;
        let visitor = by_name(&bed, role).await;
        let home = visitor.page("/web/").await;
        let menu = between(&home, "<nav", "</nav>");
        let places: Vec<_> = menu.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(places.len() == 6 && !places.contains(&"/web/orphans"), "{places:?}");
        for place in places.into_iter().chain(["/web/stacks/shop", "/web/tasks?show=all"]) {
            let page = visitor.page(place).await;
            assert!(!page.contains("blog"), "{place}: {page}");
        }
        assert_eq!(visitor.get("/web/stacks/blog").await.status(), 403);
        assert_eq!(visitor.get("/web/orphans").await.status(), 403);
    }
}
