//! The container and its simple parts.

use super::{
    Choice, Form, Kind, Place, compose, field, legacy, older,
    parts::{HEALTH_CHECK, RESOURCE_REQUIREMENTS},
    word,
};

const ANY: Kind = Kind::Integer { min: i64::MIN, max: i64::MAX };

const PULL_POLICIES: &[Choice] = &[
    Choice { word: "if-not-present", aliases: &["ifnotpresent", "missing", "if_not_present"] },
    word("always"),
    word("never"),
];

/// A container.
pub(in super::super) static CONTAINER: Place = Place {
    what: "a container",
    fields: &[
        field("@id", Kind::Text),
        field("@type", Kind::Structure),
        field("name", Kind::Text),
        field("image", Kind::Text),
        field("description", Kind::Text),
        field("applicationCategory", Kind::Text),
        field("softwareVersion", Kind::Text),
        field("ports", Kind::List(&PORT)),
        field("environment", Kind::List(&ENV_VAR)),
        field("volumeMounts", Kind::List(&MOUNT)),
        field("healthCheck", Kind::Object(&HEALTH_CHECK)),
        field("resources", Kind::Object(&RESOURCES)),
        field("requirements", Kind::Object(&REQUIREMENTS)),
        field("locatedInHost", Kind::Reference),
        field("dependsOn", Kind::Forms(Form::Dependencies)),
        field("command", Kind::Words),
        field("args", Kind::Words),
        field("entrypoint", Kind::Words),
        field("workingDir", Kind::Text),
        field("user", Kind::Text),
        field("hostname", Kind::Text),
        field("init", Kind::Flag),
        field("tty", Kind::Flag),
        field("stdinOpen", Kind::Flag),
        field("stopSignal", Kind::Text),
        field("stopGracePeriod", Kind::Duration),
        field("restartPolicy", Kind::Text),
        field("networkMode", Kind::Text),
        field("aliases", Kind::TextList),
        field("expose", Kind::Forms(Form::Exposed)),
        field("extraHosts", Kind::Forms(Form::Addresses)),
        field("dns", Kind::TextList),
        field("capAdd", Kind::TextList),
        field("capDrop", Kind::TextList),
        field("privileged", Kind::Flag),
        field("securityOpt", Kind::TextList),
        field("readOnlyRootfs", Kind::Flag),
        field("shmSize", Kind::Size),
        field("ulimits", Kind::Forms(Form::Ulimits)),
        field("devices", Kind::Forms(Form::Devices)),
        field("gpus", Kind::Forms(Form::Gpus)),
        field("sysctls", Kind::TextMap),
        field("logging", Kind::Object(&LOGGING)),
        field("platform", Kind::Text),
        field("pullPolicy", Kind::Choice(PULL_POLICIES)),
        field("pid", Kind::Text),
        field("ipc", Kind::Text),
        field("groupAdd", Kind::TextList),
        field("runtime", Kind::Text),
        field("labels", Kind::TextMap),
        field("replicas", super::COUNT),
        older("position", Kind::Structure, "the order of `hasPart`"),
        older("resourceRequirements", Kind::Object(&RESOURCE_REQUIREMENTS), "resources"),
    ],
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
        ("secrets", "list them in the stack's `secrets`, and use `fromSecret` in `environment`"),
        ("profiles", "write one document per variant"),
    ],
};

const PROTOCOLS: &[Choice] = &[word("tcp"), word("udp"), word("sctp")];

/// A port.
pub(in super::super) static PORT: Place = Place {
    what: "a port",
    fields: &[
        field("@id", Kind::Structure),
        field("@type", Kind::Structure),
        field("containerPort", Kind::Port),
        field("hostPort", Kind::Port),
        field("protocol", Kind::Choice(PROTOCOLS)),
        field("hostIP", Kind::Text),
        field("name", Kind::Ignored),
        field("description", Kind::Ignored),
    ],
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
        field("@id", Kind::Structure),
        field("@type", Kind::Structure),
        field("name", Kind::Text),
        field("value", Kind::Text),
        field("description", Kind::Text),
    ],
    aliases: &[],
    advice: &[],
};

/// A variable of the environment.
pub(in super::super) static ENV_VAR: Place = Place {
    what: "an environment variable",
    fields: &[
        field("@id", Kind::Structure),
        field("@type", Kind::Structure),
        field("name", Kind::Text),
        field("value", Kind::Text),
        field("fromSecret", Kind::Reference),
        field("fromHost", Kind::Text),
        field("description", Kind::Ignored),
    ],
    aliases: &[],
    advice: &[("valueFrom", "use `fromSecret` or `fromHost`"), ("key", "it is called `name`")],
};

/// The value of a variable in a map.
pub(in super::super) static ENV_SOURCE: Place = Place {
    what: "the source of a variable",
    fields: &[field("value", Kind::Text), field("fromSecret", Kind::Reference), field("fromHost", Kind::Text)],
    aliases: &[],
    advice: &[],
};

const MOUNT_TYPES: &[Choice] = &[word("volume"), word("bind"), word("tmpfs")];

