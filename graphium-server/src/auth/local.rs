//! How the command line finds the token of a server on the same machine, without anybody copying keys.
//!
//! A running server leaves a note in its user's state folder: `graphium/servers/<port>.json`, readable by that user alone. The
//! note names the file that holds the token; the token itself stays there.

use super::{Token, private};
use crate::tls::Pin;
use serde::{Deserialize, Serialize};
use std::{
    env, fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
};

/// What a running server says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// Where it listens.
    pub url: String,
    /// The file with the administrator's token.
    pub token_file: PathBuf,
    /// Its process.
    pub pid: u32,
    /// The fingerprint of its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
}

/// The note of a running server; dropping it takes the note away.
#[derive(Debug)]
pub struct Registration {
    path: PathBuf,
    note: Note,
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Another server may have the port, and the note, by now.
        if read(&self.path).is_some_and(|note| note == self.note) {
            let _gone_already = fs::remove_file(&self.path);
        }
    }
}

/// Leaves a note in `folder` (see [`folder`]) that a server has the address `url`, perhaps with a certificate of that fingerprint,
/// and keeps its token in `data_dir`.
///
/// # Errors
/// When it cannot be written: then the command line needs `GRAPHIUM_TOKEN`.
pub fn register(folder: &Path, url: &str, pin: Option<Pin>, data_dir: &Path) -> io::Result<Registration> {
    private::folder(folder)?;
    let parsed = reqwest::Url::parse(url).map_err(io::Error::other)?;
    let path = folder.join(format!("{}.json", parsed.port_or_known_default().unwrap_or_default()));
    let note = Note {
        url: url.to_owned(),
        token_file: std::path::absolute(data_dir)?.join("admin-token"),
        pid: std::process::id(),
        pin: pin.map(|pin| pin.to_string()),
    };
    private::write(&path, &serde_json::to_string_pretty(&note)?)?;
    Ok(Registration { path, note })
}

/// The administrator's token of the server at `base_url`, when that is one of this user on this machine.
pub fn find(base_url: &str) -> Option<String> {
    find_in(&folder()?, base_url)
}

/// The fingerprint of the certificate of the server at `base_url`, when that is one of this user on this machine.
pub fn pin(base_url: &str) -> Option<Pin> {
    note_in(&folder()?, base_url)?.pin?.parse().ok()
}

fn note_in(folder: &Path, base_url: &str) -> Option<Note> {
    let url = reqwest::Url::parse(base_url).ok()?;
    let note = read(&folder.join(format!("{}.json", url.port_or_known_default()?)))?;
    // Whatever has taken the port of a server that ended is not shown its token.
    (alive(note.pid) && is_the_same(&url, &note)).then_some(note)
}

fn find_in(folder: &Path, base_url: &str) -> Option<String> {
    let note = note_in(folder, base_url)?;
    let token = fs::read_to_string(&note.token_file).ok()?;
    Token::parse(&token).map(|token| token.reveal().to_owned())
}

/// Whether a URL leads to the server of the note: by this machine's own addresses, or by the very one that it listens at.
fn is_the_same(url: &reqwest::Url, note: &Note) -> bool {
    let Ok(listens) = reqwest::Url::parse(&note.url) else { return false };
    let same = url.host_str() == listens.host_str();
    let address: Option<IpAddr> = listens.host_str().and_then(|host| host.trim_matches(['[', ']']).parse().ok());
    let reached_by_loopback = address.is_some_and(|address| address.is_loopback() || address.is_unspecified());
    url.scheme() == listens.scheme() && (same || (reached_by_loopback && crate::client::is_loopback(url)))
}

fn read(path: &Path) -> Option<Note> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Whether a process lives; where that cannot be seen, it is taken for granted.
fn alive(pid: u32) -> bool {
    let processes = Path::new("/proc");
    !processes.join("self").exists() || processes.join(pid.to_string()).exists()
}

/// Where this user's notes lie: in `XDG_STATE_HOME`, or else in `~/.local/state`.
pub fn folder() -> Option<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("graphium/servers"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(listen: &str) -> (tempfile::TempDir, Registration, String) {
        let folder = tempfile::tempdir().unwrap();
        let token = Token::generate().unwrap();
        fs::write(folder.path().join("admin-token"), token.reveal()).unwrap();
        let registration = register(&folder.path().join("state"), listen, None, folder.path()).unwrap();
        (folder, registration, token.reveal().to_owned())
    }

    #[test]
    fn a_local_server_is_found_by_any_local_name() {
        let (folder, registration, token) = server("http://127.0.0.1:8095");
        let state = folder.path().join("state");
        for url in ["http://localhost:8095", "http://127.0.0.1:8095/", "http://[::1]:8095"] {
            assert_eq!(find_in(&state, url).as_ref(), Some(&token), "{url}");
        }
        for url in
            ["http://localhost:8096", "http://10.0.0.1:8095", "https://localhost:8095", "http://evil.example:8095", "x"]
        {
            assert_eq!(find_in(&state, url), None, "{url}");
        }
        drop(registration);
        assert_eq!(find_in(&state, "http://localhost:8095"), None);
    }

    #[test]
    fn a_server_on_an_address_of_its_own_is_found_by_that_alone() {
        let (folder, _registration, token) = server("http://10.0.0.1:8095");
        let state = folder.path().join("state");
        assert_eq!(find_in(&state, "http://10.0.0.1:8095"), Some(token));
        assert_eq!(find_in(&state, "http://localhost:8095"), None);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_the_note() {
        use std::os::unix::fs::PermissionsExt;
        let (folder, registration, _) = server("http://127.0.0.1:8095");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.path().join("state")), 0o700);
        assert_eq!(mode(&registration.path), 0o600);
    }
}
