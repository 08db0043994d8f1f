//! Cases about commands in containers.

use super::{
    Chore, FILE, Thing, Workload,
    bench::{Bench, fails_as, ok},
};
use crate::{
    runtime::{ExecEvent, ExecFeed, ExecSpec, Execution, LogSource, PutFile, RuntimeError, TerminalSize},
    secret::SecretText,
};
use futures::{StreamExt as _, channel::mpsc, stream};
use std::time::Duration;

/// More than lies in any buffer on the way.
const MUCH: usize = 1024 * 1024;

fn spec(bench: &Bench<'_>, chore: Chore) -> ExecSpec {
    ExecSpec { command: bench.harness.command(chore), ..ExecSpec::default() }
}

fn nothing() -> ExecFeed {
    ExecFeed { stdin: stream::empty().boxed(), sizes: stream::pending().boxed() }
}

async fn exec(bench: &Bench<'_>, name: &str, spec: &ExecSpec, feed: ExecFeed) -> Execution {
    let execution = ok(bench.runtime.exec(name, spec, feed).await);
    assert_eq!(execution.container_id, bench.shown(name).await.observed.id);
    execution
}

/// What it writes, to each of its outputs, and the code that it ends with.
async fn whole(mut execution: Execution) -> (Vec<u8>, Vec<u8>, i64) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    loop {
        match ok(execution.events.next().await.expect("it says how it ends")) {
            ExecEvent::Wrote(LogSource::Stderr, bytes) => err.extend(bytes),
            ExecEvent::Wrote(_, bytes) => out.extend(bytes),
            ExecEvent::Exited(code) => {
                assert!(execution.events.next().await.is_none(), "that is the last event");
                return (out, err, code);
            }
        }
    }
}

pub(super) async fn a_command_writes_to_both_and_ends_with_its_code(bench: &Bench<'_>) {
    let name = bench.up(&bench.spec("a", Workload::Runs)).await;
    let execution = exec(bench, &name, &spec(bench, Chore::Speaks), nothing()).await;
    assert_eq!(whole(execution).await, (b"out\n".to_vec(), b"err\n".to_vec(), 3));
    // Its standard input is empty where it is sent none.
    let execution = exec(bench, &name, &spec(bench, Chore::Echoes), nothing()).await;
    assert_eq!(whole(execution).await, (Vec::new(), Vec::new(), 0));
}

pub(super) async fn a_command_reads_to_the_end_of_its_input(bench: &Bench<'_>) {
    let name = bench.up(&bench.spec("a", Workload::Runs)).await;
    let spec = ExecSpec { stdin: true, ..spec(bench, Chore::Echoes) };
    // Every byte, and what looks like the beginning of something.
    let sent: Vec<u8> = (0..MUCH).map(|number| (number * 7 % 251 + number / 100_000) as u8).collect();
    let pieces: Vec<Vec<u8>> = sent.chunks(10_000).map(<[u8]>::to_vec).collect();
    let feed = ExecFeed { stdin: stream::iter(pieces).boxed(), ..nothing() };
    let (out, err, code) = whole(exec(bench, &name, &spec, feed).await).await;
    assert!(out == sent, "{} bytes came back of {}", out.len(), sent.len());
    assert_eq!((err, code), (Vec::new(), 0));
}

pub(super) async fn a_command_has_a_terminal_of_the_size_that_is_asked_for(bench: &Bench<'_>) {
    let name = bench.up(&bench.spec("a", Workload::Runs)).await;
    let terminal = Some(TerminalSize { rows: 31, columns: 97 });
    let spec = ExecSpec { stdin: true, terminal, ..spec(bench, Chore::Measures) };
    let (mut sizes, changes) = mpsc::channel(1);
    let feed = ExecFeed { stdin: stream::pending().boxed(), sizes: changes.boxed() };
    let mut execution = exec(bench, &name, &spec, feed).await;
    let mut out = Vec::new();
    for (text, next) in [("31 97", Some(TerminalSize { rows: 40, columns: 120 })), ("40 120", None)] {
        while !String::from_utf8_lossy(&out).contains(text) {
            match ok(execution.events.next().await.expect("it goes on")) {
                ExecEvent::Wrote(LogSource::Stdout, bytes) => out.extend(bytes),
                other => panic!("{other:?}, where {text} was to come after {out:?}"),
            }
        }
        if let Some(size) = next {
            sizes.try_send(size).expect("the runtime reads them");
        }
    }
}

pub(super) async fn a_command_ends_with_its_container(bench: &Bench<'_>) {
    let name = bench.up(&bench.spec("a", Workload::Runs)).await;
    let execution = exec(bench, &name, &spec(bench, Chore::Waits), nothing()).await;
    ok(bench.runtime.stop(&name, Some(Duration::from_secs(2))).await);
    let (_, _, code) = whole(execution).await;
    assert_ne!(code, 0, "it was killed");
}

pub(super) async fn a_command_runs_only_in_what_runs_and_is_ours(bench: &Bench<'_>) {
    let name = bench.name("a");
    let spec = spec(bench, Chore::Speaks);
    let asked = async || bench.runtime.exec(&name, &spec, nothing()).await;
    fails_as!(asked().await, NotFound);
    bench.harness.make_foreign(Thing::Container, &name);
    fails_as!(asked().await, NameTaken);
    bench.harness.remove_foreign(Thing::Container, &name);
    ok(bench.runtime.create(&bench.spec("a", Workload::Runs)).await);
    match asked().await {
        Err(RuntimeError::Refused(why)) => assert!(why.contains("does not run"), "{why}"),
        other => panic!("{other:?}"),
    }
}

pub(super) async fn a_file_that_was_put_is_there_after_every_start(bench: &Bench<'_>) {
    let (runtime, name) = (&bench.runtime, bench.name("a"));
    ok(runtime.create(&bench.spec("a", Workload::Runs)).await);
    let long = "line\n".repeat(MUCH / 64);
    for content in ["the first", &long] {
        ok(runtime.put_files(&name, &[file(content)]).await);
    }
    for _ in 0..2 {
        ok(runtime.start(&name).await);
        let (out, err, code) = whole(exec(bench, &name, &spec(bench, Chore::Shows), nothing()).await).await;
        assert_eq!((err, code), (Vec::new(), 0));
        assert!(out == long.as_bytes(), "{} bytes came back of {}", out.len(), long.len());
        ok(runtime.stop(&name, Some(Duration::from_secs(5))).await);
    }
}

pub(super) async fn files_are_put_only_into_what_is_there_and_ours(bench: &Bench<'_>) {
    let (runtime, name) = (&bench.runtime, bench.name("a"));
    fails_as!(runtime.put_files(&name, &[file("x")]).await, NotFound);
    bench.harness.make_foreign(Thing::Container, &name);
    fails_as!(runtime.put_files(&name, &[file("x")]).await, NameTaken);
    bench.harness.remove_foreign(Thing::Container, &name);
}

fn file(content: &str) -> PutFile {
    PutFile { path: FILE.to_owned(), content: SecretText::new(content), mode: 0o444 }
}
