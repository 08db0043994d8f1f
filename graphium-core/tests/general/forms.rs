//! The native document, its expanded and its flattened form are the same stack and the same graph.

use crate::{
    bed::{expand, flatten, graph_of_json_ld, graph_of_oxjsonld, lines, native, reads, reads_generally},
    permuted::permuted,
};
use graphium_core::document::{NATIVE_CONTEXT_DOCUMENT, Profile};
use serde_json::Value;
use std::collections::BTreeSet;

#[test]
fn the_expanded_form_of_a_native_document_is_the_same_stack() {
    for (name, text) in native() {
        let reading = reads(&text);
        assert_eq!(reading.profile, Profile::Native, "{name}");
        let expanded = expand(&text, None).unwrap();
        assert_eq!(reads_generally(&expanded).stack, reading.stack, "{name}\n{expanded}");
    }
}

#[test]
fn the_flattened_form_of_a_native_document_is_the_same_stack() {
    for (name, text) in native() {
        let flattened = flatten(&text);
        assert_eq!(reads_generally(&flattened).stack, reads(&text).stack, "{name}\n{flattened}");
    }
}

/// The same stack, to the byte: so nothing that is made of it can differ.
#[test]
fn the_order_of_nodes_and_sets_makes_no_difference_in_any_form() {
    let written = |text: &str| serde_json::to_string(&reads(text).stack).unwrap();
    for (name, text) in native() {
        for form in [text.clone(), expand(&text, None).unwrap(), flatten(&text)] {
            let (expected, document) = (written(&form), serde_json::from_str(&form).unwrap());
            for seed in 0..4 {
                assert_eq!(written(&permuted(&document, seed).to_string()), expected, "{name}\n{form}");
            }
        }
    }
}

#[test]
fn native_documents_are_the_same_graph_to_a_second_processor() {
    for (name, text) in native() {
        let (one, other) = (lines(&graph_of_json_ld(&text)), lines(&graph_of_oxjsonld(&text)));
        assert!(one.len() > 10, "{name}: {one:#?}");
        let missing: Vec<_> = one.iter().filter(|line| !other.contains(line)).collect();
        let more: Vec<_> = other.iter().filter(|line| !one.contains(line)).collect();
        assert!(missing.is_empty() && more.is_empty(), "{name}\nonly json-ld: {missing:#?}\nonly oxjsonld: {more:#?}");
    }
}

#[test]
fn the_native_documents_use_every_term_of_the_context() {
    let context: Value = serde_json::from_str(NATIVE_CONTEXT_DOCUMENT).unwrap();
    let mut terms = BTreeSet::new();
    keys(&context["@context"], &mut terms);
    let mut used = BTreeSet::new();
    for (_, text) in native() {
        words(&serde_json::from_str(&text).unwrap(), &mut used);
    }
    // `PropertyValue` is what older documents call a port or a variable.
    let unused: Vec<_> = terms
        .difference(&used)
        .filter(|term| *term != "PropertyValue" && *term != "Stack" && *term != "Host")
        .collect();
    assert!(unused.is_empty(), "{unused:?}");
}

fn keys(context: &Value, terms: &mut BTreeSet<String>) {
    for (term, definition) in context.as_object().unwrap() {
        if !term.starts_with('@') {
            terms.insert(term.clone());
        }
        if definition["@context"].is_object() {
            keys(&definition["@context"], terms);
        }
    }
}

/// Keys and strings, and what stands before their colons.
fn words(value: &Value, used: &mut BTreeSet<String>) {
    let mut add = |text: &str| used.extend(text.split(':').map(str::to_owned));
    match value {
        Value::String(text) => add(text),
        Value::Array(elements) => elements.iter().for_each(|element| words(element, used)),
        Value::Object(members) => {
            members.keys().for_each(|key| add(key));
            members.values().for_each(|member| words(member, used));
        }
        _ => {}
    }
}
