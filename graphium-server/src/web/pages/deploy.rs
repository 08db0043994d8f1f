//! Deploying: a document, its mistakes at their places, its plan as a picture, and the button.

use super::{shown_at, stack_page};
use crate::{
    api::{problem::Problem, wire::Envelope},
    auth::Token,
    web::{
        Web,
        forms::Form,
        guard::User,
        pages::revisions::Line,
        picture::{Picture, Shown},
        shell::{Answer, Failure, Html, Shell, by_severity},
        words::{Badge, Tone, filters},
    },
};
use askama::Template;
use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use graphium_core::{
    action::TaskType,
    control::Started,
    diagnostic::{Diagnostic, Severity},
    plan::{ChangeKind, SealedPlan},
};
use std::collections::{BTreeMap, BTreeSet};

/// How many findings are shown.
const FINDINGS: usize = 100;
/// How many steps of a plan are shown.
const STEPS: usize = 300;

#[derive(Template)]
#[template(path = "deploy.html")]
pub(in crate::web) struct DeployPage {
    shell: Shell,
    form: Filled,
    check: Option<Check>,
}

/// What was filled in.
#[derive(Default)]
struct Filled {
    document: String,
    variables: String,
    timeout: String,
    rollback: bool,
    pull: bool,
    /// So that a form that is sent twice deploys once.
    key: String,
}

#[derive(Template)]
#[template(path = "check.html")]
pub(in crate::web) struct CheckPart {
    check: Check,
}

/// What the server says of a document.
struct Check {
    /// Nothing was written yet.
    is_blank: bool,
    /// Mistakes and warnings.
    findings: Vec<Finding>,
    notes: Vec<Finding>,
    mistakes: usize,
    more: usize,
    /// Another reason why it cannot be deployed.
    problem: Option<Problem>,
    plan: Option<PlanView>,
}

struct Finding {
    badge: Badge,
    found: Diagnostic,
}

/// A plan for people.
struct PlanView {
    name: String,
    is_empty: bool,
    new: usize,
    changed: usize,
    removed: usize,
    unchanged: usize,
    picture: Picture,
    changes: Vec<ChangeView>,
    steps: Vec<Step>,
    more: usize,
}

struct ChangeView {
    container: String,
    what: &'static str,
    host: String,
    from: Option<String>,
    lines: Vec<Line>,
    risks: Vec<String>,
}

struct Step {
    id: String,
    host: String,
    why: String,
}

pub(in crate::web) async fn form(Extension(user): Extension<User>) -> Answer<DeployPage> {
    if !user.may_change() {
        return Err(Problem::new(
            403,
            "not-allowed",
            "you may look, and change nothing: deploying is for administrators",
        )
        .into());
    }
    page(&user, Filled { rollback: true, ..Filled::default() }, None)
}

fn page(user: &User, mut form: Filled, check: Option<Check>) -> Answer<DeployPage> {
    if form.key.is_empty() {
        let random =
            Token::generate().map_err(|error| Problem::new(500, "internal", format!("no random numbers: {error}")))?;
        form.key = format!("page-{}", &random.hash()[..32]);
    }
    Ok(Html(DeployPage { shell: Shell::still("Deploy", "stacks", Some(user)), form, check }))
}

/// What is wrong, or else the plan; the module puts it under the document while somebody writes.
pub(in crate::web) async fn check(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Extension(form): Extension<Form>,
) -> Answer<CheckPart> {
    let filled = Filled::of(&form);
    Ok(Html(CheckPart { check: look(&web, &user, &filled).await }))
}

