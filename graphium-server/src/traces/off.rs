//! What there is without the feature: the same names, and nothing behind them.

use crate::api::around::Within;
use axum::{extract::Request, response::Response};
use futures::future::BoxFuture;
use graphium_core::{agent::Notice, control::Control, id::HostId, store::TaskStore};
use std::sync::Arc;

/// Nothing is exported.
#[derive(Debug)]
pub struct Exporting;

impl Exporting {
    /// Does nothing.
    pub fn begin(_program: &'static str) -> Self {
        Self
    }

    /// Does nothing.
    pub fn end(self) {}
}

/// Attempts, of which nothing is told.
#[derive(Debug)]
pub struct Attempts;

impl Attempts {
    /// Those of nobody.
    pub fn new(_host: HostId) -> Self {
        Self
    }

    /// Does nothing.
    pub fn note(&self, _notice: &Notice) {}

    /// The link itself.
    pub fn link<L>(self: &Arc<Self>, link: L) -> L {
        link
    }
}

pub(crate) fn follow(_route: Option<&str>, request: Request, within: Within) -> BoxFuture<'static, Response> {
    within.answer(request)
}

pub(crate) fn here<F: Future>(future: F) -> F {
    future
}

pub(crate) fn hand_on(_request: &mut reqwest::Request) {}

pub(crate) fn watched(store: Arc<dyn TaskStore>) -> Arc<dyn TaskStore> {
    store
}

pub(crate) fn tell_plans(_control: &Control) {}
