//! An engine behind SSH.

use std::fmt;

/// Where an engine is reached by `ssh`, as a URL says it: `ssh://[user@]host[:port][/socket]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshTarget {
    pub(crate) user: Option<String>,
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    /// The socket there; absent: where `docker` looks there by itself.
    pub(crate) socket: Option<String>,
}

impl SshTarget {
    /// What follows `ssh://`. Only what no shell and no option of a program understands otherwise is taken: the words go to
    /// a shell on the other side.
    pub(super) fn read(rest: &str) -> Option<Self> {
        let plain = |text: &str| {
            let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
            begins && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
        };
        let (authority, socket) = match rest.find('/') {
            Some(at) => (&rest[..at], Some(&rest[at..]).filter(|path| *path != "/")),
            None => (rest, None),
        };
        let (user, place) = match authority.split_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok().filter(|port| *port != 0)?)),
            None => (place, None),
        };
        let is_path = |path: &str| path.split('/').skip(1).all(plain);
        let is_sound = plain(host) && user.is_none_or(plain) && socket.is_none_or(is_path);
        is_sound.then(|| Self {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
            socket: socket.map(str::to_owned),
        })
    }

    /// What `ssh` is called with: it makes its standard input and output a connection to the engine. It gives up before whoever
    /// waits for the first answer does, so that its own words are told; and it ends when the other side has not been heard for 45 s,
    /// which who only listens would not notice.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let options =
            ["ConnectTimeout=10", "ServerAliveInterval=15", "ServerAliveCountMax=3", "BatchMode=yes", "LogLevel=ERROR"];
        let options = options.into_iter().flat_map(|option| ["-o", option]);
        let mut words: Vec<String> = std::iter::once("-T").chain(options).map(str::to_owned).collect();
        if let Some(user) = &self.user {
            words.extend(["-l".to_owned(), user.clone()]);
        }
        if let Some(port) = self.port {
            words.extend(["-p".to_owned(), port.to_string()]);
        }
        words.extend(["--".to_owned(), self.host.clone(), "docker".to_owned()]);
        if let Some(socket) = &self.socket {
            words.extend(["--host".to_owned(), format!("unix://{socket}")]);
        }
        words.extend(["system".to_owned(), "dial-stdio".to_owned()]);
        words
    }
}

impl fmt::Display for SshTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(self.socket.as_deref().unwrap_or_default())
    }
}
