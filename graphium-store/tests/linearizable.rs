//! What concurrent clients of SQLite are answered could have been answered to one after the other.

use futures::executor::block_on;
use graphium_core::testing::{
    linearize::{Settings, check_histories},
    store_suite::{Stop, Verdict},
};
use graphium_store::{Options, SqliteStore};
use jiff::Timestamp;

#[test]
fn histories_of_sqlite_are_linearizable() -> Verdict {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("graphium.db");
    let store = block_on(SqliteStore::open(path, Options::at(Timestamp::UNIX_EPOCH)))?;
    let tally = check_histories(&store, Settings::default(), 0..1000, &|work| block_on(work))?;
    if tally.contended * 4 > tally.calls {
        Ok(())
    } else {
        Err(Stop::Broken(format!("the clients hardly meet: {tally:?}")))
    }
}
