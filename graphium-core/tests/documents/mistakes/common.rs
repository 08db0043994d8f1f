//! How cases are written: the marked part of a source is between « and ».

use graphium_core::{
    diagnostic::Diagnostic,
    document::{ReadContext, read},
};

pub(crate) const NATIVE: &str = r#""@context": "https://graphium.io/context/v1.jsonld""#;
pub(crate) const LEGACY: &str = r#""@context": "https://schema.org""#;

/// The source without its marks, and where they were: line, column, length.
pub(crate) fn unmark(marked: &str) -> (String, (u32, u32, u32)) {
    let (before, rest) = marked.split_once('«').unwrap_or_else(|| panic!("no mark in {marked}"));
    let (inside, after) = rest.split_once('»').unwrap();
    let line = before.matches('\n').count() as u32 + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() as u32 + 1;
    (format!("{before}{inside}{after}"), (line, column, inside.chars().count() as u32))
}

pub(crate) fn findings(source: &str) -> Vec<Diagnostic> {
    match read(source, &ReadContext::default()) {
        Ok(reading) => reading.notes,
        Err(mistakes) => mistakes,
    }
}

/// Whether the document has this finding in its marked place, and no error anywhere else.
pub(crate) fn finds(code: &str, marked: &str, pointer: &str, help: &str) -> Result<(), String> {
    let (source, place) = unmark(marked);
    let found = findings(&source);
    let is_there = |f: &Diagnostic| (f.line, f.column, f.length) == place;
    let Some(finding) = found.iter().find(|f| f.code == code && is_there(f)) else {
        return Err(format!("`{code}` at {place:?} not found in\n{source}\nbut {found:#?}"));
    };
    let text = format!("{} {}", finding.message, finding.help.as_deref().unwrap_or_default());
    if finding.pointer != pointer || !text.contains(help) {
        return Err(format!("`{code}` at `{}` says `{text}`, which lacks `{help}`", finding.pointer));
    }
    match found.iter().find(|f| f.is_error() && !is_there(f)) {
        Some(other) => Err(format!("beside `{code}` there is {other:#?} in\n{source}")),
        None => Ok(()),
    }
}

/// A native stack with these keys of the stack, and a container with these keys.
pub(crate) fn stack(keys: &str, container: &str) -> String {
    format!(
        "{{{NATIVE}, \"@type\": \"datacenter:Stack\", \"@id\": \"stack:s\", \"name\": \"s\"{keys},\n\"hasPart\": [{{\"@id\": \"container:web\", \
         \"@type\": \"datacenter:Container\", \"name\": \"web\",\n{container}}}]}}"
    )
}

pub(crate) fn container(keys: &str) -> String {
    stack("", &format!("\"image\": \"nginx\", {keys}"))
}

/// The same as an older document.
pub(crate) fn older(text: &str) -> String {
    text.replace(NATIVE, LEGACY)
}

/// A native stack of these containers, each `name: keys`.
pub(crate) fn containers(keys: &str, containers: &[(&str, &str)]) -> String {
    let parts: Vec<String> = containers
        .iter()
        .map(|(name, keys)| {
            format!("{{\"@type\": \"datacenter:Container\", \"@id\": \"container:{name}\", \"name\": \"{name}\", \"image\": \"i\"{keys}}}")
        })
        .collect();
    format!(
        "{{{NATIVE}, \"@type\": \"datacenter:Stack\", \"@id\": \"stack:s\", \"name\": \"s\"{keys}, \"hasPart\": [\n{}]}}",
        parts.join(",\n")
    )
}

pub(crate) const STACK: &str = r#"{"@type": "datacenter:Stack", "@id": "stack:s", "name": "s", "hasPart": [{"@type": "datacenter:Container", "@id": "container:a", "name": "a", "image": "i"}]}"#;
pub(crate) const PUBLISHED: &str = r#", "ports": [{"containerPort": 80, "hostPort": 80}]"#;
pub(crate) const MARKED: &str = r#", "ports": [{"containerPort": 80, "hostPort": «80»}]"#;

pub(crate) fn with_context(entry: &str) -> String {
    container("\"user\": \"a\"")
        .replace(NATIVE, &format!("\"@context\": [\"https://graphium.io/context/v1.jsonld\", {entry}]"))
}

pub(crate) fn two_stacks() -> String {
    format!("{{{NATIVE}, \"@graph\": [{STACK}, {}]}}", STACK.replacen('{', "«{»", 1))
}
