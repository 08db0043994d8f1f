//! Settings and where each came from: flag, environment, file, default, in this order.

use crate::cli::Failure;
use graphium_server::tls::Pin;
use serde::{Deserialize, Serialize};
use std::{
    env, fmt, fs, io,
    path::{Path, PathBuf},
};

const DEFAULT_SERVER: &str = "http://localhost:8095";

/// Flags that every command takes.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct GlobalArgs {
    /// The server's address; of several servers on one store every one, separated by commas: when one does not answer, the next is asked [env: GRAPHIUM_SERVER] [default: http://localhost:8095]
    #[arg(long, alias = "api-url", global = true, value_name = "URL", help_heading = "Settings")]
    server: Option<String>,
    /// Where Graphium keeps its files [env: GRAPHIUM_DATA_DIR] [default: ~/.local/share/graphium]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Settings")]
    data_dir: Option<PathBuf>,
    /// The file of settings [env: GRAPHIUM_CONFIG] [default: ~/.config/graphium/graphium.toml]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    config: Option<PathBuf>,
}

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// For people
    #[default]
    #[value(alias = "text")]
    Table,
    /// For programs
    Json,
    /// For people with wide terminals
    Wide,
}

/// The settings of this run.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) server: Setting<Servers>,
    /// Absent: nobody named one, and there is no home directory.
    pub(crate) data_dir: Option<Setting<PathBuf>>,
    pub(crate) output: Setting<Format>,
    /// Absent: a local server's own token is looked for.
    pub(crate) token: Option<Setting<Token>>,
    /// The fingerprint of the server's certificate.
    pub(crate) pin: Option<Pin>,
    /// The file of settings, where there is one.
    pub(crate) file: Option<PathBuf>,
}

/// A value with its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag(&'static str),
    Variable(&'static str),
    File(PathBuf),
    Default,
}

/// The addresses of servers on one store, separated by commas; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Servers(String);

impl Servers {
    pub(crate) fn urls(&self) -> impl Iterator<Item = &str> {
        self.0.split(',').map(str::trim)
    }
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A token that shows itself to nobody.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Token(String);

/// What the file may say. It is read from the user's own directory only, never from the working directory: a file that came
/// with a repository could send the user's token to a server of its choice.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSettings {
    server: Option<String>,
    data_dir: Option<PathBuf>,
    output: Option<Format>,
    token: Option<Token>,
    token_file: Option<PathBuf>,
    server_pin: Option<String>,
}

