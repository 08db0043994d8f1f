//! `graphium secret …`.

use super::{
    connect,
    exit::{Exit, Failure},
    output::Output,
    password,
};
use crate::{
    config::{Config, Format},
    render::{Clock, Table},
};
use graphium_core::{
    control::{MAX_SECRET, RemovalOfSecret, SecretView},
    secret::SecretText,
};
use graphium_server::api::wire::SecretList;
use serde_json::json;
use std::{
    fs,
    io::{self, IsTerminal as _, Read},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Keeps secrets, which the server seals and gives to the agents that need them
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct SecretArgs {
    #[command(subcommand)]
    command: SecretCommand,
    /// How the result is written
    #[arg(short, long, value_enum, global = true)]
    output: Option<Format>,
}

#[derive(Debug, clap::Subcommand)]
enum SecretCommand {
    Set(SetArgs),
    /// Lists the secrets and which stacks use them; no value is ever shown
    List,
    /// Forgets a secret; containers that have it keep it until they are made anew
    #[command(alias = "remove")]
    Rm {
        /// The name of the secret
        name: String,
        /// Also where stacks use it
        #[arg(long)]
        force: bool,
    },
}

/// Keeps a secret, or gives it another value: asked for without being shown, or all of a pipe but for a line's end behind it
#[derive(Debug, clap::Args)]
struct SetArgs {
    /// The name by which containers ask for it
    name: String,
    /// A file whose content is the value, to the byte
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// A stack that it is for, by name or id; may be repeated [default: as before, and of a new one all]
    #[arg(long = "stack", value_name = "STACK", conflicts_with = "all_stacks")]
    stacks: Vec<String>,
    /// It is for all stacks
    #[arg(long)]
    all_stacks: bool,
}

pub(crate) fn run(args: &SecretArgs, config: &Config, output: &mut Output) -> Result<Exit, Failure> {
    let client = connect::client(config)?;
    let format = args.output.unwrap_or(config.output.value);
    let value = match &args.command {
        SecretCommand::Set(set) => Some(value(set)?),
        SecretCommand::List | SecretCommand::Rm { .. } => None,
    };
    connect::run(async {
        match &args.command {
            SecretCommand::Set(SetArgs { name, stacks, all_stacks, .. }) => {
                let stacks = (*all_stacks || !stacks.is_empty()).then(|| stacks.clone());
                let value = value.unwrap_or_else(|| SecretText::new(""));
                let kept = client.set_secret(name, &value, stacks).await?;
                match format {
                    Format::Json => output.json(&kept)?,
                    Format::Table | Format::Wide => tell(&kept, output)?,
                }
            }
            SecretCommand::List => {
                let secrets = client.secrets().await?;
                if format == Format::Json {
                    output.json(&SecretList { secrets, next: None })?;
                    return Ok(Exit::Ok);
                }
                let clock = Clock::system();
                let mut table = Table::new(&["NAME", "VERSION", "STACKS", "USED BY", "SET", "BY"]);
                for secret in &secrets {
                    let (version, stacks) = (secret.version.to_string(), super::token::stacks(&secret.stacks));
                    let used_by = if secret.used_by.is_empty() { "-".to_owned() } else { secret.used_by.join(", ") };
                    let (set, by) = (clock.ago(secret.date_modified), secret.modified_by.as_deref().unwrap_or("-"));
                    table.row([secret.name.as_str(), &version, &stacks, &used_by, &set, by]);
                }
                table.lines(output.data_style()).iter().try_for_each(|line| output.line(line))?;
            }
            SecretCommand::Rm { name, force } => {
                let removal = if *force { RemovalOfSecret::Anyway } else { RemovalOfSecret::IfUnused };
                client.remove_secret(name, removal).await?;
                match format {
                    Format::Json => output.json(&json!({"@id": name, "done": "is forgotten"}))?,
                    Format::Table | Format::Wide => output.line(format_args!("secret `{name}` is forgotten"))?,
                }
            }
        }
        Ok(Exit::Ok)
    })
}

fn tell(kept: &SecretView, output: &mut Output) -> Result<(), Failure> {
    let SecretView { name, version, used_by, .. } = kept;
    output.line(format_args!("secret `{name}` is kept (version {version})"))?;
    if *version > 1 && !used_by.is_empty() {
        output.say(format_args!(
            "what runs keeps the value before until it is made anew; used by {}",
            used_by.join(", ")
        ));
    }
    Ok(())
}

/// The value, from wherever it is; never from the command line, which others see.
fn value(args: &SetArgs) -> Result<SecretText, Failure> {
    if let Some(path) = &args.from_file {
        return of_file(path);
    }
    if io::stdin().is_terminal() {
        return password::read(&format!("value of {}", args.name), true).map(SecretText::new);
    }
    let failed = |error: io::Error| Failure::new(Exit::Failed, "standard input cannot be read").because(&error);
    let bytes = bounded(io::stdin().lock()).map_err(failed)?;
    let text = text(&bytes, "standard input")?;
    let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).unwrap_or(text);
    // Of several lines the last one has its end, too.
    let value = if line.contains('\n') { text } else { line };
    if value.is_empty() {
        return Err(Failure::usage("standard input holds no value").hint("pipe it in, or use `--from-file FILE`"));
    }
    Ok(SecretText::new(value))
}

fn of_file(path: &Path) -> Result<SecretText, Failure> {
    let failed =
        |error: io::Error| Failure::new(Exit::Failed, format!("`{}` cannot be read", path.display())).because(&error);
    let bytes = bounded(fs::File::open(path).map_err(failed)?).map_err(failed)?;
    Ok(SecretText::new(text(&bytes, &format!("`{}`", path.display()))?))
}

/// One byte more than there may be, for the server to say so.
fn bounded(source: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET + 1));
    source.take(MAX_SECRET as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn text<'b>(bytes: &'b [u8], what: &str) -> Result<&'b str, Failure> {
    if bytes.len() > MAX_SECRET {
        return Err(Failure::usage(format!("{what} is larger than 64 KiB, the most that a secret may have")));
    }
    std::str::from_utf8(bytes).map_err(|_| {
        Failure::usage(format!("{what} is no text in UTF-8"))
            .hint("encode it first, as in `base64 FILE | graphium secret set NAME`")
    })
}
