//! Starts private Docker engines, each in a network namespace of its own, and runs a command beside them.
//!
//! ```text
//! cargo run --example testbed -- --hosts 3 -- cargo test -p graphium-docker
//! ```
//!
//! The command finds the first engine's socket in `GRAPHIUM_TEST_DOCKER` and an image that has a shell, on every engine,
//! in `GRAPHIUM_TEST_IMAGE`. With `--inside` before `--` it is a process of the first host, as an agent is: it reaches what
//! containers there listen at. Without a command the engines stay until standard input ends. Needs root on Linux with Docker.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use graphium_server::testbed::{Testbed, TestbedOptions, images, requirements};
use std::process::ExitCode;

const IMAGE: &str = "graphium-test:shell";

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let (hosts, place, command) = arguments(std::env::args().skip(1))?;
    if let Err(missing) = requirements() {
        eprintln!("error: this machine cannot run private engines\n  {}", missing.join("\n  "));
        return Ok(ExitCode::FAILURE);
    }
    let names = (1..=hosts).map(|number| format!("host-{number}")).collect();
    let testbed = Testbed::start(TestbedOptions { hosts: names, ..TestbedOptions::default() }).await?;
    testbed.load(&images::shell(IMAGE)?).await?;
    for host in testbed.hosts() {
        eprintln!("{}  {}  unix://{}", host.name(), host.address(), host.socket().display());
    }
    let code = match command.split_first() {
        Some((program, rest)) => {
            let first = testbed.hosts().first().ok_or("a testbed has at least one host")?;
            let mut child = match place {
                Place::Beside => tokio::process::Command::new(program),
                Place::Inside => first.command(program),
            };
            child.args(rest).env("GRAPHIUM_TEST_IMAGE", IMAGE);
            child.env("GRAPHIUM_TEST_DOCKER", format!("unix://{}", first.socket().display()));
            let status = child.status().await?;
            if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        None => {
            tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
            ExitCode::SUCCESS
        }
    };
    testbed.stop().await?;
    Ok(code)
}

/// Where the command runs.
enum Place {
    Beside,
    Inside,
}

fn arguments(given: impl Iterator<Item = String>) -> Result<(usize, Place, Vec<String>), String> {
    let mut given = given.peekable();
    let mut hosts = 3;
    if given.peek().is_some_and(|word| word == "--hosts") {
        given.next();
        let number = given.next().unwrap_or_default();
        hosts = number.parse().map_err(|_| format!("`--hosts` takes a number, not `{number}`"))?;
    }
    let place = given.next_if(|word| word == "--inside").map_or(Place::Beside, |_| Place::Inside);
    let command = given.skip_while(|word| word == "--").collect();
    Ok((hosts, place, command))
}
