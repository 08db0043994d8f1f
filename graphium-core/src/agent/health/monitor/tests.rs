#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use super::*;
use crate::{
    id::HostId,
    inventory::ObservedContainer,
    stack::TextMap,
    testing::{FakeRuntime, ManualEnvironment},
};

/// A container whose check fails for good at once, as it was seen since it started at some second.
fn seen(started_at: i64) -> ContainerState {
    let check = r#"{"type": "tcp", "port": 80, "retries": 1}"#;
    let labels = [(label::MANAGED, "true"), (label::HEALTH_CHECK, check)];
    let observed = ObservedContainer {
        id: "c0ffee".to_owned(),
        name: "web".to_owned(),
        image: "web:1".to_owned(),
        status: ContainerStatus::Running,
        hosted_on: HostId::new(""),
        ports: Vec::new(),
        labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<TextMap>(),
        health: None,
        exit_code: None,
        ended_with_engine: false,
        ended_by_task: false,
        ip_address: None,
        date_created: None,
        settings: None,
    };
    let started_at = Some(Timestamp::from_second(started_at).unwrap());
    ContainerState { observed, image_id: None, started_at, restart_count: 0, error: None, health_output: None }
}

/// The check of a run that is over by now, and that of the run that came after it.
fn two_runs<'m>(monitor: &'m HealthMonitor, environment: &ManualEnvironment) -> [Asking<'m>; 2] {
    [1, 2].map(|started_at| {
        assert!(monitor.admit(environment, &seen(started_at)));
        monitor.begin("web", environment.elapsed()).unwrap()
    })
}

#[test]
fn a_check_of_the_former_run_is_not_counted_for_the_next() {
    let (monitor, environment) = (HealthMonitor::default(), ManualEnvironment::default());
    let [former, present] = two_runs(&monitor, &environment);
    former.conclude(|record| record.take_in(Duration::ZERO, Duration::ZERO, Probe::failed("gone")));
    assert_eq!(monitor.standing("web"), Some(Standing { health: Health::Starting, last: None }));
    drop(former);
    assert!(monitor.begin("web", environment.elapsed()).is_none(), "the present one is still being asked");
    present.conclude(|record| record.take_in(Duration::ZERO, Duration::ZERO, Probe::passed("well")));
    let well = Standing { health: Health::Healthy, last: Some("well".to_owned()) };
    assert_eq!(monitor.standing("web"), Some(well));
}

#[test]
fn a_former_run_that_is_gone_does_not_take_the_next_with_it() {
    let environment = ManualEnvironment::default();
    let runtime = FakeRuntime::with_environment(std::sync::Arc::new(environment.clone()));
    let monitor = HealthMonitor::default();
    // The engine knows no such container, neither when it is asked nor when it is looked at.
    let [former, present] = two_runs(&monitor, &environment);
    environment.run(former.ask(&runtime, &environment));
    assert!(monitor.standing("web").is_some());
    environment.run(present.ask(&runtime, &environment));
    assert_eq!(monitor.standing("web"), None);

    let [former, present] = two_runs(&monitor, &environment);
    environment.run(former.look_and_ask(&runtime, &environment));
    assert!(monitor.standing("web").is_some());
    environment.run(present.look_and_ask(&runtime, &environment));
    assert_eq!(monitor.standing("web"), None);
}
