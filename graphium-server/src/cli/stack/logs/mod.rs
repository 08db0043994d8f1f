//! `graphium stack logs NAME`.

mod page;
mod reading;

use super::Call;
use crate::{
    cli::exit::{Exit, Failure},
    config::Format,
    render::printable,
};
use futures::{FutureExt as _, StreamExt as _, stream::SelectAll};
use graphium_core::{
    control::StackView,
    inventory::{ContainerStatus, ObservedContainer},
    log::Since,
    runtime::{Tail, beside, label},
};
use graphium_server::client::{Client, ClientError, LogOptions};
use page::Page;
use reading::{Over, Position, Reading, Told};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// How often it is looked for containers that come and go, and how soon after something happened.
const LOOK: Duration = Duration::from_secs(5);
const SOON: Duration = Duration::from_millis(300);

/// Shows what the containers of a stack write
///
/// Each line bears the name of its container, unless one is asked for that is alone. With `--follow` it goes on until nothing of
/// the stack runs any more, also over containers that are replaced, moved or started again; what breaks off is taken up again
/// where it was. `-o json` writes one object a line: container, host, stream, time, text.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct LogsArgs {
    /// The stack's name or `@id`
    name: String,
    /// Only this container, or the replicas of it; may be repeated
    #[arg(short, long = "container", value_name = "CONTAINER")]
    containers: Vec<String>,
    /// Go on with what they write
    #[arg(short, long)]
    follow: bool,
    /// The last N lines of each that are there already, or `all`
    #[arg(short = 'n', long, value_name = "N", default_value = "all")]
    tail: Tail,
    /// Not older than that: 10m, 1h30m, or a time like 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", default_value = "", hide_default_value = true)]
    since: Since,
    /// Put the time before each line
    #[arg(short, long)]
    timestamps: bool,
    /// How they are written; json is one object per line
    #[arg(short, long, value_enum)]
    output: Option<Format>,
}

impl LogsArgs {
    fn options(&self) -> LogOptions {
        LogOptions { tail: self.tail, since: self.since, follow: self.follow, timestamps: self.timestamps, wait: None }
    }

    /// Whether a container is asked for, by its own name or as one of several.
    fn wants(&self, name: &str, all: &BTreeMap<String, ObservedContainer>) -> bool {
        self.containers.is_empty()
            || self.containers.iter().any(|wanted| {
                let number = name.strip_prefix(wanted.as_str()).and_then(|rest| rest.strip_prefix('-'));
                let is_replica = number.is_some_and(|number| number.parse::<u32>().is_ok());
                wanted == name || is_replica && !all.values().any(|other| within_stack(other) == wanted)
            })
    }
}

/// The name of a container within its stack.
pub(super) fn within_stack(container: &ObservedContainer) -> &str {
    container.label(label::CONTAINER).unwrap_or(&container.name)
}

pub(super) async fn run(args: &LogsArgs, call: &mut Call<'_>) -> Result<Exit, Failure> {
    let client = call.client.clone();
    let stack = client.stack(&args.name).await?;
    let format = call.format(args.output);
    let mut watch =
        Watch { args, client: &client, name: stack.name.clone(), sources: BTreeMap::new(), readings: SelectAll::new() };
    let seen = watch.seen(&stack).await?;
    watch.expect_some(&stack, &seen)?;
    let names: Vec<&str> = seen.values().map(within_stack).collect();
    let is_alone = !args.containers.is_empty() && names.len() <= 1;
    let mut page = Page::new(call.output, format, args.timestamps, (!is_alone).then_some(&names[..]));
    watch.begin(seen, &mut page);
    if args.follow {
        watch.follow(&mut page).await?;
    } else {
        watch.read(&mut page).await?;
    }
    watch.verdict()
}

/// What is read, and how far.
struct Watch<'a> {
    args: &'a LogsArgs,
    client: &'a Client,
    /// Of the stack.
    name: String,
    /// By host and name on the engine.
    sources: BTreeMap<String, Source>,
    readings: SelectAll<reading::Tellings>,
}

