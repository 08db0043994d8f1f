//! Logging in with a token, and out.

use super::query;
use crate::{
    api::problem::Problem,
    auth::{Token, of_hash},
    serve::Limits,
    web::{
        Web,
        forms::Form,
        guard::{COOKIE, User, read, same_origin, session},
        session::LONGEST,
        shell::{Failure, Html, Shell},
    },
};
use askama::Template;
use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
};
use graphium_core::control::Role;
use std::time::Instant;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    shell: Shell,
    to: String,
    /// Why the last try was refused.
    refused: Option<String>,
}

pub(in crate::web) async fn form(uri: Uri) -> Response {
    page(&query(&uri), None)
}

fn page(form: &Form, refused: Option<String>) -> Response {
    let shell = Shell::still("Log in", "login", None);
    let status = if refused.is_some() { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
    (status, Html(LoginPage { shell, to: within(form.text("to")).to_owned(), refused })).into_response()
}

/// A page of ours, whatever was asked for.
fn within(to: &str) -> &str {
    let sound = to.starts_with("/web/") && !to.contains("//") && !to.contains(['\\', '\r', '\n', '\t']);
    if sound { to } else { "/web/" }
}

pub(in crate::web) async fn enter(State(web): State<Web>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    same_origin(&parts.headers)?;
    let limits = parts.extensions.get::<Limits>().copied().unwrap_or_default();
    let form = Form::parse(&read(Body::new(body), 64 * 1024, limits).await?);
    let Some(token) = Token::parse(form.text("token")) else {
        return Ok(page(&form, Some("this is no token: one begins with gph_".to_owned())));
    };
    match of_hash(&web.state, token.hash()).await {
        Ok(identity) if identity.role == Role::Agent => {
            Ok(page(&form, Some("this token is an agent's: it does the work of one host, and sees no page".to_owned())))
        }
        Ok(identity) => {
            if let Some(old) = session(&parts.headers) {
                web.sessions.close(&old);
            }
            let id = web
                .sessions
                .open(&identity.hash, Instant::now())
                .map_err(|error| Problem::new(500, "internal", format!("no random numbers: {error}")))?;
            let mut response = Redirect::to(within(form.text("to"))).into_response();
            set_cookie(&mut response, id.reveal(), LONGEST.as_secs(), &parts.headers);
            Ok(response)
        }
        Err(problem) if problem.status == 401 => Ok(page(&form, Some(problem.detail))),
        Err(problem) => Err(problem.into()),
    }
}

pub(in crate::web) async fn leave(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    headers: HeaderMap,
) -> Response {
    web.sessions.close(&user.session);
    let mut response = Redirect::to("/web/login").into_response();
    set_cookie(&mut response, "", 0, &headers);
    response
}

fn set_cookie(response: &mut Response, id: &str, seconds: u64, headers: &HeaderMap) {
    // TLS before the server says so; whoever lies about it loses a cookie.
    let secure = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    let secure = if secure { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={id}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn one_comes_back_to_pages_of_ours_alone() {
        for to in ["https://evil", "//evil", "/web//evil", "/web/\\evil", "/api/v1/stacks", "", "/web/\r\nx"] {
            assert_eq!(within(to), "/web/", "{to}");
        }
        assert_eq!(within("/web/stacks/shop?x=1"), "/web/stacks/shop?x=1");
    }
}
