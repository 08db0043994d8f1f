//! Three nodes of a CouchDB in this process, without sockets: so a test may run in virtual time, the same from the same seed.

use super::{
    document::{self, Document},
    fake_couch::{self, Write, parameters, parts, write},
    fault::{fraction, split_mix},
    reply::Reply,
};
use crate::{
    CouchStore, Options,
    couch::{Clock, CouchAddress, CouchClient, Dice, Direct, Retention},
};
use async_trait::async_trait;
use graphium_core::store::StoreError;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};

/// Nodes, each of which keeps every document.
const NODES: usize = 3;

/// Nodes that make a majority.
const QUORUM: usize = 2;

/// What a message takes at most, when all is well.
const HOP: Duration = Duration::from_millis(2);

/// What a late one takes at most.
const LATE: Duration = Duration::from_secs(12);

/// Between two rounds in which nodes tell each other what they have.
const GOSSIP: Duration = Duration::from_millis(40);

/// How often messages go wrong, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Network {
    /// A question or an answer between a server and its node is lost.
    pub lost: f64,
    /// A question of a server takes up to twelve seconds, and is carried out then.
    pub late: f64,
    /// A write takes up to twelve seconds to one of the nodes, and is carried out there then.
    pub late_copies: f64,
    /// In the moment in which a write is answered its server stops, or its node is cut off, for up to twelve seconds: amid what
    /// the server is about, as it is hardly ever met by chance.
    pub incident: f64,
}

/// A cluster of three nodes, each of which keeps every document. A write is answered with 201 when two have taken it; a node
/// that is alone answers by itself. Nodes that are connected tell each other in the background what they have.
#[derive(Debug)]
pub struct FakeCluster {
    nodes: Arc<Nodes>,
    gossip: JoinHandle<()>,
    begun: Instant,
}

#[derive(Debug)]
struct Nodes {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    seed: u64,
    network: Network,
    documents: [BTreeMap<String, Document>; NODES],
    /// Documents of which the nodes may have different revisions.
    differing: BTreeSet<String>,
    /// Nodes of one number are connected.
    sides: [usize; NODES],
    hung: [Option<Instant>; NODES],
    stopped: HashMap<usize, Instant>,
    requests: u64,
}

/// The way of one server to its node.
struct Link {
    nodes: Arc<Nodes>,
    server: usize,
    node: usize,
}

impl FakeCluster {
    /// A cluster that is well and empty. It needs Tokio.
    pub fn start(seed: u64) -> Self {
        let state = State {
            seed,
            network: Network::default(),
            documents: Default::default(),
            differing: BTreeSet::new(),
            sides: [0; NODES],
            hung: [None; NODES],
            stopped: HashMap::new(),
            requests: 0,
        };
        let nodes = Arc::new(Nodes { state: Mutex::new(state) });
        let gossip = tokio::spawn(gossip(Arc::clone(&nodes)));
        Self { nodes, gossip, begun: Instant::now() }
    }

    /// A store of the server with a number, which talks to the node of this number, counted round.
    ///
    /// # Errors
    /// [`StoreError`]: when the database cannot be read.
    pub async fn open(&self, server: usize, options: Options, retention: Retention) -> Result<CouchStore, StoreError> {
        let broken = |reason: String| StoreError::Unavailable(reason);
        let address = CouchAddress::parse("couchdb://me:secret@fake:5984/graphium");
        let address = address.map_err(|error| broken(error.to_string()))?;
        let client = CouchClient::new(address).map_err(|error| broken(error.to_string()))?;
        let link = Link { nodes: Arc::clone(&self.nodes), server, node: server % NODES };
        let dice = dice(split_mix(&mut self.state().seed));
        CouchStore::open_on(client.on(Arc::new(link)), options, retention, dice, clock(self.begun)).await
    }

    /// From now on messages go wrong so often.
    pub fn set_network(&self, network: Network) {
        self.state().network = network;
    }

