//! The way back: what takes a whole plan back, known before its first step.

use super::{
    Plan, PlannedTask,
    lasting::{Lasting, LastingKind},
};
use crate::{
    action::{Action, TaskType},
    id::{HostId, PlanTaskId},
};
use indexmap::{IndexMap, IndexSet};
use serde::{Serialize, Serializer};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// Before the id of a task that is taken back.
const UNDO: &str = "undo:";
/// Before the id of a task whose container gives up its ports, data or place.
const FREE: &str = "free:";

/// What takes a plan back.
///
/// Carried out after the whole plan, the steps leave every host as it was before, except for what is [`lasting`](Self::lasting).
/// As it was means: the same containers of the same definitions, with the same settings, running or not; the same networks,
/// volumes and images. Ids, addresses and exit codes are new, and what a container wrote outside of volumes goes with it.
///
/// It is written as JSON without specifications, so without values of variables.
///
/// # Example
/// ```
/// use graphium_core::plan::{self, Lasting, LastingKind, Options, Undo, UndoStep};
/// use graphium_core::plan::fixtures::{container, hosts, stack};
///
/// let plan = plan::plan(&stack("shop", vec![container("web")]), None, &hosts(1), &Options::default()).unwrap();
/// let undo: Undo = plan.undo();
/// let step: &UndoStep = &undo.steps[0];
/// assert_eq!((step.id.as_str(), step.task.as_str()), ("undo:deploy:web", "deploy:web"));
/// assert!(step.takes_back());
/// assert!(undo.end.starts_with("stack `shop` is gone again from vm1"), "{}", undo.end);
///
/// // An image that was pulled stays, and does no harm.
/// let image: &Lasting = undo.lasting.iter().find(|lasting| lasting.kind == LastingKind::Image).unwrap();
/// assert!(image.kind.is_harmless());
/// assert_eq!(image.subject, "nginx:alpine");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Undo {
    /// In an order in which they can be carried out: each comes after those that it waits for.
    pub steps: Vec<UndoStep>,
    /// What is not as it was before, by the order of the plan.
    pub lasting: Vec<Lasting>,
    /// What is there in the end, in words.
    pub end: String,
}

/// One step of the way back.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UndoStep {
    /// Unique within the undo: `undo:deploy:web`; for one that only makes way for another, `free:deploy:web`.
    pub id: String,
    /// The id of the plan's task that it takes back.
    pub task: PlanTaskId,
    /// What is done; written as its kind and subject.
    #[serde(flatten, serialize_with = "briefly")]
    pub action: Action,
    /// Where.
    pub host: HostId,
    /// The container, by its name within the stack, where there is one.
    pub container: Option<String>,
    /// Ids of the steps that come first.
    pub depends_on: Vec<String>,
}

impl UndoStep {
    /// Whether it takes a task back, and does not only stop a container so that another can have its ports, data or place.
    pub fn takes_back(&self) -> bool {
        self.id.starts_with(UNDO)
    }
}

fn briefly<S: Serializer>(action: &Action, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Brief<'a> {
        action: TaskType,
        subject: &'a str,
    }
    Brief { action: action.task_type(), subject: action.subject() }.serialize(serializer)
}

