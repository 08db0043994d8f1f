//! Who is who when names, numbers, data and places change, and that no two have data together that were not meant to.

use crate::undo::check_round;
use graphium_core::{
    action::Action,
    id::HostId,
    inventory::{ContainerStatus, Inventory},
    plan::{Applied, Change, ChangeKind, Options, Plan, PlannedTask, fixtures::*, plan},
    runtime::label,
    stack::{Container, Mount, MountKind, Stack, UpdateOrder},
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use std::collections::{BTreeMap, BTreeSet};

fn volume(source: &str, read_only: bool) -> Mount {
    let kind = MountKind::Volume { source: Some(source.to_owned()), no_copy: false, subpath: None };
    Mount { kind, target: format!("/{source}"), read_only }
}

fn bind(source: &str, read_only: bool) -> Mount {
    let kind = MountKind::Bind { source: source.to_owned(), propagation: None, create_host_path: false };
    Mount { kind, target: source.to_owned(), read_only }
}

/// A database on a volume, on the first host.
fn database(name: &str) -> Container {
    Container {
        id: "container:db".to_owned(),
        host: Some("vm1".into()),
        volume_mounts: vec![volume("data", false)],
        ..container(name)
    }
}

fn times(count: u32, container: Container) -> Container {
    Container { replicas: Some(count), ..container }
}

fn first_first(mut stack: Stack) -> Stack {
    stack.deployment.update.order = UpdateOrder::StartFirst;
    stack
}

/// The second revision over the first, which runs.
pub(crate) fn changed(first: &Stack, second: &Stack) -> (Plan, Estate) {
    let old = plan(first, None, &hosts(3), &Options::default()).unwrap();
    let there = carried_out(&old, hosts(3));
    let applied = Applied { stack: first.clone(), placements: old.placements };
    let plan = plan(second, Some(&applied), &there, &Options::default()).unwrap();
    (plan, Estate::of(there.containers))
}

pub(crate) fn of(containers: Vec<Container>) -> Stack {
    stack("s", containers)
}

pub(crate) fn task<'p>(plan: &'p Plan, id: &str) -> &'p PlannedTask {
    let ids = || plan.tasks.iter().map(|task| task.id.as_str()).collect::<Vec<_>>();
    plan.tasks.iter().find(|task| task.id.as_str() == id).unwrap_or_else(|| panic!("{id} is not of {:?}", ids()))
}

pub(crate) fn waits(plan: &Plan, id: &str, first: &str) -> bool {
    task(plan, id).depends_on.iter().any(|other| other.as_str() == first)
}

pub(crate) fn has(plan: &Plan, id: &str) -> bool {
    plan.tasks.iter().any(|task| task.id.as_str() == id)
}

pub(crate) fn told(change: &Change) -> (&str, Option<&str>, ChangeKind) {
    (&change.container, change.renamed_from.as_deref(), change.kind)
}

#[test]
fn one_replica_is_the_container_itself() {
    let one = of(vec![times(1, database("db"))]);
    let plan = plan(&one, None, &hosts(1), &Options::default()).unwrap();
    let Action::Deploy { spec } = &task(&plan, "deploy:db").action else { panic!("{plan:?}") };
    assert_eq!((spec.name.as_str(), spec.names(), spec.container.replicas), ("s-db", vec!["db"], None));
    let (plan, _) = changed(&of(vec![database("db")]), &one);
    assert!(plan.is_empty() && plan.unchanged == ["db"], "{plan:?}");
}

#[test]
fn a_renamed_container_is_the_same_under_a_new_name() {
    let (plan, before) =
        changed(&of(vec![database("db"), container("web")]), &of(vec![database("pg"), container("web")]));
    assert!(waits(&plan, "deploy:pg", "stop:db@vm1") && waits(&plan, "delete:db@vm1", "deploy:pg"));
    assert!(waits(&plan, "stop:db@vm1", "pull:vm1:nginx:alpine"));
    assert_eq!(task(&plan, "deploy:pg").why, "is `db` under a new name");
    assert_eq!(task(&plan, "delete:db@vm1").why, "goes on as `pg`");
    assert_eq!(plan.changes.iter().map(told).collect::<Vec<_>>(), [("pg", Some("db"), ChangeKind::Rename)]);
    assert!(plan.changes[0].properties.is_empty() && plan.changes[0].data_at_risk.is_empty(), "{:?}", plan.changes);
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
    check_round(&plan, &before, 0).unwrap();
    let undo = plan.undo();
    let step = |id: &str| undo.steps.iter().find(|step| step.id == id).unwrap();
    assert!(step("undo:delete:db@vm1").depends_on.contains(&"free:deploy:pg".to_owned()), "{undo:?}");
}

