//! The program as a service: what it tells systemd, and what it brings for shells and `man`.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "cli_home.rs"]
mod home;

use home::{Home, code, stderr, stdout};
use std::{
    fs,
    os::unix::net::UnixDatagram,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A service manager that listens.
struct Manager(UnixDatagram);

impl Manager {
    fn new(home: &Home) -> Self {
        let socket = UnixDatagram::bind(home.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(socket)
    }

    /// Has a program started under it, watched every so many milliseconds.
    fn start(&self, home: &Home, args: &[&str], watchdog: u64) -> Service {
        let mut command: Command = home.graphium(args);
        command.env("NOTIFY_SOCKET", home.path().join("notify"));
        command.env("WATCHDOG_USEC", (watchdog * 1000).to_string());
        command.env("TOKEN", format!("gph_{}", "0".repeat(64)));
        Service(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// The next words.
    fn heard(&self) -> String {
        let mut buffer = [0; 1024];
        let length = self.0.recv(&mut buffer).expect("the program says nothing");
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// The next words that begin so, past others.
    fn hears(&self, beginning: &str) -> String {
        for _ in 0..100 {
            let words = self.heard();
            if words.starts_with(beginning) {
                return words;
            }
        }
        panic!("nothing that begins with `{beginning}`");
    }
}

struct Service(Child);

impl Service {
    fn signal(&self, name: &str) {
        let killed = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

#[test]
fn a_server_says_when_it_is_ready_that_it_lives_and_that_it_ends() {
    let home = Home::new();
    let manager = Manager::new(&home);
    let mut server = manager.start(&home, &["server", "--listen", "127.0.0.1:0"], 900);
    let ready = manager.heard();
    let url = ready.strip_prefix("READY=1\nSTATUS=listens on ").unwrap_or_else(|| panic!("{ready}"));
    // What it says is so: somebody is there.
    std::net::TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    let begun = Instant::now();
    for _ in 0..4 {
        assert_eq!(manager.heard(), "WATCHDOG=1");
    }
    assert!(begun.elapsed() >= Duration::from_millis(600), "more often than it was asked for");
    // One that stands still says nothing.
    server.signal("STOP");
    manager.0.set_nonblocking(true).unwrap();
    while manager.0.recv(&mut [0; 64]).is_ok() {}
    std::thread::sleep(Duration::from_secs(1));
    assert!(manager.0.recv(&mut [0; 64]).is_err(), "it stands still and says that it lives");
    manager.0.set_nonblocking(false).unwrap();
    server.signal("CONT");
    manager.hears("WATCHDOG=1");
    server.signal("TERM");
    assert_eq!(manager.hears("STOPPING=1"), "STOPPING=1\nSTATUS=stopping");
    assert!(server.0.wait().unwrap().success());
}

#[test]
fn an_agent_without_its_server_lives_and_says_what_is_wrong() {
    let home = Home::new();
    let manager = Manager::new(&home);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let engine = format!("unix://{}", home.path().join("no.sock").display());
    let args = ["--server", &url, "agent", "--host-id", "vm1", "--docker", &engine];
    let mut agent = manager.start(&home, &args, 900);
    assert_eq!(manager.heard(), "READY=1\nSTATUS=serves host vm1");
    let told = manager.hears("STATUS=");
    assert!(told.contains("trying again"), "{told}");
    manager.hears("WATCHDOG=1");
    agent.signal("TERM");
    manager.hears("STOPPING=1");
    agent.0.wait().unwrap();
}

#[test]
fn shells_complete_every_command() {
    let home = Home::new();
    for (shell, has) in [("bash", "complete -F"), ("zsh", "#compdef graphium"), ("fish", "complete -c graphium")] {
        let output = home.run(&["completions", shell]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let script = stdout(&output);
        assert!(script.contains(has), "{shell}: {script}");
        for word in ["deploy", "offline-after", "rollback", "orphans", "drain"] {
            assert!(script.contains(word), "{shell}: `{word}`");
        }
    }
    let script = home.file("graphium.bash", &stdout(&home.run(&["completion", "bash"])));
    // Bash itself reads it, and completes what was begun.
    let asked = format!(
        "source {}; COMP_WORDS=(graphium stack de); COMP_CWORD=2; COMP_LINE='graphium stack de'; _graphium graphium de stack; \
         echo \"${{COMPREPLY[@]}}\"",
        script.display()
    );
    let output = Command::new("bash").args(["--norc", "-c", &asked]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "deploy", "{}", stderr(&output));
    assert_eq!(code(&home.run(&["completions", "tcsh"])), 2);
}

#[test]
fn every_command_has_a_page() {
    let home = Home::new();
    let output = home.run(&["man", "pages/man1"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let folder = home.path().join("pages/man1");
    let page = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let first = page("graphium.1");
    let commands: Vec<&str> =
        first.lines().filter_map(|line| line.strip_prefix("graphium\\-")?.strip_suffix("(1)")).collect();
    assert!(commands.len() > 20, "{commands:?}\n{first}");
    for command in commands {
        let text = page(&format!("graphium-{}.1", command.replace('\\', "")));
        assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{command}");
    }
    assert!(page("graphium-stack-deploy.1").contains("\\-\\-wait"));
    home.file("taken", "");
    let refused = home.run(&["man", "taken"]);
    assert_eq!(code(&refused), 1);
    assert!(stderr(&refused).contains("`taken`"), "{}", stderr(&refused));
}
