//! Images that are pulled anew, and what gives way because of that.

use graphium_core::{
    action::{Action, Refresh},
    inventory::{ContainerStatus, Inventory},
    plan::{LastingKind, Options, Plan, PlannedTask, fixtures::*, plan},
    stack::{Container, PullPolicy},
};

fn task<'p>(plan: &'p Plan, id: &str) -> &'p PlannedTask {
    plan.tasks.iter().find(|task| task.id == id).unwrap_or_else(|| panic!("no `{id}`"))
}

#[test]
fn options_pull_every_image_and_renew_what_it_has_moved_of() {
    let local = Container { image: "own:1".to_owned(), pull_policy: PullPolicy::Never, ..container("b") };
    let stack = stack("s", vec![container("a"), local]);
    let options = Options { pull_images: true, ..Options::default() };
    let plan_of = |inventory: &Inventory| plan(&stack, None, inventory, &options).unwrap();
    let policy = |plan: &Plan, id: &str| match &task(plan, id).action {
        Action::Pull { policy, .. } => *policy,
        other => panic!("{other:?}"),
    };
    let first = plan_of(&hosts(1));
    assert_eq!(policy(&first, "pull:vm1:nginx:alpine"), PullPolicy::Always);
    assert_eq!(policy(&first, "pull:vm1:own:1"), PullPolicy::Never, "there is no registry to ask");
    let there = carried_out(&first, hosts(1));
    assert!(plan(&stack, None, &there, &Options::default()).unwrap().is_empty());
    let again = plan_of(&there);
    assert_eq!(policy(&again, "pull:vm1:nginx:alpine"), PullPolicy::Always);
    for name in ["a", "b"] {
        let update = task(&again, &format!("update:{name}"));
        assert!(matches!(update.action, Action::Update { refresh: Refresh::OnlyIfMoved, .. }), "{update:?}");
        assert_eq!(update.why, "made anew if its image is another by now");
    }
    assert_eq!(again.unchanged, Vec::<String>::new());
    // What does not run is started, with the image that there is by then; where a registry is not asked it is the one that it had.
    let mut ended = there;
    ended.containers.iter_mut().for_each(|seen| (seen.status, seen.exit_code) = (ContainerStatus::Exited, Some(1)));
    let again = plan_of(&ended);
    let refresh = |name: &str| match &task(&again, &format!("update:{name}")).action {
        Action::Update { refresh, .. } => *refresh,
        other => panic!("{other:?}"),
    };
    assert_eq!((refresh("a"), refresh("b")), (Refresh::IfMoved, Refresh::Never));
    let undo = plan_of(&carried_out(&first, hosts(1))).undo();
    assert!(undo.lasting.iter().any(|lasting| lasting.kind == LastingKind::Tag), "{:?}", undo.lasting);
}
