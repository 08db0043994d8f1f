//! Copies of a database: consistent while others write, checked, and put in place without loss.

use futures::executor::block_on;
use graphium_core::{
    action::Action,
    event::{EventType, NewEvent},
    id::TaskId,
    store::{Submission, TaskQuery, TaskStore, TaskStoreExt},
    task::Task,
};
use graphium_store::{CopyError, Existing, OpenError, Options, SqliteStore};
use jiff::Timestamp;
use rusqlite::Connection;
use serde_json::json;
use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};
use tempfile::TempDir;

type Checked = Result<(), Box<dyn Error>>;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// A folder with the database `graphium.db` in it.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Result<Self, Box<dyn Error>> {
        Ok(Self { folder: tempfile::tempdir()? })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn database(&self) -> PathBuf {
        self.file("graphium.db")
    }

    fn open(&self) -> Result<Arc<SqliteStore>, OpenError> {
        Ok(Arc::new(block_on(SqliteStore::open(self.database(), Options::at(NOW)))?))
    }

    /// A closed database with some tasks.
    fn filled(ids: &[&str]) -> Result<Self, Box<dyn Error>> {
        let place = Self::new()?;
        let store = place.open()?;
        for id in ids {
            submit(&store, id)?;
        }
        Ok(place)
    }

    fn names(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let names = fs::read_dir(self.folder.path())?.map(|file| Ok(file?.file_name().to_string_lossy().into_owned()));
        let mut names: Vec<String> = names.collect::<Result<_, std::io::Error>>()?;
        names.sort();
        Ok(names)
    }
}

/// Two tasks, of which the second waits for the first, in one step.
fn submit(store: &SqliteStore, id: &str) -> Checked {
    let part = |suffix: &str, depends_on: Vec<TaskId>| Task {
        deployment_id: Some(id.into()),
        depends_on,
        ..Task::new(format!("{id}{suffix}").into(), "vm1".into(), Action::Start { name: "web".to_owned() }, NOW)
    };
    let first = part(".a", Vec::new());
    let second = part(".b", vec![first.id.clone()]);
    let events = vec![NewEvent { kind: EventType::StackDeploying, data: json!({}) }];
    block_on(store.submit(Submission { tasks: vec![first, second], events, ..Submission::default() }, NOW))?;
    Ok(())
}

fn ids(path: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let store = block_on(SqliteStore::open(path, Options::at(NOW)))?;
    let tasks = block_on(store.all_tasks(TaskQuery::default()))?;
    Ok(tasks.into_iter().map(|task| task.id.as_str().to_owned()).collect())
}

#[test]
fn copies_made_while_others_write_hold_whole_steps_and_never_stop_them() -> Checked {
    let place = Place::new()?;
    let store = place.open()?;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = thread::spawn({
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        move || {
            let mut written = 0;
            while !stop.load(Ordering::Relaxed) {
                if submit(&store, &format!("deployment:{written:06}")).is_err() {
                    break;
                }
                written += 1;
            }
            written
        }
    });
    let mut last = 0;
    for round in 0..5 {
        let copy = place.file(&format!("copy{round}"));
        while block_on(store.last_event())? < last + 30 {
            thread::yield_now();
        }
        let before = block_on(store.last_event())?;
        let verdict = SqliteStore::backup(place.database(), &copy, Existing::Keep)?;
        assert!(verdict.last_event >= before, "what was acknowledged before is in the copy");
        assert_eq!(verdict.findings, [""; 0]);
        assert_eq!(verdict.tasks * 3, verdict.last_event * 2, "all or nothing of a step: {verdict:?}");
        assert_eq!(ids(&copy)?.len() as u64, verdict.tasks);
        last = verdict.last_event;
    }
    stop.store(true, Ordering::Relaxed);
    let written: u64 = writer.join().map_err(|_| "the writer panicked")?;
    assert_eq!(block_on(store.last_event())?, written * 3);
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_copy_is_private_one_file_and_leaves_nothing_beside_it() -> Checked {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::filled(&["a"])?;
    SqliteStore::backup(place.database(), place.file("copy"), Existing::Keep)?;
    assert_eq!(fs::metadata(place.file("copy"))?.permissions().mode() & 0o777, 0o600);
    let names = place.names()?;
    assert!(names.contains(&"copy".to_owned()), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("part") || name.starts_with("copy-")), "{names:?}");
    Ok(())
}

#[test]
fn what_lies_there_is_replaced_only_when_that_is_wanted() -> Checked {
    let place = Place::filled(&["a"])?;
    let copy = place.file("copy");
    fs::write(&copy, "precious")?;
    let refused = SqliteStore::backup(place.database(), &copy, Existing::Keep);
    assert!(matches!(refused, Err(CopyError::Exists { .. })), "{refused:?}");
    assert_eq!(fs::read_to_string(&copy)?, "precious");
    SqliteStore::backup(place.database(), &copy, Existing::Replace)?;
    assert_eq!(ids(&copy)?, ["a.a", "a.b"]);
    Ok(())
}

