//! The part of a plan that is on some hosts.

use super::{Plan, PlannedTask, amount::count, refuse, subject, warn::warning};
use crate::{
    diagnostic::{Diagnostic, Subject},
    id::HostId,
};
use std::collections::{BTreeMap, BTreeSet};

/// More errors than these are counted, not listed.
const LISTED: usize = 100;

impl Plan {
    /// An error for each of these hosts that nobody knows: neither those who keep the inventory nor the plan itself, which
    /// may have something to remove on a host that is forgotten.
    pub fn unknown<'h>(
        &'h self,
        asked: &BTreeSet<HostId>,
        known: impl IntoIterator<Item = &'h HostId>,
    ) -> Vec<Diagnostic> {
        let known: BTreeSet<&HostId> = known.into_iter().chain(self.hosts()).collect();
        let names: Vec<&str> = known.iter().map(|host| host.as_str()).collect();
        let unknown = asked.iter().filter(|host| !known.contains(host)).map(|host| {
            let message = format!("a plan for the host `{host}` was asked for, which is not known");
            Diagnostic::error("unknown-host", "", message).with_help(refuse::known_hosts(host, &names))
        });
        unknown.collect()
    }

    /// The hosts that have a part in it.
    fn hosts(&self) -> impl Iterator<Item = &HostId> {
        self.tasks.iter().map(|task| &task.host).chain(self.placements.values())
    }

    /// What of the plan is on these hosts, and nothing else: no task of another host is part of it.
    ///
    /// Placements, changes, endpoints and choices are those of these hosts, too; warnings stay.
    ///
    /// # Errors
    ///
    /// Where a task waits for one of another host that is still to be done, for then it could never begin.
    pub fn limited_to(mut self, hosts: &BTreeSet<HostId>) -> Result<Self, Vec<Diagnostic>> {
        let crossing = self.crossing(hosts);
        if !crossing.is_empty() {
            return Err(crossing);
        }
        let used: BTreeSet<&HostId> = self.hosts().collect();
        let idle = hosts.iter().filter(|host| !used.contains(host)).map(|host| {
            let message = format!("nothing of the stack is on `{host}`, and nothing is to be done there");
            warning("nothing-there", message).with_help("look whether its name is right: `graphium host list`")
        });
        let idle: Vec<Diagnostic> = idle.collect();
        self.warnings.extend(idle);
        let placements = std::mem::take(&mut self.placements);
        self.unchanged.retain(|name| placements.get(name).is_some_and(|host| hosts.contains(host)));
        self.placements = placements.into_iter().filter(|(_, host)| hosts.contains(host)).collect();
        self.tasks.retain(|task| hosts.contains(&task.host));
        self.changes.retain(|change| hosts.contains(&change.host));
        self.endpoints.retain(|endpoint| hosts.contains(&endpoint.host));
        self.choices.retain(|choice| hosts.contains(&choice.host));
        Ok(self)
    }

    /// What stands against doing the tasks of these hosts alone, once for each pair of tasks.
    fn crossing(&self, hosts: &BTreeSet<HostId>) -> Vec<Diagnostic> {
        let outside = self.tasks.iter().filter(|task| !hosts.contains(&task.host));
        let outside: BTreeMap<&str, &PlannedTask> = outside.map(|task| (task.id.as_str(), task)).collect();
        let inside = self.tasks.iter().filter(|task| hosts.contains(&task.host));
        let crossing = inside.flat_map(|task| {
            task.depends_on.iter().filter_map(|id| outside.get(id.as_str())).map(move |first| (task, *first))
        });
        let mut errors: Vec<Diagnostic> = Vec::new();
        let mut more = 0_usize;
        for (task, first) in crossing {
            if errors.len() == LISTED {
                more += 1;
                continue;
            }
            let (id, host) = (&first.id, &first.host);
            let message = format!("`{}` on `{}` waits for `{id}` on `{host}`, which is left out", task.id, task.host);
            let help = format!("plan for `{host}` too, or first alone");
            let on = first.container.as_deref().filter(|name| task.container.as_deref() != Some(name));
            let subject = Subject { container: task.container.clone(), property: on.map(subject::dependency) };
            errors.push(Diagnostic::error("left-out-dependency", "", message).with_help(help).about(subject));
        }
        if more > 0 {
            let verb = if more == 1 { "waits" } else { "wait" };
            let message = format!("{} {verb} for tasks of hosts that are left out", count(more, "more task"));
            let help = "plan for all hosts, or for the others first";
            let more = Diagnostic::error("left-out-dependency", "", message).with_help(help);
            errors.push(more.about(Subject::stack()));
        }
        errors
    }
}
