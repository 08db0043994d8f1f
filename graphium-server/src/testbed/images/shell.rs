use serde_json::json;

use super::tar::Tar;
use super::{Image, TestbedError, programs};

const PROGRAM: &str = "/bin/busybox";

/// This machine's busybox and its libraries, with a few of its commands by name: `sh`, `sleep`, `true`, `cat`, `wget`, and `busybox` for the others. For tests only.
///
/// # Errors
/// When this machine has no busybox.
pub fn shell(reference: &str) -> Result<Image, TestbedError> {
    let mut layer = Tar::default();
    layer.directory("tmp", 0o1777);
    layer.directory("bin", 0o755);
    for (path, content) in programs::with_libraries(reference, PROGRAM)? {
        if path == PROGRAM {
            for name in ["busybox", "sh", "sleep", "true", "cat", "wget", "httpd"] {
                layer.file(&format!("bin/{name}"), 0o755, &content);
            }
        } else {
            layer.file(path.trim_start_matches('/'), 0o755, &content);
        }
    }
    Ok(Image::new(reference, layer, json!({ "Cmd": ["/bin/sh"], "Env": ["PATH=/bin"] })))
}
