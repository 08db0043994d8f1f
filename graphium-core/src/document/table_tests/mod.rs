//! Every key and every other spelling of the table is read, formatted, and refused where it should be.
//!
//! The cases are lists; a row of the table without a case fails.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod contradictions;
mod fields;
mod older;
mod place;

use super::{
    Profile, ReadContext, Reading, format, json_schema, read,
    schema::{Kind, Origin, Place},
};
use fields::FIELDS;
use older::OLDER;
use place::{NATIVE, PLACES, document};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeSet;

fn reads(source: &str) -> Reading {
    read(source, &ReadContext::default()).unwrap_or_else(|mistakes| panic!("{source}\n{mistakes:#?}"))
}

/// The formatted text, which reads to the same and stays as it is.
fn formats(source: &str) -> String {
    let text = format(source).unwrap_or_else(|mistakes| panic!("{source}\n{mistakes:#?}")).text;
    let (before, after) = (reads(source), reads(&text));
    assert_eq!(
        (after.profile, &after.stack, after.options),
        (Profile::Native, &before.stack, before.options),
        "{text}"
    );
    assert_eq!(format(&text).unwrap().text, text);
    text
}

fn place_of(name: &str) -> &'static Place {
    PLACES.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no place {name}")).1
}

/// The first key of members.
fn key_of(members: &str) -> &str {
    members.split('"').nth(1).unwrap()
}

#[test]
fn every_canonical_key_is_read_and_stays() {
    for (place, members) in FIELDS {
        let source = document(NATIVE, place, members);
        let text = formats(&source);
        let key = key_of(members);
        let kind = place_of(place).field(key).unwrap_or_else(|| panic!("{place} has no {key}")).kind;
        let reading = reads(&source);
        let old: Vec<_> = reading.notes.iter().filter(|note| ["alias", "older-form"].contains(&&*note.code)).collect();
        assert!(old.is_empty(), "{source}: {old:#?}");
        // A key that changes nothing was not read; some stand for what is so anyway.
        let same = matches!(kind, Kind::Ignored | Kind::Structure) || *members == r#""networkMode": "host-port""#;
        let without = reads(&document(NATIVE, place, ""));
        assert!(same || (reading.stack, reading.options) != (without.stack, without.options), "{source}");
        assert!(text.contains(&format!("\"{key}\"")) || matches!(kind, Kind::Structure), "{key} is lost in {text}");
        assert_eq!(formats(&document(place::OLDER, place, members)), text, "older documents have canonical keys, too");
    }
}

#[test]
fn every_older_key_means_its_canonical_one_and_is_refused_natively() {
    for (place, members, today, canonical) in OLDER {
        let source = document(place::OLDER, place, members);
        let text = formats(&source);
        assert_eq!(text, formats(&document(NATIVE, today, canonical)), "{source}");
        let key = key_of(members);
        let is_older = place_of(place).alias(key).is_some() || place_of(place).field(key).unwrap().older.is_some();
        if is_older && *place != "LIST_ITEM" && *place != "RESOURCE_REQUIREMENTS" {
            let mistakes = read(document(NATIVE, place, members), &ReadContext::default()).unwrap_err();
            assert!(mistakes.iter().any(|mistake| mistake.code == "unknown-key"), "{members}: {mistakes:#?}");
        }
    }
}

#[test]
fn the_json_schema_takes_whatever_the_formatter_writes() {
    let validator = jsonschema::draft202012::new(&json_schema()).unwrap();
    let canonical = FIELDS.iter().map(|(place, members)| document(NATIVE, place, members));
    let older = OLDER.iter().map(|(place, members, ..)| document(place::OLDER, place, members));
    for source in canonical.chain(older) {
        let text = format(&source).unwrap().text;
        let value = serde_json::from_str(&text).unwrap();
        let complaints: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(complaints.is_empty(), "{text}\n{complaints:#?}");
    }
}

/// The value in which the first array of one element that is below `skip` others is that element.
fn with_a_single_value(value: &Value, skip: &mut usize) -> Option<Value> {
    match value {
        Value::Array(list) => {
            if list.len() == 1 {
                if *skip == 0 {
                    return Some(list[0].clone());
                }
                *skip -= 1;
            }
            let (at, changed) =
                list.iter().enumerate().find_map(|(at, item)| Some((at, with_a_single_value(item, skip)?)))?;
            let mut list = list.clone();
            list[at] = changed;
            Some(Value::Array(list))
        }
        Value::Object(members) => {
            let (key, changed) =
                members.iter().find_map(|(key, item)| Some((key.clone(), with_a_single_value(item, skip)?)))?;
            let mut members = members.clone();
            members.insert(key, changed);
            Some(Value::Object(members))
        }
        _ => None,
    }
}

#[test]
fn the_json_schema_takes_whatever_the_reader_takes_without_a_word() {
    let validator = jsonschema::draft202012::new(&json_schema()).unwrap();
    let (mut wrong, mut singles, mut tried) = (Vec::new(), 0, 0);
    let mut check = |value: &Value| {
        let Ok(reading) = read(value.to_string(), &ReadContext::default()) else { return };
        tried += 1;
        assert_eq!(reading.profile, Profile::Native, "{value}");
        let complaints: Vec<String> = validator.iter_errors(value).map(|error| error.to_string()).collect();
        if !complaints.is_empty() {
            wrong.push(format!("{value}\n{}", complaints.join("\n")));
        }
    };
    for (place, members) in FIELDS {
        let value: Value = serde_json::from_str(&document(NATIVE, place, members)).unwrap();
        check(&value);
        for skip in 0.. {
            let Some(single) = with_a_single_value(&value, &mut { skip }) else { break };
            singles += 1;
            check(&single);
        }
        let mut marked = value;
        marked.as_object_mut().unwrap().insert("$schema".to_owned(), "https://graphium.io/schema/stack/v1.json".into());
        check(&marked);
    }
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(singles > 50 && tried > 2 * FIELDS.len(), "{singles} single values, {tried} documents");
}

