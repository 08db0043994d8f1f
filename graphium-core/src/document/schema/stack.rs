//! The stack and what stands beside its containers.

use super::{
    Choice, Form, Kind, Needs, POSITIVE, Place, Shape, compose, container::CONTAINER, field, legacy, needed, older,
    refused, spelt, word,
};

/// The document itself.
pub(in super::super) static DOCUMENT: Place = Place {
    what: "a document with `@graph`",
    fields: &[
        needed("@context", Kind::Structure, "The context of the document"),
        needed(
            "@graph",
            Kind::Structure,
            "The nodes: one stack, and the hosts, racks and datacenters that the document describes",
        ),
        field("@id", Kind::Structure, "The identity of the graph"),
    ],
    needs: Needs::Nothing,
    aliases: &[],
    advice: &[],
};

const ON_DRIFT: &[Choice] = &[word("repair"), word("report"), word("accept")];

/// A request that carries a document.
pub(in super::super) static ENVELOPE: Place = Place {
    what: "a deployment request",
    fields: &[
        needed("stackDefinition", Kind::Structure, "The document of the stack"),
        field("timeout", Kind::Duration, "How long the deployment may take"),
        field("rollbackOnError", Kind::Flag, "Whether a failure takes the stack back to where it was"),
        field("onDrift", Kind::Choice(ON_DRIFT), "What follows when a container does not run that should"),
        field(
            "rescheduleAfter",
            Kind::Duration,
            "How long after a host has gone offline what ran there is placed elsewhere; 0 is never",
        ),
        field("pullImages", Kind::Flag, "Whether images are pulled even where a host has them"),
        field("@context", Kind::Structure, "The context of the document"),
    ],
    needs: Needs::Nothing,
    aliases: &[],
    advice: &[],
};

/// A stack.
pub(in super::super) static STACK: Place = Place {
    what: "a stack",
    fields: &[
        field("@id", Kind::Text, "Its identity, as in `stack:shop`; made of its name where it is left out"),
        needed("@type", Kind::Structure, "`datacenter:Stack`"),
        needed(
            "name",
            Kind::Shaped(Shape::Name),
            "Its name, part of every name that it gives to an engine: lower-case letters, digits, `-`, `_`, `.`",
        ),
        field("description", Kind::Text, "For people"),
        field("labels", Kind::TextMap, "Labels of everything that the stack makes"),
        field("locatedInHost", Kind::Reference, "The host of every container that names none"),
        field("network", Kind::Object(&NETWORK), "Its network; each host that runs a part of it has one"),
        needed("hasPart", Kind::List(&CONTAINER), "Its containers"),
        field("deployment", Kind::Object(&DEPLOYMENT), "How it is placed and updated"),
        field(
            "dependsOn",
            Kind::Forms(Form::Names),
            "Stacks that run before this one: a plan warns where nothing of one is seen to run",
        ),
        field("volumes", Kind::List(&VOLUME), "Volumes that need more than a name"),
        field("secrets", Kind::Forms(Form::Names), "The secrets that its containers may ask for"),
        field("applicationCategory", Kind::Text, "For people"),
        field("softwareVersion", Kind::Text, "For people"),
    ],
    needs: Needs::Nothing,
    aliases: &[
        legacy("itemListElement", "hasPart"),
        legacy("hostedOn", "locatedInHost"),
        compose("services", "hasPart"),
        compose("containers", "hasPart"),
        compose("networks", "network"),
        compose("depends_on", "dependsOn"),
    ],
    advice: &[
        ("numberOfItems", "leave it out; the list says how many there are"),
        ("version", "leave it out, or say `softwareVersion`"),
        ("configs", "mount a file with `volumeMounts`, or set `environment`"),
    ],
};

/// An entry of an `ItemList` that wraps its container.
pub(in super::super) static LIST_ITEM: Place = Place {
    what: "a list item",
    fields: &[
        field("@id", Kind::Structure, "Its identity"),
        field("@type", Kind::Structure, "What it is beside what its key says"),
        field("position", Kind::Structure, "Its place in the list"),
        field("item", Kind::Object(&CONTAINER), "The container"),
    ],
    needs: Needs::Nothing,
    aliases: &[],
    advice: &[],
};

