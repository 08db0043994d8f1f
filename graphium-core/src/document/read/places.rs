//! Where a document says what a subject is about: the reader's own way through it, for those who ask later.

use super::super::{ReadContext, findings::Findings, findings::Place, node::Node, object::Object, schema};
use super::super::{profile::Context, reader::Reader};
use crate::{
    diagnostic::{Property, Subject},
    stack::Protocol,
};
use std::collections::HashMap;

/// The places of some subjects, one for each; a property that is not written is where its container is, and that
/// where the stack is.
pub(in super::super) fn places(
    context: Context,
    root: Node<'_>,
    environment: &ReadContext<'_>,
    subjects: &[&Subject],
) -> Vec<Option<Place>> {
    let top = root.get("stackDefinition").unwrap_or(root);
    let (findings, tops) = (Findings::default(), vec![root.index(), top.index()]);
    let mut reader = Reader::new(context, environment, findings, tops);
    let sites = Sites::of(&mut reader, top);
    subjects.iter().map(|subject| Some(sites.as_ref()?.place(&mut reader, subject))).collect()
}

/// The parts of a document that subjects are about.
struct Sites<'d> {
    stack: Object<'d>,
    /// The stack's name.
    name: String,
    containers: HashMap<String, Node<'d>>,
    deployment: Option<Object<'d>>,
    /// What containers ask of their hosts, each with the word for the container.
    constraints: Vec<(String, Object<'d>)>,
}

/// A container that is asked about.
struct Asked<'d> {
    object: Object<'d>,
    /// Everything that it may be called.
    words: Vec<String>,
}

impl<'d> Sites<'d> {
    fn of(reader: &mut Reader<'_>, top: Node<'d>) -> Option<Self> {
        let graph = reader.graph(top);
        let stack = reader.object(*graph.stacks.first()?, &schema::STACK)?;
        let name = reader.name(&stack, "stack").map(|(_, name)| name).unwrap_or_default();
        let mut containers = HashMap::new();
        for part in reader.parts(&stack, &graph, &mut Vec::new()) {
            let object = reader.object(part, &schema::CONTAINER);
            if let Some((_, name)) = object.and_then(|object| reader.name(&object, "container")) {
                containers.entry(name).or_insert(part);
            }
        }
        let deployment = stack.get("deployment").and_then(|node| reader.object(node, &schema::DEPLOYMENT));
        let nodes = deployment.iter().flat_map(|deployment| deployment.all("hostConstraints"));
        let nodes: Vec<Node<'d>> = nodes.flat_map(|member| member.value.items()).collect();
        let constraints = nodes.into_iter().filter_map(|node| {
            let constraint = reader.object(node, &schema::HOST_CONSTRAINT)?;
            Some((reader.text_of(&constraint, "containerName")?, constraint))
        });
        let constraints = constraints.collect();
        Some(Self { stack, name, containers, deployment, constraints })
    }

    fn place(&self, reader: &mut Reader<'_>, subject: &Subject) -> Place {
        let asked = subject.container.as_deref().and_then(|name| self.asked(reader, name));
        let exact = subject.property.as_ref().and_then(|property| self.property(reader, asked.as_ref(), property));
        exact.unwrap_or_else(|| whole(asked.as_ref().map_or(&self.stack, |asked| &asked.object)))
    }

