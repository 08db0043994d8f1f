//! Docker's contexts: named endpoints beside its configuration.

use super::{Endpoint, EndpointError, PathBuf, with_tls};
use crate::DockerConfig;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::{fs, io};

/// The name of no context: where `docker` looks by itself.
const DEFAULT: &str = "default";

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Current {
    current_context: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Meta {
    #[serde(default)]
    endpoints: Endpoints,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Endpoints {
    docker: Place,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Place {
    host: String,
    #[serde(rename = "SkipTLSVerify")]
    skips_verification: bool,
}

/// The context that is in use by itself (`docker context use`); empty where nobody chose one.
pub(super) fn current(config: &DockerConfig) -> Result<String, EndpointError> {
    let path = config.folder().join("config.json");
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(EndpointError::unreadable(&path, &error.to_string())),
    };
    // The library's own words may repeat a value, and this file has secrets.
    let current: Current = serde_json::from_slice(&text)
        .map_err(|error| EndpointError::unreadable(&path, &format!("wrong in line {}", error.line())))?;
    Ok(current.current_context.unwrap_or_default())
}

/// Whether a name stands for where `docker` looks by itself.
pub(super) fn is_default(name: &str) -> bool {
    name.is_empty() || name == DEFAULT
}

/// The endpoint of a context.
pub(super) fn endpoint(config: &DockerConfig, name: &str) -> Result<Endpoint, EndpointError> {
    let id: String = Sha256::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let contexts = config.folder().join("contexts");
    let path = contexts.join("meta").join(&id).join("meta.json");
    let text = fs::read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => EndpointError::no_context(name, &known(config)),
        _ => EndpointError::unreadable(&path, &error.to_string()),
    })?;
    let meta: Meta = serde_json::from_slice(&text)
        .map_err(|error| EndpointError::unreadable(&path, &format!("wrong in line {}", error.line())))?;
    let Place { host, skips_verification } = meta.endpoints.docker;
    // Where certificates are kept for it, it listens with TLS.
    let certificates: PathBuf = contexts.join("tls").join(&id).join("docker");
    let certificates = certificates.is_dir().then_some(&*certificates);
    let endpoint = match certificates {
        Some(_) => with_tls(&host, certificates),
        None => host.parse(),
    };
    let endpoint = match endpoint {
        // `docker` speaks TLS to it then, also where no certificates are kept. A socket and `ssh` have none.
        Ok(Endpoint::Tls(_) | Endpoint::Http(_)) | Err(EndpointError::NeedsCertificates { .. })
            if skips_verification =>
        {
            Err(EndpointError::unverified(&host))
        }
        other => other,
    };
    endpoint.map_err(|error| error.of_context(name))
}

/// The names of the contexts that there are.
fn known(config: &DockerConfig) -> Vec<String> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(rename = "Name")]
        name: String,
    }
    let metas = fs::read_dir(config.folder().join("contexts/meta")).into_iter().flatten().flatten();
    let named = |text: Vec<u8>| serde_json::from_slice::<Named>(&text).ok();
    let names = metas.filter_map(|entry| named(fs::read(entry.path().join("meta.json")).ok()?));
    let mut names: Vec<String> = names.map(|meta| meta.name).collect();
    names.sort();
    names
}
