//! Commands in real containers on real engines, run by the built binary: what goes in and out, and who goes away amid.

use crate::estate::Estate;
use graphium_server::testbed::images;
use serde_json::json;
use std::{
    process::{Output, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
};

const SHELL: &str = "graphium/shell:exec";
/// Nobody but who runs a command knows this.
const SECRET: &str = "s3cret-argument";

async fn world() -> Estate {
    let estate = Estate::start().await;
    estate.testbed.load(&images::shell(SHELL).unwrap()).await.unwrap();
    let container = |name: &str, host: &str| {
        json!({
            "@type": "datacenter:Container", "@id": format!("container:{name}"), "name": name, "image": SHELL,
            "locatedInHost": {"@id": format!("host:{host}")}, "entrypoint": ["/bin/sh", "-c"],
            "args": ["trap 'exit 0' TERM; while :; do sleep 1; done"]
        })
    };
    let document = json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "@id": "stack:shop", "name": "shop",
        "hasPart": [container("a", "vm1"), container("b", "vm2")]
    });
    estate.ok(&["stack", "deploy", &estate.document("shop", &document), "--wait", "--timeout", "2m"]).await;
    estate
}

fn command(estate: &Estate, options: &[&str], words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_graphium"));
    command.args(["stack", "exec", "shop"]).args(options).arg("--").args(words);
    command.envs(estate.environment()).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.unwrap_or_else(|_| panic!("{what}: not within 60 s"))
}

async fn exec(estate: &Estate, options: &[&str], words: &[&str]) -> Output {
    within(&format!("{words:?}"), command(estate, options, words).stdin(Stdio::null()).output()).await.unwrap()
}

/// A command that goes on.
fn going(estate: &Estate, words: &[&str]) -> Child {
    command(estate, &["-c", "a", "-i"], words).spawn().unwrap()
}

async fn ended(child: Child) -> (Option<i32>, String) {
    let output = within("its end", child.wait_with_output()).await.unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Whether something with these words runs in container `a`, by the engine's word.
async fn runs(estate: &Estate, words: &str) -> bool {
    estate.docker("vm1", &["top", "shop-a"]).await.contains(words)
}

async fn ready(child: &mut Child) {
    let mut first = [0; 6];
    let read = within("its first word", child.stdout.as_mut().unwrap().read_exact(&mut first)).await;
    if read.is_err() || &first != b"ready\n" {
        let mut told = String::new();
        child.stderr.take().unwrap().read_to_string(&mut told).await.unwrap();
        panic!("{first:?} {read:?} {told}");
    }
}

fn memory_of(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_run_in_containers_of_any_host_and_every_byte_gets_through() {
    let estate = world().await;
    outputs_and_codes(&estate).await;
    pipes(&estate).await;
    much_input(&estate).await;
    closed_outputs(&estate).await;
    a_terminal(&estate).await;
    a_signal_on_a_terminal(&estate).await;
    a_slow_reader(&estate).await;
    // Nothing but the program is told of what was run.
    for log in ["server.log", "agent-vm1.log", "agent-vm2.log"] {
        let text = std::fs::read_to_string(estate.path(log)).unwrap();
        assert!(!text.contains(SECRET), "{log}");
        assert!(log != "server.log" || text.contains("a command was asked for"), "{text}");
    }
    assert!(!estate.ok(&["events"]).await.contains(SECRET));
    estate.ok(&["stack", "remove", "shop", "--wait"]).await;
    estate.end().await;
}

async fn outputs_and_codes(estate: &Estate) {
    for container in ["a", "b"] {
        let output = exec(estate, &["-c", container], &["sh", "-c", "echo out; echo err >&2; exit 42"]).await;
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            (output.status.code(), &output.stdout[..], &*told),
            (Some(42), &b"out\n"[..], "err\n"),
            "{container}"
        );
    }
    // No shell reads it, and what is asked for is there.
    let options = ["-c", "a", "-w", "/tmp", "-e", "COLOUR=blue", "-u", "1:1"];
    let output = exec(
        estate,
        &options,
        &["sh", "-c", "echo \"$0 $COLOUR $(pwd) $(busybox id -u)\"", &format!("$HOME;{SECRET}")],
    )
    .await;
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("$HOME;{SECRET} blue /tmp 1\n"));
    let output = exec(estate, &["-c", "a"], &["no-such-program"]).await;
    // Engines differ in which of them it is.
    assert!(matches!(output.status.code(), Some(126 | 127)), "{output:?}");
    // What Graphium itself cannot do is told from that.
    for (options, words) in [(&[][..], "several containers"), (&["-c", "none"], "none")] {
        let output = exec(estate, options, &["true"]).await;
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(125) && told.contains(words), "{told}");
    }
}

