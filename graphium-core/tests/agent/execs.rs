//! Commands through an agent, in virtual time: what goes in, what comes out, and what is left when somebody goes.

use crate::logs::House;
use futures::{FutureExt as _, SinkExt as _, StreamExt as _};
use graphium_core::{
    environment::Environment,
    exec::{ExecEnd, ExecFrame, ExecInput, WINDOW},
    log::EndReason,
    runtime::{ContainerRuntime as _, ExecSpec, LogSource, RuntimeError, TerminalSize},
    stream::{Ability, ExecSession, ExecWanted, StreamCall, StreamLink},
    testing::Operation,
};
use std::time::Duration;

fn exec(house: &House, words: &[&str], more: impl FnOnce(&mut ExecSpec)) -> ExecSession {
    let mut exec = ExecSpec { command: words.iter().map(|word| (*word).to_owned()).collect(), ..ExecSpec::default() };
    more(&mut exec);
    let wanted = ExecWanted { container: "web".to_owned(), id: None, exec };
    house.control.streams().exec(&"vm1".into(), wanted).unwrap()
}

async fn begun(session: &mut ExecSession) {
    let first = session.frames.next().await;
    assert!(matches!(first, Some(ExecFrame::Begin(_))), "{first:?}");
}

/// What it writes until its end, taken as it comes, and the end; none: the agent was lost.
async fn rest(session: &mut ExecSession) -> (Vec<u8>, Vec<u8>, Option<ExecEnd>) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    loop {
        match session.frames.next().await {
            Some(ExecFrame::Output(source, bytes)) => {
                let _gone = session.input.send(ExecInput::Taken(bytes.len())).await;
                if source == LogSource::Stderr { &mut err } else { &mut out }.extend(bytes);
            }
            Some(ExecFrame::End(end)) => return (out, err, Some(end)),
            Some(ExecFrame::Taken(_)) => {}
            None => return (out, err, None),
            other => panic!("{other:?}"),
        }
    }
}

fn exited(code: i64) -> Option<ExecEnd> {
    Some(ExecEnd { reason: EndReason::Exited, detail: String::new(), exit_code: Some(code) })
}

#[test]
fn a_command_speaks_on_both_of_its_outputs_and_ends_with_its_code() {
    let house = House::new();
    house.run(async {
        house.container("web").await;
        let mut session = exec(&house, &["say", "out", "err", "3"], |_| {});
        begun(&mut session).await;
        assert_eq!(rest(&mut session).await, (b"out\n".to_vec(), b"err\n".to_vec(), exited(3)));
    });
}

