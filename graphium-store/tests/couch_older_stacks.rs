//! Stacks of the older system, in the hands of an operator: the containers run on, stop and go as those of any stack.

#![cfg(feature = "couchdb")]

#[path = "couch/clock.rs"]
mod clock;
#[path = "couch/household.rs"]
mod household;

use graphium_core::{
    control::{DeployOptions, DeploymentKind, StackStatus, StatusView},
    inventory::ContainerStatus::{self, Exited, Running},
    testing::{Effects, FakeRuntime},
};
use household::{Checked, Household, Labels, in_virtual_time, is_well, run, shop};

fn both(status: ContainerStatus) -> [(String, ContainerStatus); 2] {
    ["shop-web", "shop-db"].map(|name| (name.to_owned(), status))
}

/// What somebody who looks at the stack reads of what went wrong, advice and all.
fn told(status: &StatusView) -> String {
    let errors = status.tasks.iter().filter_map(|task| task.task.error.as_ref());
    let help = errors.filter_map(|error| error.help.clone());
    status.error_message.clone().into_iter().chain(help).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_stack_is_listed_shown_stopped_started_and_removed() -> Checked {
    in_virtual_time(async {
        let documents = shop("running");
        let house = Household::open(&documents, Labels::Present).await?;
        let control = &house.control;
        let before = house.there();
        let listed = control.stacks(None, 10).await?.items;
        let listed: Vec<_> = listed.iter().map(|stack| (stack.name.as_str(), stack.status)).collect();
        assert_eq!(listed, [("shop", StackStatus::Running)]);
        let shown = control.stack("shop").await?;
        assert_eq!((shown.owner.as_deref(), shown.revision), (Some("ann"), 1));
        let status = house.settled("shop").await?;
        is_well(&status, StackStatus::Running)?;
        let standing: Vec<_> =
            status.containers.iter().map(|one| (one.name.as_str(), one.host_id.as_str(), one.status)).collect();
        assert_eq!(standing, [("db", "vm2", Some(Running)), ("web", "vm1", Some(Running))]);
        assert_eq!(house.there(), before, "nothing happens by itself");
        assert_eq!(control.orphans().await?, []);

        control.act_on_stack("shop", DeploymentKind::Stop, None).await?;
        is_well(&house.settled("shop").await?, StackStatus::Stopped)?;
        assert_eq!(house.doing(), both(Exited));
        house.rest().await;
        assert_eq!(house.doing(), both(Exited), "it stays so");
        for kind in [DeploymentKind::Start, DeploymentKind::Restart] {
            control.act_on_stack("shop", kind, None).await?;
            is_well(&house.settled("shop").await?, StackStatus::Running)?;
            assert_eq!(house.there(), before, "they are the same containers");
        }

        assert_eq!(house.remove("shop").await?, None);
        assert_eq!(house.there(), [], "what is said to be removed is gone");
        house.rest().await;
        assert!(control.stacks(None, 10).await?.items.is_empty());
        assert!(
            documents.iter().all(|document| house.has_still(document)),
            "a document of the older system has changed"
        );
        Ok(())
    })
}

#[test]
fn a_document_that_is_deployed_again_takes_the_place_of_what_runs() -> Checked {
    in_virtual_time(async {
        let house = Household::open(&shop("running"), Labels::Present).await?;
        let definition = house.definition("stack:shop").await?;
        let plan = house.control.preview(&definition, &DeployOptions::default()).await?;
        let tasks: Vec<_> = plan.tasks.iter().map(|task| task.id.as_str()).collect();
        assert!(tasks.contains(&"update:web") && !tasks.iter().any(|task| task.starts_with("delete:")), "{tasks:?}");
        house.control.deploy(definition, DeployOptions { pull_images: true, ..DeployOptions::default() }).await?;
        is_well(&house.settled("shop").await?, StackStatus::Running)?;
        assert_eq!(house.doing(), both(Running));
        let effects = house.engines[0].effects("shop-web");
        assert_eq!((effects.created, effects.removed), (1, 1));
        assert_eq!(house.remove("shop").await?, None);
        assert_eq!(house.there(), []);
        Ok(())
    })
}

#[test]
fn what_was_stopped_or_had_failed_stays_so_until_somebody_asks() -> Checked {
    in_virtual_time(async {
        for (was, status) in [
            ("stopped", StackStatus::Stopped),
            ("error", StackStatus::Error),
            ("deploying", StackStatus::Error),
            ("deleting", StackStatus::Error),
        ] {
            let engines = [FakeRuntime::new(), FakeRuntime::new()];
            run(&engines[0], "shop-web", "nginx:1.25", Labels::Present);
            engines[0].kill("shop-web");
            let house = Household::open_with(&shop(was), engines).await?;
            let shown = house.control.status("shop").await?;
            assert_eq!(shown.overall_status, status, "{was}: {shown:#?}");
            let words = shown.error_message.clone().unwrap_or_default();
            assert!(status == StackStatus::Stopped || words.contains(was) || was == "error", "{was}: {words}");
            assert_eq!(house.doing(), [("shop-web".to_owned(), Exited)], "{was}");
            assert_eq!(house.engines[0].effects("shop-web"), Effects::default(), "{was}");
            assert_eq!(house.remove("shop").await?, None, "{was}");
            assert_eq!(house.there(), [], "{was}");
        }
        Ok(())
    })
}

#[test]
fn containers_without_labels_are_left_alone_until_they_are_adopted() -> Checked {
    in_virtual_time(async {
        let house = Household::open(&shop("running"), Labels::Absent).await?;
        let before = house.there();
        let status = house.settled("shop").await?;
        assert_eq!(status.overall_status, StackStatus::Error);
        let words = "is taken by a container that is not Graphium's";
        assert!(told(&status).contains(words) && told(&status).contains("`graphium adopt`"), "{status:#?}");
        house.control.act_on_stack("shop", DeploymentKind::Stop, None).await?;
        let status = house.settled("shop").await?;
        assert!(told(&status).contains(words) && told(&status).contains("`graphium adopt`"), "{status:#?}");
        assert_eq!(house.there(), before);

        let definition = house.definition("stack:shop").await?;
        is_well(&house.adopt(&definition, &[]).await?, StackStatus::Running)?;
        assert_eq!(house.there(), before, "they run on");
        house.control.act_on_stack("shop", DeploymentKind::Stop, None).await?;
        is_well(&house.settled("shop").await?, StackStatus::Stopped)?;
        assert_eq!(house.doing(), both(Exited));
        assert_eq!(house.remove("shop").await?, None);
        assert_eq!(house.there(), []);
        Ok(())
    })
}

#[test]
fn a_removal_that_finds_containers_without_labels_says_so_and_goes_on_after_their_adoption() -> Checked {
    in_virtual_time(async {
        let house = Household::open(&shop("running"), Labels::Absent).await?;
        let before = house.there();
        let definition = house.definition("stack:shop").await?;
        let status = house.remove("shop").await?.ok_or("it is said to be removed")?;
        assert_eq!(status.overall_status, StackStatus::Deleting);
        assert!(told(&status).contains("`graphium adopt`"), "{status:#?}");
        assert_eq!(house.there(), before, "they are not ours to remove");
        is_well(&house.adopt(&definition, &[]).await?, StackStatus::Running)?;
        assert_eq!(house.remove("shop").await?, None);
        assert_eq!(house.there(), []);
        Ok(())
    })
}
