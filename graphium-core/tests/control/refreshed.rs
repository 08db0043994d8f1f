//! Newer images under the names that a stack has, and the way back from them.

use crate::{
    rollback::{again, fail, options, running},
    world::shop,
};
use graphium_core::control::{DeployOptions, RevisionOutcome, RollbackState, StackStatus};

#[test]
fn images_that_do_not_run_are_taken_back_to_what_ran_of_the_same_definition() {
    let (world, _) = running();
    let (one, two) = (again(&world, "vm1"), again(&world, "vm2"));
    let failing = world.run(world.control.deploy(shop(), DeployOptions { pull_images: true, ..options() })).unwrap();
    let mut tried = Vec::new();
    for hand in [&one, &two].into_iter().cycle().take(20) {
        world.tick();
        for task in hand.claim() {
            // The one has been made anew, the other one failed, and what was there runs again.
            let asks_for_newer = serde_json::to_string(&task.payload).unwrap().contains("only-if-moved");
            if task.plan_id == "update:web" && asks_for_newer {
                fail(hand, &task);
            } else {
                hand.succeed(&task);
            }
            tried.push(task.plan_id.clone());
        }
    }
    assert!(tried.contains(&"update:db".into()) && tried.contains(&"update:web".into()), "{tried:?}");
    world.tick();
    assert_eq!(world.status("shop"), StackStatus::Running);
    let failed = world.run(world.control.deployment(&failing.deployment_id)).unwrap();
    assert_eq!((failed.rollback_state, failed.rollback_message), (Some(RollbackState::RolledBack), None));
    let way = world.run(world.control.stack("shop")).unwrap().deployment_id;
    let told = world.run(world.control.deployment(&way)).unwrap().takes_back.unwrap().reason;
    assert!(told.ends_with("; made from newer images, and left so: `shop-db`"), "{told}");
    let revisions = world.run(world.control.history("shop", None, 9)).unwrap();
    let outcomes: Vec<_> = revisions.iter().map(|revision| (revision.revision, revision.outcome)).collect();
    assert!(outcomes.contains(&(1, Some(RevisionOutcome::Ran))), "it did not fail, and runs: {outcomes:?}");
}
