//! Jobs a second that apalis-sqlite takes from being pushed to being done: what `cargo bench --bench store` sets beside its own.
//!
//! `graphium-bench-apalis DATABASE SUBMITTERS SECONDS` prints one number. The database keeps what Graphium's keeps: WAL and
//! `synchronous=FULL` on every connection (the crate's own set-up turns waiting for the disk off, on one connection). In
//! its favour a submitter waits for no job of its own, only while two thousand are open, and jobs are fetched and
//! acknowledged a hundred at a time.

use apalis::prelude::*;
use apalis_sqlite::{Config, SqliteStorage};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::{env, error::Error, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::Instant};

const OPEN: usize = 2000;
const BATCH: usize = 100;
/// As long as the text of a task of Graphium.
const BODY: usize = 900;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [database, submitters, seconds] = arguments.as_slice() else {
        return Err("usage: graphium-bench-apalis DATABASE SUBMITTERS SECONDS".into());
    };
    let (submitters, time): (usize, _) = (submitters.parse()?, Duration::from_secs(seconds.parse()?));
    let options = SqliteConnectOptions::new()
        .filename(database)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(60))
        .pragma("wal_autocheckpoint", "4000");
    let pool = SqlitePoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(60));
    let pool = pool.connect_with(options).await?;
    SqliteStorage::migrations().run(&pool).await?;
    let storage = SqliteStorage::<String>::new(&pool).with_config(Config::default().queue("bench").batch_size(BATCH));

    let open = Arc::new(Semaphore::new(OPEN));
    let done = Arc::clone(&open);
    let worker = WorkerBuilder::new("bench").backend(storage.clone()).build(move |_: String| {
        done.add_permits(1);
        async { Ok::<(), BoxDynError>(()) }
    });
    let begun = Instant::now();
    let pushing: Vec<_> = (0..submitters)
        .map(|_| {
            let (mut storage, open) = (storage.clone(), Arc::clone(&open));
            tokio::spawn(async move {
                while begun.elapsed() < time {
                    open.acquire().await?.forget();
                    storage.push("x".repeat(BODY)).await?;
                }
                Ok::<(), Box<dyn Error + Send + Sync>>(())
            })
        })
        .collect();
    let _ = tokio::time::timeout(time, worker.run()).await;
    let done: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM Jobs WHERE status = 'Done'").fetch_one(&pool).await?;
    println!("{:.1}", done as f64 / begun.elapsed().as_secs_f64());
    for submitter in pushing {
        submitter.abort();
    }
    Ok(())
}
