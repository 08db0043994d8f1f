//! From what is wanted, what was applied and what is there to the tasks in between.
//!
//! The graph has layers, and edges lead from one layer only to itself or an earlier one: pulls,
//! networks and volumes; then stops; then containers, the checks between them and the stops that wait for their turn in a
//! wave; then deletions; then networks that go. So it has no circle as long as the document has none.

use super::{
    Applied, Endpoint, Options, Plan, PlannedTask,
    advise::advise,
    before::{Before, BeforeMembers},
    beside::Beside,
    change::{self, Change},
    handover::Handover,
    hosts::{Hosts, Seen},
    lasting::{LastingKind, drift},
    layout::Layout,
    leftover::{Leftover, leftovers},
    live::{self, AppliedSettings},
    members::Members,
    never,
    place::{LISTED, place},
    rename::Renames,
    retire,
    rollout::Rollout,
    setup::{self, Setup},
    task::{Tasks, task},
    verdict::{Verdict, keeps_running},
    warn,
};
use crate::{
    action::{Action, Refresh},
    diagnostic::Diagnostic,
    id::HostId,
    inventory::{Inventory, ObservedContainer},
    runtime::{ContainerSpec, LiveSettings, LiveStep, SpecHasher},
    stack::{Condition, PullPolicy, Stack, UpdateOrder},
};
use std::{borrow::Cow, collections::BTreeMap};

/// Plans what makes the desired stack of what is there.
///
/// `applied` is the revision that was applied last; it tells what stays where it is, what is to go
/// though nobody sees it now, and what undoing goes back to.
///
/// Stacks are taken in the order that they have. That of a stack that was read is [canonical](Stack::canonical); one that was
/// built by hand is made so first, or its order shows in the plan.
///
/// # Errors
///
/// Everything that stands against it, at once; each names the container and the host.
///
/// # Example
/// A container that moves: its new place and what is done on both hosts.
/// ```
/// use graphium_core::plan::{self, Applied, ChangeKind, Options};
/// use graphium_core::plan::fixtures::{carried_out, container, hosts, stack};
/// use graphium_core::stack::Container;
///
/// let on = |host: &str| stack("shop", vec![Container { host: Some(host.into()), ..container("web") }]);
/// let first = plan::plan(&on("vm1"), None, &hosts(2), &Options::default()).unwrap();
/// let there = carried_out(&first, hosts(2));
/// let applied = Applied { stack: on("vm1"), placements: first.placements };
///
/// let moving = plan::plan(&on("vm2"), Some(&applied), &there, &Options::default()).unwrap();
/// assert_eq!(moving.changes[0].kind, ChangeKind::Move);
/// assert_eq!(moving.placements["web"].as_str(), "vm2");
/// let after = carried_out(&moving, there);
/// assert_eq!((after.containers.len(), after.containers[0].hosted_on.as_str()), (1, "vm2"));
///
/// // A host that nobody knows is refused, and the reason says which.
/// let refused = plan::plan(&on("vm9"), Some(&applied), &after, &Options::default()).unwrap_err();
/// assert!(refused[0].is_error() && refused[0].message.contains("vm9"), "{}", refused[0]);
/// ```
pub fn plan(
    desired: &Stack,
    applied: Option<&Applied>,
    observed: &Inventory,
    options: &Options,
) -> Result<Plan, Vec<Diagnostic>> {
    let (members, mut errors) = Members::of(desired);
    let hosts = Hosts::of(observed, desired);
    let seen = Seen::of(observed, &desired.id, &desired.name);
    let mut placement = place(desired, &members, &hosts, &seen, applied, options, LISTED);
    if !errors.is_empty() || !placement.errors.is_empty() {
        // Of a stack that contradicts itself nobody can say what would help.
        if errors.is_empty() {
            advise(desired, applied, observed, &members, &hosts, &mut placement);
        }
        errors.extend(placement.errors);
        return Err(errors);
    }
    let at = |host: usize| (&hosts.list[host].host.id, hosts.list[host].host.ip_address);
    let places = placement.hosts.iter().map(|host| host.map(at)).collect();
    let layout = Layout::new(desired, &members, places);
    let mut draft = Draft::new(layout, applied, &hosts, &seen, options);
    draft.renames = placement.renames;
    let errors = never::of_updates(&draft);
    if !errors.is_empty() {
        return Err(errors);
    }
    // What was before is only asked where something is to be done.
    let before_members = applied.filter(|_| draft.has_work()).map(BeforeMembers::of);
    let before = before_members.as_ref().map(|members| members.laid_out(&hosts));
    draft.before = before.as_ref();
    let mut warnings = warn::of_stacks(desired, &seen);
    warnings.extend(warn::of_reach(&draft.layout));
    warnings.extend(warn::of_leftovers(&draft.layout, before.as_ref(), &draft.leftovers, &hosts));
    warnings.extend(warn::of_unsure(&draft));
    let unchanged = draft.unchanged();
    let changes = change::changes(&draft, applied);
    draft.explain(&changes);
    let tasks = draft.tasks(options, &mut warnings);
    Ok(Plan {
        stack: desired.id.clone(),
        stack_name: desired.name.clone(),
        tasks,
        placements: draft.placements(),
        unchanged,
        changes,
        choices: placement.choices,
        staying: draft.staying(placement.staying),
        endpoints: draft.endpoints(),
        warnings,
    })
}

