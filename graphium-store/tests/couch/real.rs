//! A database on the server that `GRAPHIUM_TEST_COUCHDB_URL` names, if there is one: or on the nodes of a cluster, with commas in
//! between.

use graphium_store::couch::{CallError, CouchAddress, CouchClient};
use std::{
    env, process,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// A database that nobody else has.
pub(crate) struct Database {
    /// As each node has it.
    pub(crate) urls: Vec<String>,
}

impl Database {
    pub(crate) fn new() -> Option<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let servers = env::var("GRAPHIUM_TEST_COUCHDB_URL").ok()?;
        let begun = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_millis();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("graphium-test-{}-{begun}-{number}", process::id());
        let urls = servers.split(',').map(|server| format!("{}/{name}", server.trim().trim_end_matches('/')));
        Some(Self { urls: urls.collect() })
    }

    /// As the node with a number has it, counted round.
    pub(crate) fn at(&self, number: usize) -> &str {
        &self.urls[number % self.urls.len()]
    }

    pub(crate) async fn remove(&self) -> Result<(), CallError> {
        match CouchAddress::parse(self.at(0)) {
            Ok(address) => CouchClient::new(address)?.remove().await,
            Err(_) => Ok(()),
        }
    }
}
