//! One's own account: who one is, another password, an end to one's other sessions.

use crate::{
    bed::{Bed, stack},
    visitor::{Visitor, between, cookie_of, place_of},
};
use graphium_core::control::Role;
use reqwest::Method;
use serde_json::json;

const PASSWORD: &str = "correct horse battery";
const OTHER: &str = "another horse & stable";

async fn takes_on(bed: &Bed, user: &str, role: &str, stacks: &[&str]) {
    let body = json!({"user": user, "role": role, "stacks": stacks, "password": PASSWORD});
    bed.json(Method::POST, "/api/v1/users", Some(body), 201).await;
}

async fn by_name(bed: &Bed, password: &str) -> Visitor {
    let mut visitor = Visitor::of(bed);
    let answer = visitor.post("/web/login", &[("user", "ann"), ("password", password)]).await;
    assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap());
    visitor.cookie = Some(cookie_of(&answer));
    visitor
}

async fn is_in(visitor: &Visitor) -> bool {
    visitor.get("/web/").await.status() == 200
}

fn form<'a>(before: &'a str, password: &'a str, again: &'a str) -> [(&'static str, &'a str); 3] {
    [("before", before), ("password", password), ("again", again)]
}

#[tokio::test]
async fn somebody_sees_who_that_is_and_takes_another_password() {
    let bed = Bed::new().await;
    let _vm1 = bed.host("vm1").await;
    bed.deploy(&stack("shop", "vm1")).await;
    takes_on(&bed, "ann", "operator", &["shop"]).await;
    let (ann, elsewhere) = (by_name(&bed, PASSWORD).await, by_name(&bed, PASSWORD).await);
    let login = json!({"user": "ann", "password": PASSWORD});
    let program = bed.json(Method::POST, "/api/v1/auth/login", Some(login), 201).await["token"].clone();
    let program = bed.client(program.as_str().unwrap());

    let home = ann.page("/web/").await;
    assert!(between(&home, "class=\"me\"", "</form>").contains("href=\"/web/account\""), "{home}");
    let page = ann.page("/web/account").await;
    let facts = between(&page, "<dl", "</dl>");
    for fact in ["<dd>ann<", "<dd>operator<", "<dd>shop<", "Last login", "Password set", "ends <time", "12 hours"] {
        assert!(facts.contains(fact), "{fact}: {facts}");
    }

    // Whatever is wrong is told at once, and nothing that was typed comes back.
    for (fields, status, words) in [
        (form("", "short", "shirt"), 422, &["current password", "passwords differ", "at least 10 characters"][..]),
        (form(PASSWORD, OTHER, "canary of the second"), 422, &["passwords differ"]),
        (form(PASSWORD, "canary", "canary"), 422, &["at least 10 characters"]),
        (form("canary of before", OTHER, OTHER), 403, &["not your current password"]),
    ] {
        let answer = ann.send("/web/account/password", &fields).await;
        assert_eq!(answer.status(), status, "{fields:?}");
        let page = answer.text().await.unwrap();
        let told = between(&page, "id=\"refused\"", "</div>");
        for words in words {
            assert!(told.contains(words), "{words}: {told}");
        }
        assert_eq!(told.matches("<p>").count(), words.len(), "{told}");
        for typed in ["canary", "shirt", PASSWORD, "another horse"] {
            assert!(!page.contains(typed), "`{typed}` is in the page");
        }
    }
    assert!(is_in(&elsewhere).await, "a try that failed has ended a session");

    let before = bed.server.control().last_audit().await.unwrap();
    let answer = ann.send("/web/account/password", &form(PASSWORD, OTHER, OTHER)).await;
    assert_eq!((answer.status().as_u16(), place_of(&answer).as_str()), (303, "/web/account?done=password"));
    let told = bed.server.control().audit(before, 10).await.unwrap();
    assert!(ann.page(&place_of(&answer)).await.contains("id=\"done\""), "this session goes on, and says what was done");
    assert!(!is_in(&elsewhere).await, "another session goes on");
    assert!(program.whoami().await.is_err(), "a program's session goes on");
    assert_eq!((told.len(), told[0].operation.as_str(), told[0].who.name.as_str()), (1, "changePassword", "ann"));
    let old = Visitor::of(&bed).post("/web/login", &[("user", "ann"), ("password", PASSWORD)]).await;
    assert_eq!(old.status(), 401);
    by_name(&bed, OTHER).await;
}

#[tokio::test]
async fn all_others_are_ended_and_tokens_stay() {
    let bed = Bed::new().await;
    takes_on(&bed, "ann", "admin", &[]).await;
    let (ann, elsewhere) = (by_name(&bed, PASSWORD).await, by_name(&bed, PASSWORD).await);
    let made = ann.send("/web/tokens", &[("role", "viewer"), ("name", "board")]).await.text().await.unwrap();
    let token = bed.client(between(&made, "id=\"made\">", "</pre>"));
    let mut stream = elsewhere.request(Method::GET, "/web/stream").send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let answer = ann.send("/web/account/others", &[]).await;
    assert_eq!((answer.status().as_u16(), place_of(&answer).as_str()), (303, "/web/account?done=others"));
    assert!(is_in(&ann).await && !is_in(&elsewhere).await);
    token.whoami().await.unwrap();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(5), async {
        while let Ok(Some(_)) = stream.chunk().await {}
    });
    assert!(ended.await.is_ok(), "its stream goes on");
    bed.admin.whoami().await.unwrap();
}

#[tokio::test]
async fn whoever_has_a_session_guesses_no_faster_than_a_stranger() {
    let bed = Bed::new().await;
    takes_on(&bed, "ann", "viewer", &[]).await;
    let ann = by_name(&bed, PASSWORD).await;
    let guess = async |before: &str| ann.send("/web/account/password", &form(before, OTHER, OTHER)).await;
    for _ in 0..6 {
        assert_eq!(guess("not this one").await.status(), 403);
    }
    let refused = guess(PASSWORD).await;
    assert_eq!(refused.status(), 429, "the right one is not tried either");
    let seconds =
        |answer: &reqwest::Response| answer.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap();
    assert!((1..=3).contains(&seconds(&refused)));
    let stranger = Visitor::of(&bed).post("/web/login", &[("user", "ann"), ("password", PASSWORD)]).await;
    assert_eq!(stranger.status(), 429);
    assert!((1..=3).contains(&seconds(&stranger)));
    let page = refused.text().await.unwrap();
    assert!(page.contains("try again in"), "{page}");
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(guess(PASSWORD).await.status(), 303);
}

#[tokio::test]
async fn a_token_has_no_password_and_no_other_sessions() {
    let bed = Bed::new().await;
    let token = bed.token(Role::Viewer, None).await;
    let viewer = Visitor::with(&bed, &token).await;
    let page = viewer.page("/web/account").await;
    assert!(page.contains("a token has no password") && page.contains("and with its token"), "{page}");
    assert!(page.contains("<code>token-") && !page.contains(&token), "its id, and not the token: {page}");
    assert_eq!(page.matches("<form").count(), 1, "the only form is for logging out: {page}");
    for (path, fields) in
        [("/web/account/password", form(PASSWORD, OTHER, OTHER)), ("/web/account/others", form("", "", ""))]
    {
        let answer = viewer.send(path, &fields).await;
        assert_eq!(answer.status(), 409, "{path}");
    }
    assert!(is_in(&viewer).await);
}