#[test]
fn what_else_changes_with_a_name_is_told_beside_it() {
    let mut next = database("pg");
    next.image = "postgres:17".to_owned();
    next.volume_mounts = vec![volume("other", false)];
    let (plan, _) = changed(&of(vec![database("db")]), &of(vec![next]));
    let change = &plan.changes[0];
    assert_eq!(told(change), ("pg", Some("db"), ChangeKind::Rename));
    let paths: Vec<_> = change.properties.iter().map(|property| property.path.as_str()).collect();
    assert_eq!(paths, ["image", "volumeMounts./data", "volumeMounts./other"]);
    assert_eq!(change.data_at_risk, ["the volume `s_data` at `/data` is not mounted any more; it stays with its data"]);
}

#[test]
fn a_rename_without_anything_in_common_follows_the_order_of_updates() {
    let web = |name: &str| Container { id: "container:web".to_owned(), ..container(name) };
    let (plan, _) = changed(&of(vec![web("web")]), &of(vec![web("page")]));
    assert!(waits(&plan, "deploy:page", "stop:web@vm1"));
    assert_eq!(task(&plan, "stop:web@vm1").why, "it goes on as `page`");
    let (plan, _) = changed(&of(vec![web("web")]), &first_first(of(vec![web("page")])));
    assert!(!has(&plan, "stop:web@vm1") && waits(&plan, "delete:web@vm1", "deploy:page"));
}

#[test]
fn data_is_handed_on_stop_first_in_either_order_of_updates() {
    for second in [of(vec![database("pg")]), first_first(of(vec![database("pg")]))] {
        let (plan, _) = changed(&of(vec![database("db")]), &second);
        assert!(waits(&plan, "deploy:pg", "stop:db@vm1"));
        assert_eq!(task(&plan, "stop:db@vm1").why, "`pg` takes its volume `s_data`");
    }
}

#[test]
fn a_stranger_on_the_same_data_waits_too_but_not_if_both_only_read() {
    let other = |mount: Mount| {
        of(vec![Container { id: "container:x".to_owned(), volume_mounts: vec![mount], ..database("x") }])
    };
    let pairs = [
        (volume("data", false), volume("data", false), true),
        (volume("data", true), volume("data", false), true),
        (volume("data", false), volume("data", true), true),
        (volume("data", true), volume("data", true), false),
        (volume("data", false), volume("other", false), false),
        (bind("/srv", false), bind("/srv", true), true),
        (bind("/srv", true), bind("/srv", true), false),
        (bind("/data", false), volume("data", false), false),
    ];
    for (had, wanted, is_ordered) in pairs {
        let old = Container { volume_mounts: vec![had.clone()], ..database("db") };
        let (plan, before) = changed(&of(vec![old]), &other(wanted.clone()));
        assert_eq!(
            has(&plan, "stop:db@vm1") && waits(&plan, "deploy:x", "stop:db@vm1"),
            is_ordered,
            "{had:?} {wanted:?}"
        );
        check_round(&plan, &before, 1).unwrap();
    }
}

#[test]
fn who_has_data_together_in_one_revision_is_not_stopped_for_it() {
    let other = |name: &str| Container { id: format!("container:{name}"), ..database(name) };
    let next = || Container { image: "nginx:2".to_owned(), ..database("db") };
    // One comes to the data that another goes on to have.
    let (plan, _) = changed(&of(vec![database("db")]), &of(vec![next(), other("x")]));
    assert!(has(&plan, "update:db") && has(&plan, "deploy:x") && !has(&plan, "stop:db@vm1"));
    // One goes from the data that another had with it.
    let (plan, _) = changed(&of(vec![database("db"), other("x")]), &of(vec![next()]));
    assert!(has(&plan, "update:db") && has(&plan, "delete:x@vm1") && !has(&plan, "stop:x@vm1"));
}

