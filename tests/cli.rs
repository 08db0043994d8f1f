//! The program as its users meet it: arguments in, streams and exit code out. Needs no engine and no network.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "cli_home.rs"]
mod home;

use home::{Home, code, json, stderr, stdout};
use serde_json::Value;
use std::process::Stdio;

const SHOP: &str = r#"{
  "@context": "https://graphium.io/context/v1.jsonld",
  "@type": "datacenter:Stack",
  "@id": "stack:shop",
  "name": "shop",
  "deployment": {"mode": "multi-host", "placementStrategy": "spread"},
  "hasPart": [
    {"@type": "datacenter:Container", "@id": "container:db", "name": "db", "image": "postgres:15"},
    {"@type": "datacenter:Container", "@id": "container:web", "name": "web", "image": "nginx:${TAG:-1.27}",
     "dependsOn": ["db"], "ports": [{"containerPort": 80, "hostPort": 8080}]}
  ]
}
"#;

const HOSTS: &str = r#"{"hosts":[{"@id":"vm1","ipAddress":"10.0.0.1"},{"@id":"vm2","ipAddress":"10.0.0.2"}]}"#;

#[test]
fn a_valid_document_is_told_on_stdout_and_by_exit_code() {
    let home = Home::new();
    home.file("shop.jsonld", SHOP);
    let output = home.run(&["validate", "shop.jsonld"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stdout(&output), "shop.jsonld is valid: stack `shop`, 2 containers\n");
    assert_eq!(stderr(&output), "");

    let output = home.run(&["validate", "shop.jsonld", "-o", "json"]);
    assert_eq!((code(&output), &json(&output)["valid"]), (0, &Value::Bool(true)));
}

#[test]
fn every_mistake_is_shown_at_its_place() {
    let home = Home::new();
    let broken =
        SHOP.replace(r#"["db"]"#, r#"["dbb"]"#).replace("\"image\": \"postgres:15\"", "\"imgae\": \"postgres:15\"");
    home.file("shop.jsonld", &broken);
    let output = home.run(&["validate", "shop.jsonld"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (3, ""));
    let told = stderr(&output);
    assert!(told.contains("shop.jsonld:8:") && told.contains("did you mean `image`?"), "{told}");
    assert!(told.contains("shop.jsonld:10:") && told.contains("did you mean `db`?"), "{told}");
    assert!(told.lines().last().unwrap().starts_with("error: shop.jsonld is refused: "), "{told}");
    assert!(!told.contains('\x1b'), "no colours in a pipe");

    let output = home.run(&["validate", "shop.jsonld", "-o", "json"]);
    assert_eq!((code(&output), stderr(&output).as_str()), (3, ""));
    let verdict = json(&output);
    assert_eq!(verdict["valid"], Value::Bool(false));
    let finding = verdict["diagnostics"][0].as_object().unwrap();
    let keys: Vec<&str> = finding.keys().map(String::as_str).collect();
    assert_eq!(keys, ["code", "severity", "pointer", "line", "column", "message", "help"]);
}

#[test]
fn what_the_json_ld_processor_panics_over_is_told_as_any_other_mistake() {
    let output =
        Home::new().run_with_input(&["validate", "-"], r#"{"@context": {"a": "urn:a"}, "a%ce": 1, "b%ff": 2}"#);
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("percent signs") && !stderr(&output).contains("panicked"), "{}", stderr(&output));
}

#[test]
fn a_document_comes_from_stdin_and_its_variables_from_a_file() {
    let home = Home::new();
    let output = home.run_with_input(&["validate", "-"], SHOP);
    assert_eq!(stdout(&output), "<stdin> is valid: stack `shop`, 2 containers\n");

    let needy = SHOP.replace("${TAG:-1.27}", "${TAG}");
    let output = home.run_with_input(&["validate", "-"], &needy);
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("TAG"), "{}", stderr(&output));

    home.file("shop.env", "# the release\nexport TAG=\"2.0\"\n");
    home.file("hosts.json", HOSTS);
    let plan = ["plan", "-", "--env-file", "shop.env", "--inventory", "hosts.json", "-o", "json"];
    let output = home.run_with_input(&plan, &needy);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("nginx:2.0"));
}

#[test]
fn the_environment_goes_before_a_file_of_variables() {
    let home = Home::new();
    home.file("shop.jsonld", &SHOP.replace("${TAG:-1.27}", "${TAG:?which release}"));
    home.file("shop.env", "TAG=2.0 # the release\n");
    home.file("hosts.json", HOSTS);
    let plan = ["plan", "shop.jsonld", "--env-file", "shop.env", "--inventory", "hosts.json", "-o", "json"];
    assert!(stdout(&home.run(&plan)).contains("nginx:2.0"));
    let output = home.graphium(&plan).env("TAG", "3.0").output().unwrap();
    assert!(stdout(&output).contains("nginx:3.0"), "{}", stderr(&output));

    home.file("shop.env", "# release\nTAG\nPASSWORD=${OTHER}\n");
    let output = home.run(&plan);
    assert_eq!((code(&output), json(&output)["error"]["causes"].as_array().map(Vec::len)), (2, Some(2)));
    for told in ["shop.env:2: expected NAME=VALUE", "shop.env:3: the value of `PASSWORD` refers to another variable"] {
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
    }
    let output = home.run(&["validate", "shop.jsonld"]);
    assert!(stderr(&output).contains("the variable `TAG` is not set: which release"), "{}", stderr(&output));
}

#[test]
fn formatting_prints_checks_or_replaces() {
    let home = Home::new();
    let older = r#"{"@context": "https://schema.org", "@type": "ItemList", "name": "shop", "itemListElement": [
        {"@type": "SoftwareApplication", "name": "web", "executableName": "nginx:${TAG}", "command": "run ${ARGS}"}]}"#;
    let path = home.file("shop.jsonld", older);
    let printed = home.run(&["fmt", "shop.jsonld"]);
    assert_eq!(code(&printed), 0, "{}", stderr(&printed));
    assert!(stdout(&printed).contains("\"image\": \"nginx:${TAG}\""), "{}", stdout(&printed));
    assert!(
        stderr(&printed).contains("shop.jsonld:2:") && stderr(&printed).contains("${ARGS}"),
        "{}",
        stderr(&printed)
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), older, "printing changes no file");
    let piped = home.run_with_input(&["fmt", "-"], older);
    assert_eq!(stdout(&piped), stdout(&printed));

    let checked = home.run(&["fmt", "--check", "shop.jsonld"]);
    assert_eq!((code(&checked), stdout(&checked).as_str()), (1, ""));
    assert!(stderr(&checked).contains("hint: graphium fmt --write shop.jsonld"), "{}", stderr(&checked));
    let written = home.run(&["fmt", "--write", "shop.jsonld"]);
    assert_eq!((code(&written), stdout(&written).as_str()), (0, "shop.jsonld is rewritten\n"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), stdout(&printed));
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "nothing is left beside the file");

    let again = home.run(&["fmt", "--write", "shop.jsonld"]);
    assert_eq!((code(&again), stdout(&again).as_str()), (0, "shop.jsonld is unchanged\n"));
    let checked = home.run(&["fmt", "--check", "shop.jsonld"]);
    assert_eq!((code(&checked), stdout(&checked).as_str()), (0, "shop.jsonld is in the native form\n"));
}

