//! The control plane over the memory store, with agents played by hand.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod admission;
mod audit;
mod clocks;
mod company;
mod degraded;
mod drift;
mod engine;
mod forget;
mod grace;
mod holdings;
mod illegible;
mod many;
mod moods;
mod moving;
mod order;
mod orphans;
mod planned;
mod policy;
mod refreshed;
mod reschedule;
mod retention;
mod rollback;
mod rotation;
mod saved;
mod stopped;
mod told;
mod traces;
mod tries;
mod world;
mod wrappers;

use graphium_core::{
    agent::{AgentLink, ClaimCall, LinkError, RenewCall, Renewal},
    control::{Control, ControlError, DeployOptions, DeploymentKind, RemoveOptions, Settings, StackStatus},
    event::EventType,
    id::ClaimId,
    inventory::ContainerStatus,
    store::{MemoryStore, SessionRequest},
    task::{Outcome, Progress, TaskError, TaskStatus},
    testing::ManualEnvironment,
};
use std::{sync::Arc, time::Duration};

use world::{Hand, MockSink, World, container, shop, stack};

#[test]
fn a_stack_runs_when_its_agents_have_done_their_tasks_and_goes_when_they_confirm() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    let started = world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    assert_eq!(started.status, StackStatus::Deploying);
    world.tick();
    assert_eq!(world.status("shop"), StackStatus::Deploying);
    while one.work() + two.work() > 0 {}
    world.tick();
    assert_eq!(world.status("shop"), StackStatus::Running);

    let again = world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    assert_eq!((again.task_count, again.deployment_id), (0, started.deployment_id));

    let removal = world.run(world.control.remove("shop", RemoveOptions::default())).unwrap();
    let repeated = world.run(world.control.remove("stack:shop", RemoveOptions::default())).unwrap();
    assert_eq!(removal.deployment_id, repeated.deployment_id);
    while one.work() + two.work() > 0 {}
    world.tick();
    assert!(matches!(world.run(world.control.stack("shop")), Err(ControlError::NotFound { .. })));
    assert_eq!(world.status(removal.deployment_id.as_str()), StackStatus::Deleted);
    assert!(world.run(world.control.inventory()).unwrap().containers.is_empty());
}

#[test]
fn tasks_carry_the_slack_of_their_plan() {
    let world = World::new();
    let _agents = (world.agent("vm1"), world.agent("vm2"));
    let plan = world.run(world.control.preview(&shop(), &DeployOptions::default())).unwrap();
    let planned: Vec<(&str, u32)> = plan.tasks.iter().map(|task| (task.id.as_str(), task.slack)).collect();
    assert!(planned.iter().any(|(_, slack)| *slack > 0), "{planned:?}");
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    let status = world.run(world.control.status("shop")).unwrap();
    let stored: Vec<(&str, u32)> =
        status.tasks.iter().map(|shown| (shown.task.plan_id.as_str(), shown.task.slack)).collect();
    assert_eq!(stored, planned);
}

#[test]
fn a_task_of_a_silent_host_says_that_it_waits_for_it_and_since_when() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    world.environment.advance(Duration::from_secs(60));
    world.tick();
    let gone = world.run(world.control.hosts()).unwrap();
    assert!(gone.iter().all(|host| host.offline_since.is_some()), "{gone:?}");
    one.observe(&[]);
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    while one.work() > 0 {}
    let status = world.run(world.control.status("shop")).unwrap();
    let web = status.tasks.iter().find(|task| task.task.plan_id == "deploy:web").unwrap();
    let pull = status.tasks.iter().find(|task| task.task.plan_id.starts_with("pull:vm2")).unwrap();
    assert_eq!(pull.waiting.as_ref().unwrap().reason, "host");
    assert!(pull.waiting.as_ref().unwrap().on.starts_with("host vm2, offline since"), "{:?}", pull.waiting);
    assert_eq!(web.waiting.as_ref().unwrap().reason, "host", "what waits for such a task names the host, too");
    while two.work() > 0 {}
    world.tick();
    assert_eq!(world.status("shop"), StackStatus::Running);
}

#[test]
fn a_taken_port_is_refused_by_name_also_before_anybody_saw_it() {
    let world = World::new();
    world.agent("vm1");
    let first = stack("first", vec![container("web", "vm1", Some(8080), &[])]);
    world.run(world.control.deploy(first, DeployOptions::default())).unwrap();
    let second = stack("second", vec![container("web", "vm1", Some(8080), &[])]);
    let Err(ControlError::Invalid(found)) = world.run(world.control.deploy(second, DeployOptions::default())) else {
        panic!("the port was given twice")
    };
    assert!(found.iter().any(|one| one.message.contains("8080") && one.message.contains("first")), "{found:?}");
}

