//! The document as a whole: the request around it, its nodes, and which of them is what.

use super::super::{
    DeployOptions, ReadContext,
    code::Code,
    findings::Findings,
    node::Node,
    profile::{Context, Key, Profile},
    reader::Reader,
    schema::{DOCUMENT, ENVELOPE},
    suggest,
};
use super::foreign;
use crate::stack::Stack;

/// A document that could be read, with or without findings.
pub(in super::super) struct Document {
    pub(in super::super) stack: Stack,
    pub(in super::super) profile: Profile,
    pub(in super::super) options: DeployOptions,
}

/// What a node of the graph is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Class {
    Stack,
    Container,
    Host,
    Rack,
    Datacenter,
}

/// The nodes of a document, by what they are.
#[derive(Default)]
pub(in super::super) struct Graph<'d> {
    pub(in super::super) stacks: Vec<Node<'d>>,
    /// Containers that stand beside their stack, which refers to them.
    pub(in super::super) containers: Vec<Node<'d>>,
    pub(in super::super) hosts: Vec<Node<'d>>,
    pub(in super::super) racks: Vec<Node<'d>>,
    pub(in super::super) datacenters: Vec<Node<'d>>,
}

/// Reads a document from its outermost value.
pub(in super::super) fn document(
    root: Node<'_>,
    environment: &ReadContext<'_>,
    mut findings: Findings,
) -> (Option<Document>, Findings) {
    let envelope = root.get("stackDefinition");
    let top = envelope.unwrap_or(root);
    if !top.is_object() {
        let message = format!("a stack document is an object, and this is {}", top.kind());
        let help = "write {\"@context\": …, \"@graph\": […]}";
        findings.add(Code::WrongType, top, message, Some(help.to_owned()));
        return (None, findings);
    }
    if foreign::refuse(top, &mut findings) {
        return (None, findings);
    }
    let context = context(root, top, &mut findings);
    document_in(context, root, environment, findings)
}

/// What `@context` says, of the stack or of the request around it.
pub(in super::super) fn context(root: Node<'_>, top: Node<'_>, findings: &mut Findings) -> Context {
    Context::read(top, top.get("@context").or_else(|| root.get("@context")), findings)
}

/// The same where it is known what `@context` says.
pub(in super::super) fn document_in(
    context: Context,
    root: Node<'_>,
    environment: &ReadContext<'_>,
    findings: Findings,
) -> (Option<Document>, Findings) {
    let envelope = root.get("stackDefinition");
    let top = envelope.unwrap_or(root);
    let profile = context.profile;
    let tops = vec![root.index(), top.index()];
    let mut reader = Reader::new(context, environment, findings, tops);
    let options = if envelope.is_some() { reader.options(root) } else { DeployOptions::default() };
    let graph = reader.graph(top);
    let stack = reader.stacks(top, &graph);
    (stack.map(|stack| Document { stack, profile, options }), reader.findings)
}

