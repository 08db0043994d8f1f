//! The conformance suite, over HTTP: on a store in memory, and on one that outlives its server.

use crate::shared::Shared;
use async_trait::async_trait;
use futures::future::LocalBoxFuture;
use graphium_core::{
    store::{MemoryStore, TaskStore},
    testing::store_suite::{Harness, Stop, Verdict},
};
use graphium_store::{Options, SqliteStore};
use jiff::Timestamp;
use std::{cell::RefCell, sync::Arc};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// What is behind the server.
enum Behind {
    Memory,
    Sqlite(TempDir),
}

struct OverHttp {
    behind: Behind,
    server: RefCell<Option<Shared>>,
    runtime: Runtime,
}

impl OverHttp {
    fn new(behind: Behind) -> Result<Self, Stop> {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        Ok(Self { behind, server: RefCell::default(), runtime })
    }

    async fn serve(&self, now: Timestamp) -> Result<Arc<dyn TaskStore>, Stop> {
        let store: Arc<dyn TaskStore> = match &self.behind {
            Behind::Memory => Arc::new(MemoryStore::new()),
            Behind::Sqlite(folder) => {
                Arc::new(SqliteStore::open(folder.path().join("graphium.db"), Options::at(now)).await?)
            }
        };
        let server = Shared::new(store).await;
        let client = server.client();
        self.server.replace(Some(server));
        Ok(client)
    }
}

#[async_trait(?Send)]
impl Harness for OverHttp {
    async fn fresh(&self) -> Result<Arc<dyn TaskStore>, Stop> {
        self.serve(Timestamp::UNIX_EPOCH).await
    }

    async fn reopen(&self, store: Arc<dyn TaskStore>, now: Timestamp) -> Result<Arc<dyn TaskStore>, Stop> {
        if matches!(self.behind, Behind::Memory) {
            return Err(Stop::Lacking("reopen"));
        }
        drop(store);
        let server = self.server.take();
        if let Some(server) = server {
            server.end().await;
        }
        self.serve(now).await
    }

    async fn second(&self, _: &Arc<dyn TaskStore>) -> Result<Arc<dyn TaskStore>, Stop> {
        let server = self.server.borrow();
        Ok(server.as_ref().ok_or_else(|| Stop::Broken("no server runs".to_owned()))?.client())
    }

    fn block_on(&self, case: LocalBoxFuture<'_, Verdict>) -> Verdict {
        self.runtime.block_on(case)
    }
}

mod memory {
    use super::{Behind, OverHttp};

    graphium_core::store_suite!(OverHttp::new(Behind::Memory)?);
}

mod sqlite {
    use super::{Behind, OverHttp};

    graphium_core::store_suite!(OverHttp::new(Behind::Sqlite(tempfile::tempdir()?))?);
}