/// A plan while it is made.
pub(super) struct Draft<'a, 'p> {
    pub(super) layout: Layout<'a, 'p>,
    pub(super) before: Option<&'p Before<'a, 'p>>,
    pub(super) hosts: &'p Hosts<'a>,
    pub(super) seen: &'p Seen<'a>,
    pub(super) renames: Renames<'a>,
    pub(super) leftovers: Vec<Leftover<'a>>,
    /// What was seen where each member is to be.
    pub(super) there: Vec<Option<&'a ObservedContainer>>,
    /// Those that may stay as they are because nobody knows which settings they have.
    pub(super) unsure: Vec<usize>,
    /// Whether another waits for the end of each.
    awaited: Vec<bool>,
    verdicts: Vec<Verdict>,
    specs: Vec<Option<Box<ContainerSpec>>>,
}

impl<'a, 'p> Draft<'a, 'p> {
    pub(super) fn new(
        layout: Layout<'a, 'p>,
        applied: Option<&'a Applied>,
        hosts: &'p Hosts<'a>,
        seen: &'p Seen<'a>,
        options: &'a Options,
    ) -> Self {
        let count = layout.members.list.len();
        let mut awaited = vec![false; count];
        for edge in (0..count).flat_map(|number| layout.members.graph.dependencies(number)) {
            awaited[edge.on] |= edge.condition == Condition::Completed;
        }
        let mut draft = Self {
            before: None,
            hosts,
            seen,
            renames: Renames::default(),
            leftovers: Vec::new(),
            there: Vec::with_capacity(count),
            unsure: Vec::new(),
            awaited,
            verdicts: Vec::with_capacity(count),
            specs: Vec::with_capacity(count),
            layout,
        };
        let mut hasher = SpecHasher::default();
        let settings = AppliedSettings::of(applied);
        for number in 0..count {
            let name = &*draft.layout.members.list[number].name;
            let mut spec = draft.layout.container(number);
            let there = draft.layout.host(number).and_then(|host| seen.at(name, host, &spec.name));
            // Where nothing is there is nothing to compare with, and hashing can wait until the plan is sealed.
            spec.hash = there.map(|_| hasher.hash(&spec));
            let applied = || settings.get(&draft.layout, number);
            // A move is for what runs: what has done its work is not begun once more for it.
            let may_rest = options.is_move() && !keeps_running(draft.layout.members.list[number].definition);
            let is_half_way = draft.layout.host(number).is_some_and(|host| seen.is_half_way(host, &spec.name));
            let verdict = match is_half_way {
                true => Verdict::half_way(),
                false => Verdict::on(&spec, there, draft.awaited[number] || may_rest, applied),
            };
            let told = there.filter(|_| verdict == Verdict::Unchanged).map(|there| there.settings.unwrap_or_default());
            if told.is_some_and(|told| !told.is_complete() && !told.or(applied().unwrap_or_default()).is_complete()) {
                draft.unsure.push(number);
            }
            let stays = matches!(verdict, Verdict::Unchanged | Verdict::Adjustable(_));
            let verdict = if options.pull_images && stays { Verdict::MayHaveMoved } else { verdict };
            draft.specs.push(verdict.makes().then_some(spec));
            draft.verdicts.push(verdict);
            draft.there.push(there);
        }
        if applied.is_some() || !seen.is_empty() || !options.traces.is_empty() {
            let by_name = draft.layout.members.by_name();
            draft.leftovers = leftovers(seen, applied, &options.traces, |name, host, engine_name| {
                let stays = |&number: &usize| draft.layout.host(number) == Some(host);
                by_name.get(name).is_some_and(stays) && is_engine_name(draft.layout.stack, name, engine_name)
            });
        }
        draft
    }

