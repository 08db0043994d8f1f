//! The hash of a plan.

use super::{Plan, PlannedTask};
use crate::{
    action::Action,
    runtime::{ContainerSpec, LiveSettings, SpecHash, hex},
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::io::Write as _;

/// Seals a plan whose specifications were just given their hashes.
pub(super) fn sealed(plan: Plan) -> Plan {
    seal(plan, ContainerSpec::planned_hash)
}

/// Seals a plan from anywhere: every specification is hashed anew.
pub(super) fn sealed_anew(plan: Plan) -> Plan {
    seal(plan, ContainerSpec::digest)
}

fn seal(mut plan: Plan, of: impl Fn(&ContainerSpec) -> SpecHash) -> Plan {
    let mut seal = Seal { hasher: Sha256::new(), pending: Vec::with_capacity(Seal::CHUNK * 2) };
    seal.text(plan.stack.as_str());
    seal.text(&plan.stack_name);
    for task in &plan.tasks {
        seal.task(task, &of);
    }
    for (container, host) in &plan.placements {
        seal.text(container);
        seal.text(host.as_str());
    }
    seal.json(&(&plan.unchanged, &plan.changes, &plan.endpoints, &plan.warnings));
    plan.hash = seal.finish();
    plan
}

/// Feeds a hasher in chunks: many short texts cost a call each otherwise.
struct Seal {
    hasher: Sha256,
    pending: Vec<u8>,
}

impl Seal {
    const CHUNK: usize = 4096;

    fn task(&mut self, task: &PlannedTask, of: &impl Fn(&ContainerSpec) -> SpecHash) {
        self.text(&task.id);
        self.action(Some(&task.action), of);
        self.text(task.host.as_str());
        self.text(task.container.as_deref().unwrap_or_default());
        self.count(task.depends_on.len());
        task.depends_on.iter().for_each(|id| self.text(id));
        self.text(&task.why);
        self.action(task.undo.as_ref(), of);
    }

    /// A specification counts by its hash; everything else is small enough to be written out.
    fn action(&mut self, action: Option<&Action>, of: &impl Fn(&ContainerSpec) -> SpecHash) {
        let Some(action) = action else { return self.text("") };
        self.text(action.task_type().as_str());
        match action {
            Action::Deploy { spec } | Action::Update { spec } => {
                self.text(&spec.name);
                self.pending.extend_from_slice(of(spec).as_bytes());
                self.settings(&LiveSettings::of(&spec.container));
            }
            Action::Delete { name } => self.text(name),
            other => self.json(other),
        }
    }

    /// What a specification's hash leaves out.
    fn settings(&mut self, settings: &LiveSettings) {
        if let Some(policy) = settings.restart_policy {
            // Memory takes all that is written to it; the length of nothing behind it ends the word.
            let _ = write!(self.pending, "{policy}");
        }
        self.text("");
        for limit in settings.limits() {
            self.pending.extend_from_slice(&limit.unwrap_or(0).to_le_bytes());
        }
    }

    fn count(&mut self, count: usize) {
        self.pending.extend_from_slice(&(count as u64).to_le_bytes());
    }

    /// A text behind its length, so that no two sequences of texts look alike.
    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.pending.extend_from_slice(text.as_bytes());
        if self.pending.len() >= Self::CHUNK {
            self.hasher.update(&self.pending);
            self.pending.clear();
        }
    }

    fn json(&mut self, value: &impl Serialize) {
        // Only strings, finite numbers and maps with text keys: it always serialises.
        let _ = serde_json::to_writer(&mut self.pending, value);
        self.text("");
    }

    fn finish(mut self) -> String {
        self.hasher.update(&self.pending);
        hex(&self.hasher.finalize())
    }
}
