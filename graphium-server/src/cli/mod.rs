//! The command line: one file per command.

mod adopt;
mod agent;
mod allow;
mod apply;
mod asked;
mod audit;
mod completions;
pub(crate) mod connect;
mod duration;
mod env_file;
mod events;
mod exit;
mod fmt;
mod follow;
mod host;
mod import;
mod inventory;
mod logging;
mod man;
mod memory;
mod orphans;
mod output;
mod password;
mod plan;
mod plan_output;
mod schema;
mod screen;
mod secret;
mod server;
mod settings;
pub(crate) mod signals;
mod source;
mod stack;
mod store;
mod task;
mod token;
mod user;
mod validate;

pub(crate) use agent::{default_concurrency, ended as agent_ended, host_id};
pub(crate) use connect::no_runtime;
pub(crate) use exit::{Exit, Failure};
pub(crate) use follow::{follow, has_ended};
pub(crate) use output::Output;
pub(crate) use server::{default_store, make_folder, not_started};
pub(crate) use source::{Document, DocumentArgs};
pub(crate) use stack::tell_ended;
pub(crate) use validate::refusal;

use crate::{
    config::{Config, GlobalArgs},
    demo, doctor, up,
};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use graphium_core::document::PROCESSOR_THREAD;
use std::{env, panic, process::ExitCode, thread};

/// Deploys stacks of containers over many Docker hosts
#[derive(Debug, Parser)]
#[command(name = "graphium", version, propagate_version = true, arg_required_else_help = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit codes: 0 ok, 1 failed, 2 usage, 3 invalid document, 4 not allowed, 5 unreachable, 6 wait timed out,
7 something to do (`plan --detailed-exitcode`), 130 interrupted

With `-o json` a command that fails writes {\"error\": {\"code\", \"message\", \"help\", …}} where its result would be";

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::UpArgs),
    Demo(demo::DemoArgs),
    Validate(validate::ValidateArgs),
    Fmt(fmt::FmtArgs),
    Plan(plan::PlanArgs),
    Apply(apply::ApplyArgs),
    Schema(schema::SchemaArgs),
    Server(server::ServerArgs),
    Agent(agent::AgentArgs),
    Stack(stack::StackArgs),
    Host(host::HostArgs),
    Task(task::TaskArgs),
    Adopt(adopt::AdoptArgs),
    Import(import::ImportArgs),
    Orphans(orphans::OrphansArgs),
    Events(events::EventsArgs),
    Audit(audit::AuditArgs),
    Token(token::TokenArgs),
    User(user::UserArgs),
    Secret(secret::SecretArgs),
    Store(store::StoreArgs),
    Doctor(doctor::DoctorArgs),
    Config(settings::ConfigArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    /// Says which version this is
    Version,
}

/// Runs the command that the process was started with.
pub(crate) fn main() -> ExitCode {
    memory::bound();
    contain_processor();
    let mut output = Output::new();
    let read = Cli::command().try_get_matches().and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (cli, matches) = match read {
        Ok(read) => read,
        Err(error) => return misused(&error, &mut output),
    };
    let global = cli.global.clone();
    let result = run(cli, &mut output).and_then(|exit| output.flush().map(|()| exit));
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output.fail(&failure, || asked::format(&matches, &global));
            failure.exit.into()
        }
    }
}

/// A command line that is none, or asks for help.
fn misused(error: &clap::Error, output: &mut Output) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() {
        output.fail_in_json(&Failure::misused(error), || asked::format_of_words(env::args_os().skip(1)));
    }
    u8::try_from(error.exit_code()).map_or(Exit::Usage.into(), ExitCode::from)
}

/// Some documents make the JSON-LD processor panic on its own thread; the reader says what is wrong with them, and
/// nobody needs a trace of it.
fn contain_processor() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if thread::current().name() != Some(PROCESSOR_THREAD) {
            tell(panic);
        }
    }));
}

/// Commands that need no server start no threads, and those that need no settings read none.
fn run(cli: Cli, output: &mut Output) -> Result<Exit, Failure> {
    let config = || Config::load(&cli.global);
    match cli.command {
        Command::Validate(args) => validate::run(&args, &config()?, output),
        Command::Fmt(args) => fmt::run(&args, output),
        Command::Plan(args) => plan::run(&args, &config()?, output),
        Command::Apply(args) => apply::run(&args, &config()?, output),
        Command::Schema(args) => schema::run(&args, output),
        Command::Up(args) => up::run(&args, &config()?, output),
        Command::Demo(args) => demo::run(&args, output),
        Command::Doctor(args) => doctor::run(&args, &config()?, output),
        Command::Server(args) => server::run(&args, &config()?, output),
        Command::Agent(args) => agent::run(&args, &config()?, output),
        Command::Stack(args) => stack::run(&args, &config()?, output),
        Command::Host(args) => host::run(&args, &config()?, output),
        Command::Import(args) => import::run(&args, output),
        Command::Adopt(args) => adopt::run(&args, &config()?, output),
        Command::Orphans(args) => orphans::run(&args, &config()?, output),
        Command::Task(args) => task::run(&args, &config()?, output),
        Command::Events(args) => events::run(&args, &config()?, output),
        Command::Audit(args) => audit::run(&args, &config()?, output),
        Command::Token(args) => token::run(&args, &config()?, output),
        Command::User(args) => user::run(&args, &config()?, output),
        Command::Secret(args) => secret::run(&args, &config()?, output),
        Command::Store(args) => store::run(&args, &config()?, output),
        Command::Config(args) => settings::run(&args, &config()?, output),
        Command::Completions(args) => completions::run(&args, Cli::command(), output),
        Command::Man(args) => man::run(&args, Cli::command(), output),
        Command::Version => {
            output.line(format_args!("graphium {}", env!("CARGO_PKG_VERSION")))?;
            Ok(Exit::Ok)
        }
    }
}
