//! Cases about logs.

use super::{
    Thing, Workload,
    bench::{Bench, fails_as, ok},
};
use crate::{
    inventory::ContainerStatus,
    runtime::{LogEntry, LogQuery, LogSource, RuntimeError, Tail},
};
use futures::{StreamExt as _, stream::BoxStream};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

type Entries = BoxStream<'static, Result<LogEntry, RuntimeError>>;

async fn entries(bench: &Bench<'_>, name: &str, query: LogQuery) -> Entries {
    ok(bench.runtime.logs(name, query).await).entries
}

/// All that is there, or comes until the end.
async fn text(bench: &Bench<'_>, name: &str, query: LogQuery) -> String {
    let mut entries = entries(bench, name, query).await;
    let mut bytes = Vec::new();
    while let Some(entry) = entries.next().await {
        bytes.extend(ok(entry).bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads on until each of the sources has written that.
async fn until_written(entries: &mut Entries, wanted: &[(LogSource, &str)]) -> Vec<LogEntry> {
    let mut seen = Vec::new();
    let so_far = |seen: &[LogEntry], source| {
        let of_it = seen.iter().filter(|entry: &&LogEntry| entry.source == source);
        of_it.flat_map(|entry| entry.bytes.iter().copied()).collect::<Vec<u8>>()
    };
    while wanted.iter().any(|(source, text)| so_far(&seen, *source) != text.as_bytes()) {
        let (read, all) = (
            seen.iter().map(|entry| entry.bytes.len()).sum::<usize>(),
            wanted.iter().map(|(_, text)| text.len()).sum(),
        );
        assert!(read < all, "{seen:?} should have been {wanted:?}");
        seen.push(ok(entries.next().await.expect("the log goes on")));
    }
    seen
}

pub(super) async fn a_log_is_read_from_its_beginning_its_end_and_a_moment(bench: &Bench<'_>) {
    let name = bench.up(&bench.spec("a", Workload::Speaks)).await;
    bench.until(&name, |shown| shown.status() == ContainerStatus::Exited).await;
    let all = LogQuery::default();
    assert_eq!(text(bench, &name, all).await, "one\ntwo\nthree\n");
    for (lines, expected) in [(2, "two\nthree\n"), (0, ""), (20, "one\ntwo\nthree\n")] {
        let query = LogQuery { tail: Tail::Last(lines), ..all };
        assert_eq!(text(bench, &name, query).await, expected, "{lines}");
    }
    assert_eq!(text(bench, &name, LogQuery { follow: true, ..all }).await, "one\ntwo\nthree\n", "it runs no more");
    let read: Vec<_> = entries(bench, &name, all).await.map(ok).collect().await;
    assert!(read.iter().all(|entry| entry.source == LogSource::Stdout), "{read:?}");
    // By its own times, where the runtime has a clock: from the last one on there is at least that.
    let Some(last) = read.last().and_then(|entry| entry.time) else { return };
    let from_last: Vec<_> = entries(bench, &name, LogQuery { since: Some(last), ..all }).await.map(ok).collect().await;
    assert!(from_last.iter().all(|entry| entry.time >= Some(last)), "{from_last:?}");
    assert_eq!(from_last.last(), read.last());
    let later: Timestamp = last + SignedDuration::from_secs(3600);
    assert_eq!(text(bench, &name, LogQuery { since: Some(later), ..all }).await, "");
}

pub(super) async fn a_log_is_followed_until_its_container_ends(bench: &Bench<'_>) {
    let name = bench.up(&bench.spec("a", Workload::Murmurs)).await;
    let mut followed = entries(bench, &name, LogQuery { follow: true, ..LogQuery::default() }).await;
    let wanted = [(LogSource::Stdout, "out\n"), (LogSource::Stderr, "err\n")];
    until_written(&mut followed, &wanted).await;
    let id = ok(bench.runtime.logs(&name, LogQuery::default()).await).id;
    assert_eq!(id, bench.shown(&name).await.observed.id);
    ok(bench.runtime.stop(&name, Some(Duration::from_secs(2))).await);
    while let Some(entry) = followed.next().await {
        ok(entry);
    }
    // What it wrote before is there still; each run adds to it.
    assert_eq!(until_written(&mut entries(bench, &name, LogQuery::default()).await, &wanted).await.len(), 2);
}

pub(super) async fn a_followed_log_ends_when_its_container_is_removed(bench: &Bench<'_>) {
    let name = bench.up(&bench.spec("a", Workload::Runs)).await;
    let mut followed = entries(bench, &name, LogQuery { follow: true, ..LogQuery::default() }).await;
    ok(bench.runtime.remove(&name).await);
    // An engine may call the end of what is removed an error.
    while followed.next().await.is_some() {}
    fails_as!(bench.runtime.logs(&name, LogQuery::default()).await, NotFound);
}

pub(super) async fn a_foreign_log_is_not_read(bench: &Bench<'_>) {
    let name = bench.name("a");
    fails_as!(bench.runtime.logs(&name, LogQuery::default()).await, NotFound);
    bench.harness.make_foreign(Thing::Container, &name);
    fails_as!(bench.runtime.logs(&name, LogQuery::default()).await, NameTaken);
    bench.harness.remove_foreign(Thing::Container, &name);
}
