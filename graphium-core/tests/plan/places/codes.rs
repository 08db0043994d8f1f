//! Every code of the planner, provoked by a document.

use super::{document, marked, on_two_hosts, refused};
use graphium_core::{
    diagnostic::{Diagnostic, Severity},
    document::{ReadContext, locate, read},
    id::HostId,
    inventory::Inventory,
    plan::{Applied, CODES, Options, Plan, fixtures::*, plan},
    runtime::label,
    stack::{Condition, Container, Dependency, RestartPolicy, Stack},
};
use std::{collections::BTreeSet, sync::Arc};

/// Where a finding is to be: line, column, pointer, and the text that is marked.
type Place = (u32, u32, &'static str, &'static str);

struct Case {
    code: &'static str,
    severity: Severity,
    document: String,
    /// What of the document a planner finds in an estate.
    provoke: fn(Stack) -> Vec<Diagnostic>,
    /// `None`: the document does not say it.
    place: Option<Place>,
}

fn planned(stack: &Stack, inventory: &Inventory) -> Plan {
    plan(stack, None, inventory, &Options::default()).unwrap()
}

fn warned_on_two_hosts(stack: Stack) -> Vec<Diagnostic> {
    planned(&stack, &hosts(2)).warnings
}

fn changed(stack: &mut Stack, name: &str, change: impl FnOnce(&mut Container)) {
    let container = stack.containers.iter_mut().find(|container| container.name == name).unwrap();
    change(Arc::make_mut(container));
}

/// A revision over one that runs; what runs is changed before.
fn again(stack: Stack, change: impl FnOnce(&mut Stack, &mut Inventory)) -> Result<Plan, Vec<Diagnostic>> {
    let first = planned(&stack, &hosts(2));
    let mut inventory = carried_out(&first, hosts(2));
    let applied = Applied { stack: stack.clone(), placements: first.placements };
    let mut next = stack;
    change(&mut next, &mut inventory);
    plan(&next, Some(&applied), &inventory, &Options::default())
}

