//! Who may log in, and what they may do: for administrators. Nobody but the person learns a password: a link sets it.

use super::{ROWS, acts::ConfirmPage, own_url, query, shown_at};
use crate::{
    api::{
        problem::Problem,
        wire::{IssuedLink, LinkRequest, UserChange, UserList, UserRequest, UserView},
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
use axum::{
    Extension,
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use graphium_core::control::{Grants, Role};

#[derive(Template)]
#[template(path = "users.html")]
pub(in crate::web) struct UsersPage {
    shell: Shell,
    rows: Vec<Row>,
    next: Option<String>,
    /// A link that was just made: shown once.
    made: Option<Made>,
    /// What was filled in, and why it was refused.
    filled: Filled,
}

struct Row {
    name: String,
    base: String,
    role: &'static str,
    stacks: String,
    created: Moment,
    last_login: Option<Moment>,
    has_password: bool,
    /// Whoever looks at the page.
    is_own: bool,
}

struct Made {
    name: String,
    link: String,
    expires: Moment,
    is_loopback: bool,
}

/// A form about a person.
#[derive(Default)]
struct Filled {
    name: String,
    role: &'static str,
    stacks: String,
    refused: Option<String>,
}

impl Filled {
    fn of(form: &Form, refused: Problem) -> Self {
        Self {
            name: form.text("name").trim().to_owned(),
            role: role(form).map_or("viewer", Role::as_str),
            stacks: form.text("stacks").to_owned(),
            refused: Some(refused.detail),
        }
    }
}

#[derive(Template)]
#[template(path = "user.html")]
pub(in crate::web) struct UserPage {
    shell: Shell,
    base: String,
    filled: Filled,
}

/// What somebody may, as a form says it.
pub(super) fn role(form: &Form) -> Result<Role, Problem> {
    match form.text("role") {
        "viewer" => Ok(Role::Viewer),
        "operator" => Ok(Role::Operator),
        "admin" => Ok(Role::Admin),
        other => Err(Problem::new(422, "wrong-form", format!("`{other}` is no role for people"))),
    }
}

/// The stacks of a form; of an administrator none: that is every one.
fn stacks(form: &Form, role: Role) -> Vec<String> {
    if role == Role::Admin { Vec::new() } else { form.list("stacks") }
}

fn shown(stacks: &Grants) -> String {
    stacks.stacks().join(", ")
}

pub(in crate::web) async fn list(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    uri: Uri,
) -> Answer<UsersPage> {
    page(&web, &user, query(&uri).some("cursor"), None, Filled::default()).await
}

async fn page(web: &Web, user: &User, cursor: Option<&str>, made: Option<Made>, filled: Filled) -> Answer<UsersPage> {
    let limit = ROWS.to_string();
    let path = forms::query([("limit", Some(limit.as_str())), ("cursor", cursor)]);
    let list: UserList = web.get(user, &format!("/users{path}")).await?;
    let now = web.state.environment.now();
    let row = |view: UserView| Row {
        base: base(&view.name),
        role: words::role(view.role),
        stacks: shown(&view.stacks),
        created: Moment { at: view.date_created, now },
        last_login: view.last_login.map(|at| Moment { at, now }),
        has_password: view.password_set.is_some(),
        is_own: user.person.as_ref() == Some(&view.name),
        name: view.name,
    };
    let shell = Shell::still("Users", "users", Some(user));
    let next = list.next.map(|cursor| format!("/web/users?cursor={}", part(&cursor)));
    Ok(Html(UsersPage { shell, rows: list.users.into_iter().map(row).collect(), next, made, filled }))
}

fn base(name: &str) -> String {
    format!("/web/users/{}", part(name))
}

/// Takes somebody on, and shows the link with which that person sets a password.
pub(in crate::web) async fn add(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Extension(form): Extension<Form>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let taken_on = async {
        let role = role(&form)?;
        let name = form.text("name").trim().to_owned();
        let request = UserRequest { user: name, role, password: None, stacks: stacks(&form, role) };
        web.post::<UserView>(&user, "/users", &request, HeaderMap::new()).await
    };
    match taken_on.await {
        Ok(view) => link(&web, &user, &view.name, &headers).await,
        Err(problem) if matches!(problem.status, 409 | 422) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            let page = page(&web, &user, None, None, Filled::of(&form, problem)).await?;
            Ok((status, page).into_response())
        }
        Err(problem) => Err(problem.into()),
    }
}

/// A new link for somebody, on the page that shows it.
async fn link(web: &Web, user: &User, name: &str, headers: &HeaderMap) -> Result<Response, Failure> {
    let path = format!("/users/{}/link", part(name));
    let issued: IssuedLink = web.post(user, &path, &LinkRequest::default(), HeaderMap::new()).await?;
    let (url, is_loopback) = own_url(web, headers);
    let expires = Moment { at: issued.expires, now: web.state.environment.now() };
    let made = Made { name: issued.user, link: format!("{url}{}", issued.path), expires, is_loopback };
    Ok(page(web, user, None, Some(made), Filled::default()).await?.into_response())
}

pub(in crate::web) async fn ask(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Path((id, act)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let view: UserView = web.get(&user, &format!("/users/{}", part(&id))).await?;
    let (name, base) = (&view.name, base(&view.name));
    let (title, button, says) = match act.as_str() {
        "change" => {
            let filled =
                Filled { name: name.clone(), role: view.role.as_str(), stacks: shown(&view.stacks), refused: None };
            return Ok(change_page(&user, filled).into_response());
        }
        "link" => (
            format!("A new link for {name}?"),
            "Make the link",
            "The password from before is worth nothing at once, every session ends, and so does every link from before. The new link sets \
             another password, once, within a day.",
        ),
        "remove" => (
            format!("Remove {name}?"),
            "Remove",
            "This person cannot log in any more, and every session ends at once. What was deployed stays. Tokens that this person has \
             made stay, too: look at the page of tokens.",
        ),
        _ => return Err(no_act(&act)),
    };
    let shell = Shell::still(title.clone(), "users", Some(&user));
    let action = format!("{base}/{act}");
    let page = ConfirmPage::plain(shell, title, button, says.to_owned(), action, "/web/users".to_owned());
    Ok(Html(page).into_response())
}

fn change_page(user: &User, filled: Filled) -> Html<UserPage> {
    let shell = Shell::still(format!("Change {}", filled.name), "users", Some(user));
    Html(UserPage { shell, base: base(&filled.name), filled })
}

fn no_act(act: &str) -> Failure {
    Problem::new(404, "no-such-page", format!("a user has no page `{act}`")).into()
}

pub(in crate::web) async fn act(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Extension(form): Extension<Form>,
    Path((id, act)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    match act.as_str() {
        "change" => change(&web, &user, &form, id).await,
        "link" => link(&web, &user, &id, &headers).await,
        "remove" => {
            let _nothing: Option<()> = web.send(&user, Method::DELETE, &format!("/users/{}", part(&id))).await?;
            Ok(shown_at("/web/users"))
        }
        _ => Err(no_act(&act)),
    }
}

async fn change(web: &Web, user: &User, form: &Form, name: String) -> Result<Response, Failure> {
    let changed = async {
        let role = role(form)?;
        let change = UserChange { role: Some(role), stacks: Some(stacks(form, role)) };
        web.patch::<UserView>(user, &format!("/users/{}", part(&name)), &change).await
    };
    match changed.await {
        Ok(_) => Ok(shown_at("/web/users")),
        Err(problem) if matches!(problem.status, 409 | 422) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::CONFLICT);
            let filled = Filled { name: name.clone(), ..Filled::of(form, problem) };
            Ok((status, change_page(user, filled)).into_response())
        }
        Err(problem) => Err(problem.into()),
    }
}
