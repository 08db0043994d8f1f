//! What a stack was: its revisions, and what differs between them.

use super::{Control, ControlError, Revision, RevisionOutcome};
use crate::{
    id::{DeploymentId, HostId, StackId},
    plan::{LiveDifference, StackDifference, live_differences},
    stack::Stack,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A revision as people see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RevisionView {
    /// Its number, from 1.
    pub revision: u64,
    /// Whether it is the one that is wanted now.
    pub is_current: bool,
    /// What became of it; absent: it is under way, or nobody has noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<RevisionOutcome>,
    /// When it was deployed.
    pub date_created: Timestamp,
    /// By whom; absent: by nobody in particular, as a rollback that follows a failure is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// The deployment that has deployed it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<DeploymentId>,
    /// The earlier revision whose document it is again, if a rollback has deployed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<u64>,
    /// What differs from the one before it, in a line; of the first, how many containers it has.
    pub changes: String,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

/// What differs between two documents of a stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DifferenceView {
    /// The stack.
    pub stack_id: StackId,
    /// Its name.
    pub stack_name: String,
    /// The revision that is compared.
    pub from: u64,
    /// The revision that it is compared with; absent: a document that is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// What makes the second of the first.
    #[serde(flatten)]
    pub difference: StackDifference,
}

/// What is wanted of a stack, compared with what agents have seen last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveDifferenceView {
    /// The stack.
    pub stack_id: StackId,
    /// Its name.
    pub stack_name: String,
    /// The revision that is wanted.
    pub revision: u64,
    /// The hosts that it is on, or should be on: how old is what is known of them.
    pub hosts: Vec<Sighting>,
    /// What is not as it is wanted, by container.
    pub differences: Vec<LiveDifference>,
}

/// How old what is known of a host is. Agents tell of every change within about a second: what was seen is as new as this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sighting {
    /// The host.
    pub host_id: HostId,
    /// When its agent was last heard; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
    /// Since when it has been offline; absent: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline_since: Option<Timestamp>,
    /// Why its engine does not answer; absent: it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_error: Option<String>,
}

impl Control {
    /// What is wanted of a stack, compared with what agents have seen last.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn live_difference(&self, stack: &str) -> Result<LiveDifferenceView, ControlError> {
        let record = self.find_stack(stack).await?.value;
        let inventory = self.inventory().await?;
        let differences = live_differences(&record.applied, &inventory);
        let elsewhere = differences.iter().map(|difference| &difference.host_id);
        let used: BTreeSet<&HostId> = record.applied.placements.values().chain(elsewhere).collect();
        let sighting = |id: &HostId| {
            let host = inventory.hosts.iter().find(|host| host.id == *id);
            Sighting {
                host_id: id.clone(),
                last_seen: host.and_then(|host| host.last_seen),
                offline_since: host.and_then(|host| host.offline_since),
                engine_error: host.and_then(|host| host.engine_error.clone()),
            }
        };
        Ok(LiveDifferenceView {
            hosts: used.into_iter().map(sighting).collect(),
            differences,
            stack_id: record.id,
            stack_name: record.name,
            revision: record.revision,
        })
    }

    /// The revisions of a stack, the newest first: those below `before`, at most so many.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn history(
        &self,
        stack: &str,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<RevisionView>, ControlError> {
        let record = self.find_stack(stack).await?.value;
        let revisions = self.revisions_of(&record.id).await?;
        let wanted =
            (0..revisions.len()).rev().filter(|&place| before.is_none_or(|end| revisions[place].revision < end));
        let view = |place: usize| {
            let revision = &revisions[place];
            let earlier = place.checked_sub(1).map(|place| &revisions[place].definition);
            RevisionView { is_current: revision.revision == record.revision, ..view(revision, earlier) }
        };
        Ok(wanted.take(limit).map(view).collect())
    }

    /// What differs between two revisions of a stack. Without `from` it is the one that is wanted now, or where `to` is that, the
    /// one before it; without `to` the one that is wanted now.
    ///
    /// # Errors
    /// [`ControlError::NotFound`], [`ControlError::NoRevision`].
    pub async fn difference(
        &self,
        stack: &str,
        from: Option<u64>,
        to: Option<u64>,
    ) -> Result<DifferenceView, ControlError> {
        let record = self.find_stack(stack).await?.value;
        let revisions = self.revisions_of(&record.id).await?;
        let to = to.unwrap_or(record.revision);
        let newer = find(&record.name, &revisions, Some(to))?;
        let earlier = revisions.iter().rev().map(|one| one.revision).find(|&one| one < record.revision);
        let from = from.or(if to == record.revision { earlier } else { Some(record.revision) });
        let older = find(&record.name, &revisions, from)?;
        Ok(DifferenceView {
            difference: StackDifference::between(&older.definition, &newer.definition),
            stack_id: record.id,
            stack_name: record.name,
            from: older.revision,
            to: Some(to),
        })
    }

    /// What differs between a revision of a stack, by default the one that is wanted now, and a document.
    ///
    /// # Errors
    /// [`ControlError::NotFound`], [`ControlError::NoRevision`].
    pub async fn difference_to(
        &self,
        stack: &str,
        from: Option<u64>,
        document: &Stack,
    ) -> Result<DifferenceView, ControlError> {
        let record = self.find_stack(stack).await?.value;
        let revisions = self.revisions_of(&record.id).await?;
        let older = find(&record.name, &revisions, Some(from.unwrap_or(record.revision)))?;
        Ok(DifferenceView {
            difference: StackDifference::between(&older.definition, document),
            stack_id: record.id,
            stack_name: record.name,
            from: older.revision,
            to: None,
        })
    }
}

fn find<'r>(stack: &str, revisions: &'r [Revision], number: Option<u64>) -> Result<&'r Revision, ControlError> {
    let found = revisions.iter().find(|revision| Some(revision.revision) == number);
    found.ok_or_else(|| ControlError::NoRevision {
        stack: stack.to_owned(),
        asked: number,
        known: revisions.iter().map(|revision| revision.revision).collect(),
    })
}

fn view(revision: &Revision, earlier: Option<&Stack>) -> RevisionView {
    let changes = match earlier {
        Some(earlier) => StackDifference::between(earlier, &revision.definition).brief(),
        None => match revision.definition.containers.len() {
            1 => "1 container".to_owned(),
            count => format!("{count} containers"),
        },
    };
    RevisionView {
        revision: revision.revision,
        is_current: false,
        outcome: revision.outcome,
        date_created: revision.date_created,
        created_by: revision.created_by.clone(),
        deployment_id: revision.deployment_id.clone(),
        restores: revision.restores,
        changes,
        error_message: revision.error_message.clone(),
    }
}
