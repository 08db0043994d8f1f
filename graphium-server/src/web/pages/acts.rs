//! What is done to a stack: first a page that says what will happen, then the deed.

use super::{
    revisions::{Difference, difference},
    shown_at, stack_page,
};
use crate::{
    api::{problem::Problem, wire::RevisionList},
    web::{
        Web,
        call::part,
        forms::{self, Form},
        guard::User,
        shell::{Answer, Failure, Html, Shell},
    },
};
use askama::Template;
use axum::{
    Extension,
    extract::{Path, State},
    http::{Method, Uri},
    response::Response,
};
use graphium_core::control::{RevisionOutcome, RevisionView, StackView, Started};

/// What can be done to a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Stop,
    Start,
    Restart,
    Rollback,
    Delete,
}

impl Act {
    fn named(name: &str) -> Result<Self, Failure> {
        Ok(match name {
            "stop" => Self::Stop,
            "start" => Self::Start,
            "restart" => Self::Restart,
            "rollback" => Self::Rollback,
            "delete" => Self::Delete,
            _ => return Err(Problem::new(404, "no-such-page", format!("a stack has no page `{name}`")).into()),
        })
    }
}

#[derive(Template)]
#[template(path = "confirm.html")]
pub(in crate::web) struct ConfirmPage {
    shell: Shell,
    title: String,
    button: &'static str,
    says: String,
    is_dangerous: bool,
    action: String,
    back: String,
    /// Boxes to tick: name, what it says, and what that means.
    boxes: Vec<(&'static str, &'static str, &'static str)>,
    /// Hidden fields.
    hidden: Vec<(&'static str, String)>,
    difference: Option<Difference>,
}

impl ConfirmPage {
    /// A question about something else than a stack.
    pub(super) fn plain(
        shell: Shell,
        title: String,
        button: &'static str,
        says: String,
        action: String,
        back: String,
    ) -> Self {
        Self {
            shell,
            title,
            button,
            says,
            is_dangerous: true,
            action,
            back,
            boxes: Vec::new(),
            hidden: Vec::new(),
            difference: None,
        }
    }

    /// The same with a hidden field.
    pub(super) fn with_field(mut self, name: &'static str, value: String) -> Self {
        self.hidden.push((name, value));
        self
    }

    /// The same with a box to tick: its name, what it says, and what that means.
    pub(super) fn with_box(mut self, one: (&'static str, &'static str, &'static str)) -> Self {
        self.boxes.push(one);
        self
    }
}

pub(in crate::web) async fn confirm(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Path((id, act)): Path<(String, String)>,
    uri: Uri,
) -> Answer<ConfirmPage> {
    let act = Act::named(&act)?;
    user.must_change()?;
    let view: StackView = web.get(&user, &format!("/stacks/{}", part(&id))).await?;
    let (name, base) = (&view.name, stack_page(&view.name));
    let count = view.placements.len();
    let containers = if count == 1 { "its container".to_owned() } else { format!("its {count} containers") };
    let mut boxes = Vec::new();
    let mut hidden = Vec::new();
    let mut shown = None;
    let (path, title, button, says) = match act {
        Act::Stop => (
            "stop",
            format!("Stop {name}?"),
            "Stop it",
            format!("This stops {containers}; they stay where they are, with their data, and can be started again."),
        ),
        Act::Start => (
            "start",
            format!("Start {name}?"),
            "Start it",
            format!("This starts {containers} again, in the order of their dependencies."),
        ),
        Act::Restart => (
            "restart",
            format!("Restart {name}?"),
            "Restart it",
            format!(
                "This stops and starts {containers}, in the order of their dependencies. What they serve is away meanwhile."
            ),
        ),
        Act::Rollback => {
            // Said at once, so that what is done is what was shown.
            let to = match super::query(&uri).some("to") {
                Some(to) => Some(to.to_owned()),
                None => last_that_ran(&web, &user, name).await?,
            };
            if let Some(to) = &to {
                shown = Some(difference(&web, &user, name, None, Some(to)).await?);
            }
            let goal = to.as_ref().map_or("the latest that has not failed".to_owned(), |to| format!("revision {to}"));
            hidden.extend(to.map(|to| ("to", to)));
            (
                "rollback",
                format!("Roll {name} back?"),
                "Roll back",
                format!("This deploys the document of {goal} again, as a new revision."),
            )
        }
        Act::Delete => {
            boxes.push((
                "removeVolumes",
                "Remove its volumes, too",
                "Their data is lost. Without this they stay on their hosts.",
            ));
            boxes.push((
                "forget",
                "Do not wait for hosts that are away",
                "What is left there is removed when they return.",
            ));
            (
                "delete",
                format!("Delete {name}?"),
                "Delete it",
                format!(
                    "This stops and removes {containers} and its networks, and then the stack itself. It cannot be undone."
                ),
            )
        }
    };
    let shell = Shell::still(title.clone(), "stacks", Some(&user));
    Ok(Html(ConfirmPage {
        shell,
        title,
        button,
        says,
        is_dangerous: matches!(act, Act::Delete | Act::Stop),
        action: format!("{base}/{path}"),
        back: base,
        boxes,
        hidden,
        difference: shown,
    }))
}

/// The latest earlier revision of which all has run.
async fn last_that_ran(web: &Web, user: &User, stack: &str) -> Result<Option<String>, Problem> {
    let list: RevisionList = web.get(user, &format!("/stacks/{}/revisions?limit=100", part(stack))).await?;
    let ran = |one: &&RevisionView| !one.is_current && one.outcome == Some(RevisionOutcome::Ran);
    Ok(list.revisions.iter().find(ran).map(|one| one.revision.to_string()))
}

pub(in crate::web) async fn act(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Extension(form): Extension<Form>,
    Path((id, act)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let stack = part(&id);
    let (method, path) = match Act::named(&act)? {
        Act::Stop => (Method::POST, format!("/stacks/{stack}/stop")),
        Act::Start => (Method::POST, format!("/stacks/{stack}/start")),
        Act::Restart => (Method::POST, format!("/stacks/{stack}/restart")),
        Act::Rollback => (Method::POST, format!("/stacks/{stack}/rollback{}", forms::query([("to", form.some("to"))]))),
        Act::Delete => {
            let ticked = |name| form.is_set(name).then_some("true");
            let query = forms::query([("removeVolumes", ticked("removeVolumes")), ("forget", ticked("forget"))]);
            (Method::DELETE, format!("/stacks/{stack}{query}"))
        }
    };
    let started: Started = web.send(&user, method, &path).await?;
    Ok(shown_at(&stack_page(&started.stack_name)))
}
