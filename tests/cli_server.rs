//! The program against a server: real HTTP and SQLite, agents with engines in memory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "cli_exec.rs"]
mod exec;
#[path = "cli_home.rs"]
mod home;
#[path = "cli_logs.rs"]
mod logs;
#[path = "cli_secrets.rs"]
mod secrets;
#[path = "cli_users.rs"]
mod users;

use graphium_core::{
    agent::{Agent, AgentSettings, MemoryJournal},
    control::StackRecord,
    id::HostId,
    store::{Document, Expect, Submission, TaskStoreExt},
    testing::{FakeRuntime, Program},
};
use graphium_server::{RunningServer, ServerOptions, environment::TokioEnvironment, start};
use home::{Home, code, json, stderr, stdout};
use serde_json::{Value, json as value};
use std::{
    process::{Command, Output, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::task::spawn_blocking;

/// A server with two hosts, and the program's home.
struct World {
    home: Arc<Home>,
    server: RunningServer,
    engines: Vec<FakeRuntime>,
}

impl World {
    async fn start() -> Self {
        let home = Home::new();
        let data = home.path().join("data");
        let store = format!("sqlite:{}", data.join("graphium.db").display());
        let mut options = ServerOptions::new("127.0.0.1:0".parse().unwrap(), store, &data);
        options.notes = Some(home.path().join(".local/state/graphium/servers"));
        let server = start(options).await.unwrap();
        let engines: Vec<FakeRuntime> = ["vm1", "vm2"].map(|host| agent(&server, host)).into();
        let world = Self { home: Arc::new(home), server, engines };
        while world.stdout(&["host", "list"]).await.matches("active").count() < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        world
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.home.graphium(args);
        command.env("GRAPHIUM_SERVER", self.server.url());
        command
    }

    /// Runs the program to its end.
    async fn run(&self, args: &[&str]) -> Output {
        let mut command = self.command(args);
        spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    async fn stdout(&self, args: &[&str]) -> String {
        stdout(&self.run(args).await)
    }

    /// Writes a document of these containers; each is name, image, host.
    fn document(&self, name: &str, containers: &[(&str, &str, &str)]) -> String {
        let part = |(container, image, host): &(&str, &str, &str)| {
            value!({"@type": "datacenter:Container", "@id": format!("container:{name}/{container}"), "name": container,
                    "image": image, "locatedInHost": {"@id": format!("host:{host}")}})
        };
        let document = value!({
            "@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack",
            "@id": format!("stack:{name}"), "name": name,
            "hasPart": containers.iter().map(part).collect::<Vec<Value>>(),
        });
        let file = format!("{name}.jsonld");
        self.home.file(&file, &document.to_string());
        file
    }
}

fn agent(server: &RunningServer, host: &str) -> FakeRuntime {
    let environment = Arc::new(TokioEnvironment::new());
    let engine = FakeRuntime::with_environment(environment.clone());
    let settings = AgentSettings::new(HostId::new(host), 2);
    let journal = Box::new(MemoryJournal::default());
    let agent = Agent::new(server.control().clone(), Arc::new(engine.clone()), environment, journal, settings);
    tokio::spawn(agent.run(std::future::pending()));
    engine
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_is_deployed_followed_shown_and_removed() {
    let world = World::start().await;
    let file = world.document("shop", &[("db", "db:1", "vm1"), ("web", "web:1", "vm2")]);

    let output = world.run(&["stack", "deploy", &file, "--wait", "--timeout", "30s"]).await;
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stdout(&output), "stack `shop` is running\n");
    let told = stderr(&output);
    assert!(told.contains("vm1  db  running") && told.contains("vm2  web  running"), "{told}");
    assert!(!told.contains('\x1b'), "a pipe gets lines: {told}");

    let output = world.run(&["stack", "deploy", &file, "--wait"]).await;
    assert_eq!((code(&output), stdout(&output).as_str()), (0, "stack `shop` is up to date\n"));
    let output = world.run(&["stack", "status", "shop", "-o", "json"]).await;
    assert_eq!(json(&output)["overallStatus"], "running");
    let status = world.stdout(&["stack", "status", "shop"]).await;
    assert!(status.contains("✓ web  running"), "{status}");
    assert!(world.stdout(&["stack", "list"]).await.contains("vm1,vm2"));
    for (list, name, count) in
        [("stack", "stacks", 1), ("host", "hosts", 2), ("task", "tasks", 6), ("token", "tokens", 2)]
    {
        let listed = json(&world.run(&[list, "list", "-o", "json"]).await);
        assert_eq!(listed.as_object().unwrap().keys().collect::<Vec<_>>(), [name], "{listed}");
        assert_eq!(listed[name].as_array().unwrap().len(), count, "{listed}");
    }

    let output = world.run(&["stack", "rollback", "shop"]).await;
    assert_eq!(stderr(&output), "error: the stack `shop` has no earlier revision to go back to\n");
    let output = world.run(&["stack", "remove", "shop", "--volumes"]).await;
    assert_eq!(code(&output), 2, "data is not destroyed unasked");
    assert!(stderr(&output).contains("--yes"));
    let output = world.run(&["stack", "remove", "shop", "--wait", "-o", "json"]).await;
    assert_eq!((code(&output), &json(&output)["overallStatus"]), (0, &value!("deleted")), "{}", stderr(&output));
    let output = world.run(&["stack", "status", "shop"]).await;
    assert_eq!((code(&output), stdout(&output).as_str()), (1, ""));
    let output = world.run(&["stack", "status", "shop", "-o", "json"]).await;
    assert_eq!((code(&output), &json(&output)["error"]["code"]), (1, &value!("not-found")));
    world.server.shutdown().await;
}

/// What another installation deployed, or a restored backup does not know, is left on the hosts.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_wants_is_listed_with_its_reason_and_removed_when_that_is_asked_for() {
    let world = World::start().await;
    let output = world.run(&["orphans"]).await;
    assert_eq!((stdout(&output).as_str(), stderr(&output).as_str()), ("", "there are none\n"));
    for (name, host) in [("blog", "vm1"), ("shop", "vm2")] {
        let file = world.document(name, &[("web", "web:1", host)]);
        assert_eq!(code(&world.run(&["stack", "deploy", &file, "--wait", "--timeout", "30s"]).await), 0);
    }
    let store = world.server.control().store();
    let blog = store.document::<StackRecord>("stack:blog").await.unwrap().unwrap().value;
    let submission = Submission { records: vec![blog.removal(Expect::Any)], ..Submission::default() };
    store.submit(submission, jiff::Timestamp::now()).await.unwrap();

    let listed = world.stdout(&["orphans"]).await;
    let rows: Vec<Vec<&str>> =
        listed.lines().map(|line| line.split("  ").filter(|cell| !cell.is_empty()).collect()).collect();
    assert_eq!(rows.len(), 2, "{listed}");
    let cells: Vec<&str> = rows[1].iter().map(|cell| cell.trim()).collect();
    assert_eq!(cells, ["vm1/blog-web", "running", "stack:blog", "its stack is not known here"]);
    let listed = json(&world.run(&["orphans", "-o", "json"]).await);
    assert_eq!(listed["orphans"][0]["reason"], value!({"code": "no-stack"}));

    let output = world.run(&["orphans", "remove", "blog-web"]).await;
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    let output = world.run(&["orphans", "remove", "vm2/shop-web"]).await;
    assert_eq!((code(&output), stderr(&output).as_str()), (1, "error: no orphan `vm2/shop-web`\n"));
    let output = world.run(&["orphans", "remove", "--all"]).await;
    assert!(stdout(&output).starts_with("vm1/blog-web: task:"), "{}", stdout(&output));
    while world.stdout(&["orphans"]).await.contains("blog-web") {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Its network is known from the agent's second look.
    while !world.stdout(&["orphans"]).await.contains("vm1/network:blog") {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let output = world.run(&["orphans", "remove", "vm1/network:blog"]).await;
    assert!(stdout(&output).starts_with("vm1/network:blog: task:"), "{}", stdout(&output));
    while !world.engines[0].ours().is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((stdout(&world.run(&["orphans"]).await).as_str(), world.engines[1].ours().len()), ("", 2));
    world.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_shows_host_cause_last_lines_and_advice() {
    let world = World::start().await;
    world.engines[0].set_program("broken:1", Program::exits(3).saying(["reading config", "no such file \x1b[2J"]));
    let file = world.document("bad", &[("app", "broken:1", "vm1"), ("web", "web:1", "vm2")]);
    let output = world.run(&["stack", "deploy", &file, "--wait", "--timeout", "60s"]).await;
    let told = stderr(&output);
    assert_eq!((code(&output), stdout(&output).as_str()), (1, ""), "{told}");
    for words in ["`deploy:app` failed on host `vm1`", "code 3", "│ reading config", "hint: "] {
        assert!(told.contains(words), "{words} in {told}");
    }
    assert!(!told.contains('\x1b'), "what a container writes is no command to the terminal");
    assert!(told.lines().last().unwrap().starts_with("error: stack `bad` failed: 1 of "), "{told}");
    world.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_fails_goes_back_and_the_history_tells_it() {
    let world = World::start().await;
    world.engines[0].set_program("broken:1", Program::exits(3).saying(["no such file"]));
    let good = world.document("shop", &[("app", "app:1", "vm1"), ("web", "web:1", "vm2")]);
    assert_eq!(code(&world.run(&["stack", "deploy", &good, "--wait", "--timeout", "60s"]).await), 0);
    let bad = world.document("shop", &[("app", "broken:1", "vm1"), ("web", "web:2", "vm2")]);
    let output = world.run(&["stack", "deploy", &bad, "--rollback-on-error", "--wait", "--timeout", "60s"]).await;
    let told = stderr(&output);
    assert_eq!((code(&output), stdout(&output).as_str()), (1, ""), "{told}");
    assert!(told.contains("`update:app` failed on host `vm1`") && told.contains("code 3"), "{told}");
    assert!(told.contains("stack `shop` failed, and goes back to what it was before\n"), "{told}");
    let verdict = told.lines().last().unwrap();
    assert!(
        verdict.starts_with("error: stack `shop` failed: 1 of ") && verdict.ends_with("; it is as it was before"),
        "{told}"
    );

    let status = world.stdout(&["stack", "status", "shop"]).await;
    assert!(
        status.contains("stack `shop`: revision 2 failed and was taken back to revision 1: update:app on"),
        "{status}"
    );
    assert_eq!(json(&world.run(&["stack", "status", "shop", "-o", "json"]).await)["overallStatus"], "running");

    let history = world.stdout(&["stack", "history", "shop"]).await;
    let rows: Vec<Vec<&str>> =
        history.lines().map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect();
    assert_eq!(rows[0], ["REVISION", "STATUS", "WHEN", "WHO", "CHANGES"]);
    assert_eq!((rows[1][0], rows[1][1], rows[1][4]), ("3", "current, ran", "is revision 1 again"), "{history}");
    assert_eq!((rows[2][0], rows[2][1], rows[2][4]), ("2", "rolled-back", "~ app (image), ~ web (image)"), "{history}");
    assert_eq!((rows[3][0], rows[3][1], rows[3][4]), ("1", "ran", "2 containers"), "{history}");
    let listed = json(&world.run(&["stack", "history", "shop", "--limit", "2", "-o", "json"]).await);
    assert_eq!(listed["revisions"].as_array().unwrap().len(), 2, "{listed}");
    assert_eq!(listed["revisions"][0]["restores"], 1, "{listed}");
    assert!(listed["revisions"][1]["errorMessage"].as_str().unwrap().contains("code 3"), "{listed}");

    let diff = world.stdout(&["stack", "diff", "shop", "--from", "1", "--to", "2"]).await;
    let lines: Vec<&str> = diff.lines().collect();
    assert_eq!(lines[0], "stack `shop`: revision 1 → revision 2");
    assert_eq!(lines[1..3], ["~ app", "    ~ image: app:1 → broken:1"], "{diff}");
    let same = world.stdout(&["stack", "diff", "shop", "--from", "1"]).await;
    assert_eq!(same, "stack `shop`: revision 1 and revision 3 say the same\n");
    let diff = world.stdout(&["stack", "diff", "shop", "--to", &bad]).await;
    assert!(diff.starts_with("stack `shop`: revision 3 → the document\n~ app\n"), "{diff}");
    let output = world.run(&["stack", "diff", "shop", "--to", "9"]).await;
    assert_eq!(stderr(&output), "error: the stack `shop` has no revision 9; there is 1, 2, 3\n");
    world.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_named_when_time_is_up() {
    let world = World::start().await;
    let output = world.run(&["token", "create", "--role", "agent", "--host", "vm9"]).await;
    let token = stdout(&output);
    assert!(token.starts_with("gph_") && token.lines().count() == 1, "the token alone");

    let file = world.document("far", &[("web", "web:1", "vm9")]);
    let output = world.run(&["stack", "deploy", &file, "--wait", "--timeout", "500ms"]).await;
    assert_eq!(code(&output), 6, "{}", stderr(&output));
    assert!(stderr(&output).contains("vm9  web  queued, waiting for host vm9"), "{}", stderr(&output));
    assert!(world.stdout(&["stack", "status", "far"]).await.contains("waiting for host vm9"));

    let mut command = world.command(&["stack", "list"]);
    let output = command.env("TOKEN", token.trim()).output().unwrap();
    assert_eq!(code(&output), 4, "an agent's token reaches nothing else: {}", stderr(&output));
    let output = world.run(&["stack", "list", "--server", "http://127.0.0.1:1"]).await;
    assert_eq!(code(&output), 5);
    world.server.shutdown().await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_the_wait_and_not_the_work() {
    let world = World::start().await;
    world.run(&["token", "create", "--role", "agent", "--host", "vm9"]).await;
    let file = world.document("late", &[("web", "web:1", "vm9")]);
    let mut command = world.command(&["stack", "deploy", &file, "--wait"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !world.stdout(&["stack", "list"]).await.contains("late") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert_eq!(code(&output), 130, "{}", stderr(&output));
    assert!(stderr(&output).contains("the server goes on with it"));
    assert!(world.stdout(&["stack", "list"]).await.contains("deploying"));
    world.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_a_json_object_per_line() {
    let world = World::start().await;
    let file = world.document("shop", &[("web", "web:1", "vm1")]);
    assert_eq!(code(&world.run(&["stack", "deploy", &file, "--wait"]).await), 0);
    let output = world.run(&["events", "-o", "json", "--after", "2"]).await;
    let events: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.len() > 5);
    for (number, event) in (3_u64..).zip(&events) {
        assert_eq!(event["seq"], number);
        assert!(["type", "timestamp", "data"].iter().all(|key| event.get(key).is_some()), "{event}");
    }
    let mut command = world.command(&["events", "--follow", "-o", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""), "a reader that goes away is no error");
    world.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_shows_what_becomes_of_what_runs() {
    let world = World::start().await;
    let file = world.document("shop", &[("db", "db:1", "vm1"), ("web", "web:1", "vm2")]);
    world.stdout(&["stack", "deploy", &file, "--wait", "--timeout", "30s"]).await;
    let output = world.run(&["plan", &file, "--detailed-exitcode"]).await;
    assert_eq!(code(&output), 0, "nothing is to be done: {}", stdout(&output));

    let file = world.document("shop", &[("db", "db:1", "vm2"), ("web", "web:2", "vm2")]);
    let output = world.run(&["plan", &file, "--diff", "--explain", "--detailed-exitcode"]).await;
    assert_eq!(code(&output), 7, "{}", stderr(&output));
    let shown = stdout(&output);
    for expected in [
        "db on vm1 → vm2 moves",
        "web on vm2 is made anew",
        "  ~ image: web:1 → web:2",
        "changed: `image`",
        "web on vm2: the document names it",
    ] {
        assert!(shown.contains(expected), "{expected} in {shown}");
    }
    assert_eq!(world.stdout(&["stack", "list"]).await.matches("running").count(), 1, "planning changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_deployment_is_shown_in_the_document_and_a_refused_rollback_by_its_subject() {
    let world = World::start().await;
    for host in ["vm1", "vm2"] {
        let file = world.document("shop", &[("web", "nginx:1.27", host)]);
        let output = world.run(&["stack", "deploy", &file, "--wait"]).await;
        assert_eq!(code(&output), 0, "{}", stderr(&output));
    }
    assert_eq!(code(&world.run(&["host", "drain", "vm1"]).await), 0);
    let told = "error: `web` is bound to the host `vm1`, which is draining\n";

    let file = world.document("shop", &[("web", "nginx:1.27", "vm1")]);
    let output = world.run(&["stack", "deploy", &file]).await;
    let text = stderr(&output);
    assert!(code(&output) == 3 && text.starts_with(&format!("{told} ╭─ shop.jsonld:1:")), "{text}");
    let marked = text.lines().find_map(|line| line.strip_prefix(" ·")).unwrap();
    assert_eq!(marked.trim(), "─".repeat("\"host:vm1\"".len()), "{text}");

    let output = world.run(&["stack", "deploy", &file, "-o", "json"]).await;
    let finding = &json(&output)["diagnostics"][0];
    assert_eq!((code(&output), &finding["pointer"]), (3, &Value::from("/hasPart/0/locatedInHost")));

    let output = world.run(&["stack", "rollback", "shop"]).await;
    let text = stderr(&output);
    let place = format!("{told}  at host of the container `web`\n");
    assert!(code(&output) == 3 && text.starts_with(&place), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_is_applied_and_runs() {
    let world = World::start().await;
    let file = world.document("shop", &[("db", "db:1", "vm1"), ("web", "web:1", "vm2")]);
    // A note, which is for `graphium validate`.
    let path = world.home.path().join(&file);
    let noted = std::fs::read_to_string(&path).unwrap().replace(r#""@id":"container:shop/db","#, "");
    assert!(!noted.contains("container:shop/db"));
    std::fs::write(&path, noted).unwrap();
    let output = world.run(&["plan", &file, "-o", "shop.plan"]).await;
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("deploy   web"), "the plan is shown, too: {}", stdout(&output));
    assert_eq!(stderr(&output).lines().last(), Some("the plan is saved; carry it out: graphium apply shop.plan"));
    assert_eq!(world.stdout(&["stack", "list"]).await, "", "saving changes nothing");

    let output = world.run(&["apply", "shop.plan", "--wait", "--timeout", "30s"]).await;
    assert_eq!((code(&output), stdout(&output).as_str()), (0, "stack `shop` is running\n"), "{}", stderr(&output));
    assert!(stderr(&output).contains("vm2  web  running"), "{}", stderr(&output));
    assert!(!stderr(&output).contains("warning"), "{}", stderr(&output));

    let output = world.run(&["plan", &file, "-o", "shop.plan", "--detailed-exitcode"]).await;
    assert_eq!(code(&output), 0, "the file is written anew: {}", stderr(&output));
    let output = world.run(&["apply", "shop.plan", "-o", "json"]).await;
    assert_eq!((code(&output), &json(&output)["taskCount"]), (0, &value!(0)), "{}", stderr(&output));
    world.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_is_refused_by_the_name_of_what_changed_and_nothing_is_done() {
    let world = World::start().await;
    let file = world.document("shop", &[("db", "db:1", "vm1"), ("web", "web:1", "vm2")]);
    world.run(&["plan", &file, "-o", "./saved"]).await;
    let other = world.document("shop", &[("db", "db:2", "vm1")]);
    assert_eq!(code(&world.run(&["stack", "deploy", &other, "--wait", "--timeout", "30s"]).await), 0);
    let output = world.run(&["apply", "./saved", "--wait"]).await;
    assert_eq!((code(&output), stdout(&output).as_str()), (1, ""));
    assert_eq!(
        stderr(&output),
        "error: the plan does not fit any more, and nothing was done\n  \
         the stack `shop` was not there and is at revision 1 now\n  \
         container `shop-db` on `vm1` was not there and runs now\n\
         hint: plan again: `graphium plan DOCUMENT -o FILE`\n"
    );
    let status = world.stdout(&["stack", "status", "shop"]).await;
    assert!(status.contains("db  running") && !status.contains("web"), "{status}");
    world.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_joins_with_its_code_starts_again_with_it_and_takes_another_token_for_another_code() {
    let world = World::start().await;
    let state = world.home.path().join("agent-vm9");
    let code = async || {
        let added = json(&world.run(&["host", "add", "vm9", "-o", "json"]).await);
        let command = added["command"].as_str().unwrap().to_owned();
        command.rsplit(' ').next().unwrap().to_owned()
    };
    // It keeps its token before it asks its engine, of which there is none here.
    let start = async |code: &str, before: &str| {
        let state_dir = state.to_str().unwrap();
        let args =
            ["agent", "--host-id", "vm9", "--docker", "unix:///nowhere", "--state-dir", state_dir, "--join", code];
        let mut agent = world.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut token = String::new();
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            token = std::fs::read_to_string(state.join("token")).unwrap_or_default();
            if !token.is_empty() && token != before {
                break;
            }
        }
        agent.kill().unwrap();
        agent.wait().unwrap();
        token
    };
    let first = code().await;
    let token = start(&first, "").await;
    assert!(token.starts_with("gph_") && !first.contains(&token), "{token}");
    assert_eq!(start(&first, &token).await, token, "the same command starts it again");
    let other = start(&code().await, &token).await;
    assert!(other.starts_with("gph_") && other != token, "another code is another token");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_tells_who_did_what_as_a_table_as_json_and_all_of_it_as_lines() {
    let world = World::start().await;
    let file = world.document("shop", &[("web", "web:1", "vm1")]);
    assert_eq!(code(&world.run(&["stack", "deploy", &file]).await), 0);
    assert_eq!(code(&world.run(&["token", "create", "--role", "viewer", "--name", "board"]).await), 0);
    let table = world.stdout(&["audit"]).await;
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[0].contains("NUMBER") && lines[0].contains("RESULT"), "{table}");
    assert!(
        lines[1].contains("createToken") && lines[1].contains("admin") && lines[1].contains("127.0.0.1"),
        "{table}"
    );
    assert!(
        lines[2].contains("deployStack") && lines[2].contains("stack stack:shop") && lines[2].contains("202"),
        "{table}"
    );
    let listed = json(&world.run(&["audit", "-o", "json", "-n", "1"]).await);
    assert_eq!(listed["entries"][0]["operation"], "createToken");
    assert_eq!(listed["entries"].as_array().unwrap().len(), 1);
    let lines = world.stdout(&["audit", "-o", "ndjson", "--since", "1h", "--user", "admin"]).await;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines.iter().map(|line| line["operation"].as_str().unwrap()).collect::<Vec<_>>(),
        ["deployStack", "createToken"]
    );
    assert_eq!(world.stdout(&["audit", "--user", "nobody", "-o", "ndjson"]).await, "");

    let none = world.run(&["host", "rotate", "vm1"]).await;
    assert!(code(&none) == 1 && stderr(&none).contains("vm1"), "it has no token: {}", stderr(&none));
    assert_eq!(code(&world.run(&["token", "create", "--role", "agent", "--host", "vm1"]).await), 0);
    assert!(world.stdout(&["host", "rotate", "vm1"]).await.contains("replaces its token when it calls next"));
}
