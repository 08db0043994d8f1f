#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use super::*;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::fs;

#[test]
fn every_usual_form_is_read() {
    for (text, shown) in [
        ("unix:///run/docker.sock", "unix:///run/docker.sock"),
        ("/tmp/d.sock", "unix:///tmp/d.sock"),
        ("tcp://10.0.0.1:2376", "tcp://10.0.0.1:2376"),
        ("tcp://engine", "tcp://engine:2375"),
        ("http://engine:80/", "tcp://engine:80"),
        ("tcp://[::1]:2375", "tcp://[::1]:2375"),
        ("tcp://[::1]", "tcp://[::1]:2375"),
        ("ssh://engine", "ssh://engine"),
        ("ssh://me@engine.example:2222/run/user/1/docker.sock", "ssh://me@engine.example:2222/run/user/1/docker.sock"),
        ("ssh://engine/", "ssh://engine"),
    ] {
        assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), shown, "{text}");
    }
}

#[test]
fn what_cannot_be_reached_is_refused_with_a_reason() {
    for text in [
        "",
        "docker.sock",
        "unix://run/x",
        "https://x:1",
        "tcp://",
        "tcp://x:0",
        "tcp://u@x",
        "tcp://::1",
        "ssh://",
        "ssh://-oProxyCommand=x",
        "ssh://x:0",
        "ssh://a;b",
        "ssh://-l@x",
        "ssh://x/run/$(id)",
        "ssh://x/a b",
    ] {
        assert!(text.parse::<Endpoint>().is_err(), "{text}");
    }
}

#[test]
fn ssh_is_called_with_words_that_say_one_thing_alone() {
    let words = |text: &str| {
        let Ok(Endpoint::Ssh(target)) = text.parse() else { panic!("{text}") };
        target.arguments().join(" ")
    };
    let alive = "-o ServerAliveInterval=15 -o ServerAliveCountMax=3";
    let options = format!("-T -o ConnectTimeout=10 {alive} -o BatchMode=yes -o LogLevel=ERROR");
    assert_eq!(words("ssh://engine"), format!("{options} -- engine docker system dial-stdio"));
    assert_eq!(
        words("ssh://me@engine:22/run/d.sock"),
        format!("{options} -l me -p 22 -- engine docker --host unix:///run/d.sock system dial-stdio")
    );
}