    fn asked(&self, reader: &mut Reader<'_>, name: &str) -> Option<Asked<'d>> {
        // A replica stands where its container does.
        let counted = || name.rsplit_once('-').filter(|(_, number)| number.bytes().all(|byte| byte.is_ascii_digit()));
        let node = self.containers.get(name).or_else(|| self.containers.get(counted()?.0))?;
        let object = reader.object(*node, &schema::CONTAINER)?;
        let (written, name) = reader.name(&object, "container")?;
        let id = reader.container_identity(&object, &name, &self.name);
        Some(Asked { object, words: [written, name].into_iter().chain(id).collect() })
    }

    fn property(&self, reader: &mut Reader<'_>, asked: Option<&Asked<'d>>, property: &Property) -> Option<Place> {
        let object = asked.map(|asked| &asked.object);
        match property {
            Property::Name => object.unwrap_or(&self.stack).get("name").map(Place::from),
            Property::Host => {
                let own = object.and_then(|object| object.get("locatedInHost"));
                let constrained = || self.constrained(asked?, "targetHost");
                own.or_else(constrained).or_else(|| self.stack.get("locatedInHost")).map(shown)
            }
            Property::Port { number, protocol } => port(reader, object?, *number, *protocol),
            Property::Dependency { on } => {
                let on = self.asked(reader, on)?;
                let waits = reader.waits(object?);
                waits.into_iter().find(|wait| on.is_called(&wait.on)).map(|wait| shown(wait.node))
            }
            Property::StackDependency { on } => {
                let mut nodes = self.stack.all("dependsOn").flat_map(|member| member.value.items());
                nodes.find(|node| reader.outside_name(*node).as_ref() == Some(on)).map(shown)
            }
            Property::Replicas => object?.get("replicas").map(Place::from),
            Property::ReservedMemory => reserved(reader, object?, "memory", "minMemory"),
            Property::ReservedProcessors => reserved(reader, object?, "cpus", "minCPU"),
            Property::MinMemory => self.constrained(asked?, "minMemory").map(Place::from),
            Property::MinProcessors => self.constrained(asked?, "minCpu").map(Place::from),
            Property::RequiredDatacenter => self.constrained(asked?, "requiredDatacenter").map(shown),
            Property::Setting { key } => object.unwrap_or(&self.stack).get(key).map(Place::from),
            Property::HostLabel { key } => self.host_label(reader, asked?, key),
            Property::Mode => self.deployment("mode"),
            Property::PlacementStrategy => self.deployment("placementStrategy"),
            Property::TargetDatacenter => self.deployment("targetDatacenter"),
            Property::MaxInstances => self.deployment("maxInstancesPerHost"),
        }
    }

    fn deployment(&self, name: &str) -> Option<Place> {
        self.deployment.as_ref()?.get(name).map(shown)
    }

    fn constraints(&self, asked: &Asked<'_>) -> impl Iterator<Item = &Object<'d>> {
        self.constraints.iter().filter(|(word, _)| asked.is_called(word)).map(|(_, constraint)| constraint)
    }

    /// The first constraint of a container that says something has it.
    fn constrained(&self, asked: &Asked<'_>, name: &str) -> Option<Node<'d>> {
        self.constraints(asked).find_map(|constraint| constraint.get(name))
    }

    fn host_label(&self, reader: &mut Reader<'_>, asked: &Asked<'d>, key: &str) -> Option<Place> {
        let constrained = self.constraints(asked).flat_map(|constraint| constraint.all("labels"));
        let mut maps: Vec<Node<'d>> = constrained.map(|member| member.value).collect();
        let own = [
            ("requirements", &schema::REQUIREMENTS, "labels"),
            ("resourceRequirements", &schema::RESOURCE_REQUIREMENTS, "requiredLabels"),
        ];
        for (name, place, labels) in own {
            let object = asked.object.get(name).and_then(|node| reader.object(node, place));
            maps.extend(object.iter().filter_map(|object| object.get(labels)));
        }
        maps.into_iter().find_map(|map| map.get(key)).map(Place::from)
    }
}

impl Asked<'_> {
    fn is_called(&self, word: &str) -> bool {
        self.words.iter().any(|own| own == word)
    }
}

/// A port is where its number on the host is.
fn port(reader: &mut Reader<'_>, object: &Object<'_>, number: u16, protocol: Protocol) -> Option<Place> {
    let mut nodes = object.all("ports").flat_map(|member| member.value.items());
    let is_it = |node: &Node<'_>| {
        reader.port_item(*node).iter().any(|port| port.host_port == Some(number) && port.protocol == protocol)
    };
    let node = nodes.find(is_it)?;
    // An older port has both numbers in its description.
    let older = node.get("description").filter(|_| node.get("value").is_some());
    let at = older.or_else(|| reader.object(node, &schema::PORT)?.get("hostPort"));
    Some(at.unwrap_or(node).into())
}

/// A reservation, as the stack or as schema.org calls it.
fn reserved<'d>(reader: &mut Reader<'_>, object: &Object<'d>, name: &str, older: &str) -> Option<Place> {
    let mut below = |object: &Object<'d>, name, place| reader.object(object.get(name)?, place);
    // The older key is read last, so that it is the one that counts.
    let requirements = below(object, "resourceRequirements", &schema::RESOURCE_REQUIREMENTS);
    if let Some(node) = requirements.and_then(|requirements| requirements.get(older)) {
        return Some(node.into());
    }
    let resources = below(object, "resources", &schema::RESOURCES)?;
    below(&resources, "reservations", &schema::RESERVATIONS)?.get(name).map(Place::from)
}

/// A reference is shown by what it names.
fn shown(node: Node<'_>) -> Place {
    Place::shown_by(node, node.get("@id"))
}

/// A stack or container is shown by its name.
fn whole(object: &Object<'_>) -> Place {
    Place::shown_by(object.node, object.get("name"))
}