    /// Leaves whatever is not of these members as it is.
    pub(super) fn limit_to(&mut self, is_wanted: impl Fn(&str) -> bool) {
        self.leftovers.clear();
        self.unsure.clear();
        for number in 0..self.verdicts.len() {
            if !is_wanted(self.name(number)) {
                self.verdicts[number] = Verdict::Unchanged;
                self.specs[number] = None;
            }
        }
    }

    fn has_work(&self) -> bool {
        !self.leftovers.is_empty() || self.verdicts.iter().any(Verdict::is_change)
    }

    /// Whether an earlier replacement of a member was broken off where it is to be.
    pub(super) fn is_half_way(&self, number: usize) -> bool {
        self.verdicts[number] == Verdict::half_way()
    }

    /// Whether a member has a task.
    pub(super) fn changes(&self, number: usize) -> bool {
        self.verdicts[number].is_change()
    }

    /// Whether another waits until a member has ended.
    pub(super) fn is_to_end(&self, number: usize) -> bool {
        self.awaited[number]
    }

    /// Whether a new container is made of a member.
    pub(super) fn makes(&self, number: usize) -> bool {
        self.verdicts[number].makes()
    }

    /// The settings that a member has and is to have, where it gets others in place.
    pub(super) fn adjusted(&self, number: usize) -> Option<(LiveSettings, LiveSettings)> {
        match &self.verdicts[number] {
            Verdict::Adjustable(present) => {
                Some((**present, LiveSettings::of(self.layout.members.list[number].definition)))
            }
            _ => None,
        }
    }

    /// What the engine is to be asked for, where a new container is made.
    pub(super) fn spec(&self, number: usize) -> Option<&ContainerSpec> {
        self.specs[number].as_deref()
    }

    /// Says in the tasks' reasons what has changed in a definition.
    fn explain(&mut self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        let told: BTreeMap<&str, &Change> = changes.iter().map(|change| (change.container.as_str(), change)).collect();
        for number in 0..self.verdicts.len() {
            let properties = told.get(self.name(number)).map_or(&[][..], |change| &change.properties);
            if self.verdicts[number] == Verdict::redefined() && !properties.is_empty() {
                self.verdicts[number] = Verdict::Differs(Cow::Owned(format!("changed: {}", change::brief(properties))));
            }
        }
    }

