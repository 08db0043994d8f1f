//! The agents' side: [`AgentLink`] within one program.

use super::{Control, ControlError, observation::Seeing};
use crate::{
    action::{Action, Refresh, TaskType},
    agent::{AgentLink, ClaimCall, Held, HostReport, LinkError, RenewCall, SessionGrant},
    id::{HostId, TaskId},
    inventory::{HostStatus, ObservedContainer},
    runtime::beside,
    secret::SecretText,
    stack::UpdateOrder,
    store::{ClaimRequest, Document, Expect, Key, Kind, Record, RecordWrite, SessionRequest, StoreError, Submission},
    stream::StreamLink,
    task::{Input, Lease, Outcome, Refusal, Task, TaskStatus},
};
use async_trait::async_trait;
use futures::future::{Either, select};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::{collections::BTreeMap, pin::pin, sync::Arc, time::Duration};

/// The longest and the shortest time after which a claim is answered, whatever a host's silence may last.
const CONTACT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));

/// Claims that bring nothing are answered together, at moments so far apart: who serves a thousand of them wakes up a few times for all
/// and not twice for each. One that waits for less than a few of these is answered in its own time.
const TOGETHER: Duration = Duration::from_millis(250);

/// How often a host is looked at for one grant, while it changes between the look and the grant.
const MAX_LOOKS: usize = 8;

#[async_trait]
impl AgentLink for Control {
    async fn open_session(&self, request: &SessionRequest) -> Result<SessionGrant, LinkError> {
        self.hear(&request.host).await?;
        let session = self.store.open_session(request.clone(), self.environment.now()).await?;
        // The older agent's parked claim learns of it, and its tasks are there to be had.
        self.work_is_ready(std::slice::from_ref(&request.host));
        Ok(SessionGrant {
            session,
            lease_seconds: self.settings.lease.as_secs(),
            server_version: env!("CARGO_PKG_VERSION").to_owned(),
            contact_ms: Some(u64::try_from(self.contact().as_millis()).unwrap_or(u64::MAX)),
        })
    }

    async fn claim(&self, call: &ClaimCall) -> Result<Vec<Task>, LinkError> {
        // Of thousands that wait each has what the wait takes, and not what the questions before it took.
        Box::pin(self.hear(&call.host)).await?;
        let signal = self.signal(&call.host);
        let mut patience = pin!(self.environment.sleep(self.patience_of(call)));
        loop {
            let listener = signal.listen();
            let now = self.environment.now();
            let request = ClaimRequest {
                host: call.host.clone(),
                epoch: call.epoch,
                claim: call.claim.clone(),
                max: call.max,
                expires_at: self.lease_end(now),
                expect: None,
            };
            let tasks = Box::pin(self.grant(request, now)).await?;
            if !tasks.is_empty() {
                self.wake.notify(usize::MAX);
                return Ok(tasks);
            }
            match select(listener, patience.as_mut()).await {
                Either::Left(_) => {}
                Either::Right(_) => return Ok(Vec::new()),
            }
        }
    }

