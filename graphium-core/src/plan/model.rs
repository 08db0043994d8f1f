//! Plans as data.

use super::{Change, Choice, LastingKind};
use crate::{
    action::Action,
    diagnostic::Diagnostic,
    id::{HostId, PlanTaskId, StackId},
    stack::{OnFailure, Stack},
};
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    ops::Deref,
};

/// What shall be done, in an order that a graph leaves open: a task may begin when those that it depends on are done.
///
/// # Example
/// What is planned and carried out once plans to nothing; another image plans to an update.
/// ```
/// use graphium_core::plan::{self, Applied, Change, ChangeKind, Endpoint, Options, Plan, PlannedTask};
/// use graphium_core::plan::{PropertyChange, SealedPlan, Trace};
/// use graphium_core::plan::fixtures::{carried_out, container, hosts, published, stack};
/// use graphium_core::stack::Container;
///
/// let shop = |image: &str| {
///     let web = Container { image: image.to_owned(), ports: vec![published(80, 8080)], ..container("web") };
///     stack("shop", vec![web])
/// };
/// let first: Plan = plan::plan(&shop("nginx:1.26"), None, &hosts(1), &Options::default()).unwrap();
/// let deploy: &PlannedTask = first.tasks.last().unwrap();
/// assert_eq!((deploy.id.as_str(), deploy.host.as_str()), ("deploy:web", "vm1"));
/// let endpoint: &Endpoint = &first.endpoints[0];
/// assert_eq!((endpoint.container.as_str(), endpoint.host_port), ("web", Some(8080)));
///
/// let there = carried_out(&first, hosts(1));
/// let applied = Applied { stack: shop("nginx:1.26"), placements: first.placements.clone() };
/// assert!(plan::plan(&applied.stack, Some(&applied), &there, &Options::default()).unwrap().is_empty());
///
/// let second = plan::plan(&shop("nginx:1.27"), Some(&applied), &there, &Options::default()).unwrap();
/// let change: &Change = &second.changes[0];
/// assert_eq!((change.container.as_str(), change.kind), ("web", ChangeKind::Recreate));
/// let image: &PropertyChange = &change.properties[0];
/// assert_eq!((image.path.as_str(), image.new.as_ref().unwrap().as_str()), ("image", Some("nginx:1.27")));
///
/// // The hash of a sealed plan tells two plans apart.
/// let sealed: SealedPlan = second.clone().sealed();
/// assert_eq!(sealed.hash, second.sealed().hash);
/// assert_ne!(sealed.hash, first.sealed().hash);
///
/// let traces: Vec<Trace> = applied.traces().collect();
/// assert_eq!(traces[0].engine_name, "shop-web");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The stack.
    pub stack: StackId,
    /// Its name.
    pub stack_name: String,
    /// The tasks; each comes after those that it depends on.
    pub tasks: Vec<PlannedTask>,
    /// Containers (by name within the stack) and their hosts, those without a task included.
    pub placements: BTreeMap<String, HostId>,
    /// Containers that are as they should be already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unchanged: Vec<String>,
    /// What becomes of containers that were there before, and do not stay as they were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Who stays on a host that is to be [left](Options::leave), by name within the stack, and why; the hash does not count it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub staying: BTreeMap<String, String>,
    /// Where the stack's published ports answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Endpoint>,
    /// Why each container is where it is, if that was asked for; the hash does not count it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    /// What is worth knowing before it is done; the hash does not count it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Diagnostic>,
}

/// A plan that leaves its planner: every specification bears its [hash](crate::runtime::ContainerSpec::hash), and the whole
/// its own. Made by [`Plan::sealed`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SealedPlan {
    /// SHA-256 over everything else, in hexadecimal.
    pub hash: String,
    /// The plan.
    #[serde(flatten)]
    pub plan: Plan,
}

impl Deref for SealedPlan {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.plan
    }
}

