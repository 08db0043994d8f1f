//! Taking a whole stack away.

use super::{
    Applied, Options, Plan,
    before::{Before, BeforeMembers},
    hosts::{Hosts, Seen},
    layout,
    leftover::{Leftover, leftovers},
    retire::{deletions, remove_network},
    task::{Tasks, task},
    warn,
};
use crate::{
    action::Action,
    id::{HostId, StackId},
    inventory::Inventory,
};
use std::collections::{BTreeMap, BTreeSet};

/// A volume's name in the document, and the numbers of the tasks that remove who mounts it.
type Users<'b> = (&'b str, BTreeSet<usize>);

/// Plans the removal of a stack: of every container that was applied or is seen, then of its networks and, if asked for, its volumes.
///
/// Without an applied revision what is seen is removed, in no order, with the network of the stack's name.
///
/// # Example
/// ```
/// use graphium_core::plan::{self, Applied, Options};
/// use graphium_core::plan::fixtures::{carried_out, container, hosts, stack};
///
/// let shop = stack("shop", vec![container("web")]);
/// let plan = plan::plan(&shop, None, &hosts(1), &Options::default()).unwrap();
/// let there = carried_out(&plan, hosts(1));
/// let applied = Applied { stack: shop.clone(), placements: plan.placements };
///
/// let removal = plan::plan_removal(&shop.id, "shop", Some(&applied), &there, &Options::default());
/// assert!(removal.tasks.iter().any(|task| task.action.subject() == "shop-web"));
/// assert!(carried_out(&removal, there).containers.is_empty());
/// ```
pub fn plan_removal(
    stack: &StackId,
    name: &str,
    applied: Option<&Applied>,
    observed: &Inventory,
    options: &Options,
) -> Plan {
    let hosts = Hosts::known(observed);
    let seen = Seen::of(observed, stack, name);
    let members = applied.map(BeforeMembers::of);
    let before = members.as_ref().map(|members| members.laid_out(&hosts));
    let leftovers = leftovers(&seen, applied, &options.traces, |_, _, _| false);
    let mut warnings = warn::of_unknown_hosts(&leftovers, &hosts);
    let mut tasks = Tasks::default();
    let why = |_: &Leftover<'_>| "the stack is removed".to_owned();
    let deletions = deletions(&leftovers, before.as_ref(), |_, _| {}, why, &mut tasks);
    let network = match applied {
        Some(applied) => layout::network(&applied.stack).map(|spec| spec.name),
        None => Some(name.to_owned()),
    };
    if let Some(network) = network {
        let was_on = before.as_ref().map(Before::network_hosts).unwrap_or_default();
        for (host, first) in &deletions.by_host {
            tasks.add(remove_network(host, &network, before.as_ref(), &was_on), first.iter().copied());
        }
    }
    let mut volumes: BTreeMap<(&HostId, String), Users<'_>> = BTreeMap::new();
    if let Some(before) = &before {
        for leftover in &leftovers {
            for volume in warn::volumes_of(before, leftover) {
                let name = layout::volume_name(before.layout.stack, volume).into_owned();
                let (_, users) = volumes.entry((leftover.host, name)).or_insert((volume, BTreeSet::new()));
                users.extend(deletions.by_leftover.get(&(leftover.host, &*leftover.engine_name)));
            }
        }
    }
    for ((host, name), (volume, users)) in volumes {
        if options.remove_volumes {
            let why = "the stack is removed with its data";
            let id = format!("remove-volume:{host}:{name}");
            // An empty one, but of the same driver and options: what is made again mounts it.
            let spec = before.as_ref().and_then(|before| layout::volume(before.layout.stack, volume));
            let undo = spec.map(|spec| Action::Volume { spec: Box::new(spec) });
            tasks.add(task(id, Action::RemoveVolume { name }, host, why).undone_by(undo), users);
        } else {
            warnings.push(warn::volume_kept(host, &name));
        }
    }
    Plan {
        stack: stack.clone(),
        stack_name: name.to_owned(),
        tasks: tasks.finish(),
        placements: BTreeMap::new(),
        unchanged: Vec::new(),
        changes: Vec::new(),
        choices: Vec::new(),
        staying: BTreeMap::new(),
        endpoints: Vec::new(),
        warnings,
    }
}
