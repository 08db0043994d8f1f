//! Every code that the reader can emit is explained in `docs/diagnostics.md`, and nothing else is.
//!
//! `UPDATE=1 cargo test -p graphium-core --test documents_codes` writes the page anew.

#![allow(clippy::unwrap_used, reason = "tests")]

use graphium_core::{diagnostic::Severity, document::Code};
use std::{collections::HashSet, env, fmt::Write, fs, path::PathBuf};

const INTRODUCTION: &str = "# Diagnostics of documents

What the reader of stack documents can find. Codes are stable: none is renamed, none changes its meaning.
An error refuses the document; warnings and notes do not. All of them are told at once, each with its place.
";

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for (severity, title) in [(Severity::Error, "Errors"), (Severity::Warning, "Warnings"), (Severity::Note, "Notes")] {
        write!(page, "\n## {title}\n\n| code | what it means | what to do |\n|---|---|---|\n").unwrap();
        for code in Code::ALL.iter().filter(|code| code.severity() == severity) {
            let cell = |text: &str| text.replace('|', "\\|");
            writeln!(page, "| `{}` | {} | {} |", code.as_str(), cell(code.meaning()), cell(code.fix())).unwrap();
        }
    }
    page
}

#[test]
fn the_page_of_diagnostics_is_up_to_date() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/diagnostics.md");
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, page()).unwrap();
    }
    assert!(fs::read_to_string(path).unwrap() == page(), "docs/diagnostics.md is stale: run this test with UPDATE=1");
}

#[test]
fn codes_are_kebab_case_and_unique() {
    let codes: HashSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(codes.len(), Code::ALL.len());
    assert!(codes.iter().all(|code| code.chars().all(|c| c.is_ascii_lowercase() || c == '-' || c.is_ascii_digit())));
}
