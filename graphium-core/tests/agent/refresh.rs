//! A container that gives way because its tag names another image by now.

use crate::bed::{Bed, deploy, spec};
use graphium_core::{
    action::{Action, Refresh},
    runtime::RuntimeError,
    stack::{PullPolicy, UpdateOrder},
    task::{Task, TaskStatus},
    testing::{Operation, Program},
};

const ORDERS: [UpdateOrder; 2] = [UpdateOrder::StopFirst, UpdateOrder::StartFirst];

fn update(order: UpdateOrder, refresh: Refresh) -> Action {
    Action::Update { spec: Box::new(spec("web")), order, refresh }
}

fn pull() -> Action {
    Action::Pull { image: "web:1".to_owned(), platform: None, policy: PullPolicy::Always }
}

async fn done(bed: &Bed, action: Action) -> Task {
    let [id] = bed.submit([action]).await.try_into().unwrap();
    let task = bed.end_of(&id).await;
    assert_eq!(task.status, TaskStatus::Completed, "{task:?}");
    task
}

/// The engine's id of the one container that there is, the id of its image, and whether it runs.
fn there(bed: &Bed) -> (String, Option<String>, bool) {
    let [seen] = bed.runtime.containers().try_into().unwrap();
    let runs = seen.observed.exit_code.is_none();
    (seen.observed.id, seen.image_id, runs)
}

/// With `web` deployed: what these do one after another.
fn after(script: impl AsyncFnOnce(&Bed)) {
    let bed = Bed::new();
    let (_, ended) = bed.serve(async {
        done(&bed, deploy("web")).await;
        script(&bed).await;
    });
    ended.unwrap();
}

#[test]
fn one_whose_image_is_the_same_is_left_as_it_is() {
    for order in ORDERS {
        for refresh in [Refresh::Never, Refresh::IfMoved, Refresh::OnlyIfMoved] {
            after(async |bed| {
                let before = there(bed);
                done(bed, pull()).await;
                bed.runtime.clear_calls();
                done(bed, update(order, refresh)).await;
                assert_eq!(there(bed), before, "{order:?} {refresh:?}");
                let calls = bed.calls();
                let changes = ["create web.NEXT", "stop", "remove", "rename"];
                assert!(!calls.iter().any(|call| changes.iter().any(|word| call.starts_with(word))), "{calls:?}");
            });
        }
    }
}

#[test]
fn one_that_has_ended_is_started_where_that_is_wanted_and_its_image_is_the_same() {
    for (refresh, runs) in [(Refresh::IfMoved, true), (Refresh::OnlyIfMoved, false)] {
        after(async |bed| {
            let (id, ..) = there(bed);
            bed.runtime.exit("web", 0);
            done(bed, update(UpdateOrder::StopFirst, refresh)).await;
            let after = there(bed);
            assert_eq!((after.0, after.2), (id, runs), "{refresh:?}");
        });
    }
}

#[test]
fn one_whose_tag_names_another_image_gives_way_once_that_is_there() {
    for order in ORDERS {
        for refresh in [Refresh::IfMoved, Refresh::OnlyIfMoved] {
            after(async |bed| {
                let before = there(bed);
                bed.runtime.move_tag("web:1", Program::runs());
                done(bed, update(order, refresh)).await;
                assert_eq!(there(bed), before, "{order:?} {refresh:?}: nobody has pulled it");
                done(bed, pull()).await;
                done(bed, update(order, Refresh::Never)).await;
                assert_eq!(there(bed), before, "{order:?} {refresh:?}: nobody has asked for it");
                bed.runtime.clear_calls();
                done(bed, update(order, refresh)).await;
                let after = there(bed);
                assert!(after.0 != before.0 && after.1 != before.1 && after.2, "{order:?} {refresh:?}: {after:?}");
                let begins = if order == UpdateOrder::StartFirst { "create web.NEXT" } else { "stop web" };
                let calls = bed.calls();
                let first = calls.iter().find(|call| !call.starts_with("inspect") && !call.starts_with("pull"));
                assert_eq!(first.map(String::as_str), Some(begins), "{calls:?}");
                done(bed, update(order, refresh)).await;
                assert_eq!(there(bed).0, after.0, "once");
            });
        }
    }
}

#[test]
fn one_whose_new_image_fails_runs_on_from_the_old_one_whatever_the_order() {
    for (order, stops, fate) in
        [(UpdateOrder::StopFirst, 1, "the one before it runs again"), (UpdateOrder::StartFirst, 0, "is as it was")]
    {
        after(async |bed| {
            let before = there(bed);
            bed.runtime.move_tag("web:1", Program::exits(3).saying(["no configuration"]));
            done(bed, pull()).await;
            let [id] = bed.submit([update(order, Refresh::OnlyIfMoved)]).await.try_into().unwrap();
            let error = bed.end_of(&id).await.error.unwrap();
            assert!(error.message.contains("exited with code 3") && error.message.ends_with(fate), "{error:?}");
            assert_eq!(error.log, ["no configuration"]);
            assert_eq!((there(bed), bed.runtime.effects("web").stopped), (before, stops), "{order:?}");
            // What goes back to its definition finds it so.
            done(bed, update(order, Refresh::Never)).await;
            assert_eq!(bed.runtime.effects("web").stopped, stops, "{order:?}");
        });
    }
}

#[test]
fn a_refresh_that_is_broken_off_anywhere_is_finished_by_the_next_attempt() {
    let steps = [Operation::Stop, Operation::Create, Operation::Start, Operation::Rename, Operation::Remove];
    for (order, step, has_effect) in
        ORDERS.into_iter().flat_map(|order| steps.map(|step| [(order, step, false), (order, step, true)])).flatten()
    {
        after(async |bed| {
            bed.runtime.move_tag("web:1", Program::runs());
            done(bed, pull()).await;
            let old = there(bed);
            if has_effect {
                bed.runtime.lose_next_answer(step);
            } else {
                let (endpoint, reason) = ("unix:///run/docker.sock".to_owned(), "it is away".to_owned());
                bed.runtime.fail_next(step, RuntimeError::Unreachable { endpoint, reason });
            }
            let action = update(order, Refresh::OnlyIfMoved);
            let [id] = bed.submit_with([action], |task| task.max_retries = 3).await.try_into().unwrap();
            let task = bed.end_of(&id).await;
            assert_eq!(task.status, TaskStatus::Completed, "{order:?} {step} {has_effect}: {task:?}");
            let new = there(bed);
            assert!(new.0 != old.0 && new.1 != old.1 && new.2, "{order:?} {step} {has_effect}: {new:?}");
        });
    }
}
