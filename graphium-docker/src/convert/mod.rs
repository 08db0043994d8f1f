//! From Graphium's specifications to the engine's request bodies. Pure.

mod host;
mod mount;
mod network;
#[cfg(test)]
mod tests;

pub(crate) use host::restart;
pub(crate) use network::{network, volume};

use crate::connection::ApiVersion;
use bollard::models::{ContainerCreateBody, EndpointSettings, HealthConfig, NetworkingConfig};
use graphium_core::{
    runtime::{ContainerSpec, RuntimeError, label},
    stack::{Container, EnvValue, HealthCheck, HealthTest, TextMap},
};
use std::{collections::HashMap, time::Duration};

/// The body that makes a container.
///
/// # Errors
/// [`RuntimeError::Refused`] for what the engine would misunderstand or silently leave out: a variable that was not
/// resolved, an option that this engine's API is too old for.
pub(crate) fn container(spec: &ContainerSpec, api: ApiVersion) -> Result<ContainerCreateBody, RuntimeError> {
    let container = &spec.container;
    Ok(ContainerCreateBody {
        image: Some(container.image.clone()),
        cmd: command(container),
        entrypoint: container.entrypoint.clone().map(entrypoint),
        env: some(environment(container)?),
        labels: Some(ours(&spec.all_labels())),
        hostname: container.hostname.clone(),
        user: container.user.clone(),
        working_dir: container.working_dir.clone(),
        tty: container.tty.then_some(true),
        open_stdin: container.stdin_open.then_some(true),
        stop_signal: container.stop_signal.clone(),
        stop_timeout: container.stop_grace_period.map(whole_seconds),
        exposed_ports: some(exposed(container)),
        healthcheck: container.health_check.as_ref().map(health_check),
        host_config: Some(host::config(spec, api)?),
        networking_config: endpoints(spec),
        ..ContainerCreateBody::default()
    })
}

/// Seconds as the engine takes them: whole, and never fewer than asked.
pub(crate) fn whole_seconds(time: Duration) -> i64 {
    let more = u64::from(time.subsec_nanos() > 0);
    i64::try_from(time.as_secs().saturating_add(more)).unwrap_or(i64::MAX)
}

/// The command with its arguments; arguments alone replace the image's command.
fn command(container: &Container) -> Option<Vec<String>> {
    if container.command.is_none() && container.args.is_empty() {
        return None;
    }
    Some(container.command.iter().flatten().chain(&container.args).cloned().collect())
}

/// An empty list takes the image's entry point away, which the engine writes as one empty word.
fn entrypoint(words: Vec<String>) -> Vec<String> {
    if words.is_empty() { vec![String::new()] } else { words }
}

fn environment(container: &Container) -> Result<Vec<String>, RuntimeError> {
    let line = |variable: &graphium_core::stack::EnvVar| match &variable.value {
        EnvValue::Literal(value) => Ok(format!("{}={value}", variable.name)),
        EnvValue::FromSecret(from) => Err(unresolved(&variable.name, "secret", from)),
        EnvValue::FromHost(from) => Err(unresolved(&variable.name, "fact of the host", from)),
    };
    container.environment.iter().map(line).collect()
}

fn unresolved(variable: &str, kind: &str, from: &str) -> RuntimeError {
    RuntimeError::Refused(format!("variable `{variable}` still waits for the {kind} `{from}`"))
}

/// Labels of something that we make.
fn ours(labels: &TextMap) -> HashMap<String, String> {
    let mut labels = map(labels);
    labels.insert(label::MANAGED.to_owned(), "true".to_owned());
    labels
}

/// Every port that the container listens on, published ones included, each once.
fn exposed(container: &Container) -> Vec<String> {
    let published = container.ports.iter().map(host::port_key);
    let inside = container.expose.iter().map(|port| match port.contains('/') {
        true => port.clone(),
        false => format!("{port}/tcp"),
    });
    let mut ports: Vec<String> = published.chain(inside).collect();
    ports.sort();
    ports.dedup();
    ports
}

/// The check that the engine itself can make. Those over the network are the agent's to make, and the one that the image
/// may have must not speak beside it.
fn health_check(check: &HealthCheck) -> HealthConfig {
    let test = match &check.test {
        HealthTest::Exec { command } => std::iter::once("CMD".to_owned()).chain(command.iter().cloned()).collect(),
        HealthTest::Shell { command } => vec!["CMD-SHELL".to_owned(), command.clone()],
        HealthTest::None | HealthTest::Http { .. } | HealthTest::Tcp { .. } | HealthTest::Grpc { .. } => {
            return HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() };
        }
    };
    HealthConfig {
        test: Some(test),
        interval: check.interval.map(nanoseconds),
        timeout: check.timeout.map(nanoseconds),
        retries: check.retries.map(i64::from),
        start_period: check.start_period.map(nanoseconds),
        start_interval: None,
    }
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

/// The stack's network with every name that the container answers to there.
fn endpoints(spec: &ContainerSpec) -> Option<NetworkingConfig> {
    let network = host::stack_network(spec)?;
    let aliases: Vec<String> = spec.names().into_iter().map(str::to_owned).collect();
    let endpoint = EndpointSettings { aliases: some(aliases), ..EndpointSettings::default() };
    Some(NetworkingConfig { endpoints_config: Some(HashMap::from([(network.to_owned(), endpoint)])) })
}

/// An empty list is left out of the body.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn map(text: &TextMap) -> HashMap<String, String> {
    text.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// An empty map is left out of the body.
fn some_map(text: &TextMap) -> Option<HashMap<String, String>> {
    (!text.is_empty()).then(|| map(text))
}
