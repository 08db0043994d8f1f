//! Logging in, with a password or a token, and out.

use super::query;
use crate::{
    api::{
        Peer,
        audit::{Deed, Told},
        people,
        problem::Problem,
        wire::IssuedToken,
    },
    auth::{hash_of, of_hash, of_session},
    serve::Limits,
    web::{
        Web,
        forms::Form,
        guard::{COOKIE, User, read, same_origin, session},
        shell::{Failure, Html, Shell, again},
    },
};
use askama::Template;
use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{Extensions, HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
};
use graphium_core::control::{AuditActor, Purpose, Role, TokenRecord};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    shell: Shell,
    to: String,
    name: String,
    /// The last try was with a token.
    by_token: bool,
    /// Why the last try was refused.
    refused: Option<String>,
}

pub(in crate::web) async fn form(uri: Uri) -> Response {
    page(&query(&uri), None)
}

fn page(form: &Form, refused: Option<Problem>) -> Response {
    let shell = Shell::still("Log in", "login", None);
    let status = refused.as_ref().and_then(|problem| StatusCode::from_u16(problem.status).ok()).unwrap_or_default();
    let again = refused.as_ref().and_then(again);
    let to = within(form.text("to")).to_owned();
    let (name, by_token) = (form.text("user").to_owned(), !form.text("token").is_empty());
    let refused = refused.map(|problem| problem.detail);
    (status, again, Html(LoginPage { shell, to, name, by_token, refused })).into_response()
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
    let opened = match (form.text("token"), form.text("user").trim()) {
        ("", "") => {
            let nothing = Problem::new(401, "token-missing", "give your name and password, or a token");
            return Ok(page(&form, Some(nothing)));
        }
        ("", name) => by_password(&web, &parts.extensions, name, form.text("password")).await,
        (token, _) => by_token(&web, &parts.extensions, token).await,
    };
    match opened {
        Ok(session) => Ok(logged_in(&web, &parts.headers, &session, within(form.text("to"))).await),
        Err(problem) if problem.status < 500 => Ok(page(&form, Some(problem))),
        Err(problem) => Err(problem.into()),
    }
}

/// Opens a session for a person, and tells the audit.
pub(super) async fn by_password(
    web: &Web,
    extensions: &Extensions,
    name: &str,
    password: &str,
) -> Result<IssuedToken, Problem> {
    let request = people::named(name.to_owned(), password.to_owned());
    let opened = people::open_session(&web.state, Peer::address(extensions), request, Purpose::Page).await;
    let told = people::login_told(&web.state, name, opened.as_ref()).await;
    note(web, extensions, "logIn", told, opened.as_ref().err()).await;
    opened
}

/// The same for whoever shows a token.
async fn by_token(web: &Web, extensions: &Extensions, token: &str) -> Result<IssuedToken, Problem> {
    let none = || Problem::new(401, "token-unknown", "this is no token: one begins with gph_");
    let shown = of_hash(&web.state, hash_of(token).ok_or_else(none)?).await;
    let opened = match &shown {
        Ok(identity) if identity.role == Role::Agent => {
            let detail = "this token is an agent's: it does the work of one host, and sees no page";
            Err(Problem::new(401, "not-allowed", detail))
        }
        Ok(identity) => people::open_page(&web.state, identity).await,
        Err(problem) => Err(problem.clone()),
    };
    let who = shown.as_ref().ok().map(AuditActor::from);
    note(web, extensions, "logIn", Told { who, on: None }, opened.as_ref().err()).await;
    opened
}

/// Tells the audit of what the page has done by other ways than the API.
pub(super) async fn note(
    web: &Web,
    extensions: &Extensions,
    operation: &'static str,
    told: Told,
    refusal: Option<&Problem>,
) {
    let from = extensions.get::<Peer>().map(|peer| peer.0.ip().to_canonical());
    let mut response = match refusal {
        Some(problem) => problem.clone().into_response(),
        None => StatusCode::OK.into_response(),
    };
    *Told::of(&mut response) = told;
    web.state.trail.note(Deed::new(operation, from), &mut response).await;
}

/// Hands out the cookie of a session, in place of the one that the browser had, and leads on.
pub(super) async fn logged_in(web: &Web, headers: &HeaderMap, opened: &IssuedToken, to: &str) -> Response {
    if let Some(old) = session(headers)
        && let Ok(identity) = of_session(&web.state, old.hash()).await
    {
        // What cannot be ended now ends by itself.
        let _ = people::end_session(&web.state, &TokenRecord::id_of(&identity.hash)).await;
    }
    let mut response = Redirect::to(to).into_response();
    let seconds = TokenRecord::PAGE_LONGEST.as_secs().unsigned_abs();
    set_cookie(&mut response, &opened.token, seconds, web.is_encrypted(headers));
    response
}

pub(in crate::web) async fn leave(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Response, Failure> {
    // The session alone: a token that was shown is its owner's to end.
    if let Ok(identity) = of_session(&web.state, user.hash).await {
        let ended = people::end_session(&web.state, &TokenRecord::id_of(&identity.hash)).await;
        let told = Told { who: Some((&identity).into()), on: None };
        note(&web, &extensions, "logOut", told, ended.as_ref().err()).await;
        ended?;
    }
    let mut response = Redirect::to("/web/login").into_response();
    set_cookie(&mut response, "", 0, web.is_encrypted(&headers));
    Ok(response)
}

fn set_cookie(response: &mut Response, id: &str, seconds: u64, is_encrypted: bool) {
    let secure = if is_encrypted { "; Secure" } else { "" };
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
