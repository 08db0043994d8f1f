//! What does not run any more although everything was done.

use crate::{
    company::another,
    policy::on_drift,
    world::{Hand, World, container, stack},
};
use graphium_core::{
    action::TaskType,
    agent::{AgentLink, HostReport},
    control::{DeployOptions, DeploymentKind, StackStatus, StatusView},
    environment::Environment,
    inventory::{ContainerStatus, HostStatus, ObservedContainer},
    runtime::EngineInfo,
    stack::{OnDrift, RestartPolicy, Stack},
    store::{Kind, RecordQuery, TaskStoreExt},
    task::{Outcome, Task, TaskError},
};
use std::{sync::Arc, time::Duration};

fn shop(policy: RestartPolicy) -> Stack {
    let mut shop = stack("shop", vec![container("db", "vm1", None, &[]), container("web", "vm1", Some(8080), &["db"])]);
    for container in &mut shop.containers {
        Arc::make_mut(container).restart_policy = policy;
    }
    shop
}

struct Bed<'w> {
    world: &'w World,
    hand: Hand<'w>,
}

impl<'w> Bed<'w> {
    /// A stack of two that runs.
    fn new(world: &'w World, policy: RestartPolicy, options: DeployOptions) -> Self {
        let bed = Self { hand: world.agent("vm1"), world };
        bed.deploy(policy, options);
        bed
    }

    fn deploy(&self, policy: RestartPolicy, options: DeployOptions) {
        self.world.run(self.world.control.deploy(shop(policy), options)).unwrap();
        self.work();
        assert_eq!(self.status(), StackStatus::Running);
    }

    /// Everything that the agent can do is done; the ids of tasks.
    fn work(&self) -> Vec<Task> {
        let mut done = Vec::new();
        loop {
            self.world.tick();
            let tasks = self.hand.claim();
            if tasks.is_empty() {
                return done;
            }
            for task in tasks {
                self.hand.succeed(&task);
                done.push(task);
            }
        }
    }

    fn view(&self) -> StatusView {
        self.world.run(self.world.control.status("shop")).unwrap()
    }

    fn status(&self) -> StackStatus {
        self.world.run(self.world.control.stack("shop")).unwrap().status
    }

    fn error(&self) -> String {
        self.world.run(self.world.control.stack("shop")).unwrap().error_message.unwrap_or_default()
    }

    fn kind(&self) -> DeploymentKind {
        let id = self.world.run(self.world.control.stack("shop")).unwrap().deployment_id;
        self.world.run(self.world.control.deployment(&id)).unwrap().kind
    }

    fn seen(&self) -> Vec<ObservedContainer> {
        let query = RecordQuery::of(Kind::Container);
        let all = self.world.run(self.world.store.documents::<ObservedContainer>(query)).unwrap();
        all.into_iter().map(|container| container.value).collect()
    }

    /// The agent sees that a container ended with this code.
    fn ends(&self, name: &str, code: i64) {
        let mut seen = self.seen();
        let container = seen.iter_mut().find(|container| container.name == name).unwrap();
        container.status = ContainerStatus::Exited;
        container.exit_code = Some(code);
        self.hand.observe(&seen);
        self.world.tick();
    }

    /// The agent sees that a container is gone.
    fn goes(&self, name: &str) {
        let mut seen = self.seen();
        seen.retain(|container| container.name != name);
        self.hand.observe(&seen);
        self.world.tick();
    }

    fn wait(&self, seconds: u64) {
        for _ in 0..seconds {
            self.world.environment.advance(Duration::from_secs(1));
            // Its host is heard meanwhile.
            self.hand.observe(&self.seen());
            self.world.tick();
        }
    }
}

fn no_space() -> TaskError {
    let (code, message) = ("no-space".to_owned(), "no space left".to_owned());
    TaskError { code, message, help: None, log: Vec::new(), retryable: false }
}

fn names(tasks: &[Task]) -> Vec<&str> {
    tasks.iter().filter(|task| task.task_type != TaskType::Pull).map(|task| task.plan_id.as_str()).collect()
}

