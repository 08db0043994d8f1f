//! Secrets on their way into a container, and out of everything that is told.

use super::{Job, Trouble};
use crate::{
    agent::{
        LinkError,
        step::{Phase, Step},
    },
    runtime::{ContainerSpec, PutFile, beside},
    secret::SecretText,
    stack::{Container, EnvValue, MountKind},
    task::{Outcome, TaskError},
};
use base64::Engine as _;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use zeroize::{Zeroize as _, Zeroizing};

/// What is shorter would be found in every other word.
const SHORTEST: usize = 4;
/// What is at least so long is taken for a part of a value that it begins, ends or is within.
const PART: usize = 12;
/// So many values are remembered of a container, older ones among them.
const MOST: usize = 256;
/// What a file is read with by whoever runs in its container, as Docker does with its own secrets.
const MODE: u32 = 0o444;

/// The secrets that an agent has given to containers while it runs: by these it knows them again in what engines and containers
/// say. In memory alone.
#[derive(Default)]
pub struct SecretMemory(Mutex<BTreeMap<String, Vec<Arc<Known>>>>);

/// A value, and how it looks in what others write; containers that were given the same share it.
struct Known {
    name: String,
    value: SecretText,
    forms: Vec<Zeroizing<String>>,
}

impl Known {
    fn is(&self, name: &str, value: &SecretText) -> bool {
        self.name == name && self.value.reveal() == value.reveal()
    }

    fn redact(&self, text: &mut String) {
        let shown = format!("[secret {}]", self.name);
        for form in &self.forms {
            if text.len() >= form.len() && text.contains(form.as_str()) {
                *text = text.replace(form.as_str(), &shown);
            }
        }
        self.redact_part(text, &shown);
    }

    /// Logs are cut into pieces: what begins or ends with a part of the value, or is one.
    fn redact_part(&self, text: &mut String, shown: &str) {
        let value = self.value.reveal();
        let (Some(first), Some(last)) = (beginning(value), end(value)) else { return };
        if let Some(at) = text.rfind(first)
            && value.starts_with(&text[at..])
        {
            text.replace_range(at.., shown);
        }
        if let Some(at) = text.find(last)
            && value.ends_with(&text[..at + last.len()])
        {
            text.replace_range(..at + last.len(), shown);
        }
        if text.trim().len() >= PART && value.contains(text.trim()) {
            shown.clone_into(text);
        }
    }
}

/// What a value begins with; none: it is too short to be cut.
fn beginning(value: &str) -> Option<&str> {
    let at = (PART..value.len()).find(|at| value.is_char_boundary(*at))?;
    value.get(..at)
}

/// What a value ends with.
fn end(value: &str) -> Option<&str> {
    let at = (1..value.len().checked_sub(PART)? + 1).rev().find(|at| value.is_char_boundary(*at))?;
    value.get(at..)
}

impl fmt::Debug for SecretMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretMemory").finish_non_exhaustive()
    }
}

impl SecretMemory {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Arc<Known>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a container was given; what it was given before may still come to light.
    fn remember(&self, container: &str, given: &BTreeMap<String, SecretText>) {
        let mut all = self.lock();
        let find = |(name, value): (&String, &SecretText)| {
            let same = all.values().flatten().find(|one| one.is(name, value)).map(Arc::clone);
            let anew = || Known { name: name.clone(), value: value.clone(), forms: forms(value.reveal()) };
            same.unwrap_or_else(|| Arc::new(anew()))
        };
        let same: Vec<Arc<Known>> = given.iter().map(find).collect();
        let known = all.entry(container.to_owned()).or_default();
        for ((name, value), one) in given.iter().zip(same) {
            known.retain(|one| !one.is(name, value));
            known.push(one);
        }
        let surplus = known.len().saturating_sub(MOST);
        known.drain(..surplus);
    }

    fn knows(&self, container: &str) -> bool {
        self.lock().contains_key(container)
    }

    /// What a container was given last under that name.
    fn value(&self, container: &str, name: &str) -> Option<SecretText> {
        self.lock().get(container)?.iter().rev().find(|one| one.name == name).map(|one| one.value.clone())
    }

    pub(super) fn forget(&self, container: &str) {
        self.lock().remove(container);
    }

    /// A text with names in the place of values, be they written as they are or as JSON, base64, hexadecimal or in URLs.
    pub fn redact(&self, text: &str) -> String {
        let all = self.lock();
        let mut known: Vec<&Arc<Known>> = all.values().flatten().collect();
        // One may be a part of another.
        known.sort_by_key(|one| (std::cmp::Reverse(one.value.reveal().len()), Arc::as_ptr(one)));
        known.dedup_by(|one, other| Arc::ptr_eq(one, other));
        let mut text = text.to_owned();
        known.into_iter().for_each(|one| one.redact(&mut text));
        text
    }

