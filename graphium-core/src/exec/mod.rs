//! Commands within containers, on the way between whoever asked and the agent that has them carried out.
//!
//! Nobody calls an agent: a command is asked for at the same [exchange](crate::stream::StreamExchange) as a log. What travels
//! are messages in both directions ([`ExecInput`], [`ExecFrame`]), bounded end to end by a [window](WINDOW): neither side sends more
//! than that ahead of what the other has used, so that whoever reads slowly never holds up what lies between.

mod frame;

pub use frame::{ExecBegin, ExecEnd, ExecFrame, ExecInput, ExecRequest, LARGEST, Message, WINDOW};
