//! Graphium's library: documents, planning, the task protocol, the agent and events.
//!
//! One way through the house, one noun per stage:
//!
//! ```text
//! bytes ─read→ Stack ─plan(Stack, Inventory)→ Plan ─submit→ TaskStore
//!       ─claim→ Agent ─execute→ ContainerRuntime ─report→ TaskStore ─→ Event ─→ EventSink
//! ```
//!
//! Nothing here knows HTTP, SQL or Docker's API, and nothing here reads a clock or makes a random
//! number: both come in through [`Environment`](environment::Environment).
//!
//! # Example
//! A document is read and planned; nothing is done. [`control`] shows how it is carried out.
//! ```
//! use graphium_core::{document::{ReadContext, read}, inventory, plan};
//!
//! let document = r#"{
//!   "@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "name": "shop",
//!   "hasPart": [
//!     {"@type": "datacenter:Container", "name": "db", "image": "postgres:15"},
//!     {"@type": "datacenter:Container", "name": "web", "image": "nginx:${TAG}", "dependsOn": ["db"],
//!      "ports": [{"containerPort": 80, "hostPort": 8080}]}
//!   ]
//! }"#;
//! let variables = |name: &str| (name == "TAG").then(|| "1.27".to_owned());
//! let stack = read(document, &ReadContext::new(&variables)).unwrap().stack;
//! let hosts = inventory::read(br#"[{"@id": "vm1", "ipAddress": "10.0.0.1"}]"#).unwrap();
//! let plan = plan::plan(&stack, None, &hosts, &plan::Options::default()).unwrap();
//!
//! let last = plan.tasks.last().unwrap();
//! assert_eq!((last.id.as_str(), last.host.as_str()), ("deploy:web", "vm1"));
//! assert_eq!(plan.endpoints[0].host_port, Some(8080));
//! ```

#![forbid(unsafe_code)]

pub mod action;
pub mod admission;
pub mod agent;
pub mod control;
pub mod diagnostic;
pub mod document;
pub mod environment;
pub mod event;
pub mod exec;
pub mod id;
pub mod inventory;
pub mod log;
pub mod plan;
mod ranges;
pub mod runtime;
pub mod secret;
#[cfg(feature = "sim")]
pub mod sim;
pub mod stack;
pub mod store;
pub mod stream;
mod suggest;
pub mod task;
#[cfg(feature = "testing")]
pub mod testing;
