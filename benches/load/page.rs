//! From an event to the browsers that show it: over the stream of the page, for whoever is logged in.

use super::{
    goals::{Goals, at, note},
    raw::request,
    server::Server,
    traffic::{Planned, paced},
};
use futures::StreamExt as _;
use serde_json::json;
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::sleep};

const WATCHERS: usize = 100;
const RATE: usize = 200;

pub async fn measure(goals: &mut Goals, time: Duration) {
    let server = Server::start().await;
    server.quiet_host("quiet").await;
    let operators = server.operators(4).await;
    let cookie = log_in(&server).await;
    let count = RATE * time.as_secs() as usize;
    let planned: Arc<Mutex<Vec<Option<Instant>>>> = Arc::new(Mutex::new(vec![None; count]));
    let (waits, mut watching) = (Arc::new(Mutex::new(Vec::new())), JoinSet::new());
    for _ in 0..WATCHERS {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let ask = client.get(format!("{}/web/stream", server.url())).header("cookie", &cookie);
        let response = ask.header("accept", "text/event-stream").send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200, "the page has no stream");
        watching.spawn(watch(response, Arc::clone(&planned), Arc::clone(&waits), count));
    }
    let requests: Vec<Planned> = (0..count)
        .map(|number| {
            let wanted = json!({"hostId": "quiet", "payload": {"action": "stop", "name": format!("load-{number}.")}});
            let bytes = request("POST", "/api/v1/tasks", &operators[number % operators.len()], Some(&wanted));
            Planned { kind: "write", bytes }
        })
        .collect();
    let mark = {
        let planned = Arc::clone(&planned);
        move |number: usize, moment: Instant| planned.lock().unwrap()[number] = Some(moment)
    };
    let outcome = paced(server.address, requests, RATE, mark).await;
    assert_eq!(outcome.failed, 0, "writes failed: {:?}", outcome.statuses);
    let all = async { watching.join_all().await };
    let is_whole = tokio::time::timeout(Duration::from_secs(30), all).await.is_ok();
    sleep(Duration::from_millis(100)).await;
    let mut waits = std::mem::take(&mut *waits.lock().unwrap());
    let missing = WATCHERS * count - waits.len();
    note(format_args!("{} deliveries, p50 {:.1} ms, all came: {is_whole}", waits.len(), at(&mut waits, 500)));
    goals.at_most("events that did not come", missing as f64, 0.0, "");
    goals.at_most("from a change that is asked for to the page, p99", at(&mut waits, 990), 250.0, " ms");
}

/// Notes when each event comes, until the last has come.
async fn watch(
    response: reqwest::Response,
    planned: Arc<Mutex<Vec<Option<Instant>>>>,
    waits: Arc<Mutex<Vec<Duration>>>,
    count: usize,
) {
    let (mut stream, mut text, mut own) = (response.bytes_stream(), Vec::new(), Vec::with_capacity(count));
    while own.len() < count
        && let Some(Ok(bytes)) = stream.next().await
    {
        let now = Instant::now();
        text.extend_from_slice(&bytes);
        while let Some(end) = text.windows(2).position(|two| two == b"\n\n") {
            let event = String::from_utf8_lossy(&text[..end]).into_owned();
            text.drain(..end + 2);
            let number = event.split_once("load-").and_then(|(_, rest)| rest.split_once('.')?.0.parse::<usize>().ok());
            if let Some(moment) = number.and_then(|number| *planned.lock().unwrap().get(number)?) {
                own.push(now - moment);
            }
        }
    }
    waits.lock().unwrap().extend(own);
}

/// The cookie of whoever logs in with the administrator's token.
async fn log_in(server: &Server) -> String {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let ask = client.post(format!("{}/web/login", server.url()));
    let ask = ask.header("content-type", "application/x-www-form-urlencoded").body(format!("token={}", server.token));
    let answer = ask.send().await.unwrap();
    let cookie = answer.headers().get("set-cookie").expect("nobody is logged in").to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}
