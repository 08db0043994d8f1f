//! Credentials.

use super::{
    AppState,
    input::{Input, Params},
    page::Paging,
    people::{fresh, issued},
    problem::Problem,
    wire::{Listing, TokenList, TokenRequest, TokenView},
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use graphium_core::control::{Grants, Purpose, Role, TokenRecord};
use jiff::SignedDuration;

/// How long the code is good with which an agent gets its credential.
const JOIN: SignedDuration = SignedDuration::from_mins(15);
/// The longest that a token lasts that does not last for ever: ten years.
const LONGEST: u64 = 10 * 366 * 86_400;

pub(super) async fn list(
    State(state): State<AppState>,
    Params(paging): Params<Paging>,
) -> Result<Json<TokenList>, Problem> {
    let tokens: Vec<TokenView> = state.control.tokens().await?.into_iter().map(TokenView::from).collect();
    let page = paging.cut(tokens, |token| &token.id)?;
    Ok(Json(TokenList::page(page.items, page.next)))
}

pub(super) async fn create(
    State(state): State<AppState>,
    Input(request): Input<TokenRequest>,
) -> Result<Response, Problem> {
    let TokenRequest { role, host, name, expires_in, stacks, join } = request;
    let host = match (role, host) {
        (Role::Agent, Some(host)) if !host.as_str().is_empty() => Some(host),
        (Role::Agent, _) => return Err(Problem::new(422, "host-missing", "an agent's token is for one `host`")),
        (_, None) => None,
        (_, Some(_)) => return Err(Problem::new(422, "host-not-meant", "only an agent's token is bound to a `host`")),
    };
    if join && role != Role::Agent {
        return Err(Problem::new(422, "wrong-shape", "only agents `join`"));
    }
    let now = state.environment.now();
    let lasts = match expires_in {
        None => join.then_some(JOIN),
        Some(seconds @ 1..=LONGEST) => Some(SignedDuration::from_secs(seconds.cast_signed())),
        Some(_) => {
            return Err(Problem::new(422, "wrong-shape", "`expiresIn` is a number of seconds, at most ten years"));
        }
    };
    let (token, hash) = fresh()?;
    let record = TokenRecord {
        name,
        host,
        stacks: grants(role, stacks)?,
        purpose: if join { Purpose::Join } else { Purpose::Access },
        expires: lasts.and_then(|lasts| now.checked_add(lasts).ok()),
        ..TokenRecord::new(hash, role, now)
    };
    state.control.issue_token(record.clone()).await?;
    Ok(issued(state.issued(&token, record)))
}

/// The stacks that are granted to somebody of a role.
pub(super) fn grants(role: Role, stacks: Vec<String>) -> Result<Grants, Problem> {
    const MOST: usize = 100;
    if !stacks.is_empty() && matches!(role, Role::Admin | Role::Agent) {
        let detail =
            format!("`stacks` are granted to operators and viewers; one who is `{role}` reaches more than stacks");
        return Err(Problem::new(422, "stacks-not-meant", detail));
    }
    if stacks.len() > MOST || stacks.iter().any(|stack| stack.is_empty() || stack.len() > 256) {
        return Err(Problem::new(422, "wrong-shape", format!("`stacks` are at most {MOST} names or ids of stacks")));
    }
    Ok(Grants::of(stacks))
}

pub(super) async fn revoke(State(state): State<AppState>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    state.control.revoke_token(&id).await?;
    // A stream ends with its token.
    state.revoked.send_modify(|count| *count += 1);
    Ok(StatusCode::NO_CONTENT)
}
