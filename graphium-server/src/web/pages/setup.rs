//! What a link is for that is good once: making the first administrator, with the one that the server's first start prints, or
//! setting one's password, with the one that an administrator has made.

use super::login::{by_password, logged_in, note};
use crate::{
    api::{
        audit::Told,
        people::{self, Link},
        problem::Problem,
    },
    serve::Limits,
    web::{
        Web,
        forms::Form,
        guard::{read, same_origin},
        shell::{Failure, Html, Shell, again},
    },
};
use askama::Template;
use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use graphium_core::control::AuditObject;

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage {
    shell: Shell,
    code: String,
    /// Whose password is set; absent: the first administrator's, who chooses a name.
    own: Option<String>,
    name: String,
    /// Why the last try was refused.
    refused: Option<String>,
}

#[derive(Template)]
#[template(path = "spent.html")]
struct SpentPage {
    shell: Shell,
}

pub(in crate::web) async fn form(State(web): State<Web>, Path(code): Path<String>) -> Result<Response, Failure> {
    page(&web, code, "", None).await
}

async fn page(web: &Web, code: String, name: &str, refused: Option<&Problem>) -> Result<Response, Failure> {
    let own = match people::link(&web.state, &code).await {
        Ok(Link::First) => None,
        Ok(Link::Of(own)) => Some(own),
        Err(problem) if problem.status == 401 => {
            let shell = Shell::still("This link is not good any more", "login", None);
            return Ok((StatusCode::UNAUTHORIZED, Html(SpentPage { shell })).into_response());
        }
        Err(problem) => return Err(problem.into()),
    };
    let shell = Shell::still(if own.is_some() { "Your password" } else { "First login" }, "login", None);
    let status = refused.and_then(|problem| StatusCode::from_u16(problem.status).ok()).unwrap_or(StatusCode::OK);
    let again = refused.and_then(again);
    let refused = refused.map(|problem| problem.detail.clone());
    Ok((status, again, Html(SetupPage { shell, code, own, name: name.to_owned(), refused })).into_response())
}

pub(in crate::web) async fn make(
    State(web): State<Web>,
    Path(code): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    same_origin(&parts.headers)?;
    let limits = parts.extensions.get::<Limits>().copied().unwrap_or_default();
    let form = Form::parse(&read(Body::new(body), 64 * 1024, limits).await?);
    let (name, password) = (form.text("user").trim().to_owned(), form.text("password").to_owned());
    if password != form.text("again") {
        let differ = Problem::new(422, "wrong-form", "the two passwords differ");
        return page(&web, code, &name, Some(&differ)).await;
    }
    let given = form.some("user").map(str::to_owned);
    let made = people::set_up(&web.state, &code, given, password.clone()).await;
    let on = made.as_ref().ok().map(|user| AuditObject::new("user", user.name.as_str()));
    note(&web, &parts.extensions, "setUp", Told { who: None, on }, made.as_ref().err()).await;
    let user = match made {
        Ok(user) => user,
        Err(problem) if problem.status < 500 => return page(&web, code, &name, Some(&problem)).await,
        Err(problem) => return Err(problem.into()),
    };
    let session = by_password(&web, &parts.extensions, &user.name, &password).await?;
    Ok(logged_in(&web, &parts.headers, &session, "/web/").await)
}
