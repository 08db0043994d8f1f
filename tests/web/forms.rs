//! Who gets in, who may do what, and what another site cannot do.

use crate::{
    bed::{Bed, stack},
    visitor::{Visitor, between, cookie_of, filled, place_of},
};
use graphium_core::control::Role;
use reqwest::Method;

#[tokio::test]
async fn the_first_administrator_is_made_on_the_page_and_logs_in_with_a_password() {
    let bed = Bed::new().await;
    let mut visitor = Visitor::of(&bed);
    let link = bed.server.setup_link().unwrap();
    let path = link.strip_prefix(&bed.server.url()).unwrap().to_owned();
    assert!(visitor.get(&path).await.text().await.unwrap().contains("The first administrator"));
    let post = async |visitor: &Visitor, path: &str, again: &str| {
        visitor.post(path, &[("user", "ann"), ("password", "correct horse"), ("again", again)]).await
    };
    let differ = post(&visitor, &path, "correct house").await;
    assert_eq!(differ.status(), 422);
    assert!(differ.text().await.unwrap().contains("the two passwords differ"));
    let made = post(&visitor, &path, "correct horse").await;
    assert_eq!((made.status().as_u16(), place_of(&made).as_str()), (303, "/web/"));
    visitor.cookie = Some(cookie_of(&made));
    let page = visitor.page("/web/").await;
    assert!(page.contains("<b>ann</b>") && page.contains("administrator"), "{page}");
    assert_eq!(post(&Visitor::of(&bed), &path, "correct horse").await.status(), 401, "the link is good once");

    assert_eq!(visitor.send("/web/logout", &[]).await.status(), 303);
    assert_eq!(place_of(&visitor.get("/web/").await), "/web/login?to=%2Fweb%2F");
    assert!(
        bed.admin.tokens().await.unwrap().iter().all(|token| token.user.is_none()),
        "the session is over everywhere"
    );
    let wrong = visitor.post("/web/login", &[("user", "ann"), ("password", "incorrect horse")]).await;
    assert_eq!(wrong.status(), 401);
    let text = wrong.text().await.unwrap();
    assert!(text.contains("no user has that name and that password") && text.contains("value=\"ann\""), "{text}");
    let answer = visitor.post("/web/login", &[("user", "ann"), ("password", "correct horse")]).await;
    assert_eq!(answer.status(), 303);
    visitor.cookie = Some(cookie_of(&answer));
    assert!(visitor.page("/web/tokens").await.contains("session of ann"));
}

#[tokio::test]
async fn an_operator_changes_stacks_and_sees_no_button_for_more() {
    let bed = Bed::new().await;
    let visitor = Visitor::with(&bed, &bed.token(Role::Operator, None).await).await;
    assert!(visitor.page("/web/stacks").await.contains("/web/stacks/new"));
    let hosts = visitor.page("/web/hosts").await;
    assert!(!hosts.contains("id=\"add\"") && !hosts.contains("href=\"/web/tokens\""), "{hosts}");
    assert_eq!(visitor.send("/web/hosts", &[("host", "vm7")]).await.status(), 403);
}

