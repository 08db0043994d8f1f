//! The built server as a process, and what the kernel says of it.

use super::raw::{Answer, Raw, request};
use serde_json::{Value, json};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// Lets this process have as many descriptors as it may.
pub fn raise_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    assert!(maximum.is_none_or(|most| most >= 8192), "this needs 8192 descriptors, and may have {maximum:?}");
}

/// A server that runs; it and its data are gone with the value.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    pub token: String,
    folder: tempfile::TempDir,
}

impl Server {
    pub async fn start() -> Self {
        Self::start_upon(async |_: &Path| {}).await
    }

    /// One that has what is filled into its database first.
    pub async fn start_upon(fill: impl AsyncFnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        fill(&folder.path().join("data/graphium.db")).await;
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = spawn(port, folder.path().join("data"));
        let mut server = Self { child, address: port, token: String::new(), folder };
        server.is_ready().await;
        server.token = fs::read_to_string(server.data().join("admin-token")).unwrap().trim().to_owned();
        server
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again where it was.
    pub async fn restart(&mut self) {
        self.child = spawn(self.address, self.data());
        self.is_ready().await;
    }

    async fn is_ready(&mut self) {
        let begun = Instant::now();
        let ask = request("GET", "/readyz", "", None);
        while begun.elapsed() < Duration::from_secs(20) {
            if let Ok(mut raw) = Raw::connect(self.address).await
                && raw.ask(&ask).await.is_ok_and(|answer| answer.status == 200)
            {
                return;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the server ended: {status}");
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("the server is not ready within 20 s");
    }

    /// Asks once, as the administrator, and again for as long as it is told to wait.
    pub async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut raw = Raw::connect(self.address).await.unwrap();
        let bytes = request(method, path, &self.token, body.as_ref());
        for _ in 0..60 {
            let answer = raw.ask(&bytes).await.unwrap();
            if !answer.says_when {
                return answer;
            }
            sleep(Duration::from_secs(1)).await;
        }
        panic!("{method} {path}: it is told to wait for a minute");
    }

    pub async fn json(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let answer = self.ask(method, path, body).await;
        let told = String::from_utf8_lossy(&answer.body);
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {told}", answer.status);
        answer.json()
    }

    /// A host that has no agent: its tasks wait.
    pub async fn quiet_host(&self, name: &str) {
        self.json("POST", "/api/v1/hosts", Some(json!({"@id": name, "name": name}))).await;
    }

    /// So many tokens of people who may change stacks.
    pub async fn operators(&self, count: usize) -> Vec<String> {
        let mut tokens = Vec::new();
        for number in 0..count {
            let wanted = json!({"role": "operator", "name": format!("load {number}")});
            tokens.push(self.json("POST", "/api/v1/tokens", Some(wanted)).await["token"].as_str().unwrap().to_owned());
        }
        tokens
    }

    /// One of the server's own figures.
    pub async fn metric(&self, name: &str) -> f64 {
        let answer = self.ask("GET", "/metrics", None).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|figure| figure.parse().ok()).unwrap_or(f64::NAN)
    }

    /// The number of the last event.
    pub async fn last_event(&self) -> u64 {
        self.metric("graphium_events_total").await as u64
    }

    /// Resident memory in KiB.
    pub fn resident(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// User and system time; the kernel counts in hundredths of a second.
    pub fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let after_name = stat.rsplit_once(')').unwrap().1;
        let ticks: u64 = after_name.split_whitespace().skip(11).take(2).map(|part| part.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }

    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// How many descriptors it may have.
    pub fn most_descriptors(&self) -> f64 {
        let limits = fs::read_to_string(format!("/proc/{}/limits", self.child.id())).unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        line.split_whitespace().nth(3).unwrap().parse().unwrap_or(f64::INFINITY)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(listen: SocketAddr, data: PathBuf) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_graphium"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GRAPHIUM_")) {
        command.env_remove(name);
    }
    command.arg("server").arg("--listen").arg(listen.to_string()).arg("--data-dir").arg(&data);
    // Settings and notes of whoever measures are neither read nor written.
    command.env("HOME", &data).env_remove("XDG_RUNTIME_DIR").env_remove("XDG_CONFIG_HOME").env_remove("TOKEN");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}
