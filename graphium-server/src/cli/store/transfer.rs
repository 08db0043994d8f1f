//! `graphium store copy`: an installation moves from one store to another.

use super::super::{
    connect,
    exit::{Exit, Failure},
    output::Output,
};
use crate::config::Format;
use graphium_core::store::TaskStore;
use graphium_store::{Options, TransferError, Transferred, open, transfer, without_password};
use jiff::Timestamp;
use serde_json::json;
use std::{path::Path, sync::Arc};

/// Copies everything from one store into another, which is empty, and compares the two
///
/// Stop every server first: what is written meanwhile may be left behind. Stacks, hosts, credentials and tasks arrive as they
/// are, and agents go on where they were; the numbers of events begin anew.
#[derive(Debug, clap::Args)]
pub(crate) struct CopyArgs {
    /// Where everything is: sqlite:PATH or couchdb://USER:PASSWORD@HOST:5984/DATABASE
    #[arg(value_name = "FROM")]
    from: String,
    /// Where it is to be; made where there is none
    #[arg(value_name = "TO")]
    to: String,
}

pub(super) fn copy(args: &CopyArgs, format: Format, output: &mut Output) -> Result<Exit, Failure> {
    if let Some(path) = args.from.strip_prefix("sqlite:")
        && !Path::new(path.strip_prefix("//").unwrap_or(path)).exists()
    {
        // Opening it would make it.
        return Err(Failure::new(Exit::Failed, format!("there is no database at `{path}`")));
    }
    let (shown_from, shown_to) = (without_password(&args.from), without_password(&args.to));
    connect::run(async {
        let from = opened(&args.from).await?;
        let to = opened(&args.to).await?;
        let transferred = transfer(&*from, &*to, Timestamp::now()).await.map_err(|error| failed(&error, &shown_to))?;
        let Transferred { records, tasks } = transferred;
        match format {
            Format::Json => output.json(&json!({"from": shown_from, "to": shown_to, "records": records, "tasks": tasks}))?,
            Format::Table | Format::Wide => output.line(format_args!(
                "{records} records and {tasks} tasks copied from `{shown_from}` to `{shown_to}`, and found the same there"
            ))?,
        }
        output.say(format_args!("start the server with `--store {shown_to}`; numbers of events begin anew there"));
        Ok(Exit::Ok)
    })
}

async fn opened(url: &str) -> Result<Arc<dyn TaskStore>, Failure> {
    open(url, Options::at(Timestamp::now())).await.map_err(|error| {
        let what = format!("the store `{}` cannot be opened", without_password(url));
        Failure::new(Exit::Failed, what).because_of(&error)
    })
}

fn failed(error: &TransferError, to: &str) -> Failure {
    let failure = Failure::new(Exit::Failed, "nothing was moved").because_of(error);
    match error {
        TransferError::NotEmpty { .. } => failure.hint("copy into a new database"),
        TransferError::Empty => failure.hint("is it the right store?"),
        _ => Failure::new(Exit::Failed, "the copy is not complete")
            .because_of(error)
            .hint(format!("the source is as it was; remove `{to}` before you try again")),
    }
}