/// A reference to something with an `@id`.
pub(in super::super) static REFERENCE: Place = Place {
    what: "a reference",
    fields: &[
        needed("@id", Kind::Text, "The identity of what is referred to"),
        field("@type", Kind::Structure, "What it is beside what its key says"),
    ],
    needs: Needs::Nothing,
    aliases: &[legacy("name", "@id")],
    advice: &[],
};

/// Something outside of the document that is named.
pub(in super::super) static NAMED: Place = Place {
    what: "a name",
    fields: &[
        field("@id", Kind::Structure, "Its identity"),
        field("@type", Kind::Structure, "What it is beside what its key says"),
        needed("name", Kind::Text, "Its name"),
    ],
    needs: Needs::Nothing,
    aliases: &[],
    advice: &[],
};

/// A network.
pub(in super::super) static NETWORK: Place = Place {
    what: "a network",
    fields: &[
        field("@id", Kind::Structure, "Its identity"),
        field("@type", Kind::Structure, "What it is beside what its key says"),
        field("name", Kind::Text, "Its name on the engine; that of the stack where it is left out"),
        field("driver", Kind::Text, "The driver of the engine; `bridge` where it is left out"),
        field("subnet", Kind::Shaped(Shape::Range), "Range of addresses, as in `172.20.0.0/16`"),
        field("gateway", Kind::Shaped(Shape::Address), "Address of the gateway within the subnet"),
        field("ipRange", Kind::Shaped(Shape::Range), "The part of the subnet that containers get addresses of"),
        field("internal", Kind::Flag, "Without a way out of the host"),
        field("external", Kind::Flag, "It exists already, and is neither made nor removed"),
        field("labels", Kind::TextMap, "Labels of the network"),
        field("options", Kind::TextMap, "Options of the driver"),
        older("createIfNotExists", Kind::Flag, "external", "The opposite of `external`"),
    ],
    needs: Needs::Nothing,
    aliases: &[
        legacy("driverOpts", "options"),
        compose("driver_opts", "options"),
        compose("ip_range", "ipRange"),
        compose("ipam", "subnet"),
    ],
    advice: &[("attachable", "leave it out; the networks of a stack are bridges")],
};

/// A named volume.
pub(in super::super) static VOLUME: Place = Place {
    what: "a volume",
    fields: &[
        field("@id", Kind::Structure, "Its identity"),
        field("@type", Kind::Structure, "What it is beside what its key says"),
        needed("name", Kind::Text, "Its name, as mounts have it"),
        field("driver", Kind::Text, "Driver of the volume"),
        field("driverOpts", Kind::TextMap, "Options of the driver"),
        field("labels", Kind::TextMap, "Labels of the volume"),
        field("external", Kind::Flag, "It exists already, and is neither made nor removed"),
    ],
    needs: Needs::Nothing,
    aliases: &[compose("driver_opts", "driverOpts")],
    advice: &[],
};

const NETWORK_MODES: &[Choice] = &[spelt("host-port", &["hostport"]), refused("overlay")];
const MODES: &[Choice] = &[spelt("multi-host", &["multihost"]), spelt("single-host", &["singlehost"])];
const STRATEGIES: &[Choice] = &[word("manual"), word("spread"), word("datacenter"), word("auto")];

/// How a stack is placed and updated.
pub(in super::super) static DEPLOYMENT: Place = Place {
    what: "a deployment",
    fields: &[
        field("@id", Kind::Structure, "Its identity"),
        field("@type", Kind::Structure, "What it is beside what its key says"),
        field("mode", Kind::Choice(MODES), "One host for all, or several; `multi-host` where it is left out"),
        field("placementStrategy", Kind::Choice(STRATEGIES), "How a host is chosen for a container that names none"),
        field("targetDatacenter", Kind::Reference, "The datacenter for the strategy `datacenter`"),
        field(
            "networkMode",
            Kind::Choice(NETWORK_MODES),
            "How containers on different hosts reach each other: through published ports",
        ),
        field("maxInstancesPerHost", POSITIVE, "At most so many containers of the stack on one host"),
        field("hostConstraints", Kind::List(&HOST_CONSTRAINT), "What containers ask of their hosts"),
        field("update", Kind::Object(&UPDATE), "How changes are rolled out"),
    ],
    needs: Needs::Nothing,
    aliases: &[legacy("strategy", "placementStrategy"), compose("update_config", "update")],
    advice: &[],
};

