//! Tasks of every stack.

use super::{ROWS, acts::ConfirmPage, query, rows::TaskRow, shown_at};
use crate::{
    api::{problem::Problem, wire::TaskList},
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
    http::{Method, Uri},
    response::Response,
};
use graphium_core::control::{TaskStats, TaskView};

#[derive(Template)]
#[template(path = "tasks.html")]
pub(in crate::web) struct TasksPage {
    shell: Shell,
    rows: Vec<TaskRow>,
    next: Option<String>,
    tabs: Vec<Tab>,
    stack: Option<String>,
    host: Option<String>,
}

/// A sort of tasks.
struct Tab {
    name: &'static str,
    href: String,
    /// Of all tasks, where these are shown.
    count: Option<usize>,
    is_chosen: bool,
}

const TABS: [(&str, &str, &[&str]); 5] = [
    ("open", "Under way", &["pending", "assigned", "running"]),
    ("failed", "Failed", &["failed"]),
    ("cancelled", "Cancelled", &["cancelled"]),
    ("completed", "Done", &["completed"]),
    ("all", "All", &[]),
];

pub(in crate::web) async fn list(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    uri: Uri,
) -> Answer<TasksPage> {
    let shell = Shell::live(&web, &user, "Tasks", "tasks").await?;
    let asked = query(&uri);
    let show = asked.some("show").unwrap_or("open");
    let (stack, host) = (asked.some("stack"), asked.some("host"));
    let statuses = TABS.iter().find(|(key, ..)| *key == show).map(|(.., statuses)| statuses.join(","));
    let statuses = statuses.ok_or_else(|| Problem::new(400, "bad-query", format!("there are no tasks `{show}`")))?;
    let limit = ROWS.to_string();
    let path = forms::query([
        ("limit", Some(limit.as_str())),
        ("cursor", asked.some("cursor")),
        ("status", Some(statuses.as_str()).filter(|text| !text.is_empty())),
        ("stackId", stack),
        ("agentId", host),
    ]);
    let list: TaskList = web.get(&user, &format!("/tasks{path}")).await?;
    let stats: Option<TaskStats> = web.get_of_all(&user, "/tasks/stats").await?;
    let now = web.state.environment.now();
    let count = |names: &[&str]| {
        let among = |status: &str| names.is_empty() || names.contains(&status);
        let stats = stats.as_ref().filter(|_| stack.is_none() && host.is_none())?;
        Some(stats.by_status.iter().filter(|(status, _)| among(status.as_str())).map(|(_, count)| count).sum())
    };
    let here = |show: &'static str, cursor: Option<&str>| {
        format!(
            "/web/tasks{}",
            forms::query([("show", Some(show)), ("stack", stack), ("host", host), ("cursor", cursor)])
        )
    };
    let tabs =
        TABS.map(|(key, name, names)| Tab { name, href: here(key, None), count: count(names), is_chosen: key == show });
    let key = TABS.iter().find(|(key, ..)| *key == show).map_or("open", |(key, ..)| key);
    Ok(Html(TasksPage {
        shell,
        rows: list.tasks.into_iter().map(|task| TaskRow::of(task, now, user.may_change())).collect(),
        next: list.next.map(|cursor| here(key, Some(&cursor))),
        tabs: tabs.into(),
        stack: stack.map(str::to_owned),
        host: host.map(str::to_owned),
    }))
}

#[derive(Template)]
#[template(path = "task.html")]
pub(in crate::web) struct TaskPage {
    shell: Shell,
    row: TaskRow,
    created: Moment,
    created_by: Option<String>,
    deployment: Option<String>,
    payload: String,
    first: Vec<(String, String)>,
    result: Option<String>,
}

pub(in crate::web) async fn one(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Path(id): Path<String>,
) -> Answer<TaskPage> {
    let shell = Shell::live(&web, &user, "Task", "tasks").await?;
    let view: TaskView = web.get(&user, &format!("/tasks/{}", part(&id))).await?;
    let now = web.state.environment.now();
    let task = &view.task;
    let first =
        task.depends_on.iter().take(100).map(|id| (id.to_string(), format!("/web/tasks/{}", part(id.as_str()))));
    let result = task.result.as_ref().map(|result| result.message.clone()).filter(|message| !message.is_empty());
    Ok(Html(TaskPage {
        created: Moment { at: task.date_created, now },
        created_by: task.created_by.clone(),
        deployment: task.deployment_id.as_ref().map(ToString::to_string),
        payload: serde_json::to_string_pretty(&*task.payload).unwrap_or_default(),
        first: first.collect(),
        result,
        shell: Shell { title: format!("Task {}", task.plan_id), ..shell },
        row: TaskRow::of(view, now, user.may_change()),
    }))
}

/// Asked before a task is cancelled; one that is tried again asks nothing.
pub(in crate::web) async fn confirm(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Path((id, act)): Path<(String, String)>,
    uri: Uri,
) -> Answer<ConfirmPage> {
    user.must_change()?;
    if act != "cancel" {
        return Err(no_act(&act));
    }
    let view: TaskView = web.get(&user, &format!("/tasks/{}", part(&id))).await?;
    let row = TaskRow::of(view, web.state.environment.now(), true);
    let title = format!("Cancel {} {} on {}?", row.verb.to_lowercase(), row.subject, row.host);
    let shell = Shell::still(title.clone(), "tasks", Some(&user));
    let says = "If it waits, it ends at once; if it is under way, its agent is asked to end it. What waits for it in the same deployment \
                is not begun.";
    let from = query(&uri).text("from").to_owned();
    let back = match (from.as_str(), &row.stack) {
        ("stack", Some(stack)) => super::stack_page(stack),
        _ => row.href.clone(),
    };
    let action = format!("{}/cancel", row.href);
    let page = ConfirmPage::plain(shell, title, "Cancel it", says.to_owned(), action, back);
    Ok(Html(page.with_field("from", from)))
}

fn no_act(act: &str) -> Failure {
    Problem::new(404, "no-such-page", format!("a task has no page `{act}`")).into()
}

pub(in crate::web) async fn act(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Extension(form): Extension<Form>,
    Path((id, act)): Path<(String, String)>,
) -> Result<Response, Failure> {
    if !matches!(act.as_str(), "retry" | "cancel") {
        return Err(no_act(&act));
    }
    let view: TaskView = web.send(&user, Method::POST, &format!("/tasks/{}/{act}", part(&id))).await?;
    // Back to where the button was.
    let stack = view.task.stack_id.as_ref().map(|stack| super::rows::name_of(stack.as_str()).to_owned());
    Ok(match (form.text("from"), stack) {
        ("stack", Some(stack)) => shown_at(&super::stack_page(&stack)),
        _ => shown_at(&format!("/web/tasks/{}", part(&id))),
    })
}
