//! Networks and volumes that no stack wants.

use super::{Living, Orphan, OrphanKind, OrphanReason, Told, orphan_id};
use crate::{
    control::{Control, ControlError, StackStatus},
    id::{HostId, StackId},
    inventory::{Holding, Holdings},
    plan,
    store::{Kind, RecordQuery, TaskQuery, TaskStoreExt},
    task::TaskStatus,
};
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};

/// By so much the clocks of two servers may differ.
const CLOCKS: SignedDuration = SignedDuration::from_secs(5);

impl Control {
    /// Networks and volumes of ours that no container of a stack uses.
    pub(super) async fn orphaned_holdings(
        &self,
        living: &BTreeMap<StackId, Living>,
    ) -> Result<Vec<Orphan>, ControlError> {
        let staying = living.values().map(|stack| &stack.record).filter(|stack| stack.status != StackStatus::Deleting);
        let used: BTreeSet<_> = staying.flat_map(|stack| plan::used(&stack.applied)).collect();
        let mut orphans = Vec::new();
        for seen in self.store.documents::<Holdings>(RecordQuery::of(Kind::Holdings)).await? {
            let Holdings { host_id, holdings, taken_at } = seen.value;
            let mut gone = BTreeMap::new();
            for Holding { kind, name, stack_id } in holdings {
                let Some(stack_id) = stack_id else { continue };
                if used.contains(&(host_id.clone(), kind, name.clone())) {
                    continue;
                }
                let what = OrphanKind::of(kind, name);
                let id = what.id(&host_id);
                let Some(reason) = reason(living.get(&stack_id), &host_id, &id) else { continue };
                if !gone.contains_key(&stack_id) {
                    let since = taken_at.checked_sub(CLOCKS).unwrap_or(taken_at);
                    gone.insert(stack_id.clone(), self.removed_since(&stack_id, &host_id, since).await?);
                }
                if !gone[&stack_id].contains(&id) {
                    orphans.push(Orphan { id, host_id: host_id.clone(), what, stack_id, reason });
                }
            }
        }
        Ok(orphans)
    }

    /// What tasks of a stack have removed from a host since then, by the ids that it would have as orphans: nobody has looked
    /// since.
    async fn removed_since(
        &self,
        stack: &StackId,
        host: &HostId,
        since: jiff::Timestamp,
    ) -> Result<BTreeSet<String>, ControlError> {
        let query = TaskQuery {
            stack: Some(stack.clone()),
            host: Some(host.clone()),
            statuses: vec![TaskStatus::Completed],
            ..TaskQuery::default()
        };
        let tasks = self.store.all_tasks(query).await?;
        let since = tasks.iter().filter(|task| task.completed_at.is_some_and(|moment| moment >= since));
        Ok(since.filter_map(orphan_id).collect())
    }
}

/// Why a stack does not want what none of its containers uses.
fn reason(stack: Option<&Living>, host: &HostId, id: &str) -> Option<OrphanReason> {
    let Some(stack) = stack else { return Some(OrphanReason::NoStack) };
    // A removal keeps data unless it was told otherwise: what it was not to remove is not told as left.
    if stack.record.status == StackStatus::Deleting && !stack.not_deleted.contains_key(id) {
        return None;
    }
    match stack.tells(id) {
        Told::Yes(reason) => Some(reason),
        Told::Later => None,
        // What an earlier deployment has left there may use it.
        Told::Nothing if stack.record.traces.iter().any(|trace| trace.host == *host) => None,
        Told::Nothing => Some(OrphanReason::NotWanted),
    }
}
