//! The agent: pulls the tasks of its host, does them on its engine, reports.
//!
//! [`engine`] decides and calls nothing; [`Agent`] makes the calls; [`execute`] does one task;
//! a [`Journal`] keeps the little that an agent must remember.
//!
//! # Example
//! An agent that does what is asked of its host until it is told to go, in virtual time.
//! ```
//! use graphium_core::agent::{Agent, AgentError, AgentLink, AgentSettings, MemoryJournal, Notice};
//! use graphium_core::control::{Control, Settings};
//! use graphium_core::environment::Environment;
//! use graphium_core::testing::{FakeRuntime, ManualEnvironment};
//! use graphium_core::{event::NoSink, store::MemoryStore};
//! use std::{sync::{Arc, Mutex}, time::Duration};
//!
//! let world = Arc::new(ManualEnvironment::default());
//! let store = Arc::new(MemoryStore::new());
//! let control = world.run(Control::open(store, Arc::new(NoSink), world.clone(), Settings::default()))?;
//! // Within one program the control plane itself is the link; elsewhere it is a client of yours.
//! let link: Arc<dyn AgentLink> = control.clone();
//! let heard: Arc<Mutex<Vec<Notice>>> = Arc::default();
//! let mut settings = AgentSettings::new("vm1".into(), 4);
//! let notes = heard.clone();
//! settings.notify = Arc::new(move |notice| notes.lock().unwrap().push(notice.clone()));
//!
//! let journal = MemoryJournal::default();
//! let agent = Agent::new(link, Arc::new(FakeRuntime::new()), world.clone(), Box::new(journal.clone()), settings);
//! let ended: Result<(), AgentError> = world.run(agent.run(world.sleep(Duration::from_secs(10))));
//! ended?;
//!
//! assert_eq!(world.run(control.hosts())?[0].id.as_str(), "vm1");
//! assert!(heard.lock().unwrap().iter().any(|notice| matches!(notice, Notice::Connected { epoch: 1, .. })));
//! assert_eq!(journal.memory().epoch, 1, "it is remembered over its end");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod driver;
pub mod engine;
mod execs;
mod execute;
pub mod health;
mod inspected;
mod journal;
mod keeper;
mod link;
mod logs;
mod observe;
mod patience;
mod settings;
mod step;
mod streams;

pub use driver::Agent;
pub use execute::{Hold, HostFacts, SecretMemory, Secrets, Tell, Workplace, execute};
pub use health::HealthMonitor;
pub use journal::{FileJournal, Journal, JournalError, Memory, MemoryJournal};
pub use keeper::Keeper;
pub use link::{AgentLink, ClaimCall, Held, HostReport, LinkError, RenewCall, Renewal, SessionGrant, Usage};
pub use settings::{AgentError, AgentSettings, AttemptEnd, Notice};
pub use step::{Key, Phase, Step};
