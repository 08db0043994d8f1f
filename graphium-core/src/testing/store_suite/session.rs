//! Sessions: one agent per host, the newest.

use super::{
    fixture::{at, done, on, start},
    trial::{Trial, Verdict, equal, hold, ids, lease, lost, nth},
};
use crate::{
    store::{Session, StoreError},
    task::{Input, TaskStatus},
};

pub(super) async fn epochs_grow_and_pass_what_was_seen(trial: Trial<'_>) -> Verdict {
    let first = trial.session("vm1", "a", 0).await?;
    let second = trial.session("vm1", "b", 0).await?;
    let third = trial.session("vm1", "c", 50).await?;
    let fourth = trial.session("vm1", "d", 3).await?;
    let other = trial.session("vm2", "a", 0).await?;
    hold(first.epoch > 0 && second.epoch > first.epoch, || format!("{second:?} after {first:?}"))?;
    hold(third.epoch > 50 && fourth.epoch > third.epoch, || format!("{fourth:?} after {third:?}"))?;
    hold(other.epoch > 0, || format!("{other:?}"))
}

pub(super) async fn a_nonce_gets_its_epoch_again(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a")]).await?;
    let first = trial.session("vm1", "a", 0).await?;
    let held = trial.claim(&first, "c", 1).await?;
    equal("session", &trial.session("vm1", "a", first.epoch).await?, &first)?;
    trial.report(nth(&held, 0)?, done(), 2).await?;
    trial.session("vm1", "b", 0).await?;
    let late = trial.session("vm1", "a", 0).await?;
    hold(late.epoch > first.epoch, || "a nonce that is not the newest got its epoch again".to_owned())
}

pub(super) async fn an_older_session_claims_nothing(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a")]).await?;
    let nobody = Session { host: "vm1".into(), epoch: 0, nonce: String::new() };
    let result = trial.claim(&nobody, "c0", 1).await;
    hold(matches!(result, Err(StoreError::SessionLost { .. })), || format!("without a session: {result:?}"))?;
    let old = trial.session("vm1", "a", 0).await?;
    let new = trial.session("vm1", "b", 0).await?;
    let result = trial.claim(&old, "c1", 1).await;
    let wanted = StoreError::SessionLost { host: "vm1".to_owned(), epoch: old.epoch, newest: new.epoch };
    equal("older session", &result, &Err(wanted))?;
    equal("newer session", &ids(&trial.claim(&new, "c2", 1).await?), &["a"])
}

pub(super) async fn a_newer_session_ends_the_leases_of_the_older(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a")]).await?;
    let old = trial.session("vm1", "a", 0).await?;
    let held = trial.claim(&old, "c1", 1).await?;
    let new = trial.session("vm1", "b", 0).await?;
    trial.stand(&[("a", TaskStatus::Pending)]).await?;
    let lease = lease(nth(&held, 0)?)?;
    lost(trial.act("a", Input::Renew { lease: lease.clone(), expires_at: at(90), progress: None }, 2).await)?;
    equal("renewed", &ids(&trial.store.renew(&[lease], at(90)).await?), &[] as &[&str])?;
    let again = trial.claim(&new, "c2", 3).await?;
    equal("attempt", &again.iter().map(|task| task.attempt).collect::<Vec<_>>(), &[2])?;
    trial.report(nth(&again, 0)?, done(), 4).await?;
    trial.stand(&[("a", TaskStatus::Completed)]).await
}

pub(super) async fn a_session_of_one_host_leaves_the_others_alone(trial: Trial<'_>) -> Verdict {
    trial.submit(vec![start("a"), on("vm2", start("b"))]).await?;
    let one = trial.session("vm1", "n", 0).await?;
    let two = trial.session("vm2", "n", 7).await?;
    trial.claim(&one, "c1", 1).await?;
    let held = trial.claim(&two, "c2", 1).await?;
    trial.session("vm1", "m", 0).await?;
    trial.stand(&[("a", TaskStatus::Pending), ("b", TaskStatus::Assigned)]).await?;
    equal("the other's session", &trial.session("vm2", "n", 7).await?, &two)?;
    trial.report(nth(&held, 0)?, done(), 2).await?;
    trial.stand(&[("b", TaskStatus::Completed)]).await
}

pub(super) async fn a_nonce_does_not_keep_an_epoch_below_what_was_seen(trial: Trial<'_>) -> Verdict {
    let first = trial.session("vm1", "a", 0).await?;
    // The same agent, after the store was put back to an older state: what the agent has seen counts.
    let second = trial.session("vm1", "a", first.epoch + 5).await?;
    hold(second.epoch > first.epoch + 5, || format!("{second:?} after {} was seen", first.epoch + 5))
}
