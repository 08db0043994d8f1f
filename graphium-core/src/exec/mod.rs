//! Commands within containers, on the way between whoever asked and the agent that has them carried out.
//!
//! Nobody calls an agent: a command is asked for at the same [exchange](crate::stream::StreamExchange) as a log. What travels
//! are messages in both directions ([`ExecInput`], [`ExecFrame`]), bounded end to end by a [window](WINDOW): neither side sends more
//! than that ahead of what the other has used, so that whoever reads slowly never holds up what lies between.
//!
//! # Example
//! The messages, as they go over a WebSocket.
//! ```
//! use graphium_core::exec::{ExecBegin, ExecEnd, ExecFrame, ExecInput, ExecRequest, Message};
//! use graphium_core::{log::EndReason, runtime::LogSource};
//! use serde_json::json;
//!
//! let request: ExecRequest = serde_json::from_value(json!({
//!     "stream": "1", "container": "shop-web", "exec": {"command": ["sh", "-c", "secret"], "stdin": true}
//! }))?;
//! assert_eq!(request.exec.program(), "sh");
//! assert!(!format!("{:?}", request.exec).contains("secret"), "arguments are shown to nobody");
//!
//! // Bytes go as they are, everything else as text.
//! let sent = Message::from(ExecInput::Stdin(b"ls\n".to_vec()));
//! assert!(matches!(sent, Message::Binary(_)));
//! assert_eq!(sent.into_input(), Some(ExecInput::Stdin(b"ls\n".to_vec())));
//!
//! let begin = ExecFrame::Begin(ExecBegin { container_id: "4f5e".to_owned() });
//! assert_eq!(Message::from(begin.clone()).into_frame(), Some(begin));
//! let output = ExecFrame::Output(LogSource::Stderr, b"no\n".to_vec());
//! assert_eq!(Message::from(output.clone()).into_frame(), Some(output));
//!
//! let end: ExecEnd = serde_json::from_value(json!({"reason": "exited", "exitCode": 3}))?;
//! assert_eq!((end.reason, end.exit_code), (EndReason::Exited, Some(3)));
//! # Ok::<(), serde_json::Error>(())
//! ```

mod frame;

pub use frame::{ExecBegin, ExecEnd, ExecFrame, ExecInput, ExecRequest, LARGEST, Message, WINDOW};
