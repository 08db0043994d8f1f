//! Secrets, as sealed records, and who is given them.

use super::{Control, ControlError, Grants, StackRecord, reserve::definition};
use crate::{
    action::Action,
    diagnostic::{Diagnostic, Property, Severity, Subject},
    secret::{SealError, SecretLabel, SecretSealer, SecretText},
    stack::{Container, Stack},
    store::{Document, Expect, Kind, RecordQuery, TaskStoreExt, Versioned},
    task::Task,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

/// Bytes of a value.
pub const MAX_SECRET: usize = 64 * 1024;
/// How many secrets there are.
pub const MAX_SECRETS: usize = 1000;
/// Bytes of a name.
const LONGEST_NAME: usize = 128;

/// A secret as it is kept: sealed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretRecord {
    /// The name by which containers ask for it.
    #[serde(rename = "@id")]
    pub name: String,
    /// Counts its values, from 1.
    pub version: u64,
    /// The stacks that it is for; none: all.
    #[serde(default, skip_serializing_if = "Grants::are_all")]
    pub stacks: Grants,
    /// The public id of the key that it is sealed with.
    pub key: String,
    /// The sealed value.
    pub sealed: String,
    /// When it was first set.
    pub date_created: Timestamp,
    /// When it was set last.
    pub date_modified: Timestamp,
    /// Who has set it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_by: Option<String>,
}

impl fmt::Debug for SecretRecord {
    /// Without the sealed value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretRecord")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("stacks", &self.stacks)
            .finish_non_exhaustive()
    }
}

impl SecretRecord {
    fn label(&self) -> SecretLabel<'_> {
        SecretLabel { name: &self.name, version: self.version, stacks: self.stacks.stacks() }
    }
}

impl Document for SecretRecord {
    const KIND: Kind = Kind::Secret;
    fn id(&self) -> String {
        self.name.clone()
    }
}

/// A secret as people see it: without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretView {
    /// The name by which containers ask for it.
    #[serde(rename = "@id")]
    pub name: String,
    /// Counts its values, from 1.
    pub version: u64,
    /// The stacks that it is for; none: all.
    #[serde(default, skip_serializing_if = "Grants::are_all")]
    pub stacks: Grants,
    /// The names of the stacks whose containers ask for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used_by: Vec<String>,
    /// When it was first set.
    pub date_created: Timestamp,
    /// When it was set last.
    pub date_modified: Timestamp,
    /// Who has set it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_by: Option<String>,
}

impl SecretView {
    fn of(record: SecretRecord, used_by: Vec<String>) -> Self {
        let SecretRecord { name, version, stacks, date_created, date_modified, modified_by, key: _, sealed: _ } =
            record;
        Self { name, version, stacks, used_by, date_created, date_modified, modified_by }
    }
}

/// A secret that is to be kept.
///
/// # Example
/// ```
/// use graphium_core::control::{Control, ControlError, Grants, RemovalOfSecret, Settings};
/// use graphium_core::control::{SecretChange, SecretRecord, SecretView};
/// use graphium_core::store::{MemoryStore, TaskStoreExt};
/// # use graphium_core::secret::{SealError, SecretLabel, SecretSealer};
/// use graphium_core::{event::NoSink, secret::SecretText, testing::ManualEnvironment};
/// use std::sync::Arc;
///
/// # #[derive(Debug)]
/// # struct Backwards;
/// # impl SecretSealer for Backwards {
/// #     fn key_id(&self) -> Result<Option<String>, SealError> { Ok(Some("none".to_owned())) }
/// #     fn make_key(&self) -> Result<String, SealError> { Ok("none".to_owned()) }
/// #     fn seal(&self, _: SecretLabel<'_>, value: &SecretText) -> Result<String, SealError> {
/// #         Ok(value.reveal().chars().rev().collect())
/// #     }
/// #     fn open(&self, _: SecretLabel<'_>, sealed: &str) -> Result<SecretText, SealError> {
/// #         Ok(SecretText::new(sealed.chars().rev().collect::<String>()))
/// #     }
/// #     fn place(&self) -> String { "here".to_owned() }
/// # }
/// # let sealer = Arc::new(Backwards);
/// let world = Arc::new(ManualEnvironment::default());
/// world.run(async {
///     let store = Arc::new(MemoryStore::new());
///     let control = Control::open(store.clone(), Arc::new(NoSink), world.clone(), Settings::default()).await?;
///     control.seal_secrets_with(sealer);
///     let change = SecretChange {
///         name: "db-password".to_owned(),
///         value: SecretText::new("hunter2"),
///         stacks: Some(Grants::of(["shop".to_owned()])),
///         by: Some("alice".to_owned()),
///     };
///     let set: SecretView = control.set_secret(change).await?;
///     assert_eq!((set.version, set.stacks.stacks()), (1, &["shop".to_owned()][..]));
///
///     // The store has what the sealer made of it, and nothing shows that.
///     let record: SecretRecord = store.document("db-password").await?.unwrap().value;
///     assert_ne!(record.sealed, "hunter2");
///     assert!(!format!("{record:?}").contains(&record.sealed));
///     control.remove_secret("db-password", RemovalOfSecret::IfUnused).await?;
///     assert!(control.secret_list().await?.is_empty());
///     Ok::<(), ControlError>(())
/// })?;
/// # Ok::<(), ControlError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SecretChange {
    /// The name by which containers ask for it.
    pub name: String,
    /// Its value: at least one byte, at most [`MAX_SECRET`], and no NUL.
    pub value: SecretText,
    /// The stacks that it is for, none: all; absent: as before.
    pub stacks: Option<Grants>,
    /// Who asks.
    pub by: Option<String>,
}

