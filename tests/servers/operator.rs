//! Somebody who wants something and asks until it is taken on, whichever server answers.

use crate::estate::{Estate, HOSTS, WEB};
use serde_json::{Value, json};
use std::{
    process::{Output, Stdio},
    time::{Duration, Instant},
};
use tokio::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_graphium");

/// A command line with a token of its own.
#[derive(Clone)]
pub struct Operator {
    environment: Vec<(&'static str, String)>,
    pub begun: Instant,
}

#[derive(Clone, Debug)]
pub enum Wish {
    /// The document of a file.
    Deploy(String),
    /// The stack, with its volumes.
    Remove(String),
}

impl Operator {
    pub fn of(estate: &Estate) -> Self {
        let token = std::fs::read_to_string(estate.path("data").join("admin-token")).unwrap();
        let token = ("GRAPHIUM_TOKEN", token.trim().to_owned());
        Self { environment: estate.environment().into_iter().chain([token]).collect(), begun: Instant::now() }
    }

    /// Says what happens, and when.
    pub fn say(&self, what: impl std::fmt::Display) {
        println!("{:7.2} s  {what}", self.begun.elapsed().as_secs_f64());
    }

    pub fn command(&self, servers: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(arguments).args(["--server", servers]).stdin(Stdio::null()).kill_on_drop(true);
        command.env_remove("GRAPHIUM_OUTPUT").envs(self.environment.iter().cloned());
        command
    }

    pub async fn graphium(&self, servers: &str, arguments: &[&str]) -> Output {
        let mut command = self.command(servers, arguments);
        tokio::time::timeout(Duration::from_secs(60), command.output())
            .await
            .unwrap_or_else(|_| panic!("`graphium {}` hangs", arguments.join(" ")))
            .unwrap()
    }

    /// Asks until it is taken on. What was killed may be away, and may have done it without an answer; all else is a failure.
    pub async fn ask(&self, servers: String, wish: Wish) {
        let arguments = match &wish {
            Wish::Deploy(file) => vec!["stack", "deploy", file],
            Wish::Remove(stack) => vec!["stack", "remove", stack, "--volumes", "--yes"],
        };
        let started = Instant::now();
        let mut before = None;
        for attempt in 1.. {
            let output = self.graphium(&servers, &arguments).await;
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            if output.status.success() {
                return self.say(format_args!("{wish:?} was taken on, at attempt {attempt}"));
            }
            if attempt == 1 || Some(&text) != before.as_ref() {
                self.say(format_args!("{wish:?} was not taken on: {:?} {}", output.status.code(), text.trim()));
            }
            before = Some(text.clone());
            let is_gone = matches!(wish, Wish::Remove(_)) && attempt > 1 && text.contains("no stack");
            if is_gone {
                return;
            }
            let may_pass =
                output.status.code() == Some(5) || text.contains("answers 503") || text.contains("answers 500");
            assert!(may_pass, "{wish:?} is refused: {text}");
            assert!(started.elapsed() < Duration::from_secs(60), "{wish:?} was not taken on within a minute");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// What a command answers in JSON; nothing where it fails.
    pub async fn json(&self, servers: &str, arguments: &[&str]) -> Option<Value> {
        let output = self.graphium(servers, &[arguments, &["-o", "json"]].concat()).await;
        output.status.success().then(|| serde_json::from_slice(&output.stdout).ok())?
    }
}

/// Three containers, one a host, each after the one before it; the last has a port of the host, the first a volume.
pub fn document(stack: &str, port: u16, revision: u32) -> Value {
    let part = |place: usize| {
        let name = format!("part-{place}");
        let mut container = json!({
            "@type": "datacenter:Container", "name": name, "image": WEB,
            "locatedInHost": {"@id": HOSTS[place]},
            "environment": {"REVISION": revision.to_string()},
        });
        match place {
            0 => container["volumeMounts"] = json!([{"type": "volume", "source": "data", "target": "/data"}]),
            _ => container["dependsOn"] = json!([format!("part-{}", place - 1)]),
        }
        if place + 1 == HOSTS.len() {
            container["ports"] = json!([{"containerPort": 80, "hostPort": 9000 + port}]);
        }
        container
    };
    let parts: Vec<Value> = (0..HOSTS.len()).map(part).collect();
    json!({
        "@context": "https://schema.org",
        "@graph": [{
            "@id": format!("stack:{stack}"), "@type": "datacenter:Stack", "name": stack, "hasPart": parts
        }]
    })
}