#[tokio::test]
async fn a_token_opens_a_session_whose_cookie_no_script_sees() {
    let bed = Bed::new().await;
    let mut visitor = Visitor::of(&bed);
    assert_eq!(place_of(&visitor.get("/").await), "/web/");
    assert_eq!(place_of(&visitor.get("/web").await), "/web/");
    let answer = visitor.get("/web/tasks?show=all").await;
    assert_eq!(
        (answer.status().as_u16(), place_of(&answer).as_str()),
        (303, "/web/login?to=%2Fweb%2Ftasks%3Fshow%3Dall")
    );

    for wrong in ["", "gph_0", &format!("gph_{}", "0".repeat(64))] {
        let answer = visitor.post("/web/login", &[("token", wrong)]).await;
        assert_eq!(answer.status(), 401, "{wrong}");
        assert!(answer.headers().get("set-cookie").is_none());
        assert!(answer.text().await.unwrap().contains("role=\"alert\""));
    }
    let agent = bed.token(Role::Agent, Some("vm1")).await;
    let answer = visitor.post("/web/login", &[("token", &agent)]).await;
    assert_eq!(answer.status(), 401);
    assert!(answer.text().await.unwrap().contains("an agent"));

    let answer = visitor.post("/web/login", &[("token", &bed.token), ("to", "/web/hosts")]).await;
    assert_eq!((answer.status().as_u16(), place_of(&answer).as_str()), (303, "/web/hosts"));
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    for part in ["graphium_session=gph_", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{part} in {cookie}");
    }
    assert!(!cookie.contains(&bed.token), "the cookie is not the token");
    visitor.cookie = Some(cookie_of(&answer));
    let page = visitor.page("/web/hosts").await;
    assert!(
        !page.contains(&bed.token)
            && !page.contains(visitor.cookie.as_ref().unwrap().trim_start_matches("graphium_session="))
    );
    let elsewhere =
        Visitor::of(&bed).post("/web/login", &[("token", &bed.token), ("to", "https://evil.example/web/")]).await;
    assert_eq!(place_of(&elsewhere), "/web/");

    assert_eq!(visitor.send("/web/logout", &[]).await.status(), 303);
    assert_eq!(visitor.get("/web/hosts").await.status(), 303, "the session has ended");
}

/// A path of every form that a session is needed for.
const FORMS: [&str; 21] = [
    "/web/stacks/shop/delete",
    "/web/stacks/shop/rollback",
    "/web/stacks/new",
    "/web/stacks/check",
    "/web/hosts",
    "/web/hosts/vm1/drain",
    "/web/hosts/vm1/remove",
    "/web/tasks/task:0/cancel",
    "/web/orphans/remove",
    "/web/tokens",
    "/web/tokens/token-0/revoke",
    "/web/users",
    "/web/users/ann/change",
    "/web/users/ann/link",
    "/web/users/ann/remove",
    "/web/secrets",
    "/web/secrets/db/change",
    "/web/secrets/db/remove",
    "/web/account/password",
    "/web/account/others",
    "/web/logout",
];

/// Those that need none: who logs in has no page of a session yet, and no other site may send them either.
const OPEN: [&str; 2] = ["/web/login", "/web/setup/gph_0"];

/// Routes of the page that take what is posted, from the source.
fn posted_routes() -> Vec<String> {
    let source = include_str!("../../graphium-server/src/web/mod.rs");
    let routes = source.split(".route(").skip(1).filter(|route| route.contains("post("));
    let routes = routes.map(|route| route.split('"').nth(1).unwrap().to_owned());
    routes.collect()
}

fn is_of(path: &str, route: &str) -> bool {
    let (path, route): (Vec<_>, Vec<_>) = (path.split('/').collect(), route.split('/').collect());
    path.len() == route.len() && path.iter().zip(route).all(|(part, of)| *part == of || of.starts_with('{'))
}

#[test]
fn the_lists_of_forms_have_every_form_that_there_is() {
    let routes = posted_routes();
    assert!(routes.len() > 15, "the routes were not read: {routes:?}");
    // One of a fixed place is not taken for one of a place that varies.
    let fits =
        |path: &str| routes.iter().filter(|route| is_of(path, route)).min_by_key(|route| route.matches('{').count());
    let tried: Vec<_> = FORMS.iter().chain(&OPEN).map(|path| fits(path).unwrap_or_else(|| panic!("{path}"))).collect();
    let forgotten: Vec<_> = routes.iter().filter(|route| !tried.contains(route)).collect();
    assert!(forgotten.is_empty(), "no test tries these forms from another site: {forgotten:?}");
}

