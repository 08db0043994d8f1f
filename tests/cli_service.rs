//! The program as a service: what it tells systemd, and what it brings for shells and `man`.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what could not be tried is told")]

#[path = "cli_home.rs"]
mod home;

use home::{Home, code, stderr, stdout};
use std::{
    fs,
    os::unix::net::UnixDatagram,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A service manager that listens.
struct Manager(UnixDatagram);

impl Manager {
    fn new(home: &Home) -> Self {
        let socket = UnixDatagram::bind(home.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(socket)
    }

    /// Has a program started under it, watched every so many milliseconds.
    fn start(&self, home: &Home, args: &[&str], watchdog: u64) -> Service {
        let mut command: Command = home.graphium(args);
        command.env("NOTIFY_SOCKET", home.path().join("notify"));
        command.env("WATCHDOG_USEC", (watchdog * 1000).to_string());
        command.env("TOKEN", format!("gph_{}", "0".repeat(64)));
        Service(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// The next words.
    fn heard(&self) -> String {
        let mut buffer = [0; 1024];
        let length = self.0.recv(&mut buffer).expect("the program says nothing");
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// The next words that begin so, past others.
    fn hears(&self, beginning: &str) -> String {
        for _ in 0..100 {
            let words = self.heard();
            if words.starts_with(beginning) {
                return words;
            }
        }
        panic!("nothing that begins with `{beginning}`");
    }
}

struct Service(Child);

impl Service {
    fn signal(&self, name: &str) {
        let killed = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

#[test]
fn a_server_says_when_it_is_ready_that_it_lives_and_that_it_ends() {
    let home = Home::new();
    let manager = Manager::new(&home);
    let mut server = manager.start(&home, &["server", "--listen", "127.0.0.1:0"], 900);
    let ready = manager.heard();
    let url = ready.strip_prefix("READY=1\nSTATUS=listens on ").unwrap_or_else(|| panic!("{ready}"));
    // What it says is so: somebody is there.
    std::net::TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    let begun = Instant::now();
    for _ in 0..4 {
        assert_eq!(manager.heard(), "WATCHDOG=1");
    }
    assert!(begun.elapsed() >= Duration::from_millis(600), "more often than it was asked for");
    // One that stands still says nothing.
    server.signal("STOP");
    manager.0.set_nonblocking(true).unwrap();
    while manager.0.recv(&mut [0; 64]).is_ok() {}
    std::thread::sleep(Duration::from_secs(1));
    assert!(manager.0.recv(&mut [0; 64]).is_err(), "it stands still and says that it lives");
    manager.0.set_nonblocking(false).unwrap();
    server.signal("CONT");
    manager.hears("WATCHDOG=1");
    server.signal("TERM");
    assert_eq!(manager.hears("STOPPING=1"), "STOPPING=1\nSTATUS=stopping");
    assert!(server.0.wait().unwrap().success());
}

/// The places, besides the first, in which glibc keeps memory of a program: each is at the beginning of 64 MiB, of which it may not yet
/// touch the rest.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn places(program: &Service) -> usize {
    const SIZE: u64 = 64 << 20;
    let maps = fs::read_to_string(format!("/proc/{}/maps", program.0.id())).unwrap();
    let is_rest = |line: &&str| {
        let (range, rest) = line.split_once(' ').unwrap();
        let (from, to) = range.split_once('-').unwrap();
        let of = |text| u64::from_str_radix(text, 16).unwrap();
        rest.starts_with("---p") && of(to).is_multiple_of(SIZE) && (SIZE / 2..SIZE).contains(&(of(to) - of(from)))
    };
    maps.lines().filter(is_rest).count()
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_server_keeps_freed_memory_in_two_places_unless_it_is_told_otherwise() {
    for (told, are_more) in [(None, false), (Some("8"), true)] {
        let home = Home::new();
        let manager = Manager::new(&home);
        let mut command = home.graphium(&["server", "--listen", "127.0.0.1:0"]);
        command.env("NOTIFY_SOCKET", home.path().join("notify")).env_remove("MALLOC_ARENA_MAX");
        command.envs(told.map(|number| ("MALLOC_ARENA_MAX", number)));
        let server = Service(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        assert!(manager.heard().starts_with("READY=1"));
        let places = 1 + places(&server);
        assert_eq!(places > 2, are_more, "{told:?}: {places} places");
    }
}

#[test]
fn an_agent_without_its_server_lives_and_says_what_is_wrong() {
    let home = Home::new();
    let manager = Manager::new(&home);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let engine = format!("unix://{}", home.path().join("no.sock").display());
    let args = ["--server", &url, "agent", "--host-id", "vm1", "--docker", &engine];
    let mut agent = manager.start(&home, &args, 900);
    assert_eq!(manager.heard(), "READY=1\nSTATUS=serves host vm1");
    let told = manager.hears("STATUS=");
    assert!(told.contains("trying again"), "{told}");
    manager.hears("WATCHDOG=1");
    agent.signal("TERM");
    manager.hears("STOPPING=1");
    agent.0.wait().unwrap();
}

/// A unit that the project ships.
struct Unit {
    name: &'static str,
    text: String,
}

impl Unit {
    fn all() -> [Self; 2] {
        ["graphium-server", "graphium-agent"].map(|name| {
            let path = format!("{}/../contrib/systemd/{name}.service", env!("CARGO_MANIFEST_DIR"));
            Self { name, text: fs::read_to_string(path).unwrap() }
        })
    }

    /// What it says of a key, in order.
    fn says(&self, key: &str) -> Vec<&str> {
        self.text
            .lines()
            .filter_map(|line| line.split_once('=').filter(|(own, _)| *own == key))
            .map(|(_, it)| it)
            .collect()
    }

    /// The variables that the program is given, and those that a comment tells people to give it.
    fn variables(&self) -> Vec<(&str, &str)> {
        let comments = self.text.lines().filter(|line| line.starts_with("# GRAPHIUM_"));
        let told = comments.flat_map(|line| line.split([' ', ',', ';'])).filter(|word| word.starts_with("GRAPHIUM_"));
        self.says("Environment").into_iter().chain(told).filter_map(|word| word.split_once('=')).collect()
    }
}

#[test]
fn the_units_watch_the_program_bound_it_and_tell_it_no_secret() {
    let both = [
        ("Type", "notify"),
        ("NotifyAccess", "main"),
        ("Restart", "on-failure"),
        ("StateDirectoryMode", "0700"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("PrivateTmp", "yes"),
        ("ProtectKernelModules", "yes"),
        ("LockPersonality", "yes"),
        ("SystemCallArchitectures", "native"),
        ("WantedBy", "multi-user.target"),
    ];
    // The agent has the engine, and with it the host: less would bound nothing.
    // With a user it has a home, where logins to registries are.
    let agents = [("User", "root"), ("ProtectHome", "read-only")];
    let servers = [
        ("ProtectHome", "yes"),
        ("DynamicUser", "yes"),
        ("CapabilityBoundingSet", ""),
        ("PrivateDevices", "yes"),
        ("ProtectKernelTunables", "yes"),
        ("ProtectControlGroups", "yes"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
        ("RestrictNamespaces", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
    ];
    for unit in Unit::all() {
        let own = if unit.name == "graphium-server" { &servers[..] } else { &agents[..] };
        for (key, value) in both.iter().chain(own) {
            assert_eq!(unit.says(key), [*value], "{}: {key}", unit.name);
        }
        let seconds: u64 = unit.says("WatchdogSec").concat().parse().unwrap();
        assert!((10..=120).contains(&seconds), "{}: {seconds}", unit.name);
        // Whoever may list processes reads command lines, and whoever may ask systemd what a unit gives its program.
        for said in [unit.says("ExecStart"), unit.says("Environment")].concat() {
            let said = said.to_lowercase();
            for word in ["token", "gph_", "password", "secret", "join", "://"] {
                assert!(!said.contains(word), "{}: {said}", unit.name);
            }
        }
    }
}

#[test]
fn the_units_start_the_program_as_it_is() {
    for unit in Unit::all() {
        let home = Home::new();
        let command: Vec<&str> = unit.says("ExecStart")[0].split(' ').collect();
        assert_eq!(command[0], "/usr/local/bin/graphium");
        let help = home.run(&[&command[1..], &["--help"]].concat());
        assert_eq!(code(&help), 0, "{}: {}", unit.name, stderr(&help));
        let help = stdout(&help);
        for (name, _) in unit.variables() {
            assert!(
                !name.starts_with("GRAPHIUM_") || help.contains(name),
                "{}: `{name}` says nothing to it",
                unit.name
            );
        }
        let manager = Manager::new(&home);
        let state = format!("/var/lib/{}", unit.says("StateDirectory")[0]);
        let mut told: Vec<_> = unit.variables().into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        for (name, value) in &mut told {
            *value = match *name {
                "GRAPHIUM_DATA_DIR" => {
                    assert_eq!(*value, state, "{}: it may write nowhere else", unit.name);
                    home.path().join("state").display().to_string()
                }
                "GRAPHIUM_LISTEN" => "127.0.0.1:0".to_owned(),
                "GRAPHIUM_STORE" => "memory:".to_owned(),
                // Nobody is there.
                "GRAPHIUM_SERVER" => "http://127.0.0.1:9".to_owned(),
                "GRAPHIUM_TOKEN" => format!("gph_{}", "0".repeat(64)),
                _ => value.clone(),
            };
        }
        let mut program = home.graphium(&command[1..]);
        program.envs(told).env("NOTIFY_SOCKET", home.path().join("notify")).env("DOCKER_HOST", "unix:///none");
        let _service = Service(program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let ready = manager.heard();
        assert!(ready.starts_with("READY=1\nSTATUS="), "{}: {ready}", unit.name);
        assert!(home.path().join("state").is_dir(), "{}: its state is elsewhere", unit.name);
    }
}

#[test]
fn systemd_takes_the_units_as_they_are() {
    let is_there =
        Command::new("systemd-analyze").arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_there {
        println!("not tried: there is no systemd-analyze here");
        return;
    }
    let home = Home::new();
    let verified = |name: &str, text: &str| {
        let file = home.file(&format!("{name}.service"), text);
        let output = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file).output().unwrap();
        // It looks at other units of the machine, too.
        let said = stderr(&output).lines().filter(|line| line.contains(name)).collect::<Vec<_>>().join("\n");
        (output.status.success(), said)
    };
    for unit in Unit::all() {
        let text = unit.text.replace("/usr/local/bin/graphium", env!("CARGO_BIN_EXE_graphium"));
        assert_eq!(verified(unit.name, &text), (true, String::new()));
        let (_, said) = verified(unit.name, &text.replace("ProtectSystem=", "ProtectSystems="));
        assert!(said.contains("ProtectSystems"), "what is no directive is told: {said}");
    }
}

#[test]
fn shells_complete_every_command() {
    let home = Home::new();
    for (shell, has) in [("bash", "complete -F"), ("zsh", "#compdef graphium"), ("fish", "complete -c graphium")] {
        let output = home.run(&["completions", shell]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let script = stdout(&output);
        assert!(script.contains(has), "{shell}: {script}");
        for word in ["deploy", "offline-after", "rollback", "orphans", "drain"] {
            assert!(script.contains(word), "{shell}: `{word}`");
        }
    }
    let script = home.file("graphium.bash", &stdout(&home.run(&["completion", "bash"])));
    // Bash itself reads it, and completes what was begun.
    let asked = format!(
        "source {}; COMP_WORDS=(graphium stack de); COMP_CWORD=2; COMP_LINE='graphium stack de'; _graphium graphium de stack; \
         echo \"${{COMPREPLY[@]}}\"",
        script.display()
    );
    let output = Command::new("bash").args(["--norc", "-c", &asked]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "deploy", "{}", stderr(&output));
    assert_eq!(code(&home.run(&["completions", "tcsh"])), 2);
}

#[test]
fn every_command_has_a_page() {
    let home = Home::new();
    let output = home.run(&["man", "pages/man1"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let folder = home.path().join("pages/man1");
    let page = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let first = page("graphium.1");
    let commands: Vec<&str> =
        first.lines().filter_map(|line| line.strip_prefix("graphium\\-")?.strip_suffix("(1)")).collect();
    assert!(commands.len() > 20, "{commands:?}\n{first}");
    for command in commands {
        let text = page(&format!("graphium-{}.1", command.replace('\\', "")));
        assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{command}");
    }
    assert!(page("graphium-stack-deploy.1").contains("\\-\\-wait"));
    home.file("taken", "");
    let refused = home.run(&["man", "taken"]);
    assert_eq!(code(&refused), 1);
    assert!(stderr(&refused).contains("`taken`"), "{}", stderr(&refused));
}
