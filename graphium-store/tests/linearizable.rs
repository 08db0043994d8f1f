//! What concurrent clients of SQLite are answered could have been answered to one after the other.

use futures::executor::block_on;
use graphium_core::testing::{
    linearize::{Settings, Tally, check_histories},
    store_suite::Verdict,
};
use graphium_store::{Options, SqliteStore};
use jiff::Timestamp;

#[test]
fn histories_of_sqlite_are_linearizable() -> Verdict {
    let mut tally = Tally::default();
    for first in (0..1000).step_by(50) {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("graphium.db");
        let store = block_on(SqliteStore::open(path, Options::at(Timestamp::UNIX_EPOCH)))?;
        tally += check_histories(&store, Settings::default(), first..first + 50, &|work| block_on(work))?;
    }
    tally.verdict()
}
