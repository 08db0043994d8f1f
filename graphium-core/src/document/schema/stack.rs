//! The stack and what stands beside its containers.

use super::{Choice, Form, Kind, POSITIVE, Place, compose, container::CONTAINER, field, legacy, older, word};

/// The document itself.
pub(in super::super) static DOCUMENT: Place = Place {
    what: "a document with `@graph`",
    fields: &[field("@context", Kind::Structure), field("@graph", Kind::Structure), field("@id", Kind::Structure)],
    aliases: &[],
    advice: &[],
};

/// A request that carries a document.
pub(in super::super) static ENVELOPE: Place = Place {
    what: "a deployment request",
    fields: &[
        field("stackDefinition", Kind::Structure),
        field("timeout", Kind::Duration),
        field("rollbackOnError", Kind::Flag),
        field("pullImages", Kind::Flag),
        field("@context", Kind::Structure),
    ],
    aliases: &[],
    advice: &[],
};

/// A stack.
pub(in super::super) static STACK: Place = Place {
    what: "a stack",
    fields: &[
        field("@id", Kind::Text),
        field("@type", Kind::Structure),
        field("name", Kind::Text),
        field("description", Kind::Text),
        field("labels", Kind::TextMap),
        field("locatedInHost", Kind::Reference),
        field("network", Kind::Object(&NETWORK)),
        field("hasPart", Kind::List(&CONTAINER)),
        field("deployment", Kind::Object(&DEPLOYMENT)),
        field("dependsOn", Kind::Forms(Form::Names)),
        field("volumes", Kind::List(&VOLUME)),
        field("secrets", Kind::Forms(Form::Names)),
        field("applicationCategory", Kind::Text),
        field("softwareVersion", Kind::Text),
    ],
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
        field("@id", Kind::Structure),
        field("@type", Kind::Structure),
        field("position", Kind::Structure),
        field("item", Kind::Object(&CONTAINER)),
    ],
    aliases: &[],
    advice: &[],
};

/// A reference to something with an `@id`.
pub(in super::super) static REFERENCE: Place = Place {
    what: "a reference",
    fields: &[field("@id", Kind::Text), field("@type", Kind::Structure)],
    aliases: &[legacy("name", "@id")],
    advice: &[],
};

/// Something outside of the document that is named.
pub(in super::super) static NAMED: Place = Place {
    what: "a name",
    fields: &[field("@id", Kind::Structure), field("@type", Kind::Structure), field("name", Kind::Text)],
    aliases: &[],
    advice: &[],
};

/// A network.
pub(in super::super) static NETWORK: Place = Place {
    what: "a network",
    fields: &[
        field("@id", Kind::Structure),
        field("@type", Kind::Structure),
        field("name", Kind::Text),
        field("driver", Kind::Text),
        field("subnet", Kind::Text),
        field("gateway", Kind::Text),
        field("ipRange", Kind::Text),
        field("internal", Kind::Flag),
        field("external", Kind::Flag),
        field("labels", Kind::TextMap),
        field("options", Kind::TextMap),
        older("createIfNotExists", Kind::Flag, "external"),
    ],
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
        field("@id", Kind::Structure),
        field("@type", Kind::Structure),
        field("name", Kind::Text),
        field("driver", Kind::Text),
        field("driverOpts", Kind::TextMap),
        field("labels", Kind::TextMap),
        field("external", Kind::Flag),
    ],
    aliases: &[compose("driver_opts", "driverOpts")],
    advice: &[],
};

const NETWORK_MODES: &[Choice] = &[Choice { word: "host-port", aliases: &["hostport"] }, word("overlay")];
const MODES: &[Choice] =
    &[Choice { word: "multi-host", aliases: &["multihost"] }, Choice { word: "single-host", aliases: &["singlehost"] }];
const STRATEGIES: &[Choice] = &[word("manual"), word("spread"), word("datacenter"), word("auto")];

/// How a stack is placed and updated.
pub(in super::super) static DEPLOYMENT: Place = Place {
    what: "a deployment",
    fields: &[
        field("@id", Kind::Structure),
        field("@type", Kind::Structure),
        field("mode", Kind::Choice(MODES)),
        field("placementStrategy", Kind::Choice(STRATEGIES)),
        field("targetDatacenter", Kind::Reference),
        field("networkMode", Kind::Choice(NETWORK_MODES)),
        field("maxInstancesPerHost", POSITIVE),
        field("hostConstraints", Kind::List(&HOST_CONSTRAINT)),
        field("update", Kind::Object(&UPDATE)),
    ],
    aliases: &[legacy("strategy", "placementStrategy"), compose("update_config", "update")],
    advice: &[],
};

/// What a container asks of its host, given beside the containers.
pub(in super::super) static HOST_CONSTRAINT: Place = Place {
    what: "a host constraint",
    fields: &[
        field("@id", Kind::Structure),
        field("@type", Kind::Structure),
        field("containerName", Kind::Text),
        field("targetHost", Kind::Reference),
        field("requiredDatacenter", Kind::Reference),
        field("minCpu", Kind::Number),
        field("minMemory", Kind::Size),
        field("labels", Kind::TextMap),
    ],
    aliases: &[legacy("minCPU", "minCpu"), legacy("requiredLabels", "labels")],
    advice: &[],
};

const ORDERS: &[Choice] = &[word("stop-first"), word("start-first")];
const ON_FAILURE: &[Choice] = &[word("rollback"), word("pause")];

/// How changes are rolled out.
pub(in super::super) static UPDATE: Place = Place {
    what: "an update policy",
    fields: &[
        field("@type", Kind::Structure),
        field("order", Kind::Choice(ORDERS)),
        field("maxParallel", POSITIVE),
        field("onFailure", Kind::Choice(ON_FAILURE)),
    ],
    aliases: &[compose("parallelism", "maxParallel"), compose("failure_action", "onFailure")],
    advice: &[],
};

/// A host that the document describes.
pub(in super::super) static HOST: Place = Place {
    what: "a host",
    fields: &[
        field("@id", Kind::Text),
        field("@type", Kind::Structure),
        field("name", Kind::Text),
        field("locatedInRack", Kind::Reference),
        field("locatedInDatacenter", Kind::Reference),
        field("description", Kind::Ignored),
        field("ipAddress", Kind::Ignored),
        field("cpu", Kind::Ignored),
        field("memory", Kind::Ignored),
        field("status", Kind::Ignored),
        field("location", Kind::Ignored),
        field("labels", Kind::Ignored),
    ],
    aliases: &[],
    advice: &[],
};

/// A rack or a datacenter.
pub(in super::super) static RACK: Place = Place {
    what: "a rack or datacenter",
    fields: &[
        field("@id", Kind::Text),
        field("@type", Kind::Structure),
        field("name", Kind::Text),
        field("locatedInDatacenter", Kind::Reference),
        field("description", Kind::Ignored),
        field("location", Kind::Ignored),
        field("labels", Kind::Ignored),
    ],
    aliases: &[],
    advice: &[],
};
