#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on should stop, and say why")]
//! An engine behind SSH, with a server of its own on this machine. `GRAPHIUM_TEST_DOCKER` names the engine; `docker`, `ssh`,
//! `ssh-keygen` and `sshd` must be there, and this must run as root.

use graphium_core::runtime::{ContainerRuntime, NetworkSpec, RuntimeError};
use graphium_docker::{DockerRuntime, Endpoint};
use std::{
    env, fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command},
    thread,
    time::Duration,
};

const SSHD: &str = "/usr/sbin/sshd";
/// The variable that tells where it listens.
const PORT: &str = "GRAPHIUM_TEST_SSH_PORT";

/// A server that leads to an engine, and what its clients are to know.
struct Server {
    sshd: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Server {
    fn start(engine: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let at = |name: &str| folder.path().join(name).display().to_string();
        for key in ["host", "user"] {
            run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &at(key)]);
        }
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("there is a port").port();
        let server = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\n\
             StrictModes no\nPermitRootLogin prohibit-password\nMaxStartups 100\nSetEnv DOCKER_HOST={engine}\n",
            at("host"),
            at("user.pub"),
        );
        // It is known as `engine` and by no other name.
        let names =
            ["engine", "stranger"].map(|name| format!("Host {name}\n  HostName 127.0.0.1\n  HostKeyAlias {name}\n"));
        let client = format!("IdentityFile {}\nUserKnownHostsFile {}\n{}", at("user"), at("known"), names.concat());
        let key = fs::read_to_string(at("host.pub")).expect("the key was made");
        let script = format!("#!/bin/sh\nexec /usr/bin/ssh -F {} \"$@\"\n", at("client.conf"));
        for (name, text) in
            [("sshd.conf", server), ("client.conf", client), ("known", format!("engine {key}")), ("ssh", script)]
        {
            fs::write(at(name), text).expect("a file can be written");
        }
        fs::set_permissions(at("ssh"), fs::Permissions::from_mode(0o755)).expect("it can be made a program");
        // Where it has no rights, which its package makes when its service starts.
        fs::create_dir_all("/run/sshd").expect("this runs as root");
        let sshd = Command::new(SSHD).args(["-D", "-e", "-f", &at("sshd.conf")]).spawn().expect("`sshd` is installed");
        let this = Self { sshd, port, folder };
        assert!((0..200).any(|_| is_open(port)), "`sshd` does not listen");
        this
    }

    /// Where programs are found, its `ssh` first.
    fn path(&self) -> String {
        format!("{}:{}", self.folder.path().display(), env::var("PATH").unwrap_or_default())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
    }
}

fn is_open(port: u16) -> bool {
    thread::sleep(Duration::from_millis(50));
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn an_engine_behind_ssh_is_one_like_others_and_one_that_is_not_there_says_why() {
    let Ok(engine) = env::var("GRAPHIUM_TEST_DOCKER") else {
        panic!("no engine to test: set GRAPHIUM_TEST_DOCKER to one that may be used for tests, or run `tests/run`")
    };
    assert!(Path::new(SSHD).exists(), "install openssh-server, or run `tests/run`");
    let server = Server::start(&engine);
    // The path is the process's own, so what needs another is another process.
    let child = Command::new(env::current_exe().expect("a program knows itself"))
        .args(["--exact", "over_ssh", "--ignored", "--nocapture"])
        .envs([("PATH", server.path()), (PORT, server.port.to_string())])
        .output()
        .expect("the test can be started");
    let said = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "`an_engine_behind_ssh_is_one_like_others_and_one_that_is_not_there_says_why` runs it"]
async fn over_ssh() {
    let at = |text: &str| DockerRuntime::connect(text.parse::<Endpoint>().expect("an endpoint"));
    let port = env::var(PORT).expect("the server's port is told");
    let engine = format!("ssh://root@engine:{port}");
    let docker = at(&engine);
    let info = docker.info().await.expect("the engine answers");
    assert_eq!(info.endpoint, engine);
    assert!(info.capabilities.platforms.is_empty(), "of another machine nobody knows what it emulates");
    let network =
        NetworkSpec { name: "graphium-over-ssh".to_owned(), network: Default::default(), labels: Default::default() };
    docker.create_network(&network).await.expect("a network can be made");
    let owned = docker.owned().await.expect("the engine answers").networks;
    assert!(owned.iter().any(|(name, _)| *name == network.name));
    // Several at a time, each over a connection of its own.
    let (one, two, three) = tokio::join!(docker.list(), docker.list(), docker.inspect("graphium-absent"));
    assert!(one.is_ok() && two.is_ok() && three == Ok(None));
    docker.remove_network(&network.name).await.expect("it can be removed");
    // However many there were, only some are kept.
    let many = futures::future::join_all((0..12).map(|_| docker.list())).await;
    assert!(many.iter().all(Result::is_ok), "{many:?}");
    for _ in 0..100 {
        if lines() <= 4 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(lines() <= 4, "{} connections are kept", lines());

    for (endpoint, words) in [
        ("ssh://nowhere.invalid".to_owned(), "ssh: Could not resolve hostname nowhere.invalid"),
        (format!("ssh://root@stranger:{port}"), "Host key verification failed."),
    ] {
        let away = at(&endpoint).info().await;
        let Err(RuntimeError::Unreachable { endpoint: of, reason }) = away else { panic!("{away:?}") };
        assert!(of == *endpoint && reason.starts_with(words), "{of}: {reason}");
    }
}

/// How many processes of `ssh` there are: this one's children that have not ended.
fn lines() -> usize {
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").expect("processes can be listed").filter_map(Result::ok);
    let stats = processes.filter_map(|process| fs::read_to_string(process.path().join("stat")).ok());
    // After the name, which may hold anything: the state and the parent.
    let is_child = |stat: &String| {
        let mut words = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        words.next() != Some("Z") && words.next() == Some(&own)
    };
    stats.filter(is_child).count()
}
