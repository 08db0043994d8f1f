//! Who to be at a registry.

use super::{DockerConfig, helper};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bollard::auth::DockerCredentials;
use serde::{Deserialize, Deserializer};
use std::{collections::HashMap, fmt, io};

/// The name under which everybody keeps their login to Docker Hub.
const HUB: &str = "https://index.docker.io/v1/";
/// No configuration of a person is larger.
const MOST_BYTES: u64 = 1 << 20;

/// A login; its secrets show nowhere.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(super) registry: String,
    pub(super) username: String,
    pub(super) secret: Secret,
}

/// What proves a login.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Secret {
    Password(String),
    /// What `docker login` got for a password, in the place of one.
    IdentityToken(String),
    RegistryToken(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl Credentials {
    /// As the engine takes them.
    pub(crate) fn for_engine(self) -> DockerCredentials {
        let base = DockerCredentials { serveraddress: Some(self.registry), ..DockerCredentials::default() };
        let named = |username: String| Some(username).filter(|name| !name.is_empty());
        match self.secret {
            Secret::Password(password) => {
                DockerCredentials { username: named(self.username), password: Some(password), ..base }
            }
            Secret::IdentityToken(token) => {
                DockerCredentials { username: named(self.username), identitytoken: Some(token), ..base }
            }
            Secret::RegistryToken(token) => DockerCredentials { registrytoken: Some(token), ..base },
        }
    }
}

/// Why a login that is configured cannot be had; in words without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoCredentials(pub(super) String);

/// The part of `config.json` that is about registries.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Registries {
    #[serde(deserialize_with = "without_nulls")]
    auths: HashMap<String, Entry>,
    creds_store: Option<String>,
    #[serde(deserialize_with = "without_nulls")]
    cred_helpers: HashMap<String, String>,
}

/// A map; as with `docker` it is absent where it is null, and so is a value.
fn without_nulls<'de, D: Deserializer<'de>, T: Deserialize<'de>>(json: D) -> Result<HashMap<String, T>, D::Error> {
    let map = Option::<HashMap<String, Option<T>>>::deserialize(json)?.unwrap_or_default();
    Ok(map.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl DockerConfig {
    /// The login for an image's registry; `None` where there is none: it is asked as nobody.
    ///
    /// A helper of its own goes before the store, and what either does not know is looked up in the file.
    pub(crate) async fn credentials(&self, image: &str) -> Result<Option<Credentials>, NoCredentials> {
        let Some(registries) = self.registries().await? else { return Ok(None) };
        let registry = registry_of(image);
        let helper = named_as(&registries.cred_helpers, registry).or(registries.creds_store.as_ref());
        if let Some(helper) = helper.filter(|name| !name.is_empty())
            && let Some(found) = helper::ask(helper, registry).await?
        {
            return Ok(Some(found));
        }
        let entry = named_as(&registries.auths, registry);
        entry.map(|entry| entry.read(registry, self)).transpose().map(Option::flatten)
    }

    async fn registries(&self) -> Result<Option<Registries>, NoCredentials> {
        let path = self.file();
        let wrong = |words: String| NoCredentials(format!("the Docker config {}: {words}", path.display()));
        match tokio::fs::metadata(&path).await {
            Ok(about) if about.len() > MOST_BYTES => return Err(wrong("it is too large".to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            _ => {}
        }
        let text = tokio::fs::read(&path).await.map_err(|error| wrong(error.to_string().to_lowercase()))?;
        // The library's own words may repeat a value.
        let place =
            |error: serde_json::Error| wrong(format!("wrong in line {}, column {}", error.line(), error.column()));
        serde_json::from_slice(&text).map(Some).map_err(place)
    }
}

impl Entry {
    fn read(&self, registry: &str, config: &DockerConfig) -> Result<Option<Credentials>, NoCredentials> {
        let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let made = |username: Option<String>, secret| {
            let username = username.unwrap_or_default();
            Ok(Some(Credentials { registry: registry.to_owned(), username, secret }))
        };
        if let Some(token) = said(&self.registrytoken) {
            return made(None, Secret::RegistryToken(token));
        }
        let pair = match said(&self.auth) {
            Some(text) => Some(decoded(&text).ok_or_else(|| {
                NoCredentials(format!("the Docker config {}: `auth` of `{registry}` is none", config.file().display()))
            })?),
            None => said(&self.username).zip(said(&self.password)),
        };
        if let Some(token) = said(&self.identitytoken) {
            return made(pair.map(|(username, _)| username), Secret::IdentityToken(token));
        }
        match pair {
            Some((username, password)) => made(Some(username), Secret::Password(password)),
            // What a store leaves behind: it knows the rest.
            None => Ok(None),
        }
    }
}

/// `user:password` in base 64.
fn decoded(text: &str) -> Option<(String, String)> {
    let bytes = BASE64_STANDARD.decode(text.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (username, password) = text.split_once(':')?;
    Some((username.to_owned(), password.trim_end_matches('\0').to_owned()))
}

/// The registry of an image as logins are kept under it.
fn registry_of(image: &str) -> &str {
    let first = image.split_once('/').map(|(first, _)| first);
    // A capital cannot be of a repository.
    let is_registry = |first: &&str| {
        first.contains(['.', ':']) || *first == "localhost" || first.contains(|c: char| c.is_ascii_uppercase())
    };
    match first.filter(is_registry) {
        None | Some("docker.io" | "index.docker.io" | "registry-1.docker.io") => HUB,
        Some(registry) => registry,
    }
}

/// The value for a registry, under its name or as a URL that older logins have.
fn named_as<'m, T>(map: &'m HashMap<String, T>, registry: &str) -> Option<&'m T> {
    map.get(registry).or_else(|| {
        let of_hub = |host: &str| registry == HUB && ["docker.io", "index.docker.io"].contains(&host);
        let host = |key: &str| {
            key.split_once("://").map_or(key, |(_, rest)| rest).split('/').next().unwrap_or_default().to_owned()
        };
        let mut keys: Vec<&String> = map.keys().filter(|key| host(key) == registry || of_hub(&host(key))).collect();
        keys.sort();
        keys.first().and_then(|key| map.get(*key))
    })
}

#[cfg(test)]
mod tests;
