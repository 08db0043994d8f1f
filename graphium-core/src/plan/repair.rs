//! Bringing back containers of a stack that should run and do not, and nothing else.

use super::{
    Applied, Options, Plan, PlannedTask,
    before::BeforeMembers,
    deploy::Draft,
    hosts::{Hosts, Seen},
};
use crate::{
    action::{Action, Refresh},
    inventory::Inventory,
    stack::{OnFailure, PullPolicy, Update},
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// Plans what brings back the named containers (by their names within the stack), each where it was, as the revision that was
/// applied last has them.
///
/// One that is there is started again, one that is gone is made again, with the image that its host has. What else differs
/// from the revision stays as it is, and nothing is waited for but by the named ones for one another: what they depend on
/// beside them may be in any state, for all of it has been well before.
///
/// # Example
/// ```
/// use graphium_core::plan::{self, Applied, Options};
/// use graphium_core::plan::fixtures::{carried_out, container, hosts, stack};
/// use std::collections::BTreeSet;
///
/// let shop = stack("shop", vec![container("db"), container("web")]);
/// let plan = plan::plan(&shop, None, &hosts(1), &Options::default()).unwrap();
/// let mut there = carried_out(&plan, hosts(1));
/// let applied = Applied { stack: shop, placements: plan.placements };
///
/// // Somebody has removed one of the two; the other one is left alone.
/// there.containers.retain(|seen| seen.name != "shop-web");
/// let repair = plan::plan_repair(&applied, &BTreeSet::from(["web".to_owned()]), &there);
/// assert!(repair.tasks.iter().any(|task| task.id == "deploy:web"));
/// assert!(!repair.tasks.iter().any(|task| task.container.as_deref() == Some("db")));
/// ```
pub fn plan_repair(applied: &Applied, broken: &BTreeSet<String>, observed: &Inventory) -> Plan {
    // Nothing gives way to what comes back: there are no waves, and no health to wait for.
    let mut applied = applied.clone();
    applied.stack.deployment.update =
        Update { max_parallel: u32::MAX, on_failure: Some(OnFailure::Pause), ..Update::default() };
    let hosts = Hosts::known(observed);
    let seen = Seen::of(observed, &applied.stack.id, &applied.stack.name);
    let members = BeforeMembers::of(&applied);
    let before = members.laid_out(&hosts);
    let options = Options::default();
    let mut draft = Draft::new(members.laid_out(&hosts).layout, Some(&applied), &hosts, &seen, &options);
    draft.limit_to(|name| broken.contains(name));
    draft.before = Some(&before);
    let (unchanged, placements, endpoints) = (draft.unchanged(), draft.placements(), draft.endpoints());
    let mut tasks = draft.tasks(&options, &mut Vec::new());
    tasks.iter_mut().for_each(take_what_is_there);
    Plan {
        stack: applied.stack.id.clone(),
        stack_name: applied.stack.name.clone(),
        tasks: without_checks_of_others(tasks, broken),
        placements,
        staying: BTreeMap::new(),
        unchanged,
        changes: Vec::new(),
        choices: Vec::new(),
        endpoints,
        warnings: Vec::new(),
    }
}

/// An image that is there does, whatever a registry has by now: this is no update.
fn take_what_is_there(task: &mut PlannedTask) {
    match &mut task.action {
        Action::Pull { policy: policy @ PullPolicy::Always, .. } => *policy = PullPolicy::IfNotPresent,
        Action::Update { refresh, .. } => *refresh = Refresh::Never,
        Action::Deploy { .. } => task.why = Cow::Borrowed("is gone and should run"),
        _ => {}
    }
}

/// Of what is not broken nothing is waited for.
fn without_checks_of_others(tasks: Vec<PlannedTask>, broken: &BTreeSet<String>) -> Vec<PlannedTask> {
    let is_of_another = |task: &PlannedTask| {
        matches!(task.action, Action::Check { .. })
            && !task.container.as_ref().is_some_and(|name| broken.contains(name))
    };
    let (left_out, mut tasks): (Vec<_>, Vec<_>) = tasks.into_iter().partition(is_of_another);
    let left_out: BTreeSet<_> = left_out.into_iter().map(|task| task.id).collect();
    for task in &mut tasks {
        task.depends_on.retain(|first| !left_out.contains(first));
    }
    tasks
}
