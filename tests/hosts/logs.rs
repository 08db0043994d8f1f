//! Logs of real containers on real engines, read by the built binary over what breaks in between.

use crate::estate::Estate;
use graphium_server::testbed::images;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
};

const SHELL: &str = "graphium/shell:logs";
/// Nobody but the containers writes this.
const MARK: &str = "tick-tock";
/// Lines of the flood, and their length.
const FLOOD: (usize, usize) = (4000, 8000);

fn container(name: &str, host: &str, script: &str) -> Value {
    // What is a variable of the shell is none of the document.
    let script = script.replace('$', "$$");
    json!({
        "@type": "datacenter:Container", "@id": format!("container:{name}"), "name": name, "image": SHELL,
        "locatedInHost": {"@id": format!("host:{host}")},
        "entrypoint": ["/bin/sh", "-c"], "args": [format!("trap 'exit 0' TERM; {script}")]
    })
}

/// Counts, on both of its outputs.
fn ticker() -> String {
    format!("i=0; while :; do i=$((i+1)); echo \"{MARK} $i\"; echo \"{MARK} err $i\" >&2; sleep 0.2; done")
}

fn document() -> Value {
    let (lines, length) = FLOOD;
    let flood = format!(
        "x=x; while [ ${{#x}} -lt {length} ]; do x=$x$x; done; i=0; while [ $i -lt {lines} ]; do i=$((i+1)); echo \"$i $x\"; done; while :; do sleep 1; done"
    );
    let mut terminal = container("term", "vm2", "echo grün; while :; do sleep 1; done");
    terminal["tty"] = json!(true);
    json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "@id": "stack:talk", "name": "talk",
        "hasPart": [
            container("a", "vm1", &ticker()),
            container("b", "vm2", &ticker()),
            container("flood", "vm1", &flood),
            terminal,
        ]
    })
}