    async fn renew(&self, call: &RenewCall) -> Result<Vec<Held>, LinkError> {
        self.hear(&call.host).await?;
        let expires_at = self.lease_end(self.environment.now());
        let mut held = Vec::new();
        let mut silent = Vec::new();
        for renewal in &call.leases {
            match &renewal.progress {
                None => silent.push(renewal.lease.clone()),
                Some(progress) => {
                    let input =
                        Input::Renew { lease: renewal.lease.clone(), expires_at, progress: Some(progress.clone()) };
                    match self.store.act(&renewal.lease.task, input, self.environment.now()).await {
                        Ok(acted) => held.extend(acted.tasks.first().map(held_task)),
                        Err(StoreError::Refused { .. } | StoreError::NotFound { .. }) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
        }
        if !silent.is_empty() {
            held.extend(self.store.renew(&silent, expires_at).await?.iter().map(held_task));
        }
        if call.leases.iter().any(|renewal| renewal.progress.is_some()) {
            self.wake.notify(usize::MAX);
        }
        Ok(held)
    }

    async fn report(&self, lease: &Lease, outcome: &Outcome) -> Result<(), LinkError> {
        let input = Input::Report { lease: lease.clone(), outcome: outcome.clone() };
        match self.store.act(&lease.task, input, self.environment.now()).await {
            Ok(acted) => {
                if let Some(task) = acted.tasks.first() {
                    self.note_outcome(task).await?;
                    self.touch(task.deployment_id.as_ref());
                }
                self.work_is_ready(&acted.ready);
                Ok(())
            }
            Err(StoreError::Refused { refusal: Refusal::LeaseLost { status, attempt }, .. })
                if attempt == lease.attempt && !status.is_leased() =>
            {
                Ok(()) // The same report came before, and its answer was lost.
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn observe(&self, report: &HostReport) -> Result<(), LinkError> {
        self.hear(&report.host).await?;
        Ok(self.take_in(report).await?)
    }

    async fn secrets(&self, lease: &Lease) -> Result<BTreeMap<String, Option<SecretText>>, LinkError> {
        // Whoever holds it no longer is told nothing; the ledger knows.
        let expires_at = self.lease_end(self.environment.now());
        let held = self.store.renew(std::slice::from_ref(lease), expires_at).await?;
        let task = held.into_iter().next();
        let task = task.ok_or_else(|| LinkError::LeaseLost(format!("the lease of task `{}` is lost", lease.task)))?;
        Ok(self.secrets_of_task(&task).await?)
    }

    fn stream_links(&self) -> Vec<Arc<dyn StreamLink>> {
        vec![Arc::clone(&self.streams) as Arc<dyn StreamLink>]
    }
}

impl Control {
    /// A host in maintenance begins nothing new, nor does one whose engine does not answer; whoever asks again for what it has
    /// gets it. Nobody changes that between the look and the grant, be it at another server.
    async fn grant(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Task>, ControlError> {
        let key = Key::new(Kind::Host, request.host.as_str());
        let mut looks = 0;
        loop {
            let host = self.store.record(&key).await?;
            let expect = host.as_ref().map_or(Expect::Absent, |host| Expect::Version(host.version));
            let mood: Option<Mood> = host.as_ref().map(Record::read).transpose()?;
            let begins_nothing =
                mood.is_some_and(|mood| mood.status == HostStatus::Maintenance || mood.engine_error.is_some());
            let max = if begins_nothing { 0 } else { request.max };
            let expect = Some((key.clone(), expect));
            looks += 1;
            match self.store.claim(ClaimRequest { max, expect, ..request.clone() }, now).await {
                Err(StoreError::Conflict { .. }) if looks < MAX_LOOKS => {}
                granted => return Ok(granted?),
            }
        }
    }

    /// After how long a claim is answered at the latest: so often an agent that waits for work is heard. Three eighths of what a host may be
    /// silent for: a claim that is lost without a word is missed, and asked again, before that is over.
    fn contact(&self) -> Duration {
        (self.settings.offline_after * 3 / 8).clamp(CONTACT.0, CONTACT.1)
    }

    /// For how long a claim waits for work.
    fn patience_of(&self, call: &ClaimCall) -> Duration {
        let wait = call.wait.min(self.contact());
        if wait < TOGETHER * 4 {
            return wait;
        }
        let end = self.environment.elapsed() + wait;
        let beyond = end.as_millis() % TOGETHER.as_millis();
        wait.saturating_sub(Duration::from_millis(u64::try_from(beyond).unwrap_or(0)))
    }

    fn lease_end(&self, now: Timestamp) -> Timestamp {
        let lease = SignedDuration::try_from(self.settings.lease).unwrap_or_default();
        now.saturating_add(lease).unwrap_or(now)
    }

    /// The inventory learns from a task's result at once, before the host is observed again. The next look at the host has no
    /// news of it then, so its stack is looked at for that, also where the task is not of the stack's present deployment.
    async fn note_outcome(&self, task: &Task) -> Result<(), ControlError> {
        if task.status != TaskStatus::Completed {
            return Ok(());
        }
        let seen = task.result.as_ref().and_then(|result| result.data.as_deref());
        let subject = task.payload.subject();
        let mut records = match (seen, task.task_type) {
            (Some(container), kind) => {
                let mut seen = located(container, &task.host_id);
                seen.ended_by_task &= kind == TaskType::Stop && seen.has_ended();
                vec![seen.write(Expect::Any)?]
            }
            (None, TaskType::Delete) => vec![gone(&task.host_id, subject)],
            _ => return Ok(()),
        };
        let mut noted = vec![subject.to_owned()];
        if matches!(&*task.payload, Action::Update { order, refresh, .. }
            if *order == UpdateOrder::StartFirst || *refresh != Refresh::Never)
        {
            // They were there for a while, and may have been seen.
            noted.extend([beside::next(subject), beside::old(subject)]);
            records.extend(noted[1..].iter().map(|name| gone(&task.host_id, name)));
        }
        if let Action::Adopt { name, .. } = &*task.payload
            && name != subject
        {
            // It has another name now.
            noted.push(name.clone());
            records.push(gone(&task.host_id, name));
        }
        {
            let _observing = self.observing.lock().await;
            let now = self.environment.elapsed();
            let noted = noted.into_iter().map(|name| ((task.host_id.clone(), name), now));
            self.state().noted.extend(noted);
        }
        let stacks = records.iter().filter_map(|record| record.stack.clone()).collect();
        let mut seeing = Seeing { control: self, stacks };
        for record in &records {
            // A result is noted also where what was there before cannot be read.
            let before = self.store.record(&record.key).await.ok().flatten();
            seeing.stacks.extend(before.and_then(|before| before.stack));
        }
        let submission = Submission { records, ..Submission::default() };
        let noted = self.store.submit(submission, self.environment.now()).await;
        self.is_other_than_told(&task.host_id);
        noted?;
        Ok(())
    }
}

/// Of a [`Host`](crate::inventory::Host) whether it takes work.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mood {
    #[serde(default)]
    status: HostStatus,
    #[serde(default)]
    engine_error: Option<String>,
}

/// A container on the host that reported it, whatever the report says.
pub(super) fn located(container: &ObservedContainer, host: &HostId) -> ObservedContainer {
    ObservedContainer { hosted_on: host.clone(), ..container.clone() }
}

fn gone(host: &HostId, name: &str) -> RecordWrite {
    RecordWrite {
        key: Key::new(Kind::Container, format!("{host}/{name}")),
        expect: Expect::Any,
        stack: None,
        host: Some(host.clone()),
        body: None,
    }
}

fn held_task(task: &Task) -> Held {
    Held { task: TaskId::new(task.id.as_str()), attempt: task.attempt, cancel: task.cancel_requested.clone() }
}

impl From<StoreError> for LinkError {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::SessionLost { .. } => Self::SessionLost(text),
            StoreError::Refused { .. } => Self::LeaseLost(text),
            StoreError::NotFound { .. } => Self::LeaseLost(text),
            StoreError::Full(_) | StoreError::Unavailable(_) | StoreError::Conflict { .. } => Self::Unreachable(text),
            StoreError::Pruned { .. } | StoreError::Corrupt { .. } | StoreError::Invalid { .. } => Self::Rejected(text),
        }
    }
}

impl From<ControlError> for LinkError {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Store(error) => error.into(),
            other => Self::Rejected(other.to_string()),
        }
    }
}