impl Reader<'_> {
    fn options(&mut self, root: Node<'_>) -> DeployOptions {
        let Some(envelope) = self.object(root, &ENVELOPE) else { return DeployOptions::default() };
        DeployOptions {
            timeout: self.duration_of(&envelope, "timeout"),
            rollback_on_error: self.flag_of(&envelope, "rollbackOnError"),
            on_drift: self.choice_of(&envelope, "onDrift"),
            reschedule_after: self.duration_of(&envelope, "rescheduleAfter"),
            pull_images: self.flag_of(&envelope, "pullImages"),
        }
    }

    pub(in super::super) fn graph<'d>(&mut self, top: Node<'d>) -> Graph<'d> {
        let nodes = match top.get("@graph") {
            Some(graph) => {
                self.object(top, &DOCUMENT);
                graph.items()
            }
            None => vec![top],
        };
        let mut graph = Graph::default();
        for node in nodes {
            match self.classify(node) {
                Some(Class::Stack) => graph.stacks.push(node),
                Some(Class::Container) => graph.containers.push(node),
                Some(Class::Host) => graph.hosts.push(node),
                Some(Class::Rack) => graph.racks.push(node),
                Some(Class::Datacenter) => graph.datacenters.push(node),
                None => {}
            }
        }
        graph
    }

    pub(in super::super) fn classify(&mut self, node: Node<'_>) -> Option<Class> {
        if !node.is_object() {
            self.wrong_type(node, "an object (a node of the graph)", "");
            return None;
        }
        let has_parts = || node.members().any(|member| matches!(local(member.key), "hasPart" | "itemListElement"));
        let Some(types) = node.get("@type") else {
            // Read on as what it looks like: its other mistakes are worth telling.
            let is_stack = has_parts() || self.tops.contains(&node.index()) && foreign::looks_like_a_stack(node);
            let (class, name) = if is_stack { (Class::Stack, "Stack") } else { (Class::Container, "Container") };
            let help = format!("add \"@type\": \"datacenter:{name}\"");
            self.error(Code::MissingKey, node, "this node has no `@type`", help);
            return Some(class);
        };
        let items = types.items();
        let names: Vec<&str> = items.iter().filter_map(|item| item.as_str()).collect();
        let is = |wanted: &str| names.iter().any(|name| local(name) == wanted);
        let ends = |wanted: &str| names.iter().any(|name| local(name).to_ascii_lowercase().ends_with(wanted));
        if is("Stack") {
            Some(Class::Stack)
        } else if is("Container") {
            Some(Class::Container)
        } else if is("ItemList") {
            let help = "write \"@type\": \"datacenter:Stack\" and `hasPart`";
            self.older_form(types, "an `ItemList` as a stack", help).then_some(Class::Stack)
        } else if is("SoftwareApplication") && has_parts() {
            let help = "write \"@type\": [\"datacenter:Stack\", \"SoftwareApplication\"]";
            self.older_form(types, "a `SoftwareApplication` as a stack", help).then_some(Class::Stack)
        } else if is("SoftwareApplication") {
            Some(Class::Container)
        } else if ends("datacenter") {
            Some(Class::Datacenter)
        } else if ends("rack") {
            Some(Class::Rack)
        } else if ends("host") {
            Some(Class::Host)
        } else {
            self.unknown_type(types, &names);
            None
        }
    }

    fn unknown_type(&mut self, types: Node<'_>, names: &[&str]) {
        let known = ["Stack", "Container", "Host", "Rack", "Datacenter"];
        let near = names.iter().find_map(|name| suggest::nearest(local(name), known));
        // schema.org has types for all and sundry, and older documents name them without a prefix.
        let is_others = |name: &&str| {
            self.context.key(name) == Key::Foreign
                || self.is_legacy() && near.is_none() && self.context.is_of_schema_org(name)
        };
        if !names.is_empty() && names.iter().all(is_others) {
            let message = format!("a node of type {} is not part of the stack", suggest::list(names.iter().copied()));
            self.findings.add(Code::IgnoredNode, types, message, None);
            return;
        }
        let help = match near {
            Some(near) => format!("did you mean `datacenter:{near}`?"),
            None => format!("types in `datacenter:`: {}", suggest::list(known)),
        };
        let message = format!("{} is no type of a stack document", suggest::list(names.iter().copied()));
        self.error(Code::UnknownType, types, message, help);
    }

    fn stacks(&mut self, top: Node<'_>, graph: &Graph<'_>) -> Option<Stack> {
        let hosts = self.topology(graph);
        let mut used = Vec::new();
        let mut stacks = Vec::new();
        for node in &graph.stacks {
            if !stacks.is_empty() {
                let help = "write one document per stack";
                self.error(Code::SeveralStacks, *node, "the document has a second stack", help);
            }
            stacks.push(self.stack(*node, graph, &mut used));
        }
        if graph.stacks.is_empty() {
            let help = "add {\"@type\": \"datacenter:Stack\", \"name\": …, \"hasPart\": […]} to `@graph`";
            self.error(Code::NoStack, top, "the document has no stack", help);
        } else {
            for container in graph.containers.iter().filter(|container| !used.contains(&container.index())) {
                let help = "list its `@id` in the stack's `hasPart`, or put it there whole";
                self.error(Code::StrayContainer, *container, "this container belongs to no stack", help);
            }
        }
        let mut stack = stacks.into_iter().next().flatten()?;
        stack.hosts = hosts;
        // All that is told of the text has been told.
        Some(stack.canonical())
    }
}

/// A type or key without its prefix or namespace.
pub(in super::super) fn local(name: &str) -> &str {
    name.rsplit([':', '#', '/']).next().unwrap_or(name)
}
