//! Networks. The engine looks one up by name, id or the beginning of an id, and may have several of one name:
//! here a network is found by its exact name in a list, and changed by its id.

use super::{CHANGE, LOOK, is_managed, managed, taken};
use crate::{
    connection::{Call, Connection},
    convert,
    error::Fault,
    name::checked,
    observe,
};
use bollard::{
    models::{EndpointSettings, Network, NetworkConnectRequest, NetworkDisconnectRequest},
    query_parameters::ListNetworksOptionsBuilder,
};
use graphium_core::{
    runtime::{NetworkSpec, RuntimeError},
    stack::TextMap,
};
use std::collections::HashMap;

pub(super) async fn create(connection: &Connection, spec: &NetworkSpec) -> Result<(), RuntimeError> {
    let name = checked(&spec.name)?;
    match named(connection, name).await?.first() {
        Some(_) if spec.network.external => return Ok(()),
        None if spec.network.external => {
            return Err(RuntimeError::NotFound(format!("network `{name}` is external and does not exist")));
        }
        Some(network) if is_managed(network.labels.as_ref()) => return Ok(()),
        Some(_) => return Err(taken(name, "a network that is not Graphium's")),
        None => {}
    }
    let body = convert::network(spec);
    let call = Call::new("creating network", name, CHANGE);
    let made = connection.call(call, |docker| async move { docker.create_network(body).await }).await?;
    keep_one(connection, name, &made.id).await
}

/// Takes ours away again where another of the same name was made at the same moment, by an earlier call of ours that
/// got no answer or by somebody else. Before API 1.44 the engine itself does not see to it, and a container that joins
/// an ambiguous name does not start.
async fn keep_one(connection: &Connection, name: &str, ours: &str) -> Result<(), RuntimeError> {
    let all = named(connection, name).await?;
    let Some(other) = all.iter().find(|network| network.id.as_deref() != Some(ours)) else { return Ok(()) };
    delete(connection, name, ours).await?;
    if is_managed(other.labels.as_ref()) { Ok(()) } else { Err(taken(name, "a network that is not Graphium's")) }
}

pub(super) async fn remove(connection: &Connection, name: &str) -> Result<(), RuntimeError> {
    let all = named(connection, checked(name)?).await?;
    let (ours, foreign): (Vec<_>, Vec<_>) = all.into_iter().partition(|network| is_managed(network.labels.as_ref()));
    if ours.is_empty() && !foreign.is_empty() {
        return Err(taken(name, "a network that is not Graphium's"));
    }
    for network in ours {
        delete(connection, name, &network.id.unwrap_or_default()).await?;
    }
    Ok(())
}

/// Joins a container to a network, beside those that it is in.
pub(super) async fn join(
    connection: &Connection,
    name: &str,
    container: &str,
    aliases: &[String],
) -> Result<(), RuntimeError> {
    let network = id_of(connection, name).await?;
    let endpoint = EndpointSettings { aliases: Some(aliases.to_vec()), ..EndpointSettings::default() };
    let body = NetworkConnectRequest { container: container.to_owned(), endpoint_config: Some(endpoint) };
    let call = Call::new("joining a container to network", name, CHANGE);
    let ask = |docker: bollard::Docker| Box::pin(async move { docker.connect_network(&network, body).await });
    Ok(connection.call(call, ask).await?)
}

/// Takes a container out of a network.
pub(super) async fn leave(connection: &Connection, name: &str, container: &str) -> Result<(), RuntimeError> {
    let network = id_of(connection, name).await?;
    let body = NetworkDisconnectRequest { container: container.to_owned(), force: None };
    let call = Call::new("taking a container out of network", name, CHANGE);
    Ok(connection.call(call, |docker| async move { docker.disconnect_network(&network, body).await }).await?)
}

async fn id_of(connection: &Connection, name: &str) -> Result<String, RuntimeError> {
    let networks = named(connection, checked(name)?).await?;
    let network = networks.into_iter().next().and_then(|network| network.id);
    network.ok_or_else(|| RuntimeError::NotFound(format!("network `{name}` does not exist")))
}

pub(super) async fn owned(connection: &Connection) -> Result<Vec<(String, TextMap)>, RuntimeError> {
    let networks = list(connection, "", managed()).await?;
    let entry =
        |network: Network| (network.name.unwrap_or_default(), observe::sorted(network.labels.unwrap_or_default()));
    let mut networks: Vec<_> = networks.into_iter().map(entry).collect();
    networks.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(networks)
}

async fn delete(connection: &Connection, name: &str, id: &str) -> Result<(), RuntimeError> {
    let call = Call::new("removing network", name, CHANGE);
    let id = id.to_owned();
    match connection.call(call, |docker| async move { docker.remove_network(&id).await }).await {
        Err(fault) if !fault.is(404) => Err(fault.into()),
        _ => Ok(()),
    }
}

/// Every network of exactly this name, the oldest first: the one that a second call of ours keeps is the same for all.
async fn named(connection: &Connection, name: &str) -> Result<Vec<Network>, RuntimeError> {
    // The engine's filter also lets through names that only contain it.
    let mut networks = list(connection, name, HashMap::from([("name", vec![name.to_owned()])])).await?;
    networks.retain(|network| network.name.as_deref() == Some(name));
    networks.sort_by_key(|network| network.created.as_ref().map(ToString::to_string));
    Ok(networks)
}

async fn list(
    connection: &Connection,
    name: &str,
    filters: HashMap<&'static str, Vec<String>>,
) -> Result<Vec<Network>, Fault> {
    let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
    let call = Call::new("listing networks", name, LOOK);
    connection.call(call, |docker| async move { docker.list_networks(Some(options)).await }).await
}
