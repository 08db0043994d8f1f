//! `graphium doctor`: a row per check, with what to do about it.

use crate::{
    cli::{Exit, Failure, Output, connect},
    config::{Config, Format},
    engine,
    render::{self, Style, Table},
};
use graphium_core::runtime::ContainerRuntime;
use graphium_server::{auth, client::ClientError};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use std::{fs, net::TcpListener, path::Path, process::Command, time::Duration};

/// With less than this a pull is likely to fail.
const FREE_BYTES: u64 = 2_000_000_000;
/// Clocks that differ by more make times hard to read.
const CLOCK_SECONDS: i64 = 5;

/// Checks what Graphium needs on this machine, and says what to do
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    /// The engine: unix:///PATH, tcp://HOST:PORT or ssh://[USER@]HOST [default: as docker finds it]
    #[arg(long, alias = "docker-socket", value_name = "ENDPOINT")]
    docker: Option<String>,
    /// How the result is written
    #[arg(short, long, value_enum)]
    output: Option<Format>,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// Fine for some uses.
    Note,
    Failed,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Ok, found: found.into(), fix: None }
    }

    fn note(name: &'static str, found: impl Into<String>, fix: &str) -> Self {
        Self { name, state: State::Note, found: found.into(), fix: Some(fix.to_owned()) }
    }

    fn failed(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, state: State::Failed, found: found.into(), fix: Some(fix.into()) }
    }
}

pub(crate) fn run(args: &DoctorArgs, config: &Config, output: &mut Output) -> Result<Exit, Failure> {
    let checks = connect::run(async {
        let mut checks = engine_checks(args.docker.as_deref()).await;
        checks.push(data_dir_check(config));
        checks.extend(disk_check(config));
        checks.extend(server_checks(config).await);
        Ok(checks)
    })?;
    match args.output.unwrap_or(config.output.value) {
        Format::Json => output.json(&json!({"checks": checks}))?,
        Format::Table | Format::Wide => show(&checks, output)?,
    }
    let failed = checks.iter().filter(|check| check.state == State::Failed).count();
    match failed {
        0 => Ok(Exit::Ok),
        _ => Err(Failure::new(Exit::Failed, format!("{} failed", render::count(failed, "check")))),
    }
}

fn show(checks: &[Check], output: &mut Output) -> Result<(), Failure> {
    // Colours would count as columns in a table.
    let mut table = Table::default();
    for check in checks {
        let mark = match check.state {
            State::Ok => "✓",
            State::Note => "·",
            State::Failed => "✗",
        };
        table.row([mark, check.name, &check.found]);
    }
    let style = output.data_style();
    for (line, check) in table.lines(Style::PLAIN).into_iter().zip(checks) {
        output.line(match check.state {
            State::Ok => line,
            State::Note => style.yellow(&line),
            State::Failed => style.red(&line),
        })?;
        if let Some(fix) = &check.fix {
            output.line(format_args!("   {} {}", style.cyan("hint:"), render::printable(fix)))?;
        }
    }
    Ok(())
}

async fn engine_checks(flag: Option<&str>) -> Vec<Check> {
    let engine = match engine::find(flag) {
        Ok(engine) => engine,
        Err(failure) => return vec![Check::failed("engine", failure.what, failure.hints.join("; "))],
    };
    let place = format!("{} ({})", engine.endpoint, engine.found);
    match engine.runtime().info().await {
        Ok(info) => vec![
            Check::ok("engine", format!("{place}: version {}", info.version)),
            Check::ok("engine API", format!("{} on the wire, {}", info.api_version, info.platform)),
        ],
        Err(error) => {
            let failure = engine::unreachable(&engine, &error);
            vec![Check::failed("engine", format!("{place}: {}", failure.what), failure.hints.join("; "))]
        }
    }
}

fn data_dir_check(config: &Config) -> Check {
    let dir = match config.data_dir() {
        Ok(dir) => dir,
        Err(failure) => return Check::failed("data directory", failure.what, failure.hints.join("; ")),
    };
    let place = dir.display();
    let Some(existing) = dir.ancestors().find(|path| path.is_dir()) else {
        return Check::failed("data directory", format!("{place} cannot be made"), "choose another: `--data-dir DIR`");
    };
    let probe = existing.join(format!(".graphium-doctor-{}", std::process::id()));
    let written = fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe));
    match written {
        Ok(()) if existing == dir => Check::ok("data directory", format!("{place} can be written")),
        Ok(()) => Check::ok("data directory", format!("{place} will be made when it is needed")),
        Err(error) => Check::failed(
            "data directory",
            format!("{}: {error}", existing.display()),
            "give yourself the right to write there, or choose another: `--data-dir DIR`",
        ),
    }
}

