//! `graphium secret …` against a server.

use super::{
    World,
    home::{code, json, stderr, stdout},
};
use serde_json::json as value;
use std::process::Stdio;
use tokio::task::spawn_blocking;

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_set_from_a_pipe_or_a_file_listed_and_forgotten() {
    let world = World::start().await;
    let set = async |words: &[&str], input: &str| {
        let mut command = world.command(&[&["secret", "set"], words].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let input = input.to_owned();
        let run = move || {
            let mut child = command.spawn().unwrap();
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
            child.wait_with_output().unwrap()
        };
        spawn_blocking(run).await.unwrap()
    };
    let output = set(&["db"], "hunter2\n").await;
    assert_eq!(
        (code(&output), stdout(&output).as_str()),
        (0, "secret `db` is kept (version 1)\n"),
        "{}",
        stderr(&output)
    );
    let file = world.home.file("key.pem", "line one\nline two\n").display().to_string();
    let output = set(&["key", "--from-file", &file, "--stack", "shop", "-o", "json"], "").await;
    assert_eq!((code(&output), &json(&output)["stacks"]), (0, &value!(["shop"])));
    let file = world.document("shop", &[("db", "db:1", "vm1")]);
    let path = world.home.path().join(&file);
    let text = std::fs::read_to_string(&path).unwrap();
    let asks = r#""image":"db:1","environment":[{"name":"PW","fromSecret":"db"}],"volumeMounts":[{"type":"secret","source":"key","target":"/run/secrets/key"}]"#;
    std::fs::write(&path, text.replace(r#""image":"db:1""#, asks)).unwrap();
    let output = world.run(&["stack", "deploy", &file, "--wait", "--timeout", "30s"]).await;
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(world.engines[0].file("shop-db", "/run/secrets/key").as_deref(), Some("line one\nline two\n"));
    let listed = world.stdout(&["secret", "list"]).await;
    for word in ["NAME", "db", "key", "shop", "admin"] {
        assert!(listed.contains(word), "{word}: {listed}");
    }
    let output = set(&["db"], "another\n").await;
    assert!(stdout(&output).contains("version 2") && stderr(&output).contains("used by shop"), "{}", stderr(&output));

    for (words, input, expected) in [
        (&["db"][..], "", "holds no value"),
        (&["db", "--from-file", "absent"], "", "cannot be read"),
        (&["d b"], "hunter2", "begins with a letter or digit"),
        (&["db"], "hunter2\u{0}", "without NUL"),
    ] {
        let output = set(words, input).await;
        assert!(code(&output) != 0 && stderr(&output).contains(expected), "{words:?}: {}", stderr(&output));
        assert!(!stderr(&output).contains("hunter2"), "{}", stderr(&output));
    }
    let output = world.run(&["secret", "rm", "db"]).await;
    assert!(code(&output) == 1 && stderr(&output).contains("--force"), "{}", stderr(&output));
    assert_eq!(world.stdout(&["secret", "rm", "db", "--force"]).await, "secret `db` is forgotten\n");
    let left = json(&world.run(&["secret", "list", "-o", "json"]).await);
    assert_eq!(left["secrets"].as_array().unwrap().len(), 1, "{left}");
}
