//! Histories over HTTP: each client has connections of its own, as servers on one store have.

use crate::shared::Shared;
use graphium_core::{
    store::MemoryStore,
    testing::{
        linearize::{Settings, check_histories},
        store_suite::Verdict,
    },
};
use std::{env, sync::Arc};

/// Fewer than of the stores themselves: what is behind the server has had its thousand. `GRAPHIUM_TEST_HISTORIES` says more.
const HISTORIES: u64 = 200;

#[test]
fn histories_over_http_are_linearizable() -> Verdict {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let server = runtime.block_on(Shared::new(Arc::new(MemoryStore::new())));
    let store = server.client();
    let named = env::var("GRAPHIUM_TEST_HISTORIES").ok().and_then(|number| number.parse().ok());
    check_histories(&*store, Settings::default(), 0..named.unwrap_or(HISTORIES), &|work| runtime.block_on(work))?
        .verdict()
}