async fn pipes(estate: &Estate) {
    let mut sent = vec![0; 1024 * 1024];
    std::fs::File::open("/dev/urandom")
        .map(|mut file| std::io::Read::read_exact(&mut file, &mut sent))
        .unwrap()
        .unwrap();
    let mut child = command(estate, &["-c", "b", "-i"], &["cat"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let (writing, output) = within("a megabyte", async {
        let bytes = sent.clone();
        // The end of the input is what ends it.
        let writing = async move { stdin.write_all(&bytes).await };
        futures::join!(writing, child.wait_with_output())
    })
    .await;
    writing.unwrap();
    let output = output.unwrap();
    assert!(output.status.success() && output.stdout == sent, "{} bytes: {:?}", output.stdout.len(), output.stderr);
}

/// Five megabytes that the command reads to the last byte, also where its engine takes its time to begin it.
async fn much_input(estate: &Estate) {
    let sent: Vec<u8> = (0..5_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let wanted = sha256_of(&sent);
    for is_slow in [false, true] {
        if is_slow {
            estate.host("vm1").pause_engine().await.unwrap();
        }
        let mut child =
            command(estate, &["-c", "a", "-i"], &["sh", "-c", "cat | busybox sha256sum; exit 5"]).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let bytes = sent.clone();
        let writing = async move { stdin.write_all(&bytes).await };
        let resuming = async {
            if is_slow {
                tokio::time::sleep(Duration::from_secs(12)).await;
                estate.host("vm1").resume_engine().await.unwrap();
            }
        };
        let all = async { futures::join!(writing, resuming, child.wait_with_output()) };
        let (written, (), output) = within("five megabytes", all).await;
        let output = output.unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(written.is_ok() && output.status.code() == Some(5), "{written:?} {output:?}");
        assert!(output.stdout.starts_with(wanted.as_bytes()), "{wanted}: {output:?}");
        assert_eq!(told.contains("the engine of host `vm1` takes its time"), is_slow, "{told}");
    }
}

fn sha256_of(bytes: &[u8]) -> String {
    let mut child =
        std::process::Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}

/// As with `docker exec`, it has ended when it has ended, whatever it still says.
async fn closed_outputs(estate: &Estate) {
    let begun = std::time::Instant::now();
    let output = exec(estate, &["-c", "a"], &["sh", "-c", "echo out; exec >&- 2>&-; sleep 12; exit 3"]).await;
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(3), &b"out\n"[..]), "{output:?}");
    assert!(begun.elapsed() >= Duration::from_secs(12), "{:?}", begun.elapsed());
}

/// The terminal is as it was before, and the code says by which signal it ended.
async fn a_signal_on_a_terminal(estate: &Estate) {
    let pid = estate.path("exec.pid");
    let inner = format!(
        "sh -c 'echo $$ >{}; exec {} stack exec shop -c a -- sleep 1000'; echo \"code $?\"; stty -a",
        pid.display(),
        env!("CARGO_BIN_EXE_graphium")
    );
    let mut command = Command::new("script");
    command.args(["-qec", &inner, "/dev/null"]).envs(estate.environment()).kill_on_drop(true);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut shown = child.stdout.take().unwrap();
    estate.until("it runs", async |estate| runs(estate, "sleep 1000").await).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let pid = std::fs::read_to_string(&pid).unwrap();
    assert!(Command::new("kill").args(["-TERM", pid.trim()]).status().await.unwrap().success());
    let mut text = String::new();
    within("its end", async { futures::join!(shown.read_to_string(&mut text), child.wait()) }).await.0.unwrap();
    assert!(text.contains("code 143") && text.contains(" icanon") && !text.contains("-icanon"), "{text}");
    // And the command is told as a terminal tells it.
    estate.until("it has ended there", async |estate| !runs(estate, "sleep 1000").await).await;
}

/// In a terminal of its own, by `script`: what is typed goes to the command, also Ctrl-C, and the terminal is as it was after it.
async fn a_terminal(estate: &Estate) {
    let inner = format!(
        "stty rows 31 cols 97; (sleep 3; stty rows 40 cols 120 </dev/tty) & {} stack exec shop -c a -- sh; echo \"code $?\"; stty -a",
        env!("CARGO_BIN_EXE_graphium")
    );
    let mut command = Command::new("script");
    command.args(["-qec", &inner, "/dev/null"]).envs(estate.environment()).kill_on_drop(true);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut keys = child.stdin.take().unwrap();
    let mut shown = child.stdout.take().unwrap();
    let typing = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        keys.write_all(b"busybox stty size\n").await.unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
        keys.write_all(b"busybox stty size; sleep 1000\n").await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        keys.write_all(b"\x03").await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        keys.write_all(b"echo al''ive; exit 7\n").await.unwrap();
        keys
    };
    let mut text = String::new();
    let (_keys, read, _) =
        within("a terminal", async { futures::join!(typing, shown.read_to_string(&mut text), child.wait()) }).await;
    read.unwrap();
    for words in ["31 97", "40 120", "alive", "code 7", " icanon", " echo "] {
        assert!(text.contains(words), "{words} in {text}");
    }
    assert!(!text.contains("-icanon"), "{text}");
}

