//! `graphium store`: backups, restoring and checking, beside a server and without one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "cli_home.rs"]
mod home;

use graphium_server::{RunningServer, ServerOptions, start};
use graphium_store::testing::FakeCouch;
use home::{Home, code, json, stderr, stdout};
use std::process::Output;
use tokio::task::spawn_blocking;

/// A server over the store of the program's own data directory.
async fn server(home: &Home) -> RunningServer {
    let data = home.path().join(".local/share/graphium");
    std::fs::create_dir_all(&data).unwrap();
    let store = format!("sqlite:{}", data.join("graphium.db").display());
    let mut options = ServerOptions::new("127.0.0.1:0".parse().unwrap(), store, &data);
    options.notes = Some(home.path().join(".local/state/graphium/servers"));
    start(options).await.unwrap()
}

/// Runs the program to its end; the server goes on meanwhile.
async fn run(home: &Home, args: &[&str]) -> Output {
    let mut command = home.graphium(args);
    spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_backed_up_while_a_server_runs_and_restored_when_none_does() {
    let home = Home::new();
    let first = server(&home).await;
    let url = first.url();
    let token = ["token", "create", "--role", "viewer", "--server", &url, "--name"];
    let made = run(&home, &[&token[..], &["ada"]].concat()).await;
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    let copied = run(&home, &["store", "backup", "copy.db"]).await;
    assert_eq!((code(&copied), stderr(&copied)), (0, String::new()));
    assert!(stdout(&copied).starts_with("`copy.db` holds 0 tasks, "), "{}", stdout(&copied));
    let twice = run(&home, &["store", "backup", "copy.db"]).await;
    assert_eq!(code(&twice), 1);
    assert!(stderr(&twice).contains("`copy.db` is there already\nhint: choose another name, or replace it"));
    assert_eq!(code(&run(&home, &["store", "backup", "copy.db", "--force"]).await), 0);
    let checked = run(&home, &["store", "check"]).await;
    assert_eq!(code(&checked), 0, "{}", stdout(&checked));
    assert!(stdout(&checked).contains("is sound: "), "{}", stdout(&checked));

    assert_eq!(code(&run(&home, &[&token[..], &["bob"]].concat()).await), 0);
    let in_use = run(&home, &["store", "restore", "copy.db"]).await;
    assert_eq!(code(&in_use), 1);
    assert!(stderr(&in_use).contains("is in use by process"), "{}", stderr(&in_use));
    assert!(stderr(&in_use).ends_with("hint: stop the server first\n"), "{}", stderr(&in_use));
    first.shutdown().await;

    let restored = run(&home, &["store", "restore", "copy.db", "-o", "json"]).await;
    assert_eq!(code(&restored), 0, "{}", stderr(&restored));
    let restored = json(&restored);
    let kept = std::path::Path::new(restored["kept"].as_str().unwrap());
    assert!(kept.is_file() && restored["contents"]["findings"] == serde_json::json!([]), "{restored}");
    let second = server(&home).await;
    let tokens = stdout(&run(&home, &["token", "list", "--server", &second.url()]).await);
    assert!(tokens.contains("ada") && !tokens.contains("bob"), "{tokens}");
    second.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_told_line_by_line_with_an_exit_code() {
    let home = Home::new();
    server(&home).await.shutdown().await;
    let database = home.path().join(".local/share/graphium/graphium.db");
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.execute("INSERT INTO sessions VALUES ('vm1', 0, 'n')", []).unwrap();
    let checked = run(&home, &["store", "check"]).await;
    assert_eq!(code(&checked), 1);
    assert!(stdout(&checked).contains("is damaged: "), "{}", stdout(&checked));
    assert!(stdout(&checked).ends_with("\n  the session of `vm1` has no epoch\n"), "{}", stdout(&checked));
    assert!(stderr(&checked).starts_with("hint: stop the server"), "{}", stderr(&checked));
    let copied = run(&home, &["store", "backup", "copy.db"]).await;
    assert_eq!(code(&copied), 1);
    assert!(stderr(&copied).contains("is damaged:\n    the session of `vm1` has no epoch\n"), "{}", stderr(&copied));
    assert!(!home.path().join("copy.db").exists());

    connection.execute_batch("PRAGMA user_version = 2").unwrap();
    let older = stdout(&run(&home, &["store", "check"]).await);
    assert!(older.contains("is sound: schema 2, which is older") && !older.contains("0 tasks"), "{older}");
    connection.execute_batch("PRAGMA user_version = 7").unwrap();
    let newer = run(&home, &["store", "check"]).await;
    assert_eq!(code(&newer), 1);
    assert!(stderr(&newer).contains("its schema is 7, this one knows up to"), "{}", stderr(&newer));
    let memory = run(&home, &["store", "check", "--store", "memory:"]).await;
    assert_eq!(code(&memory), 2);
    assert!(stderr(&memory).contains("only a store in a file"), "{}", stderr(&memory));
    let nowhere = run(&home, &["store", "check", "--store", "sqlite:nowhere.db"]).await;
    assert_eq!(code(&nowhere), 1);
    assert!(stderr(&nowhere).contains("there is no database at `nowhere.db`"), "{}", stderr(&nowhere));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_copied_to_another_and_to_nothing_else() {
    let home = Home::new();
    let running = server(&home).await;
    let database = ".local/share/graphium/graphium.db";
    let from = format!("sqlite:{database}");
    let busy = run(&home, &["store", "copy", &from, "sqlite:new.db"]).await;
    assert_eq!(code(&busy), 1);
    assert!(stderr(&busy).ends_with("hint: stop the server first\n"), "{}", stderr(&busy));
    running.shutdown().await;

    let same = "sqlite:./.local/share/../share/graphium/graphium.db".to_owned();
    for (from, to, exit, words) in [
        (from.as_str(), same.as_str(), 2, "are the same store"),
        (&from, "memory:", 2, "is there for one process only"),
        ("memory:", "sqlite:new.db", 2, "is there for one process only"),
        (database, "sqlite:new.db", 2, "did you mean `sqlite:.local/share/graphium/graphium.db`?"),
        (&from, "new.db", 2, "did you mean `sqlite:new.db`?"),
        (&from, "couchdb://nowhere", 2, "write `couchdb://USER:PASSWORD@HOST:5984/DATABASE`"),
        ("sqlite:none.db", "sqlite:new.db", 1, "there is no database at `none.db`\nhint: "),
    ] {
        let refused = run(&home, &["store", "copy", from, to]).await;
        assert_eq!((code(&refused), stdout(&refused).as_str()), (exit, ""), "{from} {to}: {}", stderr(&refused));
        assert!(stderr(&refused).contains(words), "{from} {to}: {}", stderr(&refused));
        assert!(!home.path().join("new.db").exists() && !home.path().join("none.db").exists());
    }
    let copied = run(&home, &["store", "copy", &from, "sqlite:new.db", "-o", "json"]).await;
    assert_eq!(code(&copied), 0, "{}", stderr(&copied));
    assert!(json(&copied)["records"].as_u64().unwrap() > 0);
    let again = run(&home, &["store", "copy", &from, "sqlite:new.db"]).await;
    assert!(code(&again) == 1 && stderr(&again).contains("copy into a new database"), "{}", stderr(&again));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_older_system_has_left_is_told_first_and_then_taken_over() {
    let (home, couch) = (Home::new(), FakeCouch::start(1).await.unwrap());
    couch.put("host:vm1", serde_json::json!({"@type": "ComputerServer", "@id": "host:vm1", "name": "vm1"}));
    couch.put("who", serde_json::json!({"@type": "Person"}));
    let before = (couch.ids(), couch.writes());
    let url = couch.url();
    let left = "left: `who`: a document of a kind that is not known (`Person`)\n";
    let trial = run(&home, &["store", "upgrade", "--dry-run", &url]).await;
    assert_eq!((code(&trial), stderr(&trial).as_str()), (0, ""));
    assert_eq!(stdout(&trial), format!("would be taken over: host `vm1`\n{left}"));
    assert_eq!((couch.ids(), couch.writes()), before, "a trial writes nothing");
    let done = run(&home, &["store", "upgrade", &url]).await;
    assert_eq!((code(&done), stdout(&done)), (0, format!("taken over: host `vm1`\n{left}")), "{}", stderr(&done));
    assert!(couch.writes() > before.1 && before.0.iter().all(|id| couch.ids().contains(id)));
    let again = run(&home, &["store", "upgrade", &url, "-o", "json"]).await;
    assert_eq!(json(&again)["converted"], serde_json::json!({"host": 1}), "{}", stderr(&again));
    let nowhere = run(&home, &["store", "upgrade", "--dry-run", "sqlite:graphium.db"]).await;
    assert_eq!((code(&nowhere), stdout(&nowhere).as_str()), (2, ""), "{}", stderr(&nowhere));
}

#[test]
fn a_file_that_is_no_store_is_told_as_that() {
    let home = Home::new();
    home.file("shop.jsonld", "{}");
    let foreign = "`shop.jsonld` is empty or belongs to another program";
    for (args, exit, words) in [
        (&["check", "--store", "sqlite:shop.jsonld"][..], 1, &[foreign, "hint: is it the right file?"][..]),
        (&["backup", "x.db", "--store", "sqlite:shop.jsonld"], 1, &[foreign, "hint: is it the right file?"]),
        (&["restore", "shop.jsonld"], 1, &[foreign, "hint: name a file that `graphium store backup` has written"]),
        (&["restore", "none"], 1, &["there is no database at `none`", "has written"]),
        (&["check", "--store", "shop.jsonld"], 2, &["hint: did you mean `--store sqlite:shop.jsonld`?"]),
    ] {
        let refused = home.run(&[&["store"], args].concat());
        let told = stderr(&refused);
        assert_eq!((code(&refused), stdout(&refused).as_str()), (exit, ""), "{args:?}: {told}");
        assert!(words.iter().all(|words| told.contains(words)), "{args:?}: {told}");
    }
    let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing is left beside it: {left:?}");
}
