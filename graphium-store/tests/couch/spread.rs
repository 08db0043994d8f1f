//! Several servers, of which each call has another: as agents go from one to the next.

use graphium_core::{
    store::TaskStore,
    testing::{Decorated, StoreDecorator},
};
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

impl StoreDecorator for Spread {
    fn inner(&self) -> &dyn TaskStore {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.servers[number % self.servers.len()].as_ref()
    }
}