impl Config {
    /// The settings of this process.
    pub(crate) fn load(flags: &GlobalArgs) -> Result<Self, Failure> {
        Self::load_from(flags, &|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn load_from(flags: &GlobalArgs, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let named = flags.config.clone().or_else(|| env("GRAPHIUM_CONFIG").map(PathBuf::from));
        let path = named.clone().or_else(|| Some(directory(env, "XDG_CONFIG_HOME", ".config")?.join("graphium.toml")));
        let found = path.map(|path| read_file(path, named.is_some())).transpose()?.flatten();
        let (file, settings) = found.map_or_else(Default::default, |(path, settings)| (Some(path), settings));
        let origin = || file.clone().map_or(Origin::Default, Origin::File);
        let from_file = |value: Option<PathBuf>| value.map(|value| Setting { value, origin: origin() });

        let server = flag(&flags.server, "--server")
            .or_else(|| variable(env, "GRAPHIUM_SERVER"))
            .or_else(|| settings.server.map(|value| Setting { value, origin: origin() }))
            .unwrap_or_else(|| Setting { value: DEFAULT_SERVER.to_owned(), origin: Origin::Default });
        let data_dir = flag(&flags.data_dir, "--data-dir")
            .or_else(|| variable(env, "GRAPHIUM_DATA_DIR").map(|setting| setting.map(PathBuf::from)))
            .or_else(|| from_file(settings.data_dir))
            .or_else(|| {
                let value = directory(env, "XDG_DATA_HOME", ".local/share")?;
                Some(Setting { value, origin: Origin::Default })
            });
        let output = match variable(env, "GRAPHIUM_OUTPUT") {
            Some(setting) => Some(Setting { value: format(&setting.value)?, origin: setting.origin }),
            None => settings.output.map(|value| Setting { value, origin: origin() }),
        };
        let token = match variable(env, "GRAPHIUM_TOKEN").or_else(|| variable(env, "TOKEN")) {
            Some(setting) => Some(setting.map(Token)),
            None => file_token(settings.token, settings.token_file, origin())?,
        };
        let pin = variable(env, "GRAPHIUM_SERVER_PIN").map(|setting| setting.value).or(settings.server_pin);
        let pin = pin.map(|text| text.parse::<Pin>()).transpose().map_err(|error| {
            Failure::usage(format!("GRAPHIUM_SERVER_PIN, or `server_pin` of the settings: {error}"))
        })?;
        let output = output.unwrap_or(Setting { value: Format::default(), origin: Origin::Default });
        let server = server.map(Servers);
        Ok(Self { server, data_dir, output, token, pin, file })
    }

    /// Where Graphium keeps its files.
    pub(crate) fn data_dir(&self) -> Result<&Path, Failure> {
        self.data_dir.as_ref().map(|setting| setting.value.as_path()).ok_or_else(|| {
            Failure::usage("there is no directory for Graphium's files: HOME is not set")
                .hint("name one with `--data-dir DIR` or GRAPHIUM_DATA_DIR")
        })
    }
}

impl<T> Setting<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> Setting<U> {
        Setting { value: change(self.value), origin: self.origin }
    }
}

impl Token {
    /// The token itself, for the one who sends it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Variable(name) => write!(f, "environment {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

fn flag<T: Clone>(value: &Option<T>, name: &'static str) -> Option<Setting<T>> {
    value.clone().map(|value| Setting { value, origin: Origin::Flag(name) })
}

fn variable(env: &dyn Fn(&str) -> Option<String>, name: &'static str) -> Option<Setting<String>> {
    env(name).map(|value| Setting { value, origin: Origin::Variable(name) })
}

/// Our directory under one of the XDG base directories.
fn directory(env: &dyn Fn(&str) -> Option<String>, name: &str, below_home: &str) -> Option<PathBuf> {
    let base = env(name).map(PathBuf::from).filter(|path| path.is_absolute());
    Some(base.or_else(|| Some(Path::new(&env("HOME")?).join(below_home)))?.join("graphium"))
}

fn format(text: &str) -> Result<Format, Failure> {
    <Format as clap::ValueEnum>::from_str(text, true)
        .map_err(|_| Failure::usage(format!("GRAPHIUM_OUTPUT is `{text}`")).hint("use table, json or wide"))
}

/// The settings in a file; one that nobody named may be absent.
fn read_file(path: PathBuf, named: bool) -> Result<Option<(PathBuf, FileSettings)>, Failure> {
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !named => return Ok(None),
        Err(error) => {
            return Err(
                unreadable(&path, &error).hint("name an existing file with `--config` or GRAPHIUM_CONFIG, or none")
            );
        }
    };
    let settings = toml::from_str(&text).map_err(|error| {
        Failure::usage(format!("`{}` is not understood", path.display()))
            .because(error)
            .hint("it may set server, data_dir, output, token and token_file")
    })?;
    Ok(Some((path, settings)))
}

fn file_token(
    token: Option<Token>,
    token_file: Option<PathBuf>,
    origin: Origin,
) -> Result<Option<Setting<Token>>, Failure> {
    match (token, token_file) {
        (Some(value), _) => Ok(Some(Setting { value, origin })),
        (None, Some(path)) => {
            let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
            Ok(Some(Setting { value: Token(text.trim().to_owned()), origin: Origin::File(path) }))
        }
        (None, None) => Ok(None),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("`{}` cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
    use super::*;

    fn load(flags: &GlobalArgs, variables: &[(&str, &str)]) -> Result<Config, Failure> {
        let lookup = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Config::load_from(flags, &lookup)
    }

    #[test]
    fn a_flag_goes_before_the_environment_and_that_before_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("graphium.toml");
        fs::write(&path, "server = \"http://file:1\"\noutput = \"json\"\ntoken = \"t\"\n").unwrap();
        let file = path.display().to_string();
        let variables = [("HOME", "/home/ada"), ("GRAPHIUM_CONFIG", file.as_str())];

        let config = load(&GlobalArgs::default(), &variables).unwrap();
        let expected = Setting { value: Servers("http://file:1".to_owned()), origin: Origin::File(path) };
        assert_eq!(config.server, expected);
        assert_eq!(config.output.value, Format::Json);
        assert_eq!(config.token.as_ref().unwrap().value.expose(), "t");
        assert_eq!(config.data_dir().unwrap(), Path::new("/home/ada/.local/share/graphium"));

        let variables = [&variables[..], &[("GRAPHIUM_SERVER", "http://env:1"), ("TOKEN", "u")]].concat();
        let config = load(&GlobalArgs::default(), &variables).unwrap();
        assert_eq!(config.server.origin, Origin::Variable("GRAPHIUM_SERVER"));
        assert_eq!(config.token.unwrap().origin, Origin::Variable("TOKEN"));

        let flags = GlobalArgs { server: Some("http://flag:1, http://flag:2".to_owned()), ..GlobalArgs::default() };
        let config = load(&flags, &variables).unwrap();
        assert_eq!(config.server.origin, Origin::Flag("--server"));
        assert_eq!(config.server.value.urls().collect::<Vec<_>>(), ["http://flag:1", "http://flag:2"]);
    }

    #[test]
    fn what_cannot_be_is_told() {
        assert!(load(&GlobalArgs::default(), &[]).unwrap().data_dir().unwrap_err().what.contains("HOME is not set"));
        let config = GlobalArgs { config: Some("/nonexistent".into()), ..GlobalArgs::default() };
        assert!(load(&config, &[("HOME", "/")]).unwrap_err().what.contains("cannot be read"));
        let wrong = load(&GlobalArgs::default(), &[("HOME", "/"), ("GRAPHIUM_OUTPUT", "xml")]).unwrap_err();
        assert_eq!(wrong.hints, ["use table, json or wide"]);
    }

    #[test]
    fn a_token_is_not_shown_by_accident() {
        let config = load(&GlobalArgs::default(), &[("HOME", "/"), ("TOKEN", "gph_secret")]).unwrap();
        assert!(!format!("{config:?}").contains("secret"));
    }
}
