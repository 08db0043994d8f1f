//! A deployment as rows: per host, one for each container, and for what is not about a container while that matters.

use super::{
    printable,
    time::{Clock, bytes},
};
use graphium_core::{
    action::{Action, TaskType},
    control::{StatusView, TaskView, Waiting},
    id::{HostId, TaskId},
    stack::Condition,
    task::{Progress, TaskStatus},
};
use indexmap::IndexMap;
use std::collections::HashMap;

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum State {
    /// It ended without success.
    Failed,
    /// Something happens.
    Active,
    /// It waits for something.
    Waiting,
    /// It will not be done.
    Cancelled,
    /// It is as it should be.
    Done,
}

/// One line of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) state: State,
    /// What it does, in words that stay the same until something changes.
    pub(crate) what: String,
    /// What changes all the time: bytes, how long ago.
    pub(crate) detail: String,
    /// Of interest only while one watches: networks and volumes come and go in no time.
    pub(crate) is_minor: bool,
}

/// A deployment, host by host, in the order of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Board {
    pub(crate) hosts: Vec<(HostId, Vec<Row>)>,
}

impl Board {
    /// The rows of a status.
    pub(crate) fn of(status: &StatusView, clock: &Clock) -> Self {
        let by_id: HashMap<&TaskId, &TaskView> = status.tasks.iter().map(|view| (&view.task.id, view)).collect();
        let maker = Maker { stack: &status.stack_name, by_id, clock };
        let mut hosts: IndexMap<&HostId, IndexMap<Subject<'_>, Vec<&TaskView>>> = IndexMap::new();
        for view in &status.tasks {
            let subjects = hosts.entry(&view.task.host_id).or_default();
            subjects.entry(Subject::of(&view.task.payload)).or_default().push(view);
        }
        let rows = |subjects: IndexMap<Subject<'_>, Vec<&TaskView>>| {
            let shown = subjects.into_iter().filter_map(|(subject, views)| maker.row(subject, &views));
            shown.collect::<Vec<_>>()
        };
        Self { hosts: hosts.into_iter().map(|(host, subjects)| (host.clone(), rows(subjects))).collect() }
    }
}

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Subject<'a> {
    Container(&'a str),
    Other(TaskType, &'a str),
}

impl<'a> Subject<'a> {
    fn of(action: &'a Action) -> Self {
        match action.task_type() {
            kind @ (TaskType::Pull
            | TaskType::Network
            | TaskType::Volume
            | TaskType::RemoveNetwork
            | TaskType::RemoveVolume) => Self::Other(kind, action.subject()),
            _ => Self::Container(action.subject()),
        }
    }
}

struct Maker<'a> {
    stack: &'a str,
    by_id: HashMap<&'a TaskId, &'a TaskView>,
    clock: &'a Clock,
}

