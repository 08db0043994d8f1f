//! What is mounted into a container.

use crate::connection::ApiVersion;
use bollard::models::{
    Mount as EngineMount, MountBindOptions, MountBindOptionsPropagationEnum as Propagation, MountTmpfsOptions,
    MountType, MountVolumeOptions,
};
use graphium_core::{
    runtime::{ContainerSpec, RuntimeError},
    stack::{Mount, MountKind},
};
use std::collections::HashMap;

/// The first API that knows a folder within a volume; an older engine would mount the whole volume without a word.
const SUBPATH: ApiVersion = ApiVersion(1, 45);

/// Mounts in the engine's two notations.
#[derive(Debug, Default)]
pub(super) struct Mounted {
    /// The one that refuses a host folder that is missing.
    pub(super) mounts: Vec<EngineMount>,
    /// The older one, `source:target:options`, that makes it on every engine.
    pub(super) binds: Vec<String>,
}

pub(super) fn mounts(spec: &ContainerSpec, api: ApiVersion) -> Result<Mounted, RuntimeError> {
    let mut mounted = Mounted::default();
    for mount in &spec.container.volume_mounts {
        match &mount.kind {
            MountKind::Bind { source, propagation, create_host_path: true } => {
                mounted.binds.push(bind_line(mount, source, propagation.as_deref())?);
            }
            // It is put into the container when that is made.
            MountKind::Secret { .. } => {}
            kind => mounted.mounts.push(engine_mount(spec, mount, kind, api)?),
        }
    }
    Ok(mounted)
}

fn engine_mount(
    spec: &ContainerSpec,
    mount: &Mount,
    kind: &MountKind,
    api: ApiVersion,
) -> Result<EngineMount, RuntimeError> {
    let base = EngineMount {
        target: Some(mount.target.clone()),
        read_only: mount.read_only.then_some(true),
        ..EngineMount::default()
    };
    Ok(match kind {
        MountKind::Volume { subpath: Some(path), .. } if api < SUBPATH => {
            return Err(RuntimeError::Refused(format!(
                "the mount at `{}` asks for the folder `{path}` of a volume, which needs an engine of API {SUBPATH} or later; this one has {api}",
                mount.target
            )));
        }
        MountKind::Volume { source, no_copy, subpath } => EngineMount {
            typ: Some(MountType::VOLUME),
            source: source.clone(),
            volume_options: said(MountVolumeOptions {
                no_copy: no_copy.then_some(true),
                subpath: subpath.clone(),
                labels: source.as_deref().and_then(|name| spec.labels_of_volume(name)).map(HashMap::from_iter),
                ..MountVolumeOptions::default()
            }),
            ..base
        },
        MountKind::Bind { source, propagation, create_host_path: _ } => EngineMount {
            typ: Some(MountType::BIND),
            source: Some(source.clone()),
            bind_options: propagation
                .as_deref()
                .map(|word| {
                    parsed(word)
                        .map(|propagation| MountBindOptions { propagation: Some(propagation), ..Default::default() })
                })
                .transpose()?,
            ..base
        },
        // None of the engine's.
        MountKind::Secret { .. } => base,
        MountKind::Tmpfs { size, mode } => EngineMount {
            typ: Some(MountType::TMPFS),
            tmpfs_options: (size.is_some() || mode.is_some()).then(|| MountTmpfsOptions {
                size_bytes: size.map(|size| i64::try_from(size).unwrap_or(i64::MAX)),
                mode: mode.map(i64::from),
                ..MountTmpfsOptions::default()
            }),
            ..base
        },
    })
}

/// Options that say anything.
fn said(options: MountVolumeOptions) -> Option<MountVolumeOptions> {
    (options != MountVolumeOptions::default()).then_some(options)
}

fn bind_line(mount: &Mount, source: &str, propagation: Option<&str>) -> Result<String, RuntimeError> {
    if source.contains(':') || mount.target.contains(':') {
        return Err(RuntimeError::Refused(format!(
            "the bind mount at `{}` cannot be made on demand: a colon in a path",
            mount.target
        )));
    }
    let mut options = vec![if mount.read_only { "ro" } else { "rw" }];
    if let Some(word) = propagation {
        parsed(word)?;
        options.push(word);
    }
    Ok(format!("{source}:{}:{}", mount.target, options.join(",")))
}

fn parsed(word: &str) -> Result<Propagation, RuntimeError> {
    Ok(match word {
        "private" => Propagation::PRIVATE,
        "rprivate" => Propagation::RPRIVATE,
        "shared" => Propagation::SHARED,
        "rshared" => Propagation::RSHARED,
        "slave" => Propagation::SLAVE,
        "rslave" => Propagation::RSLAVE,
        _ => return Err(RuntimeError::Refused(format!("`{word}` is no propagation of a bind mount"))),
    })
}
