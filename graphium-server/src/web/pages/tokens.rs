//! Credentials: for administrators.

use super::{ROWS, acts::ConfirmPage, query, shown_at, users::role};
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
        words::{self, Moment, filters},
    },
};
use askama::Template;
use axum::{
    Extension,
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use graphium_core::control::{Purpose, Role};

/// Ten years, as the API has it.
const MOST_DAYS: u64 = 3650;

#[derive(Template)]
#[template(path = "tokens.html")]
pub(in crate::web) struct TokensPage {
    shell: Shell,
    rows: Vec<Row>,
    next: Option<String>,
    /// A token that was just made: shown once.
    made: Option<String>,
    filled: Filled,
}

struct Row {
    view: TokenView,
    role: &'static str,
    stacks: String,
    created: Moment,
    last_used: Option<Moment>,
    expires: Option<Moment>,
    /// What else it is than a token for requests.
    kind: Option<&'static str>,
    /// This session, or the one that it was opened with.
    is_own: bool,
}

/// What was filled in, and why it was refused.
#[derive(Default)]
struct Filled {
    name: String,
    role: &'static str,
    stacks: String,
    days: String,
    refused: Option<String>,
}

impl Filled {
    fn of(form: &Form, refused: Problem) -> Self {
        Self {
            name: form.text("name").trim().to_owned(),
            role: role(form).map_or("viewer", Role::as_str),
            stacks: form.text("stacks").to_owned(),
            days: form.text("days").to_owned(),
            refused: Some(refused.detail),
        }
    }
}

pub(in crate::web) async fn list(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    uri: Uri,
) -> Answer<TokensPage> {
    page(&web, &user, query(&uri).some("cursor"), None, Filled::default()).await
}

async fn page(
    web: &Web,
    user: &User,
    cursor: Option<&str>,
    made: Option<String>,
    filled: Filled,
) -> Answer<TokensPage> {
    let limit = ROWS.to_string();
    let path = forms::query([("limit", Some(limit.as_str())), ("cursor", cursor)]);
    let list: TokenList = web.get(user, &format!("/tokens{path}")).await?;
    let now = web.state.environment.now();
    let row = |view: TokenView| Row {
        role: words::role(view.role),
        stacks: view.stacks.stacks().join(", "),
        created: Moment { at: view.date_created, now },
        last_used: view.last_used.map(|at| Moment { at, now }),
        expires: view.expires.map(|at| Moment { at, now }),
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
    Ok(Html(TokensPage { shell, rows: list.tokens.into_iter().map(row).collect(), next, made, filled }))
}

pub(in crate::web) async fn create(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Extension(form): Extension<Form>,
) -> Result<Response, Failure> {
    let issued = async {
        let request = request(&form)?;
        web.post::<IssuedToken>(&user, "/tokens", &request, HeaderMap::new()).await
    };
    match issued.await {
        Ok(issued) => Ok(page(&web, &user, None, Some(issued.token), Filled::default()).await?.into_response()),
        Err(problem) if problem.status == 422 => {
            let page = page(&web, &user, None, None, Filled::of(&form, problem)).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
        Err(problem) => Err(problem.into()),
    }
}

/// What a form asks for: a token for the stacks that it lists, or for all; for so many days, or until it is revoked.
fn request(form: &Form) -> Result<TokenRequest, Problem> {
    let days = form.some("days").map(|days| match days.parse::<u64>() {
        Ok(days @ 1..=MOST_DAYS) => Ok(days),
        _ => {
            let detail =
                format!("it ends after a whole number of days, at most {MOST_DAYS}, or never: `{days}` is none");
            Err(Problem::new(422, "wrong-form", detail))
        }
    });
    Ok(TokenRequest {
        name: form.some("name").map(str::to_owned),
        stacks: form.list("stacks"),
        expires_in: days.transpose()?.map(|days| days * 24 * 60 * 60),
        ..TokenRequest::new(role(form)?)
    })
}

pub(in crate::web) async fn confirm(Extension(user): Extension<User>, Path(id): Path<String>) -> Answer<ConfirmPage> {
    user.must_administer()?;
    let title = format!("Revoke {id}?");
    let shell = Shell::still(title.clone(), "tokens", Some(&user));
    let mut says = "Whoever shows it is refused from now on, and what it has open ends at once.".to_owned();
    if user.ids.contains(&id) {
        says.push_str(" You are logged in with it: this logs you out.");
    }
    let action = format!("/web/tokens/{}/revoke", part(&id));
    Ok(Html(ConfirmPage::plain(shell, title, "Revoke it", says, action, "/web/tokens".to_owned())))
}

pub(in crate::web) async fn revoke(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let _nothing: Option<()> = web.send(&user, Method::DELETE, &format!("/tokens/{}", part(&id))).await?;
    Ok(shown_at("/web/tokens"))
}
