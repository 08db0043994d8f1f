//! The stores of these tests keep the contract, whatever else they do.

use crate::{company::Shared, many::Counting, moods::Moody};
use async_trait::async_trait;
use graphium_core::{
    store::{MemoryStore, TaskStore},
    testing::{
        Decorated,
        store_suite::{Harness, Memory, Stop},
    },
};
use std::sync::Arc;

/// How a store is made over one in memory.
struct Over(fn(Arc<MemoryStore>) -> Arc<dyn TaskStore>, Arc<MemoryStore>);

impl Over {
    fn new(wrap: fn(Arc<MemoryStore>) -> Arc<dyn TaskStore>) -> Self {
        Self(wrap, Arc::default())
    }

    fn open(&self) -> Arc<dyn TaskStore> {
        self.0(self.1.clone())
    }
}

#[async_trait(?Send)]
impl Harness for Over {
    async fn fresh(&self) -> Result<Arc<dyn TaskStore>, Stop> {
        Ok(self.open())
    }

    async fn second(&self, store: &Arc<dyn TaskStore>) -> Result<Arc<dyn TaskStore>, Stop> {
        if store.is_shared() { Ok(self.open()) } else { Err(Stop::Lacking("second handle")) }
    }

    fn wrapped(&self) -> Option<&dyn Harness> {
        Some(&Memory)
    }
}

mod shared {
    use super::*;
    graphium_core::store_suite!(Over::new(|store| Arc::new(Decorated(Shared {
        store,
        hesitation: 1,
        ..Shared::default()
    }))));
}

mod counting {
    use super::*;
    graphium_core::store_suite!(Over::new(|store| Arc::new(Decorated(Counting { store, ..Counting::default() }))));
}

mod moody {
    use super::*;
    graphium_core::store_suite!(Over::new(|_| Arc::new(Decorated(Moody::default()))));
}
