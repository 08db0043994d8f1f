use super::*;
use graphium_core::{
    action::Action,
    store::Submission,
    task::{Task, TaskStatus},
};
use std::error::Error;
use tokio::sync::oneshot;

type Checked = Result<(), Box<dyn Error>>;

fn submit(book: &mut Book, id: &str) -> Result<Submitted, StoreError> {
    let action = Action::Start { name: "x".repeat(2000) };
    let task = Task::new(id.into(), "vm1".into(), action, Timestamp::UNIX_EPOCH);
    let submission = Submission { tasks: vec![task], ..Submission::default() };
    let submit = Box::new(Submit::new(submission, Timestamp::UNIX_EPOCH)?);
    let (reply, mut answer) = oneshot::channel();
    let answer_to = book.carry_out(Command::Submit { submit, reply });
    let committed = book.commit();
    answer_to(committed.as_ref().map(|&()| ()));
    answer.try_recv().unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
}

#[test]
fn a_full_disk_is_said_forgotten_and_recovered_from() -> Checked {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("graphium.db");
    let mut book = Book::open(&path, Options::at(Timestamp::UNIX_EPOCH))?;
    submit(&mut book, "task:0")?;
    let pages: i64 = book.connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    book.connection.query_row(&format!("PRAGMA max_page_count = {}", pages + 4), [], |_| Ok(()))?;
    let mut written = 1;
    let failure = loop {
        match submit(&mut book, &format!("task:{written}")) {
            Ok(_) => written += 1,
            Err(failure) => break failure,
        }
    };
    assert!(matches!(failure, StoreError::Full(_)), "{failure}");
    assert_eq!(query::last_event(&book.connection)?, written);
    book.connection.query_row("PRAGMA max_page_count = 100000", [], |_| Ok(()))?;
    submit(&mut book, "task:more")?;
    assert_eq!(book.seq, written + 1, "the number of the event that was not written is given again");
    let ledger = book.ledger.as_ref().ok_or("no ledger")?;
    assert!(ledger.task(&TaskId::new(format!("task:{written}"))).is_none(), "what was not written is forgotten");
    assert_eq!(ledger.task(&"task:0".into()).map(|task| task.status), Some(TaskStatus::Pending));
    Ok(())
}
