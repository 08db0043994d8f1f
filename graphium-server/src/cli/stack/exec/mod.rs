//! `graphium stack exec NAME -- COMMAND`.

mod session;
mod signals;
mod streams;
mod terminal;

use super::{Call, logs::within_stack};
use crate::cli::exit::{Exit, Failure};
use graphium_core::{
    control::StackView,
    id::HostId,
    inventory::{ContainerStatus, ObservedContainer},
    runtime::{ExecSpec, beside},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::{self, IsTerminal as _},
};

/// Runs a command in a container of a stack
///
/// On whatever host that runs; no shell reads the command unless it is one. The exit code is the command's; 125 says that Graphium
/// failed, and 126 or 127, as with `docker`, that the program could not be started. On a terminal `-it` is the default; `-T` turns
/// the terminal off. A command whose caller goes away is not killed: its standard input ends, and on a terminal Ctrl-C and Ctrl-D are typed.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ExecArgs {
    /// The stack's name or `@id`
    name: String,
    /// The container, or the first replica of it; needed where the stack has several
    #[arg(short, long, value_name = "CONTAINER")]
    container: Option<String>,
    /// Pass standard input on
    #[arg(short, long)]
    interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    tty: bool,
    /// Give it no terminal
    #[arg(short = 'T', long, conflicts_with = "tty")]
    no_tty: bool,
    /// As whom it runs: a name or a number, `user:group`
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
    /// Where it runs
    #[arg(short, long, value_name = "FOLDER")]
    workdir: Option<String>,
    /// A variable for it; without a value the one of this shell; may be repeated
    #[arg(short, long = "env", value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// The command and its arguments, after `--`
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl ExecArgs {
    fn spec(&self) -> Result<ExecSpec, Failure> {
        let (input, output) = (io::stdin().is_terminal(), io::stdout().is_terminal());
        let both = input && output && !self.interactive && !self.tty;
        let has_terminal = (self.tty || both) && !self.no_tty;
        let stdin = self.interactive || both;
        if has_terminal && stdin && !input {
            return Err(Failure::usage("`--tty` needs a terminal here, and standard input is none")
                .hint("leave `--tty` out to pass on what is piped"));
        }
        let mut environment = BTreeMap::new();
        for text in &self.env {
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (text.as_str(), env::var(text).ok()),
            };
            if name.is_empty() {
                return Err(Failure::usage("`--env` names no variable: write it like NAME=VALUE"));
            }
            // As with `docker`: one that is not set here is not set there.
            environment.extend(value.map(|value| (name.to_owned(), value)));
        }
        Ok(ExecSpec {
            command: self.command.clone(),
            stdin,
            terminal: has_terminal.then(terminal::size),
            user: self.user.clone(),
            workdir: self.workdir.clone(),
            environment,
        })
    }

    /// The container that is meant.
    fn choose(&self, stack: &StackView, seen: Vec<ObservedContainer>) -> Result<ObservedContainer, Failure> {
        let runs = |one: &ObservedContainer| one.status == ContainerStatus::Running;
        let names = seen.iter().map(within_stack).collect::<Vec<_>>().join(", ");
        let mut found: Vec<ObservedContainer> = match &self.container {
            None => seen,
            Some(wanted) => {
                let is_it = |one: &ObservedContainer| within_stack(one) == wanted;
                let has_name = seen.iter().any(is_it);
                let is_meant = |one: &ObservedContainer| is_it(one) || !has_name && replica(one, wanted).is_some();
                seen.into_iter().filter(is_meant).collect()
            }
        };
        if let Some(wanted) = &self.container {
            found.sort_by_key(|one| (!runs(one), replica(one, wanted)));
            found.truncate(1);
        }
        match (found.pop(), found.len()) {
            (Some(one), 0) => Ok(one),
            (Some(_), _) => Err(Failure::usage(format!("stack `{}` has several containers: {names}", stack.name))
                .hint("say which with `--container`")),
            (None, _) => {
                let what = match &self.container {
                    Some(wanted) => format!("no agent has seen a container `{wanted}` of stack `{}`", stack.name),
                    None => format!("no agent has seen a container of stack `{}`", stack.name),
                };
                let failure = Failure::new(Exit::Failed, what).coded("not-found");
                Err(if names.is_empty() { failure } else { failure.hint(format!("there is {names}")) })
            }
        }
    }
}

/// Without what merely stands beside one of these: a successor that has not proved itself, or a former one that goes.
fn principals(seen: Vec<ObservedContainer>) -> Vec<ObservedContainer> {
    let keys: BTreeSet<(HostId, String)> = seen.iter().map(|one| (one.hosted_on.clone(), one.name.clone())).collect();
    let is_beside = |one: &ObservedContainer| {
        beside::principal(&one.name).is_some_and(|name| keys.contains(&(one.hosted_on.clone(), name.to_owned())))
    };
    seen.into_iter().filter(|one| !is_beside(one)).collect()
}

/// The number of a replica of that name.
fn replica(container: &ObservedContainer, name: &str) -> Option<u32> {
    within_stack(container).strip_prefix(name)?.strip_prefix('-')?.parse().ok()
}

pub(super) async fn run(args: &ExecArgs, call: &mut Call<'_>) -> Result<Exit, Failure> {
    execute(args, call).await.map_err(|failure| match failure.exit {
        Exit::Interrupted => failure,
        // The codes of other commands would be taken for that of the command.
        exit => Failure { exit: Exit::NotRun, code: failure.code.or_else(|| Some(exit.code().into())), ..failure },
    })
}

async fn execute(args: &ExecArgs, call: &mut Call<'_>) -> Result<Exit, Failure> {
    signals::heed()?;
    let spec = args.spec()?;
    let stack = call.client.stack(&args.name).await?;
    let seen = call.client.containers(None, Some(stack.id.as_str())).await?;
    let container = args.choose(&stack, principals(seen))?;
    let key = format!("{}/{}", container.hosted_on, container.name);
    let socket = call.client.exec(&key, &spec, None).await?;
    session::run(socket, &spec, call.output).await
}
