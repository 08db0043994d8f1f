//! Cases about what a container answers when it is asked for its health.

use super::{
    LISTENS_AT, Workload,
    bench::{Bench, fails_as, ok},
};
use crate::{
    runtime::Probe,
    stack::{HealthTest, TextMap},
};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(2);
/// So often it is asked until a program has had time to open its port.
const TRIES: usize = 100;

fn http(path: &str) -> HealthTest {
    HealthTest::Http { path: path.to_owned(), port: LISTENS_AT, headers: TextMap::new() }
}

async fn asked(bench: &Bench<'_>, name: &str, test: &HealthTest) -> Probe {
    ok(bench.runtime.probe(name, test, TIMEOUT).await)
}

/// Asks until it is well.
async fn is_well(bench: &Bench<'_>, name: &str, test: &HealthTest) {
    for _ in 0..TRIES {
        if asked(bench, name, test).await.is_well {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{test:?} is never well: {:?}", asked(bench, name, test).await);
}

pub(super) async fn a_port_that_somebody_listens_at_is_well(bench: &Bench<'_>) {
    let name = bench.up(&bench.spec("a", Workload::Listens)).await;
    is_well(bench, &name, &HealthTest::Tcp { port: LISTENS_AT }).await;
    is_well(bench, &name, &http("/")).await;
}

pub(super) async fn a_port_that_nobody_listens_at_is_not_well(bench: &Bench<'_>) {
    let name = bench.up(&bench.spec("a", Workload::Listens)).await;
    is_well(bench, &name, &HealthTest::Tcp { port: LISTENS_AT }).await;
    let port = LISTENS_AT + 1;
    let http = HealthTest::Http { path: "/".to_owned(), port, headers: TextMap::new() };
    for test in [HealthTest::Tcp { port }, http, HealthTest::Grpc { port }] {
        let answer = asked(bench, &name, &test).await;
        assert!(!answer.is_well && !answer.output.is_empty(), "{test:?}: {answer:?}");
    }
}

pub(super) async fn what_does_not_run_is_not_well(bench: &Bench<'_>) {
    let spec = bench.spec("a", Workload::Listens);
    ok(bench.runtime.create(&spec).await);
    let answer = asked(bench, &spec.name, &HealthTest::Tcp { port: LISTENS_AT }).await;
    assert!(!answer.is_well && !answer.output.is_empty(), "{answer:?}");
}

pub(super) async fn only_what_is_there_and_networked_is_asked(bench: &Bench<'_>) {
    let tcp = HealthTest::Tcp { port: LISTENS_AT };
    fails_as!(bench.runtime.probe(&bench.name("a"), &tcp, TIMEOUT).await, NotFound);
    let name = bench.up(&bench.spec("a", Workload::Listens)).await;
    let exec = HealthTest::Exec { command: vec!["true".to_owned()] };
    fails_as!(bench.runtime.probe(&name, &exec, TIMEOUT).await, Refused);
}
