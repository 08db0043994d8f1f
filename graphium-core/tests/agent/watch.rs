//! The watch over a host, where nothing comes over the connection that the engine's changes come over.

use crate::bed::{Bed, deploy};
use graphium_core::{
    environment::Environment, inventory::ContainerStatus, runtime::LiveSettings, stack::RestartPolicy,
    task::TaskStatus, testing::Thing,
};

/// What the agent has told last of a container.
fn status(bed: &Bed, name: &str) -> Option<ContainerStatus> {
    let told = bed.link.sights().into_iter().rev().find_map(|report| report.containers).unwrap();
    told.into_iter().find(|container| container.name == name).map(|container| container.status)
}

/// Waits for it to be told, at most so long.
async fn told_within(bed: &Bed, name: &str, wanted: Option<ContainerStatus>, millis: u64) -> u64 {
    let begun = bed.environment.elapsed();
    while status(bed, name) != wanted {
        bed.sleep(50).await;
        let passed = u64::try_from((bed.environment.elapsed() - begun).as_millis()).unwrap();
        assert!(passed <= millis, "{wanted:?} of {name} is not told within {millis} ms");
    }
    u64::try_from((bed.environment.elapsed() - begun).as_millis()).unwrap()
}

fn watches(bed: &Bed) -> usize {
    bed.counts().get("watch").copied().unwrap_or_default()
}

#[test]
fn a_stream_of_changes_that_falls_silent_is_found_out_by_the_regular_look_and_opened_anew() {
    let bed = Bed::new();
    let (_, ended) = bed.serve(async {
        let [id] = bed.submit([deploy("web")]).await.try_into().unwrap();
        assert_eq!(bed.end_of(&id).await.status, TaskStatus::Completed);
        bed.sleep(3_000).await;
        assert_eq!(watches(&bed), 1);
        bed.runtime.go_silent();
        bed.runtime.kill("web");
        let late = told_within(&bed, "web", Some(ContainerStatus::Exited), 31_000).await;
        assert!(late > 2_000, "it was told of: this test shows nothing");
        bed.sleep(3_000).await;
        assert_eq!(watches(&bed), 2);
        // From then on as ever.
        bed.runtime.vanish("web");
        told_within(&bed, "web", None, 1_000).await;
        bed.runtime.make_foreign(Thing::Container, "other");
        told_within(&bed, "other", Some(ContainerStatus::Running), 1_000).await;
        assert_eq!(watches(&bed), 2, "one that tells is kept");
    });
    ended.unwrap();
}

#[test]
fn a_stream_of_changes_is_not_relied_upon_for_ever() {
    let bed = Bed::new();
    let (_, ended) = bed.serve(async {
        let [id] = bed.submit([deploy("web")]).await.try_into().unwrap();
        bed.end_of(&id).await;
        bed.sleep(3_000).await;
        bed.runtime.go_silent();
        // No list shows this: of it an engine only tells.
        let settings = LiveSettings { restart_policy: Some(RestartPolicy::Always), ..LiveSettings::default() };
        bed.runtime.set_settings("web", settings);
        bed.sleep(335_000).await;
        let told = bed.link.sights().into_iter().rev().find_map(|report| report.containers).unwrap();
        let seen = told.into_iter().find(|container| container.name == "web").unwrap().settings.unwrap();
        assert_eq!(seen.restart_policy, Some(RestartPolicy::Always));
        assert_eq!(watches(&bed), 2, "and no more often than that");
    });
    ended.unwrap();
}

#[test]
fn that_the_engine_was_away_is_told_until_it_is_heard_and_not_again() {
    let bed = Bed::new();
    let told = |bed: &Bed| {
        let sights = bed.link.sights().into_iter().filter(|report| report.containers.is_some());
        sights.map(|report| report.engine_was_away).collect::<Vec<_>>()
    };
    let (_, ended) = bed.serve(async {
        bed.sleep(3_000).await;
        assert!(!told(&bed).contains(&true));
        let before = told(&bed).len();
        bed.link.cut();
        bed.runtime.disconnect();
        bed.sleep(5_000).await;
        bed.runtime.reconnect();
        bed.sleep(5_000).await;
        assert_eq!(told(&bed).len(), before, "nobody hears it");
        bed.link.mend();
        bed.sleep(70_000).await;
        let after = told(&bed).split_off(before);
        assert!(after.len() > 2 && after[0] && !after[1..].contains(&true), "{after:?}");
    });
    ended.unwrap();
}
