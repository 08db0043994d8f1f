//! A bound on every call to the control plane.

use super::link::LinkError;
use crate::environment::Environment;
use futures::future::{Either, select};
use std::{pin::pin, time::Duration};

/// The call's answer, or that there was none in time. A link that hangs is a link that is down.
pub(super) async fn within<T>(
    environment: &dyn Environment,
    limit: Duration,
    call: impl Future<Output = Result<T, LinkError>>,
) -> Result<T, LinkError> {
    match select(pin!(call), pin!(environment.sleep(limit))).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => Err(LinkError::Unreachable(format!("no answer within {} s", limit.as_secs()))),
    }
}