#[test]
fn what_was_killed_is_started_again_and_nothing_else_is_touched() {
    let world = World::new();
    let bed = Bed::new(&world, RestartPolicy::UnlessStopped, DeployOptions::default());
    let (before, revisions) = (bed.view(), || world.run(world.control.history("shop", None, 9)).unwrap());
    let history = revisions();
    bed.ends("shop-db", 137);
    assert_eq!((bed.status(), bed.kind()), (StackStatus::Updating, DeploymentKind::Repair));
    assert_eq!(bed.error(), "container `shop-db` on host `vm1` ended with exit code 137");
    assert_eq!(bed.view().reason.as_deref(), Some(&*bed.error()));
    assert_eq!(names(&bed.work()), ["network:vm1", "update:db"]);
    assert_eq!((bed.status(), bed.error()), (StackStatus::Running, String::new()));
    assert_eq!(revisions(), history, "it is no revision");
    let after = bed.view();
    assert_eq!(after.endpoints, before.endpoints);
    let state = world.run(world.control.deployment(&after.deployment_id)).unwrap();
    assert_eq!(state.placements.len(), 2, "it tells of the whole stack");
    assert!(state.placements.values().all(|placement| placement.container_id.is_some()), "{:?}", state.placements);
    let again = world.run(world.control.deploy(shop(RestartPolicy::UnlessStopped), DeployOptions::default())).unwrap();
    assert_eq!(again.task_count, 0, "all is as it should be");
}

#[test]
fn what_was_removed_is_made_again() {
    let world = World::new();
    // Its policy is for its ends: nobody has asked for its removal.
    let bed = Bed::new(&world, RestartPolicy::No, DeployOptions::default());
    bed.goes("shop-web");
    assert_eq!(bed.status(), StackStatus::Updating);
    let done = bed.work();
    assert_eq!(names(&done), ["network:vm1", "deploy:web"]);
    assert_eq!(done.last().unwrap().why, "is gone and should run");
    assert_eq!((bed.status(), bed.seen().len()), (StackStatus::Running, 2));
}

#[test]
fn what_its_policy_leaves_ended_is_left_and_told() {
    let world = World::new();
    let bed = Bed::new(&world, RestartPolicy::No, DeployOptions::default());
    bed.ends("shop-web", 0);
    assert_eq!((bed.status(), bed.work().len()), (StackStatus::Running, 0), "it has done its work");
    bed.goes("shop-web");
    assert_eq!((bed.status(), bed.work().len()), (StackStatus::Running, 0), "and nobody needs it any more");
    bed.ends("shop-db", 2);
    assert_eq!((bed.status(), bed.work().len()), (StackStatus::Error, 0));
    assert_eq!(bed.error(), "container `shop-db` on host `vm1` ended with exit code 2");
}

#[test]
fn what_was_killed_did_not_end_by_itself_whatever_its_policy() {
    for code in [137, 143] {
        let world = World::new();
        let bed = Bed::new(&world, RestartPolicy::No, DeployOptions::default());
        bed.ends("shop-db", code);
        assert_eq!((bed.status(), !bed.work().is_empty()), (StackStatus::Updating, true), "{code}");
        assert_eq!(bed.status(), StackStatus::Running, "{code}");
    }
}

/// What an agent tells of its engine with the end of a container.
type Telling = fn(HostReport) -> HostReport;