impl Maker<'_> {
    fn row(&self, subject: Subject<'_>, views: &[&TaskView]) -> Option<Row> {
        let (state, what, detail) = self.stand(views)?;
        let name = match subject {
            Subject::Container(name) => self.short(name).to_owned(),
            Subject::Other(kind, name) => {
                // A container says itself what it waits for, and nobody waits for a network that is there.
                if matches!(state, State::Done | State::Waiting) || (kind == TaskType::Pull && state == State::Active) {
                    return None;
                }
                let noun = match kind {
                    TaskType::Pull => "image",
                    TaskType::Network | TaskType::RemoveNetwork => "network",
                    _ => "volume",
                };
                format!("{noun} {name}")
            }
        };
        let is_minor = state != State::Failed && !matches!(subject, Subject::Container(_));
        Some(Row { name: printable(&name).into_owned(), state, what: printable(&what).into_owned(), detail, is_minor })
    }

    /// The name within the stack of a container that is known by its name on the engine.
    fn short<'n>(&self, name: &'n str) -> &'n str {
        name.strip_prefix(self.stack).and_then(|rest| rest.strip_prefix('-')).unwrap_or(name)
    }

    fn stand(&self, views: &[&TaskView]) -> Option<(State, String, String)> {
        let with = |wanted: fn(TaskStatus) -> bool| views.iter().copied().find(|view| wanted(view.task.status));
        let plain = |state, what: String| Some((state, what, String::new()));
        if let Some(failed) = with(|status| status == TaskStatus::Failed) {
            let error = failed.task.error.as_ref().map(|error| error.message.lines().next().unwrap_or_default());
            return plain(State::Failed, format!("failed: {}", error.unwrap_or("no reason given")));
        }
        if let Some(view) = with(TaskStatus::is_leased) {
            let progress = view.task.progress.as_ref();
            return Some((State::Active, activity(view), progress.map(news).unwrap_or_default()));
        }
        if let Some(view) = with(|status| status == TaskStatus::Pending) {
            return Some(self.queued(view));
        }
        if let Some(view) = with(|status| status == TaskStatus::Cancelled) {
            let error = view.task.error.as_ref().map(|error| format!(": {}", error.message)).unwrap_or_default();
            return plain(State::Cancelled, format!("not done{error}"));
        }
        plain(State::Done, outcome(&views.last()?.task.payload).to_owned())
    }

    fn queued(&self, view: &TaskView) -> (State, String, String) {
        let pull = view
            .task
            .depends_on
            .iter()
            .filter_map(|id| self.by_id.get(id))
            .find(|other| other.task.task_type == TaskType::Pull && other.task.status.is_leased());
        if let Some(pull) = pull {
            let amount = pull.task.progress.as_ref().and_then(amount).unwrap_or_default();
            return (State::Active, format!("pulling {}", pull.task.payload.subject()), amount);
        }
        match &view.waiting {
            Some(waiting) => {
                let (what, detail) = self.waiting(view, waiting);
                (State::Waiting, format!("queued, {what}"), detail)
            }
            None => (State::Waiting, "queued".to_owned(), String::new()),
        }
    }

    /// What a task waits for in the end: a container whose image waits for its host waits for the host.
    fn waiting(&self, view: &TaskView, waiting: &Waiting) -> (String, String) {
        match waiting.reason.as_str() {
            "task" => match self.first_open(view) {
                Some(other) => self.waiting_for_task(other),
                None => (format!("waiting for {}", waiting.on), String::new()),
            },
            // The agent was there once: say since when it is not.
            "host" if waiting.on.contains("offline since") => {
                let since = self.clock.at(waiting.since);
                let ago = format!("({})", self.clock.ago(waiting.since));
                (format!("waiting for host {}, offline since {since}", view.task.host_id), ago)
            }
            "retry" => {
                let until = waiting.until.map(|until| until.as_second() - self.clock.now.as_second());
                let again = until.map(|seconds| format!("(in {})", super::time::span(seconds))).unwrap_or_default();
                let error = view.task.error.as_ref().map(|error| format!(" after: {}", error.message));
                (format!("attempt {}{}", view.task.attempt + 1, error.unwrap_or_default()), again)
            }
            "slot" => ("waiting for its turn".to_owned(), String::new()),
            _ => (format!("waiting for {}", waiting.on), format!("({})", self.clock.since(waiting.since))),
        }
    }

    fn waiting_for_task(&self, other: &TaskView) -> (String, String) {
        let mut root = other;
        // A plan has no cycles; a broken answer may.
        for _ in 0..self.by_id.len() {
            match (root.task.status, &root.waiting, self.first_open(root)) {
                (TaskStatus::Pending, Some(waiting), Some(next)) if waiting.reason == "task" => root = next,
                (TaskStatus::Pending, Some(waiting), _) if matches!(waiting.reason.as_str(), "host" | "engine") => {
                    return self.waiting(root, waiting);
                }
                (TaskStatus::Pending, Some(waiting), _) if waiting.reason == "retry" => {
                    let (what, detail) = self.waiting(root, waiting);
                    return (format!("waiting for {}: {what}", self.task_in_words(root)), detail);
                }
                _ => break,
            }
        }
        (format!("waiting for {}", self.task_in_words(other)), String::new())
    }

    fn first_open(&self, view: &TaskView) -> Option<&TaskView> {
        let others = view.task.depends_on.iter().filter_map(|id| self.by_id.get(id)).copied();
        others.into_iter().find(|other| !other.task.status.is_terminal())
    }

    fn task_in_words(&self, view: &TaskView) -> String {
        let subject = view.task.payload.subject();
        match view.task.task_type {
            TaskType::Pull => format!("image {subject}"),
            TaskType::Network | TaskType::RemoveNetwork => format!("network {subject}"),
            TaskType::Volume | TaskType::RemoveVolume => format!("volume {subject}"),
            TaskType::Delete => format!("the end of `{}`", self.short(subject)),
            _ => format!("`{}`", self.short(subject)),
        }
    }
}

