//! One thing that is allowed.

use crate::ranges::Range;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// One thing that a stack may do though it reaches out of its containers.
///
/// # Example
/// ```
/// use graphium_core::admission::{Admission, Allowance, Denied, UnknownAllowance};
/// use graphium_core::stack::{Container, Volume};
///
/// let allowed: Allowance = "capability=cap_net_admin".parse()?;
/// assert_eq!(allowed, Allowance::Capability("NET_ADMIN".to_owned()));
/// let unknown: UnknownAllowance = "bind=srv".parse::<Allowance>().unwrap_err();
/// assert!(unknown.to_string().starts_with("`bind=srv` is nothing that can be allowed"));
///
/// let admission: Admission = [allowed].into_iter().collect();
/// let container = Container { cap_add: vec!["NET_ADMIN".into(), "SYS_TIME".into()], ..Container::default() };
/// let denied: Vec<Denied> = admission.container(&container, &|_| false);
/// assert_eq!(denied.len(), 1);
/// assert!(denied[0].to_string().contains("SYS_TIME"), "{}", denied[0]);
/// # Ok::<(), UnknownAllowance>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Allowance {
    /// Whatever an engine can do.
    All,
    /// Full rights on the host.
    Privileged,
    /// Network, processes or memory of the host, or of a container that is not of the stack.
    HostNamespaces,
    /// Less of the engine's own confinement: seccomp, AppArmor, SELinux.
    Unconfined,
    /// Files of the host at or below this path, mounted as they are or by the options of a volume's driver.
    Bind(String),
    /// Devices of the host at or below this path.
    Device(String),
    /// A capability of the kernel that containers do not have by themselves, without `CAP_`; `ALL` is each of them.
    Capability(String),
    /// Networks of this driver, with whatever options; of `bridge` those that are about its own network need no allowance.
    NetworkDriver(String),
    /// Networks of stacks with addresses of this range, `ADDRESS/LENGTH`, which every host then has a route for; private ones need
    /// no allowance.
    Subnet(String),
    /// Logs by this driver, with whatever options; `json-file`, `local` and `none` need no allowance.
    LogDriver(String),
    /// Images of this registry, `HOST[:PORT][/PATH]`. Where none is named images may come from anywhere.
    Registry(String),
}

/// A text that is no [`Allowance`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is nothing that can be allowed: `all`, `privileged`, `host-namespaces`, `unconfined`, `bind=/PATH`, `device=/PATH`, \
     `capability=NAME`, `network-driver=NAME`, `subnet=ADDRESS/LENGTH`, `log-driver=NAME` or `registry=HOST[/PATH]`"
)]
pub struct UnknownAllowance(String);

impl Allowance {
    /// Whether what is allowed by this covers something that is wanted.
    pub(super) fn covers(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::All, _) => true,
            (Self::Bind(root), Self::Bind(path)) | (Self::Device(root), Self::Device(path)) => is_within(path, root),
            (Self::Registry(root), Self::Registry(image)) => begins(image, root),
            (Self::Capability(own), Self::Capability(_)) if own == "ALL" => true,
            (Self::Subnet(own), Self::Subnet(wanted)) => is_part(wanted, own),
            (own, wanted) => own == wanted,
        }
    }
}

/// Whether all addresses of a range are of another.
pub(super) fn is_part(range: &str, of: &str) -> bool {
    matches!((range.parse::<Range>(), of.parse::<Range>()), (Ok(range), Ok(of)) if of.covers(range))
}

/// Whether a path lies at or below another. One that goes up again (`..`) lies nowhere: where it leads is not known here.
fn is_within(path: &str, root: &str) -> bool {
    let is_plain = path.starts_with('/') && path.split('/').all(|part| part != "..");
    is_plain && begins(&plain(path), &plain(root))
}

/// Without double slashes, single dots and a slash at its end.
fn plain(path: &str) -> String {
    path.split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .fold(String::new(), |whole, part| whole + "/" + part)
}

