//! The container and its simple parts.

use super::{
    ANY, Choice, Form, Kind, Needs, Place, Shape, compose, field, legacy,
    mount::MOUNT,
    needed, older,
    parts::{HEALTH_CHECK, REQUIREMENTS, RESOURCE_REQUIREMENTS, RESOURCES},
    spelt, word,
};

const PULL_POLICIES: &[Choice] =
    &[spelt("if-not-present", &["ifnotpresent", "missing", "if_not_present"]), word("always"), word("never")];

/// A container.
pub(in super::super) static CONTAINER: Place = Place {
    what: "a container",
    fields: &[
        field(
            "@id",
            Kind::Text,
            "Its identity, as in `container:web`; made of the names of stack and container where it is left out",
        ),
        field("@type", Kind::Structure, "`datacenter:Container`"),
        needed(
            "name",
            Kind::Shaped(Shape::Name),
            "Its name within the stack, and its host name on the network: lower-case letters, digits, `-`, `_`, `.`",
        ),
        needed("image", Kind::Shaped(Shape::Image), "The image, `[registry/]name[:tag][@digest]`"),
        field("description", Kind::Text, "For people"),
        field("applicationCategory", Kind::Text, "For people"),
        field("softwareVersion", Kind::Text, "For people"),
        field("ports", Kind::List(&PORT), "Ports, published on the host or not"),
        field("environment", Kind::List(&ENV_VAR), "Variables of its environment"),
        field("volumeMounts", Kind::List(&MOUNT), "Volumes, folders of the host and memory that are mounted"),
        field("healthCheck", Kind::Object(&HEALTH_CHECK), "How to know that it is well"),
        field("resources", Kind::Object(&RESOURCES), "What it may use, and what its host keeps for it"),
        field("requirements", Kind::Object(&REQUIREMENTS), "What it asks of its host"),
        field("locatedInHost", Kind::Reference, "This host and no other; `host:` may be left out"),
        field(
            "dependsOn",
            Kind::Forms(Form::Dependencies),
            "Containers of the stack that come first, by name or `@id`",
        ),
        field("command", Kind::Words, "Replaces the command of the image"),
        field("args", Kind::Words, "Appended to the command"),
        field("entrypoint", Kind::Words, "Replaces the entry point of the image"),
        field("workingDir", Kind::Text, "The folder that it starts in"),
        field("user", Kind::Text, "User, `name|uid[:group|gid]`"),
        field("hostname", Kind::Text, "Its host name inside"),
        field("init", Kind::Flag, "Run an init process as process 1, which collects what others leave behind"),
        field("tty", Kind::Flag, "Give it a terminal"),
        field("stdinOpen", Kind::Flag, "Keep standard input open"),
        field("stopSignal", Kind::Text, "The signal that asks it to stop, as in `SIGTERM`, `15` or `SIGRTMIN+3`"),
        field("stopGracePeriod", Kind::Duration, "How long it may take to stop before it is killed"),
        field(
            "restartPolicy",
            Kind::Shaped(Shape::Policy),
            "What the engine does when it ends: `no`, `always`, `on-failure[:times]`, `unless-stopped`",
        ),
        field(
            "networkMode",
            Kind::Text,
            "`host`, `none`, `bridge`, `container:` and a name on the engine, or a network there; the stack's if left out",
        ),
        field("aliases", Kind::TextList, "Names beside its own on the network of the stack"),
        field("expose", Kind::Forms(Form::Exposed), "Ports open to its network only, as in `80` or `80/udp`"),
        field("extraHosts", Kind::Forms(Form::Addresses), "Lines for `/etc/hosts`: name and address"),
        field("dns", Kind::TextList, "Name servers"),
        field("capAdd", Kind::TextList, "Capabilities of the kernel to add"),
        field("capDrop", Kind::TextList, "Capabilities of the kernel to drop"),
        field("privileged", Kind::Flag, "Give it full rights on the host"),
        field("securityOpt", Kind::TextList, "Options of the security modules"),
        field("readOnlyRootfs", Kind::Flag, "Mount its root file system without the right to write"),
        field("shmSize", Kind::Size, "Size of `/dev/shm`"),
        field("ulimits", Kind::Forms(Form::Ulimits), "Limits of the kernel per process"),
        field("devices", Kind::Forms(Form::Devices), "Devices of the host"),
        field("gpus", Kind::Forms(Form::Gpus), "How many GPUs, or `all`"),
        field("sysctls", Kind::TextMap, "Parameters of the kernel in its namespaces"),
        field("logging", Kind::Object(&LOGGING), "Where its output goes"),
        field("platform", Kind::Text, "Platform of the image, `os/arch[/variant]`"),
        field(
            "pullPolicy",
            Kind::Choice(PULL_POLICIES),
            "When its image is pulled; `if-not-present` where it is left out",
        ),
        field("pid", Kind::Text, "PID namespace: `host`, or `container:` and a name on the engine"),
        field(
            "ipc",
            Kind::Text,
            "IPC namespace: `host`, `none`, `private`, `shareable`, or `container:` and a name on the engine",
        ),
        field("groupAdd", Kind::TextList, "Groups beside those of its user"),
        field("runtime", Kind::Text, "The OCI runtime of the engine"),
        field("labels", Kind::TextMap, "Labels; those that begin with `graphium.` are reserved"),
        field("replicas", super::COUNT, "How many alike; of several each has a number behind its name"),
        older("position", Kind::Structure, "the order of `hasPart`", "The place in an older list"),
        older(
            "resourceRequirements",
            Kind::Object(&RESOURCE_REQUIREMENTS),
            "resources",
            "Limits, reservations and wishes in one",
        ),
    ],
    needs: Needs::Nothing,
    aliases: &[
        legacy("executableName", "image"),
        legacy("containerPort", "ports"),
        legacy("environmentVariable", "environment"),
        legacy("env", "environment"),
        legacy("volumes", "volumeMounts"),
        legacy("volumeMount", "volumeMounts"),
        legacy("storageRequirement", "volumeMounts"),
        legacy("healthcheck", "healthCheck"),
        legacy("hostedOn", "locatedInHost"),
        compose("container_name", "name"),
        compose("depends_on", "dependsOn"),
        compose("restart", "restartPolicy"),
        compose("network_mode", "networkMode"),
        compose("working_dir", "workingDir"),
        compose("stdin_open", "stdinOpen"),
        compose("stop_signal", "stopSignal"),
        compose("stop_grace_period", "stopGracePeriod"),
        compose("extra_hosts", "extraHosts"),
        compose("cap_add", "capAdd"),
        compose("cap_drop", "capDrop"),
        compose("security_opt", "securityOpt"),
        compose("read_only", "readOnlyRootfs"),
        compose("shm_size", "shmSize"),
        compose("pull_policy", "pullPolicy"),
        compose("group_add", "groupAdd"),
        compose("links", "dependsOn"),
        compose("scale", "replicas"),
        compose("mem_limit", "resources.limits.memory"),
        compose("memswap_limit", "resources.limits.memorySwap"),
        compose("pids_limit", "resources.limits.pids"),
        compose("mem_reservation", "resources.reservations.memory"),
        compose("tmpfs", "volumeMounts"),
    ],
    advice: &[
        ("build", "build and push the image first, then name it in `image`"),
        ("env_file", "give the variables in `environment`, as `${NAME}` where they come from a file"),
        ("deploy", "use `resources` and `replicas` here, and `deployment.update` of the stack"),
        ("networks", "leave it out; containers of a stack share its network, and `aliases` gives them more names"),
        ("secrets", "use `fromSecret` in `environment`, or a mount of the type `secret` in `volumeMounts`"),
        ("profiles", "write one document per variant"),
    ],
};

