//! What a task has stopped: it did not end by itself, and runs again when its stack does.

use crate::{
    reschedule::{after, deployment, error, free, idle, on, place, seen, work},
    world::{World, container, stack},
};
use graphium_core::{
    control::{DeployOptions, DeploymentKind, StackStatus},
    inventory::{ContainerStatus, ObservedContainer},
    stack::{Condition, Container, Dependency, OnDrift, RestartPolicy},
};
use serde_json::json;

/// Its restart policy is about failures, and it has ended with code 0.
#[test]
fn what_was_stopped_is_started_again_whatever_its_restart_policy_and_its_code() {
    for anew in [false, true] {
        let world = World::new();
        let one = world.agent("vm1");
        let mut web = container("web", "vm1", None, &[]);
        web.restart_policy = RestartPolicy::OnFailure(Some(3));
        let wanted = stack("s", vec![web]);
        world.run(world.control.deploy(wanted.clone(), DeployOptions::default())).unwrap();
        while one.work() > 0 {}
        world.run(world.control.act_on_stack("s", DeploymentKind::Stop, None)).unwrap();
        while one.work() > 0 {}
        world.tick();
        assert_eq!(world.status("s"), StackStatus::Stopped);
        let mut seen = world.run(world.control.inventory()).unwrap().containers;
        assert_eq!((seen[0].status, seen[0].exit_code), (ContainerStatus::Exited, Some(0)));
        // An engine does not know who has stopped it.
        seen[0].ended_by_task = false;
        one.observe(&seen);
        let started = match anew {
            false => world.run(world.control.act_on_stack("s", DeploymentKind::Start, None)),
            true => world.run(world.control.deploy(wanted, DeployOptions::default())),
        };
        assert!(started.unwrap().task_count > 0, "there is something to do");
    }
}

/// Whose task it was does not matter: its stack is to run. The look after it has no news, for the result has told all.
#[test]
fn what_a_task_has_stopped_or_deleted_of_a_stack_that_runs_is_told_and_mended() {
    for (action, fault) in [("stop", "is stopped"), ("delete", "is gone")] {
        let world = World::new();
        let one = world.agent("vm1");
        let mut web = container("web", "vm1", None, &[]);
        web.restart_policy = RestartPolicy::No;
        world.run(world.control.deploy(stack("shop", vec![web]), DeployOptions::default())).unwrap();
        work(&world, &[&one]);
        idle(&world, 30, &[&one]);
        let task = json!({"hostId": "vm1", "payload": {"action": action, "name": "shop-web"}});
        world.run(world.control.create_task(serde_json::from_value(task).unwrap(), None)).unwrap();
        one.claim().iter().for_each(|task| one.succeed(task));
        one.observe(&seen(&world, "vm1"));
        world.tick();
        let told = world.run(world.control.stack("shop")).unwrap().error_message.unwrap_or_default();
        let expected = format!("container `shop-web` on host `vm1` {fault}");
        assert_eq!((deployment(&world).0, told), (DeploymentKind::Repair, expected));
        work(&world, &[&one]);
        let there = seen(&world, "vm1")[0].status;
        assert_eq!((world.status("shop"), there), (StackStatus::Running, ContainerStatus::Running));
    }
}

#[test]
fn what_a_restart_has_stopped_that_hangs_is_started_again() {
    for policy in [RestartPolicy::No, RestartPolicy::OnFailure(Some(3))] {
        let world = World::new();
        let (one, two) = (world.agent("vm1"), world.agent("vm2"));
        let first = Dependency { container: "db".to_owned(), condition: Condition::Started };
        let web = Container { depends_on: vec![first], restart_policy: policy, ..on("web", "vm2") };
        world.run(world.control.deploy(stack("shop", vec![free("db"), web]), after(30))).unwrap();
        work(&world, &[&one, &two]);
        assert_eq!((world.status("shop"), &*place(&world, "db")), (StackStatus::Running, "vm1"));
        world.run(world.control.act_on_stack("shop", DeploymentKind::Restart, None)).unwrap();
        assert_eq!(work(&world, &[&two]), ["stop:web@vm2"]);
        // An engine does not know who has stopped it.
        let there = seen(&world, "vm2").into_iter().map(|seen| ObservedContainer { ended_by_task: false, ..seen });
        two.observe(&there.collect::<Vec<_>>());
        idle(&world, 60, &[&two]);
        work(&world, &[&two]);
        assert_eq!((deployment(&world).0, world.status("shop")), (DeploymentKind::Move, StackStatus::Running));
        let run = seen(&world, "vm2").into_iter().filter(|seen| seen.status == ContainerStatus::Running);
        assert_eq!(run.map(|seen| seen.name).collect::<Vec<_>>(), ["shop-db", "shop-web"], "{}", error(&world));
    }
}

/// Its task has failed since, perhaps, or was overtaken: the agent tells it of what it sees.
#[test]
fn what_an_agent_tells_to_be_stopped_is_started_again_and_what_ends_by_itself_is_not() {
    let world = World::new();
    let one = world.agent("vm1");
    let mut web = container("web", "vm1", None, &[]);
    web.restart_policy = RestartPolicy::OnFailure(Some(3));
    let mut policy = after(30);
    policy.policy.on_drift = Some(OnDrift::Report);
    world.run(world.control.deploy(stack("shop", vec![web]), policy)).unwrap();
    work(&world, &[&one]);
    let ended = |ended_by_task| {
        let ended =
            |seen| ObservedContainer { status: ContainerStatus::Exited, exit_code: Some(0), ended_by_task, ..seen };
        one.observe(&seen(&world, "vm1").into_iter().map(ended).collect::<Vec<_>>());
        world.tick();
    };
    ended(true);
    assert_eq!(error(&world), "container `shop-web` on host `vm1` is stopped");
    let started = world.run(world.control.act_on_stack("shop", DeploymentKind::Start, None));
    assert!(started.unwrap().task_count > 0);
    work(&world, &[&one]);
    ended(false);
    assert_eq!((world.status("shop"), error(&world)), (StackStatus::Running, String::new()));
}
