//! Parts of a container that older documents write in many ways.

use super::{Choice, Form, Kind, Place, compose, field, legacy, word};

const CHECKS: &[Choice] =
    &[Choice { word: "exec", aliases: &["command", "cmd"] }, word("http"), word("tcp"), word("grpc"), word("none")];

/// A health check.
pub(in super::super) static HEALTH_CHECK: Place = Place {
    what: "a health check",
    fields: &[
        field("@id", Kind::Structure),
        field("@type", Kind::Structure),
        field("type", Kind::Choice(CHECKS)),
        field("command", Kind::Forms(Form::Check)),
        field("path", Kind::Text),
        field("port", Kind::Port),
        field("headers", Kind::TextMap),
        field("interval", Kind::Duration),
        field("timeout", Kind::Duration),
        field("retries", super::COUNT),
        field("startPeriod", Kind::Duration),
    ],
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

/// schema.org-like requirements: limits, reservations and wishes in one.
pub(in super::super) static RESOURCE_REQUIREMENTS: Place = Place {
    what: "resource requirements",
    fields: &[
        field("@type", Kind::Structure),
        field("minCPU", Kind::Number),
        field("maxCPU", Kind::Number),
        field("minMemory", Kind::Size),
        field("maxMemory", Kind::Size),
        field("requiredLabels", Kind::TextMap),
        field("preferredDatacenter", Kind::Reference),
    ],
    aliases: &[legacy("minCpu", "minCPU"), legacy("maxCpu", "maxCPU")],
    advice: &[],
};