/// When a secret may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovalOfSecret {
    /// Where no stack asks for it.
    IfUnused,
    /// In any case.
    Anyway,
}

impl Control {
    /// Seals and opens secrets with this from now on; a second one is not taken.
    pub fn seal_secrets_with(&self, sealer: Arc<dyn SecretSealer>) {
        let _ = self.sealer.set(sealer);
    }

    /// Keeps a secret, or gives it another value.
    ///
    /// # Errors
    /// [`ControlError::Conflict`] where there are too many, or the key is not that of the secrets that there are.
    pub async fn set_secret(&self, change: SecretChange) -> Result<SecretView, ControlError> {
        let SecretChange { name, value, stacks, by } = change;
        refuse_unfit(&name, &value)?;
        let all = self.store.documents::<SecretRecord>(RecordQuery::of(Kind::Secret)).await?;
        let existing = all.iter().find(|one| one.value.name == name);
        if existing.is_none() && all.len() >= MAX_SECRETS {
            let message =
                format!("there are {MAX_SECRETS} secrets, and that is the most; remove some that no stack uses");
            return Err(ControlError::Conflict { code: "too-many-secrets", message });
        }
        let sealer = self.sealer()?;
        let key = match sealer.key_id()? {
            Some(key) => key,
            None if all.is_empty() => sealer.make_key()?,
            None => return Err(no_key(&**sealer, all.len())),
        };
        // Whoever has another key would lock everybody else out, secret by secret.
        if let Some(other) = all.iter().find(|one| one.value.key != key) {
            return Err(other_key(&**sealer, &other.value, &key));
        }
        let now = self.environment.now();
        let before = existing.map(|one| &one.value);
        let mut record = SecretRecord {
            version: before.map_or(0, |before| before.version) + 1,
            stacks: stacks.or_else(|| before.map(|before| before.stacks.clone())).unwrap_or_default(),
            date_created: before.map_or(now, |before| before.date_created),
            date_modified: now,
            modified_by: by,
            sealed: String::new(),
            name,
            key,
        };
        record.sealed = sealer.seal(record.label(), &value)?;
        let expect = existing.map_or(Expect::Absent, |one| Expect::Version(one.version));
        self.write_all(vec![record.write(expect)?]).await?;
        let used_by = self.users_of_secrets().await?.remove(&record.name).unwrap_or_default();
        Ok(SecretView::of(record, used_by))
    }