/// Whether a container that has ended is brought back, by what its agent tells with that.
#[test]
fn what_ended_with_its_engine_did_not_end_by_itself_whatever_its_policy_and_its_code() {
    let plain = |report: HostReport| report;
    let was_away = |report| HostReport { engine_was_away: true, ..report };
    let lives_on = |report: HostReport| {
        let engine = report.engine.map(|engine| EngineInfo { live_restore: true, ..engine });
        HostReport { engine_was_away: true, engine, ..report }
    };
    let booted = |report: HostReport| {
        let engine = report.engine.map(|engine| EngineInfo { boot_id: Some("another".to_owned()), ..engine });
        HostReport { engine, ..report }
    };
    let cases: [(&str, Telling, bool); 4] = [
        ("ended while its engine was there", plain, false),
        ("ended with its engine", was_away, true),
        ("its engine does not take along what it runs", lives_on, false),
        ("ended with its machine", booted, true),
    ];
    for (case, told, is_brought_back) in cases {
        for policy in [RestartPolicy::No, RestartPolicy::OnFailure(None)] {
            let world = World::new();
            let bed = Bed::new(&world, policy, DeployOptions::default());
            let boot = |report: HostReport| {
                let engine = report.engine.map(|engine| EngineInfo { boot_id: Some("first".to_owned()), ..engine });
                HostReport { engine, ..report }
            };
            world.environment.advance(Duration::from_secs(1));
            world.run(world.control.observe(&boot(bed.hand.seen(&bed.seen(), 0)))).unwrap();
            let mut seen = bed.seen();
            let web = seen.iter_mut().find(|container| container.name == "shop-web").unwrap();
            (web.status, web.exit_code) = (ContainerStatus::Exited, Some(0));
            world.environment.advance(Duration::from_secs(1));
            world.run(world.control.observe(&told(bed.hand.seen(&seen, 0)))).unwrap();
            // Its next report tells of the same end, and of nothing else.
            world.environment.advance(Duration::from_secs(1));
            bed.hand.observe(&seen);
            world.tick();
            if !is_brought_back {
                assert_eq!((bed.status(), bed.work().len()), (StackStatus::Running, 0), "{case}");
                continue;
            }
            assert_eq!(bed.status(), StackStatus::Updating, "{case}");
            assert_eq!(bed.error(), "container `shop-web` on host `vm1` ended when its engine went away", "{case}");
            assert_eq!(names(&bed.work()), ["network:vm1", "update:web"], "{case}");
            assert_eq!(bed.status(), StackStatus::Running, "{case}");
            bed.ends("shop-web", 0);
            assert_eq!((bed.status(), bed.work().len()), (StackStatus::Running, 0), "{case}: this time it was its own");
        }
    }
}

#[test]
fn an_engine_of_which_only_the_server_knows_that_it_was_away_took_along_what_it_ran() {
    let world = World::new();
    let bed = Bed::new(&world, RestartPolicy::No, DeployOptions::default());
    let (reason, seen) = (Some("it does not answer".to_owned()), bed.seen());
    let report = HostReport { engine: None, containers: None, engine_error: reason, ..bed.hand.seen(&[], 0) };
    world.run(world.control.observe(&report)).unwrap();
    bed.hand.observe(&seen);
    assert_eq!(bed.status(), StackStatus::Running);
    world.run(world.control.observe(&report)).unwrap();
    // Its agent was started again as well, and has not seen it away.
    bed.ends("shop-db", 0);
    assert_eq!((bed.status(), !bed.work().is_empty()), (StackStatus::Updating, true));
    assert_eq!(bed.status(), StackStatus::Running);
}

#[test]
fn a_failure_that_the_engine_does_not_restart_any_more_is_repaired_and_a_good_end_is_not() {
    let world = World::new();
    let bed = Bed::new(&world, RestartPolicy::OnFailure(Some(3)), DeployOptions::default());
    bed.ends("shop-web", 0);
    assert_eq!((bed.status(), bed.work().len()), (StackStatus::Running, 0));
    bed.ends("shop-db", 1);
    assert_eq!((bed.status(), !bed.work().is_empty()), (StackStatus::Updating, true));
    assert_eq!(bed.status(), StackStatus::Running);
}

#[test]
fn a_policy_may_leave_everything_alone() {
    let world = World::new();
    let bed = Bed::new(&world, RestartPolicy::Always, on_drift(OnDrift::Report));
    bed.goes("shop-web");
    assert_eq!((bed.status(), bed.work().len()), (StackStatus::Error, 0));
    assert_eq!(bed.error(), "container `shop-web` on host `vm1` is gone");
    bed.ends("shop-db", 0);
    assert_eq!(
        bed.error(),
        "container `shop-db` on host `vm1` ended with exit code 0; container `shop-web` on host `vm1` is gone"
    );

    bed.deploy(RestartPolicy::Always, on_drift(OnDrift::Accept));
    bed.ends("shop-db", 9);
    bed.goes("shop-web");
    assert_eq!((bed.status(), bed.error(), bed.work().len()), (StackStatus::Running, String::new(), 0));
}

