//! Whether what was deployed really answers.

use super::stage::{Kind, Stage};
use graphium_core::{control::StatusView, plan::Endpoint};
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a container that just started may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// What was asked and whether it was so.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) what: String,
    /// Why it is not so.
    pub(super) failed: Option<String>,
}

/// Asks every endpoint, and one container for another.
pub(super) async fn prove(status: &StatusView, stage: &Stage) -> Vec<Proof> {
    graphium_server::tls::ready();
    let client = match reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build() {
        Ok(client) => client,
        Err(error) => return vec![Proof { what: "an HTTP client".into(), failed: Some(error.to_string()) }],
    };
    let mut proofs = Vec::new();
    for endpoint in &status.endpoints {
        let url = crate::render::url(endpoint);
        let answer = get(&client, &format!("{url}/health")).await;
        proofs.push(Proof { what: format!("{url} answers ({})", endpoint.container), failed: answer.err() });
    }
    if let Some(frontend) = status.endpoints.iter().find(|endpoint| endpoint.container == "frontend") {
        proofs.push(reach(&client, frontend, stage).await);
    }
    proofs
}

/// The front end reaches the API: across hosts by the endpoint that it was told, on one host by name.
async fn reach(client: &reqwest::Client, frontend: &Endpoint, stage: &Stage) -> Proof {
    let base = crate::render::url(frontend);
    let told = match get(client, &format!("{base}/env")).await {
        Ok(text) => {
            serde_json::from_str::<Value>(&text).ok().and_then(|env| Some(env.get("API_URL")?.as_str()?.to_owned()))
        }
        Err(reason) => return Proof { what: "`frontend` says what it was told".into(), failed: Some(reason) },
    };
    let (what, url) = match (&stage.kind, told) {
        (Kind::Testbed(_), Some(url)) => {
            (format!("`frontend` reaches `api` across hosts at {url}, as API_URL told it"), url)
        }
        (Kind::Testbed(_), None) => {
            return Proof { what: "`frontend` was told API_URL".into(), failed: Some("it was not".into()) };
        }
        _ => ("`frontend` reaches `api` by its name".to_owned(), "http://api".to_owned()),
    };
    Proof { what, failed: get(client, &format!("{base}/fetch?url={url}/health")).await.err() }
}

/// The body of a good answer; asked again until there is one or time is up.
async fn get(client: &reqwest::Client, url: &str) -> Result<String, String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let problem = match client.get(url).send().await {
            Ok(answer) if answer.status().is_success() => {
                return answer.text().await.map_err(|error| error.to_string());
            }
            Ok(answer) => format!("{url} answers {}", answer.status()),
            Err(error) => format!("{url} does not answer: {error}"),
        };
        if Instant::now() > deadline {
            return Err(problem);
        }
        sleep(PAUSE).await;
    }
}