#[test]
fn what_goes_in_comes_out_and_is_told_to_be_taken() {
    let house = House::new();
    house.run(async {
        house.container("web").await;
        let mut session = exec(&house, &["cat"], |exec| exec.stdin = true);
        begun(&mut session).await;
        let (mut sent, mut taken, mut out) = (Vec::<u8>::new(), 0, Vec::<u8>::new());
        for number in 0..100_u8 {
            let piece = vec![number; 10_000];
            sent.extend(&piece);
            session.input.send(ExecInput::Stdin(piece)).await.unwrap();
            while sent.len() - taken > WINDOW / 2 {
                match session.frames.next().await.unwrap() {
                    ExecFrame::Taken(count) => taken += count,
                    ExecFrame::Output(_, bytes) => {
                        session.input.send(ExecInput::Taken(bytes.len())).await.unwrap();
                        out.extend(bytes);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        session.input.send(ExecInput::Close {}).await.unwrap();
        let (more, _, end) = rest(&mut session).await;
        out.extend(more);
        assert!(out == sent, "{} of {}", out.len(), sent.len());
        assert_eq!(end, exited(0));
    });
}

#[test]
fn a_command_goes_no_further_ahead_of_its_reader_than_a_window() {
    let house = House::new();
    house.run(async {
        house.container("web").await;
        let mut session = exec(&house, &["yes"], |_| {});
        begun(&mut session).await;
        let mut seen = 0;
        let mut wait = async |session: &mut ExecSession| {
            loop {
                let patience = house.environment.sleep(Duration::from_secs(5));
                futures::select! {
                    frame = session.frames.next().fuse() => match frame {
                        Some(ExecFrame::Output(_, bytes)) => seen += bytes.len(),
                        other => panic!("{other:?}"),
                    },
                    () = patience.fuse() => return seen,
                }
            }
        };
        let ahead = wait(&mut session).await;
        assert!((WINDOW..WINDOW + 16 * 1024).contains(&ahead), "{ahead} bytes");
        // It goes on as far as its reader has come.
        session.input.send(ExecInput::Taken(50_000)).await.unwrap();
        let more = wait(&mut session).await - ahead;
        assert!((50_000 - 16 * 1024..50_000 + 16 * 1024).contains(&more), "{more} bytes more");
        // Words get through whatever waits.
        house.engine.exit("web", 0);
        house.engine.vanish("web");
    });
}

#[test]
fn who_sends_more_than_a_window_is_told_so() {
    let house = House::new();
    house.run(async {
        house.container("web").await;
        // It reads nothing: its standard input is not attached.
        let mut session = exec(&house, &["yes"], |_| {});
        begun(&mut session).await;
        for _ in 0..=WINDOW / 16_000 {
            let _over = session.input.send(ExecInput::Stdin(vec![0; 16_000])).await;
        }
        let (_, _, end) = rest(&mut session).await;
        assert_eq!(end.unwrap().reason, EndReason::Breach);
    });
}

#[test]
fn another_size_reaches_the_terminal() {
    let house = House::new();
    house.run(async {
        house.container("web").await;
        let size = |rows| TerminalSize { rows, columns: 80 };
        let mut session = exec(&house, &["size"], |exec| (exec.terminal, exec.stdin) = (Some(size(24)), true));
        begun(&mut session).await;
        for rows in [24, 50] {
            let text = format!("{rows} 80\n").into_bytes();
            assert_eq!(session.frames.next().await, Some(ExecFrame::Output(LogSource::Stdout, text)));
            session.input.send(ExecInput::Resize(size(50))).await.unwrap();
        }
        session.input.send(ExecInput::Close {}).await.unwrap();
        assert_eq!(rest(&mut session).await.2, exited(0));
    });
}

#[test]
fn what_cannot_be_run_is_told_with_its_reason() {
    let house = House::new();
    house.run(async {
        let reason = async |id: Option<&str>| {
            let exec = ExecSpec { command: vec!["cat".to_owned()], ..ExecSpec::default() };
            let wanted = ExecWanted { container: "web".to_owned(), id: id.map(str::to_owned), exec };
            let mut session = house.control.streams().exec(&"vm1".into(), wanted).unwrap();
            let end = rest(&mut session).await.2.unwrap();
            assert!(end.detail.contains("web"), "{}", end.detail);
            end.reason
        };
        assert_eq!(reason(None).await, EndReason::NotFound);
        house.container("web").await;
        assert_eq!(reason(Some("another")).await, EndReason::NotFound);
        house.engine.exit("web", 0);
        assert_eq!(reason(None).await, EndReason::Refused);
    });
}

#[test]
fn an_agent_runs_so_many_and_no_more_and_one_that_left_makes_room() {
    let house = House::new();
    house.run(async {
        house.container("web").await;
        let mut sessions = Vec::new();
        for _ in 0..16 {
            let mut session = exec(&house, &["wait"], |exec| exec.stdin = true);
            begun(&mut session).await;
            sessions.push(session);
        }
        let mut late = exec(&house, &["wait"], |_| {});
        assert_eq!(rest(&mut late).await.2.unwrap().reason, EndReason::TooMany);
        sessions.pop();
        house.environment.sleep(Duration::from_secs(5)).await;
        begun(&mut exec(&house, &["wait"], |_| {})).await;
    });
}

#[test]
fn a_command_ends_with_its_container_its_agent_and_after_a_long_silence() {
    let house = House::new();
    house.run(async {
        house.container("web").await;
        let mut session = exec(&house, &["wait"], |_| {});
        begun(&mut session).await;
        house.engine.exit("web", 0);
        assert_eq!(rest(&mut session).await.2, exited(137));

        house.engine.start("web").await.unwrap();
        let mut session = exec(&house, &["wait"], |_| {});
        begun(&mut session).await;
        let since = house.environment.elapsed();
        assert_eq!(rest(&mut session).await.2.unwrap().reason, EndReason::Idle);
        assert_eq!((house.environment.elapsed() - since).as_secs(), 3600);

        let mut session = exec(&house, &["wait"], |_| {});
        begun(&mut session).await;
        house.kill_agent();
        assert_eq!(rest(&mut session).await.2, None);
    });
}

#[test]
fn an_agent_that_cannot_run_commands_is_told_of_none() {
    let house = House::new();
    house.environment.clone().run(async {
        let streams = house.control.streams();
        assert!(!streams.is_unable(&"vm1".into(), Ability::Exec), "it has not asked yet");
        let _session = exec(&house, &["cat"], |_| {});
        let old = StreamCall { can: Vec::new(), ..StreamCall::new("vm1".into(), 1, Duration::from_secs(1)) };
        assert_eq!(streams.asked(&old).await, Ok(Vec::new()));
        assert!(streams.is_unable(&"vm1".into(), Ability::Exec));
        let new = StreamCall::new("vm1".into(), 1, Duration::from_secs(1));
        assert_eq!(streams.asked(&new).await.unwrap().len(), 1);
        assert!(!streams.is_unable(&"vm1".into(), Ability::Exec));
    });
}

/// What it takes in without waiting.
fn put(session: &mut ExecSession, input: ExecInput) {
    session.input.send(input).now_or_never().unwrap().unwrap();
}

#[test]
fn what_is_sent_before_the_command_runs_waits_for_it_in_however_small_pieces() {
    let house = House::new();
    house.run(async {
        house.container("web").await;
        house.environment.sleep(Duration::from_secs(1)).await;
        house.kill_agent();
        let mut session = exec(&house, &["cat"], |exec| exec.stdin = true);
        let sent: Vec<u8> = (0..WINDOW).map(|number| (number % 251) as u8).collect();
        // Some before there is an agent, some before the engine does what it is asked.
        let (early, late) = sent.split_at(WINDOW / 2);
        early.chunks(7).for_each(|piece| put(&mut session, ExecInput::Stdin(piece.to_vec())));
        house.engine.hang(Operation::Exec);
        house.environment.sleep(Duration::from_secs(20)).await;
        assert!(session.is_served());
        for piece in late.chunks(7) {
            put(&mut session, ExecInput::Stdin(piece.to_vec()));
            if piece[0] == 0 {
                house.environment.sleep(Duration::from_millis(1)).await;
            }
        }
        put(&mut session, ExecInput::Close {});
        house.environment.sleep(Duration::from_secs(50)).await;
        house.engine.release();
        loop {
            match session.frames.next().await {
                Some(ExecFrame::Waiting(wait)) => assert!(wait.detail.contains("engine of host `vm1`"), "{wait:?}"),
                Some(ExecFrame::Begin(_)) => break,
                other => panic!("{other:?}"),
            }
        }
        let (out, _, end) = rest(&mut session).await;
        assert!(out == sent && end == exited(0), "{} of {}, {end:?}", out.len(), sent.len());
    });
}

#[test]
fn more_than_a_window_before_the_command_runs_is_told() {
    let house = House::new();
    house.run(async {
        house.container("web").await;
        house.environment.sleep(Duration::from_secs(1)).await;
        house.kill_agent();
        let mut session = exec(&house, &["cat"], |exec| exec.stdin = true);
        put(&mut session, ExecInput::Stdin(vec![0; WINDOW]));
        let _told = session.input.send(ExecInput::Stdin(vec![0])).await;
        let (_, _, end) = rest(&mut session).await;
        assert_eq!(end.unwrap().reason, EndReason::Breach);
    });
}

#[test]
fn an_engine_that_takes_its_time_is_named_and_given_up_in_the_end() {
    let house = House::new();
    house.run(async {
        house.container("web").await;
        house.engine.hang(Operation::Exec);
        let mut session = exec(&house, &["wait"], |exec| exec.stdin = true);
        let since = house.environment.elapsed();
        let waiting = session.frames.next().await;
        let Some(ExecFrame::Waiting(wait)) = waiting else { panic!("{waiting:?}") };
        assert!(wait.detail.contains("the engine of host `vm1` takes its time"), "{wait:?}");
        let end = rest(&mut session).await.2.unwrap();
        assert_eq!((house.environment.elapsed() - since).as_secs(), 180);
        assert!(end.reason == EndReason::EngineAway && end.detail.contains("vm1"), "{end:?}");
        // Whoever leaves meanwhile leaves no command behind that waits for them.
        for _ in 0..16 {
            let session = exec(&house, &["wait"], |exec| exec.stdin = true);
            house.environment.sleep(Duration::from_secs(1)).await;
            drop(session);
        }
        house.engine.release();
        house.environment.sleep(Duration::from_secs(8)).await;
        let mut all = Vec::new();
        for _ in 0..16 {
            let mut session = exec(&house, &["wait"], |exec| exec.stdin = true);
            begun(&mut session).await;
            all.push(session);
        }
    });
}

#[test]
fn who_goes_while_an_engine_takes_its_time_and_refuses_then_takes_no_agent_along() {
    let house = House::new();
    house.run(async {
        house.container("web").await;
        house.engine.hang(Operation::Exec);
        house.engine.fail_next(Operation::Exec, RuntimeError::Refused("no".to_owned()));
        let session = exec(&house, &["wait"], |_| {});
        house.environment.sleep(Duration::from_secs(1)).await;
        drop(session);
        // That it takes its time is said to nobody, and so is the refusal.
        house.environment.sleep(Duration::from_secs(3)).await;
        house.engine.release();
        house.environment.sleep(Duration::from_secs(1)).await;
        let mut session = exec(&house, &["say", "out", "err", "3"], |_| {});
        begun(&mut session).await;
        assert_eq!(rest(&mut session).await, (b"out\n".to_vec(), b"err\n".to_vec(), exited(3)));
    });
}
