//! What can be planned and would never work.

use super::{deploy::Draft, ports::HostPort, room::fixed_ports, subject};
use crate::{
    diagnostic::Diagnostic,
    inventory::ContainerStatus,
    stack::{Condition, Container, Dependency, HealthTest, Stack, UpdateOrder},
};

/// More errors of one kind than these are not listed.
const LISTED: usize = 100;

/// Why a dependency can never be met, if so.
pub(super) fn of_dependency(who: &Container, dependency: &Dependency, target: &Container) -> Option<Diagnostic> {
    let subject = || subject::of(who, subject::dependency(&target.name));
    let (who, name) = (&who.name, &target.name);
    match dependency.condition {
        Condition::Completed if target.restart_policy.is_endless() => Some(
            Diagnostic::error(
                "never-completes",
                "",
                format!(
                    "`{who}` waits for `{name}` to complete, which never does: its restart policy is `{}`",
                    target.restart_policy
                ),
            )
            .with_help(format!("let `{name}` restart `no` or `on-failure`, or wait for `started`"))
            .about(subject()),
        ),
        Condition::Healthy if target.health_check.as_ref().is_none_or(|check| check.test == HealthTest::None) => Some(
            Diagnostic::error(
                "healthy-without-check",
                "",
                format!("`{who}` waits for `{name}` to be healthy, which has no health check"),
            )
            .with_help(format!(
                "give `{name}` a `healthCheck` (one that its image has is not seen here), or wait for `started`"
            ))
            .about(subject()),
        ),
        Condition::Started | Condition::Completed | Condition::Healthy => None,
    }
}

/// Containers that cannot be updated in the order that the stack asks for: old and new would both have one port. Of those
/// that are to come this is said before there is anything to update.
pub(super) fn of_updates(draft: &Draft<'_, '_>) -> Vec<Diagnostic> {
    if draft.layout.stack.deployment.update.order != UpdateOrder::StartFirst {
        return Vec::new();
    }
    let mut errors = Vec::new();
    for (number, member) in draft.layout.members.list.iter().enumerate() {
        let holds = draft.there[number].is_none_or(|there| {
            matches!(there.status, ContainerStatus::Running | ContainerStatus::Restarting | ContainerStatus::Paused)
        });
        let port = fixed_ports(member.definition).next().filter(|_| holds && draft.changes(number));
        if let (Some(port), Some(host)) = (port, draft.layout.host(number)) {
            errors.push(twice(&member.name, member.definition, port, &format!("on `{host}`")));
        }
        if errors.len() == LISTED {
            break;
        }
    }
    errors
}

/// The same of every container with a fixed port, wherever it is to be.
pub(super) fn of_order(stack: &Stack) -> impl Iterator<Item = Diagnostic> {
    let starts_first = stack.deployment.update.order == UpdateOrder::StartFirst;
    let fixed = stack.containers.iter().filter(move |_| starts_first);
    let fixed = fixed.filter_map(|definition| Some((definition, fixed_ports(definition).next()?)));
    fixed.take(LISTED).map(|(definition, port)| twice(&definition.name, definition, port, "on one host"))
}

fn twice(name: &str, definition: &Container, port: HostPort, place: &str) -> Diagnostic {
    let message = format!(
        "`{name}` cannot be updated `start-first`: old and new would both publish port {}/{} {place}",
        port.number,
        port.protocol.as_str()
    );
    let help = "use the update order `stop-first`, or leave `hostPort` out";
    let subject = subject::of(definition, subject::port(port));
    Diagnostic::error("start-first-port", "", message).with_help(help).about(subject)
}
