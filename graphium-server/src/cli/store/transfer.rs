//! `graphium store copy`: an installation moves from one store to another.

use super::{
    super::{
        connect,
        exit::{Exit, Failure},
        output::Output,
    },
    unusable,
};
use crate::config::Format;
use graphium_core::store::TaskStore;
use graphium_store::{OpenError, Options, TransferError, Transferred, open, sqlite_path, transfer, without_password};
use jiff::Timestamp;
use serde_json::json;
use std::{fs, sync::Arc};

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
    let (shown_from, shown_to) = (without_password(&args.from), without_password(&args.to));
    refuse_in_vain(args)?;
    if let Some(path) = sqlite_path(&args.from).filter(|path| !path.exists()) {
        // Opening it would make it.
        let error = OpenError::Missing { path: path.to_owned() };
        return Err(unusable(format!("the store `{shown_from}` cannot be opened"), &error));
    }
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

/// What could be done and would be of no use.
fn refuse_in_vain(args: &CopyArgs) -> Result<(), Failure> {
    if [&args.from, &args.to].into_iter().any(|url| url.starts_with("memory:")) {
        return Err(Failure::usage("what is in memory is there for one process only, and goes with it")
            .hint("name a store that lasts, as `sqlite:PATH`"));
    }
    let place = |url| sqlite_path(url).map(|path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()));
    let is_one = match (place(&args.from), place(&args.to)) {
        (Some(from), Some(to)) => from == to,
        _ => args.from == args.to,
    };
    if is_one {
        let what =
            format!("`{}` and `{}` are the same store", without_password(&args.from), without_password(&args.to));
        return Err(
            Failure::usage(what).hint("copy into a new database; `graphium store backup` makes a copy in a file")
        );
    }
    Ok(())
}

async fn opened(url: &str) -> Result<Arc<dyn TaskStore>, Failure> {
    open(url, Options::at(Timestamp::now())).await.map_err(|error| {
        let what = format!("the store `{}` cannot be opened", without_password(url));
        match error {
            OpenError::UnknownScheme { .. } | OpenError::Address { .. } | OpenError::CouchAddress(_) => {
                Failure::usage(error.to_string())
            }
            _ => unusable(what, &error),
        }
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
