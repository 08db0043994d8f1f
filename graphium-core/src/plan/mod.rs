//! The planner: what is wanted and what is there, turned into a graph of tasks.
//!
//! [`plan`], [`plan_removal`] and [`plan_action`] are pure: no store, no engine, no clock and no random number is in
//! reach of their types, so a plan changes nothing, and the same input gives the same bytes. The order of hosts and of
//! what is seen on them makes no difference. Whatever has none in a stack has its
//! [canonical](crate::stack::Stack::canonical) one there.
//!
//! ```
//! use graphium_core::{inventory::{Host, Inventory}, plan, stack::Stack};
//!
//! let stack: Stack = serde_json::from_str(r#"{
//!   "@id": "stack:shop", "name": "shop",
//!   "hasPart": [{"name": "db", "image": "postgres:15"},
//!               {"name": "web", "image": "nginx:alpine", "dependsOn": [{"container": "db"}]}]
//! }"#)?;
//! let inventory = Inventory { hosts: vec![Host::named("vm1".into())], containers: Vec::new() };
//! let plan = plan::plan(&stack, None, &inventory, &plan::Options::default()).unwrap();
//! let ids: Vec<_> = plan.tasks.iter().map(|task| task.id.as_str()).collect();
//! assert_eq!(ids, ["pull:vm1:postgres:15", "pull:vm1:nginx:alpine", "network:vm1", "deploy:db", "deploy:web"]);
//! assert_eq!(plan.tasks[4].depends_on, ["pull:vm1:nginx:alpine", "network:vm1", "deploy:db"]);
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! # The way of a plan
//!
//! `members` counts out replicas and resolves dependencies; `place` gives each member a host out of the `room` there is
//! (or `refuse` says why not, `propose` what could change, and `advise` tries that out);
//! `layout` says what each engine is asked to make, with what `reach` tells containers of each other; `verdict` compares
//! that with what was seen; `deploy` makes the tasks, after those of `setup` and `handover` and before those of `retire`.
//!
//! # What is decided here
//!
//! * `replicas: n` gives `<name>-1` to `<name>-n`, which answer to `<name>` together; with `replicas: 1` it is `<name>`, as
//!   without.
//! * A container of the same `@id` under another name is the same container: it stays on its host, and its deployment is
//!   an update in the order that the stack asks for. So is the first of several for the one that there was, and back.
//! * On the engine containers are `<stack>-<container>`, named volumes `<stack>_<volume>`, the network is the one that
//!   the stack names or `<stack>`. What is declared `external` keeps its name and is neither made nor removed.
//! * `auto` gives each container, dependencies first, the eligible host with the highest [`Score`].
//! * A container that is somewhere already stays there while its host is active and suits it.
//! * A host that a document names may be offline: its tasks wait. In maintenance or draining it takes nothing new.
//! * What fits nowhere is refused host by host, with the smallest change that would let it fit as data: [`Fix`]. Each
//!   is found by placing everything anew with it and with those told before it: all together they help, and none takes
//!   another container its place. Replicas of a container are told of once, and so are containers that have one reason
//!   and one remedy.
//! * A container that exited with 0 has done its work if another waits for its completion, or if its policy restarts
//!   failures only. Any other one that does not run is made again.
//! * A container that differs in its restart policy and resources alone gets them in place, by one task that waits for
//!   nothing and stops nothing. What it has is what was seen; where nobody has looked, what was applied last. A limit that
//!   no engine takes away in place makes it anew.
//! * Replicas that are replaced, under a new name too, go in waves of `update.maxParallel`; each waits until the one before
//!   runs, and where there is a health check, is healthy. Where a failure is to go back, every new container with a health
//!   check must become healthy. Nobody waits for the health of one whose end others wait for.
//! * What is to go is deleted after its successor runs. Where two would want one port, or data that one of them writes, and
//!   have it together in neither revision, the old one is stopped first, in either order of updates.
//! * With the order `start-first` a container of the same name runs on until its successor beside it does, unless both would
//!   have something that only one may have or the host has no room for both: then a warning says why it stops first.
//! * Volumes stay when containers go, with a warning, and are removed only with a whole stack and only if asked for.
//! * Up to 64 containers with published ports are told to all others as variables; beyond that a container is told
//!   only of those that it depends on.
//! * What becomes of a container that was there is told property by property, against the revision that was applied last;
//!   values of variables, of headers and of drivers' options are hidden.
//! * A plan can be [limited to some hosts](Plan::limited_to), unless a task there waits for one elsewhere.
//! * A [`SavedPlan`] carries the [`Facts`] that it rests on. Planned again with [`Options::keep`] from the same facts it is
//!   the same plan, whatever else has changed.
//! * Where [`Options::pull_images`] says so, every image is pulled, and what is as it should be gives way where that has brought
//!   another ([`Refresh`](crate::action::Refresh)); otherwise a tag that has moved changes nothing by itself.
//!
//! What it can find stands in [`CODES`]. What it refuses whatever hosts there are is told by [`contradictions`], too: the
//! reader of documents asks that, so that a document which can never be deployed is no valid one.

mod adopt;
mod advise;
mod amount;
mod before;
mod beside;
mod change;
mod checks;
mod code;
mod constraints;
mod contradict;
mod definition;
mod deploy;
mod deviation;
mod difference;
mod documents;
mod explain;
mod fact_change;
mod facts;
mod fix;
#[cfg(any(test, feature = "testing"))]
pub mod fixtures;
mod graph;
mod handover;
mod hosts;
mod lasting;
mod layout;
mod leave;
mod leftover;
mod lifecycle;
mod live;
mod live_difference;
mod map;
mod members;
mod model;
mod never;
mod order;
mod place;
mod ports;
mod propose;
mod rank;
mod reach;
mod reasons;
mod refuse;
mod removal;
mod rename;
mod repair;
mod retire;
mod rollout;
mod room;
mod saved;
mod score;
mod seal;
mod setup;
mod shared;
mod slack;
mod subject;
mod subset;
mod task;
mod undo;
mod verdict;
mod view;
mod wanting;
mod warn;

pub use adopt::{Adoptee, adoptable, plan_adoption, plan_comparison};
pub use change::{Change, ChangeKind};
pub use code::CODES;
pub use contradict::contradictions;
pub use definition::definition_of;
pub use deploy::plan;
pub use deviation::{Told, deviations, need_a_new_container};
pub(crate) use difference::HIDDEN;
pub use difference::PropertyChange;
pub use documents::{ContainerDifference, ContainerDifferenceKind, StackDifference};
pub use explain::{Candidate, Choice};
pub use fact_change::FactChange;
pub use facts::{AppliedFact, ContainerFact, Facts, HostFact};
pub use fix::{Fix, FixStep};
pub use graph::{dot, waves};
pub use lasting::{Lasting, LastingKind};
pub(crate) use layout::used;
pub use lifecycle::{StackAction, plan_action};
pub use live_difference::{LiveDifference, LiveDifferenceKind, live_differences};
pub use model::{Applied, Endpoint, Options, Plan, PlannedTask, SealedPlan, Trace};
pub use removal::plan_removal;
pub use repair::plan_repair;
pub use saved::{SavedOptions, SavedPlan, SavedPlanError};
pub use score::Score;
pub use slack::weight;
pub use undo::{Undo, UndoStep};
pub(crate) use verdict::{has_done_its_work, keeps_running};
pub(crate) use view::{hide, hide_in};
