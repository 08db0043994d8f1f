//! Every property that a finding can be about, in every profile; and what has no place.

use super::{document, marked, on_two_hosts};
use graphium_core::{
    diagnostic::{Diagnostic, Property, Subject},
    document::{ReadContext, locate, read},
    stack::Protocol,
};
use std::collections::BTreeSet;

/// Every property in each profile, with the text that is marked: a document in canonical, older and general spelling.
const NATIVE: &str = r#"{"@context": "https://graphium.io/context/v1.jsonld", "@graph": [
{"@type": "datacenter:Host", "@id": "host:vm1"},
{"@type": "datacenter:Stack", "@id": "stack:s", "name": "shop", "dependsOn": [{"@id": "base"}], "hasPart": ["container:db", {"@id": "container:web"}],
 "deployment": {"mode": "single-host", "placementStrategy": "spread", "targetDatacenter": {"@id": "dc1"},
   "maxInstancesPerHost": 7, "hostConstraints": [{"containerName": "container:web", "minCpu": 2.5},
   {"containerName": "web", "targetHost": "vm1", "minMemory": "3G", "requiredDatacenter": "dc2", "labels": {"disk": "ssd"}}]}},
{"@type": "datacenter:Container", "@id": "container:web", "name": "${WEB}", "image": "i", "replicas": 4, "runtime": "runsc",
 "ports": [{"containerPort": 80, "hostPort": 53}, {"containerPort": 80, "hostPort": 53, "protocol": "udp"}, {"containerPort": 80, "hostPort": 8081}],
 "dependsOn": ["container:db"], "requirements": {"labels": {"zone": "z1"}},
 "resources": {"reservations": {"cpus": 1.25, "memory": "64M"}}},
{"@type": "datacenter:Container", "@id": "container:db", "name": "db", "image": "i", "locatedInHost": "vm8"}]}"#;

const OLDER: &str = r#"{"@context": "https://schema.org", "@type": "ItemList", "name": "shop", "dependsOn": {"name": "base"}, "hostedOn": {"@id": "host:vm1"},
"deployment": {"mode": "singlehost", "strategy": "spread", "targetDatacenter": "dc1", "maxInstancesPerHost": 7,
  "hostConstraints": [{"containerName": "Web Front", "minCPU": 2.5, "minMemory": "3G", "requiredDatacenter": "dc2", "requiredLabels": {"disk": "ssd"}}]},
"itemListElement": [
{"@type": "SoftwareApplication", "position": 2, "name": "Web Front", "executableName": "i", "replicas": 4, "runtime": "runsc", "dependsOn": "DB",
 "containerPort": [{"portNumber": 80, "hostPort": 53},
   {"@type": "PropertyValue", "name": "p", "value": "80", "description": "8081:80"}, {"portNumber": 80, "hostPort": 53, "protocol": "UDP"}],
 "resourceRequirements": {"minCPU": 1.25, "minMemory": "64M", "requiredLabels": {"zone": "z1"}}},
{"@type": "SoftwareApplication", "position": 1, "name": "DB", "image": "i", "hostedOn": "vm8"}]}"#;

const GENERAL: &str = r#"{"@context": {"g": "https://graphium.io/vocab/stack#", "dc": "https://graphium.io/vocab/datacenter#",
  "s": "http://schema.org/", "id": "@id", "kind": "@type", "called": "s:name", "home": {"@id": "dc:locatedInHost", "@type": "@id"},
  "target": {"@id": "g:targetHost", "@type": "@id"}, "center": {"@id": "g:requiredDatacenter", "@type": "@id"},
  "pieces": {"@id": "s:hasPart", "@type": "@id"}, "needs": {"@id": "g:dependsOn", "@type": "@id"},
  "marks": {"@id": "g:labels", "@type": "@json"}}, "@graph": [
{"kind": "dc:Stack", "id": "stack:s", "called": "shop", "needs": "base", "pieces": ["container:db", "container:web"],
 "g:deployment": {"g:mode": "single-host", "g:placementStrategy": "spread", "g:targetDatacenter": {"id": "dc1"},
  "g:maxInstancesPerHost": 7, "g:hostConstraints": [{"g:containerName": "web", "target": "vm1",
   "g:minCpu": 2.5, "g:minMemory": "3G", "center": "dc2", "marks": {"disk": "ssd"}}]}},
{"kind": "dc:Container", "id": "container:web", "called": "web", "g:image": "i", "g:replicas": 4, "g:runtime": "runsc",
 "g:ports": [{"g:containerPort": 80, "g:hostPort": 53},
  {"g:containerPort": 80, "g:hostPort": 53, "g:protocol": "udp"}, {"g:containerPort": 80, "g:hostPort": 8081}],
 "needs": ["container:db"], "g:requirements": {"marks": {"zone": "z1"}},
 "g:resources": {"g:reservations": {"g:cpus": 1.25, "g:memory": "64M"}}},
{"kind": "dc:Container", "id": "container:db", "called": "db", "g:image": "i", "home": "vm8"}]}"#;

