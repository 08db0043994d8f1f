//! Whatever can be said in two ways cannot be said in two ways differently: for every pair of spellings in the table.

use super::{
    super::{
        ReadContext, read,
        schema::{self, Form, Kind, Origin, Place, REQUIREMENTS_TODAY, RESOURCE_REQUIREMENTS, Shape},
    },
    formats,
    place::{NATIVE, OLDER, PLACES, document},
    reads,
};
use crate::{diagnostic::Diagnostic, document::Reading};
use serde_json::{Map, Value, json};

/// Two values of a kind that are sound at the place and not the same.
fn values(kind: Kind) -> [Value; 2] {
    match kind {
        // Names of containers that the documents have, so that a reference may take them.
        Kind::Text | Kind::Shaped(Shape::Name | Shape::Image) => [json!("b"), json!("d")],
        Kind::Shaped(Shape::Path) => [json!("/b"), json!("/d")],
        Kind::Shaped(Shape::Address) => [json!("10.0.0.1"), json!("10.0.0.2")],
        Kind::Flag => [json!(true), json!(false)],
        Kind::Integer { .. } | Kind::Number | Kind::Port | Kind::Duration => [json!(1), json!(2)],
        Kind::Size => [json!("64M"), json!("65M")],
        Kind::SizeOrUnlimited => [json!(-1), json!("65M")],
        Kind::Choice(choices) => [json!(choices[0].word), json!(choices[1].word)],
        Kind::TextMap => [json!({"a": "b"}), json!({"a": "d"})],
        Kind::Reference => [json!("vm1"), json!({"@id": "host:vm2"})],
        Kind::Forms(Form::Check) => [json!(["b"]), json!(["d"])],
        Kind::Object(place) if is(place, &schema::HEALTH_CHECK) => {
            [json!({"type": "tcp", "port": 1}), json!({"type": "tcp", "port": 2})]
        }
        Kind::List(place) if is(place, &schema::PORT) => [json!({"containerPort": 1}), json!({"containerPort": 2})],
        Kind::List(place) if is(place, &schema::ENV_VAR) => {
            [json!([{"name": "A", "value": "b"}]), json!([{"name": "B", "value": "b"}])]
        }
        Kind::List(place) if is(place, &schema::MOUNT) => {
            [json!([{"source": "v", "target": "/b"}]), json!([{"source": "v", "target": "/d"}])]
        }
        Kind::List(place) if is(place, &schema::CONTAINER) => {
            let container = |name: &str| json!([{"@type": "datacenter:Container", "name": name, "image": "i"}]);
            [container("b"), container("d")]
        }
        _ => panic!("a field of a kind that had one spelling only has two: add two values of that kind here"),
    }
}

fn is(one: &Place, other: &Place) -> bool {
    std::ptr::eq(one, other)
}

/// The members that say a value at a path.
fn at(path: &str, value: Value) -> Map<String, Value> {
    let wrap = |value, step: &str| json!({ step: value });
    let Value::Object(members) = path.rsplit('.').fold(value, wrap) else { panic!("no path") };
    members
}

fn source(context: &str, place: &str, members: Map<String, Value>) -> String {
    // A mount that says something of its volume names it.
    let is_named = ["source", "name", "hostPath"].iter().any(|key| members.contains_key(*key));
    let needed = if place == "MOUNT" && !is_named { at("source", json!("v")) } else { Map::new() };
    let text = Value::Object(members.into_iter().chain(needed).collect()).to_string();
    document(context, place, &text[1..text.len() - 1])
}

fn refused(source: &str) -> Vec<Diagnostic> {
    read(source, &ReadContext::default()).err().unwrap_or_else(|| panic!("this says two things: {source}"))
}

/// Every pair of ways to say one field: place, kind, the two ways.
fn pairs() -> Vec<(&'static str, Kind, &'static str, &'static str)> {
    let mut pairs = Vec::new();
    for (name, place) in PLACES {
        let older = || place.aliases.iter().filter(|alias| alias.origin == Origin::Legacy);
        for (number, alias) in older().enumerate() {
            let kind = place.kind_at(alias.field).unwrap();
            pairs.push((*name, kind, alias.key, alias.field));
            let twins = older().skip(number + 1).filter(|twin| twin.field == alias.field);
            pairs.extend(twins.map(|twin| (*name, kind, alias.key, twin.key)));
        }
    }
    pairs
}

