//! What people and programs see of a plan: its points, its words, its hash, and no value of a variable.

use graphium_core::{
    action::Action,
    inventory::ContainerStatus,
    plan::{
        Applied, Facts, Options, Plan, PropertyChange, SavedOptions, SavedPlan, Score, StackAction, fixtures::*, plan,
        plan_action,
    },
    stack::{
        Container, EnvValue, EnvVar, HealthCheck, HealthTest, Logging, Mount, MountKind, Network, Stack, TextMap,
        Volume,
    },
};

fn secret(key: &str) -> TextMap {
    [(key.to_owned(), "s3cret".to_owned())].into_iter().collect()
}

fn secretive() -> Container {
    let test = HealthTest::Http { path: "/".to_owned(), port: 80, headers: secret("X-Token") };
    let check = HealthCheck { test, interval: None, timeout: None, retries: None, start_period: None };
    let variable = |name: &str, value| EnvVar { name: name.to_owned(), value };
    let environment = vec![
        variable("PASSWORD", EnvValue::Literal("s3cret".to_owned())),
        variable("ADDRESS", EnvValue::FromHost("address".to_owned())),
    ];
    let logging = Some(Logging { driver: Some("splunk".to_owned()), options: secret("splunk-token") });
    Container { host: Some("vm1".into()), health_check: Some(check), environment, logging, ..container("web") }
}

fn saved() -> SavedPlan {
    let stack = stack("s", vec![secretive()]);
    let plan = plan(&stack, None, &hosts(1), &Options::default()).unwrap();
    let facts = Facts::of(&plan, &stack, &hosts(1), None);
    SavedPlan::new(stack, SavedOptions::new(&Options::default(), None), plan.sealed(), facts)
}

#[test]
fn the_points_of_a_host_are_the_sum_of_what_they_are_for() {
    let score = Score { cpu: 1, memory: 10, load: 100, near: 1000, datacenter: 10_000 };
    assert_eq!(score.total(), 11_111);
}

#[test]
fn a_plan_for_people_has_every_name_and_no_value_of_what_is_done_and_undone() {
    let first = stack("s", vec![secretive()]);
    let made = plan(&first, None, &hosts(1), &Options::default()).unwrap();
    let running = carried_out(&made, hosts(1));
    let applied = Applied { stack: first, placements: made.placements.clone() };
    let second = stack("s", vec![Container { image: "nginx:2".to_owned(), ..secretive() }]);
    let changed = plan(&second, Some(&applied), &running, &Options::default()).unwrap();
    let values = |plan: &Plan| serde_json::to_string(plan).unwrap().matches("s3cret").count();
    // A variable, a header and an option in the deployment; each once more in what takes the update back.
    for (plan, expected) in [(made, 3), (changed, 6)] {
        let sealed = plan.sealed();
        let shown = sealed.without_values();
        assert_eq!((values(&sealed.plan), values(&shown.plan)), (expected, 0));
        assert_eq!(shown.hash, sealed.hash, "it is the hash of the plan with all values");
        let text = serde_json::to_string(&shown.plan).unwrap();
        assert!(
            ["PASSWORD", "X-Token", "splunk-token", "•••", "address"].iter().all(|told| text.contains(told)),
            "{text}"
        );
    }
}

#[test]
fn a_plan_for_people_has_no_value_of_an_option_of_networks_and_volumes() {
    let kind = MountKind::Volume { source: Some("data".to_owned()), no_copy: false, subpath: None };
    let mount = Mount { kind, target: "/data".to_owned(), read_only: false };
    let stack = Stack {
        network: Some(Network { options: secret("key"), ..Network::default() }),
        volumes: vec![Volume { name: "data".to_owned(), driver_opts: secret("password"), ..Volume::default() }],
        ..stack("s", vec![Container { volume_mounts: vec![mount], ..container("web") }])
    };
    let sealed = plan(&stack, None, &hosts(1), &Options::default()).unwrap().sealed();
    let text = |plan: &Plan| serde_json::to_string(plan).unwrap();
    assert_eq!(text(&sealed.plan).matches("s3cret").count(), 2);
    let shown = text(&sealed.without_values().plan);
    assert!(!shown.contains("s3cret") && shown.contains("password") && shown.contains("key"), "{shown}");
}

#[test]
fn a_saved_plan_is_told_by_its_kind_however_broken_it_is_otherwise() {
    let text = saved().to_text();
    assert!(SavedPlan::is_one(text.as_bytes()));
    assert!(SavedPlan::is_one(br#"{"kind": "graphium plan", "format": 99}"#));
    for other in [r#"{"kind": "shopping list"}"#, r#"{"format": 1}"#, "no JSON", ""] {
        assert!(!SavedPlan::is_one(other.as_bytes()), "{other}");
    }
}

#[test]
fn the_hash_of_a_saved_plan_is_that_of_its_text_and_names_it_where_values_must_not_be_seen() {
    let saved = saved();
    let text: serde_json::Value = serde_json::from_str(&saved.to_text()).unwrap();
    assert_eq!(text["hash"], saved.hash());
    assert_eq!(saved.hash().len(), 64);
    let debugged = format!("{saved:?}");
    assert!(debugged.contains(saved.hash()) && !debugged.contains("s3cret"), "{debugged}");
}

#[test]
fn what_the_reader_found_is_saved_with_the_plan_and_changes_its_hash() {
    let note = graphium_core::diagnostic::Diagnostic::error("volume-kept", "/name", "a volume stays");
    let (plain, noted) = (saved(), saved().with_notes(vec![note.clone()]));
    assert_ne!(plain.hash(), noted.hash());
    assert_eq!(SavedPlan::read(noted.to_text().as_bytes()).unwrap().notes, [note]);
}

#[test]
fn memory_is_told_in_the_largest_unit_of_which_it_is_a_whole_number() {
    let told = |bytes: u64| {
        let path = "resources.limits.memory".to_owned();
        let [_, told] = PropertyChange { path, old: None, new: Some(bytes.into()) }.values();
        told.unwrap()
    };
    let bytes = [0, 1, 1024, 1025, 1536 << 10, 3 << 20, 1 << 30, 3 << 29];
    assert_eq!(bytes.map(told), ["0 B", "1 B", "1 KiB", "1025 B", "1536 KiB", "3 MiB", "1 GiB", "1536 MiB"]);
}

#[test]
fn what_stops_is_taken_back_by_a_start_alone() {
    let stack = stack("s", vec![container("db"), Container { depends_on: vec![on("db")], ..container("web") }]);
    let made = plan(&stack, None, &hosts(1), &Options::default()).unwrap();
    let running = carried_out(&made, hosts(1));
    assert!(running.containers.iter().all(|seen| seen.status == ContainerStatus::Running));
    let applied = Applied { stack: stack.clone(), placements: made.placements };
    let undo = plan_action(StackAction::Stop, &stack.id, "s", Some(&applied), &running, &Options::default()).undo();
    assert!(undo.steps.iter().all(|step| matches!(step.action, Action::Start { .. })), "{:?}", undo.steps);
    assert_eq!(undo.steps.len(), 2);
}
