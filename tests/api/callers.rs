//! Everybody who may come with a token, or with what once was one.

use crate::{
    bed::{Bed, eventually},
    people::{PASSWORD, nobody, person},
    reach::granted,
};
use graphium_core::{
    agent::AgentLink as _,
    control::{Purpose, Role, TokenRecord},
    id::HostId,
    store::{Document as _, Expect, SessionRequest, Submission},
};
use graphium_server::{
    api::wire::{TokenRequest, UserChange, UserRequest},
    auth::Token,
    client::HttpLink,
};

/// What somebody is to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Is {
    /// Nobody that it knows, or not any more.
    Unknown,
    /// A person, or a program of one, who reaches every stack.
    Person(Role),
    /// One who reaches a stack that no route of the table is about.
    Granted(Role),
    /// The agent of vm1.
    Agent,
    /// The agent of another host.
    AnotherAgent,
}

/// Somebody who asks.
pub(crate) struct Caller {
    pub(crate) name: &'static str,
    pub(crate) is: Is,
    pub(crate) token: Option<String>,
}

fn vm1() -> HostId {
    "vm1".into()
}

/// The session of a new person.
async fn session(bed: &Bed, user: &str, role: Role, stacks: &[&str]) -> String {
    let stacks = stacks.iter().map(|stack| (*stack).to_owned()).collect();
    bed.admin.create_user(&UserRequest { stacks, ..person(user, role) }).await.unwrap();
    nobody(bed).login(user, PASSWORD).await.unwrap().token
}

/// A token as the server keeps it.
async fn kept(bed: &Bed, token: &str) -> TokenRecord {
    let id = TokenRecord::id_of(&Token::parse(token).unwrap().hash());
    bed.server.control().tokens().await.unwrap().into_iter().find(|token| token.id == id).unwrap()
}

/// Its time is over, whenever that was to be.
async fn let_expire(bed: &Bed, token: &str) {
    let now = jiff::Timestamp::now();
    let record = TokenRecord { expires: Some(now), ..kept(bed, token).await }.write(Expect::Any).unwrap();
    let submission = Submission { records: vec![record], ..Submission::default() };
    bed.server.control().store().submit(submission, now).await.unwrap();
}

/// The agent of vm1 replaces its credential, and uses the new one.
async fn rotated(bed: &Bed, before: &str) -> String {
    bed.admin.rotate_credential("vm1").await.unwrap();
    let after = bed.client(before).replace_credential(&vm1()).await.unwrap().token;
    let request = SessionRequest { host: vm1(), nonce: after.clone(), seen_epoch: 0 };
    HttpLink::new(bed.client(&after)).open_session(&request).await.unwrap();
    eventually("the successor to have taken over", async || kept(bed, before).await.is_replaced.then_some(())).await;
    after
}

/// Credentials that were good and are not any more, and those whose time is to be over.
async fn of_before(bed: &Bed) -> (Vec<(&'static str, String)>, [(&'static str, String); 3]) {
    let revoked = bed.token(Role::Admin, None).await;
    bed.client(&revoked).whoami().await.unwrap();
    bed.admin.revoke_token(&kept(bed, &revoked).await.id).await.unwrap();
    let expired = bed.token(Role::Admin, None).await;
    bed.client(&expired).whoami().await.unwrap();

    let left = session(bed, "left", Role::Admin, &[]).await;
    bed.client(&left).logout().await.unwrap();
    let removed = session(bed, "removed", Role::Admin, &[]).await;
    bed.admin.remove_user("removed").await.unwrap();
    let changed = session(bed, "changed", Role::Admin, &[]).await;
    bed.admin.reset_password("changed", "another password").await.unwrap();
    let linked = session(bed, "linked", Role::Admin, &[]).await;
    bed.admin.link_user("linked", None).await.unwrap();
    let tired = session(bed, "tired", Role::Admin, &[]).await;

    let join = TokenRequest { host: Some(vm1()), join: true, ..TokenRequest::new(Role::Agent) };
    let (code, used) = (bed.admin.create_token(&join).await.unwrap(), bed.admin.create_token(&join).await.unwrap());
    nobody(bed).join(&used.token, &vm1()).await.unwrap();
    let replaced = bed.token(Role::Agent, Some("vm1")).await;
    rotated(bed, &replaced).await;
    let over = [
        ("a token after its time", expired),
        ("a session after its time", tired),
        ("what vm1 had before, after its time", replaced),
    ];
    let ended = vec![
        ("a stranger", format!("gph_{}", "0".repeat(64))),
        ("a revoked token", revoked),
        ("a session that was left", left),
        ("a session of somebody who was removed", removed),
        ("a session from before another password", changed),
        ("a session from before a link", linked),
        ("a code for vm1", code.token),
        ("a code for vm1 that was used", used.token),
        ("setup", bed.code(Purpose::Setup, Role::Admin).await),
        ("join", bed.code(Purpose::Join, Role::Agent).await),
        ("page", bed.code(Purpose::Page, Role::Admin).await),
        ("password", bed.code(Purpose::Password, Role::Admin).await),
    ];
    (ended, over)
}

/// Each kind of them, once.
pub(crate) async fn everybody(bed: &Bed) -> Vec<Caller> {
    let (ended, over) = of_before(bed).await;
    let demoted = session(bed, "demoted", Role::Admin, &[]).await;
    let change = UserChange { role: Some(Role::Viewer), stacks: None };
    bed.admin.change_user("demoted", &change).await.unwrap();
    let replaced = bed.token(Role::Agent, Some("vm1")).await;
    let agent = rotated(bed, &replaced).await;
    let mut all = vec![Caller { name: "nobody", is: Is::Unknown, token: None }];
    let known = [
        ("viewer", Is::Person(Role::Viewer), bed.token(Role::Viewer, None).await),
        ("operator", Is::Person(Role::Operator), bed.token(Role::Operator, None).await),
        ("admin", Is::Person(Role::Admin), bed.token(Role::Admin, None).await),
        ("a viewer's session", Is::Person(Role::Viewer), session(bed, "vic", Role::Viewer, &[]).await),
        ("an operator's session", Is::Person(Role::Operator), session(bed, "oz", Role::Operator, &[]).await),
        ("an administrator's session", Is::Person(Role::Admin), session(bed, "ann", Role::Admin, &[]).await),
        ("a session of one who was an administrator", Is::Person(Role::Viewer), demoted),
        ("a viewer of a stack", Is::Granted(Role::Viewer), granted(bed, Role::Viewer, &["mine"]).await),
        ("an operator of a stack", Is::Granted(Role::Operator), granted(bed, Role::Operator, &["mine"]).await),
        ("a session for a stack", Is::Granted(Role::Operator), session(bed, "gus", Role::Operator, &["mine"]).await),
        ("vm1", Is::Agent, agent),
        ("what vm1 had before", Is::Agent, replaced),
        ("vm2", Is::AnotherAgent, bed.token(Role::Agent, Some("vm2")).await),
    ];
    // Last of all: whoever makes a credential clears away some that are over.
    for (_, token) in &over {
        let_expire(bed, token).await;
    }
    all.extend(ended.into_iter().chain(over).map(|(name, token)| Caller { name, is: Is::Unknown, token: Some(token) }));
    all.extend(known.map(|(name, is, token)| Caller { name, is, token: Some(token) }));
    all
}
