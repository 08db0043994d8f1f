//! Plans a stack inside a program of your own: no server, no engine, nothing that could be changed.
//!
//! ```text
//! cargo run --example embed
//! ```

#![allow(clippy::print_stdout, reason = "a program for people")]

use graphium_core::{
    document::{ReadContext, read},
    inventory::Inventory,
    plan::{Options, Plan, plan},
};
use std::error::Error;

const STACK: &str = include_str!("stacks/nginx-auto-spread-stack.json");
const HOSTS: &str = r#"{"hosts": [
    {"@id": "vm1", "ipAddress": "10.0.0.1"},
    {"@id": "vm2", "ipAddress": "10.0.0.2"}
]}"#;

fn planned() -> Result<Plan, Box<dyn Error>> {
    let reading = read(STACK, &ReadContext::default()).map_err(|mistakes| format!("{} mistakes", mistakes.len()))?;
    let hosts: Inventory = serde_json::from_str(HOSTS)?;
    let reasons = |reasons: Vec<_>| reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    Ok(plan(&reading.stack, None, &hosts, &Options::default()).map_err(reasons)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    for task in &planned()?.tasks {
        println!("{:<28} on {}: {}", task.id, task.host, task.why);
        if let Some(undo) = &task.undo {
            println!("{:<28} undone by {} {}", "", undo.task_type(), undo.subject());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn both_hosts_get_something_to_do() -> Result<(), Box<dyn std::error::Error>> {
        let plan = super::planned()?;
        let hosts: BTreeSet<_> = plan.tasks.iter().map(|task| task.host.as_str()).collect();
        assert_eq!(hosts, ["vm1", "vm2"].into());
        assert!(plan.tasks.iter().any(|task| task.undo.is_some()), "what fails can be taken back");
        Ok(())
    }
}
