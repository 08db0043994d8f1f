//! What can only be seen when the whole stack is read: names, references, circles, ports.

mod cycle;
mod modes;
mod ports;

use super::{code::Code, findings::Place, node::Node, object::Object, read::ContainerDraft, reader::Reader, suggest};
use crate::{
    id::HostId,
    stack::{Condition, Dependency, EnvValue, HealthTest, Mount, MountKind, Stack},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// Checks the whole and gives the stack its containers, dependencies resolved.
pub(super) fn whole(
    reader: &mut Reader<'_>,
    stack: &mut Stack,
    mut drafts: Vec<ContainerDraft<'_>>,
    object: &Object<'_>,
) {
    unique(reader, &drafts);
    let index = Index::new(&drafts);
    constraints(reader, stack, &drafts, object, &index);
    let waits = dependencies(reader, &drafts, &index);
    cycle::refuse(reader, &drafts, &waits);
    ports::refuse_clashes(reader, stack, &drafts);
    modes::check(reader, stack, &drafts);
    secrets(reader, stack, &drafts);
    for (draft, waits) in drafts.iter_mut().zip(waits) {
        draft.container.depends_on = waits.into_iter().map(|wait| wait.dependency).collect();
    }
    stack.containers = drafts.into_iter().map(|draft| Arc::new(draft.container)).collect();
}

/// Containers by everything that they may be called.
struct Index {
    by_word: HashMap<String, Vec<usize>>,
    names: Vec<String>,
}

/// A dependency that was resolved, and where it is written.
struct ResolvedWait<'d> {
    on: usize,
    dependency: Dependency,
    node: Node<'d>,
}

impl Index {
    fn new(drafts: &[ContainerDraft<'_>]) -> Self {
        let mut by_word: HashMap<String, Vec<usize>> = HashMap::new();
        for (number, draft) in drafts.iter().enumerate() {
            let words: BTreeSet<&str> =
                [&draft.container.id, &draft.container.name, &draft.written].into_iter().map(String::as_str).collect();
            for word in words.into_iter().filter(|word| !word.is_empty()) {
                by_word.entry(word.to_owned()).or_default().push(number);
            }
        }
        let mut names: Vec<String> = drafts.iter().map(|draft| draft.container.name.clone()).collect();
        names.sort();
        names.dedup();
        names.retain(|name| !name.is_empty());
        Self { by_word, names }
    }

    /// The one container that a word stands for. Says so where it is none or several.
    fn resolve(
        &self,
        reader: &mut Reader<'_>,
        drafts: &[ContainerDraft<'_>],
        word: &str,
        at: Node<'_>,
        who: &str,
    ) -> Option<usize> {
        let found = self.by_word.get(word).map(Vec::as_slice).unwrap_or_default();
        let Some(first) = found.first() else {
            self.unresolved(reader, word, at, who);
            return None;
        };
        let name = |number: usize| drafts.get(number).map(|draft| draft.container.name.as_str()).unwrap_or_default();
        // Containers of one name are a mistake of their own.
        if found.iter().any(|other| name(*other) != name(*first)) {
            let help = "refer to the `@id`, and make sure that no name is another container's `@id`";
            let names = suggest::list(found.iter().map(|number| name(*number)));
            reader.error(Code::AmbiguousReference, at, format!("`{}` may be any of {names}", at.quote(word)), help);
            return None;
        }
        Some(*first)
    }

    fn unresolved(&self, reader: &mut Reader<'_>, word: &str, at: Node<'_>, who: &str) {
        if reader.findings.is_full(Code::UnresolvedReference.severity()) {
            return reader.error(Code::UnresolvedReference, at, "", "");
        }
        let near = suggest::nearest(word, self.names.iter().map(String::as_str));
        let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        let help = format!("{near}containers in this stack: {}", suggest::list(self.names.iter().map(String::as_str)));
        let message = format!("{who} `{}`, which this stack does not define", at.quote(word));
        reader.error(Code::UnresolvedReference, at, message, help);
    }
}

fn unique(reader: &mut Reader<'_>, drafts: &[ContainerDraft<'_>]) {
    let (mut names, mut ids) = (HashMap::new(), HashMap::new());
    for draft in drafts {
        let (name, id) = (draft.container.name.as_str(), draft.container.id.as_str());
        let by_name = |draft: &ContainerDraft<'_>| Place::shown_by(draft.node, draft.name_node);
        let by_id = |draft: &ContainerDraft<'_>| draft.node.get("@id").map_or_else(|| by_name(draft), Place::from);
        let written = draft.name_node.map_or(draft.written.as_str(), |node| node.quote(&draft.written));
        if let Some((other, first)) = names.insert(name, (written, draft)).filter(|_| !name.is_empty()) {
            let message = match other == written {
                true => format!("two containers have the name `{name}`"),
                false => format!("`{other}` and `{written}` both become `{name}`"),
            };
            reader.again(Code::DuplicateName, by_name(draft), by_name(first), message, "rename one of them");
        } else if let Some(first) = ids.insert(id, draft).filter(|_| !id.is_empty()) {
            let quoted = draft.node.get("@id").map_or(id, |node| node.quote(id));
            let message = format!("two containers have the `@id` `{quoted}`");
            reader.again(Code::DuplicateName, by_id(draft), by_id(first), message, "rename one of them");
        }
    }
}

fn dependencies<'d>(
    reader: &mut Reader<'_>,
    drafts: &[ContainerDraft<'d>],
    index: &Index,
) -> Vec<Vec<ResolvedWait<'d>>> {
    drafts
        .iter()
        .map(|draft| {
            let mut resolved: Vec<ResolvedWait<'d>> = Vec::new();
            let who = format!("container `{}` waits for", draft.container.name);
            for wait in &draft.depends_on {
                let Some(on) = index.resolve(reader, drafts, &wait.on, wait.name_node(), &who) else { continue };
                let Some(target) = drafts.get(on) else { continue };
                let name = &target.container.name;
                let checked =
                    target.container.health_check.as_ref().is_some_and(|check| check.test != HealthTest::None);
                if wait.condition == Condition::Healthy && !checked {
                    let message = format!("{who} `{name}` to be healthy, which has no health check");
                    let help = format!(
                        "give `{name}` a `healthCheck` (one that its image has is not seen here), or wait for `started`"
                    );
                    reader.error(Code::HealthyWithoutCheck, wait.condition_node(), message, help);
                }
                if wait.condition == Condition::Completed && target.container.restart_policy.is_endless() {
                    let policy = target.container.restart_policy;
                    let message =
                        format!("{who} `{name}` to complete, which never does: its restart policy is `{policy}`");
                    let help = format!("let `{name}` restart `no` or `on-failure`, or wait for `started`");
                    reader.error(Code::NeverCompletes, wait.condition_node(), message, help);
                }
                match resolved.iter_mut().find(|other| other.on == on) {
                    // Twice the same container: the stricter condition holds.
                    Some(other) => other.dependency.condition = other.dependency.condition.max(wait.condition),
                    None => {
                        let dependency = Dependency { container: name.clone(), condition: wait.condition };
                        resolved.push(ResolvedWait { on, dependency, node: wait.name_node() });
                    }
                }
            }
            resolved
        })
        .collect()
}

