use std::fs;
use std::io;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::TestbedError;
use super::command::{blocking, command, run, search_path};

/// Each program, and the Debian package that has it.
const PROGRAMS: [(&str, &str); 11] = [
    ("dockerd", "docker.io"),
    ("containerd", "docker.io"),
    ("iptables", "iptables"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
    ("mount", "mount"),
    ("hostname", "hostname"),
    ("kill", "procps"),
    ("env", "coreutils"),
    ("cat", "coreutils"),
];

/// Keeps the packages' scripts from starting a system engine, as `invoke-rc.d` and systemd agree.
const NO_SERVICES: &str = "/usr/sbin/policy-rc.d";

/// Whether this machine can run a testbed; if not, what is missing, each with its remedy.
pub fn requirements() -> Result<(), Vec<String>> {
    if !cfg!(target_os = "linux") {
        return Err(vec!["a testbed needs Linux: run it in a virtual machine".into()]);
    }
    let not_root = fs::metadata("/proc/self").map(|process| process.uid() != 0).unwrap_or(true);
    let mut missing: Vec<String> =
        not_root.then(|| "namespaces need root: run it with sudo".into()).into_iter().collect();
    let absent = PROGRAMS.iter().filter(|(program, _)| !found(program));
    missing.extend(absent.map(|(program, package)| format!("`{program}` is not installed: apt-get install {package}")));
    if missing.is_empty() { Ok(()) } else { Err(missing) }
}

/// Installs what [`requirements`] misses, where `apt-get` can; no system engine is started by it.
pub async fn install() -> Result<(), TestbedError> {
    blocking(|| {
        let mut packages: Vec<&str> =
            PROGRAMS.iter().filter(|(program, _)| !found(program)).map(|(_, package)| *package).collect();
        packages.dedup();
        if !packages.is_empty() && found("apt-get") {
            let _guard = NoServices::hold()?;
            run(command("apt-get").args(["-q", "update"]))?;
            let install = ["-q", "-y", "--no-install-recommends", "install"];
            run(command("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(install).args(packages))?;
        }
        requirements().map_err(TestbedError::Requirements)
    })
    .await
}

fn found(program: &str) -> bool {
    search_path().split(':').any(|dir| Path::new(dir).join(program).is_file())
}

/// While it lives, installing a package starts no service.
struct NoServices {
    ours: bool,
}

impl NoServices {
    fn hold() -> Result<Self, TestbedError> {
        let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(NO_SERVICES);
        match opened.and_then(|mut file| file.write_all(b"#!/bin/sh\nexit 101\n")) {
            Ok(()) => Ok(Self { ours: true }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Self { ours: false }),
            Err(error) => Err(TestbedError::io(format!("write {NO_SERVICES}"))(error)),
        }
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours {
            let _ = fs::remove_file(NO_SERVICES);
        }
    }
}