/// A folder of docker's configuration with contexts, gone with the test.
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Self {
        let home = std::env::temp_dir().join(format!("graphium-contexts-{name}-{}", std::process::id()));
        fs::create_dir_all(home.join(".docker")).unwrap();
        Self(home)
    }

    fn uses(&self, context: &str) {
        let text = json!({"currentContext": context, "auths": {"x": {"auth": "s3cret"}}}).to_string();
        fs::write(self.0.join(".docker/config.json"), text).unwrap();
    }

    fn context(&self, name: &str, host: &str) -> String {
        let id: String = Sha256::digest(name).iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = self.0.join(".docker/contexts/meta").join(&id);
        fs::create_dir_all(&folder).unwrap();
        let meta =
            json!({"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": false}}});
        fs::write(folder.join("meta.json"), meta.to_string()).unwrap();
        id
    }

    fn discover(&self, flag: Option<&str>, variables: &[(&str, &str)]) -> Result<String, String> {
        let home = self.0.display().to_string();
        let env = |name: &str| match variables.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => Some((*value).to_owned()),
            None => (name == "HOME").then(|| home.clone()),
        };
        let found = Endpoint::discover(flag, &env).map_err(|error| error.to_string())?;
        Ok(format!("{} ({})", found.endpoint, found.origin))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn it_is_found_where_docker_would_look_and_said_who_says_so() {
    let home = Home::new("order");
    let found = |flag, variables: &[(&str, &str)]| home.discover(flag, variables).unwrap();
    assert_eq!(found(None, &[]), "unix:///var/run/docker.sock (where docker looks for it)");
    home.context("far", "ssh://me@far");
    home.context("near", "unix:///run/near.sock");
    home.uses("far");
    assert_eq!(found(None, &[]), "ssh://me@far (the docker context `far`, which is in use)");
    let context = ("DOCKER_CONTEXT", "near");
    assert_eq!(found(None, &[context]), "unix:///run/near.sock (the docker context `near`, from DOCKER_CONTEXT)");
    let host = ("DOCKER_HOST", "tcp://b:1");
    assert_eq!(found(None, &[context, host]), "tcp://b:1 (from DOCKER_HOST)");
    assert_eq!(found(Some("/a"), &[context, host]), "unix:///a (from --docker)");
    let empty = [("DOCKER_HOST", ""), ("DOCKER_CONTEXT", "default")];
    assert_eq!(found(None, &empty), "unix:///var/run/docker.sock (where docker looks for it)");
    home.uses("default");
    assert_eq!(found(None, &[]), "unix:///var/run/docker.sock (where docker looks for it)");
    fs::write(home.0.join(".docker/config.json"), r#"{"currentContext": null}"#).unwrap();
    assert_eq!(found(None, &[]), "unix:///var/run/docker.sock (where docker looks for it)");
}

#[test]
fn a_context_that_is_named_is_never_passed_over_where_there_is_no_folder_to_look_in() {
    let found = |name: &str| {
        let env = |variable: &str| (variable == "DOCKER_CONTEXT").then(|| name.to_owned());
        Endpoint::discover(None, &env).map(|found| found.endpoint.to_string()).map_err(|error| error.to_string())
    };
    let told =
        "the docker context `far`, from DOCKER_CONTEXT, cannot be looked up: neither DOCKER_CONFIG nor HOME is set";
    assert_eq!(found("far"), Err(told.to_owned()));
    for usual in ["default", ""] {
        assert_eq!(found(usual), Ok("unix:///var/run/docker.sock".to_owned()));
    }
}

#[test]
fn containers_are_reached_from_here_where_the_engine_is_here() {
    for (text, is_here) in [
        ("unix:///run/docker.sock", true),
        ("tcp://localhost:2375", true),
        ("tcp://127.0.0.7", true),
        ("tcp://[::1]:2375", true),
        ("tcp://0.0.0.0:2375", true),
        ("tcp://10.0.0.1:2375", false),
        ("tcp://[2001:db8::1]", false),
        ("tcp://localhost.example", false),
        ("ssh://engine", false),
        ("ssh://localhost", false),
    ] {
        assert_eq!(text.parse::<Endpoint>().unwrap().is_on_this_network(), is_here, "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_with_who_says_it() {
    let home = Home::new("wrong");
    let told = |variables: &[(&str, &str)]| home.discover(None, variables).unwrap_err();
    assert_eq!(
        told(&[("DOCKER_HOST", "ftp://x")]),
        "`ftp://x` (from DOCKER_HOST) is no Docker endpoint: the scheme is none of unix, tcp, http, https, ssh"
    );
    assert_eq!(told(&[("DOCKER_CONTEXT", "far")]), "there is no docker context `far`; there is none at all");
    home.context("near", "ftp://y");
    assert_eq!(told(&[("DOCKER_CONTEXT", "far")]), "there is no docker context `far`; known: near");
    let near = told(&[("DOCKER_CONTEXT", "near")]);
    assert!(near.starts_with("`ftp://y` (the docker context `near`) is no Docker endpoint"), "{near}");
    fs::write(home.0.join(".docker/config.json"), "{\n\"currentContext\": s3cret}").unwrap();
    let wrong = told(&[]);
    assert!(wrong.ends_with("config.json: wrong in line 2") && !wrong.contains("s3cret"), "{wrong}");
}

#[test]
fn tls_is_used_where_it_is_asked_for_with_the_certificates_that_docker_would_take() {
    let home = Home::new("tls");
    let variables = |more: &[(&'static str, &'static str)]| [&[("DOCKER_HOST", "tcp://x")], more].concat();
    let target = |flag: Option<&str>, variables: &[(&str, &str)]| {
        let folder = home.0.display().to_string();
        let env = |name: &str| match variables.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => Some((*value).to_owned()),
            None => (name == "HOME").then(|| folder.clone()),
        };
        match Endpoint::discover(flag, &env).unwrap().endpoint {
            Endpoint::Tls(target) => Some((target.authority, target.certificates)),
            _ => None,
        }
    };
    let usual = home.0.join(".docker");
    assert_eq!(target(None, &variables(&[])), None, "nothing asks for it");
    let verify = ("DOCKER_TLS_VERIFY", "1");
    assert_eq!(target(None, &variables(&[verify])), Some(("x:2376".to_owned(), usual.clone())));
    let own = ("DOCKER_CERT_PATH", "/certs");
    assert_eq!(target(None, &variables(&[verify, own])), Some(("x:2376".to_owned(), "/certs".into())));
    assert_eq!(target(Some("tcp://y:1"), &[verify]), Some(("y:1".to_owned(), usual.clone())));
    assert_eq!(target(Some("https://[::1]"), &[]), Some(("[::1]:2376".to_owned(), usual)));
    assert_eq!(target(Some("/run/d.sock"), &[verify]), None, "a socket has none");
    let id = home.context("secure", "tcp://x:2376");
    let secure = [("DOCKER_CONTEXT", "secure")];
    assert_eq!(target(None, &secure), None);
    let folder = home.0.join(".docker/contexts/tls").join(id).join("docker");
    fs::create_dir_all(&folder).unwrap();
    assert_eq!(target(None, &secure), Some(("x:2376".to_owned(), folder)));
    home.context("secure", "http://x:2376");
    for asking in [&secure[..], &[("DOCKER_HOST", "http://x:2376"), verify]] {
        let told = home.discover(None, asking).unwrap_err();
        assert!(told.contains("TLS is asked for; write tcp:// or https://"), "{told}");
    }
}

#[test]
fn tls_without_a_look_at_the_certificate_is_refused() {
    let home = Home::new("unverified");
    let told = home.discover(None, &[("DOCKER_HOST", "tcp://x:2376"), ("DOCKER_TLS", "1")]).unwrap_err();
    let words = "asks for TLS without checking the engine's certificate, which is not done here";
    assert_eq!(told, format!("`tcp://x:2376` (from DOCKER_HOST) {words}"));
    let id = home.context("loose", "tcp://x:2376");
    fs::create_dir_all(home.0.join(".docker/contexts/tls").join(&id).join("docker")).unwrap();
    let meta = home.0.join(".docker/contexts/meta").join(id).join("meta.json");
    let text = fs::read_to_string(&meta).unwrap().replace("\"SkipTLSVerify\":false", "\"SkipTLSVerify\":true");
    fs::write(&meta, text).unwrap();
    let told = home.discover(None, &[("DOCKER_CONTEXT", "loose")]).unwrap_err();
    assert_eq!(told, format!("`tcp://x:2376` (the docker context `loose`) {words}"));
    // Without certificates `docker` speaks TLS all the same, and so nothing is sent in the open here.
    for host in ["tcp://y:2376", "https://y:2376", "http://y:2376"] {
        let id = home.context("bare", host);
        let meta = home.0.join(".docker/contexts/meta").join(id).join("meta.json");
        let text = fs::read_to_string(&meta).unwrap();
        fs::write(&meta, text.replace("\"SkipTLSVerify\":false", "\"SkipTLSVerify\":true")).unwrap();
        let told = home.discover(None, &[("DOCKER_CONTEXT", "bare")]).unwrap_err();
        assert_eq!(told, format!("`{host}` (the docker context `bare`) {words}"));
    }
    for (host, is_taken) in [("unix:///run/d.sock", true), ("ssh://far", true), ("ftp://z", false)] {
        let id = home.context("other", host);
        let meta = home.0.join(".docker/contexts/meta").join(id).join("meta.json");
        let text = fs::read_to_string(&meta).unwrap();
        fs::write(&meta, text.replace("\"SkipTLSVerify\":false", "\"SkipTLSVerify\":true")).unwrap();
        assert_eq!(home.discover(None, &[("DOCKER_CONTEXT", "other")]).is_ok(), is_taken, "{host}: there is no TLS");
    }
    let told = home.discover(None, &[("DOCKER_HOST", "http://x:2376"), ("DOCKER_TLS", "1")]).unwrap_err();
    assert_eq!(told, format!("`http://x:2376` (from DOCKER_HOST) {words}"));
    let nowhere = Endpoint::discover(Some("https://x"), &|_| None).unwrap_err().to_string();
    assert_eq!(nowhere, "`https://x` asks for TLS, and nothing says where its certificates are");
}
