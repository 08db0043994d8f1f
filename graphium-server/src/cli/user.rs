//! `graphium user …`.

use super::{
    connect,
    exit::{Exit, Failure},
    output::Output,
    password,
    token::PersonRole,
};
use crate::{
    config::{Config, Format},
    render::{Clock, Table},
};
use graphium_server::api::wire::{UserList, UserRequest};
use serde_json::json;

/// Takes people on who may log in, and lets them go
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
    /// How the result is written
    #[arg(short, long, value_enum, global = true)]
    output: Option<Format>,
}

#[derive(Debug, clap::Subcommand)]
enum UserCommand {
    /// Takes somebody on; the password is asked for, or is the first line of a pipe
    Add(AddArgs),
    /// Lists everybody who may log in
    List,
    /// Gives somebody another password, and ends every session
    Password(Named),
    /// Lets somebody go, and ends every session
    Remove(Named),
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    /// The name to log in with
    name: String,
    /// What the person may do
    #[arg(long, value_enum)]
    role: PersonRole,
    /// A stack that the person may see, and change as the role allows, by name or id; may be repeated [default: all]
    #[arg(long = "stack", value_name = "STACK")]
    stacks: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct Named {
    /// The name of the person
    name: String,
}

pub(crate) fn run(args: &UserArgs, config: &Config, output: &mut Output) -> Result<Exit, Failure> {
    let client = connect::client(config)?;
    let format = args.output.unwrap_or(config.output.value);
    let password = match &args.command {
        UserCommand::Add(AddArgs { name, .. }) | UserCommand::Password(Named { name }) => {
            Some(password::read(&format!("new password of {name}"), true)?)
        }
        UserCommand::List | UserCommand::Remove(_) => None,
    };
    let password = password.unwrap_or_default();
    let done = |name: &str, what: &str, output: &mut Output| match format {
        Format::Json => output.json(&json!({"@id": name, "done": what})),
        Format::Table | Format::Wide => output.line(format_args!("user `{name}` {what}")),
    };
    connect::run(async {
        match &args.command {
            UserCommand::Add(AddArgs { name, role, stacks }) => {
                let (user, stacks) = (name.clone(), stacks.clone());
                let user = client.create_user(&UserRequest { user, role: (*role).into(), password, stacks }).await?;
                match format {
                    Format::Json => output.json(&user)?,
                    Format::Table | Format::Wide => output.line(format_args!("user `{name}` may log in"))?,
                }
            }
            UserCommand::List => {
                let users = client.users().await?;
                if format == Format::Json {
                    output.json(&UserList { users, next: None })?;
                    return Ok(Exit::Ok);
                }
                let clock = Clock::system();
                let mut table = Table::new(&["NAME", "ROLE", "STACKS", "CREATED", "PASSWORD"]);
                for user in &users {
                    let stacks = super::token::stacks(&user.stacks);
                    let (created, set) = (clock.ago(user.date_created), clock.ago(user.password_set));
                    table.row([user.name.as_str(), user.role.as_str(), &stacks, &created, &set]);
                }
                table.lines(output.data_style()).iter().try_for_each(|line| output.line(line))?;
            }
            UserCommand::Password(Named { name }) => {
                client.reset_password(name, &password).await?;
                done(name, "has another password, and is logged out everywhere", output)?;
            }
            UserCommand::Remove(Named { name }) => {
                client.remove_user(name).await?;
                done(name, "may not log in any more, and is logged out everywhere", output)?;
            }
        }
        Ok(Exit::Ok)
    })
}
