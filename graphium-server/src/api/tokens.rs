//! Credentials.

use super::{
    AppState,
    input::{Input, Params},
    page::Paging,
    problem::Problem,
    wire::{IssuedToken, Listing, TokenList, TokenRequest, TokenView},
};
use crate::auth::Token;
use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use graphium_core::control::{Role, TokenRecord};

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
    let host = match (request.role, request.host) {
        (Role::Agent, Some(host)) if !host.as_str().is_empty() => Some(host),
        (Role::Agent, _) => return Err(Problem::new(422, "host-missing", "an agent's token is for one `host`")),
        (_, None) => None,
        (_, Some(_)) => return Err(Problem::new(422, "host-not-meant", "only an agent's token is bound to a `host`")),
    };
    let token =
        Token::generate().map_err(|error| Problem::new(500, "internal", format!("no random numbers: {error}")))?;
    let hash = token.hash();
    let record = TokenRecord {
        id: TokenRecord::id_of(&hash),
        name: request.name,
        role: request.role,
        host,
        hash,
        date_created: state.environment.now(),
    };
    state.control.issue_token(record.clone()).await?;
    let issued = IssuedToken { token: token.reveal().to_owned(), view: record.into() };
    let headers =
        [(header::LOCATION, format!("/api/v1/tokens/{}", issued.view.id)), (header::CACHE_CONTROL, "no-store".into())];
    Ok((StatusCode::CREATED, headers, Json(issued)).into_response())
}

pub(super) async fn revoke(State(state): State<AppState>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    state.control.revoke_token(&id).await?;
    // A stream ends with its token.
    state.revoked.send_modify(|count| *count += 1);
    Ok(StatusCode::NO_CONTENT)
}
