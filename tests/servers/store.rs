//! The store that the servers share: pouchdb-server, with its databases on a disk.

use serde_json::Value;
use std::{
    fs,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::process::{Child, Command};

const INSTALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/pouchdb/install");

pub struct Store {
    program: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

/// Whose turn it is to write.
#[derive(Debug, PartialEq)]
pub struct Turn {
    pub holder: String,
    /// Of this turn, and of its last renewal.
    nonce: String,
}

impl Store {
    pub async fn start() -> Self {
        let installed = Command::new(INSTALL).stderr(Stdio::inherit()).output().await.unwrap();
        assert!(installed.status.success(), "`{INSTALL}` failed: is npm there?");
        let program = PathBuf::from(String::from_utf8(installed.stdout).unwrap().trim());
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut store = Self { program, folder: tempfile::tempdir().unwrap(), port, child: None };
        store.run().await;
        store
    }

    /// What servers are told.
    pub fn url(&self) -> String {
        format!("couchdb://127.0.0.1:{}/graphium", self.port)
    }

    /// Starts it, for the first time or again, and waits until it answers.
    pub async fn run(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log_file()).unwrap();
        let child = Command::new(&self.program)
            .args(["--port", &self.port.to_string(), "--host", "127.0.0.1", "--dir", "data", "--no-stdout-logs"])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let started = Instant::now();
        while self.get("").await.is_none() {
            assert!(started.elapsed() < Duration::from_secs(30), "the store does not answer\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// As `kill -9` does.
    pub async fn kill(&mut self) {
        self.child.take().unwrap().kill().await.unwrap();
    }

    /// The turn that somebody has at this moment.
    pub async fn turn(&self) -> Option<Turn> {
        let lease = self.get("graphium/lease:writer").await?;
        let text = |key: &str| lease[key].as_str().unwrap_or_default().to_owned();
        Some(Turn { holder: text("holder"), nonce: text("nonce") }).filter(|turn| !turn.holder.is_empty())
    }

    async fn get(&self, path: &str) -> Option<Value> {
        let (status, body) = crate::estate::get(&format!("http://127.0.0.1:{}/{path}", self.port)).await?;
        (status == 200).then(|| serde_json::from_str(&body).ok())?
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    /// The last lines of its log.
    pub fn log(&self) -> String {
        let text = fs::read_to_string(self.log_file()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}
