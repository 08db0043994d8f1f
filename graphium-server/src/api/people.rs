//! Logging in and out, and what is got with a code that is good once.

use super::{
    AppState, Peer,
    audit::Told,
    input::Input,
    problem::Problem,
    users::{LONGEST_NAME, set_password, user_record},
    wire::{
        Caller, IssuedToken, JoinRequest, LoginRequest, PasswordRequest, SetupRequest, TokenView, UserRequest, UserView,
    },
};
use crate::auth::{Identity, Token, password};
use axum::{
    Extension, Json,
    extract::State,
    http::{Extensions, StatusCode, header},
    response::{IntoResponse, Response},
};
use graphium_core::control::{AuditActor, AuditObject, ControlError, Purpose, Redeemed, Role, TokenRecord, UserRecord};
use jiff::SignedDuration;
use std::{net::IpAddr, sync::Arc};

/// How long the session of a program lasts; of the page see [`TokenRecord::PAGE_LONGEST`].
const SESSION: SignedDuration = SignedDuration::from_hours(12);

const WRONG: &str = "no user has that name and that password";

pub(super) async fn login(
    State(state): State<AppState>,
    extensions: Extensions,
    Input(request): Input<LoginRequest>,
) -> Response {
    let address = Peer::address(&extensions);
    let name = request.user.clone();
    let opened = open_session(&state, address, request, Purpose::Access).await;
    let told = login_told(&state, &name, opened.as_ref()).await;
    let mut response = opened.map_or_else(IntoResponse::into_response, issued);
    *Told::of(&mut response) = told;
    response
}

/// What the audit says of a login: who it was, or whose name was tried. One that nobody has may be a password in the wrong field.
pub(crate) async fn login_told(state: &AppState, name: &str, opened: Result<&IssuedToken, &Problem>) -> Told {
    match opened {
        Ok(session) => {
            let TokenView { id, role, user, .. } = session.view.clone();
            let name = user.clone().unwrap_or_else(|| id.clone());
            Told { who: Some(AuditActor { name, user, token: Some(id), role: Some(role) }), on: None }
        }
        Err(problem) if problem.status == 401 => {
            let user = state.control.user(name).await.ok().flatten();
            Told { who: None, on: user.map(|user| AuditObject::new("user", user.name)) }
        }
        Err(_) => Told::default(),
    }
}

/// Whether a password is the one that is kept of a name; whoever has failed too often from there lately has to wait.
async fn compare(
    state: &AppState,
    address: IpAddr,
    name: &str,
    password: String,
    kept: Option<String>,
) -> Result<bool, Problem> {
    let elapsed = || state.environment.elapsed();
    state.throttle.admit(address, name, elapsed()).map_err(|wait| {
        let seconds = wait.as_secs() + 1;
        let detail = format!("too many failed attempts from your address; try again in {seconds} s");
        Problem::new(429, "too-many-attempts", detail).retry_after(seconds)
    })?;
    let is_right = state.passwords.is_right(password, kept).await?;
    state.throttle.note(address, name, is_right, elapsed());
    Ok(is_right)
}

/// Somebody who logs in.
pub(crate) fn named(user: String, password: String) -> LoginRequest {
    LoginRequest { user, password }
}

/// Opens a session for whoever has the password, of a program ([`Purpose::Access`]) or of the page, and makes others wait.
pub(crate) async fn open_session(
    state: &AppState,
    address: IpAddr,
    request: LoginRequest,
    purpose: Purpose,
) -> Result<IssuedToken, Problem> {
    let LoginRequest { user: name, password } = request;
    let wrong = || {
        tracing::warn!(%address, "a login failed");
        Problem::new(401, "wrong-password", WRONG)
    };
    // What is longer than any name is remembered as one.
    let tried = if name.len() > LONGEST_NAME { "" } else { &name };
    let user = state.control.user(&name).await?;
    let kept = user.as_ref().and_then(|user| user.password.clone());
    let is_right = compare(state, address, tried, password, kept).await?;
    let user = user.filter(|_| is_right).ok_or_else(wrong)?;
    let now = state.environment.now();
    let lasts = if purpose == Purpose::Page { TokenRecord::PAGE_LONGEST } else { SESSION };
    let (token, hash) = fresh()?;
    let record = TokenRecord {
        name: Some(format!("session of {}", user.name)),
        user: Some(user.name.clone()),
        stacks: user.stacks.clone(),
        purpose,
        expires: now.checked_add(lasts).ok(),
        ..TokenRecord::new(hash, user.role, now)
    };
    match state.control.log_in(&user, &record).await {
        // Another password, or nobody any more, since it was compared.
        Err(ControlError::NotFound { kind: "user", .. }) => return Err(wrong()),
        done => done?,
    }
    tracing::info!(%address, user = user.name, "somebody logged in");
    Ok(state.issued(&token, record))
}

