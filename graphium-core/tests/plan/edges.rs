//! What the planner does at the edges: what mutants showed that nobody had asserted.

use graphium_core::{
    action::Action,
    id::HostId,
    inventory::{ContainerStatus, HostStatus, Inventory, ObservedContainer},
    plan::{Applied, Options, Plan, PlannedTask, StackAction, Trace, fixtures::*, plan, plan_action, plan_removal},
    runtime::label,
    stack::{
        Condition, Container, Dependency, DocumentHost, HostConstraint, Mount, MountKind, NamedDatacenter, Network,
        Port, Protocol, RestartPolicy, Stack, Strategy, Volume,
    },
};

fn planned(stack: &Stack, inventory: &Inventory) -> Plan {
    plan(stack, None, inventory, &Options::default()).unwrap()
}

fn ids(plan: &Plan) -> Vec<&str> {
    plan.tasks.iter().map(|task| task.id.as_str()).collect()
}

fn task<'p>(plan: &'p Plan, id: &str) -> &'p PlannedTask {
    plan.tasks.iter().find(|task| task.id == id).unwrap_or_else(|| panic!("no {id} in {:?}", ids(plan)))
}

fn pinned(name: &str, host: &str) -> Container {
    Container { host: Some(host.into()), ..container(name) }
}

fn mounted(mut container: Container, source: &str) -> Container {
    let kind = MountKind::Volume { source: Some(source.to_owned()), no_copy: false, subpath: None };
    container.volume_mounts.push(Mount { kind, target: format!("/{source}"), read_only: false });
    container
}

fn told(plan: &Plan) -> Vec<(&str, &str)> {
    plan.warnings.iter().map(|warning| (&*warning.code, warning.message.as_str())).collect()
}

/// A stack, what runs once it was deployed, and its revision.
fn deployed(stack: &Stack, inventory: Inventory) -> (Inventory, Applied) {
    let first = planned(stack, &inventory);
    let running = carried_out(&first, inventory);
    (running, Applied { stack: stack.clone(), placements: first.placements })
}

#[test]
fn a_stack_that_is_renamed_moves_nowhere() {
    let before = stack("s", vec![container("a")]);
    let running = carried_out(&planned(&before, &hosts(1)), hosts(1));
    let renamed = Stack { name: "t".to_owned(), ..before };
    let plan = planned(&renamed, &running);
    assert_eq!(task(&plan, "deploy:a").why, "is not there yet");
    assert_eq!(task(&plan, "delete:a@vm1").why, "is replaced under another name");
}

#[test]
fn what_has_done_its_work_is_not_started_again() {
    let job = Dependency { container: "job".to_owned(), condition: Condition::Completed };
    let web = Container { depends_on: vec![job], ..container("web") };
    let stack = stack("s", vec![container("job"), web]);
    let first = planned(&stack, &hosts(1));
    let mut ended = carried_out(&first, hosts(1));
    ended.containers.iter_mut().for_each(|seen| (seen.status, seen.exit_code) = (ContainerStatus::Exited, Some(0)));
    let applied = Applied { stack: stack.clone(), placements: first.placements };
    let start = plan_action(StackAction::Start, &stack.id, "s", Some(&applied), &ended, &Options::default());
    assert_eq!(ids(&start), ["start:web@vm1"]);
    assert_eq!(start.unchanged, ["job"]);
}

#[test]
fn a_stop_and_a_restart_say_which_they_are() {
    let stack = stack("s", vec![container("web")]);
    let (running, applied) = deployed(&stack, hosts(1));
    for (action, why) in [(StackAction::Stop, "the stack is stopped"), (StackAction::Restart, "the stack is restarted")]
    {
        let plan = plan_action(action, &stack.id, "s", Some(&applied), &running, &Options::default());
        assert_eq!(task(&plan, "stop:web@vm1").why, why);
    }
}

