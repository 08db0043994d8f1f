//! What the planner promises, one sentence each.

use graphium_core::{
    action::{Action, TaskType},
    diagnostic::Diagnostic,
    id::{HostId, StackId},
    inventory::{ContainerStatus, HostStatus, Inventory},
    plan::{
        Applied, Options, Plan, PlannedTask, StackAction, dot, fixtures::*, plan, plan_action, plan_removal, waves,
    },
    runtime::{ContainerSpec, label},
    stack::*,
};
use std::{collections::BTreeMap, sync::Arc};

fn planned(stack: &Stack, inventory: &Inventory) -> Plan {
    plan(stack, None, inventory, &Options::default()).unwrap()
}

fn refused(stack: &Stack, inventory: &Inventory) -> Vec<Diagnostic> {
    plan(stack, None, inventory, &Options::default()).unwrap_err()
}

fn replanned(stack: &Stack, before: &Stack, inventory: &Inventory) -> (Plan, Inventory) {
    let first = planned(before, inventory);
    let inventory = carried_out(&first, inventory.clone());
    let applied = Applied { stack: before.clone(), placements: first.placements };
    (plan(stack, Some(&applied), &inventory, &Options::default()).unwrap(), inventory)
}

fn ids(plan: &Plan) -> Vec<&str> {
    plan.tasks.iter().map(|task| task.id.as_str()).collect()
}

fn task<'p>(plan: &'p Plan, id: &str) -> &'p PlannedTask {
    plan.tasks.iter().find(|task| task.id == id).unwrap_or_else(|| panic!("no {id} in {:?}", ids(plan)))
}

fn spec<'p>(plan: &'p Plan, id: &str) -> &'p ContainerSpec {
    match &task(plan, id).action {
        Action::Deploy { spec } | Action::Update { spec, .. } => spec,
        other => panic!("{id} is {other:?}"),
    }
}

fn env(spec: &ContainerSpec) -> BTreeMap<&str, &EnvValue> {
    spec.container.environment.iter().map(|variable| (variable.name.as_str(), &variable.value)).collect()
}

fn pinned(name: &str, host: &str) -> Container {
    Container { host: Some(HostId::new(host)), ..container(name) }
}

fn placements(plan: &Plan) -> Vec<(&str, &str)> {
    plan.placements.iter().map(|(name, host)| (name.as_str(), host.as_str())).collect()
}

#[test]
fn containers_spread_over_the_emptiest_hosts() {
    let stack = stack("s", ["a", "b", "c", "d"].map(container).to_vec());
    let mut inventory = hosts(3);
    inventory.containers.push(foreign("other", "vm1", Some(1)));
    assert_eq!(placements(&planned(&stack, &inventory)), [("a", "vm2"), ("b", "vm3"), ("c", "vm1"), ("d", "vm2")]);
}

#[test]
fn a_container_goes_where_it_says_then_where_a_constraint_says_then_where_the_stack_says() {
    let mut stack = stack("s", vec![pinned("a", "host:vm1"), container("b"), container("c")]);
    stack.host = Some(HostId::new("vm3"));
    stack.deployment.host_constraints.push(HostConstraint {
        container_name: "b".to_owned(),
        target_host: Some(HostId::new("vm2")),
        ..HostConstraint::default()
    });
    assert_eq!(placements(&planned(&stack, &hosts(3))), [("a", "vm1"), ("b", "vm2"), ("c", "vm3")]);
}

#[test]
fn everything_about_hosts_is_told_at_once() {
    let mut stack = stack("s", vec![pinned("a", "vm11"), pinned("b", "vm2"), container("c")]);
    stack.deployment.placement_strategy = Some(Strategy::Manual);
    let mut inventory = hosts(2);
    inventory.hosts[1].status = HostStatus::Draining;
    let errors = refused(&stack, &inventory);
    let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "`a` is to run on the host `vm11`, which is not known [unknown-host]; did you mean `vm1`? known hosts: vm1, vm2",
            "`b` is bound to the host `vm2`, which is draining [host-unsuitable]; to run it on `vm2`, let it take work \
             again: `graphium host activate vm2`",
            "`c` names no host, and the placement strategy is `manual` [no-host]; add `locatedInHost`, or use another \
             `placementStrategy`",
        ]
    );
}