#[test]
fn a_database_in_use_is_never_replaced_by_a_copy() -> Checked {
    let (place, other) = (Place::filled(&["a"])?, Place::filled(&["b"])?);
    let store = other.open()?;
    submit(&store, "c")?;
    for source in [&place, &other] {
        let refused = SqliteStore::backup(source.database(), other.database(), Existing::Replace);
        assert!(matches!(refused, Err(CopyError::Occupied { .. })), "{refused:?}");
    }
    drop(store);
    assert_eq!(ids(&other.database())?, ["b.a", "b.b", "c.a", "c.b"]);
    Ok(())
}

#[test]
fn a_restored_database_is_the_copy_and_the_one_before_is_kept() -> Checked {
    let place = Place::filled(&["a"])?;
    SqliteStore::backup(place.database(), place.file("copy"), Existing::Keep)?;
    let store = place.open()?;
    submit(&store, "b")?;
    let refused = SqliteStore::restore(place.database(), place.file("copy"), NOW);
    let Err(CopyError::Open(OpenError::InUse { owner, .. })) = refused else { return Err("restored in use".into()) };
    assert_eq!(owner, format!("process {}", std::process::id()));
    drop(store);
    let restored = SqliteStore::restore(place.database(), place.file("copy"), NOW)?;
    assert_eq!((restored.verdict.tasks, restored.verdict.last_event), (2, 3));
    let kept = restored.kept.ok_or("nothing was kept")?;
    assert_eq!(kept, place.file("graphium.db.before-restore-19700101T000000.000Z"));
    assert_eq!(ids(&place.database())?, ["a.a", "a.b"]);
    assert_eq!(ids(&kept)?, ["a.a", "a.b", "b.a", "b.b"]);
    Ok(())
}

#[test]
fn what_a_crash_left_in_the_log_is_kept_too_and_not_written_over_the_copy() -> Checked {
    let place = Place::filled(&["a"])?;
    SqliteStore::backup(place.database(), place.file("copy"), Existing::Keep)?;
    let store = place.open()?;
    submit(&store, "b")?;
    // The files as a crash leaves them: what was written last is in the log alone.
    let crashed = Place::new()?;
    for name in ["graphium.db", "graphium.db-wal"] {
        fs::copy(place.file(name), crashed.file(name))?;
    }
    let restored = SqliteStore::restore(crashed.database(), place.file("copy"), NOW)?;
    assert_eq!(ids(&crashed.database())?, ["a.a", "a.b"]);
    assert_eq!(ids(&restored.kept.ok_or("nothing was kept")?)?, ["a.a", "a.b", "b.a", "b.b"]);
    Ok(())
}

#[test]
fn a_database_that_cannot_be_read_can_be_replaced_and_is_kept_as_it_is() -> Checked {
    let place = Place::filled(&["a"])?;
    SqliteStore::backup(place.database(), place.file("copy"), Existing::Keep)?;
    fs::write(place.database(), "what a broken disk has left")?;
    let restored = SqliteStore::restore(place.database(), place.file("copy"), NOW)?;
    assert_eq!(ids(&place.database())?, ["a.a", "a.b"]);
    assert_eq!(fs::read_to_string(restored.kept.ok_or("nothing was kept")?)?, "what a broken disk has left");
    Ok(())
}

#[test]
fn a_damaged_copy_is_refused_and_nothing_is_touched() -> Checked {
    let place = Place::filled(&["a"])?;
    let copy = place.file("copy");
    SqliteStore::backup(place.database(), &copy, Existing::Keep)?;
    Connection::open(&copy)?.execute("DELETE FROM tasks WHERE id = 'a.a'", [])?;
    let refused = SqliteStore::restore(place.database(), &copy, NOW);
    let Err(CopyError::Damaged { findings, .. }) = refused else { return Err("restored".into()) };
    assert_eq!(findings[0], "task `a.b`: `a.a`, which it waits for, is missing");
    assert_eq!(ids(&place.database())?, ["a.a", "a.b"]);
    assert!(!place.names()?.iter().any(|name| name.contains("part") || name.contains("before-restore")));
    Ok(())
}

