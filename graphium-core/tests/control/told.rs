//! Which report of an agent is in force: that one it need not repeat.

use crate::world::{Hand, World};
use graphium_core::{
    agent::{AgentLink, HostReport},
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