    /// From now on a node reaches no other, and no other reaches it.
    pub fn cut_off(&self, node: usize) {
        self.state().cut_off(node);
    }

    /// Gives a document another branch, at one node alone: each revision upon the one before it.
    pub fn branch_at(&self, node: usize, id: &str, bodies: impl IntoIterator<Item = Value>) {
        let mut state = self.state();
        state.differing.insert(id.to_owned());
        if let Some(documents) = state.documents.get_mut(node) {
            documents.entry(id.to_owned()).or_default().branch(bodies);
        }
    }

    /// Whether a node has a document.
    pub fn has(&self, node: usize, id: &str) -> bool {
        self.state().documents.get(node).is_some_and(|documents| documents.contains_key(id))
    }

    /// A document as a node shows it.
    pub fn document(&self, node: usize, id: &str) -> Option<Value> {
        let state = self.state();
        let document = state.documents.get(node)?.get(id)?;
        document.seen().map(|seen| fake_couch::shown(id, document, Some(&seen)))
    }

    /// From now on all nodes reach each other.
    pub fn connect(&self) {
        self.state().sides = [0; NODES];
    }

    /// A node does nothing for so long, and goes on then.
    pub fn hang_node(&self, node: usize, time: Duration) {
        if let Some(hung) = self.state().hung.get_mut(node) {
            *hung = Some(Instant::now() + time);
        }
    }

    /// A server neither sends nor hears anything for so long, and goes on then.
    pub fn stop_server(&self, server: usize, time: Duration) {
        self.state().stopped.insert(server, Instant::now() + time);
    }

    /// How many requests servers have sent.
    pub fn requests(&self) -> u64 {
        self.state().requests
    }

    /// Ids of documents of which some node has several live leaves.
    pub fn conflicted(&self) -> Vec<String> {
        let state = self.state();
        let conflicted = state.documents.iter().flatten().filter(|(_, document)| !document.conflicts().is_empty());
        let mut ids: Vec<String> = conflicted.map(|(id, _)| id.clone()).collect();
        ids.sort();
        ids.dedup();
        ids
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.nodes.state()
    }
}

impl Drop for FakeCluster {
    fn drop(&mut self) {
        self.gossip.abort();
    }
}

#[async_trait]
impl Direct for Link {
    async fn call(&self, method: &str, path: &str, query: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
        self.wait().await;
        self.nodes.state().requests += 1;
        let (is_lost, delay) = self.nodes.send(|network| network.late);
        if is_lost {
            return None;
        }
        let is_write = method != "GET";
        let (nodes, node) = (Arc::clone(&self.nodes), self.node);
        let (method, path, query, body) = (method.to_owned(), path.to_owned(), query.to_owned(), body.to_vec());
        let (reply, answer) = oneshot::channel();
        // Of its own: it goes on when nobody waits for it any more.
        tokio::spawn(async move {
            sleep(delay).await;
            nodes.wait(node).await;
            let answer = nodes.answer(node, &method, &path, &query, &body).await;
            nodes.wait(node).await;
            let _ = reply.send(answer);
        });
        let answer = answer.await.ok()?;
        if is_write {
            self.meet_incident();
        }
        let (is_lost, delay) = self.nodes.send(|_| 0.0);
        sleep(delay).await;
        self.wait().await;
        match answer {
            Reply::Json(status, value) if !is_lost => Some((status, value.to_string().into_bytes())),
            _ => None,
        }
    }
}

impl Link {
    fn meet_incident(&self) {
        let mut state = self.nodes.state();
        if fraction(&mut state.seed) >= state.network.incident {
            return;
        }
        let until = Instant::now() + LATE.mul_f64(fraction(&mut state.seed));
        if fraction(&mut state.seed) < 0.5 {
            state.stopped.insert(self.server, until);
            return;
        }
        state.cut_off(self.node);
        let nodes = Arc::clone(&self.nodes);
        tokio::spawn(async move {
            sleep_until(until).await;
            nodes.state().sides = [0; NODES];
        });
    }

