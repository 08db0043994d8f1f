use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::json;

use super::super::command::{command, run};
use super::tar::Tar;
use super::{Image, TestbedError};

const REFERENCE: &str = "nginx:alpine";
const PROGRAM: &str = "/usr/sbin/nginx";
const CONF: &str = "\
worker_processes 1;
events {}
http {
    access_log /dev/stdout;
    default_type text/plain;
    types { text/html html; text/css css; application/javascript js; application/json json; }
    server { listen 80; root /usr/share/nginx/html; }
}
";
const PAGE: &str = "<!doctype html><title>Welcome to nginx!</title><h1>Welcome to nginx!</h1>\n";

/// This machine's nginx and its libraries under the name `nginx:alpine`, for stacks that say so. For tests only.
pub fn nginx_alpine() -> Result<Image, TestbedError> {
    let mut layer = Tar::default();
    layer.directory("tmp", 0o1777);
    for dir in ["etc/nginx", "run", "usr/share/nginx/html", "var/lib/nginx", "var/log/nginx"] {
        layer.directory(dir, 0o755);
    }
    layer.file("etc/passwd", 0o644, b"root:x:0:0::/:/\nwww-data:x:33:33::/:/\nnobody:x:65534:65534::/:/\n");
    layer.file("etc/group", 0o644, b"root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\n");
    layer.file("etc/nginx/nginx.conf", 0o644, CONF.as_bytes());
    layer.file("usr/share/nginx/html/index.html", 0o644, PAGE.as_bytes());
    for path in std::iter::once(PROGRAM.to_owned()).chain(libraries()?) {
        let reason = |error| TestbedError::Image { image: REFERENCE.into(), reason: format!("{path}: {error}") };
        layer.file(path.trim_start_matches('/'), 0o755, &fs::read(Path::new(&path)).map_err(reason)?);
    }
    let config = json!({
        "Cmd": ["/usr/sbin/nginx", "-e", "/dev/stderr", "-g", "daemon off;"],
        "Env": ["PATH=/usr/sbin"],
        "ExposedPorts": { "80/tcp": {} },
        "StopSignal": "SIGQUIT",
    });
    Ok(Image::new(REFERENCE, layer, config))
}

/// The absolute paths in lines such as `libz.so.1 => /lib/libz.so.1 (0x…)` and `/lib64/ld-linux.so.2 (0x…)`.
fn libraries() -> Result<BTreeSet<String>, TestbedError> {
    let listed = run(command("ldd").arg(PROGRAM))?;
    Ok(listed.split_whitespace().filter(|word| word.starts_with('/')).map(str::to_owned).collect())
}
