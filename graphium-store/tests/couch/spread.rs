//! Several servers, of which each call has another: as agents go from one to the next.

use async_trait::async_trait;
use graphium_core::{
    store::{StoreError, TaskStore},
    testing::{Decorated, StoreDecorator},
};
use jiff::Timestamp;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

#[derive(Debug)]
pub(crate) struct Spread {
    servers: Vec<Arc<dyn TaskStore>>,
    next: AtomicUsize,
}

impl Spread {
    /// Over at least one.
    pub(crate) fn over(servers: Vec<Arc<dyn TaskStore>>) -> Decorated<Self> {
        Decorated(Self { servers, next: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl StoreDecorator for Spread {
    fn inner(&self) -> &dyn TaskStore {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.servers[number % self.servers.len()].as_ref()
    }

    async fn next_wakeup(&self) -> Result<Option<Timestamp>, StoreError> {
        match self.servers.as_slice() {
            [server] => server.next_wakeup().await,
            // What one of them knows, another may have put off.
            _ => Ok(None),
        }
    }
}
