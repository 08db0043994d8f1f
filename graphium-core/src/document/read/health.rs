//! Health checks.

use super::super::{code::Code, node::Node, object::Object, reader::Reader, schema};
use crate::stack::{HealthCheck, HealthTest, Port};
use json_syntax::Value;
use std::time::Duration;

impl Reader<'_> {
    /// Reads a health check; `ports` are the container's, for a check that names none.
    pub(super) fn health_check(&mut self, node: Node<'_>, ports: &[Port]) -> Option<HealthCheck> {
        let object = self.object(node, &schema::HEALTH_CHECK)?;
        let interval = self.wait_of(&object, "interval");
        let timeout = self.wait_of(&object, "timeout");
        let retries = self.integer_of(&object, "retries");
        let start_period = self.wait_of(&object, "startPeriod");
        let test = self.health_test(&object, ports)?;
        Some(HealthCheck { test, interval, timeout, retries, start_period })
    }

    /// A time of a check: none, which is the engine's default, or at least a millisecond.
    fn wait_of(&mut self, object: &Object<'_>, name: &str) -> Option<Duration> {
        let time = self.duration_of(object, name)?;
        let node = object.get(name)?;
        if !time.is_zero() && time < Duration::from_millis(1) {
            let message = "this is shorter than a millisecond, the least that an engine takes";
            self.error(Code::BadDuration, node, message, "write seconds, or units as in \"500ms\"");
        }
        Some(time)
    }

    fn health_test(&mut self, object: &Object<'_>, ports: &[Port]) -> Option<HealthTest> {
        let has = |key| object.get(key).is_some();
        let word = match object.get("type") {
            Some(_) => self.word_of(object, "type")?,
            None if has("command") => "exec",
            None if has("path") => "http",
            None if has("port") => "tcp",
            None => {
                let help = "add `type`, and `command`, `path` or `port`";
                self.error(Code::MissingKey, object.node, "this health check checks nothing", help);
                return None;
            }
        };
        self.refuse_strays(object, word);
        Some(match word {
            "http" => {
                let path = self.text_of(object, "path").unwrap_or_else(|| "/".to_owned());
                let headers = self.text_map_of(object, "headers");
                HealthTest::Http { path, port: self.checked_port(object, ports)?, headers }
            }
            "tcp" => HealthTest::Tcp { port: self.checked_port(object, ports)? },
            "grpc" => HealthTest::Grpc { port: self.checked_port(object, ports)? },
            "none" => HealthTest::None,
            _ => {
                let Some(command) = object.get("command") else {
                    self.error(Code::MissingKey, object.node, "this health check has no command", "add `command`");
                    return None;
                };
                self.health_command(command)?
            }
        })
    }

    /// What says nothing for this type of check would be lost in silence.
    fn refuse_strays(&mut self, object: &Object<'_>, word: &str) {
        let taken: &[&str] = match word {
            "http" => &["path", "port", "headers"],
            "tcp" | "grpc" => &["port"],
            "none" => &[],
            _ => &["command"],
        };
        for key in ["command", "path", "port", "headers"] {
            if let Some(node) = object.get(key).filter(|_| !taken.contains(&key)) {
                let message = format!("`{key}` has no meaning for a health check of type `{word}`");
                self.error(Code::UnknownKey, node, message, "remove it, or change `type`");
            }
        }
    }

    fn checked_port(&mut self, object: &Object<'_>, ports: &[Port]) -> Option<u16> {
        if object.get("port").is_some() {
            return self.port_of(object, "port");
        }
        if let [port] = ports {
            return Some(port.container_port);
        }
        let help = "add `port`, the container's own";
        self.error(Code::MissingKey, object.node, "this health check has no port", help);
        None
    }

    /// An array runs as it is; `CMD-SHELL`, or a string, runs in the container's shell, as the engine has it.
    fn health_command(&mut self, node: Node<'_>) -> Option<HealthTest> {
        if let Value::String(line) = node.value() {
            let command = self.fill(node, line.as_str())?.into_owned();
            let canonical = "write [\"CMD-SHELL\", \"…\"], or an array without a shell";
            return self
                .older_form(node, "a health check as one string", canonical)
                .then_some(HealthTest::Shell { command });
        }
        if !matches!(node.value(), Value::Array(_)) {
            self.wrong_type(node, "an array of strings", "");
            return None;
        }
        let words: Vec<Option<String>> = node.elements().map(|word| self.text(word)).collect();
        let mut words = words.into_iter().collect::<Option<Vec<String>>>()?;
        match words.first().map(String::as_str) {
            Some("NONE") if words.len() == 1 => Some(HealthTest::None),
            Some("CMD-SHELL") if words.len() == 2 => words.pop().map(|command| HealthTest::Shell { command }),
            Some("CMD-SHELL") => {
                let help = "write [\"CMD-SHELL\", \"the whole line\"]";
                self.error(Code::BadForm, node, "`CMD-SHELL` takes one line", help);
                None
            }
            Some("CMD") if words.len() > 1 => {
                words.remove(0);
                Some(HealthTest::Exec { command: words })
            }
            Some(first) if first != "CMD" => Some(HealthTest::Exec { command: words }),
            _ => {
                self.error(Code::BadForm, node, "this command is empty", "write [\"CMD\", \"program\", \"argument\"]");
                None
            }
        }
    }
}