/// Something mounted.
pub(in super::super) static MOUNT: Place = Place {
    what: "a mount",
    fields: &[
        field("@id", Kind::Structure),
        field("@type", Kind::Structure),
        field("type", Kind::Choice(MOUNT_TYPES)),
        field("source", Kind::Text),
        field("target", Kind::Text),
        field("readOnly", Kind::Flag),
        field("volumeOptions", Kind::Object(&VOLUME_OPTIONS)),
        field("bindOptions", Kind::Object(&BIND_OPTIONS)),
        field("tmpfsOptions", Kind::Object(&TMPFS_OPTIONS)),
        field("description", Kind::Ignored),
    ],
    aliases: &[
        legacy("name", "source"),
        legacy("mountPath", "target"),
        legacy("hostPath", "source"),
        legacy("driver", "volumeOptions.driver"),
        legacy("driverOpts", "volumeOptions.driverOpts"),
        legacy("labels", "volumeOptions.labels"),
        compose("read_only", "readOnly"),
        compose("volume", "volumeOptions"),
        compose("bind", "bindOptions"),
        compose("tmpfs", "tmpfsOptions"),
    ],
    advice: &[],
};

/// Settings of a volume mount.
pub(in super::super) static VOLUME_OPTIONS: Place = Place {
    what: "the options of a volume mount",
    fields: &[
        field("noCopy", Kind::Flag),
        field("subpath", Kind::Text),
        field("driver", Kind::Text),
        field("driverOpts", Kind::TextMap),
        field("labels", Kind::TextMap),
    ],
    aliases: &[compose("nocopy", "noCopy")],
    advice: &[],
};

/// Settings of a bind mount.
pub(in super::super) static BIND_OPTIONS: Place = Place {
    what: "the options of a bind mount",
    fields: &[field("propagation", Kind::Choice(PROPAGATIONS)), field("createHostPath", Kind::Flag)],
    aliases: &[compose("create_host_path", "createHostPath")],
    advice: &[],
};

const PROPAGATIONS: &[Choice] =
    &[word("rprivate"), word("private"), word("rshared"), word("shared"), word("rslave"), word("slave")];

/// Settings of memory that is mounted.
pub(in super::super) static TMPFS_OPTIONS: Place = Place {
    what: "the options of a tmpfs mount",
    fields: &[field("size", Kind::Size), field("mode", Kind::Forms(Form::Mode))],
    aliases: &[],
    advice: &[],
};

/// Limits and reservations.
pub(in super::super) static RESOURCES: Place = Place {
    what: "resources",
    fields: &[
        field("@type", Kind::Structure),
        field("limits", Kind::Object(&LIMITS)),
        field("reservations", Kind::Object(&RESERVATIONS)),
    ],
    aliases: &[
        legacy("cpu", "limits.cpus"),
        legacy("cpus", "limits.cpus"),
        legacy("memory", "limits.memory"),
        legacy("memorySwap", "limits.memorySwap"),
        legacy("pids", "limits.pids"),
    ],
    advice: &[],
};

/// What may be used at most.
pub(in super::super) static LIMITS: Place = Place {
    what: "limits",
    fields: &[
        field("cpus", Kind::Number),
        field("memory", Kind::Size),
        field("memorySwap", Kind::SizeOrUnlimited),
        field("pids", ANY),
    ],
    aliases: &[legacy("cpu", "cpus")],
    advice: &[],
};

/// What a host keeps.
pub(in super::super) static RESERVATIONS: Place = Place {
    what: "reservations",
    fields: &[field("cpus", Kind::Number), field("memory", Kind::Size)],
    aliases: &[legacy("cpu", "cpus")],
    advice: &[("devices", "use `gpus` or `devices` of the container")],
};

/// What a container asks of its host.
pub(in super::super) static REQUIREMENTS: Place = Place {
    what: "requirements",
    fields: &[field("labels", Kind::TextMap), field("preferredDatacenter", Kind::Reference)],
    aliases: &[],
    advice: &[],
};

const CONDITIONS: &[Choice] = &[
    Choice { word: "started", aliases: &["service_started"] },
    Choice { word: "healthy", aliases: &["service_healthy"] },
    Choice { word: "completed", aliases: &["service_completed_successfully"] },
];

/// A dependency with its condition.
pub(in super::super) static DEPENDENCY: Place = Place {
    what: "a dependency",
    fields: &[field("@id", Kind::Text), field("@type", Kind::Structure), field("condition", Kind::Choice(CONDITIONS))],
    aliases: &[legacy("name", "@id")],
    advice: &[],
};

/// A limit of the kernel.
pub(in super::super) static ULIMIT: Place = Place {
    what: "a ulimit",
    fields: &[field("name", Kind::Text), field("soft", ANY), field("hard", ANY)],
    aliases: &[],
    advice: &[],
};

/// A device.
pub(in super::super) static DEVICE: Place = Place {
    what: "a device",
    fields: &[field("hostPath", Kind::Text), field("containerPath", Kind::Text), field("permissions", Kind::Text)],
    aliases: &[compose("source", "hostPath"), compose("target", "containerPath")],
    advice: &[],
};

/// Where output goes.
pub(in super::super) static LOGGING: Place = Place {
    what: "logging",
    fields: &[field("driver", Kind::Text), field("options", Kind::TextMap)],
    aliases: &[],
    advice: &[],
};