#[test]
fn a_volume_that_is_declared_is_the_stacks_own_unless_it_is_external() {
    let declared = |name: &str, external| Volume { name: name.to_owned(), external, ..Volume::default() };
    let mut stack = stack("s", vec![mounted(mounted(pinned("db", "vm1"), "own"), "shared")]);
    stack.volumes = vec![declared("own", false), declared("shared", true)];
    let plan = planned(&stack, &hosts(1));
    assert_eq!(ids(&plan), ["pull:vm1:nginx:alpine", "network:vm1", "volume:vm1:own", "deploy:db"]);
    let Action::Deploy { spec } = &task(&plan, "deploy:db").action else { panic!() };
    let sources = spec.container.volume_mounts.iter().map(|mount| match &mount.kind {
        MountKind::Volume { source: Some(source), .. } => source.as_str(),
        other => panic!("{other:?}"),
    });
    assert_eq!(sources.collect::<Vec<_>>(), ["s_own", "shared"]);
    let (running, applied) = deployed(&stack, hosts(1));
    let options = Options { remove_volumes: true, ..Options::default() };
    let removal = plan_removal(&stack.id, "s", Some(&applied), &running, &options);
    assert_eq!(ids(&removal), ["delete:db@vm1", "remove-network:vm1", "remove-volume:vm1:s_own"]);
}

#[test]
fn what_is_as_asked_has_no_task_and_is_listed() {
    let stack = stack("s", vec![pinned("a", "vm1"), pinned("b", "vm1"), pinned("c", "vm2")]);
    let (mut running, applied) = deployed(&stack, hosts(2));
    let act = |action, inventory: &Inventory| {
        plan_action(action, &stack.id, "s", Some(&applied), inventory, &Options::default())
    };
    running
        .containers
        .iter_mut()
        .filter(|seen| seen.name == "s-a")
        .for_each(|seen| seen.status = ContainerStatus::Stopped);
    let stop = act(StackAction::Stop, &running);
    assert_eq!((ids(&stop), stop.unchanged.clone()), (vec!["stop:c@vm2", "stop:b@vm1"], vec!["a".to_owned()]));
    let start = act(StackAction::Start, &running);
    assert_eq!((ids(&start), start.unchanged.clone()), (vec!["start:a@vm1"], vec!["b".to_owned(), "c".to_owned()]));
    assert_eq!(start.placements["a"], HostId::new("vm1"));
}

/// However it has taken the signal: many end with code 0.
#[test]
fn what_a_task_has_stopped_did_not_end_by_itself() {
    let job = Dependency { container: "job".to_owned(), condition: Condition::Completed };
    let web =
        Container { depends_on: vec![job], restart_policy: RestartPolicy::OnFailure(Some(3)), ..container("web") };
    let stack = stack("s", vec![container("job"), web, container("tool")]);
    let (mut running, applied) = deployed(&stack, hosts(1));
    // The job had just begun once more.
    running.containers.iter_mut().for_each(|seen| seen.status = ContainerStatus::Running);
    let act = |action, inventory: &Inventory| {
        plan_action(action, &stack.id, "s", Some(&applied), inventory, &Options::default())
    };
    let stopped = carried_out(&act(StackAction::Stop, &running), running);
    assert!(stopped.containers.iter().all(|seen| (seen.status, seen.exit_code) == (ContainerStatus::Exited, Some(0))));
    let start = act(StackAction::Start, &stopped);
    assert_eq!(ids(&start), ["start:job@vm1", "start:tool@vm1", "check:job:completed@vm1", "start:web@vm1"]);
    let again = plan(&stack, Some(&applied), &stopped, &Options::default()).unwrap();
    assert_eq!(task(&again, "update:web").why, "was stopped");
    // A move is for what runs, and so for what is only stopped for a moment.
    let leave = ["vm1".into()].into();
    let options = Options { leave, keep: applied.placements.clone(), ..Options::default() };
    let mut both = hosts(2);
    both.containers = stopped.containers;
    both.hosts[0].status = HostStatus::Draining;
    let moved = plan(&stack, Some(&applied), &both, &options).unwrap();
    assert!(moved.placements.values().all(|host| *host == HostId::new("vm2")), "{:?}", moved.placements);
}

