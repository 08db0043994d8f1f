//! Containers that run already, taken into a stack.

use super::{Client, ClientError, DeployRequest};
use bytes::Bytes;
use graphium_core::control::{Comparison, Started};
use std::collections::BTreeMap;

/// Which containers are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdoptRequest {
    /// Only those of this host.
    pub host: Option<String>,
    /// The Compose project whose containers they are; absent: the one called as the stack.
    pub project: Option<String>,
    /// Containers by their names within the stack, each with the one that is to be it: `[HOST/]NAME`, or an id or its beginning.
    pub containers: BTreeMap<String, String>,
    /// Adopt also what is not as the document says.
    pub accept_differences: bool,
}

impl AdoptRequest {
    fn query(&self) -> Vec<(&'static str, String)> {
        let containers: Vec<String> = self.containers.iter().map(|(name, which)| format!("{name}={which}")).collect();
        let containers = Some(containers.join(",")).filter(|text| !text.is_empty());
        let accept = self.accept_differences.then(|| "true".to_owned());
        let all = [
            ("host", self.host.clone()),
            ("project", self.project.clone()),
            ("containers", containers),
            ("acceptDifferences", accept),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

impl Client {
    /// Has the containers found that a document's stack would adopt, and compared with it: what differs is in the results of
    /// the tasks of the answer. No container is changed.
    ///
    /// # Errors
    /// [`ClientError::Invalid`] with everything that stands against it, and what any call can fail with.
    pub async fn compare_for_adoption(
        &self,
        document: impl Into<Bytes>,
        request: &DeployRequest,
        which: &AdoptRequest,
    ) -> Result<Comparison, ClientError> {
        self.submit_asking(&["adoptions", "compare"], which.query(), document.into(), request).await
    }

    /// Takes containers that run into the document's stack, without stopping, starting or making one anew.
    ///
    /// # Errors
    /// As [`compare_for_adoption`](Self::compare_for_adoption).
    pub async fn adopt(
        &self,
        document: impl Into<Bytes>,
        request: &DeployRequest,
        which: &AdoptRequest,
    ) -> Result<Started, ClientError> {
        self.submit_asking(&["adoptions"], which.query(), document.into(), request).await
    }
}
