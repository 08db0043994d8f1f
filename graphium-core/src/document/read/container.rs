//! A container.

use super::super::{
    code::Code,
    findings::Place,
    image::{self, Fault},
    node::Node,
    object::Object,
    reader::Reader,
    schema::{self, Kind},
    signals, suggest,
};
use super::graph::local;
use crate::stack::{Condition, Container, RestartPolicy, Volume};
use json_syntax::Value;

/// A container whose references are not resolved yet, with the places that checks of the whole point to.
pub(in super::super) struct ContainerDraft<'d> {
    pub(in super::super) container: Container,
    /// Its name as the document writes it.
    pub(in super::super) written: String,
    pub(in super::super) node: Node<'d>,
    pub(in super::super) name_node: Option<Node<'d>>,
    /// What it waits for, as written.
    pub(in super::super) depends_on: Vec<Wait<'d>>,
    /// Where it is written what it shares with others: its network, processes, memory.
    pub(in super::super) modes: Vec<(&'static str, Node<'d>)>,
    /// Where each of its ports is written.
    pub(in super::super) port_nodes: Vec<Node<'d>>,
    /// Volumes that its mounts describe.
    pub(in super::super) volumes: Vec<(Volume, Node<'d>)>,
}

/// A dependency as written.
pub(in super::super) struct Wait<'d> {
    pub(in super::super) on: String,
    pub(in super::super) condition: Condition,
    pub(in super::super) node: Node<'d>,
}

impl<'d> Wait<'d> {
    /// Where the other container is named.
    pub(in super::super) fn name_node(&self) -> Node<'d> {
        self.node.get("@id").unwrap_or(self.node)
    }

    /// Where its condition is written, if it is.
    pub(in super::super) fn condition_node(&self) -> Node<'d> {
        self.node.get("condition").unwrap_or(self.node)
    }
}

/// The array to write where Compose has a map of names and conditions; `None` where the value is no such map.
pub(in super::super) fn listed_waits(map: Node<'_>) -> Option<String> {
    const SHOWN: usize = 4;
    let condition = schema::DEPENDENCY.field("condition").map(|field| field.kind);
    let Some(Kind::Choice(words)) = condition else { return None };
    let word = |node: Node<'_>| {
        let text = node.as_str()?;
        words.iter().find(|word| word.word == text || word.aliases.contains(&text)).map(|word| word.word)
    };
    let is_name = |key: &str| schema::DEPENDENCY.field(key).is_none();
    let is_wait = |node: Node<'_>| matches!(node.value(), Value::Object(_) | Value::Null) || word(node).is_some();
    if map.members().next().is_none() || !map.members().all(|member| is_name(member.key) && is_wait(member.value)) {
        return None;
    }
    let mut waits: Vec<String> = Vec::new();
    for member in map.members().take(SHOWN) {
        let node = member.value.get("condition").unwrap_or(member.value);
        let wait = match word(node).filter(|word| *word != "started") {
            Some(word) => serde_json::json!({"@id": member.key, "condition": word}),
            None => member.key.into(),
        };
        waits.push(wait.to_string());
    }
    if map.members().nth(SHOWN).is_some() {
        waits.push("…".to_owned());
    }
    Some(format!("[{}]", waits.join(", ")))
}

