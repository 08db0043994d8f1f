//! Logging in, with a password or a token, and out.

use super::query;
use crate::{
    api::{
        Peer,
        audit::{Deed, Told},
        people,
        problem::Problem,
    },
    auth::{hash_of, of_hash},
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
    http::{Extensions, HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
};
use graphium_core::control::{AuditActor, Role};
use std::time::Instant;

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

fn page(form: &Form, refused: Option<String>) -> Response {
    let shell = Shell::still("Log in", "login", None);
    let status = if refused.is_some() { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
    let to = within(form.text("to")).to_owned();
    let (name, by_token) = (form.text("user").to_owned(), !form.text("token").is_empty());
    (status, Html(LoginPage { shell, to, name, by_token, refused })).into_response()
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
    let hash = match (form.text("token"), form.text("user").trim()) {
        ("", "") => return Ok(page(&form, Some("give your name and password, or a token".to_owned()))),
        ("", name) => {
            let request = people::named(name.to_owned(), form.text("password").to_owned());
            let opened = people::open_session(&web.state, Peer::address(&parts.extensions), request).await;
            let told = people::login_told(&web.state, name, opened.as_ref()).await;
            let refusal = opened.as_ref().err();
            note(&web, &parts.extensions, "logIn", told, refusal).await;
            match opened {
                Ok(session) => hash_of(&session.token),
                Err(problem) if problem.status < 500 => return Ok(page(&form, Some(problem.detail))),
                Err(problem) => return Err(problem.into()),
            }
        }
        (token, _) => {
            let Some(hash) = hash_of(token) else {
                return Ok(page(&form, Some("this is no token: one begins with gph_".to_owned())));
            };
            // Another than an agent's is a login, too.
            let shown = of_hash(&web.state, hash.clone()).await;
            let who = shown.as_ref().ok().filter(|identity| identity.role != Role::Agent).map(AuditActor::from);
            note(&web, &parts.extensions, "logIn", Told { who, on: None }, shown.as_ref().err()).await;
            Some(hash)
        }
    };
    let Some(hash) = hash else {
        return Err(Problem::new(500, "internal", "a session was opened without a token").into());
    };
    match of_hash(&web.state, hash).await {
        Ok(identity) if identity.role == Role::Agent => {
            Ok(page(&form, Some("this token is an agent's: it does the work of one host, and sees no page".to_owned())))
        }
        Ok(identity) => Ok(logged_in(&web, &parts.headers, &identity.hash, within(form.text("to")))?),
        Err(problem) if problem.status == 401 => Ok(page(&form, Some(problem.detail))),
        Err(problem) => Err(problem.into()),
    }
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

/// Begins a session for whoever has shown the token of that hash, and leads on.
pub(super) fn logged_in(web: &Web, headers: &HeaderMap, hash: &str, to: &str) -> Result<Response, Problem> {
    if let Some(old) = session(headers) {
        web.sessions.close(&old);
    }
    let id = web
        .sessions
        .open(hash, Instant::now())
        .map_err(|error| Problem::new(500, "internal", format!("no random numbers: {error}")))?;
    let mut response = Redirect::to(to).into_response();
    set_cookie(&mut response, id.reveal(), LONGEST.as_secs(), web.is_encrypted(headers));
    Ok(response)
}

pub(in crate::web) async fn leave(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Response, Failure> {
    web.sessions.close(&user.session);
    // The session of a person is over everywhere; a token that was shown is its owner's to end.
    if let Ok(identity) = of_hash(&web.state, user.hash).await
        && identity.user.is_some()
    {
        let ended = people::end_session(&web.state, &identity).await;
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
