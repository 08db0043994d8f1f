//! Where an engine is found.

mod context;
mod ssh;
mod tls;

pub use ssh::SshTarget;
pub use tls::TlsTarget;

use crate::DockerConfig;
use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

/// The socket that `docker` itself uses where nothing else is said.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// The port of an engine that listens without TLS.
const DEFAULT_PORT: u16 = 2375;
/// The port of one that listens with TLS.
const DEFAULT_TLS_PORT: u16 = 2376;

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A unix socket, by its absolute path.
    Unix(PathBuf),
    /// Plain HTTP, by `host:port`. Whoever reaches it is root on that machine: only for trusted networks.
    Http(String),
    /// The same with TLS, in which each side shows a certificate.
    Tls(TlsTarget),
    /// A machine that `ssh` leads to, with the keys and the configuration of whoever runs this.
    Ssh(SshTarget),
}

/// An endpoint, and who said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovered {
    /// Where the engine listens.
    pub endpoint: Endpoint,
    /// Who says so.
    pub origin: Origin,
}

/// Who says where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The caller.
    Flag,
    /// `DOCKER_HOST`.
    Variable,
    /// A docker context that `DOCKER_CONTEXT` names.
    NamedContext(String),
    /// The docker context that is in use.
    CurrentContext(String),
    /// Nobody: it is where `docker` itself looks then.
    Nobody,
}

impl fmt::Display for Origin {
    /// What follows an endpoint in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("from --docker"),
            Self::Variable => f.write_str("from DOCKER_HOST"),
            Self::NamedContext(name) => write!(f, "the docker context `{name}`, from DOCKER_CONTEXT"),
            Self::CurrentContext(name) => write!(f, "the docker context `{name}`, which is in use"),
            Self::Nobody => f.write_str("where docker looks for it"),
        }
    }
}

impl Endpoint {
    /// Finds the engine as `docker` does: the flag, then `DOCKER_HOST`, then the context that `DOCKER_CONTEXT` names or that is
    /// in use, then the default socket.
    ///
    /// `env` looks a variable up; one that is empty counts as absent, as with `docker`. Contexts are read from the
    /// [configuration](DockerConfig::find) of `docker`. Whether anything listens there is not asked.
    ///
    /// # Errors
    /// The first that is set is not an endpoint, or asks for TLS without a look at the engine's certificate, or with certificates
    /// that nobody says the folder of, or names a context where nothing says where these are kept; the error says which one that was.
    pub fn discover(flag: Option<&str>, env: &dyn Fn(&str) -> Option<String>) -> Result<Discovered, EndpointError> {
        let said = |name: &str| env(name).filter(|text| !text.is_empty());
        let config = DockerConfig::find(env);
        let named = flag.map(|text| (text.to_owned(), Origin::Flag));
        if let Some((text, origin)) = named.or_else(|| Some((said("DOCKER_HOST")?, Origin::Variable))) {
            let certificates = said("DOCKER_CERT_PATH").map(PathBuf::from);
            let certificates = certificates.or_else(|| Some(config?.folder().to_owned()));
            // As `docker` has it: set at all, whatever to.
            let endpoint = match (said("DOCKER_TLS_VERIFY"), said("DOCKER_TLS")) {
                (Some(_), _) => with_tls(&text, certificates.as_deref()),
                (None, Some(_)) if ["tcp://", "http://"].iter().any(|scheme| text.starts_with(scheme)) => {
                    Err(EndpointError::unverified(&text))
                }
                _ if text.starts_with("https://") => with_tls(&text, certificates.as_deref()),
                _ => text.parse(),
            };
            return match (endpoint, &origin) {
                (Ok(endpoint), _) => Ok(Discovered { endpoint, origin }),
                (Err(error), Origin::Flag) => Err(error),
                (Err(error), _) => Err(error.from(&origin)),
            };
        }
        let (name, origin): (String, fn(String) -> Origin) = match (said("DOCKER_CONTEXT"), &config) {
            (Some(name), _) => (name, Origin::NamedContext),
            (None, Some(config)) => (context::current(config)?, Origin::CurrentContext),
            (None, None) => return Ok(Self::by_default()),
        };
        if context::is_default(&name) {
            return Ok(Self::by_default());
        }
        let Some(config) = config else { return Err(EndpointError::NoFolder { name }) };
        Ok(Discovered { endpoint: context::endpoint(&config, &name)?, origin: origin(name) })
    }

    fn by_default() -> Discovered {
        Discovered { endpoint: Self::Unix(PathBuf::from(DEFAULT_SOCKET)), origin: Origin::Nobody }
    }
}

impl Endpoint {
    /// Whether the engine listens on this machine, where it usually runs too.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    /// Whether its containers have their addresses on this machine's networks, as far as an endpoint can tell.
    pub(crate) fn is_on_this_network(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Http(authority) => is_this_machine(authority),
            Self::Tls(target) => is_this_machine(&target.authority),
            Self::Ssh(_) => false,
        }
    }
}

