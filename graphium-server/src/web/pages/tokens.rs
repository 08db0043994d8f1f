//! Credentials: for administrators.

use super::{ROWS, query, shown_at};
use crate::{
    api::{
        problem::Problem,
        wire::{IssuedToken, TokenList, TokenRequest, TokenView},
    },
    web::{
        Web,
        call::part,
        forms::{self, Form},
        guard::User,
        shell::{Answer, Failure, Html, Shell},
        words::{self, Moment},
    },
};
use askama::Template;
use axum::response::Response;
use axum::{
    Extension,
    extract::{Path, State},
    http::{HeaderMap, Method, Uri},
};
use graphium_core::control::{Purpose, Role};

#[derive(Template)]
#[template(path = "tokens.html")]
pub(in crate::web) struct TokensPage {
    shell: Shell,
    rows: Vec<Row>,
    next: Option<String>,
    /// A token that was just made: shown once.
    made: Option<String>,
}

struct Row {
    view: TokenView,
    role: &'static str,
    created: Moment,
    /// What else it is than a token for requests.
    kind: Option<&'static str>,
    /// This session, or the one that it was opened with.
    is_own: bool,
}

pub(in crate::web) async fn list(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    uri: Uri,
) -> Answer<TokensPage> {
    page(&web, &user, query(&uri).some("cursor"), None).await
}

async fn page(web: &Web, user: &User, cursor: Option<&str>, made: Option<String>) -> Answer<TokensPage> {
    let limit = ROWS.to_string();
    let path = forms::query([("limit", Some(limit.as_str())), ("cursor", cursor)]);
    let list: TokenList = web.get(user, &format!("/tokens{path}")).await?;
    let now = web.state.environment.now();
    let row = |view: TokenView| Row {
        role: words::role(view.role),
        created: Moment { at: view.date_created, now },
        kind: match view.purpose {
            Purpose::Access => None,
            Purpose::Page => Some("page"),
            Purpose::Setup | Purpose::Join | Purpose::Password => Some("code"),
        },
        is_own: user.ids.contains(&view.id),
        view,
    };
    let shell = Shell::still("Tokens", "tokens", Some(user));
    let next = list.next.map(|cursor| format!("/web/tokens?cursor={}", part(&cursor)));
    Ok(Html(TokensPage { shell, rows: list.tokens.into_iter().map(row).collect(), next, made }))
}

pub(in crate::web) async fn create(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Extension(form): Extension<Form>,
) -> Answer<TokensPage> {
    let role = match form.text("role") {
        "viewer" => Role::Viewer,
        "operator" => Role::Operator,
        "admin" => Role::Admin,
        other => return Err(Problem::new(422, "wrong-form", format!("`{other}` is no role for people")).into()),
    };
    let request = TokenRequest { name: form.some("name").map(str::to_owned), ..TokenRequest::new(role) };
    let issued: IssuedToken = web.post(&user, "/tokens", &request, HeaderMap::new()).await?;
    page(&web, &user, None, Some(issued.token)).await
}

pub(in crate::web) async fn revoke(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let _nothing: Option<()> = web.send(&user, Method::DELETE, &format!("/tokens/{}", part(&id))).await?;
    Ok(shown_at("/web/tokens"))
}
