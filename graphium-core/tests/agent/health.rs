//! Health checks that the agent makes.

use crate::bed::{Bed, HOST};
use graphium_core::{
    action::{Action, Refresh},
    id::TaskId,
    inventory::{Health, ObservedContainer},
    runtime::{ContainerSpec, label},
    stack::{Condition, Container, HealthCheck, HealthTest, TextMap, UpdateOrder},
    task::{Task, TaskStatus},
    testing::{Operation, Program},
};
use std::{sync::Arc, time::Duration};

const CHECKED: &str = "checked:1";

/// A container that is asked every two seconds, and is unwell after three failures.
fn spec(start_period: Option<u64>) -> ContainerSpec {
    let check = HealthCheck {
        test: HealthTest::Http {
            path: "/".to_owned(),
            port: 80,
            headers: TextMap::from_iter([("X-Token".to_owned(), "secret".to_owned())]),
        },
        interval: Some(Duration::from_secs(2)),
        timeout: Some(Duration::from_secs(1)),
        retries: Some(3),
        start_period: start_period.map(Duration::from_secs),
    };
    let container = Container {
        name: "web".to_owned(),
        image: CHECKED.to_owned(),
        health_check: Some(check),
        ..Container::default()
    };
    let labels = TextMap::from_iter([(label::STACK.to_owned(), "stack:shop".to_owned())]);
    ContainerSpec { labels: Arc::new(labels), ..ContainerSpec::new("shop-web", container) }.sealed()
}

fn bed(health: Health) -> Bed {
    let bed = Bed::new();
    bed.runtime.put_image(CHECKED, Program::runs().found(health));
    bed
}

/// Deploys the container, and waits for it to be healthy.
async fn gated(bed: &Bed, start_period: Option<u64>) -> TaskId {
    let deploy = Action::Deploy { spec: Box::new(spec(start_period)) };
    let deployed = bed.end_of(&bed.submit([deploy]).await[0]).await;
    assert_eq!(deployed.status, TaskStatus::Completed, "{:?}", deployed.error);
    let check = Action::Check { name: "shop-web".to_owned(), condition: Condition::Healthy };
    bed.submit([check]).await.remove(0)
}

/// What the agent has told last of the containers of its host.
fn last_seen(bed: &Bed) -> Vec<ObservedContainer> {
    bed.link.sights().into_iter().rev().find_map(|report| report.containers).unwrap()
}

fn took(task: &Task) -> i64 {
    (task.completed_at.unwrap() - task.assigned_at.unwrap()).get_seconds()
}

#[test]
fn a_gate_passes_with_the_first_check_that_is_well() {
    let bed = bed(Health::Healthy);
    let (gate, _) = bed.serve(async {
        let id = gated(&bed, None).await;
        bed.end_of(&id).await
    });
    assert_eq!(gate.status, TaskStatus::Completed, "{:?}", gate.error);
    let shown = gate.result.unwrap().data.unwrap();
    assert_eq!(shown.health, Some(Health::Healthy));
    assert_eq!(shown.label(label::HEALTH_CHECK), None, "its headers are nobody else's to read");
    assert_eq!(bed.runtime.calls().iter().filter(|call| *call == "probe shop-web").count(), 1);
}

#[test]
fn a_gate_fails_as_soon_as_so_many_checks_have_failed_and_tells_the_last() {
    let bed = bed(Health::Unhealthy);
    let (gate, _) = bed.serve(async {
        let id = gated(&bed, None).await;
        bed.end_of(&id).await
    });
    let error = gate.error.clone().unwrap();
    assert_eq!((gate.status, &*error.code), (TaskStatus::Failed, "unhealthy"));
    assert!(error.message.ends_with("not well: it says that it is unhealthy"), "{}", error.message);
    let seconds = took(&gate);
    assert!((5..=7).contains(&seconds), "three checks, two seconds apart: {seconds}");
}

#[test]
fn failures_within_the_start_period_keep_a_gate_waiting() {
    let bed = bed(Health::Unhealthy);
    let (gate, _) = bed.serve(async {
        let id = gated(&bed, Some(20)).await;
        bed.sleep(15_000).await;
        assert_eq!(bed.task_now(&id).await.status, TaskStatus::Running);
        bed.runtime.set_health("shop-web", Health::Healthy);
        bed.end_of(&id).await
    });
    assert_eq!(gate.status, TaskStatus::Completed, "{:?}", gate.error);
}

#[test]
fn a_gate_fails_at_once_when_its_container_ends() {
    let bed = bed(Health::Starting);
    let (gate, _) = bed.serve(async {
        let id = gated(&bed, Some(600)).await;
        bed.sleep(3_000).await;
        bed.runtime.exit("shop-web", 3);
        bed.end_of(&id).await
    });
    assert_eq!(gate.error.as_ref().unwrap().code, "exited");
    assert!(took(&gate) < 6, "long before its deadline: {}", took(&gate));
}