const PROTOCOLS: &[Choice] = &[word("tcp"), word("udp"), word("sctp")];

/// A port.
pub(in super::super) static PORT: Place = Place {
    what: "a port",
    fields: &[
        field("@id", Kind::Structure, "Its identity"),
        field("@type", Kind::Structure, "What it is beside what its key says"),
        needed("containerPort", Kind::Port, "The port inside"),
        field("hostPort", Kind::Port, "The port on the host; the engine chooses one where it is left out"),
        field("protocol", Kind::Choice(PROTOCOLS), "`tcp` where it is left out"),
        field(
            "hostIP",
            Kind::Shaped(Shape::Address),
            "The address of the host to publish on; all where it is left out",
        ),
        field("name", Kind::Ignored, "For people"),
        field("description", Kind::Ignored, "For people"),
    ],
    needs: Needs::Nothing,
    aliases: &[
        legacy("portNumber", "containerPort"),
        legacy("hostIp", "hostIP"),
        compose("target", "containerPort"),
        compose("published", "hostPort"),
        compose("host_ip", "hostIP"),
    ],
    advice: &[],
};

/// schema.org's name and value.
pub(in super::super) static PROPERTY_VALUE: Place = Place {
    what: "a property value",
    fields: &[
        field("@id", Kind::Structure, "Its identity"),
        field("@type", Kind::Structure, "What it is beside what its key says"),
        field("name", Kind::Text, "What it is"),
        field("value", Kind::Text, "Its value"),
        field("description", Kind::Text, "For people, or a mapping of ports"),
    ],
    needs: Needs::Nothing,
    aliases: &[],
    advice: &[],
};