/// Free space where the data goes; nothing where no `df` can say it.
fn disk_check(config: &Config) -> Option<Check> {
    let dir = config.data_dir().ok()?.ancestors().find(|path| path.is_dir()).map(Path::to_owned)?;
    let answer = Command::new("df").args(["-Pk"]).arg(&dir).output().ok()?;
    let text = String::from_utf8(answer.stdout).ok()?;
    let free: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse::<u64>().ok()? * 1024;
    let found = format!("{} free at {}", render::bytes(Some(free), None)?, dir.display());
    Some(if free < FREE_BYTES {
        Check::note("disk", found, "free some space: `docker system df` shows what images take")
    } else {
        Check::ok("disk", found)
    })
}

async fn server_checks(config: &Config) -> Vec<Check> {
    let mut checks = Vec::new();
    for url in config.server.value.urls() {
        checks.extend(server_check(config, url).await);
    }
    checks
}

async fn server_check(config: &Config, url: &str) -> Vec<Check> {
    let client = match connect::client_of(config, url) {
        Ok(client) => client,
        Err(failure) => return vec![Check::failed("server", failure.what, failure.hints.join("; "))],
    };
    let place = format!("{url} ({})", config.server.origin);
    let health = match tokio::time::timeout(Duration::from_secs(10), client.healthz()).await {
        Ok(Ok(health)) => health,
        Ok(Err(error)) => return vec![away(&place, &Failure::from(error).what), port_check()],
        Err(_) => return vec![away(&place, "no answer within 10 s"), port_check()],
    };
    let mut checks = vec![Check::ok("server", format!("{place}: version {}", health.version))];
    checks.push(token_check(config, url, client.hosts().await.map(|hosts| hosts.len())));
    checks.extend(clock_check(url).await);
    checks
}

fn away(place: &str, reason: &str) -> Check {
    Check::note(
        "server",
        format!("{place}: {reason}"),
        "start one: `graphium server`; or say where it is: `--server URL`",
    )
}

fn port_check() -> Check {
    match TcpListener::bind(("127.0.0.1", 8095)) {
        Ok(_) => Check::ok("port 8095", "free"),
        Err(error) => {
            Check::note("port 8095", error.to_string(), "choose another: `graphium server --listen 127.0.0.1:8096`")
        }
    }
}

fn token_check(config: &Config, url: &str, hosts: Result<usize, ClientError>) -> Check {
    let origin = match &config.token {
        Some(token) => token.origin.to_string(),
        None if auth::local::find(url).is_some() => "the server on this machine".to_owned(),
        None => "none was found".to_owned(),
    };
    match hosts {
        Ok(hosts) => {
            Check::ok("token", format!("accepted ({origin}); the server knows {}", render::count(hosts, "host")))
        }
        Err(ClientError::Denied { status: 403, .. }) => Check::note(
            "token",
            format!("known, and may not see hosts ({origin})"),
            "an agent's token does the work of its host only",
        ),
        Err(error) => {
            let failure = Failure::from(error);
            Check::failed("token", format!("{} ({origin})", failure.what), failure.hints.join("; "))
        }
    }
}

/// The difference of the clocks, from the head of an answer that says the server's time.
async fn clock_check(url: &str) -> Option<Check> {
    graphium_server::tls::ready();
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().ok()?;
    let answer = client.get(format!("{}/healthz", url.trim_end_matches('/'))).send().await.ok()?;
    let date = answer.headers().get(reqwest::header::DATE)?.to_str().ok()?;
    let there = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    let apart = (Timestamp::now().as_second() - there.as_second()).abs();
    Some(if apart > CLOCK_SECONDS {
        Check::note(
            "clock",
            format!("{} apart from the server's", render::span(apart)),
            "set both by NTP: `timedatectl set-ntp true`",
        )
    } else {
        Check::ok("clock", "as the server's")
    })
}