impl Plan {
    /// What takes this plan back, as a whole.
    ///
    /// The steps go against the order of the plan: what depended on something is taken back before it. Where containers
    /// handed ports, data or their places on, those that took them are stopped first. A step waits until those before it are done; that a
    /// container be healthy is not awaited.
    ///
    /// ```
    /// use graphium_core::{inventory::{Host, Inventory}, plan, stack::Stack};
    ///
    /// let stack: Stack = serde_json::from_str(r#"{
    ///   "@id": "stack:shop", "name": "shop",
    ///   "hasPart": [{"name": "db", "image": "postgres:15"},
    ///               {"name": "web", "image": "nginx:alpine", "dependsOn": [{"container": "db"}]}]
    /// }"#)?;
    /// let inventory = Inventory { hosts: vec![Host::named("vm1".into())], containers: Vec::new() };
    /// let undo = plan::plan(&stack, None, &inventory, &plan::Options::default()).unwrap().undo();
    /// let ids: Vec<_> = undo.steps.iter().map(|step| step.id.as_str()).collect();
    /// assert_eq!(ids, ["undo:deploy:web", "undo:deploy:db", "undo:network:vm1"]);
    /// assert_eq!(undo.steps[1].depends_on, ["undo:deploy:web"]);
    /// let kept: Vec<_> = undo.lasting.iter().map(|lasting| lasting.subject.as_str()).collect();
    /// assert_eq!(kept, ["postgres:15", "nginx:alpine"]);
    /// assert_eq!(undo.end, "stack `shop` is gone again from vm1; kept, and harmless: 2 images");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn undo(&self) -> Undo {
        let mut way = Way::of(self);
        for (number, task) in self.tasks.iter().enumerate().rev() {
            way.back(number, task);
        }
        let steps = way.finish();
        let lasting: Vec<Lasting> = self.tasks.iter().flat_map(PlannedTask::left_behind).collect();
        let end = end(self, &steps, &lasting);
        Undo { steps, lasting, end }
    }
}

/// A container, by its host and its name there.
type Subject<'p> = (&'p HostId, &'p str);

fn subject(task: &PlannedTask) -> Subject<'_> {
    (&task.host, task.action.subject())
}

/// The way back while it is made. Steps are numbered as they are found.
struct Way<'p> {
    numbers: IndexMap<&'p str, usize>,
    steps: Vec<(UndoStep, Vec<usize>)>,
    /// By task: the steps that come before its own.
    first: Vec<Vec<usize>>,
    /// By who gave something up: the steps that stop who took it.
    freed: BTreeMap<Subject<'p>, Vec<usize>>,
    /// What later tasks of the plan replace or remove.
    replaced: IndexSet<Subject<'p>>,
}

impl<'p> Way<'p> {
    fn of(plan: &'p Plan) -> Self {
        let mut way = Self {
            numbers: plan.tasks.iter().enumerate().map(|(number, task)| (task.id.as_str(), number)).collect(),
            steps: Vec::with_capacity(plan.tasks.len()),
            first: vec![Vec::new(); plan.tasks.len()],
            freed: BTreeMap::new(),
            replaced: IndexSet::new(),
        };
        let stops = plan.tasks.iter().filter(|task| matches!(task.action, Action::Stop { .. }));
        let givers: IndexMap<&str, Subject<'_>> = stops.map(|stop| (stop.id.as_str(), subject(stop))).collect();
        if !givers.is_empty() {
            plan.tasks.iter().enumerate().for_each(|(number, task)| way.free(number, task, &givers));
        }
        way
    }

    /// Who took a port, data or a place gives it up before who had it comes back; only a container that starts waits for
    /// another's stop because of that.
    fn free(&mut self, number: usize, task: &'p PlannedTask, givers: &IndexMap<&str, Subject<'p>>) {
        if task.undo.is_none() || !matches!(task.action, Action::Deploy { .. } | Action::Update { .. }) {
            return;
        }
        let given = task.depends_on.iter().filter_map(|id| givers.get(id.as_str()));
        let given: Vec<Subject<'_>> = given.filter(|giver| **giver != subject(task)).copied().collect();
        if given.is_empty() {
            return;
        }
        let stop = Action::Stop { name: task.action.subject().to_owned() };
        let stop = self.step(FREE, task, stop, Vec::new());
        self.first[number].push(stop);
        given.into_iter().for_each(|giver| self.freed.entry(giver).or_default().push(stop));
    }

    fn step(&mut self, prefix: &str, task: &PlannedTask, action: Action, first: Vec<usize>) -> usize {
        let step = UndoStep {
            id: [prefix, task.id.as_str()].concat(),
            task: task.id.clone(),
            action,
            host: task.host.clone(),
            container: task.container.clone(),
            depends_on: Vec::new(),
        };
        self.steps.push((step, first));
        self.steps.len() - 1
    }

