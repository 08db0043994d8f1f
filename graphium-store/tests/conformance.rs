//! The contract of the task store, on SQLite.

use async_trait::async_trait;
use graphium_core::{
    store::TaskStore,
    testing::store_suite::{Harness, Stop},
};
use graphium_store::{Options, SqliteStore};
use jiff::Timestamp;
use std::sync::Arc;
use tempfile::TempDir;

struct Sqlite {
    directory: TempDir,
}

impl Sqlite {
    fn new() -> Result<Self, Stop> {
        Ok(Self { directory: tempfile::tempdir()? })
    }

    async fn open(&self, now: Timestamp) -> Result<Arc<dyn TaskStore>, Stop> {
        let path = self.directory.path().join("graphium.db");
        Ok(Arc::new(SqliteStore::open(path, Options::at(now)).await?))
    }
}

#[async_trait(?Send)]
impl Harness for Sqlite {
    async fn fresh(&self) -> Result<Arc<dyn TaskStore>, Stop> {
        self.open(Timestamp::UNIX_EPOCH).await
    }

    async fn reopen(&self, store: Arc<dyn TaskStore>, now: Timestamp) -> Result<Arc<dyn TaskStore>, Stop> {
        drop(store);
        self.open(now).await
    }
}

graphium_core::store_suite!(Sqlite::new()?);
