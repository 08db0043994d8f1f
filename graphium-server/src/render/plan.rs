//! A plan for people: host by host, each task with its reason.

use super::{Style, Table, count, printable};
use graphium_core::{
    id::HostId,
    plan::{Endpoint, PlannedTask, SealedPlan},
    stack::Protocol,
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

/// The lines of a plan: what is done on which host and why, what stays, where the ports will answer.
pub(crate) fn plan(plan: &SealedPlan, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    if plan.is_empty() {
        lines.push(format!("stack `{}` is up to date: nothing to do", printable(&plan.stack_name)));
    } else {
        let mut hosts: BTreeMap<&HostId, Vec<&PlannedTask>> = BTreeMap::new();
        for task in &plan.tasks {
            hosts.entry(&task.host).or_default().push(task);
        }
        let (tasks, machines) = (count(plan.tasks.len(), "task"), count(hosts.len(), "host"));
        let hash = plan.hash.get(..12).unwrap_or(&plan.hash);
        lines.push(format!("stack `{}`: {tasks} on {machines} (plan {hash})", printable(&plan.stack_name)));
        let containers: HashMap<&str, (&str, &HostId)> = plan
            .tasks
            .iter()
            .filter_map(|task| Some((task.id.as_str(), (task.container.as_deref()?, &task.host))))
            .collect();
        for (host, tasks) in hosts {
            lines.push(String::new());
            lines.push(style.bold(&printable(host.as_str())));
            lines.extend(table(&tasks, &containers).lines(style).into_iter().map(|line| format!("  {line}")));
        }
    }
    if !plan.unchanged.is_empty() && !plan.is_empty() {
        lines.push(String::new());
        lines.push(format!("{} unchanged", plan.unchanged.len()));
    }
    if !plan.endpoints.is_empty() {
        lines.push(String::new());
        let mut table = Table::default();
        for endpoint in &plan.endpoints {
            table.row([format!("  {}", endpoint.container), url(endpoint)]);
        }
        lines.extend(table.lines(style));
    }
    lines
}

fn table(tasks: &[&PlannedTask], containers: &HashMap<&str, (&str, &HostId)>) -> Table {
    let mut table = Table::default();
    for task in tasks {
        let what = task.container.as_deref().unwrap_or_else(|| task.action.subject());
        // That a container comes after its own image and network goes without saying.
        let others = task.depends_on.iter().filter_map(|id| containers.get(id.as_str()));
        let others: BTreeSet<Cow<'_, str>> = others
            .filter_map(|(name, host)| match *name == what {
                false => Some(Cow::Borrowed(*name)),
                // One that moves is there before it goes here.
                true => (**host != task.host).then(|| Cow::Owned(format!("{name} on {host}"))),
            })
            .collect();
        let after = if others.is_empty() { String::new() } else { format!("after {}", brief(&others)) };
        table.row([task.action.task_type().as_str(), what, &task.why, &after]);
    }
    table
}

/// The first few of some names.
fn brief(names: &BTreeSet<Cow<'_, str>>) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let more = names.len() - shown.len();
    let shown = shown.join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

/// Where a published port answers, as one would type it.
pub(crate) fn url(endpoint: &Endpoint) -> String {
    let host = match endpoint.ip_address {
        Some(address @ std::net::IpAddr::V6(_)) => format!("[{address}]"),
        Some(address) => address.to_string(),
        None => endpoint.host.to_string(),
    };
    match (endpoint.host_port, endpoint.protocol) {
        (None, _) => format!("{host}, port chosen by the engine for {}", endpoint.container_port),
        (Some(80), Protocol::Tcp) => format!("http://{host}"),
        (Some(443), Protocol::Tcp) => format!("https://{host}"),
        (Some(port), Protocol::Tcp) => format!("http://{host}:{port}"),
        (Some(port), protocol) => format!("{host}:{port}/{}", protocol.as_str()),
    }
}
