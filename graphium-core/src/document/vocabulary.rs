//! The IRIs of our terms, and in what shape JSON-LD carries each value: the reader's table as linked data sees it.
//!
//! The embedded context says the same in JSON-LD's own words; a test below compares the two, term by term.

use super::{
    profile::OURS,
    schema::{self, Field, Kind, Place},
};

/// Stacks, containers, hosts; where things stand.
pub(super) const DATACENTER: &str = "https://graphium.io/vocab/datacenter#";
/// Everything that has no other home.
pub(super) const STACK: &str = "https://graphium.io/vocab/stack#";
/// What schema.org has a word for.
pub(super) const SCHEMA: &str = "http://schema.org/";

/// Fields that schema.org has a word for.
const OF_SCHEMA: [&str; 6] = ["name", "description", "hasPart", "value", "applicationCategory", "softwareVersion"];
/// Fields that older documents have in `datacenter:`.
const OF_DATACENTER: [&str; 3] = ["locatedInHost", "locatedInRack", "locatedInDatacenter"];

/// How the values of a field stand in a graph.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// One literal.
    Scalar,
    /// Literals, in no order.
    Scalars,
    /// Literals in an order that matters.
    Words,
    /// A JSON literal.
    Json,
    /// Nodes that are named, not described, at this place.
    References,
    /// Nodes that are named, each with what the table of the place says of the edge to it.
    Edges(&'static Place),
    /// Nodes that are described, by the table of the place.
    Nodes(&'static Place),
}

/// The IRI of a field at a place.
pub(super) fn iri_of(place: &'static Place, field: &str) -> String {
    match field {
        // `type` would be taken for `@type` by everybody who reads the graph.
        "type" if std::ptr::eq(place, &schema::MOUNT) => format!("{STACK}mountType"),
        "type" if std::ptr::eq(place, &schema::HEALTH_CHECK) => format!("{STACK}checkType"),
        field if OF_SCHEMA.contains(&field) => format!("{SCHEMA}{field}"),
        field if OF_DATACENTER.contains(&field) => format!("{DATACENTER}{field}"),
        field => format!("{STACK}{field}"),
    }
}

/// The field that an IRI stands for at a place. As in native documents each of our namespaces will do.
pub(super) fn field_of(place: &'static Place, iri: &str) -> Option<&'static Field> {
    let local = OURS.iter().find_map(|namespace| iri.strip_prefix(namespace))?;
    let name = match local {
        "mountType" if std::ptr::eq(place, &schema::MOUNT) => "type",
        "checkType" if std::ptr::eq(place, &schema::HEALTH_CHECK) => "type",
        local => local,
    };
    place.field(name).filter(|field| shape(place, field).is_some())
}

/// How the values of a field stand in a graph; `None` for what JSON-LD itself reads.
pub(super) fn shape(place: &'static Place, field: &'static Field) -> Option<Shape> {
    if field.name.starts_with('@') || field.older.is_some() {
        return None;
    }
    Some(match field.kind {
        Kind::Object(place) | Kind::List(place) => Shape::Nodes(place),
        Kind::TextMap => Shape::Json,
        Kind::Words => Shape::Words,
        Kind::TextList if field.name == "dns" => Shape::Words,
        Kind::TextList => Shape::Scalars,
        // A secret is named by a word, not by an IRI: it is nobody's node.
        Kind::Reference if field.name == "fromSecret" => Shape::Scalar,
        Kind::Reference => Shape::References,
        Kind::Ignored if field.name == "labels" => Shape::Json,
        Kind::Forms(_) => match field.name {
            "command" => Shape::Words,
            "dependsOn" if std::ptr::eq(place, &schema::CONTAINER) => Shape::Edges(&schema::DEPENDENCY),
            "dependsOn" => Shape::References,
            "extraHosts" => Shape::Json,
            "expose" | "secrets" => Shape::Scalars,
            "ulimits" => Shape::Nodes(&schema::ULIMIT),
            "devices" => Shape::Nodes(&schema::DEVICE),
            "volumes" => Shape::Nodes(&schema::VOLUME),
            _ => Shape::Scalar,
        },
        _ => Shape::Scalar,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::NATIVE_CONTEXT_DOCUMENT;
    use serde_json::{Map, Value};
    use sha2::{Digest, Sha256};
    use std::collections::BTreeMap;

    /// What stands at the top of a document, or beside a stack in its graph; the container says most of what they share.
    const TOP: [&Place; 4] = [&schema::CONTAINER, &schema::STACK, &schema::HOST, &schema::RACK];
    /// Terms that are no fields: prefixes and types.
    const NO_FIELDS: [(&str, &str); 10] = [
        ("datacenter", DATACENTER),
        ("docker", "https://graphium.io/vocab/docker#"),
        ("schema", SCHEMA),
        ("Stack", "https://graphium.io/vocab/datacenter#Stack"),
        ("Container", "https://graphium.io/vocab/datacenter#Container"),
        ("Host", "https://graphium.io/vocab/datacenter#Host"),
        ("Rack", "https://graphium.io/vocab/datacenter#Rack"),
        ("Datacenter", "https://graphium.io/vocab/datacenter#Datacenter"),
        ("SoftwareApplication", "http://schema.org/SoftwareApplication"),
        ("PropertyValue", "http://schema.org/PropertyValue"),
    ];

    fn context() -> Map<String, Value> {
        let document: Value = serde_json::from_str(NATIVE_CONTEXT_DOCUMENT).unwrap();
        document["@context"].as_object().unwrap().clone()
    }

    /// What the table makes of a context: by term its IRI, its coercion, and the places below it.
    fn expected(places: &[&'static Place]) -> BTreeMap<&'static str, (String, Option<Shape>)> {
        let mut terms = BTreeMap::new();
        for place in places {
            for field in place.fields {
                let Some(shape) = shape(place, field) else { continue };
                assert_eq!(field_of(place, &iri_of(place, field.name)).map(|found| found.name), Some(field.name));
                terms.entry(field.name).or_insert((iri_of(place, field.name), Some(shape)));
            }
        }
        terms
    }

    fn iri(definition: &Value) -> &str {
        definition.as_str().or_else(|| definition["@id"].as_str()).unwrap()
    }

    fn compare(path: &str, places: &[&'static Place], own: &Map<String, Value>, inherited: &Map<String, Value>) {
        let mut scope = inherited.clone();
        scope.extend(own.iter().map(|(term, definition)| (term.clone(), definition.clone())));
        let expected = expected(places);
        for (term, (wanted, shape)) in &expected {
            let definition = scope.get(*term).unwrap_or_else(|| panic!("{path}: the context lacks `{term}`"));
            assert_eq!(iri(definition), wanted, "{path}.{term}");
            let (kind, container) = (definition["@type"].as_str(), definition["@container"].as_str());
            let ordered = *term == "ports";
            let coercion = match shape {
                Some(Shape::Json) => (Some("@json"), None),
                Some(Shape::Words) => (None, Some("@list")),
                Some(Shape::References | Shape::Edges(_)) => (Some("@id"), None),
                // Parts of a stack may be named, and stand elsewhere in the graph.
                Some(Shape::Nodes(_)) if *term == "hasPart" => (Some("@id"), None),
                _ => (None, ordered.then_some("@list")),
            };
            assert_eq!((kind, container), coercion, "{path}.{term}");
            let below = definition["@context"].as_object();
            match shape {
                // Its fields are terms at the top already.
                Some(Shape::Nodes(place)) if std::ptr::eq(*place, &schema::CONTAINER) => assert!(below.is_none()),
                Some(Shape::Nodes(place) | Shape::Edges(place)) => {
                    let below = below.unwrap_or_else(|| panic!("{path}.{term} has no context of its own"));
                    compare(&format!("{path}.{term}"), &[place], below, &scope);
                }
                _ => assert!(below.is_none(), "{path}.{term}"),
            }
        }
        for term in own.keys().filter(|term| !term.starts_with('@')) {
            let known =
                expected.contains_key(term.as_str()) || path.is_empty() && NO_FIELDS.iter().any(|(t, _)| t == term);
            assert!(known, "{path}: the table lacks `{term}`");
        }
    }

    #[test]
    fn the_context_and_the_table_have_the_same_terms_at_the_same_places() {
        let context = context();
        compare("", &TOP, &context, &Map::new());
        for (term, iri) in NO_FIELDS {
            assert_eq!(context[term], iri);
        }
    }

    #[test]
    fn every_scope_is_protected_and_none_has_a_vocabulary_or_a_base() {
        fn visit(context: &Map<String, Value>) {
            assert_eq!(context["@protected"], true);
            for (term, definition) in context {
                assert!(!["@vocab", "@base", "@import", "@propagate"].contains(&term.as_str()));
                if let Some(below) = definition["@context"].as_object() {
                    visit(below);
                }
            }
        }
        visit(&context());
    }

    #[test]
    fn no_term_means_two_things_in_one_scope() {
        // Fields of one name at several places of the top must agree, as they share a term.
        for (at, one) in TOP.iter().enumerate() {
            for other in &TOP[at + 1..] {
                for field in one.fields.iter().filter(|field| shape(one, field).is_some()) {
                    let Some(twin) = other.field(field.name) else { continue };
                    assert_eq!(iri_of(one, field.name), iri_of(other, twin.name));
                }
            }
        }
    }

    #[test]
    fn the_context_never_changes() {
        let digest: String = Sha256::digest(NATIVE_CONTEXT_DOCUMENT).iter().map(|byte| format!("{byte:02x}")).collect();
        // Documents name it by its URL and mean these bytes: a change is a new version with a URL of its own.
        assert_eq!(digest, "3c64e4e913cf56a1f4ee248293ad065dab8052be7583ec7a504469351189bd71");
    }
}
