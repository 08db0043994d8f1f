use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bollard::Docker;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::TestbedError;
use super::command::{blocking, command, run};
use super::machine::Machine;

const POLL: Duration = Duration::from_millis(10);
const LOG_LINES: usize = 12;

/// The files of an engine and what sets it apart from the others.
#[derive(Debug, Clone)]
pub(super) struct EngineFiles {
    pub(super) host: String,
    pub(super) dir: PathBuf,
    pub(super) bridge: String,
    pub(super) cgroup: String,
    /// Networks whose registries may speak plain HTTP.
    pub(super) plain_registries: Vec<String>,
}

impl EngineFiles {
    pub(super) fn socket(&self) -> PathBuf {
        self.dir.join("docker.sock")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("dockerd.log")
    }

    fn pid_file(&self) -> PathBuf {
        self.dir.join("docker.pid")
    }

    fn config_file(&self) -> PathBuf {
        self.dir.join("dockerd.json")
    }

    pub(super) fn write(&self) -> Result<(), TestbedError> {
        let config = json!({
            "hosts": [format!("unix://{}", self.socket().display())],
            "data-root": self.dir.join("data"),
            "exec-root": "/run/docker",
            "pidfile": self.pid_file(),
            "bip": self.bridge,
            "cgroup-parent": self.cgroup,
            "insecure-registries": self.plain_registries,
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            // One process per published port, for nothing but 127.0.0.1 on the host itself.
            "userland-proxy": false,
        });
        fs::create_dir_all(&self.dir)
            .and_then(|()| fs::write(self.config_file(), config.to_string()))
            .map_err(TestbedError::io(format!("write {}", self.config_file().display())))
    }

    fn error(&self, problem: impl Into<String>) -> TestbedError {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        TestbedError::Engine { host: self.host.clone(), problem: problem.into(), log: end_of(&log) }
    }
}

/// The last lines of a log; where a program of Go has broken off at its end, those that say why, before all that was under way.
fn end_of(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let is_cause = |line: &&str| line.starts_with("panic: ") || line.starts_with("fatal error: ");
    let is_log = |line: &&str| line.starts_with("time=");
    let cause = lines.iter().rposition(is_cause).filter(|&at| !lines[at..].iter().any(is_log));
    let start = cause.unwrap_or(lines.len().saturating_sub(LOG_LINES));
    lines[start..].iter().take(LOG_LINES).copied().collect::<Vec<_>>().join("\n")
}

/// A running `dockerd`, seen through the `nsenter` that waits for it.
#[derive(Debug)]
pub(super) struct Engine {
    nsenter: Child,
    pid: String,
}

impl Engine {
    /// Starts an engine and waits until it answers.
    pub(super) async fn start(
        machine: &Machine,
        files: &EngineFiles,
        deadline: Duration,
    ) -> Result<Self, TestbedError> {
        let _ = fs::remove_file(files.pid_file()); // of an engine that was killed
        let open = || OpenOptions::new().create(true).append(true).open(files.log());
        let log = open().map_err(TestbedError::io(format!("open {}", files.log().display())))?;
        let mut dockerd = machine.command("dockerd");
        dockerd.arg("--config-file").arg(files.config_file()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let nsenter = dockerd.spawn().map_err(TestbedError::io("start `dockerd`"))?;
        let mut engine = Self { nsenter, pid: String::new() };
        let answered = engine.await_answer(files, deadline).await;
        // The engine writes its process id before all else; none is there if it is gone already.
        engine.pid = fs::read_to_string(files.pid_file()).unwrap_or_default().trim().to_owned();
        if answered.is_err() {
            let _ = engine.signal(machine, "-KILL").await;
        }
        answered.map(|()| engine)
    }

    async fn await_answer(&mut self, files: &EngineFiles, deadline: Duration) -> Result<(), TestbedError> {
        let answered = timeout(deadline, async {
            while !answers(&files.socket()).await {
                if let Ok(Some(status)) = self.nsenter.try_wait() {
                    return Err(files.error(format!("ended at once ({status})")));
                }
                sleep(POLL).await;
            }
            Ok(())
        });
        answered.await.unwrap_or_else(|_| Err(files.error(format!("did not answer within {deadline:?}"))))
    }

    /// Sends a signal to the engine alone: its containers, their shims and `containerd` are other processes.
    pub(super) async fn signal(&self, machine: &Machine, signal: &'static str) -> Result<(), TestbedError> {
        let mut kill = machine.command("kill");
        kill.args([signal, &self.pid]);
        blocking(move || run(&mut kill)).await?;
        // `nsenter` stops when its child does, and has to be woken to see what became of it.
        let mut wake: Command = command("kill");
        wake.args(["-CONT", &self.nsenter.id().to_string()]);
        if signal != "-STOP" {
            blocking(move || run(&mut wake)).await?;
        }
        Ok(())
    }

    /// Waits for its end.
    pub(super) async fn wait(&mut self, files: &EngineFiles, deadline: Duration) -> Result<(), TestbedError> {
        let end = Instant::now() + deadline;
        while let Ok(None) = self.nsenter.try_wait() {
            if Instant::now() > end {
                return Err(files.error(format!("did not end within {deadline:?}")));
            }
            sleep(POLL).await;
        }
        Ok(())
    }
}

impl Drop for Engine {
    /// Reaps `nsenter`. Who wants `dockerd` dead has signalled it, or switched its host off.
    fn drop(&mut self) {
        let _ = self.nsenter.kill();
        let _ = self.nsenter.wait();
    }
}

async fn answers(socket: &Path) -> bool {
    let Ok(docker) = Docker::connect_with_unix(&socket.to_string_lossy(), 5, bollard::API_DEFAULT_VERSION) else {
        return false; // the socket is not there yet
    };
    // It listens before it serves.
    matches!(timeout(Duration::from_secs(1), docker.ping()).await, Ok(Ok(_)))
}

#[cfg(test)]
mod tests {
    use super::{LOG_LINES, end_of};

    #[test]
    fn the_end_of_a_log_says_why_an_engine_has_broken_off() {
        let before = "time=1 level=info\n".repeat(30);
        let trace = "goroutine 1 [running]:\nmain.main()\n".repeat(30);
        let broken = end_of(&format!("{before}panic: no such page\n\n{trace}"));
        assert!(broken.starts_with("panic: no such page\n") && broken.lines().count() == LOG_LINES, "{broken}");
        let later = format!("panic: long ago\n{before}time=2 level=fatal");
        assert!(end_of(&later).ends_with("\ntime=2 level=fatal") && !end_of(&later).contains("panic"));
        assert_eq!(end_of("one\ntwo"), "one\ntwo");
    }
}
