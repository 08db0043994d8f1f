//! Where those who read logs or run commands meet the agents of the hosts.
//!
//! Nobody calls an agent. A [`StreamExchange`] keeps, in memory, what is asked for; the agent of the host parks on it, and
//! for each request dials out once ([`StreamLink`]): a [log](crate::log) goes one way, a [command](crate::exec) both ways.

mod exchange;
mod input;
mod link;

pub use exchange::{ExecSession, ExecWanted, LogReader, StreamExchange, Wanted};
pub use input::{InputRefused, InputSender};
pub use link::{Ability, ExecLine, StreamCall, StreamLink, StreamRequest};
