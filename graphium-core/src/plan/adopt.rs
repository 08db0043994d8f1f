//! Taking containers that run already into a stack, as they are.

use super::{
    Applied, Options, Plan, PlannedTask, Told,
    before::{Before, BeforeMembers},
    hosts::Hosts,
    layout,
    members::instances,
    task::{Tasks, task},
};
use crate::{
    action::{Action, AdoptAim},
    diagnostic::Diagnostic,
    id::HostId,
    inventory::Inventory,
    runtime::{Adoption, ContainerSpec, LiveSettings, SpecHasher, label},
    stack::{Container, Stack},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// A container that runs, and the one of a stack that it is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Adoptee {
    /// Its name within the stack.
    pub container: String,
    /// The host that it is on.
    pub host_id: HostId,
    /// The engine's id.
    pub container_id: String,
    /// The name that it has on its engine now.
    pub container_name: String,
    /// The name that it gets.
    pub engine_name: String,
    /// The stack that it bore the label of; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
}

/// The containers of a stack, replicas counted out: the name within the stack, the definition, and the number among replicas.
///
/// # Example
/// ```
/// use graphium_core::plan::{adoptable, fixtures::{container, stack}};
/// use graphium_core::stack::Container;
///
/// let web = Container { replicas: Some(2), ..container("web") };
/// let names: Vec<String> = adoptable(&stack("shop", vec![web])).into_iter().map(|(name, _, _)| name).collect();
/// assert_eq!(names, ["web-1", "web-2"]);
/// ```
pub fn adoptable(stack: &Stack) -> Vec<(String, Arc<Container>, usize)> {
    let each = stack.containers.iter().flat_map(|definition| {
        let names = instances(definition).enumerate();
        names.map(move |(number, name)| (name.into_owned(), Arc::clone(definition), number + 1))
    });
    each.collect()
}

/// What compares containers that run with what a stack wants of them; nothing is changed by it.
///
/// `own` are the other containers of the stack, where they are.
pub fn plan_comparison(
    desired: &Stack,
    observed: &Inventory,
    adoptees: &[Adoptee],
    own: &BTreeMap<String, HostId>,
) -> Vec<PlannedTask> {
    let applied = as_adopted(desired, adoptees, own);
    let hosts = Hosts::known(observed);
    let members = BeforeMembers::of(&applied);
    let before = members.laid_out(&hosts);
    let adopted = Adopted::of(&before, adoptees);
    let mut tasks = Tasks::default();
    adopted.each(AdoptAim::Compare, |task, _| {
        tasks.add(task, []);
    });
    tasks.finish()
}

/// Plans to take containers that run into a stack, all of them or none: each is compared before the first is touched. None is
/// stopped, started or made anew.
///
/// `own` are the other containers of the stack, where they are. Afterwards the plan of the stack is empty, but for what `aim`
/// lets differ and for containers that it has besides.
///
/// # Errors
///
/// Everything that stands against the stack being so.
///
/// # Example
/// ```
/// use graphium_core::action::{Action, AdoptAim};
/// use graphium_core::plan::{self, Adoptee, Applied, Options};
/// use graphium_core::plan::fixtures::{carried_out, container, foreign, hosts, stack};
/// use graphium_core::inventory::Inventory;
/// use std::{collections::BTreeMap, slice};
///
/// let shop = stack("shop", vec![container("web")]);
/// let names: Vec<String> = plan::adoptable(&shop).into_iter().map(|(name, _, _)| name).collect();
/// assert_eq!(names, ["web"]);
///
/// // Somebody runs it already, under another name.
/// let inventory = Inventory { containers: vec![foreign("old-web", "vm1", None)], ..hosts(1) };
/// let adoptee = Adoptee {
///     container: "web".to_owned(),
///     host_id: "vm1".into(),
///     container_id: inventory.containers[0].id.clone(),
///     container_name: "old-web".to_owned(),
///     engine_name: shop.engine_name("web"),
///     was: None,
/// };
/// let compared = plan::plan_comparison(&shop, &inventory, slice::from_ref(&adoptee), &BTreeMap::new());
/// assert!(matches!(&compared[0].action, Action::Adopt { aim: AdoptAim::Compare, .. }));
///
/// let plan = plan::plan_adoption(&shop, None, &inventory, &[adoptee], &BTreeMap::new(), AdoptAim::Equal).unwrap();
/// assert_eq!(plan.placements["web"].as_str(), "vm1");
/// let there = carried_out(&plan, inventory);
/// assert_eq!(there.containers[0].name, "shop-web");
/// ```
pub fn plan_adoption(
    desired: &Stack,
    applied: Option<&Applied>,
    observed: &Inventory,
    adoptees: &[Adoptee],
    own: &BTreeMap<String, HostId>,
    aim: AdoptAim,
) -> Result<Plan, Vec<Diagnostic>> {
    let wanted = as_adopted(desired, adoptees, own);
    let hosts = Hosts::known(observed);
    let members = BeforeMembers::of(&wanted);
    let before = members.laid_out(&hosts);
    let adopted = Adopted::of(&before, adoptees);
    // What a deployment would find afterwards.
    let options = Options { keep: wanted.placements.clone(), ..Options::default() };
    let after = super::plan(desired, applied, &adopted.imagined(observed), &options)?;

    let mut tasks = Tasks::default();
    let mut compared = Vec::new();
    let first = if aim == AdoptAim::Equal { AdoptAim::Verify } else { AdoptAim::Compare };
    adopted.each(first, |task, _| compared.push(tasks.add(task, [])));
    let mut networks: BTreeMap<HostId, usize> = BTreeMap::new();
    adopted.each(aim, |adoption, spec| {
        let mut first = compared.clone();
        if spec.container.network_mode.is_none()
            && let Some(network) = layout::network(desired)
        {
            let host = adoption.host.clone();
            let made = *networks.entry(host).or_insert_with_key(|host| {
                let why = format!("`{}` is reached by name on it", adoption.container.as_deref().unwrap_or_default());
                let action = Action::Network { spec: Box::new(network) };
                tasks.add(task(format!("network:{host}"), action, host, why), compared.iter().copied())
            });
            first.push(made);
        }
        tasks.add(adoption, first);
    });
    Ok(Plan {
        stack: desired.id.clone(),
        stack_name: desired.name.clone(),
        tasks: tasks.finish(),
        placements: after.placements,
        unchanged: own.keys().cloned().collect(),
        changes: Vec::new(),
        staying: BTreeMap::new(),
        endpoints: after.endpoints,
        choices: Vec::new(),
        warnings: after.warnings,
    })
}

