//! Who may log in, and what they may do: for administrators.

use super::{
    AppState,
    input::{Input, Params},
    page::Paging,
    people::fresh,
    place,
    problem::Problem,
    tokens::grants,
    wire::{IssuedLink, LinkRequest, Listing, PasswordRequest, UserChange, UserList, UserRequest, UserView},
};
use crate::auth::Identity;
use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use graphium_core::control::{Grants, Purpose, Role, TokenRecord, UserRecord};
use jiff::SignedDuration;
use std::ops::RangeInclusive;

/// For so many seconds a link is good with which somebody sets a password; the most, unless told.
const LINK: RangeInclusive<u64> = 15 * 60..=24 * 3600;

/// Bytes of a user's name.
pub(super) const LONGEST_NAME: usize = 64;

pub(super) async fn list(
    State(state): State<AppState>,
    Params(paging): Params<Paging>,
) -> Result<Json<UserList>, Problem> {
    let users: Vec<UserView> = state.control.users().await?.into_iter().map(UserView::from).collect();
    let page = paging.cut(users, |user| &user.name)?;
    Ok(Json(UserList::page(page.items, page.next)))
}

pub(super) async fn one(State(state): State<AppState>, Path(name): Path<String>) -> Result<Json<UserView>, Problem> {
    Ok(Json(known(&state, &name).await?.into()))
}

async fn known(state: &AppState, name: &str) -> Result<UserRecord, Problem> {
    let none = || Problem::new(404, "not-found", format!("no user `{name}`"));
    state.control.user(name).await?.ok_or_else(none)
}

pub(super) async fn create(
    State(state): State<AppState>,
    Input(request): Input<UserRequest>,
) -> Result<Response, Problem> {
    let user = user_record(&state, request).await?;
    state.control.add_user(user.clone()).await?;
    let place = place::of("users", &user.name);
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(UserView::from(user))).into_response())
}

/// Refuses what would lock out the very person who asks for it.
fn refuse_own(caller: &Identity, name: &str, what: &str) -> Result<(), Problem> {
    if caller.user.as_deref() != Some(name) {
        return Ok(());
    }
    let detail = format!("`{name}` is you, and {what}; another administrator can do that");
    Err(Problem::new(409, "own-account", detail))
}

pub(super) async fn remove(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    refuse_own(&caller, &name, "nobody takes the own account away")?;
    state.control.remove_user(&name).await?;
    state.revoked.send_modify(|count| *count += 1);
    Ok(StatusCode::NO_CONTENT)
}

/// Another role, or other stacks: for open sessions, too, from the next request on, and what waits with the rights before ends.
pub(super) async fn change(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Path(name): Path<String>,
    Input(change): Input<UserChange>,
) -> Result<Json<UserView>, Problem> {
    let UserChange { role, stacks } = change;
    let role = role.map(persons).transpose()?;
    if role.is_some_and(|role| role != Role::Admin) {
        refuse_own(&caller, &name, "you would not be an administrator any more")?;
    }
    let present = known(&state, &name).await?;
    let stacks = stacks.map(|stacks| grants(role.unwrap_or(present.role), stacks)).transpose()?;
    let change = |user: UserRecord| {
        let role = role.unwrap_or(user.role);
        let stacks = stacks.clone().unwrap_or_else(|| user.stacks.clone());
        // An administrator reaches more than stacks.
        UserRecord { role, stacks: if role == Role::Admin { Grants::all() } else { stacks }, ..user }
    };
    let user = state.control.change_user(&name, None, change).await?;
    state.revoked.send_modify(|count| *count += 1);
    Ok(Json(user.into()))
}

/// A link with which a person sets a password, once. The one before is worth nothing from now on, nor is any session or link.
pub(super) async fn make_link(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Path(name): Path<String>,
    Input(request): Input<LinkRequest>,
) -> Result<Response, Problem> {
    let lasts = request.expires_in.unwrap_or(*LINK.end());
    if !LINK.contains(&lasts) {
        let detail = format!("`expiresIn` is from {} to {} seconds", LINK.start(), LINK.end());
        return Err(Problem::new(422, "wrong-shape", detail));
    }
    refuse_own(&caller, &name, "you would be logged out without a password; change it instead (`PUT /auth/password`)")?;
    let role = known(&state, &name).await?.role;
    let now = state.environment.now();
    let (code, hash) = fresh()?;
    let expires = now.checked_add(SignedDuration::from_secs(lasts.cast_signed())).unwrap_or(now);
    let record = TokenRecord {
        name: Some(format!("link for {name}")),
        user: Some(name.clone()),
        purpose: Purpose::Password,
        expires: Some(expires),
        ..TokenRecord::new(hash, role, now)
    };
    let user = state.control.reset_user(&name, &record).await?;
    state.revoked.send_modify(|count| *count += 1);
    let code = code.reveal().to_owned();
    let link = IssuedLink { user: user.name, path: format!("/web/setup/{code}"), code, expires };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(link)).into_response())
}

/// Somebody else's password: every session of theirs ends.
pub(super) async fn reset_password(
    State(state): State<AppState>,
    Path(name): Path<String>,
    Input(request): Input<PasswordRequest>,
) -> Result<StatusCode, Problem> {
    set_password(&state, &name, request.password, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn set_password(
    state: &AppState,
    name: &str,
    password: String,
    but: Option<&str>,
) -> Result<(), Problem> {
    let (password, now) = (state.passwords.hash(password).await?, state.environment.now());
    let change = |user: UserRecord| UserRecord { password: Some(password.clone()), password_set: Some(now), ..user };
    state.control.change_user(name, but, change).await?;
    state.revoked.send_modify(|count| *count += 1);
    Ok(())
}

pub(super) async fn user_record(state: &AppState, request: UserRequest) -> Result<UserRecord, Problem> {
    let UserRequest { user: name, role, password, stacks } = request;
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | '+');
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(plain) {
        let detail = "a user's name has 1 to 64 letters, digits, `-`, `_`, `.`, `@` and `+`";
        return Err(Problem::new(422, "bad-name", detail));
    }
    let role = persons(role)?;
    let stacks = grants(role, stacks)?;
    let now = state.environment.now();
    let password = match password {
        Some(password) => Some(state.passwords.hash(password).await?),
        None => None,
    };
    let password_set = password.as_ref().map(|_| now);
    Ok(UserRecord { stacks, password, password_set, ..UserRecord::new(name, role, now) })
}

/// A role that a person may have.
fn persons(role: Role) -> Result<Role, Problem> {
    if role == Role::Agent {
        let detail = "a person is `admin`, `operator` or `viewer`; agents have tokens";
        return Err(Problem::new(422, "wrong-shape", detail));
    }
    Ok(role)
}
