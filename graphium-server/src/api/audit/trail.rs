//! What goes into the audit, and how it comes there: from the gate, which knows who asks, and who was refused.

use super::refusals::{MINUTE, Refusals};
use crate::{
    api::{
        Peer,
        around::Within,
        metrics::Metrics,
        openapi::{self, Operation},
        problem::Problem,
    },
    auth::Identity,
    stop::Stop,
    traces,
};
use axum::{
    extract::{RawPathParams, Request},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use graphium_core::{
    control::{AuditActor, AuditEntry, AuditObject, Control},
    environment::Environment,
    id::DeploymentId,
};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long an answer may be held up by its entry.
const PATIENCE: Duration = Duration::from_secs(5);
/// Calls of the store by other control planes are many: those of an hour are one.
const HOUR: Duration = Duration::from_secs(3600);
/// Characters of a name that are kept.
const LONGEST: usize = 200;

/// Writes the audit.
#[derive(Debug)]
pub(crate) struct Trail {
    control: Arc<Control>,
    environment: Arc<dyn Environment>,
    stop: Stop,
    metrics: Arc<Metrics>,
    refusals: Mutex<Refusals>,
    /// Whether somebody waits to tell of those that were counted.
    is_watched: Mutex<bool>,
}

/// In the extensions of an answer: what its entry says of it.
#[derive(Clone, Default)]
pub(crate) struct Told {
    pub(crate) who: Option<AuditActor>,
    pub(crate) on: Option<AuditObject>,
}

impl Told {
    /// What an answer says besides, whoever has said something before.
    pub(crate) fn of(response: &mut Response) -> &mut Self {
        response.extensions_mut().get_or_insert_default()
    }
}

impl From<&Identity> for AuditActor {
    fn from(identity: &Identity) -> Self {
        let Identity { role, name, user, token, .. } = identity;
        Self { name: shown(name), user: user.clone(), token: Some(token.id.clone()), role: Some(*role) }
    }
}

/// A text that was sent, as it may be kept: short, and never what has the form of a token.
pub(crate) fn shown(text: &str) -> String {
    if text.contains("gph_") {
        return "gph_…".to_owned();
    }
    text.chars().take(LONGEST).collect()
}

/// What a request is about to do.
pub(crate) struct Deed {
    operation: Option<&'static Operation>,
    /// The operation's id and method.
    name: &'static str,
    method: &'static str,
    from: Option<IpAddr>,
    pub(crate) on: Option<AuditObject>,
    /// Who, as the gate knows it.
    pub(crate) who: Option<AuditActor>,
}

/// The operation of a route, and whether it changes anything.
fn operation(method: &Method, route: &str) -> Option<&'static Operation> {
    static TABLE: LazyLock<HashMap<(&str, &str), &'static Operation>> = LazyLock::new(|| {
        openapi::operations().map(|operation| ((operation.method, operation.path), operation)).collect()
    });
    let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
    TABLE.get(&(method, route)).copied()
}

fn is_refusal(status: u16) -> bool {
    matches!(status, 401 | 403 | 429)
}

/// `stack` for what is below `/api/v1/stacks`.
pub(crate) fn kind_of(route: &str) -> &str {
    let route = route.strip_prefix("/api/v1/").unwrap_or(route);
    let first = route.split('/').next().unwrap_or_default();
    // What an agent is bound to is its host.
    if first == "agents" { "host" } else { first.strip_suffix('s').unwrap_or(first) }
}

impl Deed {
    /// What a request to a route is about to do.
    pub(crate) fn of(route: &str, path: &RawPathParams, request: &Request) -> Box<Self> {
        let operation = operation(request.method(), route);
        let (name, method) = operation.map_or(("", ""), |operation| (operation.id, operation.method));
        let from = request.extensions().get::<Peer>().map(|peer| peer.0.ip().to_canonical());
        let mut deed = Box::new(Self { operation, name, method, from, on: None, who: None });
        if deed.is_change() {
            let parts: Vec<&str> = path.iter().map(|(_, part)| part).collect();
            deed.on = (!parts.is_empty()).then(|| AuditObject::new(kind_of(route), shown(&parts.join("/"))));
        }
        deed
    }

    /// Something that was done elsewhere than at a route of the API.
    pub(crate) fn new(name: &'static str, from: Option<IpAddr>) -> Self {
        Self { operation: None, name, method: "POST", from, on: None, who: None }
    }

    /// Whether it is an entry, however it is answered.
    pub(crate) fn is_change(&self) -> bool {
        self.operation.is_some_and(Operation::is_change)
    }

    /// Whether it is an entry or counted, however it is answered.
    pub(crate) fn is_told(&self) -> bool {
        self.operation.is_some_and(|operation| operation.is_change() || operation.is_counted())
    }

    /// Whether it is among those that are counted, when it is answered so.
    pub(crate) fn is_counted(&self, status: StatusCode) -> bool {
        self.operation.is_some_and(|operation| is_refusal(status.as_u16()) || operation.is_counted())
    }