/// Host constraints name containers, and bind none to a second host.
fn constraints(
    reader: &mut Reader<'_>,
    stack: &mut Stack,
    drafts: &[ContainerDraft<'_>],
    object: &Object<'_>,
    index: &Index,
) {
    let Some(deployment) = object.get("deployment") else { return };
    let nodes = deployment.get("hostConstraints").map(Node::items).unwrap_or_default();
    // The first constraint that names a host for a container, and how that may be shown.
    let mut targets: BTreeMap<usize, (HostId, String)> = BTreeMap::new();
    for (number, constraint) in stack.deployment.host_constraints.iter_mut().enumerate() {
        let node = nodes.get(number).copied().unwrap_or(deployment);
        let at = node.get("containerName").unwrap_or(node);
        let who = "a host constraint is for";
        let Some(found) = index.resolve(reader, drafts, &constraint.container_name, at, who) else { continue };
        let Some(draft) = drafts.get(found) else { continue };
        constraint.container_name.clone_from(&draft.container.name);
        let Some(target) = &constraint.target_host else { continue };
        let at = node.get("targetHost").unwrap_or(node);
        let shown_own = |own: &HostId| if draft.node.says(own.as_str()) { own.as_str() } else { "…" }.to_owned();
        let own = draft.container.host.as_ref().map(|own| (own, shown_own(own)));
        let before = targets.get(&found).map(|(other, shown)| (other, shown.clone()));
        match own.or(before) {
            Some((other, _)) if other == target => {}
            Some(_) if reader.findings.is_full(Code::HostConflict.severity()) => {
                reader.error(Code::HostConflict, at, "", "");
            }
            Some((_, other)) => {
                let (name, target) = (&draft.container.name, at.quote(target.as_str()));
                let message = format!("container `{name}` is bound to `{other}`, and here to `{target}`");
                reader.error(Code::HostConflict, at, message, "name one host");
            }
            None => {
                let shown = at.quote(target.as_str()).to_string();
                targets.insert(found, (target.clone(), shown));
            }
        }
    }
}

/// Where a stack lists its secrets, no container asks for another.
fn secrets(reader: &mut Reader<'_>, stack: &Stack, drafts: &[ContainerDraft<'_>]) {
    for draft in drafts {
        let is_file = |mount: &Mount| matches!(mount.kind, MountKind::Secret { .. });
        if draft.container.read_only_rootfs && draft.container.volume_mounts.iter().any(is_file) {
            let place = draft.node.get("volumeMounts").unwrap_or(draft.node);
            let message = "a secret is put into the container as a file, and its root file system is read-only";
            reader.error(
                Code::BadPath,
                place,
                message,
                "give the secret in `environment` (`fromSecret`), or leave out `readOnlyRootfs`",
            );
        }
    }
    if stack.secrets.is_empty() {
        return;
    }
    for draft in drafts {
        let variables = draft.container.environment.iter().filter_map(|variable| match &variable.value {
            EnvValue::FromSecret(secret) => Some(("environment", secret)),
            EnvValue::Literal(_) | EnvValue::FromHost(_) => None,
        });
        let files = draft.container.volume_mounts.iter().filter_map(|mount| match &mount.kind {
            MountKind::Secret { source } => Some(("volumeMounts", source)),
            _ => None,
        });
        for (key, secret) in variables.chain(files) {
            if !stack.secrets.contains(secret) {
                let place = draft.node.get(key).unwrap_or(draft.node);
                if reader.findings.is_full(Code::UnresolvedReference.severity()) {
                    reader.error(Code::UnresolvedReference, place, "", "");
                    continue;
                }
                let name = &draft.container.name;
                let shown = if place.says(secret) { secret.as_str() } else { "…" };
                let message =
                    format!("container `{name}` asks for the secret `{shown}`, which the stack does not list");
                let near = suggest::nearest(secret, stack.secrets.iter().map(String::as_str));
                let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
                let help =
                    format!("{near}secrets of this stack: {}", suggest::list(stack.secrets.iter().map(String::as_str)));
                reader.error(Code::UnresolvedReference, place, message, help);
            }
        }
    }
}
