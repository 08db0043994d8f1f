//! An event sink of your own: every change of the control plane, handed on to a slow reader that may fall behind and misses nothing.
//!
//! ```text
//! cargo run --example own_sink
//! ```

#![allow(clippy::print_stdout, reason = "a program for people")]

use graphium_core::{
    control::{Control, Settings},
    event::{Event, EventSink},
    inventory::Host,
    store::{MemoryStore, TaskStore},
};
use graphium_server::environment::TokioEnvironment;
use std::{error::Error, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Keeps nothing but the number of the last event: a sink never blocks, and need not hold what the store has.
#[derive(Debug)]
struct Bell(watch::Sender<u64>);

impl EventSink for Bell {
    fn publish(&self, events: &[Event]) {
        let last = events.last().map_or(0, |event| event.seq);
        // A number may come twice after a restart: the highest counts.
        self.0.send_if_modified(|known| {
            let is_news = last > *known;
            *known = last.max(*known);
            is_news
        });
    }
}

/// Reads every event from the store, as many at a time as it likes, whenever the bell has rung.
///
/// What it has seen is a number, which is all that it takes to go on after a restart.
struct Reader {
    store: Arc<dyn TaskStore>,
    bell: watch::Receiver<u64>,
    seen: u64,
}

impl Reader {
    async fn next(&mut self) -> Result<Vec<Event>, Box<dyn Error>> {
        let seen = self.seen;
        self.bell.wait_for(|last| *last > seen).await?;
        let events = self.store.events(self.seen, 2).await?;
        self.seen = events.last().map_or(self.seen, |event| event.seq);
        Ok(events)
    }
}

/// Ten hosts become known while a reader is slow. What it was told, in order.
async fn story() -> Result<Vec<Event>, Box<dyn Error>> {
    let (bell, heard) = watch::channel(0);
    let store: Arc<dyn TaskStore> = Arc::new(MemoryStore::new());
    let environment = Arc::new(TokioEnvironment::new());
    let control = Control::open(Arc::clone(&store), Arc::new(Bell(bell)), environment, Settings::default()).await?;
    let monitor = tokio::spawn(Arc::clone(&control).run());
    for number in 1..=10 {
        control.register_host(Host::named(format!("vm{number}").as_str().into())).await?;
    }
    let mut reader = Reader { store, bell: heard, seen: 0 };
    let mut told = Vec::new();
    while told.len() < 10 {
        told.extend(reader.next().await?);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    monitor.abort();
    Ok(told)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    for event in tokio::time::timeout(Duration::from_secs(30), story()).await?? {
        println!("{} {:?} {}", event.seq, event.kind, event.data["@id"]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn nothing_is_missed() {
        let told = super::story().await.unwrap_or_default();
        let numbers: Vec<u64> = told.iter().map(|event| event.seq).collect();
        assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
        assert!(told.iter().all(|event| event.data["@id"].as_str().is_some_and(|id| id.starts_with("vm"))));
    }
}