/// The number of a property in the table below; a new one without a row does not compile, or is missed by the test.
fn number(property: &Property) -> usize {
    match property {
        Property::Name => 0,
        Property::Host => 1,
        Property::Port { .. } => 2,
        Property::Dependency { .. } => 3,
        Property::Replicas => 4,
        Property::ReservedMemory => 5,
        Property::ReservedProcessors => 6,
        Property::MinMemory => 7,
        Property::MinProcessors => 8,
        Property::RequiredDatacenter => 9,
        Property::HostLabel { .. } => 10,
        Property::Mode => 11,
        Property::PlacementStrategy => 12,
        Property::TargetDatacenter => 13,
        Property::MaxInstances => 14,
        Property::StackDependency { .. } => 15,
        Property::Setting { .. } => 16,
    }
}

/// What is shown of a subject: line and text in the three documents, and the pointer in the first.
type Shown = (Subject, [(u32, &'static str); 3], &'static str);

fn shown() -> Vec<Shown> {
    let (web, db) = (|| Subject::container("web"), || Subject::container("db"));
    let port = |number, protocol| web().property(Property::Port { number, protocol });
    let label = |key: &str| web().property(Property::HostLabel { key: key.to_owned() });
    vec![
        (Subject::stack(), [(3, "\"shop\""), (1, "\"shop\""), (6, "\"shop\"")], "/@graph/1"),
        (
            Subject::stack().property(Property::Name),
            [(3, "\"shop\""), (1, "\"shop\""), (6, "\"shop\"")],
            "/@graph/1/name",
        ),
        (web(), [(7, "\"${WEB}\""), (5, "\"Web Front\""), (10, "\"web\"")], "/@graph/2"),
        (web().property(Property::Name), [(7, "\"${WEB}\""), (5, "\"Web Front\""), (10, "\"web\"")], "/@graph/2/name"),
        // A replica is where its container is.
        (Subject::container("web-3"), [(7, "\"${WEB}\""), (5, "\"Web Front\""), (10, "\"web\"")], "/@graph/2"),
        (
            web().property(Property::Host),
            [(6, "\"vm1\""), (1, "\"host:vm1\""), (8, "\"vm1\"")],
            "/@graph/1/deployment/hostConstraints/1/targetHost",
        ),
        (db().property(Property::Host), [(11, "\"vm8\""), (9, "\"vm8\""), (15, "\"vm8\"")], "/@graph/3/locatedInHost"),
        (port(8081, Protocol::Tcp), [(8, "8081"), (7, "\"8081:80\""), (12, "8081")], "/@graph/2/ports/2/hostPort"),
        (port(53, Protocol::Tcp), [(8, "53"), (6, "53"), (11, "53")], "/@graph/2/ports/0/hostPort"),
        (port(53, Protocol::Udp), [(8, "53"), (7, "53"), (12, "53")], "/@graph/2/ports/1/hostPort"),
        (
            web().property(Property::Dependency { on: "db".to_owned() }),
            [(9, "\"container:db\""), (5, "\"DB\""), (13, "\"container:db\"")],
            "/@graph/2/dependsOn/0",
        ),
        (
            web().property(Property::Setting { key: "runtime".to_owned() }),
            [(7, "\"runsc\""), (5, "\"runsc\""), (10, "\"runsc\"")],
            "/@graph/2/runtime",
        ),
        (web().property(Property::Replicas), [(7, "4"), (5, "4"), (10, "4")], "/@graph/2/replicas"),
        (
            web().property(Property::ReservedMemory),
            [(10, "\"64M\""), (8, "\"64M\""), (14, "\"64M\"")],
            "/@graph/2/resources/reservations/memory",
        ),
        (
            web().property(Property::ReservedProcessors),
            [(10, "1.25"), (8, "1.25"), (14, "1.25")],
            "/@graph/2/resources/reservations/cpus",
        ),
        (
            web().property(Property::MinMemory),
            [(6, "\"3G\""), (3, "\"3G\""), (9, "\"3G\"")],
            "/@graph/1/deployment/hostConstraints/1/minMemory",
        ),
        (
            web().property(Property::MinProcessors),
            [(5, "2.5"), (3, "2.5"), (9, "2.5")],
            "/@graph/1/deployment/hostConstraints/0/minCpu",
        ),
        (
            web().property(Property::RequiredDatacenter),
            [(6, "\"dc2\""), (3, "\"dc2\""), (9, "\"dc2\"")],
            "/@graph/1/deployment/hostConstraints/1/requiredDatacenter",
        ),
        (
            label("disk"),
            [(6, "\"ssd\""), (3, "\"ssd\""), (9, "\"ssd\"")],
            "/@graph/1/deployment/hostConstraints/1/labels/disk",
        ),
        (label("zone"), [(9, "\"z1\""), (8, "\"z1\""), (13, "\"z1\"")], "/@graph/2/requirements/labels/zone"),
        // What is not written is where its container is.
        (db().property(Property::Replicas), [(11, "\"db\""), (9, "\"DB\""), (15, "\"db\"")], "/@graph/3"),
        (
            web().property(Property::Mode),
            [(4, "\"single-host\""), (2, "\"singlehost\""), (7, "\"single-host\"")],
            "/@graph/1/deployment/mode",
        ),
        (
            web().property(Property::PlacementStrategy),
            [(4, "\"spread\""), (2, "\"spread\""), (7, "\"spread\"")],
            "/@graph/1/deployment/placementStrategy",
        ),
        (
            web().property(Property::TargetDatacenter),
            [(4, "\"dc1\""), (2, "\"dc1\""), (7, "\"dc1\"")],
            "/@graph/1/deployment/targetDatacenter",
        ),
        (
            Subject::stack().property(Property::StackDependency { on: "base".to_owned() }),
            [(3, "\"base\""), (1, "{"), (6, "\"base\"")],
            "/@graph/1/dependsOn/0",
        ),
        (
            web().property(Property::MaxInstances),
            [(5, "7"), (2, "7"), (8, "7")],
            "/@graph/1/deployment/maxInstancesPerHost",
        ),
    ]
}

/// The finding about a subject, as it is after it was looked for.
fn located(source: &str, subject: &Subject) -> Diagnostic {
    let variables = |name: &str| (name == "WEB").then(|| "web".to_owned());
    let mut found = [Diagnostic::error("x", "", "").about(subject.clone())];
    locate(source, &ReadContext::new(&variables), &mut found);
    let [found] = found;
    found
}

#[test]
fn every_property_is_found_in_every_profile() {
    let mut wrong = Vec::new();
    let mut tried = BTreeSet::new();
    let older_web = |name: &mut String| *name = name.replace("web", "web-front");
    for (subject, places, pointer) in shown() {
        tried.extend(subject.property.as_ref().map(number));
        let found = located(NATIVE, &subject);
        if found.pointer != pointer {
            wrong.push(format!("{subject}: is at {}, not at {pointer}", found.pointer));
        }
        for (profile, source) in [NATIVE, OLDER, GENERAL].into_iter().enumerate() {
            let mut subject = subject.clone();
            match profile {
                // Its name has a space and is used without.
                1 => subject.container.iter_mut().for_each(older_web),
                2 if cfg!(not(feature = "json-ld")) => continue,
                _ => {}
            }
            let found = located(source, &subject);
            let is = (found.line, if found.line > 0 { marked(source, &found) } else { String::new() });
            if (is.0, is.1.as_str()) != places[profile] {
                wrong.push(format!("{subject} in profile {profile}: is at {is:?}, not at {:?}", places[profile]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(tried, (0..=16).collect(), "each property has a row");
}

#[test]
fn what_has_a_place_or_none_at_all_stays_as_it_is() {
    let web = Subject::container("web");
    let placed = Diagnostic { line: 9, column: 9, ..Diagnostic::error("x", "/a", "").about(web.clone()) };
    let mut found = [placed, Diagnostic::error("x", "", "")];
    let before = found.clone();
    locate(document("", "{'name': 'web', 'image': 'i'}"), &ReadContext::default(), &mut found);
    assert_eq!(found, before);
    // What is no document, or not one any more, has no places; it takes nobody his finding.
    for source in ["", "{", "[]", "{}", "\u{feff}", "{\"@context\": {\"a\": 1}}", "{\"stackDefinition\": 7}"] {
        let found = located(source, &web);
        assert_eq!((found.line, found.pointer.as_str()), (0, ""), "{source}");
    }
    // A name that the document does not have is the stack's affair.
    assert_eq!(located(NATIVE, &Subject::container("cache")).pointer, "/@graph/1");
}

#[test]
fn in_a_request_the_places_are_those_of_the_request() {
    let request = format!("{{\"timeout\": 60,\n\"stackDefinition\":\n{NATIVE}}}");
    let found = located(&request, &Subject::container("web").property(Property::Replicas));
    assert_eq!((found.line, found.pointer.as_str()), (9, "/stackDefinition/@graph/2/replicas"));
}

#[test]
fn where_a_change_helps_the_finding_is_where_the_change_is_to_be_made() {
    let source = document(
        r#" "deployment": {"maxInstancesPerHost": 1},"#,
        "{'name': 'a', 'image': 'i'},\n{'name': 'b', 'image': 'i'},\n{'name': 'c', 'image': 'i', 'resources': {'reservations': {'cpus': 2}}}",
    );
    let stack = read(&source, &ReadContext::default()).unwrap().stack;
    let mut found = on_two_hosts(stack);
    locate(&source, &ReadContext::default(), &mut found);
    assert_eq!((found.len(), marked(&source, &found[0]).as_str()), (1, "1"), "{found:?}");
    assert_eq!(found[0].pointer, "/deployment/maxInstancesPerHost");
    assert_eq!(found[0].subject.as_ref().unwrap().container.as_deref(), Some("c"));
}
