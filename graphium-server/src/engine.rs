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
    let found = Endpoint::discover(flag, &variable).map_err(|error| not_found(&error))?;
    Ok(Engine { endpoint: found.endpoint, found: found.origin.to_string() })
}

/// What to do where it cannot be said where the engine is.
fn not_found(error: &EndpointError) -> Failure {
    let failure = Failure::usage(error.to_string());
    match error {
        EndpointError::NoContext { .. } => {
            failure.hint("see `docker context ls`; DOCKER_CONTEXT=default is the usual socket")
        }
        EndpointError::NoFolder { .. } => failure.hint("set one of them, or say where it listens: `--docker`"),
        EndpointError::Wrong { .. } => failure.hint("write it like unix:///var/run/docker.sock or ssh://me@host"),
        EndpointError::NeedsCertificates { origin, .. } | EndpointError::Unverified { origin, .. }
            if origin.as_ref().is_some_and(|origin| origin.contains("docker context")) =>
        {
            failure.hint("give the context its certificates: `docker context update NAME --docker host=…,ca=ca.pem,cert=cert.pem,key=key.pem`")
        }
        EndpointError::NeedsCertificates { .. } => {
            failure.hint("set DOCKER_CERT_PATH to the folder of ca.pem, cert.pem and key.pem")
        }
        EndpointError::Unverified { .. } => {
            failure.hint("set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder of ca.pem, cert.pem and key.pem")
        }
        _ => failure.hint("mend it, or say where the engine listens: `--docker`"),
    }
}

/// What to do about an engine that does not answer.
pub(crate) fn unreachable(engine: &Engine, error: &RuntimeError) -> Failure {
    let failure = Failure::new(Exit::Unreachable, error.to_string());
    match &engine.endpoint {
        Endpoint::Unix(path) => failure.hint(advice(path)),
        Endpoint::Ssh(target) => failure.hint(format!("try it by hand: `docker --host {target} info`")),
        Endpoint::Tls(target) => failure.hint(format!(
            "check the address, that the engine listens there with TLS, and the certificates in {}",
            target.certificates.display()
        )),
        Endpoint::Http(_) => failure.hint(
            "check the address, and that the engine listens there; where it does with TLS: DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH for the folder of ca.pem, cert.pem and key.pem",
        ),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_about_what_is_wrong() {
        let hints = |flag: Option<&str>, variables: &[(&str, &str)]| {
            let value = |name: &str| variables.iter().find(|(known, _)| *known == name);
            let env = |name: &str| value(name).map(|(_, value)| (*value).to_owned());
            not_found(&Endpoint::discover(flag, &env).unwrap_err()).hints
        };
        assert_eq!(hints(Some("x"), &[]), ["write it like unix:///var/run/docker.sock or ssh://me@host"]);
        let tls = ["set DOCKER_CERT_PATH to the folder of ca.pem, cert.pem and key.pem"];
        assert_eq!(hints(Some("https://x:2376"), &[]), tls, "it is written well");
        assert_eq!(hints(None, &[("DOCKER_HOST", "tcp://x:2376"), ("DOCKER_TLS_VERIFY", "1")]), tls);
        let unverified = hints(None, &[("DOCKER_HOST", "tcp://x:2376"), ("DOCKER_TLS", "1")]);
        assert!(unverified[0].starts_with("set DOCKER_TLS_VERIFY=1"), "{unverified:?}");
        let loose = EndpointError::Unverified {
            text: "tcp://x".to_owned(),
            origin: Some("the docker context `loose`".to_owned()),
        };
        assert!(not_found(&loose).hints[0].contains("docker context update"), "no variable helps a context");
        let context = hints(None, &[("DOCKER_CONTEXT", "far")]);
        assert_eq!(context, ["set one of them, or say where it listens: `--docker`"]);
    }
}