/// A deployment was to move one, and to take another away; somebody asks for a start or a restart while it is at work.
#[test]
fn what_the_applied_revision_does_not_have_there_is_not_started_and_goes() {
    let before = stack("s", vec![pinned("db", "vm1"), pinned("old", "vm1"), pinned("web", "vm2")]);
    let (running, _) = deployed(&before, hosts(2));
    let web = Container { depends_on: vec![on("db")], ..pinned("web", "vm1") };
    let now = stack("s", vec![pinned("db", "vm1"), web]);
    let placements = planned(&now, &running).placements;
    let applied = Applied { stack: now.clone(), placements };
    let act = |action, inventory: &Inventory| {
        plan_action(action, &now.id, "s", Some(&applied), inventory, &Options::default())
    };
    let start = act(StackAction::Start, &running);
    assert_eq!(start.placements, applied.placements);
    // Where something is made, its ports may be wanted; elsewhere it serves until its successor does.
    assert_eq!(task(&start, "deploy:web").depends_on, ["pull:vm1:nginx:alpine", "network:vm1", "delete:old@vm1"]);
    assert_eq!(task(&start, "delete:web@vm2").depends_on, ["deploy:web"]);
    assert!(!ids(&start).iter().any(|id| id.starts_with("start:")), "{:?}", ids(&start));
    let restart = act(StackAction::Restart, &running);
    let touched: Vec<&str> = ids(&restart).into_iter().filter(|id| id.contains("web") || id.contains("old")).collect();
    assert_eq!(touched, ["delete:old@vm1", "deploy:web", "delete:web@vm2"]);
    let names = |inventory: Inventory| {
        inventory.containers.into_iter().map(|seen| format!("{}@{}", seen.name, seen.hosted_on)).collect::<Vec<_>>()
    };
    for plan in [&start, &restart] {
        assert_eq!(names(carried_out(plan, running.clone())), ["s-db@vm1", "s-web@vm1"]);
    }
    // Nobody has seen what that has made at last: it is told of by its trace.
    let trace = Trace { host: "vm2".into(), name: "late".to_owned(), engine_name: "s-late".to_owned() };
    let options = Options { traces: [trace].into(), ..Options::default() };
    for (action, verb) in
        [(StackAction::Stop, "stop"), (StackAction::Start, "delete"), (StackAction::Restart, "delete")]
    {
        let plan = plan_action(action, &now.id, "s", Some(&applied), &running, &options);
        let of_it = ids(&plan).into_iter().filter(|id| id.contains("late")).collect::<Vec<_>>();
        assert_eq!(of_it, [format!("{verb}:late@vm2")], "{action:?}");
    }
    assert_eq!(ids(&act(StackAction::Stop, &running)), ["stop:old@vm1", "stop:web@vm2", "stop:web@vm1", "stop:db@vm1"]);
}

#[test]
fn endpoints_are_told_to_all_up_to_a_bound_and_beyond_it_to_dependants() {
    let service =
        |number: u16| Container { ports: vec![published(80, 1000 + number)], ..container(&format!("c{number}")) };
    let variables = |count: u16| {
        let plan = planned(&stack("s", (0..count).map(service).collect()), &hosts(1));
        let Action::Deploy { spec } = &task(&plan, "deploy:c1").action else { panic!() };
        (spec.container.environment.len(), plan.warnings.len())
    };
    assert_eq!(variables(64), (63 * 4, 0));
    assert_eq!(variables(65), (0, 1));
}