/// A variable of the environment.
pub(in super::super) static ENV_VAR: Place = Place {
    what: "an environment variable",
    fields: &[
        field("@id", Kind::Structure, "Its identity"),
        field("@type", Kind::Structure, "What it is beside what its key says"),
        needed("name", Kind::Text, "Its name"),
        field("value", Kind::Text, "Its value"),
        field("fromSecret", Kind::Reference, "The secret that is its value; the agent looks it up at the last moment"),
        field("fromHost", Kind::Text, "A fact of the host that is its value: `name` or `address`"),
        field("description", Kind::Ignored, "For people"),
    ],
    needs: Needs::One(&["value", "fromSecret", "fromHost"]),
    aliases: &[],
    advice: &[("valueFrom", "use `fromSecret` or `fromHost`"), ("key", "it is called `name`")],
};

/// The value of a variable in a map.
pub(in super::super) static ENV_SOURCE: Place = Place {
    what: "the source of a variable",
    fields: &[
        field("value", Kind::Text, "The value"),
        field("fromSecret", Kind::Reference, "The secret that is the value"),
        field("fromHost", Kind::Text, "A fact of the host that is the value"),
    ],
    needs: Needs::One(&["value", "fromSecret", "fromHost"]),
    aliases: &[],
    advice: &[],
};

const CONDITIONS: &[Choice] = &[
    spelt("started", &["service_started"]),
    spelt("healthy", &["service_healthy"]),
    spelt("completed", &["service_completed_successfully"]),
];

/// A dependency with its condition.
pub(in super::super) static DEPENDENCY: Place = Place {
    what: "a dependency",
    fields: &[
        needed("@id", Kind::Text, "The container, by its `@id` or name"),
        field("@type", Kind::Structure, "What it is beside what its key says"),
        field("condition", Kind::Choice(CONDITIONS), "How far it must have come; `started` where it is left out"),
    ],
    needs: Needs::Nothing,
    aliases: &[legacy("name", "@id")],
    advice: &[],
};

/// A limit of the kernel.
pub(in super::super) static ULIMIT: Place = Place {
    what: "a ulimit",
    fields: &[
        needed("name", Kind::Text, "Its name, as in `nofile`"),
        field("soft", ANY, "What a process starts with"),
        field("hard", ANY, "What it may raise it to"),
    ],
    needs: Needs::Any(&["soft", "hard"]),
    aliases: &[],
    advice: &[],
};

/// A device.
pub(in super::super) static DEVICE: Place = Place {
    what: "a device",
    fields: &[
        needed("hostPath", Kind::Text, "Its path on the host"),
        field("containerPath", Kind::Text, "Its path inside; the same where it is left out"),
        field("permissions", Kind::Text, "Of `rwm`; all where it is left out"),
    ],
    needs: Needs::Nothing,
    aliases: &[compose("source", "hostPath"), compose("target", "containerPath")],
    advice: &[],
};

/// Where output goes.
pub(in super::super) static LOGGING: Place = Place {
    what: "logging",
    fields: &[
        field("driver", Kind::Text, "The driver of the engine"),
        field("options", Kind::TextMap, "Options of the driver"),
    ],
    needs: Needs::Nothing,
    aliases: &[],
    advice: &[],
};
