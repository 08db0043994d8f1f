//! `graphium store upgrade`: what the older system has left in a CouchDB.

use super::super::{
    connect,
    exit::{Exit, Failure},
    output::Output,
};
use crate::config::Format;
use graphium_store::{
    CouchStore, Options,
    couch::{Conversion, CouchAddress, CouchClient},
};
use jiff::Timestamp;
use serde_json::json;
use std::{collections::BTreeMap, error::Error};

/// Takes over what the older system has written into a CouchDB, once, and says what it could not
///
/// The older system's documents stay as they are. A database in which there is nothing else is upgraded when a server
/// opens it, too.
#[derive(Debug, clap::Args)]
pub(crate) struct UpgradeArgs {
    /// couchdb://USER:PASSWORD@HOST:5984/DATABASE
    #[arg(value_name = "STORE")]
    store: String,
    /// Only says what would come of it
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn upgrade(args: &UpgradeArgs, format: Format, output: &mut Output) -> Result<Exit, Failure> {
    let address = CouchAddress::parse(&args.store).map_err(|error| Failure::usage(error.to_string()))?;
    connect::run(async {
        let now = Timestamp::now();
        let conversion = if args.dry_run {
            let client = CouchClient::new(address).map_err(|error| failed(&error))?;
            CouchStore::older(&client, now).await.map_err(|error| failed(&error))?
        } else {
            let store = CouchStore::open(address, Options::at(now)).await.map_err(|error| failed(&error))?;
            store.upgrade(now).await.map_err(|error| failed(&error))?
        };
        tell(&conversion, args.dry_run, format, output)?;
        Ok(Exit::Ok)
    })
}

fn tell(conversion: &Conversion, is_trial: bool, format: Format, output: &mut Output) -> Result<(), Failure> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for record in &conversion.records {
        *counts.entry(record.key.kind.as_str()).or_default() += 1;
    }
    if format == Format::Json {
        return output.json(&json!({"converted": counts, "left": conversion.left}));
    }
    let verb = if is_trial { "would be taken over" } else { "taken over" };
    if conversion.records.is_empty() {
        output.line("nothing of the older system was found that could be taken over")?;
    }
    for record in &conversion.records {
        output.line(format_args!("{verb}: {} `{}`", record.key.kind.as_str(), record.key.id))?;
    }
    for left in &conversion.left {
        output.line(format_args!("left: {left}"))?;
    }
    Ok(())
}

fn failed(error: &(dyn Error + 'static)) -> Failure {
    Failure::new(Exit::Failed, "nothing was taken over").because_of(error)
}
