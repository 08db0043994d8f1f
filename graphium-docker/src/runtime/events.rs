//! What changes about containers, as it happens.

use super::LOOK;
use crate::connection::{Call, Connection};
use bollard::{models::EventMessage, query_parameters::EventsOptionsBuilder};
use futures::{StreamExt as _, stream::BoxStream};
use graphium_core::runtime::{ContainerChange, RuntimeError};
use jiff::Timestamp;
use std::collections::HashMap;

/// Everything but the noise of `exec`, which an engine emits three times for every health check.
const ACTIONS: [&str; 13] = [
    "create",
    "start",
    "die",
    "destroy",
    "oom",
    "health_status",
    "pause",
    "unpause",
    "stop",
    "kill",
    "restart",
    "rename",
    ContainerChange::UPDATE,
];

pub(super) async fn watch(
    connection: &Connection,
) -> Result<BoxStream<'static, Result<ContainerChange, RuntimeError>>, RuntimeError> {
    // The request leaves when the stream is first polled. By the engine's own clock it asks for everything since now,
    // so a caller that watches first and lists then misses nothing.
    let call = Call::new("watching containers", "", LOOK);
    let info = connection.call(call, |docker| async move { docker.info().await }).await?;
    let now = info.system_time.and_then(|time| time.parse::<Timestamp>().ok());
    let client = connection.client().await?;
    let strings = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let filters = HashMap::from([("type", strings(&["container"])), ("event", strings(&ACTIONS))]);
    let mut options = EventsOptionsBuilder::new().filters(&filters);
    if let Some(now) = now {
        options = options.since(&format!("{}.{:09}", now.as_second(), now.subsec_nanosecond()));
    }
    let endpoint = connection.endpoint().clone();
    let events = client.docker.events(Some(options.build()));
    let changes = events.filter_map(move |event| {
        let change = match event {
            Ok(event) => change(event).map(Ok),
            Err(error) => Some(Err(crate::error::Fault::new(error, &endpoint).into())),
        };
        async move { change }
    });
    Ok(changes.boxed())
}

fn change(event: EventMessage) -> Option<ContainerChange> {
    let name = event.actor?.attributes?.remove("name")?;
    Some(ContainerChange { name, action: event.action? })
}
