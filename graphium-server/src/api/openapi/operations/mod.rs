//! Every operation, on a few pages. Router and table are compared by a test, in both directions.

mod access;
mod agents;
mod estate;
mod stacks;

use super::operation::Operation;

/// Every operation, by heading.
pub fn operations() -> impl Iterator<Item = &'static Operation> {
    [stacks::STACKS, stacks::PLANS, estate::TASKS, estate::HOSTS, estate::CONTAINERS, access::OTHERS, agents::AGENTS]
        .into_iter()
        .flatten()
}