#[test]
fn what_other_stacks_reserve_is_not_given_twice() {
    let world = World::new();
    let one = world.agent("vm1");
    let memory = world.run(world.control.hosts()).unwrap()[0].memory;
    let reserving = |part: u64| {
        let mut container = container("db", "vm1", None, &[]);
        container.resources.reservations.memory = Some(memory / 4 * part);
        container
    };
    world.run(world.control.deploy(stack("first", vec![reserving(3)]), DeployOptions::default())).unwrap();
    let second = || stack("second", vec![reserving(2)]);
    let refused = || match world.run(world.control.deploy(second(), DeployOptions::default())) {
        Err(ControlError::Invalid(found)) => found[0].message.clone(),
        other => panic!("{other:?}"),
    };
    assert!(memory > 0 && refused().contains("of memory reserved"), "{}", refused());
    while one.work() > 0 {}
    assert!(refused().contains("of memory reserved"), "once it is seen, too: {}", refused());
    // A stack does not stand in its own way, and what is gone gives back its room.
    world.run(world.control.deploy(stack("first", vec![reserving(4)]), DeployOptions::default())).unwrap();
    world.run(world.control.remove("first", RemoveOptions::default())).unwrap();
    while one.work() > 0 {}
    world.tick();
    world.run(world.control.deploy(second(), DeployOptions::default())).unwrap();
}

#[test]
fn a_container_seen_before_its_start_holds_its_port_already() {
    let world = World::new();
    let one = world.agent("vm1");
    let first = stack("first", vec![container("web", "vm1", Some(8080), &[])]);
    world.run(world.control.deploy(first, DeployOptions::default())).unwrap();
    while one.work() > 0 {}
    let mut seen = world.run(world.control.inventory()).unwrap().containers;
    seen[0].status = ContainerStatus::Created;
    seen[0].ports.clear(); // As an engine shows it between create and start.
    one.observe(&seen);
    let second = stack("second", vec![container("web", "vm1", Some(8080), &[])]);
    assert!(matches!(world.run(world.control.deploy(second, DeployOptions::default())), Err(ControlError::Invalid(_))));
}

#[test]
fn a_failure_shows_at_once_with_its_cause_and_a_retry_mends_it() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    let error = TaskError {
        code: "exited".into(),
        message: "exited with code 7".into(),
        help: None,
        log: vec!["boom".into()],
        retryable: false,
    };
    let mut failed = None;
    for _ in 0..5 {
        for task in one.claim() {
            if task.plan_id == "deploy:db" {
                one.report(&task, &Outcome::Failed(error.clone()));
                failed = Some(task);
            } else {
                one.succeed(&task);
            }
        }
    }
    two.work();
    world.tick();
    let view = world.run(world.control.stack("shop")).unwrap();
    assert_eq!(view.status, StackStatus::Error);
    let message = view.error_message.unwrap();
    assert!(message.contains("vm1") && message.contains("exited with code 7"), "{message}");
    let web = world.run(world.control.status("shop")).unwrap();
    assert!(
        web.tasks.iter().any(|task| task.task.plan_id == "deploy:web" && task.task.status == TaskStatus::Cancelled)
    );

    world.run(world.control.retry_task(&failed.unwrap().id, "admin")).unwrap();
    while one.work() + two.work() > 0 {}
    world.tick();
    assert_eq!(world.status("shop"), StackStatus::Running);
}

#[test]
fn a_new_deployment_takes_the_place_of_the_one_under_way() {
    let world = World::new();
    let one = world.agent("vm1");
    let old = stack("shop", vec![container("db", "vm1", None, &[])]);
    world.run(world.control.deploy(old, DeployOptions::default())).unwrap();
    let mut changed = container("db", "vm1", None, &[]);
    changed.image = "nginx:other".into();
    let new = world.run(world.control.deploy(stack("shop", vec![changed]), DeployOptions::default())).unwrap();
    while one.work() > 0 {}
    world.tick();
    assert_eq!(world.status("shop"), StackStatus::Running);
    let state = world.run(world.control.deployments(None)).unwrap();
    assert_eq!(state.len(), 2);
    assert_eq!(world.run(world.control.stack("shop")).unwrap().deployment_id, new.deployment_id);
    let images: Vec<String> =
        world.run(world.control.inventory()).unwrap().containers.into_iter().map(|seen| seen.image).collect();
    assert_eq!(images, ["nginx:other"]);
}

#[test]
fn work_survives_a_restart_of_the_control_plane() {
    let mut world = World::new();
    let epochs = {
        let (one, two) = (world.agent("vm1"), world.agent("vm2"));
        world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
        one.claim();
        (one.epoch, two.epoch)
    };
    world.control = World::start(&world.environment, &world.store);
    let one = Hand { world: &world, host: "vm1".into(), epoch: epochs.0 };
    let two = Hand { world: &world, host: "vm2".into(), epoch: epochs.1 };
    world.environment.advance(Duration::from_secs(40));
    for _ in 0..20 {
        world.tick();
        one.work();
        two.work();
        world.environment.advance(Duration::from_secs(1));
    }
    world.tick();
    assert_eq!(world.status("shop"), StackStatus::Running);
}

