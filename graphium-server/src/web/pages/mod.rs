//! The pages, one file each.

pub(super) mod account;
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
pub(super) mod secrets;
pub(super) mod setup;
pub(super) mod stack;
pub(super) mod stacks;
pub(super) mod tasks;
pub(super) mod tokens;
pub(super) mod users;

use super::{Web, call::part, forms::Form, shell::Failure};
use crate::api::problem::Problem;
use axum::{
    http::{HeaderMap, Uri, header},
    response::{IntoResponse, Redirect, Response},
};

/// How many rows a page has.
const ROWS: usize = 50;

/// The query of a page.
fn query(uri: &Uri) -> Form {
    Form::parse(uri.query().unwrap_or_default().as_bytes())
}

/// The address of this server as the browser knows it, and whether that is one of its own machine alone.
fn own_url(web: &Web, headers: &HeaderMap) -> (String, bool) {
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("SERVER:8095");
    let named: String = named.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.:[]".contains(*c)).collect();
    let scheme = if web.is_encrypted(headers) { "https" } else { "http" };
    let is_loopback = ["localhost", "127.", "[::1]"].iter().any(|own| named.starts_with(own));
    (format!("{scheme}://{named}"), is_loopback)
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
