//! In the project's own documents, whatever their spelling, what they say is found where they say it.

use graphium_core::{
    diagnostic::{Diagnostic, Property, Subject},
    document::{ReadContext, locate, read},
    stack::Container,
};
use serde_json::Value;
use std::{fs, path::PathBuf};

/// A property of a container, and what the document must say there.
fn said(container: &Container) -> Vec<(Property, String)> {
    let ports = container.ports.iter().filter_map(|port| {
        let number = port.host_port?;
        Some((Property::Port { number, protocol: port.protocol }, number.to_string()))
    });
    let waits = container.depends_on.iter().map(|dependency| {
        let on = dependency.container.clone();
        (Property::Dependency { on: on.clone() }, on)
    });
    let host = container.host.iter().map(|host| (Property::Host, host.to_string()));
    ports.chain(waits).chain(host).chain([(Property::Name, container.name.clone())]).collect()
}

#[test]
fn what_examples_say_is_found_where_they_say_it() {
    let variables = |name: &str| (name == "JWT_SECRET").then(|| "a-secret".to_owned());
    let context = ReadContext::new(&variables);
    let mut found_in_all = 0;
    for entry in fs::read_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/stacks")).unwrap() {
        let path = entry.unwrap().path();
        let source = fs::read_to_string(&path).unwrap();
        let document: Value = serde_json::from_str(&source).unwrap();
        let stack = read(&source, &context).unwrap().stack;
        for container in &stack.containers {
            for (property, text) in said(container) {
                let subject = Subject::container(container.name.as_str()).property(property);
                let mut found = [Diagnostic::error("x", "", "").about(subject.clone())];
                locate(&source, &context, &mut found);
                let value = document.pointer(&found[0].pointer).map(Value::to_string).unwrap_or_default();
                let is_whole = value.contains("\"image\"") || value.contains("\"executableName\"");
                assert!(
                    found[0].line > 0 && value.contains(&text) && !is_whole,
                    "{}: {subject} is at {} ({value})",
                    path.display(),
                    found[0].pointer
                );
                found_in_all += 1;
            }
        }
    }
    assert!(found_in_all > 30, "{found_in_all}");
}
