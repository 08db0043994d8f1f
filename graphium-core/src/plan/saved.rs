//! A plan that is kept: to be looked at, and carried out later as it is or not at all.

use super::{Facts, SealedPlan};
use crate::{
    diagnostic::Diagnostic,
    runtime::hex,
    stack::{OnFailure, Stack},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{fmt, time::Duration};

/// The format that is written, and the newest that is read.
const FORMAT: u64 = 1;

/// Names the kind of file to whoever finds one.
const KIND: &str = "graphium plan";

/// A plan with all that is needed to carry it out, and what it rests on.
///
/// It holds the values that variables had. References to secrets stay references.
///
/// # Example
/// ```
/// use graphium_core::plan::{self, Facts, HostFact, Options, SavedOptions, SavedPlan, SavedPlanError};
/// use graphium_core::plan::fixtures::{container, hosts, stack};
///
/// let (shop, options) = (stack("shop", vec![container("web")]), Options::default());
/// let plan = plan::plan(&shop, None, &hosts(1), &options).unwrap();
/// let facts = Facts::of(&plan, &shop, &hosts(1), None);
/// let host: &HostFact = &facts.hosts[0];
/// assert_eq!(host.id.as_str(), "vm1");
///
/// let saved = SavedPlan::new(shop, SavedOptions::new(&options, None), plan.sealed(), facts);
/// let text = saved.to_text();
/// assert!(SavedPlan::is_one(text.as_bytes()));
/// assert!(SavedPlan::read(text.as_bytes()).unwrap() == saved);
///
/// // What was changed by hand, or has not arrived whole, is not applied.
/// let changed = text.replace("nginx:alpine", "nginx:latest");
/// assert_eq!(SavedPlan::read(changed.as_bytes()).unwrap_err(), SavedPlanError::Changed);
/// let half = SavedPlan::read(&text.as_bytes()[..text.len() / 2]).unwrap_err();
/// assert!(matches!(half, SavedPlanError::CutOff { .. }), "{half}");
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedPlan {
    kind: String,
    format: u64,
    /// SHA-256 over everything else, in hexadecimal.
    hash: String,
    /// The stack as it is to be.
    pub stack: Stack,
    /// What was asked beside it.
    pub options: SavedOptions,
    /// What is to be done.
    pub plan: SealedPlan,
    /// What must still be so when it is done.
    pub facts: Facts,
    /// What the reader found in the document.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Diagnostic>,
}

/// What was asked beside the stack of a saved plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedOptions {
    /// Pull the image of whatever is made anew, also where a host has it.
    #[serde(default)]
    pub pull_images: bool,
    /// How many seconds the deployment may take; absent: as long as it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// What follows a failure; absent: what the document says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
}

impl SavedOptions {
    /// Options with a time-out; a part of a second counts as a whole one.
    pub fn new(options: &super::Options, timeout: Option<Duration>) -> Self {
        let seconds = |time: Duration| time.as_secs() + u64::from(time.subsec_nanos() > 0);
        Self { pull_images: options.pull_images, timeout: timeout.map(seconds), on_failure: options.on_failure }
    }
}

impl fmt::Debug for SavedPlan {
    /// Without the stack and its tasks: they hold values of variables.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SavedPlan").field("hash", &self.hash).field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// Why a text is no saved plan that can be carried out. None of it quotes the text, which may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SavedPlanError {
    /// It ends before its end.
    #[error("the saved plan is cut off at line {line}; plan again")]
    CutOff {
        /// Where, from 1.
        line: usize,
    },
    /// It is something else.
    #[error("this is no plan that `graphium plan -o FILE` has written")]
    NotAPlan,
    /// A newer version has written it.
    #[error("the saved plan has format {found}, and this version reads up to {FORMAT}; use the version that wrote it")]
    Newer {
        /// Its format.
        found: u64,
    },
    /// Its content does not have the hash that it bears.
    #[error("the saved plan was changed after it was written: its content does not have its hash; plan again")]
    Changed,
}

impl SavedPlan {
    /// Saves a plan as it was made: with the hash that it got then.
    pub fn new(stack: Stack, options: SavedOptions, plan: SealedPlan, facts: Facts) -> Self {
        let (kind, notes) = (KIND.to_owned(), Vec::new());
        Self { kind, format: FORMAT, hash: String::new(), stack, options, plan, facts, notes }.hashed()
    }

    /// The same with what the reader found in the document, for whoever applies it.
    #[must_use]
    pub fn with_notes(self, notes: Vec<Diagnostic>) -> Self {
        Self { notes, ..self }.hashed()
    }

    fn hashed(mut self) -> Self {
        // Only strings, finite numbers and maps with text keys: it always serialises.
        self.hash = content_hash(&serde_json::to_value(&self).unwrap_or_default());
        self
    }

    /// Whether a text calls itself a saved plan, of whatever version and however broken otherwise.
    pub fn is_one(text: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Named {
            kind: String,
        }
        serde_json::from_slice::<Named>(text).is_ok_and(|named| named.kind == KIND)
    }

    /// Reads a saved plan, and takes it only as it was written.
    ///
    /// # Errors
    /// When it is something else, was cut off or changed, or when a newer version wrote it.
    pub fn read(text: &[u8]) -> Result<Self, SavedPlanError> {
        let value: Value = serde_json::from_slice(text).map_err(|error| match error.is_eof() {
            true => SavedPlanError::CutOff { line: error.line().max(1) },
            false => SavedPlanError::NotAPlan,
        })?;
        if value.get("kind").and_then(Value::as_str) != Some(KIND) {
            return Err(SavedPlanError::NotAPlan);
        }
        match value.get("format").and_then(Value::as_u64) {
            Some(FORMAT) => {}
            Some(found) if found > FORMAT => return Err(SavedPlanError::Newer { found }),
            _ => return Err(SavedPlanError::NotAPlan),
        }
        let hash = value.get("hash").and_then(Value::as_str).ok_or(SavedPlanError::Changed)?;
        if hash != content_hash(&value) {
            return Err(SavedPlanError::Changed);
        }
        let saved: Self = serde_json::from_value(value).map_err(|_| SavedPlanError::NotAPlan)?;
        // Whoever looks at the tasks must see those that the plan's own hash stands for.
        if saved.plan.plan.clone().sealed().hash != saved.plan.hash {
            return Err(SavedPlanError::Changed);
        }
        Ok(saved)
    }

    /// The text of the file: JSON, indented.
    pub fn to_text(&self) -> String {
        // As for the hash: it always serialises.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// SHA-256 over everything else, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

/// The hash of a saved plan over all but the hash itself. White space does not count.
fn content_hash(value: &Value) -> String {
    let mut value = value.clone();
    if let Value::Object(members) = &mut value {
        members.shift_remove("hash");
    }
    hex(&Sha256::digest(value.to_string()))
}