#[test]
fn the_first_of_several_is_the_one_that_there_was_and_back() {
    let (one, three) = (of(vec![database("db")]), of(vec![times(3, database("db"))]));
    let (plan, before) = changed(&one, &three);
    for id in ["deploy:db-1", "deploy:db-2", "deploy:db-3"] {
        assert!(waits(&plan, id, "stop:db@vm1"), "{id}");
    }
    assert_eq!(plan.changes.iter().map(told).collect::<Vec<_>>(), [("db-1", Some("db"), ChangeKind::Rename)]);
    check_round(&plan, &before, 2).unwrap();

    let (plan, before) = changed(&three, &one);
    for id in ["stop:db-1@vm1", "stop:db-2@vm1", "stop:db-3@vm1"] {
        assert!(waits(&plan, "deploy:db", id), "{id}");
    }
    let told: Vec<_> = plan.changes.iter().map(told).collect();
    let gone = |name| (name, None, ChangeKind::Remove);
    assert_eq!(told, [("db", Some("db-1"), ChangeKind::Rename), gone("db-2"), gone("db-3")]);
    check_round(&plan, &before, 3).unwrap();

    let (plan, _) = changed(&three, &of(vec![times(2, database("db"))]));
    assert_eq!(plan.unchanged, ["db-1", "db-2"]);
    assert!(!has(&plan, "stop:db-3@vm1") && has(&plan, "delete:db-3@vm1"));
}

#[test]
fn a_renamed_container_stays_on_its_host() {
    let free = |name: &str| Container { host: None, ..database(name) };
    let stays = Container { host: Some("vm1".into()), ..container("a") };
    let old = of(vec![stays.clone(), free("db")]);
    let (plan, _) = changed(&old, &of(vec![stays, container("b"), container("c"), free("zz")]));
    assert_eq!(plan.placements["zz"], "vm2".into(), "{:?}", plan.placements);
    assert_eq!(told(plan.changes.last().unwrap()), ("zz", Some("db"), ChangeKind::Rename));
}

#[test]
fn a_rename_to_another_host_is_a_move_that_tells_what_is_left_behind() {
    let elsewhere = Container { host: Some("vm2".into()), ..database("pg") };
    let (plan, _) = changed(&of(vec![database("db")]), &of(vec![elsewhere]));
    let change = &plan.changes[0];
    assert_eq!((told(change), change.from.as_ref().unwrap().as_str()), (("pg", Some("db"), ChangeKind::Move), "vm1"));
    assert_eq!(change.data_at_risk, ["the volume `s_data` stays on `vm1` with its data; on `vm2` it is another one"]);
    assert!(!has(&plan, "stop:db@vm1") && waits(&plan, "delete:db@vm1", "deploy:pg"));
}

#[test]
fn containers_that_swap_names_are_told_by_their_names() {
    let named = |id: &str, name: &str, data: &str| Container {
        id: id.to_owned(),
        host: Some("vm1".into()),
        volume_mounts: vec![volume(data, false)],
        ..container(name)
    };
    let (plan, before) = changed(
        &of(vec![named("c:1", "a", "x"), named("c:2", "b", "y")]),
        &of(vec![named("c:1", "b", "x"), named("c:2", "a", "y")]),
    );
    assert!(plan.changes.iter().all(|change| change.kind == ChangeKind::Recreate && change.renamed_from.is_none()));
    for id in ["update:a", "update:b"] {
        assert!(waits(&plan, id, "stop:a@vm1") && waits(&plan, id, "stop:b@vm1"), "{id}");
    }
    check_round(&plan, &before, 4).unwrap();
}

