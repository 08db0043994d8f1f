//! The `graphium` program: command line, server and agent in one binary.

mod cli;
mod config;
mod demo;
mod doctor;
mod engine;
mod local;
mod render;
mod up;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
