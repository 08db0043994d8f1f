//! Who may see a page, and where a form may come from.
//!
//! A POST must come from a page of this server (`Sec-Fetch-Site`, or else `Origin`) and bear a word that only the session's own
//! pages have. What the user may do is not decided here: the API's gate does that.

use super::{
    Web,
    call::part,
    forms::Form,
    shell::{Failure, show},
    words,
};
use crate::{
    api::{Peer, problem::Problem},
    auth::{Reach, Token, note_use, of_session},
    serve::Limits,
};
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use bytes::Bytes;
use graphium_core::control::{Role, TokenRecord};
use http_body_util::{BodyExt as _, Limited};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

/// The cookie.
pub(super) const COOKIE: &str = "graphium_session";
/// How much a form may hold: a document of 8 MiB, encoded.
const LARGEST: usize = 24 * 1024 * 1024;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Who is logged in.
#[derive(Clone, Debug)]
pub(super) struct User {
    /// Of the session.
    pub(super) hash: String,
    /// The public ids of the session, and of the token that it was opened with.
    pub(super) ids: [String; 2],
    pub(super) name: String,
    /// Whose session it is, where it is a person's.
    pub(super) person: Option<String>,
    pub(super) role: Role,
    /// When the session ends at the latest.
    pub(super) ends: Option<Timestamp>,
    /// Whether that is so of every stack, and of what is of none.
    pub(super) reaches_all: bool,
    /// What a form of this session bears.
    pub(super) csrf: String,
    /// From where the present request came.
    pub(super) peer: Option<Peer>,
}

impl User {
    /// Stacks and what belongs to them.
    pub(super) fn may_change(&self) -> bool {
        matches!(self.role, Role::Admin | Role::Operator)
    }

    /// Hosts and tokens, too.
    pub(super) fn may_administer(&self) -> bool {
        self.role == Role::Admin
    }

    /// For what one sees before a change.
    ///
    /// # Errors
    /// 403 for who may not make it.
    pub(super) fn must_change(&self) -> Result<(), Problem> {
        only(self.may_change())
    }

    /// The same of what only administrators may change.
    pub(super) fn must_administer(&self) -> Result<(), Problem> {
        only(self.may_administer())
    }

    pub(super) fn role(&self) -> &'static str {
        words::role(self.role)
    }
}

fn only(is_allowed: bool) -> Result<(), Problem> {
    if is_allowed { Ok(()) } else { Err(Problem::new(403, "not-allowed", "you may look, and change nothing")) }
}

/// Runs before every page but the one for logging in.
pub(super) async fn guard(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let user = match user(&web, request.headers(), peer).await {
        Ok(Some(user)) => user,
        Ok(None) => return stranger(&request),
        Err(problem) => return show(Failure(problem), None),
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        request = match own_form(&user, request).await {
            Ok(request) => request,
            Err(problem) => return show(Failure(problem), Some(&user)),
        };
    }
    request.extensions_mut().insert(user.clone());
    let mut response = next.run(request).await;
    match response.extensions_mut().remove::<Failure>() {
        Some(failure) => show(failure, Some(&user)),
        None => response,
    }
}

/// Nobody is logged in: a page leads to where one does that, anything else is told.
fn stranger(request: &Request) -> Response {
    let renews = request.headers().contains_key("x-renew");
    let streams = request.headers().get(header::ACCEPT).is_some_and(|accept| accept == "text/event-stream");
    if *request.method() == Method::GET && !renews && !streams {
        let to = request.uri().path_and_query().map_or("/web/", |to| to.as_str());
        return Redirect::to(&format!("/web/login?to={}", part(to))).into_response();
    }
    show(Failure(Problem::new(401, "not-logged-in", "the session has ended: log in again")), None)
}

