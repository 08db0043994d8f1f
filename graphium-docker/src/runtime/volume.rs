//! Volumes. Making one of a name that exists is a success for the engine too, so nothing is looked at before.

use super::{CHANGE, LOOK, is_managed, managed, taken};
use crate::{
    connection::{Call, Connection},
    convert,
    name::checked,
    observe,
};
use bollard::{
    models::Volume,
    query_parameters::{ListVolumesOptionsBuilder, RemoveVolumeOptions},
};
use graphium_core::{
    runtime::{RuntimeError, VolumeSpec},
    stack::TextMap,
};

pub(super) async fn create(connection: &Connection, spec: &VolumeSpec) -> Result<(), RuntimeError> {
    let name = checked(&spec.name)?;
    if spec.volume.external {
        let found = find(connection, name).await?;
        return found
            .map(|_| ())
            .ok_or_else(|| RuntimeError::NotFound(format!("volume `{name}` is external and does not exist")));
    }
    let body = convert::volume(spec);
    let call = Call::new("creating volume", name, CHANGE);
    match connection.call(call, |docker| async move { docker.create_volume(body).await }).await {
        Ok(_) => Ok(()),
        // The engine refuses only one that exists with another driver.
        Err(fault) if fault.is(409) => Err(taken(name, "a volume of another driver")),
        Err(fault) => Err(fault.into()),
    }
}

pub(super) async fn remove(connection: &Connection, name: &str) -> Result<(), RuntimeError> {
    let Some(volume) = find(connection, checked(name)?).await? else { return Ok(()) };
    if !is_managed(Some(&volume.labels)) {
        return Err(taken(name, "a volume that is not Graphium's"));
    }
    let call = Call::new("removing volume", name, CHANGE);
    let wanted = name.to_owned();
    let ask = |docker: bollard::Docker| async move { docker.remove_volume(&wanted, None::<RemoveVolumeOptions>).await };
    match connection.call(call, ask).await {
        Err(fault) if !fault.is(404) => Err(fault.into()),
        _ => Ok(()),
    }
}

pub(super) async fn owned(connection: &Connection) -> Result<Vec<(String, TextMap)>, RuntimeError> {
    let options = ListVolumesOptionsBuilder::new().filters(&managed()).build();
    let call = Call::new("listing volumes", "", LOOK);
    let listed = connection.call(call, |docker| async move { docker.list_volumes(Some(options)).await }).await?;
    let entry = |volume: Volume| (volume.name, observe::sorted(volume.labels));
    let mut volumes: Vec<_> = listed.volumes.unwrap_or_default().into_iter().map(entry).collect();
    volumes.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(volumes)
}

async fn find(connection: &Connection, name: &str) -> Result<Option<Volume>, RuntimeError> {
    let call = Call::new("inspecting volume", name, LOOK);
    let wanted = name.to_owned();
    match connection.call(call, |docker| async move { docker.inspect_volume(&wanted).await }).await {
        Ok(volume) => Ok(Some(volume)),
        Err(fault) if fault.is(404) => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}
