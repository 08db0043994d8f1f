//! How the program fails: the same to people and to programs, whatever the command. Needs no engine and no network.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "cli_home.rs"]
mod home;

use home::{Home, code, json, stderr, stdout};
use serde_json::{Value, json};
use std::{io::Write as _, process::Stdio};

const SHOP: &str = r#"{
  "@context": "https://graphium.io/context/v1.jsonld",
  "@type": "datacenter:Stack",
  "@id": "stack:shop",
  "name": "shop",
  "hasPart": [{"@type": "datacenter:Container", "@id": "container:web", "name": "web", "image": "nginx"}]
}
"#;

/// A home with a stack and two hosts.
fn home() -> Home {
    let home = Home::new();
    home.file("shop.jsonld", SHOP);
    home.file("hosts.json", r#"{"hosts": [{"@id": "vm1"}, {"@id": "vm2"}]}"#);
    home
}

/// The one object on stdout that says what went wrong.
fn error(output: &std::process::Output) -> Value {
    let told = json(output);
    assert_eq!(told.as_object().unwrap().keys().collect::<Vec<_>>(), ["error"], "{told}");
    told["error"].clone()
}

#[test]
fn every_failure_is_one_json_object_where_json_is_asked_for() {
    let home = home();
    let nowhere = ["--server", "http://127.0.0.1:1"];
    for (args, exit, kind) in [
        (&["validate", "absent.jsonld", "-o", "json"][..], 2, "usage"),
        (&["plan", "shop.jsonld", "--inventory", "absent.json", "-o", "json"], 2, "usage"),
        (&["plan", "shop.jsonld", "-o=json"], 5, "unreachable"),
        (&["stack", "list", "--output", "json"], 5, "unreachable"),
        (&["host", "-o", "json", "list"], 5, "unreachable"),
        (&["apply", "shop.jsonld", "-o", "json"], 3, "invalid-document"),
        (&["store", "check", "-o", "json"], 1, "failed"),
        (&["stack", "lst", "-o", "json"], 2, "usage"),
        (&["validate", "-ojson"], 2, "usage"),
    ] {
        let output = home.run(&[args, &nowhere].concat());
        let error = error(&output);
        assert_eq!((code(&output), error["code"].as_str()), (exit, Some(kind)), "{args:?}: {error}");
        let message = error["message"].as_str().unwrap();
        let told = stderr(&output);
        assert!(!message.starts_with("error") && told.starts_with(&format!("error: {message}")), "{message}\n{told}");
        for hint in error["help"].as_str().unwrap_or_default().lines() {
            assert!(told.contains(hint), "{hint} is in {told}");
        }
    }
    let output = home.run(&["stack", "list", "-o", "json", "--server", "http://127.0.0.1:1"]);
    assert!(error(&output)["help"].as_str().unwrap().contains("`graphium server`"));
    assert_eq!(stdout(&home.run(&["stack", "list", "--server", "http://127.0.0.1:1"])), "", "nobody asked for json");
}

#[test]
fn the_setting_asks_for_json_as_the_flag_does() {
    let home = home();
    let absent = |format: &str, args: &[&str]| home.graphium(args).env("GRAPHIUM_OUTPUT", format).output().unwrap();
    assert_eq!(error(&absent("json", &["validate", "absent.jsonld"]))["code"], "usage");
    assert_eq!(error(&absent("json", &["validat"]))["code"], "usage");
    assert_eq!(stdout(&absent("json", &["validate", "absent.jsonld", "-o", "table"])), "", "the flag goes before it");
    assert_eq!(stdout(&absent("xml", &["validate", "absent.jsonld"])), "");
}

#[test]
fn a_document_that_is_refused_comes_with_every_mistake_to_people_and_to_programs() {
    let home = home();
    home.file("broken.jsonld", &SHOP.replace("\"nginx\"", "7").replace("\"shop\"", "\"-\""));
    for args in [&["fmt", "broken.jsonld"][..], &["up", "broken.jsonld"], &["validate", "broken.jsonld"]] {
        let mut command = home.graphium(args);
        let output = command.env("GRAPHIUM_OUTPUT", "json").stdin(Stdio::null()).output().unwrap();
        assert_eq!(code(&output), 3, "{args:?}");
        let told = json(&output);
        let found = told.pointer("/error/diagnostics").or(told.get("diagnostics"));
        let found = found.unwrap().as_array().unwrap();
        assert_eq!(found.len(), 2, "{args:?}: {told}");
        let people = stderr(&home.run(args));
        for message in found.iter().map(|found| found["message"].as_str().unwrap()) {
            assert_eq!(people.matches(&format!("error: {message}\n")).count(), 1, "{args:?}: {people}");
        }
        assert!(people.ends_with("error: broken.jsonld is refused: 2 mistakes\n"), "{args:?}: {people}");
    }
}

#[test]
fn help_and_what_has_a_result_are_no_errors_in_json() {
    let home = home();
    let output = home.run(&["stack", "list", "--help", "-o", "json"]);
    assert!(code(&output) == 0 && stdout(&output).starts_with("Lists the stacks"), "{}", stdout(&output));
    let output =
        home.run(&["doctor", "-o", "json", "--docker", "unix:///nowhere.sock", "--server", "http://127.0.0.1:1"]);
    assert_eq!(code(&output), 1);
    let checks = json(&output);
    assert!(checks["checks"].as_array().is_some_and(|checks| checks.len() > 2), "{checks}");
    home.file("broken.jsonld", "{}");
    assert_eq!(json(&home.run(&["validate", "broken.jsonld", "-o", "json"]))["valid"], false);
}

#[test]
fn a_plan_for_a_host_that_nobody_knows_is_refused_with_those_that_are_known() {
    let home = home();
    let plan = ["plan", "shop.jsonld", "--inventory", "hosts.json"];
    let output = home.run(&[&plan[..], &["--host", "wm2"]].concat());
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
    let told = "error: a plan for the host `wm2` was asked for, which is not known\n\
                hint: did you mean `vm2`? known hosts: vm1, vm2\n";
    assert_eq!(stderr(&output), told);

    let output = home.run(&[&plan[..], &["--host", "vm1", "--host", "x", "--host", "y", "-o", "json"]].concat());
    let error = error(&output);
    assert_eq!((code(&output), &error["code"]), (2, &json!("unknown-host")));
    let messages: Vec<&str> =
        error["diagnostics"].as_array().unwrap().iter().map(|found| found["message"].as_str().unwrap()).collect();
    assert_eq!(messages.len(), 2);
    assert_eq!(error["message"], messages.join("; "));
    assert_eq!(error["help"], "known hosts: vm1, vm2\nknown hosts: vm1, vm2");
}

#[test]
fn what_needs_no_settings_does_not_fail_for_their_want() {
    let home = home();
    for args in [&["version"][..], &["schema"], &["fmt", "shop.jsonld"]] {
        let output = home.run(&[args, &["--config", "absent.toml"]].concat());
        assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
    }
    let output = home.run(&["validate", "shop.jsonld", "--config", "absent.toml", "-o", "json"]);
    let error = error(&output);
    assert_eq!((code(&output), &error["code"]), (2, &json!("usage")));
    assert!(error["message"].as_str().unwrap().contains("`absent.toml` cannot be read"), "{error}");
    assert!(error["help"].as_str().unwrap().contains("--config"), "{error}");
}

#[test]
fn help_names_every_exit_code() {
    let help = stdout(&Home::new().run(&["--help"]));
    let codes = help.split("Exit codes: ").nth(1).unwrap().split("\n\n").next().unwrap();
    let numbers: Vec<&str> = codes.split(',').flat_map(|code| code.split_whitespace().next()).collect();
    assert_eq!(numbers.iter().filter(|number| number.parse::<u8>().is_ok()).count(), 9, "{codes}");
    assert!(codes.contains("7 something to do"), "{codes}");
}

#[test]
fn an_inventory_is_refused_whole_with_every_mistake_and_may_come_from_stdin() {
    let home = home();
    let plan = |inventory: &str, text: &str, more: &[&str]| {
        let mut command = home.graphium(&[&["plan", "shop.jsonld", "--inventory", inventory], more].concat());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let output = plan("-", r#"[{"@id": "vm1"}]"#, &[]);
    assert!(code(&output) == 0 && stdout(&output).contains("deploy   web"), "{}{}", stdout(&output), stderr(&output));
    home.file("wrong.json", r#"{"hosts": [{"@id": "vm1", "ipAdress": "10.0.0.1", "cpu": "4"}], "container": []}"#);
    let output = plan("wrong.json", "", &[]);
    let told = stderr(&output);
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{told}");
    for words in [
        "unknown key `container` in an inventory\n  at /container\nhint: did you mean `containers`?\n",
        "unknown key `ipAdress` in a host\n  at /hosts/0/ipAdress\nhint: did you mean `ipAddress`?\n",
        "`cpu` of a host takes a number that is not negative, not \"4\"",
        "error: wrong.json is no inventory: 3 mistakes\nhint: ",
    ] {
        assert!(told.contains(words), "{words} in {told}");
    }
    let output = plan("-", "{\n  \"hosts\" []\n}", &["-o", "json"]);
    let found = &error(&output)["diagnostics"][0];
    assert_eq!((&found["code"], &found["line"], &found["column"]), (&json!("syntax"), &json!(2), &json!(11)));
    assert!(stderr(&output).contains("╭─ <stdin>:2:11\n2│  "), "{}", stderr(&output));
    let output = home.run(&["plan", "-", "--inventory", "-"]);
    assert!(code(&output) == 2 && stderr(&output).contains("cannot both come from stdin"), "{}", stderr(&output));
}
