//! Making the first administrator, with the link that the server's first start prints.

use super::login::{by_password, logged_in, note};
use crate::{
    api::{audit::Told, people},
    serve::Limits,
    web::{
        Web,
        forms::Form,
        guard::{read, same_origin},
        shell::{Failure, Html, Shell},
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
    name: String,
    /// Why the last try was refused.
    refused: Option<String>,
}

pub(in crate::web) async fn form(Path(code): Path<String>) -> Response {
    page(code, "", None)
}

fn page(code: String, name: &str, refused: Option<(u16, String)>) -> Response {
    let shell = Shell::still("First login", "login", None);
    let status = refused.as_ref().and_then(|(status, _)| StatusCode::from_u16(*status).ok()).unwrap_or(StatusCode::OK);
    let refused = refused.map(|(_, why)| why);
    (status, Html(SetupPage { shell, code, name: name.to_owned(), refused })).into_response()
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
        return Ok(page(code, &name, Some((422, "the two passwords differ".to_owned()))));
    }
    let made = people::first_admin(&web.state, &code, name.clone(), password.clone()).await;
    let on = made.as_ref().ok().map(|user| AuditObject::new("user", user.name.as_str()));
    note(&web, &parts.extensions, "setUp", Told { who: None, on }, made.as_ref().err()).await;
    match made {
        Ok(_) => {}
        Err(problem) if problem.status < 500 => return Ok(page(code, &name, Some((problem.status, problem.detail)))),
        Err(problem) => return Err(problem.into()),
    }
    let session = by_password(&web, &parts.extensions, &name, &password).await?;
    Ok(logged_in(&web, &parts.headers, &session, "/web/").await)
}
