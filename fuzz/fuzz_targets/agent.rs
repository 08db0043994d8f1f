//! Whatever a server, or somebody in its place, sends to an agent: reading it ends, what was read says the same when it is written
//! and read again, and a task is done or fails with words.
#![no_main]

use futures::future::{Either, select};
use graphium_core::{
    admission::Admission,
    agent::{Held, HostFacts, SessionGrant, Workplace, execute},
    environment::Environment,
    exec::{ExecRequest, Message},
    log::{Lines, LogFrame},
    task::{Outcome, Task},
    testing::{FakeRuntime, ManualEnvironment},
};
use libfuzzer_sys::fuzz_target;
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Debug, pin::pin, sync::Arc, time::Duration};

/// So long a task is looked at.
const LONGEST: Duration = Duration::from_secs(3600);

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 7 {
        0 => drop(same::<SessionGrant>(bytes)),
        1 => drop(same::<Vec<Held>>(bytes)),
        2 => drop(same::<ExecRequest>(bytes)),
        3 => drop(same::<LogFrame>(bytes).map(show)),
        4 => drop(message(bytes)),
        _ => drop(same::<Task>(bytes).map(attempt)),
    }
});

/// What the bytes say, if they say anything, which is the same when it is told on.
fn same<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let read: T = serde_json::from_slice(bytes).ok()?;
    let told = serde_json::to_string(&read).expect("what was read can be written");
    let again: T = serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}"));
    assert_eq!(again, read, "{told}");
    Some(read)
}

/// Lines of a log are as long as their pieces together.
fn show(frame: LogFrame) {
    let LogFrame::Line(line) = frame else { return };
    let mut lines = Lines::default();
    for _ in 0..3 {
        lines.push(line.entry.clone(), drop);
    }
    lines.finish().for_each(drop);
}

/// A message of a terminal is for one of the two sides, or for none.
fn message(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).map(|text| Message::Text(text.to_owned()));
    for message in [Some(Message::Binary(bytes.to_vec())), text.ok()].into_iter().flatten() {
        drop(message.clone().into_input());
        drop(message.into_frame());
    }
}

/// An attempt ends, well or with words, on an engine that does what it is told.
fn attempt(task: Task) {
    let environment = ManualEnvironment::default();
    let runtime = FakeRuntime::with_environment(Arc::new(environment.clone()));
    let place = Workplace {
        runtime: Arc::new(runtime),
        environment: Arc::new(environment.clone()),
        facts: HostFacts { name: "vm1".into(), address: None },
        secrets: Arc::new(|_| None),
        link: None,
        known: Arc::default(),
        admission: Arc::new(Admission::default()),
        settle: Duration::from_millis(100),
        health: Arc::default(),
        hold: Default::default(),
        keeper: Arc::default(),
    };
    // What waits for a health that never comes is cut off by the agent.
    let outcome = environment.run(async {
        match select(pin!(execute(&task, &place, &|_| {})), environment.sleep(LONGEST)).await {
            Either::Left((outcome, _)) => Some(outcome),
            Either::Right(_) => None,
        }
    });
    if let Some(Outcome::Failed(error)) = outcome {
        assert!(!error.code.is_empty() && !error.message.is_empty(), "{error:?}");
    }
}