    /// What came of an attempt, for others: everything in it that an engine or a container has said.
    pub(super) fn clean(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Completed(mut result) => {
                result.message = self.redact(&result.message);
                for change in &mut result.differences {
                    [&mut change.old, &mut change.new].into_iter().flatten().for_each(|value| self.clean_value(value));
                }
                Outcome::Completed(result)
            }
            Outcome::Failed(mut error) => {
                error.message = self.redact(&error.message);
                error.help = error.help.map(|help| self.redact(&help));
                error.log.iter_mut().for_each(|line| *line = self.redact(line));
                Outcome::Failed(error)
            }
            Outcome::Cancelled => Outcome::Cancelled,
        }
    }

    fn clean_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.redact(text),
            Value::Array(list) => list.iter_mut().for_each(|value| self.clean_value(value)),
            Value::Object(object) => object.values_mut().for_each(|value| self.clean_value(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// In what forms a value may be met, the longest first.
fn forms(value: &str) -> Vec<Zeroizing<String>> {
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    // A log has lines, whatever was written.
    let lines = value.lines().map(str::trim).filter(|line| line.len() >= 2 * SHORTEST);
    let wholes: BTreeSet<&str> = lines.chain([value, value.trim()]).filter(|text| text.len() >= SHORTEST).collect();
    let mut forms: Vec<Zeroizing<String>> = Vec::new();
    for whole in wholes {
        let json = serde_json::to_string(whole).unwrap_or_default();
        let json = json.trim_start_matches('"').strip_suffix('"').unwrap_or_default().to_owned();
        let hex: String = whole.bytes().map(|byte| format!("{byte:02x}")).collect();
        let percent: String = whole
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect();
        let encoded = [STANDARD_NO_PAD.encode(whole), URL_SAFE_NO_PAD.encode(whole)];
        let own = [whole.to_owned(), json, hex.to_uppercase(), hex, percent];
        forms.extend(own.into_iter().chain(encoded).filter(|form| form.len() >= SHORTEST).map(Zeroizing::new));
    }
    forms.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
    forms.dedup();
    forms
}

/// A specification with everything resolved. What of it is secret is overwritten when it is no longer needed.
pub(super) struct Prepared(pub(super) ContainerSpec);

impl Deref for Prepared {
    type Target = ContainerSpec;

    fn deref(&self) -> &ContainerSpec {
        &self.0
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // What was resolved is this one's alone: what others share has nothing in it that was.
        if let Some(container) = Arc::get_mut(&mut self.0.container) {
            for variable in &mut container.environment {
                if let EnvValue::Literal(value) = &mut variable.value {
                    value.zeroize();
                }
            }
        }
    }
}

/// Adds what the control plane has and the host has not.
fn complete(found: &mut BTreeMap<String, SecretText>, answer: BTreeMap<String, Option<SecretText>>) {
    for (name, value) in answer {
        if let Some(value) = value {
            found.entry(name).or_insert(value);
        }
    }
}

/// The name that a container is remembered by, whatever it is called while it takes another's place.
fn remembered(name: &str) -> &str {
    beside::principal(name).unwrap_or(name)
}

impl Job<'_> {
    /// The values of the secrets that a container asks for, the host's own before those of the server.
    pub(super) async fn secrets_of(&self, spec: &ContainerSpec) -> Result<BTreeMap<String, SecretText>, Trouble> {
        let wanted = spec.container.secrets();
        let mut found = self.own_secrets(wanted.iter().map(String::as_str));
        if wanted.iter().any(|name| !found.contains_key(name)) {
            complete(&mut found, self.ask_for_secrets().await?);
        }
        for name in &wanted {
            if !found.contains_key(name) {
                return Err(self.missing(&spec.container, name));
            }
        }
        found.retain(|name, _| wanted.contains(name));
        self.place.known.remember(remembered(&spec.name), &found);
        Ok(found)
    }

    fn own_secrets<'n>(&self, names: impl Iterator<Item = &'n str>) -> BTreeMap<String, SecretText> {
        names.filter_map(|name| Some((name.to_owned(), (self.place.secrets)(name)?.into()))).collect()
    }

    fn missing(&self, container: &Container, secret: &str) -> Trouble {
        let variable = container
            .environment
            .iter()
            .find(|variable| matches!(&variable.value, EnvValue::FromSecret(name) if name == secret));
        let asks = match variable {
            Some(variable) => format!("variable `{}` of container `{}`", variable.name, container.name),
            None => format!("a file of container `{}`", container.name),
        };
        Trouble::hopeless(
            "secret-not-available",
            format!(
                "{asks} asks for the secret `{secret}`, which neither the server has for this stack nor host `{}`",
                self.place.facts.name
            ),
            &format!("keep it with `graphium secret set {secret}`, then deploy again"),
        )
    }

    /// Asks the control plane for what the container of this task asks for, until it answers.
    async fn ask_for_secrets(&self) -> Result<BTreeMap<String, Option<SecretText>>, Trouble> {
        let (Some(link), Some(lease)) = (&self.place.link, &self.task.lease) else { return Ok(BTreeMap::new()) };
        let mut pause = super::PAUSES.0;
        loop {
            match link.secrets(lease).await {
                Ok(answer) => return Ok(answer),
                Err(LinkError::Unreachable(reason)) => {
                    let message = format!("its secrets are asked for, and the server does not answer: {reason}");
                    (self.tell)(Step { phase: Phase::Waiting, message, bytes: None });
                    self.place.environment.sleep(pause).await;
                    pause = (pause * 2).min(super::PAUSES.1);
                }
                Err(error) => {
                    return Err(Trouble::Task(TaskError {
                        code: "secret-not-available".to_owned(),
                        message: format!("its secrets cannot be had: {error}"),
                        help: Some("the server's words say what to do; then try again".to_owned()),
                        log: Vec::new(),
                        retryable: false,
                    }));
                }
            }
        }
    }

    /// Sees to it that the secrets of a container are known before its words are told: an agent that was started anew has forgotten
    /// them. `false`: they cannot be had.
    pub(super) async fn recall_secrets(&self, name: &str) -> bool {
        let name = remembered(name);
        if self.place.known.knows(name) {
            return true;
        }
        let (Some(link), Some(lease)) = (&self.place.link, &self.task.lease) else { return true };
        let Ok(answer) = link.secrets(lease).await else { return false };
        let mut found = self.own_secrets(answer.keys().map(String::as_str));
        complete(&mut found, answer);
        self.place.known.remember(name, &found);
        true
    }

    /// Puts the secrets that a container wants as files into it.
    pub(super) async fn put_secrets(&self, spec: &ContainerSpec) -> Result<(), Trouble> {
        let mut files = Vec::new();
        for mount in &spec.container.volume_mounts {
            let MountKind::Secret { source } = &mount.kind else { continue };
            let value = self.place.known.value(remembered(&spec.name), source);
            let content = value.ok_or_else(|| self.missing(&spec.container, source))?;
            files.push(PutFile { path: mount.target.clone(), content, mode: MODE });
        }
        if files.is_empty() {
            return Ok(());
        }
        Ok(self.whole(self.runtime().put_files(&spec.name, &files)).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(values: &[(&str, &str)]) -> SecretMemory {
        let memory = SecretMemory::default();
        let given = values.iter().map(|(name, value)| ((*name).to_owned(), SecretText::new(*value))).collect();
        memory.remember("web", &given);
        memory
    }

    #[test]
    fn a_value_is_known_again_in_whatever_form() {
        let memory = memory(&[("db", "p\"a/ss\nwörd+1"), ("key", "-----BEGIN-----\nabcdefgh12345678\n-----END-----")]);
        for text in [
            "p\"a/ss\nwörd+1",
            r#"p\"a/ss\nwörd+1"#,
            "p%22a%2Fss%0Aw%C3%B6rd%2B1",
            "7022612f73730a77c3b672642b31",
            "cCJhL3NzCnfDtnJkKzE=",
            "abcdefgh12345678",
        ] {
            let told = memory.redact(&format!("exec: <{text}>"));
            assert!(told.starts_with("exec: <[secret ") && told.ends_with('>'), "{text}: {told}");
        }
        assert_eq!(memory.redact("nothing of note"), "nothing of note");
    }

    #[test]
    fn a_value_that_was_cut_into_pieces_is_known_again() {
        let value = "0123456789-abcdefghij-ABCDEFGHIJ-9876543210";
        let memory = memory(&[("key", value)]);
        for at in 0..=value.len() {
            for (piece, told) in [
                (format!("KEY={}", &value[..at]), at >= PART),
                (format!("{} and more", &value[at..]), value.len() - at >= PART),
            ] {
                let redacted = memory.redact(&piece);
                assert_eq!(redacted.contains("[secret key]"), told, "{piece}: {redacted}");
                assert_eq!(redacted == piece, !told, "{piece}: {redacted}");
            }
        }
        assert_eq!(memory.redact(&value[5..30]), "[secret key]");
    }

    #[test]
    fn the_longer_of_two_values_goes_first_and_what_is_too_short_is_left() {
        let memory = memory(&[("a", "abcdef"), ("b", "abcdefghij"), ("c", "x")]);
        assert_eq!(memory.redact("abcdefghij abcdef x"), "[secret b] [secret a] x");
    }

    #[test]
    fn an_older_value_is_known_until_its_container_is_forgotten() {
        let memory = memory(&[("db", "older-value")]);
        memory.remember("web", &[("db".to_owned(), SecretText::new("newer-value"))].into());
        assert_eq!(memory.redact("older-value newer-value"), "[secret db] [secret db]");
        assert_eq!(memory.value("web", "db").unwrap().reveal(), "newer-value");
        memory.forget("web");
        assert_eq!(memory.redact("older-value"), "older-value");
    }

    #[test]
    fn all_of_an_outcome_is_cleaned() {
        let memory = memory(&[("db", "hunter22")]);
        let error = TaskError {
            code: "exited".to_owned(),
            message: "it said hunter22".to_owned(),
            help: Some("hunter22?".to_owned()),
            log: vec!["DB=hunter22".to_owned()],
            retryable: false,
        };
        let told = format!("{:?}", memory.clean(Outcome::Failed(error)));
        assert!(!told.contains("hunter22") && told.matches("[secret db]").count() == 3, "{told}");
    }
}
