//! Commands over real sockets: an agent that dials out, an engine in memory, callers good and bad.

use crate::{
    bed::eventually,
    logs::{within, world},
};
use futures::{SinkExt as _, StreamExt as _};
use graphium_core::{
    control::Role,
    exec::{ExecEnd, ExecFrame, ExecInput, WINDOW},
    log::EndReason,
    runtime::{ContainerRuntime as _, ExecSpec, LogSource, TerminalSize},
    stream::{StreamCall, StreamLink as _, StreamRequest},
    testing::{Operation, Thing},
};
use graphium_server::client::{Client, ClientError, ExecSocket};
use reqwest::Method;
use std::time::Duration;

const EXEC: &str = "/api/v1/containers/vm1%2Fshop-web/exec";

fn command(words: &[&str]) -> ExecSpec {
    let command = words.iter().map(|word| (*word).to_owned()).collect();
    ExecSpec { command, stdin: true, ..ExecSpec::default() }
}

async fn exec(client: &Client, spec: &ExecSpec) -> ExecSocket {
    within("a socket", client.exec("vm1/shop-web", spec, None)).await.unwrap()
}

async fn begun(client: &Client, spec: &ExecSpec) -> ExecSocket {
    let mut socket = exec(client, spec).await;
    let first = within("its beginning", socket.frames.next()).await;
    assert!(matches!(first, Some(Ok(ExecFrame::Begin(_)))), "{first:?}");
    socket
}

