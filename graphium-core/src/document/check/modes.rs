//! What containers share with others, or with their host, instead of having their own: networks, processes, memory.

use super::{Code, ContainerDraft, Node, Reader, Stack, suggest};
use std::collections::HashMap;

/// Containers by what a document calls them, and by what engines do.
struct Names<'s> {
    ours: HashMap<&'s str, usize>,
    on_engines: HashMap<String, usize>,
    /// What engines call each, by number.
    engine_names: Vec<String>,
}

/// One key of a container that says what it shares.
struct Sharing<'s, 'd> {
    number: usize,
    key: &'static str,
    mode: &'s str,
    at: Node<'d>,
}

pub(super) fn check(reader: &mut Reader<'_>, stack: &Stack, drafts: &[ContainerDraft<'_>]) {
    if drafts.iter().all(|draft| draft.modes.is_empty()) {
        return;
    }
    let names = Names::of(stack, drafts);
    for (number, draft) in drafts.iter().enumerate() {
        for (key, at) in &draft.modes {
            let container = &draft.container;
            let mode = match *key {
                "pid" => &container.pid,
                "ipc" => &container.ipc,
                _ => &container.network_mode,
            };
            let Some(mode) = mode.as_deref() else { continue };
            let sharing = Sharing { number, key, mode, at: *at };
            match mode.split_once(':') {
                Some(("container", other)) => reader.shared_with(stack, drafts, &names, &sharing, other),
                _ if *key == "networkMode" => reader.network_mode(stack, drafts, &names, &sharing),
                _ => reader.namespace(&sharing),
            }
        }
    }
}

impl<'s> Names<'s> {
    fn of(stack: &Stack, drafts: &'s [ContainerDraft<'_>]) -> Self {
        let mut names = Self { ours: HashMap::new(), on_engines: HashMap::new(), engine_names: Vec::new() };
        for (number, draft) in drafts.iter().enumerate() {
            let container = &draft.container;
            for name in [&container.id, &container.name, &draft.written] {
                names.ours.entry(name).or_insert(number);
            }
            // Replicas bear their numbers; the first is there whatever their count.
            let suffix = if container.replicas.is_some() { "-1" } else { "" };
            let name = stack.engine_name(&container.name) + suffix;
            names.engine_names.push(name.clone());
            names.on_engines.insert(name, number);
        }
        names
    }

    /// The container that engines know under a name.
    fn on_engine(&self, name: &str) -> Option<usize> {
        let first = name.rsplit_once('-').filter(|(_, number)| number.bytes().all(|byte| byte.is_ascii_digit()));
        let replica = first.and_then(|(base, _)| self.on_engines.get(&format!("{base}-1")));
        self.on_engines.get(name).or(replica).copied()
    }

    fn engine_name(&self, number: usize) -> &str {
        self.engine_names.get(number).map_or("…", String::as_str)
    }
}