pub(in crate::web) async fn submit(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Extension(form): Extension<Form>,
) -> Result<Response, Failure> {
    let filled = Filled::of(&form);
    if form.text("do") != "deploy" {
        let check = look(&web, &user, &filled).await;
        return Ok(page(&user, filled, Some(check))?.into_response());
    }
    let problem = match envelope(&filled) {
        Ok(envelope) => {
            let mut headers = HeaderMap::new();
            if let Ok(key) = HeaderValue::from_str(&filled.key)
                && !filled.key.is_empty()
            {
                headers.insert("idempotency-key", key);
            }
            match web.post::<Started>(&user, "/stacks", &envelope, headers).await {
                Ok(started) => return Ok(shown_at(&stack_page(&started.stack_name))),
                Err(problem) => problem,
            }
        }
        Err(problem) => problem,
    };
    if problem.status == 403 {
        return Err(problem.into());
    }
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
    let check = Check::refused(problem);
    // Another try is another request.
    let filled = Filled { key: String::new(), ..filled };
    Ok((status, page(&user, filled, Some(check))?).into_response())
}

async fn look(web: &Web, user: &User, filled: &Filled) -> Check {
    if filled.document.trim().is_empty() {
        return Check { is_blank: true, ..Check::of(Vec::new()) };
    }
    let envelope = match envelope(filled) {
        Ok(envelope) => envelope,
        Err(problem) => return Check::refused(problem),
    };
    match web.post::<SealedPlan>(user, "/stacks/plan", &envelope, HeaderMap::new()).await {
        Ok(plan) => {
            let plan = plan.plan;
            let mut check = Check::of(plan.warnings.clone());
            check.plan = Some(PlanView::of(plan));
            check
        }
        Err(problem) => Check::refused(problem),
    }
}

/// What the API takes; variables are lines of `NAME=VALUE`.
fn envelope(filled: &Filled) -> Result<Envelope, Problem> {
    let mut variables = BTreeMap::new();
    let mut mistakes = Vec::new();
    for (number, line) in filled.variables.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once('=').filter(|(name, _)| !name.trim().is_empty()) {
            Some((name, value)) => {
                variables.insert(name.trim().to_owned(), value.trim().to_owned());
            }
            None => mistakes.push(format!("line {} does not read `NAME=VALUE`", number + 1)),
        }
    }
    let timeout = match filled.timeout.trim() {
        "" => None,
        text => match text.parse::<u64>() {
            Ok(minutes @ 1..=100_000) => Some(minutes * 60),
            _ => {
                mistakes.push("the time limit is a whole number of minutes".to_owned());
                None
            }
        },
    };
    if !mistakes.is_empty() {
        return Err(Problem::new(422, "wrong-form", format!("beside the document: {}", mistakes.join("; "))));
    }
    Ok(Envelope {
        variables,
        timeout,
        rollback_on_error: Some(filled.rollback),
        pull_images: filled.pull.then_some(true),
        ..Envelope::of(filled.document.clone())
    })
}

impl Filled {
    fn of(form: &Form) -> Self {
        Self {
            document: form.text("document").replace("\r\n", "\n"),
            variables: form.text("variables").replace("\r\n", "\n"),
            timeout: form.text("timeout").to_owned(),
            rollback: form.is_set("rollback"),
            pull: form.is_set("pull"),
            key: form.text("key").to_owned(),
        }
    }
}

impl Check {
    fn of(findings: Vec<Diagnostic>) -> Self {
        let mistakes = findings.iter().filter(|found| found.is_error()).count();
        let more = findings.len().saturating_sub(FINDINGS);
        let findings = by_severity(findings).into_iter().take(FINDINGS);
        let (notes, findings) =
            findings.map(Finding::of).partition(|one: &Finding| one.found.severity == Severity::Note);
        Self { is_blank: false, findings, notes, mistakes, more, problem: None, plan: None }
    }

    fn refused(mut problem: Problem) -> Self {
        let mut check = Self::of(std::mem::take(&mut problem.diagnostics));
        // What was found says more than that something was found.
        check.problem = Some(problem).filter(|_| check.findings.is_empty());
        check
    }
}

impl Finding {
    fn of(found: Diagnostic) -> Self {
        let badge = match found.severity {
            Severity::Error => Badge::new(Tone::Bad, "mistake"),
            Severity::Warning => Badge::new(Tone::Warn, "warning"),
            Severity::Note => Badge::new(Tone::Off, "note"),
        };
        Self { badge, found }
    }
}

