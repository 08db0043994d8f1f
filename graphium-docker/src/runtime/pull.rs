//! Making an image present.

use super::{LOOK, arrival::Arrivals};
use crate::{
    config::{DockerConfig, NoCredentials},
    connection::{Call, Connection},
    name::Reference,
};
use bollard::{
    models::{CreateImageInfo, ImageInspect},
    query_parameters::CreateImageOptionsBuilder,
};
use futures::StreamExt as _;
use graphium_core::{
    inventory::platform_suits,
    runtime::{ImageRequest, PresentImage, PullObserver, RuntimeError},
    stack::PullPolicy,
};
use std::{collections::HashMap, time::Duration};

/// A pull that says nothing for so long is given up.
const STALL: Duration = Duration::from_secs(60);

pub(super) async fn pull(
    connection: &Connection,
    config: Option<&DockerConfig>,
    arrivals: &Arrivals,
    ImageRequest { image, platform, policy }: ImageRequest<'_>,
    progress: &dyn PullObserver,
) -> Result<PresentImage, RuntimeError> {
    let image = Reference::new(image)?;
    let absent = |reason: String| RuntimeError::ImageNotFound { image: image.text.to_owned(), reason };
    let look = || look(connection, &image, platform);
    let found = if policy == PullPolicy::Always { Found::Nothing } else { look().await? };
    match found {
        Found::Present(present) => return Ok(present),
        found if policy == PullPolicy::Never => {
            return Err(absent(format!("this host {}, and its pull policy is `never`", found.told(platform))));
        }
        Found::Nothing | Found::Other(_) => {}
    }
    // Another may be at it: what that one brings is not asked for again. What was there before it is no answer to `always`.
    let turn = arrivals.turn(image.text, progress).await;
    if (turn.has_come() || (turn.has_waited() && policy != PullPolicy::Always))
        && let Found::Present(present) = look().await?
    {
        return Ok(present);
    }
    let tell = &mut |done, total, message: &str| {
        turn.tell(done, total, message);
        progress.progress(done, total, message);
    };
    from_registry(connection, config, (&image, platform), tell).await?;
    turn.bring();
    match look().await? {
        Found::Present(present) => Ok(present),
        Found::Nothing => Err(absent("it went again as soon as it had come".to_owned())),
        // A registry that has it for one platform only sends that one, whatever is asked for.
        other => Err(absent(format!("after the pull this host {}", other.told(platform)))),
    }
}

/// What an engine has of a reference.
enum Found {
    Nothing,
    /// One of another platform than the one that is wanted, which is told.
    Other(String),
    Present(PresentImage),
}

impl Found {
    /// What is not as it should be, as a part of a sentence.
    fn told(&self, wanted: Option<&str>) -> String {
        match self {
            Self::Other(own) => format!("has it for `{own}`, not for `{}`", wanted.unwrap_or_default()),
            Self::Nothing | Self::Present(_) => "does not have it".to_owned(),
        }
    }
}

async fn look(connection: &Connection, image: &Reference<'_>, platform: Option<&str>) -> Result<Found, RuntimeError> {
    let call = Call::new("inspecting image", image.text, LOOK);
    let name = image.text.to_owned();
    match connection.call(call, |docker| async move { docker.inspect_image(&name).await }).await {
        Ok(shown) => Ok(match platform.zip(platform_of(&shown)) {
            Some((wanted, own)) if !platform_suits(&own, wanted) => Found::Other(own),
            _ => Found::Present(present(shown, image)),
        }),
        Err(fault) if fault.is(404) => Ok(Found::Nothing),
        Err(fault) => Err(fault.into()),
    }
}

/// As `os/architecture[/variant]`, where the engine tells it.
fn platform_of(shown: &ImageInspect) -> Option<String> {
    let parts = [&shown.os, &shown.architecture, &shown.variant].map(|part| part.as_deref().unwrap_or_default());
    let [os, architecture, variant] = parts;
    let whole = [os, architecture, variant].join("/");
    (!os.is_empty() && !architecture.is_empty()).then(|| whole.trim_end_matches('/').to_owned())
}

/// An image may have come from several repositories: its digest is that of the one that was asked for.
fn present(shown: ImageInspect, image: &Reference<'_>) -> PresentImage {
    let digests = shown.repo_digests.unwrap_or_default();
    let pairs = || digests.iter().filter_map(|text| text.split_once('@'));
    let familiar = |name: &str| name.trim_start_matches("docker.io/").trim_start_matches("library/").to_owned();
    let own = pairs().find(|(repository, _)| familiar(repository) == familiar(image.repository));
    PresentImage { id: shown.id.unwrap_or_default(), digest: own.map(|(_, digest)| digest.to_owned()) }
}

