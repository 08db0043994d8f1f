//! `graphium audit`: who did what.

use super::{
    connect,
    exit::{Exit, Failure},
    output::Output,
};
use crate::{
    config::{Config, Format},
    render::{Clock, Table, printable},
};
use futures::StreamExt as _;
use graphium_core::{control::AuditEntry, log::Since};
use graphium_server::{api::wire::AuditList, client::ClientError};
use jiff::Timestamp;
use std::pin::pin;

/// Shows who did what, from where, with what result; the newest first
#[derive(Debug, clap::Args)]
pub(crate) struct AuditArgs {
    /// From a time on: a span that is over (`90s`, `2h`, `7d`) or a time of RFC 3339
    #[arg(long, value_name = "TIME", default_value = "", hide_default_value = true)]
    since: Since,
    /// Of one person or token, by name
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// How many entries at most; `ndjson` has all of them
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// How they are written; ndjson is all of them, one a line, the oldest first
    #[arg(short, long, value_enum)]
    output: Option<AuditFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum AuditFormat {
    /// For people
    #[value(alias = "text", alias = "wide")]
    Table,
    /// For programs
    Json,
    /// All of it, for archives
    Ndjson,
}

pub(crate) fn run(args: &AuditArgs, config: &Config, output: &mut Output) -> Result<Exit, Failure> {
    let client = connect::client(config)?;
    let format = args.output.unwrap_or(match config.output.value {
        Format::Json => AuditFormat::Json,
        Format::Table | Format::Wide => AuditFormat::Table,
    });
    let since = args.since.moment(Timestamp::now());
    let (user, most) = (args.user.as_deref(), usize::try_from(args.limit).unwrap_or(usize::MAX));
    connect::run(async {
        if format == AuditFormat::Ndjson {
            let mut pieces = pin!(client.audit_lines(since, user).await?);
            let mut rest = Vec::new();
            while let Some(piece) = pieces.next().await {
                rest.extend_from_slice(&piece?);
                // Whole lines alone: what breaks off leaves none that is cut.
                let end = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                let lines: Vec<u8> = rest.drain(..end).collect();
                for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                    output.bytes_line("", line)?;
                }
            }
            return Ok(Exit::Ok);
        }
        let entries = client.audit(since, user, most).await.map_err(|error: ClientError| Failure::from(error))?;
        if format == AuditFormat::Json {
            output.json(&AuditList { entries, next: None })?;
            return Ok(Exit::Ok);
        }
        if entries.is_empty() {
            output.say("nothing was done");
            return Ok(Exit::Ok);
        }
        let clock = Clock::system();
        let mut table = Table::new(&["NUMBER", "WHEN", "WHO", "ROLE", "FROM", "WHAT", "ON", "RESULT"]);
        for entry in &entries {
            table.row(cells(entry, &clock));
        }
        table.lines(output.data_style()).iter().try_for_each(|line| output.line(line))?;
        Ok(Exit::Ok)
    })
}

fn cells(entry: &AuditEntry, clock: &Clock) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let mut what = entry.operation.clone();
    if let Some(program) = &entry.program {
        what = format!("{what} {}", printable(program));
    }
    if entry.times > 1 {
        what = format!("{what} ({} times more)", entry.times);
    }
    let result = match &entry.code {
        Some(code) => format!("{} {code}", entry.status),
        None => entry.status.to_string(),
    };
    vec![
        entry.seq.to_string(),
        clock.at(entry.timestamp),
        printable(&entry.who.name).into_owned(),
        or_dash(entry.who.role.map(|role| role.to_string())),
        or_dash(entry.from.map(|from| from.to_string())),
        what,
        or_dash(entry.on.as_ref().map(|on| printable(&format!("{} {}", on.kind, on.id)).into_owned())),
        result,
    ]
}
