//! Settings that go to the engine as they are.

use super::super::{code::Code, node::Node, object::Object, reader::Reader, schema};
use crate::stack::{Container, Device, Logging, TextMap, Ulimit};
use json_syntax::Value;

impl Reader<'_> {
    pub(super) fn engine(&mut self, object: &Object<'_>, container: &mut Container) {
        container.network_mode = self.text_of(object, "networkMode");
        container.aliases = self.text_list_of(object, "aliases");
        container.expose = self.expose(object);
        container.extra_hosts = self.extra_hosts(object);
        container.dns = self.text_list_of(object, "dns");
        container.cap_add = self.text_list_of(object, "capAdd");
        container.cap_drop = self.text_list_of(object, "capDrop");
        container.privileged = self.flag_of(object, "privileged").unwrap_or(false);
        container.security_opt = self.text_list_of(object, "securityOpt");
        container.read_only_rootfs = self.flag_of(object, "readOnlyRootfs").unwrap_or(false);
        container.shm_size = self.size_of(object, "shmSize");
        container.ulimits = self.ulimits(object);
        container.devices = self.devices(object);
        container.gpus = self.gpus(object);
        container.sysctls = self.text_map_of(object, "sysctls");
        container.logging = object.get("logging").and_then(|node| self.logging(node));
        container.platform = self.text_of(object, "platform");
        container.pull_policy = self.choice_of(object, "pullPolicy").unwrap_or_default();
        container.pid = self.text_of(object, "pid");
        container.ipc = self.text_of(object, "ipc");
        container.group_add = self.text_list_of(object, "groupAdd");
        container.runtime = self.text_of(object, "runtime");
    }

    /// Ports open to the network: `80`, `80/udp`, or plain numbers.
    fn expose(&mut self, object: &Object<'_>) -> Vec<String> {
        let items: Vec<Node<'_>> = object.all("expose").flat_map(|member| member.value.items()).collect();
        let mut ports = Vec::new();
        for node in items {
            let text = match node.value() {
                Value::Number(_) => self.port(node).map(|port| port.to_string()),
                _ => self.text(node),
            };
            let Some(text) = text else { continue };
            let (number, protocol) = text.split_once('/').unwrap_or((&text, "tcp"));
            if number.parse::<u16>().is_ok_and(|port| port > 0) && matches!(protocol, "tcp" | "udp" | "sctp") {
                ports.push(text);
            } else {
                let message = format!("`{}` is no port", node.quote(&text));
                self.error(Code::BadPort, node, message, "write it as in \"80\" or \"80/udp\"");
            }
        }
        ports
    }

    /// Names and addresses: an object, or in older documents an array of `name:address`.
    fn extra_hosts(&mut self, object: &Object<'_>) -> TextMap {
        let Some(node) = object.get("extraHosts") else { return TextMap::new() };
        if !matches!(node.value(), Value::Array(_)) {
            return self.text_map_of(object, "extraHosts");
        }
        self.older_form(node, "an array of hosts", "write {\"name\": \"address\"}");
        let mut hosts = TextMap::new();
        for item in node.elements() {
            let Some(text) = self.text(item) else { continue };
            match text.split_once([':', '=']) {
                Some((name, address)) => {
                    let before = hosts.insert(name.to_owned(), address.to_owned());
                    if before.is_some_and(|before| before != address) {
                        let message = format!("`{}` gives a name a second address", item.quote(&text));
                        self.error(Code::DuplicateKey, item, message, "keep one address for each name");
                    }
                }
                None => self.error(
                    Code::BadForm,
                    item,
                    format!("`{}` is not `name:address`", item.quote(&text)),
                    "write {\"name\": \"address\"}",
                ),
            }
        }
        hosts
    }

    /// An array of `{name, soft, hard}`, or in older documents an object of numbers or `{soft, hard}`.
    fn ulimits(&mut self, object: &Object<'_>) -> Vec<Ulimit> {
        let mut limits = Vec::new();
        for member in object.all("ulimits") {
            let node = member.value;
            match node.value() {
                Value::Array(_) => {
                    for item in node.elements() {
                        let Some(limit) = self.object(item, &schema::ULIMIT) else { continue };
                        let name = self.text_of(&limit, "name");
                        if limit.get("name").is_none() {
                            self.error(Code::MissingKey, item, "a ulimit needs a name", "add \"name\": \"nofile\"");
                        }
                        limits.extend(self.ulimit(&limit, name));
                    }
                }
                Value::Object(_) => {
                    self.older_form(
                        node,
                        "ulimits as an object",
                        "write [{\"name\": \"nofile\", \"soft\": …, \"hard\": …}]",
                    );
                    for entry in node.members() {
                        let name = entry.key.to_owned();
                        if entry.value.is_object() {
                            let Some(limit) = self.object(entry.value, &schema::ULIMIT) else { continue };
                            limits.extend(self.ulimit(&limit, Some(name)));
                        } else if let Some(both) = self.integer(entry.value, i64::MIN, i64::MAX) {
                            limits.push(Ulimit { name, soft: both, hard: both });
                        }
                    }
                }
                _ => self.wrong_type(node, "an array of ulimits", ""),
            }
        }
        limits
    }

    fn ulimit(&mut self, object: &Object<'_>, name: Option<String>) -> Option<Ulimit> {
        let soft = self.integer_of(object, "soft");
        let hard = self.integer_of(object, "hard");
        if object.get("soft").is_none() && object.get("hard").is_none() {
            self.error(Code::MissingKey, object.node, "a ulimit needs `soft` or `hard`", "");
        }
        Some(Ulimit { name: name?, soft: soft.or(hard)?, hard: hard.or(soft)? })
    }

    /// An array of `{hostPath, containerPath, permissions}`, or of `host[:container[:rwm]]` in older documents.
    fn devices(&mut self, object: &Object<'_>) -> Vec<Device> {
        let items: Vec<Node<'_>> = object.all("devices").flat_map(|member| member.value.items()).collect();
        items.into_iter().filter_map(|node| self.device(node)).collect()
    }

    fn device(&mut self, node: Node<'_>) -> Option<Device> {
        const ALL: &str = "rwm";
        if node.as_str().is_some() {
            let text = self.text(node)?;
            let mut parts = text.splitn(3, ':');
            let host_path = parts.next().unwrap_or_default().to_owned();
            let container_path = parts.next().map_or_else(|| host_path.clone(), str::to_owned);
            let permissions = parts.next().unwrap_or(ALL).to_owned();
            let shown = if node.has_variables() { "…" } else { host_path.as_str() };
            let canonical = format!("write {{\"hostPath\": \"{shown}\"}}");
            let device = Device { host_path, container_path, permissions };
            return self.older_form(node, "a device as a string", canonical).then_some(device);
        }
        let object = self.object(node, &schema::DEVICE)?;
        if object.get("hostPath").is_none() {
            self.error(Code::MissingKey, node, "a device needs `hostPath`", "add \"hostPath\": \"/dev/…\"");
        }
        let host_path = self.text_of(&object, "hostPath");
        let container_path = self.text_of(&object, "containerPath").or_else(|| host_path.clone());
        let permissions = self.text_of(&object, "permissions").unwrap_or_else(|| ALL.to_owned());
        Some(Device { host_path: host_path?, container_path: container_path?, permissions })
    }

    /// How many GPUs; `"all"` is -1.
    fn gpus(&mut self, object: &Object<'_>) -> Option<i64> {
        let node = object.get("gpus")?;
        if let Some(written) = node.as_str()
            && self.fill(node, written)? == "all"
        {
            return Some(-1);
        }
        self.integer(node, -1, i64::from(u16::MAX))
    }

    fn logging(&mut self, node: Node<'_>) -> Option<Logging> {
        let object = self.object(node, &schema::LOGGING)?;
        Some(Logging { driver: self.text_of(&object, "driver"), options: self.text_map_of(&object, "options") })
    }
}
