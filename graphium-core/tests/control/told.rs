//! What agents hear that have nothing to do: which report is in force, so that they need not repeat it, and that there is no work.

use crate::world::{Hand, World};
use futures::future::join_all;
use graphium_core::{
    agent::{AgentLink, ClaimCall, HostReport},
    environment::Environment,
    id::ClaimId,
    inventory::{Host, HostStatus},
    store::{TaskStoreExt, Versioned},
};
use std::time::Duration;

fn in_force(agent: &Hand<'_>) -> Option<u64> {
    agent.world.control.report_in_force(&agent.host)
}

#[test]
fn a_report_is_in_force_also_where_it_was_news_until_something_else_changes() {
    let world = World::new();
    let agent = world.agent("vm1");
    let first = in_force(&agent);
    assert!(first.is_some(), "the first of a host that nobody knew");
    world.environment.advance(Duration::from_secs(30));
    let mut larger = agent.seen(&[], 0);
    if let Some(engine) = &mut larger.engine {
        engine.cpus += 2.0;
    }
    world.run(world.control.observe(&larger)).unwrap();
    let second = in_force(&agent);
    assert!(second.is_some_and(|number| Some(number) > first), "{first:?}, then {second:?}");

    // Somebody else changes what is kept of it.
    world.run(world.control.set_host_status(&agent.host, HostStatus::Maintenance)).unwrap();
    assert_eq!(in_force(&agent), None);
    world.run(world.control.observe(&larger)).unwrap();
    let third = in_force(&agent);
    assert!(third > second);
    let silent = HostReport { containers: None, engine: None, engine_error: Some("it hangs".to_owned()), ..larger };
    world.run(world.control.observe(&silent)).unwrap();
    assert_eq!(in_force(&agent), None, "it does not say what runs there");
    let Versioned { value: host, .. } = world.run(world.store.document::<Host>("vm1")).unwrap().unwrap();
    assert_eq!(host.engine_error.as_deref(), Some("it hangs"));
}

/// When a claim of an agent is answered that begins at some time from now, in milliseconds.
async fn answered(agent: &Hand<'_>, begin: u64, wait: u64) -> u64 {
    let environment = &agent.world.environment;
    let from = environment.elapsed();
    environment.sleep(Duration::from_millis(begin)).await;
    let (host, epoch, wait) = (agent.host.clone(), agent.epoch, Duration::from_millis(wait));
    let call = ClaimCall { host, epoch, claim: ClaimId::from("claim"), max: 1, wait };
    assert_eq!(agent.world.control.claim(&call).await.unwrap(), []);
    (environment.elapsed() - from).as_millis() as u64
}

#[test]
fn claims_that_bring_nothing_are_answered_together_and_none_too_late() {
    let world = World::new();
    world.environment.advance(Duration::from_millis(1100));
    let agents = ["vm1", "vm2", "vm3", "vm4", "vm5"].map(|host| world.agent(host));
    // Three eighths of 15 s are the longest.
    let claims = [(0, 9000), (17, 9000), (120, 9000), (130, 9000), (5, 700)];
    let ends =
        world.run(join_all(agents.iter().zip(claims).map(|(agent, (begin, wait))| answered(agent, begin, wait))));
    assert_eq!(ends, [5400, 5400, 5650, 5650, 705], "from 1.1 s on, in quarters of a second");
    for ((begin, wait), end) in claims.into_iter().zip(ends) {
        assert!(end - begin <= wait.min(5625) && end - begin > wait.min(5625) - 250);
    }
}