#[test]
fn what_ends_again_and_again_is_brought_back_more_and_more_slowly_and_then_not_at_all() {
    let world = World::new();
    let bed = Bed::new(&world, RestartPolicy::Always, DeployOptions::default());
    let began = world.environment.elapsed();
    let mut times = Vec::new();
    for _ in 0..400 {
        if bed.seen().iter().all(|seen| seen.status == ContainerStatus::Running) {
            bed.ends("shop-web", 1);
        }
        if bed.status() == StackStatus::Updating {
            times.push((world.environment.elapsed() - began).as_secs());
            assert!(!bed.work().is_empty());
            continue;
        }
        assert_eq!(bed.status(), StackStatus::Error);
        bed.wait(1);
    }
    assert_eq!(times.len(), 5, "{times:?}");
    assert!(times[1] >= 10 && times[2] >= 40 && times[3] >= 100 && (220..260).contains(&times[4]), "{times:?}");
    let error = bed.error();
    assert!(
        error.starts_with("container `shop-web` on host `vm1` ended with exit code 1, 6 times within 3 min"),
        "{error}"
    );
    assert!(error.ends_with("it is not started again until the stack is deployed, started or restarted"), "{error}");
    bed.wait(900);
    assert_eq!((bed.error(), bed.work().len()), (error, 0), "and it stays at that");

    // Another one is still looked after.
    bed.ends("shop-db", 1);
    assert_eq!((bed.status(), names(&bed.work())), (StackStatus::Updating, vec!["network:vm1", "update:db"]));
    assert_eq!(bed.status(), StackStatus::Error);

    bed.deploy(RestartPolicy::Always, DeployOptions::default());
    bed.ends("shop-web", 1);
    assert_eq!(bed.status(), StackStatus::Updating, "it begins anew");
}

#[test]
fn what_was_given_up_and_runs_again_is_looked_after_again() {
    let world = World::new();
    let bed = Bed::new(&world, RestartPolicy::Always, DeployOptions::default());
    for _ in 0..400 {
        if bed.seen().iter().all(|seen| seen.status == ContainerStatus::Running) {
            bed.ends("shop-web", 1);
        }
        if bed.work().is_empty() {
            bed.wait(1);
        }
    }
    assert!(bed.error().contains("it is not started again until"), "{}", bed.error());
    // Somebody starts it by hand, and it runs for a while.
    let mut seen = bed.seen();
    seen.iter_mut().for_each(|seen| seen.status = ContainerStatus::Running);
    bed.hand.observe(&seen);
    world.tick();
    assert_eq!(bed.status(), StackStatus::Running);
    bed.wait(900);
    bed.ends("shop-web", 137);
    assert_eq!((bed.status(), bed.kind()), (StackStatus::Updating, DeploymentKind::Repair), "{}", bed.error());
}

#[test]
fn a_repair_that_hangs_is_not_begun_for_ever() {
    let world = World::new();
    let bed = Bed::new(&world, RestartPolicy::Always, DeployOptions::default());
    bed.goes("shop-web");
    let mut repairs = std::collections::BTreeSet::new();
    for _ in 0..120 {
        let stack = world.run(world.control.stack("shop")).unwrap();
        if bed.kind() == DeploymentKind::Repair {
            repairs.insert(stack.deployment_id);
        }
        bed.wait(60);
    }
    assert_eq!(repairs.len(), 5);
    assert_eq!(bed.status(), StackStatus::Error);
    assert!(bed.error().contains("is gone, 6 times within"), "{}", bed.error());
}

#[test]
fn a_pause_says_until_when() {
    let world = World::new();
    let bed = Bed::new(&world, RestartPolicy::Always, DeployOptions::default());
    bed.ends("shop-web", 1);
    bed.work();
    bed.ends("shop-web", 1);
    assert_eq!((bed.status(), bed.work().len()), (StackStatus::Error, 0));
    let error = bed.error();
    assert!(
        error.starts_with(
            "container `shop-web` on host `vm1` ended with exit code 1 once more; it is started again at 20"
        ),
        "{error}"
    );
    // A server that starts meanwhile keeps the time.
    let other = World::start(&world.environment, &world.store);
    world.environment.advance(Duration::from_secs(11));
    world.run(other.tick()).unwrap();
    assert_eq!(bed.status(), StackStatus::Updating);
}

