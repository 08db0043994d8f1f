//! `graphium stack logs`, as a person and a program read it.

use super::{World, code, json, stderr, stdout};
use graphium_core::{
    runtime::{LogSource, RuntimeError},
    testing::{FakeRuntime, Operation, Program},
};
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};
use tokio::task::spawn_blocking;

/// A stack of two containers that have said something.
async fn world() -> World {
    let world = World::start().await;
    world.engines[0].set_program("db:1", Program::runs().saying(["one", "two"]).complaining(["oh"]));
    world.engines[1].set_program("web:1", Program::runs().saying(["hello"]));
    world.engines[1].set_program("web:2", Program::runs().saying(["hello anew"]));
    deploy(&world, "web:1").await;
    world
}

async fn deploy(world: &World, web: &str) {
    let file = world.document("shop", &[("db", "db:1", "vm1"), ("web", web, "vm2")]);
    let output = world.run(&["stack", "deploy", &file, "--wait", "--timeout", "30s"]).await;
    assert_eq!(code(&output), 0, "{}", stderr(&output));
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// A command that goes on, and its lines as they come.
struct Followed {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
}

impl Followed {
    fn start(world: &World, args: &[&str]) -> Self {
        let mut child = world.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = lines(child.stdout.take().unwrap());
        let err = lines(child.stderr.take().unwrap());
        Self { child, out, err }
    }

    async fn line(&self) -> String {
        next(&self.out, &self.err).await
    }

    async fn note(&self) -> String {
        next(&self.err, &self.out).await
    }

    async fn kill(mut self) {
        self.child.kill().unwrap();
        spawn_blocking(move || self.child.wait().unwrap()).await.unwrap();
    }

    async fn end(mut self) -> i32 {
        spawn_blocking(move || self.child.wait().unwrap().code().unwrap()).await.unwrap()
    }
}

fn lines(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        // Whoever does not listen any more has heard enough.
        BufReader::new(stream).lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
    });
    receiver
}