/// The binary, reading on.
fn reading(estate: &Estate, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_graphium"));
    command.args(arguments).envs(estate.environment()).stdin(Stdio::null()).kill_on_drop(true);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The numbers that each container wrote to each output, so far.
type Seen = BTreeMap<(String, String), Vec<u64>>;

async fn read_on(
    lines: &mut tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
    seen: &mut Seen,
    time: Duration,
) {
    let until = Instant::now() + time;
    while let Ok(line) = tokio::time::timeout(until.saturating_duration_since(Instant::now()), lines.next_line()).await
    {
        let line: Value = serde_json::from_str(&line.unwrap().expect("it goes on")).unwrap();
        let text = line["text"].as_str().unwrap();
        let number = text.rsplit(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("{text} is no whole line"));
        let of = |key: &str| line[key].as_str().unwrap().to_owned();
        assert_eq!(text.contains("err"), of("stream") == "stderr", "{line}");
        seen.entry((of("container"), of("stream"))).or_default().push(number);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_of_several_hosts_are_followed_without_a_gap_whatever_breaks() {
    let mut estate = Estate::start().await;
    estate.testbed.load(&images::shell(SHELL).unwrap()).await.unwrap();
    estate.ok(&["stack", "deploy", &estate.document("talk", &document()), "--wait", "--timeout", "2m"]).await;
    tokio::time::sleep(Duration::from_secs(2)).await;

    what_is_there(&estate).await;
    let slow = reading(&estate, &["stack", "logs", "talk", "-c", "flood"]);
    let slow_since = Instant::now();

    // Two hosts at once, from the first line on.
    let arguments = ["stack", "logs", "talk", "--follow", "-o", "json", "-c", "a", "-c", "b"];
    let mut followed = reading(&estate, &arguments);
    let mut lines = BufReader::new(followed.stdout.take().unwrap()).lines();
    let mut seen = Seen::new();
    read_on(&mut lines, &mut seen, Duration::from_secs(3)).await;
    assert_eq!(seen.len(), 4, "{:?}", seen.keys());
    let count = |seen: &Seen, name: &str| seen[&(name.to_owned(), "stdout".to_owned())].len();
    estate.kill_agent("vm2").await;
    let (a, b) = (count(&seen, "a"), count(&seen, "b"));
    read_on(&mut lines, &mut seen, Duration::from_secs(5)).await;
    assert!(count(&seen, "a") > a + 15, "the other host's log goes on");
    assert!(count(&seen, "b") <= b + 10, "nobody reads this one");
    estate.start_agent("vm2").await;
    read_on(&mut lines, &mut seen, Duration::from_secs(8)).await;
    estate.kill_server().await;
    read_on(&mut lines, &mut seen, Duration::from_secs(3)).await;
    estate.start_server().await;
    read_on(&mut lines, &mut seen, Duration::from_secs(15)).await;
    for (of, numbers) in &seen {
        let whole: Vec<u64> = (1..=numbers.len() as u64).collect();
        assert_eq!(*numbers, whole, "{of:?} has gaps, or says something twice");
        assert!(numbers.len() > 100, "{of:?} did not go on: {}", numbers.len());
    }

    // Removed while it is followed.
    let pid = followed.id().unwrap().to_string();
    a_slow_reader_gets_everything(slow, slow_since).await;
    let hosts = estate.json(&["host", "list"]).await.to_string();
    assert!(!hosts.contains("offline"), "{hosts}");
    estate.ok(&["stack", "remove", "talk", "--wait"]).await;
    let ended = tokio::time::timeout(Duration::from_secs(30), async {
        while lines.next_line().await.unwrap().is_some() {}
        followed.wait().await.unwrap()
    });
    assert_eq!(ended.await.unwrap_or_else(|_| panic!("{pid} goes on")).code(), Some(0));
    let mut told = String::new();
    followed.stderr.take().unwrap().read_to_string(&mut told).await.unwrap();
    for words in ["b: goes on", "stack `talk` is gone"] {
        assert!(told.contains(words), "{words} in {told}");
    }
    // What containers write is nobody's but their readers'.
    for log in ["server.log", "agent-vm1.log", "agent-vm2.log"] {
        let text = std::fs::read_to_string(estate.path(log)).unwrap();
        assert!(!text.contains(MARK), "{log}");
    }
    assert!(!estate.ok(&["events"]).await.contains(MARK));
    estate.end().await;
}

async fn what_is_there(estate: &Estate) {
    let text = estate.ok(&["stack", "logs", "talk", "-c", "a", "-c", "b", "--tail", "4"]).await;
    for name in ["a", "b"] {
        let own: Vec<_> = text.lines().filter(|line| line.starts_with(&format!("{name} | {MARK}"))).collect();
        assert_eq!(own.len(), 4, "{text}");
    }
    assert_eq!(text.lines().count(), 8, "{text}");
    let all = estate.ok(&["stack", "logs", "talk", "-c", "a"]).await;
    assert!(all.starts_with(MARK) && all.contains(&format!("{MARK} 1\n")), "{all}");
    // By the clock of the engine: what was written within the last half second is some of it.
    let late = estate.ok(&["stack", "logs", "talk", "-c", "a", "--since", "500ms"]).await;
    assert!(
        !late.is_empty() && late.lines().count() < all.lines().count() && !late.contains(&format!("{MARK} 1\n")),
        "{late}"
    );
    assert_eq!(estate.ok(&["stack", "logs", "talk", "-c", "term"]).await, "grün\n");
}

/// It reads nothing for longer than the server lets a connection stall, then all: nothing is missing.
async fn a_slow_reader_gets_everything(mut slow: Child, since: Instant) {
    tokio::time::sleep(Duration::from_secs(35).saturating_sub(since.elapsed())).await;
    let mut lines = BufReader::new(slow.stdout.take().unwrap()).lines();
    let mut count = 0;
    while let Some(line) = tokio::time::timeout(Duration::from_secs(60), lines.next_line()).await.unwrap().unwrap() {
        count += 1;
        let (number, rest) = line.split_once(' ').unwrap();
        assert!(number == count.to_string() && rest.len() >= FLOOD.1, "line {count} is {number}, {} long", rest.len());
    }
    assert_eq!(count, FLOOD.0);
    assert_eq!(slow.wait().await.unwrap().code(), Some(0));
}
