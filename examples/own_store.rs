//! The conformance suite on a store of one's own: the harness below is all that it takes.
//!
//! `cargo test -p graphium-core --example own_store` runs every case as a test of its name; `cargo run -p graphium-core --example
//! own_store` runs them as this program does, and says how each ends.

#![allow(clippy::print_stdout, reason = "a program for people")]

use async_trait::async_trait;
use graphium_core::{
    store::{MemoryStore, TaskStore},
    testing::store_suite::{CASES, Harness, Stop},
};
use std::{process::ExitCode, sync::Arc};

/// How the suite gets at a store. One that outlives its process has a `reopen`, too; one that several servers share, a `second`.
struct Own;

#[async_trait(?Send)]
impl Harness for Own {
    async fn fresh(&self) -> Result<Arc<dyn TaskStore>, Stop> {
        // Yours in the place of this one.
        Ok(Arc::new(MemoryStore::new()))
    }
}

graphium_core::store_suite!(Own);

fn main() -> ExitCode {
    let mut broken = 0;
    for case in CASES {
        match case.run(&Own) {
            Ok(()) => println!("holds       {}", case.name),
            Err(Stop::Lacking(what)) => println!("not tested  {}: needs `{what}`", case.name),
            Err(Stop::Broken(why)) => {
                broken += 1;
                println!("BROKEN      {}: {why}", case.name);
            }
        }
    }
    println!("{} cases, {broken} broken", CASES.len());
    ExitCode::from(u8::from(broken > 0))
}
