//! The document as a whole: its context, the request around it, its nodes.

use super::{
    super::{
        code::Code,
        node::Node,
        profile::{Key, NATIVE_CONTEXT},
        read::{Class, Graph},
        schema, variables,
    },
    json::{Json, Members},
    rewriter::{Rewriter, sort},
};

/// Prefixes that the native context declares itself.
const OWN_PREFIXES: [&str; 3] = ["datacenter", "docker", "schema"];

impl Rewriter<'_> {
    /// The new document. A stack alone stands at the top; containers stand in their stack.
    pub(super) fn document(&mut self, root: Node<'_>) -> Json {
        let Some(top) = root.get("stackDefinition") else { return self.top(root, root) };
        let Some(object) = self.reader.object(root, &schema::ENVELOPE) else { return Json::of(root) };
        let mut envelope = self.members(&object);
        envelope.push_first("stackDefinition", self.top(root, top));
        Json::Object(envelope)
    }

    fn top(&mut self, root: Node<'_>, top: Node<'_>) -> Json {
        let graph = self.reader.graph(top);
        let mut used = Vec::new();
        let stack = graph.stacks.first().copied().map(|node| self.stack(node, &graph, &mut used));
        let mut document = match (stack, top.get("@graph")) {
            (Some(stack), None) => stack,
            (stack, nodes) => self.nodes(top, stack, nodes.map(Node::items).unwrap_or_default(), &used),
        };
        let context = self.context(top.get("@context").or_else(|| root.get("@context")), &document);
        document.push_first("@context", context);
        Json::Object(document)
    }

    /// The nodes of a graph, without the containers that moved into their stack.
    fn nodes(&mut self, top: Node<'_>, stack: Option<Members>, nodes: Vec<Node<'_>>, used: &[usize]) -> Members {
        let mut document = match self.reader.object(top, &schema::DOCUMENT) {
            Some(object) => self.members(&object),
            None => Members::default(),
        };
        let mut stack = stack;
        let mut written = Vec::new();
        for node in nodes.into_iter().filter(|node| !used.contains(&node.index())) {
            match self.reader.classify(node) {
                Some(Class::Stack) => written.extend(stack.take().map(Json::Object)),
                Some(Class::Host) => written.push(self.described(node, "Host", &schema::HOST)),
                Some(Class::Rack) => written.push(self.described(node, "Rack", &schema::RACK)),
                Some(Class::Datacenter) => written.push(self.described(node, "Datacenter", &schema::RACK)),
                None if !self.is_foreign(node) => self.left_out_node(node),
                Some(Class::Container) | None => written.push(Json::of(node)),
            }
        }
        match written.pop() {
            Some(Json::Object(only)) if written.is_empty() && document == Members::default() => only,
            last => {
                written.extend(last);
                document.push("@graph", Json::Array(written));
                // What is not ours stays behind what is.
                document.order(|key| usize::from(key != "@id") + usize::from(key.contains(':')));
                document
            }
        }
    }

    /// Whether a node is of types under somebody else's prefix, which the native form leaves alone.
    fn is_foreign(&self, node: Node<'_>) -> bool {
        let types = node.get("@type").map(Node::items).unwrap_or_default();
        types.into_iter().filter_map(Node::as_str).all(|name| self.reader.context.key(name) == Key::Foreign)
    }

    /// schema.org's own types are older documents' only: in the native form they would be slips.
    fn left_out_node(&mut self, node: Node<'_>) {
        let at = node.get("@type").unwrap_or(node);
        let message = "a node of this type has no effect and no place in the native form: it is left out";
        let help = "to keep it, give it a type under a prefix of your own";
        self.problems.add(Code::LeftOut, at, message, Some(help.to_owned()));
    }

    fn stack(&mut self, node: Node<'_>, graph: &Graph<'_>, used: &mut Vec<usize>) -> Members {
        let Some(object) = self.reader.object(node, &schema::STACK) else { return Members::default() };
        let mut stack = self.members(&object);
        stack.set("@type", self.types(object.get("@type"), "Stack", |name| name == "SoftwareApplication"));
        let mut parts = Vec::new();
        for member in object.all("hasPart") {
            let mut items = member.value.items();
            if super::super::read::local(member.key) == "itemListElement" {
                items.iter().for_each(|item| self.refuse_position(*item));
                items = self.reader.by_position(items);
            }
            for item in items {
                if let Some(part) = self.reader.part(item, graph, used) {
                    parts.push(self.container(part));
                }
            }
        }
        stack.push("hasPart", Json::Array(parts));
        sort(&mut stack, &schema::STACK);
        stack
    }

    fn refuse_position(&mut self, item: Node<'_>) {
        let Some(position) = item.get("position") else { return };
        if position.as_str().is_some_and(variables::is_used_in) {
            self.cannot(position, "a variable decides the order of this list", "write `hasPart` in its order");
        }
    }

    fn container(&mut self, node: Node<'_>) -> Json {
        let Some(object) = self.reader.object(node, &schema::CONTAINER) else { return Json::of(node) };
        let mut container = self.members(&object);
        container.set("@type", self.types(object.get("@type"), "Container", |name| name == "SoftwareApplication"));
        sort(&mut container, &schema::CONTAINER);
        self.resource_requirements(&object, &mut container);
        Json::Object(container)
    }

    /// A node of the topology.
    fn described(&mut self, node: Node<'_>, own: &str, place: &'static schema::Place) -> Json {
        let Some(object) = self.reader.object(node, place) else { return Json::of(node) };
        let mut described = self.members(&object);
        let ending = own.to_ascii_lowercase();
        let stands_in = |name: &str| name.to_ascii_lowercase().ends_with(&ending);
        described.set("@type", self.types(object.get("@type"), own, stands_in));
        sort(&mut described, place);
        Json::Object(described)
    }

    /// Our context, and the prefixes of others that the document declares.
    fn context(&self, declared: Option<Node<'_>>, document: &Members) -> Json {
        let mut prefixes = Members::default();
        let entries = declared.map(Node::items).unwrap_or_default();
        for member in entries.iter().flat_map(|entry| entry.members()) {
            let foreign = self.reader.context.key(&format!("{}:x", member.key)) == Key::Foreign;
            // A prefix of ours under another name is written out in keys; values may still begin with it.
            let needed =
                foreign || !OWN_PREFIXES.contains(&member.key) && is_used(&format!("{}:", member.key), document);
            if needed && prefixes.get(member.key).is_none() {
                prefixes.push(member.key, Json::of(member.value));
            }
        }
        match prefixes == Members::default() {
            true => Json::text(NATIVE_CONTEXT),
            false => Json::Array(vec![Json::text(NATIVE_CONTEXT), Json::Object(prefixes)]),
        }
    }
}

/// Whether any text of the new document begins with a prefix.
fn is_used(prefix: &str, document: &Members) -> bool {
    fn within(prefix: &str, value: &Json) -> bool {
        match value {
            Json::Word(_) => false,
            Json::Text(text) => text.starts_with(prefix),
            Json::Array(elements) => elements.iter().any(|element| within(prefix, element)),
            Json::Object(members) => is_used(prefix, members),
        }
    }
    document.iter().any(|(_, value)| within(prefix, value))
}
