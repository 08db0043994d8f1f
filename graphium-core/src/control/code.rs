//! What can be found when a stack is deployed, beside what the reader and the planner find.

use crate::diagnostic::{
    Explanation,
    Severity::{Error, Warning},
};

/// Every code of deploying, errors first; those of servers, too.
pub const CODES: &[Explanation] = &[
    Explanation {
        code: "stack-name-taken",
        severity: Error,
        meaning: "another stack, with another `@id`, has the same name",
        fix: "rename this one, or remove the other first",
    },
    Explanation {
        code: "not-allowed",
        severity: Error,
        meaning: "the stack reaches out of its containers in a way that the server, or the agent of a host, does not allow",
        fix: "leave it out, or allow it: `--allow` of `graphium server` and `graphium agent`; docs/admission.md lists what there is",
    },
    Explanation {
        code: "reschedule-after-range",
        severity: Error,
        meaning: "containers would be placed elsewhere before their host counts as offline, or not within 30 days",
        fix: "give a longer or shorter time, or 0 for never",
    },
    Explanation {
        code: "adopt-none",
        severity: Error,
        meaning: "no container runs that is known as one of the stack that is to adopt it",
        fix: "say which one it is (`--container NAME=HOST/NAME`), or adopt the rest first and deploy it then",
    },
    Explanation {
        code: "adopt-ambiguous",
        severity: Error,
        meaning: "several containers could become one of the stack, or one could become several",
        fix: "say which one is meant: `--container NAME=HOST/NAME`, or `--host`",
    },
    Explanation {
        code: "adopt-not-running",
        severity: Error,
        meaning: "the container that is to be adopted does not run",
        fix: "start it, or remove it and let the stack make one of its own",
    },
    Explanation {
        code: "adopt-owned",
        severity: Error,
        meaning: "the container that is to be adopted belongs to a stack that lives",
        fix: "remove it from that stack first, or choose another container",
    },
    Explanation {
        code: "adopt-name-taken",
        severity: Error,
        meaning: "another container on its host has the name that an adopted one would get",
        fix: "rename or remove that one",
    },
    Explanation {
        code: "adopt-elsewhere",
        severity: Error,
        meaning: "the document has a container on another host than it runs on",
        fix: "bind it to the host that it is on",
    },
    Explanation {
        code: "adopt-unknown",
        severity: Error,
        meaning: "a container was chosen for a name that the stack does not have",
        fix: "use one of the names that the help lists; replicas have their number behind it",
    },
    Explanation {
        code: "adopt-too-many",
        severity: Error,
        meaning: "more containers are to be adopted at once than can be compared before the first is touched",
        fix: "split the stack",
    },
    Explanation {
        code: "fact-changed",
        severity: Error,
        meaning: "a saved plan rests on something that is not so any more; nothing was done",
        fix: "plan again, look at the plan, and apply that",
    },
    Explanation {
        code: "secret-missing",
        severity: Warning,
        meaning: "a container asks for a secret that the server does not have, or has for other stacks only",
        fix: "keep it with `graphium secret set NAME`; where the agent of the host has it of its own, all is well",
    },
];
