//! One's own account: who one is, another password, an end to one's other sessions.

use super::{query, shown_at};
use crate::{
    api::wire::{Caller, PasswordRequest},
    auth::password,
    web::{
        Web,
        forms::Form,
        guard::User,
        shell::{Answer, Failure, Html, Shell, again},
        words::{self, Moment},
    },
};
use askama::Template;
use axum::{
    Extension,
    extract::State,
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};

#[derive(Template)]
#[template(path = "account.html")]
pub(in crate::web) struct AccountPage {
    shell: Shell,
    me: Caller,
    role: &'static str,
    stacks: String,
    last_login: Option<Moment>,
    password_set: Option<Moment>,
    ends: Option<Moment>,
    /// What was just done.
    done: Option<&'static str>,
    /// Why another password was refused: everything at once.
    refused: Vec<String>,
}

pub(in crate::web) async fn page(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    uri: Uri,
) -> Answer<AccountPage> {
    let done = match query(&uri).text("done") {
        "password" => Some("You have another password. Your other sessions have ended."),
        "others" => Some("Your other sessions have ended."),
        _ => None,
    };
    show(&web, &user, done, Vec::new()).await
}

async fn show(web: &Web, user: &User, done: Option<&'static str>, refused: Vec<String>) -> Answer<AccountPage> {
    let me: Caller = web.get(user, "/auth/me").await?;
    let now = web.state.environment.now();
    let moment = |at| Moment { at, now };
    Ok(Html(AccountPage {
        shell: Shell::still("Your account", "account", Some(user)),
        role: words::role(me.role),
        stacks: me.stacks.stacks().join(", "),
        last_login: me.last_login.map(moment),
        password_set: me.password_set.map(moment),
        ends: user.ends.map(moment),
        done,
        refused,
        me,
    }))
}

/// Nothing that was filled in comes back: all of it are passwords.
pub(in crate::web) async fn set_password(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Extension(form): Extension<Form>,
) -> Result<Response, Failure> {
    let (before, new) = (form.text("before"), form.text("password"));
    let mut refused = Vec::new();
    if before.is_empty() {
        refused.push("give your current password, too".to_owned());
    }
    if new != form.text("again") {
        refused.push("the two new passwords differ".to_owned());
    }
    refused.extend(password::refuse(new).err().map(|problem| problem.detail));
    if user.person.is_some() && !refused.is_empty() {
        let page = show(&web, &user, None, refused).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    let request = PasswordRequest { password: new.to_owned(), before: Some(before.to_owned()) };
    match web.put::<Option<()>>(&user, "/auth/password", &request).await {
        Ok(_) => Ok(shown_at("/web/account?done=password")),
        Err(problem) => {
            let words = match &*problem.code {
                "wrong-password" => "that is not your current password".to_owned(),
                "too-many-attempts" | "password-length" => problem.detail.clone(),
                _ => return Err(problem.into()),
            };
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            Ok((status, again(&problem), show(&web, &user, None, vec![words]).await?).into_response())
        }
    }
}

pub(in crate::web) async fn end_others(
    State(web): State<Web>,
    Extension(user): Extension<User>,
) -> Result<Response, Failure> {
    let _nothing: Option<()> = web.send(&user, Method::POST, "/auth/logout/others").await?;
    Ok(shown_at("/web/account?done=others"))
}
