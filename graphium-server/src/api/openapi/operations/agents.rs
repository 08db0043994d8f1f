//! The agents' protocol.

use super::Operation as Op;
use crate::api::openapi::operation::{
    Answer::{At, Empty, Json, WebSocket},
    Body, Codes,
};

const A: &str = "Agents' protocol";

const NONE: Codes = (404, &["not-found"]);
const SESSION: Codes = (409, &["session-lost", "changed-meanwhile"]);
const LEASE: Codes = (409, &["lease-lost", "session-lost", "task-ended", "not-now", "changed-meanwhile"]);

pub(super) const AGENTS: &[Op] = &[
    Op::call(
        "/api/v1/agents/{id}/session",
        "openSession",
        "Introduces the agent of a host, and ends its older sessions",
    )
    .of(A)
    .about("`Graphium-Protocol` says which versions of the protocol the agent speaks; the answer names the one taken.")
    .takes(Body::Json("SessionRequest"))
    .answers(&[Json(200, "SessionGrant")])
    .fails(&[SESSION, (422, &["ids-differ", "rejected"])]),
    Op::call("/api/v1/agents/{id}/credential", "replaceCredential", "Gives an agent the successor of its token")
        .of(A)
        .about(
            "For the agent's own token alone, and when an answer has said `Graphium-Credential: due`. The one before is good until this one \
             was used.",
        )
        .changes_something()
        .answers(&[At(201, "IssuedToken")])
        .fails(&[NONE, (409, &["credential-not-due", "changed-meanwhile"]), (422, &["rejected"])]),
    Op::call("/api/v1/agents/{id}/claim", "claimTasks", "Asks for work, and waits for it")
        .of(A)
        .query(&["agents.ClaimQuery"])
        .takes(Body::Json("ClaimBody"))
        .answers(&[Json(200, "Claimed")])
        .fails(&[SESSION, (422, &["rejected"])]),
    Op::call("/api/v1/agents/{id}/renew", "renewLeases", "Renews leases; without any it is a sign of life")
        .of(A)
        .takes(Body::Json("RenewCall"))
        .answers(&[Json(200, "Renewed")])
        .fails(&[SESSION, (422, &["ids-differ", "rejected"])]),
    Op::put("/api/v1/agents/{id}/observation", "reportHost", "Tells what a host is and what runs there")
        .of(A)
        .takes(Body::Json("HostReport"))
        .answers(&[Empty(204)])
        .fails(&[SESSION, (422, &["ids-differ", "rejected"])]),
    Op::get("/api/v1/agents/{id}/tasks", "listTasksOfHost", "The tasks of a host")
        .of(A)
        .query(&["page.Paging", "agents.Filter"])
        .answers(&[Json(200, "TaskList")]),
    Op::call("/api/v1/agents/{id}/streams", "awaitStreams", "Waits for logs to be read and commands to be run")
        .of(A)
        .takes(Body::Json("StreamCallBody"))
        .answers(&[Json(200, "StreamRequests")])
        .fails(&[SESSION, (422, &["rejected"])]),
    Op::call(
        "/api/v1/agents/{id}/streams/{stream}",
        "serveLog",
        "One log as the body; the answer comes when it is over",
    )
    .of(A)
    .takes(Body::Frames)
    .answers(&[Empty(204)])
    .fails(&[NONE, SESSION, (422, &["rejected"])]),
    Op::get("/api/v1/agents/{id}/streams/{stream}", "serveCommand", "One command, over a WebSocket")
        .of(A)
        .answers(&[WebSocket])
        .fails(&[(400, &["bad-request"]), NONE, SESSION, (422, &["rejected"]), (426, &["upgrade-required"])]),
    Op::call("/api/v1/tasks/{id}/renew", "renewTask", "Renews the lease of a task")
        .of(A)
        .takes(Body::Json("RenewBody"))
        .answers(&[Json(200, "Held")])
        .fails(&[NONE, LEASE, (422, &["ids-differ", "rejected"])]),
    Op::call(
        "/api/v1/tasks/{id}/secrets",
        "grantSecrets",
        "The secrets of the container that a task is about, for the agent that holds it",
    )
    .of(A)
    .takes(Body::Json("SecretsCall"))
    .answers(&[Json(200, "SecretsGrant")])
    .fails(&[NONE, LEASE, (422, &["ids-differ", "rejected"])]),
    Op::put("/api/v1/tasks/{id}/status", "reportTask", "Tells how an attempt ended; the answer acknowledges it")
        .of(A)
        .takes(Body::Json("StatusReport"))
        .answers(&[Empty(204)])
        .fails(&[NONE, LEASE, (422, &["error-missing", "not-an-outcome", "ids-differ", "rejected"])]),
];
