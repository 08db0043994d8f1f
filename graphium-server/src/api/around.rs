//! What is around a route, as axum's `from_fn` has it, for what waits.
//!
//! A thousand agents wait for minutes each, and within `from_fn` every layer keeps the room of a request or two meanwhile, more than a
//! kilobyte. Here a layer is a plain function: what its future holds is what it has named.

use axum::{extract::Request, response::Response, routing::Route};
use futures::{FutureExt as _, future::BoxFuture, future::Map};
use std::{
    convert::Infallible,
    task::{Context, Poll},
};
use tower::{Layer, Service};

/// A layer: called with each request and what is within, it answers.
#[derive(Clone)]
pub(crate) struct Around<F>(pub(crate) F);

/// What answers within a layer.
#[derive(Clone)]
pub(crate) struct Within(Route);

impl Within {
    /// Answers a request, which is held no longer than the route needs it.
    pub(crate) fn answer(mut self, request: Request) -> BoxFuture<'static, Response> {
        let answered = self.0.call(request);
        Box::pin(answered.map(|answered| match answered {
            Ok(response) => response,
            Err(never) => match never {},
        }))
    }
}

impl<F: Clone> Layer<Route> for Around<F> {
    type Service = Surrounded<F>;

    fn layer(&self, route: Route) -> Surrounded<F> {
        Surrounded { answer: self.0.clone(), within: Within(route) }
    }
}

/// A route with a layer around it.
#[derive(Clone)]
pub(crate) struct Surrounded<F> {
    answer: F,
    within: Within,
}

impl<F: Fn(Request, Within) -> BoxFuture<'static, Response>> Service<Request> for Surrounded<F> {
    type Response = Response;
    type Error = Infallible;
    type Future = Map<BoxFuture<'static, Response>, fn(Response) -> Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        (self.answer)(request, self.within.clone()).map(Ok)
    }
}