/// Whether the parts of a text begin with those of another.
fn begins(text: &str, root: &str) -> bool {
    text.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// As the kernel's lists have it, without `CAP_`.
pub(super) fn capability(name: &str) -> String {
    let name = name.trim().to_ascii_uppercase();
    name.strip_prefix("CAP_").map(str::to_owned).unwrap_or(name)
}

impl FromStr for Allowance {
    type Err = UnknownAllowance;

    fn from_str(text: &str) -> Result<Self, UnknownAllowance> {
        let unknown = || UnknownAllowance(text.to_owned());
        let absolute = |path: &str| (path.starts_with('/') && !path.contains("..")).then(|| path.to_owned());
        let Some((kind, value)) = text.trim().split_once('=') else {
            return match text.trim() {
                "all" => Ok(Self::All),
                "privileged" => Ok(Self::Privileged),
                "host-namespaces" => Ok(Self::HostNamespaces),
                "unconfined" => Ok(Self::Unconfined),
                _ => Err(unknown()),
            };
        };
        let value = value.trim();
        match kind.trim() {
            "bind" => absolute(value).map(Self::Bind).ok_or_else(unknown),
            "device" => absolute(value).map(Self::Device).ok_or_else(unknown),
            "capability" if !value.is_empty() => Ok(Self::Capability(capability(value))),
            "network-driver" if !value.is_empty() => Ok(Self::NetworkDriver(value.to_owned())),
            "subnet" if value.parse::<Range>().is_ok() => Ok(Self::Subnet(value.to_owned())),
            "log-driver" if !value.is_empty() => Ok(Self::LogDriver(value.to_owned())),
            "registry" if !value.is_empty() => Ok(Self::Registry(value.trim_end_matches('/').to_ascii_lowercase())),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Privileged => f.write_str("privileged"),
            Self::HostNamespaces => f.write_str("host-namespaces"),
            Self::Unconfined => f.write_str("unconfined"),
            Self::Bind(path) => write!(f, "bind={path}"),
            Self::Device(path) => write!(f, "device={path}"),
            Self::Capability(name) => write!(f, "capability={name}"),
            Self::NetworkDriver(name) => write!(f, "network-driver={name}"),
            Self::Subnet(range) => write!(f, "subnet={range}"),
            Self::LogDriver(name) => write!(f, "log-driver={name}"),
            Self::Registry(name) => write!(f, "registry={name}"),
        }
    }
}

impl From<Allowance> for String {
    fn from(allowance: Allowance) -> Self {
        allowance.to_string()
    }
}

impl TryFrom<String> for Allowance {
    type Error = UnknownAllowance;

    fn try_from(text: String) -> Result<Self, UnknownAllowance> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(allowed: &str, wanted: Allowance) -> bool {
        allowed.parse::<Allowance>().unwrap().covers(&wanted)
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in [
            "all",
            "privileged",
            "host-namespaces",
            "unconfined",
            "bind=/srv",
            "device=/dev/dri",
            "capability=NET_ADMIN",
            "network-driver=macvlan",
            "subnet=203.0.113.0/24",
            "log-driver=gelf",
            "registry=ghcr.io/acme",
        ] {
            assert_eq!(text.parse::<Allowance>().unwrap().to_string(), text);
        }
        assert_eq!("capability=cap_net_admin".parse::<Allowance>().unwrap().to_string(), "capability=NET_ADMIN");
        for text in [
            "",
            "bind",
            "bind=",
            "bind=srv",
            "bind=/srv/../etc",
            "host",
            "registry=",
            "capability=",
            "log-driver=",
            "network-driver",
            "subnet=203.0.113.0",
        ] {
            assert!(text.parse::<Allowance>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_is_within_by_its_parts() {
        let bind = |path: &str| Allowance::Bind(path.to_owned());
        for path in ["/srv", "/srv/", "//srv/./a", "/srv/a/b"] {
            assert!(covers("bind=/srv", bind(path)), "{path}");
            assert!(covers("bind=/", bind(path)), "{path}");
        }
        for path in ["/srvx", "/", "/etc", "/srv/../etc", "srv", "/srv/.."] {
            assert!(!covers("bind=/srv", bind(path)), "{path}");
        }
        assert!(!covers("bind=/", bind("/srv/../etc")), "where it leads is not known");
        assert!(!covers("device=/srv", bind("/srv")) && covers("all", bind("/srv/../etc")));
    }

    #[test]
    fn an_image_is_of_a_registry_by_its_parts() {
        let registry = |image: &str| Allowance::Registry(image.to_owned());
        assert!(covers("registry=ghcr.io", registry("ghcr.io/acme/web")));
        assert!(covers("registry=ghcr.io/acme", registry("ghcr.io/acme/web")));
        assert!(!covers("registry=ghcr.io/acme", registry("ghcr.io/acme-evil/web")));
        assert!(!covers("registry=ghcr.io", registry("ghcr.io.evil.example/web")));
        assert!(!covers("registry=ghcr.io", registry("ghcr.io:444/web")));
    }
}
