//! The house rules that a compiler does not know.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod doc_examples;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn files_below(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && name != ".git" {
            files_below(&path, ending, found);
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files_below(Path::new(ROOT), ".rs", &mut found);
    assert!(found.len() > 50, "only {} sources found: is the root right?", found.len());
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

fn tree(package: &str, arguments: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "-e", "normal", "--prefix", "none", "-f", "{p}", "-p", package])
        .args(arguments)
        .current_dir(ROOT)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn the_core_has_no_runtime_no_engine_no_server_and_no_database() {
    for arguments in [&[][..], &["--features", "sim"][..], &["--features", "json-ld"][..]] {
        let packages = tree("graphium-core", arguments);
        assert!(packages.contains(&"serde".to_owned()), "the tree was not read: {packages:?}");
        for absent in
            ["tokio", "bollard", "axum", "hyper", "rusqlite", "libsqlite3-sys", "reqwest", "anyhow", "rand", "openssl"]
        {
            assert!(!packages.iter().any(|package| package == absent), "graphium-core depends on {absent}");
        }
    }
}

#[test]
fn the_core_has_a_json_ld_processor_only_where_it_is_asked_for() {
    let has_it = |package: &str, arguments: &[&str]| {
        tree(package, arguments).iter().any(|package| package.starts_with("json-ld") || package == "rdf-types")
    };
    assert!(!has_it("graphium-core", &[]) && !has_it("graphium-core", &["--features", "testing"]));
    assert!(has_it("graphium-core", &["--features", "json-ld"]));
    assert!(has_it("graphium-server", &[]), "the binary reads every profile");
}

#[test]
fn one_file_names_the_json_ld_processor() {
    let library = |path: &Path| path.to_string_lossy().contains("/src/");
    let users: Vec<_> =
        sources().into_iter().filter(|(path, text)| library(path) && text.contains("json_ld::")).collect();
    let names: Vec<_> = users.iter().map(|(path, _)| path.to_string_lossy().into_owned()).collect();
    assert!(matches!(names.as_slice(), [name] if name.ends_with("document/general/expand.rs")), "{names:?}");
}

#[test]
fn edges_know_the_core_and_not_each_other() {
    let docker = tree("graphium-docker", &[]);
    let store = tree("graphium-store", &[]);
    for (packages, absent) in [(&docker, "graphium-store"), (&docker, "graphium-server"), (&docker, "rusqlite")] {
        assert!(!packages.iter().any(|package| package == absent), "graphium-docker depends on {absent}");
    }
    for absent in ["graphium-docker", "graphium-server", "bollard", "axum"] {
        assert!(!store.iter().any(|package| package == absent), "graphium-store depends on {absent}");
    }
}

#[test]
fn the_planner_has_nothing_in_reach_that_could_change_something() {
    let forbidden = [
        "TaskStore",
        "ContainerRuntime",
        "Environment",
        "crate::agent",
        "crate::control",
        "crate::event",
        "std::time::Instant",
        "SystemTime",
        "Timestamp::now",
        "HashMap",
        "HashSet",
        "std::fs",
        "std::env",
    ];
    let planner: Vec<_> =
        sources().into_iter().filter(|(path, _)| path.to_string_lossy().contains("graphium-core/src/plan/")).collect();
    assert!(!planner.is_empty());
    for (path, text) in planner {
        let code: String =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        for word in forbidden {
            assert!(!code.contains(word), "{} mentions {word}", path.display());
        }
    }
}

#[test]
fn nobody_but_tests_the_simulation_and_the_demo_imports_testing() {
    for (path, text) in sources() {
        let name = path.to_string_lossy().into_owned();
        let is_test = name.contains("/tests/") || name.contains("/benches/") || name.contains("/examples/");
        let is_rehearsal = ["graphium-core/src/testing", "graphium-core/src/sim", "graphium-server/src/demo"];
        if is_test || is_rehearsal.iter().any(|place| name.contains(place)) {
            continue;
        }
        let mut in_tests = false;
        for line in text.lines() {
            in_tests |= line.contains("#[cfg(test)]");
            let imports = line.contains("graphium_core::testing") || line.contains("crate::testing");
            assert!(!imports || in_tests || line.trim_start().starts_with("//"), "{name} imports testing: {line}");
        }
    }
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 500, "{} has {lines} lines; split it", path.display());
    }
}

#[test]
fn versions_stand_in_one_place() {
    for package in ["graphium-core", "graphium-docker", "graphium-store", "graphium-server"] {
        let manifest = fs::read_to_string(Path::new(ROOT).join(package).join("Cargo.toml")).unwrap();
        for line in manifest.lines() {
            let has_version = line.contains("version = \"") || line.contains(" = \"0.") || line.contains(" = \"1");
            assert!(!has_version, "{package}/Cargo.toml says a version: {line}");
        }
    }
}

#[test]
fn every_line_of_the_threat_model_names_tests_that_there_are() {
    let text = fs::read_to_string(Path::new(ROOT).join("SECURITY.md")).unwrap();
    let lines: Vec<&str> =
        text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| somebody |")).collect();
    assert!(lines.len() > 20, "the table was not found");
    for line in lines {
        let tests = line.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let mut named = 0;
        for group in tests.split("; ") {
            let (file, names) = group.split_once(": ").unwrap_or_else(|| panic!("no tests: {line}"));
            let file = file.trim_matches('`');
            let source =
                fs::read_to_string(Path::new(ROOT).join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            for name in names.split(", ").map(|name| name.trim_matches('`')) {
                let is_test = source.match_indices(&format!("fn {name}(")).any(|(at, _)| {
                    source[..at]
                        .lines()
                        .rev()
                        .take(5)
                        .any(|line| line.contains("#[test]") || line.contains("#[tokio::test"))
                });
                assert!(is_test, "SECURITY.md: there is no test `{name}` in {file}");
                named += 1;
            }
        }
        assert!(named > 0, "no tests: {line}");
    }
}
