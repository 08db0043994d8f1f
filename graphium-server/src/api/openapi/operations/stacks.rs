//! Stacks, their plans, their deployments.

use super::Operation as Op;
use crate::api::openapi::operation::{
    Answer::{self, At, Either, Json},
    Body, Codes,
};

const S: &str = "Stacks";
const P: &str = "Plans and documents";

const NO_STACK: Codes = (404, &["not-found"]);
const MEANWHILE: Codes = (409, &["changed-meanwhile"]);
const STARTED: &[Answer] = &[At(202, "Started")];

pub(super) const STACKS: &[Op] = &[
    Op::get("/api/v1/stacks", "listStacks", "Lists stacks").of(S).query(&["page.Paging"]).answers(&[Json(200, "StackList")]),
    Op::post("/api/v1/stacks", "deployStack", "Deploys a document")
        .of(S)
        .about(
            "The bare document, or an envelope that holds it as JSON or as text. The answer comes at once; nothing waits for a \
             container. What the URL says goes before what an envelope says.",
        )
        .query(&["submission.DeployQuery"])
        .takes(Body::Document)
        .answers(STARTED)
        .fails(&[(409, &["stack-deleting", "changed-meanwhile"])]),
    Op::post("/api/v1/stacks/jsonld", "deployStackJsonld", "Deploys a document: the same under its older name")
        .of(S)
        .query(&["submission.DeployQuery"])
        .takes(Body::Document)
        .answers(STARTED)
        .fails(&[(409, &["stack-deleting", "changed-meanwhile"])]),
    Op::get("/api/v1/stacks/{id}", "getStack", "A stack, by its name or its `@id`")
        .of(S)
        .answers(&[Json(200, "StackView")])
        .fails(&[NO_STACK]),
    Op::delete("/api/v1/stacks/{id}", "removeStack", "Removes a stack")
        .of(S)
        .about("As tasks of its hosts; again while it is under way: the same deployment.")
        .query(&["stacks.RemoveQuery"])
        .answers(STARTED)
        .fails(&[NO_STACK, MEANWHILE]),
    Op::get("/api/v1/stacks/{id}/status", "getStackStatus", "A stack's work at a glance, task by task")
        .of(S)
        .about("`id` is the stack's name or `@id`, or the id of one of its deployments.")
        .answers(&[Json(200, "StatusView")])
        .fails(&[NO_STACK]),
    Op::get("/api/v1/stacks/{id}/deployment", "getStackDeployment", "The state of a stack's latest deployment")
        .of(S)
        .answers(&[Json(200, "DeploymentState")])
        .fails(&[NO_STACK]),
    Op::get("/api/v1/stacks/{id}/revisions", "listRevisions", "The revisions of a stack, the newest first")
        .of(S)
        .about("The cursor is the number of the last revision of the part before.")
        .query(&["page.Paging"])
        .answers(&[Json(200, "RevisionList")])
        .fails(&[NO_STACK]),
    Op::get("/api/v1/stacks/{id}/diff", "getDifference", "What differs between two revisions, or between what is wanted and what was seen")
        .of(S)
        .about("Values of variables, headers and drivers' options are hidden. `live` takes no `from` and no `to`.")
        .query(&["revisions.DifferenceQuery"])
        .answers(&[Either(200, "DifferenceView", "LiveDifferenceView")])
        .fails(&[(404, &["not-found", "no-such-revision"])]),
    Op::post("/api/v1/stacks/{id}/diff", "compareDocument", "What differs between a revision and a document")
        .changes_nothing()
        .of(S)
        .query(&["revisions.FromQuery"])
        .takes(Body::Document)
        .answers(&[Json(200, "DifferenceView")])
        .fails(&[(404, &["not-found", "no-such-revision"])]),
    Op::post("/api/v1/stacks/{id}/stop", "stopStack", "Stops the containers of a stack").of(S).answers(STARTED).fails(ACT),
    Op::post("/api/v1/stacks/{id}/start", "startStack", "Starts the containers of a stack").of(S).answers(STARTED).fails(ACT),
    Op::post("/api/v1/stacks/{id}/restart", "restartStack", "Restarts the containers of a stack")
        .of(S)
        .answers(STARTED)
        .fails(ACT),
    Op::post("/api/v1/stacks/{id}/rollback", "rollbackStack", "Deploys an earlier revision again")
        .of(S)
        .query(&["stacks.RollbackQuery"])
        .answers(STARTED)
        .fails(&[
            (404, &["not-found", "no-such-revision"]),
            (409, &["stack-deleting", "changed-meanwhile"]),
            (422, &["invalid-document"]),
        ]),
    Op::get("/api/v1/stacks/jsonld/deployments", "listDeployments", "Deployments, the newest first")
        .of(S)
        .query(&["page.Paging", "deployments.Filter"])
        .answers(&[Json(200, "DeploymentList")])
        .fails(&[(410, &["cursor-gone"])]),
    Op::get("/api/v1/stacks/jsonld/deployments/{id}", "getDeployment", "The state of a deployment")
        .of(S)
        .answers(&[Json(200, "DeploymentState")])
        .fails(&[(404, &["not-found"])]),
];

const ACT: &[Codes] = &[NO_STACK, (409, &["stack-deleting", "nothing-deployed", "changed-meanwhile"])];

pub(super) const PLANS: &[Op] = &[
    Op::post("/api/v1/stacks/plan", "planStack", "What a deployment would do; nothing is stored")
        .changes_nothing()
        .of(P)
        .about("Without values of variables, headers and drivers' options.")
        .query(&["submission.DeployQuery"])
        .takes(Body::Document)
        .answers(&[Json(200, "SealedPlan")])
        .fails(&[(409, &["stack-deleting"])]),
    Op::post("/api/v1/stacks/plan/save", "savePlan", "The same with all that is needed to carry it out later")
        .changes_nothing()
        .of(P)
        .about("It holds the values of variables; references to secrets stay references.")
        .query(&["submission.DeployQuery"])
        .takes(Body::Document)
        .answers(&[Json(200, "SavedPlan")])
        .fails(&[(409, &["stack-deleting"])]),
    Op::post("/api/v1/stacks/plan/apply", "applyPlan", "Carries out a saved plan, if all that it rests on is still so")
        .of(P)
        .takes(Body::SavedPlan)
        .answers(STARTED)
        .fails(&[(409, &["plan-outdated", "stack-deleting", "changed-meanwhile"]), (422, &["invalid-document"])]),
    Op::post(
        "/api/v1/stacks/jsonld/validate",
        "validateStack",
        "Whether a deployment would be accepted, with all that was found",
    )
    .changes_nothing()
    .of(P)
    .query(&["submission.DeployQuery"])
    .takes(Body::Document)
    .answers(&[Json(200, "Validation")])
    .fails(&[(409, &["stack-deleting"])]),
    Op::post("/api/v1/adoptions/compare", "compareForAdoption", "Has the containers compared that a stack would adopt")
        .of(P)
        .about("No container is changed, and nothing of a stack is stored. What differs is in the result of each task.")
        .query(&["submission.DeployQuery", "adoptions.AdoptQuery"])
        .takes(Body::Document)
        .answers(&[Json(202, "Comparison")])
        .fails(&[(409, &["stack-busy", "stack-deleting", "changed-meanwhile"])]),
    Op::post("/api/v1/adoptions", "adopt", "Takes containers that run already into a stack, without a restart")
        .of(P)
        .query(&["submission.DeployQuery", "adoptions.AdoptQuery"])
        .takes(Body::Document)
        .answers(STARTED)
        .fails(&[(409, &["stack-busy", "stack-deleting", "changed-meanwhile"])]),
];
