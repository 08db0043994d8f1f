//! Stores that are broken in one way each: the proof that the suite can fail.

use crate::{
    event::Event,
    id::{ClaimId, HostId, TaskId},
    store::{
        Acted, ClaimRequest, Cut, Expect, Key, Page, Pruned, Record, RecordQuery, Session, SessionRequest, StoreError,
        Submission, Submitted, TaskQuery, TaskStore,
    },
    task::{Gate, Input, Lease, Refusal, Task},
};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// In which way a [`Saboteur`] is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// It hands out again what it has handed out to another claim.
    GrantsTwice,
    /// It gives two who claim at the same moment the same: no case has two threads, but [`linearize`](crate::testing::linearize) has.
    SharesGrants,
    /// It hands out more than was asked for.
    GrantsMore,
    /// It takes a claim that comes again for another.
    ForgetsClaims,
    /// It hands out what has to wait for its next attempt.
    GrantsEarly,
    /// It does not look at sessions.
    IgnoresSessions,
    /// It gives an epoch twice.
    RepeatsEpochs,
    /// It takes the report of a lease that is lost for good.
    BelievesStaleReports,
    /// It renews a lease that is lost.
    RenewsLostLeases,
    /// It does not tell the holder that its task is to end.
    KeepsCancellationsToItself,
    /// It takes back leases before their time.
    ExpiresEarly,
    /// It never takes a lease back.
    NeverExpires,
    /// It lets attempts go on for ever.
    IgnoresDeadlines,
    /// It tries again for ever.
    RetriesForEver,
    /// It takes orders for what has ended.
    ForgetsEnds,
    /// It leaves out an event.
    SkipsAnEvent,
    /// It tells an event again to whoever resumes.
    RepeatsAnEvent,
    /// It tells of a change after it has answered.
    TellsLate,
    /// It does not look at what a writer expects.
    IgnoresExpectations,
    /// It does not look at what a claim expects.
    ClaimsRegardless,
    /// Of a submission that is refused it keeps the tasks.
    SubmitsHalf,
    /// It does not look at priorities.
    IgnoresPriority,
    /// It does not look at slack.
    IgnoresSlack,
    /// It does not wait for what comes first.
    IgnoresDependencies,
    /// It cancels what was to wait for an end of any kind.
    IgnoresGates,
    /// It lets what was superseded go on.
    SupersedesNothing,
    /// It tries nothing again that a submission asks for.
    TriesNothingAgain,
    /// It forgets idempotency keys.
    ForgetsKeys,
    /// It takes the first page for all there is.
    EndsEarly,
    /// It lets go of what is present.
    PrunesWhatIsLive,
}

impl Sabotage {
    /// Each of them, with cases that find it; none: it takes real threads to find it.
    pub const FOUND_BY: &[(Self, &[&str])] = &[
        (Self::GrantsTwice, &["nothing_is_granted_twice"]),
        (Self::SharesGrants, &[]),
        (Self::GrantsMore, &["a_claim_takes_what_is_of_its_host_and_no_more_than_it_asks"]),
        (Self::ForgetsClaims, &["the_same_claim_is_granted_the_same"]),
        (Self::GrantsEarly, &["a_retryable_failure_waits_its_time"]),
        (Self::IgnoresSessions, &["an_older_session_claims_nothing"]),
        (Self::RepeatsEpochs, &["epochs_grow_and_pass_what_was_seen", "a_newer_session_ends_the_leases_of_the_older"]),
        (Self::BelievesStaleReports, &["a_stale_lease_renews_and_reports_nothing"]),
        (Self::RenewsLostLeases, &["renewing_many_returns_what_is_held_and_begins_nothing"]),
        (Self::KeepsCancellationsToItself, &["renewing_many_returns_what_is_held_and_begins_nothing"]),
        (Self::ExpiresEarly, &["a_lease_that_ran_out_gives_its_task_back"]),
        (Self::NeverExpires, &["a_lease_that_ran_out_gives_its_task_back"]),
        (Self::IgnoresDeadlines, &["an_attempt_past_its_deadline_ends", "a_deadline_and_a_report_have_one_outcome"]),
        (Self::RetriesForEver, &["retries_are_bounded"]),
        (Self::ForgetsEnds, &["an_end_is_final", "a_cancellation_and_a_report_agree_on_one_end"]),
        (
            Self::SkipsAnEvent,
            &[
                "every_change_is_an_event_and_none_is_left_out",
                "events_are_resumed_after_any_number",
                "events_have_no_gap_also_when_many_write_at_once",
            ],
        ),
        (Self::RepeatsAnEvent, &["events_are_resumed_after_any_number"]),
        (Self::TellsLate, &["what_was_answered_is_there_to_be_read"]),
        (
            Self::IgnoresExpectations,
            &[
                "a_submission_whose_expectation_fails_changes_nothing",
                "a_record_changes_only_from_the_version_that_was_expected",
            ],
        ),
        (Self::ClaimsRegardless, &["a_claim_whose_expectation_fails_is_granted_nothing"]),
        (Self::SubmitsHalf, &["a_submission_whose_expectation_fails_changes_nothing"]),
        (Self::IgnoresPriority, &["tasks_come_by_priority_then_age_then_id"]),
        (Self::IgnoresSlack, &["of_one_age_those_with_the_least_slack_come_first"]),
        (Self::IgnoresDependencies, &["a_task_waits_until_those_before_it_are_completed"]),
        (Self::IgnoresGates, &["a_removal_waits_for_an_end_however_it_comes"]),
        (Self::SupersedesNothing, &["what_is_superseded_is_asked_to_end"]),
        (Self::TriesNothingAgain, &["a_submission_tries_again_or_is_refused_whole"]),
        (
            Self::ForgetsKeys,
            &[
                "a_repeated_key_changes_nothing_and_answers_as_before",
                "a_key_counts_once_however_many_bring_it",
                "a_call_that_was_dropped_has_happened_whole_or_not_at_all",
            ],
        ),
        (Self::EndsEarly, &["tasks_are_filtered_and_paged", "a_page_has_a_bound_of_its_own"]),
        (Self::PrunesWhatIsLive, &["what_ended_long_ago_goes_and_what_is_live_stays"]),
    ];
}

