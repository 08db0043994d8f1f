//! Thirty-two secrets on real engines: they are where they should be, and nowhere else.

use crate::{
    canaries::{Canary, Seen, canary, found, hex, socketed, streamed},
    collector::{Collector, Mood, Span},
    estate::Estate,
    faulty::{Fault, Faulty},
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use graphium_server::testbed::images;
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, process::Stdio, time::Duration};
use tokio::{io::AsyncWriteExt as _, process::Command};

const SHELL: &str = "graphium/shell:secrets";
const COUNT: usize = 32;

/// Runs the binary with something to read, and keeps all that it says.
async fn run(estate: &Estate, seen: &mut Seen, arguments: &[&str], input: &str) -> Option<i32> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_graphium"));
    command.args(arguments).envs(estate.environment()).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let place = format!("graphium {}", arguments.join(" "));
    seen.add(format!("{place} (stdout)"), &output.stdout);
    seen.add(format!("{place} (stderr)"), &output.stderr);
    output.status.code()
}

fn asks(container: &mut Value, canaries: &[Canary]) {
    let variables = canaries.iter().enumerate();
    container["environment"] =
        variables.map(|(number, one)| json!({"name": format!("CANARY_{number}"), "fromSecret": one.name})).collect();
    container["volumeMounts"] = canaries
        .iter()
        .map(|one| json!({"type": "secret", "source": one.name, "target": format!("/run/secrets/{}", one.name)}))
        .collect();
}

fn document(name: &str, host: &str, line: &str, canaries: &[Canary]) -> Value {
    let mut container = json!({
        "@type": "datacenter:Container", "@id": format!("container:{name}-main"), "name": "main", "image": SHELL,
        "locatedInHost": {"@id": format!("host:{host}")}, "entrypoint": ["/bin/sh", "-c"], "args": [line]
    });
    asks(&mut container, canaries);
    json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "@id": format!("stack:{name}"),
        "name": name, "hasPart": [container]
    })
}

const RUNS: &str = "trap 'exit 0' TERM; while :; do sleep 1; done";
/// What a container says that was started to be debugged.
const TELLS: &str = "busybox env; cat /run/secrets/*; busybox env >&2; exit 1";
/// The same a while after it has come up, when another task looks.
const TELLS_LATER: &str = "sleep 3; busybox env; cat /run/secrets/*; exit 1";

