//! Tasks, hosts, containers, and what nobody wants.

use super::Operation as Op;
use crate::api::openapi::operation::{
    Answer::{At, Empty, Json, Text, WebSocket},
    Body, Codes,
};

const T: &str = "Tasks";
const H: &str = "Hosts";
const C: &str = "Containers";

const NONE: Codes = (404, &["not-found"]);
const MEANWHILE: Codes = (409, &["changed-meanwhile"]);
const CURSOR: Codes = (410, &["cursor-gone"]);

pub(super) const TASKS: &[Op] = &[
    Op::get("/api/v1/tasks", "listTasks", "Lists tasks, without values of variables, headers and drivers' options")
        .of(T)
        .query(&["page.Paging", "tasks.Filter"])
        .answers(&[Json(200, "TaskList")]),
    Op::post("/api/v1/tasks", "createTask", "Makes an operator's own task")
        .of(T)
        .takes(Body::Json("TaskRequest"))
        .answers(&[At(202, "TaskView")])
        .fails(&[NONE, MEANWHILE, (422, &["not-allowed"])]),
    Op::get("/api/v1/tasks/stats", "getTaskStats", "Counts of tasks").of(T).answers(&[Json(200, "TaskStats")]),
    Op::get("/api/v1/tasks/{id}", "getTask", "A task").of(T).answers(&[Json(200, "TaskView")]).fails(&[NONE]),
    Op::post("/api/v1/tasks/{id}/retry", "retryTask", "Tries a task again that has ended without success")
        .of(T)
        .answers(&[At(202, "TaskView")])
        .fails(&[NONE, (409, &["not-retryable", "superseded", "blocked", "changed-meanwhile"])]),
    Op::post("/api/v1/tasks/{id}/cancel", "cancelTask", "Asks a task to end")
        .of(T)
        .about("One that runs ends when its agent hears of it.")
        .answers(&[At(202, "TaskView")])
        .fails(&[NONE, (409, &["task-ended", "changed-meanwhile"])]),
];

pub(super) const HOSTS: &[Op] = &[
    Op::get("/api/v1/hosts", "listHosts", "Lists hosts")
        .of(H)
        .query(&["page.Paging"])
        .answers(&[Json(200, "HostList")])
        .fails(&[CURSOR]),
    Op::post("/api/v1/hosts", "createHost", "Tells of a host")
        .of(H)
        .about("Its agent tells the rest. Of a host that is known already it sets what operators order.")
        .takes(Body::Json("Host"))
        .answers(&[At(201, "Host")])
        .fails(&[MEANWHILE]),
    Op::get("/api/v1/hosts/{id}", "getHost", "A host").of(H).answers(&[Json(200, "Host")]).fails(&[NONE]),
    Op::put("/api/v1/hosts/{id}", "updateHost", "Sets what operators order of a host")
        .of(H)
        .takes(Body::Json("Host"))
        .answers(&[Json(200, "Host")])
        .fails(&[MEANWHILE, (422, &["ids-differ"])]),
    Op::delete("/api/v1/hosts/{id}", "removeHost", "Forgets a host that has nothing of ours")
        .of(H)
        .answers(&[Empty(204)])
        .fails(&[NONE, (409, &["host-in-use", "changed-meanwhile"])]),
    Op::get("/api/v1/hosts/{id}/drain", "getDrain", "What is still to leave a host that drains")
        .of(H)
        .answers(&[Json(200, "Drain")])
        .fails(&[NONE]),
    Op::post("/api/v1/hosts/{id}/drain", "drainHost", "Has a host left by what runs there")
        .of(H)
        .answers(&[Json(200, "Drain")])
        .fails(&[NONE, MEANWHILE]),
    Op::post("/api/v1/hosts/{id}/activate", "activateHost", "Lets a host take work")
        .of(H)
        .answers(&[Json(200, "Host")])
        .fails(&[NONE, MEANWHILE]),
    Op::post("/api/v1/hosts/{id}/maintenance", "maintainHost", "Lets a host begin nothing new")
        .of(H)
        .answers(&[Json(200, "Host")])
        .fails(&[NONE, MEANWHILE]),
    Op::post(
        "/api/v1/hosts/{id}/rotate",
        "rotateCredential",
        "Has the agent of a host replace its token when it calls next",
    )
    .of(H)
    .answers(&[Empty(204)])
    .fails(&[NONE, MEANWHILE]),
];

pub(super) const CONTAINERS: &[Op] = &[
    Op::get("/api/v1/containers", "listContainers", "Lists containers, as agents have seen them")
        .of(C)
        .query(&["page.Paging", "containers.Filter"])
        .answers(&[Json(200, "ContainerList")]),
    Op::get("/api/v1/containers/{id}", "getContainer", "A container, by the engine's id or `<host>/<name>`")
        .of(C)
        .answers(&[Json(200, "ObservedContainer")])
        .fails(&[NONE]),
    Op::get("/api/v1/containers/{id}/logs", "readLog", "What a container writes, through the agent of its host")
        .of(C)
        .about(
            "Text, or with `Accept: application/x-ndjson` one object a line. The guide of the API says what each is.",
        )
        .query(&["logs.LogParams"])
        .answers(&[Text(200, "text/plain"), Text(200, "application/x-ndjson")])
        .fails(&[
            NONE,
            (409, &["not-ours", "engine-refused"]),
            (429, &["too-many-logs"]),
            (503, &["host-away", "agent-lost", "engine-away"]),
        ]),
    Op::get("/api/v1/containers/{id}/exec", "runCommand", "Runs a command in a container, over a WebSocket")
        .of(C)
        .about("The guide of the API says what goes each way.")
        .query(&["exec.ExecParams"])
        .answers(&[WebSocket])
        .fails(&[(400, &["bad-request"]), NONE, (409, &["not-ours", "agent-too-old"]), (426, &["upgrade-required"])]),
    Op::get(
        "/api/v1/orphans",
        "listOrphans",
        "Containers, networks and volumes of ours that no stack wants where they are",
    )
    .of(C)
    .query(&["page.Paging"])
    .answers(&[Json(200, "OrphanList")])
    .fails(&[CURSOR]),
    Op::delete("/api/v1/orphans/{host}/{container}", "removeOrphan", "Has an orphan removed, as a task of its host")
        .of(C)
        .about("`container` is what follows the host in its `@id`: `web`, `network:shop`, `volume:shop_data`.")
        .query(&["orphans.RemoveQuery"])
        .answers(&[At(202, "TaskView")])
        .fails(&[NONE, (409, &["data-would-go", "changed-meanwhile"])]),
];