/// A store that is right in everything but one.
///
/// # Example
/// A suite that finds nothing in a store which is broken on purpose would be worth nothing.
/// ```
/// use async_trait::async_trait;
/// use graphium_core::store::{MemoryStore, TaskStore};
/// use graphium_core::testing::store_suite::{Case, Harness, Sabotage, Saboteur, Stop, run_as_test};
/// use std::sync::Arc;
///
/// struct Broken(Option<Sabotage>);
///
/// #[async_trait(?Send)]
/// impl Harness for Broken {
///     async fn fresh(&self) -> Result<Arc<dyn TaskStore>, Stop> {
///         let store: Arc<dyn TaskStore> = Arc::new(MemoryStore::new());
///         Ok(match self.0 {
///             Some(sabotage) => Arc::new(Saboteur::new(store, sabotage)),
///             None => store,
///         })
///     }
/// }
///
/// let case: &Case = Case::named("nothing_is_granted_twice")?;
/// assert!(matches!(case.run(&Broken(Some(Sabotage::GrantsTwice))), Err(Stop::Broken(_))));
/// assert_eq!(run_as_test(&Broken(None), case.name), Ok(()));
/// # Ok::<(), Stop>(())
/// ```
#[derive(Debug)]
pub struct Saboteur {
    inner: Arc<dyn TaskStore>,
    sabotage: Sabotage,
    notes: Mutex<Notes>,
}

/// What some kinds of sabotage need to know.
#[derive(Debug, Default)]
struct Notes {
    granted: Vec<Task>,
    /// Claims that are under way.
    claiming: usize,
    newest: HashMap<HostId, Session>,
    claims: usize,
}

impl Saboteur {
    /// Breaks a store.
    pub fn new(inner: Arc<dyn TaskStore>, sabotage: Sabotage) -> Self {
        Self { inner, sabotage, notes: Mutex::default() }
    }

    fn does(&self, sabotage: Sabotage) -> bool {
        self.sabotage == sabotage
    }

