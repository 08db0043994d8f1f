//! Retention: what is over goes by an entry that names it, so that every server lets go of the same.

use super::{entry::Written, step::Step};
use graphium_core::store::{
    Cut, Key, Kind, Pruned,
    ledger::{Ended, Work},
};

/// Tasks that go in one step, but for the rest of the last deployment.
const TASKS: u64 = 1_000;

impl Step<'_> {
    pub(super) fn prune(&mut self, cut: &Cut) -> Pruned {
        let mut pruned = Pruned::default();
        let mut excess = (self.book.task_count() as u64).saturating_sub(cut.max_tasks);
        let mut works = Vec::new();
        for ended in self.book.ended() {
            if !cut.takes(&ended, excess) || self.is_live(&ended) {
                continue;
            }
            if pruned.tasks >= TASKS {
                pruned.more = true;
                break;
            }
            excess = excess.saturating_sub(ended.tasks);
            pruned.tasks += ended.tasks;
            works.push(ended.work);
        }
        for work in works {
            self.let_go(work);
        }
        pruned.events = self.let_go_of_events(cut);
        if self.book.has_keys_before(cut.ended_before) {
            self.gone.keys_before = self.gone.keys_before.max(Some(cut.ended_before));
        }
        self.submissions.retain(|_, (at, _)| *at >= cut.ended_before);
        pruned
    }

    /// Whether what the book holds for ended has been taken up again in this step, or has gone in it.
    fn is_live(&self, Ended { work, .. }: &Ended) -> bool {
        let has_not_ended = match work {
            Work::Task(id) => self.ledger.task(id).is_some_and(|task| !task.status.is_terminal()),
            Work::Deployment(id) => self.ledger.tasks(None, Some(id)).any(|task| !task.status.is_terminal()),
        };
        has_not_ended || self.gone.works.contains(work)
    }

    fn let_go(&mut self, work: Work) {
        self.tasks.retain(|_, task| Work::of(task) != work);
        self.ledger.forget(&work);
        if let Work::Deployment(id) = &work {
            let record = Key::new(Kind::Deployment, id.as_str());
            if self.version(&record).is_some() {
                self.records.insert(record.clone(), Written::Removed(record));
            }
        }
        self.gone.works.push(work);
    }

    /// All but the last go, and none of this step.
    fn let_go_of_events(&mut self, cut: &Cut) -> u64 {
        let last = self.book.last_event;
        let gone = self.book.events_gone.max(self.gone.events_to.unwrap_or(0));
        let surplus = last.saturating_sub(cut.max_events);
        let old = self.book.marks.last_before(cut.events_before).unwrap_or(0);
        let to = surplus.max(old).min(last.saturating_sub(1));
        if to <= gone {
            return 0;
        }
        self.gone.events_to = Some(to);
        to - gone
    }
}