#[test]
fn who_cannot_be_reached_is_named_up_to_five_times() {
    let message = |count: usize| {
        let user = |number| Container { depends_on: vec![on("db")], ..pinned(&format!("u{number}"), "vm2") };
        let plan = planned(&stack("s", (0..count).map(user).chain([pinned("db", "vm1")]).collect()), &hosts(2));
        let [(code, message)] = told(&plan)[..] else { panic!("{:?}", plan.warnings) };
        assert_eq!(code, "no-way-across");
        message.to_owned()
    };
    assert!(message(5).ends_with("`db` from `u3`, `db` from `u4`"), "{}", message(5));
    assert!(message(7).ends_with("`db` from `u4` and 2 more"), "{}", message(7));
    // One whose end alone is awaited need not be reached, and on one host all are.
    let job = Dependency { container: "db".to_owned(), condition: Condition::Completed };
    let waits = Container { depends_on: vec![job], ..pinned("u", "vm2") };
    assert!(planned(&stack("s", vec![waits, pinned("db", "vm1")]), &hosts(2)).warnings.is_empty());
    let beside = Container { depends_on: vec![on("db")], ..pinned("u", "vm1") };
    assert!(planned(&stack("s", vec![beside, pinned("db", "vm1")]), &hosts(2)).warnings.is_empty());
}

#[test]
fn a_port_of_the_loopback_is_told_to_nobody() {
    let local = Port { host_ip: Some([127, 0, 0, 1].into()), ..published(80, 8080) };
    let web = Container { ports: vec![local], ..pinned("web", "vm1") };
    let user = Container { depends_on: vec![on("web")], ..pinned("user", "vm2") };
    let plan = planned(&stack("s", vec![web, user]), &hosts(2));
    assert_eq!(told(&plan)[0].0, "no-way-across");
    assert_eq!(plan.endpoints[0].ip_address, Some([127, 0, 0, 1].into()));
    let Action::Deploy { spec } = &task(&plan, "deploy:user").action else { panic!() };
    assert!(spec.container.environment.is_empty() && spec.container.extra_hosts.is_empty());
}

#[test]
fn a_volume_stays_while_anybody_on_the_host_mounts_it() {
    let before = stack("s", vec![mounted(pinned("a", "vm1"), "data"), mounted(pinned("b", "vm1"), "data")]);
    let (running, applied) = deployed(&before, hosts(1));
    let without = |name: &str| {
        let mut after = before.clone();
        after.containers.retain(|container| container.name != name);
        plan(&after, Some(&applied), &running, &Options::default()).unwrap()
    };
    assert!(told(&without("a")).is_empty());
    let mut neither = before.clone();
    neither.containers = vec![pinned("c", "vm1").into()];
    let plan = plan(&neither, Some(&applied), &running, &Options::default()).unwrap();
    assert_eq!(told(&plan), [("volume-kept", "the volume `s_data` stays on `vm1` with its data")]);
}

#[test]
fn a_network_goes_with_the_last_that_used_it_and_never_where_it_is_external() {
    let mut before = stack("s", vec![pinned("a", "vm1"), pinned("b", "vm2")]);
    let after = Stack { containers: before.containers[1..].to_vec(), ..before.clone() };
    let (running, applied) = deployed(&before, hosts(2));
    let plan_of =
        |applied: &Applied, running: &Inventory| plan(&after, Some(applied), running, &Options::default()).unwrap();
    let plan_after = plan_of(&applied, &running);
    assert_eq!(ids(&plan_after), ["delete:a@vm1", "remove-network:vm1"]);
    let Some(Action::Network { spec }) = &task(&plan_after, "remove-network:vm1").undo else { panic!() };
    assert_eq!(spec.name, "s");
    // One that no revision tells of cannot be made again.
    let unknown = plan_removal(&before.id, "s", None, &running, &Options::default());
    assert_eq!(task(&unknown, "remove-network:vm1").undo, None);
    before.network = Some(Network { external: true, name: Some("theirs".to_owned()), ..Network::default() });
    let (running, applied) = deployed(&before, hosts(2));
    let removal = plan_removal(&before.id, "s", Some(&applied), &running, &Options::default());
    assert_eq!(ids(&removal), ["delete:b@vm2", "delete:a@vm1"]);
}