#[test]
fn of_a_container_that_nobody_knows_it_may_have_any_data() {
    let (first, second) = (of(vec![database("db")]), of(vec![database("pg")]));
    let there = carried_out(&plan(&first, None, &hosts(1), &Options::default()).unwrap(), hosts(1));
    let plan_of = |second: &Stack| plan(second, None, &there, &Options::default()).unwrap();
    assert!(waits(&plan_of(&second), "deploy:pg", "stop:db@vm1"));
    assert!(!has(&plan_of(&of(vec![container("web")])), "stop:db@vm1"));
}

#[test]
fn fewer_replicas_tell_of_the_volumes_that_they_leave_behind() {
    let spread = |count| of(vec![times(count, Container { host: None, ..database("db") })]);
    let at_risk = |(plan, _): (Plan, Estate)| {
        let gone: Vec<_> = plan.changes.into_iter().filter(|change| change.kind == ChangeKind::Remove).collect();
        assert!(gone.len() == 1 && gone[0].container == "db-3", "{gone:?}");
        gone[0].data_at_risk.clone()
    };
    assert_eq!(
        at_risk(changed(&spread(3), &spread(2))),
        ["the volume `s_data` stays on `vm3` with its data, and no container of the stack mounts it there any more"]
    );
    // The others have it still.
    let together = |count| of(vec![times(count, database("db"))]);
    assert!(at_risk(changed(&together(3), &together(2))).is_empty());
}

/// One revision of a container of some identity.
fn some_revision(number: usize) -> impl Strategy<Value = Option<Container>> {
    let mounts = vec((select(vec!["data", "cache", "/srv"]), any::<bool>()), 0..3);
    let parts = (
        select(vec![
            format!("c{number}"),
            format!("c{number}"),
            format!("r{number}"),
            format!("c{}", (number + 1) % 4),
        ]),
        option::weighted(0.4, 0..4_u32),
        select(vec!["nginx:1", "nginx:2"]),
        option::weighted(0.6, 1..3_u32),
        mounts,
        option::weighted(0.2, select(vec![8001_u16, 8002])),
    );
    let container = parts.prop_map(move |(name, replicas, image, host, mounts, port)| {
        let mut volume_mounts: Vec<Mount> = mounts
            .into_iter()
            .map(
                |(source, read_only)| {
                    if source.starts_with('/') { bind(source, read_only) } else { volume(source, read_only) }
                },
            )
            .collect();
        volume_mounts.dedup_by(|one, other| one.target == other.target);
        Container {
            id: format!("container:{number}"),
            replicas,
            image: image.to_owned(),
            host: host.map(|host| HostId::new(format!("vm{host}"))),
            volume_mounts,
            ports: port.map(|port| published(80, port)).into_iter().collect(),
            ..container(&name)
        }
    });
    option::weighted(0.85, container)
}

fn some_revisions() -> impl Strategy<Value = Stack> {
    let containers: Vec<_> = (0..4).map(|number| some_revision(number).boxed()).collect();
    (containers, any::<bool>()).prop_map(|(containers, is_start_first)| {
        let stack = of(containers.into_iter().flatten().collect());
        // What holds a fixed port cannot be updated in that order; without any it is tried.
        let has_port = stack.containers.iter().any(|container| !container.ports.is_empty());
        if is_start_first && !has_port { first_first(stack) } else { stack }
    })
}

/// What is mounted, and whether it is written.
type Mounts = BTreeMap<String, bool>;

/// What every container of a revision mounts, by its host and its name there.
fn mounts_of(stack: &Stack, placements: &BTreeMap<String, HostId>) -> BTreeMap<Key, Mounts> {
    let definition = |name: &str| {
        let numbered = || stack.container(name.rsplit_once('-')?.0).filter(|container| container.is_replicated());
        stack.container(name).filter(|container| !container.is_replicated()).or_else(numbered).unwrap()
    };
    let mounts = |definition: &Container| {
        let mut mounts = Mounts::new();
        for mount in &definition.volume_mounts {
            *mounts.entry(mount.target.clone()).or_default() |= !mount.read_only;
        }
        mounts
    };
    placements.iter().map(|(name, host)| ((host.clone(), stack.engine_name(name)), mounts(definition(name)))).collect()
}

/// Something to do, and what comes first.
struct Step<'p> {
    id: &'p str,
    first: Vec<&'p str>,
    host: &'p HostId,
    action: &'p Action,
}

