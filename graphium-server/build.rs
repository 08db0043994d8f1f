//! Compiles `webimage/web.rs`, the program in the image of the demo and the tests, into a static binary that the library embeds.
//!
//! Where that is impossible (a cross build, another platform, no static libc) the file is empty, and the library says that it
//! has no web image; nothing else depends on it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

const SOURCE: &str = "webimage/web.rs";
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| env::var(name).map_err(|_| io::Error::other(format!("cargo did not set {name}")));
    let binary = PathBuf::from(variable("OUT_DIR")?).join("web");
    let target = variable("TARGET")?;
    let built = if target == variable("HOST")? && TARGETS.contains(&target.as_str()) {
        compile(&variable("RUSTC")?, &binary)
    } else {
        Err(format!("not built for {target}"))
    };
    if let Err(reason) = built {
        println!("cargo::warning=graphium has no web image, which `graphium demo` and the tests deploy: {reason}");
        fs::write(&binary, [])?;
    }
    Ok(())
}

fn compile(rustc: &str, binary: &Path) -> Result<(), String> {
    let output = Command::new(rustc)
        .args([
            "--edition",
            "2024",
            "--crate-name",
            "web",
            "-C",
            "opt-level=z",
            "-C",
            "lto=fat",
            "-C",
            "codegen-units=1",
        ])
        .args(["-C", "panic=abort", "-C", "strip=symbols", "-C", "target-feature=+crt-static", "-o"])
        .args([binary, Path::new(SOURCE)])
        // The flags of the user's build (a sanitizer, coverage, another linker) are not for this one.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .map_err(|error| format!("{rustc} does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let messages = String::from_utf8_lossy(&output.stderr);
    let reason = messages.lines().find(|line| line.starts_with("error")).unwrap_or("rustc failed");
    Err(reason.to_owned())
}
