//! `docs/store-contract.md` names a proof of every sentence: here it is held to what there is.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use graphium_core::testing::store_suite::{CASES, Sabotage};
use std::{collections::BTreeSet, fs, path::Path};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What stands between backticks in the last column of the tables, row by row.
fn proofs() -> Vec<(String, Vec<String>)> {
    let text = fs::read_to_string(Path::new(ROOT).join("docs/store-contract.md")).unwrap();
    // The table of guards has a test of its own: each yields a counterexample.
    let (text, _) = text.split_once("## The guards").unwrap();
    let rows =
        text.lines().filter(|line| line.starts_with('|') && !line.starts_with("|---") && !line.contains("proved by"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let [sentence, proofs] = cells[..] else { panic!("not two columns: {row}") };
        let names = proofs.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (sentence.trim().to_owned(), names)
    })
    .collect()
}

#[test]
fn every_sentence_names_proofs_that_exist() {
    let rows = proofs();
    assert!(rows.len() > 40, "only {} sentences were read", rows.len());
    for (sentence, names) in rows {
        assert!(!names.is_empty(), "nothing proves: {sentence}");
        for name in names {
            match name.split_once(": ") {
                None => assert!(CASES.iter().any(|case| case.name == name), "no case `{name}`, for: {sentence}"),
                Some((file, test)) => {
                    let text = fs::read_to_string(Path::new(ROOT).join(file));
                    let text = text.unwrap_or_else(|error| panic!("{file}: {error}, for: {sentence}"));
                    let declared = format!("fn {test}(");
                    let place =
                        text.find(&declared).unwrap_or_else(|| panic!("no `{test}` in {file}, for: {sentence}"));
                    assert!(text[..place].trim_end().ends_with([']', 'c']), "`{test}` is no test");
                    assert!(text[..place].contains("#[test]") || text[..place].contains("#[tokio::test"), "{file}");
                }
            }
        }
    }
}

#[test]
fn every_case_proves_a_sentence() {
    let named: BTreeSet<String> = proofs().into_iter().flat_map(|(_, names)| names).collect();
    let idle: Vec<_> = CASES.iter().map(|case| case.name).filter(|name| !named.contains(*name)).collect();
    assert!(idle.is_empty(), "not in docs/store-contract.md: {idle:?}");
}

#[test]
fn a_dozen_saboteurs_are_found() {
    assert!(Sabotage::FOUND_BY.len() >= 12);
}
