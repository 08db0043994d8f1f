//! `graphium token …`.

use super::{
    connect, duration,
    exit::{Exit, Failure},
    output::Output,
};
use crate::{
    config::{Config, Format},
    render::{Clock, Table},
};
use graphium_core::{
    control::{Grants, Role},
    id::HostId,
};
use graphium_server::api::wire::{TokenList, TokenRequest};
use serde_json::json;
use std::time::Duration;

/// Makes, lists and ends tokens
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
    /// How the result is written
    #[arg(short, long, value_enum, global = true)]
    output: Option<Format>,
}

#[derive(Debug, clap::Subcommand)]
enum TokenCommand {
    Create(CreateArgs),
    /// Lists the tokens, without what is secret of them
    List,
    /// Ends a token at once
    Revoke {
        /// The token's public id, as `token list` shows it
        id: String,
    },
}

/// Makes a token and prints it alone; it is shown this once
#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// What it may do
    #[arg(long, value_enum)]
    role: RoleArg,
    /// For agents: the host that the token is bound to
    #[arg(long, required_if_eq("role", "agent"))]
    host: Option<String>,
    /// For people
    #[arg(long)]
    name: Option<String>,
    /// After how long it is worth nothing any more [default: it lasts until it is revoked]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    expires: Option<Duration>,
    /// A stack that it is for, by name or id; may be repeated [default: all]
    #[arg(long = "stack", value_name = "STACK")]
    stacks: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum RoleArg {
    /// Everything
    Admin,
    /// See, and deploy, change and remove stacks
    Operator,
    /// See
    Viewer,
    /// Do the work of one host
    Agent,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Admin => Self::Admin,
            RoleArg::Operator => Self::Operator,
            RoleArg::Viewer => Self::Viewer,
            RoleArg::Agent => Self::Agent,
        }
    }
}

/// What people may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum PersonRole {
    /// Everything
    Admin,
    /// See, and deploy, change and remove stacks
    Operator,
    /// See
    Viewer,
}

impl From<PersonRole> for Role {
    fn from(role: PersonRole) -> Self {
        match role {
            PersonRole::Admin => Self::Admin,
            PersonRole::Operator => Self::Operator,
            PersonRole::Viewer => Self::Viewer,
        }
    }
}

/// The stacks that somebody reaches, in one cell of a table.
pub(super) fn stacks(grants: &Grants) -> String {
    if grants.are_all() { "all".to_owned() } else { grants.stacks().join(",") }
}

pub(crate) fn run(args: &TokenArgs, config: &Config, output: &mut Output) -> Result<Exit, Failure> {
    let client = connect::client(config)?;
    let format = args.output.unwrap_or(config.output.value);
    connect::run(async {
        match &args.command {
            TokenCommand::Create(args) => {
                if args.host.is_some() && args.role != RoleArg::Agent {
                    return Err(Failure::usage("`--host` binds tokens of agents only")
                        .hint("leave it out, or say `--role agent`"));
                }
                let host = args.host.as_deref().map(HostId::from);
                let request = TokenRequest {
                    host,
                    name: args.name.clone(),
                    expires_in: args.expires.map(|time| time.as_secs().max(1)),
                    stacks: args.stacks.clone(),
                    ..TokenRequest::new(args.role.into())
                };
                let issued = client.create_token(&request).await?;
                match format {
                    Format::Json => output.json(&issued)?,
                    Format::Table | Format::Wide => output.line(&issued.token)?,
                }
            }
            TokenCommand::List => {
                let tokens = client.tokens().await?;
                if format == Format::Json {
                    output.json(&TokenList { tokens, next: None })?;
                    return Ok(Exit::Ok);
                }
                let clock = Clock::system();
                let mut table = Table::new(&["ID", "ROLE", "FOR", "NAME", "CREATED", "LAST USED", "EXPIRES"]);
                for token in &tokens {
                    let reach =
                        token.host.as_ref().map_or_else(|| stacks(&token.stacks), |host| format!("host {host}"));
                    let name = token.name.as_deref().unwrap_or("-");
                    let used = token.last_used.map_or_else(|| "-".to_owned(), |at| clock.ago(at));
                    let expires = token.expires.map_or_else(|| "never".to_owned(), |at| clock.at(at));
                    let created = clock.ago(token.date_created);
                    table.row([token.id.as_str(), token.role.as_str(), &reach, name, &created, &used, &expires]);
                }
                table.lines(output.data_style()).iter().try_for_each(|line| output.line(line))?;
            }
            TokenCommand::Revoke { id } => {
                client.revoke_token(id).await?;
                match format {
                    Format::Json => output.json(&json!({"id": id, "revoked": true}))?,
                    Format::Table | Format::Wide => output.line(format_args!("token `{id}` is revoked"))?,
                }
            }
        }
        Ok(Exit::Ok)
    })
}
