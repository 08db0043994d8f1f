//! What is mounted into a container.

use super::{Choice, Form, Kind, Needs, Place, Shape, compose, field, legacy, needed, word};

const MOUNT_TYPES: &[Choice] = &[word("volume"), word("bind"), word("tmpfs"), word("secret")];

/// Something mounted.
pub(in super::super) static MOUNT: Place = Place {
    what: "a mount",
    fields: &[
        field("@id", Kind::Structure, "Its identity"),
        field("@type", Kind::Structure, "What it is beside what its key says"),
        field(
            "type",
            Kind::Choice(MOUNT_TYPES),
            "What is mounted; where it is left out a path is a `bind` and a name is a `volume`",
        ),
        field(
            "source",
            Kind::Text,
            "Name of the volume or of the secret, or path on the host; a volume without one is anonymous",
        ),
        needed("target", Kind::Shaped(Shape::Path), "Where, an absolute path inside, not `/`"),
        field("readOnly", Kind::Flag, "Without the right to write"),
        field("volumeOptions", Kind::Object(&VOLUME_OPTIONS), "Settings of a volume"),
        field("bindOptions", Kind::Object(&BIND_OPTIONS), "Settings of a bind mount"),
        field("tmpfsOptions", Kind::Object(&TMPFS_OPTIONS), "Settings of memory"),
        field("description", Kind::Ignored, "For people"),
    ],
    needs: Needs::Nothing,
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
        field("noCopy", Kind::Flag, "Do not copy what the image has at the target"),
        field("subpath", Kind::Text, "A folder within the volume"),
        field("driver", Kind::Text, "Driver of the volume"),
        field("driverOpts", Kind::TextMap, "Options of the driver"),
        field("labels", Kind::TextMap, "Labels of the volume"),
    ],
    needs: Needs::Nothing,
    aliases: &[compose("nocopy", "noCopy")],
    advice: &[],
};

/// Settings of a bind mount.
pub(in super::super) static BIND_OPTIONS: Place = Place {
    what: "the options of a bind mount",
    fields: &[
        field("propagation", Kind::Choice(PROPAGATIONS), "How mounts within it are seen"),
        field("createHostPath", Kind::Flag, "Make the folder on the host where it is missing"),
    ],
    needs: Needs::Nothing,
    aliases: &[compose("create_host_path", "createHostPath")],
    advice: &[],
};

const PROPAGATIONS: &[Choice] =
    &[word("rprivate"), word("private"), word("rshared"), word("shared"), word("rslave"), word("slave")];

/// Settings of memory that is mounted.
pub(in super::super) static TMPFS_OPTIONS: Place = Place {
    what: "the options of a tmpfs mount",
    fields: &[
        field("size", Kind::Size, "Bytes at most"),
        field("mode", Kind::Forms(Form::Mode), "Mode bits: octal digits in quotes, as in `1777`"),
    ],
    needs: Needs::Nothing,
    aliases: &[],
    advice: &[],
};
