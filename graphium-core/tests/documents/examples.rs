//! The project's own documents read into exactly these stacks, with exactly these notes.
//!
//! `UPDATE=1 cargo test -p graphium-core --test documents examples` writes the golden files anew; look at the difference.

use graphium_core::document::{ReadContext, read};
use std::{env, fs, path::PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn example(name: &str) -> String {
    let path = root().join("../examples/stacks").join(name).with_extension("json");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn matches_golden(file: &str, actual: &str) {
    let path = root().join("tests/golden").join(file);
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let difference = actual.lines().zip(expected.lines()).position(|(actual, expected)| actual != expected);
    if actual != expected {
        let line = difference.unwrap_or_else(|| actual.lines().count().min(expected.lines().count()));
        let at = |text: &str| text.lines().nth(line).unwrap_or("(end)").to_owned();
        panic!("{file}:{}: expected\n{}\nbut read\n{}", line + 1, at(&expected), at(actual));
    }
}

fn reads_as_golden(name: &str) {
    let variables = |name: &str| (name == "JWT_SECRET").then(|| "a-secret".to_owned());
    let reading = match read(example(name), &ReadContext::new(&variables)) {
        Ok(reading) => reading,
        Err(diagnostics) => panic!("{name} is refused: {diagnostics:#?}"),
    };
    let mut stack = serde_json::to_string_pretty(&reading.stack).unwrap();
    stack.push('\n');
    matches_golden(&format!("{name}.stack.json"), &stack);
    let notes: String = reading.notes.iter().map(|note| format!("{note}\n")).collect();
    matches_golden(&format!("{name}.notes.txt"), &notes);
    // What a stored revision carries is the stack itself.
    assert_eq!(serde_json::from_str::<graphium_core::stack::Stack>(&stack).unwrap(), reading.stack);
}

macro_rules! golden {
    ($($test:ident: $name:literal),* $(,)?) => {
        $(#[test] fn $test() { reads_as_golden($name); })*

        #[test]
        fn every_example_has_a_golden_file() {
            let mut examples: Vec<String> = fs::read_dir(root().join("../examples/stacks"))
                .unwrap()
                .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
                .collect();
            let mut tested = vec![$($name.to_owned()),*];
            examples.sort();
            tested.sort();
            assert_eq!(examples, tested);
        }
    };
}

golden! {
    a_three_tier_stack_reads: "3-tier-webapp",
    an_item_list_reads: "legacy-itemlist-3-tier-webapp",
    a_stack_over_several_hosts_reads: "microservices-multi-host",
    a_stack_that_is_spread_reads: "nginx-auto-spread-stack",
    a_stack_that_is_placed_by_hand_reads: "nginx-multihost-stack",
    a_stack_of_one_container_reads: "simple-nginx",
}

#[test]
fn an_unset_variable_is_the_one_error_and_is_named() {
    let mistakes = read(example("microservices-multi-host"), &ReadContext::default()).unwrap_err();
    let errors: Vec<_> = mistakes.iter().filter(|mistake| mistake.is_error()).collect();
    let [error] = errors.as_slice() else { panic!("{errors:#?}") };
    assert_eq!((error.code.as_ref(), error.line, error.column, error.length), ("unset-variable", 71, 27, 15));
    assert_eq!(error.pointer, "/@graph/0/hasPart/1/environment/JWT_SECRET");
    assert!(error.message.contains("`JWT_SECRET`"), "{}", error.message);
}
