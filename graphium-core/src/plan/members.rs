//! The containers of a stack as they will be: replicas counted out, dependencies resolved, in order.

use super::{
    map::{self, Map},
    never::of_dependency,
    order::{Edge, Graph},
    subject,
};
use crate::{
    diagnostic::{Diagnostic, Property, Subject},
    stack::{Condition, Container, Stack},
    suggest,
};
use std::{borrow::Cow, collections::BTreeSet, ops::Range, sync::Arc};

/// More containers than any stack has; a count of replicas beyond it is a slip.
const MOST: usize = 100_000;

/// One container that shall be.
#[derive(Clone, Debug)]
pub(super) struct Member<'a> {
    /// Its name within the stack; that of one of several is `<name>-<number>`.
    pub(super) name: Cow<'a, str>,
    /// What the document says about it.
    pub(super) definition: &'a Arc<Container>,
}

/// All containers of a stack, in its canonical order.
#[derive(Debug)]
pub(super) struct Members<'a> {
    pub(super) list: Vec<Member<'a>>,
    /// Dependencies between them, by number; free of circles.
    pub(super) graph: Graph,
    /// Their numbers, dependencies first.
    pub(super) order: Vec<usize>,
}

impl<'a> Members<'a> {
    /// Counts out a stack, and says what is wrong with its names and dependencies.
    pub(super) fn of(stack: &'a Stack) -> (Self, Vec<Diagnostic>) {
        let mut errors: Vec<Diagnostic> = of_itself(stack).into_iter().collect();
        let mut list = Vec::with_capacity(stack.containers.len());
        let mut ranges: Map<&str, Range<usize>> = map::with_capacity(stack.containers.len());
        let mut replicated = false;
        for definition in &stack.containers {
            let first = list.len();
            replicated |= definition.is_replicated();
            if first.saturating_add(definition.replicas.unwrap_or(1) as usize) > MOST {
                errors.push(
                    Diagnostic::error(
                        "too-many-containers",
                        "",
                        format!("with `{}` the stack would have more than {MOST} containers", definition.name),
                    )
                    .about(subject::of(definition, Property::Replicas))
                    .with_help("ask for fewer replicas, or split the stack"),
                );
                break;
            }
            list.extend(instances(definition).map(|name| Member { name, definition }));
            if ranges.insert(&definition.name, first..list.len()).is_some() {
                errors.push(duplicate(&definition.name, definition));
            }
        }
        if replicated && errors.iter().all(|error| error.code == "dependency-cycle") {
            let mut names = BTreeSet::new();
            let again = list.iter().filter(|member| !names.insert(&member.name));
            errors.extend(again.map(|member| duplicate(&member.name, member.definition)));
        }
        let graph = resolve(&list, &ranges, &mut errors);
        let sorted = graph.sort();
        let graph = if sorted.circles.is_empty() { graph } else { graph.following(&sorted.order) };
        errors.extend(sorted.circles.iter().map(|circle| circular(&list, circle)));
        (Self { list, graph, order: sorted.order }, errors)
    }

    /// Members by name.
    pub(super) fn by_name(&self) -> Map<&str, usize> {
        self.list.iter().enumerate().map(|(number, member)| (&*member.name, number)).collect()
    }
}

/// The names of a definition's containers within the stack: its own where there is one, `<name>-1` to `<name>-n` for several.
pub(super) fn instances(definition: &Container) -> impl Iterator<Item = Cow<'_, str>> {
    let is_replicated = definition.is_replicated();
    (1..=definition.replicas.unwrap_or(1)).map(move |number| match is_replicated {
        false => Cow::Borrowed(definition.name.as_str()),
        true => Cow::Owned(format!("{}-{number}", definition.name)),
    })
}

/// A stack that is to run before itself.
fn of_itself(stack: &Stack) -> Option<Diagnostic> {
    let on = stack.depends_on.iter().find(|on| stack.is_called(on))?;
    let message = format!("the stack `{}` depends on itself", stack.name);
    let subject = Subject::stack().property(Property::StackDependency { on: on.clone() });
    Some(Diagnostic::error("dependency-cycle", "", message).with_help("take this dependency away").about(subject))
}

fn resolve(list: &[Member<'_>], ranges: &Map<&str, Range<usize>>, errors: &mut Vec<Diagnostic>) -> Graph {
    let mut graph = Graph::with_capacity(list.len());
    let help = |missing: &str| match suggest::nearest(missing, ranges.keys().copied()) {
        Some(near) => format!("did you mean `{near}`? add it, or remove the dependency"),
        None => "add it, or remove the dependency".to_owned(),
    };
    for (number, member) in list.iter().enumerate() {
        let first_of_its_kind = number == 0 || !Arc::ptr_eq(list[number - 1].definition, member.definition);
        for dependency in &member.definition.depends_on {
            match ranges.get(dependency.container.as_str()) {
                Some(range) => {
                    if first_of_its_kind && dependency.condition != Condition::Started {
                        // Of none there is nothing to wait for.
                        let target = list[range.clone()].first().map(|target| &**target.definition);
                        errors.extend(target.and_then(|target| of_dependency(member.definition, dependency, target)));
                    }
                    range.clone().for_each(|on| graph.depend(Edge { on, condition: dependency.condition }));
                }
                None if first_of_its_kind => errors.push(
                    Diagnostic::error(
                        "unresolved-reference",
                        "",
                        format!(
                            "`{}` depends on `{}`, which is no container of this stack",
                            member.definition.name, dependency.container
                        ),
                    )
                    .about(subject::of(member.definition, subject::dependency(&dependency.container)))
                    .with_help(help(&dependency.container)),
                ),
                None => {}
            }
        }
        graph.close();
    }
    graph
}

fn duplicate(name: &str, definition: &Container) -> Diagnostic {
    Diagnostic::error("duplicate-name", "", format!("two containers of the stack are named `{name}`"))
        .about(subject::of(definition, Property::Name))
        .with_help("rename one of them")
}

fn circular(list: &[Member<'_>], circle: &[usize]) -> Diagnostic {
    let definition = |at: usize| circle.iter().cycle().nth(at).map(|&number| &**list[number].definition);
    let subject = definition(0).zip(definition(1)).map(|(who, on)| subject::of(who, subject::dependency(&on.name)));
    let mut path: Vec<String> = circle.iter().map(|&number| format!("`{}`", list[number].name)).collect();
    path.extend(path.first().cloned());
    Diagnostic::error(
        "dependency-cycle",
        "",
        format!("containers depend on each other in a circle: {}", path.join(" → ")),
    )
    .with_help("take one of these dependencies away")
    .about(subject.unwrap_or_default())
}