#[test]
fn two_spellings_of_one_field_that_differ_are_refused_or_both_kept() {
    for (place, kind, one, other) in pairs() {
        let [first, second] = values(kind);
        let both: Map<String, Value> = at(one, first.clone()).into_iter().chain(at(other, second.clone())).collect();
        let both = source(OLDER, place, both);
        if matches!(kind, Kind::List(_)) {
            let stack = reads(&both).stack;
            assert_ne!(stack, reads(&source(OLDER, place, at(one, first))).stack, "{both}");
            assert_ne!(stack, reads(&source(OLDER, place, at(other, second))).stack, "{both}");
            continue;
        }
        let mistakes = refused(&both);
        let told = mistakes.iter().find(|mistake| mistake.code == "duplicate-key");
        let told = told.unwrap_or_else(|| panic!("{both}\n{mistakes:#?}"));
        let last = other.rsplit('.').next().unwrap();
        assert!(told.message.contains(&format!("`{one}`")) && told.message.contains(last), "{told:#?}");
        assert!(told.help.as_ref().is_some_and(|help| help.starts_with("keep `")), "{told:#?}");
    }
}

#[test]
fn two_spellings_of_one_field_that_agree_say_it_once_with_a_note() {
    for (place, kind, one, other) in pairs().into_iter().filter(|(_, kind, ..)| !matches!(kind, Kind::List(_))) {
        let [value, _] = values(kind);
        let both: Map<String, Value> = at(one, value.clone()).into_iter().chain(at(other, value.clone())).collect();
        let both = source(OLDER, place, both);
        let Reading { stack, notes, .. } = reads(&both);
        assert_eq!(stack, reads(&source(OLDER, place, at(one, value.clone()))).stack, "{both}");
        assert!(notes.iter().any(|note| note.code == "alias"), "{notes:#?}");
        assert_eq!(formats(&both), formats(&source(OLDER, place, at(one, value))));
    }
}

#[test]
fn older_requirements_that_differ_from_resources_are_refused() {
    let known: Vec<&str> = REQUIREMENTS_TODAY.iter().map(|(key, _)| *key).collect();
    let keys = RESOURCE_REQUIREMENTS.fields.iter().map(|field| field.name).filter(|name| *name != "@type");
    assert_eq!(keys.collect::<Vec<_>>(), known, "a key without a row here is lost");
    for (key, (part, path)) in REQUIREMENTS_TODAY {
        let place = if *part == "resources" { &schema::RESOURCES } else { &schema::REQUIREMENTS };
        let [value, other] = values(place.kind_at(path).unwrap());
        let spellings = place.aliases.iter().filter(|alias| alias.field == *path).map(|alias| alias.key).chain([*path]);
        for spelling in spellings {
            let said = |value: &Value| {
                let today = json!({ *part: at(spelling, value.clone()) });
                let Value::Object(mut members) = today else { panic!("no object") };
                members
                    .extend(at(&format!("resourceRequirements.{key}"), json!(values(place.kind_at(path).unwrap())[0])));
                source(OLDER, "CONTAINER", members)
            };
            let told = refused(&said(&other));
            assert!(told.iter().any(|mistake| mistake.code == "duplicate-key"), "{key} {spelling}: {told:#?}");
            let text = formats(&said(&value));
            assert_eq!(text, formats(&source(NATIVE, "CONTAINER", at(&format!("{part}.{path}"), value.clone()))));
        }
    }
}

#[test]
fn keys_that_stand_for_no_other_alone_are_these() {
    // A new one needs a test of what it says beside what says it today.
    let older: Vec<(&str, &str)> = PLACES
        .iter()
        .flat_map(|(name, place)| place.fields.iter().filter(|field| field.older.is_some()).map(|f| (*name, f.name)))
        .collect();
    let known = [("CONTAINER", "position"), ("CONTAINER", "resourceRequirements"), ("NETWORK", "createIfNotExists")];
    assert_eq!(older, known);
}

#[test]
fn a_network_cannot_be_made_and_exist_already() {
    let network = |created: bool, external: bool| {
        let members = json!({"createIfNotExists": created, "external": external});
        document(OLDER, "NETWORK", members.to_string().trim_matches(['{', '}']))
    };
    for same in [true, false] {
        assert!(refused(&network(same, same)).iter().any(|mistake| mistake.code == "duplicate-key"));
        assert_eq!(reads(&network(!same, same)).stack.network.map(|network| network.external), Some(same));
    }
}

#[test]
fn a_key_under_one_of_our_prefixes_is_the_same_key() {
    for (key, one, other) in [("image", "a", "b"), ("gpus", "1", "2"), ("user", "a", "b")] {
        let members = format!(r#""{key}": "{one}", "docker:{key}": "{other}""#);
        let told = refused(&document(OLDER, "CONTAINER", &members));
        assert!(told.iter().any(|mistake| mistake.code == "duplicate-key"), "{told:#?}");
    }
}

#[test]
fn texts_with_variables_are_the_same_where_they_are_written_the_same() {
    let read = |one: &str, other: &str| {
        let members = format!(r#""image": "{one}", "executableName": "{other}""#);
        read(document(OLDER, "CONTAINER", &members), &ReadContext::new(&|_| Some("a".to_owned())))
    };
    assert!(read("${A}", "${A}").is_ok());
    let told = read("${A}", "${B}").unwrap_err();
    assert!(told.iter().any(|mistake| mistake.code == "duplicate-key"), "{told:#?}");
}
