//! Why a container is where it is.

use super::{
    room::{Refusal, Room},
    score::{Score, score},
};
use crate::id::HostId;
use serde::{Deserialize, Serialize};

/// Why a container was given its host, and how the others stood at that moment.
///
/// # Example
/// ```
/// use graphium_core::plan::{self, Candidate, Choice, Options, Score};
/// use graphium_core::plan::fixtures::{hosts, reserving, stack};
/// use graphium_core::stack::{Deployment, Stack, Strategy};
///
/// let deployment = Deployment { placement_strategy: Some(Strategy::Auto), ..Deployment::default() };
/// let shop = Stack { deployment, ..stack("shop", vec![reserving("db", None, Some(12 << 30))]) };
/// let mut inventory = hosts(2);
/// inventory.hosts[0].memory = 8 << 30;
/// let plan = plan::plan(&shop, None, &inventory, &Options { explain: true, ..Options::default() }).unwrap();
///
/// let choice: &Choice = &plan.choices[0];
/// assert_eq!((choice.container.as_str(), choice.host.as_str()), ("db", "vm2"));
/// let candidates: &[Candidate] = &choice.hosts;
/// let small = candidates.iter().find(|candidate| candidate.host.as_str() == "vm1").unwrap();
/// assert!(small.refusal.as_ref().unwrap().contains("8 GiB of memory"), "{small:?}");
///
/// let score = Score { cpu: 1, memory: 2, load: 3, near: 4, datacenter: 5 };
/// assert_eq!(score.total(), 15);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// The container, by its name within the stack.
    pub container: String,
    /// Its host.
    pub host: HostId,
    /// The rule, in a few words.
    pub why: String,
    /// Every host, by id.
    pub hosts: Vec<Candidate>,
}

/// A host as it stood when a container was placed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// Which.
    pub host: HostId,
    /// Why it was out of the question; absent: it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Containers that it bore.
    pub containers: usize,
    /// Its points, where the strategy is `auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
}

/// The choice of a host for a container that is not placed yet.
pub(super) fn choice(
    room: &Room<'_, '_>,
    (number, host): (usize, usize),
    why: &str,
    placed: Option<&[Option<usize>]>,
    refusal: impl Fn(usize) -> Option<String>,
) -> Choice {
    let candidate = |(host, site): (usize, &super::hosts::Site<'_>)| {
        let refusal =
            refusal(host).or_else(|| (!site.is_active()).then(|| room.words(Refusal::Status(site.host.status))));
        let score = placed.filter(|_| refusal.is_none()).map(|placed| score(room, number, host, placed));
        Candidate { host: site.host.id.clone(), refusal, containers: room.containers(host), score }
    };
    Choice {
        container: room.members.list[number].name.to_string(),
        host: room.hosts.list[host].host.id.clone(),
        why: why.to_owned(),
        hosts: room.hosts.list.iter().enumerate().map(candidate).collect(),
    }
}
