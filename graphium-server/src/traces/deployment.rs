//! The trace of a deployment: everybody who knows its id knows the ids of that, too.

use super::{name, number, tracer};
use graphium_core::store::{Expect, Kind, RecordWrite, Submission};
use jiff::Timestamp;
use opentelemetry::{
    Context, KeyValue,
    trace::{
        Link, Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
        Tracer as _,
    },
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SamplingResult, ShouldSample};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::{cell::Cell, time::SystemTime};
use uuid::Uuid;

/// Where the spans of a deployment belong: its trace, and the span that stands for all of it.
///
/// The trace has the deployment's UUID for its id, so that one is found by the other: `deployment:0198c5b2-…` is the trace `0198c5b2…`.
/// An id with no UUID in it is hashed.
pub fn deployment(id: &str) -> SpanContext {
    let digest = Sha256::digest(id);
    let part = |from: usize| digest[from..].iter().take(8).fold(0, |bits: u64, byte| (bits << 8) | u64::from(*byte));
    let uuid = Uuid::parse_str(id.rsplit(':').next().unwrap_or(id)).ok().filter(|uuid| !uuid.is_nil());
    let trace = uuid.map_or_else(|| (u128::from(part(0)) << 64) | u128::from(part(8)), |uuid| uuid.as_u128());
    SpanContext::new(
        TraceId::from(trace),
        // No hash is nothing but zeros, in all likelihood; such an id would be none.
        SpanId::from(part(16).max(1)),
        TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    )
}

/// A context in which spans are a deployment's.
pub(super) fn within(id: &str) -> Context {
    Context::new().with_remote_span_context(deployment(id))
}

thread_local! {
    /// What the next span on this thread is to be called.
    static NEXT: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

/// Random ids, but for the one span of each deployment that stands for all of it. A tracer provider with other ids gives that span a trace
/// of its own.
#[derive(Debug, Default)]
pub struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        NEXT.get().map_or_else(|| self.0.new_trace_id(), |(trace, _)| trace)
    }

    fn new_span_id(&self) -> SpanId {
        NEXT.get().map_or_else(|| self.0.new_span_id(), |(_, span)| span)
    }
}

/// The environment's sampler, which decides on the span that stands for all of a deployment as on those below it.
#[derive(Clone, Debug)]
pub(super) struct Sampling(pub(super) Box<dyn ShouldSample>);

impl ShouldSample for Sampling {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        facts: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let as_below = NEXT.get().map(|(trace, span)| {
            let own = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::default());
            Context::new().with_remote_span_context(own)
        });
        self.0.should_sample(as_below.as_ref().or(parent), trace, name, kind, facts, links)
    }
}

/// What a submission says of deployments.
#[derive(Default)]
pub(super) struct Deployments {
    begun: Vec<RecordWrite>,
    ended: Vec<RecordWrite>,
}

impl Deployments {
    /// Deployments that are stored for the first time, and those that have ended just now.
    pub(super) fn of(submission: &Submission, now: Timestamp) -> Self {
        let mut found = Self::default();
        for write in submission.records.iter().filter(|write| write.key.kind == Kind::Deployment) {
            let Some(body) = &write.body else { continue };
            let completed = body["completedAt"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
            if completed == Some(now) {
                found.ended.push(write.clone());
            } else if write.expect == Expect::Absent {
                found.begun.push(write.clone());
            }
        }
        found
    }

    pub(super) fn begun(&self) -> impl Iterator<Item = &str> {
        self.begun.iter().map(|write| write.key.id.as_str())
    }

    /// Tells of those that were stored, each in its own trace, by whose request that was.
    pub(super) fn tell_begun(&self, asked: &Context, since: SystemTime) {
        let tracer = tracer();
        for write in &self.begun {
            let span = tracer.span_builder("deployment accepted").with_start_time(since).with_attributes(facts(write));
            let mut span = span.start_with_context(&tracer, &within(&write.key.id));
            let request = asked.span().span_context().clone();
            if request.is_valid() {
                span.add_link(request, Vec::new());
            }
        }
    }

    /// Tells of those that have ended, from their beginning on.
    pub(super) fn tell_ended(&self, now: Timestamp) {
        let tracer = tracer();
        for write in &self.ended {
            let Some(body) = &write.body else { continue };
            let begun = body["startedAt"].as_str().and_then(|text| text.parse::<Timestamp>().ok()).unwrap_or(now);
            let mut facts = facts(write);
            let status = body["status"].as_str().unwrap_or_default();
            facts.push(name("graphium.deployment.status", status));
            let ids = deployment(&write.key.id);
            let span =
                tracer.span_builder("deployment").with_start_time(SystemTime::from(begun)).with_attributes(facts);
            NEXT.set(Some((ids.trace_id(), ids.span_id())));
            let mut span = span.start_with_context(&tracer, &Context::new());
            NEXT.set(None);
            if status == "error" {
                span.set_status(Status::error(""));
            }
            span.end_with_timestamp(SystemTime::from(now));
        }
    }
}

/// Ids and words of ours: no document, no error's text.
fn facts(write: &RecordWrite) -> Vec<KeyValue> {
    let body = write.body.as_deref().unwrap_or(&Value::Null);
    let text = |key: &str| body[key].as_str().unwrap_or_default();
    let tasks = body["taskCount"].as_u64().and_then(|tasks| usize::try_from(tasks).ok()).unwrap_or_default();
    vec![
        name("graphium.deployment.id", &write.key.id),
        name("graphium.deployment.kind", text("kind")),
        name("graphium.stack.id", text("stackId")),
        number("graphium.tasks", tasks),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployments_uuid_is_the_id_of_its_trace() {
        let known = deployment("deployment:0198c5b2-7f3a-7d21-9f00-1c2d3e4f5a6b");
        assert_eq!(known.trace_id().to_string(), "0198c5b27f3a7d219f001c2d3e4f5a6b");
        assert!(known.is_valid() && known.is_sampled() && known.is_remote());
        assert_eq!(deployment("deployment:0198c5b2-7f3a-7d21-9f00-1c2d3e4f5a6b"), known, "everybody finds the same");
    }

    #[test]
    fn a_deployment_is_told_of_as_what_is_below_it_is() {
        use opentelemetry_sdk::trace::{Sampler, SamplingDecision};
        let (trace, span) = (TraceId::from(1), SpanId::from(2));
        let asked = |sampler: Sampler| {
            Sampling(Box::new(sampler)).should_sample(None, trace, "", &SpanKind::Internal, &[], &[]).decision
        };
        let requests_alone = || Sampler::ParentBased(Box::new(Sampler::AlwaysOff));
        assert_eq!(asked(requests_alone()), SamplingDecision::Drop, "a request");
        NEXT.set(Some((trace, span)));
        let (some, none) = (asked(requests_alone()), asked(Sampler::AlwaysOff));
        NEXT.set(None);
        assert_eq!((some, none), (SamplingDecision::RecordAndSample, SamplingDecision::Drop));
    }

    #[test]
    fn whatever_its_id_a_deployment_has_a_trace() {
        let mut seen = std::collections::BTreeSet::new();
        for id in ["", "deployment:", "deployment:shop", "deployment:00000000-0000-0000-0000-000000000000"] {
            let found = deployment(id);
            assert!(found.is_valid(), "{id}");
            assert!(seen.insert(found.trace_id().to_string()), "{id} shares its trace");
        }
    }
}
