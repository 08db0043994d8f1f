//! The hash of a plan.

use super::{Plan, PlannedTask, SealedPlan};
use crate::{
    action::{Action, Refresh},
    runtime::{LiveSettings, SpecHasher, hex, push_count},
    stack::UpdateOrder,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::io::Write as _;

impl Plan {
    /// The plan with its hash, and every specification with its [own](crate::runtime::ContainerSpec::hash), all made anew.
    ///
    /// A sealed plan is as it was made if sealing it again gives the hash that it bears. Linear in the plan's size; planning
    /// itself hashes only what it compares.
    #[must_use]
    pub fn sealed(mut self) -> SealedPlan {
        let mut seal = Seal::default();
        seal.text(self.stack.as_str());
        seal.text(&self.stack_name);
        for task in &mut self.tasks {
            seal.task(task);
        }
        for (container, host) in &self.placements {
            seal.text(container);
            seal.text(host.as_str());
        }
        seal.json(&(&self.unchanged, &self.changes, &self.endpoints));
        SealedPlan { hash: seal.finish(), plan: self }
    }
}

/// Feeds a hasher in chunks: many short texts cost a call each otherwise.
#[derive(Default)]
struct Seal {
    hasher: Sha256,
    pending: Vec<u8>,
    specs: SpecHasher,
}

impl Seal {
    const CHUNK: usize = 4096;

    fn task(&mut self, task: &mut PlannedTask) {
        self.text(task.id.as_str());
        self.action(Some(&mut task.action));
        self.text(task.host.as_str());
        self.text(task.container.as_deref().unwrap_or_default());
        self.count(task.depends_on.len());
        task.depends_on.iter().for_each(|id| self.text(id.as_str()));
        self.text(&task.why);
        self.action(task.undo.as_mut());
    }

    /// A specification counts by its hash; everything else is small enough to be written out.
    fn action(&mut self, action: Option<&mut Action>) {
        let Some(action) = action else { return self.text("") };
        self.text(action.task_type().as_str());
        if let Action::Update { order: order @ UpdateOrder::StartFirst, .. } = action {
            self.json(order);
        }
        if let Action::Update { refresh: refresh @ (Refresh::IfMoved | Refresh::OnlyIfMoved), .. } = action {
            self.json(refresh);
        }
        match action {
            Action::Deploy { spec } | Action::Update { spec, .. } => {
                let hash = self.specs.hash(spec);
                spec.hash = Some(hash);
                self.pending.extend_from_slice(hash.as_bytes());
                self.json(&spec.container.pull_policy);
                self.settings(&LiveSettings::of(&spec.container));
            }
            Action::Adopt { spec, container, name, was, told, aim } => {
                let hash = self.specs.hash(spec);
                spec.hash = Some(hash);
                self.pending.extend_from_slice(hash.as_bytes());
                self.settings(&LiveSettings::of(&spec.container));
                self.json(&(container, name, was, told, aim));
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
            push_count(&mut self.pending, limit.unwrap_or(0).cast_unsigned());
        }
    }

    fn count(&mut self, count: usize) {
        push_count(&mut self.pending, count as u64);
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
