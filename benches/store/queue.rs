//! The store as a job queue is used: submitters do not wait for what they have submitted, one agent does it all.

use super::Tasks;
use futures::future::try_join_all;
use graphium_core::{
    store::{ClaimRequest, SessionRequest, Submission, TaskStore},
    task::{Input, Outcome, Task, TaskResult},
};
use jiff::{SignedDuration, Timestamp};
use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// Tasks that have not ended, and tasks that are claimed at a time: those of `benches/apalis`.
const OPEN: usize = 2000;
const BATCH: usize = 100;
/// How long the agent waits where it found nothing.
const PAUSE: Duration = Duration::from_millis(1);

type Failure = Box<dyn Error + Send + Sync>;

/// Tasks a second that were submitted, claimed and reported done.
pub(super) async fn measure(store: Arc<dyn TaskStore>, submitters: usize, time: Duration) -> Result<f64, Failure> {
    let tasks = Tasks::of(0)?;
    let begun = Instant::now();
    let until = begun + time;
    let open = Arc::new(Semaphore::new(OPEN));
    let submitting = (0..submitters).map(|_| {
        let (store, tasks, open) = (Arc::clone(&store), tasks.clone(), Arc::clone(&open));
        tokio::spawn(async move {
            while Instant::now() < until {
                open.acquire().await?.forget();
                store
                    .submit(Submission { tasks: vec![tasks.next()], ..Submission::default() }, Timestamp::now())
                    .await?;
            }
            Ok::<(), Failure>(())
        })
    });
    let submitting: Vec<_> = submitting.collect();
    let request = SessionRequest { host: tasks.host.clone(), nonce: "bench".to_owned(), seen_epoch: 0 };
    let epoch = store.open_session(request, Timestamp::now()).await?.epoch;
    let (mut done, mut claims) = (0, 0_u64);
    while Instant::now() < until {
        claims += 1;
        let claim = format!("claim-{claims}").as_str().into();
        let expires_at = Timestamp::now() + SignedDuration::from_secs(60);
        let request = ClaimRequest { host: tasks.host.clone(), epoch, claim, max: BATCH, expires_at, expect: None };
        let claimed = store.claim(request, Timestamp::now()).await?;
        if claimed.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
        try_join_all(claimed.iter().map(|task| report(&*store, task))).await?;
        open.add_permits(claimed.len());
        done += claimed.len();
    }
    let taken = begun.elapsed();
    for submitter in submitting {
        // It may wait for a place that nobody frees any more.
        submitter.abort();
        match submitter.await {
            Err(ended) if ended.is_cancelled() => {}
            ended => ended??,
        }
    }
    Ok(done as f64 / taken.as_secs_f64())
}

async fn report(store: &dyn TaskStore, task: &Task) -> Result<(), Failure> {
    let lease = task.lease.clone().ok_or("no lease")?;
    let outcome = Outcome::Completed(TaskResult { success: true, ..TaskResult::default() });
    store.act(&task.id, Input::Report { lease, outcome }, Timestamp::now()).await?;
    Ok(())
}