impl PlanView {
    fn of(plan: graphium_core::plan::Plan) -> Self {
        let by_id: BTreeMap<&str, Option<&str>> =
            plan.tasks.iter().map(|task| (task.id.as_str(), task.container.as_deref())).collect();
        let changed: BTreeMap<&str, ChangeKind> =
            plan.changes.iter().map(|change| (change.container.as_str(), change.kind)).collect();
        let mut needs: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for task in &plan.tasks {
            let Some(container) = task.container.as_deref() else { continue };
            let first = task.depends_on.iter().filter_map(|id| by_id.get(id.as_str()).copied().flatten());
            let first = first.filter(|first| *first != container).map(str::to_owned);
            needs.entry(container).or_default().extend(first);
        }
        let mut shown = Vec::new();
        let (mut new, mut unchanged) = (0, 0);
        for (name, host) in &plan.placements {
            let has_task = plan.tasks.iter().any(|task| {
                task.container.as_ref() == Some(name)
                    && task.host == *host
                    && task.action.task_type() != TaskType::Delete
            });
            let badge = match changed.get(name.as_str()) {
                Some(ChangeKind::Move) => Badge::new(Tone::Warn, "moved here"),
                Some(ChangeKind::LiveUpdate) => Badge::new(Tone::Warn, "adjusted, runs on"),
                Some(ChangeKind::Cosmetic) => Badge::new(Tone::Off, "unchanged"),
                Some(_) => Badge::new(Tone::Warn, "made anew"),
                None if has_task => Badge::new(Tone::Work, "new"),
                None => Badge::new(Tone::Off, "unchanged"),
            };
            new += usize::from(badge.word == "new");
            unchanged += usize::from(badge.word == "unchanged");
            shown.push(Shown {
                name: name.clone(),
                host: host.to_string(),
                line: badge.word.clone(),
                badge,
                needs: needs.get(name.as_str()).into_iter().flatten().cloned().collect(),
            });
        }
        let removals: Vec<_> = plan.changes.iter().filter(|change| change.kind == ChangeKind::Remove).collect();
        for change in &removals {
            shown.push(Shown {
                name: change.container.clone(),
                host: change.host.to_string(),
                badge: Badge::new(Tone::Bad, "removed"),
                line: "removed".to_owned(),
                needs: Vec::new(),
            });
        }
        let removed = removals.len();
        let picture = Picture::of(shown, &format!("Plan of {}", plan.stack_name));
        let more = plan.tasks.len().saturating_sub(STEPS);
        let steps = plan.tasks.iter().take(STEPS).map(|task| Step {
            id: task.id.to_string(),
            host: task.host.to_string(),
            why: task.why.to_string(),
        });
        Self {
            is_empty: plan.tasks.is_empty(),
            new,
            changed: plan.placements.len().saturating_sub(new + unchanged),
            removed,
            unchanged,
            picture,
            steps: steps.collect(),
            more,
            changes: plan.changes.into_iter().map(ChangeView::of).collect(),
            name: plan.stack_name,
        }
    }
}

impl ChangeView {
    fn of(change: graphium_core::plan::Change) -> Self {
        let what = match change.kind {
            ChangeKind::Cosmetic => "stays as it is",
            ChangeKind::LiveUpdate => "is adjusted while it runs",
            ChangeKind::Recreate => "is made anew",
            ChangeKind::Rename => "is made anew under another name",
            ChangeKind::Move => "moves",
            ChangeKind::Remove => "is removed",
        };
        Self {
            container: match change.renamed_from {
                Some(former) => format!("{former} → {}", change.container),
                None => change.container,
            },
            what,
            host: change.host.to_string(),
            from: change.from.map(|from| from.to_string()),
            lines: change.properties.into_iter().map(Line::of).collect(),
            risks: change.data_at_risk,
        }
    }
}
