//! Every route, on one page.

use super::{
    AppState, adoptions, agents, around::Around, audit, containers, deployments, events, exec, health, hosts, logs,
    metrics, openapi, orphans, people, plans, problem::Problem, repeat, revisions, secrets, socket, stacks, store,
    streams, tasks, tokens, trace, users,
};
use crate::{auth, web};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{Method, Uri},
    middleware::from_fn_with_state,
    routing::{delete, get, post, put},
};
use std::sync::Arc;

/// The API as an axum router, complete with authentication.
pub fn router(state: AppState) -> Router {
    let api = Router::new()
        .merge(health::routes())
        .route("/stacks", get(stacks::list).post(stacks::deploy))
        .route("/stacks/jsonld", post(stacks::deploy))
        .route("/stacks/plan", post(stacks::plan))
        .route("/stacks/plan/save", post(plans::save))
        .route("/stacks/plan/apply", post(plans::apply))
        .route("/stacks/jsonld/validate", post(stacks::validate))
        .route("/stacks/jsonld/deployments", get(deployments::list))
        .route("/stacks/jsonld/deployments/{id}", get(deployments::one))
        .route("/stacks/{id}", get(stacks::one).delete(stacks::remove))
        .route("/stacks/{id}/status", get(stacks::status))
        .route("/stacks/{id}/deployment", get(stacks::deployment))
        .route("/stacks/{id}/revisions", get(revisions::history))
        .route("/stacks/{id}/diff", get(revisions::difference).post(revisions::difference_to))
        .route("/stacks/{id}/stop", post(stacks::stop))
        .route("/stacks/{id}/start", post(stacks::start))
        .route("/stacks/{id}/restart", post(stacks::restart))
        .route("/stacks/{id}/rollback", post(stacks::rollback))
        .route("/tasks", get(tasks::list).post(tasks::create))
        .route("/tasks/stats", get(tasks::stats))
        .route("/tasks/{id}", get(tasks::one))
        .route("/tasks/{id}/retry", post(tasks::retry))
        .route("/tasks/{id}/cancel", post(tasks::cancel))
        .route("/hosts", get(hosts::list).post(hosts::create))
        .route("/hosts/{id}", get(hosts::one).put(hosts::update).delete(hosts::remove))
        .route("/hosts/{id}/drain", get(hosts::remaining).post(hosts::drain))
        .route("/hosts/{id}/activate", post(hosts::activate))
        .route("/hosts/{id}/maintenance", post(hosts::maintenance))
        .route("/hosts/{id}/rotate", post(hosts::rotate))
        .route("/containers", get(containers::list))
        .route("/containers/{id}", get(containers::one))
        .route("/adoptions", post(adoptions::adopt))
        .route("/adoptions/compare", post(adoptions::compare))
        .route("/orphans", get(orphans::list))
        .route("/orphans/{host}/{container}", delete(orphans::remove))
        .route("/containers/{id}/logs", get(logs::read))
        .route("/containers/{id}/exec", get(exec::exec))
        .route("/tokens", get(tokens::list).post(tokens::create))
        .route("/tokens/{id}", delete(tokens::revoke))
        .route("/users", get(users::list).post(users::create))
        .route("/users/{id}", get(users::one).patch(users::change).delete(users::remove))
        .route("/users/{id}/password", put(users::reset_password))
        .route("/audit", get(audit::list))
        .route("/secrets", get(secrets::list))
        .route("/secrets/{id}", put(secrets::set).delete(secrets::remove))
        .route("/events", get(events::events))
        .route("/ws", get(socket::events))
        .route("/ws/graph", get(socket::events))
        .route_layer(from_fn_with_state(state.clone(), repeat::answer))
        // What opens a session, or sets a password, is kept for nobody who repeats it.
        .route("/users/{id}/link", post(users::make_link))
        .route("/auth/login", post(people::login))
        .route("/auth/logout", post(people::logout))
        .route("/auth/logout/others", post(people::logout_others))
        .route("/auth/me", get(people::whoami))
        .route("/auth/password", put(people::change_password))
        .route("/auth/setup", post(people::setup))
        .route("/auth/join", post(people::join))
        .merge(agents(&state))
        .route("/store", post(store::call))
        .route("/openapi.json", get(openapi::json));
    let api = Router::new()
        .nest("/api/v1", api)
        .merge(health::routes())
        .merge(openapi::pages())
        .route("/metrics", get(metrics::show))
        .route_layer(Around({
            let state = state.clone();
            move |request, within| auth::gate(&state, request, within)
        }))
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        // Bodies have a limit and a deadline each (see `input`).
        .layer(DefaultBodyLimit::disable())
        .layer(Around({
            let metrics = Arc::clone(&state.metrics);
            move |request, within| trace::trace(Arc::clone(&metrics), request, within)
        }))
        .with_state(state.clone());
    // The page asks the API within the server, through the same gate.
    web::router(state, api.clone()).merge(api)
}

/// The agents' protocol. It repeats by its own ids: it needs no answers kept.
fn agents(state: &AppState) -> Router<AppState> {
    Router::new()
        .route("/tasks/{id}/renew", post(agents::renew_task))
        .route("/tasks/{id}/status", put(agents::report))
        .route("/tasks/{id}/secrets", post(secrets::grant))
        .route("/agents/{id}/session", post(agents::session))
        .route("/agents/{id}/credential", post(agents::replace_credential))
        .route("/agents/{id}/claim", post(agents::claim))
        .route("/agents/{id}/renew", post(agents::renew))
        .route("/agents/{id}/observation", put(agents::observe))
        .route("/agents/{id}/tasks", get(agents::tasks))
        .route("/agents/{id}/streams", post(streams::asked))
        .route("/agents/{id}/streams/{stream}", post(streams::serve).get(streams::attach))
        .route_layer(Around({
            let control = Arc::clone(&state.control);
            move |request, within| agents::fit(&control, request, within)
        }))
}

async fn unknown_route(uri: Uri) -> Problem {
    Problem::new(404, "no-such-route", format!("there is nothing at `{}`; the API is below `/api/v1`", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    Problem::new(405, "method-not-allowed", format!("`{}` takes no {method}", uri.path()))
}
