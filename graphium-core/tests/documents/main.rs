//! Reader and formatter from without: one program, for what it takes is to link it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod aliases;
mod codes;
mod examples;
mod format;
mod guards;
mod mappings;
mod mistakes;
mod profiles;
mod secrets;
mod syntax;