#[tokio::test]
async fn a_form_of_another_site_changes_nothing() {
    let bed = Bed::new().await;
    let _agent = bed.host("vm1").await;
    bed.deploy(&stack("shop", "vm1")).await;
    let visitor = Visitor::with(&bed, &bed.token).await;
    let csrf = visitor.csrf().await;
    let other = Visitor::with(&bed, &bed.token).await.csrf().await;
    assert_ne!(csrf, other, "each session has its own word");
    for (word, header, value) in [
        ("", "x-none", "x"),
        ("wrong", "x-none", "x"),
        (other.as_str(), "x-none", "x"),
        (csrf.as_str(), "sec-fetch-site", "cross-site"),
        (csrf.as_str(), "sec-fetch-site", "same-site"),
        (csrf.as_str(), "origin", "https://evil.example"),
        (csrf.as_str(), "origin", "null"),
    ] {
        for path in FORMS {
            let request = filled(visitor.request(Method::POST, path).header(header, value), &[("csrf", word)]);
            assert_eq!(request.send().await.unwrap().status(), 403, "{path} with `{word}` and {header}: {value}");
        }
    }
    for path in OPEN {
        let login = visitor.request(Method::POST, path).header("origin", "https://evil.example");
        let login = filled(login, &[("token", &bed.token)]);
        assert_eq!(login.send().await.unwrap().status(), 403, "{path}");
    }
    let status = bed.json(Method::GET, "/api/v1/stacks/shop", None, 200).await;
    assert_ne!(status["status"], "deleting");
    assert_eq!(visitor.get("/web/").await.status(), 200, "nor was anybody logged out");
    let own = visitor
        .request(Method::POST, "/web/stacks/shop/stop")
        .header("sec-fetch-site", "same-origin")
        .header("origin", "null");
    assert_eq!(filled(own, &[("csrf", &csrf)]).send().await.unwrap().status(), 303, "a page of ours may");
}

#[tokio::test]
async fn a_viewer_sees_everything_but_buttons_and_tokens() {
    let bed = Bed::new().await;
    let _agent = bed.host("vm1").await;
    bed.deploy(&stack("shop", "vm1")).await;
    let token = bed.token(Role::Viewer, None).await;
    let viewer = Visitor::with(&bed, &token).await;
    for path in [
        "/web/",
        "/web/stacks",
        "/web/stacks/shop",
        "/web/stacks/shop/revisions",
        "/web/hosts",
        "/web/containers",
        "/web/tasks",
        "/web/events",
        "/web/orphans",
    ] {
        let page = viewer.page(path).await;
        assert_eq!(page.matches("<form").count(), 1, "{path}: the only form is for logging out: {page}");
        assert!(
            !page.contains("/web/tokens") && !page.contains("/delete\"") && !page.contains("/web/stacks/new"),
            "{path}"
        );
    }
    let tasks = bed.json(Method::GET, "/api/v1/tasks", None, 200).await;
    let task = tasks["tasks"][0]["@id"].as_str().unwrap().to_owned();
    for path in [
        &format!("/web/tasks/{task}/cancel"),
        "/web/orphans/remove?id=vm1/x",
        "/web/tokens/token-0/revoke",
        "/web/tokens",
        "/web/audit",
        "/web/users",
        "/web/users/ann/change",
        "/web/stacks/new",
        "/web/stacks/shop/delete",
        "/web/hosts/vm1/drain",
    ] {
        assert_eq!(viewer.get(path).await.status(), 403, "{path}");
    }
    let document = stack("other", "vm1").to_string();
    for (path, fields) in [
        ("/web/stacks/shop/delete".to_owned(), vec![]),
        ("/web/stacks/shop/stop".to_owned(), vec![]),
        ("/web/stacks/shop/rollback".to_owned(), vec![]),
        ("/web/stacks/new".to_owned(), vec![("document", document.as_str()), ("do", "deploy")]),
        ("/web/hosts".to_owned(), vec![("host", "vm9")]),
        ("/web/hosts/vm1/drain".to_owned(), vec![]),
        ("/web/hosts/vm1/remove".to_owned(), vec![]),
        ("/web/tokens".to_owned(), vec![("role", "admin")]),
        ("/web/tokens/token-0/revoke".to_owned(), vec![]),
        ("/web/users".to_owned(), vec![("name", "eve"), ("role", "admin")]),
        ("/web/users/ann/change".to_owned(), vec![("role", "admin")]),
        ("/web/users/ann/link".to_owned(), vec![]),
        ("/web/users/ann/remove".to_owned(), vec![]),
        ("/web/orphans/remove".to_owned(), vec![("id", "vm1/x")]),
        (format!("/web/tasks/{task}/cancel"), vec![]),
    ] {
        let answer = viewer.send(&path, &fields).await;
        assert_eq!(answer.status(), 403, "{path}: {}", answer.text().await.unwrap());
    }
    let stacks = bed.json(Method::GET, "/api/v1/stacks", None, 200).await;
    assert_eq!(stacks["stacks"].as_array().unwrap().len(), 1);
    assert_ne!(stacks["stacks"][0]["status"], "deleting");
}