impl Reader<'_> {
    pub(super) fn container<'d>(&mut self, node: Node<'d>, stack: &str) -> Option<ContainerDraft<'d>> {
        let object = self.object(node, &schema::CONTAINER)?;
        self.container_type(&object);
        let (written, name) = self.name(&object, "container").unwrap_or_default();
        let id = self.container_identity(&object, &name, stack).unwrap_or_default();
        let mut draft = ContainerDraft {
            container: Container { id, image: self.image(&object), ..Container::default() },
            written,
            node,
            name_node: object.get("name"),
            depends_on: self.waits(&object),
            modes: ["networkMode", "pid", "ipc"].into_iter().filter_map(|key| Some((key, object.get(key)?))).collect(),
            port_nodes: Vec::new(),
            volumes: Vec::new(),
        };
        self.ports(&object, &mut draft);
        self.mounts(&object, &mut draft);
        let container = &mut draft.container;
        container.name = name;
        container.description = self.text_of(&object, "description");
        container.application_category = self.text_of(&object, "applicationCategory");
        container.environment = self.environment(&object);
        container.health_check = object.get("healthCheck").and_then(|check| self.health_check(check, &container.ports));
        self.resources(&object, container);
        container.host = self.host_of(&object, "locatedInHost");
        self.process(&object, container);
        self.engine(&object, container);
        container.labels = self.labels_of(&object);
        container.replicas = self.integer_of(&object, "replicas");
        container.annotations = object.annotations();
        if let Some(version) = self.text_of(&object, "softwareVersion") {
            container.annotations.insert("softwareVersion".to_owned(), version.into());
        }
        Some(draft)
    }

    /// The `@id`, or one that is made of the names of stack and container.
    pub(super) fn container_identity(&mut self, object: &Object<'_>, name: &str, stack: &str) -> Option<String> {
        let made = || (!name.is_empty() && !stack.is_empty()).then(|| format!("container:{stack}/{name}"));
        self.identity(object, made)
    }

    fn container_type(&mut self, object: &Object<'_>) {
        let Some(node) = object.get("@type") else { return };
        let items = node.items();
        let mut types = items.iter().filter_map(|item| item.as_str()).map(local);
        if types.clone().any(|name| name == "Container") {
            return;
        }
        if types.any(|name| name == "SoftwareApplication") {
            let canonical = "write \"@type\": \"datacenter:Container\"";
            self.older_form(node, "a `SoftwareApplication` as a container", canonical);
            return;
        }
        self.error(
            Code::UnknownType,
            node,
            "this is no type of a container",
            "write \"@type\": \"datacenter:Container\"",
        );
    }

    fn image(&mut self, object: &Object<'_>) -> String {
        let Some(node) = object.get("image") else {
            let place = Place::shown_by(object.node, object.get("name"));
            self.error(Code::MissingImage, place, "this container has no image", "add \"image\": \"name:tag\"");
            return String::new();
        };
        let Some(image) = self.text(node) else { return String::new() };
        if image.trim().is_empty() {
            self.error(Code::MissingImage, node, "the image is empty", "write it as \"name:tag\"");
        } else if let Some(fault) = image::fault(&image) {
            self.image_fault(node, &image, fault);
        }
        image
    }

    fn image_fault(&mut self, node: Node<'_>, image: &str, fault: Fault<'_>) {
        let Fault { what, part, why, help, better } = fault;
        // A part of a text with variables may be what one of them holds.
        let hidden = node.has_variables();
        let part = if hidden || part.is_empty() { String::new() } else { format!("`{part}` ") };
        let help = match better.filter(|_| !hidden) {
            Some(better) => format!("write \"{better}\""),
            None => help.to_owned(),
        };
        self.error(Code::BadForm, node, format!("`{}` is no image: {what} {part}{why}", node.quote(image)), help);
    }

    pub(super) fn waits<'d>(&mut self, object: &Object<'d>) -> Vec<Wait<'d>> {
        let items: Vec<Node<'d>> = object.all("dependsOn").flat_map(|member| member.value.items()).collect();
        let mut waits = Vec::new();
        for node in items {
            if let Some(listed) = listed_waits(node) {
                let message = "expected an array of containers, found an object by their names";
                self.error(Code::WrongType, node, message, format!("write {listed}"));
                continue;
            }
            let (on, condition) = match node.value() {
                Value::Object(_) => {
                    let Some(object) = self.object(node, &schema::DEPENDENCY) else { continue };
                    if object.get("@id").is_none() {
                        let help = "write {\"@id\": \"container:…\", \"condition\": \"started\"}";
                        self.error(Code::MissingKey, node, "a dependency names a container", help);
                    }
                    let condition = self.choice_of(&object, "condition").unwrap_or_default();
                    (self.text_of(&object, "@id"), condition)
                }
                _ => (self.reference(node), Condition::default()),
            };
            waits.extend(on.map(|on| Wait { on, condition, node }));
        }
        waits
    }

    /// What runs in it.
    fn process(&mut self, object: &Object<'_>, container: &mut Container) {
        container.command = self.words_of(object, "command");
        container.args = self.words_of(object, "args").unwrap_or_default();
        container.entrypoint = self.words_of(object, "entrypoint");
        container.working_dir = self.text_of(object, "workingDir");
        container.user = self.text_of(object, "user");
        container.hostname = self.text_of(object, "hostname");
        container.init = self.flag_of(object, "init");
        container.tty = self.flag_of(object, "tty").unwrap_or(false);
        container.stdin_open = self.flag_of(object, "stdinOpen").unwrap_or(false);
        container.stop_signal = self.stop_signal(object);
        container.stop_grace_period = self.duration_of(object, "stopGracePeriod");
        container.restart_policy = self.restart_policy(object).unwrap_or_default();
    }

    fn stop_signal(&mut self, object: &Object<'_>) -> Option<String> {
        let node = object.get("stopSignal")?;
        let text = self.text(node)?;
        if !signals::is_known(&text) {
            let near = signals::nearest(&text).filter(|_| !node.has_variables());
            let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            let help = format!("{near}signals are as in `SIGTERM`, `TERM`, `15` and `SIGRTMIN+3`");
            self.error(Code::UnknownValue, node, format!("`{}` is no signal", node.quote(&text)), help);
        }
        Some(text)
    }

    fn restart_policy(&mut self, object: &Object<'_>) -> Option<RestartPolicy> {
        let node = object.get("restartPolicy")?;
        let text = self.text(node)?;
        if let Ok(policy) = text.parse() {
            return Some(policy);
        }
        let near = suggest::nearest(&text, ["no", "always", "on-failure", "unless-stopped"]);
        let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        let help = format!("{near}policies: `no`, `always`, `on-failure[:times]`, `unless-stopped`");
        self.error(Code::UnknownRestartPolicy, node, format!("`{}` is no restart policy", node.quote(&text)), help);
        None
    }
}
