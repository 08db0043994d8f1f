//! `graphium apply PLAN`: a saved plan, carried out as it is or not at all.

use super::{
    connect,
    exit::{Exit, Failure},
    follow::WaitArgs,
    output::Output,
    stack::Call,
};
use crate::config::{Config, Format};
use graphium_core::plan::{SavedPlan, SavedPlanError};
use std::{fs, path::PathBuf};

/// Carries out a saved plan (`graphium plan -o FILE`); refuses when something that it rests on has changed
#[derive(Debug, clap::Args)]
pub(crate) struct ApplyArgs {
    /// The saved plan
    plan: PathBuf,
    #[command(flatten)]
    wait: WaitArgs,
    /// How the result is written
    #[arg(short, long, value_enum)]
    output: Option<Format>,
}

pub(crate) fn run(args: &ApplyArgs, config: &Config, output: &mut Output) -> Result<Exit, Failure> {
    let name = args.plan.display();
    let text = fs::read(&args.plan).map_err(|error| {
        Failure::usage(format!("`{name}` cannot be read: {error}")).hint("write one: `graphium plan DOCUMENT -o FILE`")
    })?;
    // What is wrong with it is found here already, and no server has to be there for it.
    if let Err(error) = SavedPlan::read(&text) {
        let failure = Failure::new(Exit::Invalid, format!("`{name}`: {error}"));
        return Err(match error {
            SavedPlanError::NotAPlan => failure.hint("write one: `graphium plan DOCUMENT -o FILE`"),
            _ => failure,
        });
    }
    let client = connect::client(config)?;
    connect::run(async {
        let mut call = Call { client, config, output };
        let started = call.client.apply(text).await?;
        let format = call.format(args.output);
        call.conclude(&started, args.wait, format).await
    })
}
