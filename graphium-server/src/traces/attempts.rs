//! What an agent does: an attempt of a task is a span in its deployment's trace.

use super::{deployment::within, is_traced, name, tracer};
use async_trait::async_trait;
use graphium_core::{
    agent::{AgentLink, AttemptEnd, ClaimCall, Held, HostReport, LinkError, Notice, RenewCall, SessionGrant},
    id::{HostId, TaskId},
    secret::SecretText,
    store::SessionRequest,
    stream::StreamLink,
    task::{Lease, Outcome, Task},
};
use opentelemetry::{
    Context, KeyValue,
    trace::{FutureExt as _, SpanKind, Status, TraceContextExt as _, Tracer as _},
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Attempts at once that are followed, more than an agent has.
const MOST: usize = 256;

/// Attempts that have ended and may not have been reported yet.
const UNREPORTED: usize = 64;

/// The spans of an agent's attempts, from what it [says of itself](graphium_core::agent::AgentSettings::notify).
#[derive(Debug)]
pub struct Attempts {
    host: HostId,
    followed: Mutex<Followed>,
}

/// A task and the number of its attempt.
type Attempt = (TaskId, u32);

#[derive(Debug, Default)]
struct Followed {
    under_way: BTreeMap<Attempt, Context>,
    /// The latest at the end.
    ended: VecDeque<(Attempt, Context)>,
}

impl Attempts {
    /// Those of a host's agent.
    pub fn new(host: HostId) -> Self {
        Self { host, followed: Mutex::default() }
    }

    /// Takes in what the agent says.
    pub fn note(&self, notice: &Notice) {
        match notice {
            Notice::Began { id, task, subject, attempt, deployment, stack } => {
                let trace = deployment.as_ref().map_or_else(Context::new, |deployment| within(deployment.as_str()));
                let mut facts = vec![
                    name("graphium.host.id", self.host.as_str()),
                    name("graphium.task.id", id.as_str()),
                    KeyValue::new("graphium.task.type", task.as_str()),
                    name("graphium.task.subject", subject),
                    KeyValue::new("graphium.task.attempt", i64::from(*attempt)),
                ];
                facts.extend(deployment.as_ref().map(|id| name("graphium.deployment.id", id.as_str())));
                facts.extend(stack.as_ref().map(|id| name("graphium.stack.id", id.as_str())));
                let tracer = tracer();
                let span = tracer.span_builder(format!("attempt {task}")).with_kind(SpanKind::Consumer);
                let context = trace.with_span(span.with_attributes(facts).start_with_context(&tracer, &trace));
                let mut followed = self.followed();
                if is_traced(&context) && followed.under_way.len() < MOST {
                    followed.under_way.insert((id.clone(), *attempt), context);
                }
            }
            Notice::Ended { id, attempt, end, .. } => {
                let attempt = (id.clone(), *attempt);
                let mut followed = self.followed();
                let Some(context) = followed.under_way.remove(&attempt) else { return };
                let span = context.span();
                let outcome = match end {
                    AttemptEnd::Completed => "completed",
                    AttemptEnd::Failed(code) => {
                        span.set_attribute(name("error.type", code));
                        span.set_status(Status::error(""));
                        "failed"
                    }
                    AttemptEnd::Cancelled => "cancelled",
                    AttemptEnd::Stopped => "stopped",
                };
                span.set_attribute(KeyValue::new("graphium.task.outcome", outcome));
                span.end();
                followed.ended.push_back((attempt, context));
                if followed.ended.len() > UNREPORTED {
                    followed.ended.pop_front();
                }
            }
            _ => {}
        }
    }

    /// The link to the server, which tells that of whose attempts it hears.
    pub fn link<L>(self: &Arc<Self>, link: L) -> TracedLink<L> {
        TracedLink { link, attempts: Arc::clone(self) }
    }

    /// The span of the attempt that a lease is for, or nothing where it is not known.
    fn of(&self, lease: &Lease) -> Context {
        let attempt = (lease.task.clone(), lease.attempt);
        let followed = self.followed();
        let ended = || followed.ended.iter().rev().find(|(ended, _)| *ended == attempt).map(|(_, context)| context);
        followed.under_way.get(&attempt).or_else(ended).cloned().unwrap_or_default()
    }

    fn followed(&self) -> MutexGuard<'_, Followed> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An [`AgentLink`] that asks for secrets, and reports, within the spans of the attempts.
#[derive(Debug)]
pub struct TracedLink<L> {
    link: L,
    attempts: Arc<Attempts>,
}

#[async_trait]
impl<L: AgentLink> AgentLink for TracedLink<L> {
    async fn open_session(&self, request: &SessionRequest) -> Result<SessionGrant, LinkError> {
        self.link.open_session(request).await
    }

    async fn claim(&self, call: &ClaimCall) -> Result<Vec<Task>, LinkError> {
        self.link.claim(call).await
    }

    async fn renew(&self, call: &RenewCall) -> Result<Vec<Held>, LinkError> {
        self.link.renew(call).await
    }

    async fn report(&self, lease: &Lease, outcome: &Outcome) -> Result<(), LinkError> {
        self.link.report(lease, outcome).with_context(self.attempts.of(lease)).await
    }

    async fn observe(&self, report: &HostReport) -> Result<(), LinkError> {
        self.link.observe(report).await
    }

    async fn secrets(&self, lease: &Lease) -> Result<BTreeMap<String, Option<SecretText>>, LinkError> {
        self.link.secrets(lease).with_context(self.attempts.of(lease)).await
    }

    fn stream_links(&self) -> Vec<Arc<dyn StreamLink>> {
        self.link.stream_links()
    }
}