    /// Until the server goes on.
    async fn wait(&self) {
        loop {
            let until = self.nodes.state().stopped.get(&self.server).copied();
            match until {
                Some(until) if until > Instant::now() => sleep_until(until).await,
                _ => return,
            }
        }
    }
}

impl Nodes {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a message is lost, and how long it takes otherwise.
    fn send(&self, late: impl Fn(&Network) -> f64) -> (bool, Duration) {
        let mut state = self.state();
        let network = state.network;
        let is_lost = fraction(&mut state.seed) < network.lost;
        let span = if fraction(&mut state.seed) < late(&network) { LATE } else { HOP };
        (is_lost, span.mul_f64(fraction(&mut state.seed)))
    }

    /// Until a node goes on.
    async fn wait(&self, node: usize) {
        loop {
            let until = self.state().hung[node];
            match until {
                Some(until) if until > Instant::now() => sleep_until(until).await,
                _ => return,
            }
        }
    }

    async fn answer(self: &Arc<Self>, node: usize, method: &str, path: &str, query: &str, body: &[u8]) -> Reply {
        let (parts, query) = (parts(path), parameters(query));
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match (method, parts.as_slice()) {
            ("GET", [_]) => Reply::Json(200, json!({"db_name": "graphium", "cluster": {"q": 2, "n": NODES}})),
            ("GET", [_, "_all_docs"]) => self.state().list(node, &query),
            ("GET", [_, id]) => {
                let document = self.read(node, id).await;
                match document.seen() {
                    _ if query.contains_key("open_revs") => Reply::Json(200, document.open_revs(id)),
                    Some(seen) => Reply::Json(200, fake_couch::shown(id, &document, Some(&seen))),
                    None => Reply::missing(),
                }
            }
            ("PUT" | "DELETE", [_, id]) => match write(id, method, &query, body) {
                Some(write) => self.write(node, write).await,
                None => Reply::error(400, "bad_request", "invalid UTF-8 JSON"),
            },
            _ => Reply::error(405, "method_not_allowed", "Only GET,HEAD allowed"),
        }
    }

    /// What nodes say of a document: two if the second has nothing that the first has not, all of them otherwise, however long that
    /// takes. Those who lack something are told it.
    async fn read(self: &Arc<Self>, node: usize, id: &str) -> Document {
        let (tell, mut told) = mpsc::unbounded_channel();
        let others = self.state().order(node);
        for other in others {
            let (nodes, id, tell) = (Arc::clone(self), id.to_owned(), tell.clone());
            tokio::spawn(async move {
                let (_, delay) = nodes.send(|_| 0.0);
                sleep(delay).await;
                nodes.wait(other).await;
                let state = nodes.state();
                if state.sides[other] == state.sides[node] {
                    let _ = tell.send((other, state.documents[other].get(&id).cloned().unwrap_or_default()));
                }
            });
        }
        drop(tell);
        let mut heard: Vec<(usize, Document)> = Vec::new();
        while let Some((other, document)) = told.recv().await {
            let is_enough = heard.first().is_some_and(|(_, first)| first.covers(&document));
            heard.push((other, document));
            if is_enough && heard.len() == QUORUM {
                break;
            }
        }
        let mut merged = Document::default();
        heard.iter().for_each(|(_, document)| merged.merge(document));
        let mut state = self.state();
        for (other, document) in heard {
            if document != merged && state.sides[other] == state.sides[node] {
                state.documents[other].entry(id.to_owned()).or_default().merge(&merged);
            }
        }
        merged
    }