/// Of 50 MB that nobody reads, no more lies anywhere than a window: and then all of it comes.
async fn a_slow_reader(estate: &Estate) {
    let agent = estate.processes().into_iter().find(|(name, _)| name == "agent vm1").unwrap().1;
    let mut child = going(estate, &["sh", "-c", "echo ready; busybox head -c 50000000 /dev/zero"]);
    ready(&mut child).await;
    let (before, server) = (memory_of(agent), memory_of(child.id().unwrap()));
    // Longer than the server lets a connection stall.
    tokio::time::sleep(Duration::from_secs(35)).await;
    for (name, pid, before) in [("the agent", agent, before), ("the reader", child.id().unwrap(), server)] {
        let grown = memory_of(pid).saturating_sub(before);
        assert!(grown < 8 * 1024, "{name} has grown by {grown} KiB");
    }
    let mut rest = Vec::new();
    within("all of it", child.stdout.as_mut().unwrap().read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest.len(), 50_000_000);
    assert_eq!(ended(child).await.0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_ends_in_words_when_somebody_goes_away() {
    let mut estate = world().await;
    // Its caller: what reads its input ends with that.
    let mut child = going(&estate, &["sh", "-c", "echo ready; cat >/dev/null"]);
    ready(&mut child).await;
    assert!(runs(&estate, "cat").await);
    child.kill().await.unwrap();
    estate.until("its input has ended", async |estate| !runs(estate, "cat").await).await;

    // Its token.
    let admin = estate.json(&["token", "create", "--role", "admin", "--name", "second"]).await;
    let mut command = command(&estate, &["-c", "a", "-i"], &["sh", "-c", "echo ready; cat"]);
    let mut child = command.env("GRAPHIUM_TOKEN", admin["token"].as_str().unwrap()).spawn().unwrap();
    ready(&mut child).await;
    estate.ok(&["token", "revoke", admin["@id"].as_str().unwrap()]).await;
    let (code, told) = ended(child).await;
    assert!(code == Some(125) && told.contains("the token was revoked"), "{told}");

    // Its container.
    let mut child = going(&estate, &["sh", "-c", "echo ready; sleep 1000"]);
    ready(&mut child).await;
    estate.docker("vm1", &["restart", "-t", "0", "shop-a"]).await;
    let (code, told) = ended(child).await;
    assert_eq!(code, Some(137), "{told}");

    // Its agent.
    estate.until("it runs again", async |estate| exec(estate, &["-c", "a"], &["true"]).await.status.success()).await;
    let mut child = going(&estate, &["sh", "-c", "echo ready; sleep 1000"]);
    ready(&mut child).await;
    estate.kill_agent("vm1").await;
    let (code, told) = ended(child).await;
    assert!(code == Some(125) && told.contains("the agent's session ended"), "{told}");
    estate.start_agent("vm1").await;
    estate
        .until("the agent is back", async |estate| exec(estate, &["-c", "a"], &["true"]).await.status.success())
        .await;

    // Its server.
    let mut child = going(&estate, &["sh", "-c", "echo ready; sleep 1000"]);
    ready(&mut child).await;
    let mut unread = going(&estate, &["sh", "-c", "echo ready; busybox head -c 50000000 /dev/zero"]);
    ready(&mut unread).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    estate.kill_server().await;
    let (code, told) = ended(child).await;
    assert_eq!(code, Some(125), "{told}");
    // It does not wait for whoever reads what came before.
    let status = within("its end, unread", unread.wait()).await.unwrap();
    assert_eq!(status.code(), Some(125), "{status:?}");
    estate.start_server().await;
    estate.ok(&["stack", "remove", "shop", "--wait"]).await;
    estate.end().await;
}
