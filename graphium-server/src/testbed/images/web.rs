use serde_json::json;

use super::tar::Tar;
use super::{Image, TestbedError};

const EMBEDDED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/web"));

/// The program of [`web`], as far as this build has one: see `webimage/web.rs` for what it does.
pub const WEB_BINARY: Option<&[u8]> = if EMBEDDED.is_empty() { None } else { Some(EMBEDDED) };

/// An image whose program answers HTTP on port 80, sleeps or exits, as its arguments say (`serve`, `sleep`, `exit`, `check`).
///
/// The program ignores SIGTERM, so the image asks for SIGKILL and stops at once. A container that is given the stop signal SIGTERM
/// takes its whole grace period.
pub fn web(reference: &str) -> Result<Image, TestbedError> {
    let missing =
        || TestbedError::Image { image: reference.to_owned(), reason: "this build has no static `web` program".into() };
    let mut layer = Tar::default();
    layer.directory("tmp", 0o1777);
    layer.file("web", 0o755, WEB_BINARY.ok_or_else(missing)?);
    let config = json!({
        "Entrypoint": ["/web"],
        "Cmd": ["serve"],
        "Env": ["PATH=/"],
        "ExposedPorts": { "80/tcp": {} },
        "StopSignal": "SIGKILL",
    });
    Ok(Image::new(reference, layer, config))
}
