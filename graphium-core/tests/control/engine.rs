//! Hosts whose engine does not answer.

use crate::world::{Hand, World, container, stack};
use graphium_core::{
    agent::{AgentLink, ClaimCall, HostReport},
    control::{DeployOptions, StackStatus, Waiting},
    environment::Environment,
    id::ClaimId,
};
use std::time::Duration;

/// The agent tells that its engine does not answer.
fn lose_engine(hand: &Hand<'_>) {
    hand.world.environment.advance(Duration::from_millis(200));
    let report = HostReport {
        engine: None,
        containers: None,
        engine_error: Some("the engine at unix:///run/docker.sock does not answer".to_owned()),
        ..hand.seen(&[], 0)
    };
    hand.world.run(hand.world.control.observe(&report)).unwrap();
}

fn waits(world: &World) -> Vec<Waiting> {
    let view = world.run(world.control.status("one")).unwrap();
    view.tasks.into_iter().filter_map(|task| task.waiting).collect()
}

fn deploy(world: &World, options: DeployOptions) {
    let one = stack("one", vec![container("db", "vm1", None, &[])]);
    world.run(world.control.deploy(one, options)).unwrap();
}

#[test]
fn an_engine_that_is_away_for_hours_is_given_nothing_is_named_and_is_waited_for() {
    let world = World::new();
    let agent = world.agent("vm1");
    lose_engine(&agent);
    let since = world.environment.now();
    deploy(&world, DeployOptions::default());
    for _ in 0..120 {
        world.environment.advance(Duration::from_secs(60));
        assert_eq!(agent.claim(), []);
        lose_engine(&agent);
        world.tick();
    }
    let waiting = waits(&world);
    assert!(!waiting.is_empty());
    for one in &waiting {
        assert_eq!((one.reason.as_str(), one.since), ("engine", since));
        assert!(one.on.starts_with("host vm1, whose engine does not answer: the engine at"), "{}", one.on);
    }
    agent.observe(&[]);
    assert!(agent.work() > 0);
    world.tick();
    assert_eq!(world.status("one"), StackStatus::Running);
    let view = world.run(world.control.status("one")).unwrap();
    assert!(view.tasks.iter().all(|view| (view.task.attempt, view.task.retry_count) == (1, 0)));
    assert_eq!(world.run(world.control.host(&"vm1".into())).unwrap().engine_away_since, None);
}

#[test]
fn an_agent_that_waits_for_work_has_it_when_its_engine_is_back() {
    let world = World::new();
    let agent = world.agent("vm1");
    lose_engine(&agent);
    deploy(&world, DeployOptions::default());
    let call = ClaimCall {
        host: agent.host.clone(),
        epoch: agent.epoch,
        claim: ClaimId::new("c"),
        max: 1,
        wait: Duration::from_secs(30),
    };
    let before = world.environment.elapsed();
    let back = agent.seen(&[], 0);
    let both = async {
        let back = async {
            world.environment.sleep(Duration::from_secs(5)).await;
            world.control.observe(&back).await.unwrap();
        };
        futures::join!(world.control.claim(&call), back).0.unwrap()
    };
    assert_eq!(world.run(both).len(), 1);
    assert_eq!(world.environment.elapsed() - before, Duration::from_secs(5));
}

#[test]
fn a_deployment_with_a_deadline_does_not_wait_longer_for_an_engine() {
    let world = World::new();
    let agent = world.agent("vm1");
    lose_engine(&agent);
    deploy(&world, DeployOptions { timeout: Some(Duration::from_secs(30)), ..DeployOptions::default() });
    world.environment.advance(Duration::from_secs(31));
    agent.claim();
    world.tick();
    world.tick();
    let view = world.run(world.control.stack("one")).unwrap();
    assert_eq!(view.status, StackStatus::Error);
    assert!(view.error_message.unwrap().contains("deadline"));
}