#[test]
fn a_repair_that_fails_is_tried_again_within_the_same_bounds() {
    let world = World::new();
    let bed = Bed::new(&world, RestartPolicy::Always, DeployOptions::default());
    bed.goes("shop-web");
    let fail = || {
        let mut failed = 0;
        for _ in 0..40 {
            world.tick();
            for task in bed.hand.claim() {
                if task.task_type == TaskType::Deploy {
                    failed += 1;
                    bed.hand.report(&task, &Outcome::Failed(no_space()));
                } else {
                    bed.hand.succeed(&task);
                }
            }
            bed.wait(10);
        }
        failed
    };
    assert_eq!(fail(), 5);
    let error = bed.error();
    assert!(
        error.contains("is gone, 6 times within")
            && error.contains("the last repair: deploy:web on host `vm1` failed: no space left"),
        "{error}"
    );
}

#[test]
fn what_somebody_asks_of_a_stack_takes_the_place_of_a_repair() {
    let world = World::new();
    let bed = Bed::new(&world, RestartPolicy::Always, DeployOptions::default());
    bed.ends("shop-web", 1);
    assert_eq!(bed.kind(), DeploymentKind::Repair);
    world.run(world.control.act_on_stack("shop", DeploymentKind::Stop, None)).unwrap();
    bed.work();
    bed.ends("shop-db", 0);
    assert_eq!((bed.status(), bed.work().len()), (StackStatus::Stopped, 0), "one that was stopped stays stopped");
}

#[test]
fn two_servers_repair_once() {
    let mut world = World::new();
    world.control = another(&world);
    let bed = Bed::new(&world, RestartPolicy::Always, DeployOptions::default());
    let mut seen = bed.seen();
    seen.retain(|container| container.name != "shop-web");
    bed.hand.observe(&seen);
    // One that starts looks at everything. Both have it before them, and each gives way to the other before it writes.
    let other = another(&world);
    let (first, second) = world.run(futures::future::join(world.control.tick(), other.tick()));
    first.and(second).unwrap();
    world.run(other.tick()).unwrap();
    let all = world.run(world.control.deployments(None)).unwrap();
    assert_eq!(all.iter().filter(|state| state.kind == DeploymentKind::Repair).count(), 1);
    assert_eq!(names(&bed.work()), ["network:vm1", "deploy:web"]);
}

#[test]
fn nothing_is_begun_on_a_host_in_maintenance_before_it_is_active() {
    let world = World::new();
    let bed = Bed::new(&world, RestartPolicy::Always, DeployOptions::default());
    world.run(world.control.set_host_status(&"vm1".into(), HostStatus::Maintenance)).unwrap();
    bed.ends("shop-web", 1);
    assert_eq!(bed.status(), StackStatus::Error);
    assert!(bed.error().ends_with("it is not started again while the host is in maintenance"), "{}", bed.error());
    world.run(world.control.set_host_status(&"vm1".into(), HostStatus::Active)).unwrap();
    world.tick();
    assert_eq!(bed.status(), StackStatus::Updating);
}

#[test]
fn a_deployment_that_failed_is_not_repaired() {
    let world = World::new();
    let bed = Bed { hand: world.agent("vm1"), world: &world };
    world.run(world.control.deploy(shop(RestartPolicy::Always), DeployOptions::default())).unwrap();
    for _ in 0..9 {
        for task in bed.hand.claim() {
            match &*task.plan_id {
                "deploy:web" => bed.hand.report(&task, &Outcome::Failed(no_space())),
                _ => bed.hand.succeed(&task),
            }
        }
        world.tick();
    }
    bed.ends("shop-db", 1);
    assert_eq!((bed.status(), bed.kind(), bed.work().len()), (StackStatus::Error, DeploymentKind::Deploy, 0));
}
