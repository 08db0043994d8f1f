//! `graphium stack deploy FILE`.

use super::Call;
use crate::{
    cli::{
        duration,
        exit::{Exit, Failure},
        follow::WaitArgs,
        source::DocumentArgs,
        validate::{self, Verdict},
    },
    config::Format,
};
use graphium_core::stack::OnDrift;
use graphium_server::client::DeployRequest;
use std::time::Duration;

/// Deploys a stack's document, or changes the stack to what it says now
#[derive(Debug, clap::Args)]
pub(super) struct DeployArgs {
    #[command(flatten)]
    document: DocumentArgs,
    #[command(flatten)]
    wait: WaitArgs,
    /// Pull every image also where the host has it, and make anew what runs from another than its tag names then
    #[arg(long)]
    pull: bool,
    /// When it fails, take the whole stack back to what ran before; of a first deployment take away what it made
    #[arg(long)]
    rollback_on_error: bool,
    /// What follows from now on when a container does not run that should; a new stack has `repair`, one that is there keeps what
    /// it has
    #[arg(long, value_enum)]
    on_drift: Option<DriftArg>,
    /// How long after a host has gone offline what ran there is placed elsewhere, from now on, as far as no data ties it to its
    /// host: `90s`, `5m`; `never`, as for a new stack, ends that
    #[arg(long, value_name = "TIME", value_parser = reschedule_after)]
    reschedule_after: Option<Duration>,
    /// How the result is written
    #[arg(short, long, value_enum)]
    output: Option<Format>,
}

/// A time, or `never`.
fn reschedule_after(text: &str) -> Result<Duration, String> {
    if text == "never" { Ok(Duration::ZERO) } else { duration::parse(text) }
}

/// The words of `--on-drift`.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum DriftArg {
    /// Start it again, make it again where it is gone
    Repair,
    /// Say it, and do nothing
    Report,
    /// Say and do nothing
    Accept,
}

impl From<DriftArg> for OnDrift {
    fn from(word: DriftArg) -> Self {
        match word {
            DriftArg::Repair => Self::Repair,
            DriftArg::Report => Self::Report,
            DriftArg::Accept => Self::Accept,
        }
    }
}

pub(super) async fn run(args: &DeployArgs, call: &mut Call<'_>) -> Result<Exit, Failure> {
    let document = args.document.load()?;
    let format = call.format(args.output);
    // What is wrong is found here already, and no server has to be there for it.
    if let Err(diagnostics) = document.read() {
        if format == Format::Json {
            call.output.json(&Verdict::of(&diagnostics))?;
            return Ok(Exit::Invalid);
        }
        return Err(validate::refusal(&document, &diagnostics));
    }
    let request = DeployRequest {
        variables: document.used_variables(),
        pull_images: args.pull.then_some(true),
        rollback_on_error: args.rollback_on_error.then_some(true),
        on_drift: args.on_drift.map(Into::into),
        reschedule_after: args.reschedule_after,
        ..DeployRequest::default()
    };
    match call.client.deploy(document.bytes().to_vec(), &request).await.map_err(Failure::from) {
        Ok(started) => {
            document.warn(&started.warnings, call.output);
            call.go_on(&started, args.wait, format).await
        }
        Err(failure) if !failure.diagnostics.is_empty() => {
            if format == Format::Json {
                call.output.json(&Verdict::of(&failure.diagnostics))?;
                return Ok(Exit::Invalid);
            }
            Err(validate::refusal(&document, &failure.diagnostics))
        }
        Err(failure) => Err(failure),
    }
}