    pub(super) fn name(&self, number: usize) -> &'p str {
        &self.layout.members.list[number].name
    }

    pub(super) fn unchanged(&self) -> Vec<String> {
        let unchanged = (0..self.verdicts.len()).filter(|&number| !self.changes(number));
        unchanged.map(|number| self.name(number).to_owned()).collect()
    }

    pub(super) fn placements(&self) -> BTreeMap<String, HostId> {
        let placed = (0..self.verdicts.len())
            .filter_map(|number| Some((self.name(number).to_owned(), self.layout.host(number)?.clone())));
        placed.collect()
    }

    fn staying(&self, staying: BTreeMap<usize, String>) -> BTreeMap<String, String> {
        staying.into_iter().map(|(number, why)| (self.name(number).to_owned(), why)).collect()
    }

    pub(super) fn endpoints(&self) -> Vec<Endpoint> {
        let mut endpoints = Vec::new();
        for (number, member) in self.layout.members.list.iter().enumerate() {
            let Some((host, ip_address)) = self.layout.places[number] else { continue };
            endpoints.extend(member.definition.ports.iter().map(|port| Endpoint {
                container: member.name.to_string(),
                host: host.clone(),
                ip_address: port.host_ip.filter(|address| !address.is_unspecified()).or(ip_address),
                container_port: port.container_port,
                host_port: port.host_port,
                protocol: port.protocol,
            }));
        }
        endpoints
    }

    pub(super) fn tasks(&mut self, options: &Options, warnings: &mut Vec<Diagnostic>) -> Vec<PlannedTask> {
        let members = self.layout.members;
        let changing: Vec<usize> = members.order.iter().copied().filter(|&number| self.makes(number)).collect();
        let mut handover = Handover::of(self, &changing);
        let setup = Setup::of(self, &changing, options);
        let on_failure = options.on_failure.or(self.layout.stack.deployment.update.on_failure);
        let beside = Beside::of(self, &changing, &handover);
        warnings.extend(beside.warnings(self));
        let rollout = Rollout::of(self, &changing, &handover, on_failure);
        let mut checks = self.checks(&changing, &rollout);
        let mut tasks = Tasks::with_capacity(setup.len() + changing.len() + checks.len());
        let ready = setup.add(self, &mut tasks);
        handover.begin(&ready, &rollout, &mut tasks);
        let mut made = vec![None; members.list.len()];
        // What shows that a new one does its work.
        let mut proven = made.clone();
        let mut first = Vec::new();
        for &number in &members.order {
            if let Some(task) = self.adjustment(number, &mut tasks) {
                made[number] = Some(tasks.add(task, []));
            }
            let policy = setup::policy(options, members.list[number].definition);
            if let Some(task) = self.container(number, beside.order(number), policy, &mut tasks) {
                first.clear();
                first.extend(ready.before(number));
                first.extend(rollout.before(number, &made, &proven));
                handover.take_turn(number, &first, &mut tasks);
                first.extend(handover.before(number));
                first.extend(members.graph.dependencies(number).iter().filter_map(|edge| match edge.condition {
                    Condition::Started => made[edge.on],
                    condition => checks.get(&(edge.on, condition))?.task,
                }));
                made[number] = Some(tasks.add(task, first.iter().copied()));
            }
            proven[number] = made[number];
            for condition in [Condition::Healthy, Condition::Completed] {
                if let Some(check) = checks.get_mut(&(number, condition)) {
                    let task = self.check(number, condition, check.waiting);
                    check.task = task.map(|task| tasks.add(task, made[number]));
                    if condition == Condition::Healthy && rollout.checks(number) {
                        proven[number] = check.task;
                    }
                }
            }
        }
        retire::retire(self, &handover, &proven, &mut tasks);
        tasks.finish()
    }

    /// The task of a member of which a new container is made.
    fn container(
        &mut self,
        number: usize,
        order: UpdateOrder,
        policy: PullPolicy,
        tasks: &mut Tasks,
    ) -> Option<PlannedTask> {
        let spec = self.specs[number].take()?;
        let (host, name) = (self.layout.host(number)?, self.name(number));
        let (action, why, (undo, lasting)) = match &self.verdicts[number] {
            Verdict::Differs(why) => {
                let why = match order {
                    UpdateOrder::StopFirst => why.clone(),
                    UpdateOrder::StartFirst => Cow::Owned(format!("{why}; the new one starts first")),
                };
                let refresh = if policy == PullPolicy::Always { Refresh::IfMoved } else { Refresh::Never };
                (Action::Update { spec, order, refresh }, why, self.back(number, order))
            }
            Verdict::MayHaveMoved => {
                let why = "made anew if its image is another by now".into();
                let (undo, lasting) = self.back(number, order);
                let refresh = Refresh::OnlyIfMoved;
                (Action::Update { spec, order, refresh }, why, (undo, lasting.or(Some(LastingKind::Tag))))
            }
            Verdict::Unchanged | Verdict::Adjustable(_) | Verdict::Absent => {
                let why = match self.seen.named(name).first() {
                    Some(own) if own.container.hosted_on != *host => {
                        Cow::Owned(format!("moves from `{}`", own.container.hosted_on))
                    }
                    _ => match self.renames.former(number) {
                        Some(former) => Cow::Owned(format!("is `{}` under a new name", former.name)),
                        None => Cow::Borrowed("is not there yet"),
                    },
                };
                let undo = Action::Delete { name: spec.name.clone() };
                (Action::Deploy { spec }, why, (Some(undo), None))
            }
        };
        let verb = if matches!(action, Action::Update { .. }) { "update:" } else { "deploy:" };
        Some(task(tasks.id([verb, name]), action, host, why).of_container(name).undone_by(undo).leaving(lasting))
    }

    /// What puts the container that was there in a member's place again, and what that does not bring back.
    fn back(&self, number: usize, order: UpdateOrder) -> (Option<Action>, Option<LastingKind>) {
        let host = self.layout.host(number);
        let old = self.before.zip(host).and_then(|(before, host)| before.container(self.name(number), host));
        let lasting = old.as_ref().and_then(|old| drift(self.there[number], old));
        (old.map(|spec| Action::Update { spec, order, refresh: Refresh::Never }), lasting)
    }

    /// The task that gives a member other settings in place: it stops nothing, so it waits for nothing.
    fn adjustment(&self, number: usize, tasks: &mut Tasks) -> Option<PlannedTask> {
        let (present, wanted) = self.adjusted(number)?;
        let (host, name) = (self.layout.host(number)?, self.name(number));
        let engine_name = self.layout.stack.engine_name(name);
        let (undo, lasting) = match wanted.step_to(&present) {
            LiveStep::Anew(_) => self.back(number, UpdateOrder::StopFirst),
            _ => (Some(Action::Adjust { name: engine_name.clone(), settings: Box::new(present) }), None),
        };
        let why = live::reason(&live::differences(&present, &wanted));
        let action = Action::Adjust { name: engine_name, settings: Box::new(wanted) };
        let id = tasks.id(["adjust:", name]);
        Some(task(id, action, host, why).of_container(name).undone_by(undo).leaving(lasting))
    }

    /// Whether anything of the stack was on a host before, by sight or by the revision that was applied.
    pub(super) fn was_on(&self, host: &HostId) -> bool {
        self.seen.own().iter().any(|own| own.container.hosted_on == *host)
            || self.before.is_some_and(|before| before.layout.places.iter().flatten().any(|(used, _)| *used == host))
    }

    /// Whether something was there before that a new container takes the place of, wherever that was.
    pub(super) fn was_there(&self, number: usize) -> bool {
        let name = self.name(number);
        self.there[number].is_some()
            || self.renames.former(number).is_some()
            || !self.seen.named(name).is_empty()
            || self
                .before
                .is_some_and(|before| before.number(name).is_some_and(|number| before.layout.host(number).is_some()))
    }
}

/// Whether an engine's name is that of a container of the stack; compared in place, for it is asked of everything that is seen.
fn is_engine_name(stack: &Stack, name: &str, engine_name: &str) -> bool {
    engine_name.strip_prefix(&stack.name).and_then(|rest| rest.strip_prefix('-')) == Some(name)
}