#[test]
fn any_json_ld_is_formatted_and_what_is_left_out_is_told() {
    let home = Home::new();
    let general = r#"{"@context": {"@vocab": "https://graphium.io/vocab/stack#", "dc": "https://graphium.io/vocab/datacenter#",
        "s": "http://schema.org/", "parts": "s:hasPart"}, "@type": "dc:Stack", "@id": "stack:shop", "s:name": "shop",
        "parts": {"@type": "dc:Container", "@id": "container:web", "s:name": "web", "image": "nginx:${TAG}",
        "s:description": {"@value": "Netz", "@language": "de"}}}"#;
    home.file("shop.jsonld", general);
    let printed = home.run(&["fmt", "shop.jsonld"]);
    assert_eq!(code(&printed), 0, "{}", stderr(&printed));
    assert!(stdout(&printed).contains("\"image\": \"nginx:${TAG}\""), "{}", stdout(&printed));
    assert!(
        stderr(&printed).contains("shop.jsonld:4:") && stderr(&printed).contains("language"),
        "{}",
        stderr(&printed)
    );
    let again = home.run_with_input(&["fmt", "-"], &stdout(&printed));
    assert_eq!((stdout(&again), stderr(&again).as_str()), (stdout(&printed), ""));
}

#[test]
fn the_schema_is_the_one_of_the_documentation() {
    let output = Home::new().run(&["schema"]);
    let kept = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/stack.schema.json")).unwrap();
    assert_eq!((code(&output), stdout(&output)), (0, kept));
}

