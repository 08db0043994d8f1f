//! Rehearses the whole of Graphium with everything going wrong, seed by seed.
//!
//! ```text
//! cargo run --example simulate -- --seeds 1000 --from 1
//! cargo run --example simulate -- --trace 42
//! cargo run --example simulate -- --seeds 100 examples/stacks/nginx-multihost-stack.json
//! ```
//!
//! A seed that breaks a promise is told with its trace, and ends the program with code 1; with `--keep-going` each is one line.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use graphium_core::{
    document::{ReadContext, read},
    sim::{Failure, Report, Setup, record, simulate},
};
use std::{error::Error, process::ExitCode, time::Instant};

/// What is asked on the command line.
struct Arguments {
    seeds: u64,
    from: u64,
    trace: Option<u64>,
    keep_going: bool,
    documents: Vec<String>,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = arguments()?;
    let mut stacks = Vec::new();
    for path in &arguments.documents {
        let text = std::fs::read(path).map_err(|error| format!("cannot read `{path}`: {error}"))?;
        let reading = read(text, &ReadContext::default()).map_err(|mistakes| {
            let list: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            format!("`{path}` has mistakes:\n{}", list.join("\n"))
        })?;
        stacks.push(reading.stack);
    }
    let setup = if stacks.is_empty() { Setup::default() } else { Setup::of(stacks) };
    if let Some(seed) = arguments.trace {
        let recording = record(seed, &setup);
        print!("{}", recording.trace);
        match recording.verdict {
            Ok(report) => println!("seed {seed}: every promise was kept: {}", line(&report)),
            Err(breach) => {
                println!("seed {seed}: {breach}");
                return Ok(ExitCode::FAILURE);
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    Ok(run(&arguments, &setup))
}

fn run(arguments: &Arguments, setup: &Setup) -> ExitCode {
    let begin = Instant::now();
    let (mut sum, mut broken) = (Report::default(), 0);
    for seed in arguments.from..arguments.from.saturating_add(arguments.seeds) {
        match simulate(seed, setup) {
            Ok(report) => sum += report,
            Err(failure) if arguments.keep_going => {
                println!("seed {seed}: {}", failure.breach);
                broken += 1;
            }
            Err(failure) => {
                tell(&failure);
                return ExitCode::FAILURE;
            }
        }
    }
    let took = begin.elapsed();
    let each = took.as_secs_f64() * 1000.0 / arguments.seeds.max(1) as f64;
    let kept = arguments.seeds - broken;
    println!("{kept} of {} seeds kept every promise: {}; {each:.1} ms a seed", arguments.seeds, line(&sum));
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(failure: &Failure) {
    print!("{}", failure.trace);
    println!("seed {}: {}", failure.seed, failure.breach);
    eprintln!("run it again with `cargo run --example simulate -- --trace {}`", failure.seed);
}

fn line(report: &Report) -> String {
    let Report { elapsed, steps, events, tasks, obstructed, jumped_ahead, pruned } = report;
    let hours = elapsed.as_secs() / 3600;
    format!(
        "{hours} h of their time, {steps} steps, {tasks} tasks, {events} events; with something of others in the way {obstructed}, \
         with a clock that jumped ahead {jumped_ahead}, with work let go of {pruned}"
    )
}

fn arguments() -> Result<Arguments, String> {
    let mut found = Arguments { seeds: 1000, from: 1, trace: None, keep_going: false, documents: Vec::new() };
    let mut rest = std::env::args().skip(1);
    while let Some(argument) = rest.next() {
        let mut number = || {
            let value = rest.next().ok_or_else(|| format!("`{argument}` wants a number behind it"))?;
            value.parse().map_err(|_| format!("`{value}`, behind `{argument}`, is no number"))
        };
        match argument.as_str() {
            "--seeds" => found.seeds = number()?,
            "--from" => found.from = number()?,
            "--keep-going" => found.keep_going = true,
            "--trace" => found.trace = Some(number()?),
            other if other.starts_with('-') => {
                return Err(format!(
                    "`{other}` is not understood; there are --seeds N, --from S, --keep-going, --trace SEED and documents"
                ));
            }
            document => found.documents.push(document.to_owned()),
        }
    }
    Ok(found)
}