/// What a container asks of its host, given beside the containers.
pub(in super::super) static HOST_CONSTRAINT: Place = Place {
    what: "a host constraint",
    fields: &[
        field("@id", Kind::Structure, "Its identity"),
        field("@type", Kind::Structure, "What it is beside what its key says"),
        needed("containerName", Kind::Text, "Which container"),
        field("targetHost", Kind::Reference, "This host and no other"),
        field("requiredDatacenter", Kind::Reference, "A host of this datacenter"),
        field("minCpu", Kind::Number, "A host with at least so many processors"),
        field("minMemory", Kind::Size, "A host with at least so much memory"),
        field("labels", Kind::TextMap, "A host with these labels"),
    ],
    needs: Needs::Nothing,
    aliases: &[legacy("minCPU", "minCpu"), legacy("requiredLabels", "labels")],
    advice: &[],
};

const ORDERS: &[Choice] = &[word("stop-first"), word("start-first")];
const ON_FAILURE: &[Choice] = &[word("rollback"), word("pause")];

/// How changes are rolled out.
pub(in super::super) static UPDATE: Place = Place {
    what: "an update policy",
    fields: &[
        field("@type", Kind::Structure, "What it is beside what its key says"),
        field("order", Kind::Choice(ORDERS), "Which comes first, the end of the old or the start of the new"),
        field("maxParallel", POSITIVE, "At most so many containers at a time"),
        field("onFailure", Kind::Choice(ON_FAILURE), "What follows a failure"),
    ],
    needs: Needs::Nothing,
    aliases: &[compose("parallelism", "maxParallel"), compose("failure_action", "onFailure")],
    advice: &[],
};

/// A host that the document describes.
pub(in super::super) static HOST: Place = Place {
    what: "a host",
    fields: &[
        field("@id", Kind::Text, "Its name, as in `host:vm1`"),
        needed("@type", Kind::Structure, "`datacenter:Host`"),
        field("name", Kind::Text, "For people; its name where `@id` is left out"),
        field("locatedInRack", Kind::Reference, "The rack that it stands in"),
        field("locatedInDatacenter", Kind::Reference, "The datacenter that it stands in"),
        field("description", Kind::Ignored, "For people"),
        field("ipAddress", Kind::Ignored, "For people; what counts is what the host itself reports"),
        field("cpu", Kind::Ignored, "For people; what counts is what the host itself reports"),
        field("memory", Kind::Ignored, "For people; what counts is what the host itself reports"),
        field("status", Kind::Ignored, "For people; what counts is what the host itself reports"),
        field("location", Kind::Ignored, "For people; what counts is what the host itself reports"),
        field("labels", Kind::Ignored, "For people; what counts is what the host itself reports"),
    ],
    needs: Needs::Any(&["@id", "name"]),
    aliases: &[],
    advice: &[],
};

/// A rack or a datacenter.
pub(in super::super) static RACK: Place = Place {
    what: "a rack or datacenter",
    fields: &[
        field("@id", Kind::Text, "Its name, as in `rack:r1` or `datacenter:dc1`"),
        needed("@type", Kind::Structure, "`datacenter:Rack` or `datacenter:Datacenter`"),
        field("name", Kind::Text, "For people; its name where `@id` is left out"),
        field("locatedInDatacenter", Kind::Reference, "The datacenter that it stands in"),
        field("description", Kind::Ignored, "For people"),
        field("location", Kind::Ignored, "For people"),
        field("labels", Kind::Ignored, "For people"),
    ],
    needs: Needs::Any(&["@id", "name"]),
    aliases: &[],
    advice: &[],
};
