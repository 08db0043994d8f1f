//! `graphium stack exec`, as a script uses it.

use super::{World, code, json, stderr, stdout};
use graphium_core::runtime::ContainerRuntime as _;
use std::{
    io::Write as _,
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use tokio::task::spawn_blocking;

async fn world() -> World {
    let world = World::start().await;
    let file = world.document("shop", &[("db", "db:1", "vm1"), ("web", "web:1", "vm2")]);
    let output = world.run(&["stack", "deploy", &file, "--wait", "--timeout", "30s"]).await;
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    world
}

async fn exec(world: &World, options: &[&str], words: &[&str]) -> Output {
    world.run(&[&["stack", "exec", "shop"], options, &["--"], words].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commands_code_and_outputs_are_those_of_the_program() {
    let world = world().await;
    for (container, wanted) in [("db", 0), ("web", 42)] {
        let output = exec(&world, &["-c", container], &["say", "out", "err", &wanted.to_string()]).await;
        assert_eq!((code(&output), &*stdout(&output), &*stderr(&output)), (wanted, "out\n", "err\n"), "{container}");
    }
    assert_eq!(code(&exec(&world, &["-c", "db"], &["none"]).await), 127);

    let sent: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
    let mut command = world.command(&["stack", "exec", "shop", "-c", "db", "-i", "--", "cat"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = sent.clone();
    // Dropped with its end: half of the line is closed, the other half goes on.
    let writing = spawn_blocking(move || stdin.write_all(&bytes));
    let output = spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
    writing.await.unwrap().unwrap();
    assert!(output.stdout == sent && code(&output) == 0, "{} bytes", output.stdout.len());
    // Without `-i` there is nothing to be read.
    assert_eq!(stdout(&exec(&world, &["-c", "db"], &["cat"]).await), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_graphium_cannot_do_has_a_code_of_its_own() {
    let world = world().await;
    for (options, words, hint) in [
        (&[][..], "stack `shop` has several containers: db, web", "--container"),
        (&["-c", "cache"], "no agent has seen a container `cache` of stack `shop`", "there is db, web"),
        (&["-c", "db", "-it"], "`--tty` needs a terminal here", "leave `--tty` out"),
        (&["-c", "db", "-e", "=x"], "`--env` names no variable", ""),
    ] {
        let output = exec(&world, options, &["say", "a", "b", "0"]).await;
        let told = stderr(&output);
        assert!(code(&output) == 125 && told.contains(words) && told.contains(hint), "{options:?}: {told}");
    }
    // Who may look may not run.
    let viewer = world.stdout(&["token", "create", "--role", "viewer"]).await;
    let mut command = world.command(&["stack", "exec", "shop", "-c", "db", "--", "say", "a", "b", "0"]);
    command.env("GRAPHIUM_TOKEN", viewer.trim());
    let output = spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let told = stderr(&output);
    assert!(code(&output) == 125 && told.contains("refuses") && told.contains("a token that may do this"), "{told}");
    assert!(!world.engines.iter().any(|engine| engine.calls().iter().any(|call| call.starts_with("exec"))));
    let output = world.run(&["stack", "exec", "none", "--", "true"]).await;
    assert_eq!(code(&output), 125, "{}", stderr(&output));
    world.engines[0].exit("shop-db", 1);
    let mut command = world.command(&["stack", "exec", "shop", "-c", "db", "--", "cat"]);
    command.env("GRAPHIUM_OUTPUT", "json");
    let output = spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert_eq!((code(&output), json(&output)["error"]["code"].as_str()), (125, Some("refused")), "{}", stderr(&output));
    // A command that ran has the output for itself.
    let mut command = world.command(&["stack", "exec", "shop", "-c", "web", "--", "wait"]);
    let mut child =
        command.env("GRAPHIUM_OUTPUT", "json").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !world.engines[1].calls().iter().any(|call| call == "exec shop-web") {
        if child.try_wait().unwrap().is_some() {
            panic!("{}", stderr(&child.wait_with_output().unwrap()));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.server.shutdown().await;
    let output = spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!((code(&output), &*stdout(&output)), (125, ""), "{}", stderr(&output));
    assert!(stderr(&output).contains("the server is ending"), "{}", stderr(&output));
}

/// A command that runs, of which nobody reads what it writes.
async fn unread(world: &World, words: &[&str]) -> Child {
    let before = world.engines[0].calls().len();
    let mut command = world.command(&[&["stack", "exec", "shop", "-c", "db", "--"], words].concat());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !world.engines[0].calls()[before..].iter().any(|call| call == "exec shop-db") {
        if child.try_wait().unwrap().is_some() {
            panic!("{}", stderr(&child.wait_with_output().unwrap()));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    child
}

/// Sends a signal, and says with which code it ended and what it said.
async fn ended_by(mut child: Child, signal: &str) -> (Option<i32>, String) {
    assert_eq!(child.try_wait().unwrap(), None, "it has ended before");
    Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > Duration::from_secs(3) {
            child.kill().unwrap();
            panic!("{signal} does not end it within 3 s");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(status.signal(), None, "it ends by itself");
    let output = spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
    (status.code(), stderr(&output))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_it_at_once_whatever_it_waits_for() {
    let world = world().await;
    for (signal, status) in [("-HUP", 129), ("-INT", 130), ("-QUIT", 131), ("-TERM", 143)] {
        assert_eq!(ended_by(unread(&world, &["wait"]).await, signal).await, (Some(status), String::new()));
        // The command has ended, and what it wrote does not get away.
        let child = unread(&world, &["yes"]).await;
        world.engines[0].exit("shop-db", 0);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(ended_by(child, signal).await, (Some(status), String::new()), "after the end");
        world.engines[0].start("shop-db").await.unwrap();
    }
    // Its server has gone: it would say so once all is read that came.
    let child = unread(&world, &["yes"]).await;
    world.server.shutdown().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(ended_by(child, "-TERM").await, (Some(143), String::new()), "without a server");
}
