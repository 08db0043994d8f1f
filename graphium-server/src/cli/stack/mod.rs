//! `graphium stack …`.

mod change;
mod deploy;
mod exec;
mod history;
mod logs;
mod show;

use super::{
    connect,
    exit::{Exit, Failure},
    follow::{self, WaitArgs},
    output::Output,
};
use crate::{
    config::{Config, Format},
    render,
};
use graphium_core::{
    control::{StackStatus, Started, StatusView},
    diagnostic::Severity,
};
use graphium_server::client::Client;

/// Deploys, shows, changes and removes stacks
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct StackArgs {
    #[command(subcommand)]
    command: StackCommand,
}

#[derive(Debug, clap::Subcommand)]
enum StackCommand {
    Deploy(deploy::DeployArgs),
    List(show::ListArgs),
    Status(show::StatusArgs),
    History(history::HistoryArgs),
    Diff(history::DiffArgs),
    Logs(logs::LogsArgs),
    Exec(exec::ExecArgs),
    Remove(change::RemoveArgs),
    /// Stops the containers of a stack
    Stop(change::NamedArgs),
    /// Starts the containers of a stopped stack
    Start(change::NamedArgs),
    /// Stops and starts the containers of a stack
    Restart(change::NamedArgs),
    Rollback(change::RollbackArgs),
}

pub(crate) fn run(args: &StackArgs, config: &Config, output: &mut Output) -> Result<Exit, Failure> {
    let client = connect::client(config)?;
    connect::run(async {
        let mut call = Call { client, config, output };
        match &args.command {
            StackCommand::Deploy(args) => deploy::run(args, &mut call).await,
            StackCommand::List(args) => show::list(args, &mut call).await,
            StackCommand::Status(args) => show::status(args, &mut call).await,
            StackCommand::History(args) => history::history(args, &mut call).await,
            StackCommand::Diff(args) => history::diff(args, &mut call).await,
            StackCommand::Logs(args) => logs::run(args, &mut call).await,
            StackCommand::Exec(args) => exec::run(args, &mut call).await,
            StackCommand::Remove(args) => change::remove(args, &mut call).await,
            StackCommand::Stop(args) => change::stop(args, &mut call).await,
            StackCommand::Start(args) => change::start(args, &mut call).await,
            StackCommand::Restart(args) => change::restart(args, &mut call).await,
            StackCommand::Rollback(args) => change::rollback(args, &mut call).await,
        }
    })
}

/// What every command about stacks has at hand.
pub(super) struct Call<'a> {
    pub(super) client: Client,
    pub(super) config: &'a Config,
    pub(super) output: &'a mut Output,
}

impl Call<'_> {
    pub(super) fn format(&self, asked: Option<Format>) -> Format {
        asked.unwrap_or(self.config.output.value)
    }

    /// Tells of work that was taken on, and what is to be known of it, where there is no document to show.
    pub(super) async fn conclude(
        &mut self,
        started: &Started,
        wait: WaitArgs,
        format: Format,
    ) -> Result<Exit, Failure> {
        // Notes on spelling are for `graphium validate`.
        for warning in started.warnings.iter().filter(|found| found.severity > Severity::Note) {
            self.output.say(format_args!(
                "{} {}",
                self.output.style().yellow("warning:"),
                render::printable(&warning.message)
            ));
        }
        self.go_on(started, wait, format).await
    }

    /// Tells of work that was taken on: at once, or when it has ended.
    pub(super) async fn go_on(&mut self, started: &Started, wait: WaitArgs, format: Format) -> Result<Exit, Failure> {
        if !wait.wait {
            match format {
                Format::Json => self.output.json(started)?,
                Format::Table | Format::Wide => self.tell_started(started)?,
            }
            return Ok(Exit::Ok);
        }
        match follow::follow(&self.client, started, wait.timeout, self.output).await {
            Ok(status) => {
                match format {
                    Format::Json => self.output.json(&status)?,
                    Format::Table | Format::Wide => tell_ended(&status, started, self.output)?,
                }
                Ok(Exit::Ok)
            }
            Err(failure) => {
                // Programs get the state that it failed in, where there is one to get.
                if format == Format::Json
                    && let Ok(status) = self.client.status(started.deployment_id.as_str()).await
                {
                    self.output.json(&status)?;
                }
                Err(failure)
            }
        }
    }

    fn tell_started(&mut self, started: &Started) -> Result<(), Failure> {
        let (name, status) = (&started.stack_name, started.status.as_str());
        if started.task_count == 0 && !started.status.is_transitional() {
            return self.output.line(format_args!("stack `{name}` is up to date: {status}"));
        }
        let tasks = render::count(started.task_count, "task");
        self.output.line(format_args!("stack `{name}`: {status}, {tasks} ({})", started.deployment_id))?;
        self.output.say(format_args!("see how it goes: graphium stack status {name}"));
        Ok(())
    }
}

/// The last words about work that went well: where it answers, then the verdict.
pub(crate) fn tell_ended(status: &StatusView, started: &Started, output: &mut Output) -> Result<(), Failure> {
    let name = &status.stack_name;
    if status.overall_status == StackStatus::Running {
        let mut table = render::Table::default();
        for endpoint in &status.endpoints {
            table.row([format!("  {}", endpoint.container), render::url(endpoint)]);
        }
        table.lines(output.data_style()).iter().try_for_each(|line| output.line(line))?;
    }
    let word = match status.overall_status {
        StackStatus::Deleted => "is removed",
        StackStatus::Running if started.task_count == 0 => "is up to date",
        StackStatus::Running => "is running",
        other => other.as_str(),
    };
    output.line(format_args!("stack `{name}` {word}"))
}
