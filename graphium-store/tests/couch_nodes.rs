//! A real cluster, with a server at each of its nodes, while nodes are killed, paused and cut off: nothing that was acknowledged is
//! lost, nothing is granted twice, and all servers say the same in the end.
//!
//! `GRAPHIUM_TEST_COUCHDB_URL` names three nodes, with commas in between, and `GRAPHIUM_TEST_COUCHDB_TROUBLE` a program that makes
//! trouble: it is called with `kill`, `start`, `pause`, `cont` or `cut` and the number of a node from 1 on, or with `heal`, which
//! ends all cuts. `GRAPHIUM_TEST_COUCHDB_ROUNDS` says which rounds there are (`0..12`), `GRAPHIUM_TEST_COUCHDB_HOLD` how many seconds
//! the trouble of each lasts (15).

#![cfg(feature = "couchdb")]

use graphium_core::store::{StoreError, Submission, TaskStore};
use graphium_store::{
    CouchStore, Options,
    couch::{CouchAddress, Retention},
};
use jiff::Timestamp;
use load::Load;
use std::{
    env,
    error::Error,
    fmt,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{process::Command, time::sleep};

#[path = "couch/load.rs"]
mod load;
#[path = "couch/real.rs"]
mod real;

type Checked = Result<(), Box<dyn Error>>;

/// How long a command may take, whatever goes wrong.
const LIMIT: Duration = Duration::from_secs(22);

/// How long after the end of trouble every server has to carry out commands again. A node that was cut off is taken for lost after a
/// minute, and looked for every forty seconds.
const RECOVERY: Duration = Duration::from_secs(150);

async fn server(url: &str, retention: Retention) -> Result<Arc<CouchStore>, Box<dyn Error>> {
    let options = Options::at(Timestamp::now());
    Ok(Arc::new(CouchStore::open_with(CouchAddress::parse(url)?, options, retention).await?))
}

/// What goes wrong, with the numbers of nodes.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    Kill(&'static [usize]),
    Pause(&'static [usize]),
    Cut(&'static [usize]),
}

const TROUBLES: [Trouble; 12] = [
    Trouble::Kill(&[1]),
    Trouble::Pause(&[2]),
    Trouble::Cut(&[3]),
    Trouble::Kill(&[2, 3]),
    Trouble::Pause(&[1]),
    Trouble::Cut(&[1, 2]),
    Trouble::Kill(&[3]),
    Trouble::Pause(&[2, 3]),
    Trouble::Cut(&[2]),
    Trouble::Kill(&[1, 2, 3]),
    Trouble::Pause(&[3]),
    Trouble::Cut(&[1]),
];

impl Trouble {
    fn nodes(self) -> &'static [usize] {
        match self {
            Self::Kill(nodes) | Self::Pause(nodes) | Self::Cut(nodes) => nodes,
        }
    }

    /// Whether two of the three still reach each other.
    fn leaves_a_quorum(self) -> bool {
        self.nodes().len() == 1
    }

    async fn begin(self, program: &str) -> Checked {
        let verb = match self {
            Self::Kill(_) => "kill",
            Self::Pause(_) => "pause",
            Self::Cut(_) => "cut",
        };
        for node in self.nodes() {
            call(program, &[verb, &node.to_string()]).await?;
        }
        Ok(())
    }

    async fn end(self, program: &str) -> Checked {
        let verb = match self {
            Self::Kill(_) => "start",
            Self::Pause(_) => "cont",
            Self::Cut(_) => return call(program, &["heal"]).await,
        };
        for node in self.nodes() {
            call(program, &[verb, &node.to_string()]).await?;
        }
        Ok(())
    }
}

async fn call(program: &str, arguments: &[&str]) -> Checked {
    let status = Command::new(program).args(arguments).status().await?;
    if status.success() { Ok(()) } else { Err(format!("`{program} {}` failed: {status}", arguments.join(" ")).into()) }
}

/// What a server answered to commands.
#[derive(Debug, Default)]
struct Heard {
    stored: usize,
    refused: usize,
    /// Of each, how many took more than a second.
    slow: usize,
    slowly_refused: usize,
    slowest_stored: Duration,
    slowest_refused: Duration,
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stored, refused, slow, slowly_refused, slowest_stored, slowest_refused } = self;
        write!(
            f,
            "{stored} stored ({slow} slowly, at most {slowest_stored:.1?}), {refused} not ({slowly_refused} slowly, at most {slowest_refused:.1?})"
        )
    }
}

async fn probe(server: &CouchStore, name: &str) -> Result<bool, String> {
    let submission = Submission { idempotency_key: Some(name.to_owned()), ..Submission::default() };
    match server.submit(submission, Timestamp::now()).await {
        Ok(_) => Ok(true),
        Err(StoreError::Unavailable(_)) => Ok(false),
        Err(error) => Err(error.to_string()),
    }
}