impl Reader<'_> {
    /// `container:NAME`, where the name is that on the engine.
    fn shared_with(
        &mut self,
        stack: &Stack,
        drafts: &[ContainerDraft<'_>],
        names: &Names<'_>,
        sharing: &Sharing<'_, '_>,
        other: &str,
    ) {
        let Sharing { number, key, mode, at } = *sharing;
        let shown = at.quote(mode);
        let form = format!("write \"{key}\": \"container:NAME\", with its name on the engine");
        if other.is_empty() {
            return self.error(Code::BadForm, at, format!("`{shown}` names no container"), form);
        }
        match (names.on_engine(other), names.ours.get(other)) {
            (Some(found), _) if found == number => {
                self.error(Code::UnresolvedReference, at, format!("`{shown}` is the container itself"), form);
            }
            (Some(found), _) => {
                let host = |number: usize| {
                    let own = drafts.get(number).and_then(|draft| draft.container.host.as_ref());
                    own.or(stack.host.as_ref())
                };
                if let (Some(own), Some(its)) = (host(number), host(found))
                    && own != its
                {
                    let message = format!("`{shown}` is on another host, and only containers of one host can share");
                    self.error(Code::HostConflict, at, message, "let `locatedInHost` of both name one host");
                }
            }
            (None, Some(found)) => {
                let help = match at.has_variables() {
                    true => form,
                    false => format!("write \"{key}\": \"container:{}\"", names.engine_name(*found)),
                };
                let message = format!(
                    "`{shown}` is what the document calls a container; engines know it as `<stack>-<container>`"
                );
                self.error(Code::UnresolvedReference, at, message, help);
            }
            (None, None) => {
                // Nobody reads the thousandth advice, and looking for it takes time.
                let full = self.findings.is_full(Code::OutsideStack.severity());
                let known = names.engine_names.iter().filter(|_| !full);
                let near = suggest::nearest(other, known.map(String::as_str));
                self.outside(at, format!("`{shown}` is no container of this stack"), near);
            }
        }
        if key == "networkMode" {
            self.refuse_own_network(drafts, sharing);
        }
    }

    /// What engines refuse beside the network of another container.
    fn refuse_own_network(&mut self, drafts: &[ContainerDraft<'_>], sharing: &Sharing<'_, '_>) {
        let Some(container) = drafts.get(sharing.number).map(|draft| &draft.container) else { return };
        let own = [
            ("ports", !container.ports.is_empty()),
            ("expose", !container.expose.is_empty()),
            ("hostname", container.hostname.is_some()),
            ("dns", !container.dns.is_empty()),
            ("extraHosts", !container.extra_hosts.is_empty()),
        ];
        let own: Vec<&str> = own.into_iter().filter(|(_, is_said)| *is_said).map(|(key, _)| key).collect();
        if !own.is_empty() {
            let keys = suggest::list(own);
            let message = format!("a container in another's network has none of its own: {keys}");
            self.error(Code::NetworkConflict, sharing.at, message, "say that of the container whose network it is");
        }
    }

    fn network_mode(
        &mut self,
        stack: &Stack,
        drafts: &[ContainerDraft<'_>],
        names: &Names<'_>,
        sharing: &Sharing<'_, '_>,
    ) {
        const MODES: [&str; 4] = ["host", "none", "bridge", "default"];
        let Sharing { mode, at, .. } = *sharing;
        let shown = at.quote(mode);
        if let Some(other) = mode.strip_prefix("service:") {
            let of_stack = names.ours.get(other).filter(|_| !at.has_variables());
            let help = match of_stack {
                Some(found) => format!("write \"networkMode\": \"container:{}\"", names.engine_name(*found)),
                None => "write \"networkMode\": \"container:NAME\", with its name on the engine".to_owned(),
            };
            self.error(
                Code::UnknownValue,
                at,
                format!("`{shown}` is a mode of Compose; engines have `container:`"),
                help,
            );
        } else if MODES.contains(&mode) {
            self.published(drafts, sharing);
        } else if is_network(mode) {
            if stack.network.as_ref().and_then(|network| network.name.as_deref()) == Some(mode) {
                return;
            }
            self.outside(at, format!("`{shown}` is no network of this stack"), suggest::nearest(mode, MODES));
        } else {
            let help = "modes: `host`, `none`, `bridge`, `container:NAME`, or the name of a network of the host";
            self.error(Code::UnknownValue, at, format!("`{shown}` is no network mode"), help);
        }
    }

    /// A port is the same on both sides of the host's own network, and on no side of none.
    fn published(&mut self, drafts: &[ContainerDraft<'_>], sharing: &Sharing<'_, '_>) {
        let Some(draft) = drafts.get(sharing.number) else { return };
        for (port, node) in draft.container.ports.iter().zip(&draft.port_nodes) {
            let Some(host_port) = port.host_port else { continue };
            let (message, help) = match sharing.mode {
                "host" if host_port != port.container_port => (
                    "in the network of the host a port is the same inside and outside",
                    "leave `hostPort` out, or let the container listen on that port",
                ),
                "none" => ("a container without a network publishes nothing", "leave `hostPort` or `networkMode` out"),
                _ => continue,
            };
            self.error(Code::NetworkConflict, node.get("hostPort").unwrap_or(*node), message, help);
        }
    }

    /// The modes of `pid` and `ipc`.
    fn namespace(&mut self, sharing: &Sharing<'_, '_>) {
        let Sharing { key, mode, at, .. } = *sharing;
        let modes: &[&str] = if key == "pid" { &["host"] } else { &["host", "none", "private", "shareable"] };
        if !modes.contains(&mode) {
            let near = suggest::nearest(mode, modes.iter().copied()).filter(|_| !at.has_variables());
            let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            let help = format!("{near}one of {}, `container:NAME`", suggest::list(modes.iter().copied()));
            self.error(Code::UnknownValue, at, format!("`{}` is no mode of `{key}`", at.quote(mode)), help);
        }
    }

    fn outside(&mut self, at: Node<'_>, message: String, near: Option<&str>) {
        let near = near.filter(|_| !at.has_variables());
        let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        let help = format!("{near}if not, see to it that it is there, on the same host, before this container");
        self.findings.add(Code::OutsideStack, at, message, Some(help));
    }
}

/// Whether a network can have the name.
fn is_network(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}
