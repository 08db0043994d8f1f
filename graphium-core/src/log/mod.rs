//! Logs of containers on their way from the agent that reads them to whoever asked.
//!
//! They go over the [exchange of streams](crate::stream): for each request the agent of the host hands over
//! [frames](LogFrame) until the log or its reader ends.

mod frame;
mod lines;
mod request;

pub use frame::{End, EndReason, LogBegin, LogFrame, LogLine, LogWait};
pub use lines::{Line, Lines};
pub use request::{LogRequest, Since};
