//! What the planner finds is shown where the document says it, though the planner never sees a document.

mod codes;
mod examples;
mod properties;

use graphium_core::{
    diagnostic::Diagnostic,
    inventory::Inventory,
    plan::{Options, fixtures::hosts, plan},
    stack::Stack,
};

/// A stack of these containers; the first stands in line 4.
pub(crate) fn document(more: &str, containers: &str) -> String {
    format!(
        r#"{{"@context": "https://graphium.io/context/v1.jsonld",
"@type": "datacenter:Stack", "@id": "stack:s", "name": "s",{more}
"hasPart": [
{}
]}}"#,
        containers.replace("{'name", r#"{"@type": "datacenter:Container", 'name"#).replace('\'', "\"")
    )
}

pub(crate) fn refused(stack: &Stack, inventory: &Inventory) -> Vec<Diagnostic> {
    plan(stack, None, inventory, &Options::default()).unwrap_err()
}

pub(crate) fn on_two_hosts(stack: Stack) -> Vec<Diagnostic> {
    refused(&stack, &hosts(2))
}

/// The text that a diagnostic marks.
pub(crate) fn marked(source: &str, found: &Diagnostic) -> String {
    let line = source.lines().nth(found.line as usize - 1).unwrap();
    line.chars().skip(found.column as usize - 1).take(found.length as usize).collect()
}
