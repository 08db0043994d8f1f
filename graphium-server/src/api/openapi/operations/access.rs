//! Credentials, events, the server itself.

use super::Operation as Op;
use crate::api::openapi::operation::{
    Answer::{self, At, Empty, Json, Opaque, Text, WebSocket},
    Body, Codes,
};

const K: &str = "Credentials";
const P: &str = "People";
const S: &str = "Secrets";
const E: &str = "Events";
const V: &str = "The server";

const LAST: &[&str] = &["last-administrator", "own-account", "changed-meanwhile"];
const PRUNED: Codes = (410, &["events-pruned"]);
const NO_UPGRADE: [Codes; 2] = [(400, &["bad-request"]), (426, &["upgrade-required"])];
const HEALTHY: &[Answer] = &[Json(200, "Health")];
const UNREADY: &[Codes] = &[(503, &["store-unavailable", "stopping"])];

pub(super) const OTHERS: &[Op] = &[
    Op::get("/api/v1/tokens", "listTokens", "Lists credentials, without what is secret of them")
        .of(K)
        .query(&["page.Paging"])
        .answers(&[Json(200, "TokenList")])
        .fails(&[(410, &["cursor-gone"])]),
    Op::post("/api/v1/tokens", "createToken", "Makes a token; this answer alone holds it")
        .of(K)
        .takes(Body::Json("TokenRequest"))
        .answers(&[At(201, "IssuedToken")])
        .fails(&[(409, &["changed-meanwhile"]), (422, &["host-missing", "host-not-meant", "stacks-not-meant"])]),
    Op::delete("/api/v1/tokens/{id}", "revokeToken", "Revokes a token; its streams end with it")
        .of(K)
        .answers(&[Empty(204)])
        .fails(&[(404, &["not-found"]), (409, &["changed-meanwhile"])]),
    Op::get("/api/v1/users", "listUsers", "Lists who may log in")
        .of(P)
        .query(&["page.Paging"])
        .answers(&[Json(200, "UserList")])
        .fails(&[(410, &["cursor-gone"])]),
    Op::post("/api/v1/users", "createUser", "Takes somebody on who may log in")
        .of(P)
        .takes(Body::Json("UserRequest"))
        .answers(&[At(201, "UserView")])
        .fails(&[
            (409, &["user-exists", "changed-meanwhile"]),
            (422, &["bad-name", "password-length", "stacks-not-meant"]),
            (503, &["busy"]),
        ]),
     Op::get("/api/v1/users/{id}", "getUser", "Somebody who may log in")
        .of(P)
        .answers(&[Json(200, "UserView")])
        .fails(&[(404, &["not-found"])]),
    Op::patch("/api/v1/users/{id}", "changeUser", "Gives somebody another role, or other stacks")
        .of(P)
        .about(
            "What is not said stays as it is. It counts from the next request on, for sessions that are open, too, and streams that were \
             opened with the rights before end.",
        )
        .takes(Body::Json("UserChange"))
        .answers(&[Json(200, "UserView")])
        .fails(&[(404, &["not-found"]), (409, LAST), (422, &["stacks-not-meant"])]),
    Op::delete("/api/v1/users/{id}", "removeUser", "Lets somebody go, and ends every session")
        .of(P)
        .answers(&[Empty(204)])
        .fails(&[(404, &["not-found"]), (409, LAST)]),
    Op::call("/api/v1/users/{id}/link", "linkUser", "Makes a link with which somebody sets a password, once")
        .of(P)
        .about(
            "The password before, every session and every earlier link of the person end. This answer alone holds the link; whoever asks \
             for it never learns the password.",
        )
        .takes(Body::Json("LinkRequest"))
        .answers(&[Json(201, "IssuedLink")])
        .fails(&[(404, &["not-found"]), (409, LAST)]),
    Op::put("/api/v1/users/{id}/password", "resetPassword", "Gives somebody another password, and ends every session")
        .of(P)
        .takes(Body::Json("PasswordRequest"))
        .answers(&[Empty(204)])
        .fails(&[
            (404, &["not-found"]),
            (409, &["changed-meanwhile"]),
            (422, &["password-length"]),
            (503, &["busy"]),
        ]),
    Op::get("/api/v1/secrets", "listSecrets", "Lists secrets and which stacks use them, without their values")
        .of(S)
        .query(&["page.Paging"])
        .answers(&[Json(200, "SecretList")])
        .fails(&[(410, &["cursor-gone"])]),
    Op::put("/api/v1/secrets/{id}", "setSecret", "Keeps a secret, or gives it another value")
        .of(S)
        .about("Containers that have the value before keep it until they are made anew. No answer ever holds a value.")
        .takes(Body::Json("SecretRequest"))
        .answers(&[Json(200, "SecretView")])
        .fails(&[
            (409, &["changed-meanwhile", "secrets-key", "too-many-secrets"]),
            (422, &["bad-name", "bad-secret", "stacks-not-meant"]),
        ]),
    Op::delete("/api/v1/secrets/{id}", "removeSecret", "Forgets a secret")
        .of(S)
        .query(&["secrets.RemovalQuery"])
        .answers(&[Empty(204)])
        .fails(&[(404, &["not-found"]), (409, &["changed-meanwhile", "secret-in-use"])]),
    Op::call("/api/v1/auth/login", "logIn", "Opens a session; this answer alone holds its token")
        .of(P)
        .takes(Body::Json("LoginRequest"))
        .answers(&[At(201, "IssuedToken")])
        .fails(&[
            (401, &["wrong-password"]),
            (429, &["too-many-attempts"]),
            (500, &["internal", "store-corrupt"]),
            (503, &["busy", "store-unavailable", "stopping"]),
        ]),
    Op::call("/api/v1/auth/logout", "logOut", "Ends the session of whoever asks")
        .of(P)
        .answers(&[Empty(204)])
        .fails(&[(404, &["not-found"]), (409, &["no-session", "changed-meanwhile"])]),
    Op::call("/api/v1/auth/logout/others", "logOutOthers", "Ends every session of whoever asks but this one")
        .of(P)
        .about("Links to set that person's password end, too; tokens stay.")
        .answers(&[Empty(204)])
        .fails(&[(409, &["no-session", "changed-meanwhile"])]),
    Op::get("/api/v1/auth/me", "whoAmI", "Who asks, and what that may do").of(P).answers(&[Json(200, "Caller")]),
    Op::put("/api/v1/auth/password", "changePassword", "Gives oneself another password, and ends one's other sessions")
        .of(P)
        .takes(Body::Json("PasswordRequest"))
        .answers(&[Empty(204)])
        .fails(&[
            (403, &["wrong-password"]),
            (404, &["not-found"]),
            (409, &["no-session", "changed-meanwhile"]),
            (422, &["password-length"]),
            (429, &["too-many-attempts"]),
            (503, &["busy"]),
        ]),
    Op::call("/api/v1/auth/setup", "setUp", "Makes the first administrator, or sets a password, with a code that is good once")
        .of(P)
        .takes(Body::Json("SetupRequest"))
        .answers(&[Json(201, "UserView")])
        .fails(&[
            (401, &["code-unknown"]),
            (403, &["not-allowed"]),
            (409, &["changed-meanwhile"]),
            (422, &["bad-name", "password-length"]),
            (500, &["internal", "store-corrupt"]),
            (503, &["busy", "store-unavailable", "stopping"]),
        ]),
    Op::call("/api/v1/auth/join", "join", "Gives an agent its token, for a code that is good once")
        .of(P)
        .takes(Body::Json("JoinRequest"))
        .answers(&[At(201, "IssuedToken")])
        .fails(&[
            (401, &["code-unknown"]),
            (403, &["not-allowed"]),
            (409, &["changed-meanwhile"]),
            (500, &["internal", "store-corrupt"]),
            (503, &["store-unavailable", "stopping"]),
        ]),
    Op::get("/api/v1/audit", "readAudit", "Who did what, from where, with what result; the newest first")
        .of(P)
        .about(
            "With `Accept: application/x-ndjson` or `format=ndjson` all of it, one entry a line, the oldest first. `since` and `user` \
             leave others out.",
        )
        .query(&["page.Paging", "audit.Filter"])
        .answers(&[Json(200, "AuditList"), Text(200, "application/x-ndjson")]),
    Op::get("/api/v1/events", "readEvents", "Events: as Server-Sent Events, or as a list")
        .of(E)
        .about(
            "A list with `Accept: application/json` or `follow=false`, else a stream without an end, which a `Last-Event-ID` \
             resumes. Numbers have no gaps.",
        )
        .query(&["events.EventQuery"])
        .answers(&[Json(200, "EventList"), Text(200, "text/event-stream")])
        .fails(&[PRUNED]),
    Op::get("/api/v1/ws", "followEvents", "Events over a WebSocket, one JSON object per frame")
        .of(E)
        .query(&["events.EventQuery"])
        .answers(&[WebSocket])
        .fails(&[NO_UPGRADE[0], PRUNED, NO_UPGRADE[1]]),
    Op::get("/api/v1/ws/graph", "followEventsGraph", "The same under its older name")
        .of(E)
        .query(&["events.EventQuery"])
        .answers(&[WebSocket])
        .fails(&[NO_UPGRADE[0], PRUNED, NO_UPGRADE[1]]),
    Op::call("/api/v1/store", "callStore", "The store itself, for a control plane elsewhere")
        .of(V)
        .about("A method of the store as JSON, answered with `Ok` or `Err`. Only where the server shares its store.")
        .takes(Body::StoreCall)
        .answers(&[Opaque(200)])
        .fails(&[(403, &["store-not-shared"]), (500, &["unwritable"])]),
    Op::get("/healthz", "getHealth", "The same as `/livez` under its older name").of(V).answers(HEALTHY),
    Op::get("/livez", "getLiveness", "Whether the server lives").of(V).answers(HEALTHY),
    Op::get("/readyz", "getReadiness", "Whether the server can work: its store answers within 2 s")
        .of(V)
        .answers(HEALTHY)
        .fails(UNREADY),
    Op::get("/api/v1/healthz", "getHealthBelow", "The same as `/livez`").of(V).answers(HEALTHY),
    Op::get("/api/v1/livez", "getLivenessBelow", "The same as `/livez`").of(V).answers(HEALTHY),
    Op::get("/api/v1/readyz", "getReadinessBelow", "The same as `/readyz`").of(V).answers(HEALTHY).fails(UNREADY),
    Op::get("/metrics", "getMetrics", "Metrics for Prometheus, in the OpenMetrics text format")
        .of(V)
        .answers(&[Text(200, "application/openmetrics-text")]),
    Op::get("/api/v1/openapi.json", "getDescription", "This description, as OpenAPI 3.1").of(V).answers(&[Opaque(200)]),
    Op::get("/api/openapi.json", "getDescriptionAbove", "The same at its older place").of(V).answers(&[Opaque(200)]),
    Op::get("/docs", "getDocs", "This description, for people").of(V).answers(&[Text(200, "text/html")]),
    Op::get("/docs/style.css", "getDocsStyle", "How it looks").of(V).answers(&[Text(200, "text/css")]),
];
