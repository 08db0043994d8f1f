//! What can be found when a stack is deployed, beside what the reader and the planner find.

use crate::diagnostic::{Explanation, Severity::Error};

/// Every code of deploying, errors first; those of servers, too.
pub const CODES: &[Explanation] = &[
    Explanation {
        code: "stack-name-taken",
        severity: Error,
        meaning: "another stack, with another `@id`, has the same name",
        fix: "rename this one, or remove the other first",
    },
    Explanation {
        code: "reschedule-after-range",
        severity: Error,
        meaning: "containers would be placed elsewhere before their host counts as offline, or not within 30 days",
        fix: "give a longer or shorter time, or 0 for never",
    },
    Explanation {
        code: "fact-changed",
        severity: Error,
        meaning: "a saved plan rests on something that is not so any more; nothing was done",
        fix: "plan again, look at the plan, and apply that",
    },
];
