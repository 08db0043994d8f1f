//! The conformance suite on a runtime of one's own: what it asks of whoever runs it, on an engine in memory.
//!
//! `cargo test -p graphium-core --example own_runtime` runs every case as a test of its name; `cargo run -p graphium-core --example
//! own_runtime` runs them as this program does, and stops at the first that does not hold.

#![allow(clippy::print_stdout, reason = "a program for people")]

use futures::{executor::block_on, future::LocalBoxFuture};
use graphium_core::{
    runtime::ContainerRuntime,
    testing::{
        FakeRuntime, Program,
        runtime_suite::{Chore, FILE, LISTENS_AT, RuntimeHarness, Thing, Workload, names, run, run_unreachable},
    },
};
use std::sync::Arc;

/// How the suite gets at an engine. Yours in the place of the one in memory.
struct Own(FakeRuntime);

impl Own {
    fn new() -> Self {
        let engine = FakeRuntime::new();
        engine.put_image("runs", Program::runs());
        engine.put_image("listens", Program::runs().listening(LISTENS_AT));
        engine.put_image("speaks", Program::exits(3).saying(["one", "two", "three"]));
        engine.put_image("murmurs", Program::runs().saying(["out"]).complaining(["err"]));
        Self(engine)
    }
}

impl RuntimeHarness for Own {
    fn runtime(&self) -> Arc<dyn ContainerRuntime> {
        Arc::new(self.0.clone())
    }

    fn unreachable(&self) -> Option<Arc<dyn ContainerRuntime>> {
        let engine = FakeRuntime::new();
        engine.disconnect();
        Some(Arc::new(engine))
    }

    /// An image that does this, and a command for it: of a real engine most likely `busybox` with one.
    fn workload(&self, workload: Workload) -> (String, Vec<String>) {
        let image = match workload {
            Workload::Runs => "runs",
            Workload::Speaks => "speaks",
            Workload::Murmurs => "murmurs",
            Workload::Listens => "listens",
        };
        (image.to_owned(), Vec::new())
    }

    fn command(&self, chore: Chore) -> Vec<String> {
        let words: &[&str] = match chore {
            Chore::Echoes => &["cat"],
            Chore::Speaks => &["say", "out", "err", "3"],
            Chore::Measures => &["size"],
            Chore::Waits => &["wait"],
            Chore::Shows => &["show", FILE],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn absent_image(&self) -> String {
        "absent".to_owned()
    }

    /// Past the runtime: what is not Graphium's must stay untouched.
    fn make_foreign(&self, thing: Thing, name: &str) {
        self.0.make_foreign(thing, name);
    }

    fn remove_foreign(&self, thing: Thing, name: &str) {
        self.0.remove_foreign(thing, name);
    }

    /// With tokio: `Runtime::block_on`.
    fn block_on(&self, case: LocalBoxFuture<'_, ()>) {
        block_on(case);
    }
}

fn main() {
    for name in names() {
        run(name, &Own::new());
        println!("holds  {name}");
    }
    run_unreachable(&Own::new());
    println!("holds  an engine that does not answer is unreachable");
}

#[cfg(test)]
mod conformance {
    graphium_core::runtime_conformance!(super::Own::new());
}
