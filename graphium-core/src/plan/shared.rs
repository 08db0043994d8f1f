//! What two containers of a host can only share if both do no more than read: named volumes, and files and folders of
//! the host.

use super::layout;
use crate::stack::{Container, MountKind, Stack};
use std::{borrow::Cow, collections::BTreeMap, fmt};

/// Something of a host that containers mount.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source<'a> {
    /// A volume, by its name on the engine.
    Volume(Cow<'a, str>),
    /// A file or folder, by its path.
    Path(&'a str),
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Volume(name) => write!(f, "volume `{name}`"),
            Self::Path(path) => write!(f, "host folder `{path}`"),
        }
    }
}

/// How a source is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Access {
    Reads,
    Writes,
}

impl Access {
    /// Whether two may have one source at the same time without being meant to.
    pub(super) fn clashes(self, other: Self) -> bool {
        self == Self::Writes || other == Self::Writes
    }
}

/// What a container mounts, each source once.
pub(super) type Mounted<'a> = BTreeMap<Source<'a>, Access>;

/// What the containers of a definition mount. Volumes without a name and memory are nobody else's.
pub(super) fn mounted<'a>(stack: &Stack, definition: &'a Container) -> Mounted<'a> {
    let mut mounted = Mounted::new();
    for mount in &definition.volume_mounts {
        let source = match &mount.kind {
            MountKind::Volume { source: Some(source), .. } => Source::Volume(layout::volume_name(stack, source)),
            MountKind::Bind { source, .. } => Source::Path(match source.trim_end_matches('/') {
                "" => source,
                path => path,
            }),
            MountKind::Volume { source: None, .. } | MountKind::Secret { .. } | MountKind::Tmpfs { .. } => continue,
        };
        let access = if mount.read_only { Access::Reads } else { Access::Writes };
        let known = mounted.entry(source).or_insert(access);
        *known = (*known).max(access);
    }
    mounted
}

/// What of these another set does not have as well.
pub(super) fn beyond<'a>(mut mounted: Mounted<'a>, other: &Mounted<'_>) -> Mounted<'a> {
    mounted.retain(|source, access| other.get(source).is_none_or(|had| had < access));
    mounted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{plan::fixtures, stack::Mount};

    fn mount(kind: MountKind, read_only: bool) -> Mount {
        Mount { kind, target: "/data".to_owned(), read_only }
    }

    fn volume(source: Option<&str>) -> MountKind {
        MountKind::Volume { source: source.map(str::to_owned), no_copy: false, subpath: None }
    }

    fn bind(source: &str) -> MountKind {
        MountKind::Bind { source: source.to_owned(), propagation: None, create_host_path: false }
    }

    #[test]
    fn what_is_mounted_twice_is_written_if_it_is_once() {
        let volume_mounts = vec![
            mount(volume(Some("data")), true),
            mount(volume(Some("data")), false),
            mount(volume(None), false),
            mount(bind("/srv/"), true),
            mount(bind("/srv"), true),
            mount(bind("/"), true),
            mount(MountKind::Tmpfs { size: None, mode: None }, false),
        ];
        let db = Container { volume_mounts, ..fixtures::container("db") };
        let told: Vec<_> = mounted(&fixtures::stack("s", Vec::new()), &db)
            .into_iter()
            .map(|(source, access)| (source.to_string(), access))
            .collect();
        let expected = [
            ("volume `s_data`".to_owned(), Access::Writes),
            ("host folder `/`".to_owned(), Access::Reads),
            ("host folder `/srv`".to_owned(), Access::Reads),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn more_than_reading_is_more_than_was_had() {
        let mounted = |access| Mounted::from([(Source::Path("/srv"), access)]);
        let left = |one, other| beyond(mounted(one), &mounted(other)).len();
        assert_eq!(left(Access::Writes, Access::Reads), 1);
        assert_eq!(left(Access::Writes, Access::Writes) + left(Access::Reads, Access::Writes), 0);
        assert!(!Access::Reads.clashes(Access::Reads) && Access::Reads.clashes(Access::Writes));
    }
}