/// What a task does at the moment, in a word or two.
fn activity(view: &TaskView) -> String {
    let task = &view.task;
    if let Some(phase) =
        task.progress.as_ref().map(|progress| progress.phase.as_str()).filter(|phase| !phase.is_empty())
    {
        // Watching it for a moment is a part of starting it.
        return if phase == "settling" { "starting".to_owned() } else { phase.to_owned() };
    }
    let word = match &*task.payload {
        Action::Pull { .. } => "pulling",
        Action::Network { .. } | Action::Volume { .. } | Action::Deploy { .. } => "creating",
        Action::Start { .. } => "starting",
        Action::Update { .. } => "replacing",
        Action::Adjust { .. } => "adjusting",
        Action::Adopt { .. } => "adopting",
        Action::Check { condition: Condition::Healthy, .. } => "starting, not healthy yet",
        Action::Check { condition: Condition::Completed, .. } => "running, not completed yet",
        Action::Check { .. } => "starting",
        Action::Stop { .. } | Action::Delete { .. } => "stopping",
        Action::Restart { .. } => "restarting",
        Action::RemoveNetwork { .. } | Action::RemoveVolume { .. } => "removing",
    };
    word.to_owned()
}

/// How something is once its last task is done.
fn outcome(action: &Action) -> &'static str {
    match action {
        Action::Check { condition: Condition::Healthy, .. } => "healthy",
        Action::Check { condition: Condition::Completed, .. } => "completed",
        Action::Stop { .. } => "stopped",
        Action::Delete { .. } | Action::RemoveNetwork { .. } | Action::RemoveVolume { .. } => "removed",
        Action::Pull { .. } | Action::Network { .. } | Action::Volume { .. } => "there",
        _ => "running",
    }
}

/// What a task says beside its phase.
fn news(progress: &Progress) -> String {
    amount(progress).unwrap_or_else(|| printable(progress.message.lines().next().unwrap_or_default()).into_owned())
}

