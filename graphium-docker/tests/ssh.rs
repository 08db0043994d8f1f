#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on should stop, and say why")]
//! An engine behind SSH: `ssh` is a script of ours that does on this machine what it is to do on another, so all but the
//! encryption is as it will be. `GRAPHIUM_TEST_DOCKER` names the engine; `docker` must be there.

use graphium_core::runtime::{ContainerRuntime, NetworkSpec, RuntimeError};
use graphium_docker::{DockerRuntime, Endpoint};
use std::{env, fs, os::unix::fs::PermissionsExt as _, process::Command};

/// Leads to one host alone.
const SSH: &str = r#"#!/bin/sh
while [ "$1" != "--" ]; do shift; done
[ "$2" = engine ] || { echo "a warning" >&2; echo "ssh: Could not resolve hostname $2" >&2; exit 255; }
shift 2
exec "$@"
"#;

#[test]
fn an_engine_behind_ssh_is_one_like_others_and_one_that_is_not_there_says_why() {
    let Ok(engine) = env::var("GRAPHIUM_TEST_DOCKER") else {
        panic!("no engine to test: set GRAPHIUM_TEST_DOCKER to one that may be used for tests, or run `tests/run`")
    };
    let folder = env::temp_dir().join(format!("graphium-ssh-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder can be made");
    fs::write(folder.join("ssh"), SSH).expect("a script can be written");
    fs::set_permissions(folder.join("ssh"), fs::Permissions::from_mode(0o755)).expect("it can be made a program");
    let path = format!("{}:{}", folder.display(), env::var("PATH").unwrap_or_default());
    // The path is the process's own, so what needs another is another process.
    let child = Command::new(env::current_exe().expect("a program knows itself"))
        .args(["--exact", "over_ssh", "--ignored", "--nocapture"])
        .envs([("PATH", path), ("DOCKER_HOST", engine)])
        .output()
        .expect("the test can be started");
    let said = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    fs::remove_dir_all(&folder).expect("the folder can be removed");
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "`an_engine_behind_ssh_is_one_like_others_and_one_that_is_not_there_says_why` runs it"]
async fn over_ssh() {
    let at = |text: &str| DockerRuntime::connect(text.parse::<Endpoint>().expect("an endpoint"));
    let docker = at("ssh://me@engine:2222");
    let info = docker.info().await.expect("the engine answers");
    assert_eq!(info.endpoint, "ssh://me@engine:2222");
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
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(lines() <= 4, "{} connections are kept", lines());

    let away = at("ssh://nowhere").info().await;
    let Err(RuntimeError::Unreachable { endpoint, reason }) = away else { panic!("{away:?}") };
    assert_eq!((&*endpoint, &*reason), ("ssh://nowhere", "ssh: Could not resolve hostname nowhere"));
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