/// What it writes until its end, taken as it comes.
async fn rest(socket: &mut ExecSocket) -> (Vec<u8>, Vec<u8>, ExecEnd) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    loop {
        match within("a frame", socket.frames.next()).await {
            Some(Ok(ExecFrame::Output(source, bytes))) => {
                let _gone = socket.input.send(ExecInput::Taken(bytes.len())).await;
                if source == LogSource::Stderr { &mut err } else { &mut out }.extend(bytes);
            }
            Some(Ok(ExecFrame::End(end))) => return (out, err, end),
            Some(Ok(ExecFrame::Taken(_) | ExecFrame::Waiting(_))) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn end(socket: &mut ExecSocket) -> EndReason {
    rest(socket).await.2.reason
}

#[tokio::test]
async fn a_command_runs_with_its_outputs_apart_its_code_and_every_byte_both_ways() {
    let (bed, _engine, _agent) = world().await;
    let (out, err, end) = rest(&mut begun(&bed.admin, &command(&["say", "out", "err", "42"])).await).await;
    assert_eq!((out, err, end.exit_code), (b"out\n".to_vec(), b"err\n".to_vec(), Some(42)));

    let sent: Vec<u8> = (0..1_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let ExecSocket { mut frames, mut input } = begun(&bed.admin, &command(&["cat"])).await;
    let (mut out, mut unused, mut next) = (Vec::new(), 0, 0);
    let code = within("all of it", async {
        loop {
            while next < sent.len() && unused < WINDOW / 2 {
                let piece = sent[next..sent.len().min(next + 16_000)].to_vec();
                (next, unused) = (next + piece.len(), unused + piece.len());
                input.send(ExecInput::Stdin(piece)).await.unwrap();
                if next == sent.len() {
                    input.send(ExecInput::Close {}).await.unwrap();
                }
            }
            match frames.next().await.unwrap().unwrap() {
                ExecFrame::Output(_, bytes) => {
                    let _over = input.send(ExecInput::Taken(bytes.len())).await;
                    out.extend(bytes);
                }
                ExecFrame::Taken(count) => unused -= count,
                ExecFrame::End(end) => return end.exit_code,
                other => panic!("{other:?}"),
            }
        }
    });
    assert_eq!(code.await, Some(0));
    assert!(out == sent, "{} of {} bytes came back", out.len(), sent.len());
}

#[tokio::test]
async fn a_terminal_has_the_size_that_is_asked_for_and_then_another() {
    let (bed, _engine, _agent) = world().await;
    let size = |rows| TerminalSize { rows, columns: 97 };
    let mut socket = begun(&bed.admin, &ExecSpec { terminal: Some(size(31)), ..command(&["size"]) }).await;
    for rows in [31, 40] {
        let text = format!("{rows} 97\n").into_bytes();
        assert_eq!(
            within("a size", socket.frames.next()).await.unwrap().unwrap(),
            ExecFrame::Output(LogSource::Stdout, text)
        );
        socket.input.send(ExecInput::Resize(size(40))).await.unwrap();
    }
}

#[tokio::test]
async fn operators_and_administrators_run_commands_and_nobody_else_does() {
    let (bed, _engine, _agent) = world().await;
    for role in [Role::Operator, Role::Admin] {
        let client = bed.client(&bed.token(role, None).await);
        let (_, _, end) = rest(&mut begun(&client, &command(&["say", "a", "b", "0"])).await).await;
        assert_eq!(end.exit_code, Some(0), "{role:?}: {end:?}");
    }
    for (role, host) in [(Role::Viewer, None), (Role::Agent, Some("vm1"))] {
        let client = bed.client(&bed.token(role, host).await);
        let refused = client.exec("vm1/shop-web", &command(&["cat"]), None).await;
        assert!(matches!(refused, Err(ClientError::Denied { status: 403, .. })), "{refused:?}");
    }
    let nobody = bed.client("gph_none").exec("vm1/shop-web", &command(&["cat"]), None).await;
    assert!(matches!(nobody, Err(ClientError::Denied { status: 401, .. })), "{nobody:?}");
    // What is sent to a command is for its agent alone.
    let viewer = bed.token(Role::Viewer, None).await;
    let line = bed.request(Method::GET, "/api/v1/agents/vm1/streams/any").bearer_auth(viewer);
    assert_eq!(line.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn what_cannot_be_run_is_told_with_words() {
    let (bed, engine, agent) = world().await;
    let absent = bed.admin.exec("vm1/none", &command(&["cat"]), None).await;
    assert!(matches!(absent, Err(ClientError::NotFound { .. })), "{absent:?}");
    engine.make_foreign(Thing::Container, "theirs");
    engine.make_foreign(Thing::Container, "another");
    engine.vanish("another");
    eventually("it is seen", async || bed.admin.container("vm1/theirs").await.ok()).await;
    let theirs = bed.admin.exec("vm1/theirs", &command(&["cat"]), None).await;
    assert!(matches!(&theirs, Err(ClientError::Conflict { code, .. }) if code == "not-ours"), "{theirs:?}");
    assert_eq!(end(&mut exec(&bed.admin, &command(&[])).await).await, EndReason::Breach);
    let unsound = ExecSpec { environment: [("A=B".to_owned(), String::new())].into(), ..command(&["cat"]) };
    assert_eq!(end(&mut exec(&bed.admin, &unsound).await).await, EndReason::Breach);
    // What the server saw may not be so any more.
    engine.stop("shop-web", None).await.unwrap();
    let (_, _, stopped) = rest(&mut exec(&bed.admin, &command(&["cat"])).await).await;
    assert!(stopped.reason == EndReason::Refused && stopped.detail.contains("does not run"), "{stopped:?}");
    // An agent that is away is waited for, as long as asked.
    agent.abort();
    let wait = Some(Duration::from_millis(300));
    let mut away = bed.admin.exec("vm1/shop-web", &command(&["cat"]), wait).await.unwrap();
    let (_, _, away) = rest(&mut away).await;
    assert!(away.reason == EndReason::HostAway && away.detail.contains("vm1"), "{away:?}");
    // No socket, no command.
    assert_eq!(bed.send(Method::GET, EXEC, None).await.status(), 400);
}

#[tokio::test]
async fn an_agent_that_is_too_old_is_refused_at_once_and_named() {
    let (bed, _engine, agent) = world().await;
    agent.abort();
    let _gone = agent.await;
    let streams = bed.server.control().streams();
    let old = StreamCall { can: Vec::new(), ..StreamCall::new("vm1".into(), 1_000_000, Duration::ZERO) };
    streams.asked(&old).await.unwrap();
    let refused = bed.admin.exec("vm1/shop-web", &command(&["cat"]), None).await;
    assert!(
        matches!(&refused, Err(ClientError::Conflict { code, detail }) if code == "agent-too-old" && detail.contains("update it") && detail.contains("`vm1`")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_command_ends_with_its_container_its_agent_its_token_and_its_server() {
    let (bed, engine, agent) = world().await;
    let mut socket = begun(&bed.admin, &command(&["wait"])).await;
    engine.exit("shop-web", 0);
    assert_eq!(rest(&mut socket).await.2.exit_code, Some(137));
    engine.start("shop-web").await.unwrap();

    let before: Vec<_> = bed.admin.tokens().await.unwrap().into_iter().map(|token| token.id).collect();
    let token = bed.token(Role::Admin, None).await;
    let mut socket = begun(&bed.client(&token), &command(&["wait"])).await;
    let tokens = bed.admin.tokens().await.unwrap();
    let newest = tokens.iter().find(|token| !before.contains(&token.id)).unwrap();
    bed.admin.revoke_token(&newest.id).await.unwrap();
    assert_eq!(end(&mut socket).await, EndReason::Revoked);

    let mut socket = begun(&bed.admin, &command(&["wait"])).await;
    agent.abort();
    let (_, _, lost) = rest(&mut socket).await;
    assert!(lost.reason == EndReason::AgentLost && lost.detail.contains("the agent's session ended"), "{lost:?}");
    let _gone = agent.await;

    let _again = crate::logs::agent(&bed, &engine).await;
    let mut socket = begun(&bed.admin, &command(&["wait"])).await;
    let stopped = tokio::spawn(async move { end(&mut socket).await });
    bed.server.shutdown().await;
    assert_eq!(within("its end", stopped).await.unwrap(), EndReason::Stopping);
}

#[tokio::test]
async fn a_caller_that_reads_nothing_holds_up_no_other_and_gets_all_in_the_end() {
    let (bed, _engine, _agent) = world().await;
    let mut slow = begun(&bed.admin, &command(&["yes"])).await;
    // No more than a window comes, however long it waits: and the line lives.
    let mut seen = 0;
    while let Ok(frame) = tokio::time::timeout(Duration::from_secs(2), slow.frames.next()).await {
        match frame.unwrap().unwrap() {
            ExecFrame::Output(_, bytes) => seen += bytes.len(),
            other => panic!("{other:?}"),
        }
    }
    assert!((WINDOW..WINDOW + 16 * 1024).contains(&seen), "{seen} bytes");
    for _ in 0..5 {
        assert_eq!(rest(&mut begun(&bed.admin, &command(&["say", "a", "b", "0"])).await).await.2.exit_code, Some(0));
    }
    slow.input.send(ExecInput::Taken(seen)).await.unwrap();
    assert!(matches!(within("more", slow.frames.next()).await, Some(Ok(ExecFrame::Output(..)))));
}

#[tokio::test]
async fn nothing_of_a_command_but_its_program_is_told() {
    let (bed, _engine, _agent) = world().await;
    let spec = ExecSpec {
        environment: [("K".to_owned(), "s3cret-v".to_owned())].into(),
        ..command(&["say", "s3cret-a", "x", "0"])
    };
    rest(&mut begun(&bed.admin, &spec).await).await;
    let events = format!("{:?}", bed.server.control().store().events(0, 10_000).await.unwrap());
    assert!(!events.contains("s3cret"), "{events}");
    let streams = bed.server.control().streams();
    let _asked = streams
        .exec(&"vm9".into(), graphium_core::stream::ExecWanted { container: "a".to_owned(), id: None, exec: spec });
    let told = streams.asked(&StreamCall::new("vm9".into(), 1, Duration::ZERO)).await.unwrap();
    assert!(matches!(&told[..], [StreamRequest::Exec(_)]) && !format!("{told:?}").contains("s3cret"), "{told:?}");
}

/// Sends bytes one by one, and the end.
async fn type_in(socket: &mut ExecSocket, sent: &[u8]) {
    for byte in sent {
        within("its way", socket.input.send(ExecInput::Stdin(vec![*byte]))).await.unwrap();
    }
    within("its way", socket.input.send(ExecInput::Close {})).await.unwrap();
}

/// What comes before the command begins: for whom it is waited.
async fn waits(socket: &mut ExecSocket) -> Vec<String> {
    let mut waits = Vec::new();
    loop {
        let frame = tokio::time::timeout(Duration::from_secs(90), socket.frames.next()).await;
        match frame.expect("it does not wait for ever") {
            Some(Ok(ExecFrame::Waiting(wait))) => waits.push(wait.detail),
            Some(Ok(ExecFrame::Begin(_))) => return waits,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_sent_before_there_is_an_agent_waits_for_it_and_breaks_no_line() {
    let (bed, engine, agent) = world().await;
    agent.abort();
    let _gone = agent.await;
    let wait = Some(Duration::from_secs(80));
    let mut socket = bed.admin.exec("vm1/shop-web", &command(&["cat"]), wait).await.unwrap();
    let sent: Vec<u8> = (0..1000_u32).map(|number| (number % 251) as u8).collect();
    type_in(&mut socket, &sent).await;
    // Longer than a line may be blocked.
    tokio::time::sleep(Duration::from_secs(33)).await;
    let _again = crate::logs::agent(&bed, &engine).await;
    assert!(!waits(&mut socket).await.is_empty());
    let (out, _, end) = rest(&mut socket).await;
    assert!(out == sent && end.exit_code == Some(0), "{} of {}, {end:?}", out.len(), sent.len());
}

#[tokio::test]
async fn an_engine_that_takes_longer_than_a_line_may_be_silent_breaks_none_and_is_named() {
    let (bed, engine, _agent) = world().await;
    engine.hang(Operation::Exec);
    let mut socket = exec(&bed.admin, &command(&["cat"])).await;
    let sent: Vec<u8> = (0..1000_u32).map(|number| (number % 251) as u8).collect();
    type_in(&mut socket, &sent).await;
    let waiting = tokio::spawn(async move {
        let told = waits(&mut socket).await;
        (socket, told)
    });
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert!(!waiting.is_finished(), "{:?}", waiting.await);
    engine.release();
    let (mut socket, told) = waiting.await.unwrap();
    assert!(matches!(&told[..], [told] if told.contains("the engine of host `vm1` takes its time")), "{told:?}");
    let (out, _, end) = rest(&mut socket).await;
    assert!(out == sent && end.exit_code == Some(0), "{} of {}, {end:?}", out.len(), sent.len());
}

#[tokio::test]
async fn a_command_ends_with_the_token_of_its_agent() {
    let (bed, engine, agent) = world().await;
    agent.abort();
    let _gone = agent.await;
    let before: Vec<_> = bed.admin.tokens().await.unwrap().into_iter().map(|token| token.id).collect();
    let _again = crate::logs::agent(&bed, &engine).await;
    let mut socket = begun(&bed.admin, &command(&["wait"])).await;
    let tokens = bed.admin.tokens().await.unwrap();
    let newest = tokens.iter().find(|token| !before.contains(&token.id)).unwrap();
    bed.admin.revoke_token(&newest.id).await.unwrap();
    let (_, _, end) = rest(&mut socket).await;
    assert!(end.reason == EndReason::AgentLost && end.exit_code.is_none(), "{end:?}");
    // Nobody who serves the host is left, and whoever asks is told so.
    let wait = Some(Duration::from_millis(300));
    let mut away = bed.admin.exec("vm1/shop-web", &command(&["cat"]), wait).await.unwrap();
    assert_eq!(self::end(&mut away).await, EndReason::HostAway);
}
