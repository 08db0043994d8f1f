//! Every kind of mistake: its code, its place and its advice.
//!
//! In the sources below `«…»` encloses what the finding must mark; line, column and length follow from it.

use common::{container, findings, finds};
use graphium_core::document::{Code, ReadContext, read};
use std::collections::HashSet;

mod common;
mod forms;
mod schema;
mod values;
mod whole;

/// Every case.
fn cases() -> Vec<(&'static str, String, &'static str, &'static str)> {
    [values::cases(), forms::cases(), whole::cases()].concat()
}

#[test]
fn every_kind_of_mistake_is_found_in_its_place() {
    let wrong: Vec<String> =
        cases().iter().filter_map(|(code, marked, pointer, help)| finds(code, marked, pointer, help).err()).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases().len(), wrong.join("\n\n"));
}

#[test]
fn every_code_has_a_case() {
    // Those about sheer size are in `guards.rs`, those of formatting in `format.rs`, those about
    // documents of the general profile in `general/`.
    let elsewhere = ["too-large", "too-deep", "too-many-nodes", "invalid-utf8", "more-findings", "more-mistakes"];
    let formatting = ["not-rewritable", "left-out", "kept-whole", "not-compared"];
    let general = ["needs-json-ld", "unsound-json-ld", "too-costly", "busy"];
    let elsewhere = elsewhere.iter().chain(&formatting).chain(&general).copied();
    let shown: HashSet<&str> = cases().iter().map(|(code, ..)| *code).chain(elsewhere).collect();
    let missing: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).filter(|code| !shown.contains(code)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn twenty_mistakes_are_twenty_findings_in_the_order_of_the_text() {
    let keys: Vec<String> = (0..20).map(|number| format!("\n\"nothing{number}\": 1")).collect();
    let found = findings(&container(&keys.join(",")));
    let errors: Vec<_> = found.iter().filter(|finding| finding.is_error()).collect();
    assert_eq!(errors.len(), 20);
    assert!(found.is_sorted_by_key(|finding| (finding.line, finding.column)));
}

#[test]
fn a_variable_that_is_empty_is_not_called_unset() {
    let source = container("\"image\": \"i\", \"user\": \"${EMPTY:?who}\"").replacen("\"image\": \"nginx\", ", "", 1);
    let empty = |name: &str| (name == "EMPTY").then(String::new);
    let found = read(source, &ReadContext::new(&empty)).unwrap_err();
    let told: Vec<String> = found.iter().map(ToString::to_string).collect();
    let expected = "3:23: the variable `EMPTY` is empty: who [unset-variable]; give `EMPTY` a value, or write `${EMPTY}` where \
                    it may be empty";
    assert_eq!(told, [expected]);
}

#[test]
fn what_looks_like_a_stack_without_a_type_is_told_to_be_one() {
    let found = findings(r#"{"name": "shop"}"#);
    let help = found.iter().find(|one| one.code == "missing-key").and_then(|one| one.help.as_deref());
    assert_eq!(help, Some("add \"@type\": \"datacenter:Stack\""));
}
