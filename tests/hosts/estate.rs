//! Three hosts, a server or several and agents, as an operator would run them: everything goes through the binary.

use graphium_server::testbed::{TestHost, Testbed, TestbedOptions, images, requirements};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::{Duration, Instant},
};
use tokio::process::{Child, Command};

/// The image of our own web program.
pub const WEB: &str = "graphium/web:test";
/// The hosts that the example stacks name.
pub const HOSTS: [&str; 3] = ["localhost-docker", "vm1", "vm2"];

/// What [nobody of ours](Estate::put_bystanders) is called.
pub const BYSTANDER: &str = "bystander";
const BINARY: &str = env!("CARGO_BIN_EXE_graphium");
const PORT: u16 = 8095;

pub struct Estate {
    pub testbed: Testbed,
    folder: tempfile::TempDir,
    /// How many servers there are to be, and what they keep their data in; none: one, on a database of its own.
    company: Option<(u16, String)>,
    /// By number, those that run.
    servers: BTreeMap<u16, Child>,
    agents: BTreeMap<String, Child>,
    /// By host, the run of a container that is not ours.
    bystanders: BTreeMap<&'static str, Value>,
    /// By host, where its agent finds its engine, if that is not the engine's own socket.
    pub sockets: BTreeMap<String, PathBuf>,
    /// After how long a host counts as offline for servers that are started from now on.
    pub offline_after: &'static str,
    /// Where programs that are started from now on tell their traces.
    pub collector: Option<String>,
}

impl Estate {
    /// Everything up: engines with images, a server, an agent on every host.
    pub async fn start() -> Self {
        let mut estate = Self::without_agents().await;
        estate.start_agents().await;
        estate
    }

    /// An agent on every host; waits until all are heard.
    pub async fn start_agents(&mut self) {
        for host in HOSTS {
            self.start_agent(host).await;
        }
        self.until("every host is active", async |estate| {
            let hosts = estate.json(&["host", "list"]).await;
            list(&hosts, "hosts").iter().filter(|host| host["status"] == "active").count() == HOSTS.len()
        })
        .await;
    }

    /// Engines and a server.
    pub async fn without_agents() -> Self {
        Self::with(None).await
    }

    /// Engines, and so many servers on one store.
    pub async fn with_servers(count: u16, store: String) -> Self {
        Self::with(Some((count, store))).await
    }

