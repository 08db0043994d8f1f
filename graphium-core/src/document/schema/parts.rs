//! Health and resources of a container, which older documents write in many ways.

use super::{ANY, Choice, Form, Kind, Needs, Place, compose, field, legacy, spelt, word};

const CHECKS: &[Choice] = &[spelt("exec", &["command", "cmd"]), word("http"), word("tcp"), word("grpc"), word("none")];

/// A health check.
pub(in super::super) static HEALTH_CHECK: Place = Place {
    what: "a health check",
    fields: &[
        field("@id", Kind::Structure, "Its identity"),
        field("@type", Kind::Structure, "What it is beside what its key says"),
        field("type", Kind::Choice(CHECKS), "What is asked; where it is left out the other keys tell"),
        field(
            "command",
            Kind::Forms(Form::Check),
            "A command inside that ends with 0; after `CMD-SHELL` a line for the shell",
        ),
        field("path", Kind::Text, "The path that is asked for; 200 to 399 is well"),
        field("port", Kind::Port, "The port inside; the only one of the container where it is left out"),
        field("headers", Kind::TextMap, "Headers to send"),
        field("interval", Kind::Duration, "Time between two checks"),
        field("timeout", Kind::Duration, "How long one check may take"),
        field("retries", super::COUNT, "Failures in a row until it counts as unwell"),
        field("startPeriod", Kind::Duration, "Time after the start in which failures do not count"),
    ],
    needs: Needs::Any(&["type", "command", "path", "port"]),
    aliases: &[
        legacy("test", "command"),
        legacy("intervalSeconds", "interval"),
        legacy("timeoutSeconds", "timeout"),
        legacy("startPeriodSeconds", "startPeriod"),
        compose("start_period", "startPeriod"),
    ],
    advice: &[
        ("disable", "write `\"type\": \"none\"`"),
        ("start_interval", "leave it out"),
        ("url", "use `path` and `port`"),
    ],
};

/// Limits and reservations.
pub(in super::super) static RESOURCES: Place = Place {
    what: "resources",
    fields: &[
        field("@type", Kind::Structure, "What it is beside what its key says"),
        field("limits", Kind::Object(&LIMITS), "What it may use at most"),
        field("reservations", Kind::Object(&RESERVATIONS), "What its host keeps for it"),
    ],
    needs: Needs::Nothing,
    aliases: &[
        legacy("cpu", "limits.cpus"),
        legacy("cpus", "limits.cpus"),
        legacy("memory", "limits.memory"),
        legacy("memorySwap", "limits.memorySwap"),
        legacy("pids", "limits.pids"),
    ],
    advice: &[],
};

/// What may be used at most.
pub(in super::super) static LIMITS: Place = Place {
    what: "limits",
    fields: &[
        field("cpus", Kind::Number, "Processors, as in 0.5"),
        field("memory", Kind::Size, "Memory, bytes or as in `512M`; `6M` at least"),
        field(
            "memorySwap",
            Kind::SizeOrUnlimited,
            "Memory and swap together, so no less than `memory`; -1 is without limit",
        ),
        field("pids", ANY, "Processes"),
    ],
    needs: Needs::Nothing,
    aliases: &[legacy("cpu", "cpus")],
    advice: &[],
};

/// What a host keeps.
pub(in super::super) static RESERVATIONS: Place = Place {
    what: "reservations",
    fields: &[
        field("cpus", Kind::Number, "Processors, as in 0.5"),
        field("memory", Kind::Size, "Memory, bytes or as in `512M`"),
    ],
    needs: Needs::Nothing,
    aliases: &[legacy("cpu", "cpus")],
    advice: &[("devices", "use `gpus` or `devices` of the container")],
};

/// What a container asks of its host.
pub(in super::super) static REQUIREMENTS: Place = Place {
    what: "requirements",
    fields: &[
        field("labels", Kind::TextMap, "A host with these labels"),
        field("preferredDatacenter", Kind::Reference, "A host of this datacenter, if one is eligible"),
    ],
    needs: Needs::Nothing,
    aliases: &[],
    advice: &[],
};

/// schema.org-like requirements: limits, reservations and wishes in one.
pub(in super::super) static RESOURCE_REQUIREMENTS: Place = Place {
    what: "resource requirements",
    fields: &[
        field("@type", Kind::Structure, "What it is beside what its key says"),
        field("minCPU", Kind::Number, "Processors to keep"),
        field("maxCPU", Kind::Number, "Processors at most"),
        field("minMemory", Kind::Size, "Memory to keep"),
        field("maxMemory", Kind::Size, "Memory at most"),
        field("requiredLabels", Kind::TextMap, "A host with these labels"),
        field("preferredDatacenter", Kind::Reference, "A host of this datacenter, if one is eligible"),
    ],
    needs: Needs::Nothing,
    aliases: &[legacy("minCpu", "minCPU"), legacy("maxCpu", "maxCPU")],
    advice: &[],
};

/// What the keys of [`RESOURCE_REQUIREMENTS`] are called today: where in a container, and there by which path.
pub(in super::super) const REQUIREMENTS_TODAY: &[(&str, (&str, &str))] = &[
    ("minCPU", ("resources", "reservations.cpus")),
    ("maxCPU", ("resources", "limits.cpus")),
    ("minMemory", ("resources", "reservations.memory")),
    ("maxMemory", ("resources", "limits.memory")),
    ("requiredLabels", ("requirements", "labels")),
    ("preferredDatacenter", ("requirements", "preferredDatacenter")),
];