fn amount(progress: &Progress) -> Option<String> {
    bytes(progress.bytes, progress.total_bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
    use super::*;
    use jiff::tz::TimeZone;
    use serde_json::{Value, json};

    /// A task as the server shows it; `more` goes over the rest.
    fn task(number: u32, host: &str, payload: Value, status: &str, more: Value) -> Value {
        let mut task = json!({
            "@id": format!("task:{number}"), "@type": "AgentTask", "taskType": payload["action"], "status": status,
            "hostId": host, "planId": format!("{number}"), "payload": payload, "priority": 5, "attempt": 1,
            "dateCreated": "2026-11-20T12:00:00Z", "retryCount": 0, "maxRetries": 3, "timeoutSeconds": 300,
        });
        for (key, value) in more.as_object().unwrap() {
            task[key] = value.clone();
        }
        task
    }

    fn board(tasks: Vec<Value>) -> Vec<String> {
        let status = json!({
            "stackId": "stack:shop", "stackName": "shop", "deploymentId": "deployment:1", "totalTasks": tasks.len(),
            "overallStatus": "deploying", "progress": 0, "tasksByStatus": {}, "endpoints": [], "tasks": tasks,
        });
        let clock = Clock { now: "2026-11-20T12:06:00Z".parse().unwrap(), zone: TimeZone::UTC };
        let board = Board::of(&serde_json::from_value(status).unwrap(), &clock);
        let rows = board.hosts.iter().flat_map(|(host, rows)| rows.iter().map(move |row| (host, row)));
        rows.map(|(host, row)| format!("{host} {}: {} {}", row.name, row.what, row.detail).trim_end().to_owned())
            .collect()
    }

    fn pull(status: &str, more: Value) -> Value {
        task(1, "vm1", json!({"action": "pull", "image": "web:1", "policy": "if-not-present"}), status, more)
    }

    fn start(number: u32, name: &str, status: &str, more: Value) -> Value {
        task(number, "vm1", json!({"action": "start", "name": format!("shop-{name}")}), status, more)
    }

    fn waits_for(task: &str) -> Value {
        json!({"dependsOn": [task], "waiting": {"reason": "task", "on": task, "since": "2026-11-20T12:00:00Z"}})
    }

    #[test]
    fn a_container_shows_the_bytes_of_its_image() {
        let progress = json!({"progress": {"phase": "pulling", "bytes": 3_200_000, "totalBytes": 12_000_000}});
        let shown = board(vec![pull("running", progress), start(2, "web", "pending", waits_for("task:1"))]);
        assert_eq!(shown, ["vm1 web: pulling web:1 3.2 / 12.0 MB"]);
    }

    #[test]
    fn a_container_waits_for_what_its_image_waits_for() {
        let offline = json!({"waiting": {
            "reason": "host", "on": "host vm1, offline since 2026-11-20T12:03:00Z", "since": "2026-11-20T12:03:00Z",
        }});
        let shown = board(vec![pull("pending", offline), start(2, "web", "pending", waits_for("task:1"))]);
        assert_eq!(shown, ["vm1 web: queued, waiting for host vm1, offline since 12:03 (3m ago)"]);
    }

    #[test]
    fn a_host_that_was_never_there_is_waited_for_since_a_time_and_did_not_do_so_then() {
        let never = json!({"waiting": {
            "reason": "host", "on": "host vm1, whose agent has never connected", "since": "2026-11-20T12:05:30Z",
        }});
        let shown = board(vec![start(1, "web", "pending", never)]);
        assert_eq!(shown, ["vm1 web: queued, waiting for host vm1, whose agent has never connected (for 30s)"]);
    }

    #[test]
    fn a_container_waits_for_another_by_its_name_in_the_document() {
        let shown = board(vec![start(1, "db", "running", json!({})), start(2, "web", "pending", waits_for("task:1"))]);
        assert_eq!(shown, ["vm1 db: starting", "vm1 web: queued, waiting for `db`"]);
    }

    #[test]
    fn an_end_is_told_in_a_word_or_with_its_reason() {
        let error = json!({"error": {"code": "exited", "message": "exited with code 3\nand more"}});
        let because = json!({"error": {"code": "dependency-failed", "message": "`start:a` failed"}});
        let shown = board(vec![
            start(1, "a", "failed", error),
            start(2, "b", "cancelled", because),
            start(3, "c", "completed", json!({})),
            task(4, "vm2", json!({"action": "delete", "name": "shop-d"}), "completed", json!({})),
            pull("completed", json!({"@id": "task:5"})),
        ]);
        let expected = [
            "vm1 a: failed: exited with code 3",
            "vm1 b: not done: `start:a` failed",
            "vm1 c: running",
            "vm2 d: removed",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn tasks_that_wait_for_each_other_do_no_harm() {
        let shown =
            board(vec![start(1, "a", "pending", waits_for("task:2")), start(2, "b", "pending", waits_for("task:1"))]);
        assert_eq!(shown, ["vm1 a: queued, waiting for `b`", "vm1 b: queued, waiting for `a`"]);
    }
}
