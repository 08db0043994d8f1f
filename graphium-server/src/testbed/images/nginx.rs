use serde_json::json;

use super::tar::Tar;
use super::{Image, TestbedError, programs};

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
    for (path, content) in programs::with_libraries(REFERENCE, PROGRAM)? {
        layer.file(path.trim_start_matches('/'), 0o755, &content);
    }
    let config = json!({
        "Cmd": ["/usr/sbin/nginx", "-e", "/dev/stderr", "-g", "daemon off;"],
        "Env": ["PATH=/usr/sbin"],
        "ExposedPorts": { "80/tcp": {} },
        "StopSignal": "SIGQUIT",
    });
    Ok(Image::new(REFERENCE, layer, config))
}
