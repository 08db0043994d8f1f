#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use super::*;
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

/// A folder of configuration, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn with(name: &str, config: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("graphium-config-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config.json"), config).unwrap();
        Self(folder)
    }

    async fn login(&self, image: &str) -> Result<Option<Value>, String> {
        let found = DockerConfig::new(&self.0).credentials(image).await.map_err(|error| error.to_string())?;
        Ok(found.map(|found| {
            assert!(!format!("{found:?}").contains("s3cret"));
            let found = found.for_engine();
            let all = [
                ("user", found.username),
                ("password", found.password),
                ("identity", found.identitytoken),
                ("token", found.registrytoken),
                ("at", found.serveraddress),
            ];
            all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::from(value?)))).collect()
        }))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn auth(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}

#[tokio::test]
async fn logins_are_found_in_the_file_under_every_name_of_their_registry() {
    let config = json!({"auths": {
        "https://index.docker.io/v1/": {"auth": auth("hub:s3cret")},
        "reg.example:5000": {"auth": auth("u:s3cret:with:colons")},
        "https://old.example/v2/": {"username": "v", "password": "s3cret"},
        "id.example": {"auth": auth("w:"), "identitytoken": "s3cret"},
        "token.example": {"registrytoken": "s3cret"},
        "stored.example": {},
        "null.example": null
    }});
    let folder = Folder::with("file", &config.to_string());
    let hub = json!({"user": "hub", "password": "s3cret", "at": "https://index.docker.io/v1/"});
    for image in ["nginx", "library/nginx:1", "docker.io/library/nginx"] {
        assert_eq!(folder.login(image).await, Ok(Some(hub.clone())), "{image}");
    }
    for (image, login) in [
        ("reg.example:5000/a/b:1", json!({"user": "u", "password": "s3cret:with:colons", "at": "reg.example:5000"})),
        ("old.example/a", json!({"user": "v", "password": "s3cret", "at": "old.example"})),
        ("id.example/a", json!({"user": "w", "identity": "s3cret", "at": "id.example"})),
        ("token.example/a", json!({"token": "s3cret", "at": "token.example"})),
    ] {
        assert_eq!(folder.login(image).await, Ok(Some(login)), "{image}");
    }
    // The engine goes to a registry for a first part with a capital, and Docker Hub's login must not go along.
    let nobody = ["stored.example/a", "null.example/a", "reg.example/a", "localhost/a", "other.example/hub", "Reg/a"];
    for image in nobody {
        assert_eq!(folder.login(image).await, Ok(None), "{image}");
    }
}

#[tokio::test]
async fn where_nothing_is_configured_a_registry_is_asked_as_nobody() {
    let folder = Folder::with("none", "{}");
    assert_eq!(folder.login("nginx").await, Ok(None));
    let nulls = r#"{"auths": null, "credsStore": null, "credHelpers": null}"#;
    assert_eq!(Folder::with("null", nulls).login("nginx").await, Ok(None));
    fs::remove_file(folder.0.join("config.json")).unwrap();
    assert_eq!(folder.login("nginx").await, Ok(None));
}

#[tokio::test]
async fn what_is_wrong_with_a_configuration_is_told_without_its_secrets() {
    let folder = Folder::with("wrong", r#"{"auths": {"reg.example": {"auth": ["s3cret"]}}}"#);
    let error = folder.login("reg.example/a").await.unwrap_err();
    assert!(error.contains("config.json") && error.contains("line 1") && !error.contains("s3cret"), "{error}");
    let folder = Folder::with("base64", r#"{"auths": {"reg.example": {"auth": "s3cret!"}}}"#);
    let error = folder.login("reg.example/a").await.unwrap_err();
    assert!(error.contains("`auth` of `reg.example`") && !error.contains("s3cret"), "{error}");
    let folder = Folder::with("helper", r#"{"credsStore": "../../bin/sh"}"#);
    let error = folder.login("nginx").await.unwrap_err();
    assert_eq!(error, "`../../bin/sh` is no name of a credential helper");
    let folder = Folder::with("absent", r#"{"credHelpers": {"reg.example": "graphium-absent"}}"#);
    assert_eq!(folder.login("nginx").await, Ok(None), "it is no other registry's helper");
    let error = folder.login("reg.example/a").await.unwrap_err();
    assert_eq!(error, "the credential helper `docker-credential-graphium-absent` is not installed");
}

/// Programs are found by `PATH`, which is the process's: this test is in a process of its own.
#[test]
fn helpers_are_asked_with_a_deadline_and_nothing_that_they_say_is_repeated() {
    let bin = Folder::with("bin", "{}");
    for (name, script) in [
        (
            "good",
            r#"read registry; [ "$1" = get ] && echo "{\"ServerURL\":\"$registry\",\"Username\":\"u\",\"Secret\":\"s3cret\"}""#,
        ),
        ("token", r#"echo '{"Username":"<token>","Secret":"s3cret"}'"#),
        ("ignorant", "echo 'credentials not found in native keychain'; exit 1"),
        ("broken", "echo s3cret; echo s3cret >&2; exit 7"),
        ("garbled", "echo '{\"Secret\": s3cret'"),
        ("endless", "yes s3cret"),
        ("silent", "exec sleep 600"),
    ] {
        let path = bin.0.join(format!("docker-credential-{name}"));
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let usual = std::env::var("PATH").unwrap_or_default();
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "config::credentials::tests::helpers_by_path", "--ignored", "--nocapture"])
        .env("PATH", format!("{}:{usual}", bin.0.display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "`helpers_are_asked_with_a_deadline_and_nothing_that_they_say_is_repeated` runs it"]
async fn helpers_by_path() {
    let helpers = ["good", "token", "ignorant", "broken", "garbled", "endless", "silent"];
    let of = |name: &&str| (format!("{name}.example"), Value::from(*name));
    let helpers: serde_json::Map<String, Value> = helpers.iter().map(of).collect();
    let config = json!({"credHelpers": helpers, "credsStore": "good",
        "auths": {"ignorant.example": {"auth": auth("file:s3cret")}}});
    let folder = Folder::with("helpers", &config.to_string());
    for (image, login) in [
        ("good.example/a", json!({"user": "u", "password": "s3cret", "at": "good.example"})),
        ("nginx", json!({"user": "u", "password": "s3cret", "at": HUB})),
        ("token.example/a", json!({"identity": "s3cret", "at": "token.example"})),
        ("ignorant.example/a", json!({"user": "file", "password": "s3cret", "at": "ignorant.example"})),
    ] {
        assert_eq!(folder.login(image).await, Ok(Some(login)), "{image}");
    }
    for (name, words) in [
        ("broken", "failed (exit status: 7)"),
        ("garbled", "answers something else than a login"),
        ("endless", ""),
        ("silent", "gave no answer within 10 s"),
    ] {
        let begun = std::time::Instant::now();
        let error = folder.login(&format!("{name}.example/a")).await.unwrap_err();
        assert!(error.starts_with(&format!("the credential helper `docker-credential-{name}` {words}")), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
        assert!(begun.elapsed() < helper::DEADLINE + std::time::Duration::from_secs(5));
    }
}