#[test]
fn an_offline_host_keeps_what_names_it_and_gets_nothing_else() {
    let mut inventory = hosts(2);
    inventory.hosts[0].status = HostStatus::Offline;
    let stack = stack("s", vec![pinned("a", "vm1"), container("b"), container("c")]);
    assert_eq!(placements(&planned(&stack, &inventory)), [("a", "vm1"), ("b", "vm2"), ("c", "vm2")]);
}

#[test]
fn what_fits_nowhere_is_told_host_by_host() {
    let mut web = container("web");
    web.ports.push(published(80, 8080));
    web.requirements.labels.insert("disk".to_owned(), "ssd".to_owned());
    let mut inventory = hosts(4);
    inventory.hosts[0].status = HostStatus::Offline;
    inventory.hosts[1].labels.insert("disk".to_owned(), "hdd".to_owned());
    for host in [2, 3] {
        inventory.hosts[host].labels.insert("disk".to_owned(), "ssd".to_owned());
    }
    inventory.containers.push(foreign("old", "vm3", Some(8080)));
    let mut theirs = foreign("shop-front", "vm4", Some(8080));
    theirs.labels.insert(label::STACK.to_owned(), "stack:shop".to_owned());
    theirs.labels.insert(label::STACK_NAME.to_owned(), "shop".to_owned());
    theirs.labels.insert(label::CONTAINER.to_owned(), "front".to_owned());
    inventory.containers.push(theirs);
    let errors = refused(&stack("s", vec![web]), &inventory);
    assert_eq!(errors.len(), 1);
    assert_eq!(
        errors[0].to_string(),
        "`web` fits on no host: `vm1` is offline; `vm2` has the label `disk=hdd`, not `disk=ssd`; `vm3` has port \
         8080/tcp taken by `old`, which is not Graphium's; `vm4` has port 8080/tcp taken by `front` of the stack `shop` \
         [no-eligible-host]; to run it on `vm3`, publish `web` on another host port than 8080, e.g. 8081"
    );
}

#[test]
fn two_bound_containers_cannot_share_a_port() {
    let [mut a, mut b] = [pinned("a", "vm1"), pinned("b", "vm1")];
    a.ports.push(published(80, 8080));
    b.ports.push(published(81, 8080));
    let errors = refused(&stack("s", vec![a, b]), &hosts(1));
    assert_eq!(errors[0].code, "host-port-clash");
    assert!(errors[0].message.ends_with("which has port 8080/tcp taken by `a` of this stack"), "{}", errors[0]);
}

#[test]
fn replicas_are_counted_out_and_a_fixed_port_sends_them_to_different_hosts() {
    let mut web = container("web");
    web.replicas = Some(3);
    web.ports.push(published(80, 8080));
    let mut user = container("user");
    user.depends_on.push(on("web"));
    let stack = stack("s", vec![web, user]);
    let plan = planned(&stack, &hosts(3));
    assert_eq!(placements(&plan), [("user", "vm1"), ("web-1", "vm2"), ("web-2", "vm3"), ("web-3", "vm1")]);
    let first = &task(&plan, "deploy:user").depends_on;
    assert!(["deploy:web-1", "deploy:web-2", "deploy:web-3"].iter().all(|id| first.iter().any(|first| first == id)));
    assert_eq!(spec(&plan, "deploy:web-2").names(), ["web-2", "web"]);
    assert_eq!(spec(&plan, "deploy:web-2").name, "s-web-2");
    assert_eq!(refused(&stack, &hosts(2))[0].code, "no-eligible-host");
}

