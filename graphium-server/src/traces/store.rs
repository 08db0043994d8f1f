//! The store as requests use it: how long its transactions take, and which deployments begin and end in them.

use super::{
    deployment::{Deployments, deployment},
    is_traced, name, number, tracer,
};
use async_trait::async_trait;
use graphium_core::{
    control::Control,
    event::Event,
    id::TaskId,
    store::{
        Acted, ClaimRequest, Cut, Key, Page, Pruned, Record, RecordQuery, Session, SessionRequest, StoreError,
        Submission, Submitted, TaskQuery, TaskStore,
    },
    task::{Input, Lease, Task},
};
use jiff::Timestamp;
use opentelemetry::{
    Context, KeyValue,
    trace::{FutureExt as _, Link, SpanKind, Status, TraceContextExt as _, Tracer as _},
};
use std::{sync::Arc, time::SystemTime};

/// The store, watched.
pub(crate) fn watched(store: Arc<dyn TaskStore>) -> Arc<dyn TaskStore> {
    Arc::new(TracedStore(store))
}

/// Has plans told of, as parts of the requests that ask for them.
pub(crate) fn tell_plans(control: &Control) {
    control.tell_plans_to(|planned| {
        let asked = Context::current();
        if is_traced(&asked) {
            let tracer = tracer();
            let begun = SystemTime::now().checked_sub(planned.took).unwrap_or(SystemTime::UNIX_EPOCH);
            let facts = [name("graphium.stack.id", planned.stack.as_str()), number("graphium.tasks", planned.tasks)];
            // It ends with this.
            drop(
                tracer
                    .span_builder("plan")
                    .with_start_time(begun)
                    .with_attributes(facts)
                    .start_with_context(&tracer, &asked),
            );
        }
    });
}

#[derive(Debug)]
struct TracedStore(Arc<dyn TaskStore>);

/// Does something to the store within a span of its own, where a request asks for it.
async fn within<T>(
    what: &'static str,
    facts: Vec<KeyValue>,
    links: Vec<Link>,
    asked: &Context,
    done: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    if !is_traced(asked) {
        return done.await;
    }
    let tracer = tracer();
    let span = tracer.span_builder(what).with_kind(SpanKind::Internal).with_attributes(facts).with_links(links);
    let context = asked.with_span(span.start_with_context(&tracer, asked));
    let result = done.with_context(context.clone()).await;
    let span = context.span();
    if let Err(error) = &result {
        span.set_attribute(KeyValue::new("error.type", kind(error)));
        span.set_status(Status::error(""));
    }
    span.end();
    result
}

/// What kind of error it is. Its words may hold more than a span should.
fn kind(error: &StoreError) -> &'static str {
    match error {
        StoreError::Conflict { .. } => "conflict",
        StoreError::Unavailable(_) => "unavailable",
        StoreError::Full(_) => "full",
        StoreError::NotFound { .. } => "not-found",
        _ => "refused",
    }
}

#[async_trait]
impl TaskStore for TracedStore {
    async fn submit(&self, submission: Submission, now: Timestamp) -> Result<Submitted, StoreError> {
        let deployments = Deployments::of(&submission, now);
        let asked = Context::current();
        let since = SystemTime::now();
        let facts = vec![
            number("graphium.store.records", submission.records.len()),
            number("graphium.store.tasks", submission.tasks.len()),
        ];
        let links = deployments.begun().map(|id| Link::with_context(deployment(id))).collect();
        for id in deployments.begun() {
            asked.span().set_attribute(name("graphium.deployment.id", id));
        }
        let submitted = within("store submit", facts, links, &asked, self.0.submit(submission, now)).await?;
        if !submitted.repeated {
            deployments.tell_begun(&asked, since);
            deployments.tell_ended(now);
        }
        Ok(submitted)
    }

    async fn act(&self, task: &TaskId, input: Input, now: Timestamp) -> Result<Acted, StoreError> {
        let facts = vec![name("graphium.task.id", task.as_str())];
        within("store act", facts, Vec::new(), &Context::current(), self.0.act(task, input, now)).await
    }

    async fn open_session(&self, request: SessionRequest, now: Timestamp) -> Result<Session, StoreError> {
        self.0.open_session(request, now).await
    }

    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Task>, StoreError> {
        self.0.claim(request, now).await
    }

    async fn renew(&self, leases: &[Lease], expires_at: Timestamp) -> Result<Vec<Task>, StoreError> {
        self.0.renew(leases, expires_at).await
    }

    async fn expire(&self, now: Timestamp) -> Result<Acted, StoreError> {
        self.0.expire(now).await
    }

    async fn next_wakeup(&self) -> Result<Option<Timestamp>, StoreError> {
        self.0.next_wakeup().await
    }

    fn is_shared(&self) -> bool {
        self.0.is_shared()
    }

    async fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.0.record(key).await
    }

    async fn records(&self, query: &RecordQuery) -> Result<Page<Record>, StoreError> {
        self.0.records(query).await
    }

    async fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        self.0.task(id).await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>, StoreError> {
        self.0.tasks(query).await
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.0.events(after, limit).await
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        self.0.last_event().await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.0.ready().await
    }

    async fn prune(&self, cut: &Cut) -> Result<Option<Pruned>, StoreError> {
        self.0.prune(cut).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{executor::block_on, future::LocalBoxFuture};
    use graphium_core::{
        store::MemoryStore,
        testing::store_suite::{CASES, Harness, Stop, Verdict},
    };
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

    /// What a request that is traced finds, over the store that lacks least.
    struct Traced;

    #[async_trait(?Send)]
    impl Harness for Traced {
        async fn fresh(&self) -> Result<Arc<dyn TaskStore>, Stop> {
            Ok(watched(Arc::new(MemoryStore::new())))
        }

        fn block_on(&self, case: LocalBoxFuture<'_, Verdict>) -> Verdict {
            let (trace, span) = (TraceId::from(7), SpanId::from(7));
            let asked = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::default());
            let _asked = Context::new().with_remote_span_context(asked).attach();
            assert!(is_traced(&Context::current()));
            block_on(case)
        }
    }

    graphium_core::store_suite!(Traced);

    #[test]
    fn what_the_store_can_do_it_can_do_watched() {
        let lacking = |harness: &dyn Harness| -> Vec<String> {
            CASES.iter().filter_map(|case| case.run(harness).err()).map(|stop| format!("{stop:?}")).collect()
        };
        struct Bare;
        #[async_trait(?Send)]
        impl Harness for Bare {
            async fn fresh(&self) -> Result<Arc<dyn TaskStore>, Stop> {
                Ok(Arc::new(MemoryStore::new()))
            }
        }
        assert_eq!(lacking(&Traced), lacking(&Bare));
    }
}
