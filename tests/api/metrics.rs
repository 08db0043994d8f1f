//! `/metrics` under load, read by a parser of its own.

use crate::bed::{Bed, eventually, report, stack};
use graphium_core::{agent::AgentLink, control::Role, task::Outcome};
use reqwest::Method;
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

/// A text in the OpenMetrics format, as its standard says: the types of families, and samples by their names with labels.
#[derive(Debug, Default)]
struct Scrape {
    types: BTreeMap<String, String>,
    samples: BTreeMap<String, f64>,
}

impl Scrape {
    fn read(text: &str) -> Self {
        let mut scrape = Self::default();
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            if line == "# EOF" {
                assert_eq!(lines.peek(), None, "something after the end");
                return scrape;
            }
            if let Some(rest) = line.strip_prefix("# ") {
                let mut words = rest.splitn(3, ' ');
                let (what, family, value) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
                match what {
                    "TYPE" => {
                        let before = scrape.types.insert(family.to_owned(), value.to_owned());
                        assert_eq!(before, None, "`{family}` stands twice");
                    }
                    "HELP" => assert!(value.ends_with('.'), "{line}"),
                    "UNIT" => assert!(family.ends_with(&format!("_{value}")), "{line}"),
                    other => panic!("`{other}` is no word of the format: {line}"),
                }
                continue;
            }
            let (name, value) = line.rsplit_once(' ').unwrap();
            let family = name.split('{').next().unwrap();
            let is_known = scrape.types.iter().any(|(known, kind)| match kind.as_str() {
                "counter" => family == format!("{known}_total"),
                "histogram" => ["_bucket", "_sum", "_count"].iter().any(|end| family == format!("{known}{end}")),
                _ => family == known,
            });
            assert!(is_known, "a sample without its family: {line}");
            let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
            assert_eq!(scrape.samples.insert(name.to_owned(), value), None, "twice: {line}");
        }
        panic!("the end is missing");
    }

    fn of(&self, sample: &str) -> f64 {
        *self.samples.get(sample).unwrap_or_else(|| panic!("no `{sample}` in {:#?}", self.samples.keys()))
    }
}

