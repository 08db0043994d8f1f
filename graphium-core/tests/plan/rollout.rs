//! Replicas are replaced in waves.

use graphium_core::{
    action::Action,
    plan::{Applied, Options, Plan, fixtures::*, plan},
    stack::{Container, OnFailure, Stack, Update},
};

fn service(image: &str, replicas: u32, update: Update) -> Stack {
    let web = Container { image: image.to_owned(), replicas: Some(replicas), ..checked(container("web")) };
    let mut stack = stack("s", vec![web]);
    stack.deployment.update = update;
    stack
}

fn parallel(most: u32) -> Update {
    Update { max_parallel: most, ..Update::default() }
}

/// The plan from one stack that runs to another.
fn change(old: &Stack, new: &Stack, options: &Options) -> Plan {
    let first = plan(old, None, &hosts(2), options).unwrap();
    let applied = Applied { stack: old.clone(), placements: first.placements.clone() };
    plan(new, Some(&applied), &carried_out(&first, hosts(2)), options).unwrap()
}

/// What a task waits for of the containers' own tasks.
fn waits<'p>(plan: &'p Plan, id: &str) -> Vec<&'p str> {
    let task =
        plan.tasks.iter().find(|task| task.id.as_str() == id).unwrap_or_else(|| panic!("no {id} in {:?}", plan.tasks));
    let own = task.depends_on.iter().map(|id| id.as_str());
    own.filter(|id| !id.starts_with("pull") && !id.starts_with("network")).collect()
}

#[test]
fn a_wave_waits_until_the_one_before_is_healthy() {
    let (old, new) = (service("web:1", 5, parallel(2)), service("web:2", 5, parallel(2)));
    let plan = change(&old, &new, &Options::default());
    for first in ["update:web-1", "update:web-2"] {
        assert!(waits(&plan, first).is_empty());
    }
    for second in ["update:web-3", "update:web-4"] {
        assert_eq!(waits(&plan, second), ["check:web-1:healthy", "check:web-2:healthy"]);
    }
    assert_eq!(waits(&plan, "update:web-5"), ["check:web-3:healthy", "check:web-4:healthy"]);
    assert_eq!(waits(&plan, "check:web-5:healthy"), ["update:web-5"], "the last must work, too");
    let why = |id: &str| plan.tasks.iter().find(|task| task.id.as_str() == id).unwrap().why.to_string();
    assert_eq!(why("check:web-1:healthy"), "`web-3` waits until it is healthy");
    assert_eq!(why("check:web-5:healthy"), "the update has worked when it is healthy");
}

#[test]
fn without_a_word_one_is_replaced_after_the_other() {
    let (old, new) = (service("web:1", 3, Update::default()), service("web:2", 3, Update::default()));
    let plan = change(&old, &new, &Options::default());
    assert_eq!(waits(&plan, "update:web-3"), ["check:web-2:healthy"]);
    assert_eq!(waits(&plan, "update:web-2"), ["check:web-1:healthy"]);
}

#[test]
fn where_there_is_no_health_check_a_wave_waits_until_the_one_before_runs() {
    let unchecked = |image: &str| {
        let mut stack = service(image, 3, Update::default());
        let web = Container { health_check: None, ..Container::clone(&stack.containers[0]) };
        stack.containers = vec![web.into()];
        stack
    };
    let plan = change(&unchecked("web:1"), &unchecked("web:2"), &Options::default());
    assert_eq!(waits(&plan, "update:web-2"), ["update:web-1"]);
    assert!(plan.tasks.iter().all(|task| !matches!(task.action, Action::Check { .. })));
}

#[test]
fn what_takes_nothing_away_does_not_wait() {
    let first = plan(&service("web:1", 4, parallel(1)), None, &hosts(2), &Options::default()).unwrap();
    assert!(first.tasks.iter().all(|task| !matches!(task.action, Action::Check { .. })));
    assert!((1..=4).all(|number| waits(&first, &format!("deploy:web-{number}")).is_empty()));
    let (old, new) = (service("web:1", 2, parallel(1)), service("web:1", 4, parallel(1)));
    let more = change(&old, &new, &Options::default());
    assert!((3..=4).all(|number| waits(&more, &format!("deploy:web-{number}")).is_empty()));
    // Together the present ones are no more than may go at a time.
    let (old, new) = (service("web:1", 3, parallel(3)), service("web:2", 3, parallel(3)));
    let all = change(&old, &new, &Options::default());
    assert!((1..=3).all(|number| waits(&all, &format!("update:web-{number}")).is_empty()));
}

#[test]
fn those_that_move_take_their_turn_and_the_old_ones_go_when_the_new_ones_are_healthy() {
    let on = |host: &str| {
        let mut stack = service("web:1", 2, parallel(1));
        let web = Container { host: Some(host.into()), ..Container::clone(&stack.containers[0]) };
        stack.containers = vec![web.into()];
        stack
    };
    let plan = change(&on("vm1"), &on("vm2"), &Options::default());
    assert_eq!(waits(&plan, "deploy:web-2"), ["check:web-1:healthy"]);
    for name in ["web-1", "web-2"] {
        assert!(waits(&plan, &format!("delete:{name}@vm1")).contains(&&*format!("check:{name}:healthy")));
    }
}

#[test]
fn what_is_to_go_back_when_it_fails_must_become_healthy() {
    let one = |image: &str, on_failure| {
        let db = Container { image: image.to_owned(), ..checked(container("db")) };
        let mut stack = stack("s", vec![db, container("web")]);
        stack.deployment.update.on_failure = on_failure;
        stack
    };
    let checks = |on_failure, asked| {
        let options = Options { on_failure: asked, ..Options::default() };
        let plan = change(&one("db:1", on_failure), &one("db:2", on_failure), &options);
        plan.tasks.iter().filter(|task| matches!(task.action, Action::Check { .. })).count()
    };
    let back = Some(OnFailure::Rollback);
    assert_eq!((checks(back, None), checks(None, back)), (1, 1));
    assert_eq!(
        (checks(None, None), checks(back, Some(OnFailure::Pause))),
        (0, 0),
        "the request goes before the document"
    );
}
