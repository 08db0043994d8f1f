//! A full disk: what is there is read, what is new is refused by name, and when there is room again it goes on by itself.

use crate::bed::{Bed, stack};
use graphium_server::serve::Limits;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

/// A small disk, which is taken away with the value.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        run("mount", &["-t", "tmpfs", "-o", "size=6m", "graphium-test"], folder.path());
        Self(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut filler = fs::File::create(self.file("filler")).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["--lazy"], self.0.path());
    }
}

fn run(program: &str, args: &[&str], path: &Path) {
    let ended = Command::new(program).args(args).arg(path).output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "`{program}` failed (this test needs root): {told}");
}

/// Asks for one token more. The status, and the code of what is wrong.
async fn write(bed: &Bed, name: &str) -> (StatusCode, Value) {
    let response = bed.send(Method::POST, "/api/v1/tokens", Some(json!({"role": "viewer", "name": name}))).await;
    (response.status(), response.json().await.unwrap_or(Value::Null))
}

async fn names(bed: &Bed) -> Vec<String> {
    let tokens = bed.admin.tokens().await.unwrap();
    tokens.into_iter().filter_map(|token| token.name).filter(|name| name.starts_with("number")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_what_is_new_shows_what_is_there_and_recovers_by_itself() {
    let disk = Disk::new();
    let store = format!("sqlite:{}", disk.file("graphium.db").display());
    let bed = Bed::over(&store, Limits::default()).await;
    let (_agent, _) = bed.host("vm1").await;
    bed.deploy(&stack("shop", "vm1")).await;
    disk.fill();
    let mut written = Vec::new();
    let refused = loop {
        let name = format!("number {:04}", written.len());
        match write(&bed, &name).await {
            (status, _) if status.is_success() => written.push(name),
            refused => break refused,
        }
        assert!(written.len() < 1000, "the disk is not full");
    };
    assert_eq!((refused.0.as_u16(), &refused.1["code"]), (507, &json!("store-full")), "{}", refused.1);
    assert!(refused.1["detail"].as_str().unwrap().starts_with("no room left to write"), "{}", refused.1);
    for path in
        ["/api/v1/stacks", "/api/v1/stacks/shop", "/api/v1/tasks", "/api/v1/events?after=0&follow=false", "/readyz"]
    {
        bed.json(Method::GET, path, None, 200).await;
    }
    let deploy = bed.send(Method::POST, "/api/v1/stacks", Some(stack("more", "vm1"))).await;
    assert_eq!(deploy.status().as_u16(), 507);
    assert_eq!(names(&bed).await.len(), written.len());

    fs::remove_file(disk.file("filler")).unwrap();
    let (status, told) = write(&bed, "number last").await;
    assert!(status.is_success(), "{status}: {told}");
    bed.deploy(&stack("more", "vm1")).await;
    written.push("number last".to_owned());
    let mut found = names(&bed).await;
    found.sort();
    assert_eq!(found, written);
}
