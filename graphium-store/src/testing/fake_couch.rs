//! A CouchDB in this process.

use super::{
    document::{self, Document},
    fault::{Fault, Faults},
    reply::Reply,
    wire,
};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    net::TcpListener,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};

/// Database that a fake has in its URL.
const NAME: &str = "graphium";

/// A CouchDB in this process, on a port of this machine: revisions, conflicts and the winner among them are as in a real
/// one; what goes wrong is said by [`Faults`]. It ends when it is dropped.
#[derive(Debug)]
pub struct FakeCouch {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
pub(super) struct State {
    copies: u32,
    exists: bool,
    has_quorum: bool,
    is_stale: bool,
    has_long_lists: bool,
    hung_until: Option<Instant>,
    faults: Faults,
    documents: BTreeMap<String, Document>,
    /// What lists show while they are stale.
    stale: BTreeMap<String, Document>,
    /// Writes that a node which nobody reaches has taken.
    elsewhere: Vec<Write>,
    writes: u64,
    requests: u64,
}

impl FakeCouch {
    /// Starts one that keeps so many copies of each document: 1 is a single node.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(copies: u32) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = State {
            copies,
            exists: false,
            has_quorum: true,
            is_stale: false,
            has_long_lists: true,
            hung_until: None,
            faults: Faults::none(),
            documents: BTreeMap::new(),
            stale: BTreeMap::new(),
            elsewhere: Vec::new(),
            writes: 0,
            requests: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let server = tokio::spawn(wire::serve(listener, Arc::clone(&state)));
        Ok(Self { address, state, server })
    }

    /// The URL of a store on it.
    pub fn url(&self) -> String {
        format!("couchdb://me:secret@{}/{NAME}", self.address)
    }

    /// From now on these faults happen.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// Only a minority of the nodes is left: every write is stored and answered with 202.
    pub fn lose_quorum(&self) {
        self.state().has_quorum = false;
    }

    /// All nodes are there again, and what some of them took alone is seen by all.
    pub fn heal(&self) {
        self.state().heal();
    }

    /// Lists show what was there when this was called.
    pub fn freeze_lists(&self) {
        let mut state = self.state();
        state.is_stale = true;
        state.stale = state.documents.clone();
    }

    /// Lists show what there is again.
    pub fn thaw_lists(&self) {
        self.state().is_stale = false;
    }

    /// Lists with whole documents fail from now on, as those do that are too long.
    pub fn break_long_lists(&self) {
        self.state().has_long_lists = false;
    }

    /// It answers nobody for so long from now on.
    pub fn hang(&self, time: Duration) {
        self.state().hung_until = Some(Instant::now() + time);
    }

    /// Lets a branch of its own grow beside what is there of a document, as a part of a cluster that was split off has it.
    pub fn branch(&self, id: &str, bodies: impl IntoIterator<Item = Value>) {
        self.state().documents.entry(id.to_owned()).or_default().branch(bodies);
    }

    /// How many writes it was asked for.
    pub fn writes(&self) -> u64 {
        self.state().writes
    }

    /// How many leaves a document has, tombstones among them.
    pub fn leaves(&self, id: &str) -> usize {
        self.state().documents.get(id).map_or(0, Document::leaf_count)
    }

    /// How many requests have come in.
    pub fn requests(&self) -> u64 {
        self.state().requests
    }

    /// Ids of documents that have leaves in conflict.
    pub fn conflicted(&self) -> Vec<String> {
        let state = self.state();
        let conflicted = state.documents.iter().filter(|(_, document)| !document.conflicts().is_empty());
        conflicted.map(|(id, _)| id.clone()).collect()
    }

    /// The ids of documents that are there.
    pub fn ids(&self) -> Vec<String> {
        let state = self.state();
        state.documents.iter().filter(|(_, document)| document.seen().is_some()).map(|(id, _)| id.clone()).collect()
    }

    /// A document as it is seen.
    pub fn document(&self, id: &str) -> Option<Value> {
        let state = self.state();
        let document = state.documents.get(id)?;
        document.seen().map(|seen| shown(id, document, Some(&seen)))
    }