/// One container, and those that take its place.
#[derive(Default)]
struct Source {
    name: String,
    host: String,
    is_read: bool,
    /// The engine's id of the container that was seen when it was begun to be read.
    tried: String,
    /// How far it was read, and the engine's id of that container.
    position: Position,
    /// How it ended last, as it was told.
    ended: String,
    failed: Option<Failure>,
}

impl Watch<'_> {
    /// The containers that are asked for, as far as agents have seen them.
    async fn seen(&self, stack: &StackView) -> Result<BTreeMap<String, ObservedContainer>, ClientError> {
        let all = self.client.containers(None, Some(stack.id.as_str())).await?;
        let key = |container: &ObservedContainer| format!("{}/{}", container.hosted_on, container.name);
        // A successor is read once it has the name, from its first line: under both names it would be read twice.
        let all = all.into_iter().filter(|container| beside::principal(&container.name).is_none());
        let mut all: BTreeMap<_, _> = all.map(|container| (key(&container), container)).collect();
        let wanted: Vec<_> = all
            .iter()
            .filter(|(_, one)| !self.args.wants(within_stack(one), &all))
            .map(|(key, _)| key.clone())
            .collect();
        wanted.iter().for_each(|key| drop(all.remove(key)));
        Ok(all)
    }

    /// Says of whom something is said, where not of all.
    fn asked(&self, whom: &str) -> String {
        let names: Vec<_> = self.args.containers.iter().map(|name| format!("`{name}`")).collect();
        if names.is_empty() { whom.to_owned() } else { format!("{whom} called {}", names.join(" or ")) }
    }

    /// Something is there to be read, or will be.
    fn expect_some(&self, stack: &StackView, seen: &BTreeMap<String, ObservedContainer>) -> Result<(), Failure> {
        let is_placed = stack.placements.keys().any(|name| self.args.wants(name, &BTreeMap::new()));
        match (seen.is_empty(), is_placed, self.args.follow) {
            (false, ..) | (_, true, true) => Ok(()),
            (true, true, false) => Err(Failure::new(
                Exit::Failed,
                format!("no agent has seen {} of stack `{}` yet", self.asked("a container"), stack.name),
            )
            .coded("nothing-to-read")
            .hint("wait for it with `--follow`, or look at `graphium stack status`")),
            (true, false, _) => {
                let there = stack.placements.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                let what = if self.args.containers.is_empty() {
                    format!("stack `{}` has no containers now", stack.name)
                } else {
                    let wanted = self.args.containers.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
                    format!("stack `{}` has no container {}", stack.name, wanted.join(" or "))
                };
                let failure = Failure::new(Exit::Failed, what).coded("not-found");
                Err(if there.is_empty() { failure } else { failure.hint(format!("it has {there}")) })
            }
        }
    }

    /// Begins to read what is not being read, from where it was.
    fn begin(&mut self, seen: BTreeMap<String, ObservedContainer>, page: &mut Page<'_>) {
        let is_first = self.sources.is_empty();
        for (key, container) in seen {
            let is_new = !self.sources.contains_key(&key);
            let source = self.sources.entry(key.clone()).or_default();
            let mut is_another = source.position.container.as_ref().is_some_and(|id| *id != container.id);
            // What could not be read of one says nothing of the next.
            if source.failed.is_some() && source.tried != container.id {
                (source.failed, is_another) = (None, true);
            }
            let has_run = source.position.container.is_some() || source.failed.is_some();
            let runs = matches!(container.status, ContainerStatus::Running | ContainerStatus::Paused);
            if source.is_read || source.failed.is_some() || has_run && !is_another && !runs {
                continue;
            }
            if is_another || is_new && !is_first {
                // It came while others were followed.
                source.position = Position::of_news();
            }
            source.tried = container.id.clone();
            source.name = within_stack(&container).to_owned();
            source.host = container.hosted_on.to_string();
            source.is_read = true;
            if is_new && !is_first {
                page.note(&format!("{}: on host {} from now on", source.name, source.host));
            }
            self.readings.push(Reading::new(self.client, key, self.args.options(), source.position.clone()).tellings());
        }
    }

    /// Reads all that there is.
    async fn read(&mut self, page: &mut Page<'_>) -> Result<(), Failure> {
        while let Some((key, told)) = page.next(&mut self.readings).await? {
            self.take(&key, told, page)?;
        }
        Ok(())
    }

    /// Reads until nothing of the stack runs any more.
    async fn follow(&mut self, page: &mut Page<'_>) -> Result<(), Failure> {
        // Whatever happens may concern it. Without events it is looked every few seconds.
        let mut events = self.client.events_to_come();
        let mut has_events = true;
        let mut look = Box::pin(tokio::time::sleep(if self.readings.is_empty() { SOON } else { LOOK }));
        loop {
            // What lies ready is written first.
            let telling = match self.readings.next().now_or_never().flatten() {
                Some(telling) => Some(telling),
                None => {
                    page.flush()?;
                    let readings = &mut self.readings;
                    let telling = async {
                        match readings.next().await {
                            Some(telling) => telling,
                            None => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        telling = telling => Some(telling),
                        event = events.next(), if has_events => {
                            has_events = matches!(event, Some(Ok(_)));
                            let soon = Instant::now() + SOON;
                            if look.deadline() > soon {
                                look.as_mut().reset(soon);
                            }
                            continue;
                        }
                        () = &mut look => None,
                    }
                }
            };
            match telling {
                Some((key, told)) => {
                    if matches!(told, Told::Over(..)) {
                        look.as_mut().reset(Instant::now() + SOON);
                    }
                    self.take(&key, told, page)?;
                }
                None => {
                    look.as_mut().reset(Instant::now() + LOOK);
                    if self.look(page).await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Looks for containers that have come; whether there will be no more.
    async fn look(&mut self, page: &mut Page<'_>) -> Result<bool, Failure> {
        let stack = match self.client.stack(&self.name).await {
            Ok(stack) => stack,
            Err(ClientError::NotFound { .. }) => {
                let is_over = self.readings.is_empty();
                if is_over {
                    page.note(&format!("stack `{}` is gone", self.name));
                }
                return Ok(is_over);
            }
            // A server that is away comes back, or another answers.
            Err(error) if error.may_pass() => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let seen = match self.seen(&stack).await {
            Ok(seen) => seen,
            Err(error) if error.may_pass() => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let restarts = seen.values().any(|container| container.status == ContainerStatus::Restarting);
        self.begin(seen, page);
        let is_over = self.readings.is_empty() && !restarts && !stack.status.is_transitional();
        if is_over {
            page.note(&format!("{} of stack `{}` runs any more", self.asked("nothing"), self.name));
        }
        Ok(is_over)
    }

    fn take(&mut self, key: &str, told: Told, page: &mut Page<'_>) -> Result<(), Failure> {
        let Some(source) = self.sources.get_mut(key) else { return Ok(()) };
        match told {
            Told::Line(line) => {
                source.ended.clear();
                page.line(&source.name, &source.host, &line)?;
            }
            Told::Note(text) => page.note(&format!("{}: {text}", source.name)),
            Told::Over(over, position) => {
                source.is_read = false;
                source.position = position;
                match over {
                    Over::Ended(how) => {
                        if !how.is_empty() && how != source.ended {
                            page.note(&format!("{}: {how}", source.name));
                        }
                        source.ended = how;
                    }
                    Over::Failed(failure) => {
                        // Without following the end comes soon, and says it.
                        if self.args.follow {
                            page.note(&format!("{}: {}", source.name, failure.what));
                        }
                        source.failed = Some(failure);
                    }
                }
            }
        }
        Ok(())
    }

    /// How it went, over all.
    fn verdict(self) -> Result<Exit, Failure> {
        let count = self.sources.len();
        let failed: Vec<_> =
            self.sources.into_values().filter_map(|source| Some((source.name, source.failed?))).collect();
        let Some((_, first)) = failed.first() else { return Ok(Exit::Ok) };
        let what = match (count, first.exit) {
            (1, _) => "the log was not read to its end".to_owned(),
            _ => format!("{} of {count} logs were not read to their end", failed.len()),
        };
        let code = first.code.clone();
        let mut failure = Failure::new(first.exit, what);
        failure.code = code;
        for (name, cause) in failed {
            failure = failure.because(format!("{name}: {}", printable(&cause.what)));
            for hint in cause.hints {
                if !failure.hints.contains(&hint) {
                    failure = failure.hint(hint);
                }
            }
        }
        Err(failure)
    }
}
