//! The `graphium` program: command line, server and agent in one binary.

mod cli;
mod config;
mod render;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