    async fn with(company: Option<(u16, String)>) -> Self {
        if let Err(missing) = requirements() {
            panic!("this machine cannot run private engines:\n{}", missing.join("\n"));
        }
        let hosts = HOSTS.map(str::to_owned).to_vec();
        let options = TestbedOptions { hosts, plain_registry: true, ..TestbedOptions::default() };
        let testbed = Testbed::start(options).await.unwrap();
        testbed.load(&images::nginx_alpine().unwrap()).await.unwrap();
        testbed.load(&images::web(WEB).unwrap()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut estate = Self {
            testbed,
            folder,
            company,
            servers: BTreeMap::new(),
            agents: BTreeMap::new(),
            bystanders: BTreeMap::new(),
            sockets: BTreeMap::new(),
            offline_after: "15s",
            collector: None,
        };
        for number in estate.numbers() {
            estate.start_server_number(number).await;
        }
        estate
    }

    pub fn host(&self, name: &str) -> &TestHost {
        self.testbed.host(name).unwrap()
    }

    fn numbers(&self) -> std::ops::Range<u16> {
        0..self.company.as_ref().map_or(1, |(count, _)| *count)
    }

    pub fn url_of(&self, server: u16) -> String {
        format!("http://{}:{}", self.testbed.uplink(), PORT + server)
    }

    /// Every server, the given one first.
    pub fn urls_from(&self, first: u16) -> String {
        let count = self.numbers().end;
        let urls: Vec<String> = self.numbers().map(|number| self.url_of((first + number) % count)).collect();
        urls.join(",")
    }

    /// Containers may have what tests leave for them.
    fn allowed(&self) -> String {
        format!("bind={}", self.folder.path().display())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub async fn start_server(&mut self) {
        self.start_server_number(0).await;
    }

    pub async fn start_server_number(&mut self, number: u16) {
        let data = self.path(&data_of(number));
        let own = format!("sqlite:{}", data.join("graphium.db").display());
        let child = Command::new(BINARY)
            .args([
                "server",
                "--allow",
                &self.allowed(),
                "--offline-after",
                self.offline_after,
                "--listen",
                self.url_of(number).trim_start_matches("http://"),
                "--data-dir",
            ])
            .arg(&data)
            .arg("--store")
            .arg(self.company.as_ref().map_or(&own, |(_, store)| store))
            .envs(self.environment())
            .envs(self.traces())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log_file(&self.path(&log_of(number))))
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.servers.insert(number, child);
        let url = format!("{}/readyz", self.url_of(number));
        let ready = async || get(&url).await.is_some_and(|(status, _)| status == 200);
        let started = Instant::now();
        while !ready().await {
            let log = || self.log(&log_of(number));
            assert!(started.elapsed() < Duration::from_secs(20), "server {number} is not ready: {}", log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// As `kill -9` does.
    pub async fn kill_server(&mut self) {
        self.kill_server_number(0).await;
    }

    pub fn is_up(&self, server: u16) -> bool {
        self.servers.contains_key(&server)
    }

    /// As `kill -9` does.
    pub async fn kill_server_number(&mut self, number: u16) {
        if let Some(mut server) = self.servers.remove(&number) {
            server.kill().await.unwrap();
        }
    }

    /// A token for the host, and its agent in the host's own network.
    pub async fn start_agent(&mut self, host: &str) {
        let agent = self.spawn_agent(host, host).await;
        self.agents.insert(host.to_owned(), agent);
    }

    /// An agent for a host, with a state folder of the given name.
    pub async fn spawn_agent(&self, host: &str, state: &str) -> Child {
        let token_file = self.path(&format!("{host}.token"));
        if !token_file.exists() {
            let token = self.ok(&["token", "create", "--role", "agent", "--host", host]).await;
            fs::write(&token_file, token.trim()).unwrap();
        }
        let bed = self.host(host);
        let socket = self.sockets.get(host).cloned().unwrap_or_else(|| bed.socket());
        // Some begin with one server, some with another.
        let first = HOSTS.iter().position(|known| *known == host).and_then(|place| u16::try_from(place).ok());
        bed.command(BINARY)
            .args([
                "agent",
                "--allow",
                &self.allowed(),
                "--host-id",
                host,
                "--server",
                &self.urls_from(first.unwrap_or_default()),
            ])
            .arg("--docker")
            .arg(format!("unix://{}", socket.display()))
            .args(["--address", &bed.address().to_string(), "--state-dir"])
            .arg(self.path(&format!("agent-{state}")))
            .env("TOKEN", fs::read_to_string(&token_file).unwrap())
            .env_remove("GRAPHIUM_TOKEN")
            .envs(self.traces())
            .env("DOCKER_CONFIG", self.path("docker-config"))
            .env("PATH", format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap_or_default()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log_file(&self.path(&format!("agent-{state}.log"))))
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    /// As `kill -9` does.
    pub async fn kill_agent(&mut self, host: &str) {
        let mut agent = self.agents.remove(host).unwrap();
        agent.kill().await.unwrap();
    }

    /// The agent of a host, to be waited for.
    pub fn take_agent(&mut self, host: &str) -> Child {
        self.agents.remove(host).unwrap()
    }

    /// Sends a signal to these servers.
    pub fn signal_servers(&self, name: &str, numbers: impl IntoIterator<Item = u16>) {
        for number in numbers {
            signal(name, self.servers[&number].id().unwrap());
        }
    }

    /// Server and agents with their process ids.
    pub fn processes(&self) -> Vec<(String, u32)> {
        let server = self.servers.values().map(|child| ("server".to_owned(), child));
        let agents = self.agents.iter().map(|(host, child)| (format!("agent {host}"), child));
        server.chain(agents).filter_map(|(name, child)| Some((name, child.id()?))).collect()
    }

    /// Runs the binary as an operator does.
    pub async fn graphium(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(BINARY);
        command.args(arguments).envs(self.environment()).stdin(Stdio::null()).kill_on_drop(true);
        tokio::time::timeout(Duration::from_secs(180), command.output())
            .await
            .unwrap_or_else(|_| panic!("`graphium {}` hangs\n{}", arguments.join(" "), self.logs()))
            .unwrap()
    }

    fn traces(&self) -> impl Iterator<Item = (&'static str, String)> + use<> {
        let soon = |url| [("OTEL_EXPORTER_OTLP_ENDPOINT", url), ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned())];
        self.collector.clone().map(soon).into_iter().flatten()
    }

    pub fn environment(&self) -> [(&'static str, String); 5] {
        let home = self.folder.path().display().to_string();
        [
            ("GRAPHIUM_SERVER", self.urls_from(0)),
            ("GRAPHIUM_DATA_DIR", self.path("data").display().to_string()),
            ("HOME", home.clone()),
            ("XDG_STATE_HOME", home.clone()),
            ("XDG_DATA_HOME", home),
        ]
    }

    /// Runs the binary, expecting success; its standard output.
    pub async fn ok(&self, arguments: &[&str]) -> String {
        let output = self.graphium(arguments).await;
        assert!(
            output.status.success(),
            "`graphium {}` ended with {:?}\n{}\n{}\n{}",
            arguments.join(" "),
            output.status.code(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
            self.logs()
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same with `-o json`.
    pub async fn json(&self, arguments: &[&str]) -> Value {
        let text = self.ok(&[arguments, &["-o", "json"]].concat()).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    /// Writes a document and returns its path.
    pub fn document(&self, name: &str, document: &Value) -> String {
        let path = self.path(&format!("{name}.jsonld"));
        fs::write(&path, serde_json::to_string_pretty(document).unwrap()).unwrap();
        path.display().to_string()
    }

    /// Waits for something, at most a minute.
    pub async fn until(&self, what: &str, holds: impl AsyncFn(&Self) -> bool) {
        let started = Instant::now();
        while !holds(self).await {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "a minute is not enough until {what}\n{}",
                self.logs()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// What is left of ours on every engine: containers, networks and volumes.
    pub async fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for host in HOSTS {
            for kind in ["container", "network", "volume"] {
                let all = if kind == "container" { &["--all"][..] } else { &[] };
                let list = [kind, "ls", "--quiet", "--filter", "label=graphium.managed=true"];
                let text = self.docker(host, &[&list[..], all].concat()).await;
                left.extend(text.lines().map(|line| format!("{host}: {kind} {line}")));
            }
        }
        left
    }

    /// A container as its engine shows it.
    pub async fn inspect(&self, host: &str, container: &str) -> Value {
        let text = self.docker(host, &["inspect", container]).await;
        serde_json::from_str::<Value>(&text).unwrap()[0].take()
    }

    /// A container as its engine shows it, if it is there.
    pub async fn seen(&self, host: &str, container: &str) -> Option<Value> {
        let output = self.run_docker(host, &["inspect", container]).await;
        let seen = serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default();
        seen.get(0).cloned()
    }

    /// How often something happened to a container since a moment, as its engine tells.
    pub async fn happened(&self, host: &str, container: &str, event: &str, since: Timestamp) -> usize {
        let (since, until) = (since.to_string(), Timestamp::now().to_string());
        let (container, event) = (format!("container={container}"), format!("event={event}"));
        let filters = ["--filter", &container, "--filter", &event];
        let range = ["events", "--since", &since, "--until", &until, "--format", "{{.ID}}"];
        self.docker(host, &[&range[..], &filters].concat()).await.lines().count()
    }

    /// A container runs, and its engine tells that since a moment it was made once and started once.
    pub async fn was_made_once(&self, host: &str, container: &str, since: Timestamp) {
        let seen = self.inspect(host, container).await;
        assert_eq!(seen["State"]["Running"], true, "{seen}");
        for event in ["create", "start"] {
            assert_eq!(self.happened(host, container, event, since).await, 1, "{event} of {container}");
        }
    }

    /// What Docker's own command line says on a host.
    pub async fn docker(&self, host: &str, arguments: &[&str]) -> String {
        let output = self.run_docker(host, arguments).await;
        assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), self.logs());
        String::from_utf8(output.stdout).unwrap()
    }

    async fn run_docker(&self, host: &str, arguments: &[&str]) -> Output {
        let socket = format!("unix://{}", self.host(host).socket().display());
        Command::new("docker").args(["--host", &socket]).args(arguments).output().await.unwrap()
    }

    /// The last lines of a log.
    pub fn log(&self, name: &str) -> String {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    pub fn logs(&self) -> String {
        let names = self.numbers().map(log_of).chain(HOSTS.map(|host| format!("agent-{host}.log")));
        names.map(|name| format!("--- {name}\n{}\n", self.log(&name))).collect()
    }

    /// A container on every host that is not ours, and that nobody may touch until the [end](Self::end).
    pub async fn put_bystanders(&mut self) {
        for host in HOSTS {
            self.docker(host, &["run", "--detach", "--name", BYSTANDER, WEB, "sleep"]).await;
            let run = run_of(&self.inspect(host, BYSTANDER).await);
            self.bystanders.insert(host, run);
        }
    }

    /// Takes everything down; nothing of ours may be left on any engine.
    pub async fn end(mut self) {
        for (host, run) in &self.bystanders {
            assert_eq!(run_of(&self.inspect(host, BYSTANDER).await), *run, "somebody has touched it on {host}");
        }
        assert_eq!(self.left().await, Vec::<String>::new(), "left behind\n{}", self.logs());
        self.stop_programs().await;
        self.testbed.stop().await.unwrap();
    }

    /// Ends agents and servers.
    pub async fn stop_programs(&mut self) {
        for (_, mut agent) in std::mem::take(&mut self.agents) {
            agent.kill().await.unwrap();
        }
        for number in self.numbers() {
            self.kill_server_number(number).await;
        }
    }
}

fn data_of(server: u16) -> String {
    if server == 0 { "data".to_owned() } else { format!("data-{server}") }
}

fn log_of(server: u16) -> String {
    if server == 0 { "server.log".to_owned() } else { format!("server-{server}.log") }
}

fn log_file(path: &Path) -> fs::File {
    fs::OpenOptions::new().create(true).append(true).open(path).unwrap()
}

/// What says that it is the same run of the same container.
pub fn run_of(seen: &Value) -> Value {
    json!([seen["Id"], seen["State"]["StartedAt"], seen["State"]["Pid"], seen["RestartCount"]])
}

/// The items of a list, bare or within an object.
pub fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.as_array().or_else(|| value[key].as_array()).unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// Asks for a page; `None` when nobody answers.
pub async fn get(url: &str) -> Option<(u16, String)> {
    graphium_server::tls::ready();
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(3)).build().unwrap();
    let answer = client.get(url).send().await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

/// Sends a signal, such as `-STOP`.
pub fn signal(name: &str, process: u32) {
    assert!(std::process::Command::new("kill").args([name, &process.to_string()]).status().unwrap().success());
}