#[tokio::test]
async fn a_token_that_is_revoked_ends_its_sessions_at_once() {
    let bed = Bed::new().await;
    let token = bed.token(Role::Viewer, None).await;
    let viewer = Visitor::with(&bed, &token).await;
    assert_eq!(viewer.get("/web/").await.status(), 200);
    let mut stream = viewer.request(Method::GET, "/web/stream").send().await.unwrap();
    assert_eq!(stream.status(), 200);

    let admin = Visitor::with(&bed, &bed.token).await;
    let hash_id =
        graphium_core::control::TokenRecord::id_of(&graphium_server::auth::Token::parse(&token).unwrap().hash());
    assert!(admin.page("/web/tokens").await.contains(&format!("href=\"/web/tokens/{hash_id}/revoke\"")));
    let question = admin.page(&format!("/web/tokens/{hash_id}/revoke")).await;
    assert!(question.contains("Revoke it") && !question.contains("logs you out"), "{question}");
    let own = admin.page("/web/tokens").await;
    let own = between(&own[own.find(">yours<").unwrap()..], "href=\"", "\"").to_owned();
    assert!(admin.page(&own).await.contains("this logs you out"));
    assert_eq!(viewer.get("/web/").await.status(), 200, "a question alone does nothing");
    assert_eq!(admin.send(&format!("/web/tokens/{hash_id}/revoke"), &[]).await.status(), 303);
    assert_eq!(viewer.get("/web/").await.status(), 303, "it leads to where one logs in");
    let ended = tokio::time::timeout(std::time::Duration::from_secs(5), async {
        while let Ok(Some(_)) = stream.chunk().await {}
    });
    assert!(ended.await.is_ok(), "its stream goes on");
}

#[tokio::test]
async fn events_come_over_the_cookie_and_go_on_where_they_were() {
    let bed = Bed::new().await;
    let _agent = bed.host("vm1").await;
    bed.deploy(&stack("shop", "vm1")).await;
    let stranger = Visitor::of(&bed);
    let refused =
        stranger.request(Method::GET, "/web/stream").header("accept", "text/event-stream").send().await.unwrap();
    assert_eq!(refused.status(), 401);
    let visitor = Visitor::with(&bed, &bed.token).await;
    let request = visitor.request(Method::GET, "/web/stream?after=0").header("last-event-id", "2");
    let mut answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let first = String::from_utf8(answer.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(first.starts_with("id: 3\n"), "{first}");
    // The cookie opens the page, and not the API.
    for (method, path) in
        [(Method::GET, "/api/v1/events"), (Method::GET, "/api/v1/stacks"), (Method::DELETE, "/api/v1/stacks/shop")]
    {
        assert_eq!(visitor.request(method, path).send().await.unwrap().status(), 401, "{path}");
    }
}
