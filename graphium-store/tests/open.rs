//! Opening a store: what is refused, and with what words.

use futures::executor::block_on;
use graphium_core::{
    event::{EventType, NewEvent},
    store::{Expect, Key, Kind, RecordWrite, Submission},
};
use graphium_store::{OpenError, Options, open, without_password};
use jiff::Timestamp;
use std::{error::Error, sync::Arc};

type Checked = Result<(), Box<dyn Error>>;

fn options() -> Options {
    Options::at(Timestamp::UNIX_EPOCH)
}

fn text_of(error: Result<impl Sized, OpenError>) -> String {
    error.err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn an_unknown_scheme_is_refused_and_its_password_is_not_repeated() {
    let text = text_of(block_on(open("mongodb://me:secret@host/db", options())));
    assert!(text.starts_with("`mongodb://…@host/db` is no store; a store is one of `sqlite:PATH`, "), "{text}");
    let text = text_of(block_on(open("data/graphium.db", options())));
    let near = "`data/graphium.db` is no store; did you mean `sqlite:data/graphium.db`? a store is one of ";
    assert!(text.starts_with(near), "{text}");
    for (known, form) in
        [(cfg!(feature = "couchdb"), "`couchdb://"), (cfg!(feature = "http"), "`http://"), (true, "`memory:`")]
    {
        assert_eq!(text.contains(form), known, "{text}");
    }
}

#[test]
fn a_file_is_open_once_at_a_time_and_free_again_afterwards() -> Checked {
    let directory = tempfile::tempdir()?;
    let url = format!("sqlite:{}", directory.path().join("deep/er/graphium.db").display());
    let first = block_on(open(&url, options()))?;
    let text = text_of(block_on(open(&url, options())));
    assert!(text.contains(&format!("in use by process {}", std::process::id())), "{text}");
    drop(first);
    block_on(open(&url, options()))?;
    Ok(())
}

#[test]
fn a_newer_schema_is_refused() -> Checked {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("graphium.db");
    rusqlite::Connection::open(&path)?.execute_batch("PRAGMA user_version = 1000")?;
    let text = text_of(block_on(open(&format!("sqlite:{}", path.display()), options())));
    assert!(text.contains("written by a newer version of Graphium (its schema is 1000"), "{text}");
    Ok(())
}

#[test]
fn what_is_no_database_is_refused() -> Checked {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("graphium.db");
    std::fs::write(&path, "certainly not a database, and long enough to have a header that says otherwise".repeat(9))?;
    let error = block_on(open(&format!("sqlite:{}", path.display()), options())).err().ok_or("opened")?;
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    Ok(())
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_the_files() -> Checked {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir()?;
    let url = format!("sqlite:{}", directory.path().join("graphium.db").display());
    let store = block_on(open(&url, options()))?;
    let write = RecordWrite {
        key: Key::new(Kind::Token, "t"),
        expect: Expect::Absent,
        stack: None,
        host: None,
        body: Some(Arc::new(serde_json::json!({"hash": "…"}))),
    };
    let event = NewEvent { kind: EventType::StackAdded, data: serde_json::json!({}) };
    let submission = Submission { records: vec![write], events: vec![event], ..Submission::default() };
    block_on(store.submit(submission, Timestamp::UNIX_EPOCH))?;
    let mut names = Vec::new();
    for file in std::fs::read_dir(directory.path())? {
        let file = file?;
        assert_eq!(file.metadata()?.permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
        names.push(file.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    assert_eq!(names, ["graphium.db", "graphium.db-shm", "graphium.db-wal", "graphium.db.lock"]);
    assert_eq!(block_on(store.last_event())?, 1);
    Ok(())
}

#[test]
fn what_belongs_to_another_program_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("shop.jsonld");
    std::fs::write(&text, "{}").unwrap();
    let database = folder.path().join("other.db");
    rusqlite::Connection::open(&database).unwrap().execute_batch("CREATE TABLE t(x)").unwrap();
    for path in [&text, &database] {
        let before = (std::fs::read(path).unwrap(), std::fs::metadata(path).unwrap().permissions());
        let refusal = text_of(block_on(open(&format!("sqlite:{}", path.display()), options())));
        assert!(refusal.contains("belongs to another program"), "{refusal}");
        assert_eq!((std::fs::read(path).unwrap(), std::fs::metadata(path).unwrap().permissions()), before);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing lies beside them");
}

#[test]
fn no_password_is_shown_however_the_url_is_written() {
    for url in
        ["couchdb://me:s3cret@host/db", "couchdb:me:s3cret@host/db", "couchdb:/me:s3cret@host/db", "me:s3cret@host"]
    {
        let shown = without_password(url);
        assert!(!shown.contains("s3cret") && shown.contains("host"), "{shown}");
    }
}