#[tokio::test(flavor = "multi_thread")]
async fn thirty_two_secrets_are_in_their_containers_and_nowhere_else() {
    let mut estate = Estate::without_agents().await;
    let collector = Collector::begin_at(estate.testbed.uplink(), Mood::Well).await;
    estate.collector = Some(collector.url.clone());
    estate.kill_server().await;
    estate.start_server().await;
    estate.testbed.load(&images::shell(SHELL).unwrap()).await.unwrap();
    let socket = estate.path("vm2.sock");
    let faulty = Faulty::start(&socket, estate.host("vm2").socket());
    estate.sockets.insert("vm2".to_owned(), socket);
    estate.start_agents().await;
    let mut seen = Seen::default();
    let token = fs::read_to_string(estate.path("data").join("admin-token")).unwrap().trim().to_owned();
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let url = estate.url_of(0);

    // Set from a pipe, from a file, and by a program; some get another value.
    let outside = tempfile::tempdir().unwrap();
    let mut all: Vec<Canary> = Vec::new();
    let mut current: Vec<Canary> = Vec::new();
    for number in 0..COUNT {
        for _ in 0..=usize::from(number % 5 == 0) {
            let one = canary(number);
            match number % 3 {
                0 if !one.value.ends_with('\n') => {
                    assert_eq!(run(&estate, &mut seen, &["secret", "set", &one.name], &one.value).await, Some(0));
                }
                1 => {
                    let file = outside.path().join("value");
                    fs::write(&file, &one.value).unwrap();
                    let file = file.display().to_string();
                    let words = ["secret", "set", &one.name, "--from-file", &file, "-o", "json"];
                    assert_eq!(run(&estate, &mut seen, &words, "").await, Some(0));
                }
                _ => {
                    let request = http.put(format!("{url}/api/v1/secrets/{}", one.name)).bearer_auth(&token);
                    let answer = request.json(&json!({"value": one.value})).send().await.unwrap();
                    assert_eq!(answer.status(), 200);
                    seen.add("PUT", answer.text().await.unwrap());
                }
            }
            all.push(one.clone());
            current.truncate(number);
            current.push(one);
        }
    }
    // Mistakes repeat nothing.
    let wrong = &all[3];
    for body in
        [json!(wrong.value), json!({"value": {wrong.value.clone(): 1}}), json!({"value": "x", wrong.value.clone(): 1})]
    {
        let request = http.put(format!("{url}/api/v1/secrets/wrong")).bearer_auth(&token).json(&body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 422);
        seen.add("PUT of what does not fit", answer.text().await.unwrap());
    }

    // What runs has them.
    for (name, host, line) in
        [("vault", "vm1", RUNS), ("tells", "vm1", TELLS), ("later", "localhost-docker", TELLS_LATER)]
    {
        let file = estate.document(name, &document(name, host, line, &current));
        for words in [&["validate", &file][..], &["plan", &file], &["plan", &file, "-o", "json"]] {
            run(&estate, &mut seen, words, "").await;
        }
        let code = run(&estate, &mut seen, &["stack", "deploy", &file, "--wait", "--timeout", "2m"], "").await;
        assert_eq!(code, Some(i32::from(name == "tells")), "{name}: {}", estate.logs());
    }
    let inspected = estate.inspect("vm1", "vault-main").await;
    let variables: Vec<&str> =
        inspected["Config"]["Env"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for (number, one) in current.iter().enumerate() {
        let expected = format!("CANARY_{number}={}", one.value);
        assert!(variables.contains(&expected.as_str()), "{} is not among the variables", one.name);
        let path = format!("/run/secrets/{}", one.name);
        let content = estate.docker("vm1", &["exec", "vault-main", "cat", &path]).await;
        assert!(content == one.value, "{} is another as a file", one.name);
    }
    let labels = inspected["Config"]["Labels"].to_string();
    seen.add("labels", labels);

    // They are there after another start, and the words of a container that fails later, of another agent, are told without them.
    run(&estate, &mut seen, &["stack", "restart", "vault", "--wait"], "").await;
    let path = format!("/run/secrets/{}", current[2].name);
    assert!(estate.docker("vm1", &["exec", "vault-main", "cat", &path]).await == current[2].value);
    estate.kill_agent("localhost-docker").await;
    estate.start_agent("localhost-docker").await;
    run(&estate, &mut seen, &["stack", "restart", "later", "--wait", "--timeout", "1m"], "").await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    run(&estate, &mut seen, &["stack", "start", "later", "--wait", "--timeout", "1m"], "").await;

    // Another revision, and one that is only looked at.
    let mut changed = document("vault", "vm1", RUNS, &current);
    changed["hasPart"][0]["description"] = json!("the same with other words");
    let plain = json!({"name": "PLAIN", "value": "told in plans alone"});
    changed["hasPart"][0]["environment"].as_array_mut().unwrap().push(plain);
    let vault = estate.document("vault", &changed);
    run(&estate, &mut seen, &["plan", &vault, "-o", "json"], "").await;
    let code = run(&estate, &mut seen, &["stack", "deploy", &vault, "--wait", "--timeout", "2m"], "").await;
    assert_eq!(code, Some(0), "{}", estate.logs());

    // An engine that repeats what it was asked.
    faulty.plant(Fault { method: Method::POST, path: "/containers/create".to_owned() });
    let file = estate.document("echo", &document("echo", "vm2", RUNS, &current));
    let code = run(&estate, &mut seen, &["stack", "deploy", &file, "--wait", "--timeout", "1m"], "").await;
    assert!(faulty.was_met());
    assert_eq!(code, Some(1), "{}", estate.logs());
    let status = estate.json(&["stack", "status", "echo"]).await.to_string();
    assert!(status.contains("planted by a test") && status.contains("[secret canary-"), "{status}");

    for words in [
        &["secret", "list"][..],
        &["secret", "list", "-o", "json"],
        &["secret", "rm", &current[0].name],
        &["stack", "list", "-o", "json"],
        &["stack", "status", "tells"],
        &["stack", "status", "later"],
        &["stack", "status", "vault", "-o", "json"],
        &["stack", "history", "vault"],
        &["stack", "history", "vault", "-o", "json"],
        &["stack", "diff", "vault"],
        &["stack", "diff", "vault", "--from", "1", "--to", "2", "-o", "json"],
        &["stack", "diff", "vault", "--to", &file],
        &["stack", "diff", "vault", "--live"],
        &["stack", "logs", "vault"],
        &["plan", &file],
        &["plan", &vault, "-o", "json"],
        &["task", "list"],
        &["task", "list", "-o", "json"],
        &["host", "list"],
        &["host", "status", "vm1"],
        &["audit"],
        &["audit", "-o", "json"],
        &["audit", "-o", "ndjson"],
        &["events"],
        &["orphans"],
        &["config", "show"],
        &["doctor"],
        &["store", "check"],
    ] {
        run(&estate, &mut seen, words, "").await;
    }
    let tells = estate.json(&["stack", "status", "tells"]).await.to_string();
    assert!(tells.contains("[secret canary-"), "its last lines are told, without values: {tells}");

    // Whatever the API answers and the page shows.
    let get = async |path: &str, cookie: Option<&str>| {
        let mut request = http.get(format!("{url}{path}"));
        request = match cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request.bearer_auth(&token),
        };
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        text
    };
    let mut paths: Vec<String> = [
        "stacks",
        "tasks?limit=500",
        "tasks/stats",
        "hosts",
        "containers",
        "orphans",
        "secrets",
        "tokens",
        "users",
        "audit",
        "events?follow=false&limit=1000",
        "stacks/jsonld/deployments",
        "openapi.json",
        "auth/me",
    ]
    .map(|path| format!("/api/v1/{path}"))
    .into();
    paths.extend(["/metrics", "/readyz", "/docs", "/api/openapi.json"].map(str::to_owned));
    for stack in ["vault", "tells", "later", "echo"] {
        let parts = ["", "/status", "/deployment", "/revisions", "/diff?live=true"];
        paths.extend(parts.map(|part| format!("/api/v1/stacks/{stack}{part}")));
    }
    let tasks: Value = serde_json::from_str(&get("/api/v1/tasks?limit=500", None).await).unwrap();
    let ids: Vec<&str> = tasks["tasks"].as_array().unwrap().iter().filter_map(|task| task["@id"].as_str()).collect();
    assert!(ids.len() > 10, "{tasks}");
    paths.extend(ids.iter().map(|id| format!("/api/v1/tasks/{id}")));
    paths.extend(["/api/v1/hosts/vm1", "/api/v1/hosts/vm1/drain", "/api/v1/agents/vm1/tasks"].map(str::to_owned));
    paths.extend(["/api/v1/containers/vm1%2Fvault-main", "/api/v1/stacks/vault/diff"].map(str::to_owned));
    for path in &paths {
        seen.add(path.as_str(), get(path, None).await);
    }
    let exported = http.get(format!("{url}/api/v1/audit")).bearer_auth(&token).header("accept", "application/x-ndjson");
    seen.add("the audit's lines", exported.send().await.unwrap().text().await.unwrap());
    let text = fs::read_to_string(&file).unwrap();
    for path in ["stacks/plan", "stacks/plan/save", "stacks/jsonld/validate", "stacks/echo/diff"] {
        let request = http.post(format!("{url}/api/v1/{path}")).bearer_auth(&token).body(text.clone());
        seen.add(path, request.send().await.unwrap().text().await.unwrap());
    }
    let login = http.post(format!("{url}/web/login")).header("content-type", "application/x-www-form-urlencoded");
    let login = login.body(format!("token={token}")).send().await.unwrap();
    let cookie = login.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let mut pages: Vec<String> = [
        "",
        "stacks",
        "stacks/new",
        "stacks/vault/revisions?from=1&to=2",
        "stacks/vault/stop",
        "stacks/vault/rollback",
        "stacks/echo/delete",
        "stacks/stack:vault",
        "stacks/stack:tells",
        "stacks/stack:later",
        "stacks/stack:echo",
        "tasks?show=all",
        "containers",
        "containers/vm1%2Fvault-main",
        "hosts",
        "hosts/vm1/drain",
        "events",
        "orphans",
        "users",
        "tokens",
        "audit",
        "account",
        "secrets",
        &format!("secrets/{}/change", current[1].name),
        &format!("secrets/{}/remove", current[1].name),
    ]
    .map(str::to_owned)
    .into();
    pages.extend(ids.iter().map(|id| format!("tasks/{id}")));
    for page in pages {
        let text = get(&format!("/web/{page}"), Some(&cookie)).await;
        assert!(text.contains("<html"), "{page}: {text}");
        seen.add(format!("page {page}"), text);
    }
    let home = get("/web/", Some(&cookie)).await;
    let csrf = home.split("data-csrf=\"").nth(1).unwrap().split('"').next().unwrap();
    let fields = [("csrf", csrf), ("do", "check"), ("document", text.as_str())];
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let checks = http.post(format!("{url}/web/stacks/check")).header("cookie", &cookie).body(form);
    let checked = checks.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    let checked = checked.error_for_status().unwrap().text().await.unwrap();
    assert!(checked.contains("echo"), "{checked}");
    seen.add("page of a plan", checked);

    // Whatever is told as it happens, from the beginning.
    let events: Value = serde_json::from_str(&get("/api/v1/events?follow=false&limit=1000", None).await).unwrap();
    let last = events["events"].as_array().unwrap().last().unwrap()["seq"].as_u64().unwrap();
    let request = http.get(format!("{url}/api/v1/events?after=0")).bearer_auth(&token);
    seen.add("stream /events", streamed(request, last).await);
    let request = http.get(format!("{url}/web/stream?after=0")).header("cookie", &cookie);
    seen.add("stream of the page", streamed(request, last).await);
    for path in ["ws", "ws/graph"] {
        let text = socketed(&format!("{url}/api/v1/{path}?after=0&access_token={token}"), last).await;
        seen.add(format!("stream /{path}"), text);
    }

    // Everything on the disks of server and agents, while they run and after their end.
    let but = ["secrets.key"];
    seen.add_files(&estate.path(""), &but);
    estate.ok(&["store", "backup", &estate.path("backup.db").display().to_string()]).await;
    estate.stop_programs().await;
    seen.add_files(&estate.path(""), &but);

    if cfg!(feature = "otel") {
        for (name, service) in [("deployment", "server"), ("attempt deploy", "agent"), ("attempt start", "agent")] {
            let is_it = |span: &Span| span.name() == name && span.service == format!("graphium-{service}");
            assert!(collector.spans().iter().any(is_it), "no span `{name}` of a {service}: {}", collector.everything());
        }
        let failed: BTreeSet<String> = collector
            .spans()
            .iter()
            .filter(|span| span.attribute("graphium.task.outcome") == Some("failed"))
            .filter_map(|span| span.attribute("graphium.stack.id").map(str::to_owned))
            .collect();
        assert!(failed.contains("stack:echo"), "what failed is told, too: {failed:?}");
        seen.add("traces", collector.everything());
    }

    // What is looked through is what it seems, and the search finds what is there.
    let mut database = seen.0.iter().filter(|(place, _)| place.contains("data/graphium.db"));
    let names = |bytes: &[u8]| bytes.windows(9).any(|window| window == b"canary-31");
    assert!(database.any(|(_, bytes)| names(bytes)), "the database names them: {:?}", seen.0.keys());
    for (place, least) in [
        ("server.log", 100),
        ("agent-vm1.log", 100),
        ("/agent-vm1/", 10),
        ("backup.db", 10_000),
        ("/api/v1/events?", 1000),
        ("/api/v1/audit", 1000),
        ("the audit's lines", 1000),
        ("graphium audit -o ndjson (stdout)", 1000),
        ("graphium stack diff vault (stdout)", 10),
        ("graphium stack history vault -o json (stdout)", 100),
        ("/api/v1/stacks/vault/diff", 100),
        ("page stacks/vault/revisions", 1000),
        ("page of a plan", 100),
        ("page tasks/", 1000),
        ("stream /events", 1000),
        ("stream of the page", 1000),
        ("stream /ws", 1000),
        ("stream /ws/graph", 1000),
        ("/metrics", 1000),
    ] {
        assert!(seen.size(place) > least, "{place}: {} bytes", seen.size(place));
    }
    let everything = variables.join("\n");
    assert_eq!(found(&current, everything.as_bytes()).len(), COUNT, "the search finds what is there");
    for text in [hex(&everything), STANDARD_NO_PAD.encode(&everything), serde_json::to_string(&everything).unwrap()] {
        assert_eq!(found(&current, text.as_bytes()).len(), COUNT, "in whatever form");
    }
    seen.is_clean(&all);

    // The key opens them again for the next server.
    estate.start_server().await;
    estate.start_agents().await;
    assert_eq!(estate.ok(&["secret", "list"]).await.lines().count(), COUNT + 1);
    for stack in ["vault", "tells", "later", "echo"] {
        estate.ok(&["stack", "remove", stack, "--wait", "--timeout", "2m"]).await;
    }
    for one in &current {
        estate.ok(&["secret", "rm", &one.name]).await;
    }
    estate.end().await;
}