#[test]
fn an_older_agent_of_a_host_is_told_that_it_lost() {
    let world = World::new();
    let old = world.agent("vm1");
    let request = SessionRequest { host: "vm1".into(), nonce: "another".into(), seen_epoch: 0 };
    world.run(world.control.open_session(&request)).unwrap();
    assert!(matches!(old.try_claim(), Err(LinkError::SessionLost(_))));
}

#[test]
fn a_parked_claim_wakes_when_work_arrives() {
    let world = World::new();
    let agent = world.agent("vm1");
    let call = ClaimCall {
        host: agent.host.clone(),
        epoch: agent.epoch,
        claim: ClaimId::new("c"),
        max: 1,
        wait: Duration::from_secs(30),
    };
    use graphium_core::environment::Environment;
    let before = world.environment.elapsed();
    let both = async {
        let deploy = async {
            world.environment.sleep(Duration::from_secs(5)).await;
            let one = stack("one", vec![container("db", "vm1", None, &[])]);
            world.control.deploy(one, DeployOptions::default()).await.unwrap();
        };
        futures::join!(world.control.claim(&call), deploy).0.unwrap()
    };
    assert_eq!(world.run(both).len(), 1);
    assert_eq!(world.environment.elapsed() - before, Duration::from_secs(5));
}