#[test]
fn silence_of_the_engine_is_no_verdict_on_its_containers() {
    let bed = bed(Health::Healthy);
    let (gate, _) = bed.serve(async {
        let id = gated(&bed, None).await;
        // An engine that does not answer is no verdict: it is asked again.
        bed.runtime.disconnect();
        bed.sleep(20_000).await;
        bed.runtime.reconnect();
        bed.end_of(&id).await
    });
    assert_eq!(gate.status, TaskStatus::Completed, "{:?}", gate.error);

    let bed = self::bed(Health::Healthy);
    let (gate, _) = bed.serve(async {
        // Nor is one that does not even say where to ask.
        bed.runtime.hang(Operation::Probe);
        let id = gated(&bed, None).await;
        bed.sleep(70_000).await;
        assert_eq!(bed.task_now(&id).await.status, TaskStatus::Running);
        let asked = bed.runtime.calls().iter().filter(|call| *call == "probe shop-web").count();
        assert_eq!(asked, 2, "it is asked again when the engine's time is over");
        bed.runtime.release();
        bed.end_of(&id).await
    });
    assert_eq!(gate.status, TaskStatus::Completed, "{:?}", gate.error);
}

#[test]
fn what_runs_is_checked_on_and_its_health_is_reported() {
    let bed = bed(Health::Healthy);
    let (seen, _) = bed.serve(async {
        let id = gated(&bed, None).await;
        bed.end_of(&id).await;
        let mut seen = Vec::new();
        for health in [Health::Healthy, Health::Unhealthy, Health::Healthy] {
            bed.runtime.set_health("shop-web", health);
            bed.sleep(8_000).await;
            let report = last_seen(&bed);
            let container = report.into_iter().find(|container| container.name == "shop-web").unwrap();
            assert_eq!((container.hosted_on.as_str(), container.label(label::HEALTH_CHECK)), (HOST, None));
            seen.push(container.health);
        }
        seen
    });
    assert_eq!(seen, [Some(Health::Healthy), Some(Health::Unhealthy), Some(Health::Healthy)]);
}

#[test]
fn the_next_agent_goes_on_with_a_container_that_it_has_not_made() {
    let bed = bed(Health::Healthy);
    bed.crash(async {
        gated(&bed, None).await;
        bed.sleep(1_000).await;
    });
    bed.runtime.set_health("shop-web", Health::Unhealthy);
    let (seen, _) = bed.serve(async {
        bed.sleep(30_000).await;
        last_seen(&bed).into_iter().find(|container| container.name == "shop-web").unwrap()
    });
    assert_eq!(seen.health, Some(Health::Unhealthy));
}

#[test]
fn a_successor_that_takes_over_a_name_is_checked_on_under_it() {
    let bed = bed(Health::Healthy);
    bed.runtime.put_image("checked:2", Program::runs().found(Health::Healthy));
    let (seen, _) = bed.serve(async {
        let id = gated(&bed, None).await;
        bed.end_of(&id).await;
        let first = spec(None);
        let container = Container { image: "checked:2".to_owned(), ..(*first.container).clone() };
        let next = ContainerSpec { labels: Arc::clone(&first.labels), ..ContainerSpec::new("shop-web", container) };
        let update =
            Action::Update { spec: Box::new(next.sealed()), order: UpdateOrder::StartFirst, refresh: Refresh::Never };
        let updated = bed.end_of(&bed.submit([update]).await[0]).await;
        assert_eq!(updated.status, TaskStatus::Completed, "{:?}", updated.error);
        assert!(bed.calls().iter().any(|call| call.starts_with("rename shop-web.NEXT")), "{:?}", bed.calls());
        bed.runtime.clear_calls();
        let mut seen = Vec::new();
        for health in [Health::Healthy, Health::Unhealthy, Health::Healthy] {
            bed.runtime.set_health("shop-web", health);
            bed.sleep(8_000).await;
            let told = last_seen(&bed);
            let names: Vec<&str> = told.iter().map(|container| container.name.as_str()).collect();
            assert_eq!(names, ["shop-web"]);
            seen.push((told[0].image.clone(), told[0].health));
        }
        let asked = bed.runtime.calls().iter().filter(|call| call.starts_with("probe")).count();
        assert!((11..=13).contains(&asked), "every two seconds, and no other: {asked}");
        assert!(!bed.runtime.calls().iter().any(|call| call.contains(".NEXT") || call.contains(".OLD")));
        seen
    });
    let image = || "checked:2".to_owned();
    let expected = [Health::Healthy, Health::Unhealthy, Health::Healthy].map(|health| (image(), Some(health)));
    assert_eq!(seen, expected);
}
