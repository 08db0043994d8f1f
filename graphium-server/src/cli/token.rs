//! `graphium token …`.

use super::{
    connect,
    exit::{Exit, Failure},
    output::Output,
};
use crate::{
    config::{Config, Format},
    render::{Clock, Table},
};
use graphium_core::{control::Role, id::HostId};
use graphium_server::api::wire::{TokenList, TokenRequest};
use serde_json::json;

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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum RoleArg {
    /// Everything
    Admin,
    /// See
    Viewer,
    /// Do the work of one host
    Agent,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Admin => Self::Admin,
            RoleArg::Viewer => Self::Viewer,
            RoleArg::Agent => Self::Agent,
        }
    }
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
                let request = TokenRequest { role: args.role.into(), host, name: args.name.clone() };
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
                let mut table = Table::new(&["ID", "ROLE", "HOST", "NAME", "CREATED"]);
                for token in &tokens {
                    let role = match token.role {
                        Role::Admin => "admin",
                        Role::Viewer => "viewer",
                        Role::Agent => "agent",
                    };
                    let host = token.host.as_ref().map_or("-", HostId::as_str);
                    let name = token.name.as_deref().unwrap_or("-");
                    table.row([token.id.as_str(), role, host, name, &clock.ago(token.date_created)]);
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
