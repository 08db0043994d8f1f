//! Logs of containers on their way from the agent that reads them to whoever asked.
//!
//! Nobody calls an agent. A [`LogExchange`] keeps, in memory, what readers ask for; the agent of the host parks on it, and
//! for each request dials out once ([`LogLink`]) and hands over [frames](LogFrame) until the log or its reader ends.

mod exchange;
mod frame;
mod lines;
mod link;

pub use exchange::{LogExchange, LogReader, Wanted};
pub use frame::{End, EndReason, LogBegin, LogFrame, LogLine, LogWait};
pub use lines::{Line, Lines};
pub use link::{LogCall, LogLink, LogRequest, Since};
