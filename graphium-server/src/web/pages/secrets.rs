//! Secrets: which there are and who uses them; set, give another value, forget. No page ever has a value.

use super::{ROWS, acts::ConfirmPage, query, shown_at};
use crate::{
    api::{
        problem::Problem,
        wire::{SecretList, SecretRequest},
    },
    web::{
        Web,
        call::part,
        forms::{self, Form},
        guard::User,
        shell::{Answer, Failure, Html, Shell},
        words::{Moment, filters},
    },
};
use askama::Template;
use axum::{
    Extension,
    extract::{Path, State},
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use graphium_core::control::{MAX_SECRETS, SecretView};

#[derive(Template)]
#[template(path = "secrets.html")]
pub(in crate::web) struct SecretsPage {
    shell: Shell,
    rows: Vec<Row>,
    next: Option<String>,
    /// The name of one that was just set.
    done: Option<String>,
    filled: Filled,
}

struct Row {
    name: String,
    base: String,
    version: u64,
    stacks: String,
    used_by: String,
    set: Moment,
    by: Option<String>,
}

#[derive(Template)]
#[template(path = "secret.html")]
pub(in crate::web) struct SecretPage {
    shell: Shell,
    base: String,
    used_by: String,
    filled: Filled,
}

/// What was filled in, and why it was refused. The value is not in it: a page that is shown again has none.
#[derive(Default)]
struct Filled {
    name: String,
    stacks: String,
    refused: Option<String>,
}

impl Filled {
    fn of(form: &Form, name: &str, refused: &Problem) -> Self {
        let refused = Some(refused.detail.clone());
        Self { name: name.to_owned(), stacks: form.text("stacks").to_owned(), refused }
    }
}

fn base(name: &str) -> String {
    format!("/web/secrets/{}", part(name))
}

pub(in crate::web) async fn list(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    uri: Uri,
) -> Answer<SecretsPage> {
    let query = query(&uri);
    page(&web, &user, query.some("cursor"), query.some("set"), Filled::default()).await
}

async fn page(web: &Web, user: &User, cursor: Option<&str>, done: Option<&str>, filled: Filled) -> Answer<SecretsPage> {
    let limit = ROWS.to_string();
    let path = forms::query([("limit", Some(limit.as_str())), ("cursor", cursor)]);
    let list: SecretList = web.get(user, &format!("/secrets{path}")).await?;
    let now = web.state.environment.now();
    let row = |view: SecretView| Row {
        base: base(&view.name),
        version: view.version,
        stacks: view.stacks.stacks().join(", "),
        used_by: view.used_by.join(", "),
        set: Moment { at: view.date_modified, now },
        by: view.modified_by,
        name: view.name,
    };
    let rows: Vec<Row> = list.secrets.into_iter().map(row).collect();
    // Only of one that there is something is said.
    let done = done.filter(|done| rows.iter().any(|row| row.name == *done)).map(str::to_owned);
    let next = list.next.map(|cursor| format!("/web/secrets?cursor={}", part(&cursor)));
    Ok(Html(SecretsPage { shell: Shell::still("Secrets", "secrets", Some(user)), rows, next, done, filled }))
}

/// Sets one. With no stacks a new one is for all, and of one that there is they stay as they are.
pub(in crate::web) async fn add(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Extension(form): Extension<Form>,
) -> Result<Response, Failure> {
    let name = form.text("name").trim().to_owned();
    let stacks = Some(form.list("stacks")).filter(|stacks| !stacks.is_empty());
    match set(&web, &user, &name, &form, stacks).await {
        Ok(()) => Ok(shown_at(&format!("/web/secrets?set={}", part(&name)))),
        Err(problem) => {
            let status = refused(&problem)?;
            let page = page(&web, &user, None, None, Filled::of(&form, &name, &problem)).await?;
            Ok((status, page).into_response())
        }
    }
}

async fn set(web: &Web, user: &User, name: &str, form: &Form, stacks: Option<Vec<String>>) -> Result<(), Problem> {
    // No name is none that can be, so it is refused with whatever else is wrong; as a part of a path it would be another route.
    let path = format!("/secrets/{}", part(if name.is_empty() { " " } else { name }));
    let request = SecretRequest { value: form.text("value").to_owned(), stacks };
    web.put::<SecretView>(user, &path, &request).await.map(|_| ())
}

/// The status of a form that is shown again; whoever may not is shown no form.
fn refused(problem: &Problem) -> Result<StatusCode, Failure> {
    match problem.status {
        409 | 422 => Ok(StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY)),
        _ => Err(problem.clone().into()),
    }
}