#[test]
fn one_that_is_in_two_places_stays_where_it_runs_or_was_applied() {
    let stack = stack("s", vec![container("a")]);
    let (mut running, applied) = deployed(&stack, hosts(3));
    let twin = |host: &str, status| {
        let mut twin = running.containers[0].clone();
        (twin.hosted_on, twin.status) = (HostId::new(host), status);
        twin
    };
    let (two, three) = (twin("vm2", ContainerStatus::Running), twin("vm3", ContainerStatus::Exited));
    running.containers.extend([two, three]);
    let again = plan(&stack, Some(&applied), &running, &Options::default()).unwrap();
    assert_eq!(ids(&again), ["delete:a@vm2", "delete:a@vm3", "remove-network:vm2", "remove-network:vm3"]);
    running.containers.remove(0);
    running.containers.reverse();
    assert_eq!(planned(&stack, &running).placements["a"], HostId::new("vm2"), "that one runs");
}

#[test]
fn ports_of_two_protocols_or_addresses_live_side_by_side() {
    let udp = Port { protocol: Protocol::Udp, ..published(53, 53) };
    let address = |last| Port { host_ip: Some([10, 0, 0, last].into()), ..published(53, 5353) };
    let ports = |name: &str, ports: Vec<Port>| Container { ports, ..pinned(name, "vm1") };
    let stack = stack("s", vec![ports("a", vec![udp, address(1)]), ports("b", vec![published(53, 53), address(2)])]);
    assert_eq!(planned(&stack, &hosts(1)).placements.len(), 2);
}

#[test]
fn what_bears_our_label_alone_is_ours_and_what_bears_another_stacks_is_not() {
    let stack = stack("s", vec![container("a")]);
    let mut inventory = hosts(1);
    for (name, owner) in [("x", "stack:s"), ("y", "stack:other")] {
        let mut seen = foreign(name, "vm1", None);
        seen.labels.insert(label::STACK.to_owned(), owner.to_owned());
        inventory.containers.push(seen);
    }
    let plan = planned(&stack, &inventory);
    let deletions: Vec<_> = plan.tasks.iter().filter(|task| matches!(task.action, Action::Delete { .. })).collect();
    assert_eq!(deletions.iter().map(|task| task.action.subject()).collect::<Vec<_>>(), ["x"]);
}

#[test]
fn a_container_is_spread_over_the_datacenter_that_it_prefers_while_there_is_room() {
    let mut web = container("web");
    web.requirements.preferred_datacenter = Some("eu".to_owned());
    web.replicas = Some(3);
    web.ports.push(published(80, 8080));
    let mut inventory = hosts(3);
    inventory.hosts[1].location = Some("eu".to_owned());
    inventory.hosts[2].location = Some("eu".to_owned());
    let told = Options { explain: true, ..Options::default() };
    let plan = plan(&stack("s", vec![web]), None, &inventory, &told).unwrap();
    let places: Vec<_> = plan.placements.values().map(HostId::as_str).collect();
    assert_eq!(places, ["vm2", "vm3", "vm1"]);
    let preferred = "fewest containers in `eu`, its preferred datacenter";
    let otherwise = "fewest containers; none in `eu`, its preferred datacenter, takes it";
    let why: Vec<_> = plan.choices.iter().map(|choice| choice.why.as_str()).collect();
    assert_eq!(why, [preferred, preferred, otherwise]);
}

#[test]
fn a_document_says_where_hosts_are_that_do_not_say_it_themselves() {
    let eu = HostConstraint {
        container_name: "web".to_owned(),
        required_datacenter: Some("eu".to_owned()),
        ..HostConstraint::default()
    };
    let place = |id: &str, datacenter: &str| DocumentHost {
        id: id.into(),
        rack: None,
        datacenter: Some(datacenter.to_owned()),
    };
    let mut described =
        Stack { hosts: vec![place("vm1", "us"), place("vm2", "eu")], ..stack("s", vec![container("web")]) };
    described.deployment.host_constraints = vec![eu];
    assert_eq!(planned(&described, &hosts(2)).placements["web"], HostId::new("vm2"));
    let mut told = hosts(2);
    told.hosts[0].location = Some("eu".to_owned());
    told.hosts[1].location = Some("us".to_owned());
    assert_eq!(planned(&described, &told).placements["web"], HostId::new("vm1"));
}

