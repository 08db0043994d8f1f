//! The REST API, base `/api/v1`.

pub mod problem;
pub mod wire;
