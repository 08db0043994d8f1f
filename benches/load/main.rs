//! The server under load: the built binary as a process of its own, driven from this one over real sockets.
//!
//! ```text
//! cargo bench -p graphium-server --bench load -- agents|watchers|storm|requests|page|browser|overload|soak|all [--seconds N]
//! ```
//!
//! Memory, processor time and descriptors are those of the server's process alone. Each goal is one line, with `ok` or `MISSED`; one
//! that is missed makes the exit code 1. `--seconds` is how long each measures (the soak: 600 by default). Linux only.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark for people"
)]
#![allow(unreachable_pub, reason = "a program of its own, in several files")]

mod browser;
mod fleet;
mod goals;
mod overload;
mod page;
mod plain;
mod raw;
mod server;
mod storm;
mod traffic;
mod watchers;

use goals::Goals;
use std::{process::ExitCode, time::Duration};

const SCENES: [&str; 8] = ["agents", "watchers", "storm", "requests", "page", "browser", "overload", "soak"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--test") {
        return ExitCode::SUCCESS;
    }
    server::raise_descriptors();
    graphium_server::tls::ready();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if arguments.iter().any(|argument| argument == plain::FLAG) {
        runtime.block_on(plain::serve());
        return ExitCode::SUCCESS;
    }
    let after = |flag: &str| arguments.iter().skip_while(|argument| *argument != flag).nth(1);
    let seconds = after("--seconds").map(|text| Duration::from_secs(text.parse().expect("`--seconds` takes a number")));
    let named: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| SCENES.contains(word)).collect();
    let scenes = if named.is_empty() { SCENES.to_vec() } else { named };
    if let Some(wrong) = arguments.iter().find(|word| {
        let known = word.starts_with("--") || SCENES.contains(&word.as_str()) || *word == "all";
        !known && Some(*word) != after("--seconds")
    }) {
        println!("`{wrong}` is none of: all, {}", SCENES.join(", "));
        return ExitCode::from(2);
    }

    let mut goals = Goals::default();
    for scene in scenes {
        println!("{scene}");
        let lasts = |usual: u64| seconds.unwrap_or(Duration::from_secs(usual));
        runtime.block_on(async {
            match scene {
                "agents" => fleet::idle(&mut goals, lasts(30)).await,
                "watchers" => watchers::measure(&mut goals).await,
                "storm" => storm::measure(&mut goals).await,
                "requests" => traffic::requests(&mut goals, lasts(20)).await,
                "page" => page::measure(&mut goals, lasts(20)).await,
                "browser" => browser::measure(&mut goals, lasts(20)).await,
                "overload" => overload::measure(&mut goals, lasts(10)).await,
                _ => traffic::soak(&mut goals, lasts(600)).await,
            }
        });
    }
    goals.exit_code()
}