    /// Every secret, by name, without its value.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn secret_list(&self) -> Result<Vec<SecretView>, ControlError> {
        let all = self.store.documents::<SecretRecord>(RecordQuery::of(Kind::Secret)).await?;
        let mut users = if all.is_empty() { BTreeMap::new() } else { self.users_of_secrets().await? };
        let view = |one: Versioned<SecretRecord>| {
            let used_by = users.remove(&one.value.name).unwrap_or_default();
            SecretView::of(one.value, used_by)
        };
        Ok(all.into_iter().map(view).collect())
    }

    /// Forgets a secret. Containers that have it keep it until they are made anew.
    ///
    /// # Errors
    /// [`ControlError::NotFound`], and [`ControlError::Conflict`] where stacks use it and it is to go only where none does.
    pub async fn remove_secret(&self, name: &str, removal: RemovalOfSecret) -> Result<(), ControlError> {
        let found = self.store.document::<SecretRecord>(name).await?;
        let found = found.ok_or_else(|| ControlError::NotFound { kind: "secret", id: name.to_owned() })?;
        if removal == RemovalOfSecret::IfUnused
            && let Some(users) = self.users_of_secrets().await?.remove(name)
        {
            let users: Vec<_> = users.iter().map(|stack| format!("`{stack}`")).collect();
            let message = format!(
                "the secret `{name}` is used by the stack {}: a container that is made anew would fail without it; remove it anyway with `--force`",
                users.join(", ")
            );
            return Err(ControlError::Conflict { code: "secret-in-use", message });
        }
        self.write_all(vec![found.value.removal(Expect::Version(found.version))]).await
    }

    /// Of these secrets those that were set for some stacks only, this one among them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn secrets_meant_for(
        &self,
        names: &BTreeSet<String>,
        id: &str,
        stack: &str,
    ) -> Result<BTreeSet<String>, ControlError> {
        let mut meant = BTreeSet::new();
        for name in names {
            let found = self.store.document::<SecretRecord>(name).await?;
            let is_meant = found.is_some_and(|found| {
                let stacks = &found.value.stacks;
                !stacks.are_all() && stacks.include(id, stack)
            });
            if is_meant {
                meant.insert(name.clone());
            }
        }
        Ok(meant)
    }

    /// Warnings for what a stack asks for and would not be given.
    pub(super) async fn missing_secrets(&self, stack: &Stack) -> Result<Vec<Diagnostic>, ControlError> {
        let mut missing = Vec::new();
        let mut known: BTreeMap<String, bool> = BTreeMap::new();
        for container in &stack.containers {
            for name in container.secrets() {
                let is_there = match known.get(&name) {
                    Some(is_there) => *is_there,
                    None => {
                        let found = self.store.document::<SecretRecord>(&name).await?;
                        let is_there =
                            found.is_some_and(|found| found.value.stacks.include(stack.id.as_str(), &stack.name));
                        known.insert(name.clone(), is_there);
                        is_there
                    }
                };
                if !is_there {
                    missing.push(missing_secret(container, &name));
                }
            }
        }
        Ok(missing)
    }

    /// What the container asks for that a task is about: values of those that are there for its stack.
    pub(super) async fn secrets_of_task(
        &self,
        task: &Task,
    ) -> Result<BTreeMap<String, Option<SecretText>>, ControlError> {
        let stack = match &task.stack_id {
            Some(id) => self.store.document::<StackRecord>(id.as_str()).await?.map(|found| found.value),
            None => None,
        };
        let names = match &*task.payload {
            Action::Deploy { spec } | Action::Update { spec, .. } | Action::Adopt { spec, .. } => {
                spec.container.secrets()
            }
            // What it has written is told when it fails, and its secrets are to be known again in that.
            other => stack.as_ref().map(|stack| secrets_of(stack, other.subject())).unwrap_or_default(),
        };
        let (id, name) = match (&stack, &task.stack_id) {
            (Some(stack), _) => (stack.id.as_str(), stack.name.as_str()),
            (None, Some(id)) => (id.as_str(), id.as_str()),
            (None, None) => ("", ""),
        };
        let mut answer = BTreeMap::new();
        for secret in names {
            let found = self.store.document::<SecretRecord>(&secret).await?;
            let value = match found.filter(|found| found.value.stacks.include(id, name)) {
                Some(found) => Some(self.open_secret(&found.value)?),
                None => None,
            };
            answer.insert(secret, value);
        }
        Ok(answer)
    }

    fn open_secret(&self, record: &SecretRecord) -> Result<SecretText, ControlError> {
        let sealer = self.sealer()?;
        match sealer.key_id()? {
            None => Err(no_key(&**sealer, 1)),
            Some(key) if key != record.key => Err(other_key(&**sealer, record, &key)),
            Some(_) => Ok(sealer.open(record.label(), &record.sealed)?),
        }
    }

    fn sealer(&self) -> Result<&Arc<dyn SecretSealer>, ControlError> {
        self.sealer.get().ok_or_else(|| ControlError::Conflict {
            code: "secrets-key",
            message: "this control plane has nothing to seal secrets with, so it keeps none".to_owned(),
        })
    }

    /// The names of the stacks that ask for each secret, by the document that is wanted or the one that runs.
    async fn users_of_secrets(&self) -> Result<BTreeMap<String, Vec<String>>, ControlError> {
        let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for stack in self.store.documents::<StackRecord>(RecordQuery::of(Kind::Stack)).await? {
            let stack = stack.value;
            let mut names = stack.definition.secret_names();
            names.extend(stack.applied.stack.secret_names());
            for name in names {
                users.entry(name).or_default().push(stack.name.clone());
            }
        }
        users.values_mut().for_each(|stacks| stacks.sort());
        Ok(users)
    }
}