/// The stack as it is once all are its own.
fn as_adopted(desired: &Stack, adoptees: &[Adoptee], own: &BTreeMap<String, HostId>) -> Applied {
    let adopted = adoptees.iter().map(|one| (one.container.clone(), one.host_id.clone()));
    let own = own.iter().map(|(name, host)| (name.clone(), host.clone()));
    Applied { stack: desired.clone(), placements: own.chain(adopted).collect() }
}

/// What each would be if we had made it.
struct Adopted<'a> {
    list: Vec<(&'a Adoptee, Box<ContainerSpec>, Told)>,
}

impl<'a> Adopted<'a> {
    fn of(before: &Before<'_, '_>, adoptees: &'a [Adoptee]) -> Self {
        let mut hasher = SpecHasher::default();
        let list = adoptees.iter().filter_map(|one| {
            let mut spec = before.container(&one.container, &one.host_id)?;
            spec.hash = Some(hasher.hash(&spec));
            let told = Told::of(&spec, before.definition(&one.container)?);
            Some((one, spec, told))
        });
        Self { list: list.collect() }
    }

    fn each(&self, aim: AdoptAim, mut take: impl FnMut(PlannedTask, &ContainerSpec)) {
        for (one, spec, told) in &self.list {
            let action = Action::Adopt {
                spec: spec.clone(),
                container: one.container_id.clone(),
                name: one.container_name.clone(),
                was: one.was.clone(),
                told: told.clone(),
                aim,
            };
            let (verb, why) = match aim {
                AdoptAim::Compare | AdoptAim::Verify => ("compare", format!("`{}` may become it", one.container_name)),
                AdoptAim::Equal | AdoptAim::AsItIs => ("adopt", format!("runs as `{}`", one.container_name)),
            };
            let id = format!("{verb}:{}", one.container);
            take(task(id, action, &one.host_id, why).of_container(&one.container), spec);
        }
    }

    /// What is seen afterwards.
    fn imagined(&self, observed: &Inventory) -> Inventory {
        let mut imagined = observed.clone();
        for seen in &mut imagined.containers {
            let is_it = |one: &Adoptee| one.host_id == seen.hosted_on && one.container_id == seen.id;
            if let Some((one, spec, _)) = self.list.iter().find(|(one, ..)| is_it(one)) {
                let adoption = Adoption::of(&one.container_id, spec);
                seen.name.clone_from(&spec.name);
                seen.labels.retain(|key, _| !label::is_ours(key));
                seen.labels.extend(adoption.labels);
                // Agents tell them of what is ours; of this one they compare them on its host.
                seen.settings = seen.settings.or_else(|| Some(LiveSettings::of(&spec.container)));
            }
        }
        imagined
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
    use super::*;
    use crate::plan::fixtures::{container, foreign, hosts, stack};

    #[test]
    fn settings_that_no_agent_tells_of_yet_are_compared_on_the_host_and_no_reason_to_warn() {
        let shop = stack("shop", vec![container("web")]);
        let mut inventory = hosts(1);
        inventory.containers.push(foreign("old-web", "vm1", None));
        let adoptee = Adoptee {
            container: "web".to_owned(),
            host_id: "vm1".into(),
            container_id: inventory.containers[0].id.clone(),
            container_name: "old-web".to_owned(),
            engine_name: shop.engine_name("web"),
            was: None,
        };
        let plan = plan_adoption(&shop, None, &inventory, &[adoptee], &BTreeMap::new(), AdoptAim::Equal).unwrap();
        assert_eq!(plan.warnings, []);
        assert!(plan.tasks.iter().any(|task| matches!(task.action, Action::Adopt { aim: AdoptAim::Verify, .. })));
    }
}