    /// A majority that has taken it is enough; for any other answer all are waited for.
    async fn write(self: &Arc<Self>, node: usize, write: Write) -> Reply {
        let others = self.state().order(node);
        let (tell, mut told) = mpsc::unbounded_channel();
        for other in others {
            let (nodes, write, tell) = (Arc::clone(self), write.clone(), tell.clone());
            // Of its own: it reaches the node also after the question was answered.
            tokio::spawn(async move {
                let (_, delay) = nodes.send(|network| network.late_copies);
                sleep(delay).await;
                nodes.wait(other).await;
                let _ = tell.send(nodes.state().store(node, other, write));
            });
        }
        drop(tell);
        let mut taken: Vec<document::Rev> = Vec::new();
        let mut refused = 0;
        while let Some(outcome) = told.recv().await {
            match outcome {
                Some(Some(rev)) => {
                    taken.push(rev.clone());
                    if taken.iter().filter(|taken| **taken == rev).count() >= QUORUM {
                        return stored(201, &write.id, &rev);
                    }
                }
                Some(None) => refused += 1,
                None => {}
            }
        }
        match taken.first() {
            Some(rev) => stored(202, &write.id, rev),
            None if refused > 0 => Reply::conflict(),
            None => Reply::error(500, "internal_server_error", "No DB shards could be opened."),
        }
    }
}

impl State {
    fn cut_off(&mut self, node: usize) {
        self.sides = [0; NODES];
        if let Some(side) = self.sides.get_mut(node) {
            *side = 1;
        }
    }

    /// The nodes that a node reaches, itself among them, in the order in which they answer.
    fn order(&mut self, node: usize) -> Vec<usize> {
        let mut nodes: Vec<(u64, usize)> = Vec::new();
        for other in (0..NODES).filter(|other| self.sides[*other] == self.sides[node]) {
            nodes.push((split_mix(&mut self.seed), other));
        }
        nodes.sort_unstable();
        nodes.into_iter().map(|(_, other)| other).collect()
    }

    /// What one node makes of a write that another has sent it: nothing, if it does not reach it.
    fn store(&mut self, from: usize, node: usize, write: Write) -> Option<Option<document::Rev>> {
        if self.sides[from] != self.sides[node] {
            return None;
        }
        let Write { id, upon, is_deleted, body } = write;
        self.differing.insert(id.clone());
        Some(self.documents[node].entry(id).or_default().write(upon.as_ref(), is_deleted, body))
    }

    fn list(&self, node: usize, query: &BTreeMap<String, String>) -> Reply {
        fake_couch::list(&self.documents[node], query)
    }
}

fn stored(status: u16, id: &str, rev: &document::Rev) -> Reply {
    let answer: Value = json!({"ok": true, "id": id, "rev": document::text(rev)});
    Reply::Json(status, answer)
}

/// Lets nodes tell each other what they have.
async fn gossip(nodes: Arc<Nodes>) {
    loop {
        sleep(GOSSIP).await;
        let now = Instant::now();
        let mut state = nodes.state();
        let (one, step) = (split_mix(&mut state.seed), split_mix(&mut state.seed));
        let one = usize::try_from(one % NODES as u64).unwrap_or_default();
        let other = (one + 1 + usize::try_from(step % 2).unwrap_or_default()) % NODES;
        let is_hung = |node: usize| state.hung[node].is_some_and(|until| until > now);
        if state.sides[one] != state.sides[other] || is_hung(one) || is_hung(other) {
            continue;
        }
        for id in state.differing.clone() {
            let mut both = state.documents[one].get(&id).cloned().unwrap_or_default();
            both.merge(state.documents[other].get(&id).unwrap_or(&Document::default()));
            // What the other lacks; what it has itself it tells in a round of its own.
            state.documents[other].insert(id.clone(), both.clone());
            if state.documents.iter().all(|documents| documents.get(&id) == Some(&both)) {
                state.differing.remove(&id);
            }
        }
    }
}

/// The time of day of all servers: it goes as the clock of the run does, however long that takes.
fn clock(begun: Instant) -> Clock {
    Clock::telling(move || SystemTime::UNIX_EPOCH + begun.elapsed())
}

/// The same random bytes from the same seed.
fn dice(seed: u64) -> Dice {
    let state = Mutex::new(seed);
    Dice::filled_by(move |bytes| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        for byte in bytes {
            *byte = split_mix(&mut state).to_le_bytes()[7];
        }
    })
}
