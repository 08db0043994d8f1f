//! Making a container one of ours that somebody else has made, as it runs.

use super::{Job, Trouble, done, settle::word};
use crate::{
    action::AdoptAim,
    agent::step::Phase,
    inventory::ContainerStatus,
    plan::{PropertyChange, Told, deviations, need_a_new_container},
    runtime::{Adoption, ContainerSpec, ContainerState, RuntimeError, label},
    task::{TaskError, TaskResult},
};
use std::collections::BTreeSet;

/// What stands in the place of a hash where a container was adopted that differs: it is that of no definition.
const DIFFERS: &str = "adopted-as-it-was";

/// Which container, and what becomes of it.
pub(super) struct Which<'a> {
    /// The engine's id.
    pub(super) id: &'a str,
    /// Its name when it was planned.
    pub(super) name: &'a str,
    /// The stack that it was of.
    pub(super) was: Option<&'a str>,
    pub(super) told: &'a Told,
    pub(super) aim: AdoptAim,
}

impl Job<'_> {
    /// Compares a container with what is wanted of it, and makes it one of ours where that is asked for. It is neither stopped
    /// nor started.
    pub(super) async fn adopt(&self, spec: &ContainerSpec, which: Which<'_>) -> Result<TaskResult, Trouble> {
        let spec = self.prepare(spec).await?;
        let Which { id, name, was, told, aim } = which;
        self.enter(Phase::Checking);
        let found = self.find(&spec, id, name).await?;
        let called = &found.observed.name;
        // An earlier attempt may have come so far, and its report be lost.
        let is_own = found.is_managed()
            && *called == spec.name
            && found.observed.label(label::STACK) == spec.labels.get(label::STACK).map(String::as_str);
        let owner = found.observed.label(label::STACK);
        // An attempt that got no answer may have written it down.
        let refused = |trouble| {
            if !is_own {
                self.disown(id);
            }
            Err(trouble)
        };
        if !is_own && owner != was {
            return refused(Trouble::hopeless(
                "adopt-outdated",
                format!("container `{called}` belongs to the stack `{}` by now", owner.unwrap_or("?")),
                "look at it (`graphium orphans`), and adopt again",
            ));
        }
        if found.status() != ContainerStatus::Running {
            return refused(Trouble::hopeless(
                "not-running",
                format!("container `{called}` is {}: only what runs is adopted", word(found.status())),
                "start it, or let the stack make one of its own: remove it and deploy",
            ));
        }
        let Some(shown) = self.runtime().describe(id).await? else { return Err(gone(name)) };
        let differences = deviations(&spec, told, &shown);
        match aim {
            AdoptAim::Verify | AdoptAim::Equal if !differences.is_empty() => refused(differs(called, &differences)),
            AdoptAim::Compare | AdoptAim::Verify => {
                let message = match differences.len() {
                    0 => "it is as the document says".to_owned(),
                    1 => "it differs in one property".to_owned(),
                    count => format!("it differs in {count} properties"),
                };
                Ok(TaskResult { container_id: Some(id.to_owned()), differences, ..done(&message) })
            }
            AdoptAim::Equal | AdoptAim::AsItIs => {
                let mut adoption = Adoption::of(id, &spec);
                if need_a_new_container(&differences) {
                    adoption.labels.insert(label::HASH.to_owned(), DIFFERS.to_owned());
                }
                self.take(&adoption, is_own).await?;
                let Some(state) = self.runtime().inspect(&spec.name).await? else { return Err(gone(&spec.name)) };
                Ok(TaskResult { differences, ..self.done_with(state, "adopted as it runs") })
            }
        }
    }

    /// The container of that id, under the name that it had or the one that it is to have.
    async fn find(&self, spec: &ContainerSpec, id: &str, name: &str) -> Result<ContainerState, Trouble> {
        for name in [&spec.name, name] {
            if let Some(found) = self.runtime().inspect(name).await?.filter(|found| found.observed.id == id) {
                return Ok(found);
            }
        }
        Err(gone(name))
    }

    /// Writes down that a container is ours, and then makes it so: an agent that ends in between goes on from that.
    async fn take(&self, adoption: &Adoption, was_own: bool) -> Result<(), Trouble> {
        let keeper = &self.place.keeper;
        // What is not there any more is forgotten, or the journal would grow for ever.
        let there: BTreeSet<String> = self.runtime().list().await?.into_iter().map(|one| one.observed.id).collect();
        let saved = keeper.change(|memory| {
            memory.adopted.retain(|one| one.id != adoption.id && there.contains(&one.id));
            memory.adopted.push(adoption.clone());
        });
        saved.map_err(|error| {
            Trouble::Task(TaskError {
                code: "journal-failed".to_owned(),
                message: format!("that `{}` is adopted cannot be kept, so it is not: {error}", adoption.name),
                help: Some("see to the folder that the agent keeps its state in (`--state-dir`)".to_owned()),
                log: Vec::new(),
                retryable: true,
            })
        })?;
        self.enter(Phase::Adjusting);
        let taken = async {
            let taken = self.runtime().adopt(adoption).await;
            // Where nobody knows the next attempt looks.
            let is_refused = matches!(&taken, Err(error)
                if !matches!(error, RuntimeError::Unreachable { .. } | RuntimeError::TimedOut { .. }));
            if is_refused && !was_own {
                self.disown(&adoption.id);
            }
            taken
        };
        // What was refused is to be forgotten also where this attempt is cut off meanwhile: nothing is done after it then.
        Ok(self.whole(taken).await?)
    }

    /// Forgets that a container is ours. One that cannot be forgotten does no harm where it was to get another name: under the one
    /// that it has it says nothing.
    fn disown(&self, id: &str) {
        let _ = self.place.keeper.change(|memory| memory.adopted.retain(|one| one.id != id));
    }
}

fn gone(name: &str) -> Trouble {
    Trouble::hopeless(
        "container-gone",
        format!("container `{name}` is not the one any more that was to be adopted, or is gone"),
        "look at what is there (`docker ps` on its host), and adopt again",
    )
}

fn differs(name: &str, differences: &[PropertyChange]) -> Trouble {
    let told: Vec<String> = differences.iter().map(in_words).collect();
    Trouble::hopeless(
        "differs",
        format!("container `{name}` is not as the document says: {}", told.join("; ")),
        "change the document, or adopt it as it is (`--accept-differences`): the next deployment makes it anew",
    )
}

fn in_words(difference: &PropertyChange) -> String {
    let [wanted, present] = difference.values();
    let nothing = || "nothing".to_owned();
    format!("{} is {}, not {}", difference.path, present.unwrap_or_else(nothing), wanted.unwrap_or_else(nothing))
}