/// Opens a session of the page for whoever has shown a token there: the token itself is in no cookie, and the session ends with it.
pub(crate) async fn open_page(state: &AppState, shown: &Identity) -> Result<IssuedToken, Problem> {
    let (now, of) = (state.environment.now(), &shown.token);
    let longest = now.checked_add(TokenRecord::PAGE_LONGEST).ok();
    let (token, hash) = fresh()?;
    let record = TokenRecord {
        name: Some(format!("session of {}", shown.name)),
        user: of.user.clone(),
        stacks: of.stacks.clone(),
        purpose: Purpose::Page,
        opened_by: Some(of.id.clone()),
        expires: [longest, of.expires].into_iter().flatten().min(),
        ..TokenRecord::new(hash, of.role, now)
    };
    state.control.issue_token(record.clone()).await?;
    Ok(state.issued(&token, record))
}

pub(super) async fn logout(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
) -> Result<StatusCode, Problem> {
    if caller.user.is_none() {
        let detail = "this is no session of a person; an administrator ends tokens (`graphium token revoke`)";
        return Err(Problem::new(409, "no-session", detail));
    }
    end_session(&state, &caller.token.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a session by its public id, and every stream with it.
pub(crate) async fn end_session(state: &AppState, id: &str) -> Result<(), Problem> {
    state.control.revoke_token(id).await?;
    state.revoked.send_modify(|count| *count += 1);
    Ok(())
}

/// Ends every session of whoever asks but this one, and every link to set that person's password.
pub(super) async fn logout_others(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
) -> Result<StatusCode, Problem> {
    let none = || Problem::new(409, "no-session", "this is no session of a person, and has no others");
    let name = caller.user.as_deref().ok_or_else(none)?;
    let own = [Some(&caller.token), caller.session.as_ref()];
    let own: Vec<&str> = own.into_iter().flatten().map(|token| token.id.as_str()).collect();
    let all = state.control.tokens().await?;
    for token in all.iter().filter(|token| token.user.as_deref() == Some(name) && !own.contains(&token.id.as_str())) {
        match state.control.revoke_token(&token.id).await {
            // It has ended by itself, or by somebody else.
            Ok(()) | Err(ControlError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    state.revoked.send_modify(|count| *count += 1);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn whoami(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
) -> Result<Json<Caller>, Problem> {
    let Identity { role, host, name, user, token, .. } = caller;
    let person = match &user {
        Some(user) => state.control.user(user).await?,
        None => None,
    };
    let stacks = person.as_ref().map_or_else(|| token.stacks.clone(), |person| person.stacks.clone());
    let (last_login, password_set) = person.map(|person| (person.last_login, person.password_set)).unwrap_or_default();
    let token = Arc::unwrap_or_clone(token).into();
    Ok(Json(Caller { name, user, role, stacks, host, last_login, password_set, token }))
}

/// One's own password.
pub(super) async fn change_password(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    extensions: Extensions,
    Input(request): Input<PasswordRequest>,
) -> Result<StatusCode, Problem> {
    let none = || Problem::new(409, "no-session", "a token has no password; log in first");
    let name = caller.user.as_deref().ok_or_else(none)?;
    let user = state.control.user(name).await?.ok_or_else(none)?;
    let PasswordRequest { password, before } = request;
    password::refuse(&password)?;
    // Whoever has somebody's session learns the password no sooner than a stranger.
    let address = Peer::address(&extensions);
    if !compare(&state, address, name, before.unwrap_or_default(), user.password).await? {
        return Err(Problem::new(403, "wrong-password", "`before` is not your password"));
    }
    set_password(&state, name, password, Some(&caller.token.id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes the first administrator, with the code of the server's first start, or sets the password of whom a link was made for.
pub(super) async fn setup(
    State(state): State<AppState>,
    Input(request): Input<SetupRequest>,
) -> Result<Response, Problem> {
    let SetupRequest { code, user, password } = request;
    let user = set_up(&state, &code, user, password).await?;
    let on = Some(AuditObject::new("user", user.name.as_str()));
    let mut response = (StatusCode::CREATED, Json(UserView::from(user))).into_response();
    *Told::of(&mut response) = Told { who: None, on };
    Ok(response)
}

/// What a link is for.
pub(crate) enum Link {
    /// To make the first administrator.
    First,
    /// To set the password of a person.
    Of(String),
}

/// What a link is for that is good yet.
pub(crate) async fn link(state: &AppState, code: &str) -> Result<Link, Problem> {
    let found = state.control.token_by_hash(&code_hash(code)?).await?.ok_or_else(spent)?;
    match (found.purpose, found.user) {
        // Somebody was taken on by other means: whoever finds the link later makes nobody.
        (Purpose::Setup, _) if state.control.users().await?.is_empty() => Ok(Link::First),
        (Purpose::Password, Some(name)) => Ok(Link::Of(name)),
        _ => Err(spent()),
    }
}

pub(crate) async fn set_up(
    state: &AppState,
    code: &str,
    name: Option<String>,
    password: String,
) -> Result<UserRecord, Problem> {
    let hash = code_hash(code)?;
    match link(state, code).await? {
        Link::First => {
            let (user, role, stacks) = (name.unwrap_or_default(), Role::Admin, Vec::new());
            let user = user_record(state, UserRequest { user, role, password: Some(password), stacks }).await?;
            redeemed(state.control.redeem(&hash, Purpose::Setup, Redeemed::User(user.clone())).await)?;
            Ok(user)
        }
        Link::Of(own) if name.as_ref().is_some_and(|name| *name != own) => {
            Err(Problem::new(403, "not-allowed", format!("the link is for `{own}`")))
        }
        Link::Of(own) => {
            let password = state.passwords.hash(password).await?;
            redeemed(state.control.redeem(&hash, Purpose::Password, Redeemed::Password(password)).await)?;
            // Whatever waits with a session from before ends with it.
            state.revoked.send_modify(|count| *count += 1);
            state.control.user(&own).await?.ok_or_else(spent)
        }
    }
}

/// Gives the agent of a host its credential, for a code that is good once.
pub(super) async fn join(
    State(state): State<AppState>,
    Input(request): Input<JoinRequest>,
) -> Result<Response, Problem> {
    let code = code_hash(&request.code)?;
    let found = state.control.token_by_hash(&code).await?.filter(|token| token.purpose == Purpose::Join);
    let host = found.and_then(|token| token.host).ok_or_else(spent)?;
    if host != request.host {
        return Err(Problem::new(403, "not-allowed", format!("the code is for the host `{host}`")));
    }
    let (token, hash) = fresh()?;
    let record = TokenRecord {
        name: Some(format!("agent of {host}")),
        host: Some(host.clone()),
        expires: state.control.agents_credential_expires(),
        ..TokenRecord::new(hash, Role::Agent, state.environment.now())
    };
    redeemed(state.control.redeem(&code, Purpose::Join, Redeemed::Token(record.clone())).await)?;
    let who = AuditActor {
        name: format!("agent of {host}"),
        user: None,
        token: Some(record.id.clone()),
        role: Some(Role::Agent),
    };
    let mut response = issued(state.issued(&token, record));
    *Told::of(&mut response) = Told { who: Some(who), on: Some(AuditObject::new("host", host.as_str())) };
    Ok(response)
}

fn code_hash(code: &str) -> Result<String, Problem> {
    Token::parse(code).map(|token| token.hash()).ok_or_else(spent)
}

fn spent() -> Problem {
    Problem::new(401, "code-unknown", "the code is not known: it was used, its time is over, or it is another server's")
}

fn redeemed(done: Result<(), ControlError>) -> Result<(), Problem> {
    match done {
        Ok(()) => Ok(()),
        Err(ControlError::NotFound { kind: "code", .. }) => Err(spent()),
        Err(error) => Err(error.into()),
    }
}

/// A new token, and its hash.
pub(super) fn fresh() -> Result<(Token, String), Problem> {
    let token =
        Token::generate().map_err(|error| Problem::new(500, "internal", format!("no random numbers: {error}")))?;
    let hash = token.hash();
    Ok((token, hash))
}

/// 201 with a token, which no cache keeps.
pub(super) fn issued(issued: IssuedToken) -> Response {
    let headers =
        [(header::LOCATION, format!("/api/v1/tokens/{}", issued.view.id)), (header::CACHE_CONTROL, "no-store".into())];
    (StatusCode::CREATED, headers, Json(issued)).into_response()
}