    async fn claim_and_share(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Task>, StoreError> {
        self.notes().claiming += 1;
        std::thread::yield_now();
        let result = self.inner.claim(request, now).await;
        let mut notes = self.notes();
        notes.claiming -= 1;
        match result {
            Ok(tasks) if tasks.is_empty() && notes.claiming > 0 => Ok(notes.granted.clone()),
            Ok(tasks) => {
                notes.granted.clone_from(&tasks);
                Ok(tasks)
            }
            Err(error) => Err(error),
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn later(moment: Timestamp, seconds: i64) -> Timestamp {
    moment.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(moment)
}

/// Makes of a submission what a store makes of it that does not look.
fn spoil(submission: &mut Submission, sabotage: Sabotage) {
    let each = |submission: &mut Submission, change: fn(&mut Task)| submission.tasks.iter_mut().for_each(change);
    match sabotage {
        Sabotage::IgnoresExpectations => submission.records.iter_mut().for_each(|write| write.expect = Expect::Any),
        Sabotage::IgnoresPriority => each(submission, |task| task.priority = 5),
        // All of them alike, so that the order is as if nobody looked, though each still has some.
        Sabotage::IgnoresSlack => each(submission, |task| task.slack = 20),
        Sabotage::IgnoresDependencies => each(submission, |task| task.depends_on.clear()),
        Sabotage::IgnoresGates => each(submission, |task| task.gate = Gate::Completed),
        Sabotage::IgnoresDeadlines => each(submission, |task| task.timeout_seconds = u64::MAX / 4),
        Sabotage::RetriesForEver => each(submission, |task| task.max_retries = u32::MAX),
        Sabotage::SupersedesNothing => submission.supersedes.clear(),
        Sabotage::TriesNothingAgain => submission.retry = None,
        Sabotage::ForgetsKeys => submission.idempotency_key = None,
        _ => {}
    }
}

#[async_trait]
impl TaskStore for Saboteur {
    async fn submit(&self, mut submission: Submission, now: Timestamp) -> Result<Submitted, StoreError> {
        spoil(&mut submission, self.sabotage);
        let tasks = submission.tasks.clone();
        let result = self.inner.submit(submission, now).await;
        if result.is_err() && self.does(Sabotage::SubmitsHalf) {
            self.inner.submit(Submission { tasks, ..Submission::default() }, now).await?;
        }
        result
    }

    async fn open_session(&self, mut request: SessionRequest, now: Timestamp) -> Result<Session, StoreError> {
        if self.does(Sabotage::RepeatsEpochs) {
            "the same".clone_into(&mut request.nonce);
        }
        let session = self.inner.open_session(request, now).await?;
        self.notes().newest.insert(session.host.clone(), session.clone());
        Ok(session)
    }

    async fn claim(&self, mut request: ClaimRequest, mut now: Timestamp) -> Result<Vec<Task>, StoreError> {
        match self.sabotage {
            Sabotage::GrantsMore => request.max += 1,
            Sabotage::ClaimsRegardless => request.expect = None,
            Sabotage::GrantsEarly => now = later(now, 3600),
            Sabotage::IgnoresSessions => {
                request.epoch = self.notes().newest.get(&request.host).map_or(request.epoch, |session| session.epoch);
            }
            Sabotage::ForgetsClaims => {
                let mut notes = self.notes();
                notes.claims += 1;
                request.claim = ClaimId::new(format!("{} {}", request.claim, notes.claims));
            }
            _ => {}
        }
        if self.does(Sabotage::SharesGrants) {
            return self.claim_and_share(request, now).await;
        }
        let mut tasks = self.inner.claim(request, now).await?;
        if self.does(Sabotage::GrantsTwice) {
            let mut notes = self.notes();
            let new = tasks.clone();
            tasks.append(&mut notes.granted);
            notes.granted.extend(new);
        }
        Ok(tasks)
    }

    async fn act(&self, task: &TaskId, input: Input, now: Timestamp) -> Result<Acted, StoreError> {
        let is_report = matches!(input, Input::Report { .. });
        match self.inner.act(task, input, now).await {
            Err(StoreError::Refused { refusal: Refusal::LeaseLost { .. }, .. })
                if is_report && self.does(Sabotage::BelievesStaleReports) =>
            {
                Ok(Acted::default())
            }
            Err(StoreError::Refused { refusal: Refusal::Ended(_), .. }) if self.does(Sabotage::ForgetsEnds) => {
                Ok(Acted::default())
            }
            result => result,
        }
    }

    async fn renew(&self, leases: &[Lease], expires_at: Timestamp) -> Result<Vec<Task>, StoreError> {
        let mut held = self.inner.renew(leases, expires_at).await?;
        match self.sabotage {
            Sabotage::KeepsCancellationsToItself => held.iter_mut().for_each(|task| task.cancel_requested = None),
            Sabotage::RenewsLostLeases => {
                held.clear();
                for lease in leases {
                    held.extend(self.inner.task(&lease.task).await?);
                }
            }
            _ => {}
        }
        Ok(held)
    }

    async fn expire(&self, now: Timestamp) -> Result<Acted, StoreError> {
        match self.sabotage {
            Sabotage::NeverExpires => Ok(Acted::default()),
            Sabotage::ExpiresEarly => self.inner.expire(later(now, 1)).await,
            _ => self.inner.expire(now).await,
        }
    }

    async fn next_wakeup(&self) -> Result<Option<Timestamp>, StoreError> {
        self.inner.next_wakeup().await
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    async fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.inner.record(key).await
    }

    async fn records(&self, query: &RecordQuery) -> Result<Page<Record>, StoreError> {
        self.inner.records(query).await
    }

    async fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        self.inner.task(id).await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>, StoreError> {
        let mut page = self.inner.tasks(query).await?;
        if self.does(Sabotage::EndsEarly) {
            page.next = None;
        }
        Ok(page)
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        match self.sabotage {
            Sabotage::RepeatsAnEvent => self.inner.events(after.saturating_sub(1), limit).await,
            Sabotage::SkipsAnEvent => {
                let events = self.inner.events(after, limit).await?;
                Ok(events.into_iter().filter(|event| event.seq != 5).collect())
            }
            Sabotage::TellsLate => {
                let last = self.inner.last_event().await?;
                let events = self.inner.events(after, limit).await?;
                Ok(events.into_iter().filter(|event| event.seq < last).collect())
            }
            _ => self.inner.events(after, limit).await,
        }
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        self.inner.last_event().await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.inner.ready().await
    }

    async fn prune(&self, cut: &Cut) -> Result<Option<Pruned>, StoreError> {
        let mut cut = cut.clone();
        if self.sabotage == Sabotage::PrunesWhatIsLive {
            cut.live.clear();
        }
        self.inner.prune(&cut).await
    }
}
