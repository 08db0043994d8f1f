//! What can never work is refused when it is planned, and how far another must have come is asked of its task.

use graphium_core::{
    action::Action,
    inventory::{ContainerStatus, Health, Inventory},
    plan::{Applied, Options, Plan, fixtures::*, plan},
    stack::{Condition, Container, Dependency, HealthTest, RestartPolicy, Stack, Update, UpdateOrder},
};

fn waiting(name: &str, on: &str, condition: Condition) -> Container {
    Container { depends_on: vec![Dependency { container: on.to_owned(), condition }], ..container(name) }
}

fn planned(stack: &Stack, inventory: &Inventory) -> Result<Plan, Vec<String>> {
    let planned = plan(stack, None, inventory, &Options::default());
    planned.map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

/// What `web` waits for, first and once the plan has been carried out.
fn gates(on: Container, condition: Condition, change: impl Fn(&mut Inventory)) -> (Vec<String>, Vec<String>) {
    let stack = stack("s", vec![waiting("web", &on.name, condition), on]);
    let first = planned(&stack, &hosts(1)).unwrap();
    let mut after = carried_out(&first, hosts(1));
    after.containers.retain(|seen| seen.name != "s-web");
    change(&mut after);
    let again = planned(&stack, &after).unwrap();
    let gates = |plan: &Plan| {
        let task = plan.tasks.iter().find(|task| task.id == "deploy:web").unwrap();
        task.depends_on.iter().map(ToString::to_string).filter(|id| id.contains(":db")).collect::<Vec<_>>()
    };
    (gates(&first), gates(&again))
}

#[test]
fn a_container_waits_for_the_start_of_another_unless_it_runs() {
    let (first, again) = gates(container("db"), Condition::Started, |_| {});
    assert_eq!((first, again), (vec!["deploy:db".to_owned()], vec![]));
}

#[test]
fn a_container_waits_for_the_health_of_another_unless_it_is_well() {
    let (first, again) = gates(checked(container("db")), Condition::Healthy, |_| {});
    assert_eq!((first, again), (vec!["check:db:healthy".to_owned()], vec![]));
    let ill = |inventory: &mut Inventory| inventory.containers[0].health = Some(Health::Unhealthy);
    let (_, again) = gates(checked(container("db")), Condition::Healthy, ill);
    assert_eq!(again, ["check:db:healthy"]);
}

#[test]
fn a_container_waits_for_the_end_of_another_unless_it_ended_well() {
    let (first, again) = gates(container("db"), Condition::Completed, |_| {});
    assert_eq!((first, again), (vec!["check:db:completed".to_owned()], vec![]));
    let runs = |inventory: &mut Inventory| {
        // The engine keeps the code of the last end while it runs again.
        (inventory.containers[0].status, inventory.containers[0].exit_code) = (ContainerStatus::Running, Some(0));
    };
    assert_eq!(gates(container("db"), Condition::Completed, runs).1, ["check:db:completed"]);
    let failed = |inventory: &mut Inventory| inventory.containers[0].exit_code = Some(1);
    assert_eq!(gates(container("db"), Condition::Completed, failed).1, ["check:db:completed"]);
}

#[test]
fn who_waits_for_health_needs_a_health_check_to_wait_for() {
    let mut off = checked(container("db"));
    off.health_check.as_mut().unwrap().test = HealthTest::None;
    for db in [container("db"), off] {
        let refused = planned(&stack("s", vec![db, waiting("web", "db", Condition::Healthy)]), &hosts(1)).unwrap_err();
        let expected = "`web` waits for `db` to be healthy, which has no health check [healthy-without-check]; give `db` \
                        a `healthCheck` (one that its image has is not seen here), or wait for `started`";
        assert_eq!(refused, [expected]);
    }
}

#[test]
fn what_always_starts_again_never_completes() {
    for policy in [RestartPolicy::Always, RestartPolicy::UnlessStopped] {
        let job = Container { restart_policy: policy, replicas: Some(2), ..container("job") };
        let web = Container { replicas: Some(3), ..waiting("web", "job", Condition::Completed) };
        let refused = planned(&stack("s", vec![job, web]), &hosts(1)).unwrap_err();
        let expected = format!(
            "`web` waits for `job` to complete, which never does: its restart policy is `{policy}` [never-completes]; let \
             `job` restart `no` or `on-failure`, or wait for `started`"
        );
        assert_eq!(refused, [expected]);
    }
    for policy in [RestartPolicy::No, RestartPolicy::OnFailure(None), RestartPolicy::OnFailure(Some(3))] {
        let job = Container { restart_policy: policy, ..container("job") };
        planned(&stack("s", vec![job, waiting("web", "job", Condition::Completed)]), &hosts(1)).unwrap();
    }
}

#[test]
fn of_none_there_is_nothing_to_wait_for() {
    for condition in [Condition::Completed, Condition::Healthy] {
        let none = Container { replicas: Some(0), ..container("none") };
        let endless = Container { restart_policy: RestartPolicy::Always, ..container("next") };
        planned(&stack("s", vec![none, endless, waiting("web", "none", condition)]), &hosts(1)).unwrap();
    }
}

/// A revision that changes the image of a container that runs, in this order.
fn updated(order: UpdateOrder, definition: Container, there: ContainerStatus) -> Result<Plan, Vec<String>> {
    let mut stack = stack("s", vec![definition]);
    let first = planned(&stack, &hosts(1)).unwrap();
    stack.deployment.update = Update { order, ..Update::default() };
    let mut running = carried_out(&first, hosts(1));
    running.containers[0].status = there;
    let applied = Applied { stack: stack.clone(), placements: first.placements };
    std::sync::Arc::make_mut(&mut stack.containers[0]).image = "nginx:2".to_owned();
    let again = plan(&stack, Some(&applied), &running, &Options::default());
    again.map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

#[test]
fn two_of_one_container_cannot_have_one_port_while_they_change_over() {
    let web = || Container { ports: vec![published(80, 8080)], ..container("web") };
    assert_eq!(
        updated(UpdateOrder::StartFirst, web(), ContainerStatus::Running).unwrap_err(),
        ["`web` cannot be updated `start-first`: old and new would both publish port 8080/tcp on `vm1` \
          [start-first-port]; use the update order `stop-first`, or leave `hostPort` out"]
    );
    let plan = updated(UpdateOrder::StopFirst, web(), ContainerStatus::Running).unwrap();
    assert!(plan.tasks.iter().any(|task| matches!(task.action, Action::Update { .. })));
    updated(UpdateOrder::StartFirst, container("web"), ContainerStatus::Running).unwrap();
    // One that has ended holds no port.
    updated(UpdateOrder::StartFirst, web(), ContainerStatus::Exited).unwrap();
}

#[test]
fn what_could_never_be_updated_in_the_order_of_its_stack_is_refused_before_it_is_there() {
    let of = |order| {
        let mut stack = stack("s", vec![Container { ports: vec![published(80, 8080)], ..container("web") }]);
        stack.deployment.update = Update { order, ..Update::default() };
        planned(&stack, &hosts(2)).map(drop).map_err(|errors| errors.len())
    };
    assert_eq!(of(UpdateOrder::StartFirst), Err(1));
    assert_eq!(of(UpdateOrder::StopFirst), Ok(()));
}
