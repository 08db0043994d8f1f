//! The pages, one file each.

pub(super) mod acts;
pub(super) mod audit;
pub(super) mod containers;
pub(super) mod dashboard;
pub(super) mod deploy;
pub(super) mod events;
pub(super) mod hosts;
pub(super) mod login;
pub(super) mod orphans;
pub(super) mod revisions;
mod rows;
pub(super) mod setup;
pub(super) mod stack;
pub(super) mod stacks;
pub(super) mod tasks;
pub(super) mod tokens;

use super::{call::part, forms::Form, shell::Failure};
use crate::api::problem::Problem;
use axum::{
    http::Uri,
    response::{IntoResponse, Redirect, Response},
};

/// How many rows a page has.
const ROWS: usize = 50;

/// The query of a page.
fn query(uri: &Uri) -> Form {
    Form::parse(uri.query().unwrap_or_default().as_bytes())
}

/// After something was done: the page that shows it.
fn shown_at(place: &str) -> Response {
    Redirect::to(place).into_response()
}

pub(super) async fn unknown(uri: Uri) -> Failure {
    Failure(Problem::new(404, "no-such-page", format!("there is no page at `{}`", uri.path())))
}

/// The page of a stack.
fn stack_page(name: &str) -> String {
    format!("/web/stacks/{}", part(name))
}
