//! The built program as a server, with an environment of the test's own.

use graphium_server::client::Client;
use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

pub(crate) struct Server {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    pub(crate) url: String,
    pub(crate) token: String,
    _home: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_graphium"));
        command.args(["server", "--listen", "127.0.0.1:0", "--store", "memory:"]).current_dir(home.path());
        command.env_clear().env("HOME", home.path()).env("PATH", std::env::var("PATH").unwrap_or_default());
        command.envs(variables.iter().copied()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let written = Arc::clone(&lines);
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                written.lock().unwrap().push(line);
            }
        });
        let after = |mark: &str| {
            let begun = Instant::now();
            loop {
                let found = lines.lock().unwrap().iter().find_map(|line| {
                    Some(line.split_once(mark)?.1.trim().split(' ').next().unwrap_or_default().to_owned())
                });
                match found {
                    Some(found) => return found,
                    None if begun.elapsed() > Duration::from_secs(20) => panic!("no `{mark}`: {lines:?}"),
                    None => std::thread::sleep(Duration::from_millis(20)),
                }
            }
        };
        let url = after("listens on ");
        let token = std::fs::read_to_string(after("admin token ")).unwrap().trim().to_owned();
        Self { child, lines, url, token, _home: home }
    }

    pub(crate) fn client(&self, token: &str) -> Client {
        Client::new(&self.url, Some(token.to_owned())).unwrap()
    }

    /// What its log says with these words in it.
    pub(crate) fn said(&self, words: &str) -> Vec<String> {
        self.lines.lock().unwrap().iter().filter(|line| line.contains(words)).cloned().collect()
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let killed = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
