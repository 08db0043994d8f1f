//! What people see: text made of data, without a stream or a clock in reach.

mod diagnostics;
mod plan;
mod style;
mod table;
mod text;

pub(crate) use diagnostics::{Source, diagnostics};
pub(crate) use plan::plan;
pub(crate) use style::Style;
pub(crate) use table::Table;
pub(crate) use text::{count, pad, printable, width};