async fn scrape(bed: &Bed, token: &str) -> Scrape {
    let answer = bed.request(Method::GET, "/metrics").bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    Scrape::read(&answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_scraped_under_load_is_what_happened() {
    let bed = Bed::new().await;
    let viewer = bed.token(Role::Viewer, None).await;
    let (link, grant) = bed.host("vm1").await;
    bed.json(Method::POST, "/api/v1/hosts", Some(json!({"@id": "vm2"})), 201).await;
    bed.deploy(&stack("shop", "vm1")).await;
    let load = async |number: usize| {
        for _ in 0..20 {
            bed.json(Method::GET, &format!("/api/v1/stacks/stack-{number}"), None, 404).await;
            bed.json(Method::GET, "/api/v1/stacks", None, 200).await;
            scrape(&bed, &viewer).await;
        }
    };
    futures::future::join_all((0..4).map(load)).await;
    // On a busy machine the load takes as long as a host may be silent.
    link.observe(&report("vm1", grant.session.epoch)).await.unwrap();
    // What was seen last counts for a second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let told = scrape(&bed, &viewer).await;
    let route = r#"method="GET",route="/api/v1/stacks"#;
    assert!((told.of(&format!(r#"graphium_http_requests_total{{{route}/{{id}}",status="404"}}"#)) - 80.0).abs() < 0.1);
    assert!((told.of(&format!(r#"graphium_http_requests_total{{{route}",status="200"}}"#)) - 80.0).abs() < 0.1);
    let seconds = "graphium_http_request_duration_seconds";
    assert!((told.of(&format!(r#"{seconds}_count{{{route}"}}"#)) - 80.0).abs() < 0.1);
    assert!((told.of(&format!(r#"{seconds}_bucket{{le="+Inf",{route}"}}"#)) - 80.0).abs() < 0.1);
    assert!(told.of(&format!(r#"{seconds}_sum{{{route}"}}"#)) > 0.0);
    let count = |sample: &str| told.of(sample) as i64;
    assert_eq!(count("graphium_http_requests_in_flight"), 1, "this one");
    assert_eq!(count(r#"graphium_hosts{status="active"}"#) + count(r#"graphium_hosts{status="offline"}"#), 2);
    assert_eq!(count("graphium_agents_connected"), 1);
    assert_eq!(count(r#"graphium_stacks{status="deploying"}"#), 1);
    assert_eq!(count(r#"graphium_stacks{status="running"}"#), 0);
    assert!(count(r#"graphium_tasks{status="pending"}"#) >= 1);
    assert_eq!(count("graphium_store_up"), 1);
    assert!(told.of("graphium_store_read_duration_seconds") < 5.0);
    let last = bed.server.control().store().last_event().await.unwrap();
    assert_eq!(count("graphium_events_total"), i64::try_from(last).unwrap());
    assert_eq!(count(&format!(r#"graphium_build_info{{version="{}"}}"#, env!("CARGO_PKG_VERSION"))), 1);
    assert!(count("process_start_time_seconds") > 1_700_000_000);
    assert!(count("process_open_fds") > 5 && count("process_resident_memory_bytes") > 1_000_000);

    // A claim that waits, a reader of events, and a task that ends.
    let call = |wait: u64, claim: &str| graphium_core::agent::ClaimCall {
        host: "vm1".into(),
        epoch: grant.session.epoch,
        claim: claim.into(),
        max: 10,
        wait: Duration::from_secs(wait),
    };
    let events = bed.request(Method::GET, "/api/v1/events").bearer_auth(&viewer).send().await.unwrap();
    loop {
        let granted = link.claim(&call(0, &format!("work {}", grant.session.epoch))).await.unwrap();
        let Some(task) = granted.first() else { break };
        link.report(task.lease.as_ref().unwrap(), &Outcome::Cancelled).await.unwrap();
    }
    let waits = call(20, "waits");
    let waiting = link.claim(&waits);
    let look = async {
        eventually("a parked claim, a watcher and an ended task", async || {
            let told = scrape(&bed, &viewer).await;
            let is_so = told.of(r#"graphium_agent_polls_parked{poll="claim"}"#) as i64 == 1
                && told.of("graphium_event_watchers") as i64 == 1
                && told.of(r#"graphium_tasks_ended_total{status="cancelled"}"#) >= 1.0;
            is_so.then_some(())
        })
        .await;
    };
    tokio::select! {
        granted = waiting => panic!("it did not wait: {granted:?}"),
        () = look => {}
    }
    drop(events);
    eventually("nobody waits any more", async || {
        let told = scrape(&bed, &viewer).await;
        let left = told.of(r#"graphium_agent_polls_parked{poll="claim"}"#) + told.of("graphium_event_watchers");
        (left as i64 == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn no_name_that_somebody_else_chose_becomes_a_label() {
    let bed = Bed::new().await;
    let shout = Method::from_bytes(b"SHOUT").unwrap();
    for number in 0..50 {
        let path = format!("/api/v1/stacks/name-{number}");
        bed.send(Method::GET, &path, None).await;
        bed.send(shout.clone(), &path, None).await;
        bed.send(Method::GET, &format!("/nowhere/{number}"), None).await;
    }
    let told = scrape(&bed, &bed.token).await;
    let names: Vec<_> = told.samples.keys().filter(|name| name.contains("name-") || name.contains("SHOUT")).collect();
    assert!(names.is_empty(), "{names:?}");
    assert_eq!(told.of(r#"graphium_http_requests_total{method="GET",route="other",status="404"}"#) as u64, 50);
    let requests = told.samples.keys().filter(|name| name.starts_with("graphium_http_requests_total{")).count();
    assert!(requests < 20, "{requests}");
}

#[tokio::test]
async fn metrics_are_for_people_with_a_token() {
    let bed = Bed::new().await;
    assert_eq!(bed.request(Method::GET, "/metrics").send().await.unwrap().status(), 401);
    let agent = bed.token(Role::Agent, Some("vm1")).await;
    let refused = bed.request(Method::GET, "/metrics").bearer_auth(agent).send().await.unwrap();
    assert_eq!(refused.status(), 403);
}
