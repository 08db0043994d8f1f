//! Plans a stack inside a program of your own: no server, no engine, nothing that could be changed.
//!
//! ```text
//! cargo run --example embed
//! ```

#![allow(clippy::print_stdout, reason = "a program for people")]

use graphium_core::{
    document::{ReadContext, read},
    inventory::Inventory,
    plan::{Options, plan},
};
use std::error::Error;

const STACK: &str = include_str!("stacks/nginx-auto-spread-stack.json");
const HOSTS: &str = r#"{"hosts": [
    {"@id": "vm1", "ipAddress": "10.0.0.1"},
    {"@id": "vm2", "ipAddress": "10.0.0.2"}
]}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let reading = read(STACK, &ReadContext::default()).map_err(|mistakes| format!("{} mistakes", mistakes.len()))?;
    let hosts: Inventory = serde_json::from_str(HOSTS)?;
    let plan = plan(&reading.stack, None, &hosts, &Options::default())
        .map_err(|reasons| reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    for task in &plan.tasks {
        println!("{:<28} on {}: {}", task.id, task.host, task.why);
        if let Some(undo) = &task.undo {
            println!("{:<28} undone by {} {}", "", undo.task_type(), undo.subject());
        }
    }
    Ok(())
}