#[test]
fn reservations_and_the_bound_per_host_limit_a_host() {
    let mut big = container("big");
    big.replicas = Some(3);
    big.resources.reservations.cpus = Some(3.0);
    let plan = planned(&stack("s", vec![big.clone()]), &hosts(2));
    assert_eq!(placements(&plan), [("big-1", "vm1"), ("big-2", "vm2"), ("big-3", "vm1")]);
    big.resources.reservations.cpus = Some(5.0);
    let errors = refused(&stack("s", vec![big]), &hosts(2));
    let why = "each of `vm1`, `vm2` has 5 of 8 processors reserved, 5 more are needed";
    assert!(errors[0].message.ends_with(why), "{}", errors[0]);
    let mut stack = stack("s", ["a", "b", "c"].map(container).to_vec());
    stack.deployment.max_instances_per_host = Some(1);
    assert_eq!(refused(&stack, &hosts(2)).len(), 1);
}

#[test]
fn the_strategy_datacenter_stays_within_one() {
    let mut stack = stack("s", vec![container("a"), container("b")]);
    stack.deployment.placement_strategy = Some(Strategy::Datacenter);
    let mut inventory = hosts(3);
    inventory.hosts[2].location = Some("eu".to_owned());
    let error = &refused(&stack, &inventory)[0];
    assert_eq!((&*error.code, error.help.as_deref()), ("missing-datacenter", Some("known datacenters: eu")));
    stack.deployment.target_datacenter = Some("eu".to_owned());
    assert_eq!(placements(&planned(&stack, &inventory)), [("a", "vm3"), ("b", "vm3")]);
    stack.deployment.target_datacenter = Some("us".to_owned());
    let errors = refused(&stack, &inventory);
    let [error] = errors.as_slice() else { panic!("one mistake: {errors:#?}") };
    assert_eq!((&*error.code, &*error.message), ("unknown-datacenter", "no known host is in the datacenter `us`"));
}

#[test]
fn a_single_host_takes_all_or_none() {
    let mut web = container("web");
    web.ports.push(published(80, 8080));
    let mut stack = stack("s", vec![container("db"), web]);
    stack.deployment.mode = Mode::SingleHost;
    let mut inventory = hosts(2);
    inventory.containers.push(foreign("old", "vm1", Some(8080)));
    assert_eq!(placements(&planned(&stack, &inventory)), [("db", "vm2"), ("web", "vm2")]);
    inventory.containers.push(foreign("old", "vm2", Some(8080)));
    let told = "no host takes all containers of the stack: each of `vm1`, `vm2` has port 8080/tcp taken by `old`";
    assert!(refused(&stack, &inventory)[0].message.starts_with(told));
}

#[test]
fn tasks_come_once_per_host_and_wait_for_what_they_need() {
    let mut db = checked(pinned("db", "vm1"));
    db.volume_mounts.push(Mount {
        kind: MountKind::Volume { source: Some("data".to_owned()), no_copy: false, subpath: None },
        target: "/data".to_owned(),
        read_only: false,
    });
    let mut web = pinned("web", "vm1");
    web.depends_on.push(Dependency { container: "db".to_owned(), condition: Condition::Healthy });
    let plan = planned(&stack("s", vec![web, db]), &hosts(1));
    let expected =
        ["pull:vm1:nginx:alpine", "network:vm1", "volume:vm1:data", "deploy:db", "check:db:healthy", "deploy:web"];
    assert_eq!(ids(&plan), expected);
    assert_eq!(task(&plan, "deploy:db").depends_on, ["pull:vm1:nginx:alpine", "network:vm1", "volume:vm1:data"]);
    assert_eq!(task(&plan, "check:db:healthy").depends_on, ["deploy:db"]);
    assert_eq!(task(&plan, "deploy:web").depends_on, ["pull:vm1:nginx:alpine", "network:vm1", "check:db:healthy"]);
    assert_eq!(task(&plan, "deploy:web").undo, Some(Action::Delete { name: "s-web".to_owned() }));
    assert_eq!(task(&plan, "network:vm1").undo, Some(Action::RemoveNetwork { name: "s".to_owned() }));
    assert_eq!(task(&plan, "volume:vm1:data").undo, None);
    let mount = &spec(&plan, "deploy:db").container.volume_mounts[0].kind;
    assert!(matches!(mount, MountKind::Volume { source: Some(source), .. } if source == "s_data"));
    assert_eq!(waves(&plan).iter().map(Vec::len).collect::<Vec<_>>(), [3, 1, 1, 1]);
    assert!(dot(&plan).contains("\"check:db:healthy\" -> \"deploy:web\";"));
}

