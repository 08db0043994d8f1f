//! The host's own word on what it is asked to make.

use super::{Job, Trouble};
use crate::{
    admission::Denied,
    runtime::{ContainerSpec, label},
    task::TaskError,
};
use std::collections::BTreeSet;

impl Job<'_> {
    /// Refuses a container that reaches further than this host allows, whatever the control plane has allowed.
    pub(super) async fn admit(&self, spec: &ContainerSpec) -> Result<(), Trouble> {
        let container = &spec.container;
        let modes = [&container.network_mode, &container.pid, &container.ipc];
        let others = modes.into_iter().filter_map(|mode| mode.as_deref()?.strip_prefix("container:"));
        let mut own = BTreeSet::new();
        for name in others {
            let found = self.runtime().inspect(name).await?;
            let stack =
                found.as_ref().filter(|state| state.is_managed()).and_then(|state| state.observed.label(label::STACK));
            if stack.is_some() && stack == spec.labels.get(label::STACK).map(String::as_str) {
                own.insert(name.to_owned());
            }
        }
        self.refuse(&spec.name, self.place.admission.container(container, &|name| own.contains(name)))
    }

    /// The same of what the task itself asks for, where that is no container: a network, a volume, an image.
    pub(super) fn admit_own(&self) -> Result<(), Trouble> {
        let action = &self.task.payload;
        self.refuse(action.subject(), self.place.admission.action(action, &|_| false))
    }

    fn refuse(&self, name: &str, denied: Vec<Denied>) -> Result<(), Trouble> {
        let Some(first) = denied.first() else { return Ok(()) };
        let all: Vec<_> = denied.iter().map(ToString::to_string).collect();
        let wanted: Vec<_> = denied.iter().map(|denied| format!("--allow {}", denied.wanted)).collect();
        let host = &self.place.facts.name;
        Err(Trouble::Task(TaskError {
            code: first.code().to_owned(),
            message: format!("host `{host}` refuses `{name}`: {}", all.join("; ")),
            help: Some(format!("leave it out, or start the agent of that host with `{}`", wanted.join(" "))),
            log: Vec::new(),
            retryable: false,
        }))
    }
}
