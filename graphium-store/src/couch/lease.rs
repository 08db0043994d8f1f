//! The document by which one server at a time has the turn to write.

use super::{
    answer::{Found, Rev, Written},
    client::CouchClient,
    entry::Tip,
    log::{Log, unavailable},
};
use graphium_core::store::StoreError;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::timeout;

/// Its name.
pub(super) const ID: &str = "lease:writer";

/// How soon after it was written a turn must be confirmed; others take it when it was not within twice that.
pub(super) const CONFIRM: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Lease {
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// Rises with every turn.
    pub(super) term: u64,
    /// The server that has it; empty: nobody.
    pub(super) holder: String,
    /// Chosen at random for each write.
    pub(super) nonce: String,
    /// A majority had it before this was written.
    pub(super) confirmed: bool,
    /// The last entry that its writer knew to be in force. In a turn that was given back: behind which nothing else was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tip: Option<Tip>,
}

impl Lease {
    /// Whether whoever had it may have stored more than it names.
    pub(super) fn may_lack(&self) -> bool {
        !self.holder.is_empty() || self.tip.is_none()
    }
}

/// Writes, on a cluster within the time in which it is of any use: there an answer may wait for a node that hangs.
pub(super) async fn put_soon(log: &Log, upon: Option<&Rev>, lease: &Lease) -> Result<Written, StoreError> {
    let put = log.client.put(ID, upon, lease);
    if !log.is_replicated {
        return put.await.map_err(unavailable);
    }
    let late = |_| Ok(Written::Unknown("no answer in time".to_owned()));
    timeout(CONFIRM, put).await.unwrap_or_else(late).map_err(unavailable)
}

/// The document's leaves; the one that CouchDB shows comes first.
pub(super) async fn leaves(client: &CouchClient) -> Result<Vec<(Rev, Lease)>, StoreError> {
    Ok(leaves_and_tombstones(client).await?.0)
}

/// The same, and the tombstones beside them.
pub(super) async fn leaves_and_tombstones(client: &CouchClient) -> Result<(Vec<(Rev, Lease)>, Vec<Rev>), StoreError> {
    let (found, tombstones) = client.leaves_and_tombstones(ID).await.map_err(unavailable)?;
    let leaves = found.into_iter().map(|found| Ok((found.rev.clone(), read(found)?)));
    Ok((leaves.collect::<Result<_, StoreError>>()?, tombstones))
}

fn read(found: Found) -> Result<Lease, StoreError> {
    serde_json::from_value(found.body.into()).map_err(|error| StoreError::Corrupt {
        kind: "lease",
        id: ID.to_owned(),
        reason: error.to_string(),
    })
}
