//! `graphium events`: every change, one per line.

use super::{
    connect,
    exit::{Exit, Failure},
    output::Output,
};
use crate::{
    config::{Config, Format},
    render::{Clock, printable},
};
use futures::StreamExt;
use graphium_core::event::Event;
use serde_json::Value;

/// Shows what happened, and what happens
#[derive(Debug, clap::Args)]
pub(crate) struct EventsArgs {
    /// Events with higher numbers only
    #[arg(long, value_name = "N", default_value_t = 0)]
    after: u64,
    /// Go on with the events to come
    #[arg(short, long)]
    follow: bool,
    /// How they are written; json is one event per line
    #[arg(short, long, value_enum)]
    output: Option<Format>,
}

pub(crate) fn run(args: &EventsArgs, config: &Config, output: &mut Output) -> Result<Exit, Failure> {
    let client = connect::client(config)?;
    let format = args.output.unwrap_or(config.output.value);
    connect::run(async {
        let mut events = client.events(args.after, args.follow).ready_chunks(256);
        while let Some(chunk) = events.next().await {
            for event in chunk {
                let event = event?;
                match format {
                    Format::Json => output.json_line(&event)?,
                    Format::Table | Format::Wide => output.line(line(&event, &Clock::system()))?,
                }
            }
            // What happened is shown when it happens, not when a buffer is full.
            output.flush()?;
        }
        Ok(Exit::Ok)
    })
}

fn line(event: &Event, clock: &Clock) -> String {
    let kind = serde_json::to_value(event.kind).ok();
    let kind = kind.as_ref().and_then(Value::as_str).unwrap_or_default();
    let text = |key: &str| event.data.get(key).and_then(Value::as_str).unwrap_or_default();
    let words = ["name", "planId", "hostId", "hostedOn", "status"].map(text);
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let words = if words.is_empty() { text("@id").to_owned() } else { words.join("  ") };
    format!("{:>6}  {}  {kind}  {}", event.seq, clock.at(event.timestamp), printable(&words))
}