/// One task of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedTask {
    /// Unique within the plan.
    pub id: PlanTaskId,
    /// What is done.
    #[serde(flatten)]
    pub action: Action,
    /// Where.
    pub host: HostId,
    /// The container, by its name within the stack, where there is one.
    pub container: Option<String>,
    /// Ids of the tasks that come first.
    pub depends_on: Vec<PlanTaskId>,
    /// How long it can wait before the whole takes longer, in [weights](super::weight); 0 is on the critical path. The hash
    /// does not count it.
    #[serde(default)]
    pub slack: u32,
    /// Why it is part of the plan, in a few words.
    pub why: Cow<'static, str>,
    /// What takes it back; absent where nothing needs to be, or can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Action>,
    /// What `undo` does not bring back, as far as only what was seen tells; the hash does not count it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasting: Option<LastingKind>,
}

/// A published port of a container, as others reach it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// The container, by its name within the stack.
    pub container: String,
    /// Its host.
    pub host: HostId,
    /// The address of the host, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<std::net::IpAddr>,
    /// The port inside.
    pub container_port: u16,
    /// The port on the host; absent: the engine chooses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_port: Option<u16>,
    /// Its protocol.
    pub protocol: crate::stack::Protocol,
}

/// The revision that was applied last, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// The stack as it was.
    pub stack: Stack,
    /// Containers (by name within the stack) and their hosts.
    pub placements: BTreeMap<String, HostId>,
}

/// A container that may be on a host, because an earlier plan was to make it there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// The host.
    pub host: HostId,
    /// Its name within the stack.
    pub name: String,
    /// Its name on the engine.
    pub engine_name: String,
}

impl Applied {
    /// Whether it has a container of that name there, under that name on the engine.
    pub(crate) fn has(&self, name: &str, host: &HostId, engine_name: &str) -> bool {
        self.placements.get(name) == Some(host) && self.stack.engine_name(name) == engine_name
    }

    /// Every container that it was to make, and where.
    pub fn traces(&self) -> impl Iterator<Item = Trace> {
        self.placements.iter().map(|(name, host)| Trace {
            host: host.clone(),
            name: name.clone(),
            engine_name: self.stack.engine_name(name),
        })
    }
}

/// What a caller may ask beside the document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Pull every image, also where a host has it: the policy of each container becomes `always`, unless it is `never`. What is as
    /// it should be is made anew where the name of its image names another image then.
    pub pull_images: bool,
    /// Say why each container is where it is: [`Plan::choices`].
    pub explain: bool,
    /// Containers (by name within the stack) and the hosts that an earlier plan gave them: there they stay if they still
    /// may, wherever one would be placed today. What the document binds it binds.
    pub keep: BTreeMap<String, HostId>,
    /// Hosts to be left: what is on one of these goes to another that takes it, and stays where there is none or where
    /// something ties it to its host, as [`Plan::staying`] tells. Where there are such hosts, all else stays where it is,
    /// whatever its host takes.
    pub leave: BTreeSet<HostId>,
    /// Where hosts are left: hosts on which containers (by name within the stack) have failed to come up. Each goes to another
    /// that takes it, and only where there is none it stays where it is.
    pub avoid: BTreeMap<String, BTreeSet<HostId>>,
    /// Where plans that did not come to their end may have left containers, whether anybody has seen these or not: what is
    /// not wanted there is taken away.
    pub traces: BTreeSet<Trace>,
    /// What follows a failure, where that is not for the document to say: with a way back, a new container must become healthy.
    pub on_failure: Option<OnFailure>,
    /// For [`plan_removal`](super::plan_removal): remove the volumes and their data too.
    pub remove_volumes: bool,
}

impl Options {
    /// Whether what is planned is to run on, and only elsewhere.
    pub(super) fn is_move(&self) -> bool {
        !self.leave.is_empty() || !self.avoid.is_empty()
    }
}

impl Plan {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}