#[test]
fn what_is_newer_foreign_or_not_there_is_refused() -> Checked {
    let place = Place::filled(&["a"])?;
    let copy = place.file("copy");
    let missing = SqliteStore::restore(place.database(), &copy, NOW);
    assert!(matches!(missing, Err(CopyError::Open(OpenError::Missing { .. }))), "{missing:?}");
    let missing = SqliteStore::backup(&copy, place.file("other"), Existing::Keep);
    assert!(matches!(missing, Err(CopyError::Open(OpenError::Missing { .. }))), "{missing:?}");
    fs::write(&copy, "{}")?;
    let other = place.file("other");
    for text in [
        SqliteStore::restore(&other, &copy, NOW).map(drop),
        SqliteStore::backup(&copy, &other, Existing::Keep).map(drop),
        SqliteStore::check(&copy).map(drop).map_err(CopyError::Open),
    ] {
        assert!(matches!(text, Err(CopyError::Open(OpenError::Foreign { .. }))), "{text:?}");
    }
    assert!(!place.names()?.iter().any(|name| name.starts_with("other")), "no lock is left where nothing was done");
    fs::remove_file(&copy)?;
    Connection::open(&copy)?.execute_batch("CREATE TABLE boats (name TEXT)")?;
    let foreign = SqliteStore::restore(place.database(), &copy, NOW);
    assert!(matches!(foreign, Err(CopyError::Open(OpenError::Foreign { .. }))), "{foreign:?}");
    assert!(matches!(SqliteStore::check(&copy), Err(OpenError::Foreign { .. })));
    Connection::open(&copy)?.execute_batch("PRAGMA user_version = 1000")?;
    let newer = SqliteStore::restore(place.database(), &copy, NOW);
    assert!(matches!(newer, Err(CopyError::Open(OpenError::NewerSchema { found: 1000, .. }))), "{newer:?}");
    assert!(matches!(SqliteStore::check(&copy), Err(OpenError::NewerSchema { .. })));
    let newer = SqliteStore::backup(&copy, place.file("other"), Existing::Keep);
    assert!(matches!(newer, Err(CopyError::Open(OpenError::NewerSchema { .. }))), "{newer:?}");
    Ok(())
}

#[test]
fn every_kind_of_damage_is_found() -> Checked {
    let damages = [
        ("UPDATE tasks SET open = 0 WHERE id = 'b.a'", "task `b.a`: its columns say other than its content"),
        ("UPDATE tasks SET host = 'vm2' WHERE id = 'b.a'", "task `b.a`: its columns say other than its content"),
        ("UPDATE tasks SET state = '{}' WHERE id = 'b.a'", "task `b.a` cannot be read"),
        ("DELETE FROM tasks WHERE id = 'b.a'", "task `b.b`: `b.a`, which it waits for, is missing"),
        ("DELETE FROM task_bodies WHERE key = 1", "task `a.a`: what was submitted is missing"),
        ("DELETE FROM tasks WHERE id = 'b.b'", "is of no task"),
        (
            "INSERT INTO tasks SELECT 1000, id, 'vm9', stack, deployment, container, status, open, state
             FROM tasks WHERE id = 'b.a'",
            "task `b.a` is there 2 times",
        ),
        ("DELETE FROM events WHERE first = 4", "after event 3 comes event 7"),
        ("UPDATE events SET lines = 'x' WHERE first = 7", "events 7 to 9 are 1"),
        ("UPDATE events SET lines = replace(lines, '[', '{') WHERE first = 7", "event `7` cannot be read"),
        ("INSERT INTO records VALUES ('boat', 'x', 1, NULL, NULL, '{}')", "record `x` is of unknown kind `boat`"),
        ("INSERT INTO records VALUES ('stack', 'x', 0, NULL, NULL, '{}')", "stack `x` has version 0"),
        ("INSERT INTO records VALUES ('stack', 'x', 1, NULL, NULL, '{')", "stack `x` cannot be read"),
        ("INSERT INTO sessions VALUES ('vm1', 0, 'n')", "the session of `vm1` has no epoch"),
        ("INSERT INTO submissions VALUES ('key', 0, '{}')", "submission `key` cannot be read"),
    ];
    for (damage, finding) in damages {
        let place = Place::filled(&["a", "b", "c"])?;
        assert_eq!(SqliteStore::check(place.database())?.findings, [""; 0]);
        assert_eq!(Connection::open(place.database())?.execute(damage, [])?, 1, "{damage}");
        let findings = SqliteStore::check(place.database())?.findings;
        assert!(findings.iter().any(|text| text.contains(finding)), "{damage}: {findings:?}");
    }
    Ok(())
}

#[test]
fn damage_of_the_file_itself_is_found_and_much_damage_is_told_in_short() -> Checked {
    let place = Place::filled(&["a", "b", "c"])?;
    let mut bytes = fs::read(place.database())?;
    let page = 4096;
    for start in (page..bytes.len()).step_by(page) {
        let before = bytes[start];
        bytes[start] ^= 0xff;
        fs::write(place.database(), &bytes)?;
        let verdict = SqliteStore::check(place.database());
        assert!(verdict.is_err() || verdict.is_ok_and(|verdict| !verdict.findings.is_empty()), "page {}", start / page);
        bytes[start] = before;
    }
    fs::write(place.database(), &bytes)?;
    let connection = Connection::open(place.database())?;
    for number in 0..100 {
        connection.execute("INSERT INTO sessions VALUES (?, 0, 'n')", [number.to_string()])?;
    }
    let findings = SqliteStore::check(place.database())?.findings;
    assert_eq!((findings.len(), findings[20].as_str()), (21, "and 80 more"));
    Ok(())
}
