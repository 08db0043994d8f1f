//! What is in force, for the one who has the turn and is to write upon it.
//!
//! A question is answered by a node that is alone, too, and without saying so. A write is not: 201 is a majority's. So what another
//! server has stored is built upon only where the turn's document names it, which a majority has just taken, or where a majority
//! has taken it once more.

use super::{
    book::Stand,
    entry::{Body, Tip},
    log::Progress,
    place::{Leaf, Place},
    writer::{PAUSE, Writer, unsettled},
};
use graphium_core::store::StoreError;
use std::cmp::Ordering;
use tokio::time::{Instant, sleep};

impl Writer {
    /// Takes the turn and brings the book up to date in it: a place that nobody has confirmed is decided by us.
    pub(super) async fn prepare(&mut self, deadline: Instant) -> Result<(), StoreError> {
        let mut turn = None;
        while Instant::now() < deadline {
            if turn.is_none() || self.turn.held() != turn.as_ref() {
                self.turn.take(&self.log, deadline).await?;
                turn = self.turn.held().cloned();
                // Our turn may come after a long sleep: a place that was swept away is not free.
                self.log.check_floor().await?;
                continue;
            }
            let is_doubtful = self.log.catch_up().await? == Progress::Doubtful;
            let place = self.log.book().next;
            if is_doubtful {
                self.settle(place).await?;
            } else if self.free(place).await? && self.stands_firm().await? {
                self.prepared = turn;
                return Ok(());
            }
        }
        Err(unsettled(self.log.book().next))
    }

    /// Takes away what is not in force at a place; whether the place is free.
    async fn free(&self, place: u64) -> Result<bool, StoreError> {
        match self.log.look(place).await? {
            Place::Free => Ok(true),
            Place::Open(leaves) if self.turn.held().is_some() => {
                self.log.clear(place, &leaves).await?;
                Ok(false)
            }
            Place::Open(_) | Place::Taken(_) | Place::Doubtful(_) => Ok(false),
        }
    }

    /// Ends the doubt about a place by an empty entry that follows what is to be in force there.
    pub(super) async fn settle(&mut self, place: u64) -> Result<(), StoreError> {
        let Some((last, leaf)) = self.log.doubt(place).await? else { return Ok(()) };
        if !self.free(last + 1).await? {
            return Ok(());
        }
        // For the same reason as below.
        let Some(rev) = self.write(last, Some(&leaf.rev), &leaf.slip).await? else { return Ok(()) };
        if self.log.doubt(place).await?.is_none_or(|(same, leaf)| (same, leaf.rev) != (last, rev)) {
            return Ok(());
        }
        let entry = self.log.open(last, leaf.slip).await?;
        let first_event = entry.first_event + entry.body.events.len() as u64;
        self.follow(Tip { place: last, nonce: entry.nonce }, first_event).await
    }

    /// Puts an empty entry behind another. Whether it worked is seen by looking.
    async fn follow(&mut self, tip: Tip, first_event: u64) -> Result<(), StoreError> {
        let place = tip.place + 1;
        let mut draft = self.draft(place, tip.nonce, first_event, &Body::default()).await?;
        let made = self.make(&mut draft).await?;
        if let Some(nonce) = made.filter(|_| self.turn.held().is_some()) {
            self.turn.learn_last(Tip { place, nonce });
        }
        Ok(())
    }

    /// Whether what goes so far is in force for certain.
    pub(super) fn holds(&self, stand: &Stand) -> bool {
        let is_named = |tip: &Tip| tip.place + 1 == stand.next && tip.nonce == stand.tip;
        !self.log.is_replicated || stand.next <= 1 || self.turn.tip().is_some_and(is_named)
    }

    /// Makes sure that the last entry of the book is in force, and the last: what is written next names it as the one before, and who
    /// is refused something is so for good. `false`: look again.
    async fn stands_firm(&mut self) -> Result<bool, StoreError> {
        if !self.log.is_replicated {
            return Ok(true);
        }
        let stand = self.log.book().stand();
        let place = stand.next - 1;
        match self.turn.tip().map(|tip| tip.place.cmp(&place)) {
            // What is in force there was not shown yet.
            Some(Ordering::Greater) => {
                sleep(PAUSE).await;
                return Ok(false);
            }
            _ if self.holds(&stand) && self.turn.is_tip_last() => return Ok(true),
            Some(Ordering::Equal) if !self.holds(&stand) => {
                sleep(PAUSE).await;
                self.log.begin_anew().await?;
                return Ok(false);
            }
            _ => {}
        }
        let tip = Tip { place, nonce: stand.tip };
        if place == 0 {
            self.follow(tip, stand.last_event + 1).await?;
            return Ok(false);
        }
        match self.log.look(place).await? {
            Place::Taken(leaf) if leaf.slip.nonce == tip.nonce => {
                if self.is_in_force(place, &leaf).await? {
                    // Whoever died in its turn may have stored more, which our node does not show: then this is not taken.
                    self.follow(tip, stand.last_event + 1).await?;
                }
            }
            _ => {
                self.log.begin_anew().await?;
            }
        }
        Ok(false)
    }

    /// Lets a majority take once more what is shown as in force. Its nodes may have brought along what goes before that, so it is
    /// looked at again. `false`: nobody knows.
    pub(super) async fn is_in_force(&self, place: u64, leaf: &Leaf) -> Result<bool, StoreError> {
        if !self.log.is_replicated {
            return Ok(true);
        }
        let Some(rev) = self.write(place, Some(&leaf.rev), &leaf.slip).await? else { return Ok(false) };
        Ok(matches!(self.log.look(place).await?, Place::Taken(leaf) if leaf.rev == rev))
    }
}
