//! A database on the server that `GRAPHIUM_TEST_COUCHDB_URL` names, if there is one.

use graphium_store::couch::{CallError, CouchAddress, CouchClient};
use std::{
    env, process,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// A database that nobody else has.
pub(crate) struct Database {
    url: String,
}

impl Database {
    pub(crate) fn new() -> Option<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let server = env::var("GRAPHIUM_TEST_COUCHDB_URL").ok()?;
        let begun = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_millis();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let url = format!("{}/graphium-test-{}-{begun}-{number}", server.trim_end_matches('/'), process::id());
        Some(Self { url })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn remove(&self) -> Result<(), CallError> {
        match CouchAddress::parse(&self.url) {
            Ok(address) => CouchClient::new(address)?.remove().await,
            Err(_) => Ok(()),
        }
    }
}
