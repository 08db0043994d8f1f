#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on should stop, and say why")]
//! Every key that a document can have of a container, a network or a volume, set from a text and read back from a real
//! engine. `GRAPHIUM_TEST_DOCKER` names it and `GRAPHIUM_TEST_IMAGE` an image on it, as `tests/run` sees to.

mod documents;
mod engine;
mod table;

use documents::document;
use engine::{Bench, Made};
use futures::{StreamExt as _, stream};
use graphium_core::document::json_schema;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use table::{ROWS, Row, Shown};

/// So many rows are tried at a time.
const AT_ONCE: usize = 4;

/// The places whose keys reach an engine, or are for it to see.
const PLACES: [&str; 18] = [
    "container",
    "port",
    "environmentVariable",
    "mount",
    "optionsOfVolumeMount",
    "optionsOfBindMount",
    "optionsOfTmpfsMount",
    "healthCheck",
    "resources",
    "limits",
    "reservations",
    "requirements",
    "dependency",
    "ulimit",
    "device",
    "logging",
    "network",
    "volume",
];

#[test]
fn every_key_that_a_document_can_have_has_a_row() {
    let rows: BTreeSet<(&str, &str)> =
        ROWS.iter().map(|(place, members, _)| (*place, members.split('"').nth(1).expect("a key"))).collect();
    let schema = json_schema();
    let mut missing = Vec::new();
    for place in PLACES {
        let keys = schema["$defs"][place]["properties"].as_object().expect("the schema has that place");
        // Who something is in a document: no engine knows of it.
        let keys = keys.keys().filter(|key| !key.starts_with('@'));
        missing.extend(keys.filter(|key| !rows.contains(&(place, key))).map(|key| format!("{place}.{key}")));
    }
    assert!(missing.is_empty(), "no row for {missing:?}");
}

#[test]
fn every_row_shows_on_a_real_engine() {
    let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be made");
    executor.block_on(async {
        let bench = Bench::new().await;
        let mut plain = HashMap::new();
        for place in PLACES {
            let name = plain_name(place);
            let made = bench.make(&name, &document(&name, place, ""), Shown::At("", "")).await;
            plain.insert(place, made.unwrap_or_else(|error| panic!("{place}: {error}")));
            bench.clear(&name).await;
        }
        let rows = stream::iter(ROWS.iter().enumerate()).map(|(number, row)| tried(&bench, &plain, number, row));
        let outcomes: Vec<Result<(), String>> = rows.buffer_unordered(AT_ONCE).collect().await;
        assert_eq!(outcomes.len(), ROWS.len());
        let wrong: Vec<String> = outcomes.into_iter().filter_map(Result::err).collect();
        assert!(wrong.is_empty(), "{} rows of {}:\n{}", wrong.len(), ROWS.len(), wrong.join("\n"));
    });
}

/// Makes what a row says; what shows in the same place without its members proves nothing.
async fn tried(
    bench: &Bench,
    plain: &HashMap<&str, Made>,
    number: usize,
    (place, members, shown): &Row,
) -> Result<(), String> {
    let stack = format!("fields-{number}");
    let told = |found: String| format!("{place} {{{members}}}: {found}");
    let with = bench.make(&stack, &document(&stack, place, members), *shown).await.map_err(told)?;
    bench.clear(&stack).await;
    let verdict = |is_so: bool, is_so_anyway: bool| match (is_so, is_so_anyway) {
        (true, false) => Ok(()),
        (true, true) => Err(told("shows without it".to_owned())),
        (false, _) => Err(told(format!("does not show in {}", with.words()))),
    };
    let without = &plain[place];
    let at = |pointer: &str, expected: &str, is_among: bool, of: fn(&Made) -> Option<&Value>| {
        let shows = |made: &Made, stack: &str| {
            let expected: Value = serde_json::from_str(&expected.replace("{stack}", stack)).expect("a row has JSON");
            let found = of(made).and_then(|shown| shown.pointer(&pointer.replace("{stack}", stack)));
            match found {
                Some(Value::Array(list)) if is_among => list.contains(&expected),
                // The text of a label may be JSON.
                Some(Value::String(text)) if expected.is_object() => {
                    serde_json::from_str::<Value>(text).is_ok_and(|value| value == expected)
                }
                found => found == Some(&expected),
            }
        };
        verdict(shows(&with, &stack), shows(without, &plain_name(place)))
    };
    let refused = |words: &str| {
        let is = |made: &Made| made.refusal.as_ref().is_some_and(|said| said.contains(words));
        verdict(is(&with), is(without))
    };
    match *shown {
        Shown::At(pointer, expected) => at(pointer, expected, false, |made| made.container.as_ref()),
        Shown::Since(minor, pointer, expected) if bench.minor >= minor => {
            at(pointer, expected, false, |made| made.container.as_ref())
        }
        Shown::Since(minor, ..) => refused(&format!("API 1.{minor}")),
        Shown::Among(pointer, expected) | Shown::Deployed(pointer, expected) => {
            at(pointer, expected, true, |made| made.container.as_ref())
        }
        Shown::Network(pointer, expected) => at(pointer, expected, false, |made| made.network.as_ref()),
        Shown::Volume(pointer, expected) => at(pointer, expected, false, |made| made.volume.as_ref()),
        Shown::Refused(words) => refused(words),
        Shown::Planned(so) => verdict(so(&with.plan), so(&without.plan)),
        Shown::Nowhere => {
            let other = bench.make(&stack, &document(&stack, place, ""), *shown).await.map_err(told)?;
            verdict(with.hash().is_some() && with.hash() == other.hash(), false)
        }
    }
}

/// The stack of what is made at a place without any row's members.
fn plain_name(place: &str) -> String {
    format!("fields-plain-{}", place.to_ascii_lowercase())
}