#[test]
fn what_is_wrong_is_not_formatted() {
    let home = Home::new();
    let broken = SHOP.replace("\"image\": \"postgres:15\"", "\"imgae\": \"postgres:15\"");
    let path = home.file("shop.jsonld", &broken);
    for args in [&["fmt", "shop.jsonld"][..], &["fmt", "--check", "shop.jsonld"], &["fmt", "--write", "shop.jsonld"]] {
        let output = home.run(args);
        assert_eq!((code(&output), stdout(&output).as_str()), (3, ""), "{args:?}");
        assert!(stderr(&output).contains("did you mean `image`?"), "{}", stderr(&output));
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), broken);
    for args in [&["fmt", "--write", "-"][..], &["fmt", "--write", "--check", "shop.jsonld"], &["fmt", "absent"]] {
        assert_eq!(code(&home.run(args)), 2, "{args:?}");
    }
}

#[test]
fn a_plan_is_offline_deterministic_and_has_its_form() {
    let home = Home::new();
    home.file("shop.jsonld", SHOP);
    home.file("hosts.json", HOSTS);
    let args = ["plan", "shop.jsonld", "--inventory", "hosts.json", "-o", "json"];
    let output = home.run(&args);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(output.stdout, home.run(&args).stdout);
    let plan = json(&output);
    assert_eq!(plan["hash"].as_str().unwrap().len(), 64);
    let tasks = plan["tasks"].as_array().unwrap();
    for key in ["id", "action", "host", "container", "dependsOn", "why"] {
        assert!(tasks.iter().all(|task| task.get(key).is_some()), "{key} in {tasks:?}");
    }
    let web = tasks.iter().find(|task| task["action"] == "deploy" && task["container"] == "web").unwrap();
    assert!(web["dependsOn"].as_array().unwrap().iter().any(|id| id.as_str().unwrap().contains("db")), "{web}");

    let output = home.run(&["plan", "shop.jsonld", "--inventory", "hosts.json"]);
    assert!(stdout(&output).contains("http://10.0.0."), "{}", stdout(&output));
    let output = home.run(&["plan", "shop.jsonld", "--inventory", "hosts.json", "-o", "dot"]);
    assert!(stdout(&output).starts_with("digraph"), "{}", stdout(&output));

    let output = home.run(&["plan", "shop.jsonld", "--inventory", "hosts.json", "--detailed-exitcode", "--explain"]);
    assert_eq!(code(&output), 7, "there is something to do");
    assert!(stdout(&output).contains("web on "), "{}", stdout(&output));
    // The image of `db` and then both containers are the longest way; the image of `web` can wait for one container.
    assert!(stdout(&output).contains("deploy:web            0, on the critical path"), "{}", stdout(&output));
    assert!(stdout(&output).contains("pull:vm2:nginx:1.27   2"), "{}", stdout(&output));
}

