//! What a stack was, and what differs.

use super::{ROWS, query, stack::RevisionRow, stack_page};
use crate::{
    api::wire::RevisionList,
    web::{
        Web,
        call::part,
        forms,
        guard::User,
        shell::{Answer, Html, Shell},
        words::filters,
    },
};
use askama::Template;
use axum::{
    Extension,
    extract::{Path, State},
    http::Uri,
};
use graphium_core::{
    control::{DifferenceView, StackView},
    plan::{ContainerDifferenceKind, PropertyChange},
};

#[derive(Template)]
#[template(path = "revisions.html")]
pub(in crate::web) struct RevisionsPage {
    shell: Shell,
    base: String,
    name: String,
    rows: Vec<RevisionRow>,
    next: Option<String>,
    difference: Option<Difference>,
    can_roll_back: bool,
}

/// What differs, as tables.
pub(super) struct Difference {
    pub(super) from: u64,
    pub(super) to: Option<u64>,
    pub(super) beside: Vec<Line>,
    pub(super) containers: Vec<Changed>,
}

pub(super) struct Changed {
    pub(super) name: String,
    pub(super) renamed_from: Option<String>,
    /// `added`, `removed`, `changed`.
    pub(super) kind: &'static str,
    pub(super) lines: Vec<Line>,
}

/// A property that differs.
pub(super) struct Line {
    pub(super) path: String,
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
}

impl Line {
    pub(super) fn of(change: PropertyChange) -> Self {
        let text = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        Self { path: change.path, old: change.old.map(text), new: change.new.map(text) }
    }
}

impl Difference {
    pub(super) fn of(view: DifferenceView) -> Self {
        let changed = view.difference.containers.into_iter().map(|one| Changed {
            name: one.container,
            renamed_from: one.renamed_from,
            kind: match one.kind {
                ContainerDifferenceKind::Added => "added",
                ContainerDifferenceKind::Removed => "removed",
                ContainerDifferenceKind::Changed => "changed",
            },
            lines: one.properties.into_iter().map(Line::of).collect(),
        });
        Self {
            from: view.from,
            to: view.to,
            containers: changed.collect(),
            beside: view.difference.properties.into_iter().map(Line::of).collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.beside.is_empty() && self.containers.is_empty()
    }
}

pub(in crate::web) async fn page(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Path(id): Path<String>,
    uri: Uri,
) -> Answer<RevisionsPage> {
    let asked = query(&uri);
    let view: StackView = web.get(&user, &format!("/stacks/{}", part(&id))).await?;
    let shell = Shell::still(format!("Revisions of {}", view.name), "stacks", Some(&user));
    let limit = ROWS.to_string();
    let cursor = forms::query([("limit", Some(limit.as_str())), ("cursor", asked.some("cursor"))]);
    let list: RevisionList = web.get(&user, &format!("/stacks/{}/revisions{cursor}", part(&view.name))).await?;
    let now = web.state.environment.now();
    let rows: Vec<_> = list.revisions.into_iter().map(|one| RevisionRow::of(one, now)).collect();
    let difference = if asked.is_set("from") || asked.is_set("to") || rows.len() > 1 {
        Some(difference(&web, &user, &view.name, asked.some("from"), asked.some("to")).await?)
    } else {
        None
    };
    let base = stack_page(&view.name);
    let next = list.next.map(|cursor| format!("{base}/revisions?cursor={}", part(&cursor)));
    let can_roll_back = user.may_change();
    Ok(Html(RevisionsPage { shell, base, name: view.name, rows, next, difference, can_roll_back }))
}

/// What differs between two revisions.
pub(super) async fn difference(
    web: &Web,
    user: &User,
    stack: &str,
    from: Option<&str>,
    to: Option<&str>,
) -> Result<Difference, crate::api::problem::Problem> {
    let fields = forms::query([("from", from), ("to", to)]);
    let view: DifferenceView = web.get(user, &format!("/stacks/{}/diff{fields}", part(stack))).await?;
    Ok(Difference::of(view))
}
