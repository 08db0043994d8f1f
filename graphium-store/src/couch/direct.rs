//! Calls without a network, for tests.

use async_trait::async_trait;

/// What takes the place of the network between a client and its database.
#[async_trait]
pub(crate) trait Direct: Send + Sync {
    /// Status and body of the answer; nothing where none comes.
    async fn call(&self, method: &str, path: &str, query: &str, body: &[u8]) -> Option<(u16, Vec<u8>)>;
}
