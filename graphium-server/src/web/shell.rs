//! What is around every page, and how a page becomes an answer.

use super::{Web, guard::User, stock, words::filters};
use crate::api::problem::Problem;
use askama::Template;
use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use graphium_core::diagnostic::Diagnostic;

/// What is around a page.
pub(super) struct Shell {
    pub(super) title: String,
    /// Which entry of the menu it belongs to.
    pub(super) place: &'static str,
    /// Who is logged in; absent: nobody.
    pub(super) user: Option<User>,
    /// The number of the last event before anything was read: what comes later is news.
    pub(super) seq: Option<u64>,
    pub(super) style: &'static str,
    pub(super) module: &'static str,
    pub(super) icon: &'static str,
}

/// One entry of the menu.
pub(super) struct Entry {
    pub(super) place: &'static str,
    pub(super) href: &'static str,
    pub(super) name: &'static str,
}

const MENU: [Entry; 8] = [
    Entry { place: "dashboard", href: "/web/", name: "Overview" },
    Entry { place: "stacks", href: "/web/stacks", name: "Stacks" },
    Entry { place: "hosts", href: "/web/hosts", name: "Hosts" },
    Entry { place: "containers", href: "/web/containers", name: "Containers" },
    Entry { place: "tasks", href: "/web/tasks", name: "Tasks" },
    Entry { place: "events", href: "/web/events", name: "Events" },
    Entry { place: "orphans", href: "/web/orphans", name: "Orphans" },
    Entry { place: "secrets", href: "/web/secrets", name: "Secrets" },
];
/// What is of no stack.
const OF_ALL: [&str; 2] = ["orphans", "secrets"];
const ADMINISTRATORS: [Entry; 3] = [
    Entry { place: "users", href: "/web/users", name: "Users" },
    Entry { place: "tokens", href: "/web/tokens", name: "Tokens" },
    Entry { place: "audit", href: "/web/audit", name: "Audit" },
];

impl Shell {
    /// Around a page that nothing renews.
    pub(super) fn still(title: impl Into<String>, place: &'static str, user: Option<&User>) -> Self {
        Self {
            title: title.into(),
            place,
            user: user.cloned(),
            seq: None,
            style: stock::style(),
            module: stock::module(),
            icon: stock::icon(),
        }
    }

    /// Around a page that is renewed as events come in. Made before anything is read, so that nothing is missed.
    pub(super) async fn live(
        web: &Web,
        user: &User,
        title: impl Into<String>,
        place: &'static str,
    ) -> Result<Self, Problem> {
        let seq = web.state.control.store().last_event().await?;
        Ok(Self { seq: Some(seq), ..Self::still(title, place, Some(user)) })
    }

    /// The menu of whoever is logged in.
    pub(super) fn menu(&self) -> Vec<Entry> {
        let more = self.may_administer().then_some(ADMINISTRATORS);
        // What is of no stack is not for whoever was granted some.
        let reaches_all = self.user.as_ref().is_some_and(|user| user.reaches_all);
        let menu = MENU.into_iter().filter(|entry| reaches_all || !OF_ALL.contains(&entry.place));
        menu.chain(more.into_iter().flatten()).collect()
    }

    /// Whether the user may change anything: whoever may not is shown no buttons.
    pub(super) fn may_change(&self) -> bool {
        self.user.as_ref().is_some_and(User::may_change)
    }

    pub(super) fn may_administer(&self) -> bool {
        self.user.as_ref().is_some_and(User::may_administer)
    }

    /// What every form bears.
    pub(super) fn csrf(&self) -> &str {
        self.user.as_ref().map_or("", |user| &user.csrf)
    }
}

/// A page as an answer.
pub(super) struct Html<T>(pub(super) T);

impl<T: Template> IntoResponse for Html<T> {
    fn into_response(self) -> Response {
        match self.0.render() {
            Ok(text) => {
                ([(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], text)
                    .into_response()
            }
            Err(error) => Failure(Problem::new(500, "internal", error.to_string())).into_response(),
        }
    }
}

/// Why there is no page; the guard shows it.
#[derive(Clone, Debug)]
pub(super) struct Failure(pub(super) Problem);

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What a page is: itself, or why there is none.
pub(super) type Answer<T> = Result<Html<T>, Failure>;

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage {
    shell: Shell,
    what: &'static str,
    problem: Problem,
}

/// A failure for people.
pub(super) fn show(failure: Failure, user: Option<&User>) -> Response {
    let Failure(problem) = failure;
    let what = match problem.status {
        400 => "This request is not understood",
        401 => "You are not logged in",
        403 => "You may not do that",
        404 => "There is no such thing",
        409 => "That cannot be done now",
        410 => "That is gone",
        413 => "That is too large",
        422 => "That is not accepted",
        429 => "Too much at a time",
        503 => "The server cannot answer at the moment",
        507 => "The server's disk is full",
        _ => "Something went wrong",
    };
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let shell = Shell::still(what, "", user);
    (status, again(&problem), Html(FailurePage { shell, what, problem })).into_response()
}

/// When to ask again, as the API says it.
pub(super) fn again(problem: &Problem) -> Option<[(HeaderName, HeaderValue); 1]> {
    problem.retry_after.map(|seconds| [(header::RETRY_AFTER, seconds.into())])
}

/// Findings, the worst first.
pub(super) fn by_severity(mut findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    findings.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.line.cmp(&b.line)).then(a.column.cmp(&b.column)));
    findings
}