#[test]
fn what_is_ours_is_labelled_and_its_hash_is_its_own() {
    let mut stack = stack("s", vec![container("a")]);
    stack.labels.insert("team".to_owned(), "x".to_owned());
    stack.labels.insert(label::STACK.to_owned(), "stolen".to_owned());
    stack.labels.insert(label::ATTEMPT.to_owned(), "7".to_owned());
    let plan = planned(&stack, &hosts(1));
    let spec = spec(&plan, "deploy:a");
    let labels = spec.all_labels();
    let hash = spec.digest().to_string();
    let expected = [
        (label::CONTAINER, "a"),
        (label::MANAGED, "true"),
        (label::STACK, "stack:s"),
        (label::STACK_NAME, "s"),
        ("team", "x"),
        (label::HASH, &hash),
        (label::HEALTH_CHECK, ""),
    ];
    assert_eq!(labels, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    let sealed = plan.sealed();
    assert_eq!(sealed.plan.clone().sealed(), sealed);
}

#[test]
fn containers_are_told_where_the_others_answer() {
    let mut web = pinned("web-front", "vm1");
    web.ports = vec![published(8080, 8080), published(443, 8443)];
    let mut here = pinned("here", "vm1");
    here.environment.push(EnvVar { name: "WEB_FRONT_PORT".to_owned(), value: EnvValue::Literal("1".to_owned()) });
    let plan = planned(&stack("s", vec![web, here, pinned("there", "vm2")]), &hosts(2));
    let literal = |text: &str| EnvValue::Literal(text.to_owned());
    let here = env(spec(&plan, "deploy:here"));
    assert_eq!(here["WEB_FRONT_ENDPOINT"], &literal("10.0.0.1:8443"));
    assert_eq!(here["WEB_FRONT_HOST"], &literal("10.0.0.1"));
    assert_eq!(here["WEB_FRONT_PORT"], &literal("1"));
    assert_eq!(here["WEB_FRONT_URL"], &literal("https://10.0.0.1:8443"));
    assert!(spec(&plan, "deploy:here").container.extra_hosts.is_empty());
    assert_eq!(spec(&plan, "deploy:there").container.extra_hosts["web-front"], "10.0.0.1");
    assert!(env(spec(&plan, "deploy:web-front")).is_empty());
    assert_eq!(plan.endpoints.len(), 2);
}

#[test]
fn a_host_without_an_address_is_warned_of() {
    let mut web = pinned("web", "vm1");
    web.ports.push(published(80, 8080));
    let mut inventory = hosts(1);
    inventory.hosts[0].ip_address = None;
    let plan = planned(&stack("s", vec![web, container("a")]), &inventory);
    assert!(env(spec(&plan, "deploy:a")).is_empty());
    assert_eq!(plan.warnings[0].code, "unknown-address");
}

#[test]
fn what_cannot_be_reached_from_another_host_is_warned_of() {
    let mut stack = stack("s", vec![pinned("db", "vm1"), pinned("here", "vm1"), pinned("there", "vm2")]);
    Arc::make_mut(&mut stack.containers[1]).depends_on.push(on("db"));
    Arc::make_mut(&mut stack.containers[2]).depends_on.push(on("db"));
    let plan = planned(&stack, &hosts(2));
    assert_eq!(plan.warnings.len(), 1);
    assert!(plan.warnings[0].message.ends_with("no fixed port: `db` from `there`"), "{}", plan.warnings[0]);
}

#[test]
fn beyond_a_bound_only_dependencies_are_told() {
    let service =
        |number: u16| Container { ports: vec![published(80, 1000 + number)], ..container(&format!("c{number}")) };
    let mut containers: Vec<_> = (0..80).map(service).collect();
    containers[70].depends_on.push(on("c3"));
    let plan = planned(&stack("s", containers), &hosts(1));
    assert_eq!(spec(&plan, "deploy:c70").container.environment.len(), 4);
    assert!(spec(&plan, "deploy:c71").container.environment.is_empty());
    assert_eq!(plan.warnings[0].code, "many-endpoints");
}

#[test]
fn what_is_already_so_needs_no_plan() {
    let mut stack = stack("s", vec![container("web"), container("job")]);
    Arc::make_mut(&mut stack.containers[1])
        .depends_on
        .push(Dependency { container: "job".to_owned(), condition: Condition::Completed });
    let (again, _) = replanned(&stack, &stack, &hosts(2));
    assert!(again.is_empty(), "{:?}", ids(&again));
    assert_eq!(again.unchanged, ["job", "web"]);
}

#[test]
fn a_change_touches_what_changed_and_can_go_back() {
    let before = stack("s", vec![container("a"), container("b")]);
    let mut after = before.clone();
    Arc::make_mut(&mut after.containers[1]).image = "nginx:2".to_owned();
    let (plan, _) = replanned(&after, &before, &hosts(2));
    assert_eq!(ids(&plan), ["pull:vm2:nginx:2", "network:vm2", "update:b"]);
    assert_eq!(plan.unchanged, ["a"]);
    let Some(Action::Update { spec, .. }) = &task(&plan, "update:b").undo else { panic!() };
    assert_eq!(spec.container.image, "nginx:alpine");
    assert_eq!(task(&plan, "network:vm2").undo, None);
}

#[test]
fn what_has_stopped_is_made_again() {
    let stack = stack("s", vec![container("a")]);
    let mut inventory = carried_out(&planned(&stack, &hosts(1)), hosts(1));
    inventory.containers[0].status = ContainerStatus::Exited;
    inventory.containers[0].exit_code = Some(1);
    let plan = planned(&stack, &inventory);
    assert_eq!(task(&plan, "update:a").why, "exited with code 1");
}

#[test]
fn a_container_stays_where_it_is_and_moves_when_it_must() {
    let stack = stack("s", vec![container("a")]);
    let mut inventory = carried_out(&planned(&stack, &hosts(2)), hosts(2));
    inventory.containers.push(foreign("x", "vm1", Some(1)));
    assert!(planned(&stack, &inventory).is_empty());
    inventory.hosts[0].status = HostStatus::Draining;
    let plan = planned(&stack, &inventory);
    assert_eq!(ids(&plan), ["pull:vm2:nginx:alpine", "network:vm2", "deploy:a", "delete:a@vm1", "remove-network:vm1"]);
    assert_eq!(task(&plan, "deploy:a").why, "moves from `vm1`");
    assert_eq!(task(&plan, "delete:a@vm1").depends_on, ["deploy:a"]);
    assert_eq!(task(&plan, "remove-network:vm1").depends_on, ["delete:a@vm1"]);
}

#[test]
fn what_is_no_longer_wanted_goes_after_those_that_used_it() {
    let mut before = stack("s", ["db", "api", "web"].map(|name| pinned(name, "vm1")).to_vec());
    Arc::make_mut(&mut before.containers[0]).depends_on.push(on("db"));
    Arc::make_mut(&mut before.containers[2]).depends_on.push(on("api"));
    let mut after = before.clone();
    after.containers.truncate(0);
    let mut web = pinned("web", "vm1");
    web.image = "nginx:2".to_owned();
    after.containers.push(web.into());
    let (plan, _) = replanned(&after, &before, &hosts(1));
    let expected = ["pull:vm1:nginx:2", "network:vm1", "update:web", "delete:api@vm1", "delete:db@vm1"];
    assert_eq!(ids(&plan), expected);
    assert_eq!(task(&plan, "delete:api@vm1").depends_on, ["update:web"]);
    assert_eq!(task(&plan, "delete:db@vm1").depends_on, ["delete:api@vm1"]);
    assert!(matches!(task(&plan, "delete:db@vm1").undo, Some(Action::Deploy { .. })));
}

#[test]
fn containers_can_change_places_on_a_port() {
    let with = |name: &str, port: u16| Container { ports: vec![published(80, port)], ..pinned(name, "vm1") };
    let before = stack("s", vec![with("a", 8001), with("b", 8002)]);
    let after = stack("s", vec![with("a", 8002), with("b", 8001)]);
    let (plan, _) = replanned(&after, &before, &hosts(1));
    assert_eq!(&ids(&plan)[2..4], ["stop:b@vm1", "stop:a@vm1"]);
    // Nothing stops before what follows it can begin.
    assert_eq!(task(&plan, "stop:a@vm1").depends_on, ["pull:vm1:nginx:alpine", "network:vm1"]);
    for id in ["update:a", "update:b"] {
        let first = &task(&plan, id).depends_on;
        assert!(first.contains(&"stop:a@vm1".into()) && first.contains(&"stop:b@vm1".into()), "{first:?}");
    }
    let (plan, _) = replanned(&stack("s", vec![with("c", 8001), with("b", 8002)]), &before, &hosts(1));
    assert!(task(&plan, "deploy:c").depends_on.contains(&"stop:a@vm1".into()));
    assert_eq!(task(&plan, "delete:a@vm1").depends_on, ["stop:a@vm1"]);
}

#[test]
fn a_stack_is_removed_in_reverse_and_its_volumes_only_on_demand() {
    let mut stack = stack("s", vec![pinned("db", "vm1"), pinned("web", "vm2")]);
    Arc::make_mut(&mut stack.containers[0]).volume_mounts.push(Mount {
        kind: MountKind::Volume { source: Some("data".to_owned()), no_copy: false, subpath: None },
        target: "/data".to_owned(),
        read_only: false,
    });
    Arc::make_mut(&mut stack.containers[1]).depends_on.push(on("db"));
    let first = planned(&stack, &hosts(2));
    let inventory = carried_out(&first, hosts(2));
    let applied = Applied { stack: stack.clone(), placements: first.placements };
    let mut options = Options::default();
    let plan = plan_removal(&stack.id, "s", Some(&applied), &inventory, &options);
    assert_eq!(ids(&plan), ["delete:web@vm2", "delete:db@vm1", "remove-network:vm1", "remove-network:vm2"]);
    assert_eq!(task(&plan, "delete:db@vm1").depends_on, ["delete:web@vm2"]);
    assert_eq!(plan.warnings[0].message, "the volume `s_data` stays on `vm1` with its data");
    options.remove_volumes = true;
    let plan = plan_removal(&stack.id, "s", Some(&applied), &inventory, &options);
    assert_eq!(task(&plan, "remove-volume:vm1:s_data").depends_on, ["delete:db@vm1"]);
    assert_eq!(task(&plan, "remove-volume:vm1:s_data").action, Action::RemoveVolume { name: "s_data".to_owned() });
}

#[test]
fn what_is_only_seen_is_removed_too() {
    let stack = stack("s", vec![container("a"), container("b")]);
    let inventory = carried_out(&planned(&stack, &hosts(2)), hosts(2));
    let plan = plan_removal(&stack.id, "s", None, &inventory, &Options::default());
    assert_eq!(ids(&plan), ["delete:a@vm1", "delete:b@vm2", "remove-network:vm1", "remove-network:vm2"]);
    let nothing = plan_removal(&StackId::new("stack:other"), "other", None, &inventory, &Options::default());
    assert!(nothing.is_empty());
}

#[test]
fn a_stack_stops_in_reverse_and_starts_in_order() {
    let mut stack = stack("s", vec![checked(container("db")), container("web")]);
    Arc::make_mut(&mut stack.containers[1])
        .depends_on
        .push(Dependency { container: "db".to_owned(), condition: Condition::Healthy });
    let first = planned(&stack, &hosts(1));
    let inventory = carried_out(&first, hosts(1));
    let applied = Applied { stack: stack.clone(), placements: first.placements };
    let act = |action, inventory: &Inventory| {
        plan_action(action, &stack.id, "s", Some(&applied), inventory, &Options::default())
    };
    let stop = act(StackAction::Stop, &inventory);
    assert_eq!(ids(&stop), ["stop:web@vm1", "stop:db@vm1"]);
    assert_eq!(task(&stop, "stop:db@vm1").depends_on, ["stop:web@vm1"]);
    let stopped = carried_out(&stop, inventory.clone());
    assert!(act(StackAction::Stop, &stopped).is_empty());
    let start = act(StackAction::Start, &stopped);
    assert_eq!(ids(&start), ["start:db@vm1", "check:db:healthy@vm1", "start:web@vm1"]);
    assert_eq!(task(&start, "start:web@vm1").depends_on, ["check:db:healthy@vm1"]);
    assert!(act(StackAction::Start, &inventory).is_empty());
    let restart = act(StackAction::Restart, &inventory);
    let kinds: Vec<_> = restart.tasks.iter().map(|task| task.action.task_type()).collect();
    assert_eq!(kinds, [TaskType::Stop, TaskType::Stop, TaskType::Start, TaskType::Check, TaskType::Start]);
    assert_eq!(task(&restart, "start:db@vm1").depends_on, ["stop:db@vm1"]);
}

#[test]
fn circles_and_loose_ends_are_refused_with_their_path() {
    let mut stack = stack("s", ["a", "b", "c", "a"].map(container).to_vec());
    Arc::make_mut(&mut stack.containers[0]).depends_on.push(on("b"));
    Arc::make_mut(&mut stack.containers[2]).depends_on.push(on("c"));
    Arc::make_mut(&mut stack.containers[3]).depends_on.extend([on("b"), on("ghost")]);
    let told: Vec<_> = refused(&stack, &hosts(1)).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "two containers of the stack are named `a` [duplicate-name]; rename one of them",
            "`c` depends on `ghost`, which is no container of this stack [unresolved-reference]; add it, or remove the \
             dependency",
            "containers depend on each other in a circle: `b` → `c` → `b` [dependency-cycle]; take one of these \
             dependencies away",
        ]
    );
}

#[test]
fn one_image_for_two_platforms_is_pulled_twice() {
    let of = |name: &str, platform: &str| Container { platform: Some(platform.to_owned()), ..container(name) };
    let stack =
        stack("s", vec![of("a", "linux/amd64"), of("b", "linux/arm64"), of("c", "linux/amd64"), container("d")]);
    let plan = plan(&stack, None, &hosts(1), &Options::default()).unwrap();
    let pulls: Vec<_> = plan.tasks.iter().filter(|task| matches!(task.action, Action::Pull { .. })).collect();
    let asked = |task: &&PlannedTask| match &task.action {
        Action::Pull { platform, .. } => platform.clone(),
        _ => None,
    };
    let platforms: Vec<_> = pulls.iter().map(asked).collect();
    assert_eq!(platforms, [Some("linux/amd64".to_owned()), Some("linux/arm64".to_owned()), None]);
    let of_b = task(&plan, "deploy:b");
    assert!(of_b.depends_on.contains(&pulls[1].id) && !of_b.depends_on.contains(&pulls[0].id), "{of_b:?}");
}
