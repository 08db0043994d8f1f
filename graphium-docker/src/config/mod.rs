//! Docker's own configuration, as its command line keeps it: `~/.docker/config.json` and what lies beside it.

mod credentials;
mod helper;

pub(crate) use credentials::NoCredentials;

use std::path::{Path, PathBuf};

/// The folder of Docker's configuration.
///
/// It is read when something is needed of it, so a `docker login` counts from the next pull on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerConfig {
    folder: PathBuf,
}

impl DockerConfig {
    /// This folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The one that `docker` itself uses: `DOCKER_CONFIG`, or `.docker` in the home folder; `None` where there is neither.
    ///
    /// `env` looks a variable up; one that is empty counts as absent.
    pub fn find(env: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let said = |name: &str| env(name).filter(|text| !text.is_empty()).map(PathBuf::from);
        said("DOCKER_CONFIG").or_else(|| Some(said("HOME")?.join(".docker"))).map(Self::new)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn file(&self) -> PathBuf {
        self.folder.join("config.json")
    }
}