/// Gives commands for some time; only what was answered before the end counts as stored.
async fn listen(server: Arc<CouchStore>, name: String, time: Duration) -> Result<Heard, String> {
    let mut heard = Heard::default();
    let begun = Instant::now();
    for step in 0.. {
        let asked = Instant::now();
        let is_stored = probe(&server, &format!("{name}.{step}")).await?;
        let taken = asked.elapsed();
        if taken > LIMIT {
            return Err(format!("{name}: a command took {taken:?}"));
        }
        if begun.elapsed() >= time {
            break;
        }
        if is_stored {
            heard.stored += 1;
            heard.slow += usize::from(taken > Duration::from_secs(1));
            heard.slowest_stored = heard.slowest_stored.max(taken);
        } else {
            heard.refused += 1;
            heard.slowly_refused += usize::from(taken > Duration::from_secs(1));
            heard.slowest_refused = heard.slowest_refused.max(taken);
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok(heard)
}

/// How long a server takes until it carries out a command.
async fn recover(server: Arc<CouchStore>, name: String) -> Result<Duration, String> {
    let begun = Instant::now();
    for step in 0.. {
        if probe(&server, &format!("{name}.{step}")).await? {
            break;
        }
        if begun.elapsed() > RECOVERY {
            return Err(format!("{name}: nothing was carried out for {:?}", begun.elapsed()));
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok(begun.elapsed())
}

fn hold() -> Duration {
    let seconds = env::var("GRAPHIUM_TEST_COUCHDB_HOLD").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(15))
}

fn rounds() -> Range<usize> {
    let named = env::var("GRAPHIUM_TEST_COUCHDB_ROUNDS").ok();
    let range = named.as_deref().and_then(|range| range.split_once(".."));
    range.and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?)).unwrap_or(0..TROUBLES.len())
}

#[expect(clippy::print_stderr, reason = "what a cluster was measured to do is what it is for")]
async fn round(load: &Load, program: &str, round: usize, hold: Duration) -> Checked {
    let trouble = TROUBLES[round % TROUBLES.len()];
    trouble.begin(program).await?;
    // What was under way is not held against anybody.
    sleep(Duration::from_millis(200)).await;
    let servers = || load.servers.iter().cloned().enumerate();
    let mut listening = Vec::new();
    for (node, server) in servers() {
        listening.push(tokio::spawn(listen(server, format!("round {round} at node {}", node + 1), hold)));
    }
    let begun = Instant::now();
    if trouble.leaves_a_quorum() {
        load.open_session(round, &format!("round {round}")).await?;
    }
    sleep(hold.saturating_sub(begun.elapsed())).await;
    trouble.end(program).await?;
    let mut recovering = Vec::new();
    for (node, server) in servers() {
        recovering.push(tokio::spawn(recover(server, format!("after round {round} at node {}", node + 1))));
    }
    eprintln!("{trouble:?}");
    for (node, (listening, recovering)) in listening.into_iter().zip(recovering).enumerate() {
        let (heard, recovered) = (listening.await??, recovering.await??);
        eprintln!("  node {}: {heard}; stores again after {recovered:.1?}", node + 1);
        let is_well = !trouble.nodes().contains(&(node + 1));
        if trouble.leaves_a_quorum() && is_well && heard.stored == 0 {
            return Err(format!("nothing was stored at node {}, which is one of two that are well", node + 1).into());
        }
        if !trouble.leaves_a_quorum() && heard.stored > 0 {
            return Err(format!("without a quorum node {} has acknowledged {heard}", node + 1).into());
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "a test says what it did not test")]
async fn what_was_acknowledged_survives_whatever_becomes_of_the_nodes() -> Checked {
    let (Some(database), Ok(program)) = (real::Database::new(), env::var("GRAPHIUM_TEST_COUCHDB_TROUBLE")) else {
        eprintln!("not tested: nodes in trouble need GRAPHIUM_TEST_COUCHDB_URL and GRAPHIUM_TEST_COUCHDB_TROUBLE");
        return Ok(());
    };
    if database.urls.len() != 3 {
        return Err("GRAPHIUM_TEST_COUCHDB_URL names three nodes for this".into());
    }
    let mut servers = Vec::new();
    for url in &database.urls {
        servers.push(server(url, Retention::default()).await?);
    }
    let load = Load::on(servers, hold() + RECOVERY);
    let mut work = load.begin().await?;
    for number in rounds() {
        round(&load, &program, number, hold()).await?;
        if let Some(ended) = work.try_join_next() {
            return Err(format!("amid round {number}: {:?}", ended?).into());
        }
    }
    load.end(work).await?;
    let mut fresh = Vec::new();
    for url in &database.urls {
        fresh.push(server(url, Retention::default()).await?);
    }
    eprintln!("{}", load.check(&fresh).await?);
    Ok(database.remove().await?)
}
