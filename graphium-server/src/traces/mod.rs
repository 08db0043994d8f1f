//! Traces over OTLP, with the feature `otel`: what a request, a deployment and an attempt of a task took.
//!
//! Spans go to the tracer provider that the program has set ([`opentelemetry::global`](https://docs.rs/opentelemetry/latest/opentelemetry/global/index.html)),
//! so a program that embeds the server has them among its own. The `graphium` program sets one with [`Exporting::begin`], where the
//! environment names a collector. Without the feature nothing of this does anything, and nothing is linked in.
//!
//! A deployment has a trace of its own, whose id anybody can tell who knows the deployment's ([`deployment`]): so the servers and the
//! agents of its hosts need not tell each other of it, and none has to remember it. Which spans there are, and what is in them, stands in
//! `docs/traces.md`.

#[cfg(feature = "otel")]
mod attempts;
#[cfg(feature = "otel")]
mod deployment;
#[cfg(feature = "otel")]
mod export;
#[cfg(not(feature = "otel"))]
mod off;
#[cfg(feature = "otel")]
mod otlp;
#[cfg(feature = "otel")]
mod requests;
#[cfg(feature = "otel")]
mod store;
#[cfg(feature = "otel")]
mod target;

#[cfg(feature = "otel")]
pub use self::{
    attempts::{Attempts, TracedLink},
    deployment::{Ids, deployment},
    export::Exporting,
    target::{Target, WrongTarget},
};
#[cfg(feature = "otel")]
pub(crate) use self::{
    requests::{follow, hand_on, here},
    store::{tell_plans, watched},
};

#[cfg(not(feature = "otel"))]
pub use self::off::{Attempts, Exporting};
#[cfg(not(feature = "otel"))]
pub(crate) use self::off::{follow, hand_on, here, tell_plans, watched};

#[cfg(feature = "otel")]
use opentelemetry::{
    Context, KeyValue,
    global::{self, BoxedTracer},
};

/// Whose spans these are.
#[cfg(feature = "otel")]
fn tracer() -> BoxedTracer {
    let scope = opentelemetry::InstrumentationScope::builder("graphium").with_version(env!("CARGO_PKG_VERSION"));
    global::tracer_with_scope(scope.build())
}

/// A name in a span: shortened, and never what has the form of a token.
#[cfg(feature = "otel")]
fn name(key: &'static str, text: &str) -> KeyValue {
    KeyValue::new(key, crate::api::audit::shown(text))
}

#[cfg(feature = "otel")]
fn number(key: &'static str, number: usize) -> KeyValue {
    KeyValue::new(key, i64::try_from(number).unwrap_or(i64::MAX))
}

/// Whether what goes on here belongs to a span that somebody will see.
#[cfg(feature = "otel")]
fn is_traced(context: &Context) -> bool {
    use opentelemetry::trace::TraceContextExt as _;
    context.span().span_context().is_sampled()
}
