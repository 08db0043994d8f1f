//! `graphium task …`.

use super::{
    connect,
    exit::{Exit, Failure},
    output::Output,
};
use crate::{
    config::{Config, Format},
    render::{self, Clock, Table},
};
use graphium_core::{control::TaskView, task::TaskStatus};
use graphium_server::{api::wire::TaskList, client::TaskFilter};

/// Shows, retries and cancels tasks
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct TaskArgs {
    #[command(subcommand)]
    command: TaskCommand,
    /// How the result is written
    #[arg(short, long, value_enum, global = true)]
    output: Option<Format>,
}

#[derive(Debug, clap::Subcommand)]
enum TaskCommand {
    List(ListArgs),
    /// Shows everything about a task
    Show(Named),
    /// Tries a failed or cancelled task again
    Retry(Named),
    /// Asks a task to end
    Cancel(Named),
}

/// Lists tasks, the oldest first
#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Of this stack
    #[arg(long)]
    stack: Option<String>,
    /// Of this host
    #[arg(long)]
    host: Option<String>,
    /// In this status: pending, assigned, running, completed, failed, cancelled
    #[arg(long, value_parser = status, value_delimiter = ',')]
    status: Vec<TaskStatus>,
}

#[derive(Debug, clap::Args)]
struct Named {
    /// The task's id
    task: String,
}

pub(crate) fn run(args: &TaskArgs, config: &Config, output: &mut Output) -> Result<Exit, Failure> {
    let client = connect::client(config)?;
    let format = args.output.unwrap_or(config.output.value);
    connect::run(async {
        let task = match &args.command {
            TaskCommand::List(args) => {
                let filter = TaskFilter {
                    statuses: args.status.clone(),
                    stack: args.stack.clone(),
                    host: args.host.clone(),
                    container: None,
                };
                return list(client.tasks(&filter).await?, format, output);
            }
            TaskCommand::Show(named) => client.task(&named.task).await?,
            TaskCommand::Retry(named) => client.retry(&named.task).await?,
            TaskCommand::Cancel(named) => client.cancel(&named.task).await?,
        };
        show(&task, format, output)
    })
}

fn status(text: &str) -> Result<TaskStatus, String> {
    let words = TaskStatus::ALL.map(TaskStatus::as_str).join(", ");
    TaskStatus::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| format!("use one of {words}"))
}

fn list(tasks: Vec<TaskView>, format: Format, output: &mut Output) -> Result<Exit, Failure> {
    if format == Format::Json {
        output.json(&TaskList { tasks, next: None })?;
        return Ok(Exit::Ok);
    }
    let headings = ["STATUS", "HOST", "TASK", "CREATED", "NOTE", "ID", "STACK"];
    let shown = if format == Format::Wide { headings.len() } else { 6 };
    let mut table = Table::new(&headings[..shown]);
    let clock = Clock::system();
    for view in &tasks {
        let task = &view.task;
        let mut cells = vec![
            task.status.as_str().to_owned(),
            task.host_id.to_string(),
            task.plan_id.clone(),
            clock.ago(task.date_created),
            render::clip(&note(view, &clock), 60).into_owned(),
            task.id.to_string(),
            task.stack_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        ];
        cells.truncate(shown);
        table.row(cells);
    }
    table.lines(output.data_style()).iter().try_for_each(|line| output.line(line))?;
    Ok(Exit::Ok)
}

/// What it waits for, or what went wrong.
fn note(view: &TaskView, clock: &Clock) -> String {
    match (&view.waiting, &view.task.error) {
        (Some(waiting), _) => format!("waits for {} ({})", waiting.on, clock.since(waiting.since)),
        (None, Some(error)) => error.message.lines().next().unwrap_or_default().to_owned(),
        (None, None) => String::new(),
    }
}

fn show(view: &TaskView, format: Format, output: &mut Output) -> Result<Exit, Failure> {
    if format == Format::Json {
        output.json(view)?;
        return Ok(Exit::Ok);
    }
    let (task, clock) = (&view.task, Clock::system());
    let mut table = Table::default();
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            table.row([name, &value]);
        }
    };
    row("id", task.id.to_string());
    row("task", format!("{} `{}`", task.task_type, task.payload.subject()));
    row("status", task.status.as_str().to_owned());
    row("host", task.host_id.to_string());
    row("stack", task.stack_id.as_ref().map(ToString::to_string).unwrap_or_default());
    row("deployment", task.deployment_id.as_ref().map(ToString::to_string).unwrap_or_default());
    row("why", task.why.clone());
    row("created", clock.ago(task.date_created));
    row("attempt", format!("{} ({} retries of {})", task.attempt, task.retry_count, task.max_retries));
    row("note", if view.waiting.is_some() { note(view, &clock) } else { String::new() });
    row("after", task.depends_on.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    row("result", task.result.as_ref().map(|result| result.message.clone()).unwrap_or_default());
    let style = output.data_style();
    table.lines(style).iter().try_for_each(|line| output.line(line))?;
    if let Some(error) = &task.error {
        render::failure(view, error, style).iter().try_for_each(|line| output.line(line))?;
    }
    Ok(Exit::Ok)
}
