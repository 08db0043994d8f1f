//! Events: the newest from memory, older ones from the entries that hold them.

use super::{log::Log, place::Place};
use graphium_core::{event::Event, store::StoreError};

/// Up to `limit` events above a number, in order.
pub(super) async fn events(log: &Log, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
    let (from_memory, next) = {
        let book = log.book();
        if after < book.events_gone {
            return Err(StoreError::Pruned { up_to: book.events_gone });
        }
        (book.events(after, limit), book.next)
    };
    if let Some(events) = from_memory {
        return Ok(events);
    }
    let wanted = after.saturating_add(1);
    let mut place = entry_of(log, wanted, next).await?;
    let mut events = Vec::new();
    while events.len() < limit && place < next {
        let Place::Taken(leaf) = log.look(place).await? else { break };
        let entry = log.open(place, leaf.slip).await?;
        if events.is_empty() && entry.first_event > wanted {
            return Err(StoreError::Pruned { up_to: entry.first_event - 1 });
        }
        events.extend(entry.body.events.into_iter().filter(|event| event.seq > after));
        place += 1;
    }
    if events.is_empty() && limit > 0 {
        // There are some: they were swept away while they were looked for.
        return Err(StoreError::Unavailable("events were pruned meanwhile; ask again".to_owned()));
    }
    events.truncate(limit);
    Ok(events)
}

/// The place of the entry that holds an event, or of the first that is left: numbers rise with places.
async fn entry_of(log: &Log, wanted: u64, next: u64) -> Result<u64, StoreError> {
    // The last place whose first event is not above the wanted one lies in here.
    let (mut low, mut high) = (0, next);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        match log.look(middle).await? {
            Place::Taken(leaf) if leaf.slip.first_event > wanted => high = middle,
            // One that is gone is older than every one that is left.
            _ => low = middle,
        }
    }
    Ok(if matches!(log.look(low).await?, Place::Taken(_)) { low } else { high })
}
