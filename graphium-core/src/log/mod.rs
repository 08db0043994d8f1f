//! Logs of containers on their way from the agent that reads them to whoever asked.
//!
//! They go over the [exchange of streams](crate::stream): for each request the agent of the host hands over
//! [frames](LogFrame) until the log or its reader ends.
//!
//! # Example
//! ```
//! use graphium_core::log::*;
//! use graphium_core::runtime::{LogEntry, LogSource, Tail};
//! use jiff::Timestamp;
//! use std::time::Duration;
//!
//! let request: LogRequest = serde_json::from_value(serde_json::json!({
//!     "stream": "1", "container": "shop-web", "tail": "100", "since": "10m", "follow": true
//! }))?;
//! assert_eq!((request.tail, request.since), (Tail::Last(100), Since::Ago(Duration::from_secs(600))));
//! let now = Timestamp::UNIX_EPOCH + Duration::from_secs(3600);
//! assert_eq!(request.since.moment(now), Some(now - Duration::from_secs(600)));
//!
//! // What comes in pieces, put together to lines.
//! let piece = |source, text: &str| LogEntry { source, time: None, bytes: text.as_bytes().to_vec() };
//! let (mut lines, mut whole) = (Lines::default(), Vec::<Line>::new());
//! for piece in [piece(LogSource::Stdout, "rea"), piece(LogSource::Stderr, "oh\n"), piece(LogSource::Stdout, "dy\n")] {
//!     lines.push(piece, |line| whole.push(line));
//! }
//! let texts: Vec<&[u8]> = whole.iter().map(|line| line.bytes.as_slice()).collect();
//! assert_eq!(texts, [&b"oh"[..], b"ready"]);
//!
//! // Frames, a line of JSON each.
//! let begin = LogFrame::Begin(LogBegin { container_id: "4f5e".to_owned(), time: None });
//! let wait = LogFrame::Waiting(LogWait { detail: "the agent of `vm1` is away".to_owned(), until: now });
//! let line = LogFrame::Line(LogLine { entry: piece(LogSource::Stdout, "ready\n") });
//! let end = LogFrame::End(End::new(EndReason::Exited, ""));
//! for frame in [begin, wait, line, end] {
//!     assert_eq!(serde_json::from_slice::<LogFrame>(&frame.to_json_line())?, frame);
//! }
//! assert!(EndReason::AgentLost.is_a_break(), "whoever follows asks again");
//! # Ok::<(), serde_json::Error>(())
//! ```

mod frame;
mod lines;
mod request;

pub use frame::{End, EndReason, LogBegin, LogFrame, LogLine, LogWait};
pub use lines::{Line, Lines};
pub use request::{LogRequest, Since};