/// There are no more secrets than a part of their list may have.
async fn find(web: &Web, user: &User, name: &str) -> Result<SecretView, Failure> {
    user.must_change()?;
    let list: SecretList = web.get(user, &format!("/secrets?limit={MAX_SECRETS}")).await?;
    let found = list.secrets.into_iter().find(|secret| secret.name == name);
    found.ok_or_else(|| Problem::new(404, "not-found", format!("no secret `{name}`")).into())
}

pub(in crate::web) async fn ask(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Path((id, act)): Path<(String, String)>,
) -> Result<Response, Failure> {
    if !matches!(act.as_str(), "change" | "remove") {
        return Err(no_act(&act));
    }
    let view = find(&web, &user, &id).await?;
    if act == "change" {
        let filled = Filled { name: view.name.clone(), stacks: view.stacks.stacks().join(", "), refused: None };
        return Ok(change_page(&user, &view, filled).into_response());
    }
    let title = format!("Remove {}?", view.name);
    let shell = Shell::still(title.clone(), "secrets", Some(&user));
    let (says, is_used) = match view.used_by.as_slice() {
        [] => ("No stack uses it. Its value is gone for good.".to_owned(), false),
        used_by => {
            let used_by = used_by.join(", ");
            let says = format!(
                "Containers of {used_by} use it. Those that run keep its value; none that asks for it can be made any more. Its value is \
                 gone for good."
            );
            (says, true)
        }
    };
    let action = format!("{}/remove", base(&view.name));
    let mut page = ConfirmPage::plain(shell, title, "Remove", says, action, "/web/secrets".to_owned());
    if is_used {
        page = page.with_box((
            "force",
            "Remove it although it is used",
            "Without this it stays as long as a stack uses it.",
        ));
    }
    Ok(Html(page).into_response())
}

fn change_page(user: &User, view: &SecretView, filled: Filled) -> Html<SecretPage> {
    let shell = Shell::still(format!("Another value for {}", view.name), "secrets", Some(user));
    Html(SecretPage { shell, base: base(&view.name), used_by: view.used_by.join(", "), filled })
}

fn no_act(act: &str) -> Failure {
    Problem::new(404, "no-such-page", format!("a secret has no page `{act}`")).into()
}

pub(in crate::web) async fn act(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Extension(form): Extension<Form>,
    Path((id, act)): Path<(String, String)>,
) -> Result<Response, Failure> {
    match act.as_str() {
        "change" => change(&web, &user, &form, &id).await,
        "remove" => {
            let force = if form.is_set("force") { "?force=true" } else { "" };
            let path = format!("/secrets/{}{force}", part(&id));
            let _nothing: Option<()> = web.send(&user, Method::DELETE, &path).await?;
            Ok(shown_at("/web/secrets"))
        }
        _ => Err(no_act(&act)),
    }
}

/// Another value, for the stacks that the form shows: none of them are all.
async fn change(web: &Web, user: &User, form: &Form, name: &str) -> Result<Response, Failure> {
    // One that has gone meanwhile does not come back by this.
    let view = find(web, user, name).await?;
    match set(web, user, name, form, Some(form.list("stacks"))).await {
        Ok(()) => Ok(shown_at(&format!("/web/secrets?set={}", part(name)))),
        Err(problem) => {
            let status = refused(&problem)?;
            Ok((status, change_page(user, &view, Filled::of(form, name, &problem))).into_response())
        }
    }
}