async fn user(web: &Web, headers: &HeaderMap, peer: Option<Peer>) -> Result<Option<User>, Problem> {
    let Some(session) = session(headers) else { return Ok(None) };
    match of_session(&web.state, session.hash()).await {
        Ok(identity) if identity.role != Role::Agent => {
            note_use(&web.state, &identity);
            Ok(Some(User {
                ids: [TokenRecord::id_of(&identity.hash), identity.token.id.clone()],
                hash: session.hash(),
                ends: identity.session.as_ref().unwrap_or(&identity.token).expires,
                name: identity.name,
                person: identity.user,
                role: identity.role,
                reaches_all: matches!(identity.reach, Reach::Everything),
                csrf: csrf(&session),
                peer,
            }))
        }
        Ok(_) => Ok(None),
        // It is over, or was ended.
        Err(problem) if problem.status == 401 => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// The session that a request names.
pub(super) fn session(headers: &HeaderMap) -> Option<Token> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).and_then(|(_, id)| Token::parse(id))
}

/// Follows from the session's secret, which no page shows, and leads back to nothing.
fn csrf(session: &Token) -> String {
    let hash = Sha256::digest(format!("csrf {}", session.reveal()).as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn own_form(user: &User, request: Request) -> Result<Request, Problem> {
    same_origin(request.headers())?;
    let (mut parts, body) = request.into_parts();
    let limits = parts.extensions.get::<Limits>().copied().unwrap_or_default();
    let bytes = read(body, LARGEST, limits).await?;
    let is_form = parts
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let form = if is_form { Form::parse(&bytes) } else { Form::default() };
    let shown = parts.headers.get("x-csrf-token").and_then(|word| word.to_str().ok()).unwrap_or(form.text("csrf"));
    if !bool::from(shown.as_bytes().ct_eq(user.csrf.as_bytes())) {
        return Err(Problem::new(
            403,
            "not-our-form",
            "this form was not made by a page of your session; nothing was done: load the page again and repeat it",
        ));
    }
    parts.extensions.insert(form);
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

/// Reads a body within bounds.
pub(super) async fn read(body: Body, most: usize, limits: Limits) -> Result<Bytes, Problem> {
    match tokio::time::timeout(limits.body, Limited::new(body, most).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(_)) => {
            Err(Problem::new(413, "too-large", format!("more was sent than {} MiB, or it broke off", most >> 20)))
        }
        Err(_) => Err(Problem::new(408, "too-slow", "what was sent did not arrive in time")),
    }
}

/// Refuses what another site sends.
pub(super) fn same_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let own = match (text(&HeaderName::from_static("sec-fetch-site")), text(&header::ORIGIN)) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == text(&header::HOST)
        }
        // No browser: whatever it is has no cookie that it was not given.
        (None, None) => true,
    };
    if own {
        return Ok(());
    }
    Err(Problem::new(403, "other-site", "another site has sent this form; nothing was done"))
}

/// What every answer of the page bears.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        response = show(failure, None);
    }
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // To other sites nothing; our own forms need it to say where they come from (`Origin`).
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        pairs.collect()
    }

    #[test]
    fn what_another_site_sends_is_refused() {
        for (pairs, own) in [
            (&[("sec-fetch-site", "same-origin"), ("origin", "null")][..], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "http://a:1"), ("host", "a:1")], true),
            (&[("origin", "http://b"), ("host", "a:1")], false),
            (&[("origin", "null"), ("host", "a:1")], false),
            (&[], true),
        ] {
            assert_eq!(same_origin(&headers(pairs)).is_ok(), own, "{pairs:?}");
        }
    }

    #[test]
    fn the_session_is_found_among_cookies_and_its_word_is_its_own() {
        let (one, other) = (Token::generate().unwrap(), Token::generate().unwrap());
        let cookies = format!("a=b; {COOKIE}={}; c=d", one.reveal());
        assert_eq!(session(&headers(&[("cookie", &cookies)])), Some(one.clone()));
        assert_eq!(session(&headers(&[("cookie", "graphium_session=x")])), None);
        assert_ne!(csrf(&one), csrf(&other));
        assert_eq!(csrf(&one), csrf(&one));
    }
}