async fn next(wanted: &Receiver<String>, other: &Receiver<String>) -> String {
    for _ in 0..500 {
        if let Ok(line) = wanted.try_recv() {
            return line;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nothing came for 10 s; elsewhere: {:?}", other.try_iter().collect::<Vec<_>>());
}

fn write(engine: &FakeRuntime, container: &str, text: &str) {
    engine.write(container, LogSource::Stdout, text.as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_of_several_bear_their_names_and_of_one_they_do_not() {
    let world = world().await;
    let output = world.run(&["stack", "logs", "shop"]).await;
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    assert_eq!(sorted(&stdout(&output)), ["db | oh", "db | one", "db | two", "web | hello"]);
    assert_eq!(world.stdout(&["stack", "logs", "stack:shop", "--container", "web"]).await, "hello\n");
    assert_eq!(sorted(&world.stdout(&["stack", "logs", "shop", "-n", "1"]).await), ["db | oh", "web | hello"]);
    let both = world.stdout(&["stack", "logs", "shop", "-c", "web", "-c", "db"]).await;
    assert_eq!(both.lines().count(), 4, "{both}");
    assert_eq!(world.stdout(&["stack", "logs", "shop", "--since", "2100-01-01T00:00:00Z"]).await, "");
    let timed = world.stdout(&["stack", "logs", "shop", "-c", "web", "-t"]).await;
    let (time, text) = timed.trim_end().split_once(' ').unwrap();
    assert!(time.parse::<jiff::Timestamp>().is_ok() && text == "hello", "{timed}");

    let text = world.stdout(&["stack", "logs", "shop", "-o", "json"]).await;
    let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 4, "{text}");
    let complaint = objects.iter().find(|object| object["stream"] == "stderr").unwrap();
    assert_eq!(
        (&complaint["container"], &complaint["host"], &complaint["text"]),
        (&"db".into(), &"vm1".into(), &"oh".into())
    );
    assert!(complaint["time"].is_string());
    world.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_told_with_what_there_is() {
    let world = world().await;
    let output = world.run(&["stack", "logs", "none", "-o", "json"]).await;
    assert_eq!((code(&output), &json(&output)["error"]["code"]), (1, &"not-found".into()));
    let output = world.run(&["stack", "logs", "shop", "-c", "cache", "--follow"]).await;
    assert_eq!(code(&output), 1);
    assert_eq!(stderr(&output), "error: stack `shop` has no container `cache`\nhint: it has db, web\n");
    let output = world.run(&["stack", "logs", "shop", "--since", "yesterday"]).await;
    assert!(code(&output) == 2 && stderr(&output).contains("write it like 10m"), "{}", stderr(&output));
    // What was seen and is gone is one failure of several, and the others are read.
    world.engines[0]
        .fail_next(Operation::Logs, RuntimeError::Refused("the log driver `none` keeps nothing".to_owned()));
    let output = world.run(&["stack", "logs", "shop"]).await;
    assert_eq!((code(&output), stdout(&output).as_str()), (1, "web | hello\n"), "{}", stderr(&output));
    let told = stderr(&output);
    assert!(
        told.contains("error: 1 of 2 logs were not read to their end\n  db: ") && told.contains("log driver"),
        "{told}"
    );
    world.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn following_goes_on_over_a_break_a_restart_and_an_update_and_ends_with_the_stack() {
    let world = world().await;
    let followed = Followed::start(&world, &["stack", "logs", "shop", "-f", "--container", "web"]);
    assert_eq!(followed.line().await, "hello");
    write(&world.engines[1], "shop-web", "live\n");
    assert_eq!(followed.line().await, "live");

    // The engine goes away and comes back: nothing is left out, and nothing comes twice.
    world.engines[1].disconnect();
    assert!(followed.note().await.contains("does not answer"));
    write(&world.engines[1], "shop-web", "meanwhile\n");
    world.engines[1].reconnect();
    assert_eq!(followed.line().await, "meanwhile");
    assert_eq!(followed.note().await, "web: goes on");

    deploy(&world, "web:2").await;
    assert_eq!(followed.line().await, "hello anew");
    let told = followed.note().await;
    assert!(told.starts_with("web: container `shop-web` "), "{told}");
    write(&world.engines[1], "shop-web", "second\n");
    assert_eq!(followed.line().await, "second");

    let output = world.run(&["stack", "stop", "shop", "--wait"]).await;
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let mut told = Vec::new();
    while told.last().is_none_or(|last: &String| !last.contains("runs any more")) {
        told.push(followed.note().await);
    }
    assert!(told.iter().any(|told| told.contains("exit code 0")), "{told:?}");
    assert_eq!(followed.end().await, 0);
    world.server.shutdown().await;
}

/// Waits until the engine was asked so many times for logs of a container, and the answer has travelled.
async fn asked_for_logs(engine: &FakeRuntime, container: &str, times: usize) {
    let call = format!("logs {container}");
    for _ in 0..500 {
        if engine.calls().iter().filter(|made| **made == call).count() >= times {
            return tokio::time::sleep(Duration::from_secs(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("`{call}` was not called {times} times in 10 s: {:?}", engine.calls());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_which_nothing_was_read_loses_nothing_over_a_break() {
    let world = World::start().await;
    deploy(&world, "quiet:1").await;
    let follow =
        |more: &[&str]| Followed::start(&world, &[&["stack", "logs", "shop", "-f", "-c", "web"], more].concat());
    let followed = [follow(&["-n", "0"]), follow(&["-n", "2"]), follow(&["--since", "0s"])];
    asked_for_logs(&world.engines[1], "shop-web", 3).await;
    world.engines[1].disconnect();
    for one in &followed {
        assert!(one.note().await.contains("does not answer"));
    }
    for text in ["one\n", "two\n", "three\n"] {
        write(&world.engines[1], "shop-web", text);
    }
    world.engines[1].reconnect();
    for one in &followed {
        for text in ["one", "two", "three"] {
            assert_eq!(one.line().await, text);
        }
    }
    write(&world.engines[1], "shop-web", "four\n");
    for one in followed {
        assert_eq!(one.line().await, "four", "and nothing came twice");
        one.kill().await;
    }
    world.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_shown_of_a_container_that_was_seen_before_it_was_started() {
    let world = World::start().await;
    world.engines[1].set_program("web:1", Program::runs().saying(["hello"]));
    let file = world.document("shop", &[("db", "db:1", "vm1")]);
    let output = world.run(&["stack", "deploy", &file, "--wait", "--timeout", "30s"]).await;
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let followed = Followed::start(&world, &["stack", "logs", "shop", "-f", "-n", "0"]);
    asked_for_logs(&world.engines[0], "shop-db", 1).await;
    world.engines[1].hang(Operation::Start);
    let file = world.document("shop", &[("db", "db:1", "vm1"), ("web", "web:1", "vm2")]);
    let output = world.run(&["stack", "deploy", &file]).await;
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    while !followed.note().await.contains("was never started") {}
    world.engines[1].release();
    assert_eq!(followed.line().await, "web | hello");
    followed.kill().await;
    world.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_read_at_first_is_followed_when_it_is_there() {
    let world = world().await;
    let fail = |error| world.engines[1].fail_next(Operation::Logs, error);
    // It is away for a moment, as between the removal of one and the creation of the next.
    fail(RuntimeError::NotFound("there is no container `shop-web`".to_owned()));
    let followed = Followed::start(&world, &["stack", "logs", "shop", "-f", "-c", "web"]);
    assert_eq!(followed.note().await, "web: is gone");
    assert_eq!(followed.line().await, "hello");
    followed.kill().await;

    // What the engine refuses of one, the next may give.
    fail(RuntimeError::Refused("the log driver `none` keeps nothing".to_owned()));
    let followed = Followed::start(&world, &["stack", "logs", "shop", "-f", "-n", "0"]);
    assert!(followed.note().await.contains("log driver"));
    deploy(&world, "web:2").await;
    assert_eq!(followed.line().await, "web | hello anew");
    followed.kill().await;
    world.server.shutdown().await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_following_and_a_reader_that_leaves_does_too() {
    let world = world().await;
    let mut followed = Followed::start(&world, &["stack", "logs", "shop", "--follow"]);
    followed.line().await;
    Command::new("kill").args(["-INT", &followed.child.id().to_string()]).status().unwrap();
    assert_eq!(spawn_blocking(move || followed.child.wait().unwrap()).await.unwrap().code(), Some(130));

    let mut command = world.command(&["stack", "logs", "shop", "--follow"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    world.server.shutdown().await;
}
