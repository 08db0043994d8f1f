//! Every code that reader, planner and control plane can tell is explained in `docs/diagnostics.md`, and nothing else is.
//!
//! `UPDATE=1 cargo test -p graphium-core --test documents codes` writes the page anew.

use graphium_core::{
    control,
    diagnostic::{Explanation, Severity},
    document::Code,
    plan,
};
use std::{collections::BTreeSet, env, fmt::Write, fs, path::PathBuf};

const INTRODUCTION: &str = "# Diagnostics

Everything that can be found in a stack. Codes are stable: none is renamed, none changes its meaning.
An error refuses the stack; warnings and notes do not. All of them are told at once.
This page is made of the tables in the code.
";

/// Who finds what, with a word on it.
fn parts() -> [(&'static str, &'static str, Vec<Explanation>); 3] {
    let explain = |code: &Code| Explanation {
        code: code.as_str(),
        severity: code.severity(),
        meaning: code.meaning(),
        fix: code.fix(),
    };
    [
        ("Reading", "A document, each finding with its line and column.", Code::ALL.iter().map(explain).collect()),
        (
            "Planning",
            "A stack, against the hosts there are and what runs on them, each finding where the document says it. What no
hosts could help is found when the document is read.",
            plan::CODES.to_vec(),
        ),
        ("Deploying", "A plan, beside what else the server has.", control::CODES.to_vec()),
    ]
}

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for (title, about, codes) in parts() {
        write!(page, "\n## {title}\n\n{about}\n").unwrap();
        for (severity, name) in
            [(Severity::Error, "Errors"), (Severity::Warning, "Warnings"), (Severity::Note, "Notes")]
        {
            let mut rows = codes.iter().filter(|code| code.severity == severity).peekable();
            if rows.peek().is_none() {
                continue;
            }
            write!(page, "\n### {name}\n\n| code | what it means | what to do |\n|---|---|---|\n").unwrap();
            for code in rows {
                let cell = |text: &str| text.replace('|', "\\|");
                writeln!(page, "| `{}` | {} | {} |", code.code, cell(code.meaning), cell(code.fix)).unwrap();
            }
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
    for (part, _, codes) in parts() {
        let unique: BTreeSet<_> = codes.iter().map(|code| (code.code, code.severity)).collect();
        assert_eq!(unique.len(), codes.len(), "{part}");
        for code in codes {
            assert!(
                code.code.chars().all(|c| c.is_ascii_lowercase() || c == '-' || c.is_ascii_digit()),
                "{}",
                code.code
            );
        }
    }
}

/// Words of a source that look like codes, without its tests and attributes.
fn words_of(folder: &str) -> BTreeSet<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut words = BTreeSet::new();
    for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") || path.ends_with("code.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap().lines();
        for line in code.filter(|line| !line.trim_start().starts_with(['#', '/'])) {
            let is_code = |word: &&str| {
                let mut parts = word.split('-').peekable();
                word.contains('-') && parts.all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase()))
            };
            words.extend(line.split('"').skip(1).step_by(2).filter(is_code).map(str::to_owned));
        }
    }
    words
}

#[test]
fn the_tables_have_the_codes_that_the_sources_tell_and_no_others() {
    let listed = |codes: &[Explanation]| codes.iter().map(|code| code.code.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(words_of("src/plan"), listed(plan::CODES));
    let told: BTreeSet<String> =
        words_of("src/control").union(&words_of("../graphium-server/src/api")).cloned().collect();
    for code in control::CODES {
        assert!(told.contains(code.code), "nobody tells `{}`", code.code);
    }
}