#[test]
fn what_people_see_holds_no_value_of_a_variable() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    while one.work() + two.work() > 0 {}
    world.tick();
    let shown = [
        serde_json::to_string(&world.run(world.control.stack("shop")).unwrap()).unwrap(),
        serde_json::to_string(&world.run(world.control.status("shop")).unwrap()).unwrap(),
        serde_json::to_string(&world.run(world.control.deployments(None)).unwrap()).unwrap(),
        serde_json::to_string(&world.run(world.control.store().events(0, 1000)).unwrap()).unwrap(),
    ];
    for text in shown {
        assert!(text.contains("shop") && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_container_that_ends_later_makes_its_stack_an_error_and_comes_back() {
    let world = World::new();
    let one = world.agent("vm1");
    world
        .run(world.control.deploy(stack("s", vec![container("db", "vm1", None, &[])]), DeployOptions::default()))
        .unwrap();
    while one.work() > 0 {}
    world.tick();
    let mut seen = world.run(world.control.inventory()).unwrap().containers;
    seen[0].status = ContainerStatus::Exited;
    seen[0].exit_code = Some(3);
    one.observe(&seen);
    world.tick();
    let view = world.run(world.control.stack("s")).unwrap();
    assert_eq!(view.status, StackStatus::Error);
    assert!(view.error_message.unwrap().contains("exit code 3"));
    seen[0].status = ContainerStatus::Running;
    one.observe(&seen);
    world.tick();
    assert_eq!(world.status("s"), StackStatus::Running);
}

#[test]
fn a_look_from_before_a_result_does_not_undo_it() {
    let world = World::new();
    let one = world.agent("vm1");
    let wanted = stack("s", vec![container("db", "vm1", None, &[])]);
    world.run(world.control.deploy(wanted.clone(), DeployOptions::default())).unwrap();
    while one.work() > 0 {}
    one.observe_from(&[], 30);
    world.tick();
    let again = world.run(world.control.deploy(wanted.clone(), DeployOptions::default())).unwrap();
    assert_eq!(again.task_count, 0, "the look was taken before the container was there");
    one.observe(&[]);
    let gone = world.run(world.control.deploy(wanted, DeployOptions::default())).unwrap();
    assert!(gone.task_count > 0, "a later look counts");
}

#[test]
fn stop_and_start_are_tasks() {
    let world = World::new();
    let one = world.agent("vm1");
    world
        .run(world.control.deploy(stack("s", vec![container("db", "vm1", None, &[])]), DeployOptions::default()))
        .unwrap();
    while one.work() > 0 {}
    world.tick();
    world.run(world.control.act_on_stack("s", DeploymentKind::Stop, None)).unwrap();
    while one.work() > 0 {}
    world.tick();
    assert_eq!(world.status("s"), StackStatus::Stopped);
    world.run(world.control.act_on_stack("s", DeploymentKind::Start, None)).unwrap();
    while one.work() > 0 {}
    world.tick();
    assert_eq!(world.status("s"), StackStatus::Running);
}

#[test]
fn a_container_that_was_removed_by_hand_while_its_stack_was_stopped_is_made_again_by_a_start() {
    let world = World::new();
    let one = world.agent("vm1");
    let wanted = stack("s", vec![container("db", "vm1", None, &[]), container("web", "vm1", None, &["db"])]);
    world.run(world.control.deploy(wanted, DeployOptions::default())).unwrap();
    while one.work() > 0 {}
    world.tick();
    world.run(world.control.act_on_stack("s", DeploymentKind::Stop, None)).unwrap();
    while one.work() > 0 {}
    one.observe(&[]);
    world.tick();
    assert_eq!(world.status("s"), StackStatus::Stopped);
    world.run(world.control.act_on_stack("s", DeploymentKind::Start, None)).unwrap();
    let mut done = Vec::new();
    loop {
        let tasks = one.claim();
        if tasks.is_empty() {
            break;
        }
        tasks.iter().for_each(|task| one.succeed(task));
        done.extend(tasks.into_iter().map(|task| task.plan_id));
    }
    world.tick();
    assert_eq!(done.iter().filter(|id| id.starts_with("deploy:")).collect::<Vec<_>>(), ["deploy:db", "deploy:web"]);
    assert_eq!(world.status("s"), StackStatus::Running, "{done:?}");
}

#[test]
fn a_cancelled_running_task_reaches_its_agent_at_the_next_renewal() {
    let world = World::new();
    let one = world.agent("vm1");
    world
        .run(world.control.deploy(stack("s", vec![container("db", "vm1", None, &[])]), DeployOptions::default()))
        .unwrap();
    let task = one.claim().remove(0);
    world.run(world.control.cancel_task(&task.id, "admin")).unwrap();
    let progress = Some(Progress { phase: "pulling".into(), ..Progress::default() });
    let renewal = Renewal { lease: task.lease.clone().unwrap(), progress };
    let call = RenewCall { host: "vm1".into(), epoch: one.epoch, leases: vec![renewal] };
    let held = world.run(world.control.renew(&call)).unwrap();
    assert_eq!(held[0].cancel.as_deref(), Some("cancelled by admin"));
    one.report(&task, &Outcome::Cancelled);
    assert_eq!(world.run(world.control.task(&task.id)).unwrap().task.status, TaskStatus::Cancelled);
}

#[test]
fn a_request_with_a_known_key_is_answered_as_the_first() {
    let world = World::new();
    world.agent("vm1");
    world.agent("vm2");
    let options = DeployOptions { idempotency_key: Some("k".into()), ..DeployOptions::default() };
    let first = world.run(world.control.deploy(shop(), options.clone())).unwrap();
    let changed = stack("shop", vec![container("db", "vm1", None, &[])]);
    let second = world.run(world.control.deploy(changed, options)).unwrap();
    assert_eq!(first.deployment_id, second.deployment_id);
}

#[test]
fn a_deployment_past_its_own_deadline_is_given_up() {
    let world = World::new();
    world.agent("vm1");
    world.agent("vm2");
    let options = DeployOptions { timeout: Some(Duration::from_secs(30)), ..DeployOptions::default() };
    world.run(world.control.deploy(shop(), options)).unwrap();
    world.environment.advance(Duration::from_secs(31));
    world.tick();
    world.tick();
    let view = world.run(world.control.stack("shop")).unwrap();
    assert_eq!(view.status, StackStatus::Error);
    assert!(view.error_message.unwrap().contains("deadline"));
}

#[test]
fn every_step_of_a_deployment_is_an_event_without_a_gap() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    while one.work() + two.work() > 0 {}
    world.tick();
    let events = world.run(world.control.store().events(0, 1000)).unwrap();
    assert!(events.iter().zip(1..).all(|(event, number)| event.seq == number));
    for kind in [
        EventType::HostAdded,
        EventType::StackAdded,
        EventType::StackDeploying,
        EventType::TaskCreated,
        EventType::TaskUpdated,
        EventType::ContainerAdded,
        EventType::StackDeployed,
    ] {
        assert!(events.iter().any(|event| event.kind == kind), "no {kind:?}");
    }
}

#[test]
fn the_sink_is_told_of_every_event_once_and_in_order() {
    let environment = ManualEnvironment::default();
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut sink = MockSink::new();
    let ear = Arc::clone(&told);
    sink.expect_publish().times(1..).returning(move |events| {
        ear.lock().unwrap().extend(events.iter().map(|event| event.seq));
    });
    let store = Arc::new(MemoryStore::new());
    let opened = Control::open(store.clone(), Arc::new(sink), Arc::new(environment.clone()), Settings::default());
    let control = environment.run(opened).unwrap();
    let world = World { environment, store, control };
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    world.tick();
    while one.work() + two.work() > 0 {}
    world.tick();
    let told = told.lock().unwrap().clone();
    let stored = world.run(world.control.store().last_event()).unwrap();
    assert_eq!(told, (1..=stored).collect::<Vec<_>>());
}
