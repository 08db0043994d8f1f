//! Who may log in, as administrators see to it: links in place of passwords, other rights, and that somebody always stays in charge.

use crate::bed::{Bed, eventually, stack};
use graphium_core::{
    control::{Control, ControlError, Purpose, Role, TokenRecord, UserRecord},
    store::{Kind, RecordQuery, TaskStoreExt as _},
};
use graphium_server::{
    api::wire::{UserChange, UserRequest},
    auth::Token,
    client::{Client, ClientError},
    serve::Limits,
};
use reqwest::Method;
use serde_json::json;
use std::{sync::Arc, time::Duration};

const PASSWORD: &str = "correct horse battery";

fn person(user: &str, role: Role, password: Option<&str>) -> UserRequest {
    UserRequest { user: user.to_owned(), role, password: password.map(str::to_owned), stacks: Vec::new() }
}

fn of_role(role: Role) -> UserChange {
    UserChange { role: Some(role), stacks: None }
}

fn nobody(bed: &Bed) -> Client {
    Client::new(&bed.server.url(), None).unwrap()
}

async fn session(bed: &Bed, user: &str) -> (Client, String) {
    let token = nobody(bed).login(user, PASSWORD).await.unwrap().token;
    (bed.client(&token), token)
}

/// The status and the code of what is refused.
fn refused<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> (u16, String) {
    match answer.unwrap_err() {
        ClientError::Denied { status, .. } => (status, String::new()),
        ClientError::Conflict { code, .. } => (409, code),
        ClientError::Problem { problem, .. } => (problem.status, problem.code.to_string()),
        ClientError::NotFound { .. } => (404, "not-found".to_owned()),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_link_sets_a_password_once_and_nobody_else_learns_it() {
    let bed = Bed::new().await;
    let nobody = nobody(&bed);
    let made = bed.admin.create_user(&person("ann", Role::Operator, None)).await.unwrap();
    assert_eq!((made.password_set, made.last_login), (None, None));
    for password in ["", PASSWORD] {
        assert_eq!(refused(nobody.login("ann", password).await).0, 401, "nobody logs in without a password");
    }
    let link = bed.admin.link_user("ann", None).await.unwrap();
    let left = link.expires.duration_since(jiff::Timestamp::now());
    assert!(left.as_hours() == 23 && link.path == format!("/web/setup/{}", link.code), "{link:?}");
    assert!(!format!("{link:?}").contains(&link.code));
    assert_eq!(refused(bed.client(&link.code).whoami().await).0, 401, "a link opens nothing else");
    assert_eq!(refused(nobody.redeem_link(&link.code, "short").await), (422, "password-length".to_owned()));
    assert_eq!(refused(nobody.set_up(&link.code, "eve", PASSWORD).await).0, 403, "it is for ann");
    let ann = nobody.redeem_link(&link.code, PASSWORD).await.unwrap();
    assert!(ann.name == "ann" && ann.role == Role::Operator && ann.password_set.is_some(), "{ann:?}");
    assert_eq!(refused(nobody.redeem_link(&link.code, "another password").await).0, 401, "once");
    let (client, _) = session(&bed, "ann").await;
    assert!(bed.admin.users().await.unwrap()[0].last_login.is_some());

    // Another link: what was before is worth nothing, the link before included.
    let first = bed.admin.link_user("ann", Some(Duration::from_secs(900))).await.unwrap();
    assert_eq!(refused(client.whoami().await).0, 401);
    assert_eq!(refused(nobody.login("ann", PASSWORD).await).0, 401);
    let second = bed.admin.link_user("ann", None).await.unwrap();
    assert_eq!(refused(nobody.redeem_link(&first.code, PASSWORD).await).0, 401);
    let (one, other) =
        tokio::join!(nobody.redeem_link(&second.code, PASSWORD), nobody.redeem_link(&second.code, "another password"));
    assert!(one.is_ok() != other.is_ok(), "good once: {one:?}, {other:?}");
    let is_first = nobody.login("ann", PASSWORD).await.is_ok();
    assert_eq!(is_first, one.is_ok(), "the password is the one that was taken");

    // A password that somebody sets in another way ends links, too; and so does the end of the person.
    let link = bed.admin.link_user("ann", None).await.unwrap();
    bed.admin.reset_password("ann", PASSWORD).await.unwrap();
    assert_eq!(refused(nobody.redeem_link(&link.code, "another password").await).0, 401);
    let link = bed.admin.link_user("ann", None).await.unwrap();
    bed.admin.remove_user("ann").await.unwrap();
    assert_eq!(refused(nobody.redeem_link(&link.code, PASSWORD).await).0, 401);
    assert!(bed.admin.tokens().await.unwrap().iter().all(|token| token.user.is_none()), "nothing is left");

    assert_eq!(refused(bed.admin.link_user("ann", None).await).0, 404);
    for seconds in [0, 899, 86_401, u64::MAX] {
        let answer = bed.json(Method::POST, "/api/v1/users/ann/link", Some(json!({"expiresIn": seconds})), 422).await;
        assert!(answer["detail"].as_str().unwrap().contains("900"), "{answer}");
    }
    for kind in [Kind::Token, Kind::User, Kind::Audit] {
        let kept = bed.server.control().store().all_records(RecordQuery::of(kind)).await.unwrap();
        let kept = serde_json::to_string(&kept).unwrap();
        assert!(!kept.contains(&link.code[4..]) && !kept.contains(PASSWORD), "{kept}");
    }
}

#[tokio::test]
async fn a_link_is_worth_nothing_after_its_time() {
    let bed = Bed::new().await;
    bed.admin.create_user(&person("ann", Role::Viewer, None)).await.unwrap();
    let (code, now) = (Token::generate().unwrap(), jiff::Timestamp::now());
    let record = TokenRecord {
        user: Some("ann".to_owned()),
        purpose: Purpose::Password,
        expires: Some(now + jiff::SignedDuration::from_millis(300)),
        ..TokenRecord::new(code.hash(), Role::Viewer, now)
    };
    bed.server.control().reset_user("ann", &record).await.unwrap();
    tokio::time::sleep(Duration::from_millis(350)).await;
    assert_eq!(refused(nobody(&bed).redeem_link(code.reveal(), PASSWORD).await).0, 401);
}

#[tokio::test]
async fn other_rights_count_at_once_and_end_what_waits_with_those_before() {
    let bed = Bed::new().await;
    let _vm1 = bed.host("vm1").await;
    for name in ["shop", "blog"] {
        bed.deploy(&stack(name, "vm1")).await;
    }
    for name in ["ann", "bob"] {
        bed.admin.create_user(&person(name, Role::Operator, Some(PASSWORD))).await.unwrap();
    }
    let (ann, token) = session(&bed, "ann").await;
    let (_, bobs) = session(&bed, "bob").await;
    assert_eq!(ann.stacks().await.unwrap().len(), 2);
    let follow = async |token: &str| {
        let request = bed.request(Method::GET, "/api/v1/events?after=0").bearer_auth(token);
        let mut answer = request.header("accept", "text/event-stream").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.chunk().await.unwrap().unwrap();
        answer
    };
    let (mut anns_stream, mut bobs_stream) = (follow(&token).await, follow(&bobs).await);

    let granted = UserChange { role: Some(Role::Viewer), stacks: Some(vec!["shop".to_owned()]) };
    let view = bed.admin.change_user("ann", &granted).await.unwrap();
    assert!(view.role == Role::Viewer && view.stacks.stacks() == ["shop"], "{view:?}");
    let ended =
        tokio::time::timeout(Duration::from_secs(5), async { while let Ok(Some(_)) = anns_stream.chunk().await {} });
    assert!(ended.await.is_ok(), "the stream shows the stacks of before");
    let others = tokio::time::timeout(Duration::from_millis(300), async {
        while let Ok(Some(_)) = bobs_stream.chunk().await {}
    });
    assert!(others.await.is_err(), "somebody else's goes on");
    assert_eq!(ann.whoami().await.unwrap().role, Role::Viewer, "the session goes on with what it may now");
    assert_eq!(ann.stacks().await.unwrap().len(), 1);
    let stop = bed.request(Method::POST, "/api/v1/stacks/shop/stop").bearer_auth(&token);
    assert_eq!(stop.send().await.unwrap().status(), 403);
    let events = bed.request(Method::GET, "/api/v1/events?after=0&follow=false").bearer_auth(&token);
    let events = events.send().await.unwrap().text().await.unwrap();
    assert!(events.contains("stack:shop") && !events.contains("stack:blog"), "{events}");

    // What is not said stays; an administrator reaches all stacks.
    let view = bed.admin.change_user("ann", &of_role(Role::Operator)).await.unwrap();
    assert_eq!(view.stacks.stacks(), ["shop"]);
    let mut same = follow(&token).await;
    bed.admin.change_user("ann", &of_role(Role::Operator)).await.unwrap();
    let goes_on =
        tokio::time::timeout(Duration::from_millis(300), async { while let Ok(Some(_)) = same.chunk().await {} });
    assert!(goes_on.await.is_err(), "nothing was changed");
    let view = bed.admin.change_user("ann", &of_role(Role::Admin)).await.unwrap();
    assert!(view.stacks.are_all() && ann.users().await.is_ok(), "{view:?}");
    for (name, change, expected) in [
        ("bob", json!({"role": "agent"}), (422, "wrong-shape")),
        ("bob", json!({"role": "admin", "stacks": ["shop"]}), (422, "stacks-not-meant")),
        ("bob", json!({"stack": ["shop"]}), (422, "wrong-shape")),
        ("eve", json!({"role": "viewer"}), (404, "not-found")),
    ] {
        let answer = bed.json(Method::PATCH, &format!("/api/v1/users/{name}"), Some(change), expected.0).await;
        assert_eq!(answer["code"], expected.1, "{answer}");
    }
    assert_eq!(bed.json(Method::GET, "/api/v1/users/bob", None, 200).await["role"], "operator");
}

#[tokio::test]
async fn the_last_administrator_stays_and_nobody_locks_oneself_out() {
    let bed = Bed::new().await;
    bed.admin.create_user(&person("ann", Role::Admin, Some(PASSWORD))).await.unwrap();
    let last = (409, "last-administrator".to_owned());
    let all_refused = async |name: &str| {
        let removal = bed.admin.remove_user(name).await;
        let words = removal.as_ref().unwrap_err().to_string();
        assert!(words.contains("last administrator who can log in"), "{words}");
        assert_eq!(refused(removal), last);
        assert_eq!(refused(bed.admin.change_user(name, &of_role(Role::Viewer)).await), last);
        assert_eq!(refused(bed.admin.link_user(name, None).await), last);
    };
    all_refused("ann").await;
    // One who has no password yet cannot take over.
    bed.admin.create_user(&person("bob", Role::Admin, None)).await.unwrap();
    all_refused("ann").await;
    let (ann, _) = session(&bed, "ann").await;
    for answer in [
        refused(ann.remove_user("ann").await),
        refused(ann.change_user("ann", &of_role(Role::Operator)).await),
        refused(ann.link_user("ann", None).await),
    ] {
        assert_eq!(answer, (409, "own-account".to_owned()));
    }
    ann.change_user("ann", &of_role(Role::Admin)).await.unwrap();
    let link = ann.link_user("bob", None).await.unwrap();
    nobody(&bed).redeem_link(&link.code, PASSWORD).await.unwrap();
    let (bob, _) = session(&bed, "bob").await;
    bob.change_user("ann", &of_role(Role::Viewer)).await.unwrap();
    assert_eq!(refused(ann.users().await).0, 403, "at once");
    all_refused("bob").await;
    // Somebody who never set a password is no loss.
    bed.admin.create_user(&person("eve", Role::Admin, None)).await.unwrap();
    bed.admin.remove_user("eve").await.unwrap();
    bed.admin.remove_user("ann").await.unwrap();
}

/// Whether somebody who can log in is an administrator.
async fn in_charge(control: &Control) -> usize {
    let users = control.users().await.unwrap();
    users.iter().filter(|user| user.role == Role::Admin && user.password.is_some()).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_administrators_who_take_each_other_away_at_once_leave_one() {
    let folder = tempfile::tempdir().unwrap();
    let bed = Bed::over(&format!("sqlite:{}", folder.path().join("g.db").display()), Limits::default()).await;
    let control = bed.server.control();
    let now = jiff::Timestamp::now();
    for round in 0..40 {
        for name in ["ann", "bob"] {
            let user = UserRecord { password: Some("x".to_owned()), ..UserRecord::new(name, Role::Admin, now) };
            control.add_user(user).await.unwrap();
        }
        let ready = Arc::new(tokio::sync::Barrier::new(2));
        let (first, second) = (Arc::clone(control), Arc::clone(control));
        let (here, there) = (Arc::clone(&ready), ready);
        let removed = tokio::spawn(async move {
            here.wait().await;
            first.remove_user("ann").await
        });
        let demoted = tokio::spawn(async move {
            there.wait().await;
            second.change_user("bob", None, |user| UserRecord { role: Role::Viewer, ..user }).await.map(drop)
        });
        let answers = [removed.await.unwrap(), demoted.await.unwrap()];
        assert_eq!(in_charge(control).await, 1, "round {round}: {answers:?}");
        let refused = answers
            .iter()
            .filter(|answer| matches!(answer, Err(ControlError::Conflict { code: "last-administrator", .. })));
        assert_eq!(refused.count(), 1, "round {round}: {answers:?}");
        let eve = UserRecord { password: Some("x".to_owned()), ..UserRecord::new("eve", Role::Admin, now) };
        control.add_user(eve).await.unwrap();
        for user in control.users().await.unwrap().into_iter().filter(|user| user.name != "eve") {
            control.remove_user(&user.name).await.unwrap();
        }
        // The last one is taken out by hand: no call does that.
        let eve = control.store().documents::<UserRecord>(RecordQuery::of(Kind::User)).await.unwrap();
        let removal = graphium_core::store::Document::removal(&eve[0].value, graphium_core::store::Expect::Any);
        let submission = graphium_core::store::Submission { records: vec![removal], ..Default::default() };
        control.store().submit(submission, now).await.unwrap();
    }
}

#[tokio::test]
async fn a_login_and_the_end_of_the_person_at_once_leave_no_session() {
    let bed = Bed::new().await;
    bed.admin.create_user(&person("ann", Role::Viewer, Some(PASSWORD))).await.unwrap();
    let control = bed.server.control();
    let ann = control.user("ann").await.unwrap().unwrap();
    let session = TokenRecord {
        user: Some("ann".to_owned()),
        ..TokenRecord::new(Token::generate().unwrap().hash(), Role::Viewer, jiff::Timestamp::now())
    };
    // The password was right, and then she was given another one, or taken away.
    bed.admin.reset_password("ann", "another password").await.unwrap();
    let late = control.log_in(&ann, &session).await.unwrap_err();
    assert!(matches!(late, ControlError::NotFound { kind: "user", .. }), "{late}");
    bed.admin.remove_user("ann").await.unwrap();
    assert!(control.log_in(&ann, &session).await.is_err());
    let left = eventually("no session", async || {
        let tokens = bed.admin.tokens().await.unwrap();
        tokens.iter().all(|token| token.user.is_none()).then_some(())
    });
    left.await;
}
