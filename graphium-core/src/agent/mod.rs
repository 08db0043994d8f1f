//! The agent: pulls the tasks of its host, does them on its engine, reports.

mod link;

pub use link::{AgentLink, ClaimCall, Held, HostReport, LinkError, RenewCall, Renewal, SessionGrant, Usage};
