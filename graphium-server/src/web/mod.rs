//! The page for people at `/web/`: HTML that the server writes, one style sheet, one module.
//!
//! It decides nothing. Each of its requests asks the API within this process, as whoever is logged in, and through the same gate:
//! what the API refuses the page refuses, in the API's words. Without JavaScript all of it can be read and every form works; with
//! it a page renews itself as events come in.

mod call;
mod forms;
mod guard;
mod pages;
mod picture;
mod shell;
mod stock;
mod words;

use crate::api::AppState;
use axum::{
    Router,
    http::HeaderMap,
    middleware::{from_fn, from_fn_with_state},
    response::Redirect,
    routing::{get, post},
};

/// What every page works with. Cheap to clone.
#[derive(Clone)]
struct Web {
    state: AppState,
    api: Router,
}

impl Web {
    /// Whether a browser's connection is encrypted: here, or, as what stands before the server says, there. Whoever lies about
    /// it loses a cookie.
    fn is_encrypted(&self, headers: &HeaderMap) -> bool {
        self.state.is_encrypted || headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https")
    }
}

/// The page as a router; `api` answers what it asks.
pub(crate) fn router(state: AppState, api: Router) -> Router {
    let web = Web { state, api };
    let stacks = Router::new()
        .route("/web/stacks", get(pages::stacks::list))
        .route("/web/stacks/new", get(pages::deploy::form).post(pages::deploy::submit))
        .route("/web/stacks/check", post(pages::deploy::check))
        .route("/web/stacks/{id}", get(pages::stack::page))
        .route("/web/stacks/{id}/revisions", get(pages::revisions::page))
        .route("/web/stacks/{id}/{act}", get(pages::acts::confirm).post(pages::acts::act));
    let estate = Router::new()
        .route("/web/hosts", get(pages::hosts::list).post(pages::hosts::add))
        .route("/web/hosts/{id}/{act}", get(pages::hosts::confirm).post(pages::hosts::act))
        .route("/web/containers", get(pages::containers::list))
        .route("/web/containers/{id}", get(pages::containers::logs))
        .route("/web/containers/{id}/log", get(pages::containers::stream))
        .route("/web/tasks", get(pages::tasks::list))
        .route("/web/tasks/{id}", get(pages::tasks::one))
        .route("/web/tasks/{id}/{act}", get(pages::tasks::confirm).post(pages::tasks::act))
        .route("/web/events", get(pages::events::list))
        .route("/web/stream", get(pages::events::stream))
        .route("/web/orphans", get(pages::orphans::list))
        .route("/web/orphans/remove", get(pages::orphans::confirm).post(pages::orphans::remove))
        .route("/web/audit", get(pages::audit::list))
        .route("/web/users", get(pages::users::list).post(pages::users::add))
        .route("/web/users/{id}/{act}", get(pages::users::ask).post(pages::users::act))
        .route("/web/secrets", get(pages::secrets::list).post(pages::secrets::add))
        .route("/web/secrets/{id}/{act}", get(pages::secrets::ask).post(pages::secrets::act))
        .route("/web/account", get(pages::account::page))
        .route("/web/account/password", post(pages::account::set_password))
        .route("/web/account/others", post(pages::account::end_others))
        .route("/web/tokens", get(pages::tokens::list).post(pages::tokens::create))
        .route("/web/tokens/{id}/revoke", get(pages::tokens::confirm).post(pages::tokens::revoke));
    let guarded = Router::new()
        .route("/web/", get(pages::dashboard::page))
        .route("/web/{*rest}", get(pages::unknown))
        .merge(stacks)
        .merge(estate)
        .route("/web/logout", post(pages::login::leave))
        .route_layer(from_fn_with_state(web.clone(), guard::guard));
    let open = Router::new()
        .route("/", get(|| async { Redirect::to("/web/") }))
        .route("/web", get(|| async { Redirect::to("/web/") }))
        .route("/web/login", get(pages::login::form).post(pages::login::enter))
        .route("/web/setup/{code}", get(pages::setup::form).post(pages::setup::make))
        .route("/web/assets/{name}", get(stock::serve));
    guarded.merge(open).layer(from_fn(guard::headers)).with_state(web)
}