/// What a container of a stack asks for, by the name that it has on its engine.
fn secrets_of(stack: &StackRecord, engine_name: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for stack in [&stack.definition, &stack.applied.stack] {
        let placed = engine_name.strip_prefix(&stack.engine_name(""));
        let container = placed.and_then(|placed| definition(stack, placed));
        names.extend(container.into_iter().flat_map(Container::secrets));
    }
    names
}

fn missing_secret(container: &Container, name: &str) -> Diagnostic {
    let message = format!(
        "container `{}` asks for the secret `{name}`, which the server does not have for this stack",
        container.name
    );
    let key = if container.volume_mounts.iter().any(|mount| mount.is_of_secret(name)) {
        "volumeMounts"
    } else {
        "environment"
    };
    Diagnostic { severity: Severity::Warning, ..Diagnostic::error("secret-missing", "", message) }
        .about(Subject::container(&container.name).property(Property::Setting { key: key.to_owned() }))
        .with_help(format!("keep it with `graphium secret set {name}`, unless the agent of its host has it"))
}

fn refuse_unfit(name: &str, value: &SecretText) -> Result<(), ControlError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_sound =
        name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.len() <= LONGEST_NAME && name.chars().all(plain);
    let name = (!is_sound).then_some((
        "bad-name",
        "a secret's name has 1 to 128 letters, digits, `.`, `_` and `-`, and begins with a letter or digit",
    ));
    let value = match value.reveal() {
        "" => Some("a secret has a value of at least one byte"),
        long if long.len() > MAX_SECRET => {
            Some("a secret's value has at most 64 KiB; what is larger belongs into a volume")
        }
        text if text.contains('\0') => Some("a secret's value is text without NUL; encode it first, as in base64"),
        _ => None,
    };
    let (codes, messages): (Vec<_>, Vec<_>) =
        name.into_iter().chain(value.map(|message| ("bad-secret", message))).unzip();
    match codes.first() {
        None => Ok(()),
        Some(code) => Err(ControlError::Conflict { code, message: messages.join("; ") }),
    }
}

fn no_key(sealer: &dyn SecretSealer, count: usize) -> ControlError {
    ControlError::Conflict {
        code: "secrets-key",
        message: format!(
            "there are {count} secret(s), and their key is not here: there is none in {}; bring it there, or name it with `--secrets-key FILE`",
            sealer.place()
        ),
    }
}

fn other_key(sealer: &dyn SecretSealer, record: &SecretRecord, key: &str) -> ControlError {
    ControlError::Conflict {
        code: "secrets-key",
        message: format!(
            "the secret `{}` is sealed with the key {}, and this server has another, {key}, in {}: give all servers on one store the same \
             file (`--secrets-key FILE`); where that key is lost, remove the secrets (`graphium secret rm NAME`) and set them anew",
            record.name,
            record.key,
            sealer.place()
        ),
    }
}

impl From<SealError> for ControlError {
    fn from(error: SealError) -> Self {
        let code = match error {
            SealError::Broken(_) => "secret-broken",
            SealError::Key(_) => "secrets-key",
        };
        Self::Conflict { code, message: error.to_string() }
    }
}
