//! `graphium user …`.

use super::{
    connect, duration,
    exit::{Exit, Failure},
    output::Output,
    password,
    token::PersonRole,
};
use crate::{
    config::{Config, Format},
    render::{Clock, Table},
};
use graphium_server::api::wire::{IssuedLink, UserChange, UserList, UserRequest};
use serde_json::json;
use std::time::Duration;

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
    /// Takes somebody on; the password is asked for, or is the first line of a pipe, or a link sets it
    Add(AddArgs),
    /// Gives somebody another role, or other stacks; where that person is logged in, too
    Set(SetArgs),
    /// Prints a link with which somebody sets a password, once; the one before, and every session, end
    Link(LinkArgs),
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
    /// Prints a link with which the person sets the password, once, so that nobody else learns it
    #[arg(long)]
    link: bool,
    /// How long the link is good, from 15m to 24h [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = duration::parse, requires = "link")]
    expires: Option<Duration>,
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
struct SetArgs {
    /// The name of the person
    name: String,
    /// What the person may do from now on [default: as before]
    #[arg(long, value_enum, group = "what")]
    role: Option<PersonRole>,
    /// A stack that the person may see, and change as the role allows, by name or id, in place of those before; may be repeated
    /// [default: as before]
    #[arg(long = "stack", value_name = "STACK", group = "what")]
    stacks: Vec<String>,
    /// All stacks
    #[arg(long, group = "what", conflicts_with = "stacks")]
    all_stacks: bool,
}

#[derive(Debug, clap::Args)]
struct LinkArgs {
    /// The name of the person
    name: String,
    /// How long the link is good, from 15m to 24h [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    expires: Option<Duration>,
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
        UserCommand::Add(AddArgs { name, link: false, .. }) | UserCommand::Password(Named { name }) => {
            Some(password::read(&format!("new password of {name}"), true)?)
        }
        _ => None,
    };
    let done = |name: &str, what: &str, output: &mut Output| match format {
        Format::Json => output.json(&json!({"@id": name, "done": what})),
        Format::Table | Format::Wide => output.line(format_args!("user `{name}` {what}")),
    };
    connect::run(async {
        match &args.command {
            UserCommand::Add(AddArgs { name, role, stacks, link, expires }) => {
                let (user, stacks) = (name.clone(), stacks.clone());
                let user = client.create_user(&UserRequest { user, role: (*role).into(), password, stacks }).await?;
                if *link {
                    let issued = client.link_user(name, *expires).await?;
                    tell_link(client.base_url(), &issued, format, output)?;
                    return Ok(Exit::Ok);
                }
                match format {
                    Format::Json => output.json(&user)?,
                    Format::Table | Format::Wide => output.line(format_args!("user `{name}` may log in"))?,
                }
            }
            UserCommand::Set(SetArgs { name, role, stacks, all_stacks }) => {
                let stacks = (*all_stacks || !stacks.is_empty()).then(|| stacks.clone());
                let change = UserChange { role: role.map(Into::into), stacks };
                let user = client.change_user(name, &change).await?;
                match format {
                    Format::Json => output.json(&user)?,
                    Format::Table | Format::Wide => {
                        let (role, stacks) = (user.role.as_str(), super::token::stacks(&user.stacks));
                        output.line(format_args!("user `{name}` is {role} of these stacks: {stacks}"))?;
                    }
                }
            }
            UserCommand::Link(LinkArgs { name, expires }) => {
                let issued = client.link_user(name, *expires).await?;
                tell_link(client.base_url(), &issued, format, output)?;
            }
            UserCommand::List => {
                let users = client.users().await?;
                if format == Format::Json {
                    output.json(&UserList { users, next: None })?;
                    return Ok(Exit::Ok);
                }
                let clock = Clock::system();
                let mut table = Table::new(&["NAME", "ROLE", "STACKS", "CREATED", "PASSWORD", "LAST LOGIN"]);
                for user in &users {
                    let stacks = super::token::stacks(&user.stacks);
                    let ago = |at: Option<_>| at.map_or_else(|| "-".to_owned(), |at| clock.ago(at));
                    let (created, set) = (clock.ago(user.date_created), ago(user.password_set));
                    let last = ago(user.last_login);
                    table.row([user.name.as_str(), user.role.as_str(), &stacks, &created, &set, &last]);
                }
                table.lines(output.data_style()).iter().try_for_each(|line| output.line(line))?;
            }
            UserCommand::Password(Named { name }) => {
                client.reset_password(name, &password.unwrap_or_default()).await?;
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

/// The link alone on standard output, and what it is beside it.
fn tell_link(url: &str, issued: &IssuedLink, format: Format, output: &mut Output) -> Result<(), Failure> {
    let link = format!("{}{}", url.trim_end_matches('/'), issued.path);
    if format == Format::Json {
        return output.json(&json!({"@id": issued.user, "link": link, "expires": issued.expires}));
    }
    let until = Clock::system().at(issued.expires);
    output.say(format_args!(
        "`{}` sets a password with this link, once, until {until}; nobody else should have it",
        issued.user
    ));
    output.line(link)
}
