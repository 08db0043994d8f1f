//! One operation of the API, as data.

use crate::{
    api::crowd::Kind,
    auth::{Needs, needs},
};
use axum::http::Method;

/// One method of one route: what it takes and what it answers.
///
/// Who may use it is no part of it: that is [`needs`]' to say, and [`Operation::needs`] asks there.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: &'static str,
    /// The route, with `{name}` for what varies, below no base.
    pub path: &'static str,
    /// Unique, for programs that are generated.
    pub id: &'static str,
    /// Under which heading it stands.
    pub tag: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// What else is to be known.
    pub description: &'static str,
    /// Names of the sets of query parameters that it takes: `tasks.Filter` is `Filter` in `api/tasks.rs`.
    pub query: &'static [&'static str],
    /// What it takes as its body.
    pub body: Body,
    /// What it answers when all is well.
    pub answers: &'static [Answer],
    /// The problems that are its own, by status and code; those of its kind ([`Operation::problems`]) come on top.
    pub own_problems: &'static [Codes],
    /// Whether an `Idempotency-Key` is honoured.
    pub is_repeatable: bool,
    /// Whether it changes something, where its method says otherwise.
    pub changes: Option<bool>,
}

/// A status, and the codes of problems that come with it.
pub type Codes = (u16, &'static [&'static str]);

/// The body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// None; what is sent is not read.
    None,
    /// JSON of a type.
    Json(&'static str),
    /// A stack's document: bare, or in an envelope.
    Document,
    /// A saved plan.
    SavedPlan,
    /// Frames of a log, one JSON object a line.
    Frames,
    /// A call of the store.
    StoreCall,
}