    /// The entry of a deed that was answered so.
    fn entry(self, response: &mut Response) -> AuditEntry {
        let Self { name, method, from, on, who: known, .. } = self;
        let Told { who, on: told } = response.extensions_mut().remove().unwrap_or_default();
        let status = response.status().as_u16();
        let code = response.extensions().get::<Problem>().map(|problem| problem.code.to_string());
        let place = response.headers().get(header::LOCATION).and_then(|place| place.to_str().ok());
        let place = place.and_then(|place| place.strip_prefix("/api/v1/"));
        let made = place.and_then(|place| match place.strip_prefix("stacks/jsonld/deployments/") {
            Some(_) => None,
            None => place.split_once('/'),
        });
        let decoded = |text: &str| shown(&percent_decode_str(text).decode_utf8_lossy());
        AuditEntry {
            seq: 0,
            timestamp: Timestamp::UNIX_EPOCH,
            who: who.or(known).unwrap_or_else(AuditActor::anonymous),
            from,
            operation: name.to_owned(),
            method: method.to_owned(),
            on: told.or(on).or_else(|| made.map(|(kind, id)| AuditObject::new(kind_of(kind), decoded(id)))),
            program: None,
            status,
            code,
            deployment: place
                .and_then(|place| place.strip_prefix("stacks/jsonld/deployments/"))
                .map(|id| DeploymentId::new(decoded(id))),
            times: 1,
        }
    }
}

impl Trail {
    pub(in crate::api) fn new(
        control: Arc<Control>,
        environment: Arc<dyn Environment>,
        stop: Stop,
        metrics: Arc<Metrics>,
    ) -> Self {
        let refusals = Mutex::default();
        Self { control, environment, stop, metrics, refusals, is_watched: Mutex::default() }
    }

    /// Writes an entry. One that cannot be written is in the server's log, and is counted.
    pub(crate) async fn tell(&self, entry: AuditEntry) {
        let written = tokio::time::timeout(PATIENCE, self.control.record_audit(entry.clone())).await;
        let reason = match written {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("the store did not take it within {PATIENCE:?}; it may be there"),
        };
        self.metrics.audit_lost();
        let entry = serde_json::to_string(&entry).unwrap_or_default();
        tracing::error!(%entry, "an entry of the audit cannot be written: {reason}");
    }

    /// Does what changes something: to its end, and into the audit, also when whoever asked has gone.
    pub(crate) async fn change(self: Arc<Self>, deed: Box<Deed>, request: Request, within: Within) -> Response {
        let broken = || Problem::new(500, "internal", "the server made a mistake; its log says where").into_response();
        let done = tokio::spawn(traces::here(async move {
            let mut response = tokio::spawn(traces::here(within.answer(request))).await.unwrap_or_else(|_| broken());
            let status = response.status().as_u16();
            // What anybody may ask is counted where it fails.
            let is_open = deed.who.is_none();
            if is_refusal(status) || (is_open && status >= 400) {
                self.count(*deed, &mut response).await;
            } else {
                self.tell(deed.entry(&mut response)).await;
            }
            response
        }));
        done.await.unwrap_or_else(|_| broken())
    }

    /// Something that was done by other ways than a route of the API, with its answer.
    pub(crate) async fn note(self: &Arc<Self>, deed: Deed, response: &mut Response) {
        if response.status().as_u16() >= 400 {
            self.count(deed, response).await;
        } else {
            self.tell(deed.entry(response)).await;
        }
    }

    /// Begins the session of somebody in a container.
    pub(crate) async fn command(&self, who: AuditActor, from: Option<IpAddr>, container: &str, program: &str) {
        let entry = AuditEntry {
            seq: 0,
            timestamp: Timestamp::UNIX_EPOCH,
            who,
            from,
            operation: "runCommand".to_owned(),
            method: "GET".to_owned(),
            on: Some(AuditObject::new("container", shown(container))),
            program: Some(shown(program)),
            status: 101,
            code: None,
            deployment: None,
            times: 1,
        };
        self.tell(entry).await;
    }

    /// Counts what there may be many of, and tells of the first of its kind.
    pub(crate) async fn count(self: &Arc<Self>, deed: Deed, response: &mut Response) {
        let span = if deed.operation.is_some_and(Operation::is_counted) { HOUR } else { MINUTE };
        let entry = deed.entry(response);
        let told = self.refusals().note(entry, span, self.environment.elapsed());
        self.watch();
        if let Some(entry) = told {
            self.tell(entry).await;
        }
    }

    fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that those that were counted are told of when their time is over, or the server ends.
    fn watch(self: &Arc<Self>) {
        let mut is_watched = self.is_watched.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *is_watched, true) {
            return;
        }
        drop(is_watched);
        let trail = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                let wait = {
                    let mut is_watched = trail.is_watched.lock().unwrap_or_else(PoisonError::into_inner);
                    match trail.refusals().next() {
                        Some(until) => until.saturating_sub(trail.environment.elapsed()),
                        None => {
                            *is_watched = false;
                            return;
                        }
                    }
                };
                let mut stop = trail.stop.clone();
                let are_all = tokio::select! {
                    () = stop.stopped() => true,
                    () = tokio::time::sleep(wait) => false,
                };
                let told = trail.refusals().over(trail.environment.elapsed(), are_all);
                for entry in told {
                    trail.tell(entry).await;
                }
                if are_all {
                    return;
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_route_is_about_has_a_name_and_no_text_of_a_token_is_kept() {
        for (route, kind) in [
            ("/api/v1/stacks/{id}/stop", "stack"),
            ("/api/v1/hosts/{id}", "host"),
            ("/api/v1/agents/{id}/credential", "host"),
            ("/api/v1/orphans/{host}/{container}", "orphan"),
            ("tokens", "token"),
        ] {
            assert_eq!(kind_of(route), kind);
        }
        assert_eq!(shown("gph_0123"), "gph_…");
        assert_eq!(shown(&"ä".repeat(500)).chars().count(), LONGEST);
    }
}