    /// Writes a document past everybody, as another program would.
    pub fn put(&self, id: &str, body: Value) {
        if let Value::Object(body) = body {
            let mut state = self.state();
            state.exists = true;
            let document = state.documents.entry(id.to_owned()).or_default();
            let rev = document.seen().map(|seen| seen.rev.clone());
            document.write(rev.as_ref(), false, body);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for FakeCouch {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// What is to be written.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) id: String,
    pub(super) upon: Option<document::Rev>,
    pub(super) is_deleted: bool,
    pub(super) body: Map<String, Value>,
}

impl State {
    fn heal(&mut self) {
        self.has_quorum = true;
        for Write { id, upon, is_deleted, body } in std::mem::take(&mut self.elsewhere) {
            // The node that took it alone tells the others: it is a branch of its own beside whatever they took.
            self.documents.entry(id).or_default().graft(upon, is_deleted, body);
        }
    }

    /// Answers a request; what takes time takes it without the lock.
    pub(super) async fn answer(state: &Arc<Mutex<Self>>, method: &str, path: &str, query: &str, body: &[u8]) -> Reply {
        let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = parts(path);
        let query = parameters(query);
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let hung_until = {
            let mut state = lock();
            state.requests += 1;
            state.hung_until
        };
        if let Some(until) = hung_until {
            sleep_until(until).await;
        }
        match (method, parts.as_slice()) {
            ("GET", []) => {
                Reply::Json(200, json!({"couchdb": "Welcome", "version": "3.5.2", "vendor": {"name": "fake"}}))
            }
            (_, [name, ..]) if *name != NAME => Reply::error(404, "not_found", "Database does not exist."),
            ("PUT", [_]) => lock().create(),
            (_, [_, ..]) if !lock().exists => Reply::error(404, "not_found", "Database does not exist."),
            ("GET", [_]) => {
                let copies = lock().copies;
                Reply::Json(
                    200,
                    json!({"db_name": NAME, "cluster": {"q": 2, "n": copies, "w": copies / 2 + 1, "r": copies / 2 + 1}}),
                )
            }
            ("GET", [_, "_all_docs"]) => lock().list(&query),
            ("POST", [_, "_purge"]) => lock().purge(body),
            ("GET", [_, id]) => lock().get(id, &query),
            ("PUT" | "DELETE", [_, id]) => {
                let Some(write) = write(id, method, &query, body) else {
                    return Reply::error(400, "bad_request", "invalid UTF-8 JSON");
                };
                let fault = lock().next_fault();
                Self::carry_out(state, write, fault).await
            }
            _ => Reply::error(405, "method_not_allowed", "Only GET,HEAD allowed"),
        }
    }

    fn next_fault(&mut self) -> Option<Fault> {
        self.writes += 1;
        self.faults.next()
    }

    async fn carry_out(state: &Arc<Mutex<Self>>, write: Write, fault: Option<Fault>) -> Reply {
        let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
        match fault {
            None => lock().store(write, 201),
            Some(Fault::Accepted) => lock().store(write, 202),
            Some(Fault::AcceptedElsewhere) => {
                let rev = format!("1-{:016x}", lock().writes);
                let id = write.id.clone();
                lock().elsewhere.push(write);
                Reply::Json(202, json!({"ok": true, "id": id, "rev": rev}))
            }
            // Nobody writes upon a revision but the one who has made it, and those who take a lease.
            Some(Fault::StrayLeaf) if write.upon.is_some() && !write.body.contains_key("holder") => {
                lock().store(write, 201)
            }
            Some(Fault::StrayLeaf) => {
                let (id, body) = (write.id.clone(), write.body.clone());
                let reply = lock().store(write, 201);
                if let Reply::Json(201, answer) = &reply
                    && let Some(rev) = answer["rev"].as_str().and_then(document::parse)
                {
                    lock().documents.entry(id).or_default().stray(&rev, body);
                }
                reply
            }
            Some(Fault::LateConflict(delay)) => {
                sleep(delay).await;
                Reply::conflict()
            }
            Some(Fault::BrokenAfterCommit) => {
                lock().store(write, 201);
                Reply::Broken
            }
            Some(Fault::BrokenBefore) => Reply::Broken,
            Some(Fault::StoredLater(delay)) => {
                let state = Arc::clone(state);
                tokio::spawn(async move {
                    sleep(delay).await;
                    state.lock().unwrap_or_else(PoisonError::into_inner).store(write, 201);
                });
                Reply::Broken
            }
            Some(Fault::ServerError) => Reply::error(500, "internal_server_error", "No DB shards could be opened."),
        }
    }

    fn create(&mut self) -> Reply {
        if std::mem::replace(&mut self.exists, true) {
            return Reply::error(412, "file_exists", "The database could not be created, the file already exists.");
        }
        Reply::Json(if self.has_quorum { 201 } else { 202 }, json!({"ok": true}))
    }

    fn store(&mut self, write: Write, status: u16) -> Reply {
        let Write { id, upon, is_deleted, body } = write;
        let status = if self.has_quorum { status } else { 202 };
        match self.documents.entry(id.clone()).or_default().write(upon.as_ref(), is_deleted, body) {
            Some(rev) => Reply::Json(status, json!({"ok": true, "id": id, "rev": document::text(&rev)})),
            None => Reply::conflict(),
        }
    }

    fn get(&self, id: &str, query: &BTreeMap<String, String>) -> Reply {
        let Some(document) = self.documents.get(id) else { return Reply::missing() };
        if query.contains_key("open_revs") {
            return Reply::Json(200, document.open_revs(id));
        }
        let seen = match query.get("rev").map(|rev| document::parse(rev)) {
            Some(Some(rev)) => document.seen_at(&rev),
            Some(None) => return Reply::error(400, "bad_request", "Invalid rev format"),
            None => document.seen(),
        };
        match seen {
            Some(_) => Reply::Json(200, shown(id, document, seen.as_ref())),
            None => Reply::missing(),
        }
    }

    fn list(&self, query: &BTreeMap<String, String>) -> Reply {
        if query.contains_key("include_docs") && !self.has_long_lists {
            return Reply::error(500, "timeout", "The request could not be processed in a reasonable amount of time.");
        }
        list(if self.is_stale { &self.stale } else { &self.documents }, query)
    }

    fn purge(&mut self, body: &[u8]) -> Reply {
        let Ok(wanted) = serde_json::from_slice::<BTreeMap<String, Vec<String>>>(body) else {
            return Reply::error(400, "bad_request", "Request body must be a JSON object");
        };
        for (id, revs) in &wanted {
            let revs: Vec<document::Rev> = revs.iter().filter_map(|rev| document::parse(rev)).collect();
            if let Some(document) = self.documents.get_mut(id) {
                document.purge(&revs);
                if document.is_empty() {
                    self.documents.remove(id);
                }
            }
        }
        Reply::Json(201, json!({"purge_seq": null, "purged": wanted}))
    }
}

/// A range of documents, as a list has them.
pub(super) fn list(documents: &BTreeMap<String, Document>, query: &BTreeMap<String, String>) -> Reply {
    let key = |name: &str| query.get(name).and_then(|text| serde_json::from_str::<String>(text).ok());
    let (start, end) = (key("startkey").unwrap_or_default(), key("endkey"));
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
    let rows: Vec<Value> = documents
        .range(start..)
        .take_while(|(id, _)| end.as_ref().is_none_or(|end| *id <= end))
        .filter_map(|(id, document)| {
            let seen = document.seen()?;
            let mut row = json!({"id": id, "key": id, "value": {"rev": document::text(seen.rev)}});
            if query.contains_key("include_docs") {
                row["doc"] = shown(id, document, Some(&seen));
            }
            Some(row)
        })
        .take(limit)
        .collect();
    Reply::Json(200, json!({"total_rows": documents.len(), "offset": 0, "rows": rows}))
}

pub(super) fn shown(id: &str, document: &Document, seen: Option<&document::Seen<'_>>) -> Value {
    let Some(seen) = seen else { return Value::Null };
    let mut body = seen.body.clone();
    body.insert("_id".to_owned(), id.into());
    body.insert("_rev".to_owned(), document::text(seen.rev).into());
    let conflicts: Vec<Value> = document.conflicts().into_iter().map(|rev| document::text(rev).into()).collect();
    if !conflicts.is_empty() {
        body.insert("_conflicts".to_owned(), conflicts.into());
    }
    Value::Object(body)
}

pub(super) fn write(id: &str, method: &str, query: &BTreeMap<String, String>, body: &[u8]) -> Option<Write> {
    let is_deleted = method == "DELETE";
    let body = if is_deleted { Map::new() } else { serde_json::from_slice(body).ok()? };
    let rev = query.get("rev").map(String::as_str).or_else(|| body.get("_rev").and_then(Value::as_str));
    let upon = rev.map(|rev| document::parse(rev).unwrap_or_default());
    let body = body.into_iter().filter(|(name, _)| !name.starts_with('_')).collect();
    Some(Write { id: id.to_owned(), upon, is_deleted, body })
}

/// The parts of a path.
pub(super) fn parts(path: &str) -> Vec<String> {
    path.split('/').skip(1).filter(|part| !part.is_empty()).map(decoded).collect()
}

pub(super) fn parameters(query: &str) -> BTreeMap<String, String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(&value.replace('+', " ")))).collect()
}

fn decoded(text: &str) -> String {
    crate::couch::decoded(text).unwrap_or_default()
}
