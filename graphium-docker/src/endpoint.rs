//! Where an engine is found.

use std::{fmt, path::PathBuf, str::FromStr};

/// The socket that `docker` itself uses where nothing else is said.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// The port of an engine that listens without TLS.
const DEFAULT_PORT: u16 = 2375;

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A unix socket, by its absolute path.
    Unix(PathBuf),
    /// Plain HTTP, by `host:port`. Whoever reaches it is root on that machine: only for trusted networks.
    Http(String),
}

impl Endpoint {
    /// Finds the engine as `docker` does: the flag, then `DOCKER_HOST`, then the default socket.
    ///
    /// `env` looks a variable up; one that is empty counts as absent, as with `docker`. Whether anything listens
    /// there is not asked.
    ///
    /// # Errors
    /// The first that is set is not an endpoint; the error says which one that was.
    pub fn discover(flag: Option<&str>, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, EndpointError> {
        if let Some(text) = flag {
            return text.parse();
        }
        match env("DOCKER_HOST").filter(|text| !text.is_empty()) {
            Some(text) => {
                text.parse::<Self>().map_err(|error| EndpointError { variable: Some("DOCKER_HOST"), ..error })
            }
            None => Ok(Self::Unix(PathBuf::from(DEFAULT_SOCKET))),
        }
    }
}

impl Endpoint {
    /// Whether the engine listens on this machine, where it usually runs too.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// Reads `unix:///path`, `tcp://host[:port]`, `http://host[:port]` or a bare absolute path.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |reason| EndpointError { text: text.to_owned(), reason, variable: None };
        match text.split_once("://") {
            None if text.starts_with('/') => Ok(Self::Unix(PathBuf::from(text))),
            None => Err(wrong("expected unix:///path, tcp://host:port or an absolute path")),
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(PathBuf::from(path))),
            Some(("unix", _)) => Err(wrong("the path of a unix socket begins with a slash")),
            Some(("tcp" | "http", rest)) => authority(rest).map(Self::Http).ok_or_else(|| wrong("expected host:port")),
            Some(("https", _)) => Err(wrong("TLS to an engine is not supported yet")),
            Some(("ssh", _)) => Err(wrong("SSH to an engine is not supported yet; run the agent on that host")),
            Some(_) => Err(wrong("the scheme is none of unix, tcp, http")),
        }
    }
}

/// `host:port` of a URL that has nothing but these; the port is filled in.
fn authority(rest: &str) -> Option<String> {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    if !rest.chars().all(plain) {
        return None;
    }
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok().filter(|port| *port != 0)?),
        _ => (rest, DEFAULT_PORT),
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    (!host.is_empty() && (bracketed || !host.contains(['[', ']', ':']))).then(|| format!("{host}:{port}"))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Http(authority) => write!(f, "tcp://{authority}"),
        }
    }
}

/// A text that names no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`{} is no Docker endpoint: {reason}", .variable.map(|name| format!(" (from {name})")).unwrap_or_default())]
pub struct EndpointError {
    text: String,
    reason: &'static str,
    variable: Option<&'static str>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
    use super::*;

    #[test]
    fn every_usual_form_is_read() {
        for (text, shown) in [
            ("unix:///run/docker.sock", "unix:///run/docker.sock"),
            ("/tmp/d.sock", "unix:///tmp/d.sock"),
            ("tcp://10.0.0.1:2376", "tcp://10.0.0.1:2376"),
            ("tcp://engine", "tcp://engine:2375"),
            ("http://engine:80/", "tcp://engine:80"),
            ("tcp://[::1]:2375", "tcp://[::1]:2375"),
            ("tcp://[::1]", "tcp://[::1]:2375"),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_reached_is_refused_with_a_reason() {
        for text in [
            "",
            "docker.sock",
            "unix://run/x",
            "https://x:1",
            "ssh://x",
            "tcp://",
            "tcp://x:0",
            "tcp://u@x",
            "tcp://::1",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_flag_goes_before_the_variable_and_that_before_the_default() {
        let set = |_: &str| Some("tcp://b:1".to_owned());
        let empty = |_: &str| Some(String::new());
        let wrong = |_: &str| Some("ftp://x".to_owned());
        assert_eq!(Endpoint::discover(Some("/a"), &set).unwrap().to_string(), "unix:///a");
        assert_eq!(Endpoint::discover(None, &set).unwrap().to_string(), "tcp://b:1");
        assert_eq!(Endpoint::discover(None, &empty).unwrap().to_string(), "unix:///var/run/docker.sock");
        let error = Endpoint::discover(None, &wrong).unwrap_err().to_string();
        assert_eq!(error, "`ftp://x` (from DOCKER_HOST) is no Docker endpoint: the scheme is none of unix, tcp, http");
    }
}
