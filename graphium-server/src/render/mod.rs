//! What people see: text made of data, without a stream or a clock in reach.

mod board;
mod changes;
mod choice;
mod diagnostics;
mod difference;
mod failures;
mod plan;
mod slack;
mod standing;
mod style;
mod table;
mod text;
mod time;
mod tree;
mod undo;

pub(crate) use board::{Board, State};
pub(crate) use changes::Changes;
pub(crate) use choice::choices;
pub(crate) use diagnostics::{Source, diagnostics};
pub(crate) use difference::{differences, document_differences, live_differences, sightings};
pub(crate) use failures::{failure, failures};
pub(crate) use plan::{plan, url};
pub(crate) use slack::slack;
pub(crate) use standing::as_seen;
pub(crate) use style::Style;
pub(crate) use table::Table;
pub(crate) use text::{clip, count, pad, printable, width};
pub(crate) use time::{Clock, bytes, span};
pub(crate) use tree::{Frame, tree};
pub(crate) use undo::undo;
