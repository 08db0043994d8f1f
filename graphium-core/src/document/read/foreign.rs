//! What is given for a stack document and is none: an empty object, or a file of Compose.

use super::super::{code::Code, findings::Findings, node::Node, profile::NATIVE_CONTEXT};
use json_syntax::Value;
use serde_json::json;

/// So many services are written out as containers.
const SHOWN: usize = 2;

/// Says what a stack document needs, where there is nothing of one; whether it was said.
pub(super) fn refuse(top: Node<'_>, findings: &mut Findings) -> bool {
    if top.members().next().is_none() {
        let help = format!("write {}", document("…", vec![container("…", Some("…"))]));
        findings.add(Code::NoStack, top, "the document is empty", Some(help));
        return true;
    }
    let ours = ["@type", "@context", "@graph", "@id", "hasPart", "itemListElement"];
    let services = top.members().find(|member| member.key == "services" && member.value.is_object());
    let Some(services) = services.filter(|_| ours.iter().all(|key| top.get(key).is_none())) else { return false };
    let name = top.get("name").and_then(Node::as_str).unwrap_or("…");
    let mut parts: Vec<serde_json::Value> = services
        .value
        .members()
        .take(SHOWN)
        .map(|service| container(service.key, service.value.get("image").and_then(Node::as_str)))
        .collect();
    if services.value.members().nth(SHOWN).is_some() {
        parts.push("…".into());
    }
    let message = "this is a file of Compose, not a stack document";
    let help = format!("write each service as a container: {}", document(name, parts));
    findings.add(Code::NoStack, &services, message, Some(help));
    true
}

fn container(name: &str, image: Option<&str>) -> serde_json::Value {
    json!({"@type": "datacenter:Container", "name": name, "image": image.unwrap_or("…")})
}

/// The whole document, with its keys in the order in which people write them.
fn document(name: &str, parts: Vec<serde_json::Value>) -> serde_json::Value {
    json!({"@context": NATIVE_CONTEXT, "@type": "datacenter:Stack", "name": name, "hasPart": parts})
}

/// Whether an object at the top that has no `@type` is rather a stack than a container.
pub(super) fn looks_like_a_stack(node: Node<'_>) -> bool {
    let says = |key: &str| node.get(key).is_some_and(|value| matches!(value.value(), Value::String(_)));
    node.members().next().is_some() && !says("image") && !says("executableName")
}