#[test]
fn the_key_by_which_editors_find_the_schema_stands_at_the_top_and_stays() {
    let source = document(NATIVE, "STACK", "");
    let marked = source.replacen('{', r#"{"$schema": "https://graphium.io/schema/stack/v1.json", "#, 1);
    let text = formats(&marked);
    assert!(text.starts_with("{\n  \"$schema\": \"https://graphium.io/schema/stack/v1.json\""), "{text}");
    assert!(reads(&marked).notes.iter().all(|note| note.code != "ignored-key"), "it is told by nobody");
    let below = document(NATIVE, "CONTAINER", r#""$schema": "x""#);
    let mistakes = read(&below, &ReadContext::default()).unwrap_err();
    assert!(mistakes.iter().any(|mistake| mistake.code == "unknown-key"), "{mistakes:#?}");
}

#[test]
fn every_row_of_the_table_has_a_case() {
    let canonical: BTreeSet<(&str, &str)> = FIELDS.iter().map(|(place, members)| (*place, key_of(members))).collect();
    let older: BTreeSet<(&str, &str)> = OLDER.iter().map(|(place, members, ..)| (*place, key_of(members))).collect();
    let mut missing = Vec::new();
    for (name, place) in PLACES {
        // Places of older documents only have all their cases there.
        let is_old = ["ENV_SOURCE", "LIST_ITEM", "PROPERTY_VALUE", "RESOURCE_REQUIREMENTS"].contains(name);
        for field in place.fields {
            let cases = if is_old || field.older.is_some() { &older } else { &canonical };
            missing.extend((!cases.contains(&(name, field.name))).then_some((name, field.name)));
        }
        for alias in place.aliases.iter().filter(|alias| alias.origin == Origin::Legacy) {
            missing.extend((!older.contains(&(name, alias.key))).then_some((name, alias.key)));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn keys_of_compose_and_keys_with_advice_are_refused_with_what_to_do() {
    for (name, place) in PLACES {
        let compose = place.aliases.iter().filter(|alias| alias.origin == Origin::Compose);
        let tried = compose.map(|alias| (alias.key, alias.field)).chain(place.advice.iter().copied());
        for (key, help) in tried {
            let context = if *name == "LIST_ITEM" { place::OLDER } else { NATIVE };
            let source = document(context, name, &format!("\"{key}\": {{}}"));
            let mistakes = read(&source, &ReadContext::default()).unwrap_err();
            let told = |code: &str, text: Option<&str>| code == "unknown-key" && text.is_some_and(|t| t.contains(help));
            assert!(mistakes.iter().any(|m| told(&m.code, m.help.as_deref())), "{source}: {mistakes:#?}");
        }
    }
}

#[test]
fn every_word_has_its_spellings() {
    for (name, place) in PLACES {
        for field in place.fields {
            let Kind::Choice(choices) = field.kind else { continue };
            for choice in choices.iter().filter(|choice| choice.offered) {
                // What goes with a word so that it may stand there.
                let rest = match (*name, choice.word) {
                    ("HEALTH_CHECK", "exec") => r#", "command": ["a"]"#,
                    ("HEALTH_CHECK", "http" | "grpc") => r#", "port": 80"#,
                    ("MOUNT", "bind") => r#", "source": "/s""#,
                    ("MOUNT", "secret") => r#", "source": "s""#,
                    _ => "",
                };
                let members = |word: &str| format!("\"{}\": \"{word}\"{rest}", field.name);
                let text = formats(&document(NATIVE, name, &members(choice.word)));
                let shouted = choice.word.to_uppercase();
                for spelling in choice.aliases.iter().copied().chain([shouted.as_str()]) {
                    assert_eq!(formats(&document(place::OLDER, name, &members(spelling))), text, "{spelling}");
                    let native = document(NATIVE, name, &members(spelling));
                    assert!(read(&native, &ReadContext::default()).is_err(), "{native}");
                }
            }
        }
    }
}

/// Members of a container that the cases have, old and new.
fn fragments() -> Vec<String> {
    let own = FIELDS.iter().map(|(place, members)| (*place, *members));
    let old = OLDER.iter().map(|(place, members, ..)| (*place, *members));
    let of_container = own.chain(old).filter(|(place, _)| *place == "CONTAINER").map(|(_, members)| members.to_owned());
    of_container.filter(|members| !members.contains("\"@") && !members.starts_with("\"name\"")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Any keys together, their texts behind variables or not.
    #[test]
    fn combinations_keep_their_meaning(
        chosen in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..8),
    ) {
        let fragments = fragments();
        let mut members: Vec<String> = Vec::new();
        for (index, varies) in chosen {
            let fragment = index.get(&fragments);
            if members.iter().any(|member| key_of(member) == key_of(fragment)) {
                continue;
            }
            // Texts of the values, not of the keys.
            let value = fragment.split_once(": \"").filter(|_| varies).and_then(|(before, rest)| {
                let (text, after) = rest.split_once('"')?;
                Some(format!("{before}: \"${{V:-{text}}}\"{after}"))
            });
            members.push(value.unwrap_or_else(|| fragment.clone()));
        }
        let source = document(place::OLDER, "CONTAINER", &members.join(", "));
        if read(&source, &ReadContext::default()).is_ok() {
            formats(&source);
        }
    }
}