async fn from_registry(
    connection: &Connection,
    config: Option<&DockerConfig>,
    (image, platform): (&Reference<'_>, Option<&str>),
    tell: &mut (dyn FnMut(u64, u64, &str) + Send),
) -> Result<(), RuntimeError> {
    let mut options = CreateImageOptionsBuilder::new().from_image(image.repository).tag(image.version);
    if let Some(platform) = platform {
        options = options.platform(platform);
    }
    let options = options.build();
    let client = connection.client().await?;
    let login = match config {
        Some(config) => config.credentials(image.text).await,
        None => Ok(None),
    };
    // Many an image is for everybody: one whose login cannot be had is asked for as nobody, and if that is denied it is
    // told why.
    let (login, without) = match login {
        Ok(login) => (login, None),
        Err(reason) => (None, Some(reason)),
    };
    let mut stream = client.docker.create_image(Some(options), None, login.map(|login| login.for_engine()));
    let mut layers = Layers::default();
    loop {
        match tokio::time::timeout(STALL, stream.next()).await {
            Err(_) => return Err(layers.fell_silent(image.text)),
            Ok(None) => return Ok(()),
            Ok(Some(Err(error))) => return Err(explained(connection.fault(error).about_image(image.text), without)),
            Ok(Some(Ok(line))) => {
                let message = line.status.clone().unwrap_or_default();
                layers.note(line);
                let (done, total) = layers.sums();
                tell(done, total, &message);
            }
        }
    }
}

/// What a registry says, and that nobody was there to say who asks.
fn explained(error: RuntimeError, without: Option<NoCredentials>) -> RuntimeError {
    match (error, without) {
        (RuntimeError::ImageNotFound { image, reason }, Some(without)) => {
            RuntimeError::ImageNotFound { image, reason: format!("{reason}; it was asked without a login: {without}") }
        }
        (error, _) => error,
    }
}

/// Bytes that have arrived of bytes to come, per layer that is being downloaded.
#[derive(Debug, Default)]
struct Layers(HashMap<String, (u64, u64)>);

impl Layers {
    fn note(&mut self, line: CreateImageInfo) {
        let (Some(id), Some(status)) = (line.id, line.status) else { return };
        match status.as_str() {
            "Downloading" => {
                let detail = line.progress_detail.unwrap_or_default();
                let done = positive(detail.current);
                // A registry that does not tell the size counts as having sent all that has come.
                self.0.insert(id, (done, positive(detail.total).max(done)));
            }
            // The rest of a layer's life says nothing of bytes from the registry.
            "Download complete" | "Verifying Checksum" | "Pull complete" => {
                if let Some((done, total)) = self.0.get_mut(&id) {
                    *done = *total;
                }
            }
            _ => {}
        }
    }

    /// The error of a pull that says nothing any more: how far it came tells a slow registry from one that never answered.
    fn fell_silent(&self, image: &str) -> RuntimeError {
        let come = match self.sums() {
            (_, 0) => String::new(),
            (done, total) => format!(", of which {done} of {total} bytes had come,"),
        };
        RuntimeError::TimedOut { operation: format!("pulling image {image}{come}"), seconds: STALL.as_secs() }
    }

    fn sums(&self) -> (u64, u64) {
        self.0.values().fold((0, 0), |(done, total), layer| (done + layer.0, total + layer.1))
    }
}

fn positive(number: Option<i64>) -> u64 {
    number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::ProgressDetail;

    fn line(id: &str, status: &str, current: i64, total: i64) -> CreateImageInfo {
        CreateImageInfo {
            id: Some(id.to_owned()),
            status: Some(status.to_owned()),
            progress_detail: Some(ProgressDetail { current: Some(current), total: Some(total) }),
            ..CreateImageInfo::default()
        }
    }

    #[test]
    fn bytes_are_summed_over_layers_and_never_go_back() {
        let mut layers = Layers::default();
        let mut seen = Vec::new();
        for line in [
            line("a", "Pulling fs layer", 0, 0),
            line("a", "Downloading", 10, 100),
            line("b", "Downloading", 5, 50),
            line("a", "Download complete", 0, 0),
            line("a", "Extracting", 1, 100),
            line("b", "Download complete", 0, 0),
        ] {
            layers.note(line);
            seen.push(layers.sums());
        }
        assert_eq!(seen, [(0, 0), (10, 100), (15, 150), (105, 150), (105, 150), (150, 150)]);
    }

    #[test]
    fn a_pull_that_falls_silent_says_how_far_it_came() {
        let mut layers = Layers::default();
        assert_eq!(layers.fell_silent("web:1").to_string(), "pulling image web:1 got no answer within 60 s");
        layers.note(line("a", "Downloading", 10, 100));
        assert_eq!(
            layers.fell_silent("web:1").to_string(),
            "pulling image web:1, of which 10 of 100 bytes had come, got no answer within 60 s"
        );
    }
}
