#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on should stop, and say why")]
//! What goes over the wire, against a stand-in that answers as an engine of API 1.41 does: requests that a real
//! engine would not show, and answers that it would not give when asked to.

mod stand_in;

use futures::{StreamExt as _, stream};
use graphium_core::{
    runtime::{
        ContainerRuntime as _, ContainerSpec, ExecEvent, ExecFeed, ExecSpec, ImageRequest, LogQuery, LogSource,
        PresentImage, PullObserver, RuntimeError, Tail,
    },
    stack::{Container, HealthTest, PullPolicy},
};
use stand_in::StandIn;
use std::{
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

#[derive(Default)]
struct Progress(Mutex<Vec<(u64, u64)>>);

impl PullObserver for Progress {
    fn progress(&self, done: u64, total: u64, _message: &str) {
        self.0.lock().expect("no panic").push((done, total));
    }
}

fn spec() -> ContainerSpec {
    let container = Container { image: "web:1".to_owned(), ..Container::default() };
    ContainerSpec::new("shop-web", container)
}

#[tokio::test]
async fn a_container_costs_two_requests_up_and_two_down_under_the_negotiated_version() {
    let engine = StandIn::start(|request| match request {
        "POST /v1.41/containers/create" => (201, r#"{"Id":"c0ffee","Warnings":[]}"#),
        _ => (204, ""),
    });
    let docker = engine.runtime();
    assert_eq!(docker.create(&spec()).await, Ok("c0ffee".to_owned()));
    assert_eq!(docker.start("shop-web").await, Ok(()));
    assert_eq!(docker.stop("shop-web", None).await, Ok(()));
    assert_eq!(docker.remove("shop-web").await, Ok(()));
    let requests = [
        "GET /version",
        "POST /v1.41/containers/create",
        "POST /v1.41/containers/c0ffee/start",
        "POST /v1.41/containers/c0ffee/stop",
        "DELETE /v1.41/containers/c0ffee",
    ];
    assert_eq!(engine.requests(), requests);
}

#[tokio::test]
async fn a_present_image_asks_the_engine_once_and_no_registry() {
    let engine = StandIn::start(|_| (200, "{}"));
    let docker = engine.runtime();
    assert!(docker.pull(asked("a/b:1", PullPolicy::IfNotPresent), &Progress::default()).await.is_ok());
    assert_eq!(engine.requests(), ["GET /version", "GET /v1.41/images/a/b:1/json"]);
}

/// An image of the engine's own platform.
fn asked(image: &str, policy: PullPolicy) -> ImageRequest<'_> {
    ImageRequest { image, platform: None, policy }
}

#[tokio::test]
async fn an_image_of_another_platform_is_pulled_anew_and_looked_at() {
    static HAS_COME: AtomicBool = AtomicBool::new(false);
    let engine = StandIn::start(|request| match request {
        "POST /v1.41/images/create" => {
            HAS_COME.store(true, Ordering::Relaxed);
            (200, "{\"status\":\"Pulling\"}\r\n")
        }
        "GET /v1.41/images/web:1/json" if HAS_COME.load(Ordering::Relaxed) => {
            (200, r#"{"Id":"sha256:2","Os":"linux","Architecture":"arm64","Variant":"v8"}"#)
        }
        "GET /v1.41/images/web:1/json" => (200, r#"{"Id":"sha256:1","Os":"linux","Architecture":"amd64"}"#),
        _ => (404, "{}"),
    });
    let docker = engine.runtime();
    let pull = async |platform, policy| {
        let image = ImageRequest { platform: Some(platform), ..asked("web:1", policy) };
        docker.pull(image, &Progress::default()).await.map(|present| present.id).map_err(|error| error.to_string())
    };
    assert_eq!(pull("linux/amd64", PullPolicy::Never).await.as_deref(), Ok("sha256:1"));
    let never = pull("linux/arm64", PullPolicy::Never).await.expect_err("the engine has another");
    assert!(never.contains("has it for `linux/amd64`, not for `linux/arm64`"), "{never}");
    assert_eq!(pull("linux/arm64", PullPolicy::IfNotPresent).await.as_deref(), Ok("sha256:2"));
    let queries = engine.queries();
    let asked = queries.iter().find(|query| query.contains("fromImage")).expect("it was pulled");
    assert!(asked.contains("platform=linux%2Farm64"), "{asked}");
    // The registry goes on sending what it has.
    let wrong = pull("linux/s390x", PullPolicy::IfNotPresent).await.expect_err("it is another still");
    assert!(wrong.contains("after the pull this host has it for `linux/arm64/v8`, not for `linux/s390x`"), "{wrong}");
}

#[tokio::test]
async fn a_pull_tells_what_arrives() {
    static HAS_COME: AtomicBool = AtomicBool::new(false);
    let engine = StandIn::start(|request| match request {
        "POST /v1.41/images/create" if !HAS_COME.swap(true, Ordering::Relaxed) => (
            200,
            "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":10,\"total\":40},\"id\":\"a\"}\r\n\
             {\"status\":\"Download complete\",\"progressDetail\":{},\"id\":\"a\"}\r\n",
        ),
        "GET /v1.41/images/nginx/json" if HAS_COME.load(Ordering::Relaxed) => {
            (200, r#"{"Id":"sha256:1","RepoDigests":["reg:5000/nginx@sha256:9","nginx@sha256:2"]}"#)
        }
        _ => (404, r#"{"message":"No such image"}"#),
    });
    let progress = Progress::default();
    // Two ask, and one pull serves both: the stand-in has it but once.
    let (docker, other) = (engine.runtime(), Progress::default());
    let ask = |progress| docker.pull(asked("nginx", PullPolicy::IfNotPresent), progress);
    let (first, second) = tokio::join!(ask(&progress), ask(&other));
    let expected = PresentImage { id: "sha256:1".to_owned(), digest: Some("sha256:2".to_owned()) };
    assert_eq!((first, second), (Ok(expected.clone()), Ok(expected)));
    assert_eq!(engine.requests().iter().filter(|request| request.starts_with("POST")).count(), 1);
    // Whichever pulls hears all of it; who waits hears the latest.
    let heard = [progress, other].map(|progress| progress.0.into_inner().expect("no panic"));
    assert!(heard.contains(&vec![(10, 40), (40, 40)]), "{heard:?}");
    let query = engine.queries().into_iter().find(|query| !query.is_empty()).unwrap_or_default();
    assert!(query.starts_with("fromImage=nginx&tag=latest"), "without a tag every tag would come: {query}");
}

#[tokio::test]
async fn a_pull_that_failed_serves_nobody_who_always_wants_the_newest() {
    static HAS_FAILED: AtomicBool = AtomicBool::new(false);
    let engine = StandIn::start(|request| match request {
        "POST /v1.41/images/create" if !HAS_FAILED.swap(true, Ordering::Relaxed) => (500, r#"{"message":"no route"}"#),
        "POST /v1.41/images/create" => (200, "{\"status\":\"Pulling\"}\r\n"),
        // Of an earlier pull, whatever came of this one.
        _ => (200, r#"{"Id":"sha256:1","RepoDigests":[]}"#),
    });
    let (docker, progress) = (engine.runtime(), Progress::default());
    let ask = || docker.pull(asked("nginx", PullPolicy::Always), &progress);
    let pulls = || engine.requests().iter().filter(|request| request.starts_with("POST")).count();
    // The second pulls for itself, and brings it for the third.
    let (first, second, third) = tokio::join!(ask(), ask(), ask());
    assert!(first.is_err() && second.is_ok() && third == second, "{first:?} {second:?} {third:?}");
    assert_eq!(pulls(), 2);
    assert_eq!(ask().await, second);
    assert_eq!(pulls(), 3, "nobody was at it any more");
}

#[tokio::test]
async fn a_registry_that_denies_within_the_stream_is_image_not_found() {
    let engine = StandIn::start(|_| {
        (
            200,
            "{\"status\":\"Pulling\"}\r\n{\"errorDetail\":{\"message\":\"manifest unknown\"},\"error\":\"manifest unknown\"}\r\n",
        )
    });
    let pulled = engine.runtime().pull(asked("web:1", PullPolicy::Always), &Progress::default()).await;
    assert!(matches!(&pulled, Err(RuntimeError::ImageNotFound { image, .. }) if image == "web:1"), "{pulled:?}");
}

#[tokio::test]
async fn a_connection_that_breaks_off_is_unreachable_and_the_version_is_asked_anew() {
    let engine = StandIn::start(|_| (stand_in::BREAK_OFF, ""));
    let docker = engine.runtime();
    for _ in 0..2 {
        let shown = docker.inspect("shop-web").await;
        assert!(matches!(shown, Err(RuntimeError::Unreachable { .. })), "{shown:?}");
    }
    let again = ["GET /version", "GET /v1.41/containers/shop-web/json"].repeat(2);
    assert_eq!(engine.requests(), again);
}

#[tokio::test]
async fn containers_of_an_engine_elsewhere_are_not_asked_at_addresses_of_this_machine() {
    let engine = StandIn::start(|request| match request {
        "GET /v1.41/containers/web/json" => {
            (200, r#"{"Id":"c0ffee","Name":"/web","State":{"Running":true},"HostConfig":{"NetworkMode":"host"}}"#)
        }
        _ => (404, "{}"),
    });
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let tcp = HealthTest::Tcp { port: listener.local_addr().expect("it has an address").port() };
    let limit = Duration::from_secs(5);
    let here = engine.runtime().probe("web", &tcp, limit).await;
    assert!(here.as_ref().is_ok_and(|probe| probe.is_well), "{here:?}");
    // A name that leads here, which only whoever resolves it knows.
    let elsewhere = engine.runtime_at("127.1");
    let refused = elsewhere.probe("web", &tcp, limit).await;
    let Err(RuntimeError::Refused(words)) = &refused else { panic!("{refused:?}") };
    assert!(words.contains("on another machine (tcp://127.1:") && words.contains("run the agent there"), "{words}");
    let absent = elsewhere.probe("absent", &tcp, limit).await;
    assert!(matches!(absent, Err(RuntimeError::NotFound(_))), "{absent:?}");
}

#[tokio::test]
async fn silence_ends_with_the_deadline() {
    let engine = StandIn::start(|request| match request {
        "GET /v1.41/containers/absent/json" => (404, "{}"),
        _ => (stand_in::SILENCE, ""),
    });
    let docker = engine.runtime();
    assert_eq!(docker.inspect("absent").await, Ok(None));
    // From here on time flies whenever nothing is left to do but wait.
    tokio::time::pause();
    let timed_out = |operation: &str, seconds| RuntimeError::TimedOut { operation: operation.to_owned(), seconds };
    assert_eq!(docker.inspect("web").await, Err(timed_out("inspecting container web", 30)));
    assert_eq!(docker.create(&spec()).await, Err(timed_out("creating container shop-web", 60)));
    let pulled = docker.pull(asked("web:1", PullPolicy::Always), &Progress::default()).await;
    assert_eq!(pulled, Err(timed_out("pulling image web:1", 60)));
}

#[tokio::test]
async fn what_only_begins_like_an_id_is_absent() {
    let engine =
        StandIn::start(|_| (200, r#"{"Id":"abc123","Name":"/other","Config":{"Labels":{"graphium.managed":"true"}}}"#));
    let docker = engine.runtime();
    assert_eq!(docker.inspect("abc").await, Ok(None));
    assert_eq!(docker.remove("abc").await, Ok(()));
    assert!(engine.requests().iter().all(|request| !request.starts_with("DELETE")));
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_told_at_once() {
    let docker = graphium_docker::DockerRuntime::connect("tcp://127.0.0.1:9".parse().expect("an endpoint"));
    let begun = Instant::now();
    let listed = docker.list().await;
    assert!(
        matches!(&listed, Err(RuntimeError::Unreachable { reason, .. }) if reason.contains("refused")),
        "{listed:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(5));
}

/// What a terminal shows: no line that ends, and what looks like the heads of frames.
static SHOWN: LazyLock<String> = LazyLock::new(|| "\x01\x00\x02\x00\x7f".to_owned() + &"x".repeat(3_000_000));

#[tokio::test]
async fn the_log_of_a_terminal_comes_as_it_is_in_pieces() {
    let engine = StandIn::start(|request| match request {
        "GET /v1.41/containers/shop-web/json" => {
            (200, r#"{"Id":"c0ffee","Name":"/shop-web","Config":{"Tty":true,"Labels":{"graphium.managed":"true"}}}"#)
        }
        "GET /v1.41/containers/c0ffee/logs" => (200, &SHOWN),
        _ => (404, "{}"),
    });
    let query = LogQuery { tail: Tail::Last(7), follow: true, ..LogQuery::default() };
    let mut log = engine.runtime().logs("shop-web", query).await.expect("a log");
    let (mut bytes, mut largest) = (Vec::new(), 0);
    while let Some(entry) = log.entries.next().await {
        let entry = entry.expect("it goes on");
        assert_eq!((entry.source, entry.time), (LogSource::Console, None));
        largest = largest.max(entry.bytes.len());
        bytes.extend(entry.bytes);
    }
    assert!(bytes == SHOWN.as_bytes(), "{} of {} bytes came", bytes.len(), SHOWN.len());
    assert!(largest <= 1_000_000, "a piece of {largest} bytes: it waited for the end of a line");
    let asked = engine.queries().into_iter().find(|query| query.contains("tail")).unwrap_or_default();
    assert_eq!(asked, "stdout=true&stderr=true&follow=true&timestamps=false&since=0&tail=7");
}

#[tokio::test]
async fn an_engine_that_refuses_the_log_of_a_terminal_is_heard() {
    let engine = StandIn::start(|request| match request {
        "GET /v1.41/containers/shop-web/json" => {
            (200, r#"{"Id":"c0ffee","Name":"/shop-web","Config":{"Tty":true,"Labels":{"graphium.managed":"true"}}}"#)
        }
        _ => (501, r#"{"message":"configured logging driver does not support reading"}"#),
    });
    let mut log = engine.runtime().logs("shop-web", LogQuery::default()).await.expect("a log");
    match log.entries.next().await {
        Some(Err(RuntimeError::Failed(why))) => assert!(why.contains("logging driver"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(log.entries.next().await.is_none());
}

#[tokio::test]
async fn a_command_that_has_closed_its_outputs_is_waited_for() {
    static ASKED: Mutex<Option<Instant>> = Mutex::new(None);
    const LONG: Duration = Duration::from_secs(12);
    let engine = StandIn::start(|request| match request {
        "GET /v1.41/containers/shop-web/json" => (
            200,
            r#"{"Id":"c0ffee","Name":"/shop-web","State":{"Running":true},"Config":{"Labels":{"graphium.managed":"true"}}}"#,
        ),
        "POST /v1.41/containers/c0ffee/exec" => (201, r#"{"Id":"e1"}"#),
        "POST /v1.41/exec/e1/start" => (stand_in::HANDED_OVER, "\x01\0\0\0\0\0\0\x02hi"),
        "GET /v1.41/exec/e1/json" => {
            let first = *ASKED.lock().expect("no panic").get_or_insert_with(Instant::now);
            match first.elapsed() < LONG {
                true => (200, r#"{"Running":true,"ExitCode":null}"#),
                false => (200, r#"{"Running":false,"ExitCode":3}"#),
            }
        }
        _ => (404, "{}"),
    });
    let spec = ExecSpec { command: vec!["sleep".to_owned()], ..ExecSpec::default() };
    let nothing = ExecFeed { stdin: stream::empty().boxed(), sizes: stream::pending().boxed() };
    let mut execution = engine.runtime().exec("shop-web", &spec, nothing).await.expect("it begins");
    let said = execution.events.next().await;
    assert!(matches!(&said, Some(Ok(ExecEvent::Wrote(LogSource::Stdout, bytes))) if bytes == b"hi"), "{said:?}");
    assert_eq!(execution.events.next().await, Some(Ok(ExecEvent::Exited(3))));
    let looks = engine.requests().iter().filter(|request| *request == "GET /v1.41/exec/e1/json").count();
    assert!(looks < 60, "the engine has better things to do than to be asked {looks} times");
}
