//! What an engine cannot do is refused before anything starts, by what is known of it.

use graphium_core::{
    diagnostic::{Diagnostic, Property, Subject},
    inventory::{Inventory, read},
    plan::{AppliedFact, Facts, Options, fixtures::*, plan},
    stack::{Container, Stack},
};
use serde_json::{Value, json};

/// Two hosts: of `vm1` this is known, of `vm2` that.
fn estate(vm1: Value, vm2: Value) -> Inventory {
    let hosts = json!([{"@id": "vm1", "engine": vm1}, {"@id": "vm2", "engine": vm2}]);
    read(hosts.to_string().as_bytes()).unwrap()
}

fn asking(members: Value) -> Stack {
    let mut members = members;
    members["name"] = "a".into();
    members["image"] = "i".into();
    stack("s", vec![serde_json::from_value::<Container>(members).unwrap()])
}

fn refused(stack: &Stack, inventory: &Inventory) -> Diagnostic {
    let mut errors = plan(stack, None, inventory, &Options::default()).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    let error = errors.remove(0);
    let (mut changed, mut estate) = (stack.clone(), inventory.clone());
    error.fix.as_ref().unwrap().apply(&mut changed, &mut estate);
    assert!(plan(&changed, None, &estate, &Options::default()).is_ok(), "the change helps: {error}");
    error
}

const PLAIN: &str = r#"{"platforms": ["linux/amd64"], "runtimes": ["io.containerd.runc.v2", "runc"], "gpus": false, "apiVersion": "1.41"}"#;

fn plain() -> Value {
    serde_json::from_str(PLAIN).unwrap()
}

#[test]
fn what_no_engine_can_do_is_refused_by_name_with_what_would_help() {
    let subpath = json!({"volumeMounts": [{"type": "volume", "source": "v", "target": "/v", "subpath": "in"}]});
    for (members, words, help, key) in [
        (
            json!({"runtime": "nvidia"}),
            "has no runtime `nvidia` (it has `io.containerd.runc.v2`, `runc`)",
            "install the runtime `nvidia` on `vm1`",
            "runtime",
        ),
        (
            json!({"gpus": -1}),
            "has an engine that gives containers no GPUs",
            "let the engine of `vm1` give containers GPUs (NVIDIA Container Toolkit)",
            "gpus",
        ),
        (
            json!({"platform": "linux/arm64"}),
            "runs `linux/amd64`, not `linux/arm64`",
            "let `vm1` emulate `linux/arm64` (binfmt_misc)",
            "platform",
        ),
        (
            subpath,
            "has an engine of API 1.41, and a `subpath` needs 1.45",
            "update the engine of `vm1` to API 1.45 or later",
            "volumeMounts",
        ),
    ] {
        let everywhere = refused(&asking(members.clone()), &estate(plain(), plain()));
        assert_eq!(everywhere.code, "no-eligible-host");
        assert_eq!(everywhere.message, format!("`a` fits on no host: each of `vm1`, `vm2` {words}"));
        let mut bound = members;
        bound["locatedInHost"] = "vm1".into();
        let bound = refused(&asking(bound), &estate(plain(), json!({})));
        assert_eq!(bound.code, "host-unsuitable");
        assert_eq!(bound.message, format!("`a` is bound to the host `vm1`, which {words}"));
        for error in [everywhere, bound] {
            assert_eq!(error.help.as_deref(), Some(&*format!("to run it on `vm1`, {help}")));
            let setting = Property::Setting { key: key.to_owned() };
            assert_eq!(error.subject.as_deref(), Some(&Subject::container("a").property(setting)));
        }
    }
}

#[test]
fn a_container_goes_where_the_engine_can_run_it_or_nothing_is_known() {
    let able = json!({"runtimes": ["nvidia", "runc"], "gpus": true});
    for other in [able, json!({})] {
        let gpus = asking(json!({"gpus": 1, "runtime": "nvidia"}));
        let made = plan(&gpus, None, &estate(plain(), other), &Options::default()).unwrap();
        assert_eq!(made.placements["a"].as_str(), "vm2");
    }
    let plain = asking(json!({}));
    assert!(plan(&plain, None, &estate(self::plain(), json!({})), &Options::default()).is_ok());
}

#[test]
fn where_there_is_no_host_one_is_asked_for_that_can_do_it() {
    let error = refused(&asking(json!({"gpus": 1, "platform": "linux/arm64"})), &Inventory::default());
    let help = error.help.unwrap();
    assert!(help.contains("add a host with the platform `linux/arm64` and GPUs"), "{help}");
}

#[test]
fn a_saved_plan_rests_on_what_its_engine_can_do_where_that_is_asked_for() {
    let facts = |members: Value, engine: Value| {
        let (stack, inventory) = (asking(members), estate(engine, json!({"gpus": false})));
        let plan = plan(&stack, None, &inventory, &Options::default()).unwrap();
        Facts::of(&plan, &stack, &inventory, None::<AppliedFact>)
    };
    let gpus = |engine| facts(json!({"gpus": 1}), engine);
    let changes = gpus(json!({"gpus": true})).changes(&gpus(json!({"gpus": true, "runtimes": ["runc"]})), "s");
    let told: Vec<String> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["host `vm1` had an engine with GPUs and has an engine with runc, GPUs now"]);
    let plain = |engine| facts(json!({"locatedInHost": "vm1"}), engine);
    assert_eq!(plain(json!({"gpus": true})), plain(json!({})), "what nobody asks for does not count");
}

#[test]
fn mistakes_about_engines_are_told() {
    let wrong =
        json!([{"@id": "a", "engine": {"platforms": "linux/amd64", "gpus": 1, "apiVersion": "new", "runtime": []}}]);
    let told: Vec<String> = read(wrong.to_string().as_bytes()).unwrap_err().iter().map(ToString::to_string).collect();
    let all = told.join("\n");
    for words in [
        "unknown key `runtime` in an engine [unknown-key]; did you mean `runtimes`?",
        "`platforms` of an engine takes a list of strings, not \"linux/amd64\"",
        "`gpus` of an engine takes true or false, not 1",
        "`apiVersion` of an engine takes an API version as in \"1.45\", not \"new\"",
    ] {
        assert!(all.contains(words), "{words}\n{all}");
    }
}
