//! The planner from without: one program, for what it takes is to link it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod adopt;
mod applied_fixes;
mod auto;
mod beside;
mod bounds;
mod changes;
mod contradictions;
mod edges;
mod endpoints;
mod engines;
mod fixes;
mod fixes_properties;
mod fixes_several;
mod fixes_together;
mod golden;
mod identity;
mod leave;
mod never;
mod order;
mod permuted;
mod places;
mod planning;
mod promises;
mod properties;
mod refresh;
mod renames;
mod repair;
mod rollout;
mod room;
mod saved;
mod shown;
mod subjects;
mod subset;
mod tasks;
mod undo;
