//! `graphium stack remove|stop|start|restart|rollback NAME`.

use super::Call;
use crate::{
    cli::{
        exit::{Exit, Failure},
        follow::WaitArgs,
    },
    config::Format,
    render,
};
use graphium_core::control::{OrphanReason, Started};
use std::collections::BTreeSet;

/// Which stack, and whether to wait.
#[derive(Debug, clap::Args)]
pub(super) struct NamedArgs {
    /// The stack's name or `@id`
    name: String,
    #[command(flatten)]
    wait: WaitArgs,
    /// How the result is written
    #[arg(short, long, value_enum)]
    output: Option<Format>,
}

/// Removes a stack: its containers and networks; its volumes stay unless told otherwise
#[derive(Debug, clap::Args)]
pub(super) struct RemoveArgs {
    #[command(flatten)]
    named: NamedArgs,
    /// Remove its volumes and the data in them, too
    #[arg(long)]
    volumes: bool,
    /// With `--volumes`: do not ask before their data is destroyed; nothing else asks
    #[arg(short, long)]
    yes: bool,
    /// Do not wait for hosts that are away: what may be left there is listed by `graphium orphans`, and removed when they return
    #[arg(long)]
    forget: bool,
}

/// Deploys an earlier document of a stack
#[derive(Debug, clap::Args)]
pub(super) struct RollbackArgs {
    #[command(flatten)]
    named: NamedArgs,
    /// The revision to go back to; by default the one before
    #[arg(long, value_name = "REVISION")]
    to: Option<u64>,
}

pub(super) async fn remove(args: &RemoveArgs, call: &mut Call<'_>) -> Result<Exit, Failure> {
    let name = &args.named.name;
    if args.volumes && !args.yes {
        confirm(name, call)?;
    }
    let started = if args.forget {
        call.client.forget(name, args.volumes).await?
    } else {
        call.client.remove(name, args.volumes).await?
    };
    tell_of_absent(&started, args, call).await?;
    call.conclude(&started, args.named.wait, call.format(args.named.output)).await
}

/// Says which hosts are away, and what that means for the removal.
async fn tell_of_absent(started: &Started, args: &RemoveArgs, call: &mut Call<'_>) -> Result<(), Failure> {
    if args.forget {
        let left = call.client.orphans().await?.into_iter().filter(|orphan| orphan.stack_id == started.stack_id);
        for orphan in left.filter(|orphan| matches!(orphan.reason, OrphanReason::Forgotten { .. })) {
            let line = format!("{} may be left on host `{}`: {}", orphan.what, orphan.host_id, orphan.reason);
            call.output.say(render::printable(&line));
        }
        return Ok(());
    }
    let Ok(status) = call.client.status(started.deployment_id.as_str()).await else { return Ok(()) };
    let waits = status.tasks.into_iter().filter_map(|view| view.waiting).filter(|waiting| waiting.reason == "host");
    let hosts: BTreeSet<String> = waits.map(|waiting| waiting.on).collect();
    for host in &hosts {
        call.output.say(format_args!("it waits for {}", render::printable(host)));
    }
    if !hosts.is_empty() {
        call.output.say("it goes on when they return; `--forget` waits for none of them");
    }
    Ok(())
}

/// What destroys data asks, or wants to be told.
fn confirm(name: &str, call: &Call<'_>) -> Result<(), Failure> {
    let what = format!("removing stack `{name}` with its volumes destroys their data");
    if !call.output.can_ask() {
        return Err(Failure::usage(what).hint("add `--yes` if that is meant, or leave `--volumes` out to keep them"));
    }
    match call.output.ask(&format!("{what}. Type the stack's name to go on: ")) {
        answer if answer == name => Ok(()),
        _ => Err(Failure::new(Exit::Failed, "nothing was removed")),
    }
}

pub(super) async fn stop(args: &NamedArgs, call: &mut Call<'_>) -> Result<Exit, Failure> {
    let started = call.client.stop(&args.name).await?;
    call.conclude(&started, args.wait, call.format(args.output)).await
}

pub(super) async fn start(args: &NamedArgs, call: &mut Call<'_>) -> Result<Exit, Failure> {
    let started = call.client.start(&args.name).await?;
    call.conclude(&started, args.wait, call.format(args.output)).await
}

pub(super) async fn restart(args: &NamedArgs, call: &mut Call<'_>) -> Result<Exit, Failure> {
    let started = call.client.restart(&args.name).await?;
    call.conclude(&started, args.wait, call.format(args.output)).await
}

pub(super) async fn rollback(args: &RollbackArgs, call: &mut Call<'_>) -> Result<Exit, Failure> {
    let started = call.client.rollback(&args.named.name, args.to).await?;
    call.conclude(&started, args.named.wait, call.format(args.named.output)).await
}
