//! Where those who read logs or run commands meet the agents of the hosts.
//!
//! Nobody calls an agent. A [`StreamExchange`] keeps, in memory, what is asked for; the agent of the host parks on it, and
//! for each request dials out once ([`StreamLink`]): a [log](crate::log) goes one way, a [command](crate::exec) both ways.
//!
//! # Example
//! Both sides of an exchange: somebody reads a log and runs a command, and the agent of the host answers.
//! ```
//! use futures::{SinkExt as _, StreamExt as _, executor::block_on, stream};
//! use graphium_core::exec::{ExecFrame, ExecInput};
//! use graphium_core::log::{EndReason, LogFrame};
//! use graphium_core::runtime::ExecSpec;
//! use graphium_core::stream::*;
//! use graphium_core::{agent::LinkError, testing::ManualEnvironment};
//! use std::{sync::Arc, time::Duration};
//!
//! # block_on(async {
//! let exchange = Arc::new(StreamExchange::new(Arc::new(ManualEnvironment::default())));
//! let host = "vm1".into();
//! let mut reader: LogReader =
//!     exchange.read(&host, Wanted { container: "shop-web".to_owned(), ..Wanted::default() }).unwrap();
//!
//! // The agent dials out, and is told what is asked for.
//! let link: &dyn StreamLink = &*exchange;
//! let call = StreamCall { can: vec![Ability::Exec], ..StreamCall::new(host.clone(), 1, Duration::from_secs(30)) };
//! let asked: Vec<StreamRequest> = link.asked(&call).await?;
//! assert!(matches!(&asked[0], StreamRequest::Log(log) if log.container == "shop-web"));
//! let frames = stream::iter([LogFrame::end(EndReason::Complete, "")]).boxed();
//! link.serve(&host, asked[0].stream(), frames).await?;
//! assert_eq!(reader.next().await, Some(LogFrame::end(EndReason::Complete, "")));
//!
//! // A command goes both ways.
//! let exec = ExecSpec { command: vec!["cat".to_owned()], stdin: true, ..ExecSpec::default() };
//! let wanted = ExecWanted { container: "shop-web".to_owned(), id: None, exec };
//! let mut session: ExecSession = exchange.exec(&host, wanted).unwrap();
//! let mut input: InputSender = session.input.clone();
//! let asked = link.asked(&call).await?;
//! let mut line: ExecLine = link.attach(&host, asked[0].stream()).await?.unwrap();
//! input.send(ExecInput::Close {}).await.unwrap();
//! assert_eq!(line.input.next().await, Some(ExecInput::Close {}));
//! line.output.send(ExecFrame::end(EndReason::Exited, "")).await?;
//! assert_eq!(session.frames.next().await, Some(ExecFrame::end(EndReason::Exited, "")));
//!
//! // Once the agent is gone there is nobody to send to.
//! drop(line);
//! assert_eq!(input.send(ExecInput::Taken(1)).await, Err(InputRefused::Gone));
//! # Ok::<(), LinkError>(())
//! # }).unwrap();
//! ```

mod exchange;
mod input;
mod link;

pub use exchange::{ExecSession, ExecWanted, LogReader, StreamExchange, Wanted};
pub use input::{InputRefused, InputSender};
pub use link::{Ability, ExecLine, StreamCall, StreamLink, StreamRequest};
