//! An agent's credential gives way to the next; wherever that breaks off, what the agent keeps lets it in.

use crate::bed::{Bed, eventually, report};
use graphium_core::{agent::AgentLink as _, control::Role, id::HostId, store::SessionRequest};
use graphium_server::{
    api::wire::TokenRequest,
    client::{Client, ClientError, CredentialError, HttpLink, keep_credential_fresh, replace_credential},
};
use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

/// An agent that joined, its link, and what it keeps.
struct Joined {
    client: Client,
    link: HttpLink,
    kept: Arc<Mutex<String>>,
    epoch: u64,
}

fn vm1() -> HostId {
    "vm1".into()
}

async fn joined(bed: &Bed) -> Joined {
    let request = TokenRequest { host: Some(vm1()), join: true, ..TokenRequest::new(Role::Agent) };
    let code = bed.admin.create_token(&request).await.unwrap().token;
    let nobody = Client::new(&bed.server.url(), None).unwrap();
    let issued = nobody.join(&code, &vm1()).await.unwrap();
    assert!(issued.view.expires.is_some(), "an agent's own token has its time");
    let client = bed.client(&issued.token);
    let link = HttpLink::new(client.clone());
    let request = SessionRequest { host: vm1(), nonce: "n".to_owned(), seen_epoch: 0 };
    let epoch = link.open_session(&request).await.unwrap().session.epoch;
    Joined { client, link, kept: Arc::new(Mutex::new(issued.token)), epoch }
}

impl Joined {
    fn kept(&self) -> String {
        self.kept.lock().unwrap().clone()
    }

    async fn calls(&self) -> bool {
        self.link.observe(&report("vm1", self.epoch)).await.is_ok()
    }

    fn keeps(&self) -> impl Fn(&str) -> io::Result<()> + Sync + use<> {
        let kept = Arc::clone(&self.kept);
        move |token: &str| {
            *kept.lock().unwrap() = token.to_owned();
            Ok(())
        }
    }
}

/// Whether an agent that starts with that token gets in.
async fn gets_in(bed: &Bed, token: &str) -> bool {
    let link = HttpLink::new(bed.client(token));
    link.open_session(&SessionRequest { host: vm1(), nonce: "again".to_owned(), seen_epoch: 0 }).await.is_ok()
}

#[tokio::test]
async fn an_agent_replaces_its_token_at_its_next_call_once_that_was_asked_for() {
    let bed = Bed::new().await;
    let agent = joined(&bed).await;
    let before = agent.kept();
    let (client, keep) = (agent.client.clone(), agent.keeps());
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let fresh = tokio::spawn(async move {
        let tell = |replaced: Result<bool, CredentialError>| telling.lock().unwrap().push(replaced.ok());
        keep_credential_fresh(&client, &vm1(), keep, tell).await
    });
    assert!(agent.calls().await);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(agent.kept() == before && told.lock().unwrap().is_empty(), "nobody has asked for it");
    bed.admin.rotate_credential("vm1").await.unwrap();
    assert!(agent.calls().await);
    eventually("another token", async || (agent.kept() != before).then_some(())).await;
    for _ in 0..3 {
        assert!(agent.calls().await);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let after = agent.kept();
    assert_ne!(after, before);
    assert!(gets_in(&bed, &after).await);
    fresh.abort();
    // The one before has minutes left, and is told so.
    let tokens = bed.admin.tokens().await.unwrap();
    let mut ends: Vec<_> = tokens.iter().filter(|token| token.role == Role::Agent).filter_map(|t| t.expires).collect();
    ends.sort();
    assert_eq!(ends.len(), 2, "{tokens:?}");
    assert!(ends[0].duration_since(jiff::Timestamp::now()).as_secs() <= 900);
    assert!(!told.lock().unwrap().is_empty() && told.lock().unwrap().iter().all(Option::is_some));
    let entries = bed.server.control().audit(0, 1000).await.unwrap();
    let replaced = entries.iter().find(|entry| entry.operation == "replaceCredential").unwrap();
    assert_eq!((replaced.status, replaced.who.name.as_str()), (201, "agent of vm1"));
}

#[tokio::test]
async fn wherever_it_breaks_off_what_the_agent_keeps_lets_it_in() {
    let bed = Bed::new().await;
    let agent = joined(&bed).await;
    bed.admin.rotate_credential("vm1").await.unwrap();
    // The answer is lost, twice.
    for _ in 0..2 {
        drop(agent.client.replace_credential(&vm1()).await.unwrap());
        assert!(gets_in(&bed, &agent.kept()).await);
    }
    // It comes, and the disk is full: the agent goes on with what it has.
    let full = |_: &str| Err(io::Error::other("no space left"));
    let refused = replace_credential(&agent.client, &vm1(), full).await.unwrap_err();
    assert!(refused.to_string().contains("no space left"), "{refused}");
    assert!(agent.calls().await && gets_in(&bed, &agent.kept()).await);
    // It is kept, and the agent ends before it was used.
    let before = agent.kept();
    let issued = agent.client.replace_credential(&vm1()).await.unwrap();
    (agent.keeps())(&issued.token).unwrap();
    assert!(gets_in(&bed, &before).await, "it was not used");
    assert!(gets_in(&bed, &agent.kept()).await);
    // It was used, which is written down beside the answer: until then the one before could ask for another.
    eventually("the use of the successor to be known", async || {
        let tokens = bed.admin.tokens().await.unwrap();
        let mut agents = tokens.iter().filter(|token| token.role == Role::Agent);
        agents.all(|token| token.last_used.is_some()).then_some(())
    })
    .await;
    // What is under way with the one before is let in yet, and gets no other.
    assert!(gets_in(&bed, &before).await);
    eventually("the successor to have taken over", async || {
        let again = bed.client(&before).replace_credential(&vm1()).await;
        matches!(again, Err(ClientError::Conflict { code, .. }) if code == "credential-not-due").then_some(())
    })
    .await;
    let agents = bed.admin.tokens().await.unwrap().into_iter().filter(|token| token.role == Role::Agent).count();
    assert_eq!(agents, 2, "of what was lost nothing is left");
    assert!(gets_in(&bed, &agent.kept()).await);
}

#[tokio::test]
async fn only_an_agents_own_token_gets_a_successor() {
    let bed = Bed::new().await;
    let agent = joined(&bed).await;
    bed.admin.rotate_credential("vm1").await.unwrap();
    let other = bed.token(Role::Agent, Some("vm2")).await;
    for token in [&bed.token, &other, &bed.token(Role::Operator, None).await] {
        let refused = bed.client(token).replace_credential(&vm1()).await.unwrap_err();
        assert!(matches!(refused, ClientError::Denied { status: 403, .. }), "{refused}");
    }
    let early = bed.client(&other).replace_credential(&"vm2".into()).await.unwrap_err();
    assert!(matches!(&early, ClientError::Conflict { code, .. } if code == "credential-not-due"), "{early}");
    let nobody = bed.admin.rotate_credential("vm9").await.unwrap_err();
    assert!(matches!(nobody, ClientError::NotFound { .. }), "{nobody}");
    assert!(agent.calls().await);
}
