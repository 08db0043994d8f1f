//! What one change waits for, when nobody else asks for any.

use super::{Done, Tasks};
use graphium_core::{
    store::{ClaimRequest, SessionRequest, Submission, TaskStore},
    task::{Input, Outcome, TaskResult},
};
use graphium_store::{Options, SqliteStore};
use jiff::{SignedDuration, Timestamp};
use std::{
    error::Error,
    fmt,
    fs::File,
    io::{Seek, SeekFrom, Write},
    time::Instant,
};

const ROUNDS: usize = 2000;
/// What SQLite appends to its log for one page.
const FRAME: [u8; 4096 + 24] = [0; 4096 + 24];

/// What was waited for, in milliseconds.
#[derive(Default)]
pub(super) struct Waits {
    synced: Vec<f64>,
    submitted: Vec<f64>,
    claimed: Vec<f64>,
    reported: Vec<f64>,
}

/// Each change and a synced write take turns, on one disk.
pub(super) async fn measure() -> Result<Waits, Box<dyn Error + Send + Sync>> {
    let directory = tempfile::tempdir()?;
    let store = SqliteStore::open(&directory.path().join("single.db"), Options::at(Timestamp::now())).await?;
    let mut file = File::create(directory.path().join("bare"))?;
    let tasks = Tasks::of(0)?;
    let request = SessionRequest { host: tasks.host.clone(), nonce: "bench".to_owned(), seen_epoch: 0 };
    let epoch = store.open_session(request, Timestamp::now()).await?.epoch;
    let mut waits = Waits::default();
    for round in 0..ROUNDS {
        sync(&mut file, &mut waits.synced)?;
        let submission = Submission { tasks: vec![tasks.next()], ..Submission::default() };
        let begun = Instant::now();
        store.submit(submission, Timestamp::now()).await?;
        waits.submitted.push(since(begun));

        sync(&mut file, &mut waits.synced)?;
        let expires_at = Timestamp::now() + SignedDuration::from_secs(60);
        let claim = format!("claim-{round}").as_str().into();
        let request = ClaimRequest { host: tasks.host.clone(), epoch, claim, max: 1, expires_at, expect: None };
        let begun = Instant::now();
        let claimed = store.claim(request, Timestamp::now()).await?;
        waits.claimed.push(since(begun));

        sync(&mut file, &mut waits.synced)?;
        let task = claimed.first().ok_or("nothing was claimed")?;
        let lease = task.lease.clone().ok_or("no lease")?;
        let outcome = Outcome::Completed(TaskResult { success: true, ..TaskResult::default() });
        let begun = Instant::now();
        store.act(&task.id, Input::Report { lease, outcome }, Timestamp::now()).await?;
        waits.reported.push(since(begun));
    }
    Ok(waits)
}

fn sync(file: &mut File, waits: &mut Vec<f64>) -> Done {
    let begun = Instant::now();
    // Over and over at the same places, as a log is that was as long before.
    if waits.len().is_multiple_of(1000) {
        file.seek(SeekFrom::Start(0))?;
    }
    file.write_all(&FRAME)?;
    file.sync_data()?;
    waits.push(since(begun));
    Ok(())
}

fn since(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

fn percentile(figures: &[f64], part: f64) -> f64 {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    let place = (figures.len() as f64 * part) as usize;
    figures.get(place.min(figures.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "one change at a time, {ROUNDS} of each   p50 ms   p99 ms   p99 ratio")?;
        let bare = percentile(&self.synced, 0.99);
        let rows = [
            ("a page written and synced", &self.synced),
            ("submit", &self.submitted),
            ("claim", &self.claimed),
            ("report", &self.reported),
        ];
        for (what, figures) in rows {
            let (middle, high) = (percentile(figures, 0.5), percentile(figures, 0.99));
            writeln!(f, "{what:<36}  {middle:>7.3}  {high:>7.3}  {:>10.2}", high / bare)?;
        }
        Ok(())
    }
}
