//! The Docker engine of this machine: where it is, and why it does not answer.

use crate::cli::{Exit, Failure};
use graphium_core::runtime::RuntimeError;
use graphium_docker::{DockerConfig, DockerRuntime, Endpoint, EndpointError};
use std::{env, fs, io, os::unix::net::UnixStream, path::Path};

/// An engine that was found; whether it answers was not asked.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    pub(crate) endpoint: Endpoint,
    /// How it was found.
    pub(crate) found: String,
}

impl Engine {
    /// A runtime on it.
    pub(crate) fn runtime(&self) -> DockerRuntime {
        let config = DockerConfig::find(&|name| env::var(name).ok());
        DockerRuntime::connect(self.endpoint.clone()).with_config(config)
    }
}

/// Finds the engine as `docker` does.
pub(crate) fn find(flag: Option<&str>) -> Result<Engine, Failure> {
    let variable = |name: &str| env::var(name).ok();
    let found = Endpoint::discover(flag, &variable).map_err(|error| match &error {
        EndpointError::NoContext { .. } => Failure::usage(error.to_string())
            .hint("see `docker context ls`; DOCKER_CONTEXT=default is the usual socket"),
        EndpointError::Wrong { .. } => {
            Failure::usage(error.to_string()).hint("write it like unix:///var/run/docker.sock")
        }
        _ => Failure::usage(error.to_string()),
    })?;
    Ok(Engine { endpoint: found.endpoint, found: found.origin.to_string() })
}

/// What to do about an engine that does not answer.
pub(crate) fn unreachable(engine: &Engine, error: &RuntimeError) -> Failure {
    let failure = Failure::new(Exit::Unreachable, error.to_string());
    match &engine.endpoint {
        Endpoint::Unix(path) => failure.hint(advice(path)),
        Endpoint::Ssh(target) => failure.hint(format!("try it by hand: `docker --host {target} info`")),
        Endpoint::Http(_) => failure.hint("check the address, and that the engine listens there"),
    }
}

fn advice(path: &Path) -> &'static str {
    if fs::metadata(path).is_err() {
        return "install Docker, start it (`systemctl start docker`), or say where it listens: DOCKER_HOST or `--docker`";
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            "join the group `docker` (`sudo usermod -aG docker $USER`, then log in anew), or run it with sudo"
        }
        Err(_) => "start the engine: `systemctl start docker`",
        Ok(_) => "look at the engine: `docker info`",
    }
}