/// An answer when all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// JSON of a type.
    Json(u16, &'static str),
    /// JSON of one of two types.
    Either(u16, &'static str, &'static str),
    /// The same, and a `Location` where to look how it goes, or what was made.
    At(u16, &'static str),
    /// JSON of no type that is told here.
    Opaque(u16),
    /// Nothing.
    Empty(u16),
    /// A text of the content type.
    Text(u16, &'static str),
    /// An upgrade to a WebSocket.
    WebSocket,
}

impl Operation {
    const fn new(method: &'static str, path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self {
            method,
            path,
            id,
            tag: "",
            summary,
            description: "",
            query: &[],
            body: Body::None,
            answers: &[],
            own_problems: &[],
            is_repeatable: false,
            changes: None,
        }
    }

    pub(super) const fn get(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("GET", path, id, summary)
    }

    /// A `POST` whose answer can be asked for again with its `Idempotency-Key`.
    pub(super) const fn post(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self { is_repeatable: true, ..Self::new("POST", path, id, summary) }
    }

    /// A `POST` of the agents' protocol, which repeats by ids of its own.
    pub(super) const fn call(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("POST", path, id, summary)
    }

    pub(super) const fn put(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("PUT", path, id, summary)
    }

    pub(super) const fn patch(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("PATCH", path, id, summary)
    }

    pub(super) const fn delete(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("DELETE", path, id, summary)
    }

    pub(super) const fn of(self, tag: &'static str) -> Self {
        Self { tag, ..self }
    }

    pub(super) const fn about(self, description: &'static str) -> Self {
        Self { description, ..self }
    }

    pub(super) const fn query(self, query: &'static [&'static str]) -> Self {
        Self { query, ..self }
    }

    pub(super) const fn takes(self, body: Body) -> Self {
        Self { body, ..self }
    }

    pub(super) const fn answers(self, answers: &'static [Answer]) -> Self {
        Self { answers, ..self }
    }

    pub(super) const fn fails(self, own_problems: &'static [Codes]) -> Self {
        Self { own_problems, ..self }
    }

    /// One that changes nothing, although its method does elsewhere.
    pub(super) const fn changes_nothing(self) -> Self {
        Self { changes: Some(false), ..self }
    }

    /// One of the agents' protocol that is more than work on tasks.
    pub(super) const fn changes_something(self) -> Self {
        Self { changes: Some(true), ..self }
    }

    /// Whether it changes something that people want to know of: each time it is an entry of the audit. What agents tell of their tasks is
    /// none: that is told by events.
    pub fn is_change(&self) -> bool {
        let is_agents = || matches!(self.needs(), Needs::Agent | Needs::AgentOrViewer | Needs::AgentOfTask);
        self.changes.unwrap_or_else(|| self.method != "GET" && !self.is_counted() && !is_agents())
    }

    /// Whether calls of it are entries of the audit by their number alone: the store's, by other control planes, of which each has an
    /// audit of its own.
    pub fn is_counted(&self) -> bool {
        self.body == Body::StoreCall
    }

    /// Who may use it.
    pub fn needs(&self) -> Needs {
        needs(&Method::from_bytes(self.method.as_bytes()).unwrap_or_default(), self.path)
    }

    /// The names in its path.
    pub fn path_parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }

    /// Every status other than those of its answers, with the codes of its problems: what is its own, what every
    /// operation that reads a query or a body can say, what the gate says and what the store says. Sorted.
    pub fn problems(&self) -> std::collections::BTreeMap<u16, Vec<&'static str>> {
        let mut all: Vec<Codes> = self.own_problems.to_vec();
        let is_of_api = self.path.starts_with("/api/");
        if self.needs() != Needs::Nobody {
            all.extend([(401, &["token-missing", "token-unknown"][..]), (403, &["not-allowed", "not-granted"])]);
            all.extend([(500, &["internal", "store-corrupt"][..]), (503, &["store-unavailable", "stopping"])]);
        }
        // Who finds no place, and who changes too much at a time.
        let method = Method::from_bytes(self.method.as_bytes()).unwrap_or_default();
        if let Some(kind) = Kind::of(&method, self.path) {
            all.push((503, &["overloaded"]));
            if kind.may_change() {
                all.push((429, &["too-many-changes"]));
            }
        }
        // The agents' protocol has versions.
        if matches!(self.needs(), Needs::Agent | Needs::AgentOrViewer | Needs::AgentOfTask) {
            all.extend([(400, &["wrong-header"][..]), (426, &["agent-too-old", "server-too-old"])]);
        }
        if !self.query.is_empty() {
            all.push((400, &["bad-query"]));
        }
        if self.path_parameters().next().is_some() {
            // Bytes that are no UTF-8.
            all.push((400, &["bad-request"]));
        }
        if self.is_repeatable && is_of_api {
            all.push((400, &["bad-idempotency-key"]));
            if self.body != Body::None {
                all.push((422, &["idempotency-key-reused"]));
            }
        }
        match self.body {
            Body::None | Body::Frames => {}
            Body::Document => all.extend([
                (400, &["broken-body"][..]),
                (408, &["too-slow"]),
                (413, &["too-large"]),
                (422, &["invalid-document"]),
            ]),
            Body::SavedPlan => all.extend([
                (400, &["broken-body"][..]),
                (408, &["too-slow"]),
                (413, &["too-large"]),
                (422, &["not-a-plan", "plan-cut-off", "plan-too-new", "plan-changed"]),
            ]),
            Body::Json(_) | Body::StoreCall => all.extend([
                (400, &["not-json", "broken-body"][..]),
                (408, &["too-slow"]),
                (413, &["too-large"]),
                (422, &["wrong-shape"]),
            ]),
        }
        if self.method != "GET" && is_of_api {
            all.push((507, &["store-full"]));
        }
        let mut codes = std::collections::BTreeMap::<u16, Vec<&'static str>>::new();
        for (status, more) in all {
            let known = codes.entry(status).or_default();
            more.iter().for_each(|code| {
                if !known.contains(code) {
                    known.push(code);
                }
            });
        }
        codes
    }
}