fn cases() -> Vec<Case> {
    let error = |code, document, provoke, place| Case { code, severity: Severity::Error, document, provoke, place };
    let warning = |code, document, provoke, place| Case { code, severity: Severity::Warning, document, provoke, place };
    let two = "{'name': 'db', '@id': 'container:db', 'image': 'i',
  'healthCheck': {'type': 'exec', 'command': ['true']}},
{'name': 'web', '@id': 'container:web', 'image': 'i',
  'dependsOn': [{'@id': 'container:db', 'condition': 'healthy'}]}";
    let many: Vec<String> = (0..65)
        .map(|number| {
            format!(
                "{{'name': 'c{number}', 'image': 'i', 'ports': [{{'containerPort': 1, 'hostPort': {}}}]}}",
                2000 + number
            )
        })
        .collect();
    vec![
        error(
            "duplicate-name",
            document("", "{'name': 'web', 'image': 'i', 'replicas': 2},\n{'name': 'web-1', 'image': 'i'}"),
            on_two_hosts,
            Some((5, 43, "/hasPart/1/name", "\"web-1\"")),
        ),
        // What the reader refuses too, a planner finds in stacks that were changed after they were read.
        error(
            "unresolved-reference",
            document("", two),
            |mut stack| {
                stack.containers.retain(|container| container.name != "db");
                on_two_hosts(stack)
            },
            Some((7, 25, "/hasPart/1/dependsOn/0", "\"container:db\"")),
        ),
        error(
            "dependency-cycle",
            document("", "{'name': 'db', 'image': 'i', 'dependsOn': ['web']},\n{'name': 'web', 'image': 'i'}"),
            |mut stack| {
                changed(&mut stack, "web", |web| web.depends_on = vec![on("db")]);
                on_two_hosts(stack)
            },
            Some((4, 77, "/hasPart/0/dependsOn/0", "\"web\"")),
        ),
        error(
            "healthy-without-check",
            document("", two),
            |mut stack| {
                changed(&mut stack, "db", |db| db.health_check = None);
                on_two_hosts(stack)
            },
            Some((7, 25, "/hasPart/1/dependsOn/0", "\"container:db\"")),
        ),
        error(
            "never-completes",
            document("", two),
            |mut stack| {
                changed(&mut stack, "db", |db| db.restart_policy = RestartPolicy::Always);
                let waits = Dependency { container: "db".to_owned(), condition: Condition::Completed };
                changed(&mut stack, "web", |web| web.depends_on = vec![waits]);
                on_two_hosts(stack)
            },
            Some((7, 25, "/hasPart/1/dependsOn/0", "\"container:db\"")),
        ),
        error(
            "too-many-containers",
            document("", "{'name': 'web', 'image': 'i', 'replicas': 100001}"),
            on_two_hosts,
            Some((4, 76, "/hasPart/0/replicas", "100001")),
        ),
        error(
            "start-first-port",
            document(
                r#" "deployment": {"update": {"order": "start-first"}},"#,
                "{'name': 'web', 'image': 'i', 'ports': [{'containerPort': 80},\n {'containerPort': 81, 'hostPort': 8080}]}",
            ),
            on_two_hosts,
            Some((5, 36, "/hasPart/0/ports/1/hostPort", "8080")),
        ),
        error(
            "unknown-host",
            document("", "{'name': 'web', 'image': 'i',\n 'locatedInHost': {'@id': 'host:vm9'}}"),
            on_two_hosts,
            Some((5, 27, "/hasPart/0/locatedInHost", "\"host:vm9\"")),
        ),
        error(
            "host-unsuitable",
            document(
                r#" "deployment": {"hostConstraints": [{"containerName": "web", "targetHost": "vm1", "minMemory": "32G"}]},"#,
                "{'name': 'web', 'image': 'i'}",
            ),
            on_two_hosts,
            Some((2, 155, "/deployment/hostConstraints/0/minMemory", "\"32G\"")),
        ),
        error(
            "host-port-clash",
            document(
                "",
                "{'name': 'web', 'image': 'i', 'locatedInHost': 'vm1', 'ports': [\n{'containerPort': 80, 'hostPort': 80}]}",
            ),
            |stack| {
                let mut inventory = hosts(2);
                inventory.containers.push(foreign("theirs", "vm1", Some(80)));
                refused(&stack, &inventory)
            },
            Some((5, 35, "/hasPart/0/ports/0/hostPort", "80")),
        ),
        error(
            "host-conflict",
            document(
                r#" "deployment": {"mode": "single-host"},"#,
                "{'name': 'db', 'image': 'i', 'locatedInHost': 'vm1'},\n{'name': 'web', 'image': 'i', 'locatedInHost': 'vm2'}",
            ),
            on_two_hosts,
            Some((5, 81, "/hasPart/1/locatedInHost", "\"vm2\"")),
        ),
        error(
            "no-host",
            document(r#" "deployment": {"placementStrategy": "manual"},"#, "{'name': 'web', 'image': 'i'}"),
            on_two_hosts,
            Some((4, 43, "/hasPart/0", "\"web\"")),
        ),
        error(
            "missing-datacenter",
            document(r#" "deployment": {"placementStrategy": "datacenter"},"#, "{'name': 'web', 'image': 'i'}"),
            on_two_hosts,
            Some((2, 97, "/deployment/placementStrategy", "\"datacenter\"")),
        ),
        error(
            "unknown-datacenter",
            document(
                r#" "deployment": {"placementStrategy": "datacenter", "targetDatacenter": "mars"},"#,
                "{'name': 'web', 'image': 'i'}",
            ),
            on_two_hosts,
            Some((2, 131, "/deployment/targetDatacenter", "\"mars\"")),
        ),
        error(
            "no-eligible-host",
            document("", "{'name': 'web', 'image': 'i',\n 'resources': {'reservations': {'memory': '20G'}}}"),
            on_two_hosts,
            Some((5, 43, "/hasPart/0/resources/reservations/memory", "\"20G\"")),
        ),
        error(
            "left-out-dependency",
            document(
                "",
                "{'name': 'db', 'image': 'i', 'locatedInHost': 'vm1'},
{'name': 'web', 'image': 'i', 'locatedInHost': 'vm2', 'dependsOn': ['db']}",
            ),
            |stack| planned(&stack, &hosts(2)).limited_to(&BTreeSet::from([HostId::new("vm2")])).unwrap_err(),
            Some((5, 102, "/hasPart/1/dependsOn/0", "\"db\"")),
        ),
        warning(
            "stack-not-running",
            document(r#" "dependsOn": ["stack:base", {"@id": "tools"}],"#, "{'name': 'web', 'image': 'i'}"),
            |stack| {
                let mut inventory = hosts(2);
                let mut seen = foreign("base-db", "vm1", None);
                seen.labels.insert(label::STACK.to_owned(), "stack:base".to_owned());
                inventory.containers.push(seen);
                planned(&stack, &inventory).warnings
            },
            Some((2, 97, "/dependsOn/1", "\"tools\"")),
        ),
        // What is asked for beside the document is not in it.
        warning(
            "nothing-there",
            document("", "{'name': 'web', 'image': 'i', 'locatedInHost': 'vm1'}"),
            |stack| planned(&stack, &hosts(2)).limited_to(&BTreeSet::from([HostId::new("vm2")])).unwrap().warnings,
            None,
        ),
        warning(
            "unknown-address",
            document(
                "",
                "{'name': 'db', 'image': 'i', 'ports': [{'containerPort': 1, 'hostPort': 5432}]},\n{'name': 'web', 'image': 'i'}",
            ),
            |stack| {
                let mut inventory = hosts(1);
                inventory.hosts[0].ip_address = None;
                planned(&stack, &inventory).warnings
            },
            Some((4, 106, "/hasPart/0/ports/0/hostPort", "5432")),
        ),
        warning(
            "unknown-settings",
            document("", "{'name': 'db', 'image': 'i'},\n{'name': 'web', 'image': 'i'}"),
            |stack| {
                let mut inventory = carried_out(&planned(&stack, &hosts(2)), hosts(2));
                inventory.containers.iter_mut().for_each(|seen| seen.settings = None);
                planned(&stack, &inventory).warnings
            },
            Some((4, 43, "/hasPart/0", "\"db\"")),
        ),
        warning(
            "endpoint-clash",
            document(
                "",
                "{'name': 'a-b', 'image': 'i', 'ports': [{'containerPort': 1, 'hostPort': 1001}]},
{'name': 'a.b', 'image': 'i', 'ports': [{'containerPort': 1, 'hostPort': 1002}]}",
            ),
            warned_on_two_hosts,
            Some((5, 43, "/hasPart/1/name", "\"a.b\"")),
        ),
        warning("many-endpoints", document("", &many.join(",\n")), warned_on_two_hosts, Some((2, 56, "", "\"s\""))),
        warning(
            "no-way-across",
            document(
                "",
                "{'name': 'db', 'image': 'i', 'locatedInHost': 'vm1', 'replicas': 2},
{'name': 'web', 'image': 'i', 'locatedInHost': 'vm2',
  'dependsOn': ['db']}",
            ),
            warned_on_two_hosts,
            Some((6, 17, "/hasPart/1/dependsOn/0", "\"db\"")),
        ),
        warning(
            "volume-kept",
            document(
                "",
                "{'name': 'db', 'image': 'i', 'volumeMounts': [{'type': 'volume', 'source': 'data', 'target': '/d'}],
  'locatedInHost': 'vm1'}",
            ),
            |stack| {
                let move_it = |next: &mut Stack| changed(next, "db", |db| db.host = Some(HostId::new("vm2")));
                again(stack, |next, _| move_it(next)).unwrap().warnings
            },
            Some((5, 20, "/hasPart/0/locatedInHost", "\"vm1\"")),
        ),
        warning(
            "stops-first",
            document(
                r#" "deployment": {"update": {"order": "start-first"}},"#,
                "{'name': 'db', 'image': 'i',
  'volumeMounts': [{'type': 'volume', 'source': 'data', 'target': '/d'}]}",
            ),
            |stack| {
                let change_it = |next: &mut Stack| changed(next, "db", |db| db.image = "i:2".to_owned());
                again(stack, |next, _| change_it(next)).unwrap().warnings
            },
            Some((5, 19, "/hasPart/0/volumeMounts", "[")),
        ),
        // What the document does not have any more, it does not show.
        warning(
            "unknown-host",
            document(
                "",
                "{'name': 'db', 'image': 'i', 'locatedInHost': 'vm1'},\n{'name': 'web', 'image': 'i', 'locatedInHost': 'vm2'}",
            ),
            |stack| {
                let left = |next: &mut Stack, inventory: &mut Inventory| {
                    next.containers.pop();
                    inventory.hosts.pop();
                };
                again(stack, left).unwrap().warnings
            },
            None,
        ),
    ]
}

#[test]
fn every_code_of_the_planner_is_shown_where_the_document_says_it() {
    let mut tried = BTreeSet::new();
    let mut wrong = Vec::new();
    for Case { code, severity, document, provoke, place } in cases() {
        tried.insert((code, severity));
        let found = match read(&document, &ReadContext::default()) {
            Ok(reading) => {
                let mut found = provoke(reading.stack);
                locate(&document, &ReadContext::default(), &mut found);
                found
            }
            // What no inventory can help, the reader has asked the planner itself.
            Err(found) => found,
        };
        let told = found.iter().find(|found| found.code == code && found.severity == severity);
        let told = told.unwrap_or_else(|| panic!("nobody tells `{code}`: {found:?}"));
        let is = (told.line > 0).then(|| (told.line, told.column, told.pointer.as_str(), marked(&document, told)));
        let wanted = place.map(|(line, column, pointer, text)| (line, column, pointer, text.to_owned()));
        if is != wanted {
            wrong.push(format!("{code} ({}): is at {is:?}, not at {wanted:?}", told.message));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let known: BTreeSet<_> = CODES.iter().map(|code| (code.code, code.severity)).collect();
    assert_eq!(tried, known, "each code of the planner has a case here");
}
