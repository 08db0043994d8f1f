//! Containers as a picture: a lane for each host, a column for each step, a line for each dependency.

mod draw;
mod layout;

pub(super) use draw::{Picture, Shown};
