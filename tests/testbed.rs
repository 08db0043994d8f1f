//! The testbed gives what it promises, and takes all of it back. Needs root, and fails where it cannot run.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test fails by panicking and may say how long it took"
)]

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig, PortBinding};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, StartContainerOptions, StopContainerOptions,
};
use graphium_server::testbed::{TestHost, Testbed, TestbedOptions, images, requirements};

const PORT: u16 = 8080;

async fn start() -> Testbed {
    if let Err(missing) = requirements() {
        panic!("this machine cannot run a testbed:\n{}", missing.join("\n"));
    }
    let clock = Instant::now();
    let testbed = Testbed::start(TestbedOptions::default()).await.unwrap();
    eprintln!("started in {:?}", clock.elapsed());
    testbed
}

async fn run(docker: &Docker, name: &str, image: &str) {
    let binding = PortBinding { host_ip: None, host_port: Some(PORT.to_string()) };
    let ports = HashMap::from([("80/tcp".into(), Some(vec![binding]))]);
    let host_config = HostConfig { port_bindings: Some(ports), ..HostConfig::default() };
    let body = ContainerCreateBody {
        image: Some(image.into()),
        host_config: Some(host_config),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptionsBuilder::new().name(name).build();
    docker.create_container(Some(options), body).await.unwrap();
    docker.start_container(name, None::<StartContainerOptions>).await.unwrap();
}

/// Asks until there is an answer or two seconds have passed, and returns status and body.
async fn get(url: &str) -> Option<(u16, String)> {
    graphium_server::tls::ready();
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(3)).build().unwrap();
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        match client.get(url).send().await {
            Ok(answer) => return Some((answer.status().as_u16(), answer.text().await.unwrap())),
            Err(_) if Instant::now() > deadline => return None,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

fn health(host: &TestHost) -> String {
    format!("http://{}:{PORT}/health", host.address())
}

/// Asks once. A host that was cut off does not even refuse.
async fn is_silent(host: &TestHost) -> bool {
    graphium_server::tls::ready();
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_millis(300)).build().unwrap();
    client.get(health(host)).send().await.is_err()
}

async fn is_healthy(host: &TestHost) -> bool {
    get(&health(host)).await == Some((200, "ok\n".into()))
}

/// What the container on `host` gets when it asks for `url`.
async fn fetch_from(host: &TestHost, url: &str) -> (u16, String) {
    get(&format!("http://{}:{PORT}/fetch?url={url}", host.address())).await.unwrap()
}

/// The names by which to recognise what belongs to a testbed.
struct Traces {
    name: String,
    dir: String,
}

impl Traces {
    fn of(testbed: &Testbed) -> Self {
        let host = &testbed.hosts()[0];
        let name = host.netns().strip_suffix(host.name()).unwrap().trim_end_matches('-').to_owned();
        let dir = host.socket().parent().unwrap().parent().unwrap().display().to_string();
        Self { name, dir }
    }

    /// Its namespaces, devices, processes, mounts, cgroups and directories on this machine.
    fn found(&self) -> Vec<String> {
        let paths = |dir: &str| {
            fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path().display().to_string())
        };
        let named =
            |path: &String| path.ends_with(&format!("/{}", self.name)) || path.contains(&format!("/{}-", self.name));
        let command_line = |process: String| fs::read_to_string(format!("{process}/cmdline")).ok();
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let cgroups = paths("/sys/fs/cgroup").flat_map(|hierarchy| paths(&hierarchy).collect::<Vec<_>>());

        let mut found: Vec<String> =
            paths("/run/netns").chain(paths("/sys/class/net")).chain(cgroups).filter(named).collect();
        found.extend(paths("/proc").filter_map(command_line).filter(|line| named(line) || line.contains(&self.dir)));
        found.extend(mounts.lines().filter(|line| line.contains(&self.dir)).map(str::to_owned));
        found.extend(fs::exists(&self.dir).unwrap().then(|| self.dir.clone()));
        found
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_engines_serve_fail_recover_and_vanish() {
    let testbed = start().await;
    let traces = Traces::of(&testbed);
    assert!(traces.found().len() > 10, "a testbed that runs leaves traces: {:?}", traces.found());
    let [first, second, third] = testbed.hosts() else { panic!("three hosts") };

    // Of two layers: the engine checks that both are what the image says.
    testbed.load(&images::web("web:1").unwrap().with_ballast(100_000)).await.unwrap();
    let mut engines = HashMap::new();
    let mut image_ids = HashMap::new();
    for host in testbed.hosts() {
        let docker = host.docker().unwrap();
        let info = docker.info().await.unwrap();
        assert_eq!(info.name.as_deref(), Some(host.name()));
        engines.insert(info.id, ());
        image_ids.insert(docker.inspect_image("web:1").await.unwrap().id, ());
        run(&docker, "web", "web:1").await;
        assert!(is_healthy(host).await, "seen from the root namespace");
    }
    assert_eq!((engines.len(), image_ids.len()), (3, 1), "engines differ, images do not");

    assert_eq!(fetch_from(first, &health(second)).await.0, 200);
    assert_eq!(fetch_from(second, &health(third)).await.0, 200);
    let control = fetch_from(first, &format!("http://{}:1/", testbed.uplink())).await.1;
    assert!(control.contains("refused"), "a container reaches the root namespace: {control}");

    second.partition().await.unwrap();
    assert_eq!(fetch_from(first, &health(second)).await.0, 502);
    assert!(is_silent(second).await);
    assert_eq!(fetch_from(first, &health(third)).await.0, 200, "the others go on");
    second.heal().await.unwrap();
    assert_eq!(fetch_from(first, &health(second)).await.0, 200);

    let docker = first.docker().unwrap();
    first.pause_engine().await.unwrap();
    assert!(
        tokio::time::timeout(Duration::from_millis(300), docker.ping()).await.is_err(),
        "a frozen engine does not answer"
    );
    first.resume_engine().await.unwrap();
    docker.ping().await.unwrap();
    first.pause_engine().await.unwrap();
    first.kill_engine().await.unwrap();
    assert!(is_healthy(first).await, "containers outlive their engine");
    assert!(first.pause_engine().await.is_err(), "what is down cannot be paused");
    first.start_engine().await.unwrap();
    first.restart_engine().await.unwrap();
    docker.start_container("web", None::<StartContainerOptions>).await.unwrap();
    assert!(is_healthy(first).await);

    let clock = Instant::now();
    docker.stop_container("web", None::<StopContainerOptions>).await.unwrap();
    assert!(clock.elapsed() < Duration::from_secs(3), "the web image stops at once, not in {:?}", clock.elapsed());

    third.power_off().await.unwrap();
    assert!(is_silent(third).await);
    third.power_on().await.unwrap();
    let container = third.docker().unwrap().inspect_container("web", None::<InspectContainerOptions>).await.unwrap();
    assert_eq!(container.state.unwrap().running, Some(false), "the disk survives a power cut, and nothing else");

    let clock = Instant::now();
    testbed.stop().await.unwrap();
    eprintln!("stopped in {:?}", clock.elapsed());
    assert_eq!(traces.found(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_answers_and_a_dropped_testbed_vanishes() {
    let testbed = start().await;
    let traces = Traces::of(&testbed);
    let host = &testbed.hosts()[0];
    let docker = host.docker().unwrap();
    images::nginx_alpine().unwrap().load(&docker).await.unwrap();
    run(&docker, "nginx", "nginx:alpine").await;
    let (status, body) = get(&format!("http://{}:{PORT}/", host.address())).await.unwrap();
    assert_eq!(status, 200);
    assert!(body.contains("Welcome to nginx"));

    let clock = Instant::now();
    drop(testbed);
    eprintln!("dropped in {:?}", clock.elapsed());
    assert_eq!(traces.found(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_an_owner_that_is_killed() {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "an_owner_to_be_killed", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.into_iter().find_map(|line| Some(line.strip_prefix("traces ")?.to_owned())).unwrap();
    let (name, dir) = line.split_once(' ').unwrap();
    let traces = Traces { name: name.into(), dir: dir.into() };
    owner.kill().unwrap();
    owner.wait().unwrap();

    let deadline = Instant::now() + Duration::from_secs(5);
    while traces.found().iter().any(|trace| trace.contains("dockerd")) {
        assert!(Instant::now() < deadline, "engines outlive their owner: {:?}", traces.found());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Testbed::sweep().await.unwrap();
    assert_eq!(traces.found(), Vec::<String>::new());
}

#[tokio::test]
#[ignore = "never ends: `nothing_outlives_an_owner_that_is_killed` runs it"]
async fn an_owner_to_be_killed() {
    let testbed = start().await;
    let Traces { name, dir } = Traces::of(&testbed);
    testbed.load(&images::web("web:1").unwrap()).await.unwrap();
    run(&testbed.hosts()[0].docker().unwrap(), "web", "web:1").await;
    println!("\ntraces {name} {dir}");
    std::future::pending::<()>().await;
}
