//! What the planner can find, each with what it means and what to do.

use crate::diagnostic::{Explanation, Severity::*};

/// Every code of the planner, errors first. Codes are stable, as those of the reader; where both have one it means the same.
pub const CODES: &[Explanation] = &[
    // Of the stack itself, where nobody read it from a document.
    Explanation {
        code: "duplicate-name",
        severity: Error,
        meaning: "two containers of the stack have the same name",
        fix: "rename one",
    },
    Explanation {
        code: "unresolved-reference",
        severity: Error,
        meaning: "a container waits for one that the stack does not have",
        fix: "add it, or remove the dependency",
    },
    Explanation {
        code: "dependency-cycle",
        severity: Error,
        meaning: "containers wait for each other in a circle, or a stack for itself",
        fix: "remove one of the dependencies that the message lists",
    },
    Explanation {
        code: "too-many-containers",
        severity: Error,
        meaning: "the replicas of the stack are more containers than one plan may have",
        fix: "ask for fewer replicas, or split the stack",
    },
    Explanation {
        code: "healthy-without-check",
        severity: Error,
        meaning: "something waits for a container to be healthy that has no health check",
        fix: "give it a `healthCheck` (one that its image has is not seen here), or wait for `started`",
    },
    Explanation {
        code: "never-completes",
        severity: Error,
        meaning: "something waits for a container to complete that its engine always starts again",
        fix: "let it restart `no` or `on-failure`, or wait for `started`",
    },
    Explanation {
        code: "start-first-port",
        severity: Error,
        meaning: "in an update the new container is to start before the old one stops, and both would publish one port of one host",
        fix: "use the order `stop-first`, or leave `hostPort` out",
    },
    // Of its places.
    Explanation {
        code: "unknown-host",
        severity: Error,
        meaning: "a container is bound to a host that is not known, or a plan was asked for one",
        fix: "use a host that the help lists, or start an agent on it; `graphium host list` shows them",
    },
    Explanation {
        code: "host-unsuitable",
        severity: Error,
        meaning: "the host that a container is bound to does not suit it",
        fix: "make the change that the help names, or bind the container to another host",
    },
    Explanation {
        code: "host-port-clash",
        severity: Error,
        meaning: "a port is taken on the host that a container is bound to",
        fix: "change `hostPort`, leave it out, or bind the container to another host",
    },
    Explanation {
        code: "host-conflict",
        severity: Error,
        meaning: "all containers are to be on one host, and some are bound to different ones",
        fix: "name one host, or use the mode `multi-host`",
    },
    Explanation {
        code: "no-host",
        severity: Error,
        meaning: "placement is `manual` and a container names no host",
        fix: "add `locatedInHost`, or use another `placementStrategy`",
    },
    Explanation {
        code: "missing-datacenter",
        severity: Error,
        meaning: "placement is `datacenter` and no datacenter is named",
        fix: "add `targetDatacenter`",
    },
    Explanation {
        code: "unknown-datacenter",
        severity: Error,
        meaning: "placement is `datacenter`, and no known host is in the one that is named",
        fix: "use a datacenter that the help lists, or say of a host that it is there",
    },
    Explanation {
        code: "no-eligible-host",
        severity: Error,
        meaning: "no host can take a container",
        fix: "the message says of each host why, and the help names the smallest change that would let it fit",
    },
    Explanation {
        code: "left-out-dependency",
        severity: Error,
        meaning: "of a plan for some hosts a task waits for one of another host",
        fix: "plan for that host too, or first",
    },
    // Accepted.
    Explanation {
        code: "stack-not-running",
        severity: Warning,
        meaning: "the stack depends on another stack of which nothing is seen to run",
        fix: "deploy the other one first: nothing waits for it",
    },
    Explanation {
        code: "nothing-there",
        severity: Warning,
        meaning: "a plan was asked for a host on which the stack has nothing and nothing is to be done",
        fix: "look whether the name of the host is right",
    },
    Explanation {
        code: "unknown-address",
        severity: Warning,
        meaning: "a host has not told its address, so containers elsewhere cannot be told where to find those on it",
        fix: "wait until its agent has reported, and deploy again",
    },
    Explanation {
        code: "unknown-settings",
        severity: Warning,
        meaning: "the inventory does not tell the restart policy and the limits of a container that is there, and no revision \
                  that was applied tells them either; they are taken to be as wanted",
        fix: "plan on a server, whose agents tell them, or add `settings` to the container in the inventory",
    },
    Explanation {
        code: "stops-first",
        severity: Warning,
        meaning: "an update asks for the order `start-first`, and a container stops before its successor starts all the same: \
                  both would have what only one may have, or its host has no room for both",
        fix: "nothing, if a short stop does no harm; or take away what the message names",
    },
    Explanation {
        code: "endpoint-clash",
        severity: Warning,
        meaning: "the endpoint variables of a container would have the names of another's",
        fix: "rename one",
    },
    Explanation {
        code: "many-endpoints",
        severity: Warning,
        meaning: "so many containers publish ports that each is told only of those that it depends on",
        fix: "add to `dependsOn` what a container has to find",
    },
    Explanation {
        code: "no-way-across",
        severity: Warning,
        meaning: "a container depends on one on another host that publishes no port",
        fix: "give it a `hostPort`, or put both on one host",
    },
    Explanation {
        code: "volume-kept",
        severity: Warning,
        meaning: "a volume that the stack has no use for any more stays, with its data",
        fix: "nothing, or remove it on the host",
    },
    Explanation {
        code: "unknown-host",
        severity: Warning,
        meaning: "something is to be removed on a host that is not known any more",
        fix: "nothing: it waits until the host returns",
    },
];