fn is_this_machine(authority: &str) -> bool {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    // Nobody's address leads to this machine.
    host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

/// Reads an endpoint that is reached with TLS, if it is one that can be. One that says the opposite is not taken at its word: what is
/// meant to be hidden would be sent in the open.
fn with_tls(text: &str, certificates: Option<&Path>) -> Result<Endpoint, EndpointError> {
    let wrong = |reason| EndpointError::Wrong { text: text.to_owned(), reason, origin: None };
    if text.starts_with("http://") {
        return Err(wrong("it says that there is no TLS, and TLS is asked for; write tcp:// or https://"));
    }
    let Some(rest) = ["tcp://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme)) else {
        return text.parse();
    };
    let authority = authority(rest, DEFAULT_TLS_PORT).ok_or_else(|| wrong("expected host:port"))?;
    let certificates = certificates.ok_or_else(|| EndpointError::needs_certificates(text))?.to_owned();
    Ok(Endpoint::Tls(TlsTarget { authority, certificates }))
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// Reads `unix:///path`, `tcp://host[:port]`, `http://host[:port]`, `ssh://[user@]host[:port][/socket]` or a bare absolute
    /// path. `https://` says nothing of certificates, so it is an error here, and none for [`discover`](Self::discover).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |reason| EndpointError::Wrong { text: text.to_owned(), reason, origin: None };
        match text.split_once("://") {
            None if text.starts_with('/') => Ok(Self::Unix(PathBuf::from(text))),
            None => Err(wrong("expected unix:///path, tcp://host:port, ssh://host or an absolute path")),
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(PathBuf::from(path))),
            Some(("unix", _)) => Err(wrong("the path of a unix socket begins with a slash")),
            Some(("tcp" | "http", rest)) => {
                authority(rest, DEFAULT_PORT).map(Self::Http).ok_or_else(|| wrong("expected host:port"))
            }
            Some(("https", _)) => Err(EndpointError::needs_certificates(text)),
            Some(("ssh", rest)) => {
                SshTarget::read(rest).map(Self::Ssh).ok_or_else(|| wrong("expected ssh://[user@]host[:port][/socket]"))
            }
            Some(_) => Err(wrong("the scheme is none of unix, tcp, http, https, ssh")),
        }
    }
}

/// `host:port` of a URL that has nothing but these; the port is filled in.
fn authority(rest: &str, port: u16) -> Option<String> {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    if !rest.chars().all(plain) {
        return None;
    }
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok().filter(|port| *port != 0)?),
        _ => (rest, port),
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    (!host.is_empty() && (bracketed || !host.contains(['[', ']', ':']))).then(|| format!("{host}:{port}"))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Http(authority) => write!(f, "tcp://{authority}"),
            Self::Tls(target) => write!(f, "https://{}", target.authority),
            Self::Ssh(target) => target.fmt(f),
        }
    }
}

/// Why it cannot be said where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// A text that names no endpoint.
    #[error("`{text}`{} is no Docker endpoint: {reason}", in_brackets(.origin.as_ref()))]
    Wrong {
        /// The text.
        text: String,
        /// Why.
        reason: &'static str,
        /// Who says it.
        origin: Option<String>,
    },
    /// A context that nobody made.
    #[error("there is no docker context `{name}`; {}", if .known.is_empty() { "there is none at all".to_owned() } else { format!("known: {}", .known.join(", ")) })]
    NoContext {
        /// Its name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// An endpoint with TLS, and nothing says where the certificates are.
    #[error("`{text}`{} asks for TLS, and nothing says where its certificates are", in_brackets(.origin.as_ref()))]
    NeedsCertificates {
        /// The endpoint.
        text: String,
        /// Who says it.
        origin: Option<String>,
    },
    /// An endpoint that wants TLS without a look at who is on the other side.
    #[error("`{text}`{} asks for TLS without checking the engine's certificate, which is not done here", in_brackets(.origin.as_ref()))]
    Unverified {
        /// The endpoint.
        text: String,
        /// Who says it.
        origin: Option<String>,
    },
    /// A context is named, and there is no folder to look for it in.
    #[error(
        "the docker context `{name}`, from DOCKER_CONTEXT, cannot be looked up: neither DOCKER_CONFIG nor HOME is set"
    )]
    NoFolder {
        /// Its name.
        name: String,
    },
    /// A file of Docker's configuration that cannot be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
}

/// Who says it, in brackets.
fn in_brackets(origin: Option<&String>) -> String {
    origin.map(|origin| format!(" ({origin})")).unwrap_or_default()
}

impl EndpointError {
    fn needs_certificates(text: &str) -> Self {
        Self::NeedsCertificates { text: text.to_owned(), origin: None }
    }

    fn unverified(text: &str) -> Self {
        Self::Unverified { text: text.to_owned(), origin: None }
    }

    fn no_context(name: &str, known: &[String]) -> Self {
        Self::NoContext { name: name.to_owned(), known: known.to_vec() }
    }

    fn unreadable(path: &Path, reason: &str) -> Self {
        Self::Unreadable { path: path.display().to_string(), reason: reason.to_lowercase() }
    }

    fn of_context(self, name: &str) -> Self {
        self.said_by(format!("the docker context `{name}`"))
    }

    fn from(self, origin: &Origin) -> Self {
        self.said_by(origin.to_string())
    }

    fn said_by(self, by: String) -> Self {
        match self {
            Self::Wrong { text, reason, .. } => Self::Wrong { text, reason, origin: Some(by) },
            Self::NeedsCertificates { text, .. } => Self::NeedsCertificates { text, origin: Some(by) },
            Self::Unverified { text, .. } => Self::Unverified { text, origin: Some(by) },
            other => other,
        }
    }
}

#[cfg(test)]
mod tests;
