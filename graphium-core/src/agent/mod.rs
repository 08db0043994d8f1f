//! The agent: pulls the tasks of its host, does them on its engine, reports.
//!
//! [`engine`] decides and calls nothing; [`Agent`] makes the calls; [`execute`] does one task;
//! a [`Journal`] keeps the little that an agent must remember.

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