#[test]
fn a_host_may_name_its_datacenter_as_the_document_calls_it() {
    let center = NamedDatacenter { id: "dc1".to_owned(), name: "Frankfurt".to_owned() };
    let mut described = Stack { datacenters: vec![center], ..stack("s", vec![container("web")]) };
    described.deployment.placement_strategy = Some(Strategy::Datacenter);
    described.deployment.target_datacenter = Some("dc1".to_owned());
    for name in ["Frankfurt", "dc1"] {
        let mut told = hosts(3);
        told.hosts[1].location = Some(name.to_owned());
        assert_eq!(planned(&described, &told).placements["web"], HostId::new("vm2"), "{name}");
    }
}

#[test]
fn a_stack_that_depends_on_one_that_does_not_run_is_planned_with_a_warning() {
    let dependent = Stack { depends_on: vec!["base".to_owned()], ..stack("s", vec![container("web")]) };
    let with = |status: Option<ContainerStatus>| {
        let mut inventory = hosts(1);
        inventory.containers.extend(status.map(|status| {
            let mut seen = foreign("base-db", "vm1", None);
            seen.labels.insert(label::STACK.to_owned(), "stack:base".to_owned());
            seen.labels.insert(label::STACK_NAME.to_owned(), "base".to_owned());
            ObservedContainer { status, ..seen }
        }));
        let warnings = planned(&dependent, &inventory).warnings;
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let told = |what: &str| {
        format!(
            "the stack `s` depends on the stack `base`, {what} [stack-not-running]; deploy that one first: nothing waits for it"
        )
    };
    assert_eq!(with(None), [told("which is on none of the hosts")]);
    assert_eq!(with(Some(ContainerStatus::Exited)), [told("of which nothing runs")]);
    assert_eq!(with(Some(ContainerStatus::Running)), [""; 0]);
}

#[test]
fn a_dependency_with_a_fixed_port_is_reached_from_everywhere_and_one_without_is_not() {
    let user = || Container { depends_on: vec![on("db")], ..pinned("user", "vm2") };
    let db = |host_port| Container { ports: vec![Port { host_port, ..published(5432, 1) }], ..pinned("db", "vm1") };
    let variables = |plan: &Plan| match &task(plan, "deploy:user").action {
        Action::Deploy { spec } => spec.container.environment.len(),
        other => panic!("{other:?}"),
    };
    let fixed = planned(&stack("s", vec![user(), db(Some(5432))]), &hosts(2));
    assert_eq!((told(&fixed).len(), variables(&fixed)), (0, 4));
    let chosen = planned(&stack("s", vec![user(), db(None)]), &hosts(2));
    assert_eq!((told(&chosen)[0].0, variables(&chosen)), ("no-way-across", 0));
}

#[test]
fn no_part_of_a_plan_can_change_and_keep_its_hash() {
    let web = mounted(Container { ports: vec![published(80, 8080)], ..pinned("web", "vm1") }, "data");
    let before = stack("s", vec![web, pinned("db", "vm1"), pinned("old", "vm1")]);
    let (running, applied) = deployed(&before, hosts(1));
    let mut after = before;
    after.containers.retain(|container| container.name != "old");
    std::sync::Arc::make_mut(&mut after.containers[1]).image = "nginx:2".to_owned();
    let whole = plan(&after, Some(&applied), &running, &Options::default()).unwrap();
    let whole = whole.sealed();
    type Tampering = fn(&mut Plan);
    let changes: [(&str, Tampering); 13] = [
        ("stack", |plan| plan.stack = "stack:t".into()),
        ("name", |plan| plan.stack_name.push('t')),
        ("tasks", |plan| drop(plan.tasks.pop())),
        ("id", |plan| plan.tasks[0].id = "other".into()),
        ("host", |plan| plan.tasks[0].host = HostId::new("vm9")),
        ("why", |plan| plan.tasks[0].why = "because".into()),
        ("order", |plan| plan.tasks.iter_mut().for_each(|task| drop(task.depends_on.pop()))),
        ("undo", |plan| plan.tasks.iter_mut().for_each(|task| task.undo = None)),
        ("action", |plan| {
            let Action::Network { spec } = &mut plan.tasks[1].action else { panic!("{:?}", plan.tasks[1].id) };
            spec.name.push('t');
        }),
        ("placements", |plan| plan.placements.clear()),
        ("unchanged", |plan| plan.unchanged.clear()),
        ("changes", |plan| {
            assert!(!plan.changes.is_empty() && !plan.endpoints.is_empty());
            plan.changes.clear();
        }),
        ("endpoints", |plan| plan.endpoints.clear()),
    ];
    for (part, change) in changes {
        let mut other = whole.plan.clone();
        change(&mut other);
        assert_ne!(other.sealed().hash, whole.hash, "{part}");
    }
}

#[test]
fn the_network_of_a_stack_never_has_the_name_of_one_of_the_engines_own() {
    for (name, network) in [
        ("none", "none-Stack"),
        ("bridge", "bridge-Stack"),
        ("host", "host-Stack"),
        ("default", "default-Stack"),
        ("hosts", "hosts"),
        ("shop", "shop"),
    ] {
        let plan = plan(&stack(name, vec![container("web")]), None, &hosts(1), &Options::default()).unwrap();
        let made: Vec<&str> = plan
            .tasks
            .iter()
            .filter_map(|task| match &task.action {
                Action::Network { spec } => Some(spec.name.as_str()),
                Action::Deploy { spec } => spec.network.as_deref(),
                _ => None,
            })
            .collect();
        assert_eq!(made, [network, network], "{name}");
    }
}

#[test]
fn what_is_gone_is_made_again_by_a_start_in_the_order_of_the_stack() {
    let healthy = Dependency { container: "db".to_owned(), condition: Condition::Healthy };
    let web = Container { depends_on: vec![healthy], ..pinned("web", "vm1") };
    let log = Container { depends_on: vec![on("web")], ..pinned("log", "vm1") };
    let stack = stack("s", vec![checked(pinned("db", "vm1")), web, log]);
    let (mut stopped, applied) = deployed(&stack, hosts(1));
    stopped.containers.iter_mut().for_each(|seen| (seen.status, seen.exit_code) = (ContainerStatus::Exited, Some(143)));
    stopped.containers.retain(|seen| seen.name != "s-web");
    let act = |action, inventory: &Inventory| {
        plan_action(action, &stack.id, "s", Some(&applied), inventory, &Options::default())
    };
    let start = act(StackAction::Start, &stopped);
    let waits = |id: &str| task(&start, id).depends_on.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(waits("check:db:healthy@vm1"), ["start:db@vm1"]);
    let first = waits("deploy:web");
    assert!(first.contains(&"pull:vm1:nginx:alpine".to_owned()), "{first:?}");
    assert!(first.contains(&"check:db:healthy@vm1".to_owned()), "{first:?}");
    assert_eq!(waits("start:log@vm1"), ["deploy:web"]);
    assert!(!ids(&start).contains(&"start:web@vm1"));
    // Nothing is stopped that is not there.
    let again = act(StackAction::Restart, &stopped);
    assert!(ids(&again).contains(&"deploy:web") && !ids(&again).contains(&"stop:web@vm1"), "{:?}", ids(&again));
    // Of a host that does not tell what it has nobody knows what is gone.
    stopped.hosts[0].offline_since = Some(jiff::Timestamp::UNIX_EPOCH);
    assert!(ids(&act(StackAction::Start, &stopped)).contains(&"start:web@vm1"));
}