    /// Takes one task back, those that depend on it having been seen to.
    fn back(&mut self, number: usize, task: &'p PlannedTask) {
        let mut first = std::mem::take(&mut self.first[number]);
        let made = match (&task.action, &task.undo) {
            // What was stopped to be replaced runs again once that is taken back, or never.
            (Action::Stop { .. }, _) if self.replaced.contains(&subject(task)) => None,
            (_, undo) => undo.clone(),
        };
        if matches!(task.action, Action::Update { .. } | Action::Delete { .. }) {
            self.replaced.insert(subject(task));
        }
        if matches!(made, Some(Action::Deploy { .. } | Action::Update { .. }))
            && let Some(freed) = self.freed.get(&subject(task))
        {
            first.extend(freed);
        }
        first.sort_unstable();
        first.dedup();
        // What has no step of its own hands on what it would have waited for.
        let next = match made {
            Some(action) => vec![self.step(UNDO, task, action, first)],
            None => first,
        };
        for id in &task.depends_on {
            if let Some(&other) = self.numbers.get(id.as_str()) {
                self.first[other].extend(&next);
            }
        }
    }

    fn finish(self) -> Vec<UndoStep> {
        let ids: Vec<String> = self.steps.iter().map(|(step, _)| step.id.clone()).collect();
        let named = |first: Vec<usize>| first.into_iter().map(|number| ids[number].clone()).collect();
        self.steps.into_iter().map(|(step, first)| UndoStep { depends_on: named(first), ..step }).collect()
    }
}

/// What is there in the end.
fn end(plan: &Plan, steps: &[UndoStep], lasting: &[Lasting]) -> String {
    if plan.is_empty() {
        return "nothing is done, so there is nothing to take back".to_owned();
    }
    let hosts: BTreeSet<&str> = steps.iter().map(|step| step.host.as_str()).collect();
    let hosts = some_of(hosts.into_iter().map(str::to_owned));
    let stack = &plan.stack_name;
    let are = |is: fn(&Action) -> bool| plan.tasks.iter().all(|task| is(&task.action));
    let changed: BTreeSet<(&str, &HostId)> = lasting
        .iter()
        .filter(|lasting| !lasting.kind.is_harmless())
        .map(|lasting| (lasting.subject.as_str(), &lasting.host))
        .collect();
    let mut end = if steps.is_empty() {
        "nothing of this plan can be taken back".to_owned()
    } else if plan.unchanged.is_empty()
        && are(|action| {
            matches!(
                action.task_type(),
                TaskType::Pull | TaskType::Network | TaskType::Volume | TaskType::Deploy | TaskType::Check
            )
        })
    {
        format!("stack `{stack}` is gone again from {hosts}")
    } else if are(|action| matches!(action.task_type(), TaskType::Start | TaskType::Check)) {
        format!("stack `{stack}` is stopped again on {hosts}")
    } else if are(|action| matches!(action.task_type(), TaskType::Stop | TaskType::Start | TaskType::Check)) {
        format!("stack `{stack}` runs again on {hosts}")
    } else if changed.is_empty() {
        format!("stack `{stack}` runs again as before this plan on {hosts}")
    } else {
        format!("stack `{stack}` is put back on {hosts} as far as can be")
    };
    if !changed.is_empty() {
        let changed = some_of(changed.into_iter().map(|(subject, host)| format!("`{subject}` on {host}")));
        // Writing to a string cannot fail.
        let _ = write!(end, "; these stay changed: {changed}");
    }
    let kept = |kind, one: &str| {
        let count = lasting.iter().filter(|lasting| lasting.kind == kind).count();
        (count > 0).then(|| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") })
    };
    let kept =
        [kept(LastingKind::Image, "image"), kept(LastingKind::Network, "network"), kept(LastingKind::Volume, "volume")];
    let kept: Vec<String> = kept.into_iter().flatten().collect();
    if !kept.is_empty() {
        let _ = write!(end, "; kept, and harmless: {}", kept.join(", "));
    }
    end
}

/// The first few.
fn some_of(names: impl ExactSizeIterator<Item = String>) -> String {
    const SHOWN: usize = 5;
    let more = names.len().saturating_sub(SHOWN);
    let shown: Vec<String> = names.take(SHOWN).collect();
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}
