//! Images made on the spot, for machines without a registry.

mod nginx;
mod programs;
mod shell;
mod tar;
mod web;

use bollard::Docker;
use bollard::query_parameters::ImportImageOptionsBuilder;
use bytes::Bytes;
use futures::TryStreamExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::TestbedError;
use tar::Tar;

pub use nginx::nginx_alpine;
pub use shell::shell;
pub use web::{WEB_BINARY, web};

/// An image: layers, lowest first, and how its program runs.
#[derive(Debug, Clone)]
pub struct Image {
    reference: String,
    layers: Vec<Vec<u8>>,
    config: Value,
}

impl Image {
    /// `config` is what an engine calls the image's `Config`: `Cmd`, `Env`, `ExposedPorts`, `StopSignal` and so on.
    fn new(reference: &str, layer: Tar, config: Value) -> Self {
        let tagged = reference.rsplit('/').next().is_some_and(|name| name.contains(':'));
        let reference = if tagged { reference.to_owned() } else { format!("{reference}:latest") };
        Self { reference, layers: vec![layer.finish()], config }
    }

    /// The same with one more layer: a file of so many bytes that no compression makes less, for pulls that take their time.
    #[must_use]
    pub fn with_ballast(mut self, bytes: usize) -> Self {
        let mut layer = Tar::default();
        layer.file("ballast", 0o644, &noise(bytes));
        self.layers.push(layer.finish());
        self
    }

    /// Its name and tag.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// Its layers as tar archives, lowest first.
    pub fn layers(&self) -> &[Vec<u8>] {
        &self.layers
    }

    /// Its configuration, in the very bytes whose digest is the image's id.
    pub fn configuration(&self) -> String {
        let layer_ids: Vec<String> = self.layers.iter().map(|layer| format!("sha256:{}", hex(layer))).collect();
        let history = json!({ "created": "1970-01-01T00:00:00Z", "created_by": "graphium" });
        json!({
            "architecture": architecture(),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": self.config,
            "rootfs": { "type": "layers", "diff_ids": layer_ids },
            "history": vec![history; self.layers.len()],
        })
        .to_string()
    }

    /// What `docker load` takes. An import of the bare layer would give it another id in every engine, and no stop signal.
    pub fn archive(&self) -> Vec<u8> {
        let config = self.configuration();
        let config_path = format!("{}.json", hex(config.as_bytes()));
        let paths: Vec<String> = (1..=self.layers.len()).map(|number| format!("layer-{number}.tar")).collect();
        let manifest = json!([{ "Config": config_path, "RepoTags": [self.reference], "Layers": paths }]).to_string();
        let mut archive = Tar::default();
        for (path, layer) in paths.iter().zip(&self.layers) {
            archive.file(path, 0o644, layer);
        }
        archive.file(&config_path, 0o644, config.as_bytes());
        archive.file("manifest.json", 0o644, manifest.as_bytes());
        archive.finish()
    }

    /// Loads it into an engine.
    pub async fn load(&self, docker: &Docker) -> Result<(), TestbedError> {
        Self::load_archive(docker, self.archive().into()).await
    }

    pub(super) async fn load_archive(docker: &Docker, archive: Bytes) -> Result<(), TestbedError> {
        let options = ImportImageOptionsBuilder::new().quiet(true).build();
        let messages = docker.import_image(options, bollard::body_full(archive), None);
        let refused = |source| TestbedError::Docker { action: "load an image".into(), source };
        messages.try_for_each(|_| async { Ok(()) }).await.map_err(refused)
    }
}

/// Bytes without a pattern, the same every time: the xorshift generator of Marsaglia.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state: u64 = 0x9E37_79B9_7F4A_7C15;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(bytes).collect()
}

/// As Docker calls it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