#[test]
fn a_plan_shows_what_takes_it_back_where_that_is_asked_for() {
    let home = Home::new();
    home.file("shop.jsonld", SHOP);
    home.file("hosts.json", HOSTS);
    let args = ["plan", "shop.jsonld", "--inventory", "hosts.json"];
    let output = home.run(&[&args[..], &["--undo"]].concat());
    let text = stdout(&output);
    assert_eq!(code(&output), 0, "{text}");
    for part in ["what takes it back, in this order", "what cannot be taken back", "an image that was pulled is kept"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let steps = text.split("what takes it back").nth(1).unwrap();
    assert!(steps.find("web").unwrap() < steps.find("db").unwrap(), "{text}");
    assert!(text.lines().last().unwrap().starts_with("in the end: stack `shop` is gone again from "), "{text}");

    let plain = json(&home.run(&[&args[..], &["-o", "json"]].concat()));
    let mut with_undo = json(&home.run(&[&args[..], &["-o", "json", "--undo"]].concat()));
    let undo = with_undo.as_object_mut().unwrap().remove("undo").unwrap();
    assert_eq!(with_undo, plain);
    assert_eq!(undo["steps"][0]["task"], "deploy:web");
    assert_eq!(undo["lasting"][0]["kind"], "image");
}

#[test]
fn a_plan_for_one_host_has_its_tasks_alone_and_refuses_to_wait_for_another() {
    let home = Home::new();
    let host = |name: &str, host: &str| {
        (
            format!("\"name\": \"{name}\","),
            format!("\"name\": \"{name}\", \"locatedInHost\": {{\"@id\": \"host:{host}\"}},"),
        )
    };
    let pairs = [host("db", "vm1"), host("web", "vm2")];
    home.file("shop.jsonld", &pairs.iter().fold(SHOP.to_owned(), |text, (from, to)| text.replace(from, to)));
    home.file("hosts.json", HOSTS);
    let output = home.run(&["plan", "shop.jsonld", "--inventory", "hosts.json", "--host", "vm1", "-o", "json"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let plan = json(&output);
    let tasks = plan["tasks"].as_array().unwrap();
    assert!(!tasks.is_empty() && tasks.iter().all(|task| task["host"] == "vm1"), "{tasks:?}");
    let output = home.run(&["plan", "shop.jsonld", "--inventory", "hosts.json", "--host", "vm2"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (3, ""));
    assert!(stderr(&output).contains("plan for `vm1` too"), "{}", stderr(&output));
}

#[test]
fn what_fits_nowhere_comes_with_the_smallest_change_that_helps() {
    let home = Home::new();
    let greedy = "\"name\": \"db\", \"resources\": {\"reservations\": {\"memory\": \"64G\"}},";
    home.file("shop.jsonld", &SHOP.replace("\"name\": \"db\",", greedy));
    home.file("hosts.json", r#"[{"@id": "vm1", "memory": 8589934592}, {"@id": "vm2", "memory": 17179869184}]"#);
    let plan = ["plan", "shop.jsonld", "--inventory", "hosts.json"];
    let output = home.run(&plan);
    let hint = "hint: to run it on `vm2`, lower the memory reservation of `db` from 64 GiB to 16 GiB";
    assert!(code(&output) == 3 && stderr(&output).contains(hint), "{}", stderr(&output));
    let output = home.run(&[&plan[..], &["-o", "json"]].concat());
    let fix = &json(&output)["diagnostics"][0]["fix"];
    assert_eq!((&fix["host"], &fix["steps"][0]["kind"]), (&Value::from("vm2"), &Value::from("memory")));
    assert_eq!(fix["steps"][0]["to"], 16_u64 << 30);
}

/// A stack of which one container asks for more than there is, by a variable, and the other cannot be reached.
const PLACED: &str = r#"{
  "@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "@id": "stack:shop", "name": "shop",
  "hasPart": [
    {"@type": "datacenter:Container", "@id": "container:db", "name": "db", "image": "postgres:15",
     "locatedInHost": "vm1"},
    {"@type": "datacenter:Container", "@id": "container:web", "name": "web", "image": "nginx",
     "locatedInHost": "${HOST}",
     "dependsOn": ["db"]}
  ]
}
"#;

#[test]
fn what_cannot_be_planned_is_shown_where_the_document_says_it() {
    let home = Home::new();
    home.file("shop.jsonld", PLACED);
    home.file("hosts.json", HOSTS);
    home.file("env", "HOST=vm9\n");
    let plan = ["plan", "shop.jsonld", "--inventory", "hosts.json", "--env-file", "env"];
    let output = home.run(&plan);
    assert_eq!((code(&output), stdout(&output).as_str()), (3, ""));
    let place = "error: `web` is to run on the host `vm9`, which is not known
 ╭─ shop.jsonld:7:23
7│     \"locatedInHost\": \"${HOST}\",
 ·                      ────┬──── did you mean `vm1`?
hint: known hosts: vm1, vm2
error: shop.jsonld is refused: 1 mistake
";
    assert_eq!(stderr(&output), place);

    let output = home.run(&[&plan[..], &["-o", "json"]].concat());
    let finding = &json(&output)["diagnostics"][0];
    let at = ["pointer", "line", "column"].map(|key| finding[key].to_string());
    assert_eq!((code(&output), at), (3, ["\"/hasPart/1/locatedInHost\"", "7", "23"].map(str::to_owned)));
    assert_eq!(finding["subject"], serde_json::json!({"container": "web", "property": {"kind": "host"}}));

    home.file("env", "HOST=vm2\n");
    let output = home.run(&plan);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let place = " ╭─ shop.jsonld:8:20\n8│     \"dependsOn\": [\"db\"]}\n ·                   ────\n";
    assert!(stderr(&output).contains(place), "{}", stderr(&output));
    let output = home.run(&[&plan[..], &["-o", "json"]].concat());
    assert_eq!(json(&output)["warnings"][0]["pointer"], "/hasPart/1/dependsOn/0");

    let output = home.run(&[&plan[..], &["--host", "vm2"]].concat());
    assert!(code(&output) == 3 && stderr(&output).contains(place), "{}", stderr(&output));

    // A saved plan rests on its own hash, so its warnings are as the planner told them.
    assert_eq!(code(&home.run(&[&plan[..], &["-o", "shop.plan"]].concat())), 0);
    let saved = std::fs::read(home.path().join("shop.plan")).unwrap();
    let saved = graphium_core::plan::SavedPlan::read(&saved).unwrap();
    assert_eq!((saved.plan.warnings[0].line, &*saved.plan.warnings[0].code), (0, "no-way-across"));
}

#[test]
fn what_cannot_be_planned_is_refused_with_every_reason() {
    let home = Home::new();
    home.file(
        "shop.jsonld",
        &SHOP.replace("\"name\": \"db\",", "\"name\": \"db\", \"locatedInHost\": {\"@id\": \"host:vm9\"},"),
    );
    home.file("hosts.json", HOSTS);
    let output = home.run(&["plan", "shop.jsonld", "--inventory", "hosts.json"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (3, ""));
    assert!(stderr(&output).contains("vm9"), "{}", stderr(&output));
    let output = home.run(&["plan", "shop.jsonld", "--inventory", "hosts.json", "-o", "json"]);
    assert_eq!((code(&output), &json(&output)["valid"]), (3, &Value::Bool(false)));
}

#[test]
fn a_wrong_command_line_says_what_to_do() {
    let home = Home::new();
    for args in [&["validate"][..], &["vallidate", "x"], &["validate", "absent.jsonld"], &["plan", "x", "-o", "yaml"]] {
        let output = home.run(args);
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{args:?}");
        assert!(stderr(&output).starts_with("error: "), "{args:?}: {}", stderr(&output));
    }
    home.file("shop.jsonld", SHOP);
    home.file("hosts.json", r#"{"hosts":[{"name":"vm1"}]}"#);
    let output = home.run(&["plan", "shop.jsonld", "--inventory", "hosts.json"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("a host needs `@id`\n  at /hosts/0\n"), "{}", stderr(&output));
    assert!(stderr(&output).contains("\nhint: "), "{}", stderr(&output));
}

#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let home = Home::new();
    home.file("shop.jsonld", SHOP);
    home.file("hosts.json", HOSTS);
    let plan = ["plan", "shop.jsonld", "--inventory", "hosts.json", "-o", "json"];
    for args in [&["validate", "shop.jsonld"][..], &plan, &["version"]] {
        let mut child = home.graphium(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((code(&output), stderr(&output).as_str()), (0, ""), "{args:?}");
    }
}

#[test]
fn a_plan_is_saved_for_its_owner_alone_and_read_only_as_it_was_written() {
    let home = Home::new();
    home.file("shop.jsonld", &SHOP.replace("${TAG:-1.27}", "${TAG}"));
    home.file("shop.env", "TAG=hunter2\n");
    home.file("hosts.json", HOSTS);
    let path = home.file("shop.plan", r#"{"kind": "graphium plan", "of": "an earlier day"}"#);
    let plan = ["plan", "shop.jsonld", "--env-file", "shop.env", "--inventory", "hosts.json", "-o", "shop.plan"];
    let output = home.run(&plan);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("stack `shop`: "), "{}", stdout(&output));
    assert!(stderr(&output).ends_with("the plan is saved; carry it out: graphium apply shop.plan\n"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("nginx:hunter2"));
    for (text, expected) in [
        (text.replace("hunter2", "hunter3"), "was changed after it was written"),
        (text[..text.len() / 2].to_owned(), "is cut off at line "),
        (text.replacen("\"format\": 1", "\"format\": 2", 1), "has format 2, and this version reads up to 1"),
        (SHOP.to_owned(), "this is no plan that `graphium plan -o FILE` has written"),
    ] {
        home.file("bad.plan", &text);
        let output = home.run(&["apply", "bad.plan"]);
        let told = stderr(&output);
        assert_eq!((code(&output), stdout(&output).as_str()), (3, ""), "{told}");
        assert!(
            told.starts_with("error: `bad.plan`: ") && told.contains(expected) && !told.contains("hunter"),
            "{told}"
        );
    }
    assert_eq!(code(&home.run(&["apply", "none.plan"])), 2);
    let output = home.run(&["apply", "shop.plan", "--server", "http://127.0.0.1:1"]);
    assert_eq!(code(&output), 5, "{}", stderr(&output));
}

#[test]
fn an_output_that_is_neither_format_nor_path_is_refused_with_what_was_meant() {
    let home = Home::new();
    home.file("shop.jsonld", SHOP);
    home.file("hosts.json", HOSTS);
    let plan = |output: &str| home.run(&["plan", "shop.jsonld", "--inventory", "hosts.json", "-o", output]);
    let output = plan("josn");
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
    let told = stderr(&output);
    assert!(told.contains("a similar value exists: 'json'") && told.contains("as `./josn`"), "{told}");
    assert!(!home.path().join("josn").exists());
    let output = plan("nowhere/shop.plan");
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("cannot be saved at `nowhere/shop.plan`"), "{}", stderr(&output));

    std::fs::create_dir(home.path().join("plans")).unwrap();
    let before = std::fs::read_dir(home.path()).unwrap().count();
    for folder in ["plans/", "./plans", ".", ".."] {
        assert_eq!(code(&plan(folder)), 1, "{folder}");
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), before, "no draft is left");

    home.file("broken.jsonld", "{}");
    let output = home.run(&["plan", "broken.jsonld", "--inventory", "hosts.json", "-o", "broken.plan"]);
    assert_eq!(code(&output), 3);
    assert!(!home.path().join("broken.plan").exists(), "what is refused is not saved");
}

#[test]
fn a_plan_is_saved_over_nothing_but_an_earlier_one() {
    let home = Home::new();
    home.file("hosts.json", HOSTS);
    let document = home.file("shop.jsonld", SHOP);
    let before = std::fs::read(&document).unwrap();
    let output = home.run(&["plan", "shop.jsonld", "--inventory", "hosts.json", "-o", "./shop.jsonld"]);
    assert_eq!((code(&output), stdout(&output)), (2, String::new()));
    assert!(stderr(&output).contains("`./shop.jsonld` is there and is no saved plan"), "{}", stderr(&output));
    assert_eq!(std::fs::read(&document).unwrap(), before);
}

#[test]
fn a_plan_in_json_hides_the_values_of_variables() {
    let home = Home::new();
    home.file("hosts.json", HOSTS);
    let secret = r#""environment": [{"name": "PASSWORD", "value": "${PASSWORD}"}], "image""#;
    home.file("shop.jsonld", &SHOP.replacen("\"image\"", secret, 1));
    home.file("shop.env", "PASSWORD=hunter2\n");
    let plan = ["plan", "shop.jsonld", "--env-file", "shop.env", "--inventory", "hosts.json", "-o", "json"];
    for more in [&[][..], &["--undo"], &["--explain", "--diff"]] {
        let output = home.run(&[&plan, more].concat());
        let told = stdout(&output);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!(told.contains("PASSWORD") && told.contains("•••") && !told.contains("hunter2"), "{told}");
    }
}
