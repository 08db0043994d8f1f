//! Who was there: the engines' own events, and streams of ours.

use crate::{
    estate::{Estate, HOSTS},
    operator::Operator,
};
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::PathBuf, process::Stdio};
use tokio::process::{Child, Command};

/// Writes down what the engines tell of containers. An engine remembers its last 256 events only: so from the beginning.
pub struct Witness {
    children: Vec<(&'static str, PathBuf, Child)>,
}

/// A container as the engines told of it: its host, its name, the hash of what it was made of.
pub type Made = (&'static str, String, String);

impl Witness {
    pub fn begin(estate: &Estate) -> Self {
        let children = HOSTS.map(|host| {
            let path = estate.path(&format!("engine-{host}.jsonl"));
            let socket = format!("unix://{}", estate.host(host).socket().display());
            let child = Command::new("docker")
                .args(["--host", &socket, "events", "--filter", "type=container", "--format", "{{json .}}"])
                .stdin(Stdio::null())
                .stdout(fs::File::create(&path).unwrap())
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            (host, path, child)
        });
        Self { children: children.into() }
    }

    /// How often a container was created and started, by host, name and specification.
    pub fn made(&self) -> BTreeMap<Made, (usize, usize)> {
        let mut made = BTreeMap::<Made, (usize, usize)>::new();
        for (host, path, _) in &self.children {
            for line in fs::read_to_string(path).unwrap().lines() {
                let event: Value = serde_json::from_str(line).unwrap();
                let attributes = &event["Actor"]["Attributes"];
                let text = |name: &str| attributes[name].as_str().unwrap_or_default().to_owned();
                if text("graphium.managed") != "true" {
                    continue;
                }
                let key = (*host, text("name"), text("graphium.spec-hash"));
                match event["Action"].as_str() {
                    Some("create") => made.entry(key).or_default().0 += 1,
                    Some("start") => made.entry(key).or_default().1 += 1,
                    _ => {}
                }
            }
        }
        made
    }

    /// What they told of one container, for people.
    pub fn story(&self, host: &str, name: &str) -> String {
        let path = self.children.iter().find(|(known, ..)| *known == host).map(|(_, path, _)| path);
        let text = path.map(|path| fs::read_to_string(path).unwrap()).unwrap_or_default();
        let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let of_it = events.filter(|event| event["Actor"]["Attributes"]["name"] == name);
        let line = |event: Value| {
            let attributes = &event["Actor"]["Attributes"];
            let (task, attempt) = (&attributes["graphium.task"], &attributes["graphium.attempt"]);
            format!(
                "  {} {} {} task {task} attempt {attempt}\n",
                event["timeNano"], event["Action"], event["Actor"]["ID"]
            )
        };
        of_it.map(line).collect()
    }
}

/// `graphium events --follow`, written to a file.
pub struct Stream {
    path: PathBuf,
    child: Child,
}

impl Stream {
    pub fn begin(estate: &Estate, operator: &Operator, servers: &str, after: u64, name: &str) -> Self {
        let path = estate.path(&format!("events-{name}.jsonl"));
        let child = operator
            .command(servers, &["events", "--follow", "-o", "json", "--after", &after.to_string()])
            .stdout(fs::File::create(&path).unwrap())
            .spawn()
            .unwrap();
        Self { path, child }
    }

    /// What it has shown so far: whole lines.
    pub fn events(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.path).unwrap();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub async fn end(mut self) -> Vec<Value> {
        self.child.kill().await.unwrap();
        self.events()
    }
}

pub fn number_of(event: &Value) -> u64 {
    event["seq"].as_u64().unwrap_or_else(|| panic!("no number in {event}"))
}

/// Two ways to the same events: no gap, nothing twice, the same content.
pub fn same_events(name: &str, shown: &[Value], all: &[Value]) {
    for (place, (shown, expected)) in shown.iter().zip(all).enumerate() {
        assert_eq!(shown, expected, "the stream {name} differs at its event {}", place + 1);
    }
    assert!(shown.len() >= all.len(), "the stream {name} ends after {} of {} events", shown.len(), all.len());
}