/// Carries steps out in one of the orders that they allow; after each no two that run have data together that they have
/// in neither revision, each with at least the same right. `made` is the number of the revision that is made.
fn check_data(
    steps: Vec<Step<'_>>,
    revisions: [&BTreeMap<Key, Mounts>; 2],
    made: usize,
    estate: &mut Estate,
    mut seed: u64,
) -> Result<(), TestCaseError> {
    let mut made_of: BTreeMap<Key, usize> = estate.containers.keys().map(|key| (key.clone(), 1 - made)).collect();
    let (mut left, mut done) = (steps, BTreeSet::new());
    while !left.is_empty() {
        let is_ready = |step: &Step<'_>| step.first.iter().all(|id| done.contains(id));
        let ready: Vec<usize> = (0..left.len()).filter(|&number| is_ready(&left[number])).collect();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let step = left.remove(ready[usize::try_from(seed >> 33).unwrap() % ready.len()]);
        done.insert(step.id);
        estate.carry_out(step.host, step.action);
        if matches!(step.action, Action::Deploy { .. } | Action::Update { .. }) {
            made_of.insert((step.host.clone(), step.action.subject().to_owned()), made);
        }
        let running: Vec<&Key> = estate
            .containers
            .iter()
            .filter(|(_, seen)| seen.status == ContainerStatus::Running && seen.label(label::STACK) == Some("stack:s"))
            .map(|(key, _)| key)
            .collect();
        for (number, one) in running.iter().enumerate() {
            for other in running[..number].iter().filter(|other| other.0 == one.0) {
                let (mine, theirs) = (&revisions[made_of[*one]][*one], &revisions[made_of[*other]][*other]);
                for (source, writes) in mine {
                    let Some(also_writes) = theirs.get(source).filter(|also| **also || *writes) else { continue };
                    let may = |mounts: &BTreeMap<Key, Mounts>, who: &Key, writes: bool| {
                        mounts.get(who).and_then(|mounts| mounts.get(source)).is_some_and(|may| *may || !writes)
                    };
                    let is_meant = revisions.iter().any(|it| may(it, one, *writes) && may(it, other, *also_writes));
                    prop_assert!(is_meant, "after {} {one:?} and {other:?} have {source} together", step.id);
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

    #[test]
    fn no_two_that_were_not_meant_to_have_data_together_on_the_way_there_and_back(
        (first, second) in (some_revisions(), some_revisions()), seed in any::<u64>(),
    ) {
        let Ok(old) = plan(&first, None, &hosts(2), &Options::default()) else { return Ok(()) };
        let mut estate = Estate::default();
        old.tasks.iter().for_each(|task| estate.carry_out(&task.host, &task.action));
        let before = estate.clone();
        let inventory = |estate: &Estate| Inventory { containers: estate.containers.values().cloned().collect(), ..hosts(2) };
        let applied = Applied { stack: first.clone(), placements: old.placements };
        let Ok(plan) = plan(&second, Some(&applied), &inventory(&estate), &Options::default()) else { return Ok(()) };
        let (was, is) = (mounts_of(&first, &applied.placements), mounts_of(&second, &plan.placements));
        let steps = plan.tasks.iter().map(|task| Step {
            id: task.id.as_str(),
            first: task.depends_on.iter().map(|id| id.as_str()).collect(),
            host: &task.host,
            action: &task.action,
        });
        check_data(steps.collect(), [&was, &is], 1, &mut estate, seed)?;
        let applied = Applied { stack: second.clone(), placements: plan.placements.clone() };
        let again = graphium_core::plan::plan(&second, Some(&applied), &inventory(&estate), &Options::default()).unwrap();
        prop_assert!(again.is_empty(), "{:?}", again.tasks);
        let undo = plan.undo();
        let steps = undo.steps.iter().map(|step| Step {
            id: &step.id,
            first: step.depends_on.iter().map(String::as_str).collect(),
            host: &step.host,
            action: &step.action,
        });
        check_data(steps.collect(), [&was, &is], 0, &mut estate, seed.rotate_left(9))?;
        check_round(&plan, &before, seed)?;
    }
}
